#!/usr/bin/python3
"""Shows chains of certificates, each on a port of its own, good or bad.

  limbo.py FILE DIR

FILE is a JSON list of objects with a "number", a "chain" and a "key" in PEM;
DIR is for files. Prints `ready PORT` (any of them), and then a JSON object
from numbers to ports, without those that OpenSSL does not load. Whoever gets
through the handshake, and asks for something, is answered 404.
"""

import json
import os
import selectors
import socket
import ssl
import sys

PATIENCE = 60  # seconds


def context(one, folder):
    files = [os.path.join(folder, "%d.%s" % (one["number"], kind))
             for kind in ("crt", "key")]
    for path, text in zip(files, (one["chain"], one["key"])):
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.set_ciphers("ALL:@SECLEVEL=0")
    ctx.load_cert_chain(*files)
    return ctx


def serve(listener, ctx):
    conn, _ = listener.accept()
    conn.settimeout(PATIENCE)
    try:
        with ctx.wrap_socket(conn, server_side=True) as tls:
            while b"\r\n\r\n" not in tls.recv(65536):
                pass
            tls.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            tls.unwrap()
    except (OSError, ssl.SSLError):
        conn.close()


def main():
    with open(sys.argv[1], encoding="ascii") as f:
        chains = json.load(f)
    watch = selectors.DefaultSelector()
    ports = {}
    for one in chains:
        try:
            ctx = context(one, sys.argv[2])
        except ssl.SSLError:
            continue
        listener = socket.create_server(("127.0.0.1", 0))
        watch.register(listener, selectors.EVENT_READ, ctx)
        ports[one["number"]] = listener.getsockname()[1]
    print("ready %d" % next(iter(ports.values())))
    print(json.dumps(ports), flush=True)
    while True:
        for key, _ in watch.select():
            serve(key.fileobj, key.data)


main()
