/* base/err: the list of errors, and the error that travels upwards. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"

static long live, countdown;

static void *counting_realloc(void *p, size_t size) {
  if (size == 0) {
    live--;
    free(p);
    return NULL;
  }
  if (countdown > 0 && --countdown == 0)
    return NULL;
  if (p == NULL)
    live++;
  return realloc(p, size);
}

static int set_up(void **state) {
  (void)state;
  base_mem_realloc_hook = counting_realloc;
  live = countdown = 0;
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  return live == 0 ? 0 : -1;
}

static void every_row_becomes_its_own_error(void **state) {
  static const struct {
    int err;
    enum base_kind kind;
    const char *code, *text;
  } rows[] = {
#define X(name, kind, code, text) \
  {BASE_ERR_##name, BASE_KIND_##kind, code, text},
    BASE_ERR_MAP(X)
#undef X
  };
  size_t i;
  (void)state;
  for (i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct base_error *e = base_error_from(rows[i].err);
    assert_true(rows[i].err < 0);
    assert_int_equal(e->kind, rows[i].kind);
    assert_string_equal(e->code, rows[i].code);
    assert_string_equal(e->message, rows[i].text);
    assert_string_equal(base_err_text(rows[i].err), rows[i].text);
    base_error_free(e);
  }
}

static void kinds_are_called_as_the_reference_says(void **state) {
  static const char *const names[] = {
    "dns", "connect", "proxy", "tls", "certificate", "upgrade", "protocol",
    "timeout", "limit", "closed", "io"
  };
  int i;
  (void)state;
  assert_int_equal(BASE_KIND_COUNT, sizeof names / sizeof *names);
  for (i = 0; i < BASE_KIND_COUNT; i++)
    assert_string_equal(base_kind_name((enum base_kind)i), names[i]);
}

static void sentences_begin_without_a_capital_and_end_without_a_stop(
  void **state) {
  int err;
  (void)state;
  for (err = BASE_ERR_FIRST_ + 1; err < BASE_ERR_LAST_; err++) {
    const char *s = base_err_text(err);
    size_t n = strlen(s);
    assert_true(n > 10);
    assert_true(!isupper((unsigned char)s[0]) ||
                isupper((unsigned char)s[1]) || strchr(s, '-') != NULL);
    assert_true(s[n - 1] != '.');
  }
}

static void a_number_out_of_the_list_is_a_want_of_memory(void **state) {
  static const int numbers[] = {0, 1, -1, BASE_ERR_FIRST_, BASE_ERR_LAST_,
                                -100000, 100000};
  size_t i;
  (void)state;
  for (i = 0; i < sizeof numbers / sizeof *numbers; i++)
    assert_string_equal(base_err_text(numbers[i]),
                        base_err_text(BASE_ERR_MEMORY));
}

static void messages_and_codes_that_are_too_long_are_cut(void **state) {
  struct base_error *e;
  char *s = (char *)malloc(2001);
  (void)state;
  assert_non_null(s);
  memset(s, 'x', 2000);
  s[2000] = '\0';
  e = base_error_new(BASE_KIND_TLS, s, "%s", s);
  assert_int_equal(strlen(e->message), sizeof e->message - 1);
  assert_int_equal(strlen(e->code), sizeof e->code - 1);
  free(s);
  base_error_free(e);
}

static void fields_keep_their_order_and_are_found_by_name(void **state) {
  static const char list[] = "one\0two";
  struct base_error *e;
  const struct base_field *f;
  char text[] = "a text";
  (void)state;
  e = base_error_new(BASE_KIND_UPGRADE, "status", "status %d", 503);
  assert_string_equal(e->message, "status 503");
  base_error_text(e, "host", text);
  base_error_number(e, "status", 503);
  base_error_list(e, "names", BASE_FIELD_LIST, list, sizeof list);
  memset(text, 'z', 6); /* it was copied */
  f = base_error_field(e, "host");
  assert_int_equal(f->type, BASE_FIELD_TEXT);
  assert_string_equal(f->text, "a text");
  assert_int_equal(f->size, 6);
  assert_ptr_equal(f, e->fields);
  f = base_error_field(e, "status");
  assert_int_equal(f->type, BASE_FIELD_NUMBER);
  assert_true(f->number > 502.5 && f->number < 503.5);
  f = base_error_field(e, "names");
  assert_int_equal(f->type, BASE_FIELD_LIST);
  assert_memory_equal(f->text, list, sizeof list);
  assert_null(f->next);
  assert_null(base_error_field(e, "nothing"));
  base_error_free(e);
}

static void attempts_are_owned_by_their_error(void **state) {
  struct base_error *e, *a, *b;
  (void)state;
  e = base_error_new(BASE_KIND_CONNECT, "ECONNREFUSED", "refused");
  a = base_error_new(BASE_KIND_CONNECT, "ECONNREFUSED", "first");
  base_error_text(a, "address", "127.0.0.1:1");
  /* One of an attempt's own would be lost in the table: it is dropped. */
  base_error_attempt(a, base_error_new(BASE_KIND_DNS, "x", "nested"));
  b = base_error_new(BASE_KIND_CONNECT, "ETIMEDOUT", "second");
  base_error_attempt(e, a);
  base_error_attempt(e, b);
  assert_ptr_equal(e->attempts, a);
  assert_null(a->attempts);
  assert_ptr_equal(a->next, b);
  assert_null(b->next);
  base_error_free(e);
}

static void without_memory_there_is_an_error_all_the_same(void **state) {
  struct base_error *e, *other;
  (void)state;
  countdown = 1;
  e = base_error_new(BASE_KIND_DNS, "ENOTFOUND", "none");
  assert_int_equal(e->kind, BASE_KIND_LIMIT);
  assert_string_equal(e->code, "memory");
  assert_ptr_equal(e, base_error_from(BASE_ERR_MEMORY));
  /* It is shared, so that nothing may stick to it. */
  base_error_text(e, "host", "h");
  base_error_number(e, "status", 1);
  base_error_list(e, "names", BASE_FIELD_LIST, "x", 2);
  base_error_attempt(e, base_error_new(BASE_KIND_DNS, "x", "y"));
  assert_null(e->fields);
  assert_null(e->attempts);
  other = base_error_new(BASE_KIND_DNS, "x", "y");
  base_error_attempt(other, e);
  assert_null(other->attempts);
  base_error_free(other);
  base_error_free(e);
  base_error_free(e);
  base_error_free(NULL);
}

static void a_field_without_memory_is_left_out(void **state) {
  int n;
  (void)state;
  for (n = 1; n <= 2; n++) {
    struct base_error *e = base_error_new(BASE_KIND_DNS, "x", "y");
    countdown = n;
    base_error_text(e, "host", "h");
    assert_null(e->fields);
    base_error_number(e, "status", 5);
    assert_non_null(base_error_field(e, "status"));
    base_error_free(e);
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(every_row_becomes_its_own_error),
    TEST(kinds_are_called_as_the_reference_says),
    TEST(sentences_begin_without_a_capital_and_end_without_a_stop),
    TEST(a_number_out_of_the_list_is_a_want_of_memory),
    TEST(messages_and_codes_that_are_too_long_are_cut),
    TEST(fields_keep_their_order_and_are_found_by_name),
    TEST(attempts_are_owned_by_their_error),
    TEST(without_memory_there_is_an_error_all_the_same),
    TEST(a_field_without_memory_is_left_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
