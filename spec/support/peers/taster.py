#!/usr/bin/python3
"""Clients that answer every message with its SHA-256 in hex and its length.

  taster.py URL --ca FILE [--guests N] [--rate BYTES/S]

They read slowly, through a small receive buffer, and end with the server.
"""

import argparse
import asyncio
import hashlib
import socket
import ssl
from urllib.parse import urlsplit

import websockets


async def taste(args, context):
    url = urlsplit(args.url)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 15)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(
        sock, (url.hostname, url.port))
    async with websockets.connect(
            args.url, ssl=context, sock=sock, server_hostname="localhost",
            max_size=None, ping_interval=None, compression=None) as ws:
        async for message in ws:
            await asyncio.sleep(len(message) / args.rate)
            await ws.send("%s %d" % (hashlib.sha256(message).hexdigest(),
                                     len(message)))


async def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("url")
    p.add_argument("--ca", required=True)
    p.add_argument("--guests", type=int, default=1)
    p.add_argument("--rate", type=float, default=200e6)
    args = p.parse_args()
    context = ssl.create_default_context(cafile=args.ca)
    await asyncio.gather(*(taste(args, context) for _ in range(args.guests)))


asyncio.run(main())
