/*
** A client and a server of ours, or somebody else's client and our server,
** over memory.
*/
#ifndef TLS_PAIR_H
#define TLS_PAIR_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

#include "tls/session.h"

/* One of our sessions, and what became of it. */
struct end {
  struct tls_session *session;
  struct base_buf out;    /* ciphertext it wants to send */
  struct base_buf got;    /* plaintext */
  enum tls_status status; /* of its last call */
  bool up;                /* its handshake is done */
  size_t cut;             /* bytes fed at once; 0: all */
};

struct pair {
  struct end server, client;
  SSL *raw; /* instead of the client's session */
  unsigned long raw_error; /* the first that OpenSSL had of it, or 0 */
};

/* Our client; 'raw' made of an SSL_CTX otherwise, which sends 'host' as its
** name (NULL: none). Handshakes have not begun. */
void pair_open(struct pair *p, struct tls_context *server,
               struct tls_context *client, const struct tls_conf *conf);
void pair_open_raw(struct pair *p, struct tls_context *server, SSL_CTX *client,
                   const char *host);
/* Let them talk until neither has anything to say. */
void pair_run(struct pair *p);
/* Hand bytes to the server as if the client had sent them. */
void pair_feed(struct end *e, const void *data, size_t n);
void pair_close(struct pair *p);

/* A server's options with the certificate of that name. */
void server_options(struct tls_options *o, const char *name);
/* A client of ours that speaks but that version and trusts "ca"; with the
** certificate of that name, or NULL. */
struct tls_context *client_of(enum tls_version version,
                              const char *certificate);
/* OpenSSL's own, which verifies nothing and has no level of security. */
SSL_CTX *raw_client(int version);
/* The context of options that are fine. */
struct tls_context *pair_context(const struct tls_options *o);

/* Copy a file of certificates to a path; read the first of it. */
void copy_file(const char *from, const char *to);
X509 *read_cert(const char *file);

#endif
