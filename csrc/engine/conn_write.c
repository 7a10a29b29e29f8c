/*
** A connection's output: frames are encoded from the queue, piece by piece,
** into one batch at a time; the batch goes to the kernel in one call; what
** the kernel took is told back to the messages.
**
**   queue -> stage (one TLS record of frames) -> TLS -> out -> kernel
**
** Without TLS the stage lies in 'out' itself. Bytes of a long message that need
** no mask go into TLS from where they are.
*/
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "engine/connection_impl.h"
#include "ws/mask.h"

enum {
  RECORD = LIMIT_TLS_RECORD_BYTES,
  PASS_BYTES = 1024 * 1024, /* one connection's share of a pass */
  DEFLATE_BYTES = 256 * 1024 /* compressed into one frame, at most */
};

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

static uint64_t wire_made(const struct engine_conn *c) {
  return c->wire_taken + (c->busy != NULL ? c->busy->buf.len : 0) +
         (c->out != NULL ? c->out->buf.len : 0);
}

/* ---- control frames ----------------------------------------------------- */

bool conn_control(struct engine_conn *c, uint8_t opcode, const uint8_t *data,
                  size_t n) {
  uint8_t head[2];
  if (c->close == CLOSE_SENT || !base_buf_fits(&c->control, n + 2))
    return false;
  head[0] = opcode;
  head[1] = (uint8_t)n;
  if (base_buf_reserve(&c->control, n + 2) == NULL)
    return false;
  (void)base_buf_append(&c->control, head, 2);
  (void)base_buf_append(&c->control, data, n);
  conn_mark_dirty(c);
  return true;
}

/* Its time counts from when it is encoded. */
static void ping_encoded(struct engine_conn *c) {
  struct conn_ping *p = c->pings;
  while (p != NULL && p->at > 0)
    p = p->next;
  if (p != NULL)
    p->at = net_clock_precise();
  c->ping_waiting = false;
  c->conf.stats->pings_out++;
}

bool engine_conn_ping(struct engine_conn *c, const uint8_t *data, size_t n) {
  struct conn_ping **last = &c->pings, *p;
  size_t count = 0;
  if (n > WS_CONTROL_MAX)
    return false;
  p = (struct conn_ping *)base_calloc(1, sizeof *p);
  if (p == NULL)
    return false;
  if (!conn_control(c, WS_PING, data, n)) {
    base_free(p);
    return false;
  }
  p->len = (uint8_t)n;
  if (n > 0)
    memcpy(p->data, data, n);
  for (; *last != NULL; last = &(*last)->next)
    count++;
  *last = p;
  if (count >= CONN_PINGS_MAX) { /* nobody answers: forget the oldest */
    p = c->pings;
    c->pings = p->next;
    base_free(p);
  }
  return true;
}

/* ---- encoding ----------------------------------------------------------- */

struct stage {
  struct engine_conn *c;
  uint8_t *mem; /* RECORD bytes */
  size_t used;
};

static bool stage_open(struct stage *st) {
  struct engine_conn *c = st->c;
  st->used = 0;
  if (c->tls != NULL)
    st->mem = c->engine->stage;
  else
    st->mem = base_buf_reserve(&c->out->buf, RECORD);
  return st->mem != NULL;
}

/* What was framed so far ends where the output does. */
static void put_mark(struct engine_conn *c) {
  struct engine_out *out = c->out;
  assert(out->count < ENGINE_OUT_MARKS);
  out->marks[out->count].plain = c->framed;
  out->marks[out->count].wire = wire_made(c);
  out->count++;
}

/* False: the connection ended. */
static bool write_record(struct engine_conn *c, const uint8_t *data,
                         size_t n) {
  if (tls_session_write(c->tls, data, n) == TLS_OK)
    return true;
  conn_end(c, tls_session_error(c->tls));
  return false;
}

/* One record of what is staged, and a mark. False: the connection ended. */
static bool stage_flush(struct stage *st) {
  struct engine_conn *c = st->c;
  if (st->used == 0)
    return true;
  if (c->tls == NULL)
    base_buf_commit(&c->out->buf, st->used);
  else if (!write_record(c, st->mem, st->used))
    return false;
  put_mark(c);
  st->used = 0;
  return true;
}

static size_t put_header(struct stage *st, struct ws_frame *f) {
  struct engine_conn *c = st->c;
  size_t n = ws_frame_write(st->mem + st->used, f);
  st->used += n;
  c->framed += n;
  c->conf.stats->frames_out++;
  return n;
}

static bool fresh_key(struct engine_conn *c, uint8_t key[4]) {
  if (engine_mask_key(c->engine, key))
    return true;
  conn_end(c, base_error_new(BASE_KIND_TLS, "random",
                             "the system's random generator failed"));
  return false;
}

static void put_payload(struct stage *st, const uint8_t *data, size_t n,
                        const struct ws_frame *f, size_t phase) {
  if (f->masked)
    ws_mask_copy(st->mem + st->used, data, n, f->key, phase);
  else if (n > 0)
    memcpy(st->mem + st->used, data, n);
  st->used += n;
  st->c->framed += n;
}

/* A whole control frame; there is room for it. */
static bool put_control(struct stage *st, uint8_t opcode, const uint8_t *data,
                        size_t n) {
  struct ws_frame f;
  memset(&f, 0, sizeof f);
  f.fin = true;
  f.opcode = opcode;
  f.len = n;
  f.masked = st->c->proto.role == WS_CLIENT;
  if (f.masked && !fresh_key(st->c, f.key))
    return false;
  (void)put_header(st, &f);
  put_payload(st, data, n, &f, 0);
  return true;
}

static bool put_next_control(struct stage *st) {
  struct engine_conn *c = st->c;
  const uint8_t *p = base_buf_data(&c->control);
  uint8_t opcode = p[0];
  size_t n = p[1];
  if (!put_control(st, opcode, p + 2, n))
    return false;
  if (opcode == WS_PING)
    ping_encoded(c);
  base_buf_consume(&c->control, n + 2);
  if (c->control.len == 0)
    base_buf_free(&c->control);
  return true;
}

/* RFC 6455, 5.5.1: nothing follows it. */
static bool put_close(struct stage *st) {
  struct engine_conn *c = st->c;
  uint8_t body[WS_CONTROL_MAX];
  size_t n = 0;
  if (c->close_code != 0) {
    body[0] = (uint8_t)(c->close_code >> 8);
    body[1] = (uint8_t)c->close_code;
    memcpy(body + 2, c->close_reason, c->close_len);
    n = 2 + (size_t)c->close_len;
  }
  if (!put_control(st, WS_CLOSE, body, n))
    return false;
  c->close = CLOSE_SENT;
  c->close_by = net_loop_now_ms(c->engine->loop) +
                c->conf.limits->close_timeout_ms;
  conn_arm(c);
  return true;
}

static void item_encoded(struct engine_conn *c, struct engine_item *item) {
  item->end = c->framed;
  if (item->fin && item->opcode != ENGINE_RAW)
    c->conf.stats->messages_out++;
  if (item->fin && (item->deflates || item->deflated))
    conn_deflate_over(c, item->deflated);
  engine_queue_encoded(c->conf.queue);
}

/* What one frame has of a message that is compressed on its way: as much as
** there is room for. The message need not be whole, nor its length known. */
static bool put_deflated(struct stage *st, struct engine_item *item) {
  struct engine_conn *c = st->c;
  struct ws_deflater *d = conn_deflater(c);
  size_t used = item->blob.len - item->done, made = 0;
  enum ws_deflate_flush flush = item->fin ? WS_DEFLATE_END : WS_DEFLATE_PIECE;
  struct ws_frame f;
  bool done;
  memset(&f, 0, sizeof f);
  f.masked = c->proto.role == WS_CLIENT;
  if (used > DEFLATE_BYTES) {
    used = DEFLATE_BYTES;
    flush = WS_DEFLATE_MORE;
  }
  if (d == NULL) {
    conn_end(c, base_error_from(BASE_ERR_MEMORY));
    return false;
  }
  if (f.masked && !fresh_key(c, f.key))
    return false;
  made = RECORD - st->used - WS_FRAME_HEADER_MAX;
  done = ws_deflater_run(d, item->blob.data + item->done, &used,
                         c->engine->deflated, &made, flush) &&
         flush != WS_DEFLATE_MORE;
  c->deflated += used;
  f.fin = done && item->fin;
  f.opcode = item->begun ? (uint8_t)WS_CONTINUATION : item->opcode;
  f.rsv1 = f.opcode != WS_CONTINUATION; /* RFC 7692, 6.1 */
  f.len = made;
  if (!item->begun)
    item->start = c->framed;
  item->begun = true;
  item->done += used;
  (void)put_header(st, &f);
  put_payload(st, c->engine->deflated, made, &f, 0);
  if (done)
    item_encoded(c, item);
  return true;
}

/* As much of one message as there is room for. */
static bool put_item(struct stage *st, struct engine_item *item) {
  struct engine_conn *c = st->c;
  struct ws_frame f;
  size_t n = item->blob.len - item->done;
  if (!item->begun) {
    item->deflates = conn_deflates(c, item);
    if (item->stream != NULL)
      item->stream->deflates = item->deflates;
  }
  if (item->deflates)
    return put_deflated(st, item);
  memset(&f, 0, sizeof f);
  f.rsv1 = item->deflated;
  f.fin = item->fin;
  f.opcode = item->opcode;
  f.len = item->blob.len;
  f.masked = c->proto.role == WS_CLIENT;
  if (!item->begun && item->opcode == ENGINE_RAW) {
    item->start = c->framed;
    item->begun = true;
  } else if (!item->begun) {
    if (f.masked && !fresh_key(c, item->key))
      return false;
    memcpy(f.key, item->key, sizeof f.key);
    item->start = c->framed;
    item->begun = true;
    (void)put_header(st, &f);
  }
  memcpy(f.key, item->key, sizeof f.key);
  if (n > RECORD - st->used)
    n = RECORD - st->used;
  put_payload(st, item->blob.data + item->done, n, &f, item->done);
  item->done += n;
  if (item->done == item->blob.len)
    item_encoded(c, item);
  return true;
}

enum encoded { ENCODED_MORE, ENCODED_ALL, ENCODED_FAILED };

/* The next thing to say, by priority: the frame begun, control frames, the
** close, messages. */
static enum encoded encode_one(struct stage *st) {
  struct engine_conn *c = st->c;
  struct engine_queue *q = c->conf.queue;
  struct engine_item *item;
  bool ok;
  if (c->close == CLOSE_SENT)
    return ENCODED_ALL;
  if (c->phase != CONN_ANSWER && !engine_queue_midframe(q)) {
    if (c->control.len > 0)
      return put_next_control(st) ? ENCODED_MORE : ENCODED_FAILED;
    if (c->close == CLOSE_NOW ||
        (c->close == CLOSE_AFTER && q->head == NULL && q->current == NULL))
      return put_close(st) ? ENCODED_MORE : ENCODED_FAILED;
  }
  item = engine_queue_next(q);
  if (item == NULL) {
    /* A message that is still being made: nobody may go on with it once the
    ** peer has closed, and the peer is not to wait for it. */
    if (c->got_close && c->close == CLOSE_AFTER)
      return put_close(st) ? ENCODED_MORE : ENCODED_FAILED;
    return ENCODED_ALL;
  }
  ok = put_item(st, item);
  return ok ? ENCODED_MORE : ENCODED_FAILED;
}

/* The message that is midway through its frame, if the next record can be cut
** from it without a copy: a server masks nothing (RFC 6455, 5.1). */
static struct engine_item *uncopied(const struct engine_conn *c) {
  struct engine_item *item = c->conf.queue->current;
  if (c->tls == NULL || c->proto.role == WS_CLIENT || item == NULL ||
      c->close == CLOSE_SENT || !item->begun || item->deflates ||
      item->blob.len - item->done < RECORD)
    return NULL;
  return item;
}

static bool put_uncopied(struct engine_conn *c, struct engine_item *item) {
  if (!write_record(c, item->blob.data + item->done, RECORD))
    return false;
  item->done += RECORD;
  c->framed += RECORD;
  put_mark(c);
  if (item->done == item->blob.len)
    item_encoded(c, item);
  return true;
}

/* Fill the batch. False: the connection ended. */
static bool encode(struct engine_conn *c) {
  struct stage st;
  struct engine_out *out = c->out;
  st.c = c;
  while (out->buf.len < ENGINE_OUT_TARGET_BYTES &&
         out->count < ENGINE_OUT_MARKS) {
    enum encoded how = ENCODED_MORE;
    struct engine_item *item = uncopied(c);
    if (item != NULL) {
      if (!put_uncopied(c, item))
        return false;
      continue;
    }
    if (!stage_open(&st)) {
      conn_end(c, base_error_from(BASE_ERR_MEMORY));
      return false;
    }
    /* A record is full when no further header would fit. */
    while (how == ENCODED_MORE && c->deflated < PASS_BYTES &&
           RECORD - st.used >= WS_FRAME_HEADER_MAX + WS_CONTROL_MAX)
      how = encode_one(&st);
    if (how == ENCODED_FAILED || !stage_flush(&st))
      return false;
    if (how == ENCODED_ALL || c->deflated >= PASS_BYTES)
      break;
  }
  return true;
}

/* ---- to the kernel ------------------------------------------------------- */

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

/* One batch. False: enough for now, or the connection ended. */
static bool flush_batch(struct engine_conn *c, size_t *budget) {
  struct engine_out *out;
  long n;
  if (!conn_lend_out(c))
    return false;
  if (c->phase >= CONN_ANSWER && c->phase <= CONN_CLOSING && !encode(c))
    return false;
  say_goodbye(c);
  out = c->out;
  if (out->buf.len == 0)
    return false;
  n = net_stream_try_write(c->stream, base_buf_data(&out->buf), out->buf.len);
  if (n < 0) {
    conn_written(c, (int)n);
    return false;
  }
  *budget -= (size_t)n < *budget ? (size_t)n : *budget;
  base_buf_consume(&out->buf, (size_t)n);
  account(c, out, (size_t)n);
  if (out->buf.len > 0) {
    int err;
    c->busy = out;
    c->out = NULL;
    if (c->tls != NULL)
      tls_session_set_out(c->tls, NULL);
    err = net_stream_write(c->stream, base_buf_data(&out->buf), out->buf.len);
    if (err != 0) {
      conn_written(c, err);
      return false;
    }
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

void conn_flush(struct engine_conn *c) {
  size_t budget = PASS_BYTES;
  c->deflated = 0;
  if (conn_is_gone(c)) {
    conn_gone(c);
    return;
  }
  if (c->phase == CONN_OPEN || c->phase == CONN_CLOSING)
    sweep(c);
  if (c->stream == NULL || c->phase == CONN_ENDED || c->broken != NULL)
    return;
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
  if (c->deflated >= PASS_BYTES) /* it may have come to nothing to write yet */
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
  c->close_by = net_loop_now_ms(c->engine->loop) +
                c->conf.limits->close_timeout_ms;
  conn_arm(c);
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
