/* engine/client: what is sent: pings, messages, streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_support.h"

static struct user u;

static int set_up(void **state) {
  (void)state;
  user_init(&u);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  user_deinit(&u);
  return 0;
}

static void hang_up(int fd) {
  engine_socket_terminate(u.client);
  until_closed(&u);
  srv_close(fd);
}

/* ---- pings -------------------------------------------------------------- */

static void our_pings_are_timed_and_their_pongs_told(void **state) {
  struct frame f;
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  assert_null(engine_socket_ping(u.client, (const uint8_t *)"one", 3));
  assert_true(srv_get(&u, fd, &f));
  assert_int_equal(f.opcode, WS_PING);
  assert_string_equal((char *)f.data, "one");
  free(f.data);
  srv_frame(&u, fd, 0x8a, "other", 5);
  until(&u, &u.pongs, 1);
  assert_true(u.seconds < 0); /* nobody asked for that one */
  srv_frame(&u, fd, 0x8a, "one", 3);
  until(&u, &u.pongs, 2);
  assert_true(u.seconds >= 0 && u.seconds < 60);
  srv_frame(&u, fd, 0x8a, "one", 3);
  until(&u, &u.pongs, 3);
  assert_true(u.seconds < 0); /* it was answered before */
  hang_up(fd);
}

/* A peer that pings and never reads costs a bounded number of answers. */
static void a_flood_of_pings_costs_bounded_memory(void **state) {
  uint8_t frame[160], payload[125];
  size_t n, before;
  int fd, i;
  (void)state;
  memset(payload, 'p', sizeof payload);
  n = put_frame(frame, 0x89, payload, sizeof payload);
  user_dial(&u);
  fd = srv_open(&u);
  before = heap_bytes();
  for (i = 0; i < 100000; i++) {
    if (srv_try_send(fd, frame, n) < n)
      break;
    if (i % 100 == 0)
      turn(&u);
  }
  assert_true(heap_bytes() < before + 1024 * 1024);
  hang_up(fd);
}

/* ---- sending ------------------------------------------------------------ */

static void what_is_sent_before_it_is_open_arrives_in_order(void **state) {
  struct frame f;
  int fd;
  uint32_t i;
  (void)state;
  user_dial(&u);
  for (i = 0; i < 50; i++)
    user_send(&u, 4 + i * 400);
  assert_true(engine_socket_buffered(u.client) > 0);
  fd = srv_open(&u);
  for (i = 0; i < 50; i++) {
    assert_true(srv_get(&u, fd, &f));
    assert_int_equal(f.len, 4 + i * 400);
    assert_memory_equal(f.data, &i, sizeof i);
    free(f.data);
  }
  until(&u, &u.told[BASE_WRITTEN], 50);
  assert_int_equal(engine_socket_buffered(u.client), 0);
  hang_up(fd);
}

static void text_is_checked_and_refused_text_is_the_senders(void **state) {
  struct base_error *err;
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  err = user_try_send(&u, "\xff", 1, WS_TEXT);
  assert_string_equal(err->code, "utf8");
  base_error_free(err);
  assert_null(user_try_send(&u, "\xff", 1, WS_BINARY));
  until(&u, &u.told[BASE_WRITTEN], 1);
  hang_up(fd);
}

static void more_than_max_buffered_is_refused(void **state) {
  struct base_error *err;
  int fd;
  (void)state;
  limits.max_buffered = 10;
  user_dial(&u);
  assert_null(user_try_send(&u, "12345", 5, WS_BINARY));
  err = user_try_send(&u, "123456", 6, WS_BINARY);
  assert_int_equal(err->kind, BASE_KIND_LIMIT);
  assert_string_equal(err->code, "buffered");
  base_error_free(err);
  assert_null(user_try_send(&u, "12345", 5, WS_BINARY));
  fd = srv_open(&u);
  until(&u, &u.told[BASE_WRITTEN], 2);
  hang_up(fd);
}

static void drain_is_told_once_from_above_high_to_below_low(void **state) {
  struct frame f;
  int fd, i;
  (void)state;
  limits.high_water = 12 * 1024 * 1024;
  limits.low_water = 1024;
  user_dial(&u);
  fd = srv_open(&u);
  for (i = 0; i < 12; i++)
    user_send(&u, 1024 * 1024);
  for (i = 0; i < 5; i++)
    turn(&u);
  assert_int_equal(u.drains, 0); /* never above */
  for (i = 0; i < 12; i++)
    user_send(&u, 1024 * 1024);
  for (i = 0; i < 24; i++) {
    assert_int_equal(u.drains == 0 ||
                       engine_socket_buffered(u.client) <= 1024, 1);
    assert_true(srv_get(&u, fd, &f));
    free(f.data);
  }
  until(&u, &u.told[BASE_WRITTEN], 24);
  assert_int_equal(u.drains, 1);
  hang_up(fd);
}

static void a_closed_client_refuses_everything(void **state) {
  struct base_error *err;
  struct engine_stream *s;
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  hang_up(fd);
  err = user_try_send(&u, "x", 1, WS_TEXT);
  assert_int_equal(err->kind, BASE_KIND_CLOSED);
  base_error_free(err);
  err = engine_socket_stream(u.client, &s, WS_TEXT);
  assert_int_equal(err->kind, BASE_KIND_CLOSED);
  base_error_free(err);
  err = engine_socket_ping(u.client, NULL, 0);
  assert_int_equal(err->kind, BASE_KIND_CLOSED);
  base_error_free(err);
  assert_false(engine_client_reconnect(u.client));
  engine_socket_close(u.client, 1000, "", 0);
  engine_socket_terminate(u.client);
}

/* ---- streams ------------------------------------------------------------ */

static void write_piece(struct engine_stream *s, size_t n) {
  char *data = (char *)calloc(1, n + 1);
  struct engine_item *item;
  assert_non_null(data);
  item = user_item(&u, data, n, WS_BINARY);
  assert_null(engine_socket_write(u.client, s, item));
  free(data);
}

static void control_frames_do_not_wait_for_a_stream(void **state) {
  struct engine_stream *s;
  struct frame f;
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  assert_null(engine_socket_stream(u.client, &s, WS_BINARY));
  write_piece(s, 3);
  assert_true(srv_get(&u, fd, &f));
  assert_false(f.fin);
  assert_int_equal(f.opcode, WS_BINARY);
  free(f.data);
  user_send(&u, 9); /* waits for the end of the stream */
  srv_frame(&u, fd, 0x89, "p", 1);
  assert_true(srv_get(&u, fd, &f));
  assert_int_equal(f.opcode, WS_PONG);
  free(f.data);
  write_piece(s, 4);
  assert_null(engine_socket_finish(u.client, s));
  assert_true(srv_get(&u, fd, &f));
  assert_true(f.fin);
  assert_int_equal(f.opcode, WS_CONTINUATION);
  assert_int_equal(f.len, 4);
  free(f.data);
  assert_true(srv_get(&u, fd, &f));
  assert_int_equal(f.len, 9);
  free(f.data);
  engine_socket_abandon(u.client, s);
  hang_up(fd);
}

static void a_begun_stream_that_is_given_up_ends_the_connection(void **state) {
  struct engine_stream *s;
  struct frame f;
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  assert_null(engine_socket_stream(u.client, &s, WS_BINARY));
  write_piece(s, 3);
  assert_true(srv_get(&u, fd, &f));
  free(f.data);
  write_piece(s, 3);
  engine_socket_abandon(u.client, s);
  assert_int_equal(u.told[BASE_UNSENT] + u.told[BASE_PARTIAL], 0);
  until_closed(&u);
  check_end(&u, "closed", "local");
  srv_close(fd);
}

static void a_stream_given_up_before_it_began_is_forgotten(void **state) {
  struct engine_stream *s;
  struct frame f;
  int fd;
  (void)state;
  user_dial(&u);
  assert_null(engine_socket_stream(u.client, &s, WS_BINARY));
  write_piece(s, 3);
  user_send(&u, 9);
  engine_socket_abandon(u.client, s);
  fd = srv_open(&u);
  assert_true(srv_get(&u, fd, &f));
  assert_int_equal(f.len, 9);
  free(f.data);
  assert_int_equal(u.told[BASE_UNSENT], 1);
  hang_up(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(our_pings_are_timed_and_their_pongs_told),
    TEST(a_flood_of_pings_costs_bounded_memory),
    TEST(what_is_sent_before_it_is_open_arrives_in_order),
    TEST(text_is_checked_and_refused_text_is_the_senders),
    TEST(more_than_max_buffered_is_refused),
    TEST(drain_is_told_once_from_above_high_to_below_low),
    TEST(a_closed_client_refuses_everything),
    TEST(control_frames_do_not_wait_for_a_stream),
    TEST(a_begun_stream_that_is_given_up_ends_the_connection),
    TEST(a_stream_given_up_before_it_began_is_forgotten),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
