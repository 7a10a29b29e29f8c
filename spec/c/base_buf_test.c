/* base/buf: bounded byte buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

static bool starving;

static void *choosy_realloc(void *p, size_t size) {
  if (size == 0) {
    free(p);
    return NULL;
  }
  return starving ? NULL : realloc(p, size);
}

static int set_up(void **state) {
  (void)state;
  starving = false;
  base_mem_realloc_hook = choosy_realloc;
  return 0;
}

static void check_content(const struct base_buf *b, const char *wanted) {
  assert_int_equal(b->len, strlen(wanted));
  if (b->len > 0)
    assert_memory_equal(base_buf_data(b), wanted, b->len);
}

static void owns_no_memory_before_the_first_byte(void **state) {
  struct base_buf b;
  (void)state;
  base_buf_init(&b, 10);
  assert_null(b.mem);
  assert_null(base_buf_data(&b));
  assert_int_equal(base_buf_append(&b, NULL, 0), 0);
  assert_null(b.mem);
  base_buf_free(&b);
}

static void gives_back_what_was_appended_in_order(void **state) {
  struct base_buf b;
  (void)state;
  base_buf_init(&b, 100);
  assert_int_equal(base_buf_append_str(&b, "abc"), 0);
  assert_int_equal(base_buf_append(&b, "def", 3), 0);
  check_content(&b, "abcdef");
  base_buf_consume(&b, 2);
  check_content(&b, "cdef");
  assert_int_equal(base_buf_append_str(&b, "g"), 0);
  base_buf_consume(&b, 4);
  check_content(&b, "g");
  base_buf_free(&b);
}

static void never_holds_more_than_its_maximum(void **state) {
  struct base_buf b;
  (void)state;
  base_buf_init(&b, 5);
  assert_int_equal(base_buf_append_str(&b, "abcde"), 0);
  assert_false(base_buf_fits(&b, 1));
  assert_true(base_buf_fits(&b, 0));
  assert_int_equal(base_buf_append_str(&b, "f"), BASE_ERR_BUFFER_FULL);
  assert_null(base_buf_reserve(&b, 1));
  check_content(&b, "abcde");
  base_buf_consume(&b, 1);
  assert_int_equal(base_buf_append_str(&b, "fg"), BASE_ERR_BUFFER_FULL);
  assert_int_equal(base_buf_append_str(&b, "f"), 0);
  check_content(&b, "bcdef");
  assert_false(base_buf_fits(&b, SIZE_MAX));
  assert_int_equal(base_buf_append(&b, "x", SIZE_MAX), BASE_ERR_BUFFER_FULL);
  base_buf_free(&b);
}

static void never_takes_more_memory_than_its_maximum(void **state) {
  struct base_buf b;
  char kib[1024];
  size_t i;
  (void)state;
  memset(kib, 'k', sizeof kib);
  base_buf_init(&b, 100 * sizeof kib);
  for (i = 0; i < 100; i++)
    assert_int_equal(base_buf_append(&b, kib, sizeof kib), 0);
  assert_int_equal(b.len, b.max);
  assert_true(b.cap <= b.max);
  base_buf_free(&b);
}

static void is_unchanged_when_there_is_no_memory(void **state) {
  struct base_buf b;
  char big[4096];
  (void)state;
  memset(big, 'b', sizeof big);
  base_buf_init(&b, 100000);
  starving = true;
  assert_int_equal(base_buf_append_str(&b, "abc"), BASE_ERR_MEMORY);
  assert_null(base_buf_reserve(&b, 1));
  check_content(&b, "");
  starving = false;
  assert_int_equal(base_buf_append_str(&b, "abc"), 0);
  base_buf_consume(&b, 1);
  starving = true;
  assert_int_equal(base_buf_append(&b, big, sizeof big), BASE_ERR_MEMORY);
  check_content(&b, "bc");
  starving = false;
  assert_int_equal(base_buf_append(&b, big, sizeof big), 0);
  assert_memory_equal(base_buf_data(&b), "bcbbb", 5);
  base_buf_free(&b);
}

static void stays_usable_after_free_and_clear(void **state) {
  struct base_buf b;
  (void)state;
  base_buf_init(&b, 10);
  assert_int_equal(base_buf_append_str(&b, "abc"), 0);
  base_buf_free(&b);
  assert_null(b.mem);
  assert_int_equal(b.max, 10);
  assert_int_equal(base_buf_append_str(&b, "de"), 0);
  base_buf_clear(&b);
  check_content(&b, "");
  assert_int_equal(base_buf_append_str(&b, "f"), 0);
  check_content(&b, "f");
  base_buf_free(&b);
}

/* What was consumed leaves room: a buffer that is filled and emptied for ever
** needs no more memory than what it holds at a time. */
static void uses_the_room_of_what_was_consumed(void **state) {
  struct base_buf b;
  unsigned round;
  (void)state;
  base_buf_init(&b, 1000);
  for (round = 0; round < 10000; round++) {
    char c = (char)('a' + round % 26);
    assert_int_equal(base_buf_append(&b, &c, 1), 0);
    if (round >= 100) {
      assert_int_equal(*base_buf_data(&b), 'a' + (round - 100) % 26);
      base_buf_consume(&b, 1);
    }
  }
  assert_int_equal(b.len, 100);
  assert_true(b.cap <= 512);
  base_buf_free(&b);
}

/* Against an array that only grows; fixed seeds. */
static void agrees_with_a_naive_model(void **state) {
  enum { ROUNDS = 20000, MAX = 3000 };
  static uint8_t model[ROUNDS * 64];
  size_t from = 0, to = 0;
  uint32_t seed = 12345;
  struct base_buf b;
  int i;
  (void)state;
  base_buf_init(&b, MAX);
  for (i = 0; i < ROUNDS; i++) {
    size_t n;
    seed = seed * 1664525u + 1013904223u;
    n = (seed >> 8) % 64;
    if ((seed >> 28) < 8) {
      size_t j;
      for (j = 0; j < n; j++)
        model[to + j] = (uint8_t)(to + j * 7);
      if (to - from + n > MAX) {
        assert_int_equal(base_buf_append(&b, model + to, n),
                         BASE_ERR_BUFFER_FULL);
      } else {
        assert_int_equal(base_buf_append(&b, model + to, n), 0);
        to += n;
      }
    } else {
      n = n > to - from ? to - from : n;
      base_buf_consume(&b, n);
      from += n;
    }
    assert_int_equal(b.len, to - from);
    if (b.len > 0)
      assert_memory_equal(base_buf_data(&b), model + from, b.len);
  }
  base_buf_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(owns_no_memory_before_the_first_byte, set_up),
    cmocka_unit_test_setup(gives_back_what_was_appended_in_order, set_up),
    cmocka_unit_test_setup(never_holds_more_than_its_maximum, set_up),
    cmocka_unit_test_setup(
      never_takes_more_memory_than_its_maximum, set_up),
    cmocka_unit_test_setup(is_unchanged_when_there_is_no_memory, set_up),
    cmocka_unit_test_setup(stays_usable_after_free_and_clear, set_up),
    cmocka_unit_test_setup(uses_the_room_of_what_was_consumed, set_up),
    cmocka_unit_test_setup(agrees_with_a_naive_model, set_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
