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
** Our own certificate, with the rest of its chain behind it, and its key;
** a 'key' of NULL is in the same file. They must belong together.
*/
struct base_error *tls_load_identity(SSL_CTX *ctx, const char *cert,
                                     const char *key, const char *password);

#endif
