-- x509-limbo (spec/limbo/README.md): our verdict on each of its cases, without
-- a connection and over a real one, so that a change of any is noticed.

local json = require "dkjson"
local limbo = require "spec.support.limbo"
local process = require "spec.support.process"
local server = require "spec.support.server"
local variant = require "spec.support.variant"
local wss = require "uvwss"

local cases = limbo.cases()
local verdicts = dofile "spec/limbo/verdicts.lua"

describe("each case of limbo:", function()
  for i, case in ipairs(cases) do
    local id, wanted, why = table.unpack(verdicts[i])
    it(("%s, %s"):format(case.id, wanted), function()
      assert.are.equal(case.id, id)
      local chain, err = limbo.judge(case)
      assert.are.equal(wanted, chain and "accepted" or err.code,
        tostring(err))
      assert.are.equal(why == nil, (chain ~= nil) == case.expected, why)
    end)
  end
end)

describe("of limbo as a whole", function()
  -- By kind, and all together.
  local function count()
    local kinds, sum = {}, { all = 0, match = 0, accepted = 0, rejected = 0 }
    for i, case in ipairs(cases) do
      if not case.client then
        local accepted = verdicts[i][2] == "accepted"
        local what = accepted == case.expected and "match"
          or accepted and "accepted" or "rejected"
        local kind = case.id:match "^(.-::.-)::" or case.id:match "^(.-)::"
        local n = kinds[kind]
          or { all = 0, match = 0, accepted = 0, rejected = 0 }
        kinds[kind] = n
        n.all, n[what] = n.all + 1, n[what] + 1
        sum.all, sum[what] = sum.all + 1, sum[what] + 1
      end
    end
    return kinds, sum
  end

  it("what docs/security.md says of it is true", function()
    local text = process.read_file "docs/security.md"
    local function says(row)
      assert.is_truthy(text:find(row, 1, true), row)
    end
    local kinds, sum = count()
    assert.are.equal(198, sum.all)
    says(("| this library | %d | %d | %d |"):format(sum.match, sum.accepted,
      sum.rejected))
    for kind, n in pairs(kinds) do
      says(("| `%s` | %d | %d | %d | %d |"):format(kind, n.all, n.match,
        n.accepted, n.rejected))
    end
  end)

  -- A common name for a host's, weak keys, names outside of constraints, CAs as
  -- servers, and whatever limbo itself calls critical.
  local attacks = { "webpki::san::no-san", "webpki::forbidden-p192-root",
    "webpki::forbidden-p192-leaf", "webpki::forbidden-dsa-root",
    "webpki::forbidden-dsa-leaf", "webpki::forbidden-weak-rsa-key-in-root",
    "webpki::forbidden-weak-rsa-in-leaf", "cve::cve-2025-61727",
    "cve::cve-2025-61727-nc-permits-variant",
    "rfc5280::nc::nc-forbids-dnsname-wildcard-san",
    "rfc5280::nc::invalid-dnsname-wildcard",
    "rfc5280::nc::invalid-dnsname-leading-period",
    "rfc5280::nc::nc-permits-invalid-dns-san",
    "rfc5280::nc::nc-permits-invalid-ip-san",
    "rfc5280::nc::invalid-ipv4-address", "rfc5280::nc::invalid-ipv6-address",
    "rfc5280::validity::expired-intermediate",
    "rfc5280::validity::expired-leaf",
    "rfc5280::validity::expired-1-second",
    "rfc5280::validity::not-yet-valid-1-second", "webpki::ca-as-leaf",
    "webpki::ee-basicconstraints-ca", "rfc5280::san::ip-in-dns",
    "crl::revoked-certificate-with-crl", "rfc5280::chain-untrusted-root" }

  it("nothing is accepted that would let somebody in", function()
    local found = {}
    for i, case in ipairs(cases) do found[case.id] = verdicts[i][2] end
    for _, id in ipairs(attacks) do
      assert.is_string(found[id], id)
      assert.are_not.equal("accepted", found[id], id)
    end
  end)
end)

-- ---- over the wire ----------------------------------------------------------

-- A program under a sanitizer cannot have another clock preloaded as well.
local clocked = not variant

describe("a handshake comes to the same verdict", function()
  local peer

  local function serve()
    local dir = process.directory()
    local list = {}
    for i, case in ipairs(cases) do
      if case.key and not case.client then
        list[#list + 1] = { number = i, key = case.key, chain = case.leaf
          .. table.concat(case.intermediates or {}) }
      end
    end
    local file = process.write_file(dir.path .. "/chains", json.encode(list))
    peer = process.start { "/usr/bin/python3",
      "spec/support/peers/limbo.py", file, dir.path, ready = "^ready (%d+)" }
    peer.dir = dir
    peer.port_of = assert(json.decode(peer:line()))
  end

  setup(serve)
  teardown(function()
    peer:stop()
    peer.dir:remove()
  end)

  local function options(case)
    return { ca = case.trusted, server_name = case.name, crl = case.crls,
      max_depth = case.max_depth and math.min(case.max_depth, 100) }
  end

  -- The code, or "accepted" for one that got as far as HTTP.
  local function code_of(err)
    if err.kind == "upgrade" then return "accepted" end
    return err.kind == "certificate" and err.code or err.kind
  end

  local function shake(case, port)
    local ended
    wss.connect(("wss://127.0.0.1:%d/"):format(port), { tls = options(case),
      onclose = function(_, _, _, err) ended = err end })
    server.await(function() return ended end, "the end of " .. case.id)
    return code_of(ended)
  end

  -- In a process of its own, whose clock is wrong on purpose.
  local function shake_then(case, port)
    local dir <close> = process.directory()
    local file = process.write_file(dir.path .. "/options",
      json.encode(options(case)))
    local output, status = process.run { "faketime", "-f",
      os.date("!@%Y-%m-%d %H:%M:%S", math.floor(case.at)), "lua5.4",
      "spec/support/peers/limbo.lua", tostring(port), file,
      env = { TZ = "UTC", FAKETIME_DONT_FAKE_MONOTONIC = "1" } }
    assert(status.code == 0, status.stderr)
    return code_of(json.decode(output))
  end

  local tried = 0
  for i, case in ipairs(cases) do
    local timed = case.at ~= nil
    if case.key and case.name and not case.client and (clocked or not timed)
    then
      it("on " .. case.id, function()
        local port = peer.port_of[tostring(i)]
        if not port then return end -- Python's OpenSSL cannot show it
        tried = tried + 1
        local code = (timed and shake_then or shake)(case, port)
        local wanted = verdicts[i][2]
        if code == "tls" then -- a key that TLS has no signature for
          assert.are_not.equal("accepted", wanted)
        elseif wanted == "bad_crl" or code == "bad_crl" then
          assert.are_not.equal("accepted", code)
        else
          assert.are.equal(wanted, code)
        end
      end)
    end
  end

  it("and nearly all of them could be shown", function()
    assert.is_true(tried >= (clocked and 165 or 150), tostring(tried))
  end)
end)
