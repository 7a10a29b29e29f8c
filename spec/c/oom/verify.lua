-- luacheck: read_globals PART
-- No want of memory makes a bad chain a good one. What it makes of a good one
-- is some refusal: OpenSSL does not always tell why something failed.
local case = dofile "spec/c/oom/chains.lua"[PART]
local options = case.options or {}
options.ca = case.ca
local tls = must(wss.tls(options))
local more = { crl = case.crl, ocsp = case.ocsp }

return function()
  local chain, err = tls:verify(case.chain, case.name, more)
  check(not chain or case.code == "good", "it was accepted")
  check_ledger()
  if err and (case.code == "good" or err.code ~= case.code) then
    error(err, 0) -- which only a failed allocation may bring about
  end
end
