-- luacheck: read_globals TURN
-- Certificates are made and written, and read from their files again.
local core = require "uvwss.core"
local folder = FOLDER .. "/certs"
local ok, err = core.certs(folder, { "localhost", "127.0.0.1" }, 1, true)
if not ok then error(err, 0) end
local tls = must(wss.tls {
  ca = folder .. "/ca.crt", cert = folder .. "/server.crt",
  key = folder .. "/server.key",
})
must(tls:reload())
tls = nil
local none, why = wss.tls { ca = folder .. "/none.crt" }
check(not none, "a file that is not there was read")
if why.kind ~= "io" then error(why, 0) end
check_ledger()
