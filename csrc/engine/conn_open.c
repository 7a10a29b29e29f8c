/*
** A connection's beginning: dial, TLS, the opening handshake.
*/
#include "base/mem.h"
#include "engine/connection_impl.h"

bool conn_new_head(struct engine_conn *c, bool is_request) {
  c->head = (struct ws_head *)base_malloc(sizeof *c->head);
  if (c->head == NULL) {
    conn_end(c, base_error_from(BASE_ERR_MEMORY));
    return false;
  }
  ws_head_init(c->head, is_request, c->conf.limits->max_header);
  return true;
}

void conn_free_head(struct engine_conn *c) {
  if (c->head != NULL)
    ws_head_deinit(c->head);
  base_free(c->head);
  c->head = NULL;
}

/* ---- the upgrade (RFC 6455, 4.1) ----------------------------------------- */

bool conn_send_bytes(struct engine_conn *c, const uint8_t *data, size_t n) {
  if (!conn_lend_out(c))
    return false;
  if (c->tls == NULL) {
    if (base_buf_append(&c->out->buf, data, n) == 0)
      return true;
    conn_end(c, base_error_from(BASE_ERR_MEMORY));
    return false;
  }
  if (tls_session_write(c->tls, data, n, false) == TLS_OK)
    return true;
  conn_tls_failed(c);
  return false;
}

static void start_upgrade(struct engine_conn *c) {
  char offer[WS_EXTENSION_SIZE];
  struct base_buf buf;
  uint8_t nonce[16];
  int err;
  c->phase = CONN_UPGRADE;
  if (!conn_new_head(c, false))
    return;
  if (!tls_random(nonce, sizeof nonce)) {
    conn_end(c, base_error_new(BASE_KIND_TLS, "random",
                               "the system's random generator failed"));
    return;
  }
  ws_handshake_key(c->request.key, nonce);
  base_buf_init(&buf, 16 * LIMIT_HEADER_BYTES);
  if (c->conf.deflate != NULL) {
    ws_extension_offer(offer, &c->conf.deflate->wish);
    c->request.extensions = offer;
  }
  err = ws_handshake_request(&buf, &c->request);
  if (c->conf.deflate != NULL)
    c->request.extensions = ""; /* it is only asked whether there were some */
  if (err != 0)
    conn_end(c, base_error_from(err));
  else
    (void)conn_send_bytes(c, base_buf_data(&buf), buf.len);
  base_buf_free(&buf);
}

void conn_opened(struct engine_conn *c) {
  const struct engine_limits *l = c->conf.limits;
  uint64_t now = net_loop_now_ms(c->engine->loop);
  c->phase = c->close == CLOSE_NONE ? CONN_OPEN : CONN_CLOSING;
  c->end.opened = true;
  c->opened_at = now;
  c->open_by = 0;
  c->grace = false;
  if (c->phase == CONN_CLOSING)
    c->close_by = now + l->close_timeout_ms;
  if (l->ping_interval_ms != 0)
    c->ping_at = now + l->ping_interval_ms;
  conn_arm(c);
}

/*
** As ws_head_feed, but 1xx responses are passed over: any number may come
** before the answer, and of them 101 alone is one (RFC 9110, 15.2). Together
** they are bounded like one head.
*/
static long feed_answer(struct ws_head *h, const uint8_t *data, size_t n) {
  size_t used = 0;
  for (;;) {
    size_t left;
    long got = ws_head_feed(h, data + used, n - used);
    if (got < 0)
      return got;
    used += (size_t)got;
    if (!h->complete || h->status == 101 || h->status >= 200)
      return (long)used;
    left = h->bytes.max - h->bytes.len;
    ws_head_deinit(h);
    ws_head_init(h, false, left);
  }
}

/* RFC 6455, 9.1: whatever is not what was offered fails the connection. */
static struct base_error *agree(struct engine_conn *c, const char *answer) {
  struct base_error *err;
  const char *why;
  if (c->conf.deflate == NULL)
    return NULL;
  why = ws_extension_check(&c->deal, answer, &c->conf.deflate->wish);
  if (why == NULL) {
    conn_deflate_agreed(c);
    return NULL;
  }
  err = base_error_new(BASE_KIND_UPGRADE, "extension",
                       "the server's Sec-WebSocket-Extensions %s", why);
  base_error_number(err, "status", 101);
  return err;
}

void conn_answer(struct engine_conn *c, uint8_t *data, size_t n) {
  const char *subprotocol, *extensions;
  struct base_error *err;
  long used = feed_answer(c->head, data, n);
  if (used < 0) {
    err = base_error_from((int)used);
    if (used == BASE_ERR_HEAD_LENGTH)
      base_error_number(err, "limit", (double)c->conf.limits->max_header);
    conn_end(c, err);
    return;
  }
  if (!c->head->complete)
    return;
  err = ws_handshake_check(&c->request, c->head, tls_sha1, net_clock_epoch(),
                           &subprotocol, &extensions);
  if (err == NULL)
    err = agree(c, extensions);
  if (err != NULL) {
    conn_end(c, err);
    return;
  }
  conn_opened(c);
  c->ops->on_open(c->owner, subprotocol);
  conn_free_head(c);
  /* What came right behind the head is the first of the frames. */
  if ((size_t)used < n && c->phase != CONN_ENDED)
    conn_plaintext(c, data + used, n - (size_t)used);
}

/* The way is clear for HTTP. */
static void ready(struct engine_conn *c) {
  if (c->proto.role == WS_SERVER)
    conn_await_request(c);
  else
    start_upgrade(c);
}

/* ---- TLS ---------------------------------------------------------------- */

void conn_handshake(struct engine_conn *c) {
  enum tls_status st = tls_session_handshake(c->tls);
  conn_steps(c);
  if (c->phase == CONN_ENDED || st == TLS_WANT)
    return;
  if (st != TLS_OK) {
    if (c->proto.role == WS_SERVER)
      conn_fail_gently(c, tls_session_error(c->tls));
    else
      conn_end(c, tls_session_error(c->tls));
    return;
  }
  c->peer = tls_session_peer(c->tls);
  if (c->peer == NULL)
    conn_end(c, base_error_from(BASE_ERR_MEMORY));
  else
    ready(c);
}

/* The user may end the connection in there: SSL goes on until it returns. */
static bool on_ask(void *ctx, struct tls_peer *peer,
                   const struct base_error *err) {
  struct engine_conn *c = (struct engine_conn *)ctx;
  return c->ops->on_verify(c->owner, peer, err) && c->phase != CONN_ENDED;
}

static void start_tls(struct engine_conn *c) {
  struct tls_conf conf;
  struct base_error *err;
  conf.host = c->request.url != NULL ? c->request.url->host : NULL;
  conf.ticket = c->conf.ticket;
  conf.trace = c->conf.trace;
  conf.ask = c->conf.ask ? on_ask : NULL;
  conf.ask_ctx = c;
  err = tls_session_new(&c->tls, c->conf.tls, &conf);
  if (err != NULL) {
    conn_end(c, err);
    return;
  }
  c->engine->ledger.ssl_objects++;
  c->phase = CONN_TLS;
  if (conn_lend_out(c))
    conn_handshake(c);
}

/* ---- the dial ----------------------------------------------------------- */

void conn_begin(struct engine_conn *c, struct net_stream *s) {
  c->stream = s;
  net_stream_attach(s, &conn_stream_ops, c);
  net_stream_peer(s, c->ip, &c->port);
  if (c->conf.tls != NULL)
    start_tls(c);
  else
    ready(c);
  if (c->phase == CONN_ENDED)
    return;
  conn_read_start(c);
  conn_flush(c);
}

static void on_done(void *ctx, struct net_stream *s, struct base_error *err) {
  struct engine_conn *c = (struct engine_conn *)ctx;
  c->dialled = true;
  if (err != NULL)
    conn_end(c, err);
  else
    conn_begin(c, s);
}

static void on_closed(void *ctx) {
  struct engine_conn *c = (struct engine_conn *)ctx;
  c->dial = NULL;
  conn_gone(c);
}

static const struct net_dial_ops dial_ops = {on_done, on_closed};

int conn_dial(struct engine_conn *c) {
  struct net_dial_conf conf;
  conf.path = c->request.url->path;
  conf.host = c->request.url->host;
  conf.port = c->request.url->port;
  conf.proxy = c->conf.proxy;
  return net_dial_start(&c->dial, c->engine->loop, &conf, &dial_ops, c);
}
