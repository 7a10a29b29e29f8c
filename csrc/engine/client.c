#include "engine/client.h"

#include <string.h>

#include "base/mem.h"
#include "engine/socket_impl.h"
#include "net/timer.h"

struct engine_client {
  struct engine_socket socket; /* first */
  struct engine_client_conf conf;
  struct net_timer *timer;   /* of the wait, and to end outside of a call */
  struct ws_request request; /* points into 'conf' */
  struct ws_url url;         /* in use: the conf's, or where it redirected */
  bool redirected;
  unsigned redirects;        /* followed since the last open */
  unsigned attempt;
  bool failed;               /* no connection could be begun */
  bool again;                /* the user wants it dialled anew, at once */
};

static struct engine_client *client_of(struct engine_socket *s) {
  return (struct engine_client *)(void *)s;
}

/* ---- options ------------------------------------------------------------ */

void engine_client_conf_deinit(struct engine_client_conf *conf) {
  ws_url_deinit(&conf->url);
  engine_strings_deinit(&conf->subprotocols);
  engine_strings_deinit(&conf->headers);
  base_free(conf->origin);
  net_proxy_deinit(&conf->proxy);
  tls_context_unref(conf->tls);
  base_error_free(conf->tls_error);
  memset(conf, 0, sizeof *conf);
}

/* ---- the end ------------------------------------------------------------ */

static void drop_timer(struct engine_socket *s) {
  struct engine_client *c = client_of(s);
  net_timer_free(c->timer); /* engine_free may come before the end */
  c->timer = NULL;
}

static void free_all(struct engine_socket *s) {
  struct engine_client *c = client_of(s);
  drop_timer(s);
  if (c->redirected)
    ws_url_deinit(&c->url);
  base_free((void *)c->request.headers);
  engine_client_conf_deinit(&c->conf);
  engine_socket_deinit(s);
  base_free(c);
}

static void finish(struct engine_client *c) {
  drop_timer(&c->socket);
  engine_socket_over(&c->socket);
}

/* Outside of the user's call. */
static void on_idle(struct engine_socket *s, struct base_error *err) {
  engine_socket_set_end(s, err);
  net_timer_start(client_of(s)->timer, 0);
}

/* ---- dialling ----------------------------------------------------------- */

static void dial(struct engine_client *c) {
  struct engine_socket *s = &c->socket;
  struct engine_conn_conf conf;
  memset(&conf, 0, sizeof conf);
  s->state = ENGINE_CONNECTING;
  c->attempt++;
  c->again = false;
  c->request.url = &c->url;
  conf.limits = s->limits;
  conf.queue = &s->queue;
  conf.stats = &s->stats;
  conf.request = &c->request;
  if (c->conf.proxy.type != NET_PROXY_NONE)
    conf.proxy = &c->conf.proxy;
  conf.tls = c->url.secure ? c->conf.tls : NULL;
  conf.ticket = s->ticket;
  conf.trace = c->conf.trace;
  conf.ask = c->conf.ask;
  if (c->conf.deflate.on)
    conf.deflate = &c->conf.deflate;
  if (engine_conn_dial(&s->conn, s->engine, &conf, &engine_socket_conn_ops,
                       s) != 0) {
    engine_socket_set_end(s, base_error_from(BASE_ERR_MEMORY));
    c->failed = true; /* told outside of this call */
    net_timer_start(c->timer, 0);
    return;
  }
  engine_conn_set_taking(s->conn, s->taking);
  engine_conn_set_fragments(s->conn, s->fragments);
  engine_conn_set_paused(s->conn, s->paused);
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
  struct engine_socket *s = &c->socket;
  double delay;
  if (c->conf.drop && !s->closing && !c->again)
    engine_queue_drop(&s->queue); /* the user may want another end */
  net_timer_stop(c->timer);
  if (s->closing) {
    finish(c);
    return;
  }
  forget_redirects(c);
  if (c->again) {
    dial(c);
    return;
  }
  s->state = ENGINE_WAITING;
  delay = s->owner != NULL ? s->ops->on_down(s->owner, &s->end) : -1;
  if (s->state != ENGINE_WAITING) {
    return; /* the policy's user took another way */
  } else if (delay < 0) {
    finish(c);
  } else {
    wait_ms(c, delay * 1000.0);
  }
}

static void on_timer(void *ctx) {
  struct engine_client *c = (struct engine_client *)ctx;
  if (c->socket.closing) {
    finish(c);
  } else if (c->failed) {
    c->failed = false;
    down(c);
  } else if (c->url.secure && c->conf.tls == NULL) {
    engine_socket_set_end(&c->socket, c->conf.tls_error);
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
  base_error_free(c->socket.end.err);
  c->socket.end.err = err;
}

/* True: another URL is to be dialled. A redirect never leaves TLS, and the
** user's headers, which may be secrets, never leave the origin. */
static bool redirect(struct engine_client *c) {
  struct ws_url url;
  const char *to;
  if (!is_redirect(&c->socket.end) || c->redirects >= c->conf.redirects)
    return false;
  to = location(c->socket.end.err);
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
    tls_ticket_unref(c->socket.ticket);
    c->socket.ticket = NULL;
  }
  if (c->redirected)
    ws_url_deinit(&c->url);
  c->url = url;
  c->redirected = true;
  c->redirects++;
  return true;
}

/* ---- what the connection says -------------------------------------------- */

static void on_open(struct engine_socket *s, const char *subprotocol) {
  struct engine_client *c = client_of(s);
  struct engine_open info;
  c->redirects = 0;
  if (!engine_socket_opened(s, subprotocol)) {
    engine_conn_terminate(s->conn, base_error_from(BASE_ERR_MEMORY));
    return;
  }
  info.attempt = c->attempt;
  info.resumed = s->peer != NULL && tls_peer_resumed(s->peer);
  info.subprotocol = s->subprotocol;
  if (s->owner != NULL && !s->closing)
    s->ops->on_open(s->owner, &info);
}

/* Whatever the user wanted while messages were settled is decided here. */
static void on_down(struct engine_socket *s) {
  struct engine_client *c = client_of(s);
  net_timer_stop(c->timer);
  if (!s->closing && !c->again && redirect(c)) {
    if (c->url.secure && c->conf.tls == NULL)
      net_timer_start(c->timer, 0); /* says why */
    else
      dial(c);
  } else {
    down(c);
  }
}

static const struct engine_role client_role = {
  false, on_open, NULL, NULL, NULL, on_idle, on_down, drop_timer, free_all
};

/* ---- what the user wants -------------------------------------------------- */

int engine_client_new(struct engine_socket **out, struct engine *e,
                      struct engine_client_conf *conf,
                      const struct engine_socket_ops *ops, void *owner) {
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
  c->conf = *conf; /* ownership moves here, and only here */
  memset(conf, 0, sizeof *conf);
  engine_socket_init(&c->socket, e, &client_role, &c->conf.limits, ops, owner);
  c->url = c->conf.url;
  c->request.headers = pairs;
  c->request.header_count = n;
  c->request.subprotocols = (const char *const *)c->conf.subprotocols.items;
  c->request.subprotocol_count = c->conf.subprotocols.count;
  c->request.origin = c->conf.origin;
  *out = &c->socket;
  if (c->url.secure && c->conf.tls == NULL)
    net_timer_start(c->timer, 0);
  else
    dial(c);
  return 0;
}

bool engine_client_reconnect(struct engine_socket *s) {
  struct engine_client *c = client_of(s);
  if (s->closing || s->state == ENGINE_CLOSED)
    return false;
  c->again = true;
  s->state = ENGINE_CONNECTING;
  if (s->conn != NULL)
    engine_conn_terminate(
      s->conn, base_error_new(BASE_KIND_CLOSED, "local",
                              "the connection was dropped to be made anew"));
  else
    net_timer_start(c->timer, 0);
  return true;
}

unsigned engine_client_reconnects(const struct engine_socket *s) {
  const struct engine_client *c = (const struct engine_client *)(const void *)s;
  return c->attempt > 0 ? c->attempt - 1 : 0;
}

const struct ws_url *engine_client_url(const struct engine_socket *s) {
  const struct engine_client *c = (const struct engine_client *)(const void *)s;
  return &c->url;
}
