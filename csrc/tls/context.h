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

enum tls_version { TLS_V_DEFAULT = 0, TLS_V_1_0, TLS_V_1_1, TLS_V_1_2,
                   TLS_V_1_3 };

/* Lists of strings; the context copies what it needs to reload. */
struct tls_list {
  const char *const *items;
  size_t count;
};

/* docs/reference.md, "TLS options", says what each means. */
struct tls_options {
  struct tls_list ca; /* each a file, a folder, or PEM text */
  bool system_ca;     /* true adds the system's store to 'ca' */
  const char *cert, *key, *password; /* files or PEM text */
  const char *server_name;           /* SNI and the name verified */
  struct tls_list pins;              /* "sha256/BASE64" of an SPKI */
  enum tls_version min_version, max_version;
  const char *ciphers, *ciphersuites, *groups;
  struct tls_list alpn;
  bool session;       /* keep tickets for a resumption */
  const char *keylog; /* path; SSLKEYLOGFILE otherwise */
  unsigned max_depth; /* intermediates */
  bool strict;        /* X.509 strict checks */
  bool insecure;      /* verify nothing */
};

void tls_options_init(struct tls_options *o); /* the defaults */

/*
** NULL and a context with one reference, or the error, which the caller owns:
** kind io (errno's name, path) for a file, kind tls or certificate for
** what is in it.
*/
struct base_error *tls_context_new(struct tls_context **out,
                                   const struct tls_options *o);
struct tls_context *tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context *c); /* NULL is fine */

/*
** Read all files again. On failure the old ones stay and the error is
** returned. Sessions that exist keep what they began with.
*/
struct base_error *tls_context_reload(struct tls_context *c);

bool tls_context_insecure(const struct tls_context *c);

/* Bytes from OpenSSL's CSPRNG. False when it fails. */
bool tls_random(uint8_t *out, size_t n);
/* All zeros, which match nothing, if OpenSSL fails. */
void tls_sha1(const uint8_t *in, size_t n, uint8_t out[20]);
const char *tls_version_text(void); /* "3.0.22", of the library in use */

#endif
