/*
** Compressed messages (csrc/ws/deflate.c), in and out. An input begins with
** eight bytes: the direction and what was agreed on, a limit or a level, the
** deflater's memory and what it does at an end, how many messages there are and
** which pieces the peer is to have at once, and how the bytes are cut. Messages
** follow, each but the last behind a byte that is its length.
*/
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "fuzz.h"
#include "support/blob.h"
#include "support/broken.h"
#include "support/bytes.h"
#include "support/inflate.h"
#include "ws/deflate.h"

enum { HEAD = 8, CUTS_AT = 4, FINALS = 64 };
enum { PIECES_MAX = 1000 }; /* of a message; the last has what is left */
enum { LOOKS_MAX = 4 };     /* at what there is of it, behind the first ones */
enum { LITTLE = 32 };
enum { SMALLEST = 256 }; /* of a buffer's memory */
enum option { OPT_OUT = 1, OPT_TAKEOVER = 2, OPT_BITS_AT = 2, OPT_MORE_AT = 5 };
enum ends { END_EMPTY = 64, /* the last piece of a message has no byte */
            END_GIVEN_UP = 128 /* before each a message is given up */ };

double fuzz_limit_seconds = 2;

static const uint8_t tail[] = {0, 0, 0xff, 0xff};

static bool takes_over(const uint8_t *head) {
  return (head[0] & OPT_TAKEOVER) != 0;
}

/* The next of 'left' messages. */
static struct bytes next_message(struct bytes *all, unsigned left) {
  struct bytes one = {all->at, all->n};
  if (left > 1) {
    size_t n = bytes_one(all);
    one.at = all->at;
    one.n = n < all->n ? n : all->n;
  }
  all->at += one.n;
  all->n -= one.n;
  return one;
}

static struct cut cut_of(const uint8_t *head, enum cut_how how) {
  struct cut cut = {how, head + CUTS_AT, 0};
  return cut;
}

static size_t next_piece(struct cut *cut, unsigned *pieces, size_t left) {
  return ++*pieces < PIECES_MAX ? cut_next(cut, left) : left;
}

/* ---- in ------------------------------------------------------------------ */

/* What a message is, found out from all of it at once: 0 or an error. What was
** before it in 'text' may be referred to. */
static int right_error(struct blob *text, size_t limit, struct bytes m) {
  struct blob all = {NULL, 0, 0}, first = {NULL, 0, 0};
  enum inflate_end end;
  blob_put(&first, text->mem, text->n);
  end = inflate_slowly(&first, limit, m.at, m.n, FINALS);
  if (end == INFLATE_SHORT) { /* RFC 7692, 7.2.2 */
    blob_free(&first);
    blob_put(&first, text->mem, text->n);
    blob_put(&all, m.at, m.n);
    blob_put(&all, tail, sizeof tail);
    end = inflate_slowly(&first, limit, all.mem, all.n, FINALS + 2);
    blob_free(&all);
  }
  blob_free(text);
  *text = first;
  if (end == INFLATE_FULL)
    return BASE_ERR_MESSAGE_SIZE;
  return end == INFLATE_BETWEEN ? 0 : BASE_ERR_DEFLATE;
}

/* Whatever could be known by now of a message is there. What is in 'before' may
** be referred to. */
static void is_there(const struct base_buf *out, struct bytes before,
                     const uint8_t *in, size_t n) {
  struct blob all = {NULL, 0, 0};
  enum inflate_end end;
  blob_put(&all, before.at, before.n);
  end = inflate_slowly(&all, out->max, in, n, FINALS);
  MUST(end != INFLATE_FULL);
  MUST(end == INFLATE_WRONG || all.n == before.n + out->len);
  blob_free(&all);
}

static int inflate_pieces(struct ws_inflater *f, struct base_buf *out,
                          struct bytes before, struct bytes m,
                          struct cut cut) {
  unsigned pieces = 0;
  size_t at = 0;
  int err = 0;
  while (at < m.n && err == 0) {
    size_t n = next_piece(&cut, &pieces, m.n - at);
    uint8_t *copy = blob_copy(m.at + at, n);
    err = ws_inflater_feed(f, copy, n, out);
    free(copy);
    MUST(out->len <= out->max);
    MUST(out->cap <= SMALLEST || out->cap <= out->max);
    at += n;
    if (err == 0 && pieces <= LOOKS_MAX)
      is_there(out, before, m.at, at);
  }
  if (err == 0)
    err = ws_inflater_end(f, out);
  MUST(out->len <= out->max);
  return err;
}

static struct ws_inflater *new_inflater(struct ws_inflater *old) {
  struct ws_inflater *f;
  ws_inflater_free(old);
  f = ws_inflater_new();
  MUST(f != NULL);
  return f;
}

static void go_in(const uint8_t *head, struct bytes all, enum cut_how how) {
  static const size_t limits[] = {20000, 4096, 1025, 1024, 300, 16, 1, 0};
  struct ws_inflater *f = new_inflater(NULL);
  struct blob text = {NULL, 0, 0};
  unsigned left = 1 + head[3] % 4;
  int err = 0;
  for (; left > 0 && err == 0; left--) {
    struct bytes m = next_message(&all, left);
    struct bytes before;
    struct base_buf out;
    int right;
    if (!takes_over(head)) {
      f = new_inflater(f);
      blob_free(&text);
      memset(&text, 0, sizeof text);
    }
    before.n = text.n;
    base_buf_init(&out, limits[head[1] % 8]);
    right = right_error(&text, out.max, m);
    before.at = text.mem;
    err = inflate_pieces(f, &out, before, m, cut_of(head, how));
    MUST(err == right);
    MUST(before.n + out.len <= text.n);
    MUST(err != 0 || before.n + out.len == text.n);
    MUST(out.len == 0 ||
         memcmp(base_buf_data(&out), text.mem + before.n, out.len) == 0);
    base_buf_free(&out);
  }
  ws_inflater_free(f);
  blob_free(&text);
}

/* ---- out ----------------------------------------------------------------- */

struct out {
  const uint8_t *head;
  struct ws_deflater *d;
  struct ws_inflater *ours;
  z_stream theirs;      /* with the window that was agreed on */
  struct blob text;     /* what may be referred to, and then the message */
  struct blob packed;   /* of the message */
  size_t before;        /* of 'text' */
  unsigned turn;
};

/* One piece, into room that differs from call to call. */
static void deflate_piece(struct out *o, const uint8_t *in, size_t n,
                          enum ws_deflate_flush flush) {
  uint8_t *copy = blob_copy(in, n), *at = copy;
  size_t idle = 0;
  bool done = false;
  while (!done) {
    size_t size = WS_DEFLATE_ROOM + o->head[CUTS_AT + o->turn++ % 4] % 64u;
    size_t used = n, made = size;
    uint8_t *room = (uint8_t *)malloc(size);
    MUST(room != NULL);
    done = ws_deflater_run(o->d, at, &used, room, &made, flush);
    MUST(used <= n && made <= size);
    MUST(!done || used == n);
    idle = used + made > 0 ? 0 : idle + 1;
    MUST(idle < 3);
    blob_put(&o->packed, room, made);
    free(room);
    at += used;
    n -= used;
  }
  free(copy);
}

/* Whoever has been given this has all of it: of a piece that was flushed, too.
** 'end': how it stops. */
static void is_all_there(const struct out *o, const struct blob *packed,
                         enum inflate_end end) {
  struct blob back = {NULL, 0, 0};
  enum inflate_end got;
  blob_put(&back, o->text.mem, o->before);
  got = inflate_slowly(&back, o->text.n, packed->mem, packed->n, 0);
  MUST(got == end);
  MUST(blob_same(&back, &o->text));
  blob_free(&back);
}

/* zlib has no more than the window to look back into, and what it wrote in the
** same call: a little. */
static void zlib_reads_it(struct out *o, const struct blob *packed) {
  uint8_t back[LITTLE];
  const uint8_t *text = o->text.n > 0 ? o->text.mem + o->before : back;
  size_t left = o->text.n - o->before, n;
  int got;
  o->theirs.next_in = packed->mem;
  o->theirs.avail_in = (unsigned)packed->n;
  do {
    o->theirs.next_out = back;
    o->theirs.avail_out = sizeof back;
    got = inflate(&o->theirs, Z_SYNC_FLUSH);
    MUST_OF(o->theirs.msg != NULL ? o->theirs.msg : "",
            got == Z_OK || got == Z_BUF_ERROR);
    n = sizeof back - o->theirs.avail_out;
    MUST(n <= left && (n == 0 || memcmp(back, text, n) == 0));
    text += n;
    left -= n;
  } while (n == sizeof back);
  MUST(left == 0 && o->theirs.avail_in == 0);
}

static void we_read_it(struct out *o) {
  struct bytes before = {o->text.mem, o->before};
  struct bytes m = {o->packed.mem, o->packed.n};
  struct cut cut = cut_of(o->head, CUT_AS_TOLD);
  struct base_buf back;
  base_buf_init(&back, o->text.n - o->before);
  MUST(inflate_pieces(o->ours, &back, before, m, cut) == 0);
  MUST(back.len == back.max);
  MUST(back.len == 0 || memcmp(base_buf_data(&back), o->text.mem + o->before,
                               back.len) == 0);
  base_buf_free(&back);
}

static void its_pieces(struct out *o, struct bytes m, struct cut cut) {
  bool empty = (o->head[2] & END_EMPTY) != 0, last = false;
  unsigned pieces = 0;
  while (!last) {
    bool flush = (o->head[3] >> (2 + pieces % 6) & 1) != 0;
    size_t n = next_piece(&cut, &pieces, m.n);
    last = empty ? m.n == 0 : m.n == n;
    blob_put(&o->text, m.at, n);
    deflate_piece(o, m.at, n,
                  last ? WS_DEFLATE_END
                       : flush ? WS_DEFLATE_PIECE : WS_DEFLATE_MORE);
    m.at += n;
    m.n -= n;
    if (!last && flush && pieces <= 4)
      is_all_there(o, &o->packed, o->packed.n > 0 ? INFLATE_SHORT
                                                  : INFLATE_BETWEEN);
  }
}

static void one_message(struct out *o, struct bytes m, struct cut cut) {
  struct blob whole = {NULL, 0, 0};
  o->before = o->text.n;
  its_pieces(o, m, cut);
  MUST(o->packed.n > 0);
  blob_put(&whole, o->packed.mem, o->packed.n);
  blob_put(&whole, tail, sizeof tail);
  is_all_there(o, &whole, INFLATE_BETWEEN);
  zlib_reads_it(o, &whole);
  we_read_it(o);
  blob_free(&whole);
  blob_free(&o->packed);
  memset(&o->packed, 0, sizeof o->packed);
}

/* What comes next refers to nothing. */
static void forget(struct out *o, struct bytes m) {
  if ((o->head[2] & END_GIVEN_UP) != 0)
    deflate_piece(o, m.at, m.n, WS_DEFLATE_PIECE);
  blob_free(&o->packed);
  memset(&o->packed, 0, sizeof o->packed);
  ws_deflater_reset(o->d);
  o->ours = new_inflater(o->ours);
  MUST(inflateReset(&o->theirs) == Z_OK);
  blob_free(&o->text);
  memset(&o->text, 0, sizeof o->text);
}

static void go_out(const uint8_t *head, struct bytes all, enum cut_how how) {
  int bits = WS_DEFLATE_BITS_MIN + (head[0] >> OPT_BITS_AT) % 8 % 7;
  int level = head[1] % 10, memory = 1 + head[2] % 64 % 9;
  unsigned times = 1u + (head[0] >> OPT_MORE_AT) % 8u, left, i;
  struct out o;
  memset(&o, 0, sizeof o);
  o.head = head;
  o.d = ws_deflater_new(bits, level, memory);
  o.ours = new_inflater(NULL);
  MUST(o.d != NULL && ws_deflater_is(o.d, bits, level, memory));
  MUST(inflateInit2(&o.theirs, -bits) == Z_OK);
  for (left = 1 + head[3] % 4; left > 0; left--) {
    struct bytes m = next_message(&all, left);
    struct blob more = {NULL, 0, 0};
    for (i = 0; i < times; i++)
      blob_put(&more, m.at, m.n);
    m.at = more.n > 0 ? more.mem : head;
    m.n = more.n;
    if (!takes_over(head))
      forget(&o, m);
    one_message(&o, m, cut_of(head, how));
    blob_free(&more);
  }
  ws_deflater_free(o.d);
  ws_inflater_free(o.ours);
  (void)inflateEnd(&o.theirs);
  blob_free(&o.text);
}

/* Of the processor. */
static double seconds(void) {
  return (double)clock() / (double)CLOCKS_PER_SEC;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct bytes all = {data + HEAD, size - HEAD};
  double start = seconds();
  int how;
  if (size < HEAD)
    return 0;
  for (how = 0; how < CUT_COUNT; how++) {
    if ((data[0] & OPT_OUT) != 0)
      go_out(data, all, (enum cut_how)how);
    else
      go_in(data, all, (enum cut_how)how);
  }
  MUST(seconds() - start < fuzz_limit_seconds);
  return 0;
}
