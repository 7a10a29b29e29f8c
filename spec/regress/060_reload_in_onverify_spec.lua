-- tls:verify went on with the lists of a configuration that onverify had
-- loaded anew, and freed them once more.

local certs = require "spec.support.certs"
local process = require "spec.support.process"
local wss = require "uvwss"

local function read(name) return process.read_file(certs.file(name)) end

describe("tls:reload in onverify, in the middle of tls:verify", function()
  local chain = read "server.crt" .. read "intermediate.crt"

  for _, answer in ipairs { true, false } do
    it("leaves it what it began with, and " .. tostring(answer), function()
      local tls, asked = nil, 0
      tls = assert(wss.tls { ca = certs.ca, crl = certs.file "intermediate.crl",
        onverify = function(ok)
          asked = asked + 1
          assert.is_true(ok)
          for _ = 1, 3 do assert.is_true(tls:reload()) end
          return answer
        end })
      for _ = 1, 5 do
        local found, err = tls:verify(chain, "localhost")
        assert.are.equal(answer and 3 or "refused",
          found and #found or err.code)
      end
      assert.are.equal(5, asked)
    end)
  end

  it("leaves it the lists of the call too", function()
    local tls
    tls = assert(wss.tls { ca = certs.ca, onverify = function(ok)
      return ok and tls:reload()
    end })
    assert.are.equal(3, #tls:verify(chain, "localhost",
      { crl = certs.file "intermediate.crl" }))
  end)
end)
