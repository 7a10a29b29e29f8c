#include "ws/utf8.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

static uint64_t load(const uint8_t *s) {
  uint64_t v;
  memcpy(&v, s, sizeof v); /* any alignment; becomes one instruction */
  return v;
}

/* How many bytes from 's' on are ASCII. */
static size_t ascii_run(const uint8_t *s, size_t n) {
  size_t i = 0;
  for (; n - i >= 32; i += 32) {
    uint64_t a = load(s + i) | load(s + i + 8);
    uint64_t b = load(s + i + 16) | load(s + i + 24);
    if (((a | b) & HIGH_BITS) != 0)
      break;
  }
  for (; n - i >= 8; i += 8)
    if ((load(s + i) & HIGH_BITS) != 0)
      break;
  while (i < n && s[i] < 0x80)
    i++;
  return i;
}

/* The first byte of a longer sequence; the ranges are RFC 3629, 4. */
static bool begin(struct ws_utf8 *u, uint8_t c) {
  u->low = 0x80;
  u->high = 0xbf;
  if (c >= 0xc2 && c <= 0xdf) { /* 0xc0 and 0xc1 would be overlong */
    u->need = 1;
  } else if (c >= 0xe0 && c <= 0xef) {
    u->need = 2;
    if (c == 0xe0)
      u->low = 0xa0; /* overlong below */
    else if (c == 0xed)
      u->high = 0x9f; /* surrogates above */
  } else if (c >= 0xf0 && c <= 0xf4) {
    u->need = 3;
    if (c == 0xf0)
      u->low = 0x90; /* overlong below */
    else if (c == 0xf4)
      u->high = 0x8f; /* beyond U+10FFFF above */
  } else {
    return false;
  }
  return true;
}

static bool go_on(struct ws_utf8 *u, uint8_t c) {
  if (c < u->low || c > u->high)
    return false;
  u->need--;
  u->low = 0x80;
  u->high = 0xbf;
  return true;
}

bool ws_utf8_feed(struct ws_utf8 *u, const uint8_t *s, size_t n) {
  size_t i = u->need == 0 ? ascii_run(s, n) : 0;
  struct ws_utf8 v;
  if (i == n)
    return u->low <= u->high; /* what most text is, or nothing */
  v = *u; /* which 's' cannot alias */
  while (i < n) {
    bool ok;
    if (v.need > 0) {
      ok = go_on(&v, s[i]);
    } else if (s[i] < 0x80) {
      i += ascii_run(s + i, n - i);
      continue;
    } else {
      ok = begin(&v, s[i]);
    }
    if (!ok) {
      u->need = 1; /* an empty range: once wrong, wrong for ever */
      u->low = 0xff;
      u->high = 0;
      return false;
    }
    i++;
  }
  *u = v;
  return true;
}

bool ws_utf8_valid(const uint8_t *s, size_t n) {
  struct ws_utf8 u = {0, 0, 0};
  return ws_utf8_feed(&u, s, n) && ws_utf8_complete(&u);
}
