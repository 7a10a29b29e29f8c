/* ws/utf8: against an oracle that decodes, cut at every place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ws/utf8.h"

/*
** The oracle decodes a code point and asks whether its one encoding, made
** anew, is what was there. Returns the size of the first character or 0.
*/
static size_t encode(uint8_t out[4], uint32_t cp) {
  if (cp < 0x80) {
    out[0] = (uint8_t)cp;
    return 1;
  }
  if (cp < 0x800) {
    out[0] = (uint8_t)(0xc0 | cp >> 6);
    out[1] = (uint8_t)(0x80 | (cp & 63));
    return 2;
  }
  if (cp < 0x10000) {
    out[0] = (uint8_t)(0xe0 | cp >> 12);
    out[1] = (uint8_t)(0x80 | (cp >> 6 & 63));
    out[2] = (uint8_t)(0x80 | (cp & 63));
    return 3;
  }
  out[0] = (uint8_t)(0xf0 | cp >> 18);
  out[1] = (uint8_t)(0x80 | (cp >> 12 & 63));
  out[2] = (uint8_t)(0x80 | (cp >> 6 & 63));
  out[3] = (uint8_t)(0x80 | (cp & 63));
  return 4;
}

static size_t oracle_char(const uint8_t *s, size_t n) {
  size_t size = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4, i;
  uint32_t cp = size == 1 ? s[0] : s[0] & (0xffu >> (size + 1));
  uint8_t again[4];
  if (size > n)
    return 0;
  for (i = 1; i < size; i++)
    cp = cp << 6 | (s[i] & 63u);
  if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
    return 0;
  return encode(again, cp) == size && memcmp(again, s, size) == 0 ? size : 0;
}

static bool oracle(const uint8_t *s, size_t n) {
  while (n > 0) {
    size_t size = oracle_char(s, n);
    if (size == 0)
      return false;
    s += size;
    n -= size;
  }
  return true;
}

static bool in_two(const uint8_t *s, size_t n, size_t cut) {
  struct ws_utf8 u = {0, 0, 0};
  return ws_utf8_feed(&u, s, cut) && ws_utf8_feed(&u, s + cut, n - cut) &&
         ws_utf8_complete(&u);
}

/* cmocka's own checks are too slow for millions of cases. */
static void check(const uint8_t *s, size_t n) {
  bool want = oracle(s, n);
  size_t cut;
  if (ws_utf8_valid(s, n) != want)
    fail_msg("whole: %02x %02x %02x %02x", s[0], s[1], s[2], s[3]);
  for (cut = 0; cut <= n; cut++)
    if (in_two(s, n, cut) != want)
      fail_msg("cut at %d: %02x %02x %02x %02x", (int)cut, s[0], s[1], s[2],
               s[3]);
}

static void agrees_on_all_sequences_up_to_three_bytes(void **state) {
  uint8_t s[4] = {0, 0, 0, 0};
  uint32_t v;
  (void)state;
  for (v = 0; v < 0x1000000; v++) {
    s[0] = (uint8_t)(v >> 16);
    s[1] = (uint8_t)(v >> 8);
    s[2] = (uint8_t)v;
    if (v < 0x100)
      check(s + 2, 1);
    if (v < 0x10000)
      check(s + 1, 2);
    check(s, 3);
  }
}

static void agrees_on_four_bytes_at_all_edges(void **state) {
  static const uint8_t edges[] = {0x00, 0x41, 0x7f, 0x80, 0x81, 0x8f,
                                  0x90, 0x9f, 0xa0, 0xbe, 0xbf, 0xc0,
                                  0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0xff};
  enum { N = sizeof edges };
  uint8_t s[4];
  int a, b, c, d;
  (void)state;
  for (a = 0xc0; a < 0x100; a++)
    for (b = 0; b < 0x100; b++)
      for (c = 0; c < N; c++)
        for (d = 0; d < N; d++) {
          s[0] = (uint8_t)a;
          s[1] = (uint8_t)b;
          s[2] = edges[c];
          s[3] = edges[d];
          check(s, 4);
        }
}

static void accepts_every_code_point(void **state) {
  uint8_t s[4] = {0, 0, 0, 0};
  uint32_t cp;
  (void)state;
  for (cp = 0; cp <= 0x10ffff; cp++) {
    bool surrogate = cp >= 0xd800 && cp <= 0xdfff;
    if (ws_utf8_valid(s, encode(s, cp)) == surrogate)
      fail_msg("U+%04X", (unsigned)cp);
  }
}

/* The first byte that cannot be, and not one later, is refused. */
static void fails_at_the_first_wrong_byte(void **state) {
  static const struct {
    const char *s;
    size_t at;
  } cases[] = {
    {"\x80", 0}, {"\xc0\x80", 0}, {"\xc1\xbf", 0}, {"\xf5\x80", 0},
    {"\xff", 0}, {"a\xc3z", 2}, {"\xe0\x9f\xbf", 1}, {"\xed\xa0\x80", 1},
    {"\xf0\x8f\xbf\xbf", 1}, {"\xf4\x90\x80\x80", 1}, {"\xe2\x82z", 2},
    {"\xf0\x9f\x98z", 3}, {"\xce\xba\xe1\xbd\xb9\xed\xa0\x80", 6},
  };
  size_t i, k;
  (void)state;
  for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct ws_utf8 u = {0, 0, 0};
    const uint8_t *s = (const uint8_t *)cases[i].s;
    for (k = 0; k < cases[i].at; k++)
      assert_true(ws_utf8_feed(&u, s + k, 1));
    assert_false(ws_utf8_feed(&u, s + k, 1));
    assert_false(ws_utf8_feed(&u, (const uint8_t *)"a", 1));
    assert_false(ws_utf8_feed(&u, NULL, 0));
    assert_false(ws_utf8_complete(&u));
  }
}

/* The fast path must see a stray byte wherever in its blocks it stands. */
static void finds_one_byte_anywhere_in_ascii(void **state) {
  uint8_t s[100];
  size_t n, at, start;
  (void)state;
  for (n = 1; n <= 80; n++)
    for (start = 0; start < 9; start++)
      for (at = 0; at < n; at++) {
        memset(s, 'x', sizeof s);
        if (!ws_utf8_valid(s + start, n))
          fail_msg("ASCII of %d bytes refused", (int)n);
        s[start + at] = 0x80;
        if (ws_utf8_valid(s + start, n))
          fail_msg("missed at %d of %d", (int)at, (int)n);
        s[start + at] = 0xc3;
        if (at + 1 < n)
          s[start + at + 1] = 0xa9;
        if (ws_utf8_valid(s + start, n) != (at + 1 < n))
          fail_msg("two bytes at %d of %d", (int)at, (int)n);
      }
}

/* Within, across and at the ends of blocks of sixteen, where text is looked at
** many bytes at a time. */
static void agrees_on_four_bytes_within_long_text(void **state) {
  static const uint8_t edges[] = {
    0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf,
    0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
  static const char around[] = "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"
                               "a\xe2\x82\xac\xc3\xa9z";
  enum { COUNT = sizeof edges, AROUND = sizeof around - 1, SIZE = 3 * AROUND };
  /* Where everything is slow, every eleventh of them (make valgrind). */
  unsigned every = getenv("UVWSS_STEP") != NULL ? 11 : 1, i, k;
  uint8_t s[SIZE];
  (void)state;
  assert_int_equal(AROUND, 16);
  for (i = 0; i < COUNT * COUNT * COUNT * COUNT; i += every) {
    unsigned left = i, at = i % 7 == 0 ? i % (SIZE - 3) : 12 + i % 9;
    for (k = 0; k < SIZE; k += AROUND)
      memcpy(s + k, around, AROUND);
    for (k = 0; k < 4; k++, left /= COUNT)
      s[at + k] = edges[left % COUNT];
    if (ws_utf8_valid(s, SIZE) != oracle(s, SIZE))
      fail_msg("%02x %02x %02x %02x at %u", s[at], s[at + 1], s[at + 2],
               s[at + 3], at);
  }
}

static void an_unfinished_character_is_not_complete(void **state) {
  struct ws_utf8 u = {0, 0, 0};
  (void)state;
  assert_true(ws_utf8_complete(&u));
  assert_true(ws_utf8_feed(&u, (const uint8_t *)"\xf0\x9f\x98", 3));
  assert_false(ws_utf8_complete(&u));
  assert_true(ws_utf8_feed(&u, NULL, 0));
  assert_false(ws_utf8_complete(&u));
  assert_true(ws_utf8_feed(&u, (const uint8_t *)"\x80", 1));
  assert_true(ws_utf8_complete(&u));
  assert_true(ws_utf8_valid(NULL, 0));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(agrees_on_all_sequences_up_to_three_bytes),
    cmocka_unit_test(agrees_on_four_bytes_at_all_edges),
    cmocka_unit_test(accepts_every_code_point),
    cmocka_unit_test(fails_at_the_first_wrong_byte),
    cmocka_unit_test(finds_one_byte_anywhere_in_ascii),
    cmocka_unit_test(agrees_on_four_bytes_within_long_text),
    cmocka_unit_test(an_unfinished_character_is_not_complete),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
