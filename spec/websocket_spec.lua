local wss = require "uvwss"
local peers = require "spec.support.peers"

local function zero_ledger()
  for name, count in pairs(wss.stats()) do
    assert.are.equal(0, count, name)
  end
end

describe("a connection", function()
  local server, url

  setup(function()
    server = peers.echo {}
    url = ("ws://127.0.0.1:%d/"):format(server.port)
  end)
  teardown(function() server:stop() end)
  after_each(zero_ledger)

  describe("with handlers", function()
    it("opens, hears its own echo and closes cleanly", function()
      local ws, seen = wss.connect(url), {}
      function ws:onopen(info)
        seen.attempt, seen.resumed = info.attempt, info.resumed
        self:send("hello")
      end
      function ws:onmessage(data, kind)
        seen.data, seen.kind = data, kind
        self:close(1000, "bye")
      end
      function ws:onclose(code, reason, err)
        seen.code, seen.reason, seen.err = code, reason, err
      end
      wss.run()
      assert.are.same({ attempt = 1, resumed = false, data = "hello",
        kind = "text", code = 1000, reason = "bye" }, seen)
      assert.are.equal("closed", ws.state)
      assert.is_nil(ws.error)
    end)

    it("takes them as options too", function()
      local got
      wss.connect(url, {
        onopen = function(ws) ws:send("\0\255", "binary") end,
        onmessage = function(ws, data, kind)
          got = { data, kind }
          ws:close()
        end,
      })
      wss.run()
      assert.are.same({ "\0\255", "binary" }, got)
    end)

    it("sends what was queued before it was open, in order", function()
      local ws, got = wss.connect(url), {}
      for i = 1, 500 do assert.is_true(ws:send("message " .. i)) end
      assert.is_true(ws.buffered > 0)
      function ws:onmessage(data)
        got[#got + 1] = data
        if #got == 500 then self:close() end
      end
      wss.run()
      for i = 1, 500 do assert.are.equal("message " .. i, got[i]) end
    end)

    it("keeps the order of pipelined messages of all sizes", function()
      local sizes = { 0, 1, 125, 126, 127, 4095, 65535, 65536, 65537, 1 << 20 }
      local ws, got = wss.connect(url), 0
      for i = 1, #sizes do
        ws:send(string.char(64 + i):rep(sizes[i]), "binary")
      end
      function ws:onmessage(data)
        got = got + 1
        assert.are.equal(sizes[got], #data)
        assert.is_true(data == string.char(64 + got):rep(#data))
        if got == #sizes then self:close() end
      end
      wss.run()
      assert.are.equal(#sizes, got)
    end)

    it("tells the outcome of each message once", function()
      local ws, told = wss.connect(url), {}
      ws:send("a", "text", function(err, how) told[#told + 1] = { err, how } end)
      ws:send(("b"):rep(3000000), "binary", function(err, how)
        told[#told + 1] = { err, how }
        ws:close()
      end)
      ws.onmessage = function() end
      wss.run()
      assert.are.same({ { nil, "written" }, { nil, "written" } }, told)
    end)

    it("measures the round trip of a ping", function()
      local ws, seen = wss.connect(url)
      function ws:onopen() assert.is_true(self:ping("are you there")) end
      function ws:onpong(payload, seconds)
        seen = { payload, seconds }
        self:close()
      end
      wss.run()
      assert.are.equal("are you there", seen[1])
      assert.is_true(seen[2] >= 0 and seen[2] < 60)
      assert.is_true(ws:stats().rtt == seen[2])
    end)

    it("says when what was buffered has drained", function()
      local ws, drained = wss.connect(url, {
        high_water = 100000, low_water = 1000 })
      ws.onmessage = function() end
      function ws:onopen() self:send(("x"):rep(1 << 20), "binary") end
      function ws:ondrain()
        drained = self.buffered
        self:close()
      end
      wss.run()
      assert.is_true(drained <= 1000)
    end)

    it("closes with 1011 when a handler raises, and run raises it", function()
      local ws, code = wss.connect(url)
      function ws:onopen() self:send("x") end
      function ws.onmessage() error("broken handler") end
      function ws:onclose(c) code = c end
      local ok, err = pcall(wss.run)
      assert.is_false(ok)
      assert.matches("broken handler", err)
      assert.matches("stack traceback", err)
      wss.run() -- the loop is usable
      assert.are.equal(1011, code)
    end)

    it("gives a handler's error to wss.onerror where there is one", function()
      local ws, heard = wss.connect(url)
      function wss.onerror(err, from) heard = { err, from } end
      finally(function() wss.onerror = nil end)
      function ws:onopen() error("broken handler") end
      wss.run()
      assert.matches("broken handler", heard[1])
      assert.are.equal(ws, heard[2])
    end)

    it("may be closed and terminated in every handler", function()
      for _, method in ipairs { "close", "terminate" } do
        for _, event in ipairs { "onopen", "onmessage", "onpong", "onclose" } do
          local ws, closed = wss.connect(url), 0
          function ws:onopen() self:send("x") self:ping("y") end
          ws.onmessage = function(self) if event == "onmessage" then
            self[method](self) end end
          local open = ws.onopen
          if event == "onopen" then
            ws.onopen = function(self) open(self) self[method](self) end
          end
          function ws:onpong() if event ~= "onopen" then self[method](self) end end
          function ws:onclose()
            closed = closed + 1
            self[method](self)
          end
          wss.run()
          assert.are.equal(1, closed)
        end
      end
    end)
  end)

  describe("in a plain script", function()
    it("receives, and iterates up to the close", function()
      local ws = wss.connect(url)
      ws:send("one")
      ws:send("two", "binary")
      assert.are.same({ "one", "text" }, { ws:receive() })
      assert.are.same({ "two", "binary" }, { ws:receive(30) })
      ws:close()
      for _ in ws:messages() do error "nothing should come" end
      assert.is_nil(ws.error)
      local data, err = ws:receive()
      assert.is_nil(data)
      assert.are.equal("closed", err.kind)
      assert.are.equal(1000, err.close)
    end)

    it("gives up after the time that receive is given", function()
      local ws <close> = wss.connect(url)
      local data, err = ws:receive(0.02)
      assert.is_nil(data)
      assert.are.equal("timeout", err.kind)
      assert.are.equal("receive", err.code)
      assert.are.equal(0.02, err.seconds)
    end)

    it("sees through what was sent when its scope ends", function()
      local how
      do
        local ws <close> = wss.connect(url)
        ws:send(("x"):rep(200000), "binary", function(_, h) how = h end)
      end
      assert.are.equal("written", how)
    end)

    it("receives thousands of pipelined messages one by one", function()
      local ws <close> = wss.connect(url)
      for i = 1, 3000 do ws:send(tostring(i)) end
      for i = 1, 3000 do assert.are.equal(tostring(i), (ws:receive())) end
    end)
  end)

  describe("in coroutines", function()
    it("works like a conversation", function()
      local answer = wss.run(function(word)
        local ws <close> = wss.connect(url)
        ws:send(word)
        return (ws:receive())
      end, "hello")
      assert.are.equal("hello", answer)
    end)

    it("serves many at once", function()
      local sum = 0
      for i = 1, 20 do
        wss.spawn(function()
          local ws <close> = wss.connect(url)
          for _ = 1, 10 do
            ws:send(tostring(i))
            local n = tonumber((ws:receive()))
            sum = sum + n
          end
        end)
      end
      wss.run()
      assert.are.equal(210 * 10, sum)
    end)

    it("lets one receive at a time, and any number send", function()
      local refused
      wss.run(function()
        local ws = wss.connect(url)
        wss.spawn(function()
          local ok, err = pcall(ws.receive, ws)
          refused = not ok and err
          ws:send("a")
        end)
        wss.spawn(function() ws:send("b") end)
        local got = (ws:receive()) .. (ws:receive())
        assert.are.equal("ab", got)
        ws:close()
      end)
      assert.matches("another is receiving", refused)
    end)

    it("is told when nothing can come any more", function()
      wss.run(function()
        local ws = wss.connect(url)
        wss.timer(0.01, function() ws:close() end)
        local data, err = ws:receive()
        assert.is_nil(data)
        assert.are.equal("closed", err.kind)
      end)
    end)
  end)

  describe("that nobody hears", function()
    it("makes run raise its error", function()
      wss.connect("ws://127.0.0.1:1/")
      local ok, err = pcall(wss.run)
      assert.is_false(ok)
      assert.are.equal("connect", err.kind)
      assert.are.equal("ECONNREFUSED", err.code)
      assert.matches("could not connect to \"127.0.0.1\"", tostring(err))
      assert.are.equal("127.0.0.1:1", err.address)
      assert.are.equal(1, #err.attempts)
    end)

    it("does not, when onclose does", function()
      local ws, err = wss.connect("ws://127.0.0.1:1/")
      function ws:onclose(_, _, e) err = e end
      wss.run()
      assert.are.equal("connect", err.kind)
      assert.are.equal(err, ws.error)
    end)
  end)

  it("stops delivering at wss.stop and goes on in the next run", function()
    local ws, got = wss.connect(url), 0
    for _ = 1, 10 do ws:send("x") end
    function ws.onmessage()
      got = got + 1
      wss.stop()
    end
    for i = 1, 10 do
      wss.run()
      assert.are.equal(i, got)
    end
    ws:close()
    wss.run()
  end)

  it("hands nothing over while it is paused", function()
    local ws, got, paused = wss.connect(url), 0, false
    for _ = 1, 5 do ws:send("x") end
    function ws:onmessage()
      assert.is_false(paused)
      got = got + 1
      if got == 2 then
        paused = true
        self:pause()
        wss.timer(0.02, function() paused = false self:resume() end)
      elseif got == 5 then
        self:close()
      end
    end
    wss.run()
    assert.are.equal(5, got)
  end)

  it("refuses more than max_buffered, and invalid UTF-8", function()
    local ws = wss.connect(url, { max_buffered = 10 })
    assert.is_true(ws:send("12345"))
    local ok, err = ws:send("123456")
    assert.is_nil(ok)
    assert.are.same({ "limit", "buffered", 10, 11 },
      { err.kind, err.code, err.limit, err.size })
    ok, err = ws:send("\xff")
    assert.is_nil(ok)
    assert.are.same({ "protocol", "utf8" }, { err.kind, err.code })
    assert.are.equal("12345", (ws:receive()))
    ws:close()
    wss.run()
    ok, err = ws:send("late")
    assert.is_nil(ok)
    assert.are.equal("closed", err.kind)
  end)

  it("sends a stream as one message, others behind it, pings between",
    function()
      local ws, got = wss.connect(url), {}
      local writer = assert(ws:stream())
      assert.is_true(writer:write("one "))
      ws:send("behind")
      function ws:onopen() assert.is_true(self:ping "between") end
      function ws:onpong(payload)
        if payload ~= "between" then return end
        assert.are.same({}, got)
        writer:write("two ")
        assert.is_true(writer:finish("three"))
        local ok, err = writer:write("four")
        assert.is_nil(ok)
        assert.are.equal("closed", err.kind)
      end
      function ws:onmessage(data)
        got[#got + 1] = data
        if #got == 2 then self:close() end
      end
      wss.run()
      assert.are.same({ "one two three", "behind" }, got)
    end)

  it("ends when a stream is abandoned in the middle", function()
    local ws, err = wss.connect(url)
    function ws:onopen()
      local writer <close> = self:stream()
      writer:write("half")
      self.writer_open = true
    end
    ws:send("first")
    function ws:onmessage()
      local writer = self:stream()
      writer:write("begin")
      wss.timer(0.02, function()
        getmetatable(writer).__close(writer)
      end)
    end
    function ws:onclose(_, _, e) err = e end
    wss.run()
    assert.are.equal("closed", err.kind)
  end)

  it("keeps the user's own fields", function()
    local ws <close> = wss.connect(url)
    ws.account = { 7 }
    ws[1] = "one"
    assert.are.same({ 7 }, ws.account)
    assert.are.equal("one", ws[1])
    assert.is_nil(ws.nothing)
  end)
end)

describe("the loop", function()
  it("sleeps in the main chunk and in coroutines", function()
    local order = {}
    wss.spawn(function()
      wss.sleep(0.02)
      order[#order + 1] = "coroutine"
    end)
    repeat wss.sleep(0.01) until #order > 0 -- the loop runs meanwhile
    assert.are.same({ "coroutine" }, order)
  end)

  it("runs timers once, repeatedly, and not after cancel", function()
    local once, many, never = 0, 0, 0
    wss.timer(0.001, function() once = once + 1 end)
    local repeated
    repeated = wss.timer(0.001, function()
      many = many + 1
      if many == 3 then repeated:cancel() end
    end, 0.001)
    wss.timer(0.001, function() never = never + 1 end):cancel()
    wss.run()
    assert.are.same({ 1, 3, 0 }, { once, many, never })
  end)

  it("returns what the function returns, raises what it raises", function()
    assert.are.same({ 1, nil, 3, n = 3 },
      table.pack(wss.run(function(a, b, c) wss.sleep(0) return a, b, c end,
        1, nil, 3)))
    local ok, err = pcall(wss.run, function() wss.sleep(0) error({ 7 }) end)
    assert.is_false(ok)
    assert.are.same({ 7 }, err)
  end)

  it("says when a function waits for nothing", function()
    local ok, err = pcall(wss.run, function() coroutine.yield() end)
    assert.is_false(ok)
    assert.matches("nothing is left", err)
  end)

  it("is driven by another loop through step, timeout and pollfd", function()
    local fired = false
    wss.timer(0, function() fired = true end)
    assert.are.equal("number", type(wss.pollfd()))
    assert.are.equal(0, wss.timeout())
    while not fired do wss.step() end
    wss.step()
    assert.is_nil(wss.timeout())
  end)

  it("is not done for another loop while a server waits", function()
    local server = assert(wss.listen "ws://127.0.0.1:0")
    for _ = 1, 3 do
      wss.step()
      assert.are.equal("number", type(wss.timeout()))
    end
    server:close()
    while wss.timeout() do wss.step() end
    assert.are.equal("closed", server.state)
  end)

  it("refuses to be run inside itself", function()
    local err
    wss.timer(0, function() err = select(2, pcall(wss.run)) end)
    wss.run()
    assert.matches("running already", err)
  end)

  it("tells versions", function()
    local v = wss.versions()
    assert.are.equal("uvwss " .. v.uvwss, wss._VERSION)
    assert.matches("^%d+%.%d+", v.openssl)
    assert.matches("^%d+%.%d+", v.libuv)
  end)
end)
