-- A certificate with a malformed date had one of some hundred thousand million
-- years ago in Lua, and made `uvwss check` fail with a traceback.

local certs = require "spec.support.certs"
local command = require "spec.support.command"
local process = require "spec.support.process"
local text = require "uvwss.cli.text"
local wss = require "uvwss"

-- server.crt with another end, or beginning: its signature is wrong by then,
-- which is of no interest.
local function with_date(which, date)
  local der = process.run { "openssl", "x509", "-in",
    certs.file "server.crt", "-outform", "DER" }
  local n = 0
  local changed = der:gsub("\x17\x0d%d+Z", function()
    n = n + 1
    return n == which and "\x17\x0d" .. date or nil
  end)
  assert.are.equal(2, n)
  return "-----BEGIN CERTIFICATE-----\n"
    .. text.base64(changed):gsub(("."):rep(64), "%0\n")
    .. "\n-----END CERTIFICATE-----\n"
end

local names = { "not_before", "not_after" }

describe("a date that cannot be read", function()
  for which, name in ipairs(names) do
    it("is none: " .. name, function()
      local seen
      local tls = assert(wss.tls { ca = certs.ca,
        onverify = function(ok, cert)
          assert.is_false(ok)
          seen = cert
          return true
        end })
      assert.are.equal(1, #tls:verify(with_date(which, "999999999999Z")))
      assert.is_nil(seen[name])
      assert.is_true(math.type(seen[names[3 - which]]) == "integer")
      assert.are.equal(which == 2, seen.days_left == nil)
    end)

    it("is no trouble to uvwss check: " .. name, function()
      local dir <close> = process.directory()
      local server <close> = process.start { "openssl", "s_server", "-accept",
        "127.0.0.1:0", "-www", "-key", certs("server").key, "-cert",
        process.write_file(dir.path .. "/server.crt",
          with_date(which, "999999999999Z")), ready = "^ACCEPT .*:(%d+)" }
      local url = ("wss://localhost:%d/"):format(server.port)
      local output, status = command.run { "check", "--ca", certs.ca, url }
      assert.are.same({ "", 1 }, { status.stderr, status.code })
      assert.matches("a date that cannot be read", output, 1, true)
      local objects = command.json { "check", "--json", "--ca", certs.ca, url }
      assert.are.equal("untrusted", objects[1].verdict)
      assert.is_nil(objects[1].tls.chain[1][name])
    end)
  end
end)
