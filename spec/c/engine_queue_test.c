/* engine/queue: order, streams, and every message settled exactly once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "engine/queue.h"

/* ---- items that remember ------------------------------------------------- */

enum { NOT_YET = -1, ITEMS = 40, HEADER = 2 };

static struct item {
  struct engine_item item; /* first */
  int outcome;
  int releases;
} items[ITEMS];

static int released[ITEMS], releases; /* in which order */
static void (*in_release)(int index);
static struct engine_queue q;
static uint64_t framed;
static long live;

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

static struct item *of(struct base_blob *b) {
  return (struct item *)(void *)((char *)b -
                                 offsetof(struct engine_item, blob));
}

static void release(struct base_blob *b, enum base_outcome how) {
  struct item *it = of(b);
  it->releases++;
  assert_int_equal(it->releases, 1);
  it->outcome = (int)how;
  /* It may be freed here: nobody must look at it any more. */
  memset(&it->item, 0xdb, sizeof it->item);
  released[releases++] = (int)(it - items);
  if (in_release != NULL)
    in_release((int)(it - items));
}

static struct engine_item *make(int index, size_t len, uint8_t opcode) {
  static const uint8_t data[64] = {0};
  struct item *it = &items[index];
  memset(it, 0, sizeof *it);
  it->outcome = NOT_YET;
  it->item.blob.data = data;
  it->item.blob.len = len;
  it->item.blob.release = release;
  it->item.opcode = opcode;
  return &it->item;
}

static void push(int index, size_t len) {
  engine_queue_push(&q, make(index, len, WS_BINARY));
}

static void piece(struct engine_stream *s, int index, size_t len) {
  assert_true(engine_stream_push(s, make(index, len, 0)));
}

static int index_of(const struct engine_item *it) {
  return it == NULL ? -1 : (int)((const struct item *)(const void *)it - items);
}

/* As the connection does: a header and the payload. */
static struct engine_item *begin(void) {
  struct engine_item *it = engine_queue_next(&q);
  if (it != NULL && !it->begun) {
    it->begun = true;
    it->start = framed;
    framed += HEADER;
  }
  return it;
}

static struct engine_item *encode(void) {
  struct engine_item *it = begin();
  if (it != NULL) {
    framed += it->blob.len - it->done;
    it->done = it->blob.len;
    it->end = framed;
    engine_queue_encoded(&q);
  }
  return it;
}

static void expect_next(int index) {
  assert_int_equal(index_of(engine_queue_next(&q)), index);
}

static void expect_encoded(int index, uint8_t opcode, bool fin) {
  struct engine_item *it = engine_queue_next(&q);
  assert_int_equal(index_of(it), index);
  assert_int_equal(it->opcode, opcode);
  assert_int_equal(it->fin, fin);
  (void)encode();
}

static void expect(int index, int outcome) {
  assert_int_equal(items[index].outcome, outcome);
}

static int set_up(void **state) {
  (void)state;
  base_mem_realloc_hook = counting_realloc;
  live = 0;
  releases = 0;
  framed = 0;
  in_release = NULL;
  engine_queue_init(&q);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  return q.bytes == 0 && live == 0 ? 0 : -1;
}

/* ---- messages ----------------------------------------------------------- */

static void messages_go_in_order_and_are_settled_in_order(void **state) {
  (void)state;
  push(0, 10);
  push(1, 0);
  push(2, 5);
  assert_int_equal(q.bytes, 15);
  expect_encoded(0, WS_BINARY, true);
  expect_encoded(1, WS_BINARY, true);
  expect_encoded(2, WS_BINARY, true);
  expect_next(-1);
  assert_false(engine_queue_empty(&q)); /* the kernel has nothing yet */
  engine_queue_settle(&q, 11);
  assert_int_equal(releases, 0); /* a byte is missing */
  engine_queue_settle(&q, 12);
  assert_int_equal(releases, 1);
  assert_int_equal(q.bytes, 5);
  engine_queue_settle(&q, framed);
  assert_int_equal(releases, 3);
  assert_int_equal(released[0] * 100 + released[1] * 10 + released[2], 12);
  expect(0, BASE_WRITTEN);
  expect(1, BASE_WRITTEN);
  expect(2, BASE_WRITTEN);
  assert_true(engine_queue_empty(&q));
}

static void the_item_being_encoded_stays_the_next_one(void **state) {
  (void)state;
  push(0, 10);
  push(1, 10);
  assert_false(engine_queue_midframe(&q));
  expect_next(0);
  assert_false(engine_queue_midframe(&q));
  (void)begin();
  assert_true(engine_queue_midframe(&q));
  expect_next(0);
  (void)encode();
  assert_false(engine_queue_midframe(&q));
  expect_next(1);
  engine_queue_drop(&q);
}

static void what_was_never_begun_is_dropped_as_unsent(void **state) {
  (void)state;
  push(0, 1);
  push(1, 2);
  expect_next(0); /* looked at is not begun */
  engine_queue_cut(&q, 0, 0);
  assert_int_equal(releases, 0);
  engine_queue_drop(&q);
  expect(0, BASE_UNSENT);
  expect(1, BASE_UNSENT);
  assert_int_equal(released[0], 0);
  assert_true(engine_queue_empty(&q));
}

/* Messages 0..3 of 10 bytes; the kernel took 0 whole and perhaps a part of
** what follows; 3 is being encoded. */
static void frame_four(void) {
  int i;
  for (i = 0; i < 5; i++)
    push(i, 10);
  (void)encode();
  (void)encode();
  (void)encode();
  (void)begin();
  q.current->done = 4;
  framed += 4;
}

static void a_cut_settles_written_and_partial_and_keeps_the_rest(void **state) {
  (void)state;
  frame_four();
  engine_queue_cut(&q, 12, 13); /* a byte of 1 may have left */
  expect(0, BASE_WRITTEN);
  expect(1, BASE_PARTIAL);
  expect(2, NOT_YET);
  expect(3, NOT_YET);
  assert_int_equal(q.bytes, 30);
  framed = 0;
  expect_encoded(2, WS_BINARY, true);
  assert_int_equal(framed, 12); /* whole, from its first byte */
  expect_encoded(3, WS_BINARY, true);
  assert_int_equal(framed, 24);
  expect_encoded(4, WS_BINARY, true);
  engine_queue_settle(&q, framed);
  expect(4, BASE_WRITTEN);
}

static void a_message_cut_while_it_is_encoded_is_partial(void **state) {
  (void)state;
  frame_four();
  engine_queue_cut(&q, 36, 40);
  expect(2, BASE_WRITTEN);
  expect(3, BASE_PARTIAL);
  expect(4, NOT_YET);
  expect_next(4);
  assert_int_equal(released[3], 3);
  engine_queue_drop(&q);
  expect(4, BASE_UNSENT);
}

static void a_cut_at_every_offset_is_right_for_every_message(void **state) {
  uint64_t taken, touched;
  int i;
  (void)state;
  for (taken = 0; taken <= 42; taken++) {
    for (touched = taken; touched <= 42; touched++) {
      (void)set_up(NULL);
      frame_four();
      engine_queue_cut(&q, taken, touched);
      for (i = 0; i < 4; i++) {
        uint64_t start = (uint64_t)i * 12, end = start + 12;
        if (i < 3 && end <= taken)
          expect(i, BASE_WRITTEN);
        else if (start < touched)
          expect(i, BASE_PARTIAL);
        else
          expect(i, NOT_YET);
      }
      expect(4, NOT_YET);
      for (i = 0; i < releases; i++)
        assert_int_equal(released[i], i);
      engine_queue_drop(&q);
      assert_int_equal(releases, 5);
      assert_int_equal(q.bytes, 0);
    }
  }
}

/* ---- streams ------------------------------------------------------------ */

static void a_stream_is_one_message_in_fragments(void **state) {
  struct engine_stream *s = engine_queue_open(&q, WS_TEXT);
  (void)state;
  piece(s, 0, 5);
  piece(s, 1, 5);
  expect_encoded(0, WS_TEXT, false);
  expect_encoded(1, WS_CONTINUATION, false);
  expect_next(-1); /* it waits for its writer */
  piece(s, 2, 5);
  assert_true(engine_stream_finish(s)); /* the last waiting piece ends it */
  assert_false(engine_stream_finish(s));
  assert_false(engine_stream_push(s, make(3, 1, 0)));
  expect_encoded(2, WS_CONTINUATION, true);
  engine_stream_disown(s);
  engine_queue_settle(&q, framed);
  assert_int_equal(releases, 3);
  assert_true(engine_queue_empty(&q));
}

static void an_empty_frame_ends_a_stream_whose_pieces_have_gone(void **state) {
  struct engine_stream *s = engine_queue_open(&q, WS_BINARY);
  struct engine_item *last;
  (void)state;
  piece(s, 0, 5);
  expect_encoded(0, WS_BINARY, false);
  assert_true(engine_stream_finish(s));
  engine_stream_disown(s);
  last = encode();
  assert_non_null(last);
  assert_int_equal(last->blob.len, 0);
  assert_int_equal(last->opcode, WS_CONTINUATION);
  assert_true(last->fin);
  engine_queue_settle(&q, framed);
  assert_int_equal(releases, 1);
}

static void a_stream_without_any_piece_is_an_empty_message(void **state) {
  struct engine_stream *s = engine_queue_open(&q, WS_TEXT);
  struct engine_item *only;
  (void)state;
  assert_true(engine_stream_finish(s));
  only = engine_queue_next(&q);
  assert_int_equal(only->opcode, WS_TEXT);
  assert_true(only->fin);
  (void)encode();
  engine_queue_settle(&q, framed);
  engine_stream_disown(s);
}

static void messages_behind_an_open_stream_wait_for_its_end(void **state) {
  struct engine_stream *s;
  (void)state;
  push(0, 1);
  s = engine_queue_open(&q, WS_TEXT);
  push(1, 1);
  expect_encoded(0, WS_BINARY, true);
  expect_next(-1);
  assert_false(engine_queue_empty(&q));
  piece(s, 2, 3);
  expect_encoded(2, WS_TEXT, false);
  expect_next(-1);
  piece(s, 3, 3);
  assert_true(engine_stream_finish(s));
  expect_encoded(3, WS_CONTINUATION, true);
  expect_encoded(1, WS_BINARY, true);
  engine_queue_settle(&q, framed);
  engine_stream_disown(s);
}

static void streams_wait_for_each_other(void **state) {
  struct engine_stream *a = engine_queue_open(&q, WS_TEXT);
  struct engine_stream *b = engine_queue_open(&q, WS_BINARY);
  (void)state;
  piece(b, 0, 1);
  expect_next(-1);
  assert_true(engine_stream_finish(b));
  expect_next(-1);
  piece(a, 1, 1);
  assert_true(engine_stream_finish(a));
  expect_encoded(1, WS_TEXT, true);
  expect_encoded(0, WS_BINARY, true);
  engine_queue_settle(&q, framed);
  engine_stream_disown(a);
  engine_stream_disown(b);
}

static void a_stream_that_the_peer_saw_is_broken_by_a_cut(void **state) {
  struct engine_stream *s = engine_queue_open(&q, WS_TEXT);
  (void)state;
  piece(s, 0, 5);
  piece(s, 1, 5);
  piece(s, 2, 5);
  push(3, 1);
  (void)encode();
  (void)encode();
  engine_queue_cut(&q, 7, 8);
  expect(0, BASE_WRITTEN);
  expect(1, BASE_PARTIAL);
  expect(2, BASE_PARTIAL); /* its message was */
  expect(3, NOT_YET);
  assert_false(engine_stream_push(s, make(4, 1, 0)));
  assert_false(engine_stream_finish(s));
  expect_next(3);
  engine_stream_disown(s);
  engine_queue_drop(&q);
}

static void a_stream_of_which_nothing_left_begins_anew(void **state) {
  struct engine_stream *s = engine_queue_open(&q, WS_TEXT);
  (void)state;
  piece(s, 0, 5);
  piece(s, 1, 5);
  (void)encode();
  (void)encode();
  engine_queue_cut(&q, 0, 0);
  assert_int_equal(releases, 0);
  piece(s, 2, 5);
  framed = 0;
  expect_encoded(0, WS_TEXT, false);
  expect_encoded(1, WS_CONTINUATION, false);
  assert_true(engine_stream_finish(s));
  expect_encoded(2, WS_CONTINUATION, true);
  engine_queue_settle(&q, framed);
  engine_stream_disown(s);
}

static void a_finished_stream_comes_back_in_its_place(void **state) {
  struct engine_stream *s;
  (void)state;
  push(0, 1);
  s = engine_queue_open(&q, WS_TEXT);
  piece(s, 1, 5);
  piece(s, 2, 5);
  assert_true(engine_stream_finish(s));
  engine_stream_disown(s);
  push(3, 1);
  (void)encode();
  (void)encode();
  (void)encode();
  (void)encode();
  engine_queue_cut(&q, 3, 3);
  expect(0, BASE_WRITTEN);
  framed = 0;
  expect_encoded(1, WS_TEXT, false);
  expect_encoded(2, WS_CONTINUATION, true);
  expect_encoded(3, WS_BINARY, true);
  engine_queue_settle(&q, framed);
  assert_int_equal(releases, 4);
}

/* ---- writers that go ----------------------------------------------------- */

static void giving_up_a_stream_calls_nobody_before_the_sweep(void **state) {
  struct engine_stream *s = engine_queue_open(&q, WS_TEXT);
  (void)state;
  piece(s, 0, 5);
  engine_stream_disown(s);
  assert_int_equal(releases, 0);
  assert_false(engine_queue_sweep(&q)); /* nothing of it was begun */
  expect(0, BASE_UNSENT);
  assert_true(engine_queue_empty(&q));
  assert_false(engine_queue_sweep(&q));
}

static void the_sweep_tells_that_a_begun_message_was_given_up(void **state) {
  struct engine_stream *s = engine_queue_open(&q, WS_TEXT);
  (void)state;
  piece(s, 0, 5);
  piece(s, 1, 5);
  push(2, 1);
  (void)encode();
  engine_stream_disown(s);
  assert_true(engine_queue_sweep(&q));
  expect(0, NOT_YET); /* it is with the kernel, who knows */
  expect(1, BASE_UNSENT);
  engine_queue_cut(&q, 7, 7);
  expect(0, BASE_WRITTEN);
  expect_next(2);
  engine_queue_drop(&q);
}

static void a_finished_stream_needs_no_writer(void **state) {
  struct engine_stream *s = engine_queue_open(&q, WS_TEXT);
  (void)state;
  piece(s, 0, 5);
  assert_true(engine_stream_finish(s));
  engine_stream_disown(s);
  assert_false(engine_queue_sweep(&q));
  expect_encoded(0, WS_TEXT, true);
  engine_queue_settle(&q, framed);
  expect(0, BASE_WRITTEN);
}

/* Its pieces were framed, but not one byte left: they come back from a
** connection to a stream that nobody can end any more. */
static void pieces_of_a_swept_stream_do_not_come_back(void **state) {
  struct engine_stream *s = engine_queue_open(&q, WS_TEXT);
  (void)state;
  piece(s, 0, 5);
  push(1, 1);
  (void)encode();
  engine_stream_disown(s);
  assert_true(engine_queue_sweep(&q));
  engine_queue_cut(&q, 0, 0);
  expect(0, BASE_UNSENT);
  expect_next(1);
  engine_queue_drop(&q);
}

static void a_stream_given_up_between_connections_is_gone(void **state) {
  struct engine_stream *s = engine_queue_open(&q, WS_TEXT);
  (void)state;
  piece(s, 0, 5);
  (void)encode();
  engine_stream_disown(s);
  engine_queue_cut(&q, 0, 0);
  expect(0, BASE_UNSENT);
  expect_next(-1);
  assert_true(engine_queue_empty(&q));
}

static void a_dropped_stream_takes_nothing_more(void **state) {
  struct engine_stream *s = engine_queue_open(&q, WS_TEXT);
  (void)state;
  piece(s, 0, 5);
  engine_queue_drop(&q);
  expect(0, BASE_UNSENT);
  assert_false(engine_stream_push(s, make(1, 5, 0)));
  assert_false(engine_stream_finish(s));
  assert_int_equal(live, 1); /* its writer can still ask it */
  engine_stream_disown(s);
}

static void *no_memory(void *p, size_t size) {
  (void)p;
  (void)size;
  return NULL;
}

static void no_memory_for_a_stream_is_a_null(void **state) {
  (void)state;
  base_mem_realloc_hook = no_memory;
  assert_null(engine_queue_open(&q, WS_TEXT));
  base_mem_realloc_hook = counting_realloc;
  assert_true(engine_queue_empty(&q));
}

/* ---- users who do things when they are told ------------------------------ */

static struct engine_stream *victim;
static int next_push;

static void send_another(int index) {
  (void)index;
  if (next_push < 30)
    push(next_push++, 1);
}

static void what_is_sent_while_settling_comes_last(void **state) {
  int i;
  (void)state;
  frame_four();
  next_push = 10;
  in_release = send_another;
  engine_queue_cut(&q, 12, 13);
  in_release = NULL;
  framed = 0;
  for (i = 2; i < 5; i++)
    expect_encoded(i, WS_BINARY, true);
  expect_encoded(10, WS_BINARY, true); /* when 0 was written */
  expect_encoded(11, WS_BINARY, true); /* when 1 was lost */
  expect_next(-1);
  engine_queue_settle(&q, framed);
}

static void give_up(int index) {
  (void)index;
  if (victim != NULL)
    engine_stream_disown(victim);
  victim = NULL;
}

static void a_writer_may_go_while_its_pieces_are_settled(void **state) {
  int how;
  (void)state;
  for (how = 0; how < 4; how++) {
    (void)set_up(NULL);
    victim = engine_queue_open(&q, WS_TEXT);
    piece(victim, 0, 1);
    piece(victim, 1, 1);
    piece(victim, 2, 1);
    if (how == 3)
      assert_true(engine_stream_finish(victim));
    (void)encode();
    (void)encode();
    if (how == 3)
      (void)encode();
    in_release = give_up;
    if (how == 0)
      engine_queue_cut(&q, 3, 4);
    else if (how == 1)
      engine_queue_cut(&q, 0, 1);
    else
      engine_queue_settle(&q, framed);
    (void)engine_queue_sweep(&q);
    engine_queue_cut(&q, framed, framed);
    engine_queue_drop(&q);
    assert_int_equal(releases, 3);
    assert_null(victim);
    assert_int_equal(live, 0);
  }
}

/* ---- a user who never comes back ------------------------------------------ */

static jmp_buf away;
static int leave_after;

static void leave(int index) {
  (void)index;
  if (leave_after > 0 && --leave_after == 0)
    longjmp(away, 1);
}

/* One of everything: written, partial, rewound, streams of each state. */
static struct engine_stream *writers[3];

static void fill_with_everything(void) {
  int i;
  push(0, 10);
  writers[0] = engine_queue_open(&q, WS_TEXT);
  piece(writers[0], 1, 5);
  piece(writers[0], 2, 5);
  assert_true(engine_stream_finish(writers[0]));
  writers[1] = engine_queue_open(&q, WS_TEXT);
  piece(writers[1], 3, 5);
  piece(writers[1], 4, 5);
  piece(writers[1], 5, 5);
  push(6, 10);
  writers[2] = engine_queue_open(&q, WS_TEXT);
  piece(writers[2], 7, 1);
  piece(writers[2], 8, 1);
  for (i = 0; i < 5; i++)
    (void)encode();
}

static void end_everything(void) {
  int i;
  for (i = 0; i < 3; i++) {
    struct engine_stream *s = writers[i];
    writers[i] = NULL;
    if (s != NULL)
      engine_stream_disown(s);
  }
  engine_queue_drop(&q);
}

/* A release that does not come back, the n-th. */
static void leave_at(int n) {
  in_release = leave;
  leave_after = n;
  if (setjmp(away) != 0)
    return;
  fill_with_everything();
  engine_queue_cut(&q, 12, 13 + (uint64_t)n);
  end_everything();
  fail(); /* it was to leave */
}

/* os.exit(true, true) in a callback: control never returns to the queue, and
** then everything is finalized, writers before or after the client. */
static void nothing_is_lost_when_a_user_never_comes_back(void **state) {
  int n, how;
  (void)state;
  for (how = 0; how < 2; how++) {
    for (n = 1; n <= 9; n++) {
      (void)set_up(NULL);
      leave_at(n);
      in_release = NULL;
      if (how == 1)
        engine_queue_drop(&q);
      end_everything();
      assert_int_equal(releases, 9);
      assert_int_equal(q.bytes, 0);
      assert_int_equal(live, 0);
    }
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(messages_go_in_order_and_are_settled_in_order),
    TEST(the_item_being_encoded_stays_the_next_one),
    TEST(what_was_never_begun_is_dropped_as_unsent),
    TEST(a_cut_settles_written_and_partial_and_keeps_the_rest),
    TEST(a_message_cut_while_it_is_encoded_is_partial),
    TEST(a_cut_at_every_offset_is_right_for_every_message),
    TEST(a_stream_is_one_message_in_fragments),
    TEST(an_empty_frame_ends_a_stream_whose_pieces_have_gone),
    TEST(a_stream_without_any_piece_is_an_empty_message),
    TEST(messages_behind_an_open_stream_wait_for_its_end),
    TEST(streams_wait_for_each_other),
    TEST(a_stream_that_the_peer_saw_is_broken_by_a_cut),
    TEST(a_stream_of_which_nothing_left_begins_anew),
    TEST(a_finished_stream_comes_back_in_its_place),
    TEST(giving_up_a_stream_calls_nobody_before_the_sweep),
    TEST(the_sweep_tells_that_a_begun_message_was_given_up),
    TEST(a_finished_stream_needs_no_writer),
    TEST(pieces_of_a_swept_stream_do_not_come_back),
    TEST(a_stream_given_up_between_connections_is_gone),
    TEST(a_dropped_stream_takes_nothing_more),
    TEST(no_memory_for_a_stream_is_a_null),
    TEST(what_is_sent_while_settling_comes_last),
    TEST(a_writer_may_go_while_its_pieces_are_settled),
    TEST(nothing_is_lost_when_a_user_never_comes_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
