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

/* ---- sixteen bytes at a time --------------------------------------------- */

#if defined(__x86_64__)
#include <tmmintrin.h>

/*
** What is wrong with two bytes in a row shows in three of their four halves:
** each half has a set of faults that it allows, and what all three allow is
** one. (J. Keiser, D. Lemire, "Validating UTF-8 In Less Than One Instruction
** Per Byte", 2020.) Two continuation bytes in a row are no fault behind the
** first byte of a longer sequence, and must be there.
*/
enum {
  SHORT = 1,         /* a sequence ends too soon */
  LONG = 2,          /* a continuation byte behind ASCII */
  OVERLONG_3 = 4,
  LARGE = 8,         /* beyond U+10FFFF, from the second byte 0x90 on */
  SURROGATE = 16,
  OVERLONG_2 = 32,
  LARGE_OR_OVERLONG_4 = 64, /* the second byte is below 0x90 */
  TWO = 128,
  ANY = SHORT | LONG | TWO
};
enum {
  LEAD_E = SHORT | OVERLONG_3 | SURROGATE,
  LEAD_F = SHORT | LARGE | LARGE_OR_OVERLONG_4,
  LOW_0 = ANY | OVERLONG_3 | OVERLONG_2 | LARGE_OR_OVERLONG_4,
  LOW_5 = ANY | LARGE | LARGE_OR_OVERLONG_4,
  MORE = LONG | OVERLONG_2 | TWO,
  MORE_8 = MORE | OVERLONG_3 | LARGE_OR_OVERLONG_4,
  MORE_9 = MORE | OVERLONG_3 | LARGE,
  MORE_A = MORE | SURROGATE | LARGE
};
#define X4(x) x, x, x, x
static const uint8_t first_high[16] = {
  X4(LONG), X4(LONG), X4(TWO), SHORT | OVERLONG_2, SHORT, LEAD_E, LEAD_F
};
static const uint8_t first_low[16] = {
  LOW_0, ANY | OVERLONG_2, ANY, ANY, ANY | LARGE, LOW_5, LOW_5, LOW_5,
  LOW_5, LOW_5, LOW_5, LOW_5, LOW_5, LOW_5 | SURROGATE, LOW_5, LOW_5
};
static const uint8_t second_high[16] = {
  X4(SHORT), X4(SHORT), MORE_8, MORE_9, MORE_A, MORE_A, X4(SHORT)
};

/* Zeros where nothing is wrong up to the last byte; that a sequence goes on
** shows with the next sixteen. */
__attribute__((target("ssse3")))
static __m128i faults(__m128i before, __m128i now) {
  const __m128i four = _mm_set1_epi8(15);
  __m128i one = _mm_alignr_epi8(now, before, 15);
  __m128i two = _mm_alignr_epi8(now, before, 14);
  __m128i three = _mm_alignr_epi8(now, before, 13);
  __m128i a = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)first_high),
                               _mm_and_si128(_mm_srli_epi16(one, 4), four));
  __m128i b = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)first_low),
                               _mm_and_si128(one, four));
  __m128i c = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)second_high),
                               _mm_and_si128(_mm_srli_epi16(now, 4), four));
  __m128i due = _mm_or_si128(
      _mm_subs_epu8(two, _mm_set1_epi8((char)(0xe0 - 0x80))),
      _mm_subs_epu8(three, _mm_set1_epi8((char)(0xf0 - 0x80))));
  due = _mm_and_si128(due, _mm_set1_epi8((char)TWO));
  return _mm_xor_si128(due, _mm_and_si128(_mm_and_si128(a, b), c));
}

static bool is_more(uint8_t c) {
  return (c & 0xc0) == 0x80;
}

/* So many bytes are known to be good, up to the end of a sequence. */
static size_t up_to_sequence(const uint8_t *s, size_t n) {
  size_t back;
  for (back = 1; back <= 3 && back <= n; back++) {
    uint8_t c = s[n - back];
    if (!is_more(c)) {
      size_t size = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
      return size > back ? n - back : n;
    }
  }
  return n;
}

__attribute__((target("ssse3")))
static size_t vector_run(const uint8_t *s, size_t n) {
  __m128i before = _mm_setzero_si128();
  size_t i;
  for (i = 0; n - i >= sizeof before; i += sizeof before) {
    __m128i now = _mm_loadu_si128((const __m128i *)(s + i));
    __m128i wrong = _mm_cmpeq_epi8(faults(before, now), _mm_setzero_si128());
    if (_mm_movemask_epi8(wrong) != 0xffff)
      break;
    before = now;
  }
  return up_to_sequence(s, i);
}

/* How many bytes are whole sequences, or fewer. */
static size_t whole_run(const uint8_t *s, size_t n) {
  return __builtin_cpu_supports("ssse3") ? vector_run(s, n) : 0;
}
#else
static size_t whole_run(const uint8_t *s, size_t n) {
  (void)s;
  (void)n;
  return 0;
}
#endif

/* ---- any number, cut anywhere -------------------------------------------- */

bool ws_utf8_feed(struct ws_utf8 *u, const uint8_t *s, size_t n) {
  size_t i = u->need == 0 ? ascii_run(s, n) : 0;
  struct ws_utf8 v;
  if (i == n)
    return u->low <= u->high; /* what most text is, or nothing */
  v = *u; /* which 's' cannot alias */
  while (i < n) {
    bool ok;
    if (v.need == 0) {
      size_t run = s[i] < 0x80 ? ascii_run(s + i, n - i)
                               : whole_run(s + i, n - i);
      i += run;
      if (run > 0)
        continue;
    }
    ok = v.need > 0 ? go_on(&v, s[i]) : begin(&v, s[i]);
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
