/*
** What RFC 5280 asks of a chain and OpenSSL lets pass. Private to this floor.
*/
#ifndef TLS_PROFILE_H
#define TLS_PROFILE_H

#include <stdbool.h>

#include "tls/verdict.h"
#include "tls/verdict.h"
#include "tls/verify.h"

/*
** Look at a chain that OpenSSL has accepted, of which the first 'untrusted'
** were sent. False: '*v' has the flaw, its certificate and its depth.
*/
bool tls_profile_check(const struct tls_rules *rules,
                       const STACK_OF(X509) *chain, int untrusted,
                       struct tls_verdict *v);

/* RFC 5280, 4.2: the flaw if it has an extension more than once, or more of them
** than can be compared in a short time. */
enum tls_flaw tls_profile_repeats(const X509 *x);

#endif
