-- An alert with a number that is none was "internal_error", and "alert alert".

local certs = require "spec.support.certs"
local peers = require "spec.support.peers"
local wss = require "uvwss"

describe("an alert that nobody has registered", function()
  it("is called so", function()
    local peer <close> = peers.raw { { { "wire", "15030300020201" }, { "closed" } } }
    local ws = wss.connect("wss://127.0.0.1:" .. peer.port .. "/", { tls = { ca = certs.ca } })
    local why
    function ws:onclose(_, _, err) why = err end
    wss.run()
    assert.are.same({ "tls", "unknown_alert", 1 }, { why.kind, why.code, why.alert_number })
    assert.matches("registered %(1%)", why.message)
  end)
end)
