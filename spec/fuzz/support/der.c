#include "support/der.h"

#include <stdbool.h>
#include <string.h>

enum { DEPTH_MAX = 24, LENGTH_BYTES = 4 };

/* Tag and length; false if these are none, or more than there is. */
static bool read_head(const uint8_t *p, size_t n, struct der_node *out) {
  size_t k, more;
  if (n < 2 || (p[0] & 0x1f) == 0x1f)
    return false;
  out->head = 2;
  out->bits = 0;
  out->size = p[1];
  if (p[1] >= 0x80) {
    more = p[1] & 0x7f;
    if (more == 0 || more > LENGTH_BYTES || more + 2 > n)
      return false;
    for (out->size = 0, k = 0; k < more; k++)
      out->size = out->size << 8 | p[2 + k];
    out->head += more;
  }
  return out->size <= n - out->head;
}

static bool is_whole(const uint8_t *p, size_t n) {
  struct der_node node;
  while (n > 0) {
    if (!read_head(p, n, &node))
      return false;
    p += node.head + node.size;
    n -= node.head + node.size;
  }
  return true;
}

/* May it hold others? Strings do if they look like it. */
static bool is_holder(const uint8_t *p, struct der_node *node) {
  const uint8_t *in = p + node->head;
  if ((p[0] & 0x20) != 0)
    return true;
  if (p[0] == 0x04)
    return node->size > 1 && is_whole(in, node->size);
  if (p[0] != 0x03 || node->size < 3 || in[0] != 0 ||
      !is_whole(in + 1, node->size - 1))
    return false;
  node->bits = 1;
  node->head++;
  node->size--;
  return true;
}

static void parse(struct der_tree *t, const uint8_t *data, size_t from,
                  size_t to, int parent, int depth) {
  while (from < to && t->count < DER_NODES) {
    struct der_node *node = &t->nodes[t->count];
    int me = t->count;
    if (!read_head(data + from, to - from, node))
      return;
    node->at = from;
    node->parent = parent;
    t->count++;
    if (depth < DEPTH_MAX && is_holder(data + from, node))
      parse(t, data, from + node->head, from + node->head + node->size, me,
            depth + 1);
    from = node->at + node->head + node->size;
  }
}

void der_parse(struct der_tree *t, const uint8_t *data, size_t n) {
  t->count = 0;
  parse(t, data, 0, n, -1, 0);
}

/* Bytes of a length. */
static size_t length_size(size_t n) {
  size_t bytes = 1;
  if (n < 0x80)
    return 1;
  for (; n > 0; n >>= 8)
    bytes++;
  return bytes;
}

static void write_length(uint8_t *p, size_t n) {
  size_t i, bytes = length_size(n);
  if (bytes == 1) {
    p[0] = (uint8_t)n;
    return;
  }
  p[0] = (uint8_t)(0x80 | (bytes - 1));
  for (i = bytes - 1; i > 0; i--, n >>= 8)
    p[i] = (uint8_t)n;
}

static size_t splice(uint8_t *data, size_t n, size_t from, size_t to,
                     const uint8_t *bytes, size_t size) {
  memmove(data + from + size, data + to, n - to);
  if (size > 0)
    memcpy(data + from, bytes, size);
  return n - (to - from) + size;
}

size_t der_replace(const struct der_tree *t, int in, uint8_t *data, size_t n,
                   size_t max, size_t from, size_t to, const uint8_t *bytes,
                   size_t size) {
  long delta = (long)size - (long)(to - from);
  /* each length around it grows by four bytes at most */
  if (n + size + (size_t)(DEPTH_MAX + 1) * LENGTH_BYTES > max + (to - from))
    return 0;
  n = splice(data, n, from, to, bytes, size);
  for (; in >= 0; in = t->nodes[in].parent) {
    const struct der_node *node = &t->nodes[in];
    size_t old = node->head - 1 - node->bits;
    size_t content = (size_t)((long)(node->size + node->bits) + delta);
    uint8_t length[LENGTH_BYTES + 1];
    write_length(length, content);
    n = splice(data, n, node->at + 1, node->at + 1 + old, length,
               length_size(content));
    delta += (long)length_size(content) - (long)old;
  }
  return n;
}
