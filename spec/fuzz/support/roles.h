/*
** Who talks to whom in session.c: what the head of an input says, the
** configurations of both ends, and who may accept whom.
*/
#ifndef FUZZ_ROLES_H
#define FUZZ_ROLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "tls/context.h"

enum { ROLES_HEAD = 8 };

enum role_trust { TRUST_GOOD, TRUST_OTHER, TRUST_NOBODY_ASKED, TRUST_PINNED };
enum role_cert { CERT_NONE, CERT_GOOD, CERT_FOREIGN };
enum role_ask { ASK_NONE, ASK_FOLLOW, ASK_YES, ASK_NO };
enum role_host { HOST_NAME, HOST_OTHER, HOST_ADDRESS };
enum role_alpn { ALPN_A = 1, ALPN_B = 2 };

struct roles {
  bool raw_client, raw_server;   /* OpenSSL's own in place of ours */
  unsigned client_version, server_version; /* 0: both; 1: 1.2; 2: 1.3 */
  enum role_trust trust;
  enum role_cert cert;           /* the client's */
  enum role_host host;
  enum role_ask ask;
  enum tls_ocsp ocsp;            /* that the client asks for */
  bool session, tickets;         /* of the client, of the server */
  enum tls_verify_client verify;
  bool staple, sni, retry;       /* the server's; a HelloRetryRequest */
  unsigned client_alpn, server_alpn;
  bool sealed;                   /* who damages has the keys */
  bool trace, noise;             /* record steps; errors of the user's own */
  size_t cut, again_cut;         /* bytes fed at once, the second time too */
  size_t read, again_read;       /* bytes read at once */
  bool anonymous, rogue_alpn, junk_staple; /* what a stranger does */
  bool small, padded;
  unsigned raw_version;          /* 0: all; 1.0, 1.1, 1.2, 1.3 */
};

void roles_read(struct roles *r, const uint8_t head[ROLES_HEAD]);

/* The configuration of one of ours, borrowed until the next input at least;
** kept from one input to the next. */
struct tls_context *roles_client(const struct roles *r);
struct tls_context *roles_server(const struct roles *r);
/* Of a stranger; the caller frees it. */
SSL_CTX *roles_stranger(const struct roles *r, bool server);

const char *roles_host(const struct roles *r);

/* Ours must accept the other, ours must not; where both speak, and nobody
** interferes, this is who comes up. */
bool roles_chain_is_good(const struct roles *r); /* the server's */
bool roles_client_accepts(const struct roles *r);
bool roles_server_accepts(const struct roles *r);
bool roles_agree(const struct roles *r); /* on a version and a protocol */

#endif
