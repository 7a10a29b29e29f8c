#!/usr/bin/python3
"""Raw peers of the conformance suite: many connections, a script for each.

  conform.py call JOBS RESULT    clients of a server of ours
  conform.py serve JOBS RESULT   a server for clients of ours; prints
                                 `ready PORT PORT`, the second with TLS

JOBS is a file of JSON: {"cert", "key", "patience" (seconds for one script),
"at_once", "cases": [SCRIPT, …], "jobs": [{"case", "tls", "cut", "seed",
"port"}, …]}, all numbers from 1. A job of a client calls from an address of its
own, 127.N.N.N; one of a server is known by the first part of its target, /N.
When all have ended RESULT appears, a list of what each saw: "heads" (of our
side's HTTP), "body" (behind a head that upgrades nothing), "frames" (lists of
opcode, payload in hex, and of what they look like: fin, rsv, masked, the key
in hex, size of the header without the key), "end" ("eof" or "reset"),
"ragged" (TLS without close_notify), "first" (ours hung up before the script
did), "error" where a step failed.

A script is a list of steps:
  send HEX      cut as the job says: "whole", "bytes" (one at a time) or
                "random", by its seed. $ACCEPT and $KEY stand for what belongs
                there
  put HEX       the same, in one piece whatever the job says
  head          wait for a head
  frames N      wait for N frames (from the beginning)
  until OPCODE  wait for a frame of that kind
  eof           wait until our side hangs up
  still S       nothing at all comes for so long
  fin           hang up: close_notify, and TCP's end of sending
  cut           TCP's end of sending alone
  reset         the same with RST
"""

import asyncio
import json
import os
import random
import socket
import ssl
import struct
import sys

import wire

PAUSE = 0.001  # between two pieces: what is read one by one stays so


def pieces(data, cut, seed):
    """Where data is long, the pieces are small at both ends."""
    if cut == "whole" or len(data) < 2:
        return [data]
    ends, long = 160, len(data) > 400
    if cut == "bytes":
        at = set(range(1, len(data))) if not long else set(range(1, ends)) \
            | set(range(ends, len(data) - 40, 4093)) \
            | set(range(len(data) - 40, len(data)))
    else:
        dice = random.Random(seed)
        at = {dice.randrange(1, len(data)) for _ in range(dice.randint(1, 6))}
        if long:
            at |= {dice.randrange(1, 20), len(data) - dice.randrange(1, 20)}
    at = [0] + sorted(at) + [len(data)]
    return [data[a:b] for a, b in zip(at, at[1:])]


class Gone(Exception):
    """Ours has hung up; the rest of what was to be sent has no reader."""


class Peer:
    def __init__(self, sock):
        self.sock = sock
        self.loop = asyncio.get_running_loop()
        self.news = asyncio.Event()
        self.tls = self.reader = self.job = None
        self.buf, self.in_head, self.hung_up = b"", True, False
        self.told = {"heads": [], "body": "", "frames": []}
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def handshake(self, context, server_side):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(self.incoming, self.outgoing,
                               server_side=server_side)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self.flush()
                data = await self.loop.sock_recv(self.sock, 1 << 16)
                if not data:
                    raise EOFError("in the TLS handshake")
                self.incoming.write(data)
        self.tls = tls
        await self.flush()
        self.decrypt()

    async def flush(self):
        if self.outgoing.pending:
            await self.loop.sock_sendall(self.sock, self.outgoing.read())

    # ---- what our side says -------------------------------------------------

    def decrypt(self):
        while True:
            try:
                data = self.tls.read(1 << 16)
            except ssl.SSLWantReadError:
                return False
            except ssl.SSLZeroReturnError:
                return True
            except ssl.SSLError as problem:
                self.told["alert"] = problem.reason
                return True
            if not data:
                return True
            self.feed(data)

    async def read(self):
        notified = False
        try:
            while True:
                data = await self.loop.sock_recv(self.sock, 1 << 16)
                if not data:
                    self.told["end"] = "eof"
                    break
                if self.tls is None:
                    self.feed(data)
                elif not notified:
                    self.incoming.write(data)
                    notified = self.decrypt()
                self.news.set()
        except OSError:
            self.told["end"] = "reset"
        self.told["first"] = not self.hung_up
        self.told["ragged"] = self.tls is not None and not notified
        self.news.set()

    def feed(self, data):
        self.buf += data
        if self.in_head:
            self.feed_head()
        if not self.in_head and self.told["body"] is not None:
            self.told["body"] += self.buf.decode("latin-1")
            self.buf = b""
        elif not self.in_head:
            while self.feed_frame():
                pass

    def feed_head(self):
        head, blank, rest = self.buf.partition(b"\r\n\r\n")
        if not blank:
            return
        self.buf, self.in_head = rest, False
        self.told["heads"].append(head.decode("latin-1"))
        line, self.headers = wire.parse_request(head)
        if line.startswith("GET ") or " 101 " in line[:14]:
            self.told["body"] = None

    def feed_frame(self):
        parser, at = wire.parse_frame(), 0
        need = next(parser)
        try:
            while at + need <= len(self.buf):
                piece = self.buf[at:at + need]
                at += need
                need = parser.send(piece)
            return False
        except StopIteration as done:
            found = done.value
        size = at - len(found["payload"])
        masked = found["masked"]
        self.told["frames"].append({
            "opcode": found["opcode"], "hex": found["payload"].hex(),
            "fin": found["fin"], "rsv": found["rsv"], "masked": masked,
            "key": self.buf[size - 4:size].hex() if masked else None,
            "size": size - (4 if masked else 0)})
        self.buf = self.buf[at:]
        return True

    async def wait(self, condition):
        while not condition():
            if "end" in self.told:
                raise EOFError("ours hung up: %s" % self.told["end"])
            self.news.clear()
            await self.news.wait()

    # ---- steps ---------------------------------------------------------------

    async def run(self, script):
        for number, step in enumerate(script, 1):
            try:
                await getattr(self, "do_" + step[0])(*step[1:])
            except (Gone, ConnectionError):
                pass
            except asyncio.CancelledError:
                self.told["error"] = "step %d, %s: nothing comes" % (
                    number, step[0])
                return
            except Exception as problem:
                self.told["error"] = "step %d, %s: %s: %s" % (
                    number, step[0], type(problem).__name__, problem)
                return

    async def write(self, data):
        if "end" in self.told:
            raise Gone
        if self.tls is None:
            await self.loop.sock_sendall(self.sock, data)
        else:
            for at in range(0, len(data), 16384):
                self.tls.write(data[at:at + 16384])
            await self.flush()

    def filled(self, data):
        data = bytes.fromhex(data)
        if b"$" not in data:
            return data
        key = getattr(self, "headers", {}).get("sec-websocket-key", "")
        return data.replace(b"$KEY", key.encode()) \
            .replace(b"$ACCEPT", wire.accept_key(key).encode())

    async def do_send(self, data):
        for piece in pieces(self.filled(data), self.job["cut"],
                            self.job["seed"]):
            await self.write(piece)
            if self.job["cut"] != "whole":
                await asyncio.sleep(PAUSE)

    async def do_put(self, data):
        await self.write(self.filled(data))

    async def do_head(self):
        await self.wait(lambda: not self.in_head)

    async def do_frames(self, n):
        await self.wait(lambda: len(self.told["frames"]) >= n)

    async def do_until(self, opcode):
        await self.wait(lambda: any(
            f["opcode"] == opcode for f in self.told["frames"]))

    async def do_eof(self):
        try:
            await self.wait(lambda: "end" in self.told)
        except EOFError:
            pass

    async def do_still(self, seconds):
        seen = len(self.told["frames"])
        await asyncio.sleep(seconds)
        if "end" in self.told or len(self.told["frames"]) > seen:
            raise ValueError("something came")

    async def do_fin(self):
        self.hung_up = True
        if self.tls is not None:
            try:
                self.tls.unwrap()
            except ssl.SSLError:
                pass
            await self.flush()
        await self.do_cut()

    async def do_cut(self):
        self.hung_up = True
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    async def do_reset(self):
        self.hung_up = True
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        if self.reader is not None:
            self.reader.cancel()
        self.sock.close()


class Suite:
    def __init__(self, name, result):
        with open(name, encoding="utf-8") as file:
            self.conf = json.load(file)
        self.result = result
        self.jobs = self.conf["jobs"]
        self.told = [None] * len(self.jobs)
        self.left = len(self.jobs)
        self.done = asyncio.Event()

    def finish(self, number, told):
        if self.told[number - 1] is None:
            self.left -= 1
        else:
            told["error"] = "there was more than one connection"
        self.told[number - 1] = told
        if self.left == 0:
            with open(self.result + ".part", "w", encoding="utf-8") as file:
                json.dump(self.told, file)
            os.rename(self.result + ".part", self.result)
            self.done.set()

    async def play(self, peer, number, prepare):
        """A connection from the beginning; 'number' may only be known when
        the peer has said it."""
        async def all_of_it():
            nonlocal number
            try:
                await prepare()
                peer.reader = asyncio.ensure_future(peer.read())
                if number is None:
                    await peer.do_head()
                    target = peer.told["heads"][0].split(" ")[1]
                    number = int(target.lstrip("/").partition("?")[0]
                                 .partition("/")[0])
                    peer.job = self.jobs[number - 1]
            except asyncio.CancelledError:
                peer.told["error"] = "it never began"
                return
            except Exception as problem:
                peer.told["error"] = "it never began: %s: %s" % (
                    type(problem).__name__, problem)
                return
            await peer.run(self.conf["cases"][peer.job["case"] - 1])
        try:
            await asyncio.wait_for(all_of_it(), self.conf["patience"])
        except asyncio.TimeoutError:
            pass
        peer.close()
        if number is not None:
            self.finish(number, peer.told)

    async def call_one(self, number, context, turn):
        job = self.jobs[number - 1]
        async with turn:
            sock = socket.socket()
            peer = Peer(sock)
            peer.job = job

            async def prepare():
                sock.bind(("127.%d.%d.%d" % (
                    1 + (number >> 16), number >> 8 & 255, number & 255), 0))
                await peer.loop.sock_connect(sock, ("127.0.0.1", job["port"]))
                if job["tls"]:
                    await peer.handshake(context, False)

            await self.play(peer, number, prepare)

    async def call(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # whose it is matters elsewhere
        context.verify_mode = ssl.CERT_NONE
        turn = asyncio.Semaphore(self.conf["at_once"])
        await asyncio.gather(*(self.call_one(number + 1, context, turn)
                               for number in range(len(self.jobs))))

    async def accept(self, listener, context):
        tasks = set()
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(listener)
            peer = Peer(sock)

            async def prepare(peer=peer):
                if context is not None:
                    await peer.handshake(context, True)

            task = asyncio.ensure_future(self.play(peer, None, prepare))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def serve(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.conf["cert"], self.conf["key"])
        ports, tasks = [], []
        for one in (None, context):
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            listener.listen(512)
            listener.setblocking(False)
            ports.append(listener.getsockname()[1])
            tasks.append(asyncio.ensure_future(self.accept(listener, one)))
        print("ready %d %d" % tuple(ports), flush=True)
        await self.done.wait()


async def main():
    suite = Suite(sys.argv[2], sys.argv[3])
    await getattr(suite, sys.argv[1])()

if __name__ == "__main__":
    asyncio.run(main())
