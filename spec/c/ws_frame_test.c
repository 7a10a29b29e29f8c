/* ws/frame: headers, parsed and written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "ws/frame.h"

/* From memory of exactly that size, so that a sanitizer sees one too many. */
static int parse(struct ws_frame *f, const void *in, size_t n) {
  uint8_t *copy = (uint8_t *)malloc(n + 1);
  int got;
  assert_non_null(copy);
  memcpy(copy + 1, in, n);
  got = ws_frame_parse(f, copy + 1, n);
  free(copy);
  return got;
}

static void check_example(const char *bytes, int size, bool fin,
                          unsigned opcode, bool masked, uint64_t len) {
  struct ws_frame f;
  int n;
  for (n = 0; n < size; n++)
    assert_int_equal(parse(&f, bytes, (size_t)n), 0);
  assert_int_equal(parse(&f, bytes, (size_t)size), size);
  assert_int_equal(f.fin, fin);
  assert_int_equal(f.opcode, opcode);
  assert_int_equal(f.masked, masked);
  assert_true(f.len == len);
  assert_false(f.rsv1 || f.rsv2 || f.rsv3);
}

static void parses_the_examples_of_the_rfc(void **state) {
  (void)state; /* RFC 6455, 5.7 */
  check_example("\x81\x05", 2, true, WS_TEXT, false, 5);
  check_example("\x81\x85\x37\xfa\x21\x3d", 6, true, WS_TEXT, true, 5);
  check_example("\x01\x03", 2, false, WS_TEXT, false, 3);
  check_example("\x80\x02", 2, true, WS_CONTINUATION, false, 2);
  check_example("\x89\x05", 2, true, WS_PING, false, 5);
  check_example("\x8a\x85\x37\xfa\x21\x3d", 6, true, WS_PONG, true, 5);
  check_example("\x82\x7e\x01\x00", 4, true, WS_BINARY, false, 256);
  check_example("\x82\x7f\0\0\0\0\0\x01\0\0", 10, true, WS_BINARY, false,
                65536);
}

static void check_round_trip(unsigned flags, uint64_t len, bool masked) {
  uint8_t out[WS_FRAME_HEADER_MAX];
  struct ws_frame f, g;
  size_t size;
  memset(&f, 0, sizeof f);
  f.fin = (flags & 0x80) != 0;
  f.rsv1 = (flags & 0x40) != 0;
  f.rsv2 = (flags & 0x20) != 0;
  f.rsv3 = (flags & 0x10) != 0;
  f.opcode = flags & 0x0f;
  f.masked = masked;
  f.len = len;
  if (masked)
    memcpy(f.key, "\x01\x80\xff\x7e", 4);
  size = ws_frame_write(out, &f);
  assert_int_equal(size, (len < 126 ? 2 : len < 65536 ? 4 : 10) +
                         (masked ? 4 : 0));
  assert_int_equal(out[0], flags);
  assert_int_equal(parse(&g, out, size), size);
  assert_int_equal(parse(&g, out, size - 1), 0);
  assert_int_equal(parse(&g, out, size), size);
  assert_true(f.fin == g.fin && f.rsv1 == g.rsv1 && f.rsv2 == g.rsv2 &&
              f.rsv3 == g.rsv3 && f.masked == g.masked);
  assert_true(f.opcode == g.opcode && f.len == g.len);
  assert_memory_equal(f.key, g.key, 4);
}

static void what_is_written_is_parsed_again(void **state) {
  static const uint64_t lengths[] = {
    0, 1, 125, 126, 127, 128, 255, 256, 65535, 65536, 65537, 0xffffffff,
    UINT64_C(0x100000000), UINT64_C(0x123456789abcdef),
    UINT64_C(0x7fffffffffffffff)
  };
  unsigned flags;
  size_t i;
  (void)state;
  for (flags = 0; flags < 256; flags++)
    for (i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
      check_round_trip(flags, lengths[i], false);
      check_round_trip(flags, lengths[i], true);
    }
}

static void refuses_lengths_that_are_not_shortest(void **state) {
  struct ws_frame f;
  (void)state;
  assert_int_equal(parse(&f, "\x82\x7e\x00\x7d", 4), BASE_ERR_FRAME_LENGTH);
  assert_int_equal(parse(&f, "\x82\xfe\x00\x00", 4), BASE_ERR_FRAME_LENGTH);
  assert_int_equal(parse(&f, "\x82\x7e\x00\x7e", 4), 4);
  assert_int_equal(parse(&f, "\x82\x7f\0\0\0\0\0\0\xff\xff", 10),
                   BASE_ERR_FRAME_LENGTH);
  assert_int_equal(parse(&f, "\x82\x7f\0\0\0\0\0\x01\0\0", 10), 10);
}

static void refuses_lengths_beyond_63_bits(void **state) {
  struct ws_frame f;
  (void)state;
  assert_int_equal(parse(&f, "\x82\x7f\x80\0\0\0\0\0\0\0", 10),
                   BASE_ERR_FRAME_LENGTH);
  assert_int_equal(parse(&f, "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10),
                   BASE_ERR_FRAME_LENGTH);
  assert_int_equal(parse(&f, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10),
                   10);
}

static void reports_bits_and_opcodes_without_judging(void **state) {
  struct ws_frame f;
  (void)state;
  assert_int_equal(parse(&f, "\x7f\x01", 2), 2);
  assert_true(!f.fin && f.rsv1 && f.rsv2 && f.rsv3);
  assert_int_equal(f.opcode, 15);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(parses_the_examples_of_the_rfc),
    cmocka_unit_test(what_is_written_is_parsed_again),
    cmocka_unit_test(refuses_lengths_that_are_not_shortest),
    cmocka_unit_test(refuses_lengths_beyond_63_bits),
    cmocka_unit_test(reports_bits_and_opcodes_without_judging),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
