-- Servers that demand clients' certificates: who is served and who is not, by
-- our client and by others, over both versions of TLS.

local certs = require "spec.support.certs"
local process = require "spec.support.process"
local server = require "spec.support.server"
local visitors = require "spec.support.visitors"
local wss = require "uvwss"

-- What the client shows; what the server makes of it, and the subject that it
-- names; the alert that the client hears, where it depends on the version.
local bad = {
  { shown = "no certificate", code = "peer_did_not_return_a_certificate",
    alert = { ["1.2"] = "handshake_failure",
      ["1.3"] = "certificate_required" } },
  { shown = "one of another CA", cert = "otherclient",
    code = "unknown_issuer", subject = "CN=other client",
    alert = "unknown_ca" },
  { shown = "one that nobody signed", cert = "selfsigned",
    code = "self_signed", subject = "CN=server.test", alert = "unknown_ca" },
  { shown = "one without its intermediate", cert = "aloneclient",
    code = "unknown_issuer", subject = "CN=client", alert = "unknown_ca" },
  { shown = "an expired one", cert = "expiredclient", code = "expired",
    subject = "CN=expired client", alert = "certificate_expired" },
  { shown = "one of the future", cert = "notyetclient",
    code = "not_yet_valid", subject = "CN=early client",
    alert = "bad_certificate" },
  { shown = "a server's", cert = "server", code = "wrong_purpose",
    subject = "CN=server.test", alert = "unsupported_certificate" },
  { shown = "a revoked one", cert = "revokedclient", code = "revoked",
    subject = "CN=revoked client", alert = "certificate_revoked" },
  { shown = "one against RFC 5280", cert = "formlessclient",
    code = "missing_authority_key_identifier",
    subject = "CN=formless client", alert = "certificate_unknown" },
}

local good = {
  { shown = "the right one", cert = "client", subject = "CN=client",
    length = 3 },
  { shown = "the right one, which needs no intermediate",
    cert = "rootclient", subject = "CN=root client", length = 2 },
}

local function alert_of(case, version)
  return type(case.alert) == "table" and case.alert[version] or case.alert
end

-- A server that tells each client its name. It records `opened` and
-- `upgrades` (subjects, or "nobody"), `refused` (errors).
local function site(tls)
  local seen = { opened = {}, upgrades = {}, refused = {}, resumed = {} }
  local all = certs "server"
  for name, value in pairs(tls) do all[name] = value end
  local function name_in(its)
    return its.chain and its.chain[1] and its.chain[1].subject or "nobody"
  end
  local s = server.listen({ tls = all,
    onupgrade = function(_, request)
      table.insert(seen.upgrades, name_in(request.tls))
    end,
    onopen = function(_, ws, info)
      table.insert(seen.opened, name_in(ws.tls))
      table.insert(seen.resumed, info.resumed)
      seen.tls = ws.tls
    end,
    onmessage = function(_, ws) ws:send(name_in(ws.tls)) end,
    onrefused = function(_, err, peer)
      assert(peer.port > 0)
      table.insert(seen.refused, err)
    end,
  }, "wss://localhost:0")
  return s, seen
end

local function demanding(more)
  local tls = { client_ca = certs.ca, verify_client = "require" }
  for name, value in pairs(more or {}) do tls[name] = value end
  return site(tls)
end

-- Of revoked clients.
local lists = { certs.file "ca.crl", certs.file "intermediate.crl" }

local function of_case(case)
  return case.cert and certs(case.cert) or {}
end

-- Our client, as visitors are. The error has the fields of ours, too.
local function our_client(url, course)
  local told = {}
  for i, visit in ipairs(course) do
    local one = { steps = {} }
    local ws = wss.connect(url, { open_timeout = 60, tls = { ca = visit.ca,
      cert = visit.cert, key = visit.key, min_version = visit.version,
      max_version = visit.version } })
    function ws:onopen() self:send(visit.steps[1][2]) end
    function ws:onmessage(data)
      one.steps[1] = data
      self:close()
    end
    function ws:onclose(_, _, err)
      one.err, one.over = err, true
      one.error = err and tostring(err)
    end
    told[i] = one
  end
  server.await(function()
    for _, one in ipairs(told) do
      if not one.over then return false end
    end
    return true
  end, "the end of our clients")
  return told
end

local function course_of(cases, version)
  local course = {}
  for i, case in ipairs(cases) do
    local pair = of_case(case)
    course[i] = { path = "/", ca = certs.ca, version = version,
      cert = pair.cert, key = pair.key,
      steps = { { "say", "who am I?" }, { "close" } } }
  end
  return course
end

local function find(list, case)
  for _, err in ipairs(list) do
    if err.code == case.code and err.subject == case.subject then
      return err
    end
  end
end

-- The same whether with blanks or with lines below: OpenSSL's words for an
-- alert, in whatever a client makes of them.
local function same_words(text)
  return (text:lower():gsub("_", " "))
end

local function sorted(list)
  table.sort(list)
  return list
end

local function table_of(visit, version)
  local all = {}
  for _, cases in ipairs { bad, good } do
    table.move(cases, 1, #cases, #all + 1, all)
  end
  local s, seen, told

  setup(function()
    s, seen = demanding { crl = lists }
    told = visit(s.url, course_of(all, version))
    server.await(function() return s.count == 0
      and s:stats().handshaking == 0 end, "the last one's end")
  end)
  teardown(function() server.finish(s) end)

  for i, case in ipairs(bad) do
    it(("refuses who shows %s, with its alert"):format(case.shown),
      function()
        local one, alert = told[i], alert_of(case, version)
        assert.same({}, one.steps)
        assert.matches("alert " .. same_words(alert), same_words(one.error),
          1, true)
        if one.err then
          assert.same({ "tls", alert }, { one.err.kind, one.err.alert })
          assert.is_true(math.type(one.err.alert_number) ~= nil)
        end
        local err = find(seen.refused, case)
        assert.is_not_nil(err, "nobody was refused for it")
        assert.equal(case.cert and "certificate" or "tls", err.kind)
        if case.cert then
          assert.equal(0, err.depth)
          assert.matches("client's certificate", err.message, 1, true)
        end
      end)
  end

  for i, case in ipairs(good) do
    it("serves who shows " .. case.shown, function()
      local one = told[#bad + i]
      assert.is_nil(one.error)
      assert.equal(case.subject, one.steps[1])
    end)
  end

  it("opens no other connection, and asks no handler about one", function()
    assert.same({ "CN=client", "CN=root client" }, sorted(seen.opened))
    assert.same({ "CN=client", "CN=root client" }, sorted(seen.upgrades))
    assert.equal(#bad, #seen.refused)
    local stats = s:stats()
    assert.same({ #all, #bad, #good }, { stats.accepted, stats.refused,
      stats.upgrades })
  end)
end

describe("a server that requires a client's certificate", function()
  for _, one in ipairs { { "our client", our_client },
    { "openssl s_client", visitors.openssl },
    { "python-websockets", visitors.python },
    { "ws on Node", visitors.node }, { "Boost.Beast", visitors.beast } } do
    for _, version in ipairs { "1.2", "1.3" } do
      describe(("(%s, TLS %s)"):format(one[1], version), function()
        table_of(one[2], version)
      end)
    end
  end
end)

describe("of clients' certificates a server", function()
  after_each(server.clean)

  -- One visit of our client, with a name of certificates or none.
  local function one_of(s, name, tls)
    local pair = name and certs(name) or {}
    return our_client(s.url, { { ca = certs.ca, cert = pair.cert,
      key = pair.key, version = tls, steps = { { "say", "?" } } } })[1]
  end

  it("tells its handlers the verified chain, from the leaf on", function()
    local s, seen = demanding()
    assert.equal("CN=client", one_of(s, "client").steps[1])
    assert.is_true(seen.tls.verified)
    local subjects = {}
    for i, cert in ipairs(seen.tls.chain) do subjects[i] = cert.subject end
    assert.same({ "CN=client", "CN=uvwss test intermediate",
      "CN=uvwss test CA" }, subjects)
    local leaf = seen.tls.chain[1]
    assert.same({ "client.test" }, leaf.names)
    assert.matches(leaf.pem, process.read_file(certs("client").cert), 1, true)
    server.finish(s)
  end)

  it("takes one whose intermediate it has itself", function()
    local s = demanding { client_ca = { certs.ca,
      certs.file "intermediate.crt" } }
    assert.equal("CN=client", one_of(s, "aloneclient").steps[1])
    server.finish(s)
  end)

  it("takes those of every authority in 'client_ca'", function()
    local s = demanding { client_ca = { certs.ca,
      certs.file "other-ca.crt" } }
    assert.equal("CN=client", one_of(s, "client").steps[1])
    assert.equal("CN=other client", one_of(s, "otherclient").steps[1])
    server.finish(s)
  end)

  it("takes none because the system trusts its authority", function()
    local output, status = process.run { "lua5.4", "-e", ([[
      local wss = require "uvwss"
      local s = assert(wss.listen("wss://localhost:0", { tls = { cert = %q,
        key = %q, client_ca = %q, verify_client = "require" } }))
      function s:onrefused(err) print(err.code) self:close(0) end
      local ws = wss.connect(s.url, { tls = { ca = %q, cert = %q, key = %q },
        onclose = function(_, _, _, err) print(err.alert) end })
      wss.run()]]):format(certs("server").cert, certs("server").key,
        certs.ca, certs.ca, certs("otherclient").cert,
        certs("otherclient").key),
      env = { SSL_CERT_FILE = certs.file "other-ca.crt" } }
    assert.same({ "exit", 0, "" }, { status.how, status.code,
      status.stderr })
    assert.same({ "unknown_ca", "unknown_issuer" },
      sorted { output:match "^(%S+)\n(%S+)\n$" })
  end)

  it("refuses one with a key that is too weak", function()
    local s, seen = demanding()
    local pair = certs "weak"
    local shown = visitors.s_client(s.port, { "-cert", pair.cert, "-key",
      pair.key, "-cert_chain", pair.cert, "-CAfile", certs.ca,
      "-cipher", "DEFAULT:@SECLEVEL=0" })
    assert.matches("SSL alert number 4%d", shown)
    local err = server.refusal(seen, 1)
    assert.same({ "certificate", "weak_key", "CN=server.test" },
      { err.kind, err.code, err.subject })
    server.finish(s)
  end)

  it("is as lax as before RFC 5280 without 'strict'", function()
    local s = demanding { strict = false }
    assert.equal("CN=formless client", one_of(s, "formlessclient").steps[1])
    server.finish(s)
  end)

  it("takes chains of 'max_depth' intermediates", function()
    local s, seen = demanding { max_depth = 0 }
    assert.equal("CN=root client", one_of(s, "rootclient").steps[1])
    local one = one_of(s, "client")
    assert.equal("tls", one.err.kind)
    assert.equal("chain_too_long", server.refusal(seen, 1).code)
    server.finish(s)
  end)

  describe("with verify_client = 'request'", function()
    for _, version in ipairs { "1.2", "1.3" } do
      it("serves who has none, over TLS " .. version, function()
        local s, seen = demanding { verify_client = "request" }
        assert.equal("nobody", one_of(s, nil, version).steps[1])
        assert.is_false(seen.tls.verified)
        assert.same({ "nobody" }, seen.upgrades)
        server.finish(s)
      end)

      it("knows who has one, over TLS " .. version, function()
        local s, seen = demanding { verify_client = "request" }
        assert.equal("CN=client", one_of(s, "client", version).steps[1])
        assert.is_true(seen.tls.verified)
        server.finish(s)
      end)

      it("refuses who has a bad one, over TLS " .. version, function()
        local s, seen = demanding { verify_client = "request", crl = lists }
        for _, case in ipairs(bad) do
          if case.cert then
            local one = one_of(s, case.cert, version)
            assert.equal(case.alert, one.err.alert)
            server.await(function() return find(seen.refused, case) end,
              case.code)
          end
        end
        assert.same({}, seen.opened)
        server.finish(s)
      end)
    end
  end)

  it("asks for none without 'verify_client'", function()
    for _, verify in ipairs { false, "none" } do
      local s, seen = site { client_ca = certs.ca,
        verify_client = verify or nil }
      assert.equal("nobody", one_of(s, "client").steps[1])
      assert.equal("nobody", one_of(s, "otherclient").steps[1])
      assert.is_false(seen.tls.verified)
      local shown = visitors.s_client(s.port, {})
      assert.matches("No client certificate CA names sent", shown, 1, true)
      server.finish(s)
    end
  end)

  it("tells clients whose certificates it takes", function()
    local s = demanding { client_ca = { certs.ca,
      certs.file "other-ca.crt" } }
    local shown = visitors.s_client(s.port, {})
    local names = shown:match "Acceptable client certificate CA names\n(.-)Re"
    assert.is_not_nil(names, shown)
    assert.matches("CN = uvwss test CA", names, 1, true)
    assert.matches("CN = another CA", names, 1, true)
    server.finish(s)
  end)

  it("cannot verify them without 'client_ca', and does not listen", function()
    for _, verify in ipairs { "request", "require" } do
      local pair = certs "server"
      local s, err = wss.listen("wss://localhost:0", { tls = {
        cert = pair.cert, key = pair.key, verify_client = verify } })
      assert.is_nil(s)
      assert.same({ "tls", "no_client_ca" }, { err.kind, err.code })
    end
  end)
end)

describe("a session with a client's certificate", function()
  after_each(server.clean)

  -- A client that is asked who it is on every connection; `between(n)` is
  -- called after the n-th, `times` connections are made. Returns what it was
  -- answered, whether it was resumed, and the last error.
  local function again(s, name, version, times, between)
    local pair = name and certs(name) or {}
    local answers, resumed, over = {}, {}, nil
    local ws = wss.connect(s.url, { tls = { ca = certs.ca,
      cert = pair.cert, key = pair.key, max_version = version },
      reconnect = { min = 0.01, max = 0.05, attempts = 1 } })
    function ws:onopen(info)
      resumed[#resumed + 1] = info.resumed
      self:send "who am I?"
    end
    function ws:onmessage(data)
      answers[#answers + 1] = data
      if #answers == times then
        self:close()
      else
        if between then between(#answers) end
        self:reconnect()
      end
    end
    function ws:onclose(_, _, err) over = { err } end
    server.await(function() return over end, "the end of the client")
    return answers, resumed, over[1]
  end

  -- A ticket has the client's own certificate alone: who issued it must be
  -- known here.
  local issuers = { certs.ca, certs.file "intermediate.crt" }

  for _, version in ipairs { "1.2", "1.3" } do
    describe("over TLS " .. version, function()
      it("is resumed, and still names who was verified", function()
        local s, seen = demanding { client_ca = issuers }
        local answers, resumed, err = again(s, "client", version, 3)
        assert.is_nil(err)
        assert.same({ "CN=client", "CN=client", "CN=client" }, answers)
        assert.same({ false, true, true }, resumed)
        assert.same({ false, true, true }, seen.resumed)
        assert.is_true(seen.tls.resumed and seen.tls.verified)
        assert.equal(2, #seen.tls.chain) -- the nearest that is trusted ends it
        assert.same(answers, seen.upgrades)
        server.finish(s)
      end)

      it("is resumed without any, where none is required", function()
        local s, seen = demanding { verify_client = "request" }
        local answers, resumed = again(s, nil, version, 2)
        assert.same({ "nobody", "nobody" }, answers)
        assert.same({ false, true }, resumed)
        assert.is_false(seen.tls.verified)
        server.finish(s)
      end)

      it("opens no door to who is trusted no more", function()
        local s, seen = demanding()
        local answers, _, err = again(s, "client", version, 2, function()
          local tls = certs "server"
          tls.client_ca = certs.file "other-ca.crt"
          tls.verify_client = "require"
          assert.is_true(s:reload(tls))
        end)
        assert.same({ "CN=client" }, answers)
        assert.same({ "tls", "unknown_ca" }, { err.kind, err.alert })
        assert.equal("unknown_issuer", server.refusal(seen, 1).code)
        assert.equal("CN=uvwss test intermediate", server.refusal(seen, 1).subject)
        server.finish(s)
      end)

      -- The keys of tickets stay: only looking again can refuse.
      it("opens none where the file of 'client_ca' has changed", function()
        local dir <close> = process.directory()
        local file = process.write_file(dir.path .. "/ca",
          process.read_file(issuers[1]) .. process.read_file(issuers[2]))
        local s, seen = demanding { client_ca = file }
        local answers, resumed, err = again(s, "client", version, 3,
          function(n)
            if n == 2 then
              process.write_file(file,
                process.read_file(certs.file "other-ca.crt"))
            end
            assert.is_true(s:reload())
          end)
        assert.same({ "CN=client", "CN=client" }, answers)
        assert.same({ false, true }, { resumed[1], resumed[2] })
        assert.same({ "tls", "unknown_ca" }, { err.kind, err.alert })
        assert.equal("unknown_issuer", server.refusal(seen, 1).code)
        server.finish(s)
      end)

      it("that began without one is none where one is required", function()
        local s = demanding { verify_client = "request" }
        local answers, _, err = again(s, nil, version, 2, function()
          local tls = certs "server"
          tls.client_ca, tls.verify_client = certs.ca, "require"
          assert.is_true(s:reload(tls))
        end)
        assert.same({ "nobody" }, answers)
        assert.equal("tls", err.kind)
        server.finish(s)
      end)

      it("is not resumed where clients are not asked any more", function()
        local s, seen = demanding()
        local answers, resumed = again(s, "client", version, 2, function()
          assert.is_true(s:reload(certs "server"))
        end)
        assert.same({ "CN=client", "nobody" }, answers)
        assert.same({ false, false }, resumed)
        assert.is_false(seen.tls.verified)
        server.finish(s)
      end)
    end)
  end

  it("is resumed by openssl s_client, too", function()
    for _, version in ipairs { "-tls1_2", "-tls1_3" } do
      local s, seen = demanding { client_ca = issuers }
      local dir <close> = process.directory()
      local ticket, pair = dir.path .. "/ticket", certs "client"
      local words = { "-cert", pair.cert, "-key", pair.key, "-cert_chain",
        pair.cert, "-CAfile", certs.ca, version }
      local function say(option)
        local all = { option, ticket, table.unpack(words) }
        return visitors.s_client(s.port, all)
      end
      local first, name = say "-sess_out"
      assert.equal("CN=client", name)
      assert.matches("\nNew, TLS", first)
      local second
      second, name = say "-sess_in"
      assert.equal("CN=client", name)
      assert.matches("\nReused, TLS", second)
      assert.same({ false, true }, seen.resumed)
      server.finish(s)
    end
  end)

  it("does not outlive what its certificate is for: a ticket of one server "
    .. "is nothing to another", function()
      local a = demanding()
      local b, seen = demanding()
      local dir <close> = process.directory()
      local ticket, pair = dir.path .. "/ticket", certs "client"
      local words = { "-cert", pair.cert, "-key", pair.key, "-cert_chain",
        pair.cert, "-CAfile", certs.ca }
      visitors.s_client(a.port, { "-sess_out", ticket, table.unpack(words) })
      -- Without the certificate it would be all that the client has.
      local shown, name = visitors.s_client(b.port, { "-sess_in", ticket,
        "-CAfile", certs.ca })
      assert.is_nil(name)
      assert.matches("alert certificate required", shown, 1, true)
      assert.same({}, seen.opened)
      a:close(0)
      server.finish(b)
    end)
end)
