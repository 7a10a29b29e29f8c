/*
** Grammars as POSIX extended regular expressions, which the C library reads.
*/
#ifndef FUZZ_PATTERN_H
#define FUZZ_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include <regex.h>

struct pattern {
  const char *text; /* for the whole of what is to fit; "|" in parentheses */
  bool ready;       /* private, as what follows: made once, kept for good */
  regex_t made;
};

#define PATTERN(text) {(text), false, {0}}

/* May hold any bytes, a NUL too. */
bool pattern_fits(struct pattern *p, const char *s, size_t n);

#endif
