local peers = require "spec.support.peers"
local process = require "spec.support.process"

local script = [[
  local wss = require "uvwss"
  local ws = wss.connect(arg[1])
  function ws:onopen()
    self:send("a", "text", function() os.exit(7, true) end)
    self:send("b", "text", function() end)
    self:terminate()
  end
  wss.run()
]]

-- The ledger still counted a client whose last messages were being settled.
describe("os.exit in a message's done callback", function()
  it("ends the process as it says, at the end of a connection too", function()
    local server <close> = peers.raw { { { "upgrade" }, { "drain" } } }
    local dir <close> = process.directory()
    local file = process.write_file(dir.path .. "/script.lua", script)
    local _, ended = process.run { "lua5.4", file,
      ("ws://127.0.0.1:%d/"):format(server.port) }
    assert.are.same({ "exit", 7, "" }, { ended.how, ended.code, ended.stderr })
  end)
end)
