/* ws/deflate: messages through zlib and back (RFC 7692, 7.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "ws/deflate.h"

enum { LARGEST = 150000, ROOMY = 1 << 20, ALL = 1 << 30 };

/* ---- dice, the same in every run ---------------------------------------- */

static uint32_t dice;

static uint32_t roll(uint32_t sides) {
  dice = dice * 1664525u + 1013904223u;
  return (dice >> 8) % sides;
}

/* Messages of several kinds, some of which can be compressed. */
static void fill(uint8_t *out, size_t n, unsigned kind) {
  static const char unit[] = "the quick brown fox 0123456789 ";
  size_t i;
  for (i = 0; i < n; i++)
    switch (kind % 4) {
      case 0: out[i] = (uint8_t)unit[i % (sizeof unit - 1)]; break;
      case 1: out[i] = (uint8_t)roll(256); break;
      case 2: out[i] = 0; break;
      default: out[i] = (uint8_t)unit[roll(5) + i / 1000 % 20]; break;
    }
}

/* ---- there and back ----------------------------------------------------- */

enum { CHANCE = 0 }; /* as a piece's size: another one each time */

static size_t piece_of(size_t piece, size_t left) {
  size_t n = piece == CHANCE ? 1 + roll(1000) : piece;
  return n < left ? n : left;
}

struct how {
  size_t in;   /* bytes of input at a time */
  size_t room; /* for output */
  bool flushed; /* after each piece */
};

/* One call after another, until all is out. */
static void run(struct ws_deflater *d, const uint8_t *in, size_t n,
                const struct how *how, enum ws_deflate_flush flush,
                struct base_buf *out) {
  uint8_t room[70000];
  size_t used, made;
  bool done;
  do {
    assert_true(how->room >= WS_DEFLATE_ROOM && how->room <= sizeof room);
    used = n;
    made = how->room;
    done = ws_deflater_run(d, in, &used, room, &made, flush);
    assert_true(used <= n && made <= how->room);
    assert_true(done || used > 0 || made > 0); /* it gets on */
    assert_int_equal(base_buf_append(out, room, made), 0);
    in += used;
    n -= used;
  } while (!done);
  assert_int_equal(n, 0);
}

static void pack(struct ws_deflater *d, const uint8_t *in, size_t n,
                 const struct how *how, struct base_buf *out) {
  do {
    size_t some = piece_of(how->in, n);
    run(d, in, some, how,
        some == n ? WS_DEFLATE_END
                  : how->flushed ? WS_DEFLATE_PIECE : WS_DEFLATE_MORE,
        out);
    in += some;
    n -= some;
  } while (n > 0);
}

/* From memory of exactly that size. */
static int feed(struct ws_inflater *f, const uint8_t *in, size_t n,
                struct base_buf *out) {
  uint8_t *copy = (uint8_t *)malloc(n + 1);
  int err;
  assert_non_null(copy);
  memcpy(copy + 1, in, n);
  err = ws_inflater_feed(f, copy + 1, n, out);
  free(copy);
  return err;
}

static int unpack(struct ws_inflater *f, const uint8_t *in, size_t n,
                  size_t piece, struct base_buf *out) {
  while (n > 0) {
    size_t some = piece_of(piece, n);
    int err = feed(f, in, some, out);
    if (err != 0)
      return err;
    in += some;
    n -= some;
  }
  return ws_inflater_end(f, out);
}

static struct ws_deflater *deflater(int bits, int level, int mem_level) {
  struct ws_deflater *d = ws_deflater_new(bits, level, mem_level);
  assert_non_null(d);
  assert_true(ws_deflater_is(d, bits, level, mem_level));
  assert_false(ws_deflater_is(d, bits - 1, level, mem_level));
  assert_false(ws_deflater_is(d, bits, level + 1, mem_level));
  assert_false(ws_deflater_is(d, bits, level, mem_level + 1));
  return d;
}

static struct ws_inflater *inflater(void) {
  struct ws_inflater *f = ws_inflater_new();
  assert_non_null(f);
  return f;
}

static uint8_t message[LARGEST];

/* A conversation of several messages, each like the one before or not. */
static void talk(int bits, int level, int mem_level, const struct how *how,
                 size_t piece, bool takeover) {
  static const size_t sizes[] = {0, 1, 5, 0, 0, 31, 260, 1000, 40000, 3, 5000};
  struct ws_deflater *d = deflater(bits, level, mem_level);
  struct ws_inflater *f = inflater();
  struct base_buf wire, out;
  size_t i;
  base_buf_init(&wire, ROOMY);
  base_buf_init(&out, LARGEST);
  for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t n = sizes[i];
    int err;
    if (n == 40000 && (how->in == 1 || piece == 1))
      n = 4000; /* in time */
    fill(message, n, (unsigned)(i + i / 4));
    pack(d, message, n, how, &wire);
    assert_true(wire.len > 0); /* RFC 7692, 7.2.3.6 */
    err = unpack(f, base_buf_data(&wire), wire.len, piece, &out);
    if (err != 0 || out.len != n ||
        (n > 0 && memcmp(base_buf_data(&out), message, n) != 0))
      fail_msg("bits %d, level %d/%d, in %d, room %d, pieces %d: error %d in "
               "message %d", bits, level, mem_level, (int)how->in,
               (int)how->room, (int)piece, err, (int)i);
    base_buf_free(&wire);
    base_buf_free(&out);
    if (!takeover) {
      ws_deflater_reset(d);
      ws_inflater_free(f);
      f = inflater();
    }
  }
  ws_deflater_free(d);
  ws_inflater_free(f);
}

static void every_window_and_level_comes_back(void **state) {
  static const struct how whole = {ALL, 65536, false};
  static const struct how random = {CHANCE, 100, false};
  int bits, level;
  (void)state;
  dice = 1;
  for (bits = WS_DEFLATE_BITS_MIN; bits <= 15; bits++)
    for (level = 0; level <= 9; level++) {
      int mem_level = 1 + (bits + level) % 9;
      talk(bits, level, mem_level, &whole, ALL, true);
      talk(bits, level, mem_level, &random, CHANCE, level % 2 == 0);
    }
}

static void every_memory_level_comes_back(void **state) {
  static const struct how whole = {ALL, 4096, false};
  int mem_level;
  (void)state;
  dice = 2;
  for (mem_level = 1; mem_level <= 9; mem_level++) {
    talk(15, 6, mem_level, &whole, CHANCE, true);
    talk(9, 9, mem_level, &whole, 7, false);
  }
}

static void any_cut_of_input_and_output_will_do(void **state) {
  static const size_t ins[] = {ALL, CHANCE, 100, 1};
  static const size_t rooms[] = {65536, 1000, 33, WS_DEFLATE_ROOM};
  static const size_t pieces[] = {ALL, CHANCE, 3, 1};
  size_t i, r, p;
  int flushed;
  (void)state;
  dice = 3;
  for (i = 0; i < 4; i++)
    for (r = 0; r < 4; r++)
      for (p = 0; p < 4; p++)
        for (flushed = 0; flushed < 2; flushed++) {
          struct how how;
          how.in = ins[i];
          how.room = rooms[r];
          how.flushed = flushed == 1;
          talk(15, (int)(i + r + p) % 10, 8, &how, pieces[p], true);
        }
}

/* ---- RFC 7692, 7.2.3 ---------------------------------------------------- */

#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\x00"
#define AGAIN "\xf2\x00\x11\x00\x00"

static const struct how whole = {ALL, 65536, false};

static void packs(struct ws_deflater *d, const char *text, const char *want,
                  size_t n) {
  struct base_buf wire;
  base_buf_init(&wire, ROOMY);
  pack(d, (const uint8_t *)text, strlen(text), &whole, &wire);
  assert_int_equal(wire.len, n);
  assert_memory_equal(base_buf_data(&wire), want, n);
  base_buf_free(&wire);
}

/* By any pieces, in a context of its own each time. 'before' came first. */
static void unpacks_after(const char *before, size_t before_n,
                          const char *wire, size_t n, const char *want) {
  size_t piece;
  for (piece = 1; piece <= n || piece == 1; piece++) {
    struct ws_inflater *f = inflater();
    struct base_buf out;
    base_buf_init(&out, 1000);
    if (before != NULL) {
      assert_int_equal(unpack(f, (const uint8_t *)before, before_n, piece,
                              &out), 0);
      base_buf_free(&out);
    }
    assert_int_equal(unpack(f, (const uint8_t *)wire, n, piece, &out), 0);
    assert_int_equal(out.len, strlen(want));
    if (out.len > 0)
      assert_memory_equal(base_buf_data(&out), want, out.len);
    base_buf_free(&out);
    ws_inflater_free(f);
  }
}

static void unpacks(const char *wire, size_t n, const char *want) {
  unpacks_after(NULL, 0, wire, n, want);
}

static void makes_the_examples_of_the_rfc(void **state) {
  struct ws_deflater *d = deflater(15, 6, 8);
  (void)state;
  packs(d, "Hello", HELLO, 7);
  packs(d, "Hello", AGAIN, 5); /* 7.2.3.2 */
  ws_deflater_reset(d);
  packs(d, "Hello", HELLO, 7);
  packs(d, "", "", 1); /* 7.2.3.6 */
  packs(d, "", "", 1);
  ws_deflater_free(d);
  d = deflater(15, 0, 8);
  packs(d, "Hello", "\x00\x05\x00\xfa\xff" "Hello\x00", 11); /* 7.2.3.3 */
  packs(d, "", "", 1);
  ws_deflater_free(d);
}

static void reads_the_examples_of_the_rfc(void **state) {
  (void)state;
  unpacks(HELLO, 7, "Hello"); /* 7.2.3.1 */
  unpacks_after(HELLO, 7, AGAIN, 5, "Hello"); /* 7.2.3.2 */
  unpacks_after(HELLO, 7, HELLO, 7, "Hello");
  unpacks("\x00\x05\x00\xfa\xff" "Hello\x00", 11, "Hello"); /* 7.2.3.3 */
  unpacks("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8, "Hello"); /* 7.2.3.4 */
  unpacks("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13,
          "Hello"); /* 7.2.3.5 */
  unpacks("", 1, ""); /* 7.2.3.6 */
  unpacks_after("", 1, "", 1, "");
}

static void a_final_block_ends_nothing(void **state) {
  static const char final[] = "\xf3\x48\xcd\xc9\xc9\x07\x00"; /* 7.2.3.4 */
  (void)state;
  /* What follows refers to what was before it, too. */
  unpacks_after(final, 8, AGAIN, 5, "Hello");
  unpacks_after(HELLO, 7, "\xf3\x00\x11\x00\x00", 5, "Hello");
  unpacks_after(final, 8, final, 8, "Hello");
  /* Two of them in one message, and another block between. */
  unpacks("\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 15,
          "HelloHello");
  unpacks("\xf3\x48\xcd\xc9\xc9\x07\x00" AGAIN, 12, "HelloHello");
  /* A stream that ends there, as deflate itself would write it. */
  unpacks("\xf3\x48\xcd\xc9\xc9\x07\x00", 7, "Hello");
  unpacks_after(final, 7, HELLO, 7, "Hello");
  unpacks_after(final, 7, "", 1, "");
}

/* As python-websockets sends them, for whom two flushes are one. */
static void a_flush_may_be_whole_or_wanting(void **state) {
  (void)state;
  unpacks_after("", 0, "", 1, "");
  unpacks_after("", 0, HELLO, 7, "Hello");
  unpacks_after(HELLO, 7, "", 0, "");
  unpacks(HELLO "\x00\x00\xff\xff", 11, "Hello");
  unpacks("\x00\x00\x00\xff\xff", 5, "");
  unpacks_after(HELLO "\x00\x00\xff\xff", 11, AGAIN, 5, "Hello");
}

/* What it inflates to fills the room that is made for it to the last byte:
** zlib is not asked once more, for then it would not say where it stands. */
static void a_whole_flush_may_end_where_the_room_does(void **state) {
  enum { ROOM = 1024 };
  struct ws_deflater *d = deflater(15, 6, 8);
  uint8_t zeros[ROOM] = {0}, wire[100];
  size_t used = ROOM, made = sizeof wire - 4, piece;
  (void)state;
  assert_true(ws_deflater_run(d, zeros, &used, wire, &made, WS_DEFLATE_PIECE));
  memcpy(wire + made, "\x00\x00\xff\xff", 4); /* what is held back */
  made += 4;
  for (piece = 1; piece <= made; piece++) {
    struct ws_inflater *f = inflater();
    struct base_buf out;
    base_buf_init(&out, piece % 2 == 0 ? ROOM : 2 * ROOM);
    assert_int_equal(unpack(f, wire, made, piece, &out), 0);
    assert_int_equal(out.len, ROOM);
    base_buf_free(&out);
    ws_inflater_free(f);
  }
  ws_deflater_free(d);
}

/* ---- what is wrong ------------------------------------------------------ */

/* Fed by any pieces it gives that error, and at the end at the latest. */
static void breaks(const char *wire, size_t n) {
  size_t piece;
  for (piece = 1; piece <= n; piece++) {
    struct ws_inflater *f = inflater();
    struct base_buf out;
    int err;
    base_buf_init(&out, 1000);
    err = unpack(f, (const uint8_t *)wire, n, piece, &out);
    if (err != BASE_ERR_DEFLATE)
      fail_msg("error %d, pieces of %d", err, (int)piece);
    base_buf_free(&out);
    ws_inflater_free(f);
  }
}

/* Each would have the whole window copied, for two bytes. */
static void a_message_of_final_blocks_is_refused(void **state) {
  char wire[140];
  size_t i;
  (void)state;
  for (i = 0; i < sizeof wire; i += 2)
    memcpy(wire + i, "\x03\x00", 2); /* a final block with nothing in it */
  breaks(wire, sizeof wire);
  unpacks(wire, 128, "");
}

static void malformed_streams_are_refused(void **state) {
  (void)state;
  breaks("\x06", 1);                     /* a block of type 3 */
  breaks("\xff\xff\xff\xff", 4);
  breaks("\x00\x05\x00\xfa\xfe" "Hello\x00", 11); /* LEN is not ~NLEN */
  breaks(AGAIN, 5);                      /* before the window's beginning */
  breaks("\xf2\x48\xcd\xc9\xc9\x07\x06", 7);
  breaks("\xf3\x48\xcd\xc9\xc9\x07\x00\x06", 8);
  breaks("\x78\x9c\xf2\x48\xcd\xc9\xc9\x07\x00", 9); /* zlib's header */
  breaks("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", 10); /* gzip's */
  breaks("\x04\xe0\xff\xff\xff\xff\xff\xff", 8); /* lengths of a code */
}

static void truncated_streams_are_refused(void **state) {
  size_t n;
  (void)state;
  for (n = 1; n < 6; n++)
    breaks(HELLO, n);
  for (n = 1; n < 6; n++)
    breaks("\xf3\x48\xcd\xc9\xc9\x07", n);
  /* Of five bytes that are to come stand as many as the tail's four. */
  breaks("\x00\x09\x00\xf6\xff" "Hell", 9);
  breaks("\x00\x05\x00", 3);
  breaks("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9", 10);
}

static void after_an_error_everything_is_one(void **state) {
  struct ws_inflater *f = inflater();
  struct base_buf out;
  (void)state;
  base_buf_init(&out, 1000);
  assert_int_equal(feed(f, (const uint8_t *)"\x06", 1, &out),
                   BASE_ERR_DEFLATE);
  assert_int_equal(feed(f, (const uint8_t *)HELLO, 7, &out),
                   BASE_ERR_DEFLATE);
  assert_int_equal(ws_inflater_end(f, &out), BASE_ERR_DEFLATE);
  base_buf_free(&out);
  ws_inflater_free(f);
}

/* Whatever comes, it is text or an error. */
static void noise_does_no_harm(void **state) {
  int i;
  (void)state;
  dice = 4;
  for (i = 0; i < 3000; i++) {
    struct ws_inflater *f = inflater();
    struct base_buf out;
    uint8_t noise[64];
    size_t n = 1 + roll(sizeof noise);
    int err;
    memcpy(noise, HELLO, 7);
    fill(noise + (n > 7 ? roll(7) : 0), n > 7 ? n - 7 : n, 1);
    base_buf_init(&out, 5000);
    err = unpack(f, noise, n, CHANCE, &out);
    if (err != 0 && err != BASE_ERR_DEFLATE && err != BASE_ERR_MESSAGE_SIZE)
      fail_msg("error %d", err);
    assert_true(out.len <= 5000);
    base_buf_free(&out);
    ws_inflater_free(f);
  }
}

/* ---- bounds ------------------------------------------------------------- */

/* Zeros, so many bytes, as small as it gets. */
static void bomb(struct base_buf *wire, size_t n) {
  static const uint8_t zeros[4096] = {0};
  struct ws_deflater *d = deflater(15, 9, 9);
  base_buf_init(wire, ROOMY);
  for (; n > sizeof zeros; n -= sizeof zeros)
    run(d, zeros, sizeof zeros, &whole, WS_DEFLATE_MORE, wire);
  run(d, zeros, n, &whole, WS_DEFLATE_END, wire);
  ws_deflater_free(d);
}

static void an_expansion_stops_at_the_bound(void **state) {
  static const size_t pieces[] = {ALL, 1000, 1};
  enum { BOUND = 100000 };
  struct base_buf wire;
  size_t i;
  (void)state;
  bomb(&wire, 100u << 20);
  assert_true((100u << 20) / wire.len > 1000);
  for (i = 0; i < 3; i++) {
    struct ws_inflater *f = inflater();
    struct base_buf out;
    size_t used = 0;
    int err = 0;
    base_buf_init(&out, BOUND);
    while (err == 0) {
      size_t some = piece_of(pieces[i], wire.len - used);
      assert_true(some > 0);
      err = feed(f, base_buf_data(&wire) + used, some, &out);
      used += some;
    }
    assert_int_equal(err, BASE_ERR_MESSAGE_SIZE);
    assert_true(out.len <= BOUND && out.cap <= BOUND);
    assert_true(pieces[i] == ALL || used <= BOUND / 1000 + pieces[i] + 10);
    base_buf_free(&out);
    ws_inflater_free(f);
  }
  base_buf_free(&wire);
}

static void the_bound_itself_is_no_error(void **state) {
  static const size_t bounds[] = {1, 255, 256, 257, 1024, 4096, 65536, 70001};
  size_t i, piece;
  (void)state;
  for (i = 0; i < sizeof bounds / sizeof *bounds; i++) {
    struct base_buf wire;
    bomb(&wire, bounds[i]);
    for (piece = 1; piece <= wire.len; piece += piece < 8 ? 1 : 100) {
      struct ws_inflater *f = inflater();
      struct base_buf out;
      base_buf_init(&out, bounds[i]);
      assert_int_equal(unpack(f, base_buf_data(&wire), wire.len, piece, &out),
                       0);
      assert_int_equal(out.len, bounds[i]);
      base_buf_free(&out);
      ws_inflater_free(f);
      f = inflater();
      base_buf_init(&out, bounds[i] - 1);
      assert_int_equal(unpack(f, base_buf_data(&wire), wire.len, piece, &out),
                       BASE_ERR_MESSAGE_SIZE);
      base_buf_free(&out);
      ws_inflater_free(f);
    }
    base_buf_free(&wire);
  }
}

static void nothing_fits_into_nothing(void **state) {
  struct ws_inflater *f = inflater();
  struct base_buf out;
  (void)state;
  base_buf_init(&out, 0);
  assert_int_equal(unpack(f, (const uint8_t *)"", 1, ALL, &out), 0);
  assert_int_equal(unpack(f, (const uint8_t *)HELLO, 7, ALL, &out),
                   BASE_ERR_MESSAGE_SIZE);
  base_buf_free(&out);
  ws_inflater_free(f);
}

static void what_cannot_be_compressed_hardly_grows(void **state) {
  struct ws_deflater *d = deflater(15, 9, 8);
  struct base_buf wire;
  (void)state;
  dice = 5;
  fill(message, LARGEST, 1);
  base_buf_init(&wire, ROOMY);
  pack(d, message, LARGEST, &whole, &wire);
  assert_in_range(wire.len, LARGEST, LARGEST + LARGEST / 1000 + 64);
  base_buf_free(&wire);
  ws_deflater_free(d);
}

/* ---- a want of memory --------------------------------------------------- */

static int allowed; /* allocations until they fail */
static long live;

static void *failing(void *p, size_t size) {
  void *got;
  if (size == 0) {
    live -= p != NULL;
    free(p);
    return NULL;
  }
  if (allowed-- <= 0)
    return NULL;
  got = realloc(p, size);
  assert_non_null(got);
  live += p == NULL;
  return got;
}

/* One message there and back; false as soon as something is lacking. */
static bool once(size_t n) {
  struct ws_deflater *d = ws_deflater_new(15, 6, 8);
  struct ws_inflater *f = ws_inflater_new();
  struct base_buf out;
  uint8_t room[4096];
  size_t used = n, made = sizeof room;
  int err = BASE_ERR_MEMORY;
  bool done;
  base_buf_init(&out, 200000);
  if (d != NULL && f != NULL) {
    done = ws_deflater_run(d, message, &used, room, &made, WS_DEFLATE_END);
    assert_true(done);
    err = ws_inflater_feed(f, room, made / 2, &out);
    if (err == 0)
      err = ws_inflater_feed(f, room + made / 2, made - made / 2, &out);
    /* and one that ends in a final block, which needs some of its own */
    if (err == 0)
      err = ws_inflater_end(f, &out);
    if (err == 0)
      err = ws_inflater_feed(f, (const uint8_t *)"\x03", 1, &out);
    if (err == 0)
      err = ws_inflater_feed(f, (const uint8_t *)"\x00", 2, &out);
  }
  assert_true(err == 0 || err == BASE_ERR_MEMORY);
  base_buf_free(&out);
  ws_deflater_free(d);
  ws_inflater_free(f);
  return err == 0;
}

static void survives_a_want_of_memory(void **state) {
  base_realloc_fn *before = base_mem_realloc_hook;
  int nth;
  bool ok = false;
  (void)state;
  fill(message, 100000, 2);
  base_mem_realloc_hook = failing;
  live = 0;
  for (nth = 0; !ok && nth < 100; nth++) {
    allowed = nth;
    ok = once(100000);
    assert_int_equal(live, 0);
  }
  base_mem_realloc_hook = before;
  assert_true(ok);
  assert_in_range(nth, 8, 40); /* zlib's own are among them */
}

static void freeing_nothing_is_fine(void **state) {
  (void)state;
  ws_deflater_free(NULL);
  ws_inflater_free(NULL);
}

static void tells_the_version_of_the_library(void **state) {
  (void)state;
  assert_true(ws_deflate_version()[0] == '1');
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_window_and_level_comes_back),
    cmocka_unit_test(every_memory_level_comes_back),
    cmocka_unit_test(any_cut_of_input_and_output_will_do),
    cmocka_unit_test(makes_the_examples_of_the_rfc),
    cmocka_unit_test(reads_the_examples_of_the_rfc),
    cmocka_unit_test(a_final_block_ends_nothing),
    cmocka_unit_test(a_flush_may_be_whole_or_wanting),
    cmocka_unit_test(a_whole_flush_may_end_where_the_room_does),
    cmocka_unit_test(a_message_of_final_blocks_is_refused),
    cmocka_unit_test(malformed_streams_are_refused),
    cmocka_unit_test(truncated_streams_are_refused),
    cmocka_unit_test(after_an_error_everything_is_one),
    cmocka_unit_test(noise_does_no_harm),
    cmocka_unit_test(an_expansion_stops_at_the_bound),
    cmocka_unit_test(the_bound_itself_is_no_error),
    cmocka_unit_test(nothing_fits_into_nothing),
    cmocka_unit_test(what_cannot_be_compressed_hardly_grows),
    cmocka_unit_test(survives_a_want_of_memory),
    cmocka_unit_test(freeing_nothing_is_fine),
    cmocka_unit_test(tells_the_version_of_the_library),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
