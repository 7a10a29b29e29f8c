/* net/signal: told in the loop, and only until it is freed. */
#include "net_support.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

#include "net/signal.h"
#include "net/timer.h"

static struct net_loop *loop;

static int setup(void **state) {
  (void)state;
  support_begin();
  return net_loop_new(&loop);
}

static int teardown(void **state) {
  (void)state;
  net_loop_free(loop);
  support_end();
  return 0;
}

struct ear {
  struct net_signal *signal;
  int heard;
  bool once;
};

static void on_signal(void *ctx) {
  struct ear *e = (struct ear *)ctx;
  assert_true(net_loop_running(loop));
  e->heard++;
  if (e->once) {
    net_signal_free(e->signal);
    e->signal = NULL;
  }
}

static void listen_to(struct ear *e, enum net_signal_name name) {
  e->heard = 0;
  e->once = false;
  e->signal = net_signal_new(loop, name, on_signal, e);
  assert_non_null(e->signal);
}

/* Somebody else keeps the loop waiting: a signal does not. */
static void await(const int *counter, int n) {
  net_loop_hold(loop);
  run_until(loop, counter, n);
  net_loop_release(loop);
}

static void on_timer(void *ctx) {
  (*(int *)ctx)++;
}

/* The loop has looked for events at least once after this. */
static void pass(void) {
  int fired = 0;
  struct net_timer *t = net_timer_new(loop, on_timer, &fired);
  assert_non_null(t);
  net_timer_start(t, 10);
  run_until(loop, &fired, 1);
  net_timer_free(t);
}

static void each_is_told_by_its_name(void **state) {
  static const int numbers[] = {SIGHUP, SIGINT, SIGPIPE, SIGTERM};
  struct ear ears[4];
  size_t i, j;
  (void)state;
  for (i = 0; i < 4; i++)
    listen_to(&ears[i], (enum net_signal_name)i);
  for (i = 0; i < 4; i++) {
    assert_int_equal(raise(numbers[i]), 0);
    assert_int_equal(ears[i].heard, 0); /* in the loop, not before */
    await(&ears[i].heard, 1);
    for (j = 0; j < 4; j++)
      assert_int_equal(ears[j].heard, j <= i ? 1 : 0);
  }
  for (i = 0; i < 4; i++)
    net_signal_free(ears[i].signal);
}

static void is_told_again_each_time(void **state) {
  struct ear e;
  int n;
  (void)state;
  listen_to(&e, NET_SIGNAL_TERM);
  for (n = 1; n <= 3; n++) {
    (void)raise(SIGTERM);
    await(&e.heard, n);
  }
  net_signal_free(e.signal);
}

static void is_silent_once_it_is_freed(void **state) {
  struct ear freed, other;
  (void)state;
  listen_to(&freed, NET_SIGNAL_HUP);
  listen_to(&other, NET_SIGNAL_HUP);
  (void)raise(SIGHUP);
  net_signal_free(freed.signal); /* told, perhaps, but not yet to us */
  await(&other.heard, 1);
  pass();
  assert_int_equal(freed.heard, 0);
  net_signal_free(other.signal);
}

static void may_be_freed_by_what_it_calls(void **state) {
  struct ear e, other;
  (void)state;
  listen_to(&e, NET_SIGNAL_INT);
  listen_to(&other, NET_SIGNAL_INT);
  e.once = true;
  (void)raise(SIGINT);
  await(&e.heard, 1);
  await(&other.heard, 1);
  (void)raise(SIGINT);
  await(&other.heard, 2);
  assert_int_equal(e.heard, 1);
  net_signal_free(other.signal);
}

/* libuv frees only what has been told: what is on its way must not be lost. */
static void a_loop_ends_with_one_on_its_way(void **state) {
  struct ear e;
  (void)state;
  listen_to(&e, NET_SIGNAL_TERM);
  (void)raise(SIGTERM);
  net_signal_free(e.signal);
  assert_int_equal(net_loop_handles(loop), 0);
}

static void keeps_no_loop_from_its_end(void **state) {
  struct ear e;
  (void)state;
  listen_to(&e, NET_SIGNAL_TERM);
  assert_int_equal(net_loop_handles(loop), 1);
  net_loop_run(loop, NET_RUN_ONCE); /* would wait for ever */
  net_signal_free(e.signal);
  assert_int_equal(net_loop_handles(loop), 0);
}

static void fails_without_memory(void **state) {
  struct ear e;
  (void)state;
  support_fail_allocation(1);
  assert_null(net_signal_new(loop, NET_SIGNAL_INT, on_signal, &e));
  support_fail_allocation(0);
  net_signal_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(each_is_told_by_its_name, setup, teardown),
    cmocka_unit_test_setup_teardown(is_told_again_each_time, setup, teardown),
    cmocka_unit_test_setup_teardown(is_silent_once_it_is_freed, setup,
                                    teardown),
    cmocka_unit_test_setup_teardown(may_be_freed_by_what_it_calls, setup,
                                    teardown),
    cmocka_unit_test_setup_teardown(a_loop_ends_with_one_on_its_way, setup,
                                    teardown),
    cmocka_unit_test_setup_teardown(keeps_no_loop_from_its_end, setup,
                                    teardown),
    cmocka_unit_test_setup_teardown(fails_without_memory, setup, teardown),
  };
  support_watchdog();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
