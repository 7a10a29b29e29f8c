/*
** The steps of a handshake as they pass. Private to this floor.
*/
#ifndef TLS_TRACE_H
#define TLS_TRACE_H

#include <openssl/ssl.h>

#include "tls/session.h"

enum { TLS_TRACE_STEPS = 64 };

struct tls_trace {
  struct tls_step steps[TLS_TRACE_STEPS];
  unsigned count, taken;
};

double tls_trace_clock(void); /* monotonic seconds */

/* Let 'ssl' write into 't', which must outlive it. */
void tls_trace_attach(struct tls_trace *t, SSL *ssl);
bool tls_trace_take(struct tls_trace *t, struct tls_step *out);

#endif
