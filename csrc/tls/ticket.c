#include "tls/ticket.h"

#include "base/mem.h"

struct tls_ticket *tls_ticket_new(SSL_SESSION *session,
                                  const STACK_OF(X509) *chain,
                                  const struct tls_name *name,
                                  struct tls_context *context,
                                  unsigned long generation, double until) {
  struct tls_ticket *t = (struct tls_ticket *)base_calloc(1, sizeof *t);
  if (t == NULL)
    return NULL;
  t->refs = 1;
  t->context = tls_context_ref(context);
  t->generation = generation;
  t->until = until;
  t->chain = X509_chain_up_ref((STACK_OF(X509) *)chain);
  if (t->chain != NULL && tls_name_copy(&t->name, name) &&
      SSL_SESSION_up_ref(session) == 1) {
    t->session = session;
    return t;
  }
  tls_ticket_unref(t);
  return NULL;
}

struct tls_ticket *tls_ticket_ref(struct tls_ticket *t) {
  t->refs++;
  return t;
}

void tls_ticket_unref(struct tls_ticket *t) {
  if (t == NULL || --t->refs > 0)
    return;
  SSL_SESSION_free(t->session);
  sk_X509_pop_free(t->chain, X509_free);
  tls_name_deinit(&t->name);
  tls_context_unref(t->context);
  base_free(t);
}

bool tls_ticket_fits(const struct tls_ticket *t, const struct tls_name *name,
                     const struct tls_context *context,
                     unsigned long generation, double now) {
  return now <= t->until &&
         t->context == context && t->generation == generation &&
         tls_name_equal(&t->name, name) &&
         SSL_SESSION_is_resumable(t->session);
}
