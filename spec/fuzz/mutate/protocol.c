/*
** How inputs of protocol.c are changed: mostly as the frames that they are,
** so that lengths and masks stay right. Only libFuzzer calls it.
*/
#include "mutate.h"

#include <string.h>

#include "support/records.h"

enum { HEAD = RECORDS_HEAD, SCRATCH = 4096 };

/* ---- frames -------------------------------------------------------------- */

static const struct record words[] = {
#define WORD(first, flags, s) {first, flags, (const uint8_t *)(s), sizeof(s) - 1}
  WORD(0x81, 0x10, "Hello"),
  WORD(0x82, 0x20, "\x00\xff\x80"),
  WORD(0x81, 0x30, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
  WORD(0x01, 0x40, "He"),
  WORD(0x00, 0x50, "ll"),
  WORD(0x80, 0x60, "o"),
  WORD(0x02, 0x00, ""),
  WORD(0x80, 0x10, ""),
  WORD(0x01, 0x10, "\xe2\x82"),
  WORD(0x80, 0x10, "\xac"),
  WORD(0x01, 0x10, "\xf0\x9f"),
  WORD(0x80, 0x10, "\x98\x80"),
  WORD(0x89, 0x70, "ping"),
  WORD(0x8a, 0x80, "pong"),
  WORD(0x89, 0x90, ""),
  WORD(0x88, 0xa0, ""),
  WORD(0x88, 0xb0, "\x03\xe8"),
  WORD(0x88, 0xc0, "\x0f\xa0" "reason"),
  WORD(0x88, 0xd0, "\x03\xed"),
  WORD(0x88, 0xd0, "\x03\xe9\xe2\x82"),
  WORD(0x82, 0x14, "0123456789abcdef"),
  WORD(0x82, 0x14, "abc"),
  WORD(0xc1, 0x18, "HelloHelloHello"),
  WORD(0xc2, 0x1c, "0123456789abcdef"),
  WORD(0x41, 0x28, "He"),
  WORD(0x00, 0x38, "llo, llo"),
  WORD(0x80, 0x38, "Hello"),
  WORD(0xc1, 0x40, "\xf2\x48\xcd\xc9\xc9\x07\x00"), /* RFC 7692, 7.2.3 */
  WORD(0xc1, 0x40, "\xf2\x00\x11\x00\x00"),
  WORD(0xc1, 0x40, "\x00\x05\x00\xfa\xff" "Hello\x00"),
  WORD(0xc1, 0x40, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
  WORD(0xc1, 0x40, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"),
  WORD(0xc2, 0x40, "\x00"),
  WORD(0xc2, 0x40, "\x03\x00\x03\x00"),
#undef WORD
};

struct frames {
  struct record all[RECORDS_MAX];
  size_t count;
  uint8_t scratch[SCRATCH]; /* a payload that was changed */
};

static void insert(struct frames *f, size_t at, const struct record *r) {
  if (f->count == RECORDS_MAX)
    return;
  memmove(f->all + at + 1, f->all + at, (f->count - at) * sizeof *f->all);
  f->all[at] = *r;
  f->count++;
}

static void take_out(struct frames *f, size_t at) {
  f->count--;
  memmove(f->all + at, f->all + at + 1, (f->count - at) * sizeof *f->all);
}

static void change_first(struct record *r) {
  static const uint8_t good[] = {0x00, 0x01, 0x02, 0x80, 0x81, 0x82,
                                 0x88, 0x89, 0x8a, 0x41, 0xc1, 0xc2};
  if (dice(4) == 0)
    r->first ^= (uint8_t)(1u << dice(8));
  else
    r->first = good[dice(sizeof good)];
}

static void change_flags(struct record *r) {
  if (dice(3) == 0)
    r->flags = (uint8_t)((r->flags & 15) | dice(16) << 4);
  else
    r->flags ^= (uint8_t)(1u << dice(4));
}

/* The payload, by libFuzzer's own means, or to a length at an edge. */
static void change_payload(struct frames *f, struct record *r) {
  static const size_t edges[] = {0, 1, 2, 124, 125, 126, 127, 255, 256, 1000,
                                 1001};
  size_t n = r->n < SCRATCH / 2 ? r->n : SCRATCH / 2, edge;
  memcpy(f->scratch, r->data, n);
  if (dice(4) == 0) {
    edge = edges[dice(sizeof edges / sizeof edges[0])];
    if (edge > n)
      memset(f->scratch + n, n > 0 ? f->scratch[0] : 'x', edge - n);
    n = edge;
  } else {
    n = LLVMFuzzerMutate(f->scratch, n, n + 1 + dice(64));
  }
  r->data = f->scratch;
  r->n = n;
}

/* One frame becomes two; a control frame may come between them. */
static void split(struct frames *f, size_t at) {
  struct record second = f->all[at];
  size_t n = dice(second.n + 1);
  if (f->count + 2 > RECORDS_MAX)
    return;
  f->all[at].n = n;
  f->all[at].first &= 0x7f;
  second.data += n;
  second.n -= n;
  second.first &= 0x80;
  insert(f, at + 1, &second);
  if (dice(3) == 0)
    insert(f, at + 1, &words[12 + dice(3)]);
}

static void change(struct frames *f) {
  size_t at = dice(f->count);
  const struct record *word = &words[dice(sizeof words / sizeof words[0])];
  struct record one;
  if (f->count == 0 || dice(4) == 0) {
    insert(f, f->count > 0 ? dice(f->count + 1) : 0, word);
    return;
  }
  one = f->all[at];
  switch (dice(9)) {
    case 0: take_out(f, at); break;
    case 1: insert(f, dice(f->count + 1), &one); break;
    case 2:
      f->all[at] = f->all[dice(f->count)];
      break;
    case 3: change_first(&f->all[at]); break;
    case 4: change_flags(&f->all[at]); break;
    case 5: split(f, at); break;
    default: change_payload(f, &f->all[at]);
  }
}

static void change_head(uint8_t *head) {
  size_t i = dice(HEAD);
  if (i == 0)
    head[0] ^= (uint8_t)(1u << dice(5));
  else if (i == 1)
    head[1] = (uint8_t)dice(8);
  else if (i == 2)
    head[2] = (uint8_t)(dice(2) * dice(20));
  else
    head[i] = (uint8_t)(dice(4) == 0 ? 0 : dice(256));
}

/* ---- what libFuzzer calls ------------------------------------------------ */

static struct frames frames;

static size_t write_down(uint8_t *out, size_t max) {
  struct blob all = {NULL, 0, 0};
  size_t i, n;
  for (i = 0; i < frames.count; i++)
    records_put(&all, &frames.all[i]);
  n = all.n < max ? all.n : max;
  if (n > 0)
    memcpy(out, all.mem, n);
  blob_free(&all);
  return n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed) {
  dice_seed(seed);
  if (size < HEAD || dice(40) == 0)
    return LLVMFuzzerMutate(data, size, max);
  if (dice(6) == 0)
    change_head(data);
  if ((data[0] & 8) != 0) /* bytes as they are */
    return HEAD + LLVMFuzzerMutate(data + HEAD, size - HEAD, max - HEAD);
  do {
    frames.count = records_parse(frames.all, data + HEAD, size - HEAD);
    change(&frames);
    size = HEAD + write_down(data + HEAD, max - HEAD);
  } while (dice(3) == 0);
  return size;
}

/* Some frames of one behind some of the other. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size,
                                 const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max, unsigned seed) {
  struct frames *f = &frames;
  size_t i, n, from;
  static struct record other[RECORDS_MAX];
  dice_seed(seed);
  if (a_size < HEAD || b_size < HEAD || max < HEAD)
    return 0;
  memcpy(out, a, HEAD);
  f->count = records_parse(f->all, a + HEAD, a_size - HEAD);
  f->count = dice(f->count + 1);
  n = records_parse(other, b + HEAD, b_size - HEAD);
  from = dice(n + 1);
  for (i = from; i < n && f->count < RECORDS_MAX; i++)
    f->all[f->count++] = other[i];
  return HEAD + write_down(out + HEAD, max - HEAD);
}
