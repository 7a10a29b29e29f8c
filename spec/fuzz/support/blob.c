#include "support/blob.h"

#include <stdlib.h>
#include <string.h>

#include "support/broken.h"

void blob_put(struct blob *b, const void *bytes, size_t n) {
  if (n == 0)
    return;
  if (b->cap - b->n < n) {
    b->cap = (b->cap + n) * 2;
    b->mem = (uint8_t *)realloc(b->mem, b->cap);
    MUST(b->mem != NULL);
  }
  memcpy(b->mem + b->n, bytes, n);
  b->n += n;
}

void blob_put_number(struct blob *b, uint64_t v, int size) {
  for (; size > 0; size--) {
    uint8_t one = (uint8_t)(v >> (8 * (size - 1)));
    blob_put(b, &one, 1);
  }
}

void blob_drop_front(struct blob *b, size_t n) {
  if (n == 0)
    return;
  memmove(b->mem, b->mem + n, b->n - n);
  b->n -= n;
}

int blob_begins(const struct blob *a, const struct blob *with) {
  return with->n == 0 ||
         (a->n >= with->n && memcmp(a->mem, with->mem, with->n) == 0);
}

int blob_same(const struct blob *a, const struct blob *b) {
  return a->n == b->n && blob_begins(a, b);
}

void blob_free(struct blob *b) {
  free(b->mem);
  memset(b, 0, sizeof *b);
}

uint8_t *blob_copy(const uint8_t *in, size_t n) {
  uint8_t *copy = (uint8_t *)malloc(n > 0 ? n : 1);
  MUST(copy != NULL);
  if (n > 0)
    memcpy(copy, in, n);
  return copy;
}
