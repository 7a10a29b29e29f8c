--- Certificates made to order: see issue.py.

local json = require "dkjson"
local process = require "spec.support.process"

---@param orders table[]  what each is to have
---@return { ca: string, certs: string[], keys: string[] }  all in PEM
return function(orders)
  local dir <close> = process.directory()
  local output, status = process.run { "/usr/bin/python3",
    "spec/support/issue.py",
    stdin = process.write_file(dir.path .. "/orders", json.encode(orders)) }
  if status.code ~= 0 then error("issue.py: " .. status.stderr, 2) end
  return json.decode(output)
end
