local wss = require "uvwss"

-- The error was "internal error": OpenSSL had said nothing.
describe("a certificate in PEM with nothing in it", function()
  local first, last = "-----BEGIN CERTIFICATE-----\n",
    "-----END CERTIFICATE-----\n"

  for what, text in pairs {
    ["between its lines"] = first .. last,
    ["but headers"] = first .. "Proc-Type: 4\n\n" .. last,
    ["but a colon"] = first .. "MII:\n" .. last,
  } do
    it("is called damaged: nothing " .. what, function()
      local tls = wss.tls { insecure = true }
      local chain, err = tls:verify(text)
      assert.is_nil(chain)
      assert.are.equal("tls", err.kind)
      assert.are.equal("bad_base64_decode", err.code)
      assert.are.equal("cannot read a certificate of the PEM text of 'chain': "
        .. "bad base64 decode", err.message)
    end)

    it("is no one to be trusted: nothing " .. what, function()
      local tls, err = wss.tls { ca = text }
      assert.is_nil(tls)
      assert.are.equal("bad_base64_decode", err.code)
    end)
  end
end)
