-- A badssl.com of our own: every way in which a server's certificate, or its
-- TLS, can be bad, and the good ones that look alike. Each is met in a real
-- handshake, over TLS 1.2 and 1.3, and by tls:verify, which must agree.
-- Expected is what RFC 5280, 6960, 8446 and 9525 say, and docs/reference.md.

local client = require "spec.support.client"
local server = require "spec.support.server"
local wss = require "uvwss"
local zoo = require "spec.support.zoo"

local park

-- Chiefly the alert that the peer is told, in OpenSSL's words, by our code.
local alerts = {
  unknown_issuer = "unknown ca", self_signed = "unknown ca",
  invalid_ca = "unknown ca", path_length = "unknown ca",
  chain_too_long = "unknown ca", expired = "certificate expired",
  revoked = "certificate revoked", bad_signature = "decrypt error",
  wrong_purpose = "unsupported certificate",
  ca_as_leaf = "unsupported certificate",
  hostname_mismatch = "bad certificate", not_yet_valid = "bad certificate",
  weak_key = "bad certificate", weak_signature = "bad certificate",
  bad_time = "bad certificate", no_crl = "unknown ca",
}
local no_common_ground <const> = "sslv3_alert_handshake_failure"

-- A row: what it is, in words; `file`, which server of the zoo shows it;
-- `code` unless it is served; `says`, a part of the sentence, or several;
-- `wanted`, the name (server.test); `ca`, other roots, by file; `crl`, files;
-- `tls`, more options; `depth` of the one at fault; `alert`; `only`, a version;
-- `early`: the handshake fails before there is anything to verify.

local function each(files)
  local list = {}
  for i, name in ipairs(files) do list[i] = park:file(name) end
  return list
end

local function options_of(row, version)
  local tls = { server_name = row.wanted or "server.test",
    ca = each { (row.ca or "root") .. ".pem" }, max_version = version,
    crl = row.crl and each(row.crl) or nil }
  for name, value in pairs(row.tls or {}) do tls[name] = value end
  return tls
end

local function check_says(row, message)
  for _, part in ipairs(type(row.says) == "table" and row.says
    or { row.says }) do
    assert.matches(part, message, 1, true)
  end
end

local function check_refused(row, seen)
  assert.is_not_nil(seen.err, "it was served")
  local kind = row.early and "tls" or "certificate"
  assert.same({ kind, row.early or row.code }, { seen.err.kind,
    seen.err.code }, seen.err.message)
  assert.same({ 0, 1006, "unsent" }, { seen.opened, seen.code,
    seen.outcome })
  check_says(row, seen.err.message)
  if not row.early then
    assert.equal(row.depth or 0, seen.err.depth)
    assert.equal(row.wanted or "server.test", seen.err.wanted)
  end
end

local function check_told(row, told, version)
  assert.same({ row.file, not row.code and not row.early },
    { told.name, told.asked })
  if told.asked then
    assert.same({ nil, "TLSv" .. version }, { told.error, told.version })
    return
  end
  local alert = row.alert or alerts[row.code]
  if row.staple and version == "1.2" then
    alert = "bad certificate status response"
  end
  if alert then assert.matches(alert, told.error, 1, true) end
end

-- Without a connection: the same verdict, in the same words.
local function check_verify(row, err)
  local tls = assert(wss.tls(options_of(row)))
  local chain, other = tls:verify(park:text(row.file .. ".pem"),
    row.wanted or "server.test",
    { ocsp = row.staple and park:text(row.staple .. ".ocsp") or nil })
  if row.code then
    assert.is_nil(chain)
    assert.same({ "certificate", row.code, row.depth or 0 },
      { other.kind, other.code, other.depth })
    check_says(row.early and {} or row, other.message)
    if err and not row.early then assert.equal(err.message, other.message) end
  else
    assert.is_nil(other)
    assert.is_true(#chain > 0)
  end
end

-- What is told of a connection is read at once: it is not for the next spec.
local function attempt(file, options)
  local seen = client.attempt(park:url(file), options)
  return seen, park:told()
end

local function meet(row)
  for _, version in ipairs(row.only and { row.only } or { "1.2", "1.3" }) do
    local seen, told = attempt(row.file, options_of(row, version))
    if row.code or row.early then
      check_refused(row, seen)
    else
      assert.is_nil(seen.err, tostring(seen.err))
      assert.same({ 1, client.secret, 1000, "written", true },
        { seen.opened, seen.echo, seen.code, seen.outcome,
          seen.tls.verified })
    end
    check_told(row, told, version)
    if row.code or not row.early then check_verify(row, seen.err) end
  end
end

local function all_of(what, rows)
  describe(what, function()
    for _, row in ipairs(rows) do
      it(("%s %s"):format((row.code or row.early) and "refuses" or "serves",
        row[1]), function() meet(row) end)
    end
  end)
end

-- OCSP answers: all but a few are about the same good certificate.
local function staples(word, rows)
  for _, row in ipairs(rows) do
    row.file = row.file or "staple_" .. row.answer
    if row.staple == nil then row.staple = row.file end
    row.tls = { ocsp = word }
  end
  return rows
end

setup(function() park = zoo.open() end)
teardown(function() park:close() end)
after_each(server.clean)

describe("a server", function()

  all_of("whose time has come or gone:", {
    { "the right certificate", file = "good" },
    { "one that has expired", file = "expired", code = "expired",
      says = 'certificate of "server.test" expired 3 days ago (' },
    { "one that is not valid yet", file = "notyet", code = "not_yet_valid",
      says = { "is not valid yet: it will be in ", "is the clock" } },
    { "one whose issuer has expired", file = "expired_issuer",
      code = "expired", depth = 1,
      says = 'CA certificate "an expired intermediate" expired 3 days ago' },
    { "one with a date that is none", file = "bad_time", code = "bad_time",
      says = "malformed end of its validity" },
  })

  all_of("and its chain:", {
    { "itself as its issuer", file = "selfsigned", code = "self_signed",
      says = 'certificate of "server.test" is signed by itself and not '
        .. "trusted (trusted: 1 root of the 'ca' option)" },
    { "itself as its issuer, where it is trusted", file = "selfsigned",
      ca = "selfsigned" },
    { "a root that nobody knows", file = "untrusted",
      code = "unknown_issuer", depth = 1,
      says = 'chain ends at "another root", which is not trusted' },
    { "that root where it is trusted", file = "untrusted", ca = "other" },
    { "no intermediate", file = "incomplete", code = "unknown_issuer",
      says = 'chain ends at "zoo intermediate", which is not trusted (' },
    { "no intermediate, which is trusted itself", file = "incomplete",
      ca = "inter" },
    { "three intermediates", file = "deep" },
    { "three intermediates of two allowed", file = "deep",
      tls = { max_depth = 2 }, code = "chain_too_long", depth = 3,
      says = "chain is too long: more than 2 intermediates" },
    { "three intermediates of three allowed", file = "deep",
      tls = { max_depth = 3 } },
    { "an intermediate where none is allowed", file = "good",
      tls = { max_depth = 0 }, code = "chain_too_long", depth = 1 },
    { "superfluous certificates", file = "superfluous" },
    { "the chain the wrong way round", file = "reversed" },
    { "the chain in disorder, with a stranger in it", file = "shuffled" },
    { "its intermediate three times", file = "repeated" },
    { "a gap in the middle", file = "gap", code = "unknown_issuer",
      depth = 1, says = 'chain ends at "second intermediate"' },
    { "a path as long as its issuer allows", file = "pathlen_kept" },
    { "a path longer than its issuer allows", file = "pathlen",
      code = "path_length", depth = 2,
      says = 'CA certificate "an intermediate for leaves" has more' },
    { "one issued with a certificate that is no CA's", file = "nonca",
      code = "invalid_ca", depth = 1, says = "is not a CA's" },
    { "one by a CA whose key may not sign certificates",
      file = "no_cert_sign", code = "invalid_ca", depth = 1,
      says = "or its key may not sign certificates" },
    { "a signature that is wrong", file = "bad_signature",
      code = "bad_signature", says = "its signature is wrong" },
    { "one by another key of the same name", file = "double",
      code = "unknown_issuer" },
    { "one by another key of the same name, which it does not name",
      file = "double_without_aki", tls = { strict = false },
      code = "bad_signature" },
    { "one by one of two keys of the same name", file = "double_both" },
  })

  all_of("with two paths to a root, of which the first", {
    { "one whose first path has expired", file = "cross_expired" },
    { "one whose first path has expired above", file = "cross_above" },
    { "one whose first path ends at a stranger", file = "cross_unknown" },
    { "one whose first path may not give this name", file = "cross_fenced" },
    { "one whose first path has a weak key in it", file = "cross_weak" },
    { "one whose paths have both expired", file = "cross_dead",
      code = "expired", depth = 2, says = '"old intermediate" expired' },
    { "one of whose paths leads through a revoked CA",
      file = "cross_revoked", tls = { crl_check = "chain" },
      crl = { "inter.crl", "root.crl", "cross.crl", "banned.crl" },
      code = "revoked", depth = 2,
      says = 'CA certificate "banned intermediate" was revoked' },
  })

  local chain <const> = { crl_check = "chain" }
  all_of("and lists of revoked certificates:", {
    { "one that is not on the list", file = "good", crl = { "inter.crl" } },
    { "one that is", file = "revoked", crl = { "inter.crl" },
      code = "revoked", says = 'certificate of "server.test" was revoked' },
    { "one that is, where nobody has the list", file = "revoked" },
    { "one whose issuer is, as its own list says nothing",
      file = "revoked_issuer", crl = { "revoked_inter.crl", "root.crl" } },
    { "one whose issuer is, with crl_check = 'chain'",
      file = "revoked_issuer", crl = { "revoked_inter.crl", "root.crl" },
      tls = chain, code = "revoked", depth = 1,
      says = 'CA certificate "revoked intermediate" was revoked' },
    { "one of a chain where nobody is", file = "good",
      crl = { "root.crl", "inter.crl" }, tls = chain },
    { "one of a chain of which a list is missing", file = "good",
      crl = { "inter.crl" }, tls = chain, code = "no_crl", depth = 1 },
    { "a list that is out of date", file = "good", crl = { "late.crl" },
      code = "crl_expired", says = "a revocation list that has expired" },
    { "one that is on a list that is out of date", file = "revoked",
      crl = { "late_revoked.crl" }, code = "crl_expired" },
    { "a list out of date beside a newer one", file = "good",
      crl = { "late.crl", "inter.crl" } },
    { "a list of the future", file = "good", crl = { "early.crl" },
      code = "crl_not_yet_valid" },
    { "no list of its issuer", file = "good", crl = { "other.crl" },
      code = "no_crl", says = "no revocation list to be checked with" },
    { "a list by somebody else in its issuer's name", file = "good",
      crl = { "forged.crl" }, code = "bad_crl_signature" },
    { "a list with a wrong signature", file = "good", crl = { "spoilt.crl" },
      code = "bad_crl_signature" },
    { "a list by an issuer who may not make any", file = "no_crl_sign",
      crl = { "deaf.crl" }, code = "crl_key_usage" },
    { "a list with a critical extension", file = "good",
      crl = { "critical.crl" }, code = "critical_crl_extension" },
    -- which is a file of ours, and not what a peer has sent
    { "a list signed with SHA-1", file = "good", crl = { "sha1.crl" } },
    { "a list of CA's certificates only", file = "good",
      crl = { "scope.crl" }, code = "crl_scope" },
    { "an indirect list", file = "good", crl = { "indirect.crl" },
      code = "no_crl" },
  })

  local nobody <const> = "by somebody who may not speak for its issuer"
  all_of("and stapled OCSP answers:", staples("staple", {
    { "a good one", answer = "good" },
    { "a good one with SHA-256 in it", answer = "sha256" },
    { "none where none is required", answer = "none", staple = false },
    { "one that says revoked", answer = "revoked", code = "revoked",
      says = "was revoked by its issuer (says its OCSP answer)",
      alert = "certificate revoked" },
    { "one that says unknown", answer = "unknown", code = "ocsp_unknown",
      says = "is unknown to its issuer's OCSP responder" },
    { "one that is out of date", answer = "old", code = "ocsp_expired",
      says = "out of date" },
    { "one out of date that says revoked", answer = "old_revoked",
      code = "revoked" },
    { "one of today without an end", answer = "undated" },
    { "one of last week without an end", answer = "undated_old",
      code = "ocsp_expired" },
    { "one just out of date, as clocks differ", answer = "soon_over" },
    { "one out of date for longer than clocks differ", answer = "just_over",
      code = "ocsp_expired" },
    { "one of the future", answer = "future", code = "ocsp_not_yet_valid",
      says = { "of the future", "is the clock of this machine right?" } },
    { "one that was made in the future", answer = "produced_later",
      code = "ocsp_not_yet_valid" },
    { "one about another certificate", answer = "other",
      code = "ocsp_failed", says = "about other certificates" },
    { "one about that number of another issuer", answer = "other_issuer",
      code = "ocsp_failed", says = "about other certificates" },
    { "one about nothing", answer = "nobody", code = "ocsp_failed",
      says = "about other certificates" },
    { "one that says good, and revoked", answer = "both", code = "revoked" },
    { "one that says revoked, and good", answer = "both_again",
      code = "revoked" },
    { "one that says good, and unknown", answer = "good_unknown",
      code = "ocsp_unknown" },
    { "one that says good twice, long ago and today", answer = "old_good" },
    { "one by another CA", answer = "stranger", code = "ocsp_failed",
      says = nobody },
    { "one by the delegate of another CA", answer = "stranger_delegate",
      code = "ocsp_failed", says = nobody },
    { "one by the very certificate that it is about", answer = "leaf_signs",
      code = "ocsp_failed", says = nobody },
    { "one by its issuer's issuer", answer = "issuers_issuer",
      code = "ocsp_failed", says = nobody },
    { "one by a delegate", answer = "delegate" },
    { "one by a delegate without OCSPSigning", answer = "delegate_without",
      code = "ocsp_failed", says = nobody },
    { "one by a server of its issuer", answer = "delegate_server",
      code = "ocsp_failed", says = nobody },
    { "one by a delegate for any purpose", answer = "delegate_any",
      code = "ocsp_failed", says = nobody },
    { "one by an expired delegate", answer = "delegate_expired",
      code = "ocsp_failed", says = nobody },
    { "one by a delegate of the future", answer = "delegate_early",
      code = "ocsp_failed", says = nobody },
    { "one by a delegate of its issuer's issuer", answer = "delegate_far",
      code = "ocsp_failed", says = nobody },
    { "one by a delegate with a weak key", answer = "delegate_weak",
      code = "ocsp_failed", says = nobody },
    { "one by a delegate with a forged certificate",
      answer = "delegate_spoilt", code = "ocsp_failed", says = nobody },
    { "one by a delegate who is not named", answer = "delegate_unsent",
      code = "ocsp_failed", says = nobody },
    { "one with a wrong signature", answer = "spoilt", code = "ocsp_failed",
      says = "whose signature is wrong" },
    { "one signed with SHA-1", answer = "sha1", code = "ocsp_failed",
      says = "signed with a hash that can be forged" },
    { "one with a critical extension", answer = "critical",
      code = "ocsp_failed", says = "critical extension" },
    { "one with a critical extension of its part",
      answer = "critical_single", code = "ocsp_failed",
      says = "critical extension" },
    { "one with an extension that is not critical", answer = "extended" },
    { "one that says to try later", answer = "later", code = "ocsp_failed",
      says = "its status is not successful" },
    { "garbage", answer = "garbage", code = "ocsp_failed",
      says = "malformed OCSP answer" },
    { "one that is cut off", answer = "cut", code = "ocsp_failed",
      says = "malformed OCSP answer" },
    { "one with something behind it", answer = "more",
      code = "ocsp_failed", says = "malformed OCSP answer" },
    { "none of a certificate that says there is one", file = "must",
      staple = false, code = "ocsp_needed",
      says = "says that its server staples an OCSP answer" },
    { "one of a certificate that says there is one", file = "must_good" },
    { "none of one whose word on it cannot be read",
      file = "must_malformed", staple = false, code = "ocsp_needed" },
  }))

  all_of("that must staple an answer:", staples("require", {
    { "none", answer = "none", staple = false, code = "ocsp_needed",
      says = "came without a stapled OCSP answer, which is required here" },
    { "a good one", answer = "good" },
    { "one that says revoked", answer = "revoked", code = "revoked" },
    { "garbage", answer = "garbage", code = "ocsp_failed" },
  }))

  all_of("whose answers nobody wants:", {
    { "one that says revoked, without 'ocsp'", file = "staple_revoked" },
    { "no answer of a certificate that says there is one, without 'ocsp'",
      file = "must" },
  })

  local forged <const> = "is signed with a hash that can be forged"
  all_of("with strong and weak cryptography:", {
    { "RSA of 2048 bits", file = "rsa" },
    { "P-384", file = "p384" },
    { "Ed25519", file = "ed25519" },
    { "a signature with SHA-1", file = "sha1", code = "weak_signature",
      says = forged },
    { "a signature with MD5", file = "md5", code = "weak_signature",
      says = forged },
    { "an issuer signed with SHA-1", file = "sha1_issuer",
      code = "weak_signature", depth = 1, says = forged },
    { "a root signed with SHA-1, which nobody looks at", file = "sha1_root",
      ca = "sha1root" },
    { "RSA of 1024 bits", file = "rsa1024", code = "weak_key",
      says = "has a key that is too weak (RSA, 1024 bits)" },
    { "RSA of 512 bits", file = "rsa512", only = "1.2", code = "weak_key",
      says = "(RSA, 512 bits)" },
    { "an issuer with RSA of 1024 bits", file = "rsa1024_issuer",
      code = "weak_key", depth = 1, says = "(RSA, 1024 bits)" },
    { "an issuer with P-192", file = "p192_issuer", code = "weak_key",
      depth = 1, says = "(EC, 192 bits)" },
    { "an issuer with DSA", file = "dsa_issuer", code = "weak_key",
      depth = 1, says = "(DSA, 1024 bits)" },
    { "an issuer on a curve that is spelt out", file = "explicit_issuer",
      code = "ec_key_explicit_params", depth = 1 },
    -- TLS has no words for these: the server cannot even show them.
    { "P-192", file = "p192", early = no_common_ground, code = "weak_key",
      alert = "no shared cipher" },
    { "DSA", file = "dsa", early = no_common_ground, code = "weak_key",
      alert = "no shared cipher" },
    { "RSA of 512 bits, too short for TLS 1.3", file = "rsa512",
      only = "1.3", early = no_common_ground, code = "weak_key",
      alert = "no suitable signature algorithm" },
  })

  local function mismatch(title, file, wanted, says)
    return { title, file = file, wanted = wanted, says = says,
      code = "hostname_mismatch" }
  end
  local no_list <const> = "has no list of host names, so it is not good for"
  all_of("and the names in its certificate:", {
    mismatch("another host's", "wronghost", nil,
      'certificate is for "other.test", but "server.test" was wanted'),
    mismatch("a common name alone", "cnonly", nil, no_list),
    mismatch("the name as a mail address", "mail", nil, no_list),
    mismatch("the name within a URI", "uri", nil, no_list),
    mismatch("a thousand others", "many", nil,
      'certificate is for "n0.many.test", "n1.many.test", "n2.many.test", '
        .. '"n3.many.test" and at least 252 more, but "server.test" was wanted'),
    { "the last of a thousand names", file = "many",
      wanted = "n999.many.test" },
    { "capital letters", file = "upper" },
    { "small letters where capital ones are wanted", file = "good",
      wanted = "server.test", tls = { server_name = "SERVER.test" } },
    { "a final dot where it is wanted", file = "good",
      tls = { server_name = "server.test." } },
    mismatch("a final dot in the certificate", "dot"),
    mismatch("a leading dot", "leading_dot"),
    mismatch("a name of no letters", "empty_name"),
    mismatch("a NUL within the name", "nul", nil,
      [[certificate is for "server.test\x00.evil.test", but]]),
    { "an international name as it is on the wire", file = "idn",
      wanted = "xn--bcher-kva.test" },
    mismatch("an international name in Unicode", "idn_unicode",
      "xn--bcher-kva.test", 'certificate is for "bücher.test", but'),
    mismatch("an international name in Latin-1", "idn_latin",
      "xn--bcher-kva.test", [[certificate is for "b\xfccher.test", but]]),
    { "no subject, and critical names", file = "no_subject" },

    { "the address that is wanted", file = "ip", wanted = "127.0.0.1" },
    { "the IPv6 address that is wanted", file = "ip6", wanted = "::1" },
    { "the IPv6 address, written at length", file = "ip6",
      wanted = "0:0:0:0:0:0:0:1" },
    mismatch("another address", "ip_other", "127.0.0.1",
      'certificate is for "127.0.0.2", but "127.0.0.1" was wanted'),
    mismatch("the address as a host name", "ip_dns", "127.0.0.1"),
    mismatch("the address as a common name", "ip_cn", "127.0.0.1"),
    mismatch("a wildcard among the numbers", "ip_wild", "127.0.0.1"),
    mismatch("a name where an address is wanted", "good", "127.0.0.1"),
    mismatch("an address where a name is wanted", "ip"),
    mismatch("the address as letters", "ip_text", "127.0.0.1"),

    { "a wildcard for one label", file = "wild", wanted = "a.wild.test" },
    { "a wildcard for one label on the wire", file = "wild",
      wanted = "xn--bcher-kva.wild.test" },
    mismatch("a wildcard for two labels", "wild", "a.b.wild.test",
      'certificate is for "*.wild.test", but "a.b.wild.test" was wanted'),
    mismatch("a wildcard for none", "wild", "wild.test"),
    mismatch("a wildcard that begins with a letter", "wild_partial",
      "foo.wild.test"),
    mismatch("a wildcard that ends with one", "wild_end", "of.wild.test"),
    mismatch("a wildcard within an international label", "wild_alabel",
      "xn--bcher-kva.wild.test"),
    mismatch("a wildcard in the second place", "wild_second",
      "a.b.wild.test"),
    mismatch("two wildcards", "wild_two", "a.b.test"),
    mismatch("a wildcard and nothing else", "wild_bare"),
    mismatch("a wildcard for a name below the root", "wild_top"),
  })

  local permitted <const> = "a name that its issuer is not permitted to give"
  local excluded <const> = "a name that its issuer is forbidden to give"
  local function fenced(title, file, code, says, more)
    local row = { title, file = "nc_" .. file,
      code = code and "name_constraint", says = says }
    for name, value in pairs(more or {}) do row[name] = value end
    return row
  end
  local bad, fine = true, false
  all_of("whose issuer has constraints of names:", {
    fenced("what is permitted", "kept", fine),
    fenced("what is not permitted", "permitted", bad, permitted),
    fenced("what is permitted, and something that is not", "second", bad,
      permitted),
    fenced("what is excluded", "excluded", bad, excluded),
    fenced("what is below the excluded", "excluded_above", bad, excluded),
    fenced("what ends like the excluded", "excluded_not", fine),
    fenced("a wildcard that reaches what is excluded", "wild", bad,
      "has a wildcard that reaches names which its issuer is forbidden",
      { wanted = "a.wild.test" }),
    fenced("a wildcard within what is permitted", "wild_kept", fine, nil,
      { wanted = "a.wild.test" }),
    fenced("a malformed name beside the permitted", "malformed", bad,
      "a malformed host name among its names"),
    fenced("a malformed name beside the excluded", "malformed_excluded", bad,
      "a malformed host name among its names"),
    fenced("an address that is not permitted", "ip", bad, permitted),
    fenced("an address that is permitted", "ip_kept", fine),
    fenced("names where addresses are constrained", "other_kind", fine),
    fenced("a constraint with a mask full of holes", "bad_mask", bad,
      "malformed constraint of names", { depth = 1 }),
    fenced("a constraint of nothing", "empty", bad,
      "malformed constraint of names", { depth = 1 }),
    fenced("what is not permitted, where that is not critical", "soft", bad,
      permitted),
    fenced("what its root is not permitted", "root", bad, permitted,
      { ca = "nc_root_root" }),
  })

  local purpose <const> = "is not meant for a server: its key usages lack "
    .. "serverAuth"
  local function strictly(title, file, code, more)
    local row = { title, file = file, code = code, says = "(strict)" }
    for name, value in pairs(more or {}) do row[name] = value end
    return row
  end
  all_of("and the other extensions:", {
    { "one for clients", file = "client", code = "wrong_purpose",
      says = purpose },
    { "one for signing OCSP answers", file = "ocsp_eku",
      code = "wrong_purpose", says = purpose },
    { "one for no purpose in particular", file = "no_eku" },
    { "one for servers and clients", file = "both_eku" },
    -- RFC 5280, 4.2.1.12 leaves it open; the Web's CAs may not use it
    { "one for any purpose", file = "any_eku", code = "wrong_purpose",
      says = purpose },
    { "one by a CA for clients", file = "client_issuer", depth = 1,
      code = "wrong_purpose", says = "may not issue certificates of servers" },
    { "a CA's as its own", file = "ca_as_leaf_eku", code = "ca_as_leaf",
      says = "is a CA's, and no CA's certificate is taken" },
    { "a CA's as its own, whose key signs certificates only",
      file = "ca_as_leaf", only = "1.3", code = "wrong_purpose",
      says = "its key may not be used for it (key usage)" },
    { "the root itself", file = "root_as_leaf", only = "1.3",
      code = "wrong_purpose", says = "(key usage)" },
    { "an extension twice", file = "duplicate_unknown",
      code = "duplicate_extension", says = "has an extension twice" },
    { "an issuer with an extension twice", file = "duplicate_issuer",
      code = "duplicate_extension", depth = 1,
      says = 'CA certificate "a CA twice over" has an extension twice' },
    { "an issuer with an extension that cannot be read",
      file = "malformed_issuer", code = "invalid_extension", depth = 1,
      says = 'CA certificate "a malformed CA" has a malformed' },
    { "a critical extension that nobody knows", file = "critical",
      code = "critical_extension",
      says = "has a critical extension that is not understood" },
    { "an issuer with such an extension", file = "critical_issuer",
      code = "critical_extension", depth = 1 },
    { "an extension that nobody knows", file = "unknown" },
    strictly("none that names the issuer's key", "no_aki",
      "missing_authority_key_identifier"),
    { "none that names the issuer's key, without 'strict'", file = "no_aki",
      tls = { strict = false } },
    strictly("none that names the key of the issuer itself", "ca_no_ski",
      "missing_subject_key_identifier", { depth = 1 }),
    { "none that names its own key", file = "no_ski" },
    { "no basic constraints", file = "no_bc" },
    strictly("an issuer that is a CA, but not critically", "ca_soft",
      "ca_basic_constraints_not_critical", { depth = 1 }),
    strictly("an issuer without key usages", "ca_no_ku",
      "ca_missing_key_usage", { depth = 1 }),
    strictly("no subject, and names that are not critical",
      "no_subject_soft", "empty_subject_san_not_critical"),
    { "an empty list of names", file = "empty_san",
      code = "empty_subject_alt_name" },
    strictly("extensions in a certificate of version 1", "version1",
      "extensions_require_version_3"),
    -- RFC 5280, 4.1.2.2: "gracefully", but more than 20 bytes need not be
    { "a negative serial number", file = "negative_serial" },
    { "a serial number of 0", file = "zero_serial" },
    { "a serial number of 20 bytes", file = "twenty_serial" },
    { "a serial number of 21 bytes", file = "long_serial",
      code = "invalid_serial", says = "more than 20 bytes" },
    { "two different algorithms of its signature", file = "inconsistent",
      code = "signature_inconsistency" },
  })

  -- OpenSSL's servers load none of these.
  for file, code in pairs { duplicate = "duplicate_extension",
    malformed = "invalid_extension", explicit = "ec_key_explicit_params" } do
    it("would be refused with what only others can show: " .. code,
      function()
        check_verify { file = file, code = code }
      end)
  end

  local ground <const> = "the peer found no common ground"
  all_of("and its TLS:", {
    { "what is usual", file = "plain" },
    { "CBC suites only", file = "cbc", early = no_common_ground,
      says = ground },
    { "CBC suites where they are allowed", file = "cbc", only = "1.2",
      tls = { ciphers = "ECDHE-RSA-AES128-SHA" } },
    { "static RSA only", file = "static", early = no_common_ground,
      says = ground },
    { "suites without encryption", file = "null", early = no_common_ground,
      says = ground },
    { "suites without a certificate", file = "anonymous",
      early = no_common_ground, says = ground },
    { "suites with a short tag", file = "ccm8", early = no_common_ground,
      says = ground },
    { "Diffie-Hellman of old", file = "small_dh", early = no_common_ground,
      says = ground },
    { "Diffie-Hellman with 1024 bits where that is allowed",
      file = "small_dh", only = "1.2", early = "dh_key_too_small",
      tls = { ciphers = "DHE-RSA-AES128-GCM-SHA256" } },
    { "TLS 1.0", file = "tls1", only = "1.3",
      early = "tlsv1_alert_protocol_version",
      says = "speaks no version of TLS that is allowed here" },
    { "TLS 1.1", file = "tls11", only = "1.3",
      early = "tlsv1_alert_protocol_version",
      says = "(allowed: TLS 1.2 to TLS 1.3)" },
  })

  -- OpenSSL verifies nothing then; it is the last door that is shut.
  it("refuses a suite without a certificate even where it was asked for",
    function()
      local row = { file = "anonymous", early = "no_certificate",
        says = "the peer showed no certificate", tls = {
          ciphers = "aNULL:@SECLEVEL=0" } }
      local seen, told = attempt(row.file, options_of(row, "1.2"))
      check_refused(row, seen)
      assert.is_false(told.asked)
    end)

  describe("with pins", function()
    local function pins_of(...)
      local tls, list = assert(wss.tls(options_of {})), {}
      for i, cert in ipairs(assert(tls:verify(park:text "good.pem"))) do
        list[i] = cert.spki_sha256
      end
      local chosen = {}
      for i, which in ipairs { ... } do
        chosen[i] = math.type(which) and list[which] or which
      end
      return chosen
    end
    local stranger <const> = "sha256/" .. ("A"):rep(43) .. "="

    for i, whose in ipairs { "its own key", "its issuer's", "its root's" } do
      it("serves " .. whose, function()
        meet { file = "good", tls = { pins = pins_of(i) } }
      end)
    end
    it("serves one of several: a backup", function()
      meet { file = "good", tls = { pins = pins_of(stranger, 1) } }
    end)
    it("refuses any other, and names those that are there", function()
      meet { file = "good", tls = { pins = { stranger } },
        code = "pin_mismatch",
        says = { "no pin matches the chain of", pins_of(1)[1] } }
    end)
    it("refuses that of a certificate which was only sent along", function()
      local tls = assert(wss.tls { insecure = true })
      local sent = assert(tls:verify(park:text "stranger.pem"))
      meet { file = "superfluous", code = "pin_mismatch",
        tls = { pins = sent[1].spki_sha256 } }
    end)
  end)
end)

describe("a server of ours", function()
  local function stapling(name)
    local tls = park:pair "staple_good"
    tls.ocsp = park:file(name)
    return server.listen({ tls = tls, onmessage = server.echo },
      "wss://127.0.0.1:0")
  end

  for _, version in ipairs { "1.2", "1.3" } do
    it("staples what our client takes, over TLS " .. version, function()
      local s = stapling "staple_good.ocsp"
      local data, ws = server.talk(s.url, { tls = options_of({ tls = {
        ocsp = "require" } }, version) })
      assert.equal("hello", data)
      assert.is_true(ws.tls.verified)
      server.finish(s)
    end)

    it("staples its own end, too, over TLS " .. version, function()
      local s = stapling "staple_revoked.ocsp"
      local data, err = server.talk(s.url, { tls = options_of({ tls = {
        ocsp = "require" } }, version) })
      assert.is_nil(data)
      assert.same({ "certificate", "revoked" }, { err.kind, err.code })
      server.finish(s)
    end)
  end
end)

describe("to the second", function()

  it("a certificate begins and ends", function()
    local tls, pem = assert(wss.tls(options_of {})), park:text "good.pem"
    local leaf = assert(tls:verify(pem, "server.test"))[1]
    local function at(time)
      local chain, err = tls:verify(pem, "server.test", { time = time })
      return chain and "good" or err.code, err and err.message
    end
    assert.equal("not_yet_valid", (at(leaf.not_before - 1)))
    assert.equal("good", (at(leaf.not_before)))
    assert.equal("good", (at(leaf.not_after)))
    local code, message = at(leaf.not_after + 1)
    assert.equal("expired", code)
    assert.matches("expired 1 second ago", message, 1, true)
  end)
end)

describe("'onverify'", function()

  -- One attempt in which `answer` has the last word; what it was asked.
  local function asking(file, version, ocsp, answer)
    local asked = {}
    local seen, told = attempt(file, options_of({ tls = {
      ocsp = ocsp or nil, onverify = function(ok, cert, err, tls)
        asked[#asked + 1] = { ok = ok, cert = cert, err = err, tls = tls }
        return answer
      end } }, version))
    return seen, asked, told
  end

  for _, version in ipairs { "1.2", "1.3" } do
    for _, ocsp in ipairs { false, "staple", "require" } do
      local good = ocsp and "staple_good" or "good"
      local bad = { { "expired", "expired" },
        { "untrusted", "unknown_issuer" }, { "wronghost",
          "hostname_mismatch" } }
      if ocsp then
        bad = { { "staple_revoked", "revoked" },
          { "staple_garbage", "ocsp_failed" } }
      end
      if ocsp == "require" then
        bad[#bad + 1] = { "staple_none", "ocsp_needed" }
        bad[#bad + 1] = { "expired", "expired" }
      end
      describe(("(TLS %s%s)"):format(version, ocsp and ", ocsp = " .. ocsp
        or ""), function()
          it("is asked once about a good one, and may agree", function()
            local seen, asked = asking(good, version, ocsp, true)
            assert.is_nil(seen.err)
            assert.same({ 1, true, true }, { #asked, asked[1].ok,
              seen.tls.verified })
            assert.same({ "CN=server.test", "TLSv" .. version, nil },
              { asked[1].cert.subject, asked[1].tls.version, asked[1].err })
            assert.equal(3, #asked[1].tls.chain)
          end)

          it("may refuse it", function()
            local seen, asked, told = asking(good, version, ocsp, false)
            check_refused({ code = "refused", says =
              "refused by this program ('onverify')" }, seen)
            assert.equal(1, #asked)
            assert.same({ false, true }, { told.asked,
              told.error:find "alert" ~= nil
                or told.error:find "bad certificate status" ~= nil })
          end)

          for _, case in ipairs(bad) do
            it(("is asked once about a bad one, and may agree: %s")
              :format(case[2]), function()
                local seen, asked = asking(case[1], version, ocsp, false)
                assert.equal(1, #asked)
                assert.is_false(asked[1].ok)
                assert.same({ case[2], case[2] }, { asked[1].err.code,
                  seen.err.code })
              end)

            it("may let it in all the same: " .. case[2], function()
              local seen, asked, told = asking(case[1], version, ocsp, true)
              assert.is_nil(seen.err)
              assert.same({ 1, false, case[2] }, { #asked, asked[1].ok,
                asked[1].err.code })
              assert.equal(client.secret, seen.echo)
              assert.is_false(seen.tls.verified)
              assert.is_true(told.asked)
            end)
          end
        end)
    end
  end

  for _, version in ipairs { "1.2", "1.3" } do
    for how, word in pairs { ["that raises"] = function() error({}) end,
      ["that says neither yes nor no"] = function() end } do
      it(("%s lets nobody in, over TLS %s"):format(how, version), function()
        local heard
        function wss.onerror(err) heard = err end
        local seen, told = attempt("staple_good", options_of({ tls = {
          ocsp = "staple", onverify = word } }, version))
        wss.onerror = nil
        check_refused({ code = "refused" }, seen)
        assert.is_not_nil(heard)
        assert.is_false(told.asked)
      end)
    end
  end

  it("has the last word in tls:verify, too", function()
    local word, asked
    local tls = assert(wss.tls { ca = park:file "root.pem",
      onverify = function(ok, cert, err)
        asked = { ok, cert.subject, err and err.code }
        return word
      end })
    for _, case in ipairs { { "good", true, true }, { "good", false },
      { "expired", true }, { "expired", false } } do
      local good = case[1] == "good"
      word = case[2]
      local chain, err = tls:verify(park:text(case[1] .. ".pem"),
        "server.test")
      assert.same({ good, "CN=server.test", not good and "expired" or nil },
        asked)
      assert.equal(word, chain ~= nil)
      if not word then
        assert.equal(good and "refused" or "expired", err.code)
      end
    end
  end)
end)

describe("a session", function()

  -- A client that can be told to go on: to connect for the n-th time, see an
  -- answer, and with `last` to close. It knows which connections were
  -- `resumed`, and the `err` that ended it.
  local function again(row, version)
    local one = { resumed = {}, heard = 0 }
    local ws = wss.connect(park:url(row.file), { open_timeout = 60,
      tls = options_of(row, version) })
    function ws:onopen(info)
      one.resumed[#one.resumed + 1] = info.resumed
      self:send "x"
    end
    function ws:onmessage() one.heard = one.heard + 1 end
    function ws:onclose(_, _, err) one.err, one.over = err, true end
    function one:go(n)
      if n > 1 and not self.over then ws:reconnect() end
      server.await(function() return self.over or self.heard == n end,
        "an answer")
    end
    function one:finish()
      ws:close()
      server.await(function() return self.over end, "its end")
      for _ = 1, ws:stats().reconnects + 1 do park:told() end
      return self.resumed
    end
    return one
  end

  -- Which of so many connections were resumed.
  local function resumed(row, version, times)
    local one = again(row, version)
    for n = 1, times do one:go(n) end
    assert.is_nil(one.err)
    return one:finish()
  end

  for _, version in ipairs { "1.2", "1.3" } do
    local staple <const> = { ocsp = "require" }
    it("is resumed as long as its OCSP answer holds, over TLS " .. version,
      function()
        assert.same({ false, true, true }, resumed({ file = "staple_good",
          tls = staple }, version, 3))
      end)

    it("does not outlive its OCSP answer, over TLS " .. version, function()
      assert.same({ false, false }, resumed({ file = "staple_soon_over",
        tls = staple }, version, 2))
    end)

    it("is resumed as long as the list is in date, over TLS " .. version,
      function()
        assert.same({ false, true }, resumed({ file = "good",
          crl = { "inter.crl" } }, version, 2))
      end)

    it("that was let in all the same is not resumed, over TLS " .. version,
      function()
        assert.same({ false, false }, resumed({ file = "expired", tls = {
          onverify = function() return true end } }, version, 2))
      end)
  end

  it("does not outlive the list", function()
    -- One that ends in two seconds; where those were not enough to begin, one
    -- that ends later.
    local pem, margin = park:text "good.pem", 2
    local function attempts()
      local tls, crl
      local n = 0
      repeat
        crl, n = ("soon.%d.crl"):format(n), n + 1
        tls = assert(wss.tls(options_of { crl = { crl } }))
      until tls:verify(pem, nil, { time = os.time() + margin })
      local row = { file = "good", crl = { crl } }
      local both = { again(row, "1.2"), again(row, "1.3") }
      for _, one in ipairs(both) do one:go(1) end
      server.await(function() return not tls:verify(pem) end,
        "the end of the list")
      for _, one in ipairs(both) do one:go(2) end
      for _, one in ipairs(both) do one:finish() end
      return both
    end
    local both
    repeat
      both = attempts()
      margin = 2 * margin
    until both[1].resumed[1] ~= nil and both[2].resumed[1] ~= nil
    for _, one in ipairs(both) do
      assert.same({ false }, one.resumed)
      assert.same({ "certificate", "crl_expired" }, { one.err.kind,
        one.err.code })
    end
  end)
end)
