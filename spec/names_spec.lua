-- Which names a certificate is good for (RFC 9525; RFC 6125; RFC 5280,
-- 4.2.1.6), and which names can be asked for at all.

local issue = require "spec.support.issue"
local wss = require "uvwss"

local long = ("a"):rep(63)

-- wanted, what the certificate has, verdict: "good", "mismatch", or "no name"
-- where no certificate can be good for it. A third key is the common name.
local rows = {
  -- exactly, but for case
  { "a.example", { dns = { "a.example" } }, "good" },
  { "A.EXAMPLE", { dns = { "a.example" } }, "good" },
  { "a.example", { dns = { "A.Example" } }, "good" },
  { "a.example", { dns = { "b.example", "a.example" } }, "good" },
  { "a.example", { dns = { "b.example" } }, "mismatch" },
  { "a.example", { dns = { "a.example.org" } }, "mismatch" },
  { "a.example", { dns = { "x.a.example" } }, "mismatch" },
  { "x.a.example", { dns = { "a.example" } }, "mismatch" },
  { "a.example", { dns = { "aa.example" } }, "mismatch" },
  { "localhost", { dns = { "localhost" } }, "good" },
  { "xn--bcher-kva.example", { dns = { "xn--bcher-kva.example" } }, "good" },
  { "my_service.internal", { dns = { "my_service.internal" } }, "good" },
  { long .. ".example", { dns = { long .. ".example" } }, "good" },
  -- the root's dot
  { "a.example.", { dns = { "a.example" } }, "good" },
  { "a.example", { dns = { "a.example." } }, "mismatch" },
  { "a.example..", { dns = { "a.example" } }, "no name" },
  -- wildcards: a whole first label, for exactly one label
  { "x.a.example", { dns = { "*.a.example" } }, "good" },
  { "X.A.example", { dns = { "*.a.EXAMPLE" } }, "good" },
  { "a.example", { dns = { "*.a.example" } }, "mismatch" },
  { "y.x.a.example", { dns = { "*.a.example" } }, "mismatch" },
  { "y.x.a.example", { dns = { "*.*.a.example" } }, "mismatch" },
  { "x.y.example", { dns = { "x.*.example" } }, "mismatch" },
  { "foo.a.example", { dns = { "f*.a.example" } }, "mismatch" },
  { "foo.a.example", { dns = { "*o.a.example" } }, "mismatch" },
  { "foo.a.example", { dns = { "f*o.a.example" } }, "mismatch" },
  { "a.example", { dns = { "*.example" } }, "mismatch" },
  { "example", { dns = { "*" } }, "mismatch" },
  { "a.example", { dns = { "*" } }, "mismatch" },
  { "xn--bcher-kva.a.example", { dns = { "*.a.example" } }, "good" },
  { "xn--bcher-kva.a.example", { dns = { "xn--*.a.example" } }, "mismatch" },
  { ".a.example", { dns = { "*.a.example" } }, "no name" },
  -- the common name is never a host name
  { "a.example", { cn = "a.example" }, "mismatch" },
  { "a.example", { cn = "a.example", dns = { "b.example" } }, "mismatch" },
  { "192.0.2.1", { cn = "192.0.2.1" }, "mismatch" },
  { "a.example", { cn = "x", ip = { "192.0.2.1" } }, "mismatch" },
  -- addresses are matched by addresses, and by nothing else
  { "192.0.2.1", { ip = { "192.0.2.1" } }, "good" },
  { "192.0.2.2", { ip = { "192.0.2.1" } }, "mismatch" },
  { "192.0.2.1", { dns = { "192.0.2.1" } }, "mismatch" },
  { "192.0.2.1", { dns = { "*.0.2.1" } }, "mismatch" },
  { "2001:db8::1", { ip = { "2001:db8::1" } }, "good" },
  { "2001:DB8:0:0:0:0:0:1", { ip = { "2001:db8::1" } }, "good" },
  { "2001:db8::0.0.0.1", { ip = { "2001:db8::1" } }, "good" },
  { "2001:db8::1", { ip = { "2001:db8::2" } }, "mismatch" },
  { "2001:db8::1", { dns = { "2001:db8::1" } }, "mismatch" },
  { "::ffff:192.0.2.1", { ip = { "192.0.2.1" } }, "mismatch" },
  { "192.0.2.1", { ip = { "::ffff:192.0.2.1" } }, "mismatch" },
  { "192.0.2.1.", { ip = { "192.0.2.1" } }, "good" },
  -- a zone says on which link, and not who
  { "fe80::1%eth0", { ip = { "fe80::1" } }, "good" },
  { "2001:db8::1%eth0", { ip = { "2001:db8::2" } }, "mismatch" },
  { "fe80::1%", { ip = { "fe80::1" } }, "no name" },
  { "192.0.2.1%eth0", { ip = { "192.0.2.1" } }, "no name" },
  { "a.example%eth0", { dns = { "a.example" } }, "no name" },
  -- what getaddrinfo takes for an address, and certificates do not know
  { "0xc0.0.2.1", { ip = { "192.0.2.1" } }, "no name" },
  { "0xc0000201", { ip = { "192.0.2.1" } }, "no name" },
  { "3221225985", { ip = { "192.0.2.1" } }, "no name" },
  { "192.0.513", { ip = { "192.0.2.1" } }, "no name" },
  { "192.000.002.001", { ip = { "192.0.2.1" } }, "no name" },
  { "[2001:db8::1]", { ip = { "2001:db8::1" } }, "no name" },
  { "2001:db8::g", { ip = { "2001:db8::1" } }, "no name" },
  -- what OpenSSL takes for any name, or for a pattern
  { "", { dns = { "a.example" } }, "no name" },
  { ".", { dns = { "a.example" } }, "no name" },
  { ".example", { dns = { "a.example" } }, "no name" },
  { "*", { dns = { "a.example", "*" } }, "no name" },
  { "*.a.example", { dns = { "*.a.example" } }, "no name" },
  { "a..example", { dns = { "a..example" } }, "no name" },
  { "a example", { dns = { "a example" } }, "no name" },
  { "a.example:443", { dns = { "a.example" } }, "no name" },
  { "a.example/", { dns = { "a.example" } }, "no name" },
  { "b\u{fc}cher.example", { dns = { "xn--bcher-kva.example" } }, "no name" },
  { "b\u{fc}cher.example", { dns = { "b\u{fc}cher.example" } }, "no name" },
  { "xn--bcher-kva.example", { dns = { "b\u{fc}cher.example" } }, "mismatch" },
  { long .. "a.example", { dns = { long .. "a.example" } }, "no name" },
  { ("a."):rep(127) .. "example", { dns = { "a.example" } }, "no name" },
}

local made

local function certificates()
  if made then return made end
  local orders = {}
  for i, row in ipairs(rows) do orders[i] = row[2] end
  made = issue(orders)
  return made
end

local function shown(row)
  local list = {}
  for _, kind in ipairs { "cn", "dns", "ip" } do
    local value = row[2][kind]
    if value then
      list[#list + 1] = ("%s %s"):format(kind,
        type(value) == "table" and table.concat(value, ", ") or value)
    end
  end
  return ("%q of %s: %s"):format(row[1], table.concat(list, "; "), row[3])
end

local function verdict(chain, err)
  if chain then return "good" end
  if err.kind == "tls" and err.code == "bad_name" then return "no name" end
  if err.kind == "certificate" and err.code == "hostname_mismatch" then
    return "mismatch"
  end
  return tostring(err)
end

describe("the name wanted,", function()
  for i, row in ipairs(rows) do
    it(shown(row), function()
      local all = certificates()
      local tls = assert(wss.tls { ca = all.ca })
      local chain, err = tls:verify(all.certs[i], row[1])
      assert.are.equal(row[3], verdict(chain, err))
      if row[3] == "mismatch" then
        assert.is_truthy(err.message:find("was wanted", 1, true)
          or err.message:find("not good for", 1, true), err.message)
        assert.is_string(err.wanted)
      end
    end)
  end

  it("may be nobody's, for tls:verify alone", function()
    local all = certificates()
    local tls = assert(wss.tls { ca = all.ca })
    assert.is_table(tls:verify(all.certs[1]))
    assert.is_table(tls:verify(all.certs[1], nil, {}))
  end)
end)
