local wss = require "uvwss"
local peers = require "spec.support.peers"

-- A port on which nothing listens until a server is started on it.
local function reserved()
  local refused = peers.refuse()
  local port = refused.port
  return port, refused
end

describe("a client that reconnects", function()
  after_each(function()
    for name, count in pairs(wss.stats()) do
      assert.are.equal(0, count, name)
    end
  end)

  it("keeps the loop alive over many waits until the server is there",
    function()
      local port, refused = reserved()
      local server, opened
      local waits = 0
      local ws = wss.connect(("ws://127.0.0.1:%d/"):format(port),
        { reconnect = { min = 0.01, max = 0.02 } })
      function ws:onreconnect(attempt, delay, err)
        waits = waits + 1
        assert.are.equal(waits, attempt)
        assert.is_true(delay >= 0 and delay <= 0.02)
        assert.are.equal("connect", err.kind)
        assert.are.equal("waiting", self.state)
        if waits == 5 then
          refused:stop()
          server = peers.echo { port = port }
        end
      end
      function ws:onopen(info)
        opened = info.attempt
        self:close()
      end
      wss.run() -- nothing else is pending
      assert.is_true(waits >= 5)
      assert.are.equal(waits + 1, opened)
      assert.are.equal(waits, ws:stats().reconnects)
      server:stop()
    end)

  it("comes back after its server was killed, with what was unsent",
    function()
      local server = peers.echo {}
      local port, got, opens = server.port, {}, 0
      local ws = wss.connect(("ws://127.0.0.1:%d/"):format(port),
        { reconnect = { min = 0.01, max = 0.05 } })
      function ws:onopen()
        opens = opens + 1
        if opens == 1 then
          self:send "first"
        else
          self:send "again"
        end
      end
      function ws:onmessage(data)
        got[#got + 1] = data
        if data == "first" then server:stop() end
        if #got == 3 then self:close() end
      end
      local revived = false
      function ws:onreconnect()
        if revived then return end
        revived = true
        assert.is_true(self:send "while it was down")
        server = peers.echo { port = port }
      end
      wss.run()
      server:stop()
      assert.are.same({ "first", "while it was down", "again" }, got)
    end)

  it("forgets what was unsent with outbox = \"drop\"", function()
    local server = peers.raw { { { "request" }, { "close" } },
      { { "upgrade" }, { "frames", 1 }, { "until", 8 },
        { "frame", 8, "03e8" } } }
    local dropped, written
    local ws = wss.connect(("ws://127.0.0.1:%d/"):format(server.port),
      { reconnect = { min = 0.001, max = 0.001, outbox = "drop" } })
    ws:send("lost", "text", function(err, how) dropped = { err.kind, how } end)
    function ws:onopen()
      self:send("kept", "text", function(_, how) written = how end)
      self:close()
    end
    wss.run()
    assert.are.same({ "closed", "unsent" }, dropped)
    assert.are.equal("written", written)
    server:stop()
  end)

  it("obeys Retry-After", function()
    local server = peers.raw { { { "status", 503, { ["Retry-After"] = "0.5" } } },
      { { "status", 503, { ["Retry-After"] = "1" } } },
      { { "upgrade" }, { "until", 8 }, { "frame", 8, "03e8" } } }
    local delays = {}
    local ws = wss.connect(("ws://127.0.0.1:%d/"):format(server.port),
      { reconnect = { min = 0.001, max = 0.002 } })
    function ws:onreconnect(_, delay, err)
      delays[#delays + 1] = delay
      assert.are.same({ "upgrade", "status", 503 },
        { err.kind, err.code, err.status })
    end
    function ws:onopen() self:close() end
    wss.run()
    server:stop()
    assert.is_true(delays[1] <= 0.002) -- "0.5" is not a number of seconds
    assert.are.equal(1, delays[2])
  end)

  it("gives up on what waiting cannot mend", function()
    for _, case in ipairs {
      { { { "status", 404, {}, "" } }, "upgrade" },
      { { { "status", 401, {}, "" } }, "upgrade" },
      { { { "upgrade" }, { "frame", 8, "03f0" }, { "until", 8 } } }, -- 1008
      { { { "upgrade" }, { "frame", 8, "03e8" }, { "until", 8 } } }, -- 1000
    } do
      local server = peers.raw { case[1] }
      local closes, err = 0
      local ws = wss.connect(("ws://127.0.0.1:%d/"):format(server.port),
        { reconnect = true })
      function ws.onreconnect() error "must not wait" end
      function ws:onclose(_, _, e) closes, err = closes + 1, e end
      wss.run()
      server:stop()
      assert.are.equal(1, closes)
      assert.are.equal(case[2], err and err.kind)
    end
  end)

  it("gives up when onreconnect returns false", function()
    local ws, err = wss.connect("ws://127.0.0.1:1/", { reconnect = true })
    function ws.onreconnect() return false end
    function ws:onclose(_, _, e) err = e end
    wss.run()
    assert.are.equal("connect", err.kind)
  end)

  it("ends a wait at once by close, terminate and wss.stop", function()
    for _, how in ipairs { "close", "terminate" } do
      local ws, closed = wss.connect("ws://127.0.0.1:1/",
        { reconnect = { min = 1000, max = 1000, jitter = false } })
      function ws:onreconnect() wss.timer(0, function() self[how](self) end) end
      function ws:onclose() closed = true end
      wss.run()
      assert.is_true(closed)
    end
    local ws = wss.connect("ws://127.0.0.1:1/",
      { reconnect = { min = 1000, max = 1000, jitter = false } })
    function ws.onreconnect() wss.timer(0, wss.stop) end
    wss.run()
    assert.are.equal("waiting", ws.state)
    ws:close()
    wss.run()
    assert.are.equal("closed", ws.state)
  end)

  it("can be told to dial anew, in any state", function()
    local server = peers.echo {}
    local ws = wss.connect(("ws://127.0.0.1:%d/"):format(server.port))
    local opens = 0
    assert.is_true(ws:reconnect()) -- while connecting
    function ws:onopen()
      opens = opens + 1
      if opens < 4 then
        assert.is_true(self:reconnect())
      else
        self:close()
      end
    end
    wss.run()
    assert.are.equal(4, opens)
    assert.are.equal(1, peers.counts(server).max_open)
    local ok, err = ws:reconnect()
    assert.is_nil(ok)
    assert.are.equal("closed", err.kind)
    server:stop()
  end)

  it("settles a message of which a part had left as partial, and does not "
    .. "send it again", function()
    local server = peers.raw { { { "upgrade" }, { "recv", 100000 },
      { "reset" } }, { { "upgrade" }, { "frames", 1 }, { "frame", 8, "03e8" },
      { "until", 8 } } }
    local outcomes = {}
    local ws = wss.connect(("ws://127.0.0.1:%d/"):format(server.port),
      { reconnect = { min = 0.001, max = 0.001 } })
    ws:send(("x"):rep(32 << 20), "binary", function(err, how)
      outcomes[1] = { err.kind, how }
    end)
    ws:send("second", "text", function(err, how)
      outcomes[2] = { err, how }
    end)
    wss.run()
    assert.are.same({ { "closed", "partial" }, { nil, "written" } }, outcomes)
    local frame
    repeat
      local fact = peers.told(server)
      if fact.conn == 2 and fact.event == "frame" then frame = fact end
    until frame
    assert.are.equal(#"second", frame.len or frame.length or #frame.hex / 2)
    server:stop()
  end)

  it("may be stopped by its policy's limit of attempts", function()
    local ws, err = wss.connect("ws://127.0.0.1:1/",
      { reconnect = { min = 0.001, max = 0.001, attempts = 3 } })
    local waits = 0
    function ws.onreconnect() waits = waits + 1 end
    function ws:onclose(_, _, e) err = e end
    wss.run()
    assert.are.equal(3, waits)
    assert.are.equal("ECONNREFUSED", err.code)
  end)
end)

describe("redirects", function()
  local function redirecting(to)
    return peers.raw { { { "status", 302, { Location = to } } },
      { { "upgrade" }, { "until", 8 }, { "frame", 8, "03e8" } } }
  end

  it("are followed as often as allowed", function()
    local server = redirecting "/other?x=1"
    local ws = wss.connect(("ws://127.0.0.1:%d/"):format(server.port),
      { redirects = 1, headers = { ["X-Token"] = "t" } })
    local opened
    function ws:onopen() opened = true self:close() end
    wss.run()
    assert.is_true(opened)
    local targets = {}
    while #targets < 2 do
      local fact = peers.told(server)
      if fact.event == "request" then
        targets[#targets + 1] = fact.target or fact.path or fact.line
      end
    end
    assert.matches("/other%?x=1", targets[2])
    server:stop()
  end)

  it("begin anew with each attempt to reconnect", function()
    local there = { { "status", 302, { Location = "/there" } } }
    local server = peers.raw { there, { { "status", 503 } }, there,
      { { "upgrade" }, { "until", 8 }, { "frame", 8, "03e8" } } }
    local ws = wss.connect(("ws://127.0.0.1:%d/here"):format(server.port),
      { redirects = 1, reconnect = { min = 0.001, max = 0.001 } })
    local waits = 0
    function ws.onreconnect() waits = waits + 1 end
    function ws:onopen() self:close() end
    wss.run()
    assert.are.equal(1, waits)
    local targets = {}
    while #targets < 4 do
      local fact = peers.told(server)
      if fact.event == "request" then
        targets[#targets + 1] = fact.target or fact.path or fact.line
      end
    end
    server:stop()
    for i, target in ipairs { "/here", "/there", "/here", "/there" } do
      assert.matches(target, targets[i], 1, true)
    end
  end)

  it("are errors by default", function()
    local server = redirecting "/other"
    local ws, err = wss.connect(("ws://127.0.0.1:%d/"):format(server.port))
    function ws:onclose(_, _, e) err = e end
    wss.run()
    server:stop()
    assert.are.same({ "upgrade", "status", 302, "/other" },
      { err.kind, err.code, err.status, err.headers.location })
  end)
end)
