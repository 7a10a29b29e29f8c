-- One message for many: who gets it, what it costs, and what becomes of those
-- that do not keep up.

local server = require "spec.support.server"
local wss = require "uvwss"

local listen = server.listen
local MIB <const> = 1 << 20

local function subscribe(_, ws) assert(ws:subscribe "all") end

-- A client that collects what it gets in its field 'got'.
local function reader(s, options)
  local ws = wss.connect(s.url, { onclose = function() end })
  ws.got = {}
  function ws:onmessage(data, kind)
    table.insert(self.got, (options or {}).kinds and kind .. data or data)
  end
  return ws
end

-- A client that reads nothing until it is told to; it does not even notice
-- its end, but for its pings.
local sleepers = {}
local function sleeper(s, max_message)
  local ws = wss.connect(s.url, { onclose = function() end,
    max_message = max_message or MIB, onopen = function(ws) ws:pause() end })
  table.insert(sleepers, ws)
  return ws
end

local function wake(ws, onmessage)
  ws.onmessage = onmessage
  ws:resume()
end

local function rouse()
  for _, ws in ipairs(sleepers) do ws:terminate() end
  sleepers = {}
end

local function finish(s)
  rouse()
  server.finish(s)
end

local function clean()
  rouse()
  server.clean()
end

-- `n` of `make`, and the server's ends of them, in the same order.
local function connected(s, n, make)
  local clients, own = {}, {}
  for i = 1, n do
    local known = {}
    for ws in s:connections() do known[ws] = true end
    clients[i] = make(s)
    server.await(function()
      for ws in s:connections() do
        if not known[ws] then own[i] = ws end
      end
      return own[i] and clients[i].state == "open"
    end)
  end
  return clients, own
end

local function got(clients, count)
  server.await(function()
    for _, ws in ipairs(clients) do
      if #ws.got < count then return false end
    end
    return true
  end)
end

-- The value stops changing: so much the kernel takes, and no more.
local function still(value)
  local before, same = value(), 0
  while same < 20 do
    wss.sleep(0.002)
    same = value() == before and same + 1 or 0
    before = value()
  end
  return before
end

describe("publishing", function()
  after_each(clean)

  it("reaches the subscribers, and counts them", function()
    local s = listen { onmessage = function(_, ws, topic)
      assert.is_true(ws:subscribe(topic))
      ws:send "subscribed"
    end }
    local clients = connected(s, 5, function() return reader(s,
      { kinds = true }) end)
    for i, ws in ipairs(clients) do
      ws:send(i <= 3 and "odd" or "even")
    end
    got(clients, 1)
    assert.are.equal(3, s:publish("odd", "one"))
    assert.are.equal(2, s:publish("even", "\0\255", "binary"))
    assert.are.equal(5, s:broadcast "three")
    assert.are.equal(5, s:broadcast("", "binary"))
    assert.are.equal(0, s:publish("nobody", "four"))
    got(clients, 4)
    for i, ws in ipairs(clients) do
      assert.are.same({ "textsubscribed", i <= 3 and "textone"
        or "binary\0\255", "textthree", "binary" }, ws.got)
    end
    local st = s:stats()
    assert.are.same({ 5, 3 + 2 + 5 + 5, 2, 5, 0, 0 }, { st.published,
      st.delivered, st.topics, st.subscriptions, st.dropped,
      st.slow_closed })
    finish(s)
  end)

  it("reaches nobody where nobody is", function()
    local s = listen()
    assert.are.same({ 0, 0 }, { s:publish("all", "x"), s:broadcast "x" })
    finish(s)
    assert.are.same({ 0, 0 }, { s:publish("all", "x"), s:broadcast "x" })
    assert.are.equal(0, wss.stats().pinned_strings)
  end)

  it("refuses text that is not UTF-8, whoever would get it", function()
    local s = listen { onopen = subscribe }
    connected(s, 1, reader)
    for _, method in ipairs { "publish", "broadcast" } do
      local arguments = method == "publish" and { "all", "\xff" }
        or { "\xff" }
      local n, err = s[method](s, table.unpack(arguments))
      assert.is_nil(n)
      assert.are.same({ "protocol", "utf8" }, { err.kind, err.code })
      table.insert(arguments, "binary")
      assert.are.equal(1, s[method](s, table.unpack(arguments)))
    end
    server.await(function() return wss.stats().pinned_strings == 0 end)
    finish(s)
  end)

  it("keeps the order of what is sent and what is published", function()
    local s = listen { onopen = subscribe }
    local clients, own = connected(s, 3, reader)
    local expected = {}
    for i = 1, 300 do
      expected[i] = "message " .. i
      if i % 3 == 0 then
        for _, ws in ipairs(own) do ws:send(expected[i]) end
      elseif i % 3 == 1 then
        assert.are.equal(3, s:publish("all", expected[i]))
      else
        assert.are.equal(3, s:broadcast(expected[i]))
      end
    end
    got(clients, 300)
    for _, ws in ipairs(clients) do assert.are.same(expected, ws.got) end
    finish(s)
  end)

  it("leaves out those that are not open yet, or closing", function()
    local s = listen { onopen = subscribe, onupgrade = function(_, r)
      while r.path == "/wait" do
        if r.go then break end
        wss.sleep(0.001)
        if wss.go_on then break end
      end
    end }
    local _, own = connected(s, 2, reader)
    wss.connect(s.url .. "/wait", { onclose = function() end })
    server.await(function() return s:stats().handshaking == 1 end)
    assert.are.equal(2, s:broadcast "x")
    own[1]:close()
    assert.are.same({ 1, 1 }, { s:broadcast "x", s:publish("all", "x") })
    wss.go_on = true
    server.await(function() return s:stats().handshaking == 0 end)
    wss.go_on = nil
    finish(s)
  end)

  it("works in every handler", function()
    local s, counts = listen { high_water = 1000, low_water = 10 }, {}
    for _, name in ipairs { "onupgrade", "onrequest", "onopen", "onmessage",
      "ondrain", "onping", "onpong", "onclose", "onrefused" } do
      s[name] = function(self, ws)
        if name == "onopen" then
          ws:subscribe "all"
          ws:ping()
          ws:send(("x"):rep(100000))
        end
        counts[name] = counts[name] or self:publish("all", name)
        assert(self:broadcast(name))
      end
    end
    local witness, own = connected(s, 1, reader)
    assert.are.equal(0, counts.onupgrade)
    assert.are.equal(1, counts.onopen)
    witness[1]:send "x"
    witness[1]:ping()
    reader(s).onmessage = function(ws) ws:close() end
    server.call(s, { { { "ask", "GET", "/" }, { "answer" } },
      { { "text", "?\r\n\r\n" }, { "drain" } } })
    server.await(function() return counts.onclose and counts.onrefused
      and counts.onpong and counts.ondrain end)
    for name, n in pairs(counts) do
      assert.is_true(name == "onupgrade" or n >= 1, name)
    end
    assert.are.equal("open", own[1].state)
    finish(s)
  end)

  it("goes on whatever happens to those that it concerns", function()
    local s, step = listen { onopen = subscribe }, nil
    local clients, own = connected(s, 8, reader)
    local counts = {}
    function s:onmessage(ws)
      step = ws
      counts[1] = self:publish("all", "one")
      own[2]:unsubscribe "all"
      counts[2] = self:publish("all", "two")
      own[3]:close()
      counts[3] = self:publish("all", "three")
      own[4]:terminate()
      counts[4] = self:publish("all", "four")
      ws:unsubscribe "all"
      ws:terminate()
      counts[5] = self:publish("all", "five")
      own[2]:subscribe "all"
      own[2]:subscribe "all"
      counts[6] = self:publish("all", "six")
      for other in self:connections() do other:terminate() end
      counts[7] = self:publish("all", "seven")
      counts[8] = self:broadcast "eight"
    end
    clients[1]:send "go"
    server.await(function() return s.count == 0 end)
    assert.are.equal(own[1], step)
    assert.are.same({ 8, 7, 6, 5, 4, 5, 0, 0 }, counts)
    local st = s:stats()
    assert.are.same({ 0, 0 }, { st.topics, st.subscriptions })
    assert.are.equal(0, wss.stats().pinned_strings)
    finish(s)
  end)

  it("in the handlers of those who leave one after the other", function()
    local s, counts = listen { onopen = subscribe }, {}
    function s:onclose()
      counts[#counts + 1] = self:publish("all", "somebody left")
      local first = self:connections()()
      if first then first:close() end
    end
    local clients = connected(s, 10, reader)
    clients[1]:close()
    server.await(function() return #counts == 10 end)
    assert.are.equal(0, counts[10])
    for i = 2, 10 do assert.is_true(counts[i] <= counts[i - 1]) end
    finish(s)
  end)
end)

describe("a topic", function()
  after_each(clean)

  it("is any string, subscribed to once", function()
    local s = listen()
    local _, own = connected(s, 1, reader)
    local ws = own[1]
    for _, name in ipairs { "", "a", "a\0b", "a\0c", ("x"):rep(100000),
      "\xff" } do
      assert.is_false(ws:unsubscribe(name))
      assert.is_true(ws:subscribe(name))
      assert.is_true(ws:subscribe(name))
      assert.are.same({ 1, 1 }, { s:stats().topics,
        s:stats().subscriptions })
      assert.are.equal(1, s:publish(name, "x"))
      assert.are.equal(0, s:publish(name .. "\0", "x"))
      assert.is_true(ws:unsubscribe(name))
      assert.is_false(ws:unsubscribe(name))
      assert.are.equal(0, s:publish(name, "x"))
      assert.are.same({ 0, 0 }, { s:stats().topics,
        s:stats().subscriptions })
    end
    finish(s)
  end)

  it("is one of thousands", function()
    local s = listen { max_topics = 5000 }
    local clients, own = connected(s, 3, reader)
    for i = 1, 5000 do
      for n, ws in ipairs(own) do
        if i % n == 0 then assert(ws:subscribe("topic " .. i)) end
      end
    end
    assert.are.same({ 5000, 5000 + 2500 + 1666 }, { s:stats().topics,
      s:stats().subscriptions })
    assert.are.same({ 1, 2, 2, 3 }, { s:publish("topic 1", "a"),
      s:publish("topic 2", "b"), s:publish("topic 3", "c"),
      s:publish("topic 6", "d") })
    for i = 1, 5000, 2 do assert(own[1]:unsubscribe("topic " .. i)) end
    assert.are.same({ 0, 2, 1 }, { s:publish("topic 1", "a"),
      s:publish("topic 2", "b"), s:publish("topic 3", "c") })
    clients[2]:close()
    server.await(function() return s.count == 2 end)
    assert.are.equal(1, s:publish("topic 2", "b"))
    assert.are.equal(2500 + 1666, s:stats().subscriptions)
    finish(s)
    assert.are.same({ 0, 0 }, { s:stats().topics, s:stats().subscriptions })
  end)

  it("is one of max_topics of a connection", function()
    local s = listen { max_topics = 2 }
    local _, own = connected(s, 2, reader)
    assert.is_true(own[1]:subscribe "a")
    assert.is_true(own[1]:subscribe "b")
    local ok, err = own[1]:subscribe "c"
    assert.is_nil(ok)
    assert.are.same({ "limit", "topics", 2, 3 }, { err.kind, err.code,
      err.limit, err.size })
    assert.matches("max_topics", tostring(err))
    assert.is_true(own[1]:subscribe "a") -- that it has already
    assert.is_true(own[2]:subscribe "c") -- another's
    assert.is_true(own[1]:unsubscribe "b")
    assert.is_true(own[1]:subscribe "c")
    finish(s)
  end)

  it("has 1024 of them unless it is said otherwise", function()
    local s = listen()
    local _, own = connected(s, 1, reader)
    for i = 1, 1024 do assert.is_true(own[1]:subscribe(tostring(i))) end
    assert.are.equal(1024, select(2, own[1]:subscribe "more").limit)
    finish(s)
  end)

  it("is left by a connection that ends, and refuses it then", function()
    local s = listen { onopen = subscribe }
    local clients, own = connected(s, 2, reader)
    own[1]:close()
    local ok, err = own[1]:subscribe "b"
    assert.is_nil(ok)
    assert.are.same({ "closed", "local" }, { err.kind, err.code })
    clients[2]:close()
    server.await(function() return s.count == 0 end)
    assert.are.same({ 0, 0 }, { s:stats().topics, s:stats().subscriptions })
    for _, ws in ipairs(own) do
      ok, err = ws:subscribe "b"
      assert.is_nil(ok)
      assert.are.equal("closed", err.kind)
      assert.is_false(ws:unsubscribe "all")
    end
    finish(s)
    assert.is_nil((own[1]:subscribe "b"))
    assert.is_false(own[1]:unsubscribe "all")
  end)

  it("may be subscribed to before onopen is over, and in onclose", function()
    local said
    local s = listen { onopen = function(self, ws)
      assert(ws:subscribe "all")
      assert.are.equal(1, self:publish("all", "welcome"))
    end, onclose = function(_, ws) said = { ws:subscribe "all" } end }
    local clients = connected(s, 1, reader)
    got(clients, 1)
    assert.are.same({ "welcome" }, clients[1].got)
    clients[1]:close()
    server.await(function() return said end)
    assert.is_nil(said[1])
    finish(s)
  end)
end)

describe("one string for many", function()
  after_each(clean)

  it("is pinned once, until the last receiver is done with it", function()
    local s = listen { onopen = subscribe }
    -- More than the kernel takes.
    local data = ("0123456789abcdef"):rep(MIB)
    local clients, own = connected(s, 12, function()
      return sleeper(s, 16 * MIB)
    end)
    assert.are.equal(12, s:publish("all", data, "binary"))
    still(function() return own[1].buffered + own[12].buffered end)
    assert.are.same({ 1, 16 * MIB }, { wss.stats().pinned_strings,
      wss.stats().pinned_bytes })
    -- Some leave, and some read.
    local whole = 0
    for i = 1, 4 do own[i]:terminate() end
    for i = 5, 8 do
      wake(clients[i], function(_, d)
        whole = whole + (d == data and 1 or 0)
      end)
    end
    server.await(function() return whole == 4 and s.count == 8 end)
    collectgarbage()
    assert.are.equal(1, wss.stats().pinned_strings)
    for i = 9, 12 do
      wake(clients[i], clients[5].onmessage)
    end
    server.await(function() return whole == 8 end)
    assert.are.same({ 0, 0 }, { wss.stats().pinned_strings,
      wss.stats().pinned_bytes })
    finish(s)
  end)

  it("is given back where all its receivers go at once", function()
    for _, how in ipairs { "terminate", "close" } do
      local s = listen { onopen = subscribe }
      connected(s, 5, sleeper)
      assert.are.equal(5, s:publish("all", ("x"):rep(32 * MIB)))
      assert.are.equal(5, s:broadcast(("y"):rep(8 * MIB)))
      assert.are.equal(2, wss.stats().pinned_strings)
      if how == "terminate" then
        for ws in s:connections() do ws:terminate() end
        server.await(function() return s.count == 0 end)
        assert.are.equal(0, wss.stats().pinned_strings)
      end
      finish(s)
      assert.are.equal(0, wss.stats().pinned_strings)
    end
  end)

  it("arrives as it was, whatever the collector does", function()
    local s = listen { onopen = subscribe, slow_consumer = "wait",
      high_water = 100000 }
    local clients = connected(s, 6, reader)
    local sums, sent = {}, 0
    local function sum(data)
      return #data .. data:sub(1, 20) .. data:sub(-20)
        .. data:byte(#data // 2 + 1)
    end
    for _, ws in ipairs(clients) do
      local n = 0
      function ws:onmessage(data)
        n = n + 1
        assert(sum(data) == sums[n] and not data:find "[^a-z]", n)
        self.n = n
        if n % 50 == 0 then collectgarbage() end
      end
    end
    for i = 1, 400 do
      local data = string.char(97 + i % 26):rep(i * 37 % 30000 + 1)
        .. string.char(97 + i % 7):rep(i % 100)
      sums[i] = sum(data)
      assert.are.equal(6, s:publish("all", data))
      sent = sent + #data
      if i % 10 == 0 then collectgarbage() end
    end
    server.await(function()
      for _, ws in ipairs(clients) do
        if ws.n ~= 400 then return false end
      end
      return true
    end)
    assert.are.equal(0, wss.stats().pinned_strings)
    finish(s)
  end)
end)

describe("a slow consumer", function()
  after_each(clean)

  it("is closed by default, and the others get everything", function()
    local ended = {}
    local s = listen { max_buffered = 4 * MIB, onopen = subscribe,
      onclose = function(_, ws, code, _, err) ended[#ended + 1] = { ws, code,
        err } end }
    local good = connected(s, 3, reader)
    local slow, own = connected(s, 2, sleeper)
    local n = 0
    while s:stats().slow_closed < 2 do
      n = n + 1
      s:publish("all", ("%07d\n"):format(n) .. ("x"):rep(MIB - 8))
      got(good, n)
      assert.is_true(own[1].buffered <= 4 * MIB)
      assert(n < 200)
    end
    server.await(function() return #ended == 2 end)
    for _, one in ipairs(ended) do
      local err = one[3]
      assert.are.same({ 1006, "limit", "buffered", 4 * MIB }, { one[2],
        err.kind, err.code, err.limit })
      assert.is_true(err.size > 4 * MIB)
      assert.matches("slow consumer", tostring(err))
      assert.are.equal(err, one[1].error)
    end
    assert.are.equal(3, s:publish("all", "last"))
    got(good, n + 1)
    for _, ws in ipairs(good) do
      for i = 1, n do
        assert.are.equal(i, tonumber(ws.got[i]:sub(1, 7)))
        assert.are.equal(MIB, #ws.got[i])
      end
    end
    local st = s:stats()
    assert.are.same({ n + 1, 2, 0, 3 }, { st.published, st.slow_closed,
      st.dropped, st.connections })
    for _, ws in ipairs(slow) do wake(ws, function() end) end
    server.await(function() return slow[1].state == "closed"
      and slow[2].state == "closed" end)
    assert.are.equal("closed", slow[1].error.kind)
    finish(s)
  end)

  it("that max_buffered can never hold is closed, too", function()
    local err
    local s = listen { max_buffered = 1000, onopen = subscribe,
      onclose = function(_, _, _, _, e) err = e end }
    connected(s, 1, reader)
    assert.are.equal(1, s:publish("all", ("x"):rep(1000)))
    server.await(function() return s:connections()().buffered == 0 end)
    assert.are.equal(0, s:publish("all", ("x"):rep(1001)))
    server.await(function() return err end)
    assert.are.same({ "limit", "buffered", 1000, 1001 }, { err.kind,
      err.code, err.limit, err.size })
    finish(s)
  end)

  it("misses messages where they are dropped, until it has drained",
    function()
      local s = listen { slow_consumer = "drop", high_water = 2 * MIB,
        low_water = MIB, onopen = subscribe }
      local good = connected(s, 2, reader)
      local slow, own = connected(s, 1, sleeper)
      local n, dropped, most, expected = 0, 0, 0, {}
      while dropped < 20 do
        n = n + 1
        local given = s:publish("all", ("%07d\n"):format(n)
          .. ("x"):rep(MIB - 8))
        if given == 3 then
          expected[#expected + 1] = n
        else
          dropped = dropped + 1
        end
        got(good, n)
        most = math.max(most, own[1].buffered)
        assert(n < 200)
      end
      assert.is_true(most <= 3 * MIB, most)
      assert.are.same({ dropped, 0 }, { s:stats().dropped,
        s:stats().slow_closed })
      -- It wakes up: what it has not missed comes in order, and whole.
      local numbers = {}
      wake(slow[1], function(_, data)
        numbers[#numbers + 1] = tonumber(data:sub(1, 7))
      end)
      server.await(function() return own[1].buffered == 0
        and #numbers == n - dropped end)
      assert.are.same(expected, numbers)
      assert.are.equal(3, s:publish("all", "0000000\n"))
      server.await(function() return numbers[#numbers] == 0 end)
      assert.are.equal(dropped, s:stats().dropped)
      finish(s)
    end)

  it("misses what max_buffered cannot hold where they are dropped",
    function()
      local s = listen { slow_consumer = "drop", max_buffered = 1000,
        onopen = subscribe }
      local clients = connected(s, 2, reader)
      assert.are.equal(0, s:publish("all", ("x"):rep(1001)))
      assert.are.equal(2, s:stats().dropped)
      assert.are.equal(2, s:publish("all", "x"))
      got(clients, 1)
      assert.are.equal(0, s:stats().slow_closed)
      finish(s)
    end)

  -- No timeout of its own ends a wait before server.await gives up.
  local function waiting_server()
    return listen { slow_consumer = "wait", high_water = MIB,
      low_water = MIB // 4, onopen = subscribe, ping_interval = false,
      close_timeout = 600 }
  end

  -- A coroutine that publishes `count` MiB; its progress.
  local function publisher(s, count, own)
    local state = { sent = 0, most = 0 }
    wss.spawn(function()
      for i = 1, count do
        state.receivers = s:publish("all", ("%07d\n"):format(i)
          .. ("x"):rep(MIB - 8))
        state.sent = i
        for _, ws in ipairs(own) do
          state.most = math.max(state.most, ws.buffered)
        end
      end
      state.over = true
    end)
    state.stuck = function()
      server.await(function() return own[1].buffered > MIB end)
      still(function() return state.sent + own[1].buffered end)
      assert.is_nil(state.over, "it did not wait")
    end
    return state
  end

  it("makes a coroutine wait that publishes, and nobody misses anything",
    function()
      local s = waiting_server()
      local good = connected(s, 2, reader)
      local slow, own = connected(s, 1, sleeper)
      local state = publisher(s, 60, own)
      state.stuck()
      assert.are.equal(state.sent, #good[1].got)
      local numbers = {}
      wake(slow[1], function(_, data)
        numbers[#numbers + 1] = tonumber(data:sub(1, 7))
      end)
      server.await(function() return state.over and #numbers == 60 end)
      got(good, 60)
      for i = 1, 60 do assert.are.equal(i, numbers[i]) end
      assert.is_true(state.most <= 2 * MIB, state.most)
      assert.are.same({ 0, 0 }, { s:stats().dropped, s:stats().slow_closed })
      assert.are.equal(3, state.receivers)
      finish(s)
    end)

  -- What ends the wait, besides reading.
  local ways = {
    ["is terminated"] = function(_, own) own:terminate() end,
    ["is closed"] = function(_, own) own:close() end,
    ["hangs up"] = function(client) client:terminate() end,
    ["unsubscribes"] = function(_, own) own:unsubscribe "all" end,
    ["goes with the server"] = function(_, _, s) s:close(0) end,
  }
  for what, way in pairs(ways) do
    it("that " .. what .. " lets those go on who wait for it", function()
      local s = waiting_server()
      s.onclose = function() end
      local slow, own = connected(s, 1, sleeper)
      local first = publisher(s, 60, own)
      first.stuck()
      local second = publisher(s, 1, own)
      wss.sleep(0.01)
      assert.is_nil(second.over)
      way(slow[1], own[1], s)
      server.await(function() return first.over and second.over end)
      assert.are.same({ 0, 0 }, { first.receivers, second.receivers })
      finish(s)
    end)
  end

  it("makes the main chunk wait, too", function()
    local s = waiting_server()
    local slow, own = connected(s, 1, sleeper)
    local n, awake = 0, false
    -- It wakes up when the main chunk has waited for a while.
    local watch, count, before = nil, 0, 0
    watch = wss.timer(0.005, function()
      local now = own[1].buffered
      count = now > 0 and now == before and count + 1 or 0
      before = now
      if count == 10 then
        awake = true
        wake(slow[1], function() end)
        watch:cancel()
      end
    end, 0.005)
    for i = 1, 60 do
      assert.are.equal(1, s:publish("all", ("x"):rep(MIB)))
      assert.is_true(own[1].buffered <= 2 * MIB)
      if not awake then n = i end
    end
    assert.is_true(awake)
    assert.is_true(n < 60)
    assert.are.equal(0, s:stats().slow_closed)
    finish(s)
  end)

  it("makes the main chunk wait until it has left", function()
    local s = waiting_server()
    local _, own = connected(s, 1, sleeper)
    publisher(s, 60, own).stuck()
    wss.timer(0.01, function() own[1]:terminate() end)
    assert.are.equal(0, s:publish("all", "x"))
    assert.are.equal("closing", own[1].state)
    finish(s)
  end)

  it("cannot make a handler wait: it is closed there", function()
    local s = waiting_server()
    local ended
    s.onclose = function(_, _, _, _, err) ended = err end
    local _, own = connected(s, 1, sleeper)
    publisher(s, 60, own).stuck()
    local counts, timer = {}, nil
    timer = wss.timer(0.001, function()
      counts[#counts + 1] = s:publish("all", ("x"):rep(MIB))
      if counts[#counts] == 0 then timer:cancel() end
    end, 0.001)
    server.await(function() return ended end)
    assert.are.same({ "limit", "buffered", 64 * MIB }, { ended.kind,
      ended.code, ended.limit })
    assert.is_true(#counts > 40)
    finish(s)
  end)

  it("does not make those wait who publish to others", function()
    local s = waiting_server()
    local slow, own = connected(s, 1, sleeper)
    local state = publisher(s, 60, own)
    state.stuck()
    local good, mine = connected(s, 1, reader)
    mine[1]:unsubscribe "all"
    mine[1]:subscribe "other"
    wss.spawn(function()
      for i = 1, 100 do
        assert.are.equal(1, s:publish("other", tostring(i)))
      end
      s.done = true
    end)
    server.await(function() return s.done end)
    got(good, 100)
    slow[1]:terminate()
    server.await(function() return state.over end)
    finish(s)
  end)
end)
