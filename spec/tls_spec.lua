-- Every option of `tls`, against servers that are not ours.
local certs = require "spec.support.certs"
local client = require "spec.support.client"
local peers = require "spec.support.peers"
local process = require "spec.support.process"
local wss = require "uvwss"

local function url(peer) return "wss://127.0.0.1:" .. peer.port end

local function trusting(options)
  local tls = { ca = certs.ca }
  for name, value in pairs(options or {}) do tls[name] = value end
  return tls
end

-- It worked, and the secret came back.
local function works(peer, tls)
  local seen = client.attempt(url(peer), tls)
  assert.is_nil(seen.err)
  assert.same({ 1, client.secret, 1000 },
    { seen.opened, seen.echo, seen.code })
  return seen
end

local function fails(peer, tls, kind, code)
  local seen = client.attempt(url(peer), tls)
  assert.is_not_nil(seen.err, "it did not fail")
  assert.same({ kind, code, 0, "unsent" }, { seen.err.kind, seen.err.code,
    seen.opened, seen.outcome }, tostring(seen.err))
  return seen.err
end

local function all_of(name)
  return assert(process.read_file(name))
end

describe("TLS", function()
  local server

  setup(function() server = peers.echo { tls = certs "server" } end)
  teardown(function() server:stop() end)
  after_each(client.zero_ledger)

  describe("by default", function()
    it("is 1.3, verified, and tells the chain as it was verified", function()
      local tls = works(server, trusting()).tls
      assert.same({ "TLSv1.3", true, false },
        { tls.version, tls.verified, tls.resumed })
      assert.matches("^TLS_", tls.cipher)
      assert.equal("x25519", tls.group:lower())
      local subjects = {}
      for i, cert in ipairs(tls.chain) do subjects[i] = cert.subject end
      assert.same({ "CN=server.test", "CN=uvwss test intermediate",
        "CN=uvwss test CA" }, subjects)
    end)

    it("tells of a certificate what openssl tells of it", function()
      local leaf = works(server, trusting()).tls.chain[1]
      local file = certs("server").cert
      local function openssl(...)
        return (process.run { "openssl", "x509", "-in", file, "-noout", ... })
      end
      assert.same({ "localhost", "server.test", "127.0.0.1", "::1" },
        leaf.names)
      assert.equal("CN=uvwss test intermediate", leaf.issuer)
      assert.equal(openssl "-serial":match "=0*(%x+)":lower(),
        leaf.serial:match "^0*(%x+)$")
      assert.equal(openssl("-fingerprint", "-sha256"):match "=(.-)\n"
        :gsub(":", ""):lower(), leaf.sha256)
      assert.matches(leaf.pem, all_of(file), 1, true)
      local digest = process.run { "sh", "-c", "openssl x509 -in \"$1\" "
        .. "-pubkey -noout | openssl pkey -pubin -outform der "
        .. "| openssl dgst -sha256 -binary | openssl base64", "sh", file }
      assert.equal("sha256/" .. digest:match "%S+", leaf.spki_sha256)
      local days = (leaf.not_after - os.time()) / 86400
      assert.is_true(math.abs(days - leaf.days_left) < 0.1)
      assert.equal(3650 * 86400, leaf.not_after - leaf.not_before)
    end)
  end)

  describe("'ca'", function()
    it("may be a file, PEM text, or a list of both", function()
      works(server, { ca = certs.ca })
      works(server, { ca = all_of(certs.ca) })
      works(server, { ca = { certs.file "other-ca.crt", all_of(certs.ca) } })
    end)

    it("may be a folder, in which other things may lie", function()
      local dir <close> = process.directory()
      process.write_file(dir.path .. "/any.name", all_of(certs.ca))
      process.write_file(dir.path .. "/README", "nothing")
      works(server, { ca = dir.path })
      works(server, { ca = { certs.file "other-ca.crt", dir.path } })
    end)

    it("is all that is trusted", function()
      local err = fails(server, { ca = certs.file "other-ca.crt" },
        "certificate", "unknown_issuer")
      assert.matches("trusted: 1 root of the 'ca' option", err.message, 1,
        true)
    end)

    it("is counted in the sentence about who is trusted", function()
      local err = fails(server, { ca = { certs.file "other-ca.crt",
        certs.file "oldroot.crt" } }, "certificate", "unknown_issuer")
      assert.matches("trusted: 2 roots of the 'ca' option", err.message, 1,
        true)
    end)

    it("may be a root that strict would not take elsewhere", function()
      local peer <close> = peers.echo { tls = certs "oldserver" }
      works(peer, { ca = certs.file "oldroot.crt" })
    end)

    it("may be the very certificate that signed itself", function()
      local peer <close> = peers.echo { tls = certs "selfsigned" }
      works(peer, { ca = certs.file "selfsigned.crt" })
    end)
  end)

  describe("the system's store", function()
    -- A process of its own, whose system trusts 'file'.
    local function child(peer, options, file)
      local output, status = process.run { "lua5.4", "-e", ([[
        local wss = require "uvwss"
        local ws = wss.connect(%q, { tls = { %s } })
        ws.onopen = function() ws:close() end
        ws.onclose = function(_, code, _, err)
          io.write(code, " ", err and err.code or "fine")
        end
        wss.run()]]):format(url(peer), options), env = {
        SSL_CERT_FILE = file, SSL_CERT_DIR = "/nonexistent" } }
      assert.same({ "exit", 0, "" }, { status.how, status.code,
        status.stderr })
      return output
    end
    local other = ("ca = %q"):format(certs.file "other-ca.crt")

    it("is used where there is no 'ca'", function()
      assert.equal("1000 fine", child(server, "", certs.ca))
      assert.equal("1006 unknown_issuer",
        child(server, "", certs.file "other-ca.crt"))
    end)

    it("is replaced by 'ca'", function()
      assert.equal("1006 unknown_issuer", child(server, other, certs.ca))
    end)

    it("is added to 'ca' by 'system_ca'", function()
      assert.equal("1000 fine",
        child(server, other .. ", system_ca = true", certs.ca))
      assert.equal("1006 unknown_issuer", child(server,
        other .. ", system_ca = true", certs.file "oldroot.crt"))
    end)
  end)

  describe("'cert' and 'key'", function()
    local demanding

    setup(function()
      demanding = peers.echo { tls = certs "server", client_ca = certs.ca,
        hello = true }
    end)
    teardown(function() demanding:stop() end)

    local function known(tls)
      local seen = client.attempt(url(demanding), trusting(tls))
      assert.is_nil(seen.err)
      assert.matches('"commonName", "client"', seen.echo, 1, true)
    end
    local own = certs "client"

    it("may be files", function() known(own) end)

    it("may be PEM text", function()
      known { cert = all_of(own.cert), key = all_of(own.key) }
    end)

    it("may be one file", function()
      local dir <close> = process.directory()
      known { cert = process.write_file(dir.path .. "/both.pem",
        all_of(own.key) .. all_of(own.cert)) }
      known { cert = all_of(own.cert) .. all_of(own.key) }
    end)

    it("open with 'password'", function()
      local pair = certs "encrypted"
      known { cert = pair.cert, key = pair.key, password = "secret" }
    end)

    local wrong = {
      { "no password", { password = false }, "bad_password_read",
        "is encrypted, and no 'password' was given" },
      { "a wrong password", { password = "guess" }, "bad_decrypt",
        "the 'password' is wrong, or the file is damaged" },
      { "the key of another", { key = certs("server").key },
        "key_values_mismatch", "is not that of the certificate in 'cert'" },
      { "a key that is a certificate", { key = own.cert }, "no_private_key",
        "there is no private key in" },
    }
    for _, case in ipairs(wrong) do
      it("fail with " .. case[1] .. ", naming the file", function()
        local pair = certs "encrypted"
        local key = case[2].key or pair.key
        local err = fails(demanding, trusting { cert = pair.cert, key = key,
          password = case[2].password or nil }, "tls", case[3])
        assert.matches(case[4], err.message, 1, true)
        assert.matches(key, err.message, 1, true)
      end)
    end

    it("fail together where only 'key' is given", function()
      local err = fails(demanding, trusting { key = own.key }, "tls",
        "no_certificate")
      assert.equal("'key' was given without 'cert'", err.message)
    end)
  end)

  describe("a file that is", function()
    local dir
    setup(function() dir = process.directory() end)
    teardown(function() dir:remove() end)

    for _, option in ipairs { "ca", "cert", "key", "keylog" } do
      it("missing is told of by its path ('" .. option .. "')", function()
        local path = dir.path .. "/none/x"
        local tls = trusting { cert = certs("client").cert,
          key = certs("client").key, [option] = path }
        local err = fails(server, tls, "io", "ENOENT")
        assert.equal(path, err.path)
        assert.matches(path, err.message, 1, true)
        assert.matches("there is no such file", err.message, 1, true)
      end)
    end

    for _, option in ipairs { "ca", "cert" } do
      it("not PEM is told of by its path ('" .. option .. "')", function()
        local path = process.write_file(dir.path .. "/not.pem", "hello\n")
        local err = fails(server, trusting { [option] = path }, "tls",
          "no_certificate")
        assert.matches(path, err.message, 1, true)
      end)

      it("damaged is told of by its path ('" .. option .. "')", function()
        local path = process.write_file(dir.path .. "/damaged.pem",
          (all_of(certs.ca):gsub("\n%w", "\n!", 5)))
        local seen = client.attempt(url(server), trusting {
          [option] = path })
        assert.equal("tls", seen.err.kind)
        assert.matches("cannot read a certificate of", seen.err.message, 1,
          true)
        assert.matches(path, seen.err.message, 1, true)
      end)
    end

    it("a folder without certificates is no 'ca'", function()
      local empty <close> = process.directory()
      local err = fails(server, { ca = empty.path }, "tls", "no_certificate")
      assert.matches(empty.path, err.message, 1, true)
    end)

    it("a folder is no 'cert'", function()
      local err = fails(server, trusting { cert = dir.path }, "io", "EISDIR")
      assert.equal(dir.path, err.path)
    end)
  end)

  describe("'server_name'", function()
    it("is the name that is verified", function()
      local peer <close> = peers.echo { tls = certs "wildcard" }
      works(peer, trusting { server_name = "any.wild.test" })
      local err = fails(peer, trusting { server_name = "a.b.wild.test" },
        "certificate", "hostname_mismatch")
      assert.same({ "a.b.wild.test", { "*.wild.test" } },
        { err.wanted, err.names })
      fails(peer, trusting { server_name = "wild.test" }, "certificate",
        "hostname_mismatch")
      fails(peer, trusting(), "certificate", "hostname_mismatch")
    end)

    it("may be an address", function()
      local peer <close> = peers.echo { tls = certs "ipserver" }
      works(peer, trusting())
      works(peer, trusting { server_name = "127.0.0.1" })
      fails(peer, trusting { server_name = "::1" }, "certificate",
        "hostname_mismatch")
      fails(peer, trusting { server_name = "server.test" }, "certificate",
        "hostname_mismatch")
    end)

    it("is the name that is asked for (SNI), and no address is", function()
      local function asked(tls)
        local peer <close> = peers.raw { { { "recv", 125 },
          { "reset" } } }
        client.attempt(url(peer), tls)
        return peers.told(peer).hex
      end
      local name = ("server.test"):gsub(".", function(c)
        return ("%02x"):format(c:byte())
      end)
      -- The extension 0: a list of one name of type 0 (RFC 6066, 3).
      local sni = "0000" .. "0010" .. "000e" .. "00" .. "000b" .. name
      local hello = asked(trusting { server_name = "server.test" })
      assert.matches(sni, hello, 1, true)
      assert.is_nil(asked(trusting()):find(("127."):gsub(".", function(c)
        return ("%02x"):format(c:byte())
      end), 1, true))
    end)
  end)

  describe("'pins'", function()
    local none = "sha256/" .. ("A"):rep(43) .. "="
    local chain
    setup(function() chain = works(server, trusting()).tls.chain end)

    it("take any key of the verified chain", function()
      for _, cert in ipairs(chain) do
        works(server, trusting { pins = cert.spki_sha256 })
        works(server, trusting { pins = { none, cert.spki_sha256 } })
      end
    end)

    it("refuse a right certificate with another key", function()
      local peer <close> = peers.echo { tls = certs "server2" }
      works(peer, trusting())
      local err = fails(peer, trusting { pins = chain[1].spki_sha256 },
        "certificate", "pin_mismatch")
      assert.equal(3, #err.pins)
      assert.equal(chain[3].spki_sha256, err.pins[3])
      assert.matches(err.pins[1], err.message, 1, true)
    end)

    it("do not replace verification", function()
      local peer <close> = peers.echo { tls = certs "impostor" }
      local pin = works(peer, { insecure = true }).tls.chain[1].spki_sha256
      fails(peer, trusting { pins = pin }, "certificate", "unknown_issuer")
    end)

    it("that are none fail at once", function()
      for _, pin in ipairs { "", "sha256/AAAA", "sha1/" .. none,
        none:lower() .. "=" } do
        local err = fails(server, trusting { pins = pin }, "tls", "bad_pin")
        assert.matches("is not a pin", err.message, 1, true)
      end
    end)
  end)

  describe("a version", function()
    it("may be bounded from both sides", function()
      assert.equal("TLSv1.2",
        works(server, trusting { max_version = "1.2" }).tls.version)
      assert.equal("TLSv1.3",
        works(server, trusting { min_version = "1.3" }).tls.version)
    end)

    it("that the server does not have is told", function()
      local peer <close> = peers.raw({ { { "tls" } } },
        { tls = certs "server", tls_version = "1.2" })
      local err = fails(peer, trusting { min_version = "1.3" }, "tls",
        "tlsv1_alert_protocol_version")
      assert.matches("(allowed: TLS 1.3)", err.message, 1, true)
    end)

    it("of long ago works for those who ask for it", function()
      local peer <close> = peers.raw({ { { "tls" }, { "upgrade" },
        { "frames", 1 }, { "frame", 1, "6f6b" }, { "until", 8 },
        { "frame", 8, "03e8" } } },
        { tls = certs "server", tls_version = "1.1", weak = true })
      local seen = client.attempt(url(peer), trusting {
        min_version = "1.1" })
      assert.is_nil(seen.err)
      assert.same({ "ok", "TLSv1.1" }, { seen.echo, seen.tls.version })
    end)

    it("of long ago does not bring back weak certificates", function()
      for name, code in pairs { weak = "weak_key",
        weakhash = "weak_signature" } do
        local peer <close> = peers.raw({ { { "tls" } } },
          { tls = certs(name), weak = true })
        fails(peer, trusting { min_version = "1.0" }, "certificate", code)
      end
    end)

    it("below another that must be above fails at once", function()
      local err = fails(server, trusting { min_version = "1.3",
        max_version = "1.2" }, "tls", "no_protocols_available")
      assert.equal("min_version (TLS 1.3) is above max_version (TLS 1.2)",
        err.message)
    end)
  end)

  describe("the choice of", function()
    it("'ciphers' is obeyed", function()
      for _, cipher in ipairs { "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305" } do
        assert.equal(cipher, works(server, trusting { ciphers = cipher,
          max_version = "1.2" }).tls.cipher)
      end
    end)

    it("'ciphersuites' is obeyed", function()
      for _, suite in ipairs { "TLS_AES_128_GCM_SHA256",
        "TLS_CHACHA20_POLY1305_SHA256" } do
        assert.equal(suite, works(server, trusting { ciphersuites = suite })
          .tls.cipher)
      end
    end)

    it("'groups' is obeyed", function()
      assert.equal("secp384r1",
        works(server, trusting { groups = "P-384" }).tls.group)
      assert.equal("secp256r1",
        works(server, trusting { groups = "P-256:X25519" }).tls.group)
    end)

    it("what the server does not have is told of by its alert", function()
      local peer <close> = peers.raw({ { { "tls" } } },
        { tls = certs "server" })
      local err = fails(peer, trusting { max_version = "1.2",
        ciphers = "ECDHE-RSA-AES128-GCM-SHA256" }, "tls",
        "sslv3_alert_handshake_failure")
      assert.equal("handshake_failure", err.alert)
    end)

    it("what nobody knows fails at once", function()
      for option, code in pairs { ciphers = "no_cipher_match",
        ciphersuites = "no_cipher_match", groups = "no_suitable_groups" } do
        local err = fails(server, trusting { [option] = "rot13" }, "tls",
          code)
        assert.matches("'" .. option .. "' \"rot13\"", err.message, 1, true)
      end
    end)
  end)

  describe("'alpn'", function()
    local talking

    setup(function()
      talking = peers.echo { tls = certs "server",
        alpn = { "b", "http/1.1" } }
    end)
    teardown(function() talking:stop() end)

    it("is http/1.1 unless another is named", function()
      assert.equal("http/1.1", works(talking, trusting()).tls.alpn)
    end)

    it("is what server and client agree on", function()
      assert.equal("b", works(talking, trusting {
        alpn = { "a", "b" } }).tls.alpn)
      assert.equal("b", works(talking, trusting { alpn = "b" }).tls.alpn)
    end)

    it("is empty where they do not", function()
      assert.equal("", works(talking, trusting { alpn = "a" }).tls.alpn)
      assert.equal("", works(talking, trusting { alpn = {} }).tls.alpn)
      assert.equal("", works(server, trusting()).tls.alpn)
    end)
  end)

  describe("'max_depth'", function()
    it("is the number of intermediates", function()
      works(server, trusting { max_depth = 1 })
      local err = fails(server, trusting { max_depth = 0 }, "certificate",
        "chain_too_long")
      assert.equal("chain is too long: more than 0 intermediates",
        err.message)
    end)

    it("is 100 at most, however large the number", function()
      for _, depth in ipairs { 101, 1 << 32, 1 << 40 } do
        local ok, message = pcall(wss.tls, { max_depth = depth })
        assert.is_false(ok)
        assert.matches("option 'max_depth': at most 100", message, 1, true)
      end
    end)
  end)

  it("is as lax as before RFC 5280 without 'strict'", function()
    local peer <close> = peers.echo { tls = certs "nonform" }
    fails(peer, trusting(), "certificate",
      "missing_authority_key_identifier")
    assert.is_true(works(peer, trusting { strict = false }).tls.verified)
  end)

  describe("'insecure'", function()
    it("takes anyone, and says that nothing was verified", function()
      for _, name in ipairs { "impostor", "selfsigned", "expired",
        "wronghost", "clientasserver" } do
        local peer <close> = peers.echo { tls = certs(name) }
        local tls = works(peer, { insecure = true }).tls
        assert.is_false(tls.verified)
      end
    end)
  end)

  describe("'keylog'", function()
    local secrets = {
      ["1.2"] = "\nCLIENT_RANDOM %x+ %x+\n",
      ["1.3"] = "\nCLIENT_TRAFFIC_SECRET_0 %x+ %x+\n",
    }
    local dir
    before_each(function() dir = process.directory() end)
    after_each(function() dir:remove() end)

    for version, pattern in pairs(secrets) do
      it("gets the secrets of TLS " .. version, function()
        local path = dir.path .. "/keys"
        works(server, trusting { keylog = path, max_version = version })
        assert.matches(pattern, "\n" .. all_of(path))
      end)
    end

    it("is appended to, and nobody else may read it", function()
      local path = process.write_file(dir.path .. "/keys", "# mine\n")
      works(server, trusting { keylog = path })
      assert.matches("^# mine\n%u", all_of(path))
      local fresh = dir.path .. "/fresh"
      works(server, trusting { keylog = fresh })
      assert.equal("600\n", (process.run { "stat", "-c", "%a", fresh }))
    end)

    it("may be named by SSLKEYLOGFILE", function()
      local path = dir.path .. "/keys"
      local _, status = process.run { "lua5.4", "-e", ([[
        local wss = require "uvwss"
        wss.connect(%q, { tls = { ca = %q },
          onopen = function(ws) ws:close() end })
        wss.run()]]):format(url(server), certs.ca),
        env = { SSLKEYLOGFILE = path } }
      assert.same({ "exit", 0, "" }, { status.how, status.code,
        status.stderr })
      assert.matches("CLIENT_TRAFFIC_SECRET_0 %x+ %x+\n", all_of(path))
    end)
  end)

  describe("'trace'", function()
    it("tells each message of the handshake as it passes", function()
      local steps = {}
      works(server, trusting { trace = function(step)
        steps[#steps + 1] = step
      end })
      local words, last = {}, 0
      for i, step in ipairs(steps) do
        assert.is_true(step.bytes > 0 and step.milliseconds >= last)
        last = step.milliseconds
        words[i] = step.direction .. " " .. step.name
      end
      assert.equal(0, steps[1].milliseconds)
      local text = table.concat(words, "\n")
      local from = 1
      for _, expected in ipairs { "out ClientHello", "in ServerHello",
        "in EncryptedExtensions", "in Certificate", "in CertificateVerify",
        "in Finished", "out Finished" } do
        local _, to = text:find(expected, from, true)
        assert.is_not_nil(to, expected .. " in\n" .. text)
        from = to + 1
      end
    end)

    it("tells the alert with which we refuse", function()
      local peer <close> = peers.raw({ { { "tls" } } },
        { tls = certs "impostor" })
      local last
      fails(peer, trusting { trace = function(step) last = step end },
        "certificate", "unknown_issuer")
      assert.same({ "out", "Alert" }, { last.direction, last.name })
    end)
  end)

  describe("a session", function()
    -- One connection, lost and made again `times`; `between` is called with
    -- the connection before it is made again. Returns what onopen was told.
    local function over_again(port, tls, times, between)
      local resumed, last = {}, {}
      local ws = wss.connect("wss://127.0.0.1:" .. port, { tls = tls,
        open_timeout = 60, reconnect = { min = 0.01, max = 0.05 } })
      function ws:onopen(info)
        resumed[#resumed + 1] = info.resumed
        assert(self.tls.resumed == info.resumed)
        self:send "ticket, please"
      end
      function ws:onmessage()
        times = times - 1
        if times < 0 then self:close()
        elseif between then between(self)
        else self:reconnect() end
      end
      function ws:onclose(code, _, err) last.code, last.err = code, err end
      wss.run()
      return resumed, last.err
    end

    for _, version in ipairs { "1.2", "1.3" } do
      it("of TLS " .. version .. " is resumed on every redial", function()
        local list, err = over_again(server.port,
          trusting { max_version = version }, 3)
        assert.is_nil(err)
        assert.same({ false, true, true, true }, list)
      end)
    end

    it("is not resumed with 'session = false'", function()
      assert.same({ false, false, false }, (over_again(server.port,
        trusting { session = false }, 2)))
    end)

    it("keeps the chain that was verified", function()
      local seen = {}
      local ws = wss.connect(url(server), { tls = trusting() })
      ws.onopen = function(self)
        seen[#seen + 1] = self.tls
        self:send "ticket, please"
      end
      ws.onmessage = function(self)
        if #seen == 2 then self:close() else self:reconnect() end
      end
      wss.run()
      assert.same({ false, true }, { seen[1].resumed, seen[2].resumed })
      assert.is_true(seen[2].verified)
      assert.equal("CN=server.test", seen[2].chain[1].subject)
      assert.equal(seen[1].chain[1].sha256, seen[2].chain[1].sha256)
    end)

    -- Another server takes the port while the connection is up.
    local function replaced_by(name)
      local first = peers.echo { tls = certs "server" }
      local second
      local list, err = over_again(first.port, trusting(), 1, function()
        first:stop()
        second = peers.echo { tls = certs(name), port = first.port }
      end)
      second:stop()
      return list, err
    end

    it("is not resumed with another server, which is verified", function()
      local list, err = replaced_by "server2"
      assert.is_nil(err)
      assert.same({ false, false }, list)
    end)

    it("does not open the door to an impostor", function()
      local list, err = replaced_by "impostor"
      assert.same({ false }, list)
      assert.same({ "certificate", "unknown_issuer" },
        { err.kind, err.code })
    end)
  end)

  describe("a configuration of its own (wss.tls)", function()
    it("serves several connections at once", function()
      local shared = assert(wss.tls(trusting()))
      local open, most, echoes = 0, 0, 0
      local list = {}
      for i = 1, 2 do
        local ws = wss.connect(url(server), { tls = shared })
        list[i] = ws
        ws.onopen = function()
          open = open + 1
          most = math.max(most, open)
          if open == 2 then
            for _, each in ipairs(list) do each:send "x" end
          end
        end
        ws.onmessage = function(self)
          echoes = echoes + 1
          self:close()
        end
      end
      wss.run()
      assert.same({ 2, 2 }, { most, echoes })
    end)

    it("reads its files again with reload", function()
      local dir <close> = process.directory()
      local path = process.write_file(dir.path .. "/ca",
        all_of(certs.file "other-ca.crt"))
      local shared = assert(wss.tls { ca = path })
      fails(server, shared, "certificate", "unknown_issuer")
      process.write_file(path, all_of(certs.ca))
      fails(server, shared, "certificate", "unknown_issuer")
      assert.is_true(shared:reload())
      works(server, shared)
    end)

    it("stays as it was where reload fails", function()
      local dir <close> = process.directory()
      local path = process.write_file(dir.path .. "/ca", all_of(certs.ca))
      local shared = assert(wss.tls { ca = path })
      process.write_file(path, "no longer one")
      local ok, err = shared:reload()
      assert.is_nil(ok)
      assert.same({ "tls", "no_certificate" }, { err.kind, err.code })
      assert.matches(path, err.message, 1, true)
      works(server, shared)
      os.remove(path)
      ok, err = shared:reload()
      assert.is_nil(ok)
      assert.same({ "io", "ENOENT", path }, { err.kind, err.code, err.path })
      works(server, shared)
    end)

    it("outlives its last reference while a connection uses it", function()
      local echo
      local ws = wss.connect(url(server), {
        tls = assert(wss.tls(trusting())) })
      collectgarbage()
      collectgarbage()
      ws:send "x"
      ws.onmessage = function(self, data)
        echo = data
        self:close()
      end
      wss.run()
      assert.equal("x", echo)
    end)

    it("is nil and why where a file is wrong", function()
      local tls, err = wss.tls { ca = "/nonexistent/ca" }
      assert.is_nil(tls)
      assert.same({ "io", "ENOENT", "/nonexistent/ca" },
        { err.kind, err.code, err.path })
    end)
  end)
end)
