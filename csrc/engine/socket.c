#include "engine/socket_impl.h"

#include <string.h>

#include "base/mem.h"
#include "ws/utf8.h"

void engine_socket_init(struct engine_socket *s, struct engine *e,
                        const struct engine_role *role,
                        const struct engine_limits *limits,
                        const struct engine_socket_ops *ops, void *owner) {
  memset(s, 0, sizeof *s);
  s->role = role;
  s->engine = e;
  s->limits = limits;
  s->ops = ops;
  s->owner = owner;
  s->stats.rtt = -1;
  s->end.code = 1006;
  engine_queue_init(&s->queue);
  e->ledger.connections++;
}

void engine_socket_deinit(struct engine_socket *s) {
  tls_ticket_unref(s->ticket);
  tls_peer_unref(s->peer);
  base_free(s->subprotocol);
  base_error_free(s->end.err);
}

/* ---- the end ------------------------------------------------------------ */

void engine_socket_set_end(struct engine_socket *s, struct base_error *err) {
  base_error_free(s->end.err);
  memset(&s->end, 0, sizeof s->end);
  s->end.err = err;
  s->end.code = 1006;
}

void engine_socket_over(struct engine_socket *s) {
  s->state = ENGINE_CLOSED;
  s->queue.closed = true;
  s->engine->ledger.connections--;
  engine_queue_drop(&s->queue); /* calls the user, who may never return */
  if (s->owner != NULL)
    s->ops->on_close(s->owner, &s->end);
}

/* ---- what the connection says -------------------------------------------- */

bool engine_socket_opened(struct engine_socket *s, const char *subprotocol) {
  if (!s->closing)
    s->state = ENGINE_OPEN;
  base_free(s->subprotocol);
  s->subprotocol = subprotocol != NULL ? base_strdup(subprotocol) : NULL;
  if (subprotocol != NULL && s->subprotocol == NULL)
    return false;
  tls_peer_unref(s->peer);
  s->peer = engine_conn_tls_peer(s->conn);
  if (s->peer != NULL)
    s->peer = tls_peer_ref(s->peer);
  engine_conn_address(s->conn, s->ip, &s->port);
  return true;
}

static void on_open(void *owner, const char *subprotocol) {
  struct engine_socket *s = (struct engine_socket *)owner;
  s->role->on_open(s, subprotocol);
}

static void on_request(void *owner, const struct ws_head *head,
                       const struct ws_ask *ask) {
  struct engine_socket *s = (struct engine_socket *)owner;
  s->role->on_request(s, head, ask);
}

static void on_message(void *owner, const uint8_t *data, size_t n, bool text) {
  struct engine_socket *s = (struct engine_socket *)owner;
  if (s->owner != NULL)
    s->ops->on_message(s->owner, data, n, text);
}

static void on_fragment(void *owner, const uint8_t *data, size_t n, bool text,
                        bool last) {
  struct engine_socket *s = (struct engine_socket *)owner;
  if (s->owner != NULL)
    s->ops->on_fragment(s->owner, data, n, text, last);
}

static void on_ping(void *owner, const uint8_t *data, size_t n) {
  struct engine_socket *s = (struct engine_socket *)owner;
  if (s->owner != NULL)
    s->ops->on_ping(s->owner, data, n);
}

static void on_pong(void *owner, const uint8_t *data, size_t n,
                    double seconds) {
  struct engine_socket *s = (struct engine_socket *)owner;
  if (s->owner != NULL)
    s->ops->on_pong(s->owner, data, n, seconds);
}

static void on_drain(void *owner) {
  struct engine_socket *s = (struct engine_socket *)owner;
  if (s->role->on_drain != NULL)
    s->role->on_drain(s);
  if (s->owner != NULL)
    s->ops->on_drain(s->owner);
}

static void on_step(void *owner, const struct tls_step *step) {
  struct engine_socket *s = (struct engine_socket *)owner;
  if (s->role->on_step != NULL)
    s->role->on_step(s, step);
  else if (s->owner != NULL)
    s->ops->on_step(s->owner, step);
}

static bool on_verify(void *owner, struct tls_peer *peer,
                      const struct base_error *err) {
  struct engine_socket *s = (struct engine_socket *)owner;
  return s->owner != NULL && s->ops->on_verify(s->owner, peer, err);
}

static void on_gone(void *owner, const struct engine_end *end) {
  struct engine_socket *s = (struct engine_socket *)owner;
  s->conn = NULL;
  base_error_free(s->end.err);
  s->end = *end;
  if (end->ticket != NULL) {
    tls_ticket_unref(s->ticket);
    s->ticket = end->ticket;
    s->end.ticket = NULL;
  }
  if (end->peer != NULL) {
    tls_peer_unref(s->peer);
    s->peer = end->peer;
    s->end.peer = NULL;
  }
  if (end->ip[0] != '\0') {
    memcpy(s->ip, end->ip, sizeof s->ip);
    s->port = end->port;
  }
}

static void on_closed(void *owner) {
  struct engine_socket *s = (struct engine_socket *)owner;
  if (s->owner == NULL) {
    engine_socket_over(s);
    s->role->on_free(s);
  } else {
    s->role->on_down(s);
  }
}

const struct engine_conn_ops engine_socket_conn_ops = {
  on_open, on_request, on_message, on_fragment, on_ping, on_pong,
  on_drain, on_step, on_verify, on_gone, on_closed
};

/* ---- what the user wants -------------------------------------------------- */

/* Before it was open there is nobody to shake hands with. */
static struct base_error *by_user(const char *what) {
  return base_error_new(BASE_KIND_CLOSED, "local", "the connection was %s",
                        what);
}

void engine_socket_close(struct engine_socket *s, unsigned code,
                         const char *reason, size_t n) {
  if (s->closing || s->state == ENGINE_CLOSED)
    return;
  s->closing = true;
  if (s->conn == NULL)
    s->role->on_idle(s, by_user("closed while it waited"));
  else if (s->state == ENGINE_CONNECTING && engine_queue_empty(&s->queue))
    engine_conn_terminate(s->conn, by_user("closed before it was open"));
  else
    engine_conn_close(s->conn, code, reason, n);
  s->state = ENGINE_CLOSING;
}

void engine_socket_terminate(struct engine_socket *s) {
  if (s->state == ENGINE_CLOSED)
    return;
  s->closing = true;
  s->state = ENGINE_CLOSING;
  if (s->conn != NULL)
    engine_conn_terminate(s->conn, by_user("terminated"));
  else
    s->role->on_idle(s, by_user("terminated"));
}

void engine_socket_detach(struct engine_socket *s) {
  s->owner = NULL;
  s->closing = true;
  if (s->role->on_detach != NULL)
    s->role->on_detach(s);
  if (s->conn != NULL) {
    engine_conn_abandon(s->conn); /* on_closed frees */
    return;
  }
  if (s->state != ENGINE_CLOSED)
    engine_socket_over(s);
  else /* what is left where the user ended the process in a drop */
    engine_queue_drop(&s->queue);
  s->role->on_free(s);
}

/* ---- sending ------------------------------------------------------------ */

static struct base_error *refused(const struct engine_socket *s, size_t n) {
  struct base_error *err;
  if (s->closing || s->queue.closed ||
      (s->role->single && s->conn != NULL && engine_conn_is_closing(s->conn)))
    return base_error_new(BASE_KIND_CLOSED,
                          s->closing ? "local" : "remote",
                          "the connection is %s",
                          s->state == ENGINE_CLOSED ? "closed" : "closing");
  if (n <= s->limits->max_buffered &&
      s->queue.bytes <= s->limits->max_buffered - n)
    return NULL;
  err = base_error_new(BASE_KIND_LIMIT, "buffered",
                       "%zu bytes wait to be sent; %zu more would exceed "
                       "max_buffered (%zu)",
                       s->queue.bytes, n, s->limits->max_buffered);
  base_error_number(err, "limit", (double)s->limits->max_buffered);
  base_error_number(err, "size", (double)(s->queue.bytes + n));
  return err;
}

static void wake(struct engine_socket *s) {
  if (s->queue.bytes > s->limits->high_water)
    s->queue.high = true;
  if (s->conn != NULL)
    engine_conn_wake(s->conn);
}

void engine_socket_push(struct engine_socket *s, struct engine_item *item) {
  engine_queue_push(&s->queue, item);
  wake(s);
}

struct base_error *engine_socket_send(struct engine_socket *s,
                                      struct engine_item *item) {
  struct base_error *err = refused(s, item->blob.len);
  if (err != NULL)
    return err;
  if (item->opcode == WS_TEXT &&
      !ws_utf8_valid(item->blob.data, item->blob.len))
    return base_error_from(BASE_ERR_UTF8);
  engine_socket_push(s, item);
  return NULL;
}

struct base_error *engine_socket_stream(struct engine_socket *s,
                                        struct engine_stream **out,
                                        uint8_t opcode) {
  struct base_error *err = refused(s, 0);
  if (err != NULL)
    return err;
  *out = engine_queue_open(&s->queue, opcode);
  return *out != NULL ? NULL : base_error_from(BASE_ERR_MEMORY);
}

static struct base_error *broken(void) {
  return base_error_new(BASE_KIND_CLOSED, "local",
                        "the message is finished, or was cut off when its "
                        "connection ended");
}

struct base_error *engine_socket_write(struct engine_socket *s,
                                       struct engine_stream *stream,
                                       struct engine_item *item) {
  struct base_error *err;
  if (stream->queue == NULL || stream->finished)
    return broken();
  err = refused(s, item->blob.len);
  if (err != NULL)
    return err;
  if (!engine_stream_push(stream, item))
    return broken();
  wake(s);
  return NULL;
}

struct base_error *engine_socket_finish(struct engine_socket *s,
                                        struct engine_stream *stream) {
  if (!engine_stream_finish(stream))
    return broken();
  wake(s);
  return NULL;
}

/* For finalizers: what follows from it comes from the loop. */
void engine_socket_abandon(struct engine_socket *s,
                           struct engine_stream *stream) {
  engine_stream_disown(stream);
  wake(s);
}

struct base_error *engine_socket_ping(struct engine_socket *s,
                                      const uint8_t *data, size_t n) {
  struct base_error *err = refused(s, 0);
  if (err != NULL)
    return err;
  if (s->conn == NULL || !engine_conn_is_open(s->conn))
    return base_error_new(BASE_KIND_CLOSED, "local",
                          "the connection is not open");
  if (!engine_conn_ping(s->conn, data, n))
    return base_error_new(BASE_KIND_LIMIT, "buffered",
                          "too many pings and pongs wait to be sent");
  return NULL;
}

/* ---- receiving ---------------------------------------------------------- */

void engine_socket_set_taking(struct engine_socket *s, bool taking) {
  s->taking = taking;
  if (s->conn != NULL)
    engine_conn_set_taking(s->conn, taking);
}

void engine_socket_set_fragments(struct engine_socket *s, bool fragments) {
  s->fragments = fragments;
  if (s->conn != NULL)
    engine_conn_set_fragments(s->conn, fragments);
}

void engine_socket_set_paused(struct engine_socket *s, bool paused) {
  s->paused = paused;
  if (s->conn != NULL)
    engine_conn_set_paused(s->conn, paused);
}

void engine_socket_pump(struct engine_socket *s) {
  if (s->conn != NULL)
    engine_conn_pump(s->conn);
}

void engine_socket_refuse(struct engine_socket *s) {
  if (s->conn != NULL)
    engine_conn_refuse(s->conn);
}

/* ---- small questions ----------------------------------------------------- */

enum engine_state engine_socket_state(const struct engine_socket *s) {
  if (s->state == ENGINE_OPEN && s->conn != NULL &&
      engine_conn_is_closing(s->conn))
    return ENGINE_CLOSING;
  return s->state;
}

size_t engine_socket_buffered(const struct engine_socket *s) {
  return s->queue.bytes;
}

const struct engine_stats *engine_socket_stats(const struct engine_socket *s) {
  return &s->stats;
}

const char *engine_socket_subprotocol(const struct engine_socket *s) {
  return s->subprotocol;
}

struct tls_peer *engine_socket_tls_peer(const struct engine_socket *s) {
  return s->peer;
}

bool engine_socket_address(const struct engine_socket *s, char ip[64],
                           int *port) {
  if (s->conn != NULL)
    engine_conn_address(s->conn, ip, port);
  else
    ip[0] = '\0';
  if (ip[0] == '\0') {
    memcpy(ip, s->ip, sizeof s->ip);
    *port = s->port;
  }
  return ip[0] != '\0';
}
