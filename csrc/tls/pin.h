/*
** Pins: SHA-256 digests of a public key as certificates carry it, the
** SubjectPublicKeyInfo (RFC 7469, 2.4). Private to this floor.
*/
#ifndef TLS_PIN_H
#define TLS_PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/err.h"
#include "tls/context.h"

struct tls_pins {
  uint8_t (*digests)[32]; /* owned */
  size_t count;
};

/* Parse "sha256/BASE64" each. NULL, or an error of kind tls, code bad_pin. */
struct base_error *tls_pins_init(struct tls_pins *out,
                                 const struct tls_list *texts);
void tls_pins_deinit(struct tls_pins *p); /* zeroed memory is fine */

/* False when the digest cannot be made. */
bool tls_pin_of(uint8_t out[32], const X509 *x);

/* Is the key of one of the first 'n' certificates of the chain in the list?
** NULL is no chain. */
bool tls_pins_match(const struct tls_pins *p, const STACK_OF(X509) *chain,
                    int n);

#endif
