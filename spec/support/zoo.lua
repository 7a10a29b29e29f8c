--- The zoo of spec/support/zoo.py: certificates of every kind, and a server
-- that shows each.
--
--   local park = zoo.open()     -- in a `setup`; some seconds
--   park:text "good.pem"        -- what is in a file
--   park:file "inter.crl"       -- its path
--   park:url "good"             -- where a server shows good.pem
--   park:told()                 -- of the next connection that is over
--   park:close()

local json = require "dkjson"
local process = require "spec.support.process"
local server = require "spec.support.server"

local zoo = {}
local Park = {}
Park.__index = Park
local command = { "/usr/bin/python3", "spec/support/zoo.py" }

function zoo.open()
  local dir = process.directory()
  local child = process.start { command[1], command[2], "serve", dir.path }
  return setmetatable({ dir = dir, child = child,
    ports = json.decode(process.read_file(dir.path .. "/ports.json")) }, Park)
end

function Park:file(name)
  return self.dir.path .. "/" .. name
end

function Park:text(name)
  return (assert(process.read_file(self:file(name)), name))
end

function Park:pair(name)
  return { cert = self:file(name .. ".pem"), key = self:file(name .. ".key") }
end

function Park:url(name)
  return ("wss://127.0.0.1:%d/"):format(assert(self.ports[name], name))
end

---What became of the next connection that is over: `name`, `version`,
---`asked`, `error`. Blocks until one is.
function Park:told()
  return json.decode(assert(self.child:line()))
end

---Clients that show names of the zoo to a server of ours, one after the other,
---while the loop runs. Of each visit { NAME, VERSION } `answer` or `error`, and
---its `port`.
function Park:visit(port, course)
  local out = self:file "visits"
  os.remove(out)
  local child <close> = process.start { command[1], command[2], "visit",
    self.dir.path, port, out, json.encode(course), ready = false }
  local text
  server.await(function()
    text = process.read_file(out)
    return text or child:stderr() ~= ""
  end, "the end of the visits")
  if not text then error("zoo.py: " .. child:stderr(), 2) end
  return json.decode(text)
end

function Park:close()
  self.child:stop()
  self.dir:remove()
end

return zoo
