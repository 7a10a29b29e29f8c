-- Each extension was compared with each before anything was verified: 86 kB of
-- them took nearly half a second.

local certs = require "spec.support.certs"
local process = require "spec.support.process"
local wss = require "uvwss"

local script = [[
import base64, sys
def tlv(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    size = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag]) + (bytes([n]) if n < 128
                           else bytes([128 | len(size)]) + size) + body
def oid(n):
    arcs = [n & 127]
    while n > 127:
        n >>= 7
        arcs.append(128 | n & 127)
    return tlv(6, b"\x2a" + bytes(arcs[::-1]))
spki = base64.b64decode("".join(
    line for line in sys.stdin.read().split("\n") if "-" not in line))
count, broken = int(sys.argv[1]), sys.argv[2] == "broken"
extensions = [tlv(48, oid(i + 200), tlv(4)) for i in range(count)]
if broken: # basic constraints that are none
    extensions[0] = tlv(48, tlv(6, b"\x55\x1d\x13"), tlv(4, b"\x01"))
ecdsa = tlv(48, tlv(6, b"\x2a\x86\x48\xce\x3d\x04\x03\x02"))
def name(s):
    return tlv(48, tlv(49, tlv(48, tlv(6, b"\x55\x04\x03"), tlv(12, s))))
tbs = tlv(48, b"\xa0\x03\x02\x01\x02", tlv(2, b"\x01"), ecdsa, name(b"x"),
          tlv(48, tlv(23, b"200101000000Z"), tlv(23, b"490101000000Z")),
          name(b"y"), spki, tlv(0xa3, tlv(48, *extensions)))
der = tlv(48, tbs, ecdsa, tlv(3, b"\0\x30\x06\x02\x01\x01\x02\x01\x01"))
print("-----BEGIN CERTIFICATE-----")
print(base64.encodebytes(der).decode() + "-----END CERTIFICATE-----")
]]

describe("thousands of extensions", function()
  local tls = assert(wss.tls { ca = certs.ca })

  local function made(count, how)
    local dir <close> = process.directory()
    local key = process.run { "openssl", "x509", "-in", certs.ca, "-noout",
      "-pubkey" }
    local output, status = process.run { "/usr/bin/python3", "-c", script,
      tostring(count), how,
      stdin = process.write_file(dir.path .. "/key", key) }
    assert.are.same({ "", 0 }, { status.stderr, status.code })
    return output
  end

  local function cost(chain)
    local at = os.clock()
    local _, err = tls:verify(chain)
    return os.clock() - at, err
  end

  it("are not compared with each other", function()
    local time, err = cost(made(9500, "broken"))
    assert.are.equal("invalid_extension", err.code)
    assert.matches("more extensions than", err.message, 1, true)
    -- Where they are in order, they cost what it takes to read them.
    local otherwise = cost(made(9500, "fine"))
    assert.is_true(time < 4 * otherwise + 0.02)
  end)

  it("are what is wrong; a few hundred are not", function()
    local _, err = cost(made(256, "broken"))
    assert.are.equal("invalid_extension", err.code)
    assert.matches("malformed or contradictory", err.message, 1, true)
    _, err = cost(made(256, "fine"))
    assert.are.equal("unknown_issuer", err.code)
  end)
end)
