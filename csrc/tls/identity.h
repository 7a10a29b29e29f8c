/*
** The certificates that a server has for some of its names, beside the one
** for all others (RFC 6066, 3). Private to this floor.
*/
#ifndef TLS_IDENTITY_H
#define TLS_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

#include "base/err.h"
#include "tls/context.h"
#include "tls/name.h"

struct tls_own {
  struct tls_name name; /* what follows "*." where it is a wildcard's */
  bool wildcard;
  X509 *leaf;
  EVP_PKEY *key;
  STACK_OF(X509) *chain; /* the rest, or NULL */
};

struct tls_owns {
  struct tls_own *all; /* owned */
  size_t count;
};

/*
** Load what 'sni' names, at a level of security; '*out' is freed by the caller
** in any case. NULL or the error, which names the entry: bad_name for one that
** is no host name, or is there twice (case does not count).
*/
struct base_error *tls_owns_init(struct tls_owns *out,
                                 const struct tls_identity *sni, size_t count,
                                 int level);
void tls_owns_deinit(struct tls_owns *o); /* zeroed memory is fine */

/* The one for a host: by its whole name, or else by a wildcard that stands
** for exactly its first label. NULL: the default. */
const struct tls_own *tls_owns_find(const struct tls_owns *o,
                                    const struct tls_name *host);

/* Let 'ssl' show this one instead of its context's. False without memory. */
bool tls_own_use(const struct tls_own *own, SSL *ssl);

#endif
