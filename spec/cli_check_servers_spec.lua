-- `uvwss check` against what people run, and against what they should not.
local certs = require "spec.support.certs"
local checks = require "spec.support.check"
local command = require "spec.support.command"
local peers = require "spec.support.peers"
local process = require "spec.support.process"

local wss, check, check_json = checks.url, checks.run, checks.json

-- As one line.
local function flat(output) return (output:gsub("%s+", " ")) end

local function names(report)
  local list = {}
  for i, step in ipairs(report.steps) do
    list[i] = (step.direction == "out" and ">" or "<") .. step.name
  end
  return table.concat(list, " ")
end

local function s_server(...)
  local intermediate = certs.file "intermediate.crt"
  local server = certs "server"
  return process.start { "openssl", "s_server", "-accept", "127.0.0.1:0",
    "-www", "-cert", server.cert, "-key", server.key, "-cert_chain",
    intermediate, ready = "^ACCEPT .*:(%d+)", ... }
end

describe("uvwss check trusts", function()
  it("NATS", function()
    local server <close> = peers.nats(certs "server")
    local report, code = check_json(wss(server))
    assert.equal(0, code)
    assert.same({ "trusted", true }, { report.verdict, report.upgraded })
    assert.matches("^>ClientHello <ServerHello <EncryptedExtensions "
      .. "<Certificate <CertificateVerify <Finished ", names(report))
    assert.is_true(report.tls.verified)
  end)

  it("nginx, in TLS 1.3 and with its ALPN", function()
    local behind <close> = peers.echo {}
    local server <close> = peers.nginx(certs "server", behind.port)
    local report, code = check_json(wss(server))
    assert.equal(0, code)
    assert.same({ "trusted", "TLSv1.3", "http/1.1" },
      { report.verdict, report.tls.version, report.tls.alpn })
  end)

  it("uvwss serve with a certificate of uvwss certs", function()
    local dir <close> = process.directory()
    assert.equal(0, select(2, command.run { "certs", "-q", dir.path }).code)
    local server <close> = process.start { "bin/uvwss", "serve", "-q",
      "--certs", dir.path, "wss://127.0.0.1:0", ready = ":(%d+)" }
    local objects, status = command.json { "check", "--json", "--ca",
      dir.path .. "/ca.crt", ("wss://127.0.0.1:%d/"):format(server.port) }
    assert.equal(0, status.code)
    assert.equal("trusted", objects[1].verdict)
    assert.is_true(objects[1].upgraded)
  end)

  it("a server of TLS 1.2, whose messages are others", function()
    local server <close> = s_server("-tls1_2", "-status_file",
      certs.file "server.ocsp")
    local report, code = check_json(wss(server))
    assert.equal(0, code)
    assert.equal("TLSv1.2", report.tls.version)
    assert.equal("x25519", report.tls.group:lower())
    assert.matches("^>ClientHello <ServerHello <Certificate "
      .. "<CertificateStatus <ServerKeyExchange <ServerHelloDone "
      .. ">ClientKeyExchange >ChangeCipherSpec >Finished ", names(report))
    assert.same({ true, "good" }, { report.tls.stapled, report.tls.ocsp })
    local output = check(wss(server))
    assert.matches("|%-+ ClientKeyExchange %-+>|", output)
    assert.matches("|=+ Finished =+>|", output)
    assert.matches("|<=+ Finished =+|", output)
  end)

  it("a server that asks for another group", function()
    local server <close> = s_server("-groups", "P-384")
    local output, status = check(wss(server))
    assert.equal(0, status.code)
    assert.matches("HelloRetryRequest %-+|[^\n]*another group.*ServerHello.*"
      .. "chose TLSv1%.3, P%-384", output)
  end)
end)

describe("uvwss check does not trust", function()
  it("an impostor", function()
    local server <close> = peers.echo { tls = certs "impostor" }
    local report, code = check_json(wss(server))
    assert.equal(1, code)
    assert.same({ "untrusted", "unknown_issuer", 0, 1 }, { report.verdict,
      report.error.code, report.fault, #report.tls.chain })
    assert.equal("unknown_ca", report.steps[#report.steps].alert)
    assert.matches('if you mean to trust "CN=another CA"',
      table.concat(report.advice, "\n"))
    assert.matches("%?  CN=another CA", check(wss(server)))
  end)

  it("a port that speaks plain HTTP", function()
    local server <close> = peers.echo {}
    local report, code = check_json(wss(server))
    assert.equal(1, code)
    assert.same({ "untrusted", "wrong_version_number" },
      { report.verdict, report.error.code })
    assert.is_nil(report.tls)
    assert.matches("ws://", report.advice[1])
    assert.matches("%(the answer is no TLS%)", check(wss(server)))
  end)

  it("a server that has nothing but TLS 1.0, and says so", function()
    local server <close> = s_server("-tls1", "-cipher", "ALL:@SECLEVEL=0")
    local report, code = check_json(wss(server))
    assert.equal(1, code)
    assert.same({ "untrusted", "tls", "TLSv1" },
      { report.verdict, report.error.kind, report.speaks })
    assert.matches("TLS 1%.2", report.advice[1])
    assert.matches("It speaks TLSv1, and nothing newer", check(wss(server)))
  end)

  it("a certificate for another host, and tells for which it is", function()
    local server <close> = peers.echo { tls = certs "wronghost" }
    local output, status = check(wss(server))
    assert.equal(1, status.code)
    assert.matches("at fault: hostname_mismatch", output)
    assert.matches("%-%-name other%.test", flat(output))
    assert.equal(0, select(2, check("--name", "other.test", wss(server))).code)
  end)

  it("a server without the key of its certificate's pin", function()
    local server <close> = peers.echo { tls = certs "server" }
    local report, code = check_json("--pin", "sha256/" .. ("A"):rep(43) .. "=",
      wss(server))
    assert.equal(1, code)
    assert.equal("pin_mismatch", report.error.code)
    assert.is_nil(report.fault)
    assert.matches(report.tls.chain[1].spki_sha256,
      table.concat(report.advice, "\n"), 1, true)
    report, code = check_json("--pin", report.tls.chain[2].spki_sha256,
      wss(server))
    assert.equal(0, code)
    assert.equal("trusted", report.verdict)
  end)

  it("a server that staples nothing, with --ocsp require", function()
    local server <close> = s_server()
    local report, code = check_json("--ocsp", "require", wss(server))
    assert.same({ 1, "ocsp_needed" }, { code, report.error.code })
    server:stop()
    local stapling <close> = s_server("-status_file", certs.file "server.ocsp")
    local output, status = check("--ocsp", "require", wss(stapling))
    assert.equal(0, status.code)
    assert.matches("OCSP     stapled and verified: not revoked, as known until",
      output)
  end)

  it("a stapled answer about another certificate", function()
    local server <close> = process.start { "openssl", "s_server", "-accept",
      "127.0.0.1:0", "-www", "-cert", certs("server2").cert, "-key",
      certs("server2").key, "-cert_chain", certs.file "intermediate.crt",
      "-status_file", certs.file "server.ocsp", ready = "^ACCEPT .*:(%d+)" }
    local output, status = check(wss(server))
    assert.equal(1, status.code)
    assert.matches("OCSP     stapled, and refused: ", output)
    assert.matches("advice\n.*staple", output)
  end)

  it("a certificate on a list of revoked ones", function()
    local dir <close> = process.directory()
    local _, made = process.run { "sh", "-ec", [[
      cd "$1"; printf '[ca]\ndefault_ca=a\n[a]\ndatabase=db\n' >cnf
      printf 'default_md=sha256\ndefault_crl_days=30\n' >>cnf
      serial=$(openssl x509 -in "$2/server.crt" -noout -serial)
      printf 'R\t491231235959Z\t260101000000Z\t%s\tunknown\t/CN=x\n' \
        "${serial#serial=}" >db
      for name in revoked none; do
        openssl ca -config cnf -gencrl -cert "$2/intermediate.crt" \
          -keyfile "$2/intermediate.key" -out $name.crl
        : >db
      done]], "sh", dir.path, (process.run { "realpath", certs.dir }
        :gsub("\n", "")) }
    assert.equal(0, made.code, made.stderr)
    local server <close> = peers.echo { tls = certs "server" }
    local report, code = check_json("--crl", dir.path .. "/revoked.crl",
      wss(server))
    assert.same({ 1, "revoked", 0 }, { code, report.error.code, report.fault })
    report, code = check_json("--crl", dir.path .. "/none.crl", wss(server))
    assert.same({ 0, "trusted" }, { code, report.verdict })
    local _, status = command.run({ "connect", "-q", "--ca", certs.ca, "--crl",
      dir.path .. "/revoked.crl", wss(server) }, "")
    assert.equal(1, status.code)
    assert.matches("revoked", status.stderr)
  end)

  for _, version in ipairs { "1.2", "1.3" } do
    it("and sends no byte of data in TLS " .. version, function()
      local peer <close> = peers.raw({ { { "records" } } },
        { tls = certs "impostor", tls_version = version })
      assert.equal(1, select(2, check(wss(peer))).code)
      local told = peers.told(peer)
      -- One ClientHello, one alert, both in clear.
      assert.same({ 22, 21 }, told.kinds)
      assert.matches("^TLSV1_", told.result)
    end)
  end
end)

describe("uvwss check of a server that demands a client's certificate",
  function()
    it("is content, and says what is lacking", function()
      local server <close> = peers.nats(certs "server", certs.ca)
      local report, code = check_json(wss(server))
      assert.equal(0, code)
      assert.same({ "trusted", true, false }, { report.verdict,
        report.certificate_requested, report.upgraded })
      assert.matches("%-%-cert FILE", report.advice[1])
      local client = certs "client"
      report = check_json("--cert", client.cert, "--key", client.key,
        wss(server))
      assert.same({ "trusted", true }, { report.verdict, report.upgraded })
      local output = check("--cert", client.cert, "--key", client.key,
        wss(server))
      assert.matches("|=+ Certificate =+>|[^\n]*the client's chain", output)
    end)

    it("has no verdict but that in TLS 1.2, which ends before it", function()
      local server <close> = s_server("-tls1_2", "-Verify", "2", "-CAfile",
        certs.ca)
      local output, status = check(wss(server))
      assert.equal(1, status.code)
      assert.matches("NOT TRUSTED: .*The chain itself is in order", output)
      assert.matches("there is none to show", output)
      assert.matches("%-%-cert FILE", output)
    end)
  end)

describe("uvwss check --time", function()
  it("gives the verdict of a moment after", function()
    local server <close> = peers.echo { tls = certs "server" }
    local report, code = check_json("--time", "2090-01-01", wss(server))
    assert.equal(1, code)
    assert.same({ "untrusted", "expired", 3786912000, "trusted", false },
      { report.verdict, report.error.code, report.at, report.today.verdict,
        report.upgraded })
    assert.is_true(report.tls.chain[1].days_left < -15000)
    local output = flat(check("--time", "2090-01-01", wss(server)))
    assert.matches("This was the verdict of 2090%-01%-01 00:00:00 UTC%. Today "
      .. "the server is trusted%.", output)
  end)

  it("gives the verdict of a moment before", function()
    local server <close> = peers.echo { tls = certs "server" }
    local report, code = check_json("--time", "0", wss(server))
    assert.equal(1, code)
    assert.same({ "not_yet_valid", 0 }, { report.error.code, report.at })
  end)

  it("trusts what will be good then, and sends it nothing today", function()
    local peer <close> = peers.raw({ { { "records" } } },
      { tls = certs "notyet" })
    local report, code = check_json("--time", "2035-01-01T12:30", wss(peer))
    assert.same({ 1, "not_yet_valid" }, { code, report.error.code })
    assert.equal("not_yet_valid", report.today.error.code)
    assert.same({ 22, 21 }, peers.told(peer).kinds)
  end)

  it("goes by the names and the pins of the command line", function()
    local server <close> = peers.echo { tls = certs "server" }
    local when = tostring(os.time() + 86400)
    local report, code = check_json("--time", when, wss(server))
    assert.same({ 0, "trusted", "trusted", true }, { code, report.verdict,
      report.today.verdict, report.upgraded })
    report, code = check_json("--time", when, "--name", "other.test",
      wss(server))
    assert.same({ 1, "hostname_mismatch" }, { code, report.error.code })
    report, code = check_json("--time", when, "--pin", "sha256/"
      .. ("A"):rep(43) .. "=", wss(server))
    assert.same({ 1, "pin_mismatch" }, { code, report.error.code })
  end)

  it("judges the stapled answer of that moment", function()
    local server <close> = s_server("-status_file", certs.file "server.ocsp")
    local when = tostring(os.time() + 86400)
    local report, code = check_json("--time", when, "--ocsp", "require",
      wss(server))
    assert.same({ 0, "good" }, { code, report.tls.ocsp })
    server:stop()
    local bare <close> = s_server()
    report, code = check_json("--time", when, "--ocsp", "require", wss(bare))
    assert.same({ 1, "ocsp_needed" }, { code, report.error.code })
  end)

  it("takes no words that are no moment", function()
    for _, words in ipairs { "yesterday", "2026-02-30", "2026-1-1",
      "2026-01-01T24:00", "2026-01-01T1:00", "" } do
      local _, status = check("--time=" .. words, "wss://localhost/")
      assert.equal(2, status.code, words)
      assert.matches("option '%-%-time' must be seconds since 1970",
        status.stderr)
    end
  end)
end)
