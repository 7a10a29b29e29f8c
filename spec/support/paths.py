#!/usr/bin/python3
"""Random graphs of CAs that have certified each other, some of them badly.

  paths.py SEED COUNT

Prints a JSON list. Each graph has a "root", a "leaf" for leaf.test, the
certificates of the CAs in between in no order ("sent"), and "good": is there a
path from the leaf to the root of which every certificate is good? "best" is
the number of CAs' certificates on the shortest good one.
"""

import datetime
import json
import random
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.utcnow()
DAY = datetime.timedelta(days=1)
FLAWS = ["expired", "not a CA", "a client's CA", "SHA-1", "constrained",
         "another key"]
KEYS = [ec.generate_private_key(ec.SECP256R1()) for _ in range(8)]
STRANGER = ec.generate_private_key(ec.SECP256R1())


def name(n):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA %d" % n)])


def identifier(key):
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def builder(subject, key, issuer, issuer_key):
    return (x509.CertificateBuilder()
            .subject_name(subject).issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 30 * DAY)
            .add_extension(identifier(key), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    issuer_key.public_key()), False))


def usage(ca):
    return x509.KeyUsage(
        digital_signature=not ca, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        key_cert_sign=ca, crl_sign=ca, encipher_only=False,
        decipher_only=False)


def authority(subject, issuer, flaw=None):
    ca = flaw != "not a CA"
    b = (builder(name(subject), KEYS[subject], name(issuer), KEYS[issuer])
         .not_valid_after(NOW + (-DAY if flaw == "expired" else 365 * DAY))
         .add_extension(x509.BasicConstraints(ca, None), True))
    if ca:
        b = b.add_extension(usage(True), True)
    if flaw == "a client's CA":
        b = b.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
    if flaw == "constrained":
        b = b.add_extension(
            x509.NameConstraints([x509.DNSName("other.test")], None), True)
    signer = STRANGER if flaw == "another key" else KEYS[issuer]
    digest = hashes.SHA1() if flaw == "SHA-1" else hashes.SHA256()
    return b.sign(signer, digest)


def leaf(issuer):
    key = ec.generate_private_key(ec.SECP256R1())
    b = (builder(x509.Name([]), key, name(issuer), KEYS[issuer])
         .not_valid_after(NOW + 90 * DAY)
         .add_extension(usage(False), True)
         .add_extension(x509.ExtendedKeyUsage(
             [ExtendedKeyUsageOID.SERVER_AUTH]), False)
         .add_extension(
             x509.SubjectAlternativeName([x509.DNSName("leaf.test")]), True))
    return b.sign(KEYS[issuer], hashes.SHA256())


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM).decode()


def shortest(edges, start):
    """How many certificates lead from one CA to the root, which is CA 0."""
    reached, depth, found = {start}, 0, {start}
    while 0 not in found:
        found = {i for s, i, flaw in edges
                 if s in found and not flaw and i not in reached}
        if not found:
            return None
        reached |= found
        depth += 1
    return depth


def graph(dice):
    n = dice.randint(2, 6)
    edges = []
    for subject in range(1, n):
        for issuer in dice.sample(range(n), dice.randint(1, min(n - 1, 3))):
            if issuer == subject:
                continue
            flaw = dice.choice(FLAWS) if dice.random() < 0.55 else None
            edges.append((subject, issuer, flaw))
    start = n - 1
    best = shortest(edges, start)
    sent = [authority(*edge) for edge in edges]
    dice.shuffle(sent)
    return {"root": pem(authority(0, 0)), "leaf": pem(leaf(start)),
            "sent": [pem(c) for c in sent], "good": best is not None,
            "best": best, "edges": ["%d by %d%s" % (
                s, i, ": " + flaw if flaw else "") for s, i, flaw in edges]}


def main():
    dice = random.Random(int(sys.argv[1]))
    json.dump([graph(dice) for _ in range(int(sys.argv[2]))], sys.stdout)


main()
