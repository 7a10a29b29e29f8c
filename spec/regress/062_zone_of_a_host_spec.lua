-- "host%x:y" was taken for "host": what is behind the percent sign is a zone
-- only where an address is before it.

local certs = require "spec.support.certs"
local process = require "spec.support.process"
local wss = require "uvwss"

describe("a zone", function()
  local chain = process.read_file(certs.file "server.crt")
    .. process.read_file(certs.file "intermediate.crt")
  local tls = assert(wss.tls { ca = certs.ca })

  it("is of an address", function()
    assert.are.equal(3, #tls:verify(chain, "::1%eth0"))
    assert.are.equal(3, #tls:verify(chain, "::1%a:b"))
  end)

  it("is not of a host", function()
    for _, name in ipairs { "localhost%x:y", "localhost%:", "localhost%eth0",
      "localhost%25:443", "127.0.0.1%:" } do
      local found, err = tls:verify(chain, name)
      assert.is_nil(found, name)
      assert.are.same({ "tls", "bad_name" }, { err.kind, err.code })
      found, err = wss.tls { ca = certs.ca, server_name = name }
      assert.is_nil(found, name)
      assert.are.equal("bad_name", err.code)
    end
  end)
end)
