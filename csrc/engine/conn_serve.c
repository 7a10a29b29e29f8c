/*
** An accepted connection's beginning: requests (RFC 9112) until one of them
** is upgraded (RFC 6455, 4.2), and their answers.
**
**   CONN_UPGRADE -> head -> CONN_JUDGE -> the user -> CONN_OPEN
**        ^                                        -> CONN_ANSWER
**        '------------- keep-alive ---------------------'  -> CONN_LINGER
**
** While a request is judged or answered nothing more is read.
*/
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "engine/connection_impl.h"

static uint64_t now_ms(const struct engine_conn *c) {
  return net_loop_now_ms(c->engine->loop);
}

void conn_await_request(struct engine_conn *c) {
  c->phase = CONN_UPGRADE;
  (void)conn_new_head(c, true);
}

/* ---- hanging up ---------------------------------------------------------- */

/* All is said. Reading goes on until the peer's FIN: a socket closed over
** unread bytes sends a RST, which would take the last words from the peer. */
static void linger(struct engine_conn *c) {
  c->phase = CONN_LINGER;
  conn_last_words(c, !c->deaf);
  net_stream_shutdown(c->stream);
  c->close_by = now_ms(c) + c->conf.limits->close_timeout_ms;
  conn_arm(c);
  if (c->tail)
    conn_eof(c, NULL);
  else
    conn_read_start(c);
}

/* TLS failed, and has an alert for the peer (RFC 8446, 6.2). */
void conn_fail_gently(struct engine_conn *c, struct base_error *err) {
  c->violation = err;
  c->deaf = true;
  linger(c);
}

/* ---- answers ------------------------------------------------------------- */

static int put_answer(struct engine_conn *c, const struct ws_response *r) {
  struct base_buf buf;
  int err;
  base_buf_init(&buf, 16 * LIMIT_HEADER_BYTES);
  err = ws_handshake_answer(&buf, r);
  if (err == 0 && conn_send_bytes(c, base_buf_data(&buf), buf.len)) {
    c->keep = r->keep;
    c->phase = CONN_ANSWER;
    c->open_by = 0;
    c->grace = false;
    c->written_at = now_ms(c);
    c->close_by = c->written_at + c->conf.limits->close_timeout_ms;
    conn_arm(c);
    conn_mark_dirty(c);
  }
  base_buf_free(&buf);
  return err;
}

/* On our own account; 'err' is what the end will be. */
static void refuse(struct engine_conn *c, int status, struct base_error *err) {
  struct ws_response r;
  char text[160];
  int n;
  n = snprintf(text, sizeof text, "%s\n", err->message);
  memset(&r, 0, sizeof r);
  r.status = status;
  r.body = (const uint8_t *)text;
  r.body_size = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
  r.head_only = c->head != NULL && c->head->complete && c->ask.head_only;
  r.now = net_clock_epoch();
  c->violation = err;
  if (put_answer(c, &r) != 0)
    conn_end(c, base_error_from(BASE_ERR_MEMORY));
}

/* ---- requests ------------------------------------------------------------ */

static struct base_error *bad_request(int status, const char *why) {
  struct base_error *err;
  err = base_error_new(BASE_KIND_UPGRADE, "status", "%s", why);
  base_error_number(err, "status", status);
  return err;
}

static int status_of(int base_err) {
  switch (base_err) {
  case BASE_ERR_HEAD_LENGTH:
    return 431;
  case BASE_ERR_HEAD_VERSION:
    return 505;
  case BASE_ERR_MEMORY:
    return 503;
  default:
    return 400;
  }
}

static void judge(struct engine_conn *c) {
  c->phase = CONN_JUDGE;
  conn_read_stop(c);
  ws_handshake_ask(&c->ask, c->head);
  if (c->ask.status != 0) {
    refuse(c, c->ask.status, bad_request(c->ask.status, c->ask.why));
    return;
  }
  c->grace = false;
  c->open_by = now_ms(c) + c->conf.limits->upgrade_timeout_ms;
  conn_arm(c);
  c->announce = true;
  conn_ask(c);
}

void conn_ask(struct engine_conn *c) {
  if (!c->announce || c->engine->halted)
    return;
  c->announce = false;
  c->ops->on_request(c->owner, c->head, &c->ask);
}

void conn_request(struct engine_conn *c, const uint8_t *data, size_t n) {
  long used = ws_head_feed(c->head, data, n);
  if (used < 0) {
    struct base_error *err = base_error_from((int)used);
    int status = status_of((int)used);
    base_error_number(err, "status", status);
    if (used == BASE_ERR_HEAD_LENGTH)
      base_error_number(err, "limit", (double)c->conf.limits->max_header);
    conn_read_stop(c);
    refuse(c, status, err);
    return;
  }
  if (!c->head->complete)
    return;
  if ((size_t)used < n &&
      base_buf_append(&c->held, data + used, n - (size_t)used) != 0) {
    conn_end(c, base_error_from(BASE_ERR_MEMORY));
    return;
  }
  judge(c);
}

/* What came behind the request is the beginning of the next one. */
static void next_request(struct engine_conn *c) {
  struct base_buf held = c->held;
  base_buf_init(&c->held, held.max);
  c->served = true;
  c->close_by = 0;
  c->open_by = now_ms(c) + c->conf.limits->open_timeout_ms;
  conn_free_head(c);
  conn_await_request(c);
  if (c->phase == CONN_UPGRADE && held.len > 0)
    conn_request(c, base_buf_data(&held), held.len);
  base_buf_free(&held);
  if (c->phase == CONN_UPGRADE && c->tail)
    conn_eof(c, NULL);
  if (c->phase != CONN_UPGRADE)
    return;
  conn_arm(c);
  conn_read_start(c);
}

/* Has all of the answer gone to the kernel? */
void conn_answered(struct engine_conn *c) {
  if (c->busy != NULL || c->out != NULL || !engine_queue_empty(c->conf.queue))
    return;
  /* Requests may have come in front of the end of the input. */
  if (c->keep && (!c->tail || c->held.len > 0)) {
    next_request(c);
    return;
  }
  c->served = true;
  linger(c);
}

void conn_serve_late(struct engine_conn *c) {
  const struct engine_limits *l = c->conf.limits;
  if (c->phase == CONN_JUDGE) {
    refuse(c, 503, conn_late("open", l->upgrade_timeout_ms,
                             "the request was not decided"));
  } else if (c->phase < CONN_UPGRADE) {
    conn_end(c, conn_late("open", l->open_timeout_ms,
                          "the TLS handshake did not end"));
  } else if (c->head->bytes.len > 0) {
    conn_read_stop(c);
    refuse(c, 408, conn_late("open", l->open_timeout_ms,
                             "the request did not come whole"));
  } else {
    conn_end(c, c->served ? NULL
                          : conn_late("open", l->open_timeout_ms,
                                      "no request came"));
  }
}

/* ---- what the user decides ----------------------------------------------- */

void engine_conn_turn_away(struct engine_conn *c, int status,
                           const char *why) {
  if (c->phase == CONN_JUDGE)
    refuse(c, status, bad_request(status, why));
}

void engine_conn_dismiss(struct engine_conn *c) {
  c->keep = false;
  if (c->phase != CONN_ANSWER && c->phase != CONN_LINGER)
    conn_end(c, NULL);
}

bool engine_conn_asks(const struct engine_conn *c) {
  return c->phase == CONN_JUDGE;
}

int engine_conn_upgrade(struct engine_conn *c, const struct ws_accept *asked) {
  struct ws_accept a = *asked;
  char extensions[WS_EXTENSION_SIZE];
  struct base_buf buf;
  int err;
  if (c->phase != CONN_JUDGE)
    return 0; /* too late: it was refused */
  if (c->conf.deflate != NULL &&
      ws_extension_accept(&c->deal, extensions, c->head,
                          &c->conf.deflate->wish))
    a.extensions = extensions;
  base_buf_init(&buf, 16 * LIMIT_HEADER_BYTES);
  err = ws_handshake_respond(&buf, &a, tls_sha1);
  if (err == 0 && conn_send_bytes(c, base_buf_data(&buf), buf.len)) {
    conn_deflate_agreed(c);
    conn_opened(c);
    c->announce = true;
    conn_free_head(c);
    if (c->held.len > 0)
      ws_protocol_feed(&c->proto, c->held.mem + c->held.start, c->held.len);
    conn_mark_dirty(c);
  }
  base_buf_free(&buf);
  return err;
}

int engine_conn_answer(struct engine_conn *c, const struct ws_response *r,
                       struct engine_item *body) {
  int err = 0;
  if (c->phase == CONN_JUDGE)
    err = put_answer(c, r);
  if (body == NULL)
    return err;
  if (c->phase == CONN_ANSWER && err == 0 && !r->head_only) {
    body->opcode = ENGINE_RAW;
    engine_queue_push(c->conf.queue, body);
  } else {
    body->blob.release(&body->blob, BASE_UNSENT);
  }
  return err;
}
