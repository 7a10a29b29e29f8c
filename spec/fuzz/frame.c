/*
** Headers of frames and masks (csrc/ws/frame.c, mask.c). An input is taken
** three times: as what a peer sent; as the fields of a header to be written;
** and as a key, a place, and bytes to be masked.
*/
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fuzz.h"
#include "support/broken.h"
#include "support/bytes.h"
#include "ws/frame.h"
#include "ws/mask.h"

enum { AROUND = 16 }; /* bytes around what is masked, that nobody touches */

double fuzz_limit_seconds = 1;

/* ---- headers ------------------------------------------------------------- */

/* RFC 6455, 5.2, as its picture has it. -1: refused, 0: not whole. */
static int oracle(struct ws_frame *f, const uint8_t *in, size_t n) {
  static const struct {
    int extra;
    uint64_t least;
  } forms[2] = {{2, 126}, {8, 65536}};
  struct bytes b = {in, n};
  unsigned first = bytes_one(&b), second = bytes_one(&b), form;
  size_t whole = 2;
  f->fin = first / 128 % 2;
  f->rsv1 = first / 64 % 2;
  f->rsv2 = first / 32 % 2;
  f->rsv3 = first / 16 % 2;
  f->opcode = (uint8_t)(first % 16);
  f->masked = second / 128;
  f->len = second % 128;
  if (f->len > 125) {
    form = (unsigned)f->len - 126;
    whole += (size_t)forms[form].extra;
    if (n < whole)
      return 0;
    f->len = bytes_number(&b, forms[form].extra);
    if (f->len < forms[form].least || f->len > INT64_MAX)
      return -1;
  }
  memset(f->key, 0, sizeof f->key);
  if (f->masked) {
    whole += 4;
    if (n >= whole)
      memcpy(f->key, b.at, 4);
  }
  return n < whole ? 0 : (int)whole;
}

static bool same(const struct ws_frame *a, const struct ws_frame *b) {
  return a->fin == b->fin && a->rsv1 == b->rsv1 && a->rsv2 == b->rsv2 &&
         a->rsv3 == b->rsv3 && a->opcode == b->opcode &&
         a->masked == b->masked && a->len == b->len &&
         memcmp(a->key, b->key, sizeof a->key) == 0;
}

/* In memory of its own size, so that a read too far is seen. */
static int parse(struct ws_frame *f, const uint8_t *in, size_t n) {
  uint8_t *copy = (uint8_t *)malloc(n + 1);
  int got;
  MUST(copy != NULL);
  memcpy(copy + 1, in, n);
  memset(f, 0xa5, sizeof *f);
  got = ws_frame_parse(f, copy + 1, n);
  free(copy);
  return got;
}

/* All beginnings of it, and then more than a header. */
static void read_header(const uint8_t *in, size_t n) {
  uint8_t out[WS_FRAME_HEADER_MAX];
  struct ws_frame f, expected;
  size_t i;
  int got = 0, before = 0;
  for (i = 0; i <= n && i <= WS_FRAME_HEADER_MAX + 2; i++, before = got) {
    int right = oracle(&expected, in, i);
    got = parse(&f, in, i);
    MUST(got <= (int)i && got <= WS_FRAME_HEADER_MAX);
    MUST(right < 0 ? got == BASE_ERR_FRAME_LENGTH : got == right);
    MUST(before == 0 || got == before);
    if (got <= 0)
      continue;
    MUST(same(&f, &expected));
    MUST(ws_frame_write(out, &f) == (size_t)got);
    MUST(memcmp(out, in, (size_t)got) == 0);
  }
}

static void write_header(struct bytes b) {
  uint8_t out[WS_FRAME_HEADER_MAX + 1];
  struct ws_frame f, back;
  unsigned bits = bytes_one(&b), size;
  size_t n;
  f.fin = (bits & 1) != 0;
  f.rsv1 = (bits & 2) != 0;
  f.rsv2 = (bits & 4) != 0;
  f.rsv3 = (bits & 8) != 0;
  f.masked = (bits & 16) != 0;
  f.opcode = bytes_one(&b) & 15;
  size = bytes_one(&b);
  f.len = bytes_number(&b, 8) >> 1 >> size % 64;
  memset(f.key, 0, sizeof f.key);
  for (n = 0; f.masked && n < sizeof f.key; n++)
    f.key[n] = (uint8_t)bytes_one(&b);
  out[WS_FRAME_HEADER_MAX] = 0xa5;
  n = ws_frame_write(out, &f);
  MUST(n >= 2 && n <= WS_FRAME_HEADER_MAX && out[WS_FRAME_HEADER_MAX] == 0xa5);
  MUST(n == 2u + (f.len > 65535 ? 8u : f.len > 125 ? 2u : 0u) +
                (f.masked ? 4u : 0u));
  MUST(oracle(&back, out, n) == (int)n && same(&f, &back));
  read_header(out, n);
}

/* ---- masks --------------------------------------------------------------- */

static void mask_bytes(struct bytes b) {
  unsigned from = bytes_one(&b), to = bytes_one(&b);
  size_t phase = (size_t)bytes_number(&b, 1 + (int)(from / 32)), i;
  size_t cut = (size_t)bytes_number(&b, 2);
  uint8_t key[4], *in, *out;
  for (i = 0; i < 4; i++)
    key[i] = (uint8_t)bytes_one(&b);
  cut = b.n > 0 ? cut % b.n : 0;
  from = AROUND + from % AROUND;
  to = AROUND + to % AROUND;
  in = (uint8_t *)calloc(1, b.n + (size_t)3 * AROUND);
  out = (uint8_t *)calloc(1, b.n + (size_t)3 * AROUND);
  MUST(in != NULL && out != NULL);
  if (b.n > 0)
    memcpy(in + from, b.at, b.n);
  ws_mask_copy(out + to, in + from, cut, key, phase);
  ws_mask_copy(out + to + cut, in + from + cut, b.n - cut, key, phase + cut);
  for (i = 0; i < b.n; i++) {
    MUST(in[from + i] == b.at[i]);
    MUST(out[to + i] == (b.at[i] ^ key[(phase % 4 + i) % 4]));
  }
  ws_mask_inplace(in + from, b.n, key, phase);
  MUST(memcmp(in + from, out + to, b.n) == 0);
  for (i = 0; i < AROUND; i++) {
    MUST(in[from - 1 - i] == 0 && in[from + b.n + i] == 0);
    MUST(out[to - 1 - i] == 0 && out[to + b.n + i] == 0);
  }
  free(in);
  free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct bytes b = {data, size};
  read_header(data, size);
  write_header(b);
  mask_bytes(b);
  return 0;
}
