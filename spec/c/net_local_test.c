/* net/listener and net/dial over local sockets: the file, and who comes. */
#include "net_guests.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static struct net_loop *loop;
static struct guests g;
static struct diary d;
static char dir[64], path[80];

static int setup(void **state) {
  (void)state;
  support_begin();
  (void)snprintf(dir, sizeof dir, "/tmp/net_local_test_XXXXXX");
  if (mkdtemp(dir) == NULL || net_loop_new(&loop) != 0)
    return -1;
  (void)snprintf(path, sizeof path, "%s/sock", dir);
  guests_init(&g, loop);
  diary_init(&d, loop);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  guests_leave(&g);
  diary_deinit(&d);
  assert_int_equal(net_loop_handles(loop), 0);
  net_loop_free(loop);
  (void)unlink(path); /* of a test that left it there */
  assert_int_equal(rmdir(dir), 0);
  support_end();
  return 0;
}

/* ---- sockets that are not ours ---- */

static struct sockaddr_un address(void) {
  struct sockaddr_un un;
  memset(&un, 0, sizeof un);
  un.sun_family = AF_UNIX;
  memcpy(un.sun_path, path, strlen(path));
  return un;
}

/* 'backlog' < 0: it only has the file. */
static int bound(int type, int backlog) {
  struct sockaddr_un un = address();
  int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
  if (backlog >= 0)
    assert_int_equal(listen(fd, backlog), 0);
  return fd;
}

/* What a process that was killed leaves behind. */
static void leave_stale(void) {
  (void)close(bound(SOCK_STREAM, 4));
}

static int call(void) {
  struct sockaddr_un un = address();
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof un), 0);
  return fd;
}

/* Callers until the queue of a listener is full. */
static int fill(int *fds, int most) {
  struct sockaddr_un un = address();
  int n;
  for (n = 0; n < most; n++) {
    fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fds[n] >= 0);
    if (connect(fds[n], (struct sockaddr *)&un, sizeof un) != 0) {
      assert_int_equal(errno, EAGAIN);
      (void)close(fds[n]);
      return n;
    }
  }
  fail_msg("the queue cannot be filled");
  return 0;
}

static bool exists(void) {
  struct stat st;
  return lstat(path, &st) == 0;
}

/* ---- who comes ---- */

static void lets_in(void) {
  char ip[64] = "x";
  int port = 1, before = g.reads, fd = call();
  guests_wait(&g, g.count + 1);
  guests_last(&g, ip, &port);
  assert_string_equal(ip, "");
  assert_int_equal(port, 0);
  peer_write(fd, "?", 1);
  run_until(loop, &g.reads, before + 1);
  assert_int_equal(g.last, '?');
  (void)close(fd);
}

static void it_takes_callers_that_have_no_address(void **state) {
  (void)state;
  assert_true(guests_listen_at(&g, path));
  assert_string_equal(g.ip, "");
  assert_int_equal(g.port, 0);
  lets_in();
  lets_in();
}

static void the_file_has_the_mode_that_the_umask_leaves(void **state) {
  struct stat st;
  mode_t before = umask(027), seen;
  bool fine = guests_listen_at(&g, path);
  (void)state;
  seen = umask(before);
  assert_true(fine);
  assert_int_equal(seen, 027);
  assert_int_equal(lstat(path, &st), 0);
  assert_true(S_ISSOCK(st.st_mode));
  assert_int_equal(st.st_mode & 07777, 0640);
}

/* ---- the file ---- */

static void the_file_goes_with_the_listener(void **state) {
  (void)state;
  assert_true(guests_listen_at(&g, path));
  assert_true(exists());
  net_listener_close(g.listener);
  assert_false(exists()); /* at once */
  guests_leave(&g);
  guests_init(&g, loop);
  assert_true(guests_listen_at(&g, path));
  lets_in();
}

static void a_file_that_went_already_is_not_missed(void **state) {
  (void)state;
  assert_true(guests_listen_at(&g, path));
  assert_int_equal(unlink(path), 0);
  guests_leave(&g);
}

static void a_file_of_somebody_else_is_not_removed(void **state) {
  int fd;
  (void)state;
  assert_true(guests_listen_at(&g, path));
  assert_int_equal(unlink(path), 0);
  fd = bound(SOCK_STREAM, 4);
  guests_leave(&g);
  assert_true(exists());
  (void)close(call());
  (void)close(fd);
}

static void a_socket_that_nobody_listens_on_is_replaced(void **state) {
  (void)state;
  leave_stale();
  assert_true(exists());
  assert_true(guests_listen_at(&g, path));
  lets_in();
  guests_leave(&g);
  assert_false(exists());
}

static void refuses_to_replace(void) {
  assert_false(guests_listen_at(&g, path));
  guests_assert_error(&g, "connect", "EADDRINUSE", path);
  assert_non_null(strstr(g.err->message, path));
  assert_true(exists());
}

static void a_socket_that_somebody_listens_on_stays(void **state) {
  int fd = bound(SOCK_STREAM, 4);
  (void)state;
  refuses_to_replace();
  (void)close(call());
  (void)close(fd);
}

static void neither_is_one_replaced_whose_queue_is_full(void **state) {
  int fd = bound(SOCK_STREAM, 0), fds[8], n = fill(fds, 8);
  (void)state;
  refuses_to_replace();
  while (n > 0)
    (void)close(fds[--n]);
  (void)close(fd);
}

static void what_is_no_such_socket_stays(void **state) {
  int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  (void)state;
  assert_true(fd >= 0);
  refuses_to_replace();
  (void)close(fd);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(symlink("nowhere", path), 0);
  refuses_to_replace();
  assert_int_equal(unlink(path), 0);
  fd = bound(SOCK_DGRAM, -1);
  refuses_to_replace();
  (void)close(fd);
}

static void paths_that_cannot_be(void **state) {
  char longer[200];
  (void)state;
  memset(longer, 'x', sizeof longer - 1);
  longer[0] = '/';
  longer[sizeof longer - 1] = '\0';
  assert_false(guests_listen_at(&g, longer));
  guests_assert_error(&g, "connect", "ENAMETOOLONG", longer);
  assert_false(guests_listen_at(&g, ""));
  guests_assert_error(&g, "connect", "ENOENT", "");
  assert_false(guests_listen_at(&g, "/nowhere/at/all"));
  guests_assert_error(&g, "connect", "ENOENT", "/nowhere/at/all");
}

static void the_longest_path_is_one(void **state) {
  char longest[sizeof ((struct sockaddr_un *)NULL)->sun_path];
  (void)state;
  memset(longest, 'x', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  memcpy(longest, dir, strlen(dir));
  longest[strlen(dir)] = '/';
  assert_true(guests_listen_at(&g, longest));
  assert_int_equal(access(longest, F_OK), 0);
  guests_leave(&g);
  assert_int_equal(access(longest, F_OK), -1);
}

static void without_memory_no_file_is_left(void **state) {
  long nth;
  (void)state;
  for (nth = 1;; nth++) {
    bool fine;
    support_fail_allocation(nth);
    fine = guests_listen_at(&g, path);
    support_fail_allocation(0);
    if (fine)
      break;
    assert_string_equal(g.err->code, "memory");
    assert_false(exists());
    net_loop_run(loop, NET_RUN_NOWAIT);
  }
  assert_true(nth > 3);
  lets_in();
}

static jmp_buf out;

static void end_inside(struct guests *me) {
  net_stream_close(me->streams[0]);
  net_listener_close(me->listener);
  net_loop_free(me->loop);
  longjmp(out, 1);
}

static void the_file_goes_when_the_loop_is_freed_inside(void **state) {
  static struct guests mine;
  static int fd;
  (void)state;
  guests_init(&mine, NULL);
  assert_int_equal(net_loop_new(&mine.loop), 0);
  assert_true(guests_listen_at(&mine, path));
  fd = call();
  mine.on_stream = end_inside;
  if (setjmp(out) == 0)
    for (;;)
      net_loop_run(mine.loop, NET_RUN_ONCE);
  assert_int_equal(mine.closed, 1);
  assert_false(exists());
  (void)close(fd);
}

/* ---- a client ---- */

/* With a proxy, which nobody must ask. */
static void dial(const char *where) {
  static struct net_proxy proxy;
  struct net_dial_conf conf;
  char copy[300];
  assert_null(net_proxy_parse(&proxy, "http://nobody.invalid:1"));
  (void)snprintf(copy, sizeof copy, "%s", where);
  memset(&conf, 0, sizeof conf);
  conf.path = copy;
  conf.proxy = &proxy;
  d.inside = true;
  assert_int_equal(
    net_dial_start(&d.dial, loop, &conf, &diary_dial_ops, &d), 0);
  d.inside = false;
  memset(copy, 'x', sizeof copy - 1); /* it was to be copied */
  net_proxy_deinit(&proxy);
}

static void a_client_reaches_a_listener(void **state) {
  char ip[64] = "x";
  int port = 1;
  (void)state;
  assert_true(guests_listen_at(&g, path));
  dial(path);
  run_until(loop, &d.dials_closed, 1);
  assert_null(d.err);
  assert_non_null(d.stream);
  net_stream_peer(d.stream, ip, &port);
  assert_string_equal(ip, "");
  assert_int_equal(port, 0);
  guests_wait(&g, 1);
  assert_int_equal(
    net_stream_try_write(d.stream, (const uint8_t *)"a", 1), 1);
  run_until(loop, &g.reads, 1);
  assert_int_equal(net_stream_read_start(d.stream), 0);
  assert_int_equal(
    net_stream_try_write(g.streams[0], (const uint8_t *)"bcd", 3), 3);
  run_until_bytes(&d, 3);
  assert_memory_equal(d.data, "bcd", 3);
  diary_close(&d);
}

static void fails_with(const char *where, const char *code) {
  diary_deinit(&d);
  diary_init(&d, loop);
  dial(where);
  run_until(loop, &d.dials_closed, 1);
  assert_int_equal(d.dials, 1);
  assert_null(d.stream);
  assert_string_equal(base_kind_name(d.err->kind), "connect");
  assert_string_equal(d.err->code, code);
  assert_string_equal(error_text_of(d.err, "address"), where);
  assert_string_equal(error_text_of(d.err, "proxy"), "");
  assert_non_null(strstr(d.err->message, where));
}

static void a_socket_that_cannot_be_reached_is_named(void **state) {
  char longer[200];
  (void)state;
  fails_with(path, "ENOENT");
  fails_with("", "ENOENT");
  leave_stale();
  fails_with(path, "ECONNREFUSED");
  memset(longer, 'x', sizeof longer - 1);
  longer[sizeof longer - 1] = '\0';
  fails_with(longer, "ENAMETOOLONG");
}

static void a_full_queue_is_waited_for(void **state) {
  int fd = bound(SOCK_STREAM, 0), fds[8], n = fill(fds, 8), i, got;
  double begin = net_clock_precise();
  (void)state;
  dial(path);
  for (i = 0; i < 6; i++)
    net_loop_run(loop, NET_RUN_ONCE); /* two of them do not wait */
  assert_true(net_clock_precise() - begin > 0.04); /* it does not spin */
  assert_int_equal(d.dials, 0);
  for (i = 0; i < n; i++) {
    got = accept(fd, NULL, NULL);
    assert_true(got >= 0);
    (void)close(got);
  }
  run_until(loop, &d.dials_closed, 1);
  assert_null(d.err);
  diary_close(&d);
  while (n > 0)
    (void)close(fds[--n]);
  (void)close(fd);
}

static void waiting_for_a_full_queue_can_be_given_up(void **state) {
  int fd = bound(SOCK_STREAM, 0), fds[8], n = fill(fds, 8);
  (void)state;
  dial(path);
  net_loop_run(loop, NET_RUN_ONCE);
  net_loop_run(loop, NET_RUN_NOWAIT);
  net_dial_cancel(d.dial);
  run_until(loop, &d.dials_closed, 1);
  assert_int_equal(d.dials, 0);
  while (n > 0)
    (void)close(fds[--n]);
  (void)close(fd);
}

static void without_memory_a_dial_fails_and_leaks_nothing(void **state) {
  struct net_dial_conf conf;
  int failed = 0;
  long nth;
  (void)state;
  assert_true(guests_listen_at(&g, path));
  memset(&conf, 0, sizeof conf);
  conf.path = path;
  for (nth = 1;; nth++) {
    int err;
    diary_deinit(&d);
    diary_init(&d, loop);
    support_fail_allocation(nth);
    err = net_dial_start(&d.dial, loop, &conf, &diary_dial_ops, &d);
    if (err != 0) {
      support_fail_allocation(0);
      failed++;
      assert_int_equal(err, BASE_ERR_MEMORY);
      net_loop_run(loop, NET_RUN_NOWAIT);
      continue;
    }
    run_until(loop, &d.dials_closed, 1);
    support_fail_allocation(0);
    if (d.stream != NULL)
      break;
    failed++;
    assert_non_null(d.err);
  }
  assert_true(failed >= 4);
  diary_close(&d);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
    T(it_takes_callers_that_have_no_address),
    T(the_file_has_the_mode_that_the_umask_leaves),
    T(the_file_goes_with_the_listener),
    T(a_file_that_went_already_is_not_missed),
    T(a_file_of_somebody_else_is_not_removed),
    T(a_socket_that_nobody_listens_on_is_replaced),
    T(a_socket_that_somebody_listens_on_stays),
    T(neither_is_one_replaced_whose_queue_is_full),
    T(what_is_no_such_socket_stays),
    T(paths_that_cannot_be),
    T(the_longest_path_is_one),
    T(without_memory_no_file_is_left),
    T(the_file_goes_when_the_loop_is_freed_inside),
    T(a_client_reaches_a_listener),
    T(a_socket_that_cannot_be_reached_is_named),
    T(a_full_queue_is_waited_for),
    T(waiting_for_a_full_queue_can_be_given_up),
    T(without_memory_a_dial_fails_and_leaks_nothing)
  };
  support_watchdog();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
