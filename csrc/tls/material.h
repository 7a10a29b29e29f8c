/*
** What one loading of the options made: the SSL_CTX with its trust and keys,
** and what sessions need beside it. A context replaces its material when it
** is reloaded; a session keeps the one that it began with. Counted. Private
** to this floor.
*/
#ifndef TLS_MATERIAL_H
#define TLS_MATERIAL_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "base/err.h"
#include "tls/context.h"
#include "tls/identity.h"
#include "tls/staple.h"
#include "tls/verify.h"

struct tls_material {
  unsigned refs;
  SSL_CTX *ssl;
  BIO_METHOD *wire; /* of the sessions' BIOs */
  struct tls_rules rules;
  struct tls_name *name; /* what 'server_name' says, or NULL */
  bool server;           /* else a client's */
  bool tickets;          /* keep them; a server: give them */
  int keylog;            /* a descriptor, or -1 */
  uint8_t *alpn;         /* ours, each with its length before it */
  size_t alpn_size;
  char versions[40];     /* allowed, for sentences: "TLS 1.2 to TLS 1.3" */
  enum tls_verify_client verify_client;
  struct tls_owns owns;  /* a server's certificates beside the default */
  struct tls_staple staple;
};

/* NULL and a material with one reference, or the error. */
struct base_error *tls_material_new(struct tls_material **out,
                                    const struct tls_options *o);
struct tls_material *tls_material_ref(struct tls_material *m);
void tls_material_unref(struct tls_material *m); /* NULL is fine */

#endif
