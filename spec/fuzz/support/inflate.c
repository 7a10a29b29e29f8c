#include "support/inflate.h"

#include <stdbool.h>
#include <string.h>

enum { MOST_BITS = 15, LITERALS = 288, DISTANCES = 32, END = 256, GOOD = -1 };

struct reader {
  const uint8_t *in;
  size_t n, at; /* in bits */
  struct blob *out;
  size_t room;
};

/* How many codes there are of each length, and the symbols in their order. */
struct code {
  int count[MOST_BITS + 1], symbols[LITERALS], longest;
};

/* A number of 'size' bits; negative: there are not so many. */
static long take(struct reader *r, int size) {
  long v = 0;
  int i;
  if (r->n - r->at < (size_t)size)
    return -1;
  for (i = 0; i < size; i++, r->at++)
    v |= (long)(r->in[r->at / 8] >> (r->at % 8) & 1) << i;
  return v;
}

static int put(struct reader *r, uint8_t byte) {
  if (r->room == 0)
    return INFLATE_FULL;
  r->room--;
  blob_put(r->out, &byte, 1);
  return GOOD;
}

/* False for more codes than there can be, or fewer than there must be: a code
** of a single one, with one bit, may be. */
static bool build(struct code *c, const int *sizes, int n, bool of_sizes) {
  int at[MOST_BITS + 2] = {0}, i, left = 1;
  memset(c, 0, sizeof *c);
  for (i = 0; i < n; i++)
    c->count[sizes[i]]++;
  c->count[0] = 0;
  for (i = 1; i <= MOST_BITS; i++) {
    left = left * 2 - c->count[i];
    if (left < 0)
      return false;
    if (c->count[i] > 0)
      c->longest = i;
    at[i + 1] = at[i] + c->count[i];
  }
  for (i = 0; i < n; i++)
    if (sizes[i] > 0)
      c->symbols[at[sizes[i]]++] = i;
  return left == 0 || c->longest == 0 || (c->longest == 1 && !of_sizes);
}

/* The next symbol; -1: cut; -2: there is no such code. */
static int symbol(struct reader *r, const struct code *c) {
  int code = 0, first = 0, index = 0, size;
  for (size = 1; size <= MOST_BITS; size++) {
    long bit = take(r, 1);
    if (bit < 0)
      return -1;
    code += (int)bit;
    if (code - c->count[size] < first)
      return c->symbols[index + code - first];
    if (size >= c->longest)
      return -2;
    index += c->count[size];
    first = (first + c->count[size]) * 2;
    code *= 2;
  }
  return -2;
}

static int stored(struct reader *r) {
  long size, check, byte;
  int got;
  r->at = (r->at + 7) / 8 * 8;
  if (r->n - r->at < 32)
    return INFLATE_SHORT;
  size = take(r, 16);
  check = take(r, 16);
  if (size + check != 0xffff || (size & check) != 0)
    return INFLATE_WRONG;
  for (; size > 0; size--) {
    if ((byte = take(r, 8)) < 0)
      return INFLATE_SHORT;
    if ((got = put(r, (uint8_t)byte)) != GOOD)
      return got;
  }
  return GOOD;
}

/* A length or a distance: groups of codes have a bit more each time. */
static long range(struct reader *r, int code, int group, int first) {
  int extra = code < 2 * group ? 0 : code / group - 1;
  long base, v;
  if (extra == 0)
    return code + first;
  base = first + ((long)(group + code % group) << extra);
  v = take(r, extra);
  return v < 0 ? -1 : base + v;
}

static int copy(struct reader *r, int literal, const struct code *distances) {
  long size, back;
  int code, got;
  if (literal > 285)
    return INFLATE_WRONG;
  size = literal == 285 ? 258 : range(r, literal - 257, 4, 3);
  if (size < 0)
    return INFLATE_SHORT;
  code = symbol(r, distances);
  if (code < 0 || code > 29)
    return code == -1 ? INFLATE_SHORT : INFLATE_WRONG;
  back = range(r, code, 2, 1);
  if (back < 0)
    return INFLATE_SHORT;
  if ((size_t)back > r->out->n)
    return INFLATE_WRONG;
  for (; size > 0; size--)
    if ((got = put(r, r->out->mem[r->out->n - (size_t)back])) != GOOD)
      return got;
  return GOOD;
}

static int coded(struct reader *r, const struct code *literals,
                 const struct code *distances) {
  int got = GOOD;
  while (got == GOOD) {
    int s = symbol(r, literals);
    if (s < 0)
      return s == -1 ? INFLATE_SHORT : INFLATE_WRONG;
    if (s == END)
      return GOOD;
    got = s < END ? put(r, (uint8_t)s) : copy(r, s, distances);
  }
  return got;
}

static int fixed(struct reader *r) {
  int sizes[LITERALS], i;
  struct code literals, distances;
  for (i = 0; i < LITERALS; i++)
    sizes[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  (void)build(&literals, sizes, LITERALS, false);
  for (i = 0; i < DISTANCES; i++)
    sizes[i] = 5;
  (void)build(&distances, sizes, DISTANCES, false);
  return coded(r, &literals, &distances);
}

/* The sizes of all codes, which are coded themselves (RFC 1951, 3.2.7). */
static int read_sizes(struct reader *r, int *sizes, int n,
                      const struct code *c) {
  static const int bits[] = {2, 3, 7}, least[] = {3, 3, 11};
  int have = 0;
  while (have < n) {
    long times = 1;
    int s, value;
    if (c->longest == 0)
      s = take(r, 1) < 0 ? -1 : 0; /* zlib goes on, and fails later */
    else
      s = symbol(r, c);
    if (s < 0)
      return s == -1 ? INFLATE_SHORT : INFLATE_WRONG;
    value = s < 16 ? s : 0;
    if (s >= 16) {
      times = take(r, bits[s - 16]);
      if (times < 0)
        return INFLATE_SHORT;
      times += least[s - 16];
      if ((s == 16 && have == 0) || have + times > n)
        return INFLATE_WRONG;
      if (s == 16)
        value = sizes[have - 1];
    }
    while (times-- > 0)
      sizes[have++] = value;
  }
  return GOOD;
}

static int dynamic(struct reader *r) {
  static const int order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                11, 4,  12, 3, 13, 2, 14, 1, 15};
  int sizes[LITERALS + DISTANCES] = {0}, n, m, k, i, got;
  struct code one, two;
  long head = take(r, 14);
  if (head < 0)
    return INFLATE_SHORT;
  n = 257 + (int)(head % 32);
  m = 1 + (int)(head / 32 % 32);
  k = 4 + (int)(head / 1024);
  if (n > 286 || m > 30)
    return INFLATE_WRONG;
  for (i = 0; i < k; i++) {
    long v = take(r, 3);
    if (v < 0)
      return INFLATE_SHORT;
    sizes[order[i]] = (int)v;
  }
  if (!build(&one, sizes, 19, true))
    return INFLATE_WRONG;
  if ((got = read_sizes(r, sizes, n + m, &one)) != GOOD)
    return got;
  if (sizes[END] == 0 || !build(&one, sizes, n, false) ||
      !build(&two, sizes + n, m, false))
    return INFLATE_WRONG;
  return coded(r, &one, &two);
}

enum inflate_end inflate_slowly(struct blob *out, size_t room,
                                const uint8_t *in, size_t n,
                                unsigned finals) {
  struct reader r = {in, n * 8, 0, out, room};
  while (r.at < r.n) {
    long head = take(&r, 3);
    int got;
    if (head < 0)
      return INFLATE_SHORT;
    switch (head / 2) {
      case 0: got = stored(&r); break;
      case 1: got = fixed(&r); break;
      case 2: got = dynamic(&r); break;
      default: got = INFLATE_WRONG;
    }
    if (got != GOOD)
      return (enum inflate_end)got;
    if (head % 2 == 0)
      continue;
    r.at = (r.at + 7) / 8 * 8;
    if (finals-- == 0)
      return INFLATE_WRONG;
  }
  return INFLATE_BETWEEN;
}
