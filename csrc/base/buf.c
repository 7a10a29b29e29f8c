#include "base/buf.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

enum { SMALLEST = 256 };

void base_buf_init(struct base_buf *b, size_t max) {
  memset(b, 0, sizeof *b);
  b->max = max;
}

void base_buf_free(struct base_buf *b) {
  base_free(b->mem);
  base_buf_init(b, b->max);
}

/* Doubling, so that n bytes cost O(n) copies, but never beyond the maximum. */
static int grow(struct base_buf *b, size_t need) {
  size_t cap = b->cap < SMALLEST ? SMALLEST : b->cap;
  uint8_t *mem;
  while (cap < need)
    cap = cap > b->max / 2 ? b->max : cap * 2;
  if (b->mem != NULL && b->start > 0) {
    memmove(b->mem, b->mem + b->start, b->len);
    b->start = 0;
  }
  mem = (uint8_t *)base_realloc(b->mem, cap);
  if (mem == NULL)
    return BASE_ERR_MEMORY;
  b->mem = mem;
  b->cap = cap;
  return 0;
}

uint8_t *base_buf_reserve(struct base_buf *b, size_t n) {
  if (!base_buf_fits(b, n))
    return NULL;
  if (b->mem == NULL || b->cap - b->start - b->len < n) {
    if (b->mem != NULL && b->cap - b->len >= n && b->start >= b->len) {
      /* Enough room in front, and moving costs no more than was consumed. */
      memmove(b->mem, b->mem + b->start, b->len);
      b->start = 0;
    } else if (grow(b, b->len + n) != 0) {
      return NULL;
    }
  }
  return b->mem + b->start + b->len;
}

void base_buf_commit(struct base_buf *b, size_t n) {
  assert(b->mem != NULL && n <= b->cap - b->start - b->len);
  b->len += n;
}

int base_buf_append(struct base_buf *b, const void *data, size_t n) {
  uint8_t *to;
  if (n == 0)
    return 0;
  if (!base_buf_fits(b, n))
    return BASE_ERR_BUFFER_FULL;
  to = base_buf_reserve(b, n);
  if (to == NULL)
    return BASE_ERR_MEMORY;
  memcpy(to, data, n);
  base_buf_commit(b, n);
  return 0;
}

int base_buf_append_str(struct base_buf *b, const char *s) {
  return base_buf_append(b, s, strlen(s));
}

void base_buf_consume(struct base_buf *b, size_t n) {
  assert(n <= b->len);
  b->start += n;
  b->len -= n;
  if (b->len == 0)
    b->start = 0;
}
