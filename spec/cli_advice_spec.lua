local advice = require "uvwss.cli.advice"
local process = require "spec.support.process"

-- An error of that code with all fields that hints may want, and a report.
local function hints(kind, code, fields)
  local err = { kind = kind, code = code, message = "it is so", depth = 0,
    subject = "CN=a", issuer = "CN=b", not_before = 0, not_after = 1,
    names = { "a.example", "b.example" }, wanted = "c.example",
    pins = { "sha256/X" }, host = "c.example" }
  for name, value in pairs(fields or {}) do err[name] = value end
  return advice.of(err, { at = 0, name = "c.example", port = 443,
    asked = false, verdict = "untrusted" })
end

local function all(...) return table.concat(hints(...), "\n") end

local function is_good(list, code)
  assert.is_true(#list > 0, code .. " has no advice")
  for _, hint in ipairs(list) do
    assert.matches("[.?]$", hint, nil, nil, code)
    assert.is_nil(hint:find "[{]%l+[}]", hint)
    assert.is_nil(hint:find '"%?"', hint)
  end
end

describe("advice", function()
  it("is there for every code of certificates in the reference", function()
    local text = assert(process.read_file "docs/reference.md")
      :match "\n### Codes of certificates\n(.-)\n## "
    local count = 0
    for code in text:gmatch "`([%l_%d]+)`" do
      if code ~= "strict" and code ~= "max_depth" then
        is_good(hints("certificate", code), code)
        count = count + 1
      end
    end
    assert.is_true(count > 60, count)
  end)

  it("is there for every code of certificates in the core", function()
    local count = 0
    for _, name in ipairs { "codes.h", "verdict.h" } do
      for code in assert(process.read_file("csrc/tls/" .. name))
        :gmatch "X%([%u%d_]+, \"([%l_%d]+)\"" do
        if code ~= "memory" then
          is_good(hints("certificate", code), code)
          count = count + 1
        end
      end
    end
    assert.is_true(count > 100, count)
  end)

  it("is there for what is met of other kinds", function()
    for _, case in ipairs { { "tls", "wrong_version_number" },
      { "tls", "unsupported_protocol" },
      { "tls", "tlsv1_alert_protocol_version" },
      { "tls", "sslv3_alert_handshake_failure" },
      { "tls", "tlsv13_alert_certificate_required" },
      { "tls", "unexpected_eof_while_reading" }, { "tls", "no_tls" },
      { "dns", "ENOTFOUND" }, { "dns", "EAI_AGAIN" },
      { "connect", "ECONNREFUSED" }, { "connect", "ETIMEDOUT" },
      { "timeout", "open" }, { "proxy", "refused" }, { "io", "ENOENT" } } do
      is_good(hints(case[1], case[2]), case[2])
    end
    assert.same({}, hints("closed", "reset"))
  end)

  it("tells the CA's from the server's own certificate", function()
    assert.matches("renew the certificate", all("certificate", "expired"))
    assert.matches('"CN=a"', all("certificate", "expired", { depth = 1 }))
  end)

  it("names the names that a certificate has, and not too many", function()
    local text = all("certificate", "hostname_mismatch")
    assert.matches('"a%.example", "b%.example"', text)
    assert.matches("%-%-name a%.example", text)
    local many = {}
    for i = 1, 1000 do many[i] = i .. ".example" end
    text = all("certificate", "hostname_mismatch", { names = many })
    assert.matches("994 more", text)
    assert.is_true(#text < 1000)
    text = all("certificate", "hostname_mismatch", { names = {} })
    assert.matches("common name counts for nothing", text)
  end)

  it("asks for an intermediate, or for trust in a root", function()
    local text = all("certificate", "unknown_issuer")
    assert.matches('"CN=b" is an intermediate, send', text)
    assert.matches('mean to trust "CN=b"', text)
    text = all("certificate", "unknown_issuer", { issuer = "CN=a" })
    assert.matches('mean to trust "CN=a"', text)
  end)

  it("is harmless on a terminal", function()
    local text = all("certificate", "unknown_issuer",
      { issuer = "CN=\27[31m{subject}\n" })
    assert.is_nil(text:gsub("\n", ""):find "%c")
  end)
end)
