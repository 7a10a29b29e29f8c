#!/usr/bin/python3
"""Attacks on spec/support/peers/target.lua, and a good client after each.

  hostile.py ATTACK PORT TLS_PORT CA [--count N] [--deadline SECONDS]

Prints what came of the attack, and how much the server's memory grew (KiB).
Exit status 0 if the server did what it should, and served the good client.
"""

import argparse
import base64
import os
import re
import selectors
import socket
import ssl
import struct
import sys
import time

UPGRADE = (b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
           b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: " + base64.b64encode(bytes(16)) + b"\r\n\r\n")


def dial(port):
    sock = socket.create_connection(("127.0.0.1", port), timeout=a.deadline)
    return sock


def secure(sock):
    context = ssl.create_default_context(cafile=a.ca)
    return context.wrap_socket(sock, server_hostname="localhost")


def all_of(sock):
    """What comes until the peer hangs up, one way or the other."""
    data = b""
    try:
        while True:
            piece = sock.recv(65536)
            if not piece:
                return data
            data += piece
    except ConnectionError:
        return data


def exactly(sock, n):
    data = b""
    while len(data) < n:
        piece = sock.recv(n - len(data))
        assert piece, "cut off after %r" % data
        data += piece
    return data


def head(sock):
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        data += exactly(sock, 1)
    return data


def frame(opcode, payload):
    size = len(payload)
    length = bytes([128 | size]) if size < 126 else \
        b"\xfe" + struct.pack(">H", size)
    return bytes([128 | opcode]) + length + bytes(4) + payload


def get(path):
    with dial(a.port) as sock:
        sock.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                     % path)
        return all_of(sock).decode()


def stats():
    return {name: int(n) for name, n in
            re.findall(r"^(\w+) (\d+)$", get(b"/stats"), re.M)}


def good(port, wrap):
    """A good client, which is served within the deadline."""
    with wrap(dial(port)) as sock:
        sock.sendall(UPGRADE)
        assert b" 101 " in head(sock)
        text = os.urandom(20).hex().encode()
        sock.sendall(frame(1, text))
        assert exactly(sock, 2 + len(text))[2:] == text
        sock.sendall(frame(8, b"\x03\xe8"))
        assert exactly(sock, 4) == b"\x88\x02\x03\xe8"


def both_good():
    began = time.monotonic()
    good(a.port, lambda sock: sock)
    good(a.tls_port, secure)
    took = time.monotonic() - began
    assert took < a.deadline, "served only after %g s" % took


def client_hello():
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    machine = ssl.create_default_context().wrap_bio(
        into, out, server_hostname="localhost")
    try:
        machine.do_handshake()
    except ssl.SSLWantReadError:
        return out.read()


def drip(port, data, only_some=None):
    """Many connections that say a byte now and then, until all are hung up
    on; what each was told."""
    sel = selectors.DefaultSelector()
    told = {}
    for i in range(a.count):
        sock = dial(port)
        sock.setblocking(False)
        told[sock] = [b"", 0, i % 2 == 0 or not only_some]
        sel.register(sock, selectors.EVENT_READ)
    until = time.monotonic() + a.deadline
    left = a.count
    while left > 0:
        assert time.monotonic() < until, "%d are still there" % left
        for key, _ in sel.select(0.02):
            try:
                piece = key.fileobj.recv(4096)
            except ConnectionError:
                piece = b""
            told[key.fileobj][0] += piece
            if not piece:
                sel.unregister(key.fileobj)
                key.fileobj.close()
                told[key.fileobj][2] = False
                left -= 1
        for sock, state in told.items():
            if state[2] and state[1] < len(data):
                try:
                    sock.send(data[state[1]:state[1] + 1])
                except OSError:
                    pass
                state[1] += 1
    return [state[0] for state in told.values()]


def tls_drip():
    told = drip(a.tls_port, client_hello(), only_some=True)
    return "%d hung up on" % len(told)


def head_drip():
    told = drip(a.port, b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 9999)
    assert all(t.startswith(b"HTTP/1.1 408 ") for t in told), told[0]
    return "%d times 408" % len(told)


def frame_drip():
    socks = []
    for i in range(a.count):
        port, wrap = (a.port, lambda s: s) if i % 2 else (a.tls_port, secure)
        sock = wrap(dial(port))
        sock.sendall(UPGRADE)
        assert b" 101 " in head(sock)
        sock.sendall(b"\x82")
        socks.append(sock)
    began = time.monotonic()
    for sock in socks:
        all_of(sock)
        sock.close()
    assert time.monotonic() - began < a.deadline
    return "%d ended for want of a pong" % len(socks)


def header_bytes():
    for _ in range(a.count):
        with dial(a.port) as sock:
            try:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" +
                             b"X-Header: " + b"x" * 990 + b"\r\n")
                for _ in range(1000):
                    sock.sendall(b"X-Header: " + b"x" * 990 + b"\r\n")
            except ConnectionError:
                pass
            told = all_of(sock)
            assert told[:13] == b"HTTP/1.1 431 " or told == b"", told
    return "%d times 431" % a.count


def garbage():
    for _ in range(a.count):
        junk = os.urandom(5000)
        with dial(a.port) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\x00" + junk)
            told = all_of(sock)
            assert told.startswith(b"HTTP/1.1 200 "), told
            assert b"HTTP/1.1 400 " in told, told
        with dial(a.port) as sock:
            sock.sendall(UPGRADE + b"\x7f" + junk)
            told = all_of(sock)
            assert told.startswith(b"HTTP/1.1 101 "), told
            assert b"\x03\xea" in told, told  # 1002
        with dial(a.tls_port) as sock:
            sock.sendall(junk)
            all_of(sock)
    return "%d of each answered 400, 1002, and hung up on" % a.count


def half_open():
    hello = client_hello()
    socks = [dial(a.tls_port) for _ in range(a.count)]
    for sock in socks[::2]:
        sock.sendall(hello[:100])
    both_good()  # meanwhile
    began = time.monotonic()
    for sock in socks:
        all_of(sock)
        sock.close()
    assert time.monotonic() - began < a.deadline
    return "%d half-open ones gone" % len(socks)


def descriptors():
    socks = []
    for i in range(a.count):
        socks.append(dial((a.port, a.tls_port)[i % 2]))
    time_left = time.monotonic() + a.deadline
    turned = 0
    while turned == 0:  # the server has none left, and says so by hanging up
        assert time.monotonic() < time_left, "nobody was turned away"
        ready = selectors.DefaultSelector()
        for sock in socks:
            ready.register(sock, selectors.EVENT_READ)
        turned = len(ready.select(1))
    for sock in socks:
        sock.close()
    # A good one may be turned away, too, until the server has seen that they
    # have gone: he dials again, as clients do.
    while True:
        try:
            both_good()
            return "callers turned away"
        except (AssertionError, OSError):
            assert time.monotonic() < time_left, "nobody is served again"
            time.sleep(0.05)


def main():
    before = stats()
    both_good()
    said = ATTACKS[a.attack]()
    both_good()
    until = time.monotonic() + a.deadline
    while True:
        after = stats()
        # The one who asks is one of the handshaking.
        if after["connections"] == 0 and after["handshaking"] == 1:
            break
        assert time.monotonic() < until, "some are left: %r" % after
    print("%s: %s; grew by %d" % (a.attack, said,
                                  after["resident"] - before["resident"]))


ATTACKS = {f.__name__: f for f in (tls_drip, head_drip, frame_drip,
                                   header_bytes, garbage, half_open,
                                   descriptors)}

p = argparse.ArgumentParser(description=__doc__)
p.add_argument("attack", choices=sorted(ATTACKS) + ["quit"])
p.add_argument("port", type=int)
p.add_argument("tls_port", type=int)
p.add_argument("ca")
p.add_argument("--count", type=int, default=20)
p.add_argument("--deadline", type=float, default=10)
a = p.parse_args()
if a.attack == "quit":
    get(b"/quit")
    sys.exit(0)
main()
