#!/usr/bin/env lua5.4
-- An echo server whose certificate is changed while it runs: whenever the
-- files change they are read again, for those who connect from then on. Nobody
-- is dropped.
--
--   lua5.4 rotate.lua URL server.crt server.key [SECONDS]
--
-- Try it: `uvwss certs /tmp/certs`, `lua5.4 examples/rotate.lua
-- wss://127.0.0.1:8443 /tmp/certs/server.crt /tmp/certs/server.key`, and in
-- another terminal `uvwss certs --force --days 30 /tmp/certs`, with `uvwss
-- check --ca /tmp/certs/ca.crt wss://127.0.0.1:8443/` before and after.

local wss = require "uvwss"

local url, cert, key = arg[1], arg[2], arg[3]
local every = tonumber(arg[4] or 10)
if not (key and every and every > 0) then
  io.stderr:write "usage: rotate.lua URL server.crt server.key [SECONDS]\n"
  os.exit(2)
end

local function say(...)
  print(...)
  io.flush()
end

local function contents()
  local all = {}
  for i, name in ipairs { cert, key } do
    local file = io.open(name, "rb")
    all[i] = file and file:read "a" or "" -- not there for a moment
    if file then file:close() end
  end
  return table.concat(all)
end

local seen = contents()
local server = assert(wss.listen(url, { tls = { cert = cert, key = key } }))

function server:onmessage(ws, data, kind) ws:send(data, kind) end

-- The certificate may be there before its key is: reload says that they do not
-- belong together, the old ones stay, and the next look will find both.
wss.timer(every, function()
  local now = contents()
  if now == seen then return end
  local ok, err = server:reload()
  if ok then seen = now end
  say(ok and "a new certificate" or "the old certificate stays: "
    .. tostring(err))
end, every)

say("listening on " .. server.url)
wss.run()
