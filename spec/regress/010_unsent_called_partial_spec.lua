local peers = require "spec.support.peers"
local wss = require "uvwss"

local function url(server)
  return ("ws://127.0.0.1:%d/"):format(server.port)
end

-- The request's bytes were taken for the beginning of the message.
describe("a message of which not one byte has left", function()
  it("is sent on the next connection, where the first took only the request",
    function()
      local server <close> = peers.raw { { { "upgrade" }, { "reset" } },
        { { "upgrade" }, { "until", 1 }, { "until", 8 } } }
      local ws = wss.connect(url(server), { reconnect = { min = 0.01 } })
      local outcome
      ws:send("x", "text", function(_, how)
        outcome = how
        ws:close()
      end)
      function ws:onopen(info)
        while info.attempt == 1 and peers.told(server).event ~= "end" do end
      end
      function ws:onclose() end
      wss.run()
      assert.are.equal("written", outcome)
    end)
end)
