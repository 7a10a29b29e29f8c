/*
** Certificates and keys out of files, folders and text. Private to this
** floor. Nothing here ever asks a terminal for a password.
*/
#ifndef TLS_LOAD_H
#define TLS_LOAD_H

#include <openssl/ssl.h>

#include "base/err.h"
#include "tls/context.h"

/*
** Add every certificate of every item (a file, a folder, or PEM text) to the
** trust anchors; 'option' is what sentences call them. NULL or the error: an
** item without a certificate is one, of kind tls and code no_certificate.
*/
struct base_error *tls_load_trust(X509_STORE *store,
                                  const struct tls_list *items,
                                  const char *option);

/*
** All certificates of PEM text, at least one, appended to '*out', which is made
** when it is NULL; the caller owns it, whatever happens. NULL or the error,
** which calls the text by the name of 'option'.
*/
struct base_error *tls_load_pem(const char *text, const char *option,
                                STACK_OF(X509) **out);

/*
** Every revocation list of every item (a file, PEM or DER, or PEM text),
** appended to '*out', which is made when it is NULL; the caller owns it,
** whatever happens. NULL or the error: kind io, or kind tls with code bad_crl
** (with 'strict' for a list that lacks what RFC 5280 asks for, too).
*/
struct base_error *tls_load_crls(STACK_OF(X509_CRL) **out,
                                 const struct tls_list *items,
                                 const char *option, bool strict);

/*
** Our own certificate, with the rest of its chain behind it, and its key;
** a 'key' of NULL is in the same file. They must belong together.
*/
struct base_error *tls_load_identity(SSL_CTX *ctx, const char *cert,
                                     const char *key, const char *password);

/* What was loaded so, with a reference to each for the caller. */
struct base_error *tls_load_keep(SSL_CTX *ctx, X509 **cert, EVP_PKEY **key);

#endif
