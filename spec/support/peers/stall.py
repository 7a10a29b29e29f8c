"""Peers that stop at some point, and stay.

    stall.py CERT KEY servers            prints `ready` and a port for each
                                         behaviour of SERVERS, in their order
    stall.py CA clients NAME PORT ...    prints for each `stuck SECONDS PORT`:
                                         since when, by the clock of the boot

Behaviours have names of two parts: where it stops, and whether there is TLS.
"""
import base64
import hashlib
import socket
import ssl
import struct
import sys
import threading
import time
from functools import partial

FOREVER = 3600
TICK = 0.05  # between the bytes of one that dribbles
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def hold(*_):
    time.sleep(FOREVER)


def dribble(write, data):
    for i in range(len(data)):
        write(data[i:i + 1])
        time.sleep(TICK)


def endless(write, first):
    """Bytes of something that has no end."""
    write(first)
    while True:
        write(b"a")
        time.sleep(TICK)


def head_of(read):
    """The head alone: a frame may be right behind it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = read(1)
        if not more:
            raise OSError("hung up")
        head += more
    return head


def accept_key(head):
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"sec-websocket-key":
            digest = hashlib.sha1(value.strip() + GUID).digest()
            return base64.b64encode(digest)
    raise OSError("no key")


def upgrade(read, write):
    write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
          b"Connection: Upgrade\r\nSec-WebSocket-Accept: "
          + accept_key(head_of(read)) + b"\r\n\r\n")


def drain(read):
    while read(65536):
        pass


# ---- what a server does with (raw socket, read, write) ------------------------

def half_flight(sock, cert):
    """The first half of what a server answers to a ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = cert.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        incoming.write(sock.recv(65536))
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        flight = outgoing.read()
        if flight:
            return flight


def refusal(_, read, write):
    head_of(read)
    write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000\r\n\r\nNo")
    hold()


def opened(then):
    def serve(sock, read, write):
        upgrade(read, write)
        then(sock, read, write)
    return serve


def deaf(sock, _read, _write):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    hold()


def whole(read, size):
    """A close frame of this size: nothing else was sent."""
    data = b""
    while len(data) < size:
        more = read(size - len(data))
        if not more:
            raise OSError("hung up")
        data += more
    if data[0] != 0x88 or data[1] & 127 != 2:
        raise OSError("no close with a code alone")
    return data


def answers_close(_, read, write):
    """Echoes the close frame, and does not hang up."""
    data = whole(read, 8)
    body = bytes(b ^ data[2 + i % 4] for i, b in enumerate(data[6:8]))
    write(b"\x88\x02" + body)
    hold()


def chatters(_, _read, write):
    while True:
        write(b"\x82\x01x")
        time.sleep(TICK)


def half_head(_, read, write):
    head_of(read)
    write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: web")
    hold()


SERVERS = {
    "silent": hold,
    "half head": half_head,
    "endless head": lambda _, read, write: (
        head_of(read),
        endless(write, b"HTTP/1.1 101 Switching Protocols\r\nX-A: ")),
    "refusal": refusal,
    "no pong": opened(lambda _, read, write: drain(read)),
    "deaf": opened(deaf),
    "no close": opened(lambda _, read, write: drain(read)),
    "no end": opened(answers_close),
    "chatters": opened(chatters),
    "half proxy": lambda sock, read, write: (
        head_of(read), write(b"HTTP/1.1 200 Conn"), hold()),
}
# Without a layer of TLS that works, or without an accept.
BARE = {
    "half flight": lambda sock, cert: (
        sock.sendall(half_flight(sock, cert)[:600]), hold()),
    "dribbled flight": lambda sock, cert: dribble(
        sock.sendall, half_flight(sock, cert)),
    "half record": lambda sock, cert: (
        sock.recv(65536), sock.sendall(b"\x16\x03\x03\x20"), hold()),
}
NAMES = (["full ws"] + [n + " ws" for n in SERVERS]
         + [n + " wss" for n in SERVERS] + [n + " wss" for n in BARE])


def quietly(fn, *args):
    try:
        fn(*args)
    except (OSError, ssl.SSLError):
        pass


def serve_one(sock, name, cert):
    where, scheme = name.rsplit(" ", 1)
    if where in BARE:
        BARE[where](sock, cert)
    elif scheme == "wss" and where == "silent":
        hold()
    elif scheme == "wss":
        tls = cert.wrap_socket(sock, server_side=True)
        SERVERS[where](tls, tls.recv, tls.sendall)
    else:
        SERVERS[where](sock, sock.recv, sock.sendall)


def listen(name, cert):
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    door.listen(0 if name == "full ws" else 64)
    if name == "full ws":
        queue = [socket.socket() for _ in range(3)]
        for one in queue:  # one fits, the next ones wait for ever
            one.setblocking(False)
            one.connect_ex(door.getsockname())
        KEPT.extend([door, *queue])
        return door.getsockname()[1]

    def loop():
        while True:
            sock, _ = door.accept()
            KEPT.append(sock)
            threading.Thread(target=quietly, args=(serve_one, sock, name, cert),
                             daemon=True).start()
    threading.Thread(target=loop, daemon=True).start()
    return door.getsockname()[1]


KEPT = []


def servers(cert_file, key_file):
    cert = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert.load_cert_chain(cert_file, key_file)
    print("ready", *[listen(name, cert) for name in NAMES], flush=True)
    hold()


# ---- clients -----------------------------------------------------------------

REQUEST = (b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
           b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")


def hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    tls = context.wrap_bio(incoming, outgoing)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def open_it(read, write):
    write(REQUEST + b"\r\n")
    return head_of(read)


def then(fn):
    def run(sock, read, write, stuck):
        open_it(read, write)
        stuck()
        fn(sock, read, write)
    return run


def sends(data, after=hold):
    def run(_sock, _read, write, stuck):
        write(data)
        stuck()
        after(write)
    return run


def close_only(_, read, write):
    """Answers a close, and does not hang up."""
    write(b"\x88\x82\0\0\0\0" + whole(read, 4)[2:])
    hold()


CLIENTS = {
    "silent": sends(b""),
    "half head": sends(REQUEST),
    "endless head": sends(REQUEST + b"X-A: ",
                          lambda write: endless(write, b"a")),
    "asks": lambda sock, read, write, stuck: (
        write(REQUEST + b"\r\n"), stuck(), hold()),
    "no pong": then(lambda _, read, write: drain(read)),
    "deaf": then(deaf),
    "no close": then(lambda _, read, write: drain(read)),
    "no end": then(close_only),
    "chatters": then(lambda _, read, write: endless_frames(write)),
    "kept": lambda sock, read, write, stuck: (
        write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), read(65536),
        stuck(), hold()),
}
BARE_CLIENTS = {
    "mute": b"",
    "half hello": 100,
    "hello": -1,
}


def endless_frames(write):
    while True:
        write(b"\x82\x81\0\0\0\0x")
        time.sleep(TICK)


def call(name, port, ca, stuck):
    where, scheme = name.rsplit(" ", 1)
    stuck = partial(stuck, port, time.clock_gettime(time.CLOCK_BOOTTIME))
    sock = socket.create_connection(("127.0.0.1", port))
    KEPT.append(sock)
    if where in BARE_CLIENTS:
        part = BARE_CLIENTS[where]
        sock.sendall(b"" if part == b"" else hello()[:part or None]
                     if part != -1 else hello())
        stuck()
        hold()
    if scheme == "wss":
        context = ssl.create_default_context(cafile=ca)
        sock = context.wrap_socket(sock, server_hostname="localhost")
        KEPT.append(sock)
    CLIENTS[where](sock, sock.recv, sock.sendall, stuck)


def clients(ca, pairs):
    def stuck(port, since):
        sys.stdout.write(f"stuck {since:.3f} {port}\n")
        sys.stdout.flush()

    for name, port in pairs:
        threading.Thread(
            target=quietly, daemon=True,
            args=(call, name, int(port), ca, stuck)).start()
    hold()


if sys.argv[-1] == "servers":
    servers(sys.argv[1], sys.argv[2])
elif sys.argv[1] == "names":
    print("\n".join(NAMES))
else:
    words = sys.argv[3:]
    clients(sys.argv[1], list(zip(words[::2], words[1::2])))
