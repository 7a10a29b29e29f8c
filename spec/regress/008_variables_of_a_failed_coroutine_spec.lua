local peers = require "spec.support.peers"
local wss = require "uvwss"

local function url(server)
  return ("ws://127.0.0.1:%d/"):format(server.port)
end

-- Nobody closed them, so that the connection stayed for ever.
describe("the variables of a coroutine that fails", function()
  for _, name in ipairs { "run", "spawn" } do
    it("are closed: wss." .. name, function()
      local server <close> = peers.echo()
      local ws
      local function fail()
        local scoped <close> = wss.connect(url(server))
        ws = scoped
        scoped:send "x"
        scoped:receive()
        error { "boom" }
      end
      local ok, err
      if name == "run" then
        ok, err = pcall(wss.run, fail)
      else
        wss.spawn(fail)
        ok, err = pcall(wss.run)
      end
      assert.is_false(ok)
      assert.are.same({ "boom" }, err)
      assert.are.equal("closing", ws.state)
      wss.run()
      assert.are.equal("closed", ws.state)
    end)
  end
end)
