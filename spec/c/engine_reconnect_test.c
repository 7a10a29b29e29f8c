/* engine/client: one transport after another, and owners that go. */
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
  u.delay = 0;
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  u.hook = NULL;
  user_deinit(&u);
  return 0;
}

static void hang_up(int fd) {
  engine_socket_terminate(u.client);
  until_closed(&u);
  srv_close(fd);
}

/* ---- dialling anew ------------------------------------------------------- */

static void a_lost_connection_is_made_again(void **state) {
  int fd, i;
  (void)state;
  user_dial(&u);
  for (i = 1; i <= 5; i++) {
    fd = srv_open(&u);
    assert_int_equal(u.opens, i);
    assert_int_equal(u.attempt, i);
    srv_close(fd);
    until(&u, &u.downs, i);
  }
  assert_int_equal(u.closes, 0);
  assert_int_equal(engine_client_reconnects(u.client), 4);
  u.delay = -1;
  fd = srv_open(&u);
  srv_close(fd);
  until_closed(&u);
  assert_int_equal(u.downs, 6);
}

static void a_wait_ends_at_once_when_it_is_closed(void **state) {
  int fd;
  (void)state;
  u.delay = 3600;
  user_dial(&u);
  fd = srv_open(&u);
  srv_close(fd);
  until(&u, &u.downs, 1);
  turn(&u);
  assert_int_equal(engine_socket_state(u.client), ENGINE_WAITING);
  engine_socket_close(u.client, 1000, "", 0);
  assert_int_equal(u.closes, 0);
  until_closed(&u);
}

static void a_wait_ends_at_once_when_it_is_to_reconnect(void **state) {
  int fd;
  (void)state;
  u.delay = 3600;
  user_dial(&u);
  fd = srv_open(&u);
  srv_close(fd);
  until(&u, &u.downs, 1);
  assert_true(engine_client_reconnect(u.client));
  assert_true(engine_client_reconnect(u.client));
  fd = srv_open(&u);
  assert_int_equal(u.attempt, 2);
  hang_up(fd);
}

static void reconnect_drops_the_old_transport_before_the_next(void **state) {
  int fd, old;
  (void)state;
  user_dial(&u);
  old = srv_open(&u);
  assert_true(engine_client_reconnect(u.client));
  fd = srv_accept(&u);
  assert_true(srv_at_end(&u, old));
  srv_close(old);
  srv_upgrade(&u, fd, "");
  until(&u, &u.opens, 2);
  assert_int_equal(u.downs, 0); /* the policy was not asked */
  assert_true(srv_refused());
  hang_up(fd);
}

/* ---- what becomes of messages --------------------------------------------- */

static void what_was_not_begun_goes_over_the_next_connection(void **state) {
  struct frame f;
  int fd;
  uint32_t i;
  (void)state;
  user_dial(&u);
  fd = srv_accept(&u);
  for (i = 0; i < 20; i++)
    user_send(&u, 100);
  srv_close(fd);
  fd = srv_open(&u);
  for (i = 0; i < 20; i++) {
    assert_true(srv_get(&u, fd, &f));
    assert_memory_equal(f.data, &i, sizeof i);
    free(f.data);
  }
  until(&u, &u.told[BASE_WRITTEN], 20);
  hang_up(fd);
}

enum { BATCH = 3000 };

/* Read 'n' bytes of frames of 'size' bytes; note whose first byte came. */
static void read_some(int fd, size_t n, size_t head, size_t size,
                      bool seen[BATCH]) {
  uint8_t *data = (uint8_t *)malloc(n + 1);
  size_t got, at;
  uint32_t number = 0;
  assert_non_null(data);
  got = srv_read(&u, fd, data, n);
  for (at = 0; at < got; at += head + size)
    seen[number++] = true; /* they come in order: see the other test */
  free(data);
}

/* Wherever the connection breaks: what reached the peer, if only in part, is
** never sent again, and what is sent later had not reached it. */
static void break_at(size_t count, size_t head, size_t size, size_t cut) {
  bool seen[BATCH] = {false};
  struct frame f;
  size_t i, left;
  int fd;
  user_init(&u);
  u.delay = 0;
  user_dial(&u);
  fd = srv_open(&u);
  srv_squeeze();
  for (i = 0; i < count; i++)
    user_send(&u, size);
  read_some(fd, cut, head, size, seen);
  if (cut % 2 == 0)
    srv_reset(fd);
  else
    srv_close(fd);
  until(&u, &u.downs, 1);
  assert_int_equal(u.told[BASE_UNSENT], 0);
  assert_true(u.told[BASE_PARTIAL] <= 1); /* known to the byte without TLS */
  left = count - (size_t)(u.told[BASE_WRITTEN] + u.told[BASE_PARTIAL]);
  fd = srv_open(&u);
  for (i = count - left; i < count; i++) {
    uint32_t number;
    assert_true(srv_get(&u, fd, &f));
    assert_int_equal(f.len, size);
    memcpy(&number, f.data, sizeof number);
    assert_int_equal(number, i); /* in order, and all of them */
    assert_false(seen[number]);
    free(f.data);
  }
  engine_socket_terminate(u.client);
  until_closed(&u);
  srv_close(fd);
  user_deinit(&u);
}

static void nothing_is_sent_twice_wherever_it_breaks(void **state) {
  size_t cut;
  (void)state;
  for (cut = 0; cut < 140000; cut = cut * 3 / 2 + 7)
    break_at(BATCH, 8, 200, cut);
  for (cut = 0; cut < 3000000; cut = cut * 2 + 5000)
    break_at(20, 14, 200000, cut);
}

/* ---- the user acts wherever it is called ---------------------------------- */

static void (*act)(struct user *u);
static const char *act_on;
static int act_left;

static void acting(struct user *who, const char *event) {
  if (strcmp(event, act_on) == 0 && act_left > 0) {
    act_left--;
    who->hooked++;
    act(who);
  }
}

static void act_reconnect(struct user *who) {
  (void)engine_client_reconnect(who->client);
}

static void act_close(struct user *who) {
  engine_socket_close(who->client, 1000, "", 0);
}

static void act_terminate(struct user *who) {
  engine_socket_terminate(who->client);
}

static void act_all(struct user *who) {
  struct base_error *err = user_try_send(who, "more", 4, WS_TEXT);
  base_error_free(err);
  (void)engine_client_reconnect(who->client);
  engine_socket_set_taking(who->client, false);
  engine_socket_set_paused(who->client, true);
  engine_socket_set_paused(who->client, false);
  engine_socket_set_taking(who->client, true);
  engine_socket_close(who->client, 1000, "", 0);
  (void)engine_client_reconnect(who->client);
  engine_socket_terminate(who->client);
}

/* Give every event its chance; true while the server was dialled. */
static void serve_every_event(void) {
  static uint8_t sink[1 << 16];
  int fds[8], n = 0, i, rounds;
  for (rounds = 0; rounds < 6 && u.closes == 0; rounds++) {
    uint64_t patience = net_loop_update_ms(u.engine->loop) + 200;
    while (srv_refused() && u.closes == 0 &&
           net_loop_update_ms(u.engine->loop) < patience)
      turn(&u);
    if (srv_refused() || u.closes > 0)
      break;
    for (i = 0; i < n; i++) /* the ones before have ended */
      assert_true(srv_at_end(&u, fds[i]));
    fds[n] = srv_accept(&u);
    assert_true(srv_refused()); /* one at a time */
    srv_upgrade(&u, fds[n], "");
    srv_frame(&u, fds[n], 0x89, "ping", 4);
    srv_frame(&u, fds[n], 0x8a, "pong", 4);
    srv_frame(&u, fds[n], 0x81, "text", 4);
    while (engine_socket_buffered(u.client) > 0 && u.hooked == 0 &&
           srv_read(&u, fds[n], sink, 1) == 1)
      (void)srv_read(&u, fds[n], sink, 4096);
    for (i = 0; i < 10; i++)
      turn(&u);
    srv_send_close(&u, fds[n], 1001, "");
    for (i = 0; i < 10; i++)
      turn(&u);
    srv_reset(fds[n]);
    fds[n] = -1;
    for (i = 0; i < 10; i++)
      turn(&u);
  }
}

static void an_act_in_every_event_leaves_one_transport(void **state) {
  static const char *const events[] = {"open", "message", "ping", "pong",
                                       "drain", "down", "close", "release"};
  static void (*const acts[])(struct user *u) = {
    act_reconnect, act_close, act_terminate, act_all
  };
  size_t e, a;
  int i;
  (void)state;
  for (e = 0; e < sizeof events / sizeof *events; e++) {
    for (a = 0; a < sizeof acts / sizeof *acts; a++) {
      user_init(&u);
      limits.high_water = 1000;
      limits.low_water = 500;
      act_on = events[e];
      act = acts[a];
      act_left = 2;
      u.hook = acting;
      u.delay = 0;
      user_dial(&u);
      for (i = 0; i < 8; i++)
        user_send(&u, 100000);
      serve_every_event();
      if (u.closes == 0 && strcmp(events[e], "close") == 0)
        engine_socket_terminate(u.client);
      until(&u, &u.hooked, u.hooked > 0 ? u.hooked : 1); /* it happened */
      if (u.closes == 0)
        engine_socket_terminate(u.client);
      until_closed(&u);
      u.hook = NULL;
      user_deinit(&u);
    }
  }
}

static int dials;

static void count_dials(struct user *who, const char *event) {
  if (strcmp(event, "release") == 0 && dials == 0) {
    dials++;
    assert_true(engine_client_reconnect(who->client));
  }
}

/* While the messages of a lost connection are settled there is none: whoever
** asks for one then gets one, not two. */
static void reconnecting_while_messages_are_settled_dials_once(void **state) {
  int fd, i;
  (void)state;
  dials = 0;
  user_dial(&u);
  fd = srv_open(&u);
  for (i = 0; i < 40; i++)
    user_send(&u, 1024 * 1024);
  turn(&u);
  u.hook = NULL;
  engine_socket_terminate(u.client); /* not asked for: see 'closing' */
  until_closed(&u);
  srv_close(fd);
  user_deinit(&u);
  user_init(&u);
  u.delay = 3600;
  user_dial(&u);
  fd = srv_open(&u);
  user_send(&u, 40 * 1024 * 1024);
  turn(&u);
  u.hook = count_dials;
  srv_reset(fd);
  fd = srv_accept(&u);
  assert_int_equal(u.told[BASE_PARTIAL], 1);
  for (i = 0; i < 20; i++)
    turn(&u);
  assert_true(srv_refused());
  assert_int_equal(u.engine->ledger.transports, 1);
  srv_upgrade(&u, fd, "");
  until(&u, &u.opens, 2);
  hang_up(fd);
}

static void close_on_release(struct user *who, const char *event) {
  if (strcmp(event, "release") == 0)
    engine_socket_close(who->client, 1000, "", 0);
}

static void closing_while_messages_are_settled_asks_no_policy(void **state) {
  int fd;
  (void)state;
  u.delay = 3600;
  user_dial(&u);
  fd = srv_open(&u);
  user_send(&u, 40 * 1024 * 1024);
  turn(&u);
  u.hook = close_on_release;
  srv_reset(fd);
  until_closed(&u);
  assert_int_equal(u.downs, 0);
}

/* ---- owners that go ------------------------------------------------------- */

static void detach(void) {
  engine_socket_detach(u.client);
  u.client = NULL; /* any call-out from here on is a failure */
}

static void no_hook(struct user *who, const char *event) {
  (void)who;
  (void)event;
  fail();
}

enum { NEW, ACCEPTED, UPGRADING, OPEN, FULL, STASHED, CLOSING, CLOSED_BY_PEER,
       VIOLATED, LOST, WAITING, ENDED, STATES };

static int bring_to(int state) {
  int fd = -1;
  user_dial(&u);
  user_send(&u, 10);
  if (state == NEW)
    return fd;
  fd = srv_accept(&u);
  if (state == ACCEPTED)
    return fd;
  if (state == UPGRADING) {
    srv_answer(&u, fd, "HTTP/1.1 101 Go\r\nUp");
    return fd;
  }
  srv_upgrade(&u, fd, "");
  until(&u, &u.opens, 1);
  if (state == FULL || state == LOST) {
    user_send(&u, 20 * 1024 * 1024);
    turn(&u);
  }
  if (state == STASHED) {
    engine_socket_set_taking(u.client, false);
    srv_frame(&u, fd, 0x81, "kept", 4);
    srv_frame(&u, fd, 0x81, "held", 4);
    turn(&u);
    turn(&u);
  }
  if (state == CLOSING)
    engine_socket_close(u.client, 1000, "", 0);
  if (state == CLOSED_BY_PEER)
    srv_send_close(&u, fd, 1000, "");
  if (state == VIOLATED)
    srv_send(&u, fd, "\x83\x00", 2);
  if (state >= CLOSING)
    turn(&u);
  if (state == LOST || state == WAITING) {
    u.delay = 3600;
    srv_reset(fd);
    fd = -1;
  }
  if (state == WAITING)
    until(&u, &u.downs, 1);
  if (state == ENDED) {
    engine_socket_terminate(u.client);
    until_closed(&u);
  }
  return fd;
}

static void detaching_is_silent_and_complete_in_every_state(void **state) {
  int which, passes, fd, i;
  (void)state;
  for (which = 0; which < STATES; which++) {
    for (passes = 0; passes < 3; passes++) { /* 0: the engine goes at once */
      user_init(&u);
      fd = bring_to(which);
      u.hook = no_hook;
      u.closes = 0;
      detach();
      for (i = 0; i < passes; i++)
        turn(&u);
      if (passes > 0)
        while (u.engine->ledger.connections > 0)
          turn(&u);
      u.hook = NULL;
      if (passes == 0) {
        engine_free(u.engine);
        assert_int_equal(engine_new(&u.engine), 0);
      }
      assert_int_equal(u.told[0] + u.told[1] + u.told[2], u.sent);
      user_deinit(&u);
      if (fd >= 0)
        srv_close(fd);
    }
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(a_lost_connection_is_made_again),
    TEST(a_wait_ends_at_once_when_it_is_closed),
    TEST(a_wait_ends_at_once_when_it_is_to_reconnect),
    TEST(reconnect_drops_the_old_transport_before_the_next),
    TEST(what_was_not_begun_goes_over_the_next_connection),
    cmocka_unit_test(nothing_is_sent_twice_wherever_it_breaks),
    cmocka_unit_test(an_act_in_every_event_leaves_one_transport),
    TEST(reconnecting_while_messages_are_settled_dials_once),
    TEST(closing_while_messages_are_settled_asks_no_policy),
    cmocka_unit_test(detaching_is_silent_and_complete_in_every_state),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
