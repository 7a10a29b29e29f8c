/*
** Paths from a certificate to a trust anchor (RFC 4158). OpenSSL builds one
** and stays with it; a peer may have sent a cross-certificate that leads
** astray. Private to this floor.
*/
#ifndef TLS_PATH_H
#define TLS_PATH_H

#include "tls/verify.h"

/*
** Verify, with other paths where the first one fails and another could be
** better: never after a revocation, or where the fault is the leaf's own. What
** a peer can make us do is bounded, in signatures and in bytes. The error is
** that of the first path.
*/
bool tls_path_verify(const struct tls_rules *rules, const struct tls_case *c,
                     struct tls_judgement *out);

#endif
