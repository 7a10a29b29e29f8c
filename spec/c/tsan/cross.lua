-- luacheck: read_globals exchange NUMBER CA CERT KEY
-- What one Lua state is for another: servers here, whose clients are in the
-- next thread, and clients of the servers of the thread after that. Messages
-- compressed and not, subscriptions and what is published, connections that
-- break and are made again, over ws and wss.

local wss = require "uvwss"

local sizes = { 0, 10, 300, 5000, 70000 }
local clients_each, breaks = 4, 2

local function text(number, i)
  local head = ("%d/%d:"):format(number, i)
  return head .. ("round and "):rep(sizes[i] // 10)
end

-- ---- servers ------------------------------------------------------------------

local ended, servers = 0, {}

local handlers = {
  onopen = function(_, ws) assert(ws:subscribe "news") end,
  onmessage = function(server, ws, data, kind)
    if data == "break" then
      ws:terminate()
    elseif data:find "^news " then
      assert(server:publish("news", data .. ("!"):rep(1000)))
    else
      assert(ws:send(data, kind))
    end
  end,
  onclose = function(_, _, code)
    if code ~= 1000 then return end
    ended = ended + 1
    if ended == 2 * clients_each then
      for _, server in ipairs(servers) do server:close(5) end
    end
  end,
}

local function host(url, tls)
  local server = assert(wss.listen(url, { tls = tls, compress = true }))
  for name, handler in pairs(handlers) do server[name] = handler end
  servers[#servers + 1] = server
  return server.port
end

-- ---- clients ------------------------------------------------------------------

local seen = 0

-- Its own news, among those of others, and all its messages in their order.
local function client(url, which, compress)
  local own = ("news %d/%d"):format(NUMBER, which)
  local openings, n, told = 0, 0, false
  local function finish(ws)
    if n < #sizes or not told then return end
    seen = seen + 1
    ws:close(1000)
  end
  wss.connect(url, {
    tls = { ca = CA }, compress = compress,
    reconnect = { min = 0.001, max = 0.01 },
    onopen = function(ws)
      openings = openings + 1
      if openings <= breaks then
        ws:send "break"
        return
      end
      for i = 1, #sizes do assert(ws:send(text(NUMBER, i), "binary")) end
      assert(ws:send(own))
    end,
    onmessage = function(ws, data)
      if data:find "^news " then
        assert(data:find "^news %d+/%d+!+$", "news that nobody published")
        told = told or data:find(own, 1, true) == 1
      else
        n = n + 1
        assert(data == text(NUMBER, n), "another's message")
      end
      finish(ws)
    end,
    onclose = function() end,
  })
end

local plain = host "ws://127.0.0.1:0"
local secure = host("wss://127.0.0.1:0", { cert = CERT, key = KEY })
plain, secure = exchange(plain, secure)
for i = 1, clients_each do
  local compress = i % 2 == 0
  client(("ws://127.0.0.1:%d/"):format(plain), i, compress)
  client(("wss://127.0.0.1:%d/"):format(secure), clients_each + i, compress)
end
wss.run()
assert(seen == 2 * clients_each, ("%d clients are through"):format(seen))
assert(ended == seen, ("%d clients have ended"):format(ended))
for name, n in pairs(wss.stats()) do
  assert(n == 0, name .. " is " .. n)
end
