/*
** What a fuzzer is: spec/fuzz/NAME.c defines LLVMFuzzerTestOneInput, which
** aborts when a promise is broken, and leaves nothing behind but what it made
** at its first call.
*/
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* One input. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of the processor's time that one call may take; replays raise it. */
extern double fuzz_limit_seconds;

#endif
