/*
** The name that a peer's certificate must be good for. Private to this floor.
*/
#ifndef TLS_NAME_H
#define TLS_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct tls_name {
  char *text;     /* owned; lower case, without the trailing dot */
  size_t ip_size; /* 4 or 16 for an address, 0 for a DNS name */
  uint8_t ip[16];
};

/*
** Parse a host: an IPv4 or IPv6 address as inet_pton takes it, the latter with
** a zone (which is taken off), or a DNS name
** (RFC 5890's ASCII form), of which case does not count (RFC 4343) and from
** which one trailing dot is taken. Everything
** that OpenSSL would take for "any name" or for a pattern is refused: nothing,
** a leading dot, a star. NULL or an error of kind tls, code bad_name.
*/
struct base_error *tls_name_init(struct tls_name *out, const char *host);
void tls_name_deinit(struct tls_name *n); /* zeroed memory is fine */

/* False without memory. */
bool tls_name_copy(struct tls_name *out, const struct tls_name *from);

/* The same address or name? */
bool tls_name_equal(const struct tls_name *a, const struct tls_name *b);

#endif
