#include "engine/server_impl.h"

#include <string.h>

#include "base/mem.h"

void engine_server_conf_deinit(struct engine_server_conf *conf) {
  ws_url_deinit(&conf->url);
  engine_strings_deinit(&conf->subprotocols);
  engine_strings_deinit(&conf->origins);
  tls_context_unref(conf->tls);
  memset(conf, 0, sizeof *conf);
}

/* ---- the end ------------------------------------------------------------ */

static void free_timers(struct engine_server *s) {
  net_timer_free(s->timer);
  net_timer_free(s->room);
  s->timer = s->room = NULL;
}

static void free_all(struct engine_server *s) {
  free_timers(s);
  engine_topics_deinit(&s->topics);
  engine_server_conf_deinit(&s->conf);
  base_error_free(s->refused.err);
  base_free(s);
}

/* Always from the loop, or from a detach, when there is nobody to tell. */
void server_closed_maybe(struct engine_server *s) {
  if (!s->closing || s->listener != NULL || s->callers != NULL)
    return;
  free_timers(s);
  if (s->owner == NULL) {
    free_all(s);
  } else if (!s->ended) {
    s->ended = true;
    s->engine->ledger.servers--;
    s->ops->on_closed(s->owner);
  }
}

static void terminate_all(struct engine_server *s) {
  struct engine_caller *c;
  for (c = s->callers; c != NULL; c = c->next)
    if (c->open)
      engine_socket_terminate(&c->socket);
    else if (c->socket.conn != NULL)
      engine_conn_terminate(c->socket.conn, NULL);
}

static void on_timer(void *ctx) {
  terminate_all((struct engine_server *)ctx);
}

/* RFC 6455, 7.4.1: 1001, going away. */
static void say_goodbye(struct engine_server *s) {
  struct engine_caller *c;
  for (c = s->callers; c != NULL; c = c->next) {
    if (c->open)
      engine_socket_close(&c->socket, 1001, "", 0);
    else if (engine_caller_asks(c))
      engine_conn_turn_away(c->socket.conn, 503, "the server is closing");
    else if (c->socket.conn != NULL)
      engine_conn_dismiss(c->socket.conn);
  }
}

/* Its counts go with it, before it says that it has gone. */
static void stop_listening(struct engine_server *s) {
  s->closing = true;
  net_listener_close(s->listener);
  s->stats.turned_away += net_listener_stats(s->listener)->turned_away;
}

void engine_server_close(struct engine_server *s, uint32_t grace_ms) {
  uint64_t by;
  if (s->ended)
    return;
  by = net_loop_update_ms(s->engine->loop) + grace_ms;
  if (s->closing && by >= s->close_by)
    return;
  s->close_by = by;
  net_timer_start(s->timer, grace_ms);
  if (s->closing)
    return;
  stop_listening(s);
  say_goodbye(s);
}

bool engine_server_is_closed(const struct engine_server *s) {
  return s->closing;
}

void engine_server_detach(struct engine_server *s) {
  s->owner = NULL;
  free_timers(s); /* engine_free may come before the end */
  if (!s->ended)
    s->engine->ledger.servers--;
  s->ended = true;
  if (!s->closing)
    stop_listening(s);
  terminate_all(s);
  server_closed_maybe(s);
}

/* ---- listening ----------------------------------------------------------- */

static void on_stream(void *ctx, struct net_stream *stream) {
  caller_accept((struct engine_server *)ctx, stream);
}

static void on_closed(void *ctx) {
  struct engine_server *s = (struct engine_server *)ctx;
  s->listener = NULL;
  server_closed_maybe(s);
}

static void on_room(void *ctx) {
  struct engine_server *s = (struct engine_server *)ctx;
  if (s->engine->halted)
    net_timer_start(s->room, 0);
  else
    s->ops->on_room(s->owner);
}

static bool make_timers(struct engine_server *s,
                        const struct engine_server_conf *conf) {
  s->timer = net_timer_new(s->engine->loop, on_timer, s);
  if (s->timer == NULL || conf->slow != ENGINE_SLOW_WAIT)
    return s->timer != NULL;
  s->room = net_timer_new(s->engine->loop, on_room, s);
  return s->room != NULL;
}

static struct base_error *listen_on(struct engine_server *s,
                                    const struct engine_server_conf *conf) {
  static const struct net_listener_ops ops = {on_stream, on_closed};
  struct net_listen_conf where;
  where.host = conf->url.host;
  where.port = conf->url.port;
  where.path = conf->url.path;
  where.backlog = conf->backlog;
  where.reuse_port = conf->reuse_port;
  return net_listener_new(&s->listener, s->engine->loop, &where, &ops, s);
}

struct base_error *engine_server_new(struct engine_server **out,
                                     struct engine *e,
                                     struct engine_server_conf *conf,
                                     const struct engine_server_ops *ops,
                                     void *owner) {
  struct engine_server *s;
  struct base_error *err = NULL;
  uint64_t seed = 0;
  s = (struct engine_server *)base_calloc(1, sizeof *s);
  if (s == NULL)
    return base_error_from(BASE_ERR_MEMORY);
  s->engine = e;
  s->ops = ops;
  s->owner = owner;
  if (!make_timers(s, conf))
    err = base_error_from(BASE_ERR_MEMORY);
  else if (!tls_random((uint8_t *)&seed, sizeof seed))
    err = base_error_new(BASE_KIND_TLS, "random",
                         "the system's random generator failed");
  else
    err = listen_on(s, conf);
  if (err != NULL) {
    free_timers(s);
    base_free(s);
    return err;
  }
  engine_topics_init(&s->topics, seed);
  s->conf = *conf; /* ownership moves here, and only here */
  memset(conf, 0, sizeof *conf);
  e->ledger.servers++;
  *out = s;
  return NULL;
}

/* ---- facts --------------------------------------------------------------- */

void engine_server_set_tls(struct engine_server *s, struct tls_context *tls) {
  struct tls_context *old = s->conf.tls;
  s->conf.tls = tls_context_ref(tls);
  tls_context_unref(old);
}

struct tls_context *engine_server_tls(const struct engine_server *s) {
  return s->conf.tls;
}

const struct engine_server_conf *
engine_server_conf(const struct engine_server *s) {
  return &s->conf;
}

void engine_server_address(const struct engine_server *s, char ip[64],
                           int *port) {
  ip[0] = '\0';
  *port = 0;
  if (s->listener != NULL)
    net_listener_address(s->listener, ip, port);
}

void engine_server_stats(const struct engine_server *s,
                         struct engine_server_stats *out) {
  const struct engine_caller *c;
  *out = s->stats;
  if (!s->closing)
    out->turned_away += net_listener_stats(s->listener)->turned_away;
  for (c = s->callers; c != NULL; c = c->next)
    caller_add_traffic(&out->traffic, &c->socket.stats);
}

size_t engine_server_count(const struct engine_server *s) {
  return s->opened;
}

size_t engine_server_callers(const struct engine_server *s) {
  return s->count;
}

size_t engine_server_topics(const struct engine_server *s) {
  return s->topics.count;
}

size_t engine_server_subscriptions(const struct engine_server *s) {
  return s->topics.subscriptions;
}
