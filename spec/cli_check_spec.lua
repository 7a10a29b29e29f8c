local certs = require "spec.support.certs"
local checks = require "spec.support.check"
local command = require "spec.support.command"
local peers = require "spec.support.peers"
local process = require "spec.support.process"

local wss, check, check_json = checks.url, checks.run, checks.json

local function openssl(...)
  local output, status = process.run { "openssl", ... }
  assert.equal(0, status.code, status.stderr)
  return output
end

describe("uvwss check", function()
  describe("of a server that is to be trusted", function()
    local server
    setup(function()
      server = peers.echo { tls = certs "server", alpn = "http/1.1" }
    end)
    teardown(function() server:stop() end)

    it("shows the handshake, what was agreed on, the chain and the verdict",
      function()
        local output, status = check(wss(server))
        assert.equal(0, status.code, status.stderr)
        assert.equal("", status.stderr)
        local at = 1
        for _, part in ipairs { "handshake with [%x.:]+ port " .. server.port,
          "client +server\n", " 0%.0 ms |%-+ ClientHello %-+>| +%d+ B  versions",
          "ms |<%-+ ServerHello %-+| +%d+ B  chose TLSv1%.3, X25519\n",
          "ms |<=+ Certificate =+| .* its chain: 2 certificates\n",
          "ms |=+ Finished =+>|", "|  WebSocket from here on   |\n",
          "agreed on\n", "version  TLSv1%.3: the newest",
          "group    X25519: forward secrecy", "not post%-quantum\n",
          "cipher   TLS_AES_%d+_GCM_SHA%d+: AES%-", "ALPN     http/1%.1",
          "OCSP     none stapled", "\nchain, as it was verified\n",
          "0  CN=server%.test", "issuer +CN=uvwss test intermediate",
          "names +localhost, server%.test, 127%.0%.0%.1, ::1",
          "from +%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d UTC",
          "until +[%d-]+ [%d:]+ UTC, 36%d%d days left",
          "key +EC P%-256; signed with ecdsa%-with%-SHA256",
          "sha256 +%x+\n", "pin +sha256/", "1  CN=uvwss test intermediate",
          "2  CN=uvwss test CA %(not sent; trusted here%)", "\nanswer\n",
          "speaks WebSocket", "\nverdict\n  trusted: .*localhost\n$" } do
          local from, to = output:find(part, at)
          assert.truthy(from, part .. " is not in\n" .. output:sub(at))
          at = to
        end
      end)

    it("tells programs the same", function()
      local report, code = check_json(wss(server))
      assert.equal(0, code)
      assert.equal("trusted", report.verdict)
      assert.is_true(report.upgraded)
      assert.is_nil(report.error)
      assert.equal(server.port, report.peer.port)
      assert.equal("ClientHello", report.steps[1].name)
      assert.equal("out", report.steps[1].direction)
      assert.equal("TLSv1.3", report.tls.version)
      assert.equal("http/1.1", report.tls.alpn)
      assert.equal(3, #report.tls.chain)
      assert.same({ "localhost", "server.test", "127.0.0.1", "::1" },
        report.tls.chain[1].names)
      assert.is_true(report.tls.chain[1].days_left > 3640)
      assert.same({ true, true, false }, { report.tls.chain[1].sent,
        report.tls.chain[2].sent, report.tls.chain[3].sent })
      assert.equal("EC P-256", report.tls.chain[1].key)
      assert.same({ 2, false, true }, { report.tls.sent, report.tls.stapled,
        report.tls.verified })
      assert.same({ wss(server), "localhost", "localhost", server.port,
        report.peer.ip }, { report.url, report.host, report.name, report.port,
        report.address })
      assert.is_true(math.abs(report.checked_at - os.time()) < 120)
      assert.equal(report.checked_at, report.at)
      assert.same({}, report.advice)
      assert.is_nil(report.fault)
    end)

    it("has no line that is wider than a terminal", function()
      for line in check(wss(server)):gmatch "[^\n]+" do
        assert.is_true(#line <= 80, line)
        assert.is_nil(line:find "[^ -~]")
      end
    end)

    it("has fingerprints and pins as OpenSSL computes them", function()
      local report = check_json(wss(server))
      local file = certs("server").cert
      local print = openssl("x509", "-in", file, "-noout", "-fingerprint",
        "-sha256")
      assert.equal(print:match "=(.*)\n":gsub(":", ""):lower(),
        report.tls.chain[1].sha256)
      local pin = process.run { "sh", "-c", "openssl x509 -in \"$1\" -noout "
        .. "-pubkey | openssl pkey -pubin -outform DER | openssl dgst "
        .. "-sha256 -binary | openssl base64", "sh", file }
      assert.equal("sha256/" .. pin:match "%S+",
        report.tls.chain[1].spki_sha256)
    end)

    it("prints nothing with --quiet", function()
      local output, status = check("--quiet", wss(server))
      assert.equal("", output .. status.stderr)
      assert.equal(0, status.code)
      output, status = command.run { "check", "-q", wss(server) }
      assert.equal("", output .. status.stderr)
      assert.equal(1, status.code)
    end)

    it("goes by the name that --name gives", function()
      local output, status = check("--name", "server.test", wss(server))
      assert.equal(0, status.code)
      assert.matches("good for server%.test", (output:gsub("%s+", " ")))
      local report, code = check_json("--name", "other.test", wss(server))
      assert.equal(1, code)
      assert.equal("hostname_mismatch", report.error.code)
    end)

    it("demands a pinned key with --pin", function()
      local report = check_json(wss(server))
      local _, status = check("--pin", report.tls.chain[1].spki_sha256,
        wss(server))
      assert.equal(0, status.code)
      local code
      report, code = check_json("--pin", "sha256/" .. ("A"):rep(43) .. "=",
        wss(server))
      assert.equal(1, code)
      assert.equal("pin_mismatch", report.error.code)
    end)
  end)

  it("is about TLS: a server that refuses the upgrade is trusted", function()
    local peer <close> = peers.raw({ { { "tls" }, { "status", 403 } } },
      { tls = certs "server" })
    local output, status = check(wss(peer))
    assert.equal(0, status.code)
    assert.matches("answer\n[^\n]*403", output)
    assert.matches("verdict\n +trusted", output)
  end)

  it("writes a nasty subject without harm", function()
    local server <close> = peers.echo { tls = certs "hostile" }
    local output, status = check(wss(server))
    assert.equal(0, status.code)
    assert.is_nil(output:gsub("\n", ""):find "%c")
    assert.is_nil(output:find("\u{202E}", 1, true))
    local report = check_json(wss(server))
    assert.matches("CN=a", report.tls.chain[1].subject)
  end)

  describe("does not trust", function()
    for name, wanted in pairs {
      expired = "expired", notyet = "not_yet_valid",
      selfsigned = "self_signed", wronghost = "hostname_mismatch",
      impostor = "unknown_issuer", clientasserver = "wrong_purpose",
      nointermediate = "unknown_issuer",
    } do
      it("a certificate that is " .. name .. ", and sends it no data",
        function()
          local peer <close> = peers.raw({ { { "tls" }, { "request" } } },
            { tls = certs(name) })
          local report, code = check_json(wss(peer))
          assert.equal(1, code)
          assert.equal("untrusted", report.verdict)
          assert.equal("certificate", report.error.kind)
          assert.equal(wanted, report.error.code)
          assert.is_false(report.tls.verified)
          assert.equal(report.error.subject, report.tls.chain[1].subject)
          assert.equal(0, report.fault)
          assert.is_truthy(report.advice[1])
          local told = peers.told(peer)
          assert.equal("error", told.event)
          assert.equal("tls", told.name)
        end)
    end

    it("and tells what is known of the chain, and what to do", function()
      local server <close> = peers.echo { tls = certs "expired" }
      local output, status = check(wss(server))
      assert.equal(1, status.code)
      local at = 1
      for _, part in ipairs { "|<=+ Certificate =+|",
        "|%-+ Alert %-+>|    2 B  certificate_expired\n",
        "%(no data was sent%)", "\nchain, as it came\n",
        "0  CN=server%.test <%-%- at fault: expired\n",
        "issuer +CN=uvwss test intermediate", "names +localhost, server%.test",
        "until +%d%d%d%d%-.*, expired 3 days ago\n",
        "1  CN=uvwss test intermediate\n",
        "verdict\n  NOT TRUSTED: .*expired 3 days ago",
        "advice\n  %- At the server: renew", "  %- Here: is the clock" } do
        local from, to = output:find(part, at)
        assert.truthy(from, part .. " is not in\n" .. output:sub(at))
        at = to
      end
    end)

    it("and shows where the chain breaks", function()
      local server <close> = peers.echo { tls = certs "nointermediate" }
      local output = check(wss(server))
      assert.matches("0  CN=server%.test <%-%- at fault: unknown_issuer\n",
        output)
      assert.matches("%?  CN=uvwss test intermediate <%-%- here the chain "
        .. "breaks", output)
      output = output:gsub("%s+", " ")
      assert.matches("advice .*send its certificate along", output)
      assert.matches("%-%-ca FILE", output)
    end)

    it("a server that does not speak TLS", function()
      local peer <close> = peers.raw { {
        { "text", "HTTP/1.1 400 Bad Request\r\n\r\n" }, { "drain" } } }
      local report, code = check_json(wss(peer))
      assert.equal(1, code)
      assert.equal("tls", report.error.kind)
    end)

    it("a ws:// URL, and connects to nobody", function()
      local output, status = command.run { "check", "ws://127.0.0.1:1/" }
      assert.equal(1, status.code)
      assert.matches("NOT TRUSTED: .*without TLS", output)
      local objects = command.json { "check", "--json", "ws://127.0.0.1:1/" }
      assert.equal("no_tls", objects[1].error.code)
      output, status = command.run { "check", "-q", "ws://127.0.0.1:1/" }
      assert.equal("", output)
      assert.equal(1, status.code)
    end)
  end)

  describe("of a server that wants a client's certificate", function()
    it("shows the one of --cert and --key", function()
      local server <close> = peers.echo { tls = certs "server",
        client_ca = certs.ca }
      local client = certs "client"
      local report, code = check_json("--cert", client.cert, "--key",
        client.key, wss(server))
      assert.equal(0, code)
      assert.is_true(report.upgraded)
      assert.is_true(report.certificate_requested)
    end)

    it("says that it was asked for one", function()
      local server <close> = peers.echo { tls = certs "server",
        client_ca = certs.ca }
      local output = check(wss(server))
      assert.matches("asked for a client's certificate", output)
    end)
  end)

  describe("ends with status 2", function()
    it("where nobody listens", function()
      local peer <close> = peers.refuse()
      local output, status = check(wss(peer))
      assert.equal(2, status.code)
      assert.matches("verdict\n  none: .*refused", output)
      local report = check_json(wss(peer))
      assert.equal("unknown", report.verdict)
      assert.equal("ECONNREFUSED", report.error.code)
    end)

    it("after --timeout", function()
      local peer <close> = peers.raw { { { "drain" } } }
      local report, code = check_json("--timeout", "0.2", wss(peer))
      assert.equal(2, code)
      assert.equal("timeout", report.error.kind)
    end)

    it("when the proxy refuses", function()
      local proxy <close> = peers.raw { { { "request" }, { "status", 407 } } }
      local report, code = check_json("--proxy", "http://127.0.0.1:"
        .. proxy.port, "wss://far.example/")
      assert.equal(2, code)
      assert.equal("proxy", report.error.kind)
    end)

    it("when a file cannot be read, or a pin is none", function()
      local report, code = check_json("--cert", "/nowhere", "wss://localhost/")
      assert.equal(2, code)
      assert.equal("io", report.error.kind)
      report, code = check_json("--pin", "sha256/short", "wss://localhost/")
      assert.equal(2, code)
      assert.equal("bad_pin", report.error.code)
    end)
  end)
end)
