#!/usr/bin/python3
"""Writes inputs of spec/fuzz/verify.c, from x509-limbo's cases and made up.

    /usr/bin/python3 spec/fuzz/seeds.py DIRECTORY

They are where a fuzzer begins. What it made of them, and is worth keeping, is
in corpus/verify (README.md). Names, serial numbers and keys of our own are
those of support/forge.c.
"""

import datetime
import hashlib
import json
import os
import re
import sys
import base64

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

(PEM, LEAF, CHAIN, OCSP, ANSWER, CRL, PATHS, ANCHOR, REVOKED,
 STAPLED) = range(10)
LAX, CLIENT, CRL_CHAIN, REQUIRE = 0x01, 0x02, 0x20, 0x40
BY_DELEGATE, BY_FOLLOWER, ABOUT_LEAF, NOT_ALONG = 0x01, 0x02, 0x04, 0x08
ADD_AKI, PINNED, SAY_YES, SAY_NO = 0x10, 0x20, 0x40, 0x80
NOW = datetime.datetime(2024, 1, 1)
DAY = datetime.timedelta(days=1)
FIRST, LAST = datetime.datetime(2000, 1, 1), datetime.datetime(2049, 12, 31)


def key(number):
    return ed25519.Ed25519PrivateKey.from_private_bytes(
        bytes([number + 1] * 32))


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, serial, own, issuer, by, *extensions):
    builder = (x509.CertificateBuilder().subject_name(name(subject))
               .issuer_name(name(issuer)).serial_number(serial)
               .public_key(key(own).public_key())
               .not_valid_before(FIRST).not_valid_after(LAST))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key(by), None)


OCSP_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.9")
SERVER_AUTH = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")
CA = (x509.BasicConstraints(True, None), True)
MIDDLE = certificate("fuzz intermediate", 2, 1, "fuzz root", 0, CA)
OURS = certificate("fuzz leaf", 4096, 3, "fuzz intermediate", 1)
DELEGATE = certificate(
    "fuzz delegate", 4097, 2, "fuzz intermediate", 1,
    (x509.ExtendedKeyUsage([OCSP_SIGNING]), False),
    (x509.KeyUsage(True, *[False] * 8), True),
    (x509.OCSPNoCheck(), False))


def der(what):
    return what.public_bytes(Encoding.DER)


def der_of(pem):
    return base64.b64decode(re.sub("-----[^-]*-----", "", pem))


def tlv(tag, *parts):
    content = b"".join(parts)
    n = len(content)
    length = bytes([n]) if n < 0x80 else bytes([0x82]) + n.to_bytes(2, "big")
    return bytes([tag]) + length + content


class Corpus:
    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)

    def put(self, mode, data, options=0, named=1, variant=0,
            signers=b"\0\0\0\0", time=0):
        head = bytes([mode, options, named | time << 4, variant]) + signers
        text = head + data
        if len(text) <= 8192:
            path = os.path.join(self.folder, hashlib.sha1(text).hexdigest())
            with open(path, "wb") as file:
                file.write(text)


def signers(*numbers):
    numbers = list(numbers) + [0] * (8 - len(numbers))
    return bytes(numbers[2 * i] | numbers[2 * i + 1] << 4 for i in range(4))


# ---- x509-limbo -------------------------------------------------------------

def limbo(corpus):
    with open(os.path.join(os.path.dirname(__file__), "..", "limbo",
                           "cases.json"), encoding="utf-8") as file:
        cases = json.load(file)
    for case in cases:
        leaf = der_of(case["leaf"])
        between = [der_of(pem) for pem in case.get("intermediates", [])]
        roots = [der_of(pem) for pem in case["trusted"]]
        options = CLIENT if case.get("client") else 0
        address = re.match(r"[\d.]+$|.*:", case.get("name", ""))
        named = 0 if "name" not in case else 2 if address else 1
        corpus.put(LEAF, leaf, options, named)
        corpus.put(LEAF, leaf, options | LAX, named)
        if len(between) < 7:
            path = signers(*range(2, len(between) + 2), 0) if between else \
                signers(0)
            corpus.put(PATHS, leaf + b"".join(between), options, named, 3,
                       path)
        if between:
            corpus.put(CHAIN, between[0] + leaf, options, named)
        if roots:
            corpus.put(ANCHOR, roots[0] + leaf, options, named)
            corpus.put(CHAIN, roots[0] + leaf, options, named, ADD_AKI)
        for pem in case.get("crls", []):
            corpus.put(CRL, der_of(pem), options)
            corpus.put(REVOKED, leaf + der_of(pem), options, named)
    for case in cases[:3]:
        corpus.put(LEAF, der_of(case["leaf"]), 0, 1, PINNED)
    for case in cases[::20]:
        corpus.put(PEM, case["leaf"].encode(), 0, 0)


# ---- made up ----------------------------------------------------------------

def response(status=ocsp.OCSPCertStatus.GOOD, this=NOW - DAY, until=NOW + DAY,
             algorithm=hashes.SHA1(), leaf=OURS, signer=MIDDLE, by=1,
             along=None, encoding=ocsp.OCSPResponderEncoding.HASH,
             extensions=()):
    revoked = status == ocsp.OCSPCertStatus.REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response(
        leaf, MIDDLE, algorithm, status, this, until,
        NOW - DAY if revoked else None,
        x509.ReasonFlags.key_compromise if revoked else None)
    builder = builder.responder_id(encoding, signer)
    if along:
        builder = builder.certificates([along])
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return dated(builder.sign(key(by), None), this, key(by))


def dated(answer, at, by):
    """The builder takes the present for producedAt."""
    old = answer.tbs_response_bytes
    produced = re.search(rb"\x18\x0f(\d{14}Z)", old).group(1)
    new = old.replace(produced, at.strftime("%Y%m%d%H%M%SZ").encode(), 1)
    text = answer.public_bytes(Encoding.DER)
    return text.replace(old, new).replace(answer.signature, by.sign(new))


def responses():
    status = ocsp.OCSPCertStatus
    nonce = x509.OCSPNonce(b"12345678")
    stranger = certificate("fuzz delegate", 4097, 2, "fuzz intermediate", 5,
                           (x509.OCSPNoCheck(), False))
    yield response()
    yield response(status.REVOKED)
    yield response(status.UNKNOWN)
    yield response(until=None)
    yield response(until=None, this=NOW - 3 * DAY)
    yield response(until=NOW - DAY / 2)
    yield response(this=NOW + DAY, until=NOW + 2 * DAY)
    yield response(algorithm=hashes.SHA256())
    yield response(leaf=DELEGATE)
    yield response(encoding=ocsp.OCSPResponderEncoding.NAME)
    yield response(signer=DELEGATE, by=2, along=DELEGATE)
    yield response(signer=DELEGATE, by=2)
    yield response(signer=stranger, by=2, along=stranger)
    yield response(signer=certificate("fuzz intermediate", 2, 5, "fuzz root",
                                      0, CA), by=5)
    yield response(extensions=[(nonce, False)])
    yield response(extensions=[(nonce, True)])
    yield ocsp.OCSPResponseBuilder.build_unsuccessful(
        ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(Encoding.DER)


def answers(corpus):
    must = certificate(
        "fuzz must", 4098, 3, "fuzz intermediate", 1,
        (x509.TLSFeature([x509.TLSFeatureType.status_request]), False),
        (x509.SubjectAlternativeName([x509.DNSName("example.com")]), False))
    for answer in responses():
        corpus.put(OCSP, answer)
        corpus.put(ANSWER, answer, REQUIRE)
        corpus.put(ANSWER, answer, 0, 1, BY_DELEGATE | ABOUT_LEAF)
        corpus.put(ANSWER, answer + der(DELEGATE), 0, 1, BY_FOLLOWER)
    corpus.put(ANSWER, response(), 0, 1, BY_DELEGATE | NOT_ALONG)
    corpus.put(STAPLED, der(must) + response(leaf=must), LAX, 1)
    corpus.put(STAPLED, der(must) + response(), LAX, 1, ABOUT_LEAF)
    corpus.put(STAPLED, der(must), LAX)
    corpus.put(STAPLED, der(must), LAX | REQUIRE)
    corpus.put(ANSWER, response(), 0, 1, PINNED)
    corpus.put(ANSWER, response(), 0, 1, SAY_NO)
    wrong = response()
    corpus.put(OCSP, wrong[:-1] + bytes([wrong[-1] ^ 1]))
    usage = x509.KeyUsage(True, *[False] * 8)
    for follower in (
            [(usage, True)],
            [(x509.ExtendedKeyUsage([SERVER_AUTH]), False), (usage, True)],
            [(x509.ExtendedKeyUsage([OCSP_SIGNING]), False)],
            [(x509.ExtendedKeyUsage([OCSP_SIGNING]), False),
             (x509.KeyUsage(False, True, *[False] * 7), True)],
            [(x509.ExtendedKeyUsage([OCSP_SIGNING]), False), (usage, True),
             raw("1.2.3.4", b"\5\0", True)]):
        corpus.put(ANSWER, response() + der(certificate(
            "fuzz delegate", 4097, 2, "fuzz intermediate", 1, *follower)),
                   0, 1, BY_FOLLOWER)
    corpus.put(OCSP, response(ocsp.OCSPCertStatus.REVOKED), 0, 1, SAY_YES)
    # a critical extension of the single response, behind nextUpdate
    plain = response()
    at = plain.index(b"\xa0\x11\x18\x0f") + 19
    corpus.put(ANSWER, insert(plain, at, 0xa0, tlv(0xa1, tlv(0x30, tlv(
        0x30, b"\x06\x03\x2a\x03\x04\x01\x01\xff\x04\x02\x05\x00")))))


def insert(data, at, behind, what):
    """'what' behind what ends at 'at' and has the tag 'behind'."""
    out, i = b"", 0
    while i < len(data):
        tag, size, head = data[i], data[i + 1], 2
        if size >= 0x80:
            head += size & 0x7f
            size = int.from_bytes(data[i + 2:i + head], "big")
        start, i = i + head, i + head + size
        content = data[start:i]
        if start < at <= i and (tag & 0x20 or tag == 4):
            content = insert(content, at - start, behind, what)
        out += tlv(tag, content)
        if i == at and tag == behind:
            out += what
    return out


def revocations():
    def start(last=NOW - DAY, following=NOW + DAY):
        return (x509.CertificateRevocationListBuilder()
                .issuer_name(name("fuzz intermediate"))
                .last_update(last).next_update(following)
                .add_extension(x509.CRLNumber(7), False))

    def entry(serial, *extensions):
        builder = (x509.RevokedCertificateBuilder().serial_number(serial)
                   .revocation_date(NOW - DAY))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.build()

    point = [x509.UniformResourceIdentifier("http://example.com/crl")]
    reasons = frozenset([x509.ReasonFlags.key_compromise])
    yield start()
    yield start().add_revoked_certificate(entry(5))
    yield start().add_revoked_certificate(entry(4096))
    yield start().add_revoked_certificate(entry(4096, (
        x509.CRLReason(x509.ReasonFlags.remove_from_crl), False)))
    yield start().add_revoked_certificate(entry(4096, (
        x509.CertificateIssuer([x509.DirectoryName(name("x"))]), True)))
    yield start().add_revoked_certificate(entry(5, (
        x509.InvalidityDate(NOW), True)))
    yield start(NOW - 3 * DAY, NOW - DAY)
    yield start(NOW + DAY, NOW + 3 * DAY)
    yield start().add_extension(x509.DeltaCRLIndicator(3), True)
    yield start().add_extension(x509.AuthorityKeyIdentifier(
        b"1" * 20, None, None), False)
    for user, ca, some, indirect, attribute in (
            (0, 0, None, 0, 0), (1, 0, None, 0, 0), (0, 1, None, 0, 0),
            (0, 0, reasons, 0, 0), (0, 0, None, 1, 0), (0, 0, None, 0, 1)):
        yield start().add_extension(x509.IssuingDistributionPoint(
            None if user or ca or some or indirect or attribute else point,
            None, bool(user), bool(ca), some, bool(indirect),
            bool(attribute)), True)


def lists(corpus):
    where = x509.CRLDistributionPoints([x509.DistributionPoint(
        [x509.UniformResourceIdentifier("http://example.com/crl")], None,
        None, None)])
    leaf = certificate("fuzz listed", 4096, 3, "fuzz intermediate", 1,
                       (where, False), (x509.SubjectAlternativeName(
                           [x509.DNSName("example.com")]), False))
    for builder in revocations():
        data = der(builder.sign(key(1), None))
        corpus.put(CRL, data)
        corpus.put(CRL, data, CRL_CHAIN | LAX)
        corpus.put(REVOKED, der(leaf) + data, LAX)


# ---- extensions of all sorts ------------------------------------------------

def raw(oid, value, critical=False):
    return (x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value),
            critical)


def leaf_with(*extensions):
    return der(certificate("fuzz leaf", 4099, 3, "fuzz root", 0, *extensions))


def names(*parts):
    return raw("2.5.29.17", tlv(0x30, *parts))


def constraints(tag, *bases):
    return raw("2.5.29.30", tlv(0x30, tlv(tag, *[
        tlv(0x30, base) for base in bases])), True)


PERMITTED, EXCLUDED = 0xa0, 0xa1
DNS, MAIL, ADDRESS = 0x82, 0x81, 0x87
HOST = tlv(DNS, b"example.com")


def leaves(corpus):
    names_of = [
        (HOST, tlv(ADDRESS, b"\x7f\0\0")), (tlv(ADDRESS, b""),), (),
        (tlv(DNS, b""),), (tlv(DNS, b"a" * 64 + b".com"),),
        (tlv(DNS, b"a." * 126 + b"aa"),), (tlv(DNS, b"a..b"),),
        (HOST, tlv(DNS, b"ex\0ample.com")), (tlv(MAIL, b"a@example.com"),),
        (tlv(ADDRESS, b"\0" * 15 + b"\1"),), (tlv(ADDRESS, b"\0" * 16),),
        (tlv(ADDRESS, bytes(range(16))), tlv(DNS, b"\"\\\xe2\x80\xae")),
        tuple(tlv(DNS, b"host%d.example.com" % i) for i in range(300)),
        (b"\x30\x80",),
    ]
    for parts in names_of:
        corpus.put(LEAF, leaf_with(names(*parts)), LAX)
        corpus.put(LEAF, leaf_with(names(*parts)), LAX, 9)
    corpus.put(LEAF, leaf_with(names(HOST)), LAX, 1, PINNED)
    corpus.put(PATHS, 3 * leaf_with(names(HOST)), LAX)
    corpus.put(LEAF, leaf_with(names(tlv(DNS, b"ex*.example.com"))), LAX)
    corpus.put(LEAF, der(certificate("example.com", 4099, 3, "fuzz root", 0)),
               LAX, 7)
    twice = leaf_with(names(HOST), raw("1.2.3.4", b"\5\0"),
                      raw("1.2.3.5", b"\5\0"))
    corpus.put(LEAF, twice.replace(b"\x06\x03*\x03\x05", b"\x06\x03*\x03\x04"),
               LAX)
    access = tlv(0x30, tlv(0x30, tlv(6, bytes.fromhex("2b06010505073001")),
                           tlv(0x86, b"http://a/")))
    for extension in (raw("1.3.6.1.5.5.7.1.1", access),
                      raw("1.3.6.1.5.5.7.1.1", access, True),
                      raw("1.3.6.1.5.5.7.1.11", b"\x30\x03\x02\x01\x05"),
                      raw("2.5.29.36", tlv(0x30, b"\x80\x01\x00")),
                      raw("2.5.29.36", tlv(0x30, b"\x80\x01\x00"), True),
                      constraints(PERMITTED, HOST)):
        for options in (0, LAX):
            ours = [names(HOST), extension, (x509.AuthorityKeyIdentifier(
                b"1" * 20, None, None), False), (
                x509.SubjectKeyIdentifier(b"2" * 20), False)]
            corpus.put(LEAF, leaf_with(*ours), options)


def constrained(corpus):
    many = [tlv(DNS, b"")] * 600
    cases = [
        (PERMITTED, [HOST], [HOST]),
        (PERMITTED, [tlv(DNS, b"com")], [HOST, tlv(DNS, b"*.example.com")]),
        (EXCLUDED, [tlv(DNS, b"a.example.com")], [tlv(DNS, b"*.example.com")]),
        (EXCLUDED, [tlv(DNS, b"b.a.example.com")],
         [tlv(DNS, b"*.example.com")]),
        (PERMITTED, [tlv(DNS, b".example.com")], [tlv(DNS, b"a.example.com")]),
        (PERMITTED, [tlv(DNS, b".example.com")], [HOST]),
        (PERMITTED, [tlv(DNS, b"")], [HOST]),
        (EXCLUDED, [tlv(DNS, b"")], [HOST]),
        (PERMITTED, [tlv(DNS, b"*.com")], [HOST]),
        (PERMITTED, [tlv(ADDRESS, b"\x7f\0\0\0\xff\0\0\0")],
         [tlv(ADDRESS, b"\x7f\0\0\1")]),
        (PERMITTED, [tlv(ADDRESS, b"\x7f\0\0\0\xff\0\xff\0")],
         [tlv(ADDRESS, b"\x7f\0\0\1")]),
        (PERMITTED, [tlv(ADDRESS, b"\x7f\0\0\0\xf5\0\0\0")], [HOST]),
        (PERMITTED, [tlv(ADDRESS, b"\x7f\0\0\0\xff")], [HOST]),
        (EXCLUDED, [tlv(ADDRESS, b"\0" * 32)],
         [tlv(ADDRESS, b"\0" * 15 + b"\1")]),
        (PERMITTED, [tlv(MAIL, b"example.com")],
         [HOST, tlv(MAIL, b"a@example.com")]),
        (PERMITTED, [tlv(MAIL, b"example.com")],
         [HOST, tlv(MAIL, b'"a b"@example.com')]),
        (PERMITTED, [tlv(MAIL, b"example.com")], [HOST, tlv(MAIL, b"@")]),
        (PERMITTED, [HOST], [HOST, tlv(DNS, b"a b.example.com")]),
        (PERMITTED, [tlv(0x86, b"http://example.com")],
         [HOST, tlv(0x86, b"http://example.com/")]),
        (PERMITTED, many, [HOST] + [tlv(DNS, b"")] * 1900),
        (EXCLUDED, [tlv(DNS, b"a")] * 300, [HOST] + [tlv(DNS, b"b")] * 1300),
        (PERMITTED, [], [HOST]),
        (EXCLUDED, [tlv(DNS, b"a.other.com"), tlv(DNS, b"a.sub.example.net")],
         [tlv(DNS, b"*.example.com")]),
    ]
    for tag, bases, parts in cases:
        upper = der(certificate("fuzz upper", 3, 4, "fuzz root", 0, CA,
                                constraints(tag, *bases)))
        for mode in (CHAIN, ANCHOR):
            corpus.put(mode, upper + leaf_with(names(*parts)), LAX, 1)
    broken = der(certificate("fuzz upper", 3, 4, "fuzz root", 0, CA,
                             raw("2.5.29.30", b"\x30\x01")))
    corpus.put(CHAIN, broken + leaf_with(names(HOST)), LAX)


def crowds(corpus):
    """Many of two names, so that there are many paths."""
    leaf = leaf_with(names(HOST))
    for count in (8, 16, 28):
        for same in (True, False):
            crowd = [der(certificate("crowd %d" % (i % 2), 10 + i, 4, "x", 4,
                                     CA if same or i % 3 else
                                     (x509.BasicConstraints(True, 0), True)))
                     for i in range(count)]
            for path in (signers(2, 3, 4, 5, 6, 7, 8, 9),
                         signers(2, 3, 2, 5, 4, 7, 6, 3),
                         signers(2, 0, 2, 3, 4, 0, 6, 7)):
                for variant in range(4):
                    corpus.put(PATHS, leaf + b"".join(crowd), LAX, 1, variant,
                               path)


def main():
    corpus = Corpus(sys.argv[1])
    limbo(corpus)
    answers(corpus)
    lists(corpus)
    leaves(corpus)
    constrained(corpus)
    crowds(corpus)


main()
