/*
** A responder's answer about our own certificate, shown to clients who ask
** for it (RFC 6066, 8; RFC 6960). Private to this floor.
*/
#ifndef TLS_STAPLE_H
#define TLS_STAPLE_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/x509.h>

#include "base/err.h"

struct tls_staple {
  unsigned char *der; /* owned; NULL: there is none */
  size_t size;
  double until;       /* epoch seconds; infinite if it does not say */
};

/*
** Read a file, DER or PEM. NULL or the error: kind io, or kind tls with code
** bad_ocsp for what is no answer, an answer that is a refusal, or one that
** says nothing about 'leaf'. One that is out of date is taken.
*/
struct base_error *tls_staple_init(struct tls_staple *out, const char *path,
                                   const X509 *leaf);
void tls_staple_deinit(struct tls_staple *s); /* zeroed memory is fine */

/* May it be shown at 'now' (epoch seconds)? */
bool tls_staple_is_fresh(const struct tls_staple *s, double now);

#endif
