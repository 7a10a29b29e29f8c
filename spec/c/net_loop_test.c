/* net/loop: passes, waking, holding, driving it from outside, and its end. */
#include "net_support.h"

#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "net/lookup_private.h"
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

static void count(void *ctx) {
  ++*(int *)ctx;
}

/* ---- passes ---- */

static void one_that_has_nothing_to_do_returns(void **state) {
  (void)state;
  net_loop_run(loop, NET_RUN_ONCE);
  net_loop_run(loop, NET_RUN_NOWAIT);
  assert_int_equal(net_loop_handles(loop), 0);
  assert_int_equal(net_loop_timeout_ms(loop), -1);
}

static void before_wait_comes_in_every_pass(void **state) {
  int n = 0, fired = 0;
  struct net_timer *t = net_timer_new(loop, count, &fired);
  (void)state;
  net_loop_before_wait(loop, count, &n);
  net_loop_run(loop, NET_RUN_ONCE); /* even if there is nothing else */
  assert_int_equal(n, 1);
  net_loop_run(loop, NET_RUN_NOWAIT);
  assert_int_equal(n, 2);
  net_timer_start(t, 10);
  net_loop_run(loop, NET_RUN_NOWAIT);
  assert_int_equal(n, 3);
  assert_int_equal(fired, 0);
  net_loop_run(loop, NET_RUN_ONCE);
  assert_int_equal(n, 4);
  assert_int_equal(fired, 1);
  net_timer_free(t);
}

static void running_is_known(void *ctx) {
  *(bool *)ctx = net_loop_running(loop);
}

static void it_knows_that_it_runs(void **state) {
  bool seen = false;
  (void)state;
  assert_false(net_loop_running(loop));
  net_loop_before_wait(loop, running_is_known, &seen);
  net_loop_run(loop, NET_RUN_ONCE);
  assert_true(seen);
  assert_false(net_loop_running(loop));
}

/* ---- waking ---- */

static struct {
  int calls, wakes;
} work;

static void wake_a_few_times(void *ctx) {
  (void)ctx;
  work.calls++;
  if (work.wakes > 0) {
    work.wakes--;
    net_loop_wake(loop);
  }
}

/* The loop is held, so that any wait would be for ever. */
static void waking_in_before_wait_keeps_it_from_waiting(void **state) {
  (void)state;
  work.calls = 0;
  work.wakes = 5;
  net_loop_before_wait(loop, wake_a_few_times, NULL);
  net_loop_hold(loop);
  while (work.wakes > 0)
    net_loop_run(loop, NET_RUN_ONCE);
  assert_int_equal(work.calls, 5);
  net_loop_release(loop);
}

static bool woken, served, waited;

static void wake(void *ctx) {
  (void)ctx;
  woken = true;
  net_loop_wake(loop);
}

static void serve(void *ctx) {
  (void)ctx;
  if (woken)
    served = true;
}

static void too_late(void *ctx) {
  (void)ctx;
  waited = !served;
}

static void waking_in_a_timer_is_served_before_the_wait(void **state) {
  struct net_timer *t = net_timer_new(loop, wake, NULL);
  struct net_timer *late = net_timer_new(loop, too_late, NULL);
  (void)state;
  woken = served = false;
  waited = true;
  net_loop_before_wait(loop, serve, NULL);
  net_timer_start(t, 0);
  net_timer_start(late, 30);
  while (net_timer_active(late))
    net_loop_run(loop, NET_RUN_ONCE);
  assert_false(waited);
  net_timer_free(t);
  net_timer_free(late);
}

static void waking_shows_in_the_timeout(void **state) {
  int n = 0;
  (void)state;
  net_loop_before_wait(loop, count, &n);
  net_loop_wake(loop);
  assert_int_equal(net_loop_timeout_ms(loop), 0);
  net_loop_run(loop, NET_RUN_NOWAIT);
  assert_int_equal(n, 1);
  assert_int_equal(net_loop_timeout_ms(loop), -1);
}

/* ---- holding ---- */

/* In a child, which a signal ends if it waits, as it should. */
static int status_of_a_wait(int holds, int releases) {
  int status = 0;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    struct itimerval t = {{0, 0}, {0, 200000}};
    while (holds-- > 0)
      net_loop_hold(loop);
    while (releases-- > 0)
      net_loop_release(loop);
    (void)signal(SIGVTALRM, SIG_DFL);
    (void)signal(SIGALRM, SIG_DFL);
    (void)setitimer(ITIMER_REAL, &t, NULL);
    net_loop_run(loop, NET_RUN_ONCE);
    _exit(0);
  }
  while (waitpid(child, &status, 0) < 0)
    continue;
  return status;
}

static void held_it_waits_without_anything_to_do(void **state) {
  int status = status_of_a_wait(1, 0);
  (void)state;
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
  status = status_of_a_wait(2, 1);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
  status = status_of_a_wait(2, 2);
  assert_true(WIFEXITED(status));
}

static void holding_is_no_handle_and_nothing_due(void **state) {
  (void)state;
  net_loop_hold(loop);
  net_loop_run(loop, NET_RUN_NOWAIT); /* the first tells epoll its fds */
  assert_int_equal(net_loop_handles(loop), 0);
  assert_int_equal(net_loop_timeout_ms(loop), -1);
  net_loop_release(loop);
}

/* ---- for another loop ---- */

static void the_timeout_counts_from_now(void **state) {
  int n = 0, ms;
  struct net_timer *t = net_timer_new(loop, count, &n);
  double begin;
  (void)state;
  net_timer_start(t, 10000);
  assert_int_equal(net_loop_timeout_ms(loop), 0); /* epoll is told first */
  net_loop_run(loop, NET_RUN_NOWAIT);
  ms = net_loop_timeout_ms(loop);
  assert_true(ms > 9000 && ms <= 10001);
  net_timer_start(t, 20);
  begin = net_clock_precise();
  while (net_clock_precise() - begin < 0.03)
    continue;
  assert_int_equal(net_loop_timeout_ms(loop), 0);
  net_loop_run(loop, NET_RUN_NOWAIT);
  assert_int_equal(n, 1);
  assert_int_equal(net_loop_timeout_ms(loop), -1);
  net_timer_free(t);
  assert_int_equal(net_loop_timeout_ms(loop), 0); /* its memory is to go */
  net_loop_run(loop, NET_RUN_NOWAIT);
  assert_int_equal(net_loop_timeout_ms(loop), -1);
}

static void echo(int fd, void *arg) {
  char buf[256];
  ssize_t n;
  (void)arg;
  while ((n = recv(fd, buf, sizeof buf, 0)) > 0)
    peer_write(fd, buf, (size_t)n);
}

static void poll_and_step(void) {
  struct pollfd p;
  p.fd = net_loop_fd(loop);
  p.events = POLLIN;
  (void)poll(&p, 1, net_loop_timeout_ms(loop));
  net_loop_run(loop, NET_RUN_NOWAIT);
}

/* Everything, without the loop ever waiting itself. */
static void another_loop_can_drive_it(void **state) {
  struct peer peer;
  struct diary d;
  (void)state;
  diary_init(&d, loop);
  peer_start(&peer, "127.0.0.1", echo, NULL);
  diary_dial(&d, "localhost", peer.port, NULL);
  while (d.dials_closed == 0)
    poll_and_step();
  assert_null(d.err);
  assert_int_equal(net_stream_read_start(d.stream), 0);
  assert_int_equal(net_stream_write(d.stream, (const uint8_t *)"abc", 3), 0);
  while (d.size < 3)
    poll_and_step();
  net_stream_close(d.stream);
  while (d.closes == 0)
    poll_and_step();
  peer_join(&peer);
  diary_deinit(&d);
}

/* ---- clocks and names ---- */

static void clocks_go_forward(void **state) {
  uint64_t ms = net_loop_update_ms(loop);
  double begin = net_clock_precise(), epoch = net_clock_epoch();
  (void)state;
  assert_true(net_loop_now_ms(loop) == ms);
  while (net_clock_precise() - begin < 0.005)
    continue;
  assert_true(net_loop_now_ms(loop) == ms);
  assert_true(net_loop_update_ms(loop) >= ms + 3);
  assert_true(net_clock_epoch() > epoch);
  assert_true(epoch > 1.6e9);
}

static void errors_have_names_and_sentences(void **state) {
  (void)state;
  assert_string_equal(net_error_name(UV_ECONNREFUSED), "ECONNREFUSED");
  assert_string_equal(net_error_text(UV_ECONNREFUSED), "connection refused");
  assert_string_equal(net_error_name(UV_EAI_AGAIN), "EAI_AGAIN");
  assert_string_equal(net_error_name(-99999), "UNKNOWN");
  assert_string_equal(net_error_text(-99999), "unknown error");
  assert_string_equal(net_version(), uv_version_string());
}

/* ---- the end ---- */

static void without_memory_there_is_none(void **state) {
  struct net_loop *other = NULL;
  long nth;
  (void)state;
  for (nth = 1; nth <= 2; nth++) {
    support_fail_allocation(nth);
    assert_int_equal(net_loop_new(&other), BASE_ERR_MEMORY);
    assert_null(other);
  }
  net_loop_free(NULL);
}

/*
** os.exit in a handler: everything is closed and the loop is freed from
** inside a callback, which never returns. Around it there are an open stream,
** one that is closing, one whose write is pending, a running and a freed
** timer, a dial that connects, one that waits for a resolver and one that has
** just been given up. Nothing of all this may be left.
*/
struct crowd {
  struct net_loop *loop;
  struct diary open, closing, writing, connecting, resolving, given_up;
  struct peer peers[3];
  struct net_timer *timer, *freed;
};

static struct crowd crowd;
static jmp_buf out;
static uint8_t much[8 * 1024 * 1024];

static sem_t gone;

static void just_wait(int fd, void *arg) {
  char c;
  (void)arg;
  while (recv(fd, &c, 1, 0) > 0)
    continue;
}

static void read_nothing(int fd, void *arg) {
  (void)fd;
  (void)arg;
  (void)sem_wait(&gone);
}

static void say_something(int fd, void *arg) {
  peer_write(fd, "something", 9);
  just_wait(fd, arg);
}

static void never(void *ctx) {
  (void)ctx;
  fail_msg("a timer was not to fire");
}

static void end_it_all(void) {
  struct crowd *c = &crowd;
  struct diary *all[3];
  size_t i;
  all[0] = &c->open;
  all[1] = &c->closing;
  all[2] = &c->writing;
  for (i = 0; i < 3; i++)
    if (all[i]->stream != NULL)
      net_stream_close(all[i]->stream);
  if (c->connecting.dial != NULL && c->connecting.dials == 0)
    net_dial_cancel(c->connecting.dial);
  if (c->resolving.dial != NULL && c->resolving.dials == 0)
    net_dial_cancel(c->resolving.dial);
  if (c->connecting.stream != NULL)
    net_stream_close(c->connecting.stream);
  if (c->resolving.stream != NULL)
    net_stream_close(c->resolving.stream);
  net_timer_free(c->timer);
  net_loop_free(c->loop);
  longjmp(out, 1);
}

static void end_in_diary(struct diary *d) {
  (void)d;
  end_it_all();
}

static void end_in_timer(void *ctx) {
  (void)ctx;
  end_it_all();
}

static void end_in_before_wait(void *ctx) {
  if (*(bool *)ctx)
    end_it_all();
}

static int port_of_nobody, nobody;

static void gather(void) {
  struct crowd *c = &crowd;
  size_t took = 0;
  long n;
  memset(c, 0, sizeof *c);
  assert_int_equal(net_loop_new(&c->loop), 0);
  diary_open(&c->open, c->loop, &c->peers[0], say_something, NULL);
  diary_open(&c->closing, c->loop, &c->peers[1], just_wait, NULL);
  diary_open(&c->writing, c->loop, &c->peers[2], read_nothing, NULL);
  while ((n = net_stream_try_write(c->writing.stream, much + took,
                                   sizeof much - took)) > 0)
    took += (size_t)n;
  assert_int_equal(net_stream_write(c->writing.stream, much, 1000), 0);
  diary_init(&c->connecting, c->loop);
  diary_init(&c->resolving, c->loop);
  diary_init(&c->given_up, c->loop);
  port_of_nobody = 0;
  nobody = support_refusing("127.0.0.1", &port_of_nobody);
  c->timer = net_timer_new(c->loop, never, NULL);
  c->freed = net_timer_new(c->loop, never, NULL);
  net_timer_start(c->timer, 1000000);
  net_timer_start(c->freed, 1000000);
}

/* What is in the middle of its end when the handler is called. */
static void disturb(void) {
  struct crowd *c = &crowd;
  diary_dial(&c->connecting, "127.0.0.1", port_of_nobody, NULL);
  diary_dial(&c->resolving, "localhost", port_of_nobody, NULL);
  diary_dial(&c->given_up, "localhost", port_of_nobody, NULL);
  net_dial_cancel(c->given_up.dial);
  net_timer_free(c->freed);
  net_stream_close(c->closing.stream);
}

static void assert_all_gone(void) {
  struct crowd *c = &crowd;
  size_t i;
  assert_int_equal(sem_post(&gone), 0);
  assert_int_equal(c->open.closes, 1);
  assert_int_equal(c->closing.closes, 1);
  assert_int_equal(c->writing.closes, 1);
  assert_int_equal(c->connecting.dials_closed, 1);
  assert_int_equal(c->resolving.dials_closed, 1);
  assert_int_equal(c->given_up.dials_closed, 1);
  for (i = 0; i < 3; i++)
    peer_join(&c->peers[i]);
  diary_deinit(&c->open);
  diary_deinit(&c->closing);
  diary_deinit(&c->writing);
  diary_deinit(&c->connecting);
  diary_deinit(&c->resolving);
  diary_deinit(&c->given_up);
  (void)close(nobody);
}

static void run_for_ever(void) {
  if (setjmp(out) == 0)
    for (;;)
      net_loop_run(crowd.loop, NET_RUN_ONCE);
  assert_all_gone();
}

static void it_may_end_inside_a_read(void **state) {
  (void)state;
  gather();
  crowd.open.on_read = end_in_diary;
  assert_int_equal(net_stream_read_start(crowd.open.stream), 0);
  disturb();
  run_for_ever();
}

static void it_may_end_inside_a_written(void **state) {
  (void)state;
  gather();
  crowd.open.on_written = end_in_diary;
  assert_int_equal(net_stream_write(crowd.open.stream, much, 10), 0);
  disturb();
  run_for_ever();
}

static void it_may_end_inside_a_timer(void **state) {
  struct net_timer *t;
  (void)state;
  gather();
  t = crowd.timer;
  crowd.timer = net_timer_new(crowd.loop, end_in_timer, NULL);
  net_timer_free(t);
  net_timer_start(crowd.timer, 0);
  disturb();
  run_for_ever();
}

static void it_may_end_inside_closed(void **state) {
  (void)state;
  gather();
  crowd.closing.on_closed = end_in_diary;
  disturb();
  run_for_ever();
}

static void it_may_end_inside_the_closed_of_the_first_of_many(
  void **state) {
  (void)state;
  gather();
  crowd.open.on_closed = end_in_diary;
  net_stream_close(crowd.open.stream);
  net_stream_close(crowd.writing.stream);
  disturb();
  run_for_ever();
}

static void it_may_end_inside_the_failure_of_a_dial(void **state) {
  (void)state;
  gather();
  crowd.connecting.on_dial = end_in_diary;
  disturb();
  run_for_ever();
}

static void it_may_end_inside_the_success_of_a_dial(void **state) {
  int listener, port;
  (void)state;
  gather();
  port = port_of_nobody;
  (void)close(nobody);
  listener = support_listen("127.0.0.1", 4, &port);
  nobody = listener;
  crowd.connecting.on_dial = end_in_diary;
  disturb();
  run_for_ever();
}

static void it_may_end_inside_the_closed_of_a_dial(void **state) {
  int i;
  (void)state;
  for (i = 0; i < 3; i++) {
    gather();
    (i == 0 ? &crowd.connecting : i == 1 ? &crowd.resolving : &crowd.given_up)
      ->on_dial_closed = end_in_diary;
    disturb();
    run_for_ever();
  }
}

static void it_may_end_inside_before_wait(void **state) {
  bool now = false;
  (void)state;
  gather();
  net_loop_before_wait(crowd.loop, end_in_before_wait, &now);
  net_loop_run(crowd.loop, NET_RUN_NOWAIT);
  now = true;
  disturb();
  run_for_ever();
}

static void it_may_end_outside(void **state) {
  (void)state;
  gather();
  disturb();
  if (setjmp(out) == 0)
    end_it_all();
  assert_all_gone();
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
    T(one_that_has_nothing_to_do_returns),
    T(before_wait_comes_in_every_pass),
    T(it_knows_that_it_runs),
    T(waking_in_before_wait_keeps_it_from_waiting),
    T(waking_in_a_timer_is_served_before_the_wait),
    T(waking_shows_in_the_timeout),
    T(held_it_waits_without_anything_to_do),
    T(holding_is_no_handle_and_nothing_due),
    T(the_timeout_counts_from_now),
    T(another_loop_can_drive_it),
    T(clocks_go_forward),
    T(errors_have_names_and_sentences),
    T(without_memory_there_is_none),
    T(it_may_end_inside_a_read),
    T(it_may_end_inside_a_written),
    T(it_may_end_inside_a_timer),
    T(it_may_end_inside_closed),
    T(it_may_end_inside_the_closed_of_the_first_of_many),
    T(it_may_end_inside_the_failure_of_a_dial),
    T(it_may_end_inside_the_success_of_a_dial),
    T(it_may_end_inside_the_closed_of_a_dial),
    T(it_may_end_inside_before_wait),
    T(it_may_end_outside)
  };
  support_watchdog();
  if (sem_init(&gone, 0, 0) != 0)
    return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
