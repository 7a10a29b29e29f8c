--- Operations beside n of something, under callgrind: growing.lua MOST, where
-- MOST is the number of connections at most. Prints `label, n TAB operations`
-- for each dump. The collector of Lua rests while something is counted.

local driver = require "driver"
local wss = require "uvwss"

local most = assert(math.tointeger(tonumber(arg[1])))
local step = wss.step
local MANY <const> = { 10, 100, 1000, 10000, 100000 }
-- Of connections, up to what there may be.
local few = {}
for _, n in ipairs { 1, 10, 100, 1000 } do
  if 2 * n <= most then few[#few + 1] = n end
end
few[#few + 1] = most
local REQUEST <const> = "GET / HTTP/1.1\r\nHost: localhost\r\n"
  .. "Upgrade: websocket\r\nConnection: Upgrade\r\n"
  .. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
  .. "Sec-WebSocket-Version: 13\r\n\r\n"
local HELLO <const> = "\x82\x85\0\0\0\0hello" -- a client's frame
local MESSAGE <const> = ("x"):rep(30)         -- 32 bytes with its header

local function nothing() end

local function passes(n) for _ = 1, n do step() end end

-- With 'twice' it is done once before: what the C library has put off, such as
-- joining what was freed before, it does then.
local function counted(label, n, operations, f, twice)
  collectgarbage()
  if twice then f() end
  collectgarbage "stop"
  driver.start()
  f()
  driver.stop(("%s, %d"):format(label, n))
  collectgarbage "restart"
  print(("%s, %d"):format(label, n), operations)
end

local function listen(options)
  options.ping_interval = false
  options.backlog = 4096
  return assert(wss.listen("ws://127.0.0.1:0", options))
end

local function open(server)
  local client = driver.connect(server.port)
  client:write(REQUEST)
  local came = 0
  while came == 0 do
    step()
    came = client:read()
  end
  assert(came > 0, "refused")
  return client
end

local function finish(server, ...)
  for _, client in ipairs { ... } do client:close() end
  server:close(0)
  passes(10)
end

local function timers(n)
  local set = {}
  for i = 1, n do set[i] = wss.timer(1000 + i * 7919 % n, print) end
  counted("timer set and cancelled, n pending", n, 100, function()
    for i = 1, 100 do wss.timer(1000 + i * 7919 % n, print):cancel() end
    passes(2)
  end, true)
  for _, timer in ipairs(set) do timer:cancel() end
  passes(2)
end

local function topics(n)
  local all = {}
  local server = listen { max_topics = n + 10,
    onopen = function(_, ws) all[#all + 1] = ws end }
  local one, other = open(server), open(server)
  passes(2)
  all[2]:subscribe "mine"
  for i = 1, n do assert(all[1]:subscribe("topic" .. i)) end
  counted("subscribe and unsubscribe, n topics", n, 100, function()
    for _ = 1, 100 do
      all[1]:subscribe "new"
      all[1]:unsubscribe "new"
    end
  end, true)
  counted("publish to one, n topics", n, 100, function()
    for _ = 1, 100 do
      server:publish("mine", MESSAGE)
      step()
    end
  end)
  assert(other:read() == 3200)
  finish(server, one, other)
end

-- The client does not read: the socket fills, and then n messages wait.
local function pending(n)
  local mine
  local server = listen { max_buffered = 1 << 30,
    onopen = function(_, ws) mine = ws end }
  local client = open(server)
  passes(2)
  mine:send(("x"):rep(16 << 20), "binary")
  passes(10)
  for _ = 1, n do mine:send(MESSAGE) end
  passes(2)
  assert(mine.buffered > n * #MESSAGE, "nothing waits")
  counted("send, n messages waiting", n, 100, function()
    for _ = 1, 100 do mine:send(MESSAGE) end
  end)
  counted("send with 'done', n messages waiting", n, 100, function()
    for _ = 1, 100 do mine:send(MESSAGE, "text", nothing) end
  end)
  mine:terminate()
  finish(server, client)
end

local function drain(n)
  local mine
  local server = listen { max_buffered = 1 << 30,
    onopen = function(_, ws) mine = ws end }
  local client = open(server)
  passes(2)
  local done, came = 0, 0
  local function count() done = done + 1 end
  for _ = 1, n do mine:send(MESSAGE, "text", count) end
  counted("a message of n goes out", n, n, function()
    while came < 32 * n do
      step()
      came = came + math.max(client:read(), 0)
    end
  end)
  assert(done == n)
  finish(server, client)
end

local function fragments(n)
  local got
  local server = listen { max_message = 1 << 30,
    onmessage = function(_, _, data) got = #data end }
  local client = open(server)
  local piece = "\x90\0\0\0\0" .. ("x"):rep(16)
  piece = "\x00" .. piece
  local bytes = "\x02\x90\0\0\0\0" .. ("x"):rep(16) .. piece:rep(n - 2)
    .. "\x80\x90\0\0\0\0" .. ("x"):rep(16)
  local at = 1
  counted("a fragment of n of a message", n, n, function()
    while not got do
      local part = bytes:sub(at, at + 65535)
      if part ~= "" and client:write(part) then at = at + #part end
      step()
    end
  end)
  assert(got == 16 * n)
  finish(server, client)
end

-- ---- beside n connections --------------------------------------------------

local function connections(n, clients, server, all)
  while #clients < n do clients[#clients + 1] = open(server) end
  passes(2)
  assert(server.count == n)
  counted("open and close, n connections", n, 10, function()
    for _ = 1, 10 do
      local client = open(server)
      client:close()
      passes(3)
    end
  end, true)
  assert(server.count == n)
  local first = clients[1]
  counted("echo, n connections", n, 100, function()
    driver.rounds(first, step, HELLO, 7, 100)
  end)
  local ws = all[1]
  counted("resubscribe, n subscribers", n, 100, function()
    for _ = 1, 100 do
      ws:unsubscribe "all"
      ws:subscribe "all"
    end
  end)
  counted("publish to n, for each", n, n, function()
    server:publish("all", MESSAGE)
    passes(3)
  end)
  for _, client in ipairs(clients) do assert(client:read() == 32) end
  counted("connections(), for each of n", n, n, function()
    local seen = 0
    for _ in server:connections() do seen = seen + 1 end
    assert(seen == n)
  end)
end

local function crowd()
  local all = {}
  local server = listen {
    onopen = function(_, ws)
      if #all < most then all[#all + 1] = ws end
      ws:subscribe "all"
    end,
    onclose = function() end,
    onmessage = function(_, ws, data, kind) ws:send(data, kind) end,
  }
  local clients = {}
  for _, n in ipairs(few) do connections(n, clients, server, all) end
  finish(server)
  for _, client in ipairs(clients) do client:close() end
end

-- A server's end, with all its connections.
local function ends(n)
  local server = listen { onclose = function() end }
  local clients = {}
  for i = 1, n do clients[i] = open(server) end
  passes(2)
  counted("a server with n ends, for each", n, n, function()
    server:close(0)
    while server.count > 0 do step() end
    passes(3)
  end)
  for _, client in ipairs(clients) do client:close() end
end

for _, f in ipairs { timers, topics, pending, drain, fragments } do
  for _, n in ipairs(MANY) do f(n) end
end
crowd()
for _, n in ipairs(few) do
  if n > 1 then ends(n) end -- of one alone, the wait for the next pass is all
end
