--- lua-http of Debian: luahttp.lua MODE PORT plain [CERT KEY]. It has no
-- compression. bench/README.md says what the servers do and print.

-- Debian installs these modules, which are Lua alone, for older versions only;
-- they run on 5.4, and so all that differs from ours is what is compared.
for _, version in ipairs { "5.3", "5.2" } do
  local path = "/usr/share/lua/" .. version
  package.path = package.path
    .. (";%s/?.lua;%s/?/init.lua"):format(path, path)
end

local chain = require "openssl.x509.chain"
local http_server = require "http.server"
local http_tls = require "http.tls"
local pkey = require "openssl.pkey"
local websocket = require "http.websocket"
local x509 = require "openssl.x509"

local mode, port, _, cert, key = table.unpack(arg)

local function read(name)
  local file <close> = assert(io.open(name))
  return file:read "a"
end

local context
if cert then
  context = http_tls.new_server_context()
  local certificates = {}
  for pem in read(cert):gmatch "%-+BEGIN.-%-+END[^\n]*\n" do
    certificates[#certificates + 1] = x509.new(pem)
  end
  local rest = chain.new()
  for i = 2, #certificates do rest:add(certificates[i]) end
  context:setCertificate(certificates[1])
  context:setCertificateChain(rest)
  context:setPrivateKey(pkey.new(read(key)))
end

local everybody = {}

local function serve(ws)
  for data, kind in ws:each() do
    if mode == "fanout" then
      for other in pairs(everybody) do other:send(data, kind) end
    else
      ws:send(data, kind)
    end
  end
end

local server = assert(http_server.listen {
  host = "127.0.0.1",
  port = tonumber(port),
  tls = cert ~= nil,
  ctx = context,
  onstream = function(_, stream)
    local ws = assert(websocket.new_from_stream(stream,
      assert(stream:get_headers())))
    if not ws:accept() then return end
    everybody[ws] = true
    serve(ws)
    everybody[ws] = nil
    ws:close()
  end,
  onerror = function() end, -- connections end, and that is all
})
assert(server:listen())
print("ready " .. select(3, server:localname()))
io.flush()
assert(server:loop())
