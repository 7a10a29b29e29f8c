#include "net_support.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

/* ---- counts ---- */

static long live, countdown;
static int descriptors;

static void *counting_realloc(void *p, size_t size) {
  void *q;
  if (size == 0) {
    live--;
    free(p);
    return NULL;
  }
  if (countdown > 0 && --countdown == 0)
    return NULL;
  q = realloc(p, size);
  if (p == NULL && q != NULL)
    live++;
  return q;
}

static int count_descriptors(void) {
  DIR *dir = opendir("/proc/self/fd");
  int n = 0;
  assert_non_null(dir);
  while (readdir(dir) != NULL)
    n++;
  (void)closedir(dir);
  return n;
}

void support_begin(void) {
  struct net_loop *loop;
  base_mem_realloc_hook = counting_realloc;
  countdown = 0;
  live = 0;
  /* libuv opens some for the whole process when it is first used. */
  assert_int_equal(net_loop_new(&loop), 0);
  net_loop_free(loop);
  assert_int_equal(live, 0);
  descriptors = count_descriptors();
}

void support_end(void) {
  assert_int_equal(live, 0);
  assert_int_equal(count_descriptors(), descriptors);
}

long support_allocations(void) {
  return live;
}

void support_fail_allocation(long nth) {
  countdown = nth;
}

void support_watchdog(void) {
  (void)alarm(300);
}

/* ---- peers ---- */

static socklen_t address_of(struct sockaddr_storage *out, const char *ip,
                            int port) {
  struct sockaddr_in *in4 = (struct sockaddr_in *)(void *)out;
  struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)out;
  memset(out, 0, sizeof *out);
  if (strchr(ip, ':') != NULL) {
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons((uint16_t)port);
    assert_int_equal(inet_pton(AF_INET6, ip, &in6->sin6_addr), 1);
    return sizeof *in6;
  }
  in4->sin_family = AF_INET;
  in4->sin_port = htons((uint16_t)port);
  assert_int_equal(inet_pton(AF_INET, ip, &in4->sin_addr), 1);
  return sizeof *in4;
}

static int bound(const char *ip, int *port) {
  struct sockaddr_storage a;
  socklen_t len = address_of(&a, ip, *port);
  int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  assert_true(fd >= 0);
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
  *port = ntohs(a.ss_family == AF_INET6
                  ? ((struct sockaddr_in6 *)(void *)&a)->sin6_port
                  : ((struct sockaddr_in *)(void *)&a)->sin_port);
  return fd;
}

int support_refusing(const char *ip, int *port) {
  return bound(ip, port);
}

int support_listen(const char *ip, int backlog, int *port) {
  int fd = bound(ip, port);
  assert_int_equal(listen(fd, backlog), 0);
  return fd;
}

int support_connect(const char *ip, int port) {
  struct sockaddr_storage a;
  socklen_t len = address_of(&a, ip, port);
  int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&a, len), 0);
  return fd;
}

static void *peer_main(void *arg) {
  struct peer *p = (struct peer *)arg;
  int fd = accept(p->listener, NULL, NULL);
  if (fd >= 0) {
    p->serve(fd, p->arg);
    (void)close(fd);
  }
  return NULL;
}

void peer_start(struct peer *p, const char *ip,
                void (*serve)(int fd, void *arg), void *arg) {
  p->port = 0;
  p->listener = support_listen(ip, 8, &p->port);
  p->serve = serve;
  p->arg = arg;
  assert_int_equal(pthread_create(&p->thread, NULL, peer_main, p), 0);
}

void peer_join(struct peer *p) {
  assert_int_equal(pthread_join(p->thread, NULL), 0);
  (void)close(p->listener);
}

void peer_write(int fd, const void *data, size_t n) {
  const uint8_t *p = (const uint8_t *)data;
  while (n > 0) {
    ssize_t took = send(fd, p, n, MSG_NOSIGNAL);
    if (took < 0 && errno == EINTR)
      continue;
    if (took < 0)
      return; /* the test sees what is missing */
    p += took;
    n -= (size_t)took;
  }
}

size_t peer_read(int fd, void *data, size_t n) {
  uint8_t *p = (uint8_t *)data;
  size_t got = 0;
  while (got < n) {
    ssize_t k = recv(fd, p + got, n - got, 0);
    if (k < 0 && errno == EINTR)
      continue;
    if (k <= 0)
      break;
    got += (size_t)k;
  }
  return got;
}

void peer_reset(int fd) {
  struct linger hard = {1, 0};
  (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

/* ---- our side ---- */

static void on_read(void *ctx, uint8_t *data, size_t n) {
  struct diary *d = (struct diary *)ctx;
  assert_false(d->inside);
  assert_int_equal(d->ends, 0);
  assert_int_equal(d->closes, 0);
  assert_true(n > 0 && n <= DIARY_BYTES - d->size);
  memcpy(d->data + d->size, data, n);
  memset(data, 0xdb, n); /* it is ours to change */
  d->size += n;
  d->reads++;
  if (d->on_read != NULL)
    d->on_read(d);
}

static void on_end(void *ctx, int uv_err) {
  struct diary *d = (struct diary *)ctx;
  assert_false(d->inside);
  assert_int_equal(d->closes, 0);
  assert_true(uv_err <= 0);
  d->end_err = uv_err;
  d->ends++;
}

static void on_written(void *ctx, int uv_err) {
  struct diary *d = (struct diary *)ctx;
  assert_false(d->inside);
  assert_int_equal(d->closes, 0);
  d->write_err = uv_err;
  d->writes++;
  if (d->on_written != NULL)
    d->on_written(d);
}

static void on_closed(void *ctx) {
  struct diary *d = (struct diary *)ctx;
  assert_false(d->inside);
  d->stream = NULL;
  d->closes++;
  if (d->on_closed != NULL)
    d->on_closed(d);
}

const struct net_stream_ops diary_stream_ops = {
  on_read, on_end, on_written, on_closed
};

static void on_dial_done(void *ctx, struct net_stream *s,
                         struct base_error *err) {
  struct diary *d = (struct diary *)ctx;
  assert_false(d->inside);
  assert_int_equal(d->dials, 0);
  assert_int_equal(d->dials_closed, 0);
  assert_true((s == NULL) != (err == NULL));
  d->dials++;
  d->stream = s;
  d->err = err;
  if (s != NULL)
    net_stream_attach(s, &diary_stream_ops, d);
  if (d->on_dial != NULL)
    d->on_dial(d);
}

static void on_dial_closed(void *ctx) {
  struct diary *d = (struct diary *)ctx;
  assert_false(d->inside);
  d->dial = NULL;
  d->dials_closed++;
  if (d->on_dial_closed != NULL)
    d->on_dial_closed(d);
}

const struct net_dial_ops diary_dial_ops = {on_dial_done, on_dial_closed};

void diary_init(struct diary *d, struct net_loop *loop) {
  memset(d, 0, sizeof *d);
  d->loop = loop;
  d->data = (uint8_t *)malloc(DIARY_BYTES);
  assert_non_null(d->data);
}

void diary_deinit(struct diary *d) {
  base_error_free(d->err);
  d->err = NULL;
  free(d->data);
  d->data = NULL;
}

void diary_dial(struct diary *d, const char *host, int port,
                const struct net_proxy *proxy) {
  struct net_dial_conf conf;
  char copy[300];
  (void)strncpy(copy, host, sizeof copy - 1);
  copy[sizeof copy - 1] = '\0';
  conf.path = NULL;
  conf.host = copy;
  conf.port = (uint16_t)port;
  conf.proxy = proxy;
  d->inside = true;
  assert_int_equal(
    net_dial_start(&d->dial, d->loop, &conf, &diary_dial_ops, d), 0);
  memset(copy, 'x', sizeof copy); /* it was to be copied */
  d->inside = false;
}

void run_until(struct net_loop *loop, const int *counter, int n) {
  while (*counter < n)
    net_loop_run(loop, NET_RUN_ONCE);
}

void run_until_bytes(struct diary *d, size_t n) {
  while (d->size < n && d->ends == 0)
    net_loop_run(d->loop, NET_RUN_ONCE);
  assert_int_equal(d->size, n);
}

void diary_close(struct diary *d) {
  if (d->stream != NULL) {
    d->inside = true;
    net_stream_close(d->stream);
    net_stream_close(d->stream); /* does no harm */
    d->inside = false;
    run_until(d->loop, &d->closes, 1);
  }
  assert_int_equal(d->closes, 1);
}

void diary_open(struct diary *d, struct net_loop *loop, struct peer *p,
                void (*serve)(int fd, void *arg), void *arg) {
  diary_init(d, loop);
  peer_start(p, "127.0.0.1", serve, arg);
  diary_dial(d, "127.0.0.1", p->port, NULL);
  run_until(loop, &d->dials_closed, 1);
  assert_null(d->err);
  assert_non_null(d->stream);
}

const char *error_text_of(const struct base_error *e, const char *field) {
  const struct base_field *f = base_error_field(e, field);
  return f != NULL && f->type == BASE_FIELD_TEXT ? f->text : "";
}
