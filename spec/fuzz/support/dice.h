/*
** Random bytes that are the same in every run: OpenSSL gets them from a state
** of the harness's own, which it can keep and put back.
*/
#ifndef FUZZ_DICE_H
#define FUZZ_DICE_H

#include <stdint.h>

/* For the rest of the process. */
void dice_install(void);
/* Whose turn it is: what is drawn from now on changes '*state', which must not
** be 0 and stays the caller's. */
void dice_use(uint64_t *state);

#endif
