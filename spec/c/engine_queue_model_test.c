/*
** engine/queue against a naive model: one list of everything ever accepted,
** searched from its start for whatever is asked. Fixed seeds.
*/
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "engine/queue.h"

enum { MESSAGES = 3000, PIECES = 6000, WRITERS = 6, HEADER = 2 };

enum phase { WAITING, FRAMED, SETTLED };

struct piece {
  struct engine_item item; /* first */
  int message;
  bool ours;   /* the queue's own empty last piece stands for itself */
  bool begun, fin;
  enum phase phase;
  uint64_t start, end;
  size_t len;
  int wanted;  /* the outcome, decided before the queue is asked */
  bool told;
};

struct message {
  int first, count; /* pieces, by 'order' */
  int order[64];
  uint8_t opcode;
  bool is_stream, finished, owned, broken, touched, gone;
  struct engine_stream *s;
};

static struct piece *pieces;
static struct message *messages;
static int piece_count, message_count, told_count;
static struct engine_queue q;
static uint64_t framed, taken;
static uint32_t seed;
static size_t live;
static bool sends_in_release;

static uint32_t dice(uint32_t n) {
  seed = seed * 1664525u + 1013904223u;
  return (seed >> 10) % n;
}

static void *counting_realloc(void *p, size_t size) {
  if (size == 0) {
    live--;
    free(p);
    return NULL;
  }
  if (p == NULL)
    live++;
  return realloc(p, size);
}

/* ---- accepting ---------------------------------------------------------- */

static void send_message(void);

static void release(struct base_blob *b, enum base_outcome how) {
  struct piece *p = (struct piece *)(void *)((char *)b -
                                             offsetof(struct engine_item,
                                                      blob));
  assert_false(p->told);
  assert_int_equal(p->wanted, (int)how);
  p->told = true;
  told_count++;
  memset(&p->item, 0xdb, sizeof p->item);
  if (sends_in_release && dice(4) == 0)
    send_message();
}

static struct piece *new_piece(int message, bool ours) {
  static const uint8_t data[64] = {0};
  struct piece *p = &pieces[piece_count];
  struct message *m = &messages[message];
  m->order[m->count++] = piece_count++;
  p->message = message;
  p->ours = ours;
  p->wanted = -1;
  p->len = ours || dice(8) == 0 ? 0 : dice(60);
  p->item.blob.data = data;
  p->item.blob.len = p->len;
  p->item.blob.release = release;
  return p;
}

static bool full(void) {
  return message_count >= MESSAGES - 4 || piece_count >= PIECES - 70;
}

static void send_message(void) {
  struct piece *p;
  struct message *m = &messages[message_count];
  if (full())
    return;
  m->opcode = WS_BINARY;
  m->finished = true;
  p = new_piece(message_count++, false);
  p->fin = true;
  p->item.opcode = WS_BINARY;
  engine_queue_push(&q, &p->item);
}

static void open_stream(void) {
  struct message *m = &messages[message_count];
  if (full())
    return;
  m->is_stream = m->owned = true;
  m->opcode = WS_TEXT;
  m->s = engine_queue_open(&q, WS_TEXT);
  assert_non_null(m->s);
  message_count++;
}

/* Any stream whose writer is alive. */
static struct message *some_writer(void) {
  int i, start;
  if (message_count == 0)
    return NULL;
  start = (int)dice((uint32_t)message_count);
  for (i = 0; i < message_count; i++) {
    struct message *m = &messages[(start + i) % message_count];
    if (m->is_stream && m->owned)
      return m;
  }
  return NULL;
}

static void write_piece(struct message *m) {
  bool open = !m->finished && !m->broken;
  struct piece *p;
  if (full() || m->count >= 60)
    return;
  if (!open) {
    struct engine_item refused;
    memset(&refused, 0, sizeof refused);
    assert_false(engine_stream_push(m->s, &refused));
    return;
  }
  p = new_piece((int)(m - messages), false);
  assert_true(engine_stream_push(m->s, &p->item));
}

static void finish_stream(struct message *m) {
  bool open = !m->finished && !m->broken;
  struct piece *last = m->count > 0 ? &pieces[m->order[m->count - 1]] : NULL;
  assert_int_equal(engine_stream_finish(m->s), open);
  if (!open)
    return;
  m->finished = true;
  if (last == NULL || last->phase != WAITING || last->begun)
    last = new_piece((int)(m - messages), true);
  last->fin = true;
}

static void disown(struct message *m) {
  m->owned = false;
  engine_stream_disown(m->s);
}

/* ---- what must come next -------------------------------------------------- */

static struct piece *model_next(void) {
  int i, j;
  for (i = 0; i < message_count; i++) {
    struct message *m = &messages[i];
    bool whole = m->gone || m->broken;
    for (j = 0; j < m->count && !m->gone; j++) {
      struct piece *p = &pieces[m->order[j]];
      if (p->phase == WAITING)
        return p;
      if (p->fin)
        whole = true;
    }
    if (!whole)
      return NULL; /* an open stream: all behind it waits */
  }
  return NULL;
}

static void encode_some(void) {
  struct piece *p = model_next();
  struct engine_item *it = engine_queue_next(&q);
  struct message *m;
  size_t n;
  if (p == NULL) {
    assert_null(it);
    return;
  }
  m = &messages[p->message];
  assert_non_null(it);
  if (p->ours)
    assert_int_equal(it->blob.len, 0);
  else
    assert_ptr_equal(it, &p->item);
  assert_int_equal(it->fin, p->fin);
  assert_int_equal(it->opcode,
                   p == &pieces[m->order[0]] ? m->opcode : WS_CONTINUATION);
  if (!p->begun) {
    assert_false(it->begun);
    assert_int_equal(it->done, 0);
    p->begun = it->begun = true;
    p->start = it->start = framed;
    framed += HEADER;
  }
  n = it->blob.len - it->done;
  if (dice(3) == 0)
    n = n > 0 ? dice((uint32_t)n) : 0;
  it->done += n;
  framed += n;
  if (it->done == it->blob.len && dice(4) != 0) {
    p->phase = FRAMED;
    p->end = it->end = framed;
    engine_queue_encoded(&q);
  }
}

/* ---- what must be told ---------------------------------------------------- */

static void want(struct piece *p, enum base_outcome how) {
  struct message *m = &messages[p->message];
  p->phase = SETTLED;
  p->wanted = (int)how;
  if (p->ours)
    p->told = true;
  if (how != BASE_UNSENT)
    m->touched = true;
}

static void model_written(void) {
  int i;
  for (i = 0; i < piece_count; i++)
    if (pieces[i].phase == FRAMED && pieces[i].end <= taken)
      want(&pieces[i], BASE_WRITTEN);
}

static void model_break(struct message *m) {
  int j;
  enum base_outcome how = m->touched ? BASE_PARTIAL : BASE_UNSENT;
  m->broken = true;
  for (j = 0; j < m->count; j++)
    if (pieces[m->order[j]].phase == WAITING && !pieces[m->order[j]].begun)
      want(&pieces[m->order[j]], how);
}

static bool complete(const struct message *m) {
  int j;
  for (j = 0; j < m->count; j++)
    if (pieces[m->order[j]].phase == WAITING)
      return false;
  return m->finished;
}

static void model_cut(uint64_t touched) {
  int i;
  model_written();
  for (i = 0; i < piece_count; i++) {
    struct piece *p = &pieces[i];
    if (p->phase == SETTLED || !p->begun)
      continue;
    if (p->start < touched) {
      want(p, BASE_PARTIAL);
    } else {
      p->phase = WAITING;
      p->begun = false;
    }
  }
  for (i = 0; i < message_count; i++) {
    struct message *m = &messages[i];
    if (m->is_stream && !m->gone && !complete(m) &&
        (m->touched || m->broken || (!m->owned && !m->finished)))
      model_break(m);
  }
}

static void check_told(void) {
  size_t bytes = 0;
  int i;
  for (i = 0; i < piece_count; i++) {
    assert_int_equal(pieces[i].told, pieces[i].phase == SETTLED);
    if (pieces[i].phase != SETTLED)
      bytes += pieces[i].len;
  }
  assert_int_equal(q.bytes, bytes);
}

static void settle_some(void) {
  taken += framed > taken ? dice((uint32_t)(framed - taken) + 1) : 0;
  model_written();
  engine_queue_settle(&q, taken);
}

static void cut(void) {
  uint64_t touched;
  taken += framed > taken ? dice((uint32_t)(framed - taken) + 1) : 0;
  touched = taken;
  if (dice(2) == 0 && framed > taken)
    touched += dice((uint32_t)(framed - taken) + 1);
  model_cut(touched);
  engine_queue_cut(&q, taken, touched);
  framed = taken = 0;
}

/* Streams without a writer that were not begun since the last cut. */
static void sweep(void) {
  bool must_end = false;
  int i;
  for (i = 0; i < message_count; i++) {
    struct message *m = &messages[i];
    if (!m->is_stream || m->owned || m->finished || m->broken)
      continue;
    if (m->count > 0 && (pieces[m->order[0]].phase != WAITING ||
                         pieces[m->order[0]].begun))
      must_end = true;
    model_break(m);
  }
  assert_int_equal(engine_queue_sweep(&q), must_end);
  if (must_end)
    cut();
}

static void end_all(void) {
  int i;
  cut();
  for (i = 0; i < piece_count; i++) {
    struct piece *p = &pieces[i];
    if (p->phase == WAITING)
      want(p, BASE_UNSENT);
  }
  for (i = 0; i < message_count; i++)
    messages[i].gone = true;
  sends_in_release = false;
  engine_queue_drop(&q);
  for (i = 0; i < message_count; i++)
    if (messages[i].is_stream && messages[i].owned)
      engine_stream_disown(messages[i].s);
  check_told();
  assert_true(engine_queue_empty(&q));
  assert_int_equal(live, 0);
}

static void step(void) {
  struct message *m;
  uint32_t what = dice(100);
  if (what < 15) {
    send_message();
  } else if (what < 20) {
    open_stream();
  } else if (what < 45) {
    m = some_writer();
    if (m != NULL && what < 35)
      write_piece(m);
    else if (m != NULL && what < 42)
      finish_stream(m);
    else if (m != NULL)
      disown(m);
  } else if (what < 80) {
    encode_some();
  } else if (what < 93) {
    settle_some();
  } else if (what < 97) {
    sweep();
  } else {
    cut();
  }
  check_told();
}

static void run(uint32_t first_seed) {
  int i;
  memset(pieces, 0, PIECES * sizeof *pieces);
  memset(messages, 0, MESSAGES * sizeof *messages);
  piece_count = message_count = told_count = 0;
  framed = taken = 0;
  seed = first_seed;
  live = 0;
  sends_in_release = first_seed % 2 == 0;
  engine_queue_init(&q);
  for (i = 0; i < 1500; i++)
    step();
  assert_true(told_count > 50); /* it was a test of something */
  end_all();
}

static void agrees_with_a_naive_model(void **state) {
  uint32_t i;
  (void)state;
  base_mem_realloc_hook = counting_realloc;
  pieces = (struct piece *)calloc(PIECES, sizeof *pieces);
  messages = (struct message *)calloc(MESSAGES, sizeof *messages);
  assert_non_null(pieces);
  assert_non_null(messages);
  for (i = 1; i <= 100; i++)
    run(i);
  free(pieces);
  free(messages);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(agrees_with_a_naive_model),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
