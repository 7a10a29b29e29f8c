/*
** A heap in which the n-th allocation fails: csrc/base/mem's and OpenSSL's,
** while the code under test runs (line_in_client of tls_support.h).
*/
#ifndef TLS_HEAP_H
#define TLS_HEAP_H

#include <stdbool.h>

extern long tls_heap_countdown; /* allocations until one fails; -1: none does */
extern long tls_heap_blocks;    /* that base/mem has given out */
extern long tls_heap_ssl_bytes; /* that OpenSSL has */

/* Before OpenSSL's first allocation, in main. False if it was later. */
bool tls_heap_take(void);

/* Between two allocations that fail: UVWSS_STEP, or 'step' (0: one). */
long tls_heap_step(long step);

#endif
