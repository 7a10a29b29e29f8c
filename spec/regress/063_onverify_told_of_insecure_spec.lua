-- onverify was told that a chain was verified where 'insecure' had it accepted
-- unseen.

local certs = require "spec.support.certs"
local client = require "spec.support.client"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local wss = require "uvwss"

describe("onverify beside insecure", function()
  after_each(client.zero_ledger)

  local told

  local function onverify(ok, _, err, tls)
    told = { ok, tls.verified, err }
    return true
  end

  it("is told that nothing was verified, in a handshake", function()
    local server <close> = peers.echo { tls = certs "impostor" }
    for _, version in ipairs { "1.2", "1.3" } do
      told = nil
      local ws = wss.connect(("wss://localhost:%d/"):format(server.port),
        { tls = { insecure = true, onverify = onverify,
          max_version = version } })
      ws:send "x"
      assert.are.equal("x", (ws:receive(30)))
      assert.is_false(ws.tls.verified)
      ws:close()
      wss.run()
      assert.are.same({ true, false }, told)
    end
  end)

  it("is told the same by tls:verify", function()
    local text = process.read_file(certs.file "impostor.crt")
    told = nil
    local tls = assert(wss.tls { insecure = true, onverify = onverify })
    assert.are.equal(1, #tls:verify(text))
    assert.are.same({ true, false }, told)
  end)
end)
