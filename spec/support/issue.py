#!/usr/bin/python3
"""Certificates of one CA, made to order.

Reads a JSON list of orders from standard input, and prints a JSON object: "ca"
is the root, "certs" has a certificate in PEM for each order, "keys" theirs. An
order may have

  cn            the subject's common name
  dns           a list of dNSNames, as they are: not even ASCII is asked for
  ip            a list of iPAddresses
  from, until   epoch seconds; from a month ago for a year otherwise
"""

import datetime
import ipaddress
import json
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.utcnow().replace(microsecond=0)
MONTH = datetime.timedelta(days=30)
CA_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made to order")])
CA_KEY = ec.generate_private_key(ec.SECP256R1())


def when(order, name, otherwise):
    if name in order:
        return datetime.datetime.utcfromtimestamp(order[name])
    return otherwise


def builder(subject, key, since, until):
    return (x509.CertificateBuilder()
            .subject_name(subject).issuer_name(CA_NAME)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(since).not_valid_after(until)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                CA_KEY.public_key()), False))


def authority():
    since = datetime.datetime(2000, 1, 1)
    until = datetime.datetime(2200, 1, 1)
    return (builder(CA_NAME, CA_KEY, since, until)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(
                CA_KEY.public_key()), False)
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(x509.KeyUsage(False, False, False, False, False,
                                         True, True, False, False), True)
            .sign(CA_KEY, hashes.SHA256()))


def names(order):
    for one in order.get("dns", []):
        yield x509.DNSName._init_without_validation(one)
    for one in order.get("ip", []):
        yield x509.IPAddress(ipaddress.ip_address(one))


def make(order, key):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, order["cn"])]
                        if "cn" in order else [])
    b = builder(subject, key, when(order, "from", NOW - MONTH),
                when(order, "until", NOW + 12 * MONTH))
    all_names = list(names(order))
    if all_names:
        b = b.add_extension(x509.SubjectAlternativeName(all_names),
                            "cn" not in order)
    return b.sign(CA_KEY, hashes.SHA256())


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM).decode()


def private(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()).decode()


def main():
    orders = json.load(sys.stdin)
    key = ec.generate_private_key(ec.SECP256R1())
    json.dump({"ca": pem(authority()),
               "certs": [pem(make(order, key)) for order in orders],
               "keys": [private(key) for _ in orders]}, sys.stdout)


main()
