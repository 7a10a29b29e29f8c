-- Who is not the server that was asked for hears nothing from us, and the
-- user hears what is wrong with him.
local certs = require "spec.support.certs"
local client = require "spec.support.client"
local peers = require "spec.support.peers"
local wss = require "uvwss"

local V = { -- X509_V_ERR_…
  unknown_issuer = 20, self_signed = 18, hostname_mismatch = 62, expired = 10,
  not_yet_valid = 9, wrong_purpose = 26, weak_key = 66, weak_signature = 68,
  name_constraint = 47, path_length = 25, invalid_ca = 79,
  missing_authority_key_identifier = 85,
}
local names = { "localhost", "server.test", "127.0.0.1", "::1" }
local below = "CN=uvwss test intermediate"
local day = 86400

local function url(peer) return "wss://127.0.0.1:" .. peer.port end

local function trusting(options)
  local tls = { ca = certs.ca, server_name = "server.test" }
  for name, value in pairs(options or {}) do tls[name] = value end
  return tls
end

-- What every refusal has in common.
local function check_refused(seen, kind, code)
  assert.is_not_nil(seen.err, "nothing was refused")
  assert.same({ kind = kind, code = code }, { kind = seen.err.kind,
    code = seen.err.code }, tostring(seen.err))
  assert.equal(seen.err.message, tostring(seen.err))
  assert.same({ 0, 1006, "", "unsent", "closed" }, { seen.opened, seen.code,
    seen.reason, seen.outcome, seen.ws.state })
  assert.is_nil(seen.echo)
  assert.equal(seen.err, seen.ws.error)
end

-- The peer saw a handshake that ended with an alert, and nothing inside.
local function check_heard(peer, alert)
  local told = peers.told(peer)
  assert.same({ "error", "tls" }, { told.event, told.name })
  assert.matches(alert, told.error, 1, true)
end

-- One who takes whatever comes once the handshake is through.
local function listener(name, options)
  local all = { tls = certs(name), weak = true }
  for key, value in pairs(options or {}) do all[key] = value end
  return peers.raw({ { { "tls" }, { "drain" } } }, all)
end

local impostors = {
  { "signed by itself", file = "selfsigned", code = "self_signed",
    alert = "UNKNOWN_CA", issuer = "CN=server.test",
    says = '^certificate of "server%.test" is signed by itself and not '
      .. "trusted %(trusted: 1 root of the 'ca' option%)$" },
  { "by an issuer that nobody knows", file = "impostor",
    code = "unknown_issuer", alert = "UNKNOWN_CA", issuer = "CN=another CA",
    says = '^chain ends at "another CA", which is not trusted '
      .. "%(trusted: 1 root of the 'ca' option%)" },
  { "without its intermediate", file = "nointermediate",
    code = "unknown_issuer", alert = "UNKNOWN_CA",
    says = '^chain ends at "uvwss test intermediate", which is not trusted '
      .. ".+ was not sent along by the peer$" },
  { "for another host", file = "wronghost", code = "hostname_mismatch",
    alert = "BAD_CERTIFICATE", subject = "CN=other.test",
    names = { "other.test" },
    says = '^certificate is for "other%.test", but "server%.test" was '
      .. "wanted$" },
  { "for a common name only", file = "cnonly", code = "hostname_mismatch",
    alert = "BAD_CERTIFICATE", names = {},
    says = 'no list of host names, so it is not good for "server%.test"$' },
  { "that has expired", file = "expired", code = "expired",
    alert = "CERTIFICATE_EXPIRED",
    says = '^certificate of "server%.test" expired 3 days ago '
      .. "%(%d%d%d%d%-%d%d%-%d%d %d%d:%d%d UTC%)$" },
  { "that is not valid yet", file = "notyet", code = "not_yet_valid",
    alert = "BAD_CERTIFICATE",
    says = "^certificate of \"server%.test\" is not valid yet: .+ "
      .. "%(2090%-01%-01 00:00 UTC%); is the clock" },
  { "meant for a client", file = "clientasserver", code = "wrong_purpose",
    alert = "UNSUPPORTED_CERTIFICATE",
    says = '^certificate of "server%.test" is not meant for a server' },
  { "with a weak key", file = "weak", code = "weak_key",
    alert = "BAD_CERTIFICATE",
    says = "has a key that is too weak %(RSA, 1024 bits" },
  { "with a weak signature", file = "weakhash", code = "weak_signature",
    alert = "BAD_CERTIFICATE", says = "signed with a hash that can be forged" },
  { "issued with one that is no CA's", file = "nonca", code = "invalid_ca",
    alert = "UNKNOWN_CA", depth = 1, says = "is not a CA's" },
  { "that its CA may not issue", file = "constrained",
    code = "name_constraint", alert = "CERTIFICATE_UNKNOWN",
    issuer = "CN=constrained CA",
    says = "a name that its issuer is not permitted to give$" },
  { "by a CA that its issuer did not allow", file = "deep",
    code = "path_length", alert = "UNKNOWN_CA", depth = 2, subject = below,
    issuer = "CN=uvwss test CA", names = {}, says = "than it allows" },
  { "that strict does not take", file = "nonform",
    code = "missing_authority_key_identifier", alert = "CERTIFICATE_UNKNOWN",
    says = "lacks the identifier of its issuer's key %(strict%)$" },
}

local function check_fields(err, case)
  local now = os.time()
  assert.matches(case.says, err.message)
  assert.same({ "server.test", case.depth or 0, V[case.code],
    case.subject or "CN=server.test", case.issuer or below,
    case.names or names },
    { err.wanted, err.depth, err.openssl, err.subject, err.issuer,
      err.names })
  local from, to = err.not_before, err.not_after
  assert.is_true(from < to)
  if case.code == "expired" then
    assert.is_true(to < now - 3 * day and to > now - 4 * day)
  elseif case.code == "not_yet_valid" then
    assert.equal(3786912000, from) -- 2090-01-01
  else
    assert.is_true(from <= now and to > now)
  end
end

describe("the man in the middle", function()
  after_each(client.zero_ledger)

  it("would be seen reading what is sent, if it were", function()
    local server <close> = peers.raw({ { { "tls" }, { "request" },
      { "upgrade" }, { "frames", 1 }, { "frame", 1, "6f6b" }, { "until", 8 },
      { "frame", 8, "03e8" } } }, { tls = certs "server", weak = true })
    local seen = client.attempt(url(server), trusting())
    assert.same({ 1, "ok", 1000, "written" },
      { seen.opened, seen.echo, seen.code, seen.outcome })
    assert.equal("tls", peers.told(server).event)
    assert.equal(client.secret, peers.told(server).headers.authorization)
    local hex = client.secret:gsub(".", function(c)
      return ("%02x"):format(c:byte())
    end)
    assert.equal(hex, peers.told(server).hex)
  end)

  for _, version in ipairs { "1.2", "1.3" } do
    describe("with TLS " .. version .. " and a certificate", function()
      for _, case in ipairs(impostors) do
        it(case[1] .. " is refused unheard", function()
          local peer <close> = listener(case.file, { tls_version = version })
          local seen = client.attempt(url(peer), trusting())
          check_refused(seen, "certificate", case.code)
          check_fields(seen.err, case)
          check_heard(peer, case.alert)
        end)
      end
    end)
  end

  it("is not asked a second time with reconnect", function()
    local peer <close> = peers.raw({ { { "tls" } }, { { "deaf" } } },
      { tls = certs "impostor" })
    local seen = client.attempt(url(peer), trusting(), { reconnect = true,
      onreconnect = function() error "it would dial again" end })
    check_refused(seen, "certificate", "unknown_issuer")
    assert.equal(0, seen.ws:stats().reconnects)
  end)

  it("makes run raise where nobody listens to the end", function()
    local peer <close> = listener "impostor"
    wss.connect(url(peer), { tls = trusting() })
    local ok, err = pcall(wss.run)
    assert.is_false(ok)
    assert.same({ "certificate", "unknown_issuer" }, { err.kind, err.code })
  end)

  it("is refused by an address that is not among the names", function()
    local peer <close> = listener "wronghost"
    local seen = client.attempt(url(peer), { ca = certs.ca })
    check_refused(seen, "certificate", "hostname_mismatch")
    assert.same({ "127.0.0.1", 64 }, { seen.err.wanted, seen.err.openssl })
    assert.matches('"127.0.0.1" was wanted', seen.err.message, 1, true)
  end)

  it("is refused by the system's store when no 'ca' is named", function()
    local peer <close> = listener "server"
    local seen = client.attempt(url(peer), nil)
    check_refused(seen, "certificate", "unknown_issuer")
    assert.matches('chain ends at "uvwss test CA", which is not trusted '
      .. "(trusted: the system store", seen.err.message, 1, true)
  end)

  describe("mitmproxy", function()
    local server, proxy, through

    setup(function()
      server = peers.echo { tls = certs "server" }
      proxy = peers.mitmproxy()
      through = { proxy = "http://127.0.0.1:" .. proxy.port }
    end)
    teardown(function()
      server:stop()
      proxy:stop()
    end)

    -- What came through to the server.
    local function heard()
      local counts = peers.counts(server)
      return { counts.connections, counts.messages, counts.bytes }
    end

    it("is refused, and the server hears nothing", function()
      local before = heard()
      local seen = client.attempt(url(server), trusting(), through)
      check_refused(seen, "certificate", "unknown_issuer")
      assert.matches('chain ends at "mitmproxy", which is not trusted '
        .. "(trusted: 1 root of the 'ca' option)", seen.err.message, 1, true)
      assert.equal("O=mitmproxy,CN=mitmproxy", seen.err.issuer)
      assert.equal("server.test", seen.err.wanted)
      assert.same(before, heard())
    end)

    -- Its certificates lack what strict asks for.
    local function let_in(options)
      local tls = { ca = proxy.ca, strict = false }
      for name, value in pairs(options or {}) do tls[name] = value end
      return tls
    end

    it("is refused by strict even where its authority is trusted", function()
      local seen = client.attempt(url(server), { ca = proxy.ca }, through)
      check_refused(seen, "certificate", "missing_authority_key_identifier")
    end)

    it("is let in where its authority is trusted", function()
      local before = peers.counts(server).messages
      local seen = client.attempt(url(server), let_in(), through)
      assert.is_nil(seen.err)
      assert.same({ client.secret, 1000, "written" },
        { seen.echo, seen.code, seen.outcome })
      assert.equal("O=mitmproxy,CN=mitmproxy", seen.tls.chain[1].issuer)
      assert.is_true(seen.tls.verified)
      assert.equal(before + 1, peers.counts(server).messages)
    end)

    it("is refused by a pin of the server's own key", function()
      local direct = client.attempt(url(server), trusting())
      local pin = direct.tls.chain[1].spki_sha256
      local before = heard()
      local seen = client.attempt(url(server), let_in { pins = pin }, through)
      check_refused(seen, "certificate", "pin_mismatch")
      assert.matches('^no pin matches the chain of "server%.test", which has '
        .. '"sha256/', seen.err.message)
      assert.is_true(#seen.err.pins > 0)
      for _, other in ipairs(seen.err.pins) do
        assert.are_not.equal(pin, other)
      end
      assert.same(before, heard())
      assert.is_nil(client.attempt(url(server), trusting { pins = pin }).err)
    end)
  end)

  describe("with an old TLS", function()
    it("is told that 1.1 is not enough", function()
      local peer <close> = listener("server", { tls_version = "1.1" })
      local seen = client.attempt(url(peer), trusting())
      check_refused(seen, "tls", "tlsv1_alert_protocol_version")
      assert.equal("protocol_version", seen.err.alert)
      assert.equal("the peer speaks no version of TLS that is allowed here "
        .. "(allowed: TLS 1.2 to TLS 1.3)", seen.err.message)
      check_heard(peer, "UNSUPPORTED_PROTOCOL")
    end)

    it("cannot talk us down to 1.1 either", function()
      -- ServerHello: 1.1, ECDHE-ECDSA-AES128-SHA, secure renegotiation
      local hello = "0200002d0302" .. ("11"):rep(32)
        .. "00c009000005ff01000100"
      local peer <close> = peers.raw { { { "send", "1603020031" .. hello },
        { "drain" } } }
      local seen = client.attempt(url(peer), trusting())
      check_refused(seen, "tls", "unsupported_protocol")
      assert.equal("the peer chose a version of TLS that is not allowed here "
        .. "(allowed: TLS 1.2 to TLS 1.3)", seen.err.message)
    end)
  end)

  it("that speaks plain HTTP is told from one that speaks TLS", function()
    local peer <close> = peers.raw { { { "text",
      "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" },
      { "drain" } } }
    local seen = client.attempt(url(peer), trusting())
    check_refused(seen, "tls", "wrong_version_number")
    assert.equal("the peer does not speak TLS on this port "
      .. "(wrong version number)", seen.err.message)
  end)

  it("that hangs up during the handshake is told so", function()
    local peer <close> = peers.raw { { { "fin" }, { "drain" } } }
    local seen = client.attempt(url(peer), trusting())
    check_refused(seen, "tls", "unexpected_eof_while_reading")
    assert.matches("during the TLS handshake", seen.err.message, 1, true)
  end)

  describe("that cuts the stream off", function()
    local places = {
      ["in the middle of a message"] = { { "frame", 1, "616263",
        { length = 10 } } },
      ["in the middle of a frame's head"] = { { "send", "817e" } },
      ["between two fragments"] = { { "frame", 1, "616263",
        { fin = false } } },
      ["between two messages"] = {},
    }
    for _, version in ipairs { "1.2", "1.3" } do
      for place, steps in pairs(places) do
        it(("%s (TLS %s) is not taken for the end"):format(place, version),
          function()
            local script = { { "tls" }, { "upgrade" }, { "frames", 1 } }
            table.move(steps, 1, #steps, #script + 1, script)
            script[#script + 1] = { "fin" }
            script[#script + 1] = { "drain" }
            local peer <close> = peers.raw({ script },
              { tls = certs "server", tls_version = version })
            local seen = client.attempt(url(peer), trusting())
            assert.is_nil(seen.echo)
            assert.same({ "tls", "unexpected_eof_while_reading", 1006 },
              { seen.err.kind, seen.err.code, seen.code })
            assert.equal("the peer ended the connection without close_notify:"
              .. " what it sent may have been cut off", seen.err.message)
          end)
      end
    end

    it("is told from one that ends it properly too early", function()
      local peer <close> = peers.raw({ { { "tls" }, { "upgrade" },
        { "frames", 1 }, { "frame", 1, "616263", { length = 10 } },
        { "notify" }, { "drain" } } }, { tls = certs "server" })
      local seen = client.attempt(url(peer), trusting())
      assert.is_nil(seen.echo)
      assert.same({ "closed", "eof", 1006 },
        { seen.err.kind, seen.err.code, seen.code })
      assert.matches("in the middle of a message", seen.err.message, 1, true)
    end)
  end)
end)

describe("a server that demands a client's certificate", function()
  local says = {
    ["1.2"] = { "sslv3_alert_handshake_failure", "handshake_failure",
      "a client's certificate that it wants" },
    ["1.3"] = { "tlsv13_alert_certificate_required", "certificate_required",
      "requires a client's certificate, and none was given" },
  }
  after_each(client.zero_ledger)

  for version, expected in pairs(says) do
    describe("(TLS " .. version .. ")", function()
      local server

      setup(function()
        server = peers.echo { tls = certs "server", client_ca = certs.ca,
          tls_version = version, hello = true }
      end)
      teardown(function() server:stop() end)

      local function with(name, options)
        local own = trusting(certs(name))
        for key, value in pairs(options or {}) do own[key] = value end
        return client.attempt(url(server), own)
      end

      -- asyncio hangs up without a word; this one sends its alert.
      local function strict_one()
        return listener("server", { client_ca = certs.ca,
          tls_version = version })
      end

      it("says so by an alert, which is named", function()
        local peer <close> = strict_one()
        local seen = client.attempt(url(peer), trusting())
        check_refused(seen, "tls", expected[1])
        assert.equal(expected[2], seen.err.alert)
        assert.matches(expected[3], seen.err.message, 1, true)
      end)

      it("takes one of its CA, and knows who we are", function()
        local seen = with "client"
        assert.is_nil(seen.err)
        assert.matches('"commonName", "client"', seen.echo, 1, true)
      end)

      it("takes one whose key needs a password", function()
        local seen = with("encrypted", { password = "secret" })
        assert.is_nil(seen.err)
        assert.matches('"commonName", "client"', seen.echo, 1, true)
      end)

      it("refuses one of another CA by an alert, which is named", function()
        local peer <close> = strict_one()
        local seen = client.attempt(url(peer), trusting(certs "impostor"))
        check_refused(seen, "tls", "tlsv1_alert_unknown_ca")
        assert.equal("unknown_ca", seen.err.alert)
        assert.equal("the peer does not know the CA of our certificate: "
          .. "alert unknown_ca", seen.err.message)
      end)
    end)
  end
end)
