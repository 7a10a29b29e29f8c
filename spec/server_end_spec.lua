-- How a server ends, what stops it and what does not: server:close, wss.stop,
-- handlers that raise.

local client = require "spec.support.client"
local process = require "spec.support.process"
local server = require "spec.support.server"
local wss = require "uvwss"

local listen, echo, talk = server.listen, server.echo, server.talk
local handlers = { "onupgrade", "onrequest", "onopen", "onmessage", "ondrain",
  "onping", "onpong", "onclose", "onrefused" }

describe("a server", function()
  after_each(server.clean)

  describe("is closed", function()
    it("with 1001 to all, and then listens no more", function()
      local s = listen { onmessage = echo }
      local ended = {}
      local function gone(ws, code, reason, err)
        ended[#ended + 1] = { code, reason, err }
        assert.are.equal("closed", ws.state)
      end
      for _ = 1, 3 do wss.connect(s.url, { onclose = gone }) end
      local own = {}
      s.onclose = function(_, _, code, _, err) own[#own + 1] = err or code end
      server.await(function() return s.count == 3 end)
      s:close()
      assert.are.equal("closing", s.state)
      assert.matches("closing%)$", tostring(s))
      local late = wss.connect(s.url, { onclose = function() end })
      wss.run()
      assert.are.equal("closed", s.state)
      assert.are.same({ { 1001, "" }, { 1001, "" }, { 1001, "" } }, ended)
      assert.are.same({ 1001, 1001, 1001 }, own)
      assert.are.equal("connect", late.error.kind)
      for _ = 1, 2 do s:close() end -- again, harmlessly
      wss.run()
      assert.are.same({ 0, "closed" }, { s.count, s.state })
    end)

    it("after what was queued has been sent", function()
      local s = listen { onopen = function(self, ws)
        ws:send(("x"):rep(4 << 20), "binary")
        self:close()
      end }
      local ws, size = wss.connect(s.url), 0
      function ws:onmessage(data) size = #data end
      wss.run()
      assert.are.equal(4 << 20, size)
      assert.are.equal(1001, select(2, ws:receive()).close)
    end)

    it("by force, once the grace is over", function()
      local s, ended = listen { close_timeout = 60 }, nil
      s.onclose = function(_, _, code, _, err)
        ended = { code, err and err.code }
      end
      s.onopen = function(self) self:close(0.05) end
      local told = server.call(s, { { { "upgrade" }, { "frames", 1 },
        { "sleep", 0.02 }, { "drain" } } })[1]
      assert.are.equal("03e9", told[2].hex:sub(1, 4)) -- 1001
      server.await(function() return s.state == "closed" end)
      assert.are.same({ 1006, "local" }, ended)
      wss.run()
    end)

    it("sooner where a second close says so, never later", function()
      local s = listen { close_timeout = 60 }
      s.onopen = function(self)
        self:close(100)
        self:close(0.03)
        self:close(100)
      end
      server.call(s, { { { "upgrade" }, { "drain" } } })
      server.await(function() return s.state == "closed" end)
      wss.run()
    end)

    it("together with those who are still shaking hands", function()
      local s = listen { onupgrade = function() wss.sleep(1) end,
        onrequest = function(self, r)
          if r.path == "/close" then self:close() end
          return 200
        end }
      local told = server.call(s, {
        { { "upgrade" }, { "drain" } }, -- it is being decided
        { { "text", "GET / HT" }, { "drain" } },
        { { "drain" } },
        { { "ask", "GET", "/" }, { "answer" }, { "drain" } }, -- and waits
        { { "sleep", 0.1 }, { "ask", "GET", "/close" }, { "drain" } },
      })
      assert.are.equal(503, told[1][1].status)
      assert.are.equal(200, told[4][1].status)
      for i = 1, 5 do
        assert.are.equal("end", told[i][#told[i]].event)
      end
      server.await(function() return s.state == "closed" end)
      wss.run() -- the one who decides comes too late
    end)

    it("after answers that are under way have been read", function()
      local s, asked = nil, 0
      s = listen { onrequest = function()
        asked = asked + 1
        if asked == 2 then wss.timer(0.01, function() s:close(60) end) end
        return 200, nil, ("x"):rep(12 << 20)
      end }
      local told = server.call(s, {
        { { "ask", "GET", "/" }, { "body", 1 << 18, 0.01 }, { "drain" } },
        { { "ask", "GET", "/" }, { "sleep", 0.3 }, { "body", 1 << 20, 0 },
          { "ask", "GET", "/" }, { "drain" } } })
      for i = 1, 2 do
        assert.are.equal(12 << 20, told[i][1].len)
        assert.are.equal(0, told[i][2].bytes)
      end
      wss.run()
      assert.are.equal("closed", s.state)
    end)

    it("by the scope that it was made for, which sees it through", function()
      local code
      do
        local s <close> = listen { onmessage = echo }
        local ws = wss.connect(s.url)
        function ws:onclose(c) code = c end
        ws:send "x"
        assert.are.equal("x", (ws:receive(30)))
      end
      assert.are.equal(1001, code)
      client.zero_ledger()
    end)

    it("by the scope of a coroutine, too", function()
      local s
      wss.run(function()
        local scoped <close> = listen { onmessage = echo }
        s = scoped
        assert.are.equal("hello", (talk(s.url)))
      end)
      wss.run()
      assert.are.equal("closed", s.state)
    end)

    for _, where in ipairs(handlers) do
      it("inside " .. where .. ", and run ends", function()
        local s, called = listen { high_water = 1000, low_water = 10 }, 0
        s.onopen = function(_, ws)
          ws:send(("x"):rep(200000))
          ws:ping()
        end
        s.onmessage = function() end
        local usual = s[where]
        s[where] = function(self, ...)
          called = called + 1
          self:close(1)
          if usual then return usual(self, ...) end
        end
        local ws = wss.connect(s.url, { onclose = function() end })
        ws.onmessage = function() end
        ws:send "x"
        function ws:onopen()
          self:ping()
          if where == "onclose" then self:close() end
        end
        if where == "onrequest" or where == "onrefused" then
          server.call(s, { { { "text", where == "onrequest"
            and "GET / HTTP/1.1\r\nHost: x\r\n\r\n" or "?\r\n\r\n" },
            { "drain" } } })
        end
        wss.run()
        assert.are.equal("closed", s.state)
        assert.is_true(called >= 1)
      end)
    end
  end)

  for _, method in ipairs { "close", "terminate" } do
    for _, where in ipairs { "onopen", "onmessage", "ondrain", "onping",
      "onpong", "onclose" } do
      it(("lets a connection be ended by ws:%s inside %s"):format(method,
        where), function()
        local s, ended = listen { high_water = 1000, low_water = 10,
          onmessage = function() end }, {}
        s.onopen = function(_, ws)
          ws:send(("x"):rep(200000))
          ws:ping()
        end
        s.onclose = function(_, ws, code, _, err)
          ended[#ended + 1] = { ws.state, code, err and err.code }
        end
        local usual, called = s[where] or function() end, 0
        s[where] = function(self, ws, ...)
          called = called + 1
          usual(self, ws, ...)
          ws[method](ws)
          ws[method](ws)
          if where ~= "onclose" then
            assert.is_nil((ws:send "x"))
            assert.are.equal("closing", ws.state)
          end
        end
        local ws = wss.connect(s.url, { onclose = function() end })
        ws:send "x"
        ws.onmessage = function() end
        function ws:onopen()
          self:ping()
          if where == "onclose" then self:close(4000) end
        end
        server.await(function()
          return #ended == 1 and ws.state == "closed"
        end)
        assert.are.equal(1, called)
        if where == "onclose" then
          assert.are.same({ "closed", 4000 }, ended[1])
        elseif method == "close" then
          assert.are.same({ "closed", 1000 }, ended[1])
        else
          assert.are.same({ "closed", 1006, "local" }, ended[1])
        end
        server.finish(s)
      end)
    end
  end

  describe("and the loop:", function()
    it("run goes on as long as it listens, and ends with it", function()
      local s, order = listen(), {}
      wss.timer(0.02, function()
        order[#order + 1] = "timer"
        s:close()
      end)
      wss.run()
      order[#order + 1] = "end"
      assert.are.same({ "timer", "end" }, order)
    end)

    it("it listens from the start, and serves when it is run", function()
      local s, got = listen { onmessage = echo }, nil
      local ws = wss.connect(s.url)
      ws:send "x"
      function ws:onmessage(data)
        got = data
        s:close()
      end
      wss.run()
      assert.are.equal("x", got)
    end)

    it("it is not collected while it listens", function()
      local url
      local closed = false
      do
        local s = listen { onmessage = function(self, ws, data)
          ws:send(data)
          self:close()
          closed = true
        end }
        url = s.url
      end
      collectgarbage()
      collectgarbage()
      assert.are.equal("hello", (talk(url)))
      wss.run()
      assert.is_true(closed)
    end)

    it("the end of a connection that nobody hears does not end it", function()
      local s = listen()
      server.call(s, { { { "upgrade" }, { "reset" } },
        { { "upgrade" }, { "frame", 3 }, { "drain" } } })
      server.await(function() return s:stats().accepted == 2
        and s.count == 0 end)
      assert.are.equal("listening", s.state)
      server.finish(s)
    end)

    for _, where in ipairs(handlers) do
      it(("wss.stop inside %s lets run return, and go on later")
        :format(where), function()
        local s = listen { high_water = 1000, low_water = 10,
          onrequest = function() return 204 end, onmessage = echo }
        s.onopen = function(_, ws)
          ws:ping()
          ws:send(("x"):rep(200000))
        end
        local stopped, halted, runs = false, false, 0
        for _, name in ipairs(handlers) do
          local usual = s[name]
          s[name] = function(...)
            assert(not halted, name .. " was called after wss.stop")
            if name == where and not stopped then
              wss.stop()
              stopped, halted = true, true
            end
            if usual then return usual(...) end
          end
        end
        local dir <close> = process.directory()
        local child <close> = process.start { "/usr/bin/python3",
          "spec/support/peers/caller.py", tostring(s.port),
          dir.path .. "/told", '[[["ask","GET","/"],["answer"]],'
          .. '[["text","?\\r\\n\\r\\n"],["drain"]]]', ready = false }
        local ws, got = wss.connect(s.url), {}
        ws:send "hello"
        function ws:onopen() self:ping() end
        function ws:onmessage(data)
          got[#got + 1] = #data
          if #got == 2 then self:close() end
        end
        local left = false
        ws.onclose = function() left = true end
        local timer
        timer = wss.timer(0.001, function()
          if left and s:stats().refused == 1
            and process.read_file(dir.path .. "/told") then
            s:close()
            timer:cancel()
          end
        end, 0.001)
        repeat
          wss.run()
          runs, halted = runs + 1, false
        until s.state == "closed" or runs == 3
        assert.is_true(child.pid > 0)
        assert.is_true(stopped)
        table.sort(got)
        assert.are.same({ 5, 200000 }, got)
        assert.is_nil(ws.error)
        assert.are.equal(2, runs)
      end)
    end
  end)

  describe("whose handler raises", function()
    for _, where in ipairs { "onopen", "onmessage", "onping", "onpong",
      "ondrain" } do
      it(("(%s) closes that connection with 1011, and serves on")
        :format(where), function()
        local heard, ended = {}, {}
        function wss.onerror(err, ws) heard[#heard + 1] = { err, ws } end
        local s = listen { high_water = 1000, low_water = 10,
          onclose = function(_, ws, code, _, err)
            ended[#ended + 1] = { ws, code, err }
          end }
        s.onopen = function(_, ws)
          ws:ping()
          ws:send(("x"):rep(200000))
        end
        s.onmessage = function() end
        local broken = true
        local usual = s[where]
        s[where] = function(...)
          if broken then
            broken = false
            error("broken " .. where)
          end
          if usual then usual(...) end
        end
        local ws, code = wss.connect(s.url), nil
        ws:send "x"
        ws.onmessage = function() end
        function ws:onopen() self:ping() end
        function ws:onclose(c) code = c end
        server.await(function() return code and #ended == 1 end)
        assert.are.equal(1011, code)
        assert.are.equal(1, #heard)
        assert.matches("broken " .. where, heard[1][1])
        assert.matches("stack traceback", heard[1][1])
        assert.are.same({ ended[1][1], 1011 }, { heard[1][2], ended[1][2] })
        s.onmessage = echo
        s.onopen = nil
        assert.are.equal("hello", (talk(s.url)))
        server.finish(s)
      end)
    end

    it("(onclose, onrefused) is heard, and serves on", function()
      local heard = {}
      function wss.onerror(err) heard[#heard + 1] = err end
      local s = listen { onmessage = echo,
        onclose = function() error "broken onclose" end,
        onrefused = function() error "broken onrefused" end }
      talk(s.url)
      server.call(s, { { { "text", "?\r\n\r\n" }, { "drain" } } })
      server.await(function() return #heard == 2 end)
      assert.matches("broken onclose", heard[1])
      assert.matches("broken onrefused", heard[2])
      assert.are.equal("hello", (talk(s.url)))
      server.finish(s)
      assert.are.equal(3, #heard)
    end)

    it("makes run raise it where there is no wss.onerror", function()
      local s = listen { onmessage = function() error "broken handler" end }
      local ws, code = wss.connect(s.url), nil
      ws:send "x"
      function ws:onclose(c) code = c end
      local ok, err = pcall(wss.run)
      assert.is_false(ok)
      assert.matches("broken handler", err)
      assert.are.equal("listening", s.state)
      server.await(function() return code end)
      assert.are.equal(1011, code)
      server.finish(s)
    end)
  end)

  it("may listen anew in its own onclose, on the same port", function()
    local s, second = listen(), nil
    local url = s.url
    s.onclose = function(self)
      self:close()
      wss.timer(0.01, function() second = listen({ onmessage = echo }, url) end)
    end
    wss.connect(url, { onclose = function() end, onopen = function(ws)
      ws:close()
    end })
    server.await(function() return second end)
    assert.are.equal("hello", (talk(url)))
    server.finish(second)
  end)
end)
