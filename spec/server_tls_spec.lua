-- Every other option of a server's `tls`, as openssl s_client and our client
-- see it: names, protocols, staples, versions, ciphers, tickets, reload.

local certs = require "spec.support.certs"
local process = require "spec.support.process"
local server = require "spec.support.server"
local visitors = require "spec.support.visitors"
local wss = require "uvwss"

local function pair(name, more)
  local tls = certs(name)
  for key, value in pairs(more or {}) do tls[key] = value end
  return tls
end

-- A server that sends back. It records `refused`, and `tls` of the last that
-- was opened.
local function site(tls, handlers)
  local seen = { refused = {} }
  local all = { tls = tls,
    onopen = function(_, ws) seen.tls = ws.tls end,
    onmessage = function(_, ws, data, kind) ws:send(data, kind) end,
    onclose = function(_, _, _, _, err) seen.err = err end,
    onrefused = function(_, err) table.insert(seen.refused, err) end }
  for name, value in pairs(handlers or {}) do all[name] = value end
  return server.listen(all, "wss://localhost:0"), seen
end

-- One conversation of our client: what its TLS was, or the error.
local function visit(s, tls)
  local all = { ca = certs.ca }
  for name, value in pairs(tls or {}) do all[name] = value end
  local ws = wss.connect(s.url, { tls = all, open_timeout = 60 })
  local its, over
  function ws:onopen() self:send "x" end
  function ws:onmessage(data)
    assert(data == "x")
    its = self.tls
    self:close()
  end
  function ws:onclose(_, _, err) over = { err } end
  server.await(function() return over end, "the end of the client")
  return its, over[1]
end

local function client(s, ...)
  return visitors.s_client(s.port, { "-CAfile", certs.ca, ... })
end

-- As s_client prints the server's certificate.
local function subject_in(shown)
  return shown:match "\nsubject=CN = ([^\n]*)\n"
end

local function read(name)
  return assert(process.read_file(name))
end

describe("a server with several certificates", function()
  local s
  setup(function()
    s = site(pair("server", { sni = {
      ["a.example"] = certs "aserver",
      ["*.b.example"] = certs "bserver",
      ["exact.b.example"] = certs "server2",
      ["rsa.example"] = certs "rsaserver" } }))
  end)
  teardown(function() server.finish(s) end)

  local fallback <const> = "server.test"
  -- what is asked for, what is shown
  local names = {
    { "a.example", "a.example" },
    { "A.Example", "a.example" },
    { "rsa.example", "rsa.example" },
    { "x.b.example", "b.example" },
    { "X.B.EXAMPLE", "b.example" },
    { "b.example", fallback },
    { "y.x.b.example", fallback },
    { "xb.example", fallback },
    { "a.example.org", fallback },
    { "www.a.example", fallback },
    { "*.b.example", fallback },
    { "unknown.test", fallback },
    { "localhost", fallback },
  }
  for _, case in ipairs(names) do
    it(("shows who asks for %s that of %s"):format(case[1], case[2]),
      function()
        for _, version in ipairs { "-tls1_2", "-tls1_3" } do
          local shown, answer = client(s, "-servername", case[1], version)
          assert.equal(case[2], subject_in(shown))
          assert.equal("x", answer)
        end
      end)
  end

  it("shows who asks for no name its 'cert'", function()
    local shown, answer = client(s, "-noservername")
    assert.same({ fallback, "x" }, { subject_in(shown), answer })
    assert.equal("CN=server.test", visit(s).chain[1].subject)
  end)

  it("lets our client have what it asked for, verified by that name",
    function()
      for name, subject in pairs { ["a.example"] = "CN=a.example",
        ["any.b.example"] = "CN=b.example",
        ["rsa.example"] = "CN=rsa.example",
        ["server.test"] = "CN=server.test" } do
        local its = visit(s, { server_name = name })
        assert.same({ true, subject }, { its.verified,
          its.chain[1].subject })
      end
    end)

  it("prefers an exact name to a wildcard", function()
    local shown = client(s, "-servername", "exact.b.example")
    local leaf = shown:match "(%-%-%-%-%-BEGIN CERT.-END CERTIFICATE%-+)"
    assert.matches(leaf, read(certs("server2").cert), 1, true)
  end)

  it("sends the intermediate with each of them", function()
    for _, name in ipairs { "a.example", "x.b.example", "unknown.test" } do
      local shown = client(s, "-servername", name, "-verify_return_error")
      assert.matches("Verification: OK", shown, 1, true)
    end
  end)

  it("resumes a session under its name only", function()
    for _, version in ipairs { "-tls1_2", "-tls1_3" } do
      local dir <close> = process.directory()
      local ticket = dir.path .. "/ticket"
      client(s, "-servername", "a.example", "-sess_out", ticket, version)
      local shown, answer = client(s, "-servername", "x.b.example",
        "-sess_in", ticket, version)
      assert.matches("\nNew, ", shown)
      assert.same({ "b.example", "x" }, { subject_in(shown), answer })
      shown = client(s, "-servername", "a.example", "-sess_in", ticket,
        version)
      assert.matches("\nReused, ", shown)
    end
  end)
end)

describe("a server's 'alpn'", function()
  after_each(server.clean)

  -- Named by the server, offered by the client, what comes of it.
  local cases = {
    { nil, "http/1.1", "http/1.1" },
    { { "b", "http/1.1" }, "http/1.1,b", "b" },
    { { "http/1.1", "b" }, "http/1.1,b", "http/1.1" },
    { { "b", "http/1.1" }, "h2,http/1.1", "http/1.1" },
    { "c", "a,b,c", "c" },
    { { "b" }, "h2", false },
    { nil, "h2", false },
  }
  for _, case in ipairs(cases) do
    local own, offered, chosen = case[1], case[2], case[3]
    local listed = type(own) == "table" and table.concat(own, ",")
      or own or "its default"
    it(("(%s) and an offer of %s: %s"):format(listed, offered,
      chosen or "refused"), function()
        for _, version in ipairs { "-tls1_2", "-tls1_3" } do
          local s, seen = site(pair("server", { alpn = own }))
          local shown, answer = client(s, "-alpn", offered, version)
          if chosen then
            assert.matches("ALPN protocol: " .. chosen .. "\n", shown, 1,
              true)
            assert.same({ "x", chosen }, { answer, seen.tls.alpn })
          else
            assert.matches("SSL alert number 120", shown, 1, true)
            assert.same({ "tls", "no_application_protocol" },
              { server.refusal(seen, 1).kind, server.refusal(seen, 1).code })
          end
          server.finish(s)
        end
      end)
  end

  it("asks nobody to offer any", function()
    local s, seen = site(pair "server")
    local shown, answer = client(s)
    assert.matches("No ALPN negotiated", shown, 1, true)
    assert.same({ "x", "" }, { answer, seen.tls.alpn })
    server.finish(s)
  end)

  it("is heard by our client, as is that there is none", function()
    local s = site(pair("server", { alpn = { "b" } }))
    assert.equal("b", visit(s, { alpn = { "a", "b" } }).alpn)
    assert.equal("", visit(s, { alpn = {} }).alpn)
    local its, err = visit(s, { alpn = "a" })
    assert.is_nil(its)
    assert.same({ "tls", "no_application_protocol" }, { err.kind,
      err.alert })
    server.finish(s)
  end)
end)

describe("a server's 'ocsp'", function()
  after_each(server.clean)

  it("is stapled for who asks for it", function()
    for _, version in ipairs { "-tls1_2", "-tls1_3" } do
      local s = site(pair("server", { ocsp = certs.file "server.ocsp" }))
      local shown, answer = client(s, "-status", version)
      assert.equal("x", answer)
      assert.matches("OCSP Response Status: successful (0x0)", shown, 1,
        true)
      assert.matches("Cert Status: good", shown, 1, true)
      shown = client(s, version)
      assert.is_nil(shown:find("OCSP", 1, true))
      server.finish(s)
    end
  end)

  it("is about 'cert', and not sent with another certificate", function()
    local s = site(pair("server", { ocsp = certs.file "server.ocsp",
      sni = { ["a.example"] = certs "aserver" } }))
    local shown = client(s, "-status", "-servername", "a.example")
    assert.matches("OCSP response: no response sent", shown, 1, true)
    shown = client(s, "-status", "-servername", "server.test")
    assert.matches("Cert Status: good", shown, 1, true)
    server.finish(s)
  end)

  it("that is none is told when listening", function()
    local dir <close> = process.directory()
    local file = process.write_file(dir.path .. "/x.ocsp", "good, I swear")
    for path, expected in pairs { [file] = { "tls", "bad_ocsp" },
      [dir.path .. "/none"] = { "io", "ENOENT" } } do
      local s, err = wss.listen("wss://localhost:0",
        { tls = pair("server", { ocsp = path }) })
      assert.is_nil(s)
      assert.same(expected, { err.kind, err.code })
      assert.matches(path, err.message, 1, true)
    end
  end)
end)

describe("a server's choice of", function()
  after_each(server.clean)

  local all = { "-tls1", "-tls1_1", "-tls1_2", "-tls1_3" }
  -- min_version, max_version, what is served
  local versions = {
    { nil, nil, { ["-tls1_2"] = true, ["-tls1_3"] = true } },
    { "1.3", nil, { ["-tls1_3"] = true } },
    { nil, "1.2", { ["-tls1_2"] = true } },
  }
  for _, case in ipairs(versions) do
    it(("versions (%s to %s) is kept to"):format(case[1] or "default",
      case[2] or "default"), function()
        local s, seen = site(pair("server", { min_version = case[1],
          max_version = case[2] }))
        for _, version in ipairs(all) do
          local _, answer = client(s, version, "-cipher",
            "DEFAULT:@SECLEVEL=0")
          assert.equal(case[3][version] and "x" or nil, answer, version)
        end
        local served = 0
        for _ in pairs(case[3]) do served = served + 1 end
        server.refusal(seen, #all - served)
        assert.equal(#all - served, #seen.refused)
        for _, err in ipairs(seen.refused) do
          assert.same({ "tls", "unsupported_protocol" }, { err.kind,
            err.code })
        end
        server.finish(s)
      end)
  end

  it("a version that is not there is heard by our client", function()
    local s = site(pair("server", { min_version = "1.3" }))
    local its, err = visit(s, { max_version = "1.2" })
    assert.is_nil(its)
    assert.same({ "tls", "protocol_version" }, { err.kind, err.alert })
    server.finish(s)
  end)

  it("'ciphers' is in the server's order", function()
    local first, second = "ECDHE-ECDSA-AES256-GCM-SHA384",
      "ECDHE-ECDSA-AES128-GCM-SHA256"
    local s = site(pair("server", { ciphers = first .. ":" .. second }))
    local shown = client(s, "-tls1_2", "-cipher", second .. ":" .. first)
    assert.matches("Cipher is " .. first, shown, 1, true)
    shown = client(s, "-tls1_2", "-cipher", second)
    assert.matches("Cipher is " .. second, shown, 1, true)
    assert.equal(first, visit(s, { max_version = "1.2" }).cipher)
    server.finish(s)
  end)

  it("'ciphers' leaves out others, and says so", function()
    local s, seen = site(pair("server", {
      ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384" }))
    local shown, answer = client(s, "-tls1_2", "-cipher",
      "ECDHE-ECDSA-AES128-GCM-SHA256")
    assert.is_nil(answer)
    assert.matches("SSL alert number 40", shown, 1, true)
    assert.equal("no_shared_cipher", server.refusal(seen, 1).code)
    server.finish(s)
  end)

  it("ciphers has none without forward secrecy or without AEAD", function()
    local s = site(pair "rsaserver")
    for _, cipher in ipairs { "AES128-GCM-SHA256", "AES256-SHA",
      "ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES128-SHA",
      "DHE-RSA-AES256-GCM-SHA384", "AECDH-AES256-SHA", "NULL-SHA256" } do
      local _, answer = client(s, "-tls1_2", "-cipher",
        cipher .. ":@SECLEVEL=0")
      assert.is_nil(answer, cipher)
    end
    local shown, answer = client(s, "-tls1_2", "-cipher",
      "ECDHE-RSA-AES128-GCM-SHA256")
    assert.equal("x", answer)
    assert.matches("Cipher is ECDHE-RSA-AES128-GCM-SHA256", shown, 1, true)
    server.finish(s)
  end)

  it("'ciphersuites' and 'groups' is obeyed", function()
    local s = site(pair("server", { groups = "P-384",
      ciphersuites = "TLS_CHACHA20_POLY1305_SHA256" }))
    local shown = client(s, "-tls1_3")
    assert.matches("Cipher is TLS_CHACHA20_POLY1305_SHA256", shown, 1, true)
    assert.matches("Server Temp Key: ECDH, secp384r1", shown, 1, true)
    local its = visit(s)
    assert.same({ "TLS_CHACHA20_POLY1305_SHA256", "secp384r1" },
      { its.cipher, its.group })
    server.finish(s)
  end)
end)

describe("a server's tickets", function()
  after_each(server.clean)

  local function resumes(s, version)
    local dir <close> = process.directory()
    local ticket = dir.path .. "/ticket"
    local first = client(s, version, "-sess_out", ticket)
    -- OpenSSL 3.0 makes none where there is nothing to resume.
    if not process.read_file(ticket) then return false, first end
    local second = client(s, version, "-sess_in", ticket)
    return second:find "\nReused, " ~= nil, first
  end

  for _, version in ipairs { "-tls1_2", "-tls1_3" } do
    it(("resume sessions (%s), one for each connection"):format(version),
      function()
        local s = site(pair "server")
        local resumed, shown = resumes(s, version)
        assert.is_true(resumed)
        local _, tickets = shown:gsub("TLS session ticket:\n", "")
        assert.equal(1, tickets)
        server.finish(s)
      end)

    it(("are not there with 'tickets = false' (%s)"):format(version),
      function()
        local s = site(pair("server", { tickets = false }))
        local resumed, shown = resumes(s, version)
        assert.is_false(resumed)
        assert.is_nil(shown:find("TLS session ticket:", 1, true))
        server.finish(s)
      end)

    it(("outlive a reload, not another configuration (%s)"):format(version),
      function()
        local s = site(pair "server")
        local dir <close> = process.directory()
        local ticket = dir.path .. "/ticket"
        client(s, version, "-sess_out", ticket)
        assert.is_true(s:reload())
        assert.matches("\nReused, ", (client(s, version, "-sess_in",
          ticket)))
        assert.is_true(s:reload(certs "server"))
        local shown, answer = client(s, version, "-sess_in", ticket)
        assert.matches("\nNew, ", shown)
        assert.equal("x", answer)
        server.finish(s)
      end)
  end

  it("carry no early data", function()
    local s = site(pair "server")
    local dir <close> = process.directory()
    local ticket = dir.path .. "/ticket"
    local shown = client(s, "-tls1_3", "-sess_out", ticket)
    assert.matches("Max Early Data: 0", shown, 1, true)
    server.finish(s)
  end)
end)

describe("server:reload", function()
  after_each(server.clean)

  -- A client that stays, and says something whenever it is asked to; nil is
  -- goodbye.
  local function guest(s)
    local ws = wss.connect(s.url, { tls = { ca = certs.ca } })
    local heard
    function ws:onmessage(data) heard = data end
    function ws.onclose() end
    return ws, function(text)
      if text then ws:send(text) else ws:close() end
      server.await(function()
        return heard == text or ws.state == "closed"
      end, text)
      assert(heard == text or not text)
    end
  end

  it("shows new connections the new certificate, and drops nobody",
    function()
      local s, seen = site(pair "server")
      local ws, say = guest(s)
      say "before"
      local old = ws.tls.chain[1].sha256
      assert.is_true(s:reload(certs "server2"))
      local its = visit(s)
      assert.not_equal(old, its.chain[1].sha256)
      assert.matches(its.chain[1].pem, read(certs("server2").cert), 1, true)
      local shown = client(s)
      assert.matches(shown:match "(%-%-%-%-%-BEGIN CERT.-END CERTIFICATE%-+)",
        read(certs("server2").cert), 1, true)
      say "after"
      assert.equal(old, ws.tls.chain[1].sha256)
      assert.same({}, seen.refused)
      say(nil)
      server.finish(s)
    end)

  it("reads the files again", function()
    local dir <close> = process.directory()
    local cert, key = dir.path .. "/crt", dir.path .. "/key"
    local function put(name)
      process.write_file(cert, read(certs(name).cert))
      process.write_file(key, read(certs(name).key))
    end
    put "server"
    local s = site { cert = cert, key = key }
    local _, say = guest(s)
    say "before"
    local old = visit(s).chain[1].sha256
    put "server2"
    assert.equal(old, visit(s).chain[1].sha256)
    assert.is_true(s:reload())
    assert.not_equal(old, visit(s, { session = false }).chain[1].sha256)
    say "after"
    say(nil)
    server.finish(s)
  end)

  it("that fails says why, and leaves all as it was", function()
    local dir <close> = process.directory()
    local cert, key = dir.path .. "/crt", dir.path .. "/key"
    process.write_file(cert, read(certs("server").cert))
    process.write_file(key, read(certs("server").key))
    local s = site { cert = cert, key = key }
    local _, say = guest(s)
    say "before"
    local old = visit(s).chain[1].sha256
    local function stays(kind, code, ok, err)
      assert.is_nil(ok)
      assert.same({ kind, code }, { err.kind, err.code })
      assert.equal(old, visit(s).chain[1].sha256)
    end
    process.write_file(cert, read(certs("server2").cert))
    stays("tls", "key_values_mismatch", s:reload())
    process.write_file(cert, "")
    stays("tls", "no_certificate", s:reload())
    os.remove(cert)
    stays("io", "ENOENT", s:reload())
    stays("io", "ENOENT", s:reload { cert = "/nonexistent", key = key })
    say "after"
    say(nil)
    server.finish(s)
  end)

  it("takes other names, protocols and versions, too", function()
    local s = site(pair "server")
    assert.is_true(s:reload(pair("server", { max_version = "1.2",
      alpn = "b", sni = { ["a.example"] = certs "aserver" } })))
    local its = visit(s, { alpn = "b", server_name = "a.example" })
    assert.same({ "TLSv1.2", "b", "CN=a.example" }, { its.version, its.alpn,
      its.chain[1].subject })
    server.finish(s)
  end)

  it("takes what wss.tls made, which others may share", function()
    local shared = assert(wss.tls(certs "server2"))
    local a, b = site(pair "server"), site(shared)
    assert.is_true(a:reload(shared))
    assert.equal(visit(b).chain[1].sha256, visit(a).chain[1].sha256)
    a:close(0)
    server.finish(b)
  end)
end)

describe("of its handshakes a server", function()
  after_each(server.clean)

  it("tells each message to 'trace'", function()
    local names = {}
    local s = site(pair("server", { trace = function(step)
      names[#names + 1] = step.direction .. " " .. step.name
    end }))
    client(s, "-tls1_3")
    local text = "\n" .. table.concat(names, "\n") .. "\n"
    local from = 1
    for _, name in ipairs { "in ClientHello", "out ServerHello",
      "out EncryptedExtensions", "out Certificate",
      "out CertificateVerify", "out Finished", "in Finished" } do
      local _, to = text:find("\n" .. name .. "\n", from, true)
      assert.is_not_nil(to, name .. " in" .. text)
      from = to
    end
    server.finish(s)
  end)

  it("writes the secrets to 'keylog', for its owner alone", function()
    local dir <close> = process.directory()
    local path = dir.path .. "/keys"
    local s = site(pair("server", { keylog = path }))
    client(s, "-tls1_3")
    assert.matches("\nSERVER_TRAFFIC_SECRET_0 %x+ %x+\n",
      "\n" .. read(path))
    client(s, "-tls1_2")
    assert.matches("\nCLIENT_RANDOM %x+ %x+\n", "\n" .. read(path))
    assert.equal("600\n", (process.run { "stat", "-c", "%a", path }))
    server.finish(s)
  end)

  it("tells who spoke no TLS, and who hung up", function()
    local s, seen = site(pair "server")
    server.call_one(s, { { "ask", "GET", "/" }, { "drain" } })
    assert.same({ "tls", "http_request" }, { server.refusal(seen, 1).kind,
      server.refusal(seen, 1).code })
    assert.matches("plain HTTP", server.refusal(seen, 1).message, 1, true)
    server.call_one(s, { { "send", "0102030405060708" }, { "drain" } })
    assert.equal("tls", server.refusal(seen, 2).kind)
    server.call_one(s, { { "fin" }, { "drain" } })
    server.await(function() return seen.refused[3] end, "the third")
    assert.equal("unexpected_eof_while_reading", server.refusal(seen, 3).code)
    server.finish(s)
  end)

  it("does not negotiate again when it is asked to", function()
    local s, seen = site(pair "server")
    local typist <close> = visitors.typist(s.port, { "-tls1_2" })
    typist:type(visitors.upgrade "/")
    typist:await " 101 "
    typist:type "R\n" -- a command of s_client
    typist:await "no renegotiation"
    server.await(function() return s.count == 0 end, "its end")
    assert.same({}, seen.refused)
    assert.is_not_nil(seen.err)
    server.finish(s)
  end)
end)
