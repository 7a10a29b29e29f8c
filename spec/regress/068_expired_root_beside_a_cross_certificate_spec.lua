-- Where an expired root is in the store, and its CA has a certificate by another
-- that is trusted, what the server sent of the latter was never looked at.

local json = require "dkjson"
local process = require "spec.support.process"
local wss = require "uvwss"

local script = [[
import datetime, json
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
now = datetime.datetime.utcnow().replace(microsecond=0)
day = datetime.timedelta(days=1)
keys = {n: ec.generate_private_key(ec.SECP256R1()) for n in "ABCL"}
def cert(subject, issuer, until=300, path=None):
    def name(s):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, s)])
    b = (x509.CertificateBuilder().subject_name(name(subject))
         .issuer_name(name(issuer)).public_key(keys[subject].public_key())
         .serial_number(x509.random_serial_number())
         .not_valid_before(now - 300 * day).not_valid_after(now + until * day)
         .add_extension(x509.SubjectKeyIdentifier.from_public_key(
             keys[subject].public_key()), False)
         .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
             keys[issuer].public_key()), False))
    if subject == "L":
        b = b.add_extension(x509.SubjectAlternativeName(
            [x509.DNSName("x.test")]), False)
    else:
        b = b.add_extension(x509.BasicConstraints(True, path), True)
        b = b.add_extension(x509.KeyUsage(True, False, False, False, False,
                                          True, True, False, False), True)
    return b.sign(keys[issuer], hashes.SHA256()).public_bytes(
        serialization.Encoding.PEM).decode()
print(json.dumps({"leaf": cert("L", "C"), "inter": cert("C", "A"),
    "old": cert("A", "A", until=-1), "short": cert("A", "A", path=0),
    "good": cert("B", "B"), "cross": cert("A", "B"),
    "late": cert("A", "B", until=-1)}))
]]

describe("a root in the store", function()
  local made

  setup(function()
    local output, status = process.run { "/usr/bin/python3", "-W", "ignore",
      "-c", script }
    assert.are.same({ "", 0 }, { status.stderr, status.code })
    made = json.decode(output)
  end)

  local function judge(ca, ...)
    local chain, err = assert(wss.tls { ca = ca }):verify(
      table.concat { made.leaf, ... }, "x.test")
    return chain and #chain or err.code
  end

  it("does not hide the way to another that is good", function()
    for _, bad in ipairs { "old", "short" } do
      local both = { made[bad], made.good }
      local code = bad == "old" and "expired" or "path_length"
      assert.are.equal(code, judge(both, made.inter))
      assert.are.equal(4, judge(both, made.inter, made.cross))
      assert.are.equal(4, judge(both, made.cross, made.inter))
      assert.are.equal(4, judge(both, made.late, made.cross, made.inter))
      assert.are.equal(code, judge(both, made.inter, made.late))
      assert.are.equal(code, judge(made[bad], made.inter, made.cross))
    end
  end)
end)
