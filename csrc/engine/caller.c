/*
** One that was accepted: its requests until it is upgraded, a socket after
** that.
*/
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "engine/server_impl.h"
#include "ws/ascii.h"

static struct engine_caller *caller_of(struct engine_socket *s) {
  return (struct engine_caller *)(void *)s;
}

struct engine_caller *engine_caller_of(struct engine_socket *s) {
  return caller_of(s);
}

/* ---- leaving ------------------------------------------------------------- */

void caller_add_traffic(struct engine_stats *sum,
                        const struct engine_stats *s) {
  sum->bytes_in += s->bytes_in;
  sum->bytes_out += s->bytes_out;
  sum->messages_in += s->messages_in;
  sum->messages_out += s->messages_out;
  sum->frames_in += s->frames_in;
  sum->frames_out += s->frames_out;
  sum->pings_in += s->pings_in;
  sum->pings_out += s->pings_out;
}

static void unlist(struct engine_caller *c) {
  struct engine_server *s = c->server;
  engine_topics_leave(&s->topics, &c->subscriber);
  caller_add_traffic(&s->stats.traffic, &c->socket.stats);
  *c->at = c->next;
  if (c->next != NULL)
    c->next->at = c->at;
  s->count--;
  if (c->open)
    s->opened--;
  c->open = false;
  c->server = NULL;
}

/* What there is to tell the server's owner once the caller is gone. */
struct farewell {
  struct engine_server *server; /* NULL: it had left before */
  void *exchange;
  bool refused, was_high;
};

/* The end moves to the server, for as long as it is told. */
static struct farewell leave(struct engine_caller *c) {
  struct engine_server *s = c->server;
  struct farewell f;
  f.server = s;
  f.exchange = c->exchange;
  f.was_high = c->socket.queue.high;
  f.refused = !c->open && c->socket.end.err != NULL;
  c->exchange = NULL;
  if (s == NULL)
    return f;
  unlist(c);
  if (f.refused) {
    base_error_free(s->refused.err);
    s->refused = c->socket.end;
    c->socket.end.err = NULL;
    s->stats.refused++;
  }
  return f;
}

/* Any of these may never return. */
static void say(const struct farewell *f) {
  struct engine_server *s = f->server;
  if (s == NULL)
    return;
  if (s->owner != NULL && f->exchange != NULL)
    s->ops->on_left(s->owner, f->exchange);
  if (s->owner != NULL && f->refused)
    s->ops->on_refused(s->owner, &s->refused);
  if (s->owner != NULL && f->was_high)
    s->ops->on_room(s->owner);
  server_closed_maybe(s);
}

/* Telling the socket's owner may free it. */
static void on_down(struct engine_socket *s) {
  struct farewell f = leave(caller_of(s));
  engine_socket_over(s);
  say(&f);
}

static void on_free(struct engine_socket *s) {
  struct engine_caller *c = caller_of(s);
  struct farewell f = leave(c);
  tls_context_unref(c->tls);
  engine_socket_deinit(s);
  base_free(c);
  say(&f);
}

/* Its connection is gone already, and on_down is about to say so. */
static void on_idle(struct engine_socket *s, struct base_error *err) {
  (void)s;
  base_error_free(err);
}

/* ---- requests ------------------------------------------------------------ */

/* RFC 6455, 10.2. Only browsers send an Origin. */
static bool origin_allowed(const struct engine_server_conf *conf,
                           const char *origin) {
  size_t i;
  if (!conf->check_origin || origin == NULL)
    return true;
  for (i = 0; i < conf->origins.count; i++)
    if (ws_ascii_same(origin, strlen(origin), conf->origins.items[i]))
      return true;
  return false;
}

static void on_open(struct engine_socket *s, const char *subprotocol) {
  struct engine_open info;
  (void)subprotocol;
  info.attempt = 1;
  info.resumed = s->peer != NULL && tls_peer_resumed(s->peer);
  info.subprotocol = s->subprotocol;
  if (s->owner != NULL)
    s->ops->on_open(s->owner, &info);
}

static void on_request(struct engine_socket *s, const struct ws_head *head,
                       const struct ws_ask *ask) {
  struct engine_caller *c = caller_of(s);
  struct engine_server *server = c->server;
  server->stats.requests++;
  if (server->closing)
    engine_conn_turn_away(s->conn, 503, "the server is closing");
  else if (c->surplus)
    engine_conn_turn_away(s->conn, 503, "the server has as many connections "
                                        "as it takes (max_connections)");
  else if (ask->upgrade && !origin_allowed(&server->conf, ask->origin))
    engine_conn_turn_away(s->conn, 403, "this Origin is not allowed here");
  else if (server->owner != NULL)
    server->ops->on_request(server->owner, c, head, ask);
}

static void on_step(struct engine_socket *s, const struct tls_step *step) {
  struct engine_caller *c = caller_of(s);
  struct engine_server *server = c->server;
  if (c->since <= 0)
    c->since = step->at;
  if (server->owner != NULL)
    server->ops->on_step(server->owner, step, c->since);
}

static void on_drain(struct engine_socket *s) {
  struct engine_server *server = caller_of(s)->server;
  if (server->owner != NULL)
    server->ops->on_room(server->owner);
}

/* ---- accepting ----------------------------------------------------------- */

static const struct engine_role caller_role = {
  true, on_open, on_request, on_step, on_drain, on_idle, on_down, NULL,
  on_free
};

static void enlist(struct engine_server *s, struct engine_caller *c) {
  c->server = s;
  c->next = s->callers;
  c->at = &s->callers;
  if (c->next != NULL)
    c->next->at = &c->next;
  s->callers = c;
  s->count++;
}

/* So many more than max_connections hear a 503; the rest nothing. */
static bool too_many(const struct engine_server *s) {
  size_t max = s->conf.max_connections;
  return max != 0 && s->count >= max && s->count - max >= 64 + max / 8;
}

void caller_accept(struct engine_server *s, struct net_stream *stream) {
  struct engine_conn_conf conf;
  struct engine_caller *c = NULL;
  s->stats.accepted++;
  if (!too_many(s))
    c = (struct engine_caller *)base_calloc(1, sizeof *c);
  if (c == NULL) {
    s->stats.turned_away++;
    net_stream_close(stream);
    return;
  }
  engine_socket_init(&c->socket, s->engine, &caller_role, &s->conf.limits,
                     NULL, NULL);
  c->surplus = s->conf.max_connections != 0 &&
               s->count >= s->conf.max_connections;
  if (s->conf.tls != NULL)
    c->tls = tls_context_ref(s->conf.tls);
  enlist(s, c);
  memset(&conf, 0, sizeof conf);
  conf.limits = &s->conf.limits;
  conf.queue = &c->socket.queue;
  conf.stats = &c->socket.stats;
  conf.tls = c->tls;
  conf.trace = s->conf.trace;
  if (s->conf.deflate.on)
    conf.deflate = &s->conf.deflate;
  if (engine_conn_accept(&c->socket.conn, s->engine, stream, &conf,
                         &engine_socket_conn_ops, &c->socket) != 0) {
    s->stats.turned_away++;
    net_stream_close(stream);
    engine_socket_detach(&c->socket);
  }
}

/* ---- what the user decides ----------------------------------------------- */

void engine_caller_set_exchange(struct engine_caller *c, void *exchange) {
  c->exchange = exchange;
}

void *engine_caller_exchange(const struct engine_caller *c) {
  return c->exchange;
}

bool engine_caller_asks(const struct engine_caller *c) {
  return c->socket.conn != NULL && engine_conn_asks(c->socket.conn);
}

int engine_caller_upgrade(struct engine_caller *c, const struct ws_accept *a,
                          const struct engine_socket_ops *ops, void *owner,
                          struct engine_socket **out) {
  struct engine_socket *s = &c->socket;
  char *subprotocol = NULL;
  int err;
  assert(engine_caller_asks(c));
  if (a->subprotocol != NULL) {
    subprotocol = base_strdup(a->subprotocol);
    if (subprotocol == NULL)
      return BASE_ERR_MEMORY;
  }
  err = engine_conn_upgrade(s->conn, a);
  if (err != 0) {
    base_free(subprotocol);
    return err;
  }
  c->exchange = NULL;
  c->open = true;
  c->server->opened++;
  c->server->stats.upgrades++;
  s->ops = ops;
  s->owner = owner;
  (void)engine_socket_opened(s, NULL);
  s->subprotocol = subprotocol;
  *out = s;
  return 0;
}

int engine_caller_answer(struct engine_caller *c, const struct ws_response *r,
                         struct engine_item *body) {
  int err = engine_conn_answer(c->socket.conn, r, body);
  if (err == 0)
    c->exchange = NULL;
  return err;
}

void engine_caller_turn_away(struct engine_caller *c, int status,
                             const char *why) {
  c->exchange = NULL;
  engine_conn_turn_away(c->socket.conn, status, why);
}

struct tls_peer *engine_caller_tls_peer(const struct engine_caller *c) {
  return engine_conn_tls_peer(c->socket.conn);
}

void engine_caller_address(const struct engine_caller *c, char ip[64],
                           int *port) {
  engine_conn_address(c->socket.conn, ip, port);
}

/* ---- topics -------------------------------------------------------------- */

struct base_error *engine_caller_subscribe(struct engine_caller *c,
                                           const char *topic, size_t n) {
  struct engine_server *s = c->server;
  struct base_error *err;
  int status;
  if (s == NULL || c->socket.closing)
    return base_error_new(BASE_KIND_CLOSED, s == NULL ? "remote" : "local",
                          "the connection is %s",
                          s == NULL ? "closed" : "closing");
  if (c->subscriber.count >= s->conf.max_topics &&
      !engine_topics_subscribed(&s->topics, &c->subscriber, topic, n)) {
    err = base_error_new(BASE_KIND_LIMIT, "topics",
                         "this connection has subscribed to %zu topics "
                         "(max_topics)", c->subscriber.count);
    base_error_number(err, "limit", (double)s->conf.max_topics);
    base_error_number(err, "size", (double)c->subscriber.count + 1);
    return err;
  }
  status = engine_topics_subscribe(&s->topics, &c->subscriber, topic, n);
  return status == 0 ? NULL : base_error_from(status);
}

bool engine_caller_unsubscribe(struct engine_caller *c, const char *topic,
                               size_t n) {
  if (c->server == NULL ||
      !engine_topics_unsubscribe(&c->server->topics, &c->subscriber, topic,
                                 n))
    return false;
  engine_caller_make_room(c);
  return true;
}

void engine_caller_make_room(struct engine_caller *c) {
  if (c->server != NULL && c->server->room != NULL && c->socket.queue.high)
    net_timer_start(c->server->room, 0);
}
