/*
** A TLS configuration: options in, one SSL_CTX with its trust and keys out,
** loaded once and shared by any number of sessions. Secure unless told
** otherwise. Counted; safe to share within one thread.
*/
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct tls_context;
struct tls_peer;

enum tls_version { TLS_V_DEFAULT = 0, TLS_V_1_0, TLS_V_1_1, TLS_V_1_2,
                   TLS_V_1_3 };

/* Lists of strings; the context copies what it needs to reload. */
struct tls_list {
  const char *const *items;
  size_t count;
};

enum tls_verify_client { TLS_CLIENT_NONE, TLS_CLIENT_REQUEST,
                         TLS_CLIENT_REQUIRE };

/* Of stapled OCSP responses (RFC 6066, 8; RFC 6960). */
enum tls_ocsp { TLS_OCSP_NONE, TLS_OCSP_STAPLE, TLS_OCSP_REQUIRE };

struct tls_identity {
  const char *name; /* of the host, as SNI has it; or a wildcard label first */
  const char *cert, *key, *password;
};

/* docs/reference.md, "TLS options", says what each means. */
struct tls_options {
  struct tls_list ca; /* each a file, a folder, or PEM text */
  const char *cert, *key, *password; /* files or PEM text */
  const char *server_name;           /* SNI and the name verified */
  struct tls_list pins;              /* "sha256/BASE64" of an SPKI */
  enum tls_version min_version, max_version;
  const char *ciphers, *ciphersuites, *groups;
  struct tls_list alpn;
  bool system_ca;     /* true adds the system's store to 'ca' */
  bool session;       /* keep tickets for a resumption */
  bool strict;        /* X.509 strict checks */
  bool insecure;      /* verify nothing */
  bool crl_chain;     /* 'crl' is for the whole chain, else the leaf alone */
  unsigned max_depth; /* intermediates */
  const char *keylog; /* path; SSLKEYLOGFILE otherwise */
  struct tls_list crl; /* revocation lists: files or PEM text */
  enum tls_ocsp stapled; /* what is asked of a server */

  /* The server's. What is above holds for both but for server_name, pins,
  ** insecure and 'ca', which is 'client_ca' here. */
  struct tls_list client_ca; /* each a file, a folder, or PEM text */
  enum tls_verify_client verify_client;
  const struct tls_identity *sni; /* by name: "a.example", "*.b.example" */
  size_t sni_count;
  const char *ocsp;   /* file (DER) with the answer to staple */
  bool server;        /* these count */
  bool tickets;       /* resumption, with keys that change */
};

void tls_options_init(struct tls_options *o); /* the client's defaults */
void tls_options_init_server(struct tls_options *o);

/*
** NULL and a context with one reference, or the error, which the caller owns:
** kind io (errno's name, path) for a file, kind tls or certificate for
** what is in it. A server needs a certificate (no_certificate), someone to
** trust where clients are verified (no_client_ca), names that can be told
** apart in 'sni' (bad_name), and an answer worth stapling in 'ocsp'
** (bad_ocsp).
*/
struct base_error *tls_context_new(struct tls_context **out,
                                   const struct tls_options *o);
struct tls_context *tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context *c); /* NULL is fine */

/*
** Read all files again. On failure the old ones stay and the error is
** returned. Sessions that exist keep what they began with. A server's tickets
** stay good, but for clients whose certificate no longer is.
*/
struct base_error *tls_context_reload(struct tls_context *c);

/*
** The user's last word on a chain (RFC 5280 leaves it to the application):
** called once in a handshake, with the verified chain and NULL, or with what
** came and why it is refused; what is returned counts. Both are borrowed.
*/
typedef bool tls_ask(void *ctx, struct tls_peer *peer,
                     const struct base_error *err);

/*
** Verify a chain without a connection, as sessions of this context do. Paths,
** lists and times as in docs/reference.md, tls:verify.
*/
struct tls_query {
  const char *chain;  /* PEM, the leaf first */
  const char *name;   /* that it must be for, or NULL: any */
  struct tls_list intermediates; /* PEM each: what else came */
  struct tls_list crl; /* instead of the context's, unless it is empty */
  const uint8_t *ocsp; /* a stapled response (DER), or NULL */
  size_t ocsp_size;
  bool dated;          /* 'now' is given, else it is now */
  double now;          /* epoch seconds */
  tls_ask *ask;        /* or NULL: who has the last word */
  void *ask_ctx;
  bool bounded;        /* 'max_depth' is given */
  unsigned max_depth;
};

/*
** NULL, and the verified chain with one reference in '*out'; or the error,
** which the caller owns: kind certificate for what is not to be trusted, kind
** tls for what is no certificate (bad_name for what is no name).
*/
struct base_error *tls_context_verify(struct tls_context *c,
                                      const struct tls_query *q,
                                      struct tls_peer **out);

bool tls_context_insecure(const struct tls_context *c);
bool tls_context_is_server(const struct tls_context *c);

/* Bytes from OpenSSL's CSPRNG. False when it fails. */
bool tls_random(uint8_t *out, size_t n);
/* All zeros, which match nothing, if OpenSSL fails. */
void tls_sha1(const uint8_t *in, size_t n, uint8_t out[20]);
const char *tls_version_text(void); /* "3.0.22", of the library in use */

#endif
