/* net/timer: late perhaps, early never, and silent once it is freed. */
#include "net_support.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "net/timer.h"

struct shot {
  struct net_timer *timer, *other;
  int count, limit;
  double at;
};

#define SHOT {NULL, NULL, 0, 0, 0.0}

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

static void on_shot(void *ctx) {
  struct shot *s = (struct shot *)ctx;
  assert_true(net_loop_running(loop));
  assert_false(net_timer_active(s->timer));
  s->count++;
  s->at = net_clock_precise();
}

static void arm(struct shot *s, net_timer_fn *fn) {
  s->timer = net_timer_new(loop, fn, s);
  assert_non_null(s->timer);
}

static void fires_once_and_never_early(void **state) {
  unsigned ms;
  (void)state;
  for (ms = 1; ms < 40; ms += 6) {
    struct shot s = SHOT;
    double begin;
    arm(&s, on_shot);
    assert_false(net_timer_active(s.timer));
    begin = net_clock_precise();
    net_timer_start(s.timer, ms);
    assert_true(net_timer_active(s.timer));
    run_until(loop, &s.count, 1);
    assert_true(s.at - begin >= ms / 1000.0);
    net_loop_run(loop, NET_RUN_ONCE);
    assert_int_equal(s.count, 1);
    net_timer_free(s.timer);
  }
}

/* libuv's time is that of the last pass. */
static void counts_from_now_and_not_from_the_last_pass(void **state) {
  struct shot s = SHOT;
  double begin;
  (void)state;
  arm(&s, on_shot);
  net_loop_run(loop, NET_RUN_NOWAIT);
  begin = net_clock_precise();
  while (net_clock_precise() - begin < 0.03)
    continue;
  net_timer_start(s.timer, 20);
  begin = net_clock_precise();
  run_until(loop, &s.count, 1);
  assert_true(s.at - begin >= 0.0199);
  net_timer_free(s.timer);
}

static void zero_fires_in_the_next_pass_and_not_at_once(void **state) {
  struct shot s = SHOT;
  (void)state;
  arm(&s, on_shot);
  net_timer_start(s.timer, 0);
  assert_int_equal(s.count, 0);
  net_loop_run(loop, NET_RUN_NOWAIT);
  assert_int_equal(s.count, 1);
  net_timer_free(s.timer);
}

static void starting_one_that_runs_moves_it(void **state) {
  struct shot s = SHOT, sooner = SHOT;
  (void)state;
  arm(&s, on_shot);
  arm(&sooner, on_shot);
  net_timer_start(s.timer, 1000000);
  net_timer_start(s.timer, 1);
  run_until(loop, &s.count, 1);
  net_timer_start(s.timer, 1);
  net_timer_start(s.timer, 1000000);
  net_timer_start(sooner.timer, 20);
  run_until(loop, &sooner.count, 1);
  assert_int_equal(s.count, 1);
  assert_true(net_timer_active(s.timer));
  net_timer_free(s.timer);
  net_timer_free(sooner.timer);
}

static void a_stopped_one_is_silent(void **state) {
  struct shot s = SHOT, later = SHOT;
  (void)state;
  arm(&s, on_shot);
  arm(&later, on_shot);
  net_timer_start(s.timer, 1);
  net_timer_stop(s.timer);
  assert_false(net_timer_active(s.timer));
  net_timer_stop(s.timer);
  net_timer_start(later.timer, 10);
  run_until(loop, &later.count, 1);
  assert_int_equal(s.count, 0);
  net_timer_free(s.timer);
  net_timer_free(later.timer);
}

static void a_freed_one_is_silent_and_not_in_the_ledger(void **state) {
  struct shot s = SHOT, later = SHOT;
  (void)state;
  assert_int_equal(net_loop_handles(loop), 0);
  arm(&s, on_shot);
  arm(&later, on_shot);
  assert_int_equal(net_loop_handles(loop), 2);
  net_timer_start(s.timer, 1);
  net_timer_free(s.timer);
  assert_int_equal(net_loop_handles(loop), 1);
  net_timer_start(later.timer, 10);
  run_until(loop, &later.count, 1);
  assert_int_equal(s.count, 0);
  net_timer_free(later.timer);
  assert_int_equal(net_loop_handles(loop), 0);
  net_timer_free(NULL);
}

static void free_itself(void *ctx) {
  struct shot *s = (struct shot *)ctx;
  s->count++;
  net_timer_free(s->timer);
  net_timer_free(s->other);
}

static void may_be_freed_from_inside_and_take_another_along(void **state) {
  struct shot s = SHOT, other = SHOT;
  (void)state;
  arm(&s, free_itself);
  arm(&other, on_shot);
  s.other = other.timer;
  net_timer_start(s.timer, 1);
  net_timer_start(other.timer, 1); /* due in the same pass */
  run_until(loop, &s.count, 1);
  net_loop_run(loop, NET_RUN_ONCE);
  assert_int_equal(s.count, 1);
  assert_int_equal(other.count, 0);
}

static void restart(void *ctx) {
  struct shot *s = (struct shot *)ctx;
  s->count++;
  if (s->count < s->limit)
    net_timer_start(s->timer, 0);
}

static void zero_from_inside_does_not_starve_the_rest(void **state) {
  struct shot s = SHOT;
  (void)state;
  arm(&s, restart);
  s.limit = 100;
  net_timer_start(s.timer, 0);
  while (s.count < s.limit) {
    int before = s.count;
    net_loop_run(loop, NET_RUN_ONCE);
    assert_true(s.count - before <= 2); /* before the poll, and behind it */
  }
  net_timer_free(s.timer);
}

static void say(int fd, void *arg) {
  (void)arg;
  peer_write(fd, "alive", 5);
  (void)peer_read(fd, &fd, 1);
}

struct patience {
  struct shot shot;
  struct diary *diary;
  size_t seen;
};

/* The first time it waits until the bytes are there, but unread. */
static void blame(void *ctx) {
  struct patience *p = (struct patience *)ctx;
  p->shot.count++;
  if (p->shot.count == 1)
    net_timer_start(p->shot.timer, 0);
  else
    p->seen = p->diary->size;
}

static void the_network_is_heard_before_a_timer_started_by_a_timer(
  void **state) {
  struct diary d;
  struct peer peer;
  struct patience p = {SHOT, NULL, 0};
  double begin;
  (void)state;
  diary_open(&d, loop, &peer, say, NULL);
  p.diary = &d;
  p.shot.timer = net_timer_new(loop, blame, &p);
  assert_int_equal(net_stream_read_start(d.stream), 0);
  net_timer_start(p.shot.timer, 0);
  /* As a busy handler would: both are due when the loop comes to look. */
  begin = net_clock_precise();
  while (net_clock_precise() - begin < 0.1)
    continue;
  run_until(loop, &p.shot.count, 2);
  assert_int_equal(p.seen, 5);
  net_timer_free(p.shot.timer);
  diary_close(&d);
  peer_join(&peer);
  diary_deinit(&d);
}

static struct shot *firsts[3];
static int fired[3], n_fired;

static void in_turn(void *ctx) {
  int i;
  for (i = 0; i < 3; i++)
    if (firsts[i] == ctx)
      fired[n_fired++] = i;
}

static void the_sooner_comes_first(void **state) {
  struct shot s[3];
  static const unsigned ms[3] = {30, 10, 20};
  int i;
  (void)state;
  n_fired = 0;
  for (i = 0; i < 3; i++) {
    firsts[i] = &s[i];
    arm(&s[i], in_turn);
    net_timer_start(s[i].timer, ms[i]);
  }
  run_until(loop, &n_fired, 3);
  assert_int_equal(fired[0], 1);
  assert_int_equal(fired[1], 2);
  assert_int_equal(fired[2], 0);
  for (i = 0; i < 3; i++)
    net_timer_free(s[i].timer);
}

static void a_very_long_wait_does_not_wrap_around(void **state) {
  struct shot s = SHOT, later = SHOT;
  (void)state;
  arm(&s, on_shot);
  arm(&later, on_shot);
  net_timer_start(s.timer, UINT64_MAX);
  net_timer_start(later.timer, 5);
  run_until(loop, &later.count, 1);
  assert_int_equal(s.count, 0);
  net_timer_free(s.timer);
  net_timer_free(later.timer);
}

static void without_memory_there_is_none(void **state) {
  (void)state;
  support_fail_allocation(1);
  assert_null(net_timer_new(loop, on_shot, NULL));
  assert_int_equal(net_loop_handles(loop), 0);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
    T(fires_once_and_never_early),
    T(counts_from_now_and_not_from_the_last_pass),
    T(zero_fires_in_the_next_pass_and_not_at_once),
    T(starting_one_that_runs_moves_it),
    T(a_stopped_one_is_silent),
    T(a_freed_one_is_silent_and_not_in_the_ledger),
    T(may_be_freed_from_inside_and_take_another_along),
    T(zero_from_inside_does_not_starve_the_rest),
    T(the_network_is_heard_before_a_timer_started_by_a_timer),
    T(the_sooner_comes_first),
    T(a_very_long_wait_does_not_wrap_around),
    T(without_memory_there_is_none)
  };
  support_watchdog();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
