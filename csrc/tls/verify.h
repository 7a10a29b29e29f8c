/*
** The one place that decides whether a chain of certificates is accepted
** (RFC 5280, 6; RFC 6125). Sessions come here, and so will everything else
** that verifies. Private to this floor.
**
** What OpenSSL leaves to its caller is set here in full, whatever a system's
** configuration says: purpose, level of strength, host flags, depth.
*/
#ifndef TLS_VERIFY_H
#define TLS_VERIFY_H

#include <stdbool.h>

#include <openssl/x509_vfy.h>

#include "base/err.h"
#include "tls/name.h"
#include "tls/pin.h"

struct tls_rules {
  bool insecure;        /* nothing but the pins counts */
  bool client;          /* whose it is: a client's, or else a server's */
  bool strict;          /* RFC 5280's rules of form, except at the anchor */
  unsigned max_depth;   /* intermediates */
  struct tls_pins pins; /* owned */
  char trusted[64];     /* for sentences: "1 root of the 'ca' option" */
};

/*
** Verify the chain that 'ctx' was initialised with: for 'name', or for none
** at all if it is NULL. True, with the verified chain in '*chain' (insecure:
** with what the peer sent), which the caller owns; or false, with the reason
** in '*err', which the caller owns too. Anything that fails inside, memory
** included, is false.
*/
bool tls_verify(X509_STORE_CTX *ctx, const struct tls_rules *rules,
                const struct tls_name *name, STACK_OF(X509) **chain,
                struct base_error **err);

/*
** The same for a certificate of which the rest of the chain must be in
** 'store': all that a ticket of a client's keeps.
*/
bool tls_verify_alone(X509 *leaf, X509_STORE *store,
                      const struct tls_rules *rules, STACK_OF(X509) **chain,
                      struct base_error **err);

/*
** May a session with this chain, verified once, be resumed at 'now' (epoch
** seconds)? The dates and the pins must still be right. NULL, or the reason.
*/
struct base_error *tls_verify_again(const STACK_OF(X509) *chain,
                                    const struct tls_rules *rules,
                                    const struct tls_name *name, double now);

#endif
