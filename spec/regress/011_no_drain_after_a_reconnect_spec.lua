local peers = require "spec.support.peers"
local wss = require "uvwss"

local function url(server)
  return ("ws://127.0.0.1:%d/"):format(server.port)
end

-- The new connection did not know that the old one had been above high_water:
-- whoever waited for ondrain waited for ever.
describe("ondrain", function()
  it("is called after a reconnect that emptied the buffer", function()
    local server <close> = peers.raw {
      { { "upgrade" }, { "recv", 100 }, { "reset" } },
      { { "upgrade" }, { "until", 8 } } }
    local ws = wss.connect(url(server), { reconnect = { min = 0.01 } })
    local drained, opened = nil, 0
    function ws:onopen()
      opened = opened + 1
      if opened == 1 then
        self:send(("x"):rep(32 << 20), "binary")
      else
        wss.timer(5, function() self:terminate() end)
      end
    end
    function ws:ondrain()
      drained = { opened, self.buffered }
      self:terminate()
      wss.stop()
    end
    function ws:onclose() end
    wss.run()
    assert.are.same({ 2, 0 }, drained)
  end)
end)
