#include "engine/queue.h"

#include <string.h>

#include "base/mem.h"

static struct engine_item *item_of(struct base_blob *b) {
  return (struct engine_item *)(void *)((char *)b -
                                        offsetof(struct engine_item, blob));
}

static void list_append(struct engine_list *l, struct engine_item *item) {
  item->blob.next = NULL;
  if (l->tail != NULL)
    l->tail->next = &item->blob;
  else
    l->head = &item->blob;
  l->tail = &item->blob;
}

static void list_prepend(struct engine_list *l, struct engine_item *item) {
  item->blob.next = l->head;
  l->head = &item->blob;
  if (l->tail == NULL)
    l->tail = &item->blob;
}

static struct engine_item *list_shift(struct engine_list *l) {
  struct base_blob *b = l->head;
  if (b == NULL)
    return NULL;
  l->head = b->next;
  if (l->head == NULL)
    l->tail = NULL;
  return item_of(b);
}

static void entry_append(struct engine_queue *q, struct engine_entry *e) {
  e->next = NULL;
  if (q->tail != NULL)
    q->tail->next = e;
  else
    q->head = e;
  q->tail = e;
}

static void entry_prepend(struct engine_queue *q, struct engine_entry *e) {
  e->next = q->head;
  q->head = e;
  if (q->tail == NULL)
    q->tail = e;
}

static struct engine_entry *entry_shift(struct engine_queue *q) {
  struct engine_entry *e = q->head;
  q->head = e->next;
  if (q->head == NULL)
    q->tail = NULL;
  return e;
}

static void entry_remove(struct engine_queue *q, struct engine_entry *e) {
  struct engine_entry **at = &q->head, *before = NULL;
  while (*at != e) {
    before = *at;
    at = &before->next;
  }
  *at = e->next;
  if (q->tail == e)
    q->tail = before;
}

/* ---- streams ------------------------------------------------------------ */

/* Its memory goes when nobody can reach it any more. */
static void stream_free_if_done(struct engine_stream *s) {
  if (!s->owned && !s->queued && s->flying == 0 && s->pieces.head == NULL)
    base_free(s);
}

static void stream_leave(struct engine_queue *q, struct engine_stream *s) {
  if (s->queued) {
    entry_remove(q, &s->entry);
    s->queued = false;
  }
}

/*
** Nothing more of it can be sent. Calls the user for each piece: it stays
** among the entries meanwhile, for a user who ends the process in there.
*/
static void stream_break(struct engine_queue *q, struct engine_stream *s) {
  enum base_outcome how = s->touched ? BASE_PARTIAL : BASE_UNSENT;
  struct engine_item *item;
  s->queue = NULL;
  while ((item = list_shift(&s->pieces)) != NULL) {
    q->bytes -= item->blob.len;
    item->blob.release(&item->blob, how);
  }
  stream_leave(q, s);
  stream_free_if_done(s);
}

/* The empty last piece is part of the stream: nobody is to be told. */
static void last_released(struct base_blob *b, enum base_outcome how) {
  (void)b;
  (void)how;
}

struct engine_stream *engine_queue_open(struct engine_queue *q,
                                        uint8_t opcode) {
  struct engine_stream *s;
  s = (struct engine_stream *)base_calloc(1, sizeof *s);
  if (s == NULL)
    return NULL;
  s->entry.is_stream = true;
  s->queue = q;
  s->opcode = opcode;
  s->queued = true;
  s->owned = true;
  entry_append(q, &s->entry);
  return s;
}

bool engine_stream_push(struct engine_stream *s, struct engine_item *item) {
  if (s->queue == NULL || s->finished)
    return false;
  item->stream = s;
  list_append(&s->pieces, item);
  s->queue->bytes += item->blob.len;
  return true;
}

bool engine_stream_finish(struct engine_stream *s) {
  if (s->queue == NULL || s->finished)
    return false;
  if (s->pieces.tail != NULL) {
    item_of(s->pieces.tail)->fin = true;
  } else {
    s->last.blob.release = last_released;
    s->last.fin = true;
    (void)engine_stream_push(s, &s->last);
  }
  s->finished = true;
  return true;
}

static bool is_orphan(const struct engine_stream *s) {
  return !s->owned && !s->finished;
}

void engine_stream_disown(struct engine_stream *s) {
  s->owned = false;
  if (s->queue != NULL && !s->finished)
    s->queue->orphaned = true;
  else
    stream_free_if_done(s);
}

/* ---- the queue ---------------------------------------------------------- */

void engine_queue_init(struct engine_queue *q) {
  memset(q, 0, sizeof *q);
}

void engine_queue_push(struct engine_queue *q, struct engine_item *item) {
  item->fin = true;
  q->bytes += item->blob.len;
  entry_append(q, &item->entry);
}

static struct engine_item *next_piece(struct engine_queue *q,
                                      struct engine_stream *s) {
  struct engine_item *item = list_shift(&s->pieces);
  if (item == NULL)
    return NULL;
  item->opcode = s->opened ? (uint8_t)WS_CONTINUATION : s->opcode;
  s->opened = true;
  s->flying++;
  if (item->fin)
    stream_leave(q, s);
  return item;
}

struct engine_item *engine_queue_next(struct engine_queue *q) {
  if (q->current != NULL)
    return q->current;
  if (q->head == NULL)
    return NULL;
  if (q->head->is_stream)
    q->current = next_piece(q, (struct engine_stream *)(void *)q->head);
  else
    q->current = (struct engine_item *)(void *)entry_shift(q);
  return q->current;
}

bool engine_queue_ready(const struct engine_queue *q) {
  if (q->current != NULL || q->head == NULL)
    return q->current != NULL;
  return !q->head->is_stream ||
         ((const struct engine_stream *)q->head)->pieces.head != NULL;
}

void engine_queue_encoded(struct engine_queue *q) {
  list_append(&q->flight, q->current);
  q->current = NULL;
}

bool engine_queue_empty(const struct engine_queue *q) {
  return q->head == NULL && q->current == NULL && q->flight.head == NULL;
}

/* It is linked nowhere any more. Calls the user, last of all. */
static void settle(struct engine_queue *q, struct engine_item *item,
                   enum base_outcome how) {
  struct engine_stream *s = item->stream;
  bool ours = s != NULL && item == &s->last;
  q->bytes -= item->blob.len;
  if (s != NULL) {
    if (how != BASE_UNSENT)
      s->touched = true;
    s->flying--;
    stream_free_if_done(s);
  }
  if (!ours) /* or it went with the stream */
    item->blob.release(&item->blob, how);
}

void engine_queue_settle(struct engine_queue *q, uint64_t taken) {
  while (q->flight.head != NULL && item_of(q->flight.head)->end <= taken)
    settle(q, list_shift(&q->flight), BASE_WRITTEN);
}

/* Back to where it waited, as if it had never been looked at. */
static void rewind_item(struct engine_queue *q, struct engine_item *item) {
  struct engine_stream *s = item->stream;
  item->done = 0;
  item->begun = false;
  item->deflates = false;
  if (s == NULL) {
    entry_prepend(q, &item->entry);
    return;
  }
  list_prepend(&s->pieces, item);
  s->flying--;
  s->opened = false;
  if (!s->queued) {
    entry_prepend(q, &s->entry);
    s->queued = true;
  }
}

/* Take the items that were framed, newest first, out of the queue. */
static struct base_blob *take_framed(struct engine_queue *q) {
  struct base_blob *stack = NULL;
  struct engine_item *item;
  while ((item = list_shift(&q->flight)) != NULL) {
    item->blob.next = stack;
    stack = &item->blob;
  }
  if (q->current != NULL) {
    q->current->blob.next = stack;
    stack = &q->current->blob;
    q->current = NULL;
  }
  return stack;
}

/* What of it can not go on: the peer of the old connection has its beginning,
** or nobody can end it. */
static bool is_lost(const struct engine_entry *e) {
  const struct engine_stream *s;
  if (!e->is_stream)
    return false;
  s = (const struct engine_stream *)(const void *)e;
  return s->touched || is_orphan(s);
}

static void break_lost_streams(struct engine_queue *q) {
  struct engine_entry *e = q->head;
  while (e != NULL) {
    if (is_lost(e)) {
      stream_break(q, (struct engine_stream *)(void *)e);
      e = q->head; /* it called the user: begin anew */
    } else {
      e = e->next;
    }
  }
}

bool engine_queue_sweep(struct engine_queue *q) {
  struct engine_entry *e = q->head;
  bool cut = false;
  if (!q->orphaned)
    return false;
  q->orphaned = false;
  while (e != NULL) {
    struct engine_stream *s = (struct engine_stream *)(void *)e;
    if (e->is_stream && is_orphan(s)) {
      cut = cut || s->opened;
      stream_break(q, s); /* calls the user: begin anew */
      e = q->head;
    } else {
      e = e->next;
    }
  }
  return cut;
}

static void settle_lost(struct engine_queue *q) {
  struct engine_item *item;
  while ((item = list_shift(&q->lost)) != NULL)
    settle(q, item, BASE_PARTIAL);
}

void engine_queue_cut(struct engine_queue *q, uint64_t taken,
                      uint64_t touched) {
  struct base_blob *stack;
  struct engine_item *item;
  engine_queue_settle(q, taken);
  stack = take_framed(q);
  /* Newest first: what has not been touched goes back to the front, and the
  ** rest is gathered in the order of sending. */
  while (stack != NULL) {
    item = item_of(stack);
    stack = stack->next;
    if (!item->begun || item->start >= touched) {
      rewind_item(q, item);
    } else {
      list_prepend(&q->lost, item);
      if (item->stream != NULL)
        item->stream->touched = true;
    }
  }
  settle_lost(q);
  break_lost_streams(q);
}

void engine_queue_drop(struct engine_queue *q) {
  /* Something is framed or lost only where a call-out of a cut never came
  ** back, because the user ended the process in there. */
  engine_queue_cut(q, 0, UINT64_MAX);
  while (q->head != NULL) {
    if (q->head->is_stream) {
      stream_break(q, (struct engine_stream *)(void *)q->head);
    } else {
      struct engine_item *item;
      item = (struct engine_item *)(void *)entry_shift(q);
      q->bytes -= item->blob.len;
      item->blob.release(&item->blob, BASE_UNSENT);
    }
  }
}
