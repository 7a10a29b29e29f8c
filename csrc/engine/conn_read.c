/*
** A connection's input: from the socket through TLS into the protocol, and
** its events to the owner. What nobody takes is held, and reading stops.
*/
#include <string.h>

#include "base/mem.h"
#include "engine/connection_impl.h"

/* ---- events ------------------------------------------------------------- */

/* Pings are answered without the user (RFC 6455, 5.5.2). When the peer sends
** them faster than it reads answers, some go unanswered (5.5.3 allows it). */
static void on_ping(struct engine_conn *c, const struct ws_event *ev) {
  c->conf.stats->pings_in++;
  (void)conn_control(c, WS_PONG, ev->data, ev->len);
  c->ops->on_ping(c->owner, ev->data, ev->len);
}

/* A pong answers the newest ping with its payload and all before it. */
static void on_pong(struct engine_conn *c, const struct ws_event *ev) {
  struct conn_ping *p = c->pings;
  double seconds = -1;
  c->pong_by = 0;
  c->grace = false;
  while (p != NULL &&
         (p->len != ev->len || memcmp(p->data, ev->data, ev->len) != 0))
    p = p->next;
  if (p != NULL && p->at > 0) {
    struct conn_ping *until = p->next;
    seconds = net_clock_precise() - p->at;
    c->conf.stats->rtt = seconds;
    while (c->pings != until) {
      p = c->pings;
      c->pings = p->next;
      base_free(p);
    }
  }
  c->ops->on_pong(c->owner, ev->data, ev->len, seconds);
}

/* RFC 6455, 5.5.1: answer with the same code, then the server closes. A server
** sends first what it said before (the peer waits for its close, and nothing
** else will carry it); a client keeps that for the next connection. */
static void on_close(struct engine_conn *c, const struct ws_event *ev) {
  c->got_close = true;
  c->end.code = ev->code;
  c->end.reason_len = (uint8_t)ev->len;
  if (ev->len > 0)
    memcpy(c->end.reason, ev->data, ev->len);
  if (c->close != CLOSE_SENT) {
    c->close = c->proto.role == WS_SERVER ? CLOSE_AFTER : CLOSE_NOW;
    c->close_code = ev->code == 1005 ? 0 : ev->code;
    c->close_len = 0;
  }
  c->phase = CONN_CLOSING;
  c->close_by = net_loop_now_ms(c->engine->loop) +
                c->conf.limits->close_timeout_ms;
  conn_arm(c);
  conn_mark_dirty(c);
}

/* False: it was not taken after all. */
static bool deliver(struct engine_conn *c, const uint8_t *data, size_t n,
                    uint8_t opcode, bool part, bool last) {
  unsigned whole = !part || last ? 1 : 0;
  c->refused = false;
  c->conf.stats->messages_in += whole;
  if (part)
    c->ops->on_fragment(c->owner, data, n, opcode == WS_TEXT, last);
  else
    c->ops->on_message(c->owner, data, n, opcode == WS_TEXT);
  if (c->refused)
    c->conf.stats->messages_in -= whole;
  else if (c->mute) /* somebody is still taking what came */
    c->close_by = net_loop_now_ms(c->engine->loop) +
                  c->conf.limits->close_timeout_ms;
  return !c->refused;
}

void engine_conn_refuse(struct engine_conn *c) {
  c->refused = true;
}

/* After our own close nobody waits for messages. */
static bool discards(const struct engine_conn *c) {
  return c->phase == CONN_CLOSING && c->close != CLOSE_NONE;
}

/* Keep a message for which there is no taker: without a copy if it was
** assembled, since its memory can simply change hands. */
static bool stash(struct engine_conn *c, const struct ws_event *ev) {
  struct base_buf *m = &c->proto.message;
  c->stashed = true;
  c->stash_opcode = ev->opcode;
  c->stash_part = ev->type == WS_EVENT_FRAGMENT;
  c->stash_last = ev->last;
  if (ev->len > 0 && ev->data == base_buf_data(m)) {
    c->stash = *m;
    base_buf_init(m, m->max);
    return true;
  }
  base_buf_init(&c->stash, ev->len);
  return base_buf_append(&c->stash, ev->data, ev->len) == 0;
}

/* It stays where it is until the user has come back. */
static void deliver_stash(struct engine_conn *c) {
  c->stashed = false;
  if (!discards(c)) {
    static const uint8_t nothing[1] = {0};
    const uint8_t *data = base_buf_data(&c->stash);
    c->stashed = !deliver(c, data != NULL ? data : nothing, c->stash.len,
                          c->stash_opcode, c->stash_part, c->stash_last);
  }
  if (!c->stashed)
    base_buf_free(&c->stash);
}

static void on_event(struct engine_conn *c, const struct ws_event *ev) {
  switch (ev->type) {
  case WS_EVENT_MESSAGE:
  case WS_EVENT_FRAGMENT:
    if (discards(c))
      break;
    if (c->taking && deliver(c, ev->data, ev->len, ev->opcode,
                             ev->type == WS_EVENT_FRAGMENT, ev->last))
      break;
    if (!stash(c, ev))
      conn_end(c, base_error_from(BASE_ERR_MEMORY));
    break;
  case WS_EVENT_PING:
    on_ping(c, ev);
    break;
  case WS_EVENT_PONG:
    on_pong(c, ev);
    break;
  case WS_EVENT_CLOSE:
    on_close(c, ev);
    break;
  case WS_EVENT_ERROR:
    conn_violation(c, ev->err);
    break;
  case WS_EVENT_NONE:
    break;
  }
}

/* ---- holding ------------------------------------------------------------ */

/* Must nothing be delivered right now? */
static bool blocked(const struct engine_conn *c) {
  return !discards(c) &&
         (c->paused || c->engine->halted || (c->stashed && !c->taking));
}

void conn_read_start(struct engine_conn *c) {
  int err;
  if (c->reading || c->stream == NULL || c->phase == CONN_ENDED ||
      c->tail)
    return;
  err = net_stream_read_start(c->stream);
  if (err != 0)
    conn_eof(c, base_error_new(BASE_KIND_CLOSED, "reset",
                               "the socket cannot be read: %s",
                               net_error_text(err)));
  else
    c->reading = true;
}

void conn_read_stop(struct engine_conn *c) {
  if (c->reading)
    net_stream_read_stop(c->stream);
  c->reading = false;
}

/* Keep what the protocol has not used: its bytes lie in a shared buffer. */
static void hold(struct engine_conn *c) {
  uint8_t *rest;
  size_t n = ws_protocol_rest(&c->proto, &rest);
  const uint8_t *own = base_buf_data(&c->held);
  conn_read_stop(c);
  if (n == 0 || (own != NULL && rest >= own && rest < own + c->held.len))
    return;
  c->proto.in_len = 0;
  if (base_buf_append(&c->held, rest, n) != 0) {
    conn_end(c, base_error_from(BASE_ERR_MEMORY));
    return;
  }
  ws_protocol_feed(&c->proto, c->held.mem + c->held.start, c->held.len);
}

static void hold_more(struct engine_conn *c, const uint8_t *data, size_t n) {
  uint8_t *rest;
  size_t left = ws_protocol_rest(&c->proto, &rest);
  c->proto.in_len = 0;
  base_buf_consume(&c->held, c->held.len - left);
  if (base_buf_append(&c->held, data, n) != 0) {
    conn_end(c, base_error_from(BASE_ERR_MEMORY));
    return;
  }
  ws_protocol_feed(&c->proto, c->held.mem + c->held.start, c->held.len);
}

/* The end that came behind what was held. */
static void deliver_tail(struct engine_conn *c) {
  struct base_error *err = c->tail_err;
  c->tail_err = NULL;
  conn_eof(c, err);
}

/*
** Deliver what there is, as long as somebody takes it. Everything may happen
** in a delivery, another call of this function included, which does nothing.
*/
void conn_process(struct engine_conn *c) {
  struct ws_event ev;
  if (c->phase == CONN_JUDGE)
    conn_ask(c);
  if (c->in_process || (c->phase != CONN_OPEN && c->phase != CONN_CLOSING))
    return;
  c->in_process = true;
  for (;;) {
    if (c->phase != CONN_OPEN && c->phase != CONN_CLOSING)
      break;
    if (c->announce && !c->engine->halted) {
      c->announce = false;
      c->ops->on_open(c->owner, NULL);
      continue;
    }
    if (blocked(c)) {
      hold(c);
      break;
    }
    if (c->stashed) {
      deliver_stash(c);
      continue;
    }
    ws_protocol_poll(&c->proto, &ev);
    if (ev.type == WS_EVENT_NONE) {
      base_buf_free(&c->held);
      if (c->tail)
        deliver_tail(c);
      else
        conn_read_start(c);
      break;
    }
    on_event(c, &ev);
  }
  c->conf.stats->frames_in += c->proto.frames;
  c->proto.frames = 0;
  c->in_process = false;
}

void engine_conn_pump(struct engine_conn *c) {
  if (c->stashed || c->held.len > 0 || c->tail)
    conn_process(c);
}

void engine_conn_set_taking(struct engine_conn *c, bool taking) {
  c->taking = taking;
  if (taking && (c->stashed || c->held.len > 0 || c->tail))
    conn_mark_dirty(c);
}

void engine_conn_set_fragments(struct engine_conn *c, bool fragments) {
  c->proto.fragments = fragments;
}

void engine_conn_set_paused(struct engine_conn *c, bool paused) {
  c->paused = paused;
  if (paused && (c->phase == CONN_OPEN || c->phase == CONN_CLOSING)) {
    if (!c->in_process)
      hold(c);
  } else if (!paused) {
    conn_mark_dirty(c);
  }
}

void engine_conn_resume_all(struct engine *e) {
  struct engine_conn *c;
  for (c = e->conns; c != NULL; c = c->next)
    if ((c->phase >= CONN_JUDGE && c->phase <= CONN_CLOSING) ||
        conn_is_gone(c))
      conn_mark_dirty(c);
}

/* ---- bytes -------------------------------------------------------------- */

void conn_plaintext(struct engine_conn *c, uint8_t *data, size_t n) {
  switch (c->phase) {
  case CONN_UPGRADE:
    if (c->proto.role == WS_SERVER)
      conn_request(c, data, n);
    else
      conn_answer(c, data, n);
    break;
  case CONN_JUDGE:
  case CONN_ANSWER: /* behind a request: later */
    if (base_buf_append(&c->held, data, n) != 0)
      conn_end(c, base_error_from(BASE_ERR_MEMORY));
    break;
  case CONN_OPEN:
  case CONN_CLOSING:
    if (c->stashed || c->held.len > 0) {
      hold_more(c, data, n);
    } else {
      ws_protocol_feed(&c->proto, data, n);
      conn_process(c);
    }
    break;
  default: /* lingering: of no interest */
    break;
  }
}

void conn_steps(struct engine_conn *c) {
  struct tls_step step;
  if (!c->conf.trace)
    return;
  while (c->tls != NULL && tls_session_step(c->tls, &step))
    c->ops->on_step(c->owner, &step);
}

/* An end of input: now, or behind what is held. */
static void ended(struct engine_conn *c, struct base_error *err) {
  conn_read_stop(c);
  if (c->phase == CONN_JUDGE || c->phase == CONN_ANSWER ||
      ((c->phase == CONN_OPEN || c->phase == CONN_CLOSING) &&
       (c->stashed || c->held.len > 0))) {
    if (!c->tail) {
      c->tail = true;
      c->tail_err = err;
    } else {
      base_error_free(err);
    }
    conn_process(c);
  } else {
    conn_eof(c, err);
  }
}

static void tls_input(struct engine_conn *c) {
  enum tls_status st = TLS_OK;
  uint8_t *plain = c->engine->plain;
  size_t got;
  if (!conn_lend_out(c))
    return;
  if (c->phase == CONN_TLS) {
    conn_handshake(c);
    if (c->phase != CONN_UPGRADE)
      return;
  }
  while (st == TLS_OK && c->phase != CONN_ENDED) {
    if (!conn_lend_out(c)) /* a flush may have sent the last one away */
      return;
    st = tls_session_read(c->tls, plain, LIMIT_PLAIN_BYTES, &got);
    conn_steps(c);
    if (c->phase == CONN_ENDED)
      return;
    if (st == TLS_OK)
      conn_plaintext(c, plain, got);
    else if (st == TLS_ENDED)
      ended(c, NULL);
    else if (st == TLS_FAILED)
      ended(c, tls_session_error(c->tls));
  }
}

static void on_read(void *ctx, uint8_t *data, size_t n) {
  struct engine_conn *c = (struct engine_conn *)ctx;
  c->read_at = net_loop_now_ms(c->engine->loop);
  c->conf.stats->bytes_in += n;
  if (c->deaf)
    return;
  if (c->tls != NULL) {
    tls_session_feed(c->tls, data, n);
    tls_input(c);
  } else {
    conn_plaintext(c, data, n);
  }
  if (c->phase != CONN_ENDED)
    conn_flush(c);
}

static void on_end(void *ctx, int uv_err) {
  struct engine_conn *c = (struct engine_conn *)ctx;
  c->reading = false;
  if (uv_err != 0) {
    ended(c, base_error_new(BASE_KIND_CLOSED, "reset",
                            "the connection broke: %s",
                            net_error_text(uv_err)));
  } else if (c->tls != NULL && !c->tail && !c->deaf) {
    tls_session_feed_end(c->tls);
    tls_input(c);
  } else {
    ended(c, NULL);
  }
  if (c->phase != CONN_ENDED)
    conn_flush(c);
}

static void on_written(void *ctx, int uv_err) {
  conn_written((struct engine_conn *)ctx, uv_err);
}

static void on_closed(void *ctx) {
  struct engine_conn *c = (struct engine_conn *)ctx;
  c->stream = NULL;
  conn_gone(c);
}

const struct net_stream_ops conn_stream_ops = {
  on_read, on_end, on_written, on_closed
};
