local certs = require "spec.support.certs"
local peers = require "spec.support.peers"
local wss = require "uvwss"

-- Any `tls` table without `alpn` took the default away.
describe("the protocol http/1.1 is offered", function()
  local function chosen(alpn)
    local server <close> = peers.echo { tls = certs "server",
      alpn = { "http/1.1", "other" } }
    local ws <close> = wss.connect(("wss://127.0.0.1:%d/"):format(server.port),
      { tls = { ca = certs.ca, alpn = alpn } })
    ws:send "x"
    assert(ws:receive())
    return ws.tls.alpn
  end

  it("where other TLS options are given", function()
    assert.are.equal("http/1.1", chosen(nil))
  end)

  it("not where another, or none, is asked for", function()
    assert.are.equal("other", chosen "other")
    assert.are.equal("", chosen {})
  end)
end)
