--- Ours: uvwss.lua MODE PORT EXTENSION [CERT KEY]. bench/README.md says what
-- the servers do and print.

local wss = require "uvwss"

local mode, port, extension, cert, key = table.unpack(arg)

local server = assert(wss.listen(
  (cert and "wss" or "ws") .. "://127.0.0.1:" .. port, {
    tls = cert and { cert = cert, key = key } or nil,
    compress = extension == "deflate" and { min_size = 0 } or nil,
  }))

if mode == "fanout" then
  function server:onopen(ws) ws:subscribe "all" end
  function server:onmessage(_, data, kind) self:publish("all", data, kind) end
else
  function server:onmessage(ws, data, kind) ws:send(data, kind) end
end

print("ready " .. server.port)
io.flush()
wss.run()
