-- What onverify and trace are told of a handshake, over a connection.
local certs = require "spec.support.certs"
local client = require "spec.support.client"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local wss = require "uvwss"

local function wss_url(server)
  return ("wss://localhost:%d/"):format(server.port)
end

-- One handshake, refused in the end: what onverify was asked, and the steps.
local function ask(server, options)
  local seen = { steps = {} }
  options.onverify = function(ok, cert, err, tls)
    seen.ok, seen.cert, seen.err, seen.tls = ok, cert, err, tls
    seen.times = (seen.times or 0) + 1
    return false
  end
  options.trace = function(step) table.insert(seen.steps, step) end
  local ws = wss.connect(wss_url(server), { tls = options })
  function ws:onclose(_, _, err) seen.closed = err end
  wss.run()
  return seen
end

describe("onverify in a handshake", function()
  after_each(client.zero_ledger)

  it("is told what came, besides the chain that was verified", function()
    local server <close> = peers.echo { tls = certs "server" }
    local seen = ask(server, { ca = certs.ca })
    assert.same({ true, 1, "refused" },
      { seen.ok, seen.times, seen.closed.code })
    assert.equal(3, #seen.tls.chain)
    assert.equal(2, #seen.tls.sent)
    for i, cert in ipairs(seen.tls.sent) do
      assert.equal(seen.tls.chain[i].pem, cert.pem)
    end
    assert.is_nil(seen.tls.stapled)
  end)

  it("is told what came of a chain that is not trusted", function()
    local server <close> = peers.echo { tls = certs "impostor" }
    local seen = ask(server, { ca = certs.ca })
    assert.same({ false, "unknown_issuer" }, { seen.ok, seen.err.code })
    assert.equal(1, #seen.tls.sent)
    assert.equal(seen.cert.pem, seen.tls.sent[1].pem)
  end)

  for _, version in ipairs { "1.2", "1.3" } do
    it("is told the stapled answer, as it came, in TLS " .. version, function()
      local own = certs "server"
      local server <close> = process.start { "openssl", "s_server", "-accept",
        "127.0.0.1:0", "-www", "-cert", own.cert, "-key", own.key,
        "-cert_chain", certs.file "intermediate.crt", "-status_file",
        certs.file "server.ocsp", ready = "^ACCEPT .*:(%d+)" }
      local seen = ask(server, { ca = certs.ca, ocsp = "staple",
        max_version = version })
      assert.equal("good", seen.tls.ocsp)
      assert.is_true(seen.tls.stapled
        == process.read_file(certs.file "server.ocsp"))
      local pem = {}
      for i, cert in ipairs(seen.tls.sent) do pem[i] = cert.pem end
      local tls = assert(wss.tls { ca = certs.ca, ocsp = "require" })
      assert.equal(3, #tls:verify(table.concat(pem), "localhost",
        { ocsp = seen.tls.stapled }))
    end)
  end
end)

describe("trace", function()
  it("tells what an alert says, of ours and of the server's", function()
    local server <close> = peers.echo { tls = certs "impostor" }
    local steps = ask(server, { ca = certs.ca }).steps
    assert.same({ "Alert", "out", "unknown_ca" }, { steps[#steps].name,
      steps[#steps].direction, steps[#steps].alert })
    assert.is_nil(steps[1].alert)
    local old <close> = process.start { "openssl", "s_server", "-accept",
      "127.0.0.1:0", "-www", "-tls1_3", "-cert", certs("server").cert, "-key",
      certs("server").key, ready = "^ACCEPT .*:(%d+)" }
    steps = ask(old, { ca = certs.ca, max_version = "1.2" }).steps
    assert.same({ "Alert", "in", "protocol_version" }, { steps[#steps].name,
      steps[#steps].direction, steps[#steps].alert })
  end)
end)
