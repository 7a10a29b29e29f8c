/*
** Bytes that are put behind one another.
*/
#ifndef FUZZ_BLOB_H
#define FUZZ_BLOB_H

#include <stddef.h>
#include <stdint.h>

struct blob {
  uint8_t *mem; /* owned; NULL while there is nothing */
  size_t n, cap;
};

void blob_put(struct blob *b, const void *bytes, size_t n);
void blob_put_number(struct blob *b, uint64_t v, int size); /* big-endian */
void blob_drop_front(struct blob *b, size_t n);
int blob_same(const struct blob *a, const struct blob *b);
int blob_begins(const struct blob *a, const struct blob *with);
void blob_free(struct blob *b);

/* 'n' bytes in memory of their own size, so that a read too far is seen; the
** caller frees it. */
uint8_t *blob_copy(const uint8_t *in, size_t n);

#endif
