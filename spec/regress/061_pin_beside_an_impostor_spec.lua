-- With 'insecure', a pin was looked for in all that was sent: whoever sent the
-- pinned server's certificate, which everybody can have, behind his own was
-- taken for it.

local certs = require "spec.support.certs"
local client = require "spec.support.client"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local wss = require "uvwss"

local function read(name) return process.read_file(certs.file(name)) end

describe("a pin where nothing else counts", function()
  after_each(client.zero_ledger)

  local real = assert(wss.tls { ca = certs.ca }:verify(
    read "server.crt" .. read "intermediate.crt", "localhost"))

  it("is the leaf's, whose key is proven", function()
    for i, cert in ipairs(real) do
      local tls = assert(wss.tls { insecure = true, pins = cert.spki_sha256 })
      local chain, err = tls:verify(read "server.crt"
        .. read "intermediate.crt" .. read "ca.crt")
      assert.are.equal(i == 1 and "accepted" or "pin_mismatch",
        chain and "accepted" or err.code)
    end
  end)

  it("is not met by what an impostor sends along", function()
    local dir <close> = process.directory()
    local own = certs "impostor"
    local server <close> = peers.echo { tls = { key = own.key,
      cert = process.write_file(dir.path .. "/chain.crt",
        read "impostor.crt" .. read "server.crt") } }
    for _, version in ipairs { "1.2", "1.3" } do
      local ws = wss.connect(("wss://localhost:%d/"):format(server.port),
        { tls = { insecure = true, pins = real[1].spki_sha256,
          max_version = version } })
      local _, err = ws:receive(30)
      assert.are.same({ "certificate", "pin_mismatch" },
        { err.kind, err.code })
      wss.run()
    end
  end)

  it("in a verified chain may still be anybody's", function()
    for _, cert in ipairs(real) do
      local tls = assert(wss.tls { ca = certs.ca, pins = cert.spki_sha256 })
      assert.are.equal(3, #tls:verify(read "server.crt"
        .. read "intermediate.crt", "localhost"))
    end
  end)
end)
