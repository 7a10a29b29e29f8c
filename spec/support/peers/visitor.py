#!/usr/bin/python3
"""An independent WebSocket client: python3-websockets of Debian.

  visitor.py URL FILE COURSE

COURSE is JSON: a list of visits, all made at once. What came of them is a
list in FILE, as JSON, which appears when all is over. A visit has

  path          after URL
  times         how many of this one at once (1)
  subprotocols  a list
  headers       by name
  ca            file of whom to trust; wss only, as what follows
  cert, key     files of its own certificate
  version       "1.2" or "1.3", of TLS
  name          to ask for and to verify ("localhost")
  alpn          a list
  deflate       what to offer of compression, by the names of RFC 7692 (what
                the program offers by itself)
  steps         a list of steps, each a list of a word and arguments:

    echo KIND SIZE [PIECES]   send so many bytes, in so many fragments; the
                              answer must be the same        -> true
    say TEXT                  send a text                    -> its answer
    ping PAYLOAD              send a ping                    -> the pong's
    close [CODE [REASON]]     say goodbye                    -> code, reason
    wait                      for the server's goodbye       -> code, reason
    drop                      hang up without a word         -> true

and what comes of it is {"opened": {"subprotocol", "tls"}, "steps": [what is
behind an arrow above]}, and "error" if something went wrong. With "times"
there is "served" instead, how many did every step.
"""

import asyncio
import json
import os
import ssl
import sys

import websockets
from websockets.extensions.permessage_deflate import \
    ClientPerMessageDeflateFactory

PATIENCE = 300  # seconds; then it is an error


def payload(kind, size):
    """Bytes that repeat after a prime number, so that no piece can be taken
    for another."""
    if kind == "text":
        unit = bytes(97 + i * 7 % 26 for i in range(251))
    else:
        unit = bytes(i * 5 % 256 for i in range(251))
    data = (unit * (size // 251 + 1))[:size]
    return data.decode() if kind == "text" else data


def pieces_of(data, count):
    step = len(data) // count
    cuts = [i * step for i in range(count)] + [len(data)]
    return [data[a:b] for a, b in zip(cuts, cuts[1:])]


class Visit:
    def __init__(self, ws):
        self.ws = ws

    async def echo(self, kind, size, count=1):
        data = payload(kind, size)
        await self.ws.send(data if count == 1 else pieces_of(data, count))
        answer = await self.ws.recv()
        if type(answer) is not type(data):
            raise ValueError("%s came back as %s" % (kind, type(answer)))
        if answer != data:
            raise ValueError("%d other bytes" % len(answer))
        return True

    async def say(self, text):
        await self.ws.send(text)
        return await self.ws.recv()

    async def ping(self, text):
        await (await self.ws.ping(text))
        return text  # the module settles a ping by its very payload

    async def close(self, code=1000, reason=""):
        await self.ws.close(code, reason)
        return self.told()

    async def wait(self):
        await self.ws.wait_closed()
        return self.told()

    async def drop(self):
        self.ws.transport.abort()
        await self.ws.wait_closed()
        return True

    def told(self):
        return {"code": self.ws.close_code, "reason": self.ws.close_reason}


def context(visit):
    ctx = ssl.create_default_context(cafile=visit["ca"])
    if "cert" in visit:
        ctx.load_cert_chain(visit["cert"], visit["key"])
    if "version" in visit:
        version = getattr(ssl.TLSVersion,
                          "TLSv" + visit["version"].replace(".", "_"))
        ctx.minimum_version = ctx.maximum_version = version
    if "alpn" in visit:
        ctx.set_alpn_protocols(visit["alpn"])
    return ctx


def offer(deflate):
    deflate = dict(deflate)
    deflate.setdefault("client_max_window_bits", True)
    return ClientPerMessageDeflateFactory(**deflate)


def opened(ws):
    tls = ws.transport.get_extra_info("ssl_object")
    return {"subprotocol": ws.subprotocol,
            "tls": tls and {"version": tls.version(),
                            "alpn": tls.selected_alpn_protocol(),
                            "subject": dict(
                                name for part in tls.getpeercert()["subject"]
                                for name in part)["commonName"]}}


def in_words(problem):
    """With what it came of, for the module hides what TLS said."""
    words = "%s: %s" % (type(problem).__name__, problem)
    cause = problem.__cause__ or problem.__context__
    return words + " (%s)" % in_words(cause) if cause else words


async def make(url, visit):
    out = {"steps": []}
    options = {"max_size": None, "ping_interval": None,
               "open_timeout": PATIENCE, "close_timeout": PATIENCE,
               "subprotocols": visit.get("subprotocols"),
               "extra_headers": visit.get("headers")}
    try:
        if visit.get("deflate"):
            options["compression"] = None
            options["extensions"] = [offer(visit["deflate"])]
        if url.startswith("wss:"):
            options["ssl"] = context(visit)
            options["server_hostname"] = visit.get("name", "localhost")
        ws = await websockets.connect(url + visit["path"], **options)
        out["opened"] = opened(ws)
        for word, *arguments in visit["steps"]:
            step = getattr(Visit(ws), word)(*arguments)
            out["steps"].append(await asyncio.wait_for(step, PATIENCE))
    except Exception as problem:  # whatever it is, it is told
        out["error"] = in_words(problem)
    return out


async def make_all(url, visit):
    if "times" not in visit:
        return await make(url, visit)
    every = await asyncio.gather(
        *[make(url, visit) for _ in range(visit["times"])])
    problems = [one["error"] for one in every if "error" in one]
    out = {"served": len(every) - len(problems)}
    if problems:
        out["error"] = problems[0]
    return out


async def main(url, file, course):
    told = await asyncio.gather(*[make_all(url, visit) for visit in course])
    with open(file + ".part", "w", encoding="utf-8") as out:
        json.dump(told, out)
    os.rename(file + ".part", file)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
