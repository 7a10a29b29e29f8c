#!/usr/bin/python3
"""Requests over TLS with close_notify right behind them, all in one piece.

  notified.py PORT COUNT      asks for /1, /2, … /COUNT

Reads until the server hangs up, so that nothing of ours is in its way.
"""

import socket
import ssl
import sys

PORT, COUNT = int(sys.argv[1]), int(sys.argv[2])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = context.wrap_bio(into, out)
sock = socket.create_connection(("127.0.0.1", PORT))
sock.settimeout(60)
while True:
    try:
        tls.do_handshake()
        break
    except ssl.SSLWantReadError:
        sock.sendall(out.read())
        into.write(sock.recv(65536))
for i in range(1, COUNT + 1):
    tls.write(b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % i)
try:
    tls.unwrap()
except ssl.SSLError:  # the server's own is not there yet
    pass
sock.sendall(out.read())
while sock.recv(65536):
    pass
