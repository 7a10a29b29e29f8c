/*
** What must be true of a verdict, found out by other means than those of
** csrc/tls: as little as possible is shared with what is looked after.
*/
#ifndef FUZZ_ORACLE_H
#define FUZZ_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/err.h"
#include "tls/context.h"
#include "tls/peer.h"

/* An error for people: a kind, a code, a sentence, printable fields. */
void oracle_error(const struct base_error *err);
/* All the certificates of a peer can be read, and shown. */
void oracle_readable(const struct tls_peer *p);

/* What was asked, and of whom. */
struct oracle_case {
  const struct tls_query *query;
  bool strict, client;
  const X509 *anchor;
};

/* The chain of who was accepted: RFC 5280, 6, in short. */
void oracle_chain(const struct oracle_case *c, const struct tls_peer *p);
/* An OCSP response with which the peer was accepted. */
void oracle_ocsp(const struct tls_peer *p, const uint8_t *der, size_t n,
                 double now);
/* A peer that was accepted without one, where one that says so must have it. */
void oracle_no_staple(const struct tls_peer *p);
/* The one revocation list with which the peer was accepted. */
void oracle_crl(const struct tls_peer *p, const X509_CRL *crl, double now);

/* One of the chain has that pin. */
void oracle_pin(const struct tls_peer *p, const char *pin);

/* The same for oracle_*.c alone. */
STACK_OF(X509) *oracle_certs(const struct tls_peer *p);
double oracle_epoch(const ASN1_TIME *t); /* NaN: it is none */
/* RFC 5280, 6.1.3 b and c, for host names and addresses. */
void oracle_constraints(const STACK_OF(X509) *chain);

#endif
