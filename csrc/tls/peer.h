/*
** Facts about an established TLS connection, kept beyond its end. Counted.
*/
#ifndef TLS_PEER_H
#define TLS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_peer;

struct tls_peer *tls_peer_ref(struct tls_peer *p);
void tls_peer_unref(struct tls_peer *p); /* NULL is fine */

/* Strings live as long as the peer; "" where there is nothing to say. */
const char *tls_peer_version(const struct tls_peer *p); /* "TLSv1.3" */
const char *tls_peer_cipher(const struct tls_peer *p);  /* OpenSSL's name */
const char *tls_peer_group(const struct tls_peer *p);   /* "x25519" */
const char *tls_peer_alpn(const struct tls_peer *p);
bool tls_peer_resumed(const struct tls_peer *p);
bool tls_peer_verified(const struct tls_peer *p); /* false if insecure */

/* Of the stapled OCSP response that was verified: epoch seconds until which it
** is the newest; negative if there was none. */
double tls_peer_ocsp_until(const struct tls_peer *p);

/* The verified chain, leaf first (insecure: what the peer sent). */
size_t tls_peer_chain_count(const struct tls_peer *p);

/*
** Of one that onverify is asked about, what came in the handshake: a peer with
** that chain, or NULL; and the stapled OCSP response (DER), or NULL. Borrowed.
*/
const struct tls_peer *tls_peer_came(const struct tls_peer *p);
const uint8_t *tls_peer_staple(const struct tls_peer *p, size_t *n);

/* One certificate (RFC 5280, 4.1), for people and programs. */
struct tls_cert {
  char *subject, *issuer;  /* RFC 2253 text, UTF-8 */
  char *serial;            /* lower-case hex */
  char *names;             /* SANs, each ended by NUL; addresses as text */
  size_t names_size;
  double not_before, not_after; /* epoch seconds */
  char *sha256;            /* of the DER, lower-case hex */
  char *spki_sha256;       /* "sha256/BASE64", as a pin is written */
  char *pem;
  char *key;               /* "EC P-256", "RSA 2048" */
  char *signature;         /* OpenSSL's name: "ecdsa-with-SHA256" */
};

/* Fill 'out' for certificate 'i' of the chain; false without memory. */
bool tls_peer_cert(const struct tls_peer *p, size_t i, struct tls_cert *out);
void tls_cert_deinit(struct tls_cert *c);

#endif
