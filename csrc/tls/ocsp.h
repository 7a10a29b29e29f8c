/*
** What a server's stapled OCSP response (RFC 6960; RFC 6066, 8) says of its
** certificate. Private to this floor.
*/
#ifndef TLS_OCSP_H
#define TLS_OCSP_H

#include <stddef.h>
#include <stdint.h>

#include "tls/verdict.h"
#include "tls/verify.h"

/*
** Judge the response of 'n' bytes (NULL: there was none) about the leaf of the
** chain that 'j' has accepted: 'j' becomes a refusal, or its 'until' is
** lowered to when the response is out of date.
*/
void tls_ocsp_judge(const struct tls_rules *rules, const struct tls_case *c,
                    const uint8_t *der, size_t n, struct tls_judgement *j);

#endif
