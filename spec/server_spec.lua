-- A server that listens, and serves with handlers and in coroutines. Its end
-- is in server_end_spec, what requests are answered in upgrade_spec, publishing
-- in publish_spec.

local certs = require "spec.support.certs"
local process = require "spec.support.process"
local server = require "spec.support.server"
local wss = require "uvwss"

local listen, echo, talk = server.listen, server.echo, server.talk

describe("a server", function()
  after_each(server.clean)

  describe("listens", function()
    it("on a port that the kernel picks, and tells which", function()
      local s = listen { onmessage = echo }
      assert.is_true(math.type(s.port) == "integer" and s.port > 0)
      assert.are.equal("ws://127.0.0.1:" .. s.port, s.url)
      assert.are.equal("listening", s.state)
      assert.are.equal(("Server (%s, listening)"):format(s.url), tostring(s))
      assert.are.equal("hello", (talk(s.url)))
      server.finish(s)
      assert.are.equal("closed", s.state)
    end)

    it("on the port that it is told", function()
      local first = listen()
      local port = first.port
      server.finish(first)
      local s = listen({ onmessage = echo }, "ws://127.0.0.1:" .. port)
      assert.are.equal(port, s.port)
      assert.are.equal("hello", (talk(s.url)))
      server.finish(s)
    end)

    -- URL, whom it serves, whom not
    local places = {
      { "ws://0.0.0.0:0", { "127.0.0.1" }, { "[::1]" } },
      { "ws://[::1]:0", { "[::1]" }, { "127.0.0.1" } },
      { "ws://[::]:0", { "127.0.0.1", "[::1]" }, {} },
      { "ws://*:0", { "127.0.0.1", "[::1]" }, {} },
      { "ws://localhost:0", { "127.0.0.1", "[::1]" }, {} },
    }
    for _, place in ipairs(places) do
      local url, served, refused = table.unpack(place)
      it(("on %s: serves %s%s"):format(url, table.concat(served, " and "),
        refused[1] and ", not " .. refused[1] or ""), function()
        local seen = {}
        local s = listen({ onmessage = echo, onopen = function(_, ws)
          seen[#seen + 1] = ws.peer.ip
        end }, url)
        for _, host in ipairs(served) do
          assert.are.equal("hello", (talk(("ws://%s:%d/"):format(host,
            s.port))))
          assert.are.equal((host:gsub("[][]", "")), seen[#seen])
        end
        for _, host in ipairs(refused) do
          local _, err = talk(("ws://%s:%d/"):format(host, s.port),
            { onclose = function() end })
          assert.are.equal("ECONNREFUSED", err.code)
        end
        assert.are.equal((url:gsub("0$", s.port)), s.url)
        server.finish(s)
      end)
    end

    it("several at once, each with its own connections", function()
      local a = listen { onmessage = function(_, ws) ws:send "a" end }
      local b = listen { onmessage = function(_, ws) ws:send "b" end }
      assert.are.equal(2, wss.stats().servers)
      assert.are.equal("a", (talk(a.url)))
      assert.are.equal("b", (talk(b.url)))
      a:close(0)
      wss.sleep(0)
      assert.are.equal("b", (talk(b.url)))
      assert.are.same({ 1, 2 }, { a:stats().accepted, b:stats().accepted })
      a:close()
      server.finish(b)
    end)

    it("on a port that others share, if all want to", function()
      local a = listen { reuse_port = true, onmessage = echo }
      local b = listen({ reuse_port = true, onmessage = echo }, a.url)
      assert.are.equal(a.port, b.port)
      local none, err = wss.listen(a.url)
      assert.is_nil(none)
      assert.are.equal("EADDRINUSE", err.code)
      for _ = 1, 40 do assert.are.equal("hello", (talk(a.url))) end
      local of_a, of_b = a:stats().accepted, b:stats().accepted
      assert.are.equal(40, of_a + of_b)
      assert.is_true(of_a > 0 and of_b > 0, "one served all")
      a:close(0)
      server.finish(b)
    end)

    it("where it was listened a moment ago, callers and all", function()
      local s = listen { onmessage = echo }
      local url = s.url
      local ws = wss.connect(url, { onclose = function() end })
      ws:send "x"
      assert.are.equal("x", (ws:receive(30)))
      server.finish(s) -- hangs up first: its side waits in TIME_WAIT
      for _ = 1, 3 do server.finish(listen({}, url)) end
    end)
  end)

  describe("on a local socket", function()
    local dir
    before_each(function() dir = process.directory() end)
    after_each(function() dir:remove() end)

    it("serves clients of this machine", function()
      local url = "ws+unix://" .. dir.path .. "/socket"
      local peer, path
      local s = listen({ onmessage = echo, onopen = function(_, ws)
        peer, path = ws.peer, ws.request.path
        assert.are.equal("", ws.request.peer.ip)
      end }, url)
      assert.are.same({ url, nil }, { s.url, s.port })
      assert.are.equal(("Server (%s, listening)"):format(url), tostring(s))
      assert.are.equal("hello", (talk(url)))
      assert.are.same({ nil, "/" }, { peer, path })
      assert.are.equal("hello", (talk(url .. ":/a/b?c=d")))
      assert.are.same({ nil, "/a/b" }, { peer, path })
      server.finish(s)
    end)

    it("answers plain requests there", function()
      local path = dir.path .. "/socket"
      local s = listen({ onrequest = function(_, r)
        return 200, nil, r.method .. " " .. r.path
      end }, "ws+unix://" .. path)
      local _, answers = server.call_one(path, { { "ask", "GET", "/x" },
        { "answer" } })
      assert.are.equal("GET /x", answers[1].text)
      server.finish(s)
    end)

    it("takes its file away, and the place of one that nobody serves",
      function()
        local path = dir.path .. "/socket"
        server.finish(listen({}, "ws+unix://" .. path))
        assert.is_nil(io.open(path))
        -- One that a process left behind when it was killed.
        process.run { "lua5.4", "-e", ([[
          assert(require "uvwss".listen("ws+unix://%s"))
          os.exit(0, false)]]):format(path) }
        assert.is_true(os.execute("test -S " .. path))
        server.finish(listen({}, "ws+unix://" .. path))
      end)

    it("does not take the place of a server, nor of a file", function()
      local url = "ws+unix://" .. dir.path .. "/socket"
      local s = listen({}, url)
      local none, err = wss.listen(url)
      assert.is_nil(none)
      assert.are.same({ "connect", "EADDRINUSE" }, { err.kind, err.code })
      server.finish(s)
      process.write_file(dir.path .. "/file", "mine")
      none, err = wss.listen("ws+unix://" .. dir.path .. "/file")
      assert.is_nil(none)
      assert.are.equal("EADDRINUSE", err.code)
      assert.are.equal("mine", process.read_file(dir.path .. "/file"))
    end)
  end)

  describe("that cannot listen returns why:", function()
    -- what, URL, kind, code, field, its value
    local elsewhere
    before_each(function() elsewhere = listen() end)
    after_each(function() server.finish(elsewhere) end)
    local function check(url, kind, code, options)
      local s, err = wss.listen(url, options)
      assert.is_nil(s)
      assert.are.same({ kind, code }, { err.kind, err.code })
      assert.is_true(#tostring(err) > 20)
      return err
    end

    it("the port is taken", function()
      local err = check(elsewhere.url, "connect", "EADDRINUSE")
      assert.are.equal("127.0.0.1:" .. elsewhere.port, err.address)
      assert.matches("could not listen on \"127.0.0.1\"", tostring(err))
      check(elsewhere.url, "connect", "EADDRINUSE", { reuse_port = true })
    end)

    it("the address is another machine's", function()
      check("ws://192.0.2.1:0", "connect", "EADDRNOTAVAIL")
    end)

    it("nobody has that name", function()
      local err = check("ws://nobody.invalid:0", "dns", "ENOTFOUND")
      assert.are.equal("nobody.invalid", err.host)
    end)

    it("the folder is not there", function()
      check("ws+unix:///nowhere/at/all", "connect", "ENOENT")
    end)

    it("it may not", function()
      local dir <close> = process.directory()
      -- As nobody: root may do everything. (Ports below 1024 are free for
      -- all in some containers.)
      os.execute("chmod 755 " .. dir.path)
      local output, ended = process.run { "setpriv", "--reuid=65534",
        "--clear-groups", "lua5.4", "-e", ([[
        local s, err = require "uvwss".listen("ws+unix://%s/socket")
        print(s, err.kind, err.code)]]):format(dir.path) }
      assert.are.equal("nil\tconnect\tEACCES\n", output, ended.stderr)
    end)

    it("the certificate is not there", function()
      local err = check("wss://127.0.0.1:0", "io", "ENOENT",
        { tls = { cert = "/nowhere.crt", key = "/nowhere.key" } })
      assert.are.equal("/nowhere.crt", err.path)
    end)
  end)

  describe("serves", function()
    it("with its handlers, the server first", function()
      local seen, s = {}, nil
      s = listen {
        onopen = function(self, ws, info)
          seen[#seen + 1] = { "open", self == s, ws.state, info.attempt,
            info.resumed, info.subprotocol }
        end,
        onmessage = function(self, ws, data, kind)
          seen[#seen + 1] = { "message", self == s, ws.state, data, kind }
          ws:send(data, kind)
        end,
        onping = function(self, ws, payload)
          seen[#seen + 1] = { "ping", self == s, ws.state, payload }
          ws:ping "back"
        end,
        onpong = function(self, ws, payload, seconds)
          seen[#seen + 1] = { "pong", self == s, ws.state, payload }
          assert.is_true(seconds >= 0 and seconds < 60)
        end,
        onclose = function(self, ws, code, reason, err)
          seen[#seen + 1] = { "close", self == s, ws.state, code, reason, err }
        end,
      }
      local ws = wss.connect(s.url, { onclose = function() end })
      function ws:onopen() self:ping "there" end
      function ws:onping() self:send("\0\255", "binary") end
      function ws:onmessage() self:close(4000, "bye") end
      server.await(function() return #seen == 5 end)
      assert.are.same({
        { "open", true, "open", 1, false },
        { "ping", true, "open", "there" },
        { "pong", true, "open", "back" },
        { "message", true, "open", "\0\255", "binary" },
        { "close", true, "closed", 4000, "bye" },
      }, seen)
      server.finish(s)
    end)

    it("with handlers that are given later, changed and taken away",
      function()
        local s, got = listen(), {}
        local ws = wss.connect(s.url)
        ws.onclose = function() end
        local function step(name)
          return function(_, _, data) got[#got + 1] = name .. data end
        end
        ws:send "1"
        wss.sleep(0.02) -- nobody takes it, and it is not lost
        s.onmessage = step "a"
        server.await(function() return #got == 1 end)
        s.onmessage = step "b"
        ws:send "2"
        server.await(function() return #got == 2 end)
        s.onmessage = nil
        assert.is_nil(s.onmessage)
        ws:send "3"
        ws:ping()
        wss.sleep(0.02)
        assert.are.same({ "a1", "b2" }, got)
        s.onmessage = step "c"
        server.await(function() return #got == 3 end)
        assert.are.same({ "a1", "b2", "c3" }, got)
        server.finish(s)
      end)

    it("with a connection's own handlers, which win over the server's",
      function()
        local seen = {}
        local function say(who)
          return function(_, ...)
            local arguments = table.pack(...)
            for i = 1, arguments.n do
              if type(arguments[i]) == "userdata" then arguments[i] = "ws" end
            end
            seen[#seen + 1] = who .. tostring(arguments[1])
          end
        end
        local s = listen {
          onmessage = say "server ", onping = say "server ping ",
          onpong = say "server pong ", onclose = say "server close ",
          onopen = function(_, ws)
            ws.onmessage, ws.onping = say "own ", say "own ping "
            ws.onclose, ws.onpong = say "own close ", say "own pong "
            ws:ping "?"
          end,
        }
        local ws = wss.connect(s.url, { onclose = function() end })
        function ws:onopen()
          self:send "a"
          self:ping "p"
        end
        server.await(function() return #seen == 3 end)
        table.sort(seen)
        assert.are.same({ "own a", "own ping p", "own pong ?" }, seen)
        -- Without its own, the server's serve it again.
        local own = s:connections()()
        own.onmessage = nil
        ws:send "b"
        server.await(function() return #seen == 4 end)
        assert.are.equal("server ws", seen[4])
        ws:close()
        server.await(function() return #seen == 5 end)
        assert.are.equal("own close 1000", seen[5])
        server.finish(s)
      end)

    it("opens each before its first message, however soon that comes",
      function()
        local events = {}
        local s = listen {
          onupgrade = function() wss.sleep(0.01) end,
          onopen = function(_, ws) events[ws] = "open" end,
          onmessage = function(_, ws, data)
            assert.are.equal("open", events[ws])
            events[ws] = data
            ws:send(data)
          end,
        }
        local head = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
          .. "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
          .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        -- The first message in the same segment as the request.
        local both = (head .. "\x81\x82\0\0\0\0hi"):gsub(".", function(c)
          return ("%02x"):format(c:byte())
        end)
        local told = server.call(s, { { { "send", both }, { "answer" },
          { "frames", 1 }, { "frame", 8, "03e8" }, { "frames", 1 },
          { "drain" } } })[1]
        assert.are.same({ 101, "hi", "03e8", "eof", "end" }, { told[1].status,
          told[2].text, told[3].hex, told[4].event, told[5].event })
        server.finish(s)
      end)

    it("sends what it said before it answers a close", function()
      local s = listen { onmessage = function(_, ws, data)
        for i = 1, 3 do assert(ws:send(data .. i)) end
        ws:send(("x"):rep(1 << 20))
      end }
      -- The message and the close in one segment (Autobahn 7.1.1).
      local told = server.call(s, { { { "upgrade" },
        { "send", "818200000000686988820000000003e8" }, { "until", 8 },
        { "drain" } } })[1]
      assert.are.same({ "hi1", "hi2", "hi3", 1 << 20, "03e8", "eof" }, {
        told[2].text, told[3].text, told[4].text, told[5].len, told[6].hex,
        told[7].event })
      server.finish(s)
    end)

    it("in coroutines, one for each connection", function()
      local ended = {}
      local s = listen { onopen = function(_, ws)
        wss.spawn(function()
          for data, kind in ws:messages() do
            assert(ws:send(data:upper(), kind))
          end
          ended[#ended + 1] = ws.error or "clean"
        end)
      end }
      local answers = {}
      for i = 1, 20 do
        wss.spawn(function()
          local ws <close> = wss.connect(s.url)
          for n = 1, 5 do
            ws:send(("m%d.%d"):format(i, n))
            local answer = ws:receive(60)
            answers[#answers + 1] = answer
          end
        end)
      end
      server.await(function() return #ended == 20 end)
      assert.are.equal(100, #answers)
      assert.matches("^M%d+%.%d$", answers[100])
      for i = 1, 20 do assert.are.equal("clean", ended[i]) end
      server.finish(s)
    end)

    it("through every method that a client has", function()
      local s, own = listen { onopen = function() end }, nil
      s.onopen = function(_, ws) own = ws end
      local ws = wss.connect(s.url)
      server.await(function() return own end)
      -- receive, with and without a time
      local data, err = own:receive(0.01)
      assert.is_nil(data)
      assert.are.same({ "timeout", "receive" }, { err.kind, err.code })
      ws:send "one"
      assert.are.same({ "one", "text" }, { own:receive(30) })
      -- a message in pieces
      local writer = assert(own:stream "binary")
      for _ = 1, 3 do assert(writer:write "piece ") end
      assert(writer:finish "end")
      assert.are.same({ "piece piece piece end", "binary" },
        { ws:receive(30) })
      -- pause and resume
      local got = {}
      own.onmessage = function(_, d) got[#got + 1] = d end
      own:pause()
      ws:send "two"
      wss.sleep(0.02)
      assert.are.same({}, got)
      own:resume()
      server.await(function() return got[1] == "two" end)
      -- fields
      assert.are.same({ "open", 0 }, { own.state, own.buffered })
      assert.are.equal("127.0.0.1", own.peer.ip)
      assert.are.equal(s.url .. "/", own.url)
      assert.matches("^WebSocket %(ws://127.*, open%)$", tostring(own))
      assert.is_nil(own.tls)
      assert.is_nil(own:stats().reconnects)
      assert.are.equal(2, own:stats().messages_in)
      own.account = { 7 }
      assert.are.same({ 7 }, own.account)
      -- a done that tells
      local how
      own:send("three", "text", function(_, h) how = h end)
      assert.are.equal("three", (ws:receive(30)))
      assert.are.equal("written", how)
      -- and its own end
      local code
      ws.onclose = function(_, c, reason) code = c .. reason end
      own:close(4001, "enough")
      server.await(function() return code end)
      assert.are.equal("4001enough", code)
      assert.are.equal("closed", own.state)
      assert.is_nil(own.error)
      server.finish(s)
    end)

    it("does not dial: ws:reconnect raises", function()
      local s, message = listen(), nil
      function s:onopen(ws)
        message = select(2, pcall(ws.reconnect, ws))
        self:close()
      end
      wss.connect(s.url)
      wss.run()
      assert.matches("only a client", message)
    end)

    it("notices who does not answer pings", function()
      local ended
      local s = listen { ping_interval = 0.02, ping_timeout = 0.05,
        onclose = function(_, _, code, _, err) ended = { code, err.kind,
          err.code } end }
      server.call(s, { { { "upgrade" }, { "drain" } } })
      server.await(function() return ended end)
      assert.are.same({ 1006, "timeout", "ping" }, ended)
      assert.is_true(s:stats().pings_out >= 1)
      server.finish(s)
    end)

    it("ends one that breaks the protocol, and tells why", function()
      local ended
      local s = listen { onclose = function(_, _, code, _, err)
        ended = { code, err.kind, err.code, err.close }
      end }
      local told = server.call(s, { { { "upgrade" },
        { "frame", 1, "41", { mask = false } }, { "frames", 1 },
        { "drain" } } })[1]
      server.await(function() return ended end)
      assert.are.same({ 1006, "protocol", "mask", 1002 }, ended)
      assert.are.equal("03ea", told[2].hex:sub(1, 4))
      assert.are.equal("eof", told[3].event)
      server.finish(s)
    end)

    it("refuses messages above max_message with 1009", function()
      local ended
      local s = listen { max_message = 10, onmessage = echo,
        onclose = function(_, _, _, _, err) ended = err end }
      local ws = wss.connect(s.url, { onclose = function() end })
      ws:send(("x"):rep(10))
      assert.are.equal(10, #ws:receive(30))
      ws:send(("x"):rep(11))
      server.await(function() return ended end)
      assert.are.same({ "limit", "message_size", 1009, 10 },
        { ended.kind, ended.code, ended.close, ended.limit })
      server.finish(s)
    end)

    it("says when what it sent has drained", function()
      local drained
      local s = listen { high_water = 100000, low_water = 1000,
        onopen = function(_, ws) ws:send(("x"):rep(1 << 20), "binary") end,
        ondrain = function(_, ws)
          drained = ws.buffered
          ws:close()
        end }
      local ws = wss.connect(s.url)
      ws.onmessage = function() end
      server.await(function() return ws.state == "closed" end)
      assert.is_true(drained <= 1000)
      server.finish(s)
    end)
  end)

  describe("tells", function()
    it("how many are open, and which", function()
      local s, all = listen(), {}
      assert.are.equal(0, s.count)
      assert.is_nil(s:connections()())
      for i = 1, 5 do
        all[i] = wss.connect(s.url, { onclose = function() end })
      end
      server.await(function() return s.count == 5 end)
      local seen, n = {}, 0
      for ws in s:connections() do
        assert.are.equal("open", ws.state)
        seen[ws], n = true, n + 1
      end
      assert.are.equal(5, n)
      for _ in pairs(seen) do n = n - 1 end
      assert.are.equal(0, n)
      all[1]:terminate()
      all[2]:close()
      server.await(function() return s.count == 3 end)
      assert.are.equal(3, s:stats().connections)
      server.finish(s)
      assert.are.equal(0, s.count)
    end)

    it("which are open, whatever is done to them meanwhile", function()
      local s = listen()
      for _ = 1, 6 do wss.connect(s.url, { onclose = function() end }) end
      server.await(function() return s.count == 6 end)
      local n = 0
      for ws in s:connections() do
        n = n + 1
        if n == 1 then
          for other in s:connections() do
            if other ~= ws then other:terminate() end
          end
          ws:close()
          wss.sleep(0.01)
          collectgarbage()
        end
        assert.is_truthy(ws.state)
      end
      assert.are.equal(6, n)
      server.await(function() return s.count == 0 end)
      server.finish(s)
    end)

    it("what passed, of those who have left too", function()
      local s = listen { onmessage = echo,
        onrequest = function() return 200 end }
      for _ = 1, 3 do talk(s.url) end
      server.call(s, { { { "ask", "GET", "/" }, { "answer" } },
        { { "text", "nonsense\r\n\r\n" }, { "drain" } } })
      server.await(function() return s:stats().handshaking == 0 end)
      local st = s:stats()
      local bytes = st.bytes_in > 500 and st.bytes_out > 500
      st.bytes_in, st.bytes_out = nil, nil
      assert.is_true(bytes)
      assert.are.same({ connections = 0, handshaking = 0, accepted = 5,
        turned_away = 0, refused = 1, requests = 4, upgrades = 3,
        published = 0, delivered = 0, dropped = 0, slow_closed = 0,
        topics = 0, subscriptions = 0, messages_in = 3, messages_out = 3,
        frames_in = 6, frames_out = 6, pings_in = 0, pings_out = 0 }, st)
      server.finish(s)
      assert.are.equal(5, s:stats().accepted)
    end)

    it("who was refused, and why", function()
      local refused = {}
      local s = listen { onrefused = function(self, err, peer)
        refused[#refused + 1] = { self.state, err.kind, err.code, err.status,
          peer.ip, math.type(peer.port) }
      end }
      server.call(s, { { { "text", "nonsense\r\n\r\n" }, { "drain" } } })
      server.await(function() return refused[1] end)
      assert.are.same({ { "listening", "upgrade", "syntax", 400,
        "127.0.0.1", "integer" } }, refused)
      -- Who comes and goes without a word is no event of a server's life.
      server.call(s, { { { "fin" }, { "drain" } }, { { "reset" } } })
      server.await(function() return s:stats().handshaking == 0 end)
      server.finish(s)
    end)
  end)

  it("keeps the user's own fields", function()
    local s = listen()
    s.rooms = { 7 }
    s[1] = "one"
    assert.are.same({ 7 }, s.rooms)
    assert.are.equal("one", s[1])
    assert.is_nil(s.nothing)
    server.finish(s)
    assert.are.same({ 7 }, s.rooms)
  end)

  it("serves wss with a certificate", function()
    local s = listen({ tls = certs "server", onmessage = echo },
      "wss://127.0.0.1:0")
    assert.matches("^wss://127%.0%.0%.1:%d+$", s.url)
    local data, ws = talk(("wss://localhost:%d/"):format(s.port),
      { tls = { ca = certs.ca } })
    assert.are.equal("hello", data)
    assert.are.equal("TLSv1.3", ws.tls.version)
    server.finish(s)
  end)
end)
