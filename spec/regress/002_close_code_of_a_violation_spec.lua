local peers = require "spec.support.peers"
local wss = require "uvwss"

-- onclose's 1006 took the place of the code that had been sent to the peer.
describe("the error of a violation", function()
  it("has the code that was sent to the peer", function()
    for _, case in ipairs {
      { { "frame", 3, "" }, "protocol", "opcode", 1002 },
      { { "frame", 1, "ff" }, "protocol", "utf8", 1007 },
      { { "frame", 1, "616161" }, "limit", "message_size", 1009 },
    } do
      local server <close> = peers.raw {
        { { "upgrade" }, case[1], { "until", 8 } } }
      local seen
      wss.connect(("ws://127.0.0.1:%d/"):format(server.port), {
        max_message = 2, onmessage = function() end,
        onclose = function(_, code, _, err)
          seen = { code, err.kind, err.code, err.close }
        end,
      })
      wss.run()
      assert.are.same({ 1006, case[2], case[3], case[4] }, seen)
    end
  end)
end)
