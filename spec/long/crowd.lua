--- The crowd: many idle wss connections of one server. Tells what each costs,
-- sends all of them one broadcast, and closes all of them with 1001.
--
--   ulimit -n 20100; lua5.4 spec/long/crowd.lua [--count N]

local certs = require "spec.support.certs"
local process = require "spec.support.process"
local wss = require "uvwss"

local count = arg[1] == "--count" and math.tointeger(tonumber(arg[2])) or 10000

local function resident()
  collectgarbage()
  collectgarbage()
  return tonumber(process.read_file "/proc/self/status"
    :match "VmRSS:%s*(%d+)")
end

local pair = certs "server"
local server = assert(wss.listen("wss://localhost:0", {
  tls = pair, ping_interval = false, handshake_timeout = 120,
  onmessage = function() end,
}))
local before, began = resident(), os.time()

local guests = process.start { "lua5.4", "spec/support/peers/guests.lua",
  server.url, "--count", count, "--ca", certs.ca, ready = false }

local function gather()
  while server.count < count do wss.sleep(0.05) end
  local each = (resident() - before) / count
  local receivers = server:broadcast((">I4"):pack(1), "binary")
  local all = 0
  for ws in server:connections() do
    while ws.buffered > 0 do wss.sleep(0.01) end
    all = all + 1
  end
  server:close(120)
  return each, receivers, all
end

local each, receivers, all = wss.run(gather)
assert(receivers == count and all == count, receivers .. " " .. all)
local said = guests.pipe:read "a"
guests:wait()
assert(said:find(("readers %d got 1 to 1 wrong 0\n"):format(count), 1, true),
  said .. guests:stderr())
assert(said:find(("closed 1001\t%d\n"):format(count), 1, true), said)
server = nil
collectgarbage()
collectgarbage()
for name, n in pairs(wss.stats()) do assert(n == 0, name .. " " .. n) end
print(("crowd: %d wss connections, %.1f KiB resident each; one broadcast to "
  .. "all, all closed with 1001, in %d s; ledger zero"):format(count, each,
  os.time() - began))
