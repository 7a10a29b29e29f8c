-- One end of a connection that crosses a network of the spec's own.
--
--   lua5.4 far.lua server IP CERT KEY
--   lua5.4 far.lua client URL CA [BYTES]
--
-- The server sends everything back. The client keeps its connection, and sends
-- so many bytes as soon as it is open, every time. Each end says what happens
-- to it, a line an event.

local wss = require "uvwss"

local alive = { ping_interval = 0.2, ping_timeout = 0.6 }

local function say(...)
  print(...)
  io.flush()
end

local function name(err)
  return err and err.kind .. " " .. err.code or "clean"
end

if arg[1] == "server" then
  local server = assert(wss.listen(("wss://%s:0"):format(arg[2]), {
    tls = { cert = arg[3], key = arg[4] },
    ping_interval = alive.ping_interval, ping_timeout = alive.ping_timeout,
    onmessage = function(_, ws, data, kind) ws:send(data, kind) end,
    onclose = function(_, _, code, _, err) say("gone", code, name(err)) end,
  }))
  say("ready " .. server.port)
else
  local bytes, began = tonumber(arg[4]), {}
  local ws = wss.connect(arg[2], {
    tls = { ca = arg[3], server_name = "localhost" },
    open_timeout = 1, ping_interval = alive.ping_interval,
    ping_timeout = alive.ping_timeout,
    reconnect = { min = 0.05, max = 0.2 },
    onreconnect = function(_, _, _, err) say("lost", name(err)) end,
  })
  -- What is different each time is told from what came before.
  function ws:onopen(info)
    say("open", info.attempt, self.peer.ip)
    if not bytes then return end
    local n = #began + 1
    began[n] = ("%d "):format(n) .. ("%08x"):format(n):rep(bytes // 8)
    self:send(began[n], "binary", function(_, how) say("sent", n, how) end)
  end
  function ws:onmessage(data)
    local n = tonumber(data:match "^%d+")
    say("back", n, data == began[n] and "whole" or "broken")
  end
end
wss.run()
