#!/usr/bin/python3
"""A server for the night: what it does to a connection the dice decide.

  chaos.py --seed 1 [--tls CERT KEY] [--good 0.4] [--only NAME,NAME]

  good      a proper echo, until the client closes
  refuse    reset, and nobody listens for a moment
  reset     accepted and reset
  stall     silence where the TLS handshake (or the answer) should come
  busy      503 with Retry-After: 0
  upgrade   the connection ends in the middle of the answer
  once      one message comes back, then a close with 1012
  dropped   the connection ends in the middle of a frame

Prints `ready PORT`; at SIGUSR1 a line of JSON: how often each was done, how
many connections were open at once, and the same for every client that named
itself in the path (/anything/ID) or in X-Client. A connection counts as open
until the client has closed its end (or it was reset), not only until this
side has: so a client that dials before its old transport is closed shows.
"""

import argparse
import asyncio
import collections
import contextlib
import ctypes
import json
import random
import signal
import socket
import ssl
import struct

import wire

# struct tcp_info begins with the state; these say that the client is gone.
GONE = {3: "SYN_RECV", 6: "TIME_WAIT", 7: "CLOSE", 8: "CLOSE_WAIT",
        9: "LAST_ACK", 11: "CLOSING"}

READ_SECONDS = 30
LINGER_SECONDS = 5


class Ledger:
    def __init__(self):
        self.done = collections.Counter()
        self.sockets = {}  # connection number -> a descriptor to ask
        self.accepted = self.max_open = self.messages = 0
        self.clients = {}  # id -> {"now": {numbers}, "max", "connections"}

    def is_open(self, number):
        sock = self.sockets.get(number)
        if sock is None:
            return False
        state = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return state not in GONE

    def open(self, sock):
        self.accepted += 1
        self.sockets[self.accepted] = sock.dup()
        now = sum(map(self.is_open, self.sockets))
        self.max_open = max(self.max_open, now)
        return self.accepted

    def name(self, number, client):
        entry = self.clients.setdefault(
            client, {"now": set(), "max": 0, "connections": 0})
        entry["connections"] += 1
        entry["now"].add(number)
        entry["now"] = set(filter(self.is_open, entry["now"]))
        entry["max"] = max(entry["max"], len(entry["now"]))

    def forget(self, number):
        sock = self.sockets.pop(number, None)
        if sock:
            sock.close()

    def report(self):
        print(json.dumps({
            "accepted": self.accepted, "messages": self.messages,
            "open": sum(map(self.is_open, self.sockets)),
            "max_open": self.max_open, "done": self.done,
            "clients": {name: {"max": entry["max"],
                               "connections": entry["connections"]}
                        for name, entry in self.clients.items()},
        }), flush=True)


class Ended(Exception):
    """This connection has got what it was meant to get."""


class Chaos:
    def __init__(self, args):
        self.dice = random.Random(args.seed)
        self.args = args
        self.ledger = Ledger()
        self.accepting = self.context = None
        if args.tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*args.tls)
        self.listener = None
        self.address = (args.host, args.port)
        self.tasks = set()  # the loop itself holds its tasks weakly

    def start(self, coroutine):
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def listen(self):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind(self.address)
        sock.listen(511)
        self.address = sock.getsockname()
        self.listener = sock
        self.accepting = self.start(self.accept(sock))

    async def accept(self, listener):
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(listener)
            self.start(self.serve(sock))

    async def deafen(self):
        if self.listener is None:
            return  # already
        self.accepting.cancel()
        self.listener.close()
        self.listener = None
        await asyncio.sleep(self.dice.uniform(0.01, 0.2))
        self.listen()

    def pick(self):
        if self.dice.random() < self.args.good:
            return "good"
        return self.dice.choice(self.args.only)

    async def serve(self, sock):
        number = self.ledger.open(sock)
        deed = self.pick()
        self.ledger.done[deed] += 1
        try:
            await self.act(deed, number, sock)
        except (Ended, OSError, EOFError, ValueError, KeyError,
                asyncio.TimeoutError, asyncio.LimitOverrunError):
            pass
        finally:
            sock.close()
            await self.see_off(number)

    async def see_off(self, number):
        """Keep the descriptor until the client has closed its end too."""
        sock = self.ledger.sockets[number]
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        waited = 0
        while self.ledger.is_open(number) and waited < LINGER_SECONDS:
            await asyncio.sleep(0.005)
            waited += 0.005
        self.ledger.forget(number)

    def reset(self, number):
        """Both ends are gone at once."""
        sock = self.ledger.sockets[number]
        # Disconnecting is how a socket with other descriptors is reset.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))
        disconnect(sock)
        raise Ended

    async def act(self, deed, number, sock):
        if deed == "refuse":
            self.start(self.deafen())
        if deed in ("refuse", "reset"):
            self.reset(number)
        if deed == "stall":
            await asyncio.sleep(self.dice.uniform(0.05, 0.5))
            raise Ended
        reader, writer = await streams(sock, self.context)
        try:
            await self.answer(deed, number, reader, writer)
        finally:
            writer.transport.abort()

    async def answer(self, deed, number, reader, writer):
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"),
                                      READ_SECONDS)
        line, headers = wire.parse_request(head[:-4])
        self.ledger.name(number, headers.get("x-client")
                         or line.split(" ")[1].rsplit("/", 1)[-1])
        if deed == "busy":
            writer.write(wire.response(503, "Busy", {
                "Retry-After": 0, "Content-Length": 0,
                "Connection": "close"}))
            await writer.drain()
            raise Ended
        answer = wire.upgrade(headers["sec-websocket-key"])
        if deed == "upgrade":
            writer.write(answer[:self.dice.randrange(1, len(answer))])
            await writer.drain()
            raise Ended
        writer.write(answer)
        await self.talk(deed, reader, writer)

    async def talk(self, deed, reader, writer):
        while True:
            frame = await read_frame(reader)
            opcode, payload = frame["opcode"], frame["payload"]
            if opcode == 8:
                writer.write(wire.frame(8, payload[:2]))
                await writer.drain()
                raise Ended
            if opcode == 9:
                writer.write(wire.frame(10, payload))
            elif opcode < 3:
                self.ledger.messages += frame["fin"]
                echo = wire.frame(opcode, payload, fin=frame["fin"])
                if deed == "dropped":
                    # At least its first byte, never its last.
                    echo = echo[:self.dice.randrange(1, len(echo))]
                writer.write(echo)
                await writer.drain()
                if deed == "dropped":
                    raise Ended
                if deed == "once" and frame["fin"]:
                    writer.write(wire.frame(8, struct.pack("!H", 1012)))
                    await writer.drain()
                    await asyncio.wait_for(reader.read(1 << 16), READ_SECONDS)
                    raise Ended


def disconnect(sock):
    """connect(2) to AF_UNSPEC: with SO_LINGER at zero it sends RST."""
    unspecified = struct.pack("=H14x", socket.AF_UNSPEC)
    ctypes.CDLL(None).connect(sock.fileno(), unspecified, len(unspecified))


async def streams(sock, context):
    """The handshake, where there is TLS, and then as asyncio's servers do."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(
        lambda: protocol, sock, ssl=context,
        ssl_handshake_timeout=READ_SECONDS if context else None)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def read_frame(reader):
    parser = wire.parse_frame()
    need = next(parser)
    try:
        while True:
            need = parser.send(await reader.readexactly(need))
    except StopIteration as done:
        return done.value


DEEDS = ["refuse", "reset", "stall", "busy", "upgrade", "once", "dropped",
         "good"]


def arguments():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--good", type=float, default=0.4,
                   help="the share of good ones")
    p.add_argument("--only", default=DEEDS[:-1],
                   type=lambda text: text.split(","),
                   help="what the others are")
    args = p.parse_args()
    for deed in args.only:
        if deed not in DEEDS:
            p.error("nothing is called %r" % deed)
    return args


async def main():
    chaos = Chaos(arguments())
    chaos.listen()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1,
                                                  chaos.ledger.report)
    print("ready %d" % chaos.address[1], flush=True)
    await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(main())
