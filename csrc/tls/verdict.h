/*
** Why a certificate was refused, as an error for people: kind certificate
** and the fields that docs/reference.md lists. Private to this floor.
*/
#ifndef TLS_VERDICT_H
#define TLS_VERDICT_H

#include <stdbool.h>

#include <openssl/x509.h>

#include "base/err.h"
#include "tls/name.h"

struct tls_verdict {
  int code;                /* X509_V_ERR_... */
  const X509 *cert;        /* the one at fault */
  int depth;               /* 0 is the peer's own */
  bool client;             /* the peer is a client */
  const struct tls_name *wanted; /* or NULL */
  const char *trusted;     /* "the system store, 142 roots" */
  unsigned max_depth;
  double now;              /* epoch seconds */
};

/* limit/memory if that was the reason. */
struct base_error *tls_verdict_error(const struct tls_verdict *v);

/* No pin matches the chain, of which the message names the pins. */
struct base_error *tls_verdict_pins(const STACK_OF(X509) *chain,
                                    const struct tls_name *wanted);

/* The code of an X509_V_ERR, "unspecified" if there is none. */
const char *tls_verdict_code(int x509_v_err);

#endif
