#include "engine/client.h"

#include <string.h>

#include "base/mem.h"
#include "net/timer.h"
#include "ws/utf8.h"

struct engine_client {
  struct engine *engine;
  struct engine_client_conf conf;
  const struct engine_client_ops *ops;
  void *owner; /* NULL once detached */
  enum engine_state state;
  struct engine_conn *conn;  /* at most one, ever */
  struct net_timer *timer;   /* of the wait, and to end outside of a call */
  struct engine_queue queue;
  struct engine_stats stats;
  struct ws_request request; /* points into 'conf' */
  struct ws_url url;         /* in use: the conf's, or where it redirected */
  bool redirected;
  unsigned redirects;        /* followed since the last open */
  unsigned attempt, opens;
  struct tls_ticket *ticket;
  struct tls_peer *peer;
  char ip[64];
  int port;
  char *subprotocol;
  struct engine_end end;     /* of the last connection */
  bool taking, paused;
  bool closing;              /* the user wants it to end */
  bool failed;               /* no connection could be begun */
  bool again;                /* the user wants it dialled anew, at once */
};

/* ---- options ------------------------------------------------------------ */

static void strings_deinit(struct engine_strings *s) {
  size_t i;
  for (i = 0; i < s->count; i++)
    base_free(s->items[i]);
  base_free(s->items);
}

void engine_client_conf_deinit(struct engine_client_conf *conf) {
  ws_url_deinit(&conf->url);
  strings_deinit(&conf->subprotocols);
  strings_deinit(&conf->headers);
  base_free(conf->origin);
  net_proxy_deinit(&conf->proxy);
  tls_context_unref(conf->tls);
  base_error_free(conf->tls_error);
  memset(conf, 0, sizeof *conf);
}

/* ---- the end ------------------------------------------------------------ */

static void free_all(struct engine_client *c) {
  net_timer_free(c->timer);
  if (c->redirected)
    ws_url_deinit(&c->url);
  base_free((void *)c->request.headers);
  engine_client_conf_deinit(&c->conf);
  tls_ticket_unref(c->ticket);
  tls_peer_unref(c->peer);
  base_free(c->subprotocol);
  base_error_free(c->end.err);
  base_free(c);
}

static void finish(struct engine_client *c) {
  c->state = ENGINE_CLOSED;
  net_timer_free(c->timer);
  c->timer = NULL;
  c->queue.closed = true;
  c->engine->ledger.connections--;
  engine_queue_drop(&c->queue); /* calls the user, who may never return */
  if (c->owner != NULL)
    c->ops->on_close(c->owner, &c->end);
}

/* ---- dialling ----------------------------------------------------------- */

static const struct engine_conn_ops *conn_ops(void);

static void set_end(struct engine_client *c, struct base_error *err) {
  base_error_free(c->end.err);
  memset(&c->end, 0, sizeof c->end);
  c->end.err = err;
  c->end.code = 1006;
}

static void dial(struct engine_client *c) {
  struct engine_conn_conf conf;
  memset(&conf, 0, sizeof conf);
  c->state = ENGINE_CONNECTING;
  c->attempt++;
  c->again = false;
  c->request.url = &c->url;
  conf.limits = &c->conf.limits;
  conf.queue = &c->queue;
  conf.stats = &c->stats;
  conf.request = &c->request;
  if (c->conf.proxy.type != NET_PROXY_NONE)
    conf.proxy = &c->conf.proxy;
  conf.tls = c->url.secure ? c->conf.tls : NULL;
  conf.ticket = c->ticket;
  conf.trace = c->conf.trace;
  if (engine_conn_dial(&c->conn, c->engine, &conf, conn_ops(),
                       c) != 0) {
    set_end(c, base_error_from(BASE_ERR_MEMORY));
    c->failed = true; /* told outside of this call */
    net_timer_start(c->timer, 0);
    return;
  }
  engine_conn_set_taking(c->conn, c->taking);
  engine_conn_set_paused(c->conn, c->paused);
}

static void wait_ms(struct engine_client *c, double ms) {
  net_timer_start(c->timer, ms < 4e9 ? (uint64_t)(ms + 0.5) : 4000000000u);
}

/* The next attempt begins where the user wanted to go (RFC 9110, 15.4: a
** redirect may lead elsewhere by then). */
static void forget_redirects(struct engine_client *c) {
  if (c->redirected)
    ws_url_deinit(&c->url);
  c->redirected = false;
  c->redirects = 0;
  c->url = c->conf.url;
  c->request.header_count = c->conf.headers.count / 2;
}

/* A connection has gone, or could not be begun: what now? */
static void down(struct engine_client *c) {
  double delay;
  if (c->conf.drop && !c->closing && !c->again)
    engine_queue_drop(&c->queue); /* calls the user, who may want another end */
  net_timer_stop(c->timer);
  if (c->closing) {
    finish(c);
    return;
  }
  forget_redirects(c);
  if (c->again) {
    dial(c);
    return;
  }
  c->state = ENGINE_WAITING;
  delay = c->owner != NULL ? c->ops->on_down(c->owner, &c->end) : -1;
  if (c->state != ENGINE_WAITING) {
    return; /* the policy's user took another way */
  } else if (delay < 0) {
    finish(c);
  } else {
    wait_ms(c, delay * 1000.0);
  }
}

static void on_timer(void *ctx) {
  struct engine_client *c = (struct engine_client *)ctx;
  if (c->closing) {
    finish(c);
  } else if (c->failed) {
    c->failed = false;
    down(c);
  } else if (c->url.secure && c->conf.tls == NULL) {
    set_end(c, c->conf.tls_error);
    c->conf.tls_error = NULL;
    finish(c); /* no waiting mends a missing file or a wrong option */
  } else {
    dial(c);
  }
}

/* ---- redirects (RFC 9110, 15.4) ------------------------------------------ */

static bool is_redirect(const struct engine_end *end) {
  const struct base_field *f;
  int status;
  if (end->err == NULL || end->err->kind != BASE_KIND_UPGRADE)
    return false;
  f = base_error_field(end->err, "status");
  status = f != NULL ? (int)f->number : 0;
  return status == 301 || status == 302 || status == 303 || status == 307 ||
         status == 308;
}

static const char *location(const struct base_error *err) {
  const struct base_field *f = base_error_field(err, "headers");
  const char *p, *end;
  if (f == NULL || f->text == NULL)
    return NULL;
  end = f->text + f->size;
  for (p = f->text; p < end; p += strlen(p) + 1) {
    const char *value = p + strlen(p) + 1;
    if (strcmp(p, "location") == 0)
      return value;
    p = value;
  }
  return NULL;
}

static void refuse_redirect(struct engine_client *c, const char *why) {
  struct base_error *err = base_error_new(
    BASE_KIND_UPGRADE, "redirect", "the server's redirect %s", why);
  base_error_free(c->end.err);
  c->end.err = err;
}

/* True: another URL is to be dialled. A redirect never leaves TLS, and the
** user's headers, which may be secrets, never leave the origin. */
static bool redirect(struct engine_client *c) {
  struct ws_url url;
  const char *to;
  if (!is_redirect(&c->end) || c->redirects >= c->conf.redirects)
    return false;
  to = location(c->end.err);
  if (to == NULL || ws_url_resolve(&url, &c->url, to, strlen(to)) != 0) {
    refuse_redirect(c, "has no usable Location");
    return false;
  }
  if (c->url.secure && !url.secure) {
    ws_url_deinit(&url);
    refuse_redirect(c, "would leave TLS");
    return false;
  }
  if (!ws_url_same_origin(&c->url, &url)) {
    c->request.header_count = 0;
    tls_ticket_unref(c->ticket);
    c->ticket = NULL;
  }
  if (c->redirected)
    ws_url_deinit(&c->url);
  c->url = url;
  c->redirected = true;
  c->redirects++;
  return true;
}

/* ---- what the connection says -------------------------------------------- */

static void on_open(void *owner, const char *subprotocol) {
  struct engine_client *c = (struct engine_client *)owner;
  struct engine_open info;
  if (!c->closing)
    c->state = ENGINE_OPEN;
  c->redirects = 0;
  c->opens++;
  base_free(c->subprotocol);
  c->subprotocol = subprotocol != NULL ? base_strdup(subprotocol) : NULL;
  if (subprotocol != NULL && c->subprotocol == NULL) {
    engine_conn_terminate(c->conn, base_error_from(BASE_ERR_MEMORY));
    return;
  }
  tls_peer_unref(c->peer);
  c->peer = engine_conn_tls_peer(c->conn);
  if (c->peer != NULL)
    c->peer = tls_peer_ref(c->peer);
  engine_conn_address(c->conn, c->ip, &c->port);
  info.attempt = c->attempt;
  info.resumed = c->peer != NULL && tls_peer_resumed(c->peer);
  info.subprotocol = c->subprotocol;
  if (c->owner != NULL && !c->closing)
    c->ops->on_open(c->owner, &info);
}

static void on_message(void *owner, const uint8_t *data, size_t n, bool text) {
  struct engine_client *c = (struct engine_client *)owner;
  if (c->owner != NULL)
    c->ops->on_message(c->owner, data, n, text);
}

static void on_ping(void *owner, const uint8_t *data, size_t n) {
  struct engine_client *c = (struct engine_client *)owner;
  if (c->owner != NULL)
    c->ops->on_ping(c->owner, data, n);
}

static void on_pong(void *owner, const uint8_t *data, size_t n,
                    double seconds) {
  struct engine_client *c = (struct engine_client *)owner;
  if (c->owner != NULL)
    c->ops->on_pong(c->owner, data, n, seconds);
}

static void on_drain(void *owner) {
  struct engine_client *c = (struct engine_client *)owner;
  if (c->owner != NULL)
    c->ops->on_drain(c->owner);
}

static void on_step(void *owner, const struct tls_step *step) {
  struct engine_client *c = (struct engine_client *)owner;
  if (c->owner != NULL)
    c->ops->on_step(c->owner, step);
}

static void on_gone(void *owner, const struct engine_end *end) {
  struct engine_client *c = (struct engine_client *)owner;
  c->conn = NULL;
  base_error_free(c->end.err);
  c->end = *end;
  if (end->ticket != NULL) {
    tls_ticket_unref(c->ticket);
    c->ticket = end->ticket;
    c->end.ticket = NULL;
  }
  if (end->peer != NULL) {
    tls_peer_unref(c->peer);
    c->peer = end->peer;
    c->end.peer = NULL;
  }
  if (end->ip[0] != '\0') {
    memcpy(c->ip, end->ip, sizeof c->ip);
    c->port = end->port;
  }
}

static void on_closed(void *owner) {
  struct engine_client *c = (struct engine_client *)owner;
  if (c->owner == NULL) {
    finish(c);
    free_all(c);
    return;
  }
  /* Whatever the user wanted while messages were settled is decided here. */
  net_timer_stop(c->timer);
  if (!c->closing && !c->again && redirect(c)) {
    if (c->url.secure && c->conf.tls == NULL)
      net_timer_start(c->timer, 0); /* says why */
    else
      dial(c);
  } else {
    down(c);
  }
}

static const struct engine_conn_ops *conn_ops(void) {
  static const struct engine_conn_ops ops = {
    on_open, on_message, on_ping, on_pong,
    on_drain, on_step, on_gone, on_closed
  };
  return &ops;
}

/* ---- what the user wants -------------------------------------------------- */

int engine_client_new(struct engine_client **out, struct engine *e,
                      struct engine_client_conf *conf,
                      const struct engine_client_ops *ops, void *owner) {
  struct engine_client *c;
  struct ws_pair *pairs;
  size_t i, n = conf->headers.count / 2;
  c = (struct engine_client *)base_calloc(1, sizeof *c);
  pairs = (struct ws_pair *)base_calloc(n + 1, sizeof *pairs);
  if (c != NULL)
    c->timer = net_timer_new(e->loop, on_timer, c);
  if (c == NULL || pairs == NULL || c->timer == NULL) {
    if (c != NULL)
      net_timer_free(c->timer);
    base_free(c);
    base_free(pairs);
    return BASE_ERR_MEMORY;
  }
  for (i = 0; i < n; i++) {
    pairs[i].name = conf->headers.items[2 * i];
    pairs[i].value = conf->headers.items[2 * i + 1];
  }
  c->engine = e;
  c->conf = *conf; /* ownership moves here, and only here */
  memset(conf, 0, sizeof *conf);
  c->ops = ops;
  c->owner = owner;
  c->url = c->conf.url;
  c->request.headers = pairs;
  c->request.header_count = n;
  c->request.subprotocols = (const char *const *)c->conf.subprotocols.items;
  c->request.subprotocol_count = c->conf.subprotocols.count;
  c->request.origin = c->conf.origin;
  c->stats.rtt = -1;
  c->end.code = 1006;
  engine_queue_init(&c->queue);
  e->ledger.connections++;
  *out = c;
  if (c->url.secure && c->conf.tls == NULL)
    net_timer_start(c->timer, 0);
  else
    dial(c);
  return 0;
}

/* Before it was open there is nobody to shake hands with. */
static struct base_error *by_user(const char *what) {
  return base_error_new(BASE_KIND_CLOSED, "local", "the connection was %s",
                        what);
}

void engine_client_close(struct engine_client *c, unsigned code,
                         const char *reason, size_t n) {
  if (c->closing || c->state == ENGINE_CLOSED)
    return;
  c->closing = true;
  if (c->conn == NULL) {
    set_end(c, by_user("closed while it waited"));
    net_timer_start(c->timer, 0);
  } else if (c->state == ENGINE_CONNECTING && engine_queue_empty(&c->queue)) {
    engine_conn_terminate(c->conn, by_user("closed before it was open"));
  } else {
    engine_conn_close(c->conn, code, reason, n);
  }
  c->state = ENGINE_CLOSING;
}

void engine_client_terminate(struct engine_client *c) {
  if (c->state == ENGINE_CLOSED)
    return;
  c->closing = true;
  c->state = ENGINE_CLOSING;
  if (c->conn != NULL) {
    engine_conn_terminate(c->conn, by_user("terminated"));
  } else {
    set_end(c, by_user("terminated"));
    net_timer_start(c->timer, 0);
  }
}

bool engine_client_reconnect(struct engine_client *c) {
  if (c->closing || c->state == ENGINE_CLOSED)
    return false;
  c->again = true;
  if (c->conn != NULL) {
    c->state = ENGINE_CONNECTING;
    engine_conn_terminate(c->conn, by_user("dropped to be made anew"));
  } else {
    c->state = ENGINE_CONNECTING;
    net_timer_start(c->timer, 0);
  }
  return true;
}

void engine_client_detach(struct engine_client *c) {
  c->owner = NULL;
  c->closing = true;
  c->again = false;
  net_timer_free(c->timer); /* engine_free may come before on_closed */
  c->timer = NULL;
  if (c->conn != NULL) {
    engine_conn_terminate(c->conn, NULL); /* on_closed frees */
  } else {
    if (c->state != ENGINE_CLOSED)
      finish(c);
    else /* what is left where the user ended the process in a drop */
      engine_queue_drop(&c->queue);
    free_all(c);
  }
}

/* ---- sending ------------------------------------------------------------ */

static struct base_error *refused(const struct engine_client *c, size_t n) {
  struct base_error *err;
  if (c->closing || c->queue.closed)
    return base_error_new(BASE_KIND_CLOSED,
                          c->closing ? "local" : "remote",
                          "the connection is %s",
                          c->state == ENGINE_CLOSED ? "closed" : "closing");
  if (n <= c->conf.limits.max_buffered &&
      c->queue.bytes <= c->conf.limits.max_buffered - n)
    return NULL;
  err = base_error_new(BASE_KIND_LIMIT, "buffered",
                       "%zu bytes wait to be sent; %zu more would exceed "
                       "max_buffered (%zu)",
                       c->queue.bytes, n, c->conf.limits.max_buffered);
  base_error_number(err, "limit", (double)c->conf.limits.max_buffered);
  base_error_number(err, "size", (double)(c->queue.bytes + n));
  return err;
}

static void wake(struct engine_client *c) {
  if (c->queue.bytes > c->conf.limits.high_water)
    c->queue.high = true;
  if (c->conn != NULL)
    engine_conn_wake(c->conn);
}

struct base_error *engine_client_send(struct engine_client *c,
                                      struct engine_item *item) {
  struct base_error *err = refused(c, item->blob.len);
  if (err != NULL)
    return err;
  if (item->opcode == WS_TEXT &&
      !ws_utf8_valid(item->blob.data, item->blob.len))
    return base_error_from(BASE_ERR_UTF8);
  engine_queue_push(&c->queue, item);
  wake(c);
  return NULL;
}

struct base_error *engine_client_stream(struct engine_client *c,
                                        struct engine_stream **out,
                                        uint8_t opcode) {
  struct base_error *err = refused(c, 0);
  if (err != NULL)
    return err;
  *out = engine_queue_open(&c->queue, opcode);
  return *out != NULL ? NULL : base_error_from(BASE_ERR_MEMORY);
}

static struct base_error *broken(void) {
  return base_error_new(BASE_KIND_CLOSED, "local",
                        "the message is finished, or was cut off when its "
                        "connection ended");
}

struct base_error *engine_client_write(struct engine_client *c,
                                       struct engine_stream *s,
                                       struct engine_item *item) {
  struct base_error *err;
  if (s->queue == NULL || s->finished)
    return broken();
  err = refused(c, item->blob.len);
  if (err != NULL)
    return err;
  if (!engine_stream_push(s, item))
    return broken();
  wake(c);
  return NULL;
}

struct base_error *engine_client_finish(struct engine_client *c,
                                        struct engine_stream *s) {
  if (!engine_stream_finish(s))
    return broken();
  wake(c);
  return NULL;
}

/* For finalizers: what follows from it comes from the loop. */
void engine_client_abandon(struct engine_client *c, struct engine_stream *s) {
  engine_stream_disown(s);
  wake(c);
}

struct base_error *engine_client_ping(struct engine_client *c,
                                      const uint8_t *data, size_t n) {
  struct base_error *err = refused(c, 0);
  if (err != NULL)
    return err;
  if (c->conn == NULL || !engine_conn_is_open(c->conn))
    return base_error_new(BASE_KIND_CLOSED, "local",
                          "the connection is not open");
  if (!engine_conn_ping(c->conn, data, n))
    return base_error_new(BASE_KIND_LIMIT, "buffered",
                          "too many pings and pongs wait to be sent");
  return NULL;
}

/* ---- receiving ---------------------------------------------------------- */

void engine_client_set_taking(struct engine_client *c, bool taking) {
  c->taking = taking;
  if (c->conn != NULL)
    engine_conn_set_taking(c->conn, taking);
}

void engine_client_set_paused(struct engine_client *c, bool paused) {
  c->paused = paused;
  if (c->conn != NULL)
    engine_conn_set_paused(c->conn, paused);
}

void engine_client_pump(struct engine_client *c) {
  if (c->conn != NULL)
    engine_conn_pump(c->conn);
}

void engine_client_refuse(struct engine_client *c) {
  if (c->conn != NULL)
    engine_conn_refuse(c->conn);
}

/* ---- small questions ----------------------------------------------------- */

enum engine_state engine_client_state(const struct engine_client *c) {
  if (c->state == ENGINE_OPEN && c->conn != NULL &&
      engine_conn_is_closing(c->conn))
    return ENGINE_CLOSING;
  return c->state;
}

size_t engine_client_buffered(const struct engine_client *c) {
  return c->queue.bytes;
}

const struct engine_stats *engine_client_stats(const struct engine_client *c) {
  return &c->stats;
}

unsigned engine_client_reconnects(const struct engine_client *c) {
  return c->attempt > 0 ? c->attempt - 1 : 0;
}

const char *engine_client_subprotocol(const struct engine_client *c) {
  return c->subprotocol;
}

struct tls_peer *engine_client_tls_peer(const struct engine_client *c) {
  return c->peer;
}

bool engine_client_address(const struct engine_client *c, char ip[64],
                           int *port) {
  if (c->conn != NULL)
    engine_conn_address(c->conn, ip, port);
  else
    ip[0] = '\0';
  if (ip[0] == '\0') {
    memcpy(ip, c->ip, sizeof c->ip);
    *port = c->port;
  }
  return ip[0] != '\0';
}

const struct ws_url *engine_client_url(const struct engine_client *c) {
  return &c->url;
}
