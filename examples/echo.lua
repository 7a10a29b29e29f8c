#!/usr/bin/env lua5.4
-- Sends every message back.
--
--   lua5.4 echo.lua [URL [server.crt server.key]]
--
-- Try it: `lua5.4 examples/echo.lua`, after `eval "$(make -s env)"`, and in
-- another terminal `uvwss connect ws://127.0.0.1:8080/`.

local wss = require "uvwss"

local url, cert, key = arg[1] or "ws://127.0.0.1:8080", arg[2], arg[3]
local server = assert(wss.listen(url, {
  tls = cert and { cert = cert, key = key },
}))

-- Whoever sends without reading what comes back is not read from either:
-- nothing piles up here.
local enough = 1 << 20 -- the option high_water, as it is without being set

function server:onmessage(ws, data, kind)
  ws:send(data, kind)
  if ws.buffered > enough then ws:pause() end
end

function server:ondrain(ws) ws:resume() end

print("listening on " .. server.url)
io.flush()
wss.run()
