/*
** What OpenSSL holds of the heap, in bytes.
*/
#ifndef FUZZ_LEDGER_H
#define FUZZ_LEDGER_H

#include <stddef.h>

extern size_t ledger_live, ledger_most; /* now; at most, so far */

/* Before OpenSSL is used for the first time. */
void ledger_install(void);

#endif
