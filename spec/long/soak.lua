--- The soak: clients behind a network that fails at random, a server that
-- publishes all the time, half of it compressed, half of it over TLS. Whatever
-- was acknowledged from end to end arrived whole and once; topics keep their
-- order; neither process grows; nothing is left at the end.
--
--   lua5.4 spec/long/soak.lua [--seconds N] [--clients N] [--seed N]
--     [--percent N] [--flat no]
--
-- `percent` of the connections fail early, and all of them in the end
-- (spec/support/peers/proxy.c says how).

local certs = require "spec.support.certs"
local process = require "spec.support.process"
local proxy = require "spec.support.proxy"
local wss = require "uvwss"

local options = { seconds = 1800, clients = 200, seed = 1, percent = 95,
  flat = "yes", role = "clients" }
for i = 1, #arg, 2 do
  local name = arg[i]:match "^%-%-(%l+)$"
  assert(name and options[name], "unknown option " .. arg[i])
  options[name] = math.tointeger(tonumber(arg[i + 1])) or arg[i + 1]
end
math.randomseed(options.seed)

local topics_n, window = 8, 4
local limits = { ping_interval = 1, ping_timeout = 2, close_timeout = 2,
  handshake_timeout = 3, open_timeout = 3 }

-- ---- what both know -----------------------------------------------------------

-- Two megabytes, the same in both processes; every other kilobyte is random.
local block
do
  local list, state = {}, 12345
  for i = 1, 8192 do
    if i // 4 % 2 == 0 then
      list[i] = ("the same words again. "):rep(12):sub(1, 256)
    else
      local bytes = {}
      for j = 1, 32 do
        state = (state * 6364136223846793005 + 1442695040888963407)
        bytes[j] = (">I8"):pack(state)
      end
      list[i] = table.concat(bytes)
    end
  end
  block = table.concat(list)
end

-- The payload number `n` of `who`: it follows from these and its length.
local function payload(who, n, size)
  local from = (who * 7919 + n * 104729) % (#block // 2)
  return block:sub(from + 1, from + size)
end

local function with_limits(list, names)
  for _, name in ipairs(names) do list[name] = limits[name] end
  return list
end

local function measure()
  local status = process.read_file "/proc/self/status"
  local n = 0
  local pipe = assert(io.popen(("ls /proc/%s/fd"):format(
    process.read_file "/proc/self/stat":match "^%d+")))
  for _ in pipe:lines() do n = n + 1 end
  pipe:close()
  return { resident = tonumber(status:match "VmRSS:%s*(%d+)"), descriptors = n }
end

local samples = {}

local function sample() samples[#samples + 1] = measure() end

local function median(field, from, to)
  local list = {}
  for i = math.max(1, math.floor(from)), math.floor(to) do
    list[#list + 1] = samples[i][field]
  end
  table.sort(list)
  return list[#list // 2 + 1]
end

-- Medians of the second and of the last third: the first one is for warming up.
local function say_samples(name)
  local n = #samples
  local line = { name }
  for _, field in ipairs { "resident", "descriptors" } do
    line[#line + 1] = ("%s %d %d"):format(field,
      median(field, n / 3, 2 * n / 3), median(field, 2 * n / 3, n))
  end
  print(table.concat(line, " "))
end

local function zero_ledger(name)
  for row, n in pairs(wss.stats()) do
    assert(n == 0, ("%s: %s is %d at the end"):format(name, row, n))
  end
  print(name .. " ledger zero")
end

-- ---- the server -----------------------------------------------------------------

-- What of each client was taken: all up to `all`, and those in `beyond`.
local taken = {}

local function take(client, n)
  local t = taken[client]
  if not t then
    t = { all = 0, beyond = {}, times = 0, again = 0 }
    taken[client] = t
  end
  if n <= t.all or t.beyond[n] then
    t.again = t.again + 1
    return
  end
  t.times = t.times + 1
  t.beyond[n] = true
  while t.beyond[t.all + 1] do
    t.all = t.all + 1
    t.beyond[t.all] = nil
  end
end

local function serve()
  local identity = certs "server"
  local function listen(scheme)
    return assert(wss.listen(scheme .. "://127.0.0.1:0", with_limits({
      tls = scheme == "wss" and { cert = identity.cert, key = identity.key }
        or nil,
      compress = true, slow_consumer = "drop",
      onmessage = function(_, ws, data)
        local topic = data:match "^S (%d+)$"
        if topic then return assert(ws:subscribe(topic)) end
        local client, n, size, at = data:match "^M (%d+) (%d+) (%d+)\n()"
        client, n, size = tonumber(client), tonumber(n), tonumber(size)
        assert(#data - at + 1 == size
          and data:sub(at) == payload(client, n, size), "a message is broken")
        take(client, n)
        ws:send(("A %d"):format(n))
      end,
    }, { "ping_interval", "ping_timeout", "close_timeout",
      "handshake_timeout" })))
  end
  local servers = { listen "ws", listen "wss" }
  local published = {}
  local tick = wss.timer(0.05, function()
    local topic = math.random(topics_n)
    local n = (published[topic] or 0) + 1
    local size = math.random(10) == 1 and math.random(65536)
      or math.random(2000)
    published[topic] = n
    local data = ("P %d %d %d\n"):format(topic, n, size)
      .. payload(topic, n, size)
    for _, server in ipairs(servers) do
      server:publish(tostring(topic), data, "binary")
    end
  end, 0.05)
  local sampling = wss.timer(0.5, sample, 0.5)
  local signal
  signal = wss.signal("TERM", function()
    for _, one in ipairs(servers) do one:close(2) end
    tick:cancel()
    sampling:cancel()
    signal:close()
  end)
  print(("ready %d %d"):format(servers[1].port, servers[2].port))
  io.flush()
  wss.run()
  local again = 0
  for client, t in pairs(taken) do
    assert(next(t.beyond) == nil and t.times == t.all)
    again = again + t.again
    print(("took %d %d"):format(client, t.all))
  end
  local sum = 0
  for _, n in pairs(published) do sum = sum + n end
  print(("again %d"):format(again))
  print(("published %d"):format(sum))
  say_samples "server"
  zero_ledger "server"
end

-- ---- clients --------------------------------------------------------------------

local trusting
local counts = { acknowledged = 0, resent = 0, opens = 0, losses = 0,
  delivered = 0 }
local kinds = {}
local enough

local Client = {}
Client.__index = Client

local function size_of_next()
  local dice = math.random(500)
  return dice == 1 and 1 << 20 or dice <= 50 and math.random(65536)
    or math.random(2000)
end

function Client:send(n)
  local size = self.sizes[n]
  self.sent[n] = "waits"
  assert(self.ws:send(("M %d %d %d\n"):format(self.number, n, size)
    .. payload(self.number, n, size), "binary",
    function(_, outcome) self.sent[n] = outcome end))
end

function Client:next()
  self.count = self.count + 1
  self.sizes[self.count] = size_of_next()
  self:send(self.count)
end

-- Those of which it is not known whether they arrived go once more; what has
-- not left waits by itself.
function Client:opened()
  counts.opens = counts.opens + 1
  for topic = 0, 1 do
    assert(self.ws:send(("S %d"):format((self.number + topic) % topics_n + 1)))
  end
  local again = {}
  for n, outcome in pairs(self.sent) do
    if outcome ~= "waits" then again[#again + 1] = n end
  end
  table.sort(again)
  for _, n in ipairs(again) do
    counts.resent = counts.resent + 1
    self:send(n)
  end
end

function Client:published(topic, n, size, data)
  topic, n, size = tonumber(topic), tonumber(n), tonumber(size)
  assert(n > (self.heard[topic] or 0), "a topic is out of order")
  assert(#data == size and data == payload(topic, n, size),
    "a published message is broken")
  self.heard[topic] = n
  counts.delivered = counts.delivered + 1
end

function Client:hears(data)
  local topic, number, size, at = data:match "^P (%d+) (%d+) (%d+)\n()"
  if topic then
    return self:published(topic, number, size, data:sub(at))
  end
  local n = math.tointeger(tonumber(data:match "^A (%d+)$"))
  if not self.sent[n] then return end -- the second answer to one sent twice
  self.sent[n], self.sizes[n] = nil, nil
  counts.acknowledged = counts.acknowledged + 1
  if enough then
    if not next(self.sent) then self.ws:close() end
  else
    wss.timer(math.random() * 0.2, function()
      if not enough then
        self:next()
      elseif not next(self.sent) then
        self.ws:close()
      end
    end)
  end
end

local function new_client(number, url)
  local self = setmetatable({ number = number, sent = {}, sizes = {},
    heard = {}, count = 0 }, Client)
  self.ws = wss.connect(url, with_limits({
    tls = trusting, compress = number // 2 % 2 == 0,
    reconnect = { min = 0.05, max = 1 },
    onopen = function() self:opened() end,
    onmessage = function(_, data) self:hears(data) end,
    onreconnect = function(_, _, _, err)
      counts.losses = counts.losses + 1
      local kind = err.kind .. " " .. err.code
      kinds[kind] = (kinds[kind] or 0) + 1
    end,
    onclose = function(_, code, _, err)
      self.ended = err and tostring(err) or code
    end,
  }, { "open_timeout", "ping_interval", "ping_timeout", "close_timeout" }))
  for _ = 1, window do self:next() end
  return self
end

local function run_clients(server)
  trusting = assert(wss.tls { ca = certs.ca })
  local ways, clients = {}, {}
  for i, scheme in ipairs { "ws", "wss" } do
    ways[i] = proxy.start(server.ports[i])
    -- Without TLS nothing protects a message from a bit that is turned over.
    assert(ways[i]:order(("random %d %d 400000 %s"):format(options.seed + i,
      options.percent, scheme == "ws" and "flip" or "")) == "ok")
    ways[i].url = ("%s://localhost:%d/"):format(scheme, ways[i].port)
  end
  wss.run(function()
    for number = 1, options.clients do
      clients[number] = new_client(number, ways[number % 2 + 1].url)
    end
    local sampling = wss.timer(0.5, sample, 0.5)
    wss.sleep(options.seconds)
    enough = true
    sampling:cancel()
    -- From here on the network is sound. Whoever has nothing to wait for
    -- closes; all others do when they have heard.
    for _, way in ipairs(ways) do way:order "fault none up 0" end
    for _, client in ipairs(clients) do
      if not next(client.sent) then client.ws:close() end
    end
  end)
  local faults = {}
  for _, way in ipairs(ways) do
    for name, n in pairs(way:stats()) do faults[name] = (faults[name] or 0) + n end
    way:close()
  end
  return clients, faults
end

local function say_all(t, name)
  local list = {}
  for key, n in pairs(t) do list[#list + 1] = ("%s %d"):format(key, n) end
  table.sort(list)
  print(name .. ": " .. table.concat(list, ", "))
end

local function flat(line, allowed)
  local a, b, c, d = line:match "resident (%d+) (%d+) descriptors (%d+) (%d+)"
  if options.flat ~= "yes" then return end
  assert(b - a <= allowed.resident, line .. ": memory grows")
  assert(d - c <= allowed.descriptors, line .. ": descriptors grow")
end

local function soak()
  local server <close> = process.start { "lua5.4", arg[0], "--role", "server",
    "--seed", options.seed, env = { UVWSS_CERTS = certs.dir },
    ready = "^ready (%d+) (%d+)" }
  print(("soak: %d clients, %d s, seed %d, %d %% of the connections fail")
    :format(options.clients, options.seconds, options.seed, options.percent))
  io.flush()
  local clients, faults = run_clients(server)
  server:signal "TERM"
  local took, said = {}, {}
  for line in server.pipe:lines() do
    local client, n = line:match "^took (%d+) (%d+)$"
    if client then
      took[tonumber(client)] = tonumber(n)
    else
      said[#said + 1] = line
      print(line)
    end
  end
  local how, code = server:wait()
  assert(how == "exit" and code == 0, server:stderr())
  local sum = 0
  for _, client in ipairs(clients) do
    -- It closes when all is answered; the network may fail that, too.
    assert(client.ended and not next(client.sent), client.ended)
    assert(took[client.number] == client.count, "a message is missing")
    sum = sum + client.count
  end
  assert(sum == counts.acknowledged)
  say_all(counts, "clients")
  say_all(kinds, "losses")
  say_all(faults, "faults")
  say_samples "clients"
  zero_ledger "clients"
  -- Beyond an eighth and some, either process is growing.
  local table_of = { resident = median("resident", 1, #samples) // 8 + 4096,
    descriptors = options.clients // 5 + 10 }
  for _, line in ipairs(said) do
    if line:find "^server resident" then flat(line, table_of) end
  end
  local n = #samples
  flat(("clients resident %d %d descriptors %d %d"):format(
    median("resident", n / 3, 2 * n / 3), median("resident", 2 * n / 3, n),
    median("descriptors", n / 3, 2 * n / 3),
    median("descriptors", 2 * n / 3, n)), table_of)
  print(("soak: %d messages acknowledged, each arrived whole and once"):format(
    sum))
end

if options.role == "server" then serve() else soak() end
