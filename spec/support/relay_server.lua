-- One of several servers that follow each other on a port.
--
--   lua5.4 relay_server.lua URL CERT KEY RECORD
--
-- Each message is `CLIENT NUMBER PAYLOAD`: it is written down and then
-- acknowledged by its first two words. SIGTERM ends it as it should: clients
-- are told 1001, and what they sent before that is still taken.

local wss = require "uvwss"

local url, cert, key, name = table.unpack(arg)
local record = assert(io.open(name, "a"))

local server = assert(wss.listen(url, {
  tls = { cert = cert, key = key }, reuse_port = true,
}))

function server.onmessage(_, ws, data)
  assert(record:write(data, "\n"))
  assert(record:flush())
  ws:send(data:match "^%d+ %d+")
end

local signal = wss.signal("TERM", function() server:close() end)

print("ready " .. server.port)
io.flush()
wss.run()
signal:close()

for row, n in pairs(wss.stats()) do
  assert(n == 0, ("%s is %d"):format(row, n))
end
print("over " .. server:stats().accepted)
