/*
** The BIO between an SSL and its owner's buffers: reads come from a borrowed
** window, writes go to a lent buffer; it owns nothing. Private to this floor.
*/
#ifndef TLS_BIO_H
#define TLS_BIO_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/bio.h>

#include "base/buf.h"

struct tls_wire {
  const uint8_t *in; /* borrowed, used up from the front */
  size_t in_size;
  struct base_buf *out; /* lent, or NULL */
  int err;              /* enum base_err of the write that failed, or 0 */
};

/* NULL without memory. One for each configuration, not one for the process:
** a module may be unloaded, and what is static then is lost. */
BIO_METHOD *tls_bio_method_new(void);

/* A BIO over 'w', which must outlive it. NULL without memory. */
BIO *tls_bio_new(const BIO_METHOD *m, struct tls_wire *w);

#endif
