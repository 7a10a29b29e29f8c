/*
** A server's side of a handshake: which certificate is shown, which protocol
** is chosen, what is stapled, and who may resume. Private to this floor.
*/
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "base/err.h"
#include "tls/identity.h"
#include "tls/material.h"

/* What is known of a client before its handshake is done: a part of its
** session. Zeroed memory is one who has said nothing. */
struct tls_guest {
  bool greeted;
  const struct tls_own *own; /* shown to it, of the material; NULL: default */
  STACK_OF(X509) *chain;     /* of the ticket it brought, verified just now */
};
void tls_guest_deinit(struct tls_guest *g);

/*
** What is the server's alone: the rest of the SSL_CTX, which has its own
** certificate already, and of the material. NULL or the error.
*/
struct base_error *tls_server_fill(struct tls_material *m,
                                   const struct tls_options *o);

/*
** The client's certificate is as it must be: none that was required is
** missing. '*chain' becomes the one to be shown, NULL if there is none; it
** holds the one that was verified in this handshake. NULL or the error.
*/
struct base_error *tls_server_accept(const struct tls_material *m, SSL *ssl,
                                     struct tls_guest *g, bool judged,
                                     STACK_OF(X509) **chain);

#endif
