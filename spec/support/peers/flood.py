#!/usr/bin/python3
"""A peer that wants to be rid of far more than anybody asked for.

  flood.py [--tls CERT KEY] --count N --size BYTES

Prints `ready PORT`. A connection to /flood is sent N binary messages of so
many bytes, as fast as the kernel takes them: eight bytes with the message's
number (from 0, big end first) and then bytes of that number modulo 4. When all
are out, pings and a close are answered. Whatever is asked on a connection to
/tell is answered as soon as the flood stands still: JSON with "taken", the
bytes the kernel has taken so far, and "over", whether that was all.
"""

import argparse
import json
import socket
import ssl
import threading

import wire

STILL_SECONDS = 0.4  # no byte for so long is standing still


class Flood:
    def __init__(self, args):
        self.args = args
        self.taken = 0
        self.still = threading.Event()
        self.over = False

    def message(self, i):
        return wire.frame(2, i.to_bytes(8, "big")
                          + bytes([i % 4]) * (self.args.size - 8))

    def put(self, sock, data):
        at = 0
        while at < len(data):
            try:
                # One record's worth: what was tried is tried again.
                n = sock.send(data[at:at + 16384])
            except (TimeoutError, ssl.SSLWantWriteError):
                self.still.set()
                continue
            self.still.clear()
            at += n
            self.taken += n

    def run(self, sock):
        sock.settimeout(STILL_SECONDS)
        for i in range(self.args.count):
            self.put(sock, memoryview(self.message(i)))
        self.over = True
        self.still.set()
        sock.settimeout(None)
        serve(sock, {9: lambda data: wire.frame(10, data)})

    def tell(self, sock):
        def answer(_):
            self.still.wait()
            return wire.frame(1, json.dumps(
                {"taken": self.taken, "over": self.over}).encode())
        serve(sock, {1: answer, 9: lambda data: wire.frame(10, data)})


def read(sock, n):
    data = b""
    while len(data) < n:
        piece = sock.recv(n - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def read_frame(sock):
    parser = wire.parse_frame()
    need = next(parser)
    try:
        while True:
            need = parser.send(read(sock, need))
    except StopIteration as done:
        return done.value


def serve(sock, answers):
    while True:
        frame = read_frame(sock)
        if frame["opcode"] == 8:
            sock.sendall(wire.frame(8, frame["payload"]))
            return
        if frame["opcode"] in answers:
            sock.sendall(answers[frame["opcode"]](frame["payload"]))


def connection(flood, context, sock):
    try:
        if context:
            sock = context.wrap_socket(sock, server_side=True)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += read(sock, 1)
        line, headers = wire.parse_request(head[:-4])
        sock.sendall(wire.upgrade(headers["sec-websocket-key"]))
        (flood.run if "/flood" in line else flood.tell)(sock)
    except (EOFError, OSError):
        pass  # the client has had enough
    finally:
        flood.still.set()
        sock.close()


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    p.add_argument("--count", type=int, required=True)
    p.add_argument("--size", type=int, required=True)
    args = p.parse_args()
    context = None
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*args.tls)
    listener = socket.create_server(("127.0.0.1", 0))
    print("ready %d" % listener.getsockname()[1], flush=True)
    flood = Flood(args)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=connection, daemon=True,
                         args=(flood, context, sock)).start()


if __name__ == "__main__":
    main()
