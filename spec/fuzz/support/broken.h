/*
** What a harness says when a promise was broken. It ends there.
*/
#ifndef FUZZ_BROKEN_H
#define FUZZ_BROKEN_H

#include <stdio.h>
#include <stdlib.h>

#define MUST(promise) \
  ((promise) ? (void)0 : fuzz_broken(#promise, "", __FILE__, __LINE__))
/* With a text that tells more: a code, a message. */
#define MUST_OF(text, promise) \
  ((promise) ? (void)0 : fuzz_broken(#promise, text, __FILE__, __LINE__))

_Noreturn static inline void fuzz_broken(const char *promise, const char *text,
                                         const char *file, int line) {
  (void)fprintf(stderr, "\n%s:%d: broken: %s %s\n", file, line, promise, text);
  abort();
}

#endif
