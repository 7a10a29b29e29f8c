/* engine/client: open, send, receive, and give way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_support.h"

#include "base/limits.h"

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
  engine_client_terminate(u.client);
  until_closed(&u);
  srv_close(fd);
}

/* ---- opening ------------------------------------------------------------ */

static void nothing_is_told_from_inside_the_call(void **state) {
  int fd;
  (void)state;
  user_dial(&u);
  assert_int_equal(u.opens, 0);
  assert_int_equal(engine_client_state(u.client), ENGINE_CONNECTING);
  fd = srv_open(&u);
  assert_int_equal(u.attempt, 1);
  assert_int_equal(engine_client_state(u.client), ENGINE_OPEN);
  assert_int_equal(u.engine->ledger.transports, 1);
  assert_int_equal(u.engine->ledger.connections, 1);
  hang_up(fd);
  assert_int_equal(engine_client_state(u.client), ENGINE_CLOSED);
}

static void a_refused_port_is_a_connect_error(void **state) {
  (void)state;
  user_dial_to(&u, "ws://127.0.0.1:1/");
  until_closed(&u);
  check_end(&u, "connect", "ECONNREFUSED");
  assert_int_equal(u.downs, 1);
}

static void a_server_that_does_not_upgrade_is_an_upgrade_error(void **state) {
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_accept(&u);
  srv_answer(&u, fd, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
  until_closed(&u);
  check_end(&u, "upgrade", "status");
  srv_close(fd);
}

static void a_wrong_accept_is_an_upgrade_error(void **state) {
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_accept(&u);
  srv_answer(&u, fd,
             "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n");
  until_closed(&u);
  check_end(&u, "upgrade", "bad_accept");
  srv_close(fd);
}

static void an_end_during_the_upgrade_is_told(void **state) {
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_accept(&u);
  srv_answer(&u, fd, "HTTP/1.1 101 Go\r\nUpgr");
  srv_close(fd);
  until_closed(&u);
  check_end(&u, "closed", "eof");
}

static void an_answer_without_end_is_cut_off(void **state) {
  char more[4096];
  int fd;
  (void)state;
  limits.max_header = 2000;
  memset(more, 'x', sizeof more);
  user_dial(&u);
  fd = srv_accept(&u);
  srv_answer(&u, fd, "HTTP/1.1 101 Go\r\nX: ");
  srv_send(&u, fd, more, sizeof more);
  until_closed(&u);
  check_end(&u, "upgrade", "header_too_large");
  srv_close(fd);
}

static void a_server_that_says_nothing_times_out(void **state) {
  int fd;
  (void)state;
  limits.open_timeout_ms = 30;
  user_dial(&u);
  fd = srv_accept(&u);
  until_closed(&u);
  check_end(&u, "timeout", "open");
  srv_close(fd);
}

/* ---- receiving ---------------------------------------------------------- */

/* A head, then one of each: a text, a ping in the middle of a message in
** fragments, a binary with a 16-bit length, an empty one. */
static size_t script(uint8_t *out) {
  static const uint8_t big[300] = {1, 2, 3};
  size_t n = 0;
  n += put_frame(out + n, 0x81, "hello", 5);
  n += put_frame(out + n, 0x01, "gr\xc3", 3);
  n += put_frame(out + n, 0x89, "beat", 4);
  n += put_frame(out + n, 0x80, "\xbc\xc3\x9f", 3);
  n += put_frame(out + n, 0x82, big, sizeof big);
  n += put_frame(out + n, 0x82, "", 0);
  n += put_frame(out + n, 0x81, "end", 3);
  return n;
}

static void check_script(uint32_t sum) {
  assert_int_equal(u.messages, 5);
  assert_int_equal(u.pings, 1);
  assert_int_equal(u.message_bytes, 5 + 6 + 300 + 0 + 3);
  assert_memory_equal(u.last, "end", 3);
  assert_true(u.text);
  assert_int_equal(u.sum, sum);
}

/* Without a turn of the loop in between both pieces might come in one read. */
static void send_cut(int fd, const uint8_t *bytes, size_t n, size_t at) {
  const struct engine_stats *s = engine_client_stats(u.client);
  uint64_t before = s->bytes_in;
  srv_send(&u, fd, bytes, at);
  while (s->bytes_in < before + at)
    turn(&u);
  srv_send(&u, fd, bytes + at, n - at);
  while (s->bytes_in < before + n)
    turn(&u);
}

static void messages_are_the_same_wherever_the_stream_is_cut(void **state) {
  uint8_t bytes[1024];
  size_t n = script(bytes), at;
  uint32_t sum = 0;
  struct frame f;
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  for (at = 0; at <= n; at++) {
    u.messages = u.pings = 0;
    u.message_bytes = 0;
    u.sum = 0;
    send_cut(fd, bytes, n, at);
    until(&u, &u.messages, 5);
    if (at == 0)
      sum = u.sum;
    check_script(sum);
    assert_true(srv_get(&u, fd, &f));
    assert_int_equal(f.opcode, WS_PONG);
    assert_string_equal((char *)f.data, "beat");
    free(f.data);
  }
  hang_up(fd);
}

/* Frames that come with the head's last byte, and byte by byte. */
static void frames_may_come_right_behind_the_head(void **state) {
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_accept(&u);
  srv_answer(&u, fd,
             "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\n\r\n\x81\x02hi\x81\x03you");
  until(&u, &u.messages, 2);
  assert_int_equal(u.opens, 1);
  assert_memory_equal(u.last, "you", 3);
  hang_up(fd);
}

static void a_message_of_16_mib_arrives_whole(void **state) {
  size_t n = LIMIT_MESSAGE_BYTES, i;
  uint8_t *data = (uint8_t *)malloc(n);
  uint32_t sum = 0;
  int fd;
  (void)state;
  assert_non_null(data);
  for (i = 0; i < n; i++) {
    data[i] = (uint8_t)(i * 2654435761u >> 24);
    sum = sum * 31 + data[i];
  }
  user_dial(&u);
  fd = srv_open(&u);
  srv_frame(&u, fd, 0x82, data, n);
  until(&u, &u.messages, 1);
  assert_int_equal(u.message_bytes, n);
  assert_int_equal(u.sum, sum);
  /* An idle connection owns no buffers. */
  assert_true(heap_bytes() < 512 * 1024);
  free(data);
  hang_up(fd);
}

/* Numbered messages of 1 KiB until the kernel takes no more: how many have
** left whole. The rest of the last one is kept. */
static uint8_t rest[1024 + WS_FRAME_HEADER_MAX];
static size_t rest_len;

static int flood(int fd) {
  uint8_t payload[1024];
  int number, idle = 0;
  memset(payload, 'f', sizeof payload);
  for (number = 0;; number++) {
    memcpy(payload, &number, sizeof number);
    rest_len = put_frame(rest, 0x82, payload, sizeof payload);
    while (rest_len > 0) {
      size_t k = srv_try_send(fd, rest, rest_len);
      rest_len -= k;
      memmove(rest, rest + k, rest_len);
      idle = k > 0 ? 0 : idle + 1;
      if (idle > 50)
        return number;
      if (k == 0)
        turn(&u);
    }
  }
}

static int in_order;

static void check_order(struct user *who, const char *event) {
  if (strcmp(event, "message") == 0) {
    assert_memory_equal(who->last, &in_order, sizeof in_order);
    in_order++;
  }
}

static void what_nobody_takes_stays_with_the_peer(void **state) {
  int fd, sent;
  (void)state;
  in_order = 0;
  u.hook = check_order;
  user_dial(&u);
  engine_client_set_taking(u.client, false);
  fd = srv_open(&u);
  sent = flood(fd);
  assert_true(sent > 100);
  assert_int_equal(u.messages, 0);
  assert_true(heap_bytes() < 1024 * 1024);
  assert_true(engine_client_stats(u.client)->bytes_in < 1024 * 1024);
  engine_client_set_taking(u.client, true);
  srv_send(&u, fd, rest, rest_len);
  until(&u, &u.messages, sent + 1);
  u.hook = NULL;
  hang_up(fd);
}

/* One at a time, as receive does. */
static void take_one(struct user *who, const char *event) {
  check_order(who, event);
  if (strcmp(event, "message") == 0)
    engine_client_set_taking(who->client, false);
}

static void a_taker_of_one_gets_one(void **state) {
  int fd, i;
  (void)state;
  in_order = 0;
  u.hook = take_one;
  user_dial(&u);
  engine_client_set_taking(u.client, false);
  fd = srv_open(&u);
  for (i = 0; i < 100; i++)
    srv_frame(&u, fd, 0x82, &i, sizeof i);
  for (i = 1; i <= 100; i++) {
    engine_client_set_taking(u.client, true);
    if (i % 2 == 0)
      engine_client_pump(u.client); /* at once, if it is there already */
    until(&u, &u.messages, i);
    turn(&u);
    assert_int_equal(u.messages, i);
  }
  u.hook = NULL;
  hang_up(fd);
}

static void pause_at_three(struct user *who, const char *event) {
  check_order(who, event);
  if (who->messages == 3)
    engine_client_set_paused(who->client, true);
}

static void a_pause_in_a_handler_holds_at_once_and_loses_nothing(void **state) {
  uint8_t bytes[256];
  size_t n = 0;
  int fd, i;
  (void)state;
  in_order = 0;
  u.hook = pause_at_three;
  user_dial(&u);
  fd = srv_open(&u);
  for (i = 0; i < 20; i++)
    n += put_frame(bytes + n, 0x82, &i, sizeof i);
  srv_send(&u, fd, bytes, n);
  until(&u, &u.messages, 3);
  for (i = 0; i < 5; i++)
    turn(&u);
  assert_int_equal(u.messages, 3);
  for (i = 20; i < 30; i++)
    srv_frame(&u, fd, 0x82, &i, sizeof i);
  for (i = 0; i < 5; i++)
    turn(&u);
  assert_int_equal(u.messages, 3);
  u.hook = check_order;
  engine_client_set_paused(u.client, false);
  until(&u, &u.messages, 30);
  u.hook = NULL;
  hang_up(fd);
}

static void an_end_behind_what_is_held_comes_after_it(void **state) {
  int fd, i;
  (void)state;
  in_order = 0;
  u.hook = check_order;
  user_dial(&u);
  engine_client_set_paused(u.client, true);
  fd = srv_open(&u);
  for (i = 0; i < 10; i++)
    srv_frame(&u, fd, 0x82, &i, sizeof i);
  srv_close(fd);
  for (i = 0; i < 5; i++)
    turn(&u);
  assert_int_equal(u.closes, 0);
  engine_client_set_paused(u.client, false);
  until_closed(&u);
  assert_int_equal(u.messages, 10);
  check_end(&u, "closed", "eof");
}

static void a_halted_engine_delivers_nothing(void **state) {
  int fd, i;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  u.engine->halted = true;
  srv_frame(&u, fd, 0x81, "x", 1);
  for (i = 0; i < 5; i++)
    turn(&u);
  assert_int_equal(u.messages, 0);
  engine_unhalt(u.engine);
  until(&u, &u.messages, 1);
  hang_up(fd);
}

/* ---- pings -------------------------------------------------------------- */

static void our_pings_are_timed_and_their_pongs_told(void **state) {
  struct frame f;
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  assert_null(engine_client_ping(u.client, (const uint8_t *)"one", 3));
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
  assert_true(engine_client_buffered(u.client) > 0);
  fd = srv_open(&u);
  for (i = 0; i < 50; i++) {
    assert_true(srv_get(&u, fd, &f));
    assert_int_equal(f.len, 4 + i * 400);
    assert_memory_equal(f.data, &i, sizeof i);
    free(f.data);
  }
  until(&u, &u.told[BASE_WRITTEN], 50);
  assert_int_equal(engine_client_buffered(u.client), 0);
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
                       engine_client_buffered(u.client) <= 1024, 1);
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
  err = engine_client_stream(u.client, &s, WS_TEXT);
  assert_int_equal(err->kind, BASE_KIND_CLOSED);
  base_error_free(err);
  err = engine_client_ping(u.client, NULL, 0);
  assert_int_equal(err->kind, BASE_KIND_CLOSED);
  base_error_free(err);
  assert_false(engine_client_reconnect(u.client));
  engine_client_close(u.client, 1000, "", 0);
  engine_client_terminate(u.client);
}

/* ---- streams ------------------------------------------------------------ */

static void write_piece(struct engine_stream *s, size_t n) {
  char *data = (char *)calloc(1, n + 1);
  struct engine_item *item;
  assert_non_null(data);
  item = user_item(&u, data, n, WS_BINARY);
  assert_null(engine_client_write(u.client, s, item));
  free(data);
}

static void control_frames_do_not_wait_for_a_stream(void **state) {
  struct engine_stream *s;
  struct frame f;
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  assert_null(engine_client_stream(u.client, &s, WS_BINARY));
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
  assert_null(engine_client_finish(u.client, s));
  assert_true(srv_get(&u, fd, &f));
  assert_true(f.fin);
  assert_int_equal(f.opcode, WS_CONTINUATION);
  assert_int_equal(f.len, 4);
  free(f.data);
  assert_true(srv_get(&u, fd, &f));
  assert_int_equal(f.len, 9);
  free(f.data);
  engine_client_abandon(u.client, s);
  hang_up(fd);
}

static void a_begun_stream_that_is_given_up_ends_the_connection(void **state) {
  struct engine_stream *s;
  struct frame f;
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  assert_null(engine_client_stream(u.client, &s, WS_BINARY));
  write_piece(s, 3);
  assert_true(srv_get(&u, fd, &f));
  free(f.data);
  write_piece(s, 3);
  engine_client_abandon(u.client, s);
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
  assert_null(engine_client_stream(u.client, &s, WS_BINARY));
  write_piece(s, 3);
  user_send(&u, 9);
  engine_client_abandon(u.client, s);
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
    TEST(nothing_is_told_from_inside_the_call),
    TEST(a_refused_port_is_a_connect_error),
    TEST(a_server_that_does_not_upgrade_is_an_upgrade_error),
    TEST(a_wrong_accept_is_an_upgrade_error),
    TEST(an_end_during_the_upgrade_is_told),
    TEST(an_answer_without_end_is_cut_off),
    TEST(a_server_that_says_nothing_times_out),
    TEST(messages_are_the_same_wherever_the_stream_is_cut),
    TEST(frames_may_come_right_behind_the_head),
    TEST(a_message_of_16_mib_arrives_whole),
    TEST(what_nobody_takes_stays_with_the_peer),
    TEST(a_taker_of_one_gets_one),
    TEST(a_pause_in_a_handler_holds_at_once_and_loses_nothing),
    TEST(an_end_behind_what_is_held_comes_after_it),
    TEST(a_halted_engine_delivers_nothing),
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
