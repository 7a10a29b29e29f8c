#include "ws/frame.h"

#include <string.h>

#include "base/err.h"

enum { LEN_16 = 126, LEN_64 = 127 }; /* what the 7 bits say of wider lengths */

static uint64_t load_be(const uint8_t *in, size_t n) {
  uint64_t v = 0;
  size_t i;
  for (i = 0; i < n; i++)
    v = v << 8 | in[i];
  return v;
}

int ws_frame_parse(struct ws_frame *out, const uint8_t *in, size_t n) {
  size_t size = 2;
  if (n < size)
    return 0;
  out->fin = (in[0] & 0x80) != 0;
  out->rsv1 = (in[0] & 0x40) != 0;
  out->rsv2 = (in[0] & 0x20) != 0;
  out->rsv3 = (in[0] & 0x10) != 0;
  out->opcode = in[0] & 0x0f;
  out->masked = (in[1] & 0x80) != 0;
  out->len = in[1] & 0x7f;
  if (out->len >= LEN_16) {
    /* "the minimal number of bytes MUST be used" (RFC 6455, 5.2) */
    bool wide = out->len == LEN_64;
    size = wide ? 10 : 4;
    if (n < size)
      return 0;
    out->len = load_be(in + 2, size - 2);
    if (out->len < (wide ? UINT64_C(0x10000) : LEN_16) || out->len >> 63 != 0)
      return BASE_ERR_FRAME_LENGTH;
  }
  if (out->masked) {
    if (n < size + sizeof out->key)
      return 0;
    memcpy(out->key, in + size, sizeof out->key);
    size += sizeof out->key;
  } else {
    memset(out->key, 0, sizeof out->key);
  }
  return (int)size;
}

static size_t store_be(uint8_t *out, uint64_t v, size_t n) {
  size_t i;
  for (i = n; i > 0; i--, v >>= 8)
    out[i - 1] = (uint8_t)v;
  return n;
}

size_t ws_frame_write(uint8_t out[WS_FRAME_HEADER_MAX],
                      const struct ws_frame *f) {
  size_t size = 2;
  out[0] = (uint8_t)((f->fin ? 0x80 : 0) | (f->rsv1 ? 0x40 : 0) |
                     (f->rsv2 ? 0x20 : 0) | (f->rsv3 ? 0x10 : 0) |
                     (f->opcode & 0x0f));
  out[1] = f->masked ? 0x80 : 0;
  if (f->len < LEN_16) {
    out[1] |= (uint8_t)f->len;
  } else if (f->len <= 0xffff) {
    out[1] |= LEN_16;
    size += store_be(out + size, f->len, 2);
  } else {
    out[1] |= LEN_64;
    size += store_be(out + size, f->len, 8);
  }
  if (f->masked) {
    memcpy(out + size, f->key, sizeof f->key);
    size += sizeof f->key;
  }
  return size;
}
