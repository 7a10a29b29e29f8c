-- With crl_check = "chain", an intermediate in 'ca' was never good: a list was
-- wanted for it, and none by an issuer that is not trusted was taken.

local certs = require "spec.support.certs"
local process = require "spec.support.process"
local wss = require "uvwss"

describe("lists of the whole chain", function()
  local chain = process.read_file(certs.file "server.crt")

  local function judge(ca, ...)
    local crl = {}
    for i, name in ipairs { ... } do crl[i] = certs.file(name) end
    local found, err = assert(wss.tls { ca = certs.file(ca), crl = crl,
      crl_check = "chain" }):verify(chain, "localhost")
    return found and #found or err.code
  end

  it("end below an anchor that somebody else has issued", function()
    assert.are.equal(2, judge("intermediate.crt", "intermediate.crl"))
    assert.are.equal(2, judge("intermediate.crt", "intermediate.crl",
      "ca.crl"))
    assert.are.equal("no_crl", judge("intermediate.crt", "ca.crl"))
  end)

  it("are wanted of all others", function()
    assert.are.equal(3, judge("ca.crt", "intermediate.crl", "ca.crl"))
    assert.are.equal("no_crl", judge("ca.crt", "intermediate.crl"))
    assert.are.equal("no_crl", judge("ca.crt", "ca.crl"))
  end)
end)
