/*
** One message for many: its string is pinned once, and each receiver's queue
** has an item of its own. What a receiver that does not keep up costs is
** decided by slow_consumer.
*/
#include "base/mem.h"
#include "engine/server_impl.h"
#include "engine/share.h"
#include "ws/deflate.h"
#include "ws/utf8.h"

static struct engine_caller *caller_of(struct engine_subscriber *who) {
  return (struct engine_caller *)(void *)((char *)who -
                                          offsetof(struct engine_caller,
                                                   subscriber));
}

static bool is_open(const struct engine_caller *c) {
  return c->open && !c->socket.closing && c->socket.conn != NULL &&
         engine_conn_is_open(c->socket.conn);
}

static void too_slow(struct engine_caller *c, size_t n) {
  const struct engine_socket *s = &c->socket;
  struct base_error *err;
  err = base_error_new(BASE_KIND_LIMIT, "buffered",
                       "a slow consumer: %zu bytes wait to be sent, and %zu "
                       "more would exceed max_buffered (%zu)",
                       s->queue.bytes, n, s->limits->max_buffered);
  base_error_number(err, "limit", (double)s->limits->max_buffered);
  base_error_number(err, "size", (double)(s->queue.bytes + n));
  c->server->stats.slow_closed++;
  engine_conn_terminate(s->conn, err);
}

/* May this receiver have 'n' bytes more? */
static bool admits(struct engine_caller *c, size_t n) {
  const struct engine_queue *q = &c->socket.queue;
  size_t max = c->socket.limits->max_buffered;
  bool full = n > max || q->bytes > max - n;
  if (c->server->conf.slow == ENGINE_SLOW_DROP) {
    if (q->high || full)
      c->server->stats.dropped++;
    return !q->high && !full;
  }
  if (full)
    too_slow(c, n);
  return !full;
}

/* The window that everybody's compressed messages are made with. */
static int shared_bits(const struct engine_deflate *want) {
  int bits = want->wish.server_max_window_bits;
  return bits != 0 ? bits : WS_WINDOW_BITS_MAX;
}

/* Compressed once, for all who can read that (RFC 7692). */
static bool gets_deflated(struct engine_caller *c, struct engine_share *share,
                          size_t n) {
  const struct engine_deflate *want = &c->server->conf.deflate;
  int bits = shared_bits(want);
  struct ws_deflater *d;
  if (!want->on || n < want->min_size || bits < WS_DEFLATE_BITS_MIN ||
      !engine_conn_takes_deflated(c->socket.conn, bits))
    return false;
  d = engine_spare_deflater(c->socket.engine, bits, want->level,
                            want->mem_level);
  return d != NULL && engine_share_deflate(share, d);
}

/* True if it has been given the message. */
static bool give(struct engine_caller *c, struct engine_share *share,
                 size_t n) {
  struct engine_item *item;
  if (!is_open(c) || !admits(c, n))
    return false;
  item = engine_share_item(share, gets_deflated(c, share, n));
  if (item == NULL) { /* it would miss one, and never know */
    engine_conn_terminate(c->socket.conn, base_error_from(BASE_ERR_MEMORY));
    return false;
  }
  engine_socket_push(&c->socket, item);
  return true;
}

struct base_error *engine_server_publish(struct engine_server *s,
                                         const char *topic, size_t n,
                                         struct engine_item *item,
                                         size_t *receivers) {
  struct engine_share *share;
  size_t i, count = 0, len = item->blob.len, given = 0;
  *receivers = 0;
  if (item->opcode == WS_TEXT && !ws_utf8_valid(item->blob.data, len))
    return base_error_from(BASE_ERR_UTF8);
  share = engine_share_open(item);
  if (share == NULL)
    return base_error_from(BASE_ERR_MEMORY);
  if (topic != NULL) {
    const struct engine_seat *seats;
    seats = engine_topics_find(&s->topics, topic, n, &count);
    for (i = 0; i < count; i++)
      given += give(caller_of(seats[i].who), share, len);
  } else {
    struct engine_caller *c;
    for (c = s->callers; c != NULL; c = c->next)
      given += give(c, share, len);
  }
  s->stats.published++;
  s->stats.delivered += given;
  *receivers = given;
  (void)engine_share_close(share);
  return NULL;
}

static bool is_high(const struct engine_caller *c) {
  return is_open(c) && c->socket.queue.high;
}

bool engine_server_is_crowded(const struct engine_server *s,
                              const char *topic, size_t n) {
  const struct engine_caller *c;
  size_t i, count;
  if (topic != NULL) {
    const struct engine_seat *seats;
    seats = engine_topics_find(&s->topics, topic, n, &count);
    for (i = 0; i < count; i++)
      if (is_high(caller_of(seats[i].who)))
        return true;
    return false;
  }
  for (c = s->callers; c != NULL; c = c->next)
    if (is_high(c))
      return true;
  return false;
}
