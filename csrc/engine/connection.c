/*
** A connection's life: its deadlines, the rules of closing, and its end.
*/
#include "engine/connection_impl.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

static uint64_t now_ms(const struct engine_conn *c) {
  return net_loop_now_ms(c->engine->loop);
}

/* ---- deadlines ---------------------------------------------------------- */

/* One timer for all of them, set to the nearest. It is never moved later, so
** that the hot path does not touch it: a tick that comes early sets it anew. */
void conn_arm(struct engine_conn *c) {
  uint64_t at[4], next = 0;
  size_t i;
  at[0] = c->open_by;
  at[1] = c->close_by;
  at[2] = c->ping_at;
  at[3] = c->pong_by;
  for (i = 0; i < 4; i++)
    if (at[i] != 0 && (next == 0 || at[i] < next))
      next = at[i];
  if (next == 0 || c->timer == NULL || (c->due != 0 && c->due <= next))
    return;
  c->due = next;
  net_timer_start(c->timer, next > now_ms(c) ? next - now_ms(c) : 0);
}

/* The loop may have been kept from looking (a busy script, a stopped
** process): before a peer is blamed, it looks once more. */
static bool overdue(struct engine_conn *c, uint64_t by) {
  if (by == 0 || now_ms(c) < by)
    return false;
  if (c->grace)
    return true;
  c->grace = true;
  c->due = now_ms(c);
  net_timer_start(c->timer, 0);
  return false;
}

struct base_error *conn_late(const char *code, uint32_t ms,
                             const char *sentence) {
  struct base_error *err;
  err = base_error_new(BASE_KIND_TIMEOUT, code, "%s within %g seconds",
                       sentence, ms / 1000.0);
  base_error_number(err, "seconds", ms / 1000.0);
  return err;
}

static void tick_open(struct engine_conn *c) {
  static const char *const sentences[] = {
    "no connection could be made", "the TLS handshake did not end",
    "the server did not answer the upgrade"
  };
  if (c->phase > CONN_JUDGE || !overdue(c, c->open_by))
    return;
  if (c->proto.role == WS_SERVER)
    conn_serve_late(c);
  else
    conn_end(c, conn_late("open", c->conf.limits->open_timeout_ms,
                          sentences[c->phase]));
}

/* What came before the connection broke was not taken in time. */
static void give_up(struct engine_conn *c) {
  struct base_error **why = c->broken != NULL ? &c->broken : &c->tail_err;
  struct base_error *err = *why;
  *why = NULL;
  conn_eof(c, err);
}

/* When the peer last made room for something; of a batch that waits for more,
** the stream knows. */
static uint64_t sent_at(const struct engine_conn *c) {
  bool waits = c->busy != NULL && c->stream != NULL;
  uint64_t at = waits ? net_stream_sent_at(c->stream) : 0;
  return at > c->written_at ? at : c->written_at;
}

static bool close_has_left(const struct engine_conn *c) {
  return c->close == CLOSE_SENT && c->plain_taken == c->framed;
}

static void tick_close(struct engine_conn *c) {
  uint32_t ms = c->conf.limits->close_timeout_ms;
  if (c->close_by == 0 || now_ms(c) < c->close_by)
    return;
  /* While what is queued drains, and the close behind it, only standing still
  ** counts. */
  if (!close_has_left(c) && sent_at(c) + ms > now_ms(c)) {
    c->close_by = sent_at(c) + ms;
    c->grace = false;
    return;
  }
  if (!overdue(c, c->close_by))
    return;
  if (c->mute)
    give_up(c);
  else if (c->got_close || c->violation != NULL)
    conn_eof(c, NULL); /* all was said; the peer just does not hang up */
  else if (c->phase == CONN_LINGER)
    conn_end(c, NULL);
  else if (close_has_left(c))
    conn_end(c, conn_late("close", ms, "the peer did not answer the close"));
  else
    conn_end(c, conn_late("drain", ms, "what was queued was not sent"));
}

/* Anything heard since the ping is a sign of life, and so is a peer that
** takes bytes in front of a ping that waits behind them. */
static bool alive_since(const struct engine_conn *c, uint64_t since) {
  bool waits = c->ping_waiting || c->plain_taken < c->ping_end;
  return c->read_at > since || (waits && sent_at(c) > since);
}

static void tick_ping(struct engine_conn *c) {
  const struct engine_limits *l = c->conf.limits;
  uint8_t payload[8];
  if (c->phase != CONN_OPEN)
    return;
  if (c->pong_by != 0 && now_ms(c) >= c->pong_by) {
    if (!c->reading || alive_since(c, c->pong_by - l->ping_timeout_ms)) {
      c->pong_by = 0; /* we do not listen, or the peer lives */
      c->grace = false;
    } else if (overdue(c, c->pong_by)) {
      conn_end(c, conn_late("ping", l->ping_timeout_ms,
                       "the peer did not answer a ping"));
      return;
    }
  }
  if (c->ping_at == 0 || now_ms(c) < c->ping_at)
    return;
  c->ping_at = now_ms(c) + l->ping_interval_ms;
  if (c->pong_by != 0)
    return;
  memcpy(payload, "ping", 4);
  memcpy(payload + 4, &c->ping_number, 4);
  c->ping_number++;
  /* Where there is no room for it, one waits that was to be sent before. */
  (void)engine_conn_ping(c, payload, sizeof payload);
  c->ping_waiting = true;
  if (l->ping_timeout_ms != 0)
    c->pong_by = now_ms(c) + l->ping_timeout_ms;
}

static void tick(void *ctx) {
  struct engine_conn *c = (struct engine_conn *)ctx;
  c->due = 0;
  tick_open(c);
  if (c->phase != CONN_ENDED)
    tick_close(c);
  if (c->phase != CONN_ENDED)
    tick_ping(c);
  if (c->phase != CONN_ENDED)
    conn_arm(c);
}

/* ---- closing ------------------------------------------------------------ */

/* RFC 6455, 7.1.2. */
void engine_conn_close(struct engine_conn *c, unsigned code,
                       const char *reason, size_t n) {
  assert(n <= WS_CONTROL_MAX - 2);
  if (c->close != CLOSE_NONE || c->phase == CONN_ENDED)
    return;
  c->close = CLOSE_AFTER;
  c->close_code = (uint16_t)code;
  c->close_len = (uint8_t)n;
  if (n > 0)
    memcpy(c->close_reason, reason, n);
  if (c->phase == CONN_OPEN) {
    c->phase = CONN_CLOSING;
    c->close_by = now_ms(c) + c->conf.limits->close_timeout_ms;
    conn_arm(c);
  }
  conn_mark_dirty(c);
}

/* RFC 6455, 7.1.7: tell the peer, and then hang up. */
void conn_violation(struct engine_conn *c, int base_err) {
  struct base_error *err = base_error_from(base_err);
  uint16_t code = ws_protocol_close_code(base_err);
  const char *text = base_err_text(base_err);
  base_error_number(err, "close", code);
  if (base_err == BASE_ERR_MESSAGE_SIZE) {
    base_error_number(err, "limit", (double)c->conf.limits->max_message);
    base_error_number(err, "size", (double)c->proto.frame.len);
  }
  if (c->close == CLOSE_SENT || c->violation != NULL) {
    conn_end(c, err);
    return;
  }
  c->violation = err;
  c->close = CLOSE_NOW;
  c->close_code = code;
  c->close_len = (uint8_t)strlen(text);
  memcpy(c->close_reason, text, c->close_len);
  c->phase = CONN_CLOSING;
  c->close_by = now_ms(c) + c->conf.limits->close_timeout_ms;
  conn_arm(c);
  conn_mark_dirty(c);
}

/*
** When both closes have passed, the server hangs up first (RFC 6455, 7.1.1);
** after a violation we do. Either way reading goes on until the peer's FIN,
** since a socket closed over unread bytes sends a RST, which would take our
** last words from the peer.
*/
void conn_closed_maybe(struct engine_conn *c) {
  if (c->phase != CONN_CLOSING || c->close != CLOSE_SENT || c->busy != NULL ||
      (c->out != NULL && c->out->buf.len > 0))
    return;
  if (c->violation == NULL && !c->got_close)
    return;
  c->phase = CONN_LINGER;
  if (c->violation != NULL || c->proto.role == WS_SERVER) {
    conn_last_words(c, true);
    net_stream_shutdown(c->stream);
  }
  conn_read_start(c);
}

/* Nothing more comes from the peer: by its FIN (NULL) or for a reason. */
void conn_eof(struct engine_conn *c, struct base_error *err) {
  /* RFC 6455, 5.5.1: who closes and hangs up at once is answered too. */
  if (err == NULL && c->got_close && c->close != CLOSE_SENT)
    conn_flush(c);
  if (c->got_close || (c->served && !c->end.opened && c->violation == NULL)) {
    base_error_free(err);
    conn_end(c, NULL);
    return;
  }
  if (c->violation != NULL) {
    base_error_free(err);
    err = c->violation;
    c->violation = NULL;
  } else if (err == NULL) {
    const char *when = "before a close frame";
    if (c->phase < CONN_OPEN)
      when = "during the opening handshake";
    else if (c->phase == CONN_OPEN && ws_protocol_midway(&c->proto))
      when = "in the middle of a message";
    err = base_error_new(BASE_KIND_CLOSED, "eof",
                         "the peer ended the connection %s", when);
  }
  conn_end(c, err);
}

/* ---- the end ------------------------------------------------------------ */

void conn_end(struct engine_conn *c, struct base_error *err) {
  enum conn_phase was = c->phase;
  if (was == CONN_ENDED) {
    base_error_free(err);
    return;
  }
  c->phase = CONN_ENDED; /* whatever fails below, it ends once */
  if (c->end.opened)
    c->end.uptime = (double)(now_ms(c) - c->opened_at) / 1000.0;
  c->end.err = err;
  if (!c->got_close || err != NULL)
    c->end.code = 1006;
  if (c->tls != NULL) {
    c->end.ticket = tls_session_ticket(c->tls);
    conn_last_words(c, was >= CONN_UPGRADE);
  }
  conn_unmark_dirty(c);
  net_timer_free(c->timer);
  c->timer = NULL;
  if (c->dial != NULL && !c->dialled)
    net_dial_cancel(c->dial);
  if (c->stream != NULL) {
    conn_account_busy(c);
    net_stream_close(c->stream);
  }
}

static void free_all(struct engine_conn *c) {
  conn_free_output(c);
  conn_deflate_free(c);
  if (c->tls != NULL) {
    tls_session_free(c->tls);
    c->engine->ledger.ssl_objects--;
  }
  tls_peer_unref(c->peer);
  conn_free_head(c);
  ws_protocol_deinit(&c->proto);
  base_buf_free(&c->held);
  base_buf_free(&c->stash);
  base_error_free(c->tail_err);
  base_error_free(c->broken);
  base_error_free(c->violation);
  *c->at = c->next;
  if (c->next != NULL)
    c->next->at = c->at;
  base_free(c);
}

bool conn_is_gone(const struct engine_conn *c) {
  return c->phase == CONN_ENDED && c->dial == NULL && c->stream == NULL;
}

/* Free, then tell. The messages are settled first, but the last of this
** connection to speak is on_closed. */
static void depart(struct engine_conn *c) {
  const struct engine_conn_ops *ops = c->ops;
  void *owner = c->owner;
  struct engine_queue *q = c->conf.queue;
  struct engine_end end;
  uint64_t taken, touched;
  end = c->end;
  end.peer = c->peer;
  c->peer = NULL;
  memcpy(end.ip, c->ip, sizeof end.ip);
  end.port = c->port;
  taken = c->plain_taken;
  touched = conn_touched(c);
  conn_unmark_dirty(c);
  c->engine->ledger.transports--;
  free_all(c);
  ops->on_gone(owner, &end);
  engine_queue_cut(q, taken, touched);
  ops->on_closed(owner);
}

/* Called when the dial or the stream has closed. After wss.stop its owner is
** told by the flush that the next run begins with. */
void conn_gone(struct engine_conn *c) {
  if (conn_is_gone(c) && !c->engine->halted)
    depart(c);
}

void engine_conn_terminate(struct engine_conn *c, struct base_error *err) {
  conn_end(c, err);
}

void engine_conn_abandon(struct engine_conn *c) {
  conn_end(c, NULL);
  if (conn_is_gone(c))
    depart(c);
}

/* NULL without memory. */
static struct engine_conn *new_conn(struct engine *e, enum ws_role role,
                                    const struct engine_conn_conf *conf,
                                    const struct engine_conn_ops *ops,
                                    void *owner) {
  struct engine_conn *c = (struct engine_conn *)base_calloc(1, sizeof *c);
  if (c == NULL)
    return NULL;
  c->engine = e;
  c->conf = *conf;
  if (conf->request != NULL)
    c->request = *conf->request;
  c->ops = ops;
  c->owner = owner;
  base_buf_init(&c->held, 2 * (LIMIT_READ_BYTES + LIMIT_PLAIN_BYTES));
  base_buf_init(&c->control, CONN_CONTROL_BYTES);
  ws_protocol_init(&c->proto, role, conf->limits->max_message);
  c->timer = net_timer_new(e->loop, tick, c);
  if (c->timer == NULL) {
    ws_protocol_deinit(&c->proto);
    base_free(c);
    return NULL;
  }
  return c;
}

static void enlist(struct engine_conn *c) {
  struct engine *e = c->engine;
  c->next = e->conns;
  c->at = &e->conns;
  if (c->next != NULL)
    c->next->at = &c->next;
  e->conns = c;
  e->ledger.transports++;
  c->open_by = net_loop_update_ms(e->loop) + c->conf.limits->open_timeout_ms;
  conn_arm(c);
}

int engine_conn_dial(struct engine_conn **out, struct engine *e,
                     const struct engine_conn_conf *conf,
                     const struct engine_conn_ops *ops, void *owner) {
  struct engine_conn *c = new_conn(e, WS_CLIENT, conf, ops, owner);
  if (c == NULL)
    return BASE_ERR_MEMORY;
  if (conn_dial(c) != 0) {
    net_timer_free(c->timer);
    ws_protocol_deinit(&c->proto);
    base_free(c);
    return BASE_ERR_MEMORY;
  }
  enlist(c);
  *out = c;
  return 0;
}

int engine_conn_accept(struct engine_conn **out, struct engine *e,
                       struct net_stream *stream,
                       const struct engine_conn_conf *conf,
                       const struct engine_conn_ops *ops, void *owner) {
  struct engine_conn *c = new_conn(e, WS_SERVER, conf, ops, owner);
  if (c == NULL)
    return BASE_ERR_MEMORY;
  enlist(c);
  *out = c;
  conn_begin(c, stream);
  return 0;
}

/* ---- small questions ----------------------------------------------------- */

void engine_conn_wake(struct engine_conn *c) {
  if (c->phase == CONN_OPEN || c->phase == CONN_CLOSING)
    conn_mark_dirty(c);
}

bool engine_conn_is_open(const struct engine_conn *c) {
  return c->phase == CONN_OPEN && c->close == CLOSE_NONE;
}

bool engine_conn_is_closing(const struct engine_conn *c) {
  return c->close != CLOSE_NONE || c->phase >= CONN_CLOSING;
}

struct tls_peer *engine_conn_tls_peer(const struct engine_conn *c) {
  return c->peer;
}

void engine_conn_address(const struct engine_conn *c, char ip[64], int *port) {
  memcpy(ip, c->ip, sizeof c->ip);
  *port = c->port;
}
