--- The night: clients that reconnect without end to a server that refuses,
-- accepts and resets, stalls in the TLS handshake, answers 503 with
-- Retry-After, closes during the upgrade, closes after one message, and dies
-- in the middle of a frame, as the dice will have it. What must not grow does
-- not: descriptors, threads, the ledger, resident memory after a warm-up; and
-- no client ever has two transports at once, as the server sees it.
--
--   lua5.4 spec/long/night.lua [--count N] [--clients N] [--seed N]
--     [--slack BYTES]

local certs = require "spec.support.certs"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local wss = require "uvwss"

local options = { count = 100000, clients = 40, seed = 1, slack = 4 << 20 }
for i = 1, #arg, 2 do
  local name = arg[i]:match "^%-%-(%w+)$"
  assert(name and options[name], "unknown option " .. arg[i])
  options[name] = math.tointeger(tonumber(arg[i + 1]))
end

local function entries(folder)
  local pipe = assert(io.popen("ls " .. folder .. " | wc -l"))
  local n = pipe:read "n"
  pipe:close()
  return n
end

local function measure()
  collectgarbage()
  collectgarbage()
  local status = process.read_file "/proc/self/status"
  local stats = wss.stats()
  return {
    resident = tonumber(status:match "VmRSS:%s*(%d+)") * 1024,
    threads = tonumber(status:match "Threads:%s*(%d+)"),
    descriptors = entries(("/proc/%d/fd"):format(
      tonumber(process.read_file("/proc/self/stat"):match "^%d+"))),
    transports = stats.transports,
    handles = stats.handles,
    references = stats.references,
    connections = stats.connections,
  }
end

-- A refusal lasts for many dials of many clients, so that it comes seldom.
local deeds = {}
for _, deed in ipairs { "reset", "stall", "busy", "upgrade", "once",
  "dropped" } do
  for _ = 1, 8 do deeds[#deeds + 1] = deed end
end
deeds[#deeds + 1] = "refuse"
local server = peers.chaos { seed = options.seed, tls = certs "server",
  only = table.concat(deeds, ",") }
local tls = assert(wss.tls { ca = certs.ca })
local warm_at = options.count // 10
local reconnects, opened, kinds = 0, 0, {}
local warm, finished
local clients = {}

local function finish()
  finished = measure()
  for _, ws in ipairs(clients) do ws:close() end
end

local function count(err)
  reconnects = reconnects + 1
  local kind = err and err.kind .. "/" .. err.code or "again"
  kinds[kind] = (kinds[kind] or 0) + 1
  if reconnects == warm_at then warm = measure() end
  if reconnects == options.count then finish() end
end

for i = 1, options.clients do
  local ws = wss.connect(("wss://localhost:%d/night/%d"):format(server.port, i),
    { tls = tls, open_timeout = 2, close_timeout = 1,
      reconnect = { min = 0.001, max = 0.05 } })
  clients[i] = ws
  function ws:onopen()
    opened = opened + 1
    self:send("message of " .. i)
    self:send(("x"):rep(opened % 3000), "binary")
  end
  function ws:onmessage(data)
    if data == "message of " .. i and not finished then
      count()
      if not finished then self:reconnect() end
    end
  end
  function ws:onreconnect(_, _, err)
    if finished then return false end
    assert(wss.stats().transports <= options.clients)
    count(err)
  end
  function ws:onclose(_, _, err)
    assert(finished, err)
  end
end
local started = os.time()
wss.run()
local ended = measure()

local told = peers.counts(server)
server:stop()
local most = 0
for _, client in pairs(told.clients) do most = math.max(most, client.max) end

local ok = true
local function check(what, good)
  if not good then
    ok = false
    io.stderr:write("night: " .. what .. "\n")
  end
end
for _, name in ipairs { "threads", "transports", "connections" } do
  check(name .. " grew", finished[name] <= math.max(warm[name],
    name == "threads" and 5 or options.clients))
end
-- Each client has one socket at most; what else is open stays open.
check("descriptors grew", finished.descriptors <= warm.descriptors
  + options.clients)
check("descriptors are left", ended.descriptors <= warm.descriptors)
check("memory grew", finished.resident <= warm.resident + options.slack)
check("two transports at once", most == 1)
for name, n in pairs(wss.stats()) do check(name .. " is left", n == 0) end

local list = {}
for kind, n in pairs(kinds) do list[#list + 1] = ("%s %d"):format(kind, n) end
table.sort(list)
print(("night: %d reconnects of %d clients in %d s, %d opened; resident %.2f "
  .. "MiB after %d, %.2f MiB at the end; %d descriptors, then %d; %d threads; "
  .. "at most %d transport of a client; %s"):format(reconnects,
  options.clients, os.time() - started, opened, warm.resident / (1 << 20),
  warm_at, finished.resident / (1 << 20), warm.descriptors, ended.descriptors,
  ended.threads, most, ok and "ledger zero" or "NOT WELL"))
print("  " .. table.concat(list, ", "))
os.exit(ok, true)
