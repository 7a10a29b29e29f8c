"""WebSocket on the wire, as little as the hostile peers need (RFC 6455)."""

import base64
import hashlib
import struct

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_key(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def parse_request(head):
    """A request's head to its first line and headers in lower case."""
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            name, value = name.strip().lower(), value.strip()
            headers[name] = headers[name] + ", " + value \
                if name in headers else value
    return lines[0], headers


def response(status, reason, headers, body=b""):
    lines = ["HTTP/1.1 %d %s" % (status, reason)]
    lines += ["%s: %s" % (name, value) for name, value in headers.items()
              if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def upgrade(key, extra=None):
    """101; 'extra' replaces headers, and removes those that are None."""
    headers = {"Upgrade": "websocket", "Connection": "Upgrade",
               "Sec-WebSocket-Accept": accept_key(key)}
    headers.update(extra or {})
    return response(101, "Switching Protocols", headers)


def frame(opcode, payload=b"", fin=True, rsv=0, mask=None, length=None):
    """One frame; 'length' is what it claims, 'mask' four bytes."""
    length = len(payload) if length is None else length
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    second = 0x80 if mask else 0
    if length < 126:
        head = struct.pack("!BB", first, second | length)
    elif length < 1 << 16:
        head = struct.pack("!BBH", first, second | 126, length)
    else:
        head = struct.pack("!BBQ", first, second | 127, length)
    if mask:
        payload = unmask(payload, mask)
        head += mask
    return head + payload


def unmask(payload, key):
    n = len(payload)
    pad = int.from_bytes((key * (n // 4 + 1))[:n], "big")
    return (int.from_bytes(payload, "big") ^ pad).to_bytes(n, "big")


def parse_frame():
    """A generator, so that blocking and asynchronous callers can drive it: it
    yields how many bytes it needs next and returns the frame."""
    first, second = yield 2
    length = second & 0x7F
    if length == 126:
        length, = struct.unpack("!H", (yield 2))
    elif length == 127:
        length, = struct.unpack("!Q", (yield 8))
    key = (yield 4) if second & 0x80 else None
    payload = (yield length) if length else b""
    return {"fin": bool(first & 0x80), "rsv": first >> 4 & 7,
            "opcode": first & 15, "masked": key is not None,
            "payload": unmask(payload, key) if key else payload}
