#!/usr/bin/python3
"""A server that is not ours: python3-websockets of Debian, over TLS.

  server.py --cert server.crt --key server.key [--port 8443]

Whoever connects registers with the text `register NAME FROM`, is answered
`registered NAME FROM`, and is sent binary frames, one a message, from number
FROM on, until it goes. The server remembers nothing: kill it at any time, and
start it again.

A frame is, integers with the big end first:

  4 bytes  n, the length of the payload
  4 bytes  the frame's number
  n bytes  the payload
  4 bytes  the CRC-32 (as zlib has it) of all that stands before

Says `ready PORT` once it listens, and a line for every registration.
"""

import argparse
import asyncio
import itertools
import random
import ssl
import struct
import time
import zlib

import websockets

NOISE = random.Random(1).randbytes(1 << 17)


def frame(number):
    # All lengths up to 999, and at times one beyond 65,535.
    length = 70000 if number % 500 == 499 else number * 7 % 1000
    at = number % 1000
    body = struct.pack(">II", length, number) + NOISE[at:at + length]
    return body + struct.pack(">I", zlib.crc32(body))


async def serve(rate, ws):
    try:
        word, name, first = (await ws.recv()).split()
        if word != "register" or not first.isdigit():
            raise ValueError
    except (ValueError, TypeError, AttributeError):
        await ws.close(1008, "register NAME FROM is wanted first")
        return
    print("registered %s, from frame %s on" % (name, first), flush=True)
    await ws.send("registered %s %s" % (name, first))
    begun = time.monotonic()
    for sent in itertools.count():
        if rate:
            await asyncio.sleep(begun + sent / rate - time.monotonic())
        await ws.send(frame(int(first) + sent))


async def handler(rate, ws):
    try:
        await serve(rate, ws)
    except websockets.ConnectionClosed:
        pass


async def main():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--port", type=int, default=8443, help="0 picks one")
    p.add_argument("--cert", required=True, help="the chain, PEM")
    p.add_argument("--key", required=True)
    p.add_argument("--rate", type=float, default=1000,
                   help="frames a second; 0: as fast as they are taken")
    args = p.parse_args()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(args.cert, args.key)
    async with websockets.serve(lambda ws: handler(args.rate, ws),
                                "127.0.0.1", args.port, ssl=tls) as server:
        print("ready %d" % server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
