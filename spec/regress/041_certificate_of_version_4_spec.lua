local wss = require "uvwss"

local root = [[
-----BEGIN CERTIFICATE-----
MIIBDjCBwaADAgECAgEBMAUGAytlcDAPMQ0wCwYDVQQDDARyb290MB4XDTAwMDEw
MTAwMDAwMFoXDTQ5MTIzMTAwMDAwMFowDzENMAsGA1UEAwwEcm9vdDAqMAUGAytl
cAMhAIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29co0IwQDAPBgNVHRMB
Af8EBTADAQH/MA4GA1UdDwEB/wQEAwIBBjAdBgNVHQ4EFgQUmtGeDxbu9xTLkMbx
ldvOZulFgPkwBQYDK2VwA0EATRaOxyktMrMLa2nZoLKLBcRtythDsjp0EyORLDOw
Ns7Wx4H710SaMe5YEnA2zjchIc1ZUYLqEoZkU3l1OwI+Cw==
-----END CERTIFICATE-----
]]

local leaf = [[
-----BEGIN CERTIFICATE-----
MIIBMTCB5KADAgEDAgECMAUGAytlcDAPMQ0wCwYDVQQDDARyb290MB4XDTAwMDEw
MTAwMDAwMFoXDTQ5MTIzMTAwMDAwMFowDzENMAsGA1UEAwwEbGVhZjAqMAUGAytl
cAMhAIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOUo2UwYzAOBgNVHQ8B
Af8EBAMCB4AwHQYDVR0OBBYEFGloTlHaVfFuU1yq3MDFxawXc8OnMB8GA1UdIwQY
MBaAFJrRng8W7vcUy5DG8ZXbzmbpRYD5MBEGA1UdEQQKMAiCBmEudGVzdDAFBgMr
ZXADQQAenJFI02lKvMxhYWNSgVToU6+GcuyY7n6y7Z1QcF0ukQ8V8eRZ1gUE4r53
ETNZRrmhrT+tK7+qn/1L6dMvLeUA
-----END CERTIFICATE-----
]]

-- OpenSSL's strictness asks for version 3 at least, and takes any above.
describe("a certificate of version 4", function()
  local now = { time = 1704067200 }

  it("is refused where rules of form count", function()
    local chain, err = wss.tls { ca = root }:verify(leaf, "a.test", now)
    assert.is_nil(chain)
    assert.are.equal("invalid_version", err.code)
    assert.are.equal("certificate of \"a.test\" is of a version that there is "
      .. "not (RFC 5280, 4.1.2.1)", err.message)
  end)

  it("passes where they do not", function()
    local tls = wss.tls { ca = root, strict = false }
    assert.are.equal(2, #assert(tls:verify(leaf, "a.test", now)))
  end)
end)
