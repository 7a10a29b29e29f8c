-- RSA-PSS names its hash in its parameters: an OCSP response with SHA-1 there
-- was taken for one with something better.

local json = require "dkjson"
local process = require "spec.support.process"
local wss = require "uvwss"

local script = [[
import base64, datetime, hashlib, json
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
now = datetime.datetime.utcnow().replace(microsecond=0)
day = datetime.timedelta(days=1)
def name(s):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, s)])
root = rsa.generate_private_key(65537, 2048)
leaf = ec.generate_private_key(ec.SECP256R1())
def cert(subject, key):
    b = (x509.CertificateBuilder().subject_name(name(subject))
         .issuer_name(name("root")).public_key(key.public_key())
         .serial_number(x509.random_serial_number())
         .not_valid_before(now - day).not_valid_after(now + 9 * day)
         .add_extension(x509.SubjectKeyIdentifier.from_public_key(
             key.public_key()), False)
         .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
             root.public_key()), False))
    if subject == "root":
        b = b.add_extension(x509.BasicConstraints(True, None), True)
        b = b.add_extension(x509.KeyUsage(True, False, False, False, False,
                                          True, True, False, False), True)
    else:
        b = b.add_extension(x509.SubjectAlternativeName(
            [x509.DNSName("x.test")]), False)
    return b.sign(root, hashes.SHA256())
def tlv(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    size = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag]) + (bytes([n]) if n < 128
                           else bytes([128 | len(size)]) + size) + body
def oid(text):
    return tlv(6, bytes.fromhex(text))
ca, own = cert("root", root), cert("leaf", leaf)
bits = root.public_key().public_bytes(serialization.Encoding.DER,
                                      serialization.PublicFormat.PKCS1)
key_hash = tlv(4, hashlib.sha1(bits).digest())
serial = own.serial_number
time = tlv(24, now.strftime("%Y%m%d%H%M%SZ").encode())
one = tlv(48, tlv(48, tlv(48, oid("2b0e03021a")),
                  tlv(4, hashlib.sha1(name("root").public_bytes()).digest()),
                  key_hash,
                  tlv(2, serial.to_bytes(serial.bit_length() // 8 + 1, "big"))),
          b"\x80\x00", time)
tbs = tlv(48, tlv(0xa2, key_hash), time, tlv(48, one))
def response(hash, number, size, parameters=None):
    if parameters is None:
        md = tlv(48, oid(number), b"\x05\x00")
        mgf = tlv(48, oid("2a864886f70d010108"), md)
        parameters = tlv(48, tlv(0xa0, md), tlv(0xa1, mgf),
                         tlv(0xa2, tlv(2, bytes([size]))))
    pss = padding.PSS(padding.MGF1(hash), size)
    basic = tlv(48, tbs, tlv(48, oid("2a864886f70d01010a"), parameters),
                tlv(3, b"\0" + root.sign(tbs, pss, hash)))
    der = tlv(48, tlv(10, b"\0"),
              tlv(0xa0, tlv(48, oid("2b0601050507300101"), tlv(4, basic))))
    return der.hex()
def pem(c):
    return c.public_bytes(serialization.Encoding.PEM).decode()
print(json.dumps({"ca": pem(ca), "leaf": pem(own),
    "sha256": response(hashes.SHA256(), "608648016503040201", 32),
    "sha1": response(hashes.SHA1(), "2b0e03021a", 20),
    "default": response(hashes.SHA1(), "", 20, b"\x30\x00")}))
]]

describe("an OCSP response that is signed with RSA-PSS", function()
  it("is judged by the hash in its parameters", function()
    local output, status = process.run { "/usr/bin/python3", "-W", "ignore",
      "-c", script }
    assert.are.same({ "", 0 }, { status.stderr, status.code })
    local made = json.decode(output)
    local tls = assert(wss.tls { ca = made.ca, ocsp = "require" })
    for _, hash in ipairs { "sha256", "sha1", "default" } do
      local chain, err = tls:verify(made.leaf, "x.test", { ocsp =
        made[hash]:gsub("..", function(two)
          return string.char(tonumber(two, 16))
        end) })
      assert.are.equal(hash == "sha256" and "good" or "ocsp_failed",
        chain and "good" or err.code, hash)
      if err then assert.matches("can be forged", err.message, 1, true) end
    end
  end)
end)
