#!/usr/bin/python3
"""A zoo of certificates, and who shows them.

  zoo.py serve DIR           makes them, and listens: a port for each server
  zoo.py visit DIR PORT OUT VISITS
                             clients, one after the other: VISITS is a list of
                             [name, version] in JSON, OUT what came of it

DIR gets NAME.pem (a chain, leaf first) and NAME.key of each, NAME.crl of the
revocation lists, NAME.ocsp of the answers, and ports.json: {NAME: PORT}. All
is dated from now. `ready 0` says that all is there; then a line of JSON comes
for each connection when it is over: {"name", "version", "asked", "error"},
`asked` if a whole request was read, `error` in OpenSSL's words. Whoever asks
for an upgrade gets it, and text back. Nothing is too weak to be served here.
"""

import functools
import ipaddress
import json
import os
import selectors
import socket
import sys
import threading

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519
from OpenSSL import SSL

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(sys.path[0], "peers"))
import der  # noqa: E402
import wire  # noqa: E402
from der import DAY, HOUR, MINUTE, make  # noqa: E402

# Java's old parameters of 1024 bits: to make others takes seconds.
DSA_P = int(
    "fd7f53811d75122952df4a9c2eece4e7f611b7523cef4400c31e3f80b6512669"
    "455d402251fb593d8d58fabfc5f5ba30f6cb9b556cd7813b801d346ff26660b7"
    "6b9950a5a49f9fe8047b1022c24fbba9d7feb7c61bf83b57e7c6a8a6150f04fb"
    "83f6d3c51ec3023554135a169132f675f3ae2b61d72aeff22203199dd14801c7", 16)
DSA_Q = int("9760508f15230bccb292b982a2eb840bf0581cf5", 16)
DSA_G = int(
    "f7e1a085d69b3ddecbbcab5c36b857b97994afbbfa3aea82f9574c0b3d078267"
    "5159578ebad4594fe67107108180b449167123e84c281613b7cf09328cc8a6e1"
    "3c167a8b547c8d28e0a3ae1e2bb3a675916ea37f0bfa213562f1fb627a01243b"
    "cca4f1bea8519089a883dfe15ae59f06928b665e807b552564014c3bfecf492a", 16)

# RFC 2409, 6.2: 1024 bits
DH_P = int(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74"
    "020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437"
    "4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed"
    "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff", 16)

NAME = "server.test"
UNKNOWN_OID = "1.3.6.1.4.1.99999.7"


class Zoo:
    def __init__(self):
        self.files = {}
        self.servers = {}  # name: what of its SSL is special

    def keep(self, name, chain, key=None):
        """A chain, for whoever likes to show it."""
        self.files[name + ".pem"] = "".join(c.pem() for c in chain)
        self.files[name + ".key"] = der.key_pem(key or chain[0].key)

    def serve(self, name, chain, **options):
        self.keep(name, chain)
        self.servers[name] = options

    def write(self, directory):
        for name, text in self.files.items():
            path = os.path.join(directory, name)
            with open(path, "wb") as file:
                file.write(text if isinstance(text, bytes) else text.encode())


class Family:
    """A root, who is below it, and shorthands for their leaves."""

    def __init__(self, zoo):
        self.zoo = zoo
        self.root = make("zoo root", ca=True)
        self.inter = make("zoo intermediate", self.root, ca=True)
        self.other = make("another root", ca=True)
        # Each takes long enough to be made once only.
        self.rsa, self.rsa1024, self.rsa512 = map(der.rsa_key,
                                                  (2048, 1024, 512))
        zoo.keep("root", [self.root])
        zoo.keep("inter", [self.inter])
        zoo.keep("other", [self.other])

    def leaf(self, names=(NAME,), by=None, subject=NAME, **how):
        return make(subject, by or self.inter, names=names, **how)

    def show(self, name, names=(NAME,), by=None, behind=None, **how):
        """A server with such a leaf, by the intermediate unless said
        otherwise, which is behind it."""
        it = self.leaf(names, by, **how)
        self.zoo.serve(name, [it] + (behind if behind is not None
                                     else [by or self.inter]))
        return it


# ---- who shows what ----------------------------------------------------------


def dates(f):
    f.show("good")
    f.show("expired", since=-40 * DAY, until=-3 * DAY - MINUTE)
    f.show("notyet", since=3 * DAY + MINUTE)
    late = make("an expired intermediate", f.root, ca=True, since=-40 * DAY,
                until=-3 * DAY - MINUTE)
    f.show("expired_issuer", by=late)
    cert = f.leaf()
    cert.der = cert.der.replace(der.x509_time(der.NOW + 365 * DAY),
                                der.tlv(0x17, b"991332000000Z"))
    cert.der = resigned(cert, f.inter)
    f.zoo.serve("bad_time", [cert, f.inter])


def resigned(cert, by, md="sha256"):
    """What was changed within is signed once more."""
    tbs_tag, body = list(der._children(cert.der))[0]
    tbs = der.tlv(tbs_tag, body)
    return der.seq(*der.signed(by.key, md, tbs))


def chains(f):
    lone = f.leaf()
    f.zoo.serve("incomplete", [lone])
    f.show("untrusted", by=f.other)
    selfish = make(NAME, names=(NAME,))
    f.zoo.serve("selfsigned", [selfish])
    usual = f.leaf()
    f.show("nonca", by=usual, behind=[usual, f.inter])
    stranger = make("a stranger", f.other, ca=True)
    f.zoo.serve("superfluous", [f.leaf(), stranger, f.inter, f.root, f.other,
                                lone])
    f.zoo.keep("stranger", [stranger])
    second = make("second intermediate", f.inter, ca=True)
    third = make("third intermediate", second, ca=True)
    f.show("deep", by=third, behind=[third, second, f.inter])
    f.show("reversed", by=third, behind=[f.root, f.inter, second, third])
    f.show("shuffled", by=third, behind=[second, f.other, third, f.inter])
    f.show("repeated", behind=[f.inter, f.inter, f.inter])
    f.show("gap", by=third, behind=[third, f.inter])
    short = make("an intermediate for leaves", f.root, ca=True, pathlen=0)
    below = make("one too many", short, ca=True)
    f.show("pathlen_kept", by=short)
    f.show("pathlen", by=below, behind=[below, short])
    # The same name, another key: whoever takes it for the other is wrong.
    double = make("zoo intermediate", f.root, ca=True)
    f.show("bad_signature", spoilt=True)
    f.show("double", by=double, behind=[f.inter])
    f.show("double_without_aki", by=double, without=(der.AKI,),
           behind=[f.inter])
    f.show("double_both", by=double, behind=[f.inter, double])
    f.zoo.serve("root_as_leaf", [f.root])


def crossed(f):
    """One key and name with two certificates, the first path of which leads
    nowhere good."""
    old = make("old intermediate", f.root, ca=True, since=-40 * DAY,
               until=-DAY)
    banned = make("banned intermediate", f.root, ca=True)
    unknown = make("unknown intermediate", f.other, ca=True)
    fence = make("fenced intermediate", f.root, ca=True,
                 more=[der.constraints(permitted=["elsewhere.test"])])
    weak = make("weak intermediate", f.root, ca=True, key=f.rsa1024)
    key = der.p256()

    def cross(by, **how):
        return make("cross intermediate", by, key=key, ca=True, **how)

    good = cross(f.root)
    by = {"expired": cross(f.root, since=-40 * DAY, until=-DAY),
          "above": cross(old), "unknown": cross(unknown),
          "fenced": cross(fence), "weak": cross(weak)}
    above = {"above": [old], "unknown": [unknown, f.other], "fenced": [fence],
             "weak": [weak]}
    for name, first in by.items():
        f.show("cross_" + name, by=good,
               behind=[first] + above.get(name, []) + [good])
    f.show("cross_dead", by=good, behind=[by["above"], old, by["expired"]])
    f.show("cross_revoked", by=good, behind=[cross(banned), banned, good])
    f.zoo.files["root.crl"] = der.crl(f.root, [banned, f.revoked_inter])
    f.zoo.files["cross.crl"] = der.crl(good)
    f.zoo.files["banned.crl"] = der.crl(banned)


def revocation(f):
    gone = f.show("revoked")
    f.revoked_inter = make("revoked intermediate", f.root, ca=True)
    f.show("revoked_issuer", by=f.revoked_inter)
    deaf = make("an intermediate without lists", f.root, ca=True,
                ku=("keyCertSign",))
    f.show("no_crl_sign", by=deaf)
    lists = {
        "inter": der.crl(f.inter, [gone]),
        "revoked_inter": der.crl(f.revoked_inter),
        "late": der.crl(f.inter, since=-3 * DAY, until=-DAY),
        "late_revoked": der.crl(f.inter, [gone], since=-3 * DAY, until=-DAY),
        "early": der.crl(f.inter, since=DAY),
        "other": der.crl(f.other),
        "forged": der.crl(f.inter, key=f.other.key),
        "spoilt": der.crl(f.inter, spoilt=True),
        "sha1": der.crl(f.inter, md="sha1"),
        "deaf": der.crl(deaf),
        "critical": der.crl(f.inter, more=[(UNKNOWN_OID, True, der.NULL)]),
        "scope": der.crl(f.inter, more=[
            (der.IDP, True, der.seq(der.tlv(0x82, b"\xff")))]),
        "indirect": der.crl(f.inter, more=[
            (der.IDP, True, der.seq(der.tlv(0x84, b"\xff")))]),
    }
    for name, text in lists.items():
        f.zoo.files[name + ".crl"] = text
    # Whatever time it is when somebody looks: one of these ends soon.
    for n in range(120):
        f.zoo.files["soon.%d.crl" % n] = der.crl(
            f.inter, until=2 * n if n < 60 else 120 + 20 * (n - 60))


def stapled(f):
    leaf = f.leaf()
    again = f.leaf()
    must = f.leaf(more=[(der.FEATURE, False, der.seq(der.integer(5)))])

    def delegate(eku=("OCSPSigning",), by=f.inter, **how):
        return make("a responder", by, eku=eku,
                    more=[(der.OCSP_NOCHECK, False, der.NULL)], **how)

    def say(cert=leaf, by=f.inter, **how):
        return der.single(cert, by, **how)

    def told(*singles, signer=f.inter, **how):
        return der.answer(signer, *singles, **how)

    def through(responder, *behind, **how):
        return told(say(), signer=responder, certs=[responder] + list(behind),
                    **how)

    bad, unknown = say(status=der.REVOKED), say(status=der.UNKNOWN)
    old = say(since=-3 * DAY, until=-DAY)
    strange = make("a responder", f.other, eku=("OCSPSigning",))
    far = delegate(by=f.root)
    critical = [(UNKNOWN_OID, True, der.NULL)]
    answers = {
        "good": told(say()),
        "sha256": told(say(digest="sha256")),
        "revoked": told(bad), "unknown": told(unknown),
        "old": told(old, produced=-3 * DAY),
        "old_revoked": told(say(status=der.REVOKED, since=-3 * DAY,
                                until=-DAY), produced=-3 * DAY),
        "undated": told(say(until=None)),
        "undated_old": told(say(since=-3 * DAY, until=None),
                            produced=-3 * DAY),
        "future": told(say(since=DAY, until=2 * DAY), produced=DAY),
        "produced_later": told(say(), produced=DAY),
        "soon_over": told(say(until=-2 * MINUTE)),
        "just_over": told(say(until=-20 * MINUTE)),
        "other": told(say(again)),
        "other_issuer": told(der.single(leaf, f.other)),
        "nobody": told(),
        "both": told(say(), bad), "both_again": told(bad, say()),
        "good_unknown": told(say(), unknown),
        "old_good": told(old, say()),
        "stranger": told(say(), signer=f.other, certs=[f.other]),
        "stranger_delegate": through(strange, f.other),
        "leaf_signs": told(say(), signer=leaf, certs=[leaf]),
        "delegate": through(delegate()),
        "delegate_without": through(delegate(())),
        "delegate_server": through(delegate(("serverAuth",))),
        "delegate_any": through(delegate(("any",))),
        "delegate_expired": through(delegate(since=-3 * DAY, until=-DAY)),
        "delegate_early": through(delegate(since=DAY)),
        "delegate_far": through(far),
        "delegate_weak": through(delegate(key=f.rsa1024)),
        "delegate_spoilt": through(delegate(spoilt=True)),
        "delegate_unsent": told(say(), signer=delegate()),
        "issuers_issuer": told(say(), signer=f.root, certs=[f.root]),
        "spoilt": told(say(), spoilt=True),
        "sha1": told(say(), md="sha1"),
        "critical": told(say(), more=critical),
        "critical_single": told(say(more=critical)),
        "extended": told(say(more=[(UNKNOWN_OID, False, der.NULL)])),
        "later": der.no_answer(3),
        "garbage": b"this is no OCSP response",
        "cut": told(say())[:-1], "more": told(say()) + b"\0",
    }
    for name, response in answers.items():
        f.zoo.files["staple_%s.ocsp" % name] = response
        f.zoo.serve("staple_" + name, [leaf, f.inter], staple=response)
    f.zoo.serve("staple_none", [leaf, f.inter])
    f.zoo.serve("must", [must, f.inter])
    f.zoo.serve("must_good", [must, f.inter], staple=told(say(must)))
    f.zoo.files["must_good.ocsp"] = told(say(must))
    f.show("must_malformed",
           more=[(der.FEATURE, False, der.octets(b"?"))])


def strength(f):
    authority = make("an RSA intermediate", f.root, ca=True, key=f.rsa)
    dsa_key = dsa.DSAParameterNumbers(DSA_P, DSA_Q, DSA_G).parameters() \
        .generate_private_key()
    p192 = ec.generate_private_key(ec.SECP192R1())
    f.show("rsa", by=authority, key=f.rsa)
    for md in "sha1", "md5":
        f.show(md, by=authority, md=md)
    sha1 = make("an intermediate by SHA-1", f.root, ca=True, md="sha1")
    f.show("sha1_issuer", by=sha1)
    root = make("a root by SHA-1", ca=True, md="sha1")
    f.show("sha1_root", by=root, behind=[])
    f.zoo.keep("sha1root", [root])
    keys = {"rsa512": f.rsa512, "rsa1024": f.rsa1024,
            "p192": p192, "dsa": dsa_key}
    for name, key in keys.items():
        f.show(name, key=key)
        if name != "rsa512":
            weak = make("an issuer (%s)" % name, f.root, ca=True, key=key)
            f.show(name + "_issuer", by=weak)
    f.show("p384", key=ec.generate_private_key(ec.SECP384R1()))
    f.show("ed25519", key=ed25519.Ed25519PrivateKey.generate())
    spelt = make("an issuer with a spelt curve", f.root, ca=True,
                 key=(key := der.p256()),
                 spki=der.explicit_p256(der.spki_of(key)))
    f.show("explicit_issuer", by=spelt)
    f.zoo.keep("explicit", [f.leaf(
        key=(key := der.p256()),
        spki=der.explicit_p256(der.spki_of(key))), f.inter])


def names(f):
    f.show("wronghost", ["other.test"])
    f.show("cnonly", ())
    f.show("many", ["n%d.many.test" % n for n in range(1000)])
    f.show("idn", ["xn--bcher-kva.test"])
    f.show("idn_unicode", ["b\u00fccher.test".encode()])
    f.show("idn_latin", ["b\u00fccher.test".encode("latin-1")])
    f.show("upper", ["SERVER.Test"])
    f.show("ip", [ipaddress.ip_address("127.0.0.1")])
    f.show("ip6", [ipaddress.ip_address("::1")])
    f.show("ip_other", [ipaddress.ip_address("127.0.0.2")])
    f.show("ip_dns", ["127.0.0.1"])
    f.show("ip_text", [(0x87, b"127.0.0.1")])
    f.show("ip_cn", ["x.test"], subject="127.0.0.1")
    f.show("ip_wild", ["*.0.0.1"])
    f.show("wild", ["*.wild.test"])
    f.show("wild_partial", ["f*.wild.test"])
    f.show("wild_end", ["*f.wild.test"])
    f.show("wild_second", ["a.*.wild.test"])
    f.show("wild_two", ["*.*.test"])
    f.show("wild_bare", ["*"])
    f.show("wild_top", ["*.test"])
    f.show("wild_alabel", ["xn--*.wild.test"])
    f.show("nul", [b"server.test\0.evil.test"])
    f.show("dot", ["server.test."])
    f.show("leading_dot", [".server.test"])
    f.show("empty_name", [""])
    f.show("mail", [(0x81, b"server.test")])
    f.show("uri", [(0x86, b"https://server.test/")])
    f.show("no_subject", subject=der.dn(), more=[
        der.alternative_names([NAME], critical=True)])
    f.show("no_subject_soft", subject=der.dn())
    f.show("empty_san", (), more=[der.alternative_names([])])


def fences(f):
    def fenced(name, names, permitted=(), excluded=(), anchor=False, **how):
        by = make("a fenced CA (%s)" % name, None if anchor else f.root,
                  ca=True, more=[der.constraints(permitted, excluded)])
        f.show(name, names, by=by, behind=[] if anchor else [by], **how)
        if anchor:
            f.zoo.keep(name + "_root", [by])

    net = ipaddress.ip_network("10.0.0.0/8")
    fenced("nc_kept", [NAME, "sub.server.test"], ["server.test"])
    fenced("nc_permitted", [NAME], ["elsewhere.test"])
    fenced("nc_second", [NAME, "evil.example"], ["test"])
    fenced("nc_excluded", [NAME], excluded=["server.test"])
    fenced("nc_excluded_above", [NAME], excluded=["test"])
    fenced("nc_excluded_not", [NAME], excluded=["er.test"])
    fenced("nc_wild", ["*.wild.test"], excluded=["secret.wild.test"])
    fenced("nc_wild_kept", ["*.wild.test"], ["wild.test"])
    fenced("nc_malformed", [NAME, "bad name.test"], ["test"])
    fenced("nc_malformed_excluded", [NAME, b"bad\0name.test"],
           excluded=["example"])
    fenced("nc_ip", [NAME, ipaddress.ip_address("127.0.0.1")], [net])
    fenced("nc_ip_kept", [NAME, ipaddress.ip_address("10.1.2.3")], [net])
    fenced("nc_other_kind", [NAME], [net])
    fenced("nc_bad_mask", [NAME], excluded=[(0x87, b"\x0a\0\0\0\xff\0\xff\0")])
    fenced("nc_root", [NAME], ["elsewhere.test"], anchor=True)
    soft = make("a CA with a soft fence", f.root, ca=True, more=[
        (der.NC, False, der.constraints(["elsewhere.test"])[2])])
    f.show("nc_soft", by=soft)
    empty = make("a CA with an empty fence", f.root, ca=True,
                 more=[(der.NC, True, der.seq())])
    f.show("nc_empty", by=empty)


def extensions(f):
    f.show("client", eku=("clientAuth",))
    f.show("no_eku", eku=())
    f.show("any_eku", eku=("any",))
    f.show("any_and_client", eku=("any", "clientAuth"))
    f.show("both_eku", eku=("serverAuth", "clientAuth"))
    f.show("ocsp_eku", eku=("OCSPSigning",))
    mail = make("a CA for clients", f.root, ca=True,
                more=[der.purposes(["clientAuth"])])
    f.show("client_issuer", by=mail)
    f.show("ca_as_leaf", ca=True)
    f.show("ca_as_leaf_eku", ca=True, more=[der.purposes(["serverAuth"])],
           ku=("digitalSignature", "keyCertSign"))
    nosign = make("a CA that may not sign", f.root, ca=True, ku=("cRLSign",))
    f.show("no_cert_sign", by=nosign)
    f.show("no_aki", without=(der.AKI,))
    f.show("no_bc", without=(der.BC,))
    f.show("no_ski", without=(der.SKI,))
    noski = make("a CA without SKI", f.root, ca=True, without=(der.SKI,))
    f.show("ca_no_ski", by=noski)
    soft = make("a CA softly", f.root, ca=True,
                more=[der.basic_constraints(True, critical=False)])
    f.show("ca_soft", by=soft)
    useless = make("a CA without usage", f.root, ca=True, without=(der.KU,))
    f.show("ca_no_ku", by=useless)
    # OpenSSL shows no leaf that is like these.
    twice = make("a CA twice over", f.root, ca=True, more=[
        der.purposes(["serverAuth"]), der.purposes(["serverAuth"])])
    f.show("duplicate_issuer", by=twice)
    odd = make("a malformed CA", f.root, ca=True,
               more=[(der.EKU, False, der.octets(b"?"))])
    f.show("malformed_issuer", by=odd)
    f.zoo.keep("duplicate", [f.leaf(more=[
        der.purposes(["serverAuth"]), der.purposes(["serverAuth"])]), f.inter])
    f.zoo.keep("malformed", [f.leaf(more=[
        (der.EKU, False, der.octets(b"?"))]), f.inter])
    f.show("duplicate_unknown", more=[(UNKNOWN_OID, False, der.NULL),
                                      (UNKNOWN_OID, False, der.NULL)])
    f.show("critical", more=[(UNKNOWN_OID, True, der.NULL)])
    f.show("unknown", more=[(UNKNOWN_OID, False, der.NULL)])
    f.show("critical_issuer", by=make(
        "a CA with something", f.root, ca=True,
        more=[(UNKNOWN_OID, True, der.NULL)]))
    f.show("negative_serial", serial=-5)
    f.show("zero_serial", serial=0)
    f.show("twenty_serial", serial=(1 << 159) - 1)
    f.show("long_serial", serial=1 << 167)
    f.show("inconsistent", outer=der.seq(der.oid("1.2.840.10045.4.3.3")))
    f.show("version1", version=0)


def protocols(f):
    authority = make("an RSA intermediate", f.root, ca=True, key=f.rsa)
    rsa = [f.leaf(by=authority, key=f.rsa, ku=(
        "digitalSignature", "keyEncipherment")), authority]
    serve = f.zoo.serve
    serve("plain", rsa)
    serve("cbc", rsa, ciphers="ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES128-SHA256",
          version="1.2")
    serve("static", rsa, ciphers="AES128-GCM-SHA256", version="1.2")
    serve("null", rsa, ciphers="NULL-SHA256:ECDHE-RSA-NULL-SHA",
          version="1.2")
    serve("anonymous", rsa, ciphers="aNULL", version="1.2")
    serve("small_dh", rsa, ciphers="DHE-RSA-AES128-GCM-SHA256",
          version="1.2", dh=True)
    serve("tls1", rsa, version="1.0")
    serve("tls11", rsa, version="1.1")
    serve("ccm8", rsa, ciphers="AES128-CCM8", version="1.2")


def guests(f):
    """Certificates of clients."""
    def keep(name, *behind, by=None, eku=("clientAuth",), **how):
        it = make(name, by or f.inter, names=["client.test"], eku=eku, **how)
        f.zoo.keep("guest_" + name, [it] + (list(behind) or
                                            [by or f.inter]))
        return it

    keep("right")
    keep("both", eku=("serverAuth", "clientAuth"))
    keep("nopurpose", eku=())
    keep("expired", since=-40 * DAY, until=-3 * DAY - MINUTE)
    keep("early", since=3 * DAY + MINUTE)
    keep("stranger", by=f.other)
    alone = make("alone", f.inter, eku=("clientAuth",))
    f.zoo.keep("guest_alone", [alone])
    f.zoo.keep("guest_selfsigned", [make("selfsigned", eku=("clientAuth",))])
    keep("server", eku=("serverAuth",))
    keep("any", eku=("any",))
    keep("ca", ca=True, more=[der.purposes(["clientAuth"])],
         ku=("digitalSignature", "keyCertSign"))
    usual = f.leaf()
    keep("bynonca", usual, f.inter, by=usual)
    gone = keep("revoked")
    f.zoo.files["guests.crl"] = der.crl(f.inter, [gone])
    keep("underrevoked", by=f.revoked_inter)
    authority = make("an RSA intermediate", f.root, ca=True, key=f.rsa)
    keep("rsa512", key=f.rsa512)
    keep("rsa1024", key=f.rsa1024)
    keep("p192", key=ec.generate_private_key(ec.SECP192R1()))
    keep("weakissuer", by=make("a weak issuer", f.root, ca=True,
                               key=f.rsa1024))
    keep("sha1", md="sha1")
    keep("md5", by=authority, md="md5")
    fence = make("a fenced CA of clients", f.root, ca=True,
                 more=[der.constraints(["elsewhere.test"])])
    keep("fenced", by=fence)
    hole = make("a CA of clients with a hole", f.root, ca=True,
                more=[der.constraints(excluded=["client.test"])])
    keep("excluded", by=hole)
    short = make("a CA for leaves", f.root, ca=True, pathlen=0)
    below = make("one too many", short, ca=True)
    keep("pathlen", below, short, by=below)
    keep("noaki", without=(der.AKI,))
    keep("duplicate", more=[(UNKNOWN_OID, False, der.NULL),
                            (UNKNOWN_OID, False, der.NULL)])
    keep("critical", more=[(UNKNOWN_OID, True, der.NULL)])
    keep("longserial", serial=1 << 167)
    keep("spoilt", spoilt=True)
    keep("ed25519", key=ed25519.Ed25519PrivateKey.generate())


def populate(zoo):
    f = Family(zoo)
    for part in (dates, chains, revocation, crossed, stapled, strength, names,
                 fences, extensions, protocols, guests):
        part(f)


# ---- showing them ------------------------------------------------------------

VERSIONS = {"1.0": SSL.TLS1_VERSION, "1.1": SSL.TLS1_1_VERSION,
            "1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}


def context(directory, name, version=None, ciphers="ALL", staple=None,
            dh=False):
    """Of either side; it takes anything."""
    ctx = SSL.Context(SSL.TLS_METHOD)
    ctx.set_cipher_list(("%s:@SECLEVEL=0" % ciphers).encode())
    ctx.set_min_proto_version(VERSIONS[version or "1.2"])
    if version:
        ctx.set_max_proto_version(VERSIONS[version])
    chain = os.path.join(directory, name + ".pem")
    ctx.use_certificate_chain_file(chain)
    ctx.use_privatekey_file(os.path.join(directory, name + ".key"))
    if staple is not None:
        ctx.set_ocsp_server_callback(lambda _conn, _data: staple)
    if dh:
        path = os.path.join(directory, "dh.pem")
        with open(path, "w", encoding="ascii") as file:
            file.write(der.pem("DH PARAMETERS", der.seq(
                der.integer(DH_P), der.integer(2))))
        ctx.load_tmp_dh(path.encode())
    return ctx


def reason(problem):
    if isinstance(problem, SSL.Error) and problem.args \
            and isinstance(problem.args[0], list):
        return "; ".join(part[2] for part in problem.args[0])
    return "%s: %s" % (type(problem).__name__, problem)


def read_head(conn):
    data = b""
    while b"\r\n\r\n" not in data:
        data += conn.recv(4096)
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def read_frame(conn, rest):
    """One frame and what came behind it."""
    parser = wire.parse_frame()
    need = next(parser)
    while True:
        while len(rest) < need:
            rest += conn.recv(4096)
        piece, rest = rest[:need], rest[need:]
        try:
            need = parser.send(piece)
        except StopIteration as end:
            return end.value, rest


def echo(conn, rest):
    while True:
        frame, rest = read_frame(conn, rest)
        conn.sendall(wire.frame(frame["opcode"], frame["payload"]))
        if frame["opcode"] == 8:
            return


def attend(name, context_of, sock, lock):
    told = {"name": name, "asked": False, "error": None, "version": None}
    try:
        with lock:
            ctx = context_of(name)
        conn = SSL.Connection(ctx, sock)
        conn.set_accept_state()
        conn.do_handshake()
        told["version"] = conn.get_protocol_version_name()
        head, rest = read_head(conn)
        told["asked"] = True
        _, headers = wire.parse_request(head)
        conn.sendall(wire.upgrade(headers["sec-websocket-key"]))
        echo(conn, rest)
        conn.shutdown()
    except Exception as problem:  # whatever it is, it is told
        told["error"] = reason(problem)
    sock.close()
    with lock:
        print(json.dumps(told), flush=True)


def serve(directory):
    zoo = Zoo()
    populate(zoo)
    zoo.write(directory)
    lock, ports = threading.Lock(), {}

    @functools.lru_cache(maxsize=None)  # tickets are of one context
    def context_of(name):
        return context(directory, name, **zoo.servers[name])

    doors = selectors.DefaultSelector()
    for name in zoo.servers:
        door = socket.create_server(("127.0.0.1", 0))
        ports[name] = door.getsockname()[1]
        doors.register(door, selectors.EVENT_READ, name)
    with open(os.path.join(directory, "ports.json"), "w",
              encoding="ascii") as file:
        json.dump(ports, file)
    print("ready 0", flush=True)
    while True:
        for key, _ in doors.select():
            sock, _ = key.fileobj.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=attend, daemon=True, args=(
                key.data, context_of, sock, lock)).start()


# ---- visiting ------------------------------------------------------------------


def visit(directory, port, name, version):
    told = {"name": name, "answer": None, "error": None}
    try:
        sock = socket.create_connection(("127.0.0.1", port))
        told["port"] = sock.getsockname()[1]
        conn = SSL.Connection(context(directory, name, version), sock)
        conn.set_connect_state()
        conn.set_tlsext_host_name(b"localhost")
        conn.do_handshake()
        conn.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n"
                     b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Version: 13\r\n"
                     b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        _, rest = read_head(conn)
        conn.sendall(wire.frame(1, b"x", mask=b"abcd"))
        frame, rest = read_frame(conn, rest)
        told["answer"] = frame["payload"].decode()
        conn.sendall(wire.frame(8, b"\x03\xe8", mask=b"abcd"))
        read_frame(conn, rest)
    except Exception as problem:  # whatever it is, it is told
        told["error"] = reason(problem)
    return told


def visits(directory, port, out, course):
    told = [visit(directory, int(port), name, version)
            for name, version in json.loads(course)]
    with open(out + ".new", "w", encoding="utf-8") as file:
        json.dump(told, file)
    os.rename(out + ".new", out)


def main():
    words = {"serve": serve, "visit": visits}
    if len(sys.argv) < 3 or sys.argv[1] not in words:
        sys.exit(__doc__)
    words[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
