/* engine/client: opening and receiving. */
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
  engine_socket_terminate(u.client);
  until_closed(&u);
  srv_close(fd);
}

/* ---- opening ------------------------------------------------------------ */

static void nothing_is_told_from_inside_the_call(void **state) {
  int fd;
  (void)state;
  user_dial(&u);
  assert_int_equal(u.opens, 0);
  assert_int_equal(engine_socket_state(u.client), ENGINE_CONNECTING);
  fd = srv_open(&u);
  assert_int_equal(u.attempt, 1);
  assert_int_equal(engine_socket_state(u.client), ENGINE_OPEN);
  assert_int_equal(u.engine->ledger.transports, 1);
  assert_int_equal(u.engine->ledger.connections, 1);
  hang_up(fd);
  assert_int_equal(engine_socket_state(u.client), ENGINE_CLOSED);
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
  const struct engine_stats *s = engine_socket_stats(u.client);
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
  engine_socket_set_taking(u.client, false);
  fd = srv_open(&u);
  sent = flood(fd);
  assert_true(sent > 100);
  assert_int_equal(u.messages, 0);
  assert_true(heap_bytes() < 1024 * 1024);
  assert_true(engine_socket_stats(u.client)->bytes_in < 1024 * 1024);
  engine_socket_set_taking(u.client, true);
  srv_send(&u, fd, rest, rest_len);
  until(&u, &u.messages, sent + 1);
  u.hook = NULL;
  hang_up(fd);
}

/* One at a time, as receive does. */
static void take_one(struct user *who, const char *event) {
  check_order(who, event);
  if (strcmp(event, "message") == 0)
    engine_socket_set_taking(who->client, false);
}

static void a_taker_of_one_gets_one(void **state) {
  int fd, i;
  (void)state;
  in_order = 0;
  u.hook = take_one;
  user_dial(&u);
  engine_socket_set_taking(u.client, false);
  fd = srv_open(&u);
  for (i = 0; i < 100; i++)
    srv_frame(&u, fd, 0x82, &i, sizeof i);
  for (i = 1; i <= 100; i++) {
    engine_socket_set_taking(u.client, true);
    if (i % 2 == 0)
      engine_socket_pump(u.client); /* at once, if it is there already */
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
    engine_socket_set_paused(who->client, true);
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
  engine_socket_set_paused(u.client, false);
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
  engine_socket_set_paused(u.client, true);
  fd = srv_open(&u);
  for (i = 0; i < 10; i++)
    srv_frame(&u, fd, 0x82, &i, sizeof i);
  srv_close(fd);
  for (i = 0; i < 5; i++)
    turn(&u);
  assert_int_equal(u.closes, 0);
  engine_socket_set_paused(u.client, false);
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
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
