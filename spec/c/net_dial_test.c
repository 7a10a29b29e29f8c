/* net/dial: races the addresses (RFC 8305), and says what went wrong. */
#include "net_support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/limits.h"
#include "net/dial_private.h"
#include "net/lookup_private.h"

enum { NEVER_MS = 1000000000 };

static struct net_loop *loop;
static struct diary d;
static struct net_lookup *asked4, *asked6;

static int setup(void **state) {
  (void)state;
  support_begin();
  net_dial_attempt_delay_ms = LIMIT_ATTEMPT_DELAY_MS;
  net_dial_resolution_delay_ms = LIMIT_RESOLUTION_DELAY_MS;
  net_lookup_hook = NULL;
  asked4 = asked6 = NULL;
  if (net_loop_new(&loop) != 0)
    return -1;
  diary_init(&d, loop);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  diary_deinit(&d);
  assert_int_equal(net_loop_handles(loop), 0);
  net_loop_free(loop);
  support_end();
  return 0;
}

/* ---- a resolver in our hands ---- */

static int ask_us(struct net_lookup *q, const char *host, int family) {
  assert_string_equal(host, "name.test");
  if (family == AF_INET6)
    asked6 = q;
  else
    asked4 = q;
  return 0;
}

static int ask_nobody(struct net_lookup *q, const char *host, int family) {
  (void)q;
  (void)host;
  (void)family;
  fail_msg("an address was looked up");
  return UV_EINVAL;
}

static void answer_error(struct net_lookup **q, int uv_err) {
  struct net_lookup *it = *q;
  *q = NULL;
  net_lookup_answer(it, uv_err, NULL);
}

/* With 'n' addresses in text. */
static void answer(struct net_lookup **q, const char *const *ips, size_t n) {
  static union {
    struct sockaddr any;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
  } addr[128];
  static struct addrinfo list[128];
  struct net_lookup *it = *q;
  size_t i;
  memset(addr, 0, sizeof addr);
  memset(list, 0, sizeof list);
  for (i = 0; i < n; i++) {
    if (q == &asked6) {
      list[i].ai_addrlen = sizeof addr[i].in6;
      addr[i].in6.sin6_family = AF_INET6;
      assert_int_equal(inet_pton(AF_INET6, ips[i], &addr[i].in6.sin6_addr),
                       1);
    } else {
      list[i].ai_addrlen = sizeof addr[i].in4;
      addr[i].in4.sin_family = AF_INET;
      assert_int_equal(inet_pton(AF_INET, ips[i], &addr[i].in4.sin_addr), 1);
    }
    list[i].ai_family = addr[i].any.sa_family;
    list[i].ai_addr = &addr[i].any;
    list[i].ai_next = i + 1 < n ? &list[i + 1] : NULL;
  }
  *q = NULL;
  net_lookup_answer(it, 0, list);
}

static void answer1(struct net_lookup **q, const char *ip) {
  answer(q, &ip, 1);
}

static void dial_name(int port) {
  net_lookup_hook = ask_us;
  diary_dial(&d, "name.test", port, NULL);
  assert_non_null(asked4);
  assert_non_null(asked6);
}

/* ---- listeners ---- */

/* Speaks first, so that a test need not wait for what it sends. */
static bool is_up(const char *ip, int port) {
  char text[64];
  int seen;
  net_stream_peer(d.stream, text, &seen);
  return strcmp(text, ip) == 0 && seen == port;
}

struct hole {
  int listener, fds[16];
  int n;
};

/* A listener whose queue is full: the kernel does not answer a SYN. */
static void hole_open(struct hole *h, const char *ip, int *port) {
  struct sockaddr_in in4;
  struct pollfd p;
  memset(&in4, 0, sizeof in4);
  h->listener = support_listen(ip, 0, port);
  in4.sin_family = AF_INET;
  in4.sin_port = htons((uint16_t)*port);
  assert_int_equal(inet_pton(AF_INET, ip, &in4.sin_addr), 1);
  for (h->n = 0; h->n < 16; h->n++) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    h->fds[h->n] = fd;
    (void)connect(fd, (struct sockaddr *)&in4, sizeof in4);
    p.fd = fd;
    p.events = POLLOUT;
    if (poll(&p, 1, 50) == 0) {
      h->n++;
      return;
    }
  }
  fail_msg("the listener's queue cannot be filled");
}

static void hole_close(struct hole *h) {
  while (h->n > 0)
    (void)close(h->fds[--h->n]);
  (void)close(h->listener);
}

static bool has_caller(int listener) {
  struct pollfd p;
  p.fd = listener;
  p.events = POLLIN;
  return poll(&p, 1, 0) == 1;
}

static bool have_ip6(void) {
  struct sockaddr_in6 in6;
  int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), ok;
  if (fd < 0)
    return false;
  memset(&in6, 0, sizeof in6);
  in6.sin6_family = AF_INET6;
  in6.sin6_addr = in6addr_loopback;
  ok = bind(fd, (struct sockaddr *)&in6, sizeof in6) == 0;
  (void)close(fd);
  return ok != 0;
}

/* ---- what can be known of a dial ---- */

static void assert_error(const char *kind, const char *code) {
  assert_null(d.stream);
  assert_non_null(d.err);
  assert_string_equal(base_kind_name(d.err->kind), kind);
  assert_string_equal(d.err->code, code);
}

/* The attempts, in order; a NULL ends them. */
static void assert_attempts(const char *const *ips, int port) {
  const struct base_error *one = d.err->attempts;
  size_t i;
  for (i = 0; ips[i] != NULL; i++, one = one->next) {
    char want[80];
    (void)snprintf(want, sizeof want,
                   strchr(ips[i], ':') != NULL ? "[%s]:%d" : "%s:%d", ips[i],
                   port);
    assert_non_null(one);
    assert_string_equal(error_text_of(one, "address"), want);
    assert_int_equal(one->kind, BASE_KIND_CONNECT);
    assert_true(one->code[0] == 'E');
  }
  assert_null(one);
}

/* Some passes in which nothing may happen. */
static void idle(void) {
  int i;
  for (i = 0; i < 4; i++)
    net_loop_run(loop, NET_RUN_NOWAIT);
}

/* ---- tests: addresses ---- */

static void dials_an_address(const char *ip) {
  int port = 0, listener = support_listen(ip, 4, &port);
  net_lookup_hook = ask_nobody;
  diary_dial(&d, ip, port, NULL);
  run_until(loop, &d.dials_closed, 1);
  assert_int_equal(d.dials, 1);
  assert_null(d.err);
  assert_true(is_up(ip, port));
  diary_close(&d);
  (void)close(listener);
}

static void an_ipv4_address_needs_no_resolver(void **state) {
  (void)state;
  dials_an_address("127.0.0.1");
}

static void an_ipv6_address_needs_no_resolver(void **state) {
  (void)state;
  if (!have_ip6())
    skip();
  dials_an_address("::1");
}

static void localhost_is_found_even_without_a_network(void **state) {
  int port = 0, listener = support_listen("127.0.0.1", 4, &port);
  (void)state;
  diary_dial(&d, "localhost", port, NULL);
  run_until(loop, &d.dials_closed, 1);
  assert_null(d.err);
  diary_close(&d);
  (void)close(listener);
}

static void a_refusal_names_the_address(void **state) {
  static const char *const tried[] = {"127.0.0.1", NULL};
  char want[200];
  int port = 0, fd = support_refusing("127.0.0.1", &port);
  (void)state;
  diary_dial(&d, "127.0.0.1", port, NULL);
  run_until(loop, &d.dials_closed, 1);
  assert_error("connect", "ECONNREFUSED");
  (void)snprintf(want, sizeof want,
                 "could not connect to \"127.0.0.1\" port %d: connection "
                 "refused (127.0.0.1:%d)", port, port);
  assert_string_equal(d.err->message, want);
  (void)snprintf(want, sizeof want, "127.0.0.1:%d", port);
  assert_string_equal(error_text_of(d.err, "address"), want);
  assert_null(base_error_field(d.err, "proxy"));
  assert_attempts(tried, port);
  assert_string_equal(d.err->attempts->code, "ECONNREFUSED");
  (void)close(fd);
}

static void families_take_turns_and_ipv6_is_first(void **state) {
  static const char *const six[] = {"::1", "::ffff:127.0.0.9"};
  static const char *const four[] = {"127.0.0.1", "127.0.0.2", "127.0.0.3"};
  static const char *const tried[] = {
    "::1", "127.0.0.1", "::ffff:127.0.0.9", "127.0.0.2", "127.0.0.3", NULL
  };
  int port = 0, fd = support_refusing("127.0.0.1", &port);
  (void)state;
  net_dial_attempt_delay_ms = NEVER_MS; /* after a failure nobody waits */
  dial_name(port);
  answer(&asked4, four, 3);
  answer(&asked6, six, 2);
  run_until(loop, &d.dials_closed, 1);
  assert_error("connect", "ECONNREFUSED");
  assert_attempts(tried, port);
  (void)close(fd);
}

static void what_the_machine_does_not_speak_is_not_the_reason(void **state) {
  /* A multicast address cannot be connected to, and is no route off the
  ** machine. */
  static const char *const four[] = {"127.0.0.1", "224.0.0.1"};
  static const char *const tried[] = {"127.0.0.1", "224.0.0.1", NULL};
  int port = 0, fd = support_refusing("127.0.0.1", &port);
  (void)state;
  dial_name(port);
  answer_error(&asked6, UV_EAI_NODATA);
  answer(&asked4, four, 2);
  run_until(loop, &d.dials_closed, 1);
  assert_attempts(tried, port);
  assert_string_equal(d.err->attempts->next->code, "ENETUNREACH");
  assert_error("connect", "ECONNREFUSED");
  (void)close(fd);
}

static void no_more_addresses_are_tried_than_allowed(void **state) {
  const char *four[100];
  const struct base_error *one;
  size_t i, n = 0;
  int port = 0, fd = support_refusing("127.0.0.1", &port);
  (void)state;
  for (i = 0; i < 100; i++)
    four[i] = "127.0.0.1";
  dial_name(port);
  answer(&asked4, four, 100);
  answer_error(&asked6, UV_EAI_NONAME);
  run_until(loop, &d.dials_closed, 1);
  for (one = d.err->attempts; one != NULL; one = one->next)
    n++;
  assert_int_equal(n, LIMIT_ADDRESSES);
  (void)close(fd);
}

/* ---- tests: the resolver ---- */

static void ipv4_waits_a_little_for_ipv6(void **state) {
  int port = 0, four, six;
  (void)state;
  if (!have_ip6())
    skip();
  four = support_listen("127.0.0.1", 4, &port);
  six = support_listen("::1", 4, &port);
  net_dial_resolution_delay_ms = NEVER_MS;
  dial_name(port);
  answer1(&asked4, "127.0.0.1");
  idle();
  assert_false(has_caller(four));
  answer1(&asked6, "::1");
  run_until(loop, &d.dials_closed, 1);
  assert_true(is_up("::1", port));
  assert_false(has_caller(four));
  diary_close(&d);
  (void)close(four);
  (void)close(six);
}

static void ipv4_does_not_wait_for_ever(void **state) {
  int port = 0, four = support_listen("127.0.0.1", 4, &port);
  double begin;
  (void)state;
  net_dial_resolution_delay_ms = 30;
  dial_name(port);
  idle();
  begin = net_clock_precise();
  answer1(&asked4, "127.0.0.1");
  run_until(loop, &d.dials_closed, 1);
  assert_true(net_clock_precise() - begin >= 0.03);
  assert_true(is_up("127.0.0.1", port));
  diary_close(&d);
  assert_int_equal(net_loop_handles(loop), 0); /* the other is detached */
  answer1(&asked6, "::1");
  (void)close(four);
}

static void without_ipv6_addresses_ipv4_begins_at_once(void **state) {
  int port = 0, four = support_listen("127.0.0.1", 4, &port);
  (void)state;
  net_dial_resolution_delay_ms = NEVER_MS;
  dial_name(port);
  answer1(&asked4, "127.0.0.1");
  answer_error(&asked6, UV_EAI_NODATA);
  run_until(loop, &d.dials_closed, 1);
  assert_true(is_up("127.0.0.1", port));
  diary_close(&d);
  (void)close(four);
}

static void ipv6_begins_without_waiting_for_ipv4(void **state) {
  int port = 0, six;
  (void)state;
  if (!have_ip6())
    skip();
  six = support_listen("::1", 4, &port);
  dial_name(port);
  answer1(&asked6, "::1");
  run_until(loop, &d.dials_closed, 1);
  assert_true(is_up("::1", port));
  diary_close(&d);
  answer_error(&asked4, UV_EAI_AGAIN);
  (void)close(six);
}

static void a_late_answer_joins_the_race(void **state) {
  int port = 0, fd = support_refusing("127.0.0.1", &port), good;
  (void)state;
  good = support_listen("127.0.0.2", 4, &port);
  net_dial_attempt_delay_ms = NEVER_MS;
  dial_name(port);
  answer1(&asked6, "::ffff:127.0.0.1");
  while (net_loop_handles(loop) > 2) /* its timer, and the other lookup */
    net_loop_run(loop, NET_RUN_ONCE);
  idle();
  assert_int_equal(d.dials, 0);
  answer1(&asked4, "127.0.0.2");
  run_until(loop, &d.dials_closed, 1);
  assert_true(is_up("127.0.0.2", port));
  diary_close(&d);
  (void)close(fd);
  (void)close(good);
}

static void a_name_that_nobody_knows(void **state) {
  (void)state;
  dial_name(80);
  answer_error(&asked4, UV_EAI_NONAME);
  answer_error(&asked6, UV_EAI_NODATA);
  run_until(loop, &d.dials_closed, 1);
  assert_error("dns", "ENOTFOUND");
  assert_string_equal(d.err->message, "no address found for \"name.test\"");
  assert_string_equal(error_text_of(d.err, "host"), "name.test");
}

static void a_resolver_that_fails_is_named(void **state) {
  int i;
  (void)state;
  for (i = 0; i < 2; i++) {
    dial_name(80);
    answer_error(&asked4, i == 0 ? UV_EAI_AGAIN : UV_EAI_NONAME);
    answer_error(&asked6, i == 0 ? UV_EAI_NONAME : UV_EAI_AGAIN);
    run_until(loop, &d.dials_closed, 1);
    assert_error("dns", "EAI_AGAIN");
    assert_string_equal(d.err->message, "no address found for \"name.test\": "
                                        "temporary failure");
    diary_deinit(&d);
    diary_init(&d, loop);
  }
}

/* These do not get as far as the network. */
static void names_that_are_none_are_an_answer_too(void **state) {
  char name[290];
  (void)state;
  memset(name, 'a', sizeof name);
  name[sizeof name - 1] = '\0';
  diary_dial(&d, name, 80, NULL);
  run_until(loop, &d.dials_closed, 1);
  assert_non_null(d.err);
  assert_int_equal(d.err->kind, BASE_KIND_DNS);
}

/* ---- tests: the race ---- */

static void a_black_hole_is_passed_by_after_the_delay(void **state) {
  static const char *const four[] = {"127.0.0.1", "127.0.0.2"};
  struct hole hole;
  double begin;
  int port = 0, good;
  (void)state;
  hole_open(&hole, "127.0.0.1", &port);
  good = support_listen("127.0.0.2", 4, &port);
  net_dial_attempt_delay_ms = 40;
  dial_name(port);
  answer_error(&asked6, UV_EAI_NODATA);
  begin = net_clock_precise();
  answer(&asked4, four, 2);
  run_until(loop, &d.dials, 1);
  assert_true(net_clock_precise() - begin >= 0.04);
  assert_true(is_up("127.0.0.2", port));
  run_until(loop, &d.dials_closed, 1);
  assert_int_equal(net_loop_handles(loop), 1); /* the loser is closed */
  diary_close(&d);
  (void)close(good);
  hole_close(&hole);
}

static void the_next_one_is_not_begun_before_the_delay(void **state) {
  static const char *const four[] = {"127.0.0.1", "127.0.0.2"};
  struct hole hole;
  int port = 0, good;
  (void)state;
  hole_open(&hole, "127.0.0.1", &port);
  good = support_listen("127.0.0.2", 4, &port);
  net_dial_attempt_delay_ms = NEVER_MS;
  dial_name(port);
  answer_error(&asked6, UV_EAI_NODATA);
  answer(&asked4, four, 2);
  idle();
  assert_false(has_caller(good));
  net_dial_cancel(d.dial);
  run_until(loop, &d.dials_closed, 1);
  assert_int_equal(d.dials, 0);
  (void)close(good);
  hole_close(&hole);
}

static void after_a_failure_the_next_one_is_begun_at_once(void **state) {
  static const char *const four[] = {"127.0.0.1", "127.0.0.2"};
  int port = 0, fd = support_refusing("127.0.0.1", &port), good;
  (void)state;
  good = support_listen("127.0.0.2", 4, &port);
  net_dial_attempt_delay_ms = NEVER_MS;
  dial_name(port);
  answer_error(&asked6, UV_EAI_NODATA);
  answer(&asked4, four, 2);
  run_until(loop, &d.dials_closed, 1);
  assert_null(d.err);
  assert_true(is_up("127.0.0.2", port));
  diary_close(&d);
  (void)close(fd);
  (void)close(good);
}

static void a_failure_beside_a_black_hole_waits_for_the_hole(void **state) {
  static const char *const four[] = {"127.0.0.1", "127.0.0.2"};
  struct hole hole;
  int port = 0, fd;
  (void)state;
  hole_open(&hole, "127.0.0.1", &port);
  fd = support_refusing("127.0.0.2", &port);
  net_dial_attempt_delay_ms = 1;
  dial_name(port);
  answer_error(&asked6, UV_EAI_NODATA);
  answer(&asked4, four, 2);
  while (net_loop_handles(loop) != 3) /* the timer, both sockets */
    net_loop_run(loop, NET_RUN_ONCE);
  while (net_loop_handles(loop) != 2)
    net_loop_run(loop, NET_RUN_ONCE);
  idle();
  assert_int_equal(d.dials, 0);
  net_dial_cancel(d.dial);
  run_until(loop, &d.dials_closed, 1);
  (void)close(fd);
  hole_close(&hole);
}

/* ---- tests: giving up ---- */

static void cancel(void) {
  d.inside = true;
  net_dial_cancel(d.dial);
  d.inside = false;
  run_until(loop, &d.dials_closed, 1);
  assert_int_equal(d.dials, 0);
  assert_int_equal(d.closes, 0);
  assert_int_equal(net_loop_handles(loop), 0);
  d.dials_closed = 0;
}

static void cancel_before_the_first_pass(void **state) {
  (void)state;
  diary_dial(&d, "127.0.0.1", 1, NULL);
  cancel();
  diary_dial(&d, "localhost", 1, NULL);
  cancel();
}

static void cancel_while_nobody_has_answered(void **state) {
  (void)state;
  dial_name(1);
  idle();
  cancel();
  answer1(&asked4, "127.0.0.1"); /* to nobody */
  answer_error(&asked6, UV_EAI_AGAIN);
  idle();
}

static void cancel_in_the_resolution_delay(void **state) {
  (void)state;
  net_dial_resolution_delay_ms = NEVER_MS;
  dial_name(1);
  answer1(&asked4, "127.0.0.1");
  idle();
  cancel();
  answer1(&asked6, "::1");
}

static void cancel_while_it_connects(void **state) {
  struct hole hole;
  int port = 0;
  (void)state;
  hole_open(&hole, "127.0.0.1", &port);
  diary_dial(&d, "127.0.0.1", port, NULL);
  idle();
  assert_int_equal(net_loop_handles(loop), 2);
  cancel();
  hole_close(&hole);
}

static void cancel_in_the_pass_that_would_have_told(void *ctx) {
  struct diary *me = (struct diary *)ctx;
  if (me->dial != NULL && me->dials == 0 && me->dials_closed == 0 &&
      !me->inside) {
    me->inside = true;
    net_dial_cancel(me->dial);
    me->inside = false;
    me->dial = NULL;
  }
}

static void cancel_before_a_wait(void **state) {
  int port = 0, listener = support_listen("127.0.0.1", 4, &port);
  (void)state;
  diary_dial(&d, "127.0.0.1", port, NULL);
  net_loop_before_wait(loop, cancel_in_the_pass_that_would_have_told, &d);
  run_until(loop, &d.dials_closed, 1);
  assert_int_equal(d.dials, 0);
  net_loop_before_wait(loop, NULL, NULL);
  (void)close(listener);
}

static void the_loop_waits_for_a_detached_resolver_when_it_goes(
  void **state) {
  struct net_loop *own;
  struct diary mine;
  int i;
  (void)state;
  for (i = 0; i < 20; i++) {
    assert_int_equal(net_loop_new(&own), 0);
    diary_init(&mine, own);
    diary_dial(&mine, "localhost", 1, NULL);
    if (i % 2 != 0)
      net_loop_run(own, NET_RUN_NOWAIT);
    if (mine.dials == 0)
      net_dial_cancel(mine.dial);
    net_loop_free(own);
    assert_int_equal(mine.dials_closed, 1);
    diary_deinit(&mine);
  }
}

static void dial_good(struct diary *me) {
  me->dials = me->dials_closed = 0;
  me->on_dial_closed = NULL;
  base_error_free(me->err);
  me->err = NULL;
  diary_dial(me, "127.0.0.1", *(int *)me->more, NULL);
}

static void closed_may_dial_again(void **state) {
  int bad = 0, fd = support_refusing("127.0.0.1", &bad), good = 0,
      listener = support_listen("127.0.0.1", 4, &good);
  (void)state;
  diary_dial(&d, "127.0.0.1", bad, NULL);
  d.more = &good;
  d.on_dial_closed = dial_good;
  run_until(loop, &d.dials, 1);
  assert_non_null(d.err);
  run_until(loop, &d.dials_closed, 1);
  while (d.stream == NULL)
    net_loop_run(loop, NET_RUN_ONCE);
  run_until(loop, &d.dials_closed, 1);
  assert_null(d.err);
  diary_close(&d);
  (void)close(fd);
  (void)close(listener);
}

/* ---- tests: memory ---- */

static void every_allocation_may_fail(const char *host) {
  struct net_dial_conf conf;
  int port = 0, listener = support_listen("127.0.0.1", 64, &port), failed = 0;
  long nth, before = support_allocations();
  conf.path = NULL;
  conf.host = host;
  conf.port = (uint16_t)port;
  conf.proxy = NULL;
  for (nth = 1;; nth++) {
    int err;
    support_fail_allocation(nth);
    err = net_dial_start(&d.dial, loop, &conf, &diary_dial_ops, &d);
    if (err != 0) {
      support_fail_allocation(0);
      failed++;
      assert_int_equal(err, BASE_ERR_MEMORY);
      idle();
      assert_int_equal(d.dials + d.dials_closed, 0);
      continue;
    }
    run_until(loop, &d.dials_closed, 1);
    support_fail_allocation(0);
    if (d.stream != NULL) {
      diary_close(&d);
      break;
    }
    base_error_free(d.err);
    d.err = NULL;
    d.dials = d.dials_closed = d.closes = 0;
  }
  assert_true(failed >= 3);
  while (support_allocations() > before) /* detached resolvers */
    net_loop_run(loop, NET_RUN_ONCE);
  (void)close(listener);
}

static void without_memory_an_address_fails_and_leaks_nothing(void **state) {
  (void)state;
  every_allocation_may_fail("127.0.0.1");
}

static void without_memory_a_name_fails_and_leaks_nothing(void **state) {
  (void)state;
  every_allocation_may_fail("localhost");
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
    T(an_ipv4_address_needs_no_resolver),
    T(an_ipv6_address_needs_no_resolver),
    T(localhost_is_found_even_without_a_network),
    T(a_refusal_names_the_address),
    T(families_take_turns_and_ipv6_is_first),
    T(what_the_machine_does_not_speak_is_not_the_reason),
    T(no_more_addresses_are_tried_than_allowed),
    T(ipv4_waits_a_little_for_ipv6),
    T(ipv4_does_not_wait_for_ever),
    T(without_ipv6_addresses_ipv4_begins_at_once),
    T(ipv6_begins_without_waiting_for_ipv4),
    T(a_late_answer_joins_the_race),
    T(a_name_that_nobody_knows),
    T(a_resolver_that_fails_is_named),
    T(names_that_are_none_are_an_answer_too),
    T(a_black_hole_is_passed_by_after_the_delay),
    T(the_next_one_is_not_begun_before_the_delay),
    T(after_a_failure_the_next_one_is_begun_at_once),
    T(a_failure_beside_a_black_hole_waits_for_the_hole),
    T(cancel_before_the_first_pass),
    T(cancel_while_nobody_has_answered),
    T(cancel_in_the_resolution_delay),
    T(cancel_while_it_connects),
    T(cancel_before_a_wait),
    T(the_loop_waits_for_a_detached_resolver_when_it_goes),
    T(closed_may_dial_again),
    T(without_memory_an_address_fails_and_leaks_nothing),
    T(without_memory_a_name_fails_and_leaks_nothing)
  };
  support_watchdog();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
