/*
** How a peer's facts come to be. Private to this floor.
*/
#ifndef TLS_PEER_IMPL_H
#define TLS_PEER_IMPL_H

#include <openssl/ssl.h>

#include "tls/peer.h"

/* The facts of an established connection, with one reference; counts
** references of its own on the chain. NULL without memory. */
struct tls_peer *tls_peer_new(SSL *ssl, const STACK_OF(X509) *chain,
                              bool verified);

/* A stapled response was verified. */
void tls_peer_set_ocsp(struct tls_peer *p, double until);

/* What came in the handshake: a chain, and 'n' bytes of a staple, both of which
** are copied. False without memory. */
bool tls_peer_set_came(struct tls_peer *p, const STACK_OF(X509) *chain,
                       const uint8_t *staple, size_t n);

/* A chain without a connection; the same otherwise. */
struct tls_peer *tls_peer_of_chain(const STACK_OF(X509) *chain,
                                   bool verified);

#endif
