--- A TCP proxy that misbehaves as it is told (peers/proxy.c says how).
--
--   local faulty <close> = proxy.start(port)
--   faulty.port
--   faulty:order "fault reset down 300"   -- for connections from now on
--   faulty:stats().reset                  -- how many were

local process = require "spec.support.process"

local proxy = {}

local Proxy = {}
Proxy.__index = Proxy

local home = "build/support"
local program = home .. "/proxy"
local source = "spec/support/peers/proxy.c"

-- Built once for all processes: the last one to finish wins.
local function build()
  if os.execute(("test %s -nt %s"):format(program, source)) then return end
  os.execute("mkdir -p " .. home)
  local mine = ("%s.%s"):format(program, process.identity())
  local _, how = process.run { os.getenv "CC" or "gcc", "-std=c11",
    "-D_GNU_SOURCE", "-O2", "-o", mine, source }
  assert(how.code == 0, how.stderr)
  assert(os.rename(mine, program))
end

---Pass on to that port of this machine.
function proxy.start(port)
  build()
  local self = setmetatable({ dir = process.directory() }, Proxy)
  local orders = self.dir.path .. "/orders"
  assert(os.execute("mkfifo " .. orders))
  -- Open for both, so that neither end waits for the other.
  self.orders = assert(io.open(orders, "r+"))
  self.child = process.start { program, tostring(port), stdin = orders }
  self.port = self.child.port
  return self
end

---One line of its answer.
function Proxy:order(line)
  assert(self.orders:write(line, "\n"))
  assert(self.orders:flush())
  return assert(self.child:line(), self.child:stderr())
end

---Counts by name: accepted, open, and each kind of fault.
function Proxy:stats()
  local counts = {}
  for name, n in self:order "stats":gmatch "(%l+) (%d+)" do
    counts[name] = math.tointeger(tonumber(n))
  end
  return counts
end

function Proxy:close()
  self.child:stop()
  self.orders:close()
  self.dir:remove()
end
Proxy.__close = Proxy.close

return proxy
