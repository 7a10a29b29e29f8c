/*
** What a later session may resume. A resumption shows no certificate, so the
** chain that was verified goes with the ticket, and the name it was verified
** for, and by which loading of which configuration. Private to this floor.
*/
#ifndef TLS_TICKET_H
#define TLS_TICKET_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "tls/context.h"
#include "tls/name.h"
#include "tls/session.h"

struct tls_ticket {
  unsigned refs;
  SSL_SESSION *session;
  STACK_OF(X509) *chain;
  struct tls_name name;
  struct tls_context *context; /* counted */
  unsigned long generation;    /* of the context's loadings */
  double until; /* when what was known of revocation is out of date */
};

/* A ticket with one reference; counts references of its own on what it is
** given. NULL without memory. */
struct tls_ticket *tls_ticket_new(SSL_SESSION *session,
                                  const STACK_OF(X509) *chain,
                                  const struct tls_name *name,
                                  struct tls_context *context,
                                  unsigned long generation, double until);
struct tls_ticket *tls_ticket_ref(struct tls_ticket *t);

/* May it be offered to 'name' by this loading of 'context', at 'now'? */
bool tls_ticket_fits(const struct tls_ticket *t, const struct tls_name *name,
                     const struct tls_context *context,
                     unsigned long generation, double now);

#endif
