--- A server to be attacked, with short deadlines: echoes what it is sent, over
-- TCP and over TLS, and answers
--   GET /stats  its counts, as lines of NAME NUMBER
--   GET /quit   and ends
-- Prints `ready PORT PORT`, and `ledger zero` at its end, if that is so.
--
--   lua5.4 spec/support/peers/target.lua CERT KEY

local wss = require "uvwss"

local servers = {}

local function number_in(file, pattern)
  local handle = assert(io.open(file))
  local text = handle:read "a"
  handle:close()
  return tonumber(text:match(pattern))
end

local function counts()
  local lines, sum = {}, {}
  for _, server in ipairs(servers) do
    for name, n in pairs(server:stats()) do sum[name] = (sum[name] or 0) + n end
  end
  for name, n in pairs(sum) do lines[#lines + 1] = name .. " " .. n end
  for name, n in pairs(wss.stats()) do
    lines[#lines + 1] = "ledger_" .. name .. " " .. n
  end
  collectgarbage()
  lines[#lines + 1] = "resident " .. number_in("/proc/self/status",
    "VmRSS:%s*(%d+)")
  return table.concat(lines, "\n") .. "\n"
end

local function options(tls)
  return {
    tls = tls, handshake_timeout = 1, upgrade_timeout = 1, close_timeout = 1,
    ping_interval = 0.5, ping_timeout = 0.5,
    onmessage = function(_, ws, data, kind) ws:send(data, kind) end,
    onrequest = function(_, request)
      if request.path == "/quit" then
        for _, server in ipairs(servers) do server:close(1) end
      end
      return 200, {}, request.path == "/stats" and counts() or "here\n"
    end,
  }
end

servers[1] = assert(wss.listen("ws://127.0.0.1:0", options()))
servers[2] = assert(wss.listen("wss://127.0.0.1:0",
  options { cert = arg[1], key = arg[2] }))
print("ready " .. servers[1].port .. " " .. servers[2].port)
io.stdout:flush()
wss.run()
servers = {}
collectgarbage()
collectgarbage()
for name, n in pairs(wss.stats()) do assert(n == 0, name .. " " .. n) end
print "ledger zero"
