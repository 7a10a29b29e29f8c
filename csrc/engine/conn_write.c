/*
** A connection's output, its second half: what conn_encode.c has made goes to
** the kernel, a batch in one call, and what the kernel took is told back to the
** messages.
*/
#include <string.h>

#include "base/mem.h"
#include "engine/connection_impl.h"

/* ---- the list of those that have something to do ------------------------- */

void conn_mark_dirty(struct engine_conn *c) {
  struct engine *e = c->engine;
  if (c->dirty_at != NULL || (c->phase == CONN_ENDED && !conn_is_gone(c)))
    return;
  if (e->dirty == NULL)
    net_loop_wake(e->loop);
  c->dirty_next = e->dirty;
  if (c->dirty_next != NULL)
    c->dirty_next->dirty_at = &c->dirty_next;
  c->dirty_at = &e->dirty;
  e->dirty = c;
}

void conn_unmark_dirty(struct engine_conn *c) {
  if (c->dirty_at == NULL)
    return;
  *c->dirty_at = c->dirty_next;
  if (c->dirty_next != NULL)
    c->dirty_next->dirty_at = c->dirty_at;
  c->dirty_at = NULL;
}

void engine_conn_flush_dirty(struct engine *e) {
  struct engine_conn *c;
  e->flushing = e->dirty;
  e->dirty = NULL;
  if (e->flushing != NULL)
    e->flushing->dirty_at = &e->flushing;
  while ((c = e->flushing) != NULL) {
    conn_unmark_dirty(c);
    conn_process(c);
    conn_flush(c);
  }
}

/* ---- batches ------------------------------------------------------------ */

/* False without memory, which ends the connection. */
bool conn_lend_out(struct engine_conn *c) {
  if (c->out == NULL)
    c->out = engine_out_get(c->engine);
  if (c->out == NULL) {
    conn_end(c, base_error_from(BASE_ERR_MEMORY));
    return false;
  }
  if (c->tls != NULL)
    tls_session_set_out(c->tls, &c->out->buf);
  return true;
}

static void return_out(struct engine_conn *c) {
  if (c->tls != NULL)
    tls_session_set_out(c->tls, NULL);
  engine_out_put(c->engine, c->out);
  c->out = NULL;
}

void conn_free_output(struct engine_conn *c) {
  return_out(c);
  engine_out_put(c->engine, c->busy);
  c->busy = NULL;
  base_buf_free(&c->control);
  while (c->pings != NULL) {
    struct conn_ping *p = c->pings;
    c->pings = p->next;
    base_free(p);
  }
}

/* ---- to the kernel ------------------------------------------------------- */

/* Without TLS a frame's bytes are those of the wire, all that lie between two
** marks; in front of the first there is an answer to a request. */
static void account_within(struct engine_conn *c, const struct engine_mark *m) {
  uint64_t left = m->wire - c->wire_taken;
  if (m->plain - c->plain_taken <= left)
    return;
  c->plain_taken = m->plain - left;
  c->mark_wire = c->wire_taken;
}

/* Tell back what the kernel took: use up marks, settle messages. */
static void account(struct engine_conn *c, struct engine_out *out, size_t n) {
  size_t used = 0;
  c->wire_taken += n;
  c->conf.stats->bytes_out += n;
  c->written_at = net_loop_now_ms(c->engine->loop);
  while (used < out->count && out->marks[used].wire <= c->wire_taken) {
    c->plain_taken = out->marks[used].plain;
    c->mark_wire = out->marks[used].wire;
    used++;
  }
  out->count -= used;
  memmove(out->marks, out->marks + used, out->count * sizeof *out->marks);
  if (out->count == 0) /* what follows the last mark is of no message */
    c->mark_wire = c->wire_taken;
  else if (c->tls == NULL)
    account_within(c, out->marks);
  /* The peer has from now to answer it. */
  if (used > 0 && c->close == CLOSE_SENT && c->plain_taken == c->framed) {
    c->close_by = c->written_at + c->conf.limits->close_timeout_ms;
    c->grace = false;
  }
}

/* The stream is about to be closed over a batch that it was given: what of it
** has left is known only to the stream. */
void conn_account_busy(struct engine_conn *c) {
  size_t left;
  if (c->busy == NULL)
    return;
  left = net_stream_unwritten(c->stream);
  if (left < c->busy->buf.len)
    account(c, c->busy, c->busy->buf.len - left);
}

/* Bytes of frames up to here may have left. */
uint64_t conn_touched(const struct engine_conn *c) {
  const struct engine_out *out = c->busy != NULL ? c->busy : c->out;
  if (out == NULL || out->count == 0 || c->wire_taken <= c->mark_wire)
    return c->plain_taken;
  return out->marks[0].plain; /* a record of which a part left */
}

/* The fall may have come with the end of an earlier connection. After wss.stop
** it is told by the flush that the next run begins with. */
static void drained(struct engine_conn *c) {
  struct engine_queue *q = c->conf.queue;
  if ((c->phase != CONN_OPEN && c->phase != CONN_CLOSING) ||
      c->engine->halted)
    return;
  if (q->high && q->bytes <= c->conf.limits->low_water) {
    q->high = false;
    c->ops->on_drain(c->owner);
  }
}

/* Calls the user. */
static void settle(struct engine_conn *c) {
  struct engine_queue *q = c->conf.queue;
  engine_queue_settle(q, c->plain_taken);
  drained(c);
}

/* Our close frame is the last that is said: close_notify goes with it, in the
** same packet (see conn_closed_maybe). */
static void say_goodbye(struct engine_conn *c) {
  if (c->tls != NULL && c->phase == CONN_CLOSING && c->close == CLOSE_SENT &&
      (c->violation != NULL ||
       (c->got_close && c->proto.role == WS_SERVER)))
    tls_session_shutdown(c->tls);
}

/* The kernel took bytes of a message from where it lies. */
static void account_uncopied(struct engine_conn *c, struct engine_item *item,
                             size_t n) {
  item->done += n;
  c->framed += n;
  c->plain_taken = c->framed;
  account(c, c->out, n);
  if (item->done == item->blob.len)
    conn_item_encoded(c, item);
}

/* To the kernel: what is encoded, and behind it a long message from where it
** lies, or NULL. False: the connection ended. */
static bool send_batch(struct engine_conn *c, struct engine_item *item,
                       size_t *budget) {
  struct base_buf *buf = &c->out->buf;
  struct net_piece head, rest = {NULL, 0};
  size_t took;
  long n;
  head.data = base_buf_data(buf);
  head.len = buf->len;
  if (item == NULL) {
    n = net_stream_try_write(c->stream, head.data, head.len);
  } else {
    rest.data = item->blob.data + item->done;
    rest.len = item->blob.len - item->done;
    if (rest.len > *budget)
      rest.len = *budget;
    n = net_stream_try_write_both(c->stream, &head, &rest);
  }
  if (n < 0) {
    conn_written(c, (int)n);
    return false;
  }
  took = (size_t)n;
  *budget -= took < *budget ? took : *budget;
  if (took < head.len)
    head.len = took;
  took -= head.len;
  base_buf_consume(buf, head.len);
  account(c, c->out, head.len);
  if (item == NULL)
    return true;
  if (took > 0)
    account_uncopied(c, item, took);
  return took == rest.len || buf->len > 0 || conn_encode_copy(c, item);
}

/* One batch. False: enough for now, or the connection ended. */
static bool flush_batch(struct engine_conn *c, size_t *budget) {
  struct engine_item *item = NULL;
  struct engine_out *out;
  if (!conn_lend_out(c))
    return false;
  if (c->phase >= CONN_ANSWER && c->phase <= CONN_CLOSING &&
      (c->tls == NULL || tls_session_may_write(c->tls))) {
    if (!conn_encode(c))
      return false;
    item = c->tls == NULL ? conn_uncopied(c) : NULL;
  }
  say_goodbye(c);
  out = c->out;
  if ((out->buf.len == 0 && item == NULL) || !send_batch(c, item, budget))
    return false;
  if (out->buf.len > 0) {
    int err =
      net_stream_write(c->stream, base_buf_data(&out->buf), out->buf.len);
    if (err != 0) {
      conn_written(c, err);
      return false;
    }
    c->busy = out;
    c->out = NULL;
    if (c->tls != NULL)
      tls_session_set_out(c->tls, NULL);
  }
  settle(c);
  return c->phase != CONN_ENDED && c->busy == NULL;
}

/* A message that can never be finished leaves the peer waiting, and every
** message behind it too. */
static void sweep(struct engine_conn *c) {
  if (engine_queue_sweep(c->conf.queue))
    conn_end(c, base_error_new(BASE_KIND_CLOSED, "local",
                               "a stream was abandoned before its message "
                               "was finished"));
}

/* From here on what came is only taken, in bounded time. */
static void go_mute(struct engine_conn *c) {
  c->mute = true;
  c->close_by = net_loop_now_ms(c->engine->loop) +
                c->conf.limits->close_timeout_ms;
  conn_arm(c);
}

/* TLS failed behind what nobody has taken yet, and there is something to say. */
static bool cannot_say(const struct engine_conn *c) {
  return c->tail && c->tls != NULL && tls_session_has_failed(c->tls) &&
         c->phase >= CONN_OPEN && c->phase <= CONN_CLOSING &&
         (c->control.len > 0 || c->close != CLOSE_NONE ||
          engine_queue_ready(c->conf.queue));
}

void conn_flush(struct engine_conn *c) {
  size_t budget = CONN_PASS_BYTES;
  c->deflated = 0;
  if (conn_is_gone(c)) {
    conn_gone(c);
    return;
  }
  if (c->phase == CONN_OPEN || c->phase == CONN_CLOSING)
    sweep(c);
  if (c->stream == NULL || c->phase == CONN_ENDED || c->mute)
    return;
  if (cannot_say(c)) {
    go_mute(c);
    return;
  }
  drained(c);
  while (c->phase != CONN_ENDED && c->busy == NULL &&
         flush_batch(c, &budget)) {
    if (budget == 0) { /* be fair to the others */
      conn_mark_dirty(c);
      break;
    }
  }
  if (c->phase == CONN_ENDED)
    return;
  /* It may have come to nothing to write yet. */
  if (c->deflated >= CONN_PASS_BYTES)
    conn_mark_dirty(c);
  if (c->out != NULL && c->out->buf.len == 0)
    return_out(c);
  if (c->phase == CONN_ANSWER)
    conn_answered(c);
  else
    conn_closed_maybe(c);
}

/* What TLS has still to say (an alert, close_notify), if that costs no
** waiting: the connection is ending. */
void conn_last_words(struct engine_conn *c, bool notify) {
  if (c->stream == NULL || c->busy != NULL)
    return;
  if (c->tls != NULL && notify && conn_lend_out(c))
    tls_session_shutdown(c->tls);
  if (c->out != NULL && c->out->buf.len > 0) {
    long n = net_stream_try_write(c->stream, base_buf_data(&c->out->buf),
                                  c->out->buf.len);
    if (n > 0) {
      base_buf_consume(&c->out->buf, (size_t)n);
      account(c, c->out, (size_t)n);
    }
  }
}

/* A peer that has hung up may have said why before (a close frame, an alert,
** a status), and messages too: what came is read first, and taken, in bounded
** time. The end of the input ends the connection then. */
static bool may_hear(const struct engine_conn *c, int uv_err) {
  return net_error_is_hangup(uv_err) && c->violation == NULL &&
         c->phase < CONN_LINGER &&
         (c->reading || c->phase == CONN_OPEN || c->phase == CONN_CLOSING);
}

static void broke(struct engine_conn *c, int uv_err) {
  struct base_error *err;
  err = base_error_new(BASE_KIND_CLOSED, "reset",
                       "the connection broke while sending: %s",
                       net_error_text(uv_err));
  if (!may_hear(c, uv_err)) {
    conn_eof(c, err);
    return;
  }
  c->broken = err;
  go_mute(c);
}

/* What was borrowed is gone, or the socket is broken. */
void conn_written(struct engine_conn *c, int uv_err) {
  struct engine_out *out = c->busy;
  if (uv_err != 0) {
    broke(c, uv_err);
    return;
  }
  c->busy = NULL;
  account(c, out, out->buf.len);
  engine_out_put(c->engine, out);
  settle(c);
  if (c->phase != CONN_ENDED)
    conn_flush(c);
}
