local peers = require "spec.support.peers"
local wss = require "uvwss"

-- It was always the peer.
describe("receive after a clean end", function()
  local function ended(options, closes)
    local server <close> = peers.echo(options)
    local ws = wss.connect(("ws://127.0.0.1:%d/"):format(server.port))
    ws:send "x"
    assert(ws:receive())
    if closes then ws:close(3000, "enough") end
    local _, err = ws:receive()
    assert.is_nil(ws.error)
    return { err.kind, err.code, err.close, err.reason }
  end

  it("says that this side closed", function()
    assert.are.same({ "closed", "local", 3000, "enough" }, ended({}, true))
  end)

  it("says that the peer did", function()
    assert.are.same({ "closed", "remote", 4001, "over" }, ended({
      close_after = 1, close_code = 4001, close_reason = "over" }, false))
  end)
end)
