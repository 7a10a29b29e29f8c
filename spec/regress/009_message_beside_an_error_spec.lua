local peers = require "spec.support.peers"
local wss = require "uvwss"

local function url(server)
  return ("ws://127.0.0.1:%d/"):format(server.port)
end

-- receive raised the error, and its own message was gone.
describe("a message that comes together with another's error", function()
  it("is what the next receive returns", function()
    local server <close> = peers.raw {
      { { "upgrade" }, { "frame", 1, "61" }, { "until", 8 } } }
    local ws <close> = wss.connect(url(server))
    ws:pause()
    -- Open, and its message is here: 129 bytes of the head, 3 of the frame.
    while ws.state ~= "open" or ws:stats().bytes_in < 132 do wss.sleep(0.01) end
    local err = {}
    wss.timer(0, function()
      ws:resume()
      error(err)
    end)
    local ok, raised = pcall(ws.receive, ws)
    assert.is_false(ok)
    assert.are.equal(err, raised)
    assert.are.equal("a", (ws:receive(30)))
  end)
end)
