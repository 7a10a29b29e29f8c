-- tls:verify: a chain without a connection, by the code that connections use.

local certs = require "spec.support.certs"
local issue = require "spec.support.issue"
local json = require "dkjson"
local process = require "spec.support.process"
local wss = require "uvwss"

local function read(name) return process.read_file(certs.file(name)) end

local function trusting(more)
  local options = { ca = certs.ca }
  for k, v in pairs(more or {}) do options[k] = v end
  return assert(wss.tls(options))
end

-- Of a file that may hold several certificates, the n-th.
local function nth(name, n)
  for pem in read(name):gmatch "%-+BEGIN.-%-+END CERTIFICATE%-+\n" do
    n = n - 1
    if n == 0 then return pem end
  end
end

describe("tls:verify", function()
  it("returns the verified chain as ws.tls.chain has it", function()
    local chain = assert(trusting():verify(read "server.crt", "server.test"))
    assert.are.equal(3, #chain)
    assert.are.equal("CN=server.test", chain[1].subject)
    assert.are.equal("CN=uvwss test CA", chain[3].subject)
    assert.are.equal("EC P-256", chain[1].key)
    assert.are.equal("ecdsa-with-SHA256", chain[1].signature)
    assert.matches("^sha256/", chain[1].spki_sha256)
    assert.matches("BEGIN CERTIFICATE", chain[1].pem)
  end)

  it("takes the rest of the chain behind the leaf, or beside it", function()
    local tls = trusting()
    local leaf, rest = nth("server.crt", 1), nth("server.crt", 2)
    local _, err = tls:verify(leaf, "server.test")
    assert.are.equal("unknown_issuer", err.code)
    assert.is_table(tls:verify(leaf, "server.test", { intermediates = rest }))
    assert.is_table(tls:verify(leaf, "server.test",
      { intermediates = { read "other-ca.crt", rest } }))
    _, err = tls:verify(rest .. leaf) -- the first is what it is about
    assert.are.equal("CN=uvwss test intermediate", err.subject)
    assert.is_table(tls:verify(leaf .. read "client.crt" .. rest,
      "server.test"))
  end)

  it("has the limits, pins and last word of its configuration", function()
    local chain = trusting():verify(read "server.crt")
    local function code(options, more)
      local got, err = trusting(options):verify(read "server.crt",
        "server.test", more)
      return got and "good" or err.code
    end
    assert.are.equal("chain_too_long", code { max_depth = 0 })
    assert.are.equal("good", code({ max_depth = 0 }, { max_depth = 1 }))
    assert.are.equal("chain_too_long", code(nil, { max_depth = 0 }))
    assert.are.equal("good", code { pins = chain[2].spki_sha256 })
    assert.are.equal("pin_mismatch", code { pins = "sha256/" .. ("A"):rep(43)
      .. "=" })
    assert.are.equal("ocsp_needed", code { ocsp = "require" })
    assert.are.equal("good", code({ ocsp = "require" },
      { ocsp = read "server.ocsp" }))
    assert.are.equal("ocsp_failed", code({ ocsp = "staple" },
      { ocsp = "no answer" }))
    assert.are.equal("refused", code { onverify = function() return false end })
  end)

  it("asks onverify once, which can overrule it", function()
    local asked = {}
    local tls = trusting { onverify = function(ok, cert, err, facts)
      asked[#asked + 1] = { ok, cert.subject, err and err.code,
        #facts.chain, facts.verified }
      return true
    end }
    assert.are.equal(3, #tls:verify(read "server.crt", "server.test"))
    assert.are.equal(1, #tls:verify(read "selfsigned.crt", "server.test"))
    assert.are.same({ { true, "CN=server.test", nil, 3, true },
      { false, "CN=server.test", "self_signed", 1, false } }, asked)
  end)

  it("raises what onverify raises, and what it must not return", function()
    local tls = trusting { onverify = function() error "oh" end }
    assert.has_error(function() tls:verify(read "server.crt") end, "oh")
    tls = trusting { onverify = function() end }
    assert.error_matches(function() tls:verify(read "server.crt") end,
      "onverify must return true or false, not a nil")
    tls = trusting { onverify = function() error { 1 } end }
    local ok, err = pcall(tls.verify, tls, read "server.crt")
    assert.are.same({ false, { 1 } }, { ok, err })
  end)

  it("can be used in onverify, and in a coroutine", function()
    local inner = trusting()
    local tls = trusting { onverify = function(_, cert)
      return inner:verify(cert.pem, nil, { intermediates =
        nth("server.crt", 2) }) ~= nil
    end }
    assert.is_table(wss.run(function()
      return tls:verify(read "server.crt", "server.test")
    end))
  end)

  it("verifies clients where the configuration is a server's", function()
    local own = certs "server"
    local tls = assert(wss.tls { cert = own.cert, key = own.key,
      client_ca = certs.ca, verify_client = "require" })
    assert.are.equal("CN=client", tls:verify(read "client.crt")[1].subject)
    local _, err = tls:verify(read "server.crt")
    assert.are.equal("wrong_purpose", err.code)
    _, err = trusting():verify(read "client.crt")
    assert.are.equal("wrong_purpose", err.code)
  end)

  it("verifies nothing but pins where that was asked for", function()
    local tls = assert(wss.tls { insecure = true })
    assert.are.equal(1, #tls:verify(read "selfsigned.crt", "x.example"))
    tls = assert(wss.tls { insecure = true, pins = "sha256/" .. ("A"):rep(43)
      .. "=" })
    local _, err = tls:verify(read "selfsigned.crt")
    assert.are.equal("pin_mismatch", err.code)
  end)

  it("returns what is wrong with what it is given", function()
    local tls = trusting()
    for _, text in ipairs { "", "no PEM", "-----BEGIN CERTIFICATE-----\nAA==\n"
      .. "-----END CERTIFICATE-----\n", read "server.key" } do
      local chain, err = tls:verify(text, "server.test")
      assert.is_nil(chain)
      assert.are.equal("tls", err.kind)
      assert.is_string(err.code)
    end
    local _, err = tls:verify(read "server.crt", "server.test",
      { intermediates = "x" })
    assert.are.equal("no_certificate", err.code)
    _, err = tls:verify(read "server.crt", "server.test", { crl = "/nowhere" })
    assert.are.same({ "io", "ENOENT" }, { err.kind, err.code })
  end)

  it("raises at misuse", function()
    local tls, leaf = trusting(), read "server.crt"
    for _, case in ipairs {
      { "string expected, got nil", function() tls:verify() end },
      { "string expected, got table", function() tls:verify {} end },
      { "string expected, got number", function() tls:verify(leaf, 1) end },
      { "NUL byte", function() tls:verify(leaf .. "\0") end },
      { "NUL byte", function() tls:verify(leaf, "server.test\0.org") end },
      { "unknown option 'tim' %(did you mean 'time'%?%)",
        function() tls:verify(leaf, nil, { tim = 1 }) end },
      { "option 'time': number of seconds expected, got string",
        function() tls:verify(leaf, nil, { time = "now" }) end },
      { "option 'time': seconds since 1970, up to the year 9999, expected",
        function() tls:verify(leaf, nil, { time = 0 / 0 }) end },
      { "option 'time': seconds since 1970",
        function() tls:verify(leaf, nil, { time = 1e12 }) end },
      { "option 'max_depth': at most 1000",
        function() tls:verify(leaf, nil, { max_depth = 1001 }) end },
      { "option 'crl' is an empty list",
        function() tls:verify(leaf, nil, { crl = {} }) end },
      { "option 'ocsp': string expected",
        function() tls:verify(leaf, nil, { ocsp = true }) end },
      { "table expected", function() tls:verify(leaf, nil, 1) end },
      { "uvwss.tls expected", function() tls.verify({}, leaf) end },
    } do
      assert.error_matches(case[2], case[1])
    end
  end)
end)

describe("the time", function()
  local from, to = 1700000000, 1800000000

  local function codes(make)
    local all = issue { { dns = { "a.example" }, from = from, ["until"] = to } }
    local tls = assert(wss.tls { ca = all.ca })
    local list = {}
    for i, time in ipairs(make) do
      local chain, err = tls:verify(all.certs[1], "a.example", { time = time })
      list[i] = chain and "good" or err.code
    end
    return list
  end

  it("is within the validity from its first to its last second", function()
    assert.are.same({ "not_yet_valid", "good", "good", "good", "good",
      "expired" },
      codes { from - 1, from, from + 1, to - 1, to, to + 1 })
  end)

  it("has no fractions (RFC 5280, 4.1.2.5)", function()
    assert.are.same({ "not_yet_valid", "good", "good", "expired" },
      codes { from - 0.001, from + 0.999, to + 0.999, to + 1.001 })
  end)

  it("may be any that a certificate can have", function()
    assert.are.same({ "not_yet_valid", "not_yet_valid", "not_yet_valid",
      "expired", "expired" }, codes { -62135596800, -1, 0, 2 ^ 32,
      253402300799 })
  end)

  it("is said in a sentence", function()
    local all = issue { { dns = { "a.example" }, from = from, ["until"] = to } }
    local tls = assert(wss.tls { ca = all.ca })
    local _, err = tls:verify(all.certs[1], "a.example",
      { time = to + 3 * 86400 })
    assert.are.equal('certificate of "a.example" expired 3 days ago '
      .. "(2027-01-15 08:00 UTC)", err.message)
    assert.are.same({ from, to }, { err.not_before, err.not_after })
    _, err = tls:verify(all.certs[1], "a.example", { time = from - 7200 })
    assert.matches("is not valid yet: it will be in 2 hours", err.message)
  end)
end)

describe("of the paths to an anchor", function()
  local function graphs(seed, count)
    local output, status = process.run { "/usr/bin/python3", "-W", "ignore",
      "spec/support/paths.py", tostring(seed), tostring(count) }
    assert(status.code == 0, status.stderr)
    return json.decode(output)
  end

  -- Six CAs that have certified each other at random, well or badly.
  it("a good one is found wherever there is one, and nothing else", function()
    local good = 0
    for i, graph in ipairs(graphs(1, 150)) do
      local tls = assert(wss.tls { ca = graph.root })
      local chain, err = tls:verify(graph.leaf, "leaf.test",
        { intermediates = graph.sent })
      local what = ("graph %d: %s; %s"):format(i, err,
        table.concat(graph.edges, "; "))
      assert.are.equal(graph.good, chain ~= nil, what)
      if chain then
        good = good + 1
        assert.is_true(#chain >= graph.best + 1, what)
      else
        assert.are.equal("certificate", err.kind)
      end
    end
    assert.is_true(good > 20 and good < 130)
  end)
end)
