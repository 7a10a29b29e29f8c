#!/usr/bin/python3
"""python-websockets: python.py MODE PORT EXTENSION [CERT KEY], as its
documentation has it. bench/README.md says what the servers do and print."""

import asyncio
import ssl
import sys

import websockets
from websockets.extensions.permessage_deflate import (
    ServerPerMessageDeflateFactory)

everybody = set()


async def echo(ws):
    async for message in ws:
        await ws.send(message)


async def fanout(ws):
    everybody.add(ws)
    try:
        async for message in ws:
            websockets.broadcast(everybody, message)
    finally:
        everybody.remove(ws)


async def main(mode, port, extension, *files):
    tls = None
    if files:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.minimum_version = ssl.TLSVersion.TLSv1_3
        tls.load_cert_chain(*files)
    extensions = [ServerPerMessageDeflateFactory(
        compress_settings={"level": 6, "memLevel": 8})]
    async with websockets.serve(
            fanout if mode == "fanout" else echo, "127.0.0.1", int(port),
            ssl=tls, compression=None, max_size=None, backlog=511,
            extensions=extensions if extension == "deflate" else None,
    ) as server:
        port = server.sockets[0].getsockname()[1]
        print("ready %d" % port, flush=True)
        await asyncio.Future()


asyncio.run(main(*sys.argv[1:]))
