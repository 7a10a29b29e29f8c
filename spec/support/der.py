"""Certificates, revocation lists and OCSP answers, byte by byte (X.690, RFC
5280, RFC 6960), so that those can be made that no library makes. The keys and
the signatures are python3-cryptography's."""

import base64
import datetime
import hashlib
import ipaddress
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding
from cryptography.hazmat.primitives.asymmetric import rsa

NOW = int(time.time())
MINUTE, HOUR, DAY = 60, 3600, 86400

# ---- X.690 ---------------------------------------------------------------


def tlv(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    if n < 128:
        return bytes([tag, n]) + body
    size = (n.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + n.to_bytes(size, "big") + body


def seq(*parts):
    return tlv(0x30, *parts)


def sorted_set(*parts):
    return tlv(0x31, *sorted(parts))


def explicit(number, *parts):
    return tlv(0xA0 | number, *parts)


def boolean(value):
    return tlv(1, b"\xff" if value else b"\0")


def integer(n):
    return tlv(2, n.to_bytes(n.bit_length() // 8 + 1, "big", signed=True))


def enumerated(n):
    return tlv(10, bytes([n]))


def bits(data, unused=0):
    return tlv(3, bytes([unused]), data)


def octets(data):
    return tlv(4, data)


NULL = tlv(5)


def oid(dotted):
    numbers = list(map(int, dotted.split(".")))
    out = b""
    for n in [numbers[0] * 40 + numbers[1]] + numbers[2:]:
        piece = bytes([n & 127])
        while n > 127:
            n >>= 7
            piece = bytes([0x80 | n & 127]) + piece
        out += piece
    return tlv(6, out)


def _date(when):
    return datetime.datetime.fromtimestamp(when, datetime.timezone.utc)


def x509_time(when):
    """RFC 5280, 4.1.2.5: two digits of the year before 2050."""
    date = _date(when)
    if date.year < 2050:
        return tlv(0x17, date.strftime("%y%m%d%H%M%SZ").encode())
    return long_time(when)


def long_time(when):
    return tlv(0x18, _date(when).strftime("%Y%m%d%H%M%SZ").encode())


def pem(label, der):
    text = base64.encodebytes(der).decode().replace("\n", "")
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN %s-----" % label] + lines
                     + ["-----END %s-----" % label, ""])


# ---- keys ------------------------------------------------------------------


def p256():
    return ec.generate_private_key(ec.SECP256R1())


def rsa_key(size):
    return rsa.generate_private_key(65537, size)


_ECDSA = {"sha1": "1.2.840.10045.4.1", "sha256": "1.2.840.10045.4.3.2"}
_RSA = {"md5": "1.2.840.113549.1.1.4", "sha1": "1.2.840.113549.1.1.5",
        "sha256": "1.2.840.113549.1.1.11"}
_DSA = {"sha256": "2.16.840.1.101.3.4.3.2"}
_HASH = {"md5": hashes.MD5, "sha1": hashes.SHA1, "sha256": hashes.SHA256}


def algorithm(key, md):
    if isinstance(key, rsa.RSAPrivateKey):
        return seq(oid(_RSA[md]), NULL)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return seq(oid(_ECDSA[md]))
    if isinstance(key, dsa.DSAPrivateKey):
        return seq(oid(_DSA[md]))
    return seq(oid("1.3.101.112"))


def sign(key, md, data):
    digest = _HASH[md]()
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), digest)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(digest))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    return key.sign(data, digest)


def signed(key, md, tbs, spoilt=False):
    """The three parts that certificates, lists and answers all have."""
    signature = sign(key, md, tbs)
    if spoilt:
        signature = sign(key, md, tbs + b"?")
    return tbs, algorithm(key, md), bits(signature)


def spki_of(key):
    return key.public_key().public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo)


def key_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()).decode()


def _children(der):
    """What is directly inside a constructed value, as (tag, body)."""
    def one(at):
        n, body = der[at + 1], at + 2
        if n & 0x80:
            body += n & 0x7f
            n = int.from_bytes(der[at + 2:body], "big")
        return der[at], body, body + n
    _, at, end = one(0)
    while at < end:
        tag, body, after = one(at)
        yield tag, der[body:after]
        at = after


def key_bits(spki):
    """Without the byte that counts unused bits: what identifiers hash."""
    return list(_children(spki))[1][1][1:]


def explicit_p256(spki):
    """The same key, its curve spelt out instead of named (X9.62)."""
    p = 2**256 - 2**224 + 2**192 + 2**96 - 1
    b = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b
    gx = 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296
    gy = 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5
    n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551

    def field(x):
        return x.to_bytes(32, "big")

    curve = seq(integer(1), seq(oid("1.2.840.10045.1.1"), integer(p)),
                seq(octets(field(p - 3)), octets(field(b))),
                octets(b"\x04" + field(gx) + field(gy)), integer(n),
                integer(1))
    return seq(seq(oid("1.2.840.10045.2.1"), curve), bits(key_bits(spki)))


# ---- names -----------------------------------------------------------------


def dn(*pairs):
    oids = {"CN": "2.5.4.3", "O": "2.5.4.10"}
    return seq(*[sorted_set(seq(oid(oids[k]), tlv(12, v.encode())))
                 for k, v in pairs])


def general_name(name):
    """A host's as text; bytes as they are; an address by its type; the rest
    as (tag, bytes)."""
    if isinstance(name, tuple):
        return tlv(name[0], name[1])
    if isinstance(name, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return tlv(0x87, name.packed)
    if isinstance(name, (ipaddress.IPv4Network, ipaddress.IPv6Network)):
        return tlv(0x87, name.network_address.packed, name.netmask.packed)
    return tlv(0x82, name if isinstance(name, bytes) else name.encode())


# ---- extensions: (OID, critical, DER) ---------------------------------------

SKI, KU, SAN = "2.5.29.14", "2.5.29.15", "2.5.29.17"
BC, NC, AKI, EKU = "2.5.29.19", "2.5.29.30", "2.5.29.35", "2.5.29.37"
CRL_NUMBER, IDP = "2.5.29.20", "2.5.29.28"
FEATURE, OCSP_NOCHECK = "1.3.6.1.5.5.7.1.24", "1.3.6.1.5.5.7.48.1.5"

USES = ["digitalSignature", "nonRepudiation", "keyEncipherment",
        "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign"]
PURPOSES = {"serverAuth": "1.3.6.1.5.5.7.3.1",
            "clientAuth": "1.3.6.1.5.5.7.3.2",
            "OCSPSigning": "1.3.6.1.5.5.7.3.9", "any": "2.5.29.37.0"}


def extension(ext):
    number, critical, der = ext
    return seq(oid(number), boolean(True) if critical else b"", octets(der))


def key_usage(names):
    value = 0
    for name in names:
        value |= 0x80 >> USES.index(name)
    unused = (value & -value).bit_length() - 1
    return KU, True, bits(bytes([value]), unused)


def basic_constraints(ca, pathlen=None, critical=True):
    return BC, critical, seq(boolean(True) if ca else b"",
                             integer(pathlen) if pathlen is not None else b"")


def purposes(names):
    return EKU, False, seq(*[oid(PURPOSES[n]) for n in names])


def alternative_names(names, critical=False):
    return SAN, critical, seq(*map(general_name, names))


def constraints(permitted=(), excluded=()):
    def trees(number, names):
        return tlv(0xA0 | number, *[seq(general_name(n)) for n in names]) \
            if names else b""
    return NC, True, seq(trees(0, permitted), trees(1, excluded))


# ---- certificates ------------------------------------------------------------

_serial = int.from_bytes(hashlib.sha256(str(NOW).encode()).digest()[:8], "big")


def next_serial():
    global _serial
    _serial += 1
    return _serial | 1 << 64


class Cert:
    """One that exists: what others need in order to be issued by it."""

    def __init__(self, der, key, subject, spki, serial):
        self.der, self.key, self.subject = der, key, subject
        self.spki, self.serial = spki, serial
        self.key_id = hashlib.sha1(key_bits(spki)).digest()

    def pem(self):
        return pem("CERTIFICATE", self.der)


def make(subject, by=None, key=None, ca=False, names=(), eku=("serverAuth",),
         since=-DAY, until=365 * DAY, without=(), more=(), md="sha256",
         pathlen=None, ku=None, serial=None, spki=None, version=2,
         spoilt=False, outer=None, signer=None):
    """A certificate. `by` issues it, itself if nobody does; `since` and
    `until` count from now; `without` leaves extensions out, `more` adds some
    or takes the place of those that are there."""
    key = key or p256()
    spki = spki or spki_of(key)
    issuer_key = signer or (by.key if by else key)
    if isinstance(subject, str):
        subject = dn(("CN", subject))
    serial = next_serial() if serial is None else serial
    me = Cert(b"", key, subject, spki, serial)
    default_ku = ("keyCertSign", "cRLSign") if ca else ("digitalSignature",)
    exts = [basic_constraints(ca, pathlen), key_usage(ku or default_ku),
            (SKI, False, octets(me.key_id)),
            (AKI, False, seq(tlv(0x80, (by or me).key_id)))]
    if names:
        exts.append(alternative_names(names))
    if not ca and eku:
        exts.append(purposes(eku))
    given = [e[0] for e in more]
    exts = [e for e in exts if e[0] not in without and e[0] not in given]
    exts += more
    tbs = seq(
        explicit(0, integer(version)) if version else b"", integer(serial),
        algorithm(issuer_key, md), by.subject if by else subject,
        seq(x509_time(NOW + since), x509_time(NOW + until)), subject, spki,
        explicit(3, seq(*map(extension, exts))) if exts else b"")
    tbs, alg, signature = signed(issuer_key, md, tbs, spoilt)
    me.der = seq(tbs, outer or alg, signature)
    return me


# ---- revocation lists ----------------------------------------------------------


def crl(by, revoked=(), since=-HOUR, until=30 * DAY, key=None, more=(),
        md="sha256", spoilt=False):
    signer = key or by.key
    exts = [(AKI, False, seq(tlv(0x80, by.key_id))),
            (CRL_NUMBER, False, integer(1))] + list(more)
    entries = [seq(integer(c.serial), x509_time(NOW - 2 * HOUR))
               for c in revoked]
    tbs = seq(integer(1), algorithm(signer, md), by.subject,
              x509_time(NOW + since), x509_time(NOW + until),
              seq(*entries) if entries else b"",
              explicit(0, seq(*map(extension, exts))))
    return pem("X509 CRL", seq(*signed(signer, md, tbs, spoilt)))


# ---- OCSP ----------------------------------------------------------------------

GOOD, REVOKED, UNKNOWN = "good", "revoked", "unknown"
_DIGESTS = {"sha1": "1.3.14.3.2.26", "sha256": "2.16.840.1.101.3.4.2.1"}


def single(cert, issuer, status=GOOD, since=-HOUR, until=DAY, digest="sha1",
           more=()):
    """What an answer says of one certificate."""
    hashed = getattr(hashlib, digest)
    cert_id = seq(seq(oid(_DIGESTS[digest]), NULL),
                  octets(hashed(issuer.subject).digest()),
                  octets(hashed(key_bits(issuer.spki)).digest()),
                  integer(cert.serial))
    said = {GOOD: tlv(0x80), UNKNOWN: tlv(0x82),
            REVOKED: tlv(0xA1, long_time(NOW - 2 * HOUR))}[status]
    return seq(cert_id, said, long_time(NOW + since),
               explicit(0, long_time(NOW + until))
               if until is not None else b"",
               explicit(1, seq(*map(extension, more))) if more else b"")


def answer(signer, *singles, certs=(), produced=-HOUR, md="sha256",
           spoilt=False, more=()):
    tbs = seq(explicit(2, octets(signer.key_id)), long_time(NOW + produced),
              seq(*singles),
              explicit(1, seq(*map(extension, more))) if more else b"")
    basic = seq(*signed(signer.key, md, tbs, spoilt),
                explicit(0, seq(*[c.der for c in certs])) if certs else b"")
    return seq(enumerated(0),
               explicit(0, seq(oid("1.3.6.1.5.5.7.48.1.1"), octets(basic))))


def no_answer(status):
    return seq(enumerated(status))
