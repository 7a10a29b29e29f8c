-- Servers that people run, over verified TLS: each one's echo, its ways of
-- closing, its pings and its peculiarities.
local certs = require "spec.support.certs"
local client = require "spec.support.client"
local peers = require "spec.support.peers"
local wss = require "uvwss"

local patience = 60
local mebibyte = ("0123456789abcde\n"):rep(65536)

local function connect(server, options)
  local all = { tls = { ca = certs.ca }, open_timeout = patience,
    close_timeout = patience }
  for name, value in pairs(options or {}) do all[name] = value end
  return wss.connect("wss://127.0.0.1:" .. server.port, all)
end

-- Talk in a coroutine; whatever happens, the connection is closed behind it.
local function talk(server, options, fn)
  return wss.run(function()
    local ws <close> = connect(server, options)
    return fn(ws)
  end)
end

-- What comes back, and what kind it is.
local function echo_of(server, data, kind)
  return talk(server, nil, function(ws)
    assert(ws:send(data, kind))
    local answer, what = ws:receive(patience)
    assert.is_string(answer, tostring(what))
    return answer, what
  end)
end

local function same_data(expected, answer)
  assert.equal(#expected, #answer)
  assert.is_true(expected == answer)
end

-- How it ended: the code and the reason of onclose, and its error.
local function ending(server, act, options)
  local seen = {}
  local ws = connect(server, options)
  ws.onopen = act
  ws.onmessage = function() end
  function ws:onclose(code, reason, err)
    seen.code, seen.reason, seen.err = code, reason, err
  end
  wss.run()
  return seen
end

local function pong_of(server, payload, options)
  local seen = {}
  local ws = connect(server, options)
  ws.onopen = function(self) self:ping(payload) end
  ws.onmessage = function() end
  ws.onpong = function(self, answer, seconds)
    seen.payload, seen.seconds = answer, seconds
    self:close()
  end
  ws.onclose = function(_, code, _, err) seen.code, seen.err = code, err end
  wss.run()
  return seen
end

-- Promises that every one of them keeps.
local function keeps(name, get, limits)
  describe(name, function()
    local server
    setup(function() server = get() end)
    teardown(function()
      server:stop()
      if server.behind then server.behind:stop() end
    end)
    after_each(client.zero_ledger)

    it("is verified", function()
      local tls = talk(server, nil, function(ws)
        ws:send "x"
        ws:receive(patience)
        return ws.tls
      end)
      assert.is_true(tls.verified)
      assert.equal("CN=server.test", tls.chain[1].subject)
    end)

    if limits.text ~= false then
      it("echoes text", function()
        local text = "h\u{e4}ll\u{f6} \u{1f600}"
        assert.same({ text, "text" }, { echo_of(server, text, "text") })
      end)
      it("echoes an empty message", function()
        assert.same({ "", "text" }, { echo_of(server, "", "text") })
      end)
      it("echoes text of 1 MiB", function()
        local data = mebibyte:gsub("\n", " ")
        local answer, kind = echo_of(server, data, "text")
        same_data(data, answer)
        assert.equal("text", kind)
      end)
      it("echoes many messages in their order", function()
        local many = limits.many or 300
        talk(server, nil, function(ws)
          for i = 1, many do assert(ws:send(("%d "):format(i):rep(i))) end
          for i = 1, many do
            same_data(("%d "):format(i):rep(i), assert(ws:receive(patience)))
          end
        end)
      end)
    end

    if limits.binary ~= false then
      it("echoes binary data", function()
        local data = "\0\255\1\254" .. mebibyte:sub(1, 70000)
        local answer, kind = echo_of(server, data, "binary")
        same_data(data, answer)
        assert.equal("binary", kind)
      end)
      it("echoes empty binary data", function()
        assert.same({ "", "binary" }, { echo_of(server, "", "binary") })
      end)
      it("echoes 1 MiB of binary data", function()
        local answer, kind = echo_of(server, mebibyte, "binary")
        same_data(mebibyte, answer)
        assert.equal("binary", kind)
      end)
      it("takes a message in fragments", function()
        talk(server, nil, function(ws)
          local writer = assert(ws:stream "binary")
          assert(writer:write "one ")
          assert(writer:write "two ")
          assert(writer:finish "three")
          assert.same({ "one two three", "binary" },
            { ws:receive(patience) })
        end)
      end)
    end

    it("answers a ping with its payload", function()
      local seen = pong_of(server, "payload")
      assert.equal("payload", seen.payload)
      assert.is_true(seen.seconds >= 0 and seen.seconds < patience)
      assert.is_nil(seen.err)
    end)

    it("answers our close", function()
      local seen = ending(server, function(ws) ws:close(1000, "bye") end)
      assert.same({ code = 1000, reason = limits.reason or "bye" }, seen)
      seen = ending(server, function(ws) ws:close(4321, "bye") end)
      assert.same({ limits.own_code or 4321, limits.reason or "bye" },
        { seen.code, seen.reason })
      assert.is_nil(seen.err)
    end)

    if limits.more then limits.more(function() return server end) end
  end)
end

-- For those that take these options: the server's own close, and names.
local function obedient(start)
  return function()
    for _, code in ipairs { 1000, 1001, 1008, 1011, 3000, 4999 } do
      it(("closes with %d, which onclose hears"):format(code), function()
        local peer <close> = start { close_after = 1, close_code = code,
          close_reason = "that is \u{fc}ber" }
        local seen = ending(peer, function(ws) ws:send "x" end)
        assert.same({ code, "that is \u{fc}ber" },
          { seen.code, seen.reason })
        assert.is_nil(seen.err)
        if peer.behind then peer.behind:stop() end
      end)
    end

    it("agrees on a subprotocol", function()
      local peer <close> = start { subprotocol = { "b", "c" } }
      local function agreed(offered)
        local told
        return talk(peer, { subprotocols = offered,
          onopen = function(_, info) told = info.subprotocol end },
          function(ws)
            assert(ws:send "x")
            assert(ws:receive(patience))
            assert.equal(told, ws.subprotocol)
            return told
          end)
      end
      assert.equal("b", agreed { "a", "b" })
      assert.equal("c", agreed "c")
      assert.is_nil(agreed "a")
      if peer.behind then peer.behind:stop() end
    end)

    it("has its own pings answered", function()
      local peer <close> = start { ping = 0.05 }
      local heard = 0
      local ws = connect(peer)
      ws.onmessage = function() end
      ws.onping = function(self)
        heard = heard + 1
        if heard == 3 then self:close() end
      end
      wss.run()
      assert.equal(3, heard)
      assert.is_nil(ws.error)
      if peer.behind then peer.behind:stop() end
    end)
  end
end

local function with_tls(start)
  return function(options)
    local all = { tls = certs "server" }
    for name, value in pairs(options or {}) do all[name] = value end
    return start(all)
  end
end

local python, node = with_tls(peers.echo), with_tls(peers.node)

local function nginx(options)
  local behind = peers.echo(options)
  local server = peers.nginx(certs "server", behind.port)
  server.behind = behind
  return server
end

keeps("python-websockets", python, { more = obedient(python) })
keeps("ws on Node", node, { more = obedient(node) })
keeps("nginx in front of python-websockets", nginx, {
  more = function(get)
    obedient(nginx)()

    it("tells that nobody is behind it", function()
      local gone <close> = peers.refuse()
      local lonely <close> = peers.nginx(certs "server", gone.port)
      local seen = ending(lonely)
      assert.same({ "upgrade", "status", 502 },
        { seen.err.kind, seen.err.code, seen.err.status })
      assert.matches("502", seen.err.message, 1, true)
      assert.matches("^nginx", seen.err.headers.server)
    end)

    it("ends with a close_notify what was cut off behind it", function()
      local seen = ending(get(), function() get().behind:stop() end)
      assert.same({ 1006, "closed", "eof" },
        { seen.code, seen.err.kind, seen.err.code })
    end)
  end,
})

keeps("websocketd", function()
  return peers.websocketd(certs "server")
end, {
  binary = false, -- lines are text
  reason = "",
  many = 100, -- see below
  more = function()
    it("hangs up, without a close, when its program has ended", function()
      local peer <close> = peers.websocketd(certs "server", "text", "head",
        "-n", "1")
      local got
      local ws = connect(peer)
      ws:send "first"
      local code, err
      ws.onmessage = function(_, data) got = data end
      ws.onclose = function(_, how, _, why) code, err = how, why end
      wss.run()
      assert.same({ "first", 1006, "closed", "eof" },
        { got, code, err.kind, err.code })
    end)
  end,
})

keeps("websocketd with bytes", function()
  return peers.websocketd(certs "server", "binary")
end, {
  text = false, binary = false, reason = "",
  more = function(get)
    -- It reads nothing of its program's while it writes to it, and `cat` stops
    -- reading when nobody reads it: more than the pipes hold it cannot take.
    it("echoes bytes, in pieces of its own", function()
      local data = "\0\255\1\254" .. mebibyte:sub(1, 60000)
      talk(get(), nil, function(ws)
        assert(ws:send(data, "binary"))
        local got, size = {}, 0
        repeat
          local piece, kind = ws:receive(patience)
          assert.equal("binary", kind)
          got[#got + 1], size = piece, size + #piece
        until size >= #data
        same_data(data, table.concat(got))
      end)
    end)
  end,
})

-- ---- NATS ------------------------------------------------------------------

-- Its protocol is a stream, to which the frames are nothing.
local Stream = {}
Stream.__index = Stream

local function stream_of(ws)
  return setmetatable({ ws = ws, rest = "" }, Stream)
end

function Stream:more()
  local data, kind = self.ws:receive(patience)
  assert.is_string(data, tostring(kind))
  assert.equal("binary", kind)
  self.rest = self.rest .. data
end

function Stream:bytes(n)
  while #self.rest < n do self:more() end
  local found = self.rest:sub(1, n)
  self.rest = self.rest:sub(n + 1)
  return found
end

function Stream:line()
  while not self.rest:find("\r\n", 1, true) do self:more() end
  local found, to = self.rest:match "^(.-)\r\n()"
  self.rest = self.rest:sub(to)
  return found
end

function Stream:say(...)
  assert(self.ws:send(table.concat({ ... }, "\r\n") .. "\r\n", "binary"))
end

describe("nats-server", function()
  local server
  setup(function() server = peers.nats(certs "server") end)
  teardown(function() server:stop() end)
  after_each(client.zero_ledger)

  local function session(fn)
    return talk(server, nil, function(ws)
      local nats = stream_of(ws)
      local info = nats:line()
      assert.matches("^INFO {.+}", info)
      nats:say('CONNECT {"verbose":false,"pedantic":true}', "PING")
      assert.equal("PONG", nats:line())
      return fn(nats, ws, info)
    end)
  end

  local function message(nats)
    local subject, id, size = nats:line():match "^MSG (%S+) (%d+) (%d+) *$"
    assert.is_string(subject)
    local payload = nats:bytes(tonumber(size))
    assert.equal("", nats:line())
    return subject, id, payload
  end

  it("is verified and says who it is", function()
    session(function(_, ws, info)
      assert.is_true(ws.tls.verified)
      assert.matches('"max_payload":1048576', info, 1, true)
    end)
  end)

  it("delivers what was published, empty and up to 1 MiB", function()
    session(function(nats)
      nats:say "SUB frames.* 7"
      for _, payload in ipairs { "hello", "", "\0\r\n\255", mebibyte } do
        nats:say("PUB frames.one " .. #payload, payload)
        local subject, id, got = message(nats)
        assert.same({ "frames.one", "7" }, { subject, id })
        same_data(payload, got)
      end
    end)
  end)

  it("delivers from one connection to another, in order", function()
    session(function(hearer)
      hearer:say("SUB a 1", "PING")
      assert.equal("PONG", hearer:line())
      -- A second one in the same coroutine.
      local ws <close> = connect(server)
      local speaker = stream_of(ws)
      speaker:line()
      speaker:say 'CONNECT {"verbose":false}'
      for i = 1, 500 do speaker:say("PUB a " .. #tostring(i), tostring(i)) end
      for i = 1, 500 do
        assert.equal(tostring(i), (select(3, message(hearer))))
      end
    end)
  end)

  it("answers a ping of ours with its payload", function()
    local seen = pong_of(server, "payload")
    assert.equal("payload", seen.payload)
  end)

  it("answers our close", function()
    local seen = ending(server, function(ws) ws:close(1000, "bye") end)
    assert.equal(1000, seen.code)
    assert.is_nil(seen.err)
  end)

  it("closes on a breach of its protocol, after telling why", function()
    local said, code = ""
    local ws = connect(server)
    ws:send("NONSENSE\r\n", "binary")
    ws.onmessage = function(_, data) said = said .. data end
    ws.onclose = function(_, how) code = how end
    wss.run()
    assert.matches("-ERR 'Unknown Protocol Operation'", said, 1, true)
    assert.equal(1002, code)
  end)

  it("is left with 1001 when it is told to end", function()
    local peer <close> = peers.nats(certs "server")
    local code
    local ws = connect(peer)
    ws:send('CONNECT {"verbose":false}\r\nPING\r\n', "binary")
    ws.onmessage = function(_, data)
      if data:find "PONG" then peer:signal "TERM" end
    end
    ws.onclose = function(_, how) code = how end
    wss.run()
    assert.equal(1001, code)
  end)
end)
