/*
** A connection's output, its first half: frames are made of what waits in the
** queue, piece by piece, into the batch that conn_write.c sends.
**
**   queue -> stage (one TLS record of frames) -> TLS -> out
**
** Without TLS the stage lies in 'out' itself. Bytes of a long message that need
** no mask go into TLS from where they are, or else to the kernel.
*/
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "engine/connection_impl.h"
#include "ws/mask.h"

enum {
  RECORD = LIMIT_TLS_RECORD_BYTES,
  DEFLATE_BYTES = 256 * 1024 /* compressed into one frame, at most */
};

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
  c->ping_end = c->framed;
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

/* False without memory, which ends the connection. */
static bool stage_open(struct stage *st, struct engine_conn *c) {
  st->c = c;
  st->used = 0;
  if (c->tls != NULL)
    st->mem = c->engine->stage;
  else
    st->mem = base_buf_reserve(&c->out->buf, RECORD);
  if (st->mem == NULL)
    conn_end(c, base_error_from(BASE_ERR_MEMORY));
  return st->mem != NULL;
}

static uint64_t wire_made(const struct engine_conn *c) {
  return c->wire_taken + (c->busy != NULL ? c->busy->buf.len : 0) +
         (c->out != NULL ? c->out->buf.len : 0);
}

/* What was framed so far ends where the output does. */
static void put_mark(struct engine_conn *c) {
  struct engine_out *out = c->out;
  assert(out->count < ENGINE_OUT_MARKS);
  out->marks[out->count].plain = c->framed;
  out->marks[out->count].wire = wire_made(c);
  out->count++;
}

/* TLS cannot write; where it failed before, while reading, that is why. */
void conn_tls_failed(struct engine_conn *c) {
  struct base_error *err = tls_session_error(c->tls);
  if (err == NULL) {
    err = c->tail_err;
    c->tail_err = NULL;
  }
  conn_end(c, err);
}

/* False: the connection ended. */
static bool write_record(struct engine_conn *c, const uint8_t *data,
                         size_t n, bool more) {
  if (tls_session_write(c->tls, data, n, more) == TLS_OK)
    return true;
  conn_tls_failed(c);
  return false;
}

/* One record of what is staged, and a mark. False: the connection ended. */
static bool stage_flush(struct stage *st, bool more) {
  struct engine_conn *c = st->c;
  if (st->used == 0)
    return true;
  if (c->tls == NULL)
    base_buf_commit(&c->out->buf, st->used);
  else if (!write_record(c, st->mem, st->used, more))
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

void conn_item_encoded(struct engine_conn *c, struct engine_item *item) {
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
    conn_item_encoded(c, item);
  return true;
}

/* A server's frame that is begun, whose bytes need not be copied before they
** are encrypted or sent: it masks nothing (RFC 6455, 5.1). */
static bool is_uncopied(const struct engine_conn *c,
                        const struct engine_item *item) {
  return c->proto.role == WS_SERVER && item->begun && !item->deflates &&
         item->blob.len - item->done >= RECORD;
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
  if (c->tls == NULL && is_uncopied(c, item))
    return true;
  memcpy(f.key, item->key, sizeof f.key);
  if (n > RECORD - st->used)
    n = RECORD - st->used;
  put_payload(st, item->blob.data + item->done, n, &f, item->done);
  item->done += n;
  if (item->done == item->blob.len)
    conn_item_encoded(c, item);
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

/* The message that is midway through its frame, if it can go on so. */
struct engine_item *conn_uncopied(const struct engine_conn *c) {
  struct engine_item *item = c->conf.queue->current;
  if (item == NULL || c->close == CLOSE_SENT || !is_uncopied(c, item))
    return NULL;
  return item;
}

static bool put_uncopied(struct engine_conn *c, struct engine_item *item) {
  if (!write_record(c, item->blob.data + item->done, RECORD,
                    item->blob.len - item->done > RECORD))
    return false;
  item->done += RECORD;
  c->framed += RECORD;
  put_mark(c);
  if (item->done == item->blob.len)
    conn_item_encoded(c, item);
  return true;
}

/* Whether a record that is full is not the last. */
static bool has_more(const struct engine_conn *c) {
  return c->close != CLOSE_SENT && engine_queue_ready(c->conf.queue);
}

/* Fill the batch. False: the connection ended. */
bool conn_encode(struct engine_conn *c) {
  struct stage st;
  struct engine_out *out = c->out;
  while (out->buf.len < ENGINE_OUT_TARGET_BYTES &&
         out->count < ENGINE_OUT_MARKS) {
    enum encoded how = ENCODED_MORE;
    struct engine_item *item = conn_uncopied(c);
    if (item != NULL && c->tls == NULL)
      break; /* send_batch takes it from there */
    if (item != NULL) {
      if (!put_uncopied(c, item))
        return false;
      continue;
    }
    if (!stage_open(&st, c))
      return false;
    /* A record is full when no further header would fit. */
    while (how == ENCODED_MORE && c->deflated < CONN_PASS_BYTES &&
           RECORD - st.used >= WS_FRAME_HEADER_MAX + WS_CONTROL_MAX &&
           (c->tls != NULL || conn_uncopied(c) == NULL))
      how = encode_one(&st);
    if (how == ENCODED_FAILED ||
        !stage_flush(&st, how == ENCODED_MORE && has_more(c)))
      return false;
    if (how == ENCODED_ALL || c->deflated >= CONN_PASS_BYTES)
      break;
  }
  return true;
}

/* The kernel has no room: what comes next waits for some in a copy. */
bool conn_encode_copy(struct engine_conn *c, struct engine_item *item) {
  size_t n = item->blob.len - item->done;
  struct ws_frame unmasked;
  struct stage st;
  unmasked.masked = false;
  if (!stage_open(&st, c))
    return false;
  if (n > RECORD)
    n = RECORD;
  put_payload(&st, item->blob.data + item->done, n, &unmasked, 0);
  item->done += n;
  if (item->done == item->blob.len)
    conn_item_encoded(c, item);
  return stage_flush(&st, false);
}
