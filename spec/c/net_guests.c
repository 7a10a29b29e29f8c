#include "net_guests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void on_read(void *ctx, uint8_t *data, size_t n) {
  struct guests *g = (struct guests *)ctx;
  g->reads += (int)n;
  g->last = (char)data[n - 1];
}

static void on_end(void *ctx, int uv_err) {
  (void)ctx;
  (void)uv_err;
}

static void on_gone(void *ctx) {
  struct guests *g = (struct guests *)ctx;
  assert_false(g->inside);
  g->gone++;
}

static const struct net_stream_ops stream_ops = {
  on_read, on_end, on_end, on_gone
};

static void on_stream(void *ctx, struct net_stream *s) {
  struct guests *g = (struct guests *)ctx;
  assert_false(g->inside);
  assert_int_equal(g->closed, 0);
  assert_true(g->count < GUESTS);
  g->streams[g->count++] = s;
  net_stream_attach(s, &stream_ops, g);
  assert_int_equal(net_stream_read_start(s), 0);
  if (g->on_stream != NULL)
    g->on_stream(g);
}

static void on_closed(void *ctx) {
  struct guests *g = (struct guests *)ctx;
  assert_false(g->inside);
  assert_int_equal(g->closed, 0);
  g->listener = NULL;
  g->closed++;
}

const struct net_listener_ops guests_ops = {on_stream, on_closed};

void guests_init(struct guests *g, struct net_loop *loop) {
  memset(g, 0, sizeof *g);
  g->loop = loop;
}

bool guests_listen(struct guests *g, const struct net_listen_conf *conf) {
  base_error_free(g->err);
  g->inside = true;
  g->err = net_listener_new(&g->listener, g->loop, conf, &guests_ops, g);
  g->inside = false;
  if (g->err != NULL) {
    g->listener = NULL;
    return false;
  }
  net_listener_address(g->listener, g->ip, &g->port);
  return true;
}

bool guests_listen_on(struct guests *g, const char *host, int port) {
  struct net_listen_conf conf;
  memset(&conf, 0, sizeof conf);
  conf.host = host;
  conf.port = (uint16_t)port;
  conf.backlog = 511;
  return guests_listen(g, &conf);
}

bool guests_listen_at(struct guests *g, const char *path) {
  struct net_listen_conf conf;
  memset(&conf, 0, sizeof conf);
  conf.path = path;
  conf.backlog = 16;
  return guests_listen(g, &conf);
}

void guests_wait(struct guests *g, int count) {
  run_until(g->loop, &g->count, count);
  assert_int_equal(g->count, count);
}

void guests_last(struct guests *g, char ip[64], int *port) {
  assert_true(g->count > 0);
  net_stream_peer(g->streams[g->count - 1], ip, port);
}

void guests_leave(struct guests *g) {
  g->inside = true;
  for (; g->left < g->count; g->left++)
    net_stream_close(g->streams[g->left]);
  if (g->listener != NULL) {
    net_listener_close(g->listener);
    net_listener_close(g->listener); /* does no harm */
  }
  g->inside = false;
  while (g->listener != NULL)
    net_loop_run(g->loop, NET_RUN_ONCE);
  run_until(g->loop, &g->gone, g->count);
  base_error_free(g->err);
  g->err = NULL;
}

void guests_assert_error(struct guests *g, const char *kind,
                         const char *code, const char *address) {
  assert_non_null(g->err);
  assert_string_equal(base_kind_name(g->err->kind), kind);
  assert_string_equal(g->err->code, code);
  assert_string_equal(error_text_of(g->err, "address"), address);
}
