/*
** A byte buffer born with its maximum. Bytes are appended at the end and
** consumed at the front; memory comes with the first byte and goes with
** base_buf_free. Zeroed memory plus a maximum is an empty buffer.
*/
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct base_buf {
  uint8_t *mem; /* owned */
  size_t cap;   /* bytes at 'mem' */
  size_t start; /* consumed bytes in front */
  size_t len;   /* bytes waiting, from mem + start */
  size_t max;   /* 'len' never exceeds it */
};

void base_buf_init(struct base_buf *b, size_t max);
void base_buf_free(struct base_buf *b); /* stays usable, empty */

/*
** Make room for 'n' more bytes and return where they go, or NULL: there is
** no memory, or the maximum would be exceeded (base_buf_fits tells which).
** The pointer holds until the next call on 'b'.
*/
uint8_t *base_buf_reserve(struct base_buf *b, size_t n);
void base_buf_commit(struct base_buf *b, size_t n); /* that many were put */

/* 0, BASE_ERR_MEMORY or BASE_ERR_BUFFER_FULL; on failure nothing changed. */
int base_buf_append(struct base_buf *b, const void *data, size_t n);
int base_buf_append_str(struct base_buf *b, const char *s);

static inline const uint8_t *base_buf_data(const struct base_buf *b) {
  return b->mem != NULL ? b->mem + b->start : NULL;
}

static inline int base_buf_fits(const struct base_buf *b, size_t n) {
  return n <= b->max - b->len;
}

void base_buf_consume(struct base_buf *b, size_t n); /* n <= len */
static inline void base_buf_clear(struct base_buf *b) {
  b->start = b->len = 0;
}

#endif
