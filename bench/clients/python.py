#!/usr/bin/python3
"""python-websockets: python.py URL CA SIZE WINDOW SECONDS, or
python.py URL CA check [deflate] [filled], which proves that the server is an
echo (of no empty messages: filled).
bench/README.md says what the clients do and print."""

import asyncio
import hashlib
import json
import os
import resource
import ssl
import sys
import time

import websockets

WARM, KINDS, EVERY = 0.3, 16, 17
SIZES = [0, 1, 125, 126, 127, 16383, 16384, 16385, 65535, 65536, 65537,
         262144, 1 << 20, (1 << 20) + 7]


def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def connect(url, ca, compression=None):
    context = None
    if url.startswith("wss:"):
        context = ssl.create_default_context(cafile=ca)
    return websockets.connect(url, ssl=context, compression=compression,
                              max_size=16 << 20)


async def check(url, ca, *words):
    """Random messages, many in flight, whole and in fragments, both kinds."""
    messages = []
    compression = "deflate" if "deflate" in words else None
    for size in (SIZES[1:] if "filled" in words else SIZES) * 3:
        data = os.urandom(size)
        messages.append(data)
        messages.append(data.hex())
    digests = [hashlib.sha256(repr(message).encode()).digest()
               for message in messages]
    async with connect(url, ca, compression) as ws:
        if bool(ws.extensions) != bool(compression):
            sys.exit("python.py: the server does not compress")

        async def send():
            for number, message in enumerate(messages):
                if number % 3 == 0 and len(message) > 1:
                    half = len(message) // 2
                    await ws.send([message[:half], message[half:]])
                else:
                    await ws.send(message)
        sender = asyncio.ensure_future(send())
        for digest in digests:
            got = repr(await ws.recv()).encode()
            if hashlib.sha256(got).digest() != digest:
                sys.exit("python.py: the server is no echo")
        await sender
        await (await ws.ping(b"still there"))
    print("echo of %d messages, SHA-256 equal" % len(messages))


async def measure(url, ca, size, window, seconds):
    payloads = [bytes([65 + i]) * (size - 1) + b"\n" for i in range(KINDS)]
    sent = received = 0
    ending = False

    def begin():
        print("begin", flush=True)
        loop.call_later(seconds, end, received, time.perf_counter(), used())

    def end(messages, wall, cpu):
        nonlocal ending
        print(json.dumps({"messages": received - messages,
                          "seconds": time.perf_counter() - wall,
                          "cpu": used() - cpu}), flush=True)
        ending = True

    loop = asyncio.get_running_loop()
    async with connect(url, ca) as ws:
        loop.call_later(WARM, begin)
        for _ in range(window):
            await ws.send(payloads[sent % KINDS])
            sent += 1
        async for data in ws:
            if len(data) != size:
                sys.exit("another length")
            if received % EVERY == 0 and data != payloads[received % KINDS]:
                sys.exit("another payload")
            received += 1
            if not ending:
                await ws.send(payloads[sent % KINDS])
                sent += 1
            elif received == sent:
                break
    if received != sent:
        sys.exit("messages are missing")


def main():
    url, ca, *rest = sys.argv[1:]
    if rest[0] == "check":
        asyncio.run(check(url, ca, *rest[1:]))
    else:
        asyncio.run(measure(url, ca, int(rest[0]), int(rest[1]),
                            float(rest[2])))


main()
