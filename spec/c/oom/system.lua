-- The system's own authorities, and a chain that none of them has signed.
local tls = must(wss.tls {})
local chain, err = tls:verify(CERT .. CA, "localhost")
check(not chain, "it was accepted")
if err.kind ~= "certificate" then error(err, 0) end
check_ledger()
