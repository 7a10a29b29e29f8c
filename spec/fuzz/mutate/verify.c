/*
** How inputs of verify.c are changed: mostly as the trees that they are, so
** that what comes out can still be parsed. Only libFuzzer calls it.
*/
#include "mutate.h"

#include <stdlib.h>
#include <string.h>

#include "support/der.h"

enum { HEAD = 8, SCRATCH = 16384, MODES = 10 };

/* ---- words --------------------------------------------------------------- */

/* Whole extensions, and parts of these, that strangers' certificates have. */
static const struct word {
  const char *bytes;
  size_t size;
} words[] = {
#define WORD(s) {s, sizeof(s) - 1}
  WORD("\x01\x01\xff"),
  WORD("\x02\x01\x00"),
  WORD("\x02\x01\x03"),
  WORD("\x0a\x01\x01"),
  WORD("\x82\x0b" "example.com"),
  WORD("\x82\x0d" "*.example.com"),
  WORD("\x82\x0c" ".example.com"),
  WORD("\x82\x00"),
  WORD("\x81\x0d" "a@example.com"),
  WORD("\x86\x13" "http://example.com/"),
  WORD("\x87\x04\x7f\x00\x00\x01"),
  WORD("\x87\x08\x7f\x00\x00\x00\xff\x00\x00\x00"),
  WORD("\x30\x0d\x82\x0b" "example.com"),
  WORD("\x30\x0c\x06\x03\x55\x1d\x13\x04\x05\x30\x03\x01\x01\xff"),
  WORD("\x30\x12\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x08\x30\x06\x01\x01\xff"
       "\x02\x01\x00"),
  WORD("\x30\x0e\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02\x02\x04"),
  WORD("\x30\x13\x06\x03\x55\x1d\x25\x04\x0c\x30\x0a\x06\x08\x2b\x06\x01\x05"
       "\x05\x07\x03\x01"),
  WORD("\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01"),
  WORD("\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02"),
  WORD("\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x09"),
  WORD("\x06\x04\x55\x1d\x25\x00"),
  /* name constraints: permitted example.com; excluded a.example.com */
  WORD("\x30\x19\x06\x03\x55\x1d\x1e\x04\x12\x30\x10\xa0\x0f\x30\x0d\x82\x0b"
       "example.com"),
  WORD("\x30\x1b\x06\x03\x55\x1d\x1e\x04\x14\x30\x12\xa1\x11\x30\x0f\x82\x0d"
       "a.example.com"),
  WORD("\x30\x16\x06\x03\x55\x1d\x1e\x04\x0f\x30\x0d\xa0\x0b\x30\x09\x87\x08"
       "\x7f\x00\x00\x00\xff\x00\x00"),
  /* must-staple; policy constraints; inhibit any policy; delta CRL; IDP */
  WORD("\x30\x11\x06\x08\x2b\x06\x01\x05\x05\x07\x01\x18\x04\x05\x30\x03\x02"
       "\x01\x05"),
  WORD("\x30\x0c\x06\x03\x55\x1d\x24\x04\x05\x30\x03\x80\x01\x00"),
  WORD("\x30\x0a\x06\x03\x55\x1d\x36\x04\x03\x02\x01\x00"),
  WORD("\x30\x0a\x06\x03\x55\x1d\x1b\x04\x03\x02\x01\x01"),
  WORD("\x30\x0f\x06\x03\x55\x1d\x1c\x01\x01\xff\x04\x05\x30\x03\x81\x01\xff"),
  WORD("\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01\x08"),
  WORD("\x30\x0d\x06\x03\x55\x1d\x20\x04\x06\x30\x04\x06\x02\x2a\x03"),
  WORD("\x17\x0d" "231231235959Z"),
  WORD("\x18\x0f" "20240101000000Z"),
  WORD("\x18\x0f" "99991231235959Z"),
  WORD("\x80\x00"),
  WORD("\xa1\x11\x18\x0f" "20230101000000Z"),
  WORD("\x30\x00"),
#undef WORD
};

/* ---- one change ---------------------------------------------------------- */

struct change {
  uint8_t *data; /* behind the head */
  size_t size, max;
  struct der_tree *tree;
  uint8_t *scratch; /* SCRATCH bytes */
};

static const struct der_node *node_of(const struct change *c, size_t i) {
  return &c->tree->nodes[i];
}

static size_t end_of(const struct der_node *n) {
  return n->at + n->head + n->size;
}

/* A copy of a node in the scratch; its size, 0 if it is too large. */
static size_t copy(const struct change *c, size_t i) {
  const struct der_node *n = node_of(c, i);
  size_t size = end_of(n) - n->at;
  if (size > SCRATCH)
    return 0;
  memcpy(c->scratch, c->data + n->at, size);
  return size;
}

static size_t replace(struct change *c, int in, size_t from, size_t to,
                      const uint8_t *bytes, size_t size) {
  return der_replace(c->tree, in, c->data, c->size, c->max, from, to, bytes,
                     size);
}

/* The content, by libFuzzer's own means. */
static size_t change_content(struct change *c, size_t i) {
  const struct der_node *n = node_of(c, i);
  size_t size = n->size;
  if (size + 64 > SCRATCH)
    return 0;
  memcpy(c->scratch, c->data + n->at + n->head, size);
  size = LLVMFuzzerMutate(c->scratch, size, size + 1 + dice(32));
  return replace(c, (int)i, n->at + n->head, end_of(n), c->scratch, size);
}

static size_t insert_word(struct change *c, size_t i) {
  const struct word *w = &words[dice(sizeof words / sizeof words[0])];
  const struct der_node *n = node_of(c, i);
  size_t at = dice(2) == 0 ? n->at : end_of(n);
  size_t to = dice(2) == 0 && at == n->at ? end_of(n) : at;
  return replace(c, n->parent, at, to, (const uint8_t *)w->bytes, w->size);
}

/* A certificate, a list or a response once more. */
static size_t repeat(struct change *c, size_t i) {
  const struct der_node *n = node_of(c, i);
  size_t size = copy(c, i);
  return replace(c, n->parent, end_of(n), end_of(n), c->scratch, size);
}

static size_t overwrite(struct change *c, size_t i, size_t by) {
  const struct der_node *n = node_of(c, i);
  size_t size = copy(c, by);
  return replace(c, n->parent, n->at, end_of(n), c->scratch, size);
}

/* A tag, or the first byte of what is in it. */
static size_t change_byte(struct change *c, size_t i) {
  static const uint8_t tags[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a,
                                 0x0c, 0x13, 0x16, 0x17, 0x18, 0x1e, 0x30,
                                 0x31, 0x80, 0x81, 0x82, 0x86, 0x87, 0xa0,
                                 0xa1, 0xa2, 0xa3, 0xa4};
  const struct der_node *n = node_of(c, i);
  if (n->size > 0 && dice(2) == 0)
    c->data[n->at + n->head + dice(n->size)] ^= (uint8_t)(1u << dice(8));
  else
    c->data[n->at] = tags[dice(sizeof tags)];
  return c->size;
}

/* Small ones are where the meaning is. */
static size_t pick(const struct change *c) {
  size_t i = dice((size_t)c->tree->count);
  int again;
  for (again = 0; again < 3 && node_of(c, i)->size > 64; again++)
    i = dice((size_t)c->tree->count);
  return i;
}

static size_t change_tree(struct change *c) {
  size_t i = pick(c);
  const struct der_node *n = node_of(c, i);
  switch (dice(10)) {
  case 0:
    return replace(c, n->parent, n->at, end_of(n), NULL, 0);
  case 1:
    return repeat(c, i);
  case 2:
  case 3:
    return overwrite(c, i, pick(c));
  case 4:
  case 5:
    return insert_word(c, i);
  case 6:
  case 7:
    return change_byte(c, i);
  default:
    return change_content(c, i);
  }
}

static void change_head(uint8_t *head) {
  size_t i = dice(HEAD);
  if (i == 0)
    head[0] = (uint8_t)dice(MODES);
  else if (i == 1)
    head[1] ^= (uint8_t)(1u << dice(8));
  else if (i >= 4)
    head[i] = (uint8_t)(dice(6) << 4 | dice(6));
  else
    head[i] = (uint8_t)dice(256);
}

/* ---- what libFuzzer calls ------------------------------------------------ */

static struct der_tree tree;
static uint8_t scratch[SCRATCH];

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed) {
  struct change c;
  size_t times, done;
  dice_seed(seed);
  if (size <= HEAD || dice(40) == 0)
    return LLVMFuzzerMutate(data, size, max);
  if (dice(8) == 0)
    change_head(data);
  c.data = data + HEAD;
  c.size = size - HEAD;
  c.max = max - HEAD;
  c.tree = &tree;
  c.scratch = scratch;
  for (times = 1 + dice(3); times > 0; times--) {
    der_parse(&tree, c.data, c.size);
    done = tree.count > 0 ? change_tree(&c)
                          : LLVMFuzzerMutate(c.data, c.size, c.max);
    if (done > 0)
      c.size = done;
  }
  return HEAD + c.size;
}

/* A part of one in the place of a part of the other, or behind it. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size,
                                 const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max, unsigned seed) {
  struct change c;
  const struct der_node *n;
  size_t size, done;
  dice_seed(seed);
  if (a_size <= HEAD || b_size <= HEAD || a_size > max)
    return 0;
  memcpy(out, a, a_size);
  der_parse(&tree, b + HEAD, b_size - HEAD);
  if (tree.count == 0)
    return 0;
  n = &tree.nodes[dice(dice(4) == 0 ? 1 : (size_t)tree.count)];
  size = n->head + n->size;
  if (size > SCRATCH)
    return 0;
  memcpy(scratch, b + HEAD + n->at, size);
  c.data = out + HEAD;
  c.size = a_size - HEAD;
  c.max = max - HEAD;
  c.tree = &tree;
  der_parse(&tree, c.data, c.size);
  if (tree.count == 0)
    return 0;
  n = &tree.nodes[dice((size_t)tree.count)];
  done = der_replace(&tree, n->parent, c.data, c.size, c.max,
                     dice(4) == 0 ? n->at + n->head + n->size : n->at,
                     n->at + n->head + n->size, scratch, size);
  return done > 0 ? HEAD + done : 0;
}
