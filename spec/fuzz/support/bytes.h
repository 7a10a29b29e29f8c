/*
** The bytes of an input from its front, and pieces that it is cut into.
*/
#ifndef FUZZ_BYTES_H
#define FUZZ_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* What is left of an input. Behind its end are zeros. */
struct bytes {
  const uint8_t *at;
  size_t n;
};

static inline unsigned bytes_one(struct bytes *b) {
  if (b->n == 0)
    return 0;
  b->n--;
  return *b->at++;
}

static inline uint64_t bytes_number(struct bytes *b, int size) {
  uint64_t v = 0;
  for (; size > 0; size--)
    v = v << 8 | bytes_one(b);
  return v;
}

/* How the same bytes are handed over: each harness does all three. */
enum cut_how { CUT_NOT, CUT_EVERYWHERE, CUT_AS_TOLD, CUT_COUNT };

enum { CUT_BYTES = 4 }; /* of an input, in turn: how long each piece is */

struct cut {
  enum cut_how how;
  const uint8_t *told; /* CUT_BYTES of them */
  unsigned turn;
};

/* The size of the next piece of 'left' bytes; 0 only if there are none. */
static inline size_t cut_next(struct cut *c, size_t left) {
  size_t n = left;
  if (c->how == CUT_EVERYWHERE) {
    n = 1;
  } else if (c->how == CUT_AS_TOLD) {
    n = c->told[c->turn++ % CUT_BYTES];
    n = n < 128 ? 1 + n % 32 : (n - 127) * 16;
  }
  return n < left ? n : left;
}

#endif
