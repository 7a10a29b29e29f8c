-- A leaf that is in 'ca' was refused for what is wrong with an issuer that its
-- server sends along; a leaf whose issuer has had two keys was refused for the
-- signature of the revocation list, which the first of them had not made; and
-- each of many forged paths cost reading a long list.

local process = require "spec.support.process"
local json = require "dkjson"
local wss = require "uvwss"

local script = [[
import datetime, json
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
now = datetime.datetime.utcnow().replace(microsecond=0)
day = datetime.timedelta(days=1)
root, inter, other, leaf, stranger = (
    ec.generate_private_key(ec.SECP256R1()) for _ in range(5))
def name(s):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, s)])
def cert(subject, key, issuer, by, ca=True, until=300, ids=True, signer=None):
    b = (x509.CertificateBuilder().subject_name(name(subject))
         .issuer_name(name(issuer)).public_key(key.public_key())
         .serial_number(x509.random_serial_number())
         .not_valid_before(now - 30 * day).not_valid_after(now + until * day))
    if ca:
        b = b.add_extension(x509.BasicConstraints(True, None), True)
        b = b.add_extension(x509.KeyUsage(True, False, False, False, False,
                                          True, True, False, False), True)
    if ids:
        b = b.add_extension(x509.SubjectKeyIdentifier.from_public_key(
            key.public_key()), False)
        b = b.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(
                by.public_key()), False)
    if subject == "leaf":
        b = b.add_extension(x509.SubjectAlternativeName(
            [x509.DNSName("x.test")]), False)
    c = b.sign(signer or by, hashes.SHA256())
    return c.public_bytes(serialization.Encoding.PEM).decode()
def revoked(n):
    b = (x509.CertificateRevocationListBuilder().issuer_name(name("inter"))
         .last_update(now - day).next_update(now + 30 * day)
         .add_extension(x509.CRLNumber(1), False))
    b._revoked_certificates = [
        x509.RevokedCertificateBuilder().serial_number(i + 1)
        .revocation_date(now - day).build() for i in range(n)]
    return b.sign(inter, hashes.SHA256()).public_bytes(
        serialization.Encoding.PEM).decode()
print(json.dumps({
    "root": cert("root", root, "root", root),
    "leaf": cert("leaf", leaf, "inter", inter, False),
    "expired": cert("inter", inter, "root", root, until=-1),
    "good": cert("inter", inter, "root", root),
    "authority": cert("leaf", leaf, "inter", inter, True),
    "plain": cert("leaf", leaf, "inter", inter, False, ids=False),
    "old": cert("inter", other, "root", root, ids=False),
    "new": cert("inter", inter, "root", root, ids=False),
    "forged": [cert("inter", inter, "root", root, signer=stranger)
               for _ in range(60)],
    "crl": revoked(0), "long": revoked(100000)}))
]]

describe("the path", function()
  local made

  setup(function()
    local output, status = process.run { "/usr/bin/python3", "-W", "ignore",
      "-c", script }
    assert.are.same({ "", 0 }, { status.stderr, status.code })
    made = json.decode(output)
  end)

  local function judge(options, ...)
    local chain, err = assert(wss.tls(options)):verify(table.concat { ... },
      "x.test")
    return chain and #chain or err.code
  end

  it("of a leaf that is trusted by itself needs no other", function()
    assert.are.equal(1, judge({ ca = made.leaf }, made.leaf))
    assert.are.equal(1, judge({ ca = made.leaf }, made.leaf, made.expired))
    assert.are.equal(1, judge({ ca = made.authority }, made.authority))
    assert.are.equal(1, judge({ ca = made.authority }, made.authority,
      made.good))
    assert.are.equal("unknown_issuer", judge({ ca = made.leaf },
      made.authority, made.expired))
  end)

  it("is the one whose issuer made the revocation list", function()
    for _, sent in ipairs { made.old .. made.new, made.new .. made.old } do
      local options = { ca = made.root, strict = false }
      assert.are.equal(3, judge(options, made.plain, sent))
      options.crl = made.crl
      assert.are.equal(3, judge(options, made.plain, sent))
    end
    assert.are.equal("bad_crl_signature", judge({ ca = made.root,
      strict = false, crl = made.crl }, made.plain, made.old))
  end)

  it("has the list read once, however many are forged", function()
    local function cost(n)
      local tls = assert(wss.tls { ca = made.root, crl = made.long })
      local chain = made.leaf .. table.concat(made.forged, "", 1, n)
      local at = os.clock()
      for _ = 1, 5 do
        local _, err = tls:verify(chain, "x.test")
        assert.are.equal("bad_signature", err.code)
      end
      return os.clock() - at
    end
    cost(1)
    assert.is_true(cost(60) < 12 * cost(1))
  end)
end)
