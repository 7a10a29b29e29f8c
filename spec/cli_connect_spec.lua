local certs = require "spec.support.certs"
local command = require "spec.support.command"
local json = require "dkjson"
local peers = require "spec.support.peers"
local process = require "spec.support.process"

local function ws(server)
  return ("ws://127.0.0.1:%d/"):format(server.port)
end

local function hex(s)
  return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

-- What a peer of our own does at the end of input: it answers the ping, and
-- then the close.
local pong = { "frame", 10, hex "the end of input" }
local function with_goodbye(steps)
  for _, step in ipairs { { "until", 9 }, pong, { "until", 8 },
    { "frame", 8, "03e8" } } do
    steps[#steps + 1] = step
  end
  return steps
end

-- The next thing of that name that a peer tells.
local function event(peer, name)
  repeat
    local told = assert(peers.told(peer), "the peer never told: " .. name)
    if told.event == "error" then error(told.error, 2) end
    if told.event == name then return told end
  until false
end

-- The peer's next text or binary frame.
local function message(peer)
  local frame
  repeat frame = event(peer, "frame") until frame.opcode < 8
  return frame
end

local function names(events)
  local list = {}
  for i, e in ipairs(events) do list[i] = e.event end
  return list
end

describe("uvwss connect", function()
  -- The second one closes after its first answer, which waiting for the end
  -- of answers would only make slow.
  local echo, once
  setup(function()
    echo = peers.echo()
    once = peers.echo { close_after = 1 }
  end)
  teardown(function()
    echo:stop()
    once:stop()
  end)

  describe("in a pipe", function()
    it("sends lines and prints the answers", function()
      local output, status = command.run({ "connect", ws(echo) },
        "one\n\nthree\nfour")
      assert.equal("one\n\nthree\nfour\n", output)
      assert.equal(0, status.code, status.stderr)
    end)

    it("says on standard error what becomes of the connection", function()
      local _, status = command.run({ "connect", ws(once) }, "x")
      assert.equal(("uvwss: connected to %s (127.0.0.1 port %d)\n"
        .. "uvwss: closed with 1000\n"):format(ws(once), once.port),
        status.stderr)
    end)

    it("says nothing with --quiet, unless something goes wrong", function()
      local output, status = command.run({ "connect", "-q", ws(once) }, "x")
      assert.equal("x\n", output)
      assert.equal("", status.stderr)
      local refuse <close> = peers.refuse()
      status = select(2, command.run { "connect", "--quiet", ws(refuse) })
      assert.matches("cannot connect", status.stderr)
      assert.equal(1, status.code)
    end)

    it("waits for answers that come after the pong", function()
      local peer <close> = peers.raw { { { "upgrade" }, { "until", 9 }, pong,
        { "sleep", 0.3 }, { "frame", 1, hex "late" }, { "until", 8 },
        { "frame", 8, "03e8" } } }
      local output, status = command.run({ "connect", ws(peer) }, "x\n")
      assert.equal("late\n", output)
      assert.equal(0, status.code)
    end)

    it("closes with 1000 after everything was sent", function()
      local peer <close> = peers.raw { with_goodbye { { "upgrade" } } }
      local _, status = command.run({ "connect", "--wait", "0", ws(peer) },
        "x\n")
      assert.equal(0, status.code)
      local opcodes, close = {}
      repeat
        close = event(peer, "frame")
        opcodes[#opcodes + 1] = close.opcode
      until close.opcode == 8
      assert.same({ 1, 9, 8 }, opcodes)
      assert.equal("03e8", close.hex)
    end)

    it("leaves the end to the server with --wait forever", function()
      local peer <close> = peers.raw { { { "upgrade" }, { "frames", 1 },
        { "frame", 1, hex "more" }, { "frame", 8, "03e8" },
        { "frames", 1 } } }
      local output, status = command.run({ "connect", "--wait", "forever",
        ws(peer) }, "x\n")
      assert.equal("more\n", output)
      assert.equal(0, status.code)
      assert.equal(1, event(peer, "frame").opcode)
      assert.equal(8, event(peer, "frame").opcode)
    end)

    it("reports lines that are not UTF-8 and sends the others", function()
      local output, status = command.run({ "connect", ws(echo) },
        "a\n\xFF\xFE\nb\n")
      assert.equal("a\nb\n", output)
      assert.equal(1, status.code)
      assert.matches("line 2 is not valid UTF%-8", status.stderr)
    end)

    it("refuses a line that has no end", function()
      local _, status = command.run({ "connect", "--wait", "0", ws(echo) },
        "a\n" .. ("x"):rep((32 << 20) + 1))
      assert.equal(1, status.code)
      assert.matches("line 2 is longer than 32 MiB", status.stderr)
    end)

    it("sends and gets ten thousand lines in order", function()
      local lines = {}
      for i = 1, 10000 do lines[i] = i % 7 == 0 and "" or "line " .. i end
      local input = table.concat(lines, "\n") .. "\n"
      local output, status = command.run({ "connect", ws(echo) }, input)
      assert.is_true(input == output)
      assert.equal(0, status.code)
    end)

    it("reads no more input than the server takes", function()
      local peer <close> = peers.raw { { { "upgrade" }, { "sleep", 1 },
        { "recv", 1 }, { "drain" } } }
      local dir <close> = process.directory()
      local input = process.write_file(dir.path .. "/input",
        (("x"):rep(1 << 20) .. "\n"):rep(60))
      local child <close> = process.start { "bin/uvwss", "connect", "--quiet",
        ws(peer), stdin = input, ready = false }
      event(peer, "recv")
      local position = process.read_file(("/proc/%d/fdinfo/0"):format(
        child.pid)):match "pos:%s*(%d+)"
      -- What waits here, and what lies in the buffers of two sockets.
      assert.is_true(tonumber(position) < 20 << 20, position)
      assert.is_true(child:signal "TERM")
    end)

    it("sends all of it in the end", function()
      local server <close> = peers.echo { mode = "sha" }
      local lines = {}
      for i = 1, 8 do lines[i] = tostring(i):rep((2 << 20) + i) end
      local output, status = command.run({ "connect", ws(server) },
        table.concat(lines, "\n") .. "\n")
      assert.equal(0, status.code, status.stderr)
      local i = 0
      for size in output:gmatch "%x+ (%d+)\n" do
        i = i + 1
        assert.equal(#lines[i], tonumber(size))
      end
      assert.equal(8, i)
    end)

    it("stops when nobody reads its output", function()
      local feed <close> = peers.echo { mode = "frames", count = 100000 }
      local output = command.shell("echo register | \"$@\" | head -c 10",
        { "connect", "--binary", ws(feed) })
      assert.equal(10, #output)
    end)

    it("fails when its output cannot be written", function()
      local output, status = command.shell("echo x | \"$@\" >/dev/full",
        { "connect", "--quiet", ws(echo) })
      assert.equal("", output)
      assert.equal(1, status.code)
    end)
  end)

  describe("with binary messages", function()
    it("passes any bytes on as they are with --binary", function()
      local file <close> = assert(io.open("/dev/urandom", "rb"))
      local data = file:read(300000)
      local output, status = command.run({ "connect", "--binary", ws(echo) },
        data)
      assert.is_true(data == output)
      assert.equal(0, status.code)
    end)

    it("sends what one read gives as one binary message", function()
      local peer <close> = peers.raw { with_goodbye { { "upgrade" } } }
      command.run({ "connect", "-b", "--wait", "0", ws(peer) }, "\n\0\xFF\n")
      local frame = message(peer)
      assert.equal(2, frame.opcode)
      assert.equal("0a00ff0a", frame.hex)
    end)

    it("prints them as they are without --binary, too", function()
      local peer <close> = peers.raw { { { "upgrade" },
        { "frame", 2, "00ff0a1b" }, { "frame", 1, hex "text" },
        { "frame", 8, "03e8" }, { "until", 8 } } }
      local output = command.run { "connect", ws(peer) }
      assert.equal("\0\xFF\n\27text\n", output)
    end)
  end)

  describe("with the request's options", function()
    it("sends headers, an origin and subprotocols", function()
      local server <close> = peers.echo { hello = true, subprotocol = "v2",
        close_after = 0 }
      local output, status = command.run { "connect", "--wait", "forever",
        "--header", "X-One: 1", "--header=X-One:2", "-H", "X-Two:  a: b ",
        "--origin", "https://app.example", "--subprotocol", "v1",
        "--subprotocol", "v2", ws(server) }
      local hello = assert(json.decode(output))
      assert.equal("1, 2", hello.headers["x-one"])
      assert.equal("a: b", hello.headers["x-two"])
      assert.equal("https://app.example", hello.headers.origin)
      assert.equal("v1, v2", hello.headers["sec-websocket-protocol"])
      assert.equal("v2", hello.subprotocol)
      assert.matches("subprotocol v2", status.stderr)
    end)

    it("goes through a proxy, or tells why not", function()
      local proxy <close> = peers.raw { { { "request" },
        { "status", 407 } } }
      local _, status = command.run { "connect", "--proxy",
        "http://127.0.0.1:" .. proxy.port, "ws://far.example/" }
      assert.equal(1, status.code)
      assert.matches("cannot connect: .*proxy", status.stderr)
      assert.matches("^CONNECT far%.example:80 ", event(proxy, "request").line)
    end)

    it("does not wait longer than --timeout", function()
      local peer <close> = peers.raw { { { "drain" } } }
      local _, status = command.run { "connect", "--timeout", "0.2",
        ws(peer) }
      assert.equal(1, status.code)
      assert.matches("cannot connect: .*within 0%.2 seconds", status.stderr)
    end)
  end)

  describe("ends with status", function()
    local function closed(code)
      local server <close> = peers.echo { close_after = 0, close_code = code,
        close_reason = "so be it" }
      local _, status = command.run { "connect", ws(server) }
      assert.matches("closed with " .. code .. ": so be it\n", status.stderr)
      return status.code
    end

    it("0 when the server closes with 1000 or 1001", function()
      assert.equal(0, closed(1000))
      assert.equal(0, closed(1001))
    end)

    it("1 when the server closes with another code", function()
      assert.equal(1, closed(1011))
      assert.equal(1, closed(4000))
    end)

    it("1 when there is no connection", function()
      local peer <close> = peers.refuse()
      local _, status = command.run({ "connect", ws(peer) }, "a\nb\n")
      assert.equal(1, status.code)
      assert.matches("cannot connect: .*refused", status.stderr)
      assert.matches("2 messages were not sent", status.stderr)
    end)

    it("1 when the upgrade is refused", function()
      local peer <close> = peers.raw { { { "status", 403 } } }
      local _, status = command.run { "connect", ws(peer) }
      assert.equal(1, status.code)
      assert.matches("403", status.stderr)
    end)

    it("1 when the connection breaks", function()
      local peer <close> = peers.raw { { { "upgrade" }, { "close" } } }
      local _, status = command.run { "connect", "--wait", "forever",
        ws(peer) }
      assert.equal(1, status.code)
      assert.matches("connection lost: ", status.stderr)
    end)
  end)

  describe("with --reconnect", function()
    local function lossy()
      return peers.raw { { { "upgrade" }, { "frame", 1, hex "one" },
        { "fin" }, { "drain" } },
        { { "upgrade" }, { "frame", 1, hex "two" }, { "frame", 8, "03e8" },
        { "until", 8 } } }
    end

    it("dials again and goes on", function()
      local peer <close> = lossy()
      local output, status = command.run { "connect", "--reconnect",
        "--wait", "forever", ws(peer) }
      assert.equal("one\ntwo\n", output)
      assert.equal(0, status.code)
      assert.matches("next attempt in %d+%.%d s\n", status.stderr)
    end)

    it("tells programs of it", function()
      local peer <close> = lossy()
      local events = command.json { "connect", "--reconnect", "--json",
        "--wait", "forever", ws(peer) }
      assert.same({ "open", "message", "reconnect", "open", "message",
        "close" }, names(events))
      assert.equal(1, events[3].attempt)
      assert.equal("closed", events[3].error.kind)
      assert.is_number(events[3].delay)
      assert.equal(2, events[4].attempt)
    end)

    it("says goodbye on the second connection if input ended", function()
      local peer <close> = peers.raw { { { "upgrade" }, { "until", 9 },
        { "fin" }, { "drain" } }, with_goodbye { { "upgrade" } } }
      local _, status = command.run({ "connect", "--reconnect", "--wait", "0",
        ws(peer) }, "x\n")
      assert.equal(0, status.code, status.stderr)
    end)
  end)

  describe("with --json", function()
    it("prints an object for each event and nothing else", function()
      local peer <close> = peers.raw { { { "upgrade" },
        { "frame", 1, hex "häß\n\"" }, { "frame", 2, "00ff10" },
        { "frame", 8, "03e8" .. hex "bye" }, { "until", 8 } } }
      local events, status = command.json { "connect", "--json", ws(peer) }
      assert.same({ "open", "message", "message", "close" }, names(events))
      assert.equal(ws(peer), events[1].url)
      assert.same({ ip = "127.0.0.1", port = peer.port }, events[1].peer)
      assert.same({ event = "message", kind = "text", data = "häß\n\"" },
        events[2])
      assert.same({ event = "message", kind = "binary", base64 = "AP8Q" },
        events[3])
      assert.same({ event = "close", code = 1000, reason = "bye",
        clean = true }, events[4])
      assert.equal("", status.stderr)
      assert.equal(0, status.code)
    end)

    it("prints an error as an object", function()
      local peer <close> = peers.refuse()
      local events, status = command.json { "connect", "--json", ws(peer) }
      assert.same({ "error", "close" }, names(events))
      assert.equal("connect", events[1].error.kind)
      assert.equal("ECONNREFUSED", events[1].error.code)
      assert.equal(1, #events[1].error.attempts)
      assert.is_false(events[2].clean)
      assert.equal(1, status.code)
    end)
  end)

  describe("on a terminal", function()
    it("is a chat that no peer can paint over", function()
      local peer <close> = peers.raw { with_goodbye { { "upgrade" },
        { "until", 1 },
        { "frame", 1, hex "a\27[2Jb\nuvwss: closed" },
        { "frame", 2, "00ff" } } }
      local typist <close> = command.on_terminal { "connect", ws(peer) }
      typist:await "connected to ws://127.0.0.1:"
      typist:await "> "
      typist:type "hello\n"
      local shown = typist:await "|..|"
      assert.truthy(shown:find("< a\\x1B[2Jb\r\n  uvwss: closed\r\n", 1, true))
      assert.truthy(shown:find("< [2 bytes] 00 ff |..|", 1, true))
      assert.is_nil(shown:find("\27[2J", 1, true))
      typist:type "\4"
      typist:await "closed with 1000"
      assert.equal(0, (typist:wait()))
      assert.equal(hex "hello", message(peer).hex)
    end)

    it("sends lines without their ends as binary messages, too", function()
      local peer <close> = peers.raw { with_goodbye { { "upgrade" } } }
      local typist <close> = command.on_terminal { "connect", "--binary",
        ws(peer) }
      typist:await "> "
      typist:type "hello\n\4"
      typist:await "closed with 1000"
      local frame = message(peer)
      assert.equal(2, frame.opcode)
      assert.equal(hex "hello", frame.hex)
    end)

    it("ends when the server closes, though input goes on", function()
      local server <close> = peers.echo { close_after = 1 }
      local typist <close> = command.on_terminal { "connect", ws(server) }
      typist:await "> "
      typist:type "hello\n"
      typist:await "closed with 1000"
      assert.equal(0, (typist:wait()))
    end)
  end)

  describe("over TLS", function()
    local server, url
    setup(function()
      server = peers.echo { tls = certs "server", close_after = 1 }
      url = ("wss://localhost:%d/"):format(server.port)
    end)
    teardown(function() server:stop() end)

    -- Status and standard error of an echo with these options.
    local function try(...)
      local words = table.pack("connect", "--wait", "forever", ...)
      words[#words + 1] = url
      local output, status = command.run(words, "hi\n")
      assert.equal(status.code == 0 and "hi\n" or "", output)
      return status.code, status.stderr
    end

    it("trusts the authority that --ca names", function()
      local code, said = try("--ca", certs.ca)
      assert.equal(0, code, said)
      assert.matches("TLSv1%.3 TLS_", said)
    end)

    it("takes several authorities", function()
      assert.equal(0, (try("--ca", certs.file "other-ca.crt", "--ca",
        certs.ca)))
    end)

    it("refuses what nobody vouches for", function()
      local code, said = try()
      assert.equal(1, code)
      assert.matches("cannot connect: .*not trusted", said)
    end)

    it("talks to anybody with --insecure, and says so", function()
      local code, said = try("--insecure")
      assert.equal(0, code, said)
      assert.matches("NOT VERIFIED", said)
      assert.equal(0, (try("-k")))
    end)

    it("verifies the name that --name gives", function()
      assert.equal(0, (try("--ca", certs.ca, "--name", "server.test")))
      local code, said = try("--ca", certs.ca, "--name", "other.test")
      assert.equal(1, code)
      assert.matches("\"other%.test\" was wanted", said)
    end)

    it("demands the key that --pin gives", function()
      local code, said = try("--ca", certs.ca, "--pin",
        "sha256/" .. ("A"):rep(43) .. "=")
      assert.equal(1, code)
      local pin = assert(said:match "\"(sha256/[%w+/]+=)\"")
      assert.equal(0, (try("--ca", certs.ca, "--pin", pin)))
    end)

    it("shows a certificate of its own with --cert and --key", function()
      local strict <close> = peers.echo { tls = certs "server",
        client_ca = certs.ca, hello = true, close_after = 0 }
      local there = ("wss://localhost:%d/"):format(strict.port)
      local client = certs "client"
      local output, status = command.run { "connect", "--wait", "forever",
        "--ca", certs.ca, "--cert", client.cert, "--key", client.key,
        there }
      assert.equal(0, status.code, status.stderr)
      assert.equal("client",
        json.decode(output).tls.peer.subject[1][1][2])
      output, status = command.run { "connect", "--ca", certs.ca, there }
      assert.equal("", output)
      assert.equal(1, status.code)
    end)

    it("takes the key out of the certificate's file", function()
      local strict <close> = peers.echo { tls = certs "server",
        client_ca = certs.ca }
      local dir <close> = process.directory()
      local client = certs "client"
      local both = process.write_file(dir.path .. "/both.pem",
        process.read_file(client.cert) .. process.read_file(client.key))
      local _, status = command.run { "connect", "--wait", "0", "--ca",
        certs.ca, "--cert", both, ("wss://localhost:%d/"):format(strict.port) }
      assert.equal(0, status.code, status.stderr)
    end)

    it("names a file that is not there", function()
      local code, said = try("--ca", "/nowhere/ca.crt")
      assert.equal(1, code)
      assert.matches("/nowhere/ca%.crt", said)
    end)

    it("tells programs what was agreed on", function()
      local events = command.json({ "connect", "--json", "--wait", "forever",
        "--ca", certs.ca, url }, "hi\n")
      assert.equal("TLSv1.3", events[1].tls.version)
      assert.is_true(events[1].tls.verified)
    end)
  end)
end)
