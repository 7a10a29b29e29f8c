-- The zoo's certificates of clients, shown to a server of ours that requires
-- one: what onrefused hears, which alert the client is sent, and that
-- tls:verify with a server's options agrees. Visitors are OpenSSL by way of
-- Python, which shows anything, and our client, which loads nothing weak.

local process = require "spec.support.process"
local server = require "spec.support.server"
local wss = require "uvwss"
local zoo = require "spec.support.zoo"

local park

local forged <const> = "is signed with a hash that can be forged"
local constraint <const> = "a name that its issuer is"

-- What is shown, by which guest; `code` and `alert` unless it is served;
-- `says`; `depth`; `weak`: our own client does not load it.
local usual = {
  { "the right one", guest = "right" },
  { "one for servers and clients", guest = "both" },
  { "one for no purpose in particular", guest = "nopurpose" },
  { "one with Ed25519", guest = "ed25519" },
  { "one that has expired", guest = "expired", code = "expired",
    alert = "certificate_expired",
    says = 'the client\'s certificate "expired" expired 3 days ago (' },
  { "one that is not valid yet", guest = "early", code = "not_yet_valid",
    alert = "bad_certificate", says = "is not valid yet: it will be in" },
  { "one of another CA", guest = "stranger", code = "unknown_issuer",
    alert = "unknown_ca", depth = 1,
    says = 'the chain of the client\'s certificate ends at "another root", '
      .. "which is not trusted (trusted: 1 root of the 'client_ca' option)" },
  { "one by itself", guest = "selfsigned", code = "self_signed",
    alert = "unknown_ca", says = "is signed by itself" },
  { "one without its intermediate", guest = "alone", code = "unknown_issuer",
    alert = "unknown_ca", says = 'ends at "zoo intermediate"' },
  { "a server's", guest = "server", code = "wrong_purpose",
    alert = "unsupported_certificate",
    says = "is not meant for a client: its key usages lack clientAuth" },
  { "one for any purpose", guest = "any", code = "wrong_purpose",
    alert = "unsupported_certificate", says = "lack clientAuth" },
  { "a CA's", guest = "ca", code = "ca_as_leaf",
    alert = "unsupported_certificate",
    says = "is a CA's, and no CA's certificate is taken" },
  { "one issued with a certificate that is no CA's", guest = "bynonca",
    code = "invalid_ca", alert = "unknown_ca", depth = 1,
    says = "is not a CA's" },
  { "one by a CA that its issuer did not allow", guest = "pathlen",
    code = "path_length", alert = "unknown_ca", depth = 2,
    says = 'CA certificate "a CA for leaves" has more' },
  { "one with RSA of 512 bits", guest = "rsa512", weak = true, only = "1.2",
    code = "weak_key", alert = "bad_certificate", says = "(RSA, 512 bits)" },
  { "one with RSA of 1024 bits", guest = "rsa1024", weak = true,
    code = "weak_key", alert = "bad_certificate", says = "(RSA, 1024 bits)" },
  { "one by an issuer with RSA of 1024 bits", guest = "weakissuer",
    weak = true, depth = 1, code = "weak_key", alert = "bad_certificate",
    says = 'CA certificate "a weak issuer" has a key that is too weak' },
  { "one signed with SHA-1", guest = "sha1", weak = true,
    code = "weak_signature", alert = "bad_certificate", says = forged },
  { "one signed with MD5", guest = "md5", weak = true,
    code = "weak_signature", alert = "bad_certificate", says = forged },
  { "one with a name that is not permitted", guest = "fenced",
    code = "name_constraint", alert = "certificate_unknown",
    says = constraint .. " not permitted to give" },
  { "one with a name that is excluded", guest = "excluded",
    code = "name_constraint", alert = "certificate_unknown",
    says = constraint .. " forbidden to give" },
  { "one that does not name its issuer's key", guest = "noaki",
    code = "missing_authority_key_identifier",
    alert = "certificate_unknown", says = "(strict)" },
  { "one with an extension twice", guest = "duplicate",
    code = "duplicate_extension", alert = "certificate_unknown",
    says = "has an extension twice" },
  { "one with a critical extension", guest = "critical",
    code = "critical_extension", alert = "certificate_unknown",
    says = "critical extension that is not understood" },
  { "one with a serial number of 21 bytes", guest = "longserial",
    code = "invalid_serial", alert = "certificate_unknown",
    says = "more than 20 bytes" },
  { "one with a wrong signature", guest = "spoilt", code = "bad_signature",
    alert = "decrypt_error", says = "its signature is wrong" },
  { "one that was revoked, where nobody has the list", guest = "revoked" },
}

local listed = {
  { "one that is not on the list", guest = "right" },
  { "one that is", guest = "revoked", code = "revoked",
    alert = "certificate_revoked",
    says = 'the client\'s certificate "revoked" was revoked' },
  { "one of whose issuer there is no list", guest = "pathlen",
    code = "path_length", alert = "unknown_ca", depth = 2 },
  { "one by a revoked CA, of which no list of its own is here",
    guest = "underrevoked", code = "no_crl", alert = "unknown_ca" },
}

local chained = {
  { "one that nobody revoked", guest = "right" },
  { "one that is on the list", guest = "revoked", code = "revoked",
    alert = "certificate_revoked" },
  { "one whose issuer is on a list", guest = "underrevoked",
    code = "revoked", alert = "certificate_revoked", depth = 1,
    says = 'CA certificate "revoked intermediate" was revoked' },
}

local groups = {
  { "", {}, usual },
  { " with 'crl'", { crl = { "guests.crl" } }, listed },
  { " with 'crl' and crl_check = 'chain'", { crl_check = "chain",
    crl = { "guests.crl", "root.crl", "revoked_inter.crl" } }, chained },
  { " with a list that is out of date", { crl = { "late.crl" } }, {
    { "the right one", guest = "right", code = "crl_expired",
      alert = "certificate_expired",
      says = "has a revocation list that has expired" } } },
  { " without 'strict'", { strict = false }, {
    { "one that does not name its issuer's key", guest = "noaki" },
    { "one with an extension twice", guest = "duplicate",
      code = "duplicate_extension", alert = "certificate_unknown" } } },
  { " with max_depth = 0", { max_depth = 0 }, {
    { "one with an intermediate", guest = "right", code = "chain_too_long",
      alert = "unknown_ca", depth = 1,
      says = "the chain of the client's certificate is too long" } } },
}

local function options_of(more)
  local tls = park:pair "good"
  tls.client_ca, tls.verify_client = park:file "root.pem", "require"
  for name, value in pairs(more) do tls[name] = value end
  if more.crl then
    tls.crl = {}
    for i, name in ipairs(more.crl) do tls.crl[i] = park:file(name) end
  end
  return tls
end

-- A server that answers with who asks. Errors of those who were refused, by
-- the client's port.
local function site(more)
  local seen = { refused = {}, count = 0 }
  local s = server.listen({ tls = options_of(more),
    onmessage = function(_, ws) ws:send(ws.tls.chain[1].subject) end,
    onrefused = function(_, err, peer)
      seen.count = seen.count + 1
      seen.refused[peer.port], seen.last = err, err
    end }, "wss://127.0.0.1:0")
  return s, seen
end

-- Our client: the answer, or its error.
local function visit(s, row, version)
  local pair = park:pair("guest_" .. row.guest)
  local ws = wss.connect(s.url, { open_timeout = 60, tls = {
    ca = park:file "root.pem", server_name = "server.test",
    cert = pair.cert, key = pair.key, max_version = version } })
  local answer, over
  function ws:onopen() self:send "?" end
  function ws:onmessage(data)
    answer = data
    self:close()
  end
  function ws:onclose(_, _, err) over = { err } end
  server.await(function() return over end, "the end of our client")
  return answer, over[1]
end

local function subject(row) return "CN=" .. row.guest end

local function check_refusal(row, err)
  assert.is_not_nil(err, "nobody was refused")
  assert.same({ "certificate", row.code, row.depth or 0 },
    { err.kind, err.code, err.depth }, err.message)
  if row.says then assert.matches(row.says, err.message, 1, true) end
end

-- OpenSSL's "sslv3 alert bad certificate" is our "bad_certificate".
local function words(alert) return (alert:gsub("_", " ")) end

local function versions(row) return { row.only or "1.2",
  not row.only and "1.3" or nil } end

local function all_of(more, rows)
  local s, seen, told

  setup(function()
    local course = {}
    for _, row in ipairs(rows) do
      for _, version in ipairs(versions(row)) do
        course[#course + 1] = { "guest_" .. row.guest, version }
      end
    end
    s, seen = site(more)
    told = {}
    for i, one in ipairs(park:visit(s.port, course)) do
      told[course[i][1] .. course[i][2]] = one
    end
    server.await(function() return s.count == 0
      and s:stats().handshaking == 0 end, "the last one's end")
  end)
  teardown(function() server.finish(s) end)

  for _, row in ipairs(rows) do
    it((row.code and "refuses " or "serves ") .. row[1], function()
      for _, version in ipairs(versions(row)) do
        local one = told["guest_" .. row.guest .. version]
        if row.code then
          assert.is_nil(one.answer)
          assert.matches("alert " .. words(row.alert), one.error, 1, true)
          check_refusal(row, seen.refused[one.port])
        else
          assert.same({ subject(row) }, { one.answer, one.error })
        end
      end
    end)

    it(("%s %s, shown by our client"):format(
      row.code and "refuses" or "serves", row[1]), function()
        for _, version in ipairs(versions(row)) do
          local before = seen.count
          local answer, err = visit(s, row, version)
          if row.weak then -- by the client itself
            assert.same({ "tls" }, { err.kind, answer })
            assert.matches("^cannot use ", err.message)
            assert.equal(before, seen.count)
          elseif row.code then
            assert.same({ "tls", row.alert }, { err.kind, err.alert, answer })
            server.await(function() return seen.count > before end,
              "a refusal")
            check_refusal(row, seen.last)
          else
            assert.is_nil(err)
            assert.equal(subject(row), answer)
          end
        end
      end)

    it(("%s %s in tls:verify"):format(row.code and "refuses" or "takes",
      row[1]), function()
        local tls = assert(wss.tls(options_of(more)))
        local chain, err = tls:verify(park:text("guest_" .. row.guest
          .. ".pem"))
        if row.code then
          assert.is_nil(chain)
          check_refusal(row, err)
        else
          assert.is_nil(err)
          assert.equal(subject(row), chain[1].subject)
        end
      end)
  end
end

describe("a server that requires a client's certificate,", function()
  setup(function() park = zoo.open() end)
  teardown(function() park:close() end)

  for _, group in ipairs(groups) do
    describe("of all certificates" .. group[1], function()
      all_of(group[2], group[3])
    end)
  end

  -- A ticket has no list in it, nor a date: who resumes is verified anew.
  for _, version in ipairs { "1.2", "1.3" } do
    it("resumes nobody who was revoked meanwhile, over TLS " .. version,
      function()
        local file = park:file("list." .. version)
        process.write_file(file, park:text "inter.crl")
        local s, seen = site { crl = { "list." .. version },
          client_ca = { park:file "root.pem", park:file "inter.pem" } }
        local pair = park:pair "guest_revoked"
        local resumed, heard, over = {}, 0, nil
        local ws = wss.connect(s.url, { open_timeout = 60, tls = {
          ca = park:file "root.pem", server_name = "server.test",
          cert = pair.cert, key = pair.key, max_version = version } })
        function ws:onopen(info)
          table.insert(resumed, info.resumed)
          self:send "?"
        end
        function ws:onmessage() heard = heard + 1 end
        function ws:onclose(_, _, err) over = { err } end
        for n = 1, 3 do
          server.await(function() return heard == n or over end, "an answer")
          if n == 2 then
            process.write_file(file, park:text "guests.crl")
            assert.is_true(s:reload())
          end
          if n < 3 then ws:reconnect() end
        end
        assert.same({ false, true }, resumed)
        assert.same({ "tls", "certificate_revoked" }, { over[1].kind,
          over[1].alert })
        server.await(function() return seen.last end, "a refusal")
        assert.same({ "certificate", "revoked" }, { seen.last.kind,
          seen.last.code })
        server.finish(s)
      end)
  end

  -- TLS has no words for it, or not in every version: it is shown to nobody.
  it("would not take P-192, RSA of 512 bits either", function()
    local tls = assert(wss.tls(options_of {}))
    for _, guest in ipairs { "p192", "rsa512" } do
      local chain, err = tls:verify(park:text("guest_" .. guest .. ".pem"))
      assert.is_nil(chain)
      assert.equal("weak_key", err.code)
    end
  end)
end)
