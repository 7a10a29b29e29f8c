#!/usr/bin/python3
"""A hostile peer that follows a script.

  raw.py [--tls CERT KEY] [--client-ca CA] [--tls-version 1.2] [--weak] SCRIPTS
  raw.py --refuse

SCRIPTS is JSON (or @FILE with it): a list with one script for each connection
in the order of their coming; the last one serves all that follow. A script is
a list of steps, each a list of a name and arguments. Prints `ready PORT`, then
a line of JSON for each thing learnt: {"conn": 1, "event": …}, with "step" at
the end of a script ("end") and where one fails ("error"). --refuse has the
port and does not listen, so that connecting is refused.

  tls                          the handshake, from here on inside
  records                      the handshake, and all up to the end: which kinds
                               of record came (20 to 23: RFC 8446, 5.1)
                                                                    -> records
  request                      read a request's head                -> request
  upgrade {headers}            read it if need be, answer 101; headers replace
                               the usual ones, null leaves one out
  status 503 {headers} body    read it if need be, answer so
  send HEX [piece [seconds]]   bytes, in pieces of so many, with a pause
  text STRING [piece [seconds]]
  frame OPCODE HEX {fin, rsv, mask, length, piece, repeat}
  wire HEX                     bytes beneath TLS
  recv N                       so many bytes                        -> recv
  frames N                     so many frames of the peer           -> frame
  until OPCODE                 frames up to one of that kind        -> frame
  drain                        all up to the end          -> eof, reset, bytes
  closed                       the same beneath TLS       -> eof, reset, bytes
  sleep SECONDS
  notify                       TLS close_notify
  fin                          TCP's end of sending, without close_notify
  close                        the socket, without close_notify
  reset                        the same with RST
  deaf                         stop listening: further connects are refused
"""

import argparse
import hashlib
import json
import socket
import ssl
import struct
import sys
import threading
import time

import wire

PATIENCE = 60  # seconds; a step that takes longer is an error
lock = threading.Lock()


def say(**fact):
    with lock:
        print(json.dumps(fact), flush=True)


def digest(data):
    """Enough to judge bytes by, and no more than a pipe holds."""
    return {"len": len(data), "hex": data[:128].hex(),
            "sha256": hashlib.sha256(data).hexdigest()}


class Connection:
    def __init__(self, number, sock, listener, context):
        self.number = number
        self.listener = listener
        self.context = context
        self.sock = sock
        self.below = sock  # beneath TLS
        self.headers = None
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self, script):
        for index, step in enumerate(script):
            try:
                getattr(self, "do_" + step[0].replace("-", "_"))(*step[1:])
            except Exception as problem:  # whatever it is, it is told
                self.say("error", step=index, name=step[0],
                         error="%s: %s" % (type(problem).__name__, problem))
                break
        else:
            self.say("end", step=len(script))
        self.do_close()

    def say(self, event, **more):
        say(conn=self.number, event=event, **more)

    def read(self, n):
        data = b""
        while len(data) < n:
            piece = self.sock.recv(n - len(data))
            if not piece:
                raise EOFError("after %d of %d bytes" % (len(data), n))
            data += piece
        return data

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

    def do_tls(self):
        # A second descriptor, because wrapping takes the first one over.
        self.below = self.sock.dup()
        self.below.settimeout(PATIENCE)
        self.sock = self.context.wrap_socket(
            self.sock, server_side=True, suppress_ragged_eofs=False)
        self.say("tls", version=self.sock.version(),
                 resumed=self.sock.session_reused,
                 alpn=self.sock.selected_alpn_protocol())

    def do_records(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        inner = self.context.wrap_bio(incoming, outgoing, server_side=True)
        came, result = b"", "unfinished"
        while True:
            try:
                if result == "unfinished":
                    inner.do_handshake()
                    result = "done"
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as problem:
                result = problem.reason
            self.sock.sendall(outgoing.read())
            data = self.sock.recv(1 << 16)
            if not data:
                break
            came += data
            incoming.write(data)
        kinds = []
        while came:
            kinds.append(came[0])
            came = came[5 + int.from_bytes(came[3:5], "big"):]
        self.say("records", kinds=kinds, result=result)

    def do_request(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.read(1)
        line, self.headers = wire.parse_request(head[:-4])
        self.say("request", line=line, headers=self.headers)

    def do_upgrade(self, extra=None):
        if self.headers is None:
            self.do_request()
        key = self.headers.get("sec-websocket-key", "")
        self.sock.sendall(wire.upgrade(key, extra))

    def do_status(self, status, headers=None, body=""):
        if self.headers is None:
            self.do_request()
        body = body.encode()
        fields = {"Content-Length": len(body), "Connection": "close"}
        fields.update(headers or {})
        self.sock.sendall(wire.response(status, "As Told", fields, body))

    def put(self, data, piece=None, pause=0.001):
        if not piece:
            self.sock.sendall(data)
            return
        for at in range(0, len(data), piece):
            self.sock.sendall(data[at:at + piece])
            time.sleep(pause)

    def do_send(self, data, *pieces):
        self.put(bytes.fromhex(data), *pieces)

    def do_text(self, text, *pieces):
        self.put(text.encode(), *pieces)

    def do_frame(self, opcode, payload="", options=None):
        options = dict(options or {})
        piece = options.pop("piece", None)
        repeat = options.pop("repeat", 1)
        if options.get("mask"):
            options["mask"] = b"\x12\x34\x56\x78"
        data = wire.frame(opcode, bytes.fromhex(payload), **options)
        for _ in range(repeat):
            self.put(data, piece)

    def do_wire(self, data):
        self.below.sendall(bytes.fromhex(data))

    def do_recv(self, n):
        self.say("recv", **digest(self.read(n)))

    def do_frames(self, n):
        for _ in range(n):
            self.read_frame()

    def do_until(self, opcode):
        while self.read_frame() != opcode:
            pass

    def swallow(self, sock):
        total = 0
        try:
            while True:
                data = sock.recv(1 << 16)
                if not data:
                    self.say("eof", bytes=total)
                    return
                total += len(data)
        except ConnectionResetError:
            self.say("reset", bytes=total)
        except ssl.SSLEOFError:
            self.say("eof", bytes=total, truncated=True)

    def do_drain(self):
        self.swallow(self.sock)

    def do_closed(self):
        self.swallow(self.below)

    def do_sleep(self, seconds):
        time.sleep(seconds)

    def do_notify(self):
        self.sock.settimeout(0)  # send it, and do not wait for the peer's
        try:
            self.sock.unwrap()
        except (ssl.SSLWantReadError, ssl.SSLSyscallError, OSError):
            pass
        self.sock = self.below

    def do_fin(self):
        self.below.shutdown(socket.SHUT_WR)

    def do_close(self):
        self.below.close()
        self.sock.close()

    def do_reset(self):
        self.below.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack("ii", 1, 0))
        self.do_close()

    def do_deaf(self):
        # Closing alone does not wake the thread that accepts.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def arguments():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    p.add_argument("--client-ca")
    p.add_argument("--tls-version", choices=["1.1", "1.2", "1.3"])
    p.add_argument("--weak", action="store_true")
    p.add_argument("--alpn", action="append")
    p.add_argument("--refuse", action="store_true")
    p.add_argument("scripts", nargs="?", default="[[]]")
    args = p.parse_args()
    if args.scripts.startswith("@"):
        with open(args.scripts[1:], encoding="utf-8") as file:
            args.scripts = file.read()
    args.scripts = json.loads(args.scripts)
    for script in args.scripts:
        for step in script:
            if not hasattr(Connection, "do_" + step[0].replace("-", "_")):
                sys.exit("raw.py: no step is called %r" % (step[0],))
    return args


def context(args):
    if not args.tls:
        return None
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if args.weak:  # before the key is judged
        ctx.set_ciphers("ALL:@SECLEVEL=0")
    ctx.load_cert_chain(*args.tls)
    if args.client_ca:
        ctx.load_verify_locations(args.client_ca)
        ctx.verify_mode = ssl.CERT_REQUIRED
    if args.tls_version:
        ctx.minimum_version = ctx.maximum_version = getattr(
            ssl.TLSVersion, "TLSv" + args.tls_version.replace(".", "_"))
    if args.alpn:
        ctx.set_alpn_protocols(args.alpn)
    return ctx


def main():
    args = arguments()
    ctx = context(args)
    listener = socket.socket(socket.AF_INET6 if ":" in args.host
                             else socket.AF_INET)
    listener.bind((args.host, 0))
    if not args.refuse:
        listener.listen(128)
    print("ready %d" % listener.getsockname()[1], flush=True)
    number = 0
    while not args.refuse:
        try:
            sock, _ = listener.accept()
        except OSError:
            break  # deaf
        script = args.scripts[min(number, len(args.scripts) - 1)]
        number += 1
        peer = Connection(number, sock, listener, ctx)
        threading.Thread(target=peer.run, args=(script,)).start()
    if args.refuse:
        threading.Event().wait()


if __name__ == "__main__":
    main()
