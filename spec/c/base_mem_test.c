/* base/mem: the one door to the heap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static size_t calls, frees, last_size;
static bool starving;

static void *spy(void *p, size_t size) {
  calls++;
  last_size = size;
  if (size == 0) {
    frees++;
    free(p);
    return NULL;
  }
  return starving ? NULL : realloc(p, size);
}

static base_realloc_fn *plain;

static int set_up(void **state) {
  (void)state;
  if (plain == NULL)
    plain = base_mem_realloc_hook;
  base_mem_realloc_hook = spy;
  calls = frees = 0;
  starving = false;
  return 0;
}

static void everything_passes_the_hook(void **state) {
  void *p;
  (void)state;
  base_free(base_malloc(10));
  base_free(base_calloc(3, 5));
  assert_int_equal(calls, 4);
  p = base_realloc(NULL, 5);
  p = base_realloc(p, 500);
  assert_int_equal(last_size, 500);
  base_free(p);
  base_free(base_strdup("abc"));
  assert_int_equal(calls, 9);
  assert_int_equal(frees, 4);
}

/* A size of 0 would mean "free" to the hook. */
static void never_asks_for_zero_bytes(void **state) {
  void *p;
  (void)state;
  p = base_malloc(0);
  assert_non_null(p);
  assert_true(last_size > 0);
  p = base_realloc(p, 0);
  assert_non_null(p);
  assert_true(last_size > 0);
  base_free(p);
  p = base_calloc(0, 8);
  assert_non_null(p);
  base_free(p);
  assert_int_equal(frees, 2);
}

static void freeing_null_does_nothing(void **state) {
  (void)state;
  base_free(NULL);
  assert_int_equal(calls, 0);
}

static void calloc_clears_and_refuses_what_overflows(void **state) {
  static uint8_t zeros[64]; /* all of them */
  uint8_t *p;
  (void)state;
  p = (uint8_t *)base_calloc(8, 8);
  assert_memory_equal(p, zeros, sizeof zeros);
  base_free(p);
  calls = 0;
  assert_null(base_calloc(SIZE_MAX / 2, 3));
  assert_null(base_calloc(2, SIZE_MAX));
  assert_int_equal(calls, 0);
}

static void copies_of_strings_end_with_a_nul(void **state) {
  char *s;
  (void)state;
  s = base_strndup("abcdef", 3);
  assert_string_equal(s, "abc");
  base_free(s);
  s = base_strndup(NULL, 0);
  assert_string_equal(s, "");
  base_free(s);
  s = base_strndup("a\0b", 3);
  assert_memory_equal(s, "a\0b\0", 4);
  base_free(s);
}

static void want_of_memory_is_a_null(void **state) {
  (void)state;
  starving = true;
  assert_null(base_malloc(1));
  assert_null(base_calloc(1, 1));
  assert_null(base_realloc(NULL, 1));
  assert_null(base_strdup("abc"));
  assert_null(base_strndup("abc", 2));
}

static void a_failed_realloc_leaves_the_old_block(void **state) {
  char *p;
  (void)state;
  p = base_strdup("abc");
  starving = true;
  assert_null(base_realloc(p, 1000));
  assert_string_equal(p, "abc");
  starving = false;
  base_free(p);
}

static void the_default_is_the_heap_itself(void **state) {
  char *p;
  (void)state;
  base_mem_realloc_hook = plain;
  p = base_strdup("abc");
  p = (char *)base_realloc(p, 1000);
  assert_string_equal(p, "abc");
  base_free(p);
  assert_int_equal(calls, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(everything_passes_the_hook, set_up),
    cmocka_unit_test_setup(never_asks_for_zero_bytes, set_up),
    cmocka_unit_test_setup(freeing_null_does_nothing, set_up),
    cmocka_unit_test_setup(calloc_clears_and_refuses_what_overflows, set_up),
    cmocka_unit_test_setup(copies_of_strings_end_with_a_nul, set_up),
    cmocka_unit_test_setup(want_of_memory_is_a_null, set_up),
    cmocka_unit_test_setup(a_failed_realloc_leaves_the_old_block, set_up),
    cmocka_unit_test_setup(the_default_is_the_heap_itself, set_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
