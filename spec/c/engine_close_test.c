/* engine/client: how connections end, in every order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

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

/* ---- closing ------------------------------------------------------------ */

static void we_close_first(void **state) {
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  user_send(&u, 5);
  engine_socket_close(u.client, 1001, "bye", 3);
  engine_socket_close(u.client, 1002, "twice", 5); /* does nothing */
  assert_int_equal(engine_socket_state(u.client), ENGINE_CLOSING);
  {
    struct frame f;
    assert_true(srv_get(&u, fd, &f)); /* what was queued goes before */
    assert_int_equal(f.len, 5);
    free(f.data);
  }
  srv_expect_close(&u, fd, 1001, "bye");
  srv_send_close(&u, fd, 1001, "");
  srv_close(fd);
  until_closed(&u);
  check_clean(&u, 1001);
  assert_int_equal(u.told[BASE_WRITTEN], 1);
}

static void the_peer_closes_first(void **state) {
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  srv_send_close(&u, fd, 4321, "enough");
  srv_expect_close(&u, fd, 4321, NULL);
  /* RFC 6455, 7.1.1: the server hangs up. */
  assert_int_equal(u.closes, 0);
  srv_close(fd);
  until_closed(&u);
  check_clean(&u, 4321);
  assert_string_equal(u.reason, "enough");
}

static void both_close_at_once(void **state) {
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  engine_socket_close(u.client, 1000, "ours", 4);
  srv_send_close(&u, fd, 1001, "theirs");
  srv_expect_close(&u, fd, 1000, "ours");
  assert_int_equal(shutdown(fd, SHUT_WR), 0);
  until_closed(&u);
  assert_true(srv_at_end(&u, fd)); /* one close frame is enough */
  srv_close(fd);
  check_clean(&u, 1001);
  assert_string_equal(u.reason, "theirs");
}

static void a_close_without_a_code_is_1005_and_answered_alike(void **state) {
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  srv_send_close(&u, fd, 0, "");
  srv_expect_close(&u, fd, 0, NULL);
  srv_close(fd);
  until_closed(&u);
  check_clean(&u, 1005);
}

static void after_the_peers_close_nothing_of_it_is_heard(void **state) {
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  srv_send_close(&u, fd, 1000, "");
  srv_frame(&u, fd, 0x81, "late", 4);
  srv_expect_close(&u, fd, 1000, NULL);
  srv_frame(&u, fd, 0x81, "later", 5);
  srv_close(fd);
  until_closed(&u);
  check_clean(&u, 1000);
  assert_int_equal(u.messages, 0);
}

static void a_peer_that_hangs_up_without_a_close_is_an_error(void **state) {
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  srv_close(fd);
  until_closed(&u);
  check_end(&u, "closed", "eof");
  assert_int_equal(u.close_code, 1006);
}

static void a_reset_is_an_error(void **state) {
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  srv_reset(fd);
  until_closed(&u);
  check_end(&u, "closed", "reset");
  assert_int_equal(u.close_code, 1006);
}

static void a_peer_that_does_not_hang_up_is_hung_up_on(void **state) {
  int fd;
  (void)state;
  limits.close_timeout_ms = 30;
  user_dial(&u);
  fd = srv_open(&u);
  engine_socket_close(u.client, 1000, "", 0);
  srv_expect_close(&u, fd, 1000, "");
  srv_send_close(&u, fd, 1000, "");
  until_closed(&u);
  check_clean(&u, 1000); /* everything was said */
  srv_close(fd);
}

static void a_close_without_an_answer_times_out(void **state) {
  int fd;
  (void)state;
  limits.close_timeout_ms = 30;
  user_dial(&u);
  fd = srv_open(&u);
  engine_socket_close(u.client, 1000, "", 0);
  until_closed(&u);
  check_end(&u, "timeout", "close");
  srv_close(fd);
}

static void a_peer_that_takes_nothing_of_the_queue_times_out(void **state) {
  int fd, i;
  (void)state;
  limits.close_timeout_ms = 100;
  user_dial(&u);
  fd = srv_open(&u);
  for (i = 0; i < 16; i++)
    user_send(&u, 1024 * 1024);
  engine_socket_close(u.client, 1000, "", 0);
  until_closed(&u);
  check_end(&u, "timeout", "drain");
  assert_int_equal(u.told[BASE_PARTIAL], 1);
  assert_true(u.told[BASE_UNSENT] > 0);
  srv_close(fd);
}

static void dawdle(uint64_t ms) {
  uint64_t until_ms = net_loop_update_ms(u.engine->loop) + ms;
  while (net_loop_update_ms(u.engine->loop) < until_ms)
    turn(&u);
}

/* Slowly, but it goes on: only standing still counts. What the kernel has
** taken in the end is read fast. */
static void a_queue_that_drains_slowly_is_waited_for(void **state) {
  struct frame f;
  int fd, i;
  (void)state;
  limits.close_timeout_ms = 500;
  user_dial(&u);
  fd = srv_open(&u);
  for (i = 0; i < 40; i++)
    user_send(&u, 1024 * 1024);
  engine_socket_close(u.client, 1000, "", 0);
  for (i = 0; i < 40; i++) {
    if (i < 15)
      dawdle(50);
    assert_true(srv_get(&u, fd, &f));
    assert_int_equal(f.len, 1024 * 1024);
    free(f.data);
  }
  srv_expect_close(&u, fd, 1000, NULL);
  srv_send_close(&u, fd, 1000, "");
  srv_close(fd);
  until_closed(&u);
  check_clean(&u, 1000);
  assert_int_equal(u.told[BASE_WRITTEN], 40);
}

/* The kernel has room for little. */
static int open_narrow(void) {
  int fd;
  user_dial(&u);
  fd = srv_open(&u);
  srv_squeeze();
  return fd;
}

/* The whole of a long message, at its own speed; how many milliseconds. */
static uint64_t get_slowly(int fd, size_t n) {
  enum { STEP = 10000 };
  static uint8_t bytes[STEP];
  uint64_t begun = net_loop_update_ms(u.engine->loop);
  n += 14; /* the header */
  while (n > 0) {
    size_t part = n < STEP ? n : STEP;
    assert_int_equal(srv_read(&u, fd, bytes, part), part);
    n -= part;
    dawdle(40);
  }
  return net_loop_update_ms(u.engine->loop) - begun;
}

/* The close is in one batch with what is before it. */
static void a_close_behind_what_drains_slowly_is_waited_for(void **state) {
  int fd;
  (void)state;
  limits.close_timeout_ms = 600;
  fd = open_narrow();
  user_send(&u, 300 * 1000);
  engine_socket_close(u.client, 1000, "", 0);
  assert_true(get_slowly(fd, 300 * 1000) > limits.close_timeout_ms);
  srv_expect_close(&u, fd, 1000, NULL);
  srv_send_close(&u, fd, 1000, "");
  srv_close(fd);
  until_closed(&u);
  check_clean(&u, 1000);
  assert_int_equal(u.told[BASE_WRITTEN], 1);
}

static void a_peer_that_stops_before_our_close_was_not_asked(void **state) {
  int fd;
  (void)state;
  limits.close_timeout_ms = 100;
  fd = open_narrow();
  user_send(&u, 300 * 1000);
  engine_socket_close(u.client, 1000, "", 0);
  until_closed(&u);
  check_end(&u, "timeout", "drain");
  assert_int_equal(u.told[BASE_PARTIAL], 1);
  srv_close(fd);
}

static void closing_before_it_is_open_needs_no_handshake(void **state) {
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_accept(&u);
  engine_socket_close(u.client, 1000, "", 0);
  until_closed(&u);
  check_end(&u, "closed", "local");
  srv_close(fd);
}

/* send and close in one breath: what was accepted is sent. */
static void closing_before_it_is_open_sends_what_is_queued(void **state) {
  struct frame f;
  int fd;
  (void)state;
  user_dial(&u);
  user_send(&u, 7);
  engine_socket_close(u.client, 1000, "", 0);
  fd = srv_accept(&u);
  srv_upgrade(&u, fd, "");
  assert_true(srv_get(&u, fd, &f));
  assert_int_equal(f.len, 7);
  free(f.data);
  srv_expect_close(&u, fd, 1000, "");
  srv_send_close(&u, fd, 1000, "");
  srv_close(fd);
  until_closed(&u);
  check_clean(&u, 1000);
  assert_int_equal(u.opens, 0); /* whoever closes is not told of an open */
}

static void terminate_ends_at_once_and_says_so(void **state) {
  int fd, i;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  for (i = 0; i < 16; i++)
    user_send(&u, 1024 * 1024);
  turn(&u);
  engine_socket_terminate(u.client);
  engine_socket_terminate(u.client);
  assert_int_equal(u.closes, 0); /* never from inside a call */
  until_closed(&u);
  check_end(&u, "closed", "local");
  assert_int_equal(u.told[BASE_PARTIAL], 1);
  srv_close(fd);
}

/* ---- violations --------------------------------------------------------- */

static void violate(const void *bytes, size_t n, unsigned close,
                    const char *kind, const char *code) {
  int fd;
  user_init(&u);
  limits.max_message = 1000;
  user_dial(&u);
  fd = srv_open(&u);
  srv_send(&u, fd, bytes, n);
  srv_expect_close(&u, fd, close, NULL);
  assert_true(srv_at_end(&u, fd)); /* and then we hang up */
  srv_close(fd);
  until_closed(&u);
  check_end(&u, kind, code);
  assert_int_equal((int)u.close_field, close);
  assert_int_equal(u.close_code, 1006);
  user_deinit(&u);
}

static void violations_are_answered_with_their_code(void **state) {
  static const struct {
    const char *bytes;
    size_t n;
    unsigned close;
    const char *kind, *code;
  } cases[] = {
    {"\xc1\x00", 2, 1002, "protocol", "reserved_bits"},
    {"\xa1\x00", 2, 1002, "protocol", "reserved_bits"},
    {"\x83\x00", 2, 1002, "protocol", "opcode"},
    {"\x8b\x00", 2, 1002, "protocol", "opcode"},
    {"\x81\x80\x01\x02\x03\x04", 6, 1002, "protocol", "mask"},
    {"\x89\x7e\x00\x7e", 4, 1002, "protocol", "control_length"},
    {"\x09\x00", 2, 1002, "protocol", "control_length"},
    {"\x80\x00", 2, 1002, "protocol", "fragmentation"},
    {"\x01\x01x\x81\x01x", 6, 1002, "protocol", "fragmentation"},
    {"\x82\x7e\x00\x01x", 5, 1002, "protocol", "frame_length"},
    {"\x88\x01x", 3, 1002, "protocol", "close_code"},
    {"\x88\x02\x03\xed", 4, 1002, "protocol", "close_code"},
    {"\x81\x02\xc3\x28", 4, 1007, "protocol", "utf8"},
    {"\x01\x01\xc3\x80\x01\x28", 6, 1007, "protocol", "utf8"},
    {"\x81\x01\xc3", 3, 1007, "protocol", "utf8"},
    {"\x88\x03\x03\xe8\xff", 5, 1007, "protocol", "utf8"},
    {"\x82\x7e\x03\xe9", 4, 1009, "limit", "message_size"},
    {"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10, 1009, "limit",
     "message_size"},
  };
  size_t i;
  (void)state;
  for (i = 0; i < sizeof cases / sizeof *cases; i++)
    violate(cases[i].bytes, cases[i].n, cases[i].close, cases[i].kind,
            cases[i].code);
}

/* The message before it was good, and the pong too. */
static void what_comes_before_a_violation_is_heard(void **state) {
  struct frame f;
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  srv_send(&u, fd, "\x81\x02hi\x89\x01p\x83\x00", 9);
  assert_true(srv_get(&u, fd, &f));
  assert_int_equal(f.opcode, WS_PONG);
  assert_string_equal((char *)f.data, "p");
  free(f.data);
  srv_expect_close(&u, fd, 1002, NULL);
  srv_close(fd);
  until_closed(&u);
  assert_int_equal(u.messages, 1);
  check_end(&u, "protocol", "opcode");
}

static void a_violation_while_a_message_is_sent_waits_for_its_frame(
  void **state) {
  struct frame f;
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  user_send(&u, 8 * 1024 * 1024);
  turn(&u);
  srv_send(&u, fd, "\x83\x00", 2);
  assert_true(srv_get(&u, fd, &f));
  assert_int_equal(f.len, 8 * 1024 * 1024);
  free(f.data);
  srv_expect_close(&u, fd, 1002, NULL);
  srv_close(fd);
  until_closed(&u);
  check_end(&u, "protocol", "opcode");
}

static void a_peer_that_ignores_our_violation_close_is_left(void **state) {
  int fd;
  (void)state;
  limits.close_timeout_ms = 30;
  user_dial(&u);
  fd = srv_open(&u);
  srv_send(&u, fd, "\x83\x00", 2);
  until_closed(&u);
  check_end(&u, "protocol", "opcode");
  srv_close(fd);
}

/* After our close went out there is no second one to say what is wrong. */
static void a_violation_after_our_close_ends_at_once(void **state) {
  int fd;
  (void)state;
  user_dial(&u);
  fd = srv_open(&u);
  engine_socket_close(u.client, 1000, "", 0);
  srv_expect_close(&u, fd, 1000, "");
  srv_send(&u, fd, "\x83\x00", 2);
  until_closed(&u);
  assert_true(srv_at_end(&u, fd));
  srv_close(fd);
  check_end(&u, "protocol", "opcode");
}

/* ---- keepalive ---------------------------------------------------------- */

static void a_peer_that_answers_no_ping_is_given_up(void **state) {
  struct frame f;
  int fd;
  (void)state;
  limits.ping_interval_ms = 20;
  limits.ping_timeout_ms = 30;
  user_dial(&u);
  fd = srv_open(&u);
  assert_true(srv_get(&u, fd, &f));
  assert_int_equal(f.opcode, WS_PING);
  free(f.data);
  until_closed(&u);
  check_end(&u, "timeout", "ping");
  srv_close(fd);
}

static void a_peer_that_answers_pings_stays(void **state) {
  struct frame f;
  int fd, i;
  (void)state;
  limits.ping_interval_ms = 10;
  limits.ping_timeout_ms = 2000;
  user_dial(&u);
  fd = srv_open(&u);
  for (i = 0; i < 5; i++) {
    assert_true(srv_get(&u, fd, &f));
    assert_int_equal(f.opcode, WS_PING);
    srv_frame(&u, fd, 0x8a, f.data, f.len);
    free(f.data);
  }
  until(&u, &u.pongs, 5);
  assert_true(u.seconds >= 0);
  assert_true(engine_socket_stats(u.client)->rtt >= 0);
  assert_int_equal(u.closes, 0);
  engine_socket_terminate(u.client);
  until_closed(&u);
  srv_close(fd);
}

/* Anything that arrives is a sign of life. */
static void a_peer_that_talks_need_not_answer_pings(void **state) {
  uint64_t until_ms;
  int fd;
  (void)state;
  limits.ping_interval_ms = 20;
  limits.ping_timeout_ms = 60;
  user_dial(&u);
  fd = srv_open(&u);
  until_ms = net_loop_update_ms(u.engine->loop) + 400;
  while (net_loop_update_ms(u.engine->loop) < until_ms) {
    srv_frame(&u, fd, 0x81, "x", 1);
    turn(&u);
  }
  assert_int_equal(u.closes, 0);
  engine_socket_terminate(u.client);
  until_closed(&u);
  srv_close(fd);
}

/* It is behind what the peer takes slowly, and cannot have come yet. */
static void a_ping_behind_a_long_frame_is_waited_for(void **state) {
  struct frame f;
  int fd;
  (void)state;
  limits.ping_interval_ms = 100;
  limits.ping_timeout_ms = 600;
  fd = open_narrow();
  user_send(&u, 700 * 1000);
  assert_true(get_slowly(fd, 700 * 1000) > 2 * limits.ping_timeout_ms);
  assert_int_equal(u.downs, 0);
  assert_true(srv_get(&u, fd, &f));
  assert_int_equal(f.opcode, WS_PING);
  free(f.data);
  srv_send_close(&u, fd, 1000, "");
  srv_close(fd);
  until_closed(&u);
  check_clean(&u, 1000);
  assert_int_equal(u.told[BASE_WRITTEN], 1);
}

/* A script that keeps the loop from looking is not the peer's fault. */
static void a_late_loop_looks_before_it_blames(void **state) {
  struct frame f;
  uint64_t until_ms;
  int fd;
  (void)state;
  limits.ping_interval_ms = 200;
  limits.ping_timeout_ms = 100;
  user_dial(&u);
  fd = srv_open(&u);
  assert_true(srv_get(&u, fd, &f));
  srv_frame(&u, fd, 0x8a, f.data, f.len); /* answered, but not read yet */
  free(f.data);
  until_ms = net_loop_update_ms(u.engine->loop) + 150;
  while (net_loop_update_ms(u.engine->loop) < until_ms)
    continue;
  until(&u, &u.pongs, 1);
  assert_int_equal(u.closes, 0);
  engine_socket_terminate(u.client);
  until_closed(&u);
  srv_close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(we_close_first),
    TEST(the_peer_closes_first),
    TEST(both_close_at_once),
    TEST(a_close_without_a_code_is_1005_and_answered_alike),
    TEST(after_the_peers_close_nothing_of_it_is_heard),
    TEST(a_peer_that_hangs_up_without_a_close_is_an_error),
    TEST(a_reset_is_an_error),
    TEST(a_peer_that_does_not_hang_up_is_hung_up_on),
    TEST(a_close_without_an_answer_times_out),
    TEST(a_peer_that_takes_nothing_of_the_queue_times_out),
    TEST(a_queue_that_drains_slowly_is_waited_for),
    TEST(a_close_behind_what_drains_slowly_is_waited_for),
    TEST(a_peer_that_stops_before_our_close_was_not_asked),
    TEST(closing_before_it_is_open_needs_no_handshake),
    TEST(closing_before_it_is_open_sends_what_is_queued),
    TEST(terminate_ends_at_once_and_says_so),
    cmocka_unit_test(violations_are_answered_with_their_code),
    TEST(what_comes_before_a_violation_is_heard),
    TEST(a_violation_while_a_message_is_sent_waits_for_its_frame),
    TEST(a_peer_that_ignores_our_violation_close_is_left),
    TEST(a_violation_after_our_close_ends_at_once),
    TEST(a_peer_that_answers_no_ping_is_given_up),
    TEST(a_peer_that_answers_pings_stays),
    TEST(a_peer_that_talks_need_not_answer_pings),
    TEST(a_ping_behind_a_long_frame_is_waited_for),
    TEST(a_late_loop_looks_before_it_blames),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
