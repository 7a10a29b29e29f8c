/* net/listener: whoever calls is let in, whatever accept says. */
#include "net_guests.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "net/listener_private.h"
#include "net/lookup_private.h"

static struct net_loop *loop;
static struct guests g;
static int (*real_accept)(int fd, struct sockaddr *addr, socklen_t *size);

static int setup(void **state) {
  (void)state;
  support_begin();
  net_lookup_wait_hook = NULL;
  net_listener_accept = real_accept;
  if (net_loop_new(&loop) != 0)
    return -1;
  guests_init(&g, loop);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  guests_leave(&g);
  assert_int_equal(net_loop_handles(loop), 0);
  net_loop_free(loop);
  support_end();
  return 0;
}

/* ---- callers ---- */

/* A blocking socket, or -1 when nobody listens there. */
static int call(const char *ip, int port) {
  union {
    struct sockaddr any;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
  } to;
  int fd;
  memset(&to, 0, sizeof to);
  if (uv_ip4_addr(ip, port, &to.in4) != 0)
    assert_int_equal(uv_ip6_addr(ip, port, &to.in6), 0);
  fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, &to.any, sizeof to) == 0)
    return fd;
  assert_true(errno == ECONNREFUSED || errno == EADDRNOTAVAIL);
  (void)close(fd);
  return -1;
}

static bool is_refused(const char *ip, int port) {
  int fd = call(ip, port);
  if (fd >= 0)
    (void)close(fd);
  return fd < 0;
}

/* Where a socket calls from. */
static int own_address(int fd, char ip[64]) {
  union {
    struct sockaddr any;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
  } a;
  socklen_t size = sizeof a;
  memset(&a, 0, sizeof a);
  assert_int_equal(getsockname(fd, &a.any, &size), 0);
  if (a.any.sa_family == AF_INET6)
    assert_int_equal(uv_ip6_name(&a.in6, ip, 64), 0);
  else
    assert_int_equal(uv_ip4_name(&a.in4, ip, 64), 0);
  return ntohs(a.in4.sin_port); /* it lies in the same place */
}

static bool have_ip6(void) {
  int port = 0, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), ok;
  struct sockaddr_in6 in6;
  if (fd < 0)
    return false;
  assert_int_equal(uv_ip6_addr("::1", port, &in6), 0);
  ok = bind(fd, (struct sockaddr *)&in6, sizeof in6) == 0;
  (void)close(fd);
  return ok != 0;
}

/* One who calls there is the next guest, under the address he has, and what
** he says is heard. */
static void lets_in(const char *ip) {
  char seen[64], own[64];
  int port, before = g.reads, fd = call(ip, g.port);
  assert_true(fd >= 0);
  guests_wait(&g, g.count + 1);
  guests_last(&g, seen, &port);
  assert_int_equal(port, own_address(fd, own));
  assert_string_equal(seen, own);
  peer_write(fd, "!", 1);
  run_until(loop, &g.reads, before + 1);
  assert_int_equal(g.last, '!');
  (void)close(fd);
}

/* ---- addresses ---- */

static void an_ipv4_address_takes_callers(void **state) {
  (void)state;
  assert_true(guests_listen_on(&g, "127.0.0.1", 0));
  assert_true(g.port > 0);
  assert_string_equal(g.ip, "127.0.0.1");
  lets_in("127.0.0.1");
  assert_true(net_listener_stats(g.listener)->accepted == 1);
}

static void an_ipv6_address_takes_callers(void **state) {
  (void)state;
  if (!have_ip6()) {
    assert_false(guests_listen_on(&g, "::1", 0));
    assert_string_equal(base_kind_name(g.err->kind), "connect");
    return;
  }
  assert_true(guests_listen_on(&g, "::1", 0));
  assert_string_equal(g.ip, "::1");
  lets_in("::1");
  assert_true(is_refused("127.0.0.1", g.port));
}

static void localhost_is_both_families_with_one_port(void **state) {
  (void)state;
  assert_true(guests_listen_on(&g, "localhost", 0));
  assert_true(g.port > 0);
  assert_string_equal(g.ip, have_ip6() ? "::1" : "127.0.0.1");
  lets_in("127.0.0.1");
  if (have_ip6())
    lets_in("::1");
}

static void a_star_is_both_families(void **state) {
  (void)state;
  assert_true(guests_listen_on(&g, "*", 0));
  lets_in("127.0.0.1");
  lets_in("127.0.0.3");
  if (have_ip6())
    lets_in("::1");
}

static void the_ipv6_wildcard_takes_ipv4_too(void **state) {
  (void)state;
  if (!have_ip6())
    return;
  assert_true(guests_listen_on(&g, "::", 0));
  assert_string_equal(g.ip, "::");
  lets_in("127.0.0.1");
  lets_in("::1");
}

static void the_ipv4_wildcard_takes_ipv4_only(void **state) {
  (void)state;
  assert_true(guests_listen_on(&g, "0.0.0.0", 0));
  lets_in("127.0.0.1");
  assert_true(is_refused("::1", g.port));
}

static void a_caller_is_set_up_as_a_dialled_one(void **state) {
  int fd, mine, port, on = 0, flags;
  socklen_t size;
  char ip[64];
  (void)state;
  assert_true(guests_listen_on(&g, "127.0.0.1", 0));
  fd = call("127.0.0.1", g.port);
  port = own_address(fd, ip);
  guests_wait(&g, 1);
  for (mine = 0; mine < 1000; mine++) { /* the one whose peer is ours */
    struct sockaddr_in peer;
    size = sizeof peer;
    if (mine != fd && getpeername(mine, (struct sockaddr *)&peer, &size) == 0 &&
        peer.sin_family == AF_INET && ntohs(peer.sin_port) == port)
      break;
  }
  assert_true(mine < 1000);
  size = sizeof on;
  assert_int_equal(getsockopt(mine, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
  assert_int_not_equal(on, 0);
  flags = fcntl(mine, F_GETFL);
  assert_true((flags & O_NONBLOCK) != 0);
  flags = fcntl(mine, F_GETFD);
  assert_true((flags & FD_CLOEXEC) != 0);
  (void)close(fd);
}

/* ---- names, with a resolver in our hands ---- */

static const char *answers[2][4]; /* IPv4, IPv6 */
static int answer_err;

static int answer(const char *host, int family, struct addrinfo **out) {
  const char *const *ip = answers[family == AF_INET6];
  struct addrinfo hints, **end = out;
  assert_string_equal(host, "name.test");
  *out = NULL;
  if (*ip == NULL)
    return answer_err;
  memset(&hints, 0, sizeof hints);
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST;
  for (; *ip != NULL; ip++) {
    assert_int_equal(getaddrinfo(*ip, NULL, &hints, end), 0);
    while (*end != NULL)
      end = &(*end)->ai_next;
  }
  return 0;
}

static bool listen_on_name(int port) {
  net_lookup_wait_hook = answer;
  return guests_listen_on(&g, "name.test", port);
}

static void forget_answers(void) {
  memset(answers, 0, sizeof answers);
  answer_err = UV_EAI_NONAME;
}

static void all_addresses_of_a_name_share_the_port(void **state) {
  (void)state;
  forget_answers();
  answers[0][0] = "127.0.0.2";
  answers[0][1] = "127.0.0.3";
  answers[0][2] = "127.0.0.2"; /* twice */
  assert_true(listen_on_name(0));
  assert_string_equal(g.ip, "127.0.0.2");
  lets_in("127.0.0.2");
  assert_true(is_refused("127.0.0.1", g.port));
  lets_in("127.0.0.3");
}

static void an_address_that_the_machine_has_not_is_left_out(void **state) {
  (void)state;
  forget_answers();
  answers[0][0] = "203.0.113.7";
  answers[0][1] = "127.0.0.1";
  answers[1][0] = "2001:db8::7";
  assert_true(listen_on_name(0));
  assert_string_equal(g.ip, "127.0.0.1");
  lets_in("127.0.0.1");
}

static void without_any_address_of_this_machine_it_fails(void **state) {
  (void)state;
  forget_answers();
  answers[0][0] = "203.0.113.7";
  assert_false(listen_on_name(7000));
  guests_assert_error(&g, "connect", "EADDRNOTAVAIL", "203.0.113.7:7000");
  assert_false(guests_listen_on(&g, "2001:db8::7", 7000));
  assert_string_equal(base_kind_name(g.err->kind), "connect");
}

static void a_name_that_nobody_knows_is_a_dns_error(void **state) {
  (void)state;
  forget_answers();
  assert_false(listen_on_name(0));
  guests_assert_error(&g, "dns", "ENOTFOUND", "");
  assert_string_equal(error_text_of(g.err, "host"), "name.test");
  answer_err = UV_EAI_AGAIN;
  assert_false(listen_on_name(0));
  guests_assert_error(&g, "dns", "EAI_AGAIN", "");
  net_lookup_wait_hook = NULL;
  assert_false(guests_listen_on(&g, "", 0));
  assert_string_equal(base_kind_name(g.err->kind), "dns");
}

static void without_memory_to_ask_it_does_not_do_half_of_it(void **state) {
  (void)state;
  forget_answers();
  answers[1][0] = "::1";
  answer_err = UV_ENOMEM;
  assert_false(listen_on_name(0));
  guests_assert_error(&g, "limit", "memory", "");
}

static void both_wildcards_of_a_name_go_together(void **state) {
  (void)state;
  forget_answers();
  answers[0][0] = "0.0.0.0";
  answers[1][0] = "::";
  assert_true(listen_on_name(0));
  lets_in("127.0.0.1");
  if (have_ip6())
    lets_in("::1");
}

static void a_port_for_all_is_not_looked_for_for_ever(void **state) {
  (void)state;
  forget_answers();
  answers[0][0] = "0.0.0.0"; /* takes every port of the next one */
  answers[0][1] = "127.0.0.1";
  assert_false(listen_on_name(0));
  assert_string_equal(g.err->code, "EADDRINUSE");
}

/* ---- ports ---- */

static void a_port_that_is_taken_is_an_error(void **state) {
  int port = 0, fd = support_listen("127.0.0.1", 1, &port);
  char address[64];
  (void)state;
  (void)snprintf(address, sizeof address, "127.0.0.1:%d", port);
  assert_false(guests_listen_on(&g, "127.0.0.1", port));
  guests_assert_error(&g, "connect", "EADDRINUSE", address);
  assert_non_null(strstr(g.err->message, address));
  assert_false(guests_listen_on(&g, "*", port));
  assert_string_equal(g.err->code, "EADDRINUSE");
  /* One of several: then none is listened on. */
  forget_answers();
  answers[0][0] = "127.0.0.2";
  answers[0][1] = "127.0.0.1";
  assert_false(listen_on_name(port));
  guests_assert_error(&g, "connect", "EADDRINUSE", address);
  assert_true(is_refused("127.0.0.2", port));
  (void)close(fd);
}

static void a_port_is_free_as_soon_as_the_listener_is_closed(void **state) {
  int port, fd;
  char c;
  (void)state;
  assert_true(guests_listen_on(&g, "127.0.0.1", 0));
  port = g.port;
  fd = call("127.0.0.1", port);
  guests_wait(&g, 1);
  guests_leave(&g); /* hangs up first, whose port then waits for a minute */
  assert_int_equal(recv(fd, &c, 1, 0), 0);
  (void)close(fd);
  assert_true(is_refused("127.0.0.1", port));
  guests_init(&g, loop);
  assert_true(guests_listen_on(&g, "127.0.0.1", port));
  lets_in("127.0.0.1");
}

/* Nobody is served any more, but nobody gets a RST. */
static void callers_in_the_queue_see_an_end(void **state) {
  int i, fds[20];
  char c;
  (void)state;
  assert_true(guests_listen_on(&g, "127.0.0.1", 0));
  for (i = 0; i < 20; i++) {
    assert_true((fds[i] = call("127.0.0.1", g.port)) >= 0);
    assert_int_equal(send(fds[i], "hello", 5, 0), 5);
  }
  net_listener_close(g.listener);
  assert_true(net_listener_stats(g.listener)->turned_away == 20);
  for (i = 0; i < 20; i++) {
    assert_int_equal(recv(fds[i], &c, 1, 0), 0);
    (void)close(fds[i]);
  }
  guests_leave(&g);
}

static void processes_may_share_a_port(void **state) {
  struct net_listen_conf conf;
  struct guests other;
  int i, fds[40];
  (void)state;
  memset(&conf, 0, sizeof conf);
  conf.host = "127.0.0.1";
  conf.backlog = 64;
  conf.reuse_port = true;
  guests_init(&other, loop);
  assert_true(guests_listen(&g, &conf));
  conf.port = (uint16_t)g.port;
  assert_true(guests_listen(&other, &conf));
  assert_int_equal(other.port, g.port);
  for (i = 0; i < 40; i++)
    assert_true((fds[i] = call("127.0.0.1", g.port)) >= 0);
  while (g.count + other.count < 40)
    net_loop_run(loop, NET_RUN_ONCE);
  /* By chance all with one: 2 of 2^40 times. */
  assert_true(g.count > 0 && other.count > 0);
  for (i = 0; i < 40; i++)
    (void)close(fds[i]);
  guests_leave(&other);
  conf.reuse_port = false;
  assert_false(guests_listen(&other, &conf));
  guests_leave(&other);
}

/* ---- accept in our hands ---- */

static struct {
  int err;   /* what it says, */
  int times; /* so often, and then the truth */
  int calls;
} says;

static int say(int fd, struct sockaddr *addr, socklen_t *size) {
  says.calls++;
  if (says.times <= 0)
    return real_accept(fd, addr, size);
  says.times--;
  errno = says.err;
  return -1;
}

static void accept_says(int err, int times) {
  net_listener_accept = say;
  says.err = err;
  says.times = times;
  says.calls = 0;
}

/* ---- many at once ---- */

static void one_pass_takes_a_bounded_number(void **state) {
  static int fds[200];
  int i;
  (void)state;
  assert_true(guests_listen_on(&g, "127.0.0.1", 0));
  for (i = 0; i < 200; i++)
    assert_true((fds[i] = call("127.0.0.1", g.port)) >= 0);
  while (g.count < 200) {
    int before = g.count;
    net_loop_run(loop, NET_RUN_ONCE);
    assert_true(g.count > before && g.count - before <= 64);
  }
  assert_true(net_listener_stats(g.listener)->accepted == 200);
  assert_true(net_listener_stats(g.listener)->failures == 0);
  for (i = 0; i < 200; i++)
    (void)close(fds[i]);
}

static void close_inside(struct guests *me) {
  net_listener_close(me->listener);
  assert_int_equal(me->closed, 0);
}

static void it_may_be_closed_by_the_first_of_many(void **state) {
  int i, fds[5];
  char c;
  (void)state;
  assert_true(guests_listen_on(&g, "localhost", 0));
  for (i = 0; i < 5; i++)
    assert_true((fds[i] = call(i % 2 == 0 ? "127.0.0.1" : g.ip, g.port)) >= 0);
  g.on_stream = close_inside;
  accept_says(0, 0); /* the truth, and is counted */
  run_until(loop, &g.closed, 1);
  assert_int_equal(g.count, 1);
  /* The one, four who are turned away, and that there are no more. */
  assert_int_equal(says.calls, 1 + 4 + 2);
  guests_leave(&g);
  for (i = 0; i < 5; i++) { /* nobody waits for nothing */
    assert_true(recv(fds[i], &c, 1, 0) == 0);
    (void)close(fds[i]);
  }
}

static void it_may_be_closed_before_a_pass(void **state) {
  int fd;
  (void)state;
  assert_true(guests_listen_on(&g, "127.0.0.1", 0));
  fd = call("127.0.0.1", g.port);
  guests_leave(&g);
  assert_int_equal(g.count, 0);
  assert_int_equal(g.closed, 1);
  (void)close(fd);
}

static jmp_buf out;

/* os.exit in a handler. */
static void end_inside(struct guests *me) {
  int i;
  for (i = 0; i < me->count; i++)
    net_stream_close(me->streams[i]);
  net_listener_close(me->listener);
  net_loop_free(me->loop);
  longjmp(out, 1);
}

static void the_loop_may_be_freed_inside(void **state) {
  static struct guests mine; /* outlives the jump */
  static int fds[5];
  int i;
  (void)state;
  guests_init(&mine, NULL);
  assert_int_equal(net_loop_new(&mine.loop), 0);
  assert_true(guests_listen_on(&mine, "localhost", 0));
  for (i = 0; i < 5; i++)
    fds[i] = call(i % 2 == 0 ? "127.0.0.1" : mine.ip, mine.port);
  mine.on_stream = end_inside;
  if (setjmp(out) == 0)
    for (;;)
      net_loop_run(mine.loop, NET_RUN_ONCE);
  assert_int_equal(mine.closed, 1);
  assert_int_equal(mine.count, 1);
  assert_int_equal(mine.gone, 1);
  for (i = 0; i < 5; i++)
    (void)close(fds[i]);
}

/* ---- what accept may say ---- */

static void an_error_of_one_caller_is_not_the_next_ones(void **state) {
  static const int errs[] = {ECONNABORTED, EINTR, EPROTO, ENETDOWN, EPERM,
                             ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH,
                             EOPNOTSUPP, ENETUNREACH, ETIMEDOUT};
  size_t i;
  (void)state;
  assert_true(guests_listen_on(&g, "127.0.0.1", 0));
  for (i = 0; i < sizeof errs / sizeof errs[0]; i++) {
    int fd = call("127.0.0.1", g.port), before = g.count;
    accept_says(errs[i], 3);
    net_loop_run(loop, NET_RUN_ONCE); /* one pass is enough */
    assert_int_equal(g.count, before + 1);
    assert_true(net_listener_stats(g.listener)->failures == 3 * (i + 1));
    (void)close(fd);
  }
}

/* It pauses now for at most so long, and not for nothing. */
static void assert_pause(int ms) {
  int left = net_loop_timeout_ms(loop);
  assert_true(left >= 0 && left <= ms + 1);
}

static void an_error_that_stays_does_not_keep_the_loop_busy(void **state) {
  int fd;
  (void)state;
  assert_true(guests_listen_on(&g, "127.0.0.1", 0));
  fd = call("127.0.0.1", g.port);
  accept_says(EPERM, 150);
  while (g.count == 0) {
    int before = says.calls;
    net_loop_run(loop, NET_RUN_ONCE);
    assert_true(says.calls - before <= 65);
    if (g.count == 0)
      assert_true(net_loop_timeout_ms(loop) != -1);
  }
  assert_true(net_listener_stats(g.listener)->failures == 150);
  (void)close(fd);
}

/* The time until accept is asked again, and then says the same. */
static double pause_seconds(void) {
  double begin = net_clock_precise();
  int before = says.calls;
  while (says.calls == before)
    net_loop_run(loop, NET_RUN_ONCE);
  return net_clock_precise() - begin;
}

static void pauses_grow_to_a_second_until_somebody_is_accepted(void **state) {
  static const int ms[] = {50, 100, 200, 400, 800, 1000};
  size_t i;
  int fd;
  (void)state;
  assert_true(guests_listen_on(&g, "127.0.0.1", 0));
  fd = call("127.0.0.1", g.port);
  accept_says(ENFILE, 1000000);
  (void)pause_seconds();
  for (i = 0; i < sizeof ms / sizeof ms[0]; i++) {
    assert_pause(ms[i]);
    /* It began a little before we look. */
    assert_true(pause_seconds() >= ms[i] / 1000.0 - 0.02);
  }
  assert_pause(1000);
  accept_says(0, 0);
  guests_wait(&g, 1);
  (void)close(fd);
  fd = call("127.0.0.1", g.port);
  accept_says(ENOMEM, 2);
  net_loop_run(loop, NET_RUN_ONCE);
  assert_pause(50);
  guests_wait(&g, 2);
  assert_true(net_listener_stats(g.listener)->turned_away == 0);
  (void)close(fd);
}

static void it_may_be_closed_in_a_pause(void **state) {
  int fd;
  (void)state;
  assert_true(guests_listen_on(&g, "127.0.0.1", 0));
  fd = call("127.0.0.1", g.port);
  accept_says(ENOBUFS, 1000000);
  net_loop_run(loop, NET_RUN_ONCE);
  guests_leave(&g);
  assert_int_equal(g.count, 0);
  (void)close(fd);
}

/* ---- no descriptor left ---- */

static struct rlimit usual;

/* So that 'spare' more can be opened. */
static void limit_descriptors(int spare) {
  int i, fds[8];
  struct rlimit low;
  assert_true(spare < 8);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
  for (i = 0; i <= spare; i++)
    assert_true((fds[i] = dup(0)) >= 0);
  low = usual;
  low.rlim_cur = (rlim_t)fds[spare];
  while (i-- > 0)
    (void)close(fds[i]);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
}

static void lift_limit(void) {
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
}

/* Does the kernel know of it? A tool that only pretends would have accept
** take a caller and lose him. */
static bool limit_is_real(void) {
  int port = 0, listener = support_listen("127.0.0.1", 4, &port), got;
  int fd = call("127.0.0.1", port);
  assert_int_equal(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
  limit_descriptors(0);
  got = accept(listener, NULL, NULL);
  assert_true(got < 0);
  assert_int_equal(errno, EMFILE);
  lift_limit();
  got = accept(listener, NULL, NULL);
  if (got >= 0)
    (void)close(got);
  (void)close(fd);
  (void)close(listener);
  return got >= 0;
}

/* Its end was one, and no RST followed. */
static void assert_dismissed(int fd) {
  char c;
  int err = 0;
  socklen_t size = sizeof err;
  assert_int_equal(recv(fd, &c, 1, 0), 0);
  assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size), 0);
  assert_int_equal(err, 0);
}

static void call_with(int fd) {
  struct sockaddr_in to;
  assert_int_equal(uv_ip4_addr("127.0.0.1", g.port, &to), 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
}

static void without_descriptors_callers_are_turned_away(void **state) {
  const struct net_listener_stats *stats;
  int i, fds[100], late, later;
  (void)state;
  assert_true(guests_listen_on(&g, "127.0.0.1", 0));
  stats = net_listener_stats(g.listener);
  for (i = 0; i < 100; i++) {
    fds[i] = call("127.0.0.1", g.port);
    peer_write(fds[i], "hello", 5); /* which nobody reads */
  }
  late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  later = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  limit_descriptors(0);
  net_loop_run(loop, NET_RUN_ONCE);
  assert_true(stats->turned_away == 64); /* and the rest after the pause */
  assert_true(stats->failures == 1);
  assert_pause(50);
  while (stats->turned_away < 100)
    net_loop_run(loop, NET_RUN_ONCE);
  for (i = 0; i < 100; i++)
    assert_dismissed(fds[i]);
  call_with(late); /* the reserve is there again */
  assert_int_equal(dup(0), -1);
  while (stats->turned_away < 101)
    net_loop_run(loop, NET_RUN_ONCE);
  assert_dismissed(late);
  assert_int_equal(g.count, 0);
  lift_limit();
  call_with(later);
  guests_wait(&g, 1);
  assert_true(stats->accepted == 1);
  assert_true(stats->turned_away == 101);
  for (i = 0; i < 100; i++)
    (void)close(fds[i]);
  (void)close(late);
  (void)close(later);
}

static void the_last_descriptor_is_no_reason_to_pause(void **state) {
  int fd;
  (void)state;
  assert_true(guests_listen_on(&g, "127.0.0.1", 0));
  fd = call("127.0.0.1", g.port);
  limit_descriptors(1);
  guests_wait(&g, 1);
  assert_int_equal(dup(0), -1);
  net_loop_run(loop, NET_RUN_NOWAIT);
  assert_int_equal(net_loop_timeout_ms(loop), -1);
  assert_true(net_listener_stats(g.listener)->failures == 0);
  assert_true(net_listener_stats(g.listener)->turned_away == 0);
  lift_limit();
  (void)close(fd);
}

static void without_a_reserve_callers_wait(void **state) {
  int fd;
  (void)state;
  /* A socket for the listener, and none for the reserve. */
  limit_descriptors(1);
  assert_true(guests_listen_on(&g, "127.0.0.1", 0));
  lift_limit();
  fd = call("127.0.0.1", g.port);
  limit_descriptors(0);
  net_loop_run(loop, NET_RUN_ONCE);
  assert_pause(50);
  assert_true(net_listener_stats(g.listener)->failures == 1);
  assert_true(net_listener_stats(g.listener)->turned_away == 0);
  lift_limit();
  guests_wait(&g, 1);
  (void)close(fd);
}

static void without_a_descriptor_to_listen_with_it_fails(void **state) {
  (void)state;
  limit_descriptors(0);
  assert_false(guests_listen_on(&g, "127.0.0.1", 0));
  lift_limit();
  guests_assert_error(&g, "connect", "EMFILE", "127.0.0.1:0");
}

/* ---- memory ---- */

static void without_memory_it_fails_and_leaks_nothing(void **state) {
  long nth;
  (void)state;
  for (nth = 1;; nth++) {
    bool fine;
    support_fail_allocation(nth);
    fine = guests_listen_on(&g, "localhost", 0);
    support_fail_allocation(0);
    if (fine)
      break;
    assert_string_equal(g.err->code, "memory");
    net_loop_run(loop, NET_RUN_NOWAIT);
  }
  assert_true(nth > 3);
  lets_in("127.0.0.1");
}

static void without_memory_one_caller_is_lost_and_no_other(void **state) {
  int fd, next;
  char c;
  (void)state;
  assert_true(guests_listen_on(&g, "127.0.0.1", 0));
  fd = call("127.0.0.1", g.port);
  next = call("127.0.0.1", g.port);
  support_fail_allocation(1);
  guests_wait(&g, 1);
  assert_int_equal(recv(fd, &c, 1, 0), 0);
  assert_true(net_listener_stats(g.listener)->failures == 1);
  assert_true(net_listener_stats(g.listener)->accepted == 1);
  (void)close(fd);
  (void)close(next);
}

enum { NEED_A_REAL_LIMIT = 3 }; /* the last ones */

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
    T(an_ipv4_address_takes_callers),
    T(an_ipv6_address_takes_callers),
    T(localhost_is_both_families_with_one_port),
    T(a_star_is_both_families),
    T(the_ipv6_wildcard_takes_ipv4_too),
    T(the_ipv4_wildcard_takes_ipv4_only),
    T(a_caller_is_set_up_as_a_dialled_one),
    T(all_addresses_of_a_name_share_the_port),
    T(an_address_that_the_machine_has_not_is_left_out),
    T(without_any_address_of_this_machine_it_fails),
    T(a_name_that_nobody_knows_is_a_dns_error),
    T(without_memory_to_ask_it_does_not_do_half_of_it),
    T(both_wildcards_of_a_name_go_together),
    T(a_port_for_all_is_not_looked_for_for_ever),
    T(a_port_that_is_taken_is_an_error),
    T(a_port_is_free_as_soon_as_the_listener_is_closed),
    T(callers_in_the_queue_see_an_end),
    T(processes_may_share_a_port),
    T(one_pass_takes_a_bounded_number),
    T(it_may_be_closed_by_the_first_of_many),
    T(it_may_be_closed_before_a_pass),
    T(the_loop_may_be_freed_inside),
    T(an_error_of_one_caller_is_not_the_next_ones),
    T(an_error_that_stays_does_not_keep_the_loop_busy),
    T(pauses_grow_to_a_second_until_somebody_is_accepted),
    T(it_may_be_closed_in_a_pause),
    T(without_a_descriptor_to_listen_with_it_fails),
    T(without_memory_it_fails_and_leaks_nothing),
    T(without_memory_one_caller_is_lost_and_no_other),
    T(without_descriptors_callers_are_turned_away),
    T(the_last_descriptor_is_no_reason_to_pause),
    T(without_a_reserve_callers_wait)
  };
  size_t n = sizeof tests / sizeof *tests;
  support_watchdog();
  real_accept = net_listener_accept;
  if (!limit_is_real())
    n -= NEED_A_REAL_LIMIT;
  return _cmocka_run_group_tests("tests", tests, n, NULL, NULL);
}
