#include "ws/mask.h"

#include <string.h>

/*
** The key, twice, as the first byte at hand meets it. Made of whole words, for
** a word read back from single bytes written just before is slow; and most
** payloads begin at phase 0.
*/
static uint64_t turn(const uint8_t key[4], size_t phase) {
  uint32_t k;
  memcpy(&k, key, sizeof k);
  if ((phase & 3) != 0) {
    uint8_t turned[4];
    size_t i;
    for (i = 0; i < sizeof turned; i++)
      turned[i] = key[(phase + i) & 3];
    memcpy(&k, turned, sizeof k);
  }
  return (uint64_t)k << 32 | k; /* equal halves: any byte order */
}

/* Eight bytes; memcpy takes any alignment and becomes one instruction. */
static uint64_t load(const uint8_t *in) {
  uint64_t v;
  memcpy(&v, in, sizeof v);
  return v;
}

static void store(uint8_t *out, uint64_t v) {
  memcpy(out, &v, sizeof v);
}

/* 'out' may be 'in' itself: every block is read before it is written. */
static void mask(uint8_t *out, const uint8_t *in, size_t n,
                 const uint8_t key[4], size_t phase) {
  uint64_t k = turn(key, phase);
  size_t i;
  for (i = 0; n - i >= 32; i += 32) {
    uint64_t a = load(in + i) ^ k, b = load(in + i + 8) ^ k;
    uint64_t c = load(in + i + 16) ^ k, d = load(in + i + 24) ^ k;
    store(out + i, a);
    store(out + i + 8, b);
    store(out + i + 16, c);
    store(out + i + 24, d);
  }
  for (; n - i >= 8; i += 8)
    store(out + i, load(in + i) ^ k);
  for (; i < n; i++) /* 'i' was a multiple of 4: the phase is as it began */
    out[i] = in[i] ^ key[(phase + i) & 3];
}

void ws_mask_inplace(uint8_t *data, size_t n, const uint8_t key[4],
                     size_t phase) {
  mask(data, data, n, key, phase);
}

void ws_mask_copy(uint8_t *out, const uint8_t *in, size_t n,
                  const uint8_t key[4], size_t phase) {
  mask(out, in, n, key, phase);
}
