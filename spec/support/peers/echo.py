#!/usr/bin/python3
"""An independent WebSocket server: python3-websockets of Debian.

Prints `ready PORT`, and at SIGUSR1 a line of JSON with its counts. Modes:

  echo    every message comes back as it is
  sha     every message is answered with its SHA-256 in hex and its length
  slow    the same, but reads at --rate bytes a second
  frames  the first message registers; then "registered", --count binary
          frames of --size bytes, and close 1000. Frame i (from 0) begins with
          i as four bytes, big end first; the rest are bytes of i modulo 256
  silent  reads and never answers
"""

import argparse
import asyncio
import functools
import hashlib
import json
import signal
import socket
import ssl
import sys

import websockets
from websockets.extensions.permessage_deflate import \
    ServerPerMessageDeflateFactory
from websockets.legacy.server import WebSocketServerProtocol

counts = {"open": 0, "max_open": 0, "connections": 0, "messages": 0,
          "bytes": 0}


def arguments():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    p.add_argument("--tls-version", choices=["1.2", "1.3"])
    p.add_argument("--client-ca", help="require a certificate of these")
    p.add_argument("--alpn", action="append")
    p.add_argument("--mode", default="echo",
                   choices=["echo", "sha", "slow", "frames", "silent"])
    p.add_argument("--rate", type=float, default=1 << 20)
    p.add_argument("--count", type=int, default=100)
    p.add_argument("--size", type=int, default=4096)
    p.add_argument("--interval", type=float, default=0)
    p.add_argument("--close-after", type=int, metavar="MESSAGES")
    p.add_argument("--close-code", type=int, default=1000)
    p.add_argument("--close-reason", default="")
    p.add_argument("--subprotocol", action="append")
    p.add_argument("--ping", type=float, help="seconds between pings")
    p.add_argument("--max-size", default="none", help="bytes, or none")
    p.add_argument("--deflate", nargs="?", const="{}", type=json.loads,
                   help="JSON, by the names of RFC 7692")
    p.add_argument("--hello", action="store_true",
                   help="first send what is known of the client, as JSON")
    return p.parse_args()


def context(args):
    if not args.tls:
        return None
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(*args.tls)
    if args.client_ca:
        ctx.load_verify_locations(args.client_ca)
        ctx.verify_mode = ssl.CERT_REQUIRED
    if args.tls_version:
        version = getattr(ssl.TLSVersion,
                          "TLSv" + args.tls_version.replace(".", "_"))
        ctx.minimum_version = ctx.maximum_version = version
    if args.alpn:
        ctx.set_alpn_protocols(args.alpn)
    return ctx


def extensions(args):
    if args.deflate is None:
        return None
    return [ServerPerMessageDeflateFactory(**args.deflate)]


class Slow(WebSocketServerProtocol):
    """Takes what arrives, then nothing for as long as its bytes are worth."""

    def __init__(self, *positional, rate, **named):
        self.rate = rate
        super().__init__(*positional, **named)

    def data_received(self, data):
        super().data_received(data)
        self.transport.pause_reading()
        self.loop.call_later(len(data) / self.rate, self.go_on)

    def go_on(self):
        if not self.transport.is_closing():
            self.transport.resume_reading()


def hello(ws):
    tls = ws.transport.get_extra_info("ssl_object")
    return json.dumps({
        "path": ws.path,
        "headers": {name.lower(): ", ".join(ws.request_headers.get_all(name))
                    for name in ws.request_headers},
        "subprotocol": ws.subprotocol,
        "tls": tls and {"version": tls.version(), "cipher": tls.cipher()[0],
                        "alpn": tls.selected_alpn_protocol(),
                        "resumed": tls.session_reused,
                        "peer": tls.getpeercert()},
    })


def as_bytes(message):
    return message.encode() if isinstance(message, str) else message


def digest(message):
    data = as_bytes(message)
    return "%s %d" % (hashlib.sha256(data).hexdigest(), len(data))


def choose(offered, served):
    """The first that is served here; the module would draw among equals."""
    return next((name for name in served if name in offered), None)


async def stream(args, ws):
    await ws.recv()
    await ws.send("registered")
    for i in range(args.count):
        body = bytes([i & 255]) * max(0, args.size - 4)
        await ws.send(i.to_bytes(4, "big") + body)
        if args.interval:
            await asyncio.sleep(args.interval)
    await ws.close(1000, "done")


async def answer(args, ws):
    answered = 0
    async for message in ws:
        counts["messages"] += 1
        counts["bytes"] += len(as_bytes(message))
        if args.mode == "echo":
            await ws.send(message)
        elif args.mode != "silent":
            await ws.send(digest(message))
        answered += 1
        if answered == args.close_after:
            await ws.close(args.close_code, args.close_reason)


async def serve(args, ws):
    counts["connections"] += 1
    counts["open"] += 1
    counts["max_open"] = max(counts["max_open"], counts["open"])
    try:
        if args.hello:
            await ws.send(hello(ws))
        if args.close_after == 0:
            await ws.close(args.close_code, args.close_reason)
        await (stream if args.mode == "frames" else answer)(args, ws)
    except websockets.ConnectionClosed:
        pass
    finally:
        counts["open"] -= 1


def report():
    print(json.dumps(counts), flush=True)


async def main(args):
    options = {}
    if args.mode == "slow":
        options = {"create_protocol": functools.partial(Slow, rate=args.rate),
                   "read_limit": 1 << 30}
    family = socket.AF_INET6 if ":" in args.host else socket.AF_INET
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if args.mode == "slow":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 15)
    sock.bind((args.host, args.port))
    async with websockets.serve(
            functools.partial(serve, args), sock=sock, ssl=context(args),
            subprotocols=args.subprotocol, select_subprotocol=choose,
            ping_interval=args.ping,
            max_size=None if args.max_size == "none" else int(args.max_size),
            compression=None, extensions=extensions(args), backlog=511,
            **options):
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, report)
        print("ready %d" % sock.getsockname()[1], flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    try:
        asyncio.run(main(arguments()))
    except KeyboardInterrupt:
        sys.exit(130)
