#!/usr/bin/python3
"""Raw clients that follow scripts, for what happens on the wire.

  caller.py [--ca CA] [--cert CERT KEY] TARGET FILE SCRIPTS

TARGET is PORT (of 127.0.0.1), [ADDRESS]:PORT or the path of a local socket.
SCRIPTS is JSON: one script for each connection, all at once; a script is a
list of steps, each a list of a name and arguments. When all have ended FILE
appears, with a JSON list of what each learnt: a list of {"event": …}; "end"
is the last, or "error" with the "step" that failed.

  tls                          the handshake, from here on inside
  ask METHOD TARGET {headers}  a request; headers replace Host, null leaves
                               one out, a list repeats one
  upgrade {headers} TARGET     a request for an upgrade, and its answer
  answer [METHOD]              an answer, with its body          -> answer
  body PIECE [seconds]         an answer, its body read piece by piece with a
                               pause                             -> answer
  text STRING [piece [seconds]]  bytes, in pieces of so many, with a pause
  send HEX [piece [seconds]]
  fill LETTER N                so many of it
  frame OPCODE HEX {fin, rsv, mask, length, repeat}  masked, unless mask is
                               false
  frames N                     so many frames                    -> frame
  until OPCODE                 frames up to one of that kind     -> frame
  drain                        all up to the end     -> eof, reset, bytes
  sleep SECONDS
  await FILE                   until there is such a file
  fin                          TCP's end of sending
  reset                        hang up with a RST
"""

import argparse
import hashlib
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

import wire

PATIENCE = 120  # seconds; a step that takes longer is an error


def digest(data):
    return {"len": len(data), "text": data[:256].decode("latin-1"),
            "hex": data[:128].hex(),
            "sha256": hashlib.sha256(data).hexdigest()}


def lines(first, headers):
    out = [first]
    for name, value in headers.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                out.append("%s: %s" % (name, one))
    return ("\r\n".join(out) + "\r\n\r\n").encode("latin-1")


class Caller:
    def __init__(self, where, args):
        self.events = []
        self.args = args
        self.where = where
        self.rest = b""
        family, address = where
        self.sock = socket.socket(family)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(address)
        if family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self, script):
        for index, step in enumerate(script):
            try:
                getattr(self, "do_" + step[0])(*step[1:])
            except Exception as problem:  # whatever it is, it is told
                self.say("error", step=index, name=step[0],
                         error="%s: %s" % (type(problem).__name__, problem))
                break
        else:
            self.say("end")
        self.sock.close()

    def say(self, event, **more):
        self.events.append(dict(event=event, **more))

    def more(self, n=1 << 16):
        data = self.sock.recv(n)
        if not data:
            raise EOFError("after %d bytes" % len(self.rest))
        self.rest += data

    def read(self, n):
        parts, have = [self.rest[:n]], min(n, len(self.rest))
        self.rest = self.rest[n:]
        while have < n:
            data = self.sock.recv(min(n - have, 1 << 20))
            if not data:
                raise EOFError("after %d of %d bytes" % (have, n))
            parts.append(data)
            have += len(data)
        return b"".join(parts)

    def do_tls(self):
        ctx = ssl.create_default_context(cafile=self.args.ca)
        if self.args.cert:
            ctx.load_cert_chain(*self.args.cert)
        self.sock = ctx.wrap_socket(self.sock, server_hostname="localhost")

    def do_ask(self, method, target, headers=None, version="1.1"):
        fields = {"Host": "localhost"}
        fields.update(headers or {})
        self.sock.sendall(lines("%s %s HTTP/%s" % (method, target, version),
                                fields))

    def do_upgrade(self, headers=None, target="/"):
        fields = {"Upgrade": "websocket", "Connection": "Upgrade",
                  "Sec-WebSocket-Version": "13",
                  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        fields.update(headers or {})
        self.do_ask("GET", target, fields)
        self.do_answer()

    def head(self):
        while b"\r\n\r\n" not in self.rest:
            self.more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        line, headers = wire.parse_request(head)
        if not line.startswith("HTTP/1.1 "):
            raise ValueError("not an answer: %r" % line[:80])
        return line, headers, len(head) + 4

    def do_answer(self, method="GET"):
        line, headers, size = self.head()
        n = 0
        if method != "HEAD" and " 101 " not in line:
            n = int(headers.get("content-length", "0"))
        self.say("answer", line=line, status=int(line.split(" ")[1]),
                 headers=headers, head=size, **digest(self.read(n)))

    def do_body(self, piece, pause=0.001):
        line, headers, size = self.head()
        n, have, sha = int(headers["content-length"]), 0, hashlib.sha256()
        while have < n:
            data = self.read(min(piece, n - have))
            have += len(data)
            sha.update(data)
            time.sleep(pause)
        self.say("answer", line=line, status=int(line.split(" ")[1]),
                 headers=headers, head=size, len=have, sha256=sha.hexdigest())

    def put(self, data, piece=None, pause=0.001):
        if not piece:
            self.sock.sendall(data)
            return
        for at in range(0, len(data), piece):
            self.sock.sendall(data[at:at + piece])
            time.sleep(pause)

    def do_text(self, text, *pieces):
        self.put(text.encode("latin-1"), *pieces)

    def do_fill(self, letter, n):
        self.put(letter.encode() * n)

    def do_send(self, data, *pieces):
        self.put(bytes.fromhex(data), *pieces)

    def do_frame(self, opcode, payload="", options=None):
        options = dict(options or {})
        repeat = options.pop("repeat", 1)
        masked = options.pop("mask", True)
        options["mask"] = b"\x12\x34\x56\x78" if masked else None
        self.put(wire.frame(opcode, bytes.fromhex(payload), **options)
                 * repeat)

    def read_frame(self):
        parser = wire.parse_frame()
        need = next(parser)
        try:
            while True:
                need = parser.send(self.read(need))
        except StopIteration as done:
            found = done.value
        payload = found.pop("payload")
        self.say("frame", **found, **digest(payload))
        return found["opcode"]

    def do_frames(self, n):
        for _ in range(n):
            self.read_frame()

    def do_until(self, opcode):
        while self.read_frame() != opcode:
            pass

    def do_drain(self):
        total, start, rest = len(self.rest), time.monotonic(), self.rest
        end = "eof"
        try:
            while True:
                data = self.sock.recv(1 << 16)
                if not data:
                    break
                total += len(data)
                rest = (rest + data)[:256]
        except ConnectionResetError:
            end = "reset"
        except ssl.SSLEOFError:
            end = "truncated"
        self.say(end, bytes=total, text=rest.decode("latin-1"),
                 seconds=time.monotonic() - start)

    def do_sleep(self, seconds):
        time.sleep(seconds)

    def do_await(self, name):
        deadline = time.monotonic() + PATIENCE
        while not os.path.exists(name):
            if time.monotonic() > deadline:
                raise TimeoutError(name)
            time.sleep(0.005)

    def do_fin(self):
        self.sock.shutdown(socket.SHUT_WR)

    def do_reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()


def address(target):
    if target.startswith("/"):
        return socket.AF_UNIX, target
    if target.startswith("["):
        host, _, port = target[1:].rpartition("]:")
        return socket.AF_INET6, (host, int(port))
    return socket.AF_INET, ("127.0.0.1", int(target))


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--ca")
    p.add_argument("--cert", nargs=2, metavar=("CERT", "KEY"))
    p.add_argument("target")
    p.add_argument("file")
    p.add_argument("scripts")
    args = p.parse_args()
    scripts = json.loads(args.scripts)
    for script in scripts:
        for step in script:
            if not hasattr(Caller, "do_" + step[0]):
                sys.exit("caller.py: no step is called %r" % (step[0],))
    # They connect in their order, and act all at once.
    callers = [Caller(address(args.target), args) for _ in scripts]
    threads = [threading.Thread(target=caller.run, args=(script,))
               for caller, script in zip(callers, scripts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open(args.file + ".part", "w", encoding="utf-8") as file:
        json.dump([caller.events for caller in callers], file)
    os.rename(args.file + ".part", args.file)


if __name__ == "__main__":
    main()
