/*
** Certificate revocation lists (RFC 5280, 5). Who is on them OpenSSL finds
** out; here is what it does not ask of a list. Private to this floor.
*/
#ifndef TLS_CRL_H
#define TLS_CRL_H

#include <stdbool.h>

#include <openssl/x509.h>

/* NULL, or what is wrong with it, as the end of a sentence. */
const char *tls_crl_flaw(X509_CRL *crl, bool strict);

/* Epoch seconds until which all of them are the newest. */
double tls_crls_until(const STACK_OF(X509_CRL) *crls);

#endif
