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
BY_DELEGATE, BY_FOLLOWER, ABOUT_LEAF, NOT_ALONG = 1, 2, 4, 8
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


CA = (x509.BasicConstraints(True, None), True)
MIDDLE = certificate("fuzz intermediate", 2, 1, "fuzz root", 0, CA)
OURS = certificate("fuzz leaf", 4096, 3, "fuzz intermediate", 1)
DELEGATE = certificate(
    "fuzz delegate", 4097, 2, "fuzz intermediate", 1,
    (x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.9")]),
     False),
    (x509.KeyUsage(True, *[False] * 8), True),
    (x509.OCSPNoCheck(), False))


def der(what):
    return what.public_bytes(Encoding.DER)


def der_of(pem):
    return base64.b64decode(re.sub("-----[^-]*-----", "", pem))


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
            corpus.put(CHAIN, roots[0] + leaf, options, named)
        for pem in case.get("crls", []):
            corpus.put(CRL, der_of(pem), options)
            corpus.put(REVOKED, leaf + der_of(pem), options, named)
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
    return builder.sign(key(by), None).public_bytes(Encoding.DER)


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


def main():
    corpus = Corpus(sys.argv[1])
    limbo(corpus)
    answers(corpus)
    lists(corpus)


main()
