--- Certificates for specs: spec/certs/make.sh runs once in a run of busted.
--
--   local certs = require "spec.support.certs"
--   certs.ca                -- path of ca.crt
--   certs "server"          -- { cert = …/server.crt, key = …/server.key }
--   certs.file "other.crl"  -- path of any other file that the script made

local process = require "spec.support.process"

local certs = {}
local home = "build/certs"

-- busted loads this again for every file of specs: the directory is found by
-- the process. Those of processes that are gone are removed.
local function make()
  local dir = home .. "/" .. process.identity()
  if process.read_file(dir .. "/complete") then return dir end
  local old = assert(io.popen("ls " .. home .. " 2>/dev/null"))
  for name in old:lines() do
    if not process.read_file(("/proc/%s/stat"):format(name:match "^%d+")) then
      os.execute("rm -rf " .. process.quoted(home .. "/" .. name))
    end
  end
  old:close()
  os.execute("mkdir -p " .. process.quoted(dir))
  local output, status = process.run { "sh", "spec/certs/make.sh", dir }
  if status.how ~= "exit" or status.code ~= 0 then
    error("spec/certs/make.sh failed:\n" .. output .. status.stderr, 0)
  end
  process.write_file(dir .. "/complete", "")
  return dir
end

-- Under tools/suite.lua there is one for all.
certs.dir = os.getenv "UVWSS_CERTS" or make()

---The path of a file in the directory; raises when it is not there.
function certs.file(name)
  local path = certs.dir .. "/" .. name
  if not process.read_file(path) then
    error("spec/certs/make.sh makes no " .. name, 2)
  end
  return path
end

certs.ca = certs.file "ca.crt"

return setmetatable(certs, {
  __call = function(_, name)
    return { cert = certs.file(name .. ".crt"),
      key = certs.file(name .. ".key") }
  end,
})
