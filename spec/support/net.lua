--- Two hosts with a cable between them: network namespaces of this machine.
--
--   local net <close> = network.new()
--   net.near, net.far          -- their addresses
--   net:on("far", command)     -- the words that run a command there
--   net:unplug()  net:plug()   -- what is sent meanwhile is lost without a word
--   net:set("near", "addr …")  -- ip's words, in that namespace
--
-- Needs root, as CI has it. What a killed process left behind, the next one
-- removes.

local process = require "spec.support.process"

local network = {}

local Net = {}
Net.__index = Net

local function ip(...)
  local said, how = process.run { "ip", ... }
  assert(how.code == 0, ("ip %s: %s"):format(table.concat({ ... }, " "),
    how.stderr))
  return said
end

local function remove_leftovers()
  for name, pid in ip("netns", "list"):gmatch "%f[%w](uvwss%-(%d+)%-[%w-]+)" do
    if not process.read_file(("/proc/%s/stat"):format(pid)) then
      ip("netns", "del", name)
    end
  end
end

local made = 0

---Both ends are up.
function network.new()
  remove_leftovers()
  made = made + 1
  local base = ("uvwss-%s-%d"):format(process.identity(), made)
  local self = setmetatable({ near = "10.77.0.1", far = "10.77.0.2",
    name = { near = base .. "-near", far = base .. "-far" } }, Net)
  for _, name in pairs(self.name) do ip("netns", "add", name) end
  ip("link", "add", "cable", "netns", self.name.near, "type", "veth", "peer",
    "name", "cable", "netns", self.name.far)
  for _, side in ipairs { "near", "far" } do
    self:set(side, "link set lo up")
    self:set(side, ("addr add %s/24 dev cable"):format(self[side]))
    self:set(side, "link set cable up")
  end
  return self
end

function Net:set(side, words)
  local list = { "-n", self.name[side] }
  for word in words:gmatch "%S+" do list[#list + 1] = word end
  ip(table.unpack(list))
end

function Net:on(side, command)
  local words = { "ip", "netns", "exec", self.name[side] }
  table.move(command, 1, #command, #words + 1, words)
  return words
end

-- Where the other end is pulled, this one does not learn of it at once.
function Net:unplug() self:set("far", "link set cable down") end
function Net:plug() self:set("far", "link set cable up") end

function Net:close()
  for _, name in pairs(self.name) do ip("netns", "del", name) end
  self.name = {}
end
Net.__close = Net.close

return network
