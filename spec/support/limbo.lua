--- The cases of x509-limbo (spec/limbo/README.md), and our verdict on them.

local certs = require "spec.support.certs"
local json = require "dkjson"
local process = require "spec.support.process"
local wss = require "uvwss"

local limbo = {}

---@return table[] cases  in their order
function limbo.cases()
  return assert(json.decode(assert(
    process.read_file "spec/limbo/cases.json")))
end

---Options of TLS that trust what a case trusts.
function limbo.options(case)
  if not case.client then return { ca = case.trusted } end
  local own = certs "server"
  return { cert = own.cert, key = own.key, client_ca = case.trusted,
    verify_client = "require" }
end

---The verified chain, or nil and why not.
function limbo.judge(case)
  local tls, err = wss.tls(limbo.options(case))
  if not tls then return nil, err end
  return tls:verify(case.leaf, case.name, { time = case.at,
    intermediates = case.intermediates, crl = case.crls,
    max_depth = case.max_depth })
end

return limbo
