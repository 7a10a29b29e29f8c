/*
** The one place that decides whether a chain of certificates is accepted
** (RFC 5280, 6; RFC 9525). Clients come here with a server's chain, servers
** with a client's, tls:verify with anything. Private to this floor.
**
** What OpenSSL leaves to its caller is set here in full, whatever a system's
** configuration says: purpose, level of strength, host flags, depth, time.
** What it lets pass is looked at in profile.c; where the first path to a
** trust anchor fails, path.c looks for another.
*/
#ifndef TLS_VERIFY_H
#define TLS_VERIFY_H

#include <stdbool.h>

#include <openssl/x509_vfy.h>

#include "base/err.h"
#include "tls/context.h"
#include "tls/name.h"
#include "tls/pin.h"

struct tls_rules {
  bool insecure;        /* nothing but the pins counts */
  bool client;          /* whose it is: a client's, or else a server's */
  bool strict;          /* RFC 5280's rules of form, except at the anchor */
  unsigned max_depth;   /* intermediates */
  struct tls_pins pins; /* owned */
  STACK_OF(X509_CRL) *crls; /* owned; NULL: revocation is not looked up */
  bool crl_chain;       /* of every certificate, else of the leaf alone */
  enum tls_ocsp ocsp;   /* what is wanted of a stapled answer */
  char trusted[64];     /* for sentences: "1 root of the 'ca' option" */
};

struct tls_case {
  X509 *leaf;
  STACK_OF(X509) *sent;        /* what came with it; may hold it too */
  X509_STORE *store;           /* whom we trust */
  const struct tls_name *name; /* that it must be for; NULL: any */
  double now;                  /* epoch seconds */
};

struct tls_judgement {
  STACK_OF(X509) *chain;  /* owned; leaf first. Refused: NULL */
  struct base_error *err; /* owned; NULL if accepted */
  int code;               /* X509_V_OK, or the error nearest to it */
  double until;           /* when what is known of revocation is out of date */
  bool stapled;           /* an OCSP response was among what was verified */
  bool overruled;         /* it had been refused: nothing was verified */
};

/*
** Is it to be trusted? The chain is the verified one (insecure: what came).
** Anything that fails inside, memory included, is a refusal.
*/
bool tls_verify(const struct tls_rules *rules, const struct tls_case *c,
                struct tls_judgement *out);
/*
** Who has the last word: asked about 'peer' (the verified chain, or what came
** and the error in 'j'; NULL is a want of memory), whose reference goes. What
** came is in 'came'.
*/
void tls_judgement_ask(struct tls_judgement *j, struct tls_peer *peer,
                       STACK_OF(X509) *came, const struct tls_name *name,
                       tls_ask *ask, void *ctx);

/* The leaf, and then what came with it; NULL without memory. */
STACK_OF(X509) *tls_case_all(const struct tls_case *c);
void tls_judgement_deinit(struct tls_judgement *j); /* zeroed is fine */

/*
** May a session with this chain, verified once, be resumed at 'now' (epoch
** seconds)? The dates and the pins must still be right. NULL, or the reason.
*/
struct base_error *tls_verify_again(const STACK_OF(X509) *chain,
                                    const struct tls_rules *rules,
                                    const struct tls_name *name, double now);

/* Prepare a context for one path: every parameter that there is. False
** without memory. */
bool tls_verify_prepare(X509_STORE_CTX *ctx, const struct tls_rules *rules,
                        const struct tls_case *c);

#endif
