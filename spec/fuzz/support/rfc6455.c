#include "support/rfc6455.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "support/broken.h"
#include "support/bytes.h"
#include "support/inflate.h"
#include "support/utf8.h"

enum { FINALS = 64 }; /* deflate.c's bound: each has the window copied */
enum { WINDOW = 32768 };

/* One frame, unmasked, as far as it is there. */
struct frame {
  unsigned fin, rsv, opcode, masked;
  uint64_t len;
  struct blob payload;
};

struct state {
  const struct rfc6455 *as;
  struct rfc6455_view *view;
  struct bytes left;
  bool in_message, over, cut; /* in the middle of a frame */
  unsigned opcode;
  struct blob packed; /* of a compressed message */
  struct blob before; /* what earlier ones were */
};

void rfc6455_note(struct blob *events, char what, unsigned code,
                  const uint8_t *data, size_t n) {
  blob_put_number(events, (unsigned char)what, 1);
  blob_put_number(events, code, 2);
  blob_put_number(events, n, 8);
  blob_put(events, data, n);
}

uint64_t rfc6455_bit(int err) {
  return UINT64_C(1) << (err - BASE_ERR_FIRST_);
}

static bool fail(struct state *s, int err) {
  s->view->errors |= rfc6455_bit(err);
  s->over = true;
  return false;
}

static bool is_text(const uint8_t *bytes, size_t n, bool *whole) {
  return utf8_first_wrong(bytes, n, whole) == n;
}

/* ---- headers ------------------------------------------------------------- */

/* Everything that is wrong with the first two bytes. */
static bool judge(struct state *s, const struct frame *f) {
  bool first = f->opcode == 1 || f->opcode == 2;
  unsigned allowed = s->as->deflate && first ? 4 : 0;
  if ((f->rsv & ~allowed) != 0)
    (void)fail(s, BASE_ERR_RESERVED_BITS);
  if ((f->opcode > 2 && f->opcode < 8) || f->opcode > 10)
    (void)fail(s, BASE_ERR_OPCODE);
  else if (f->opcode >= 8 && (!f->fin || f->len > 125))
    (void)fail(s, BASE_ERR_CONTROL_LENGTH);
  else if ((first && s->in_message) || (f->opcode == 0 && !s->in_message))
    (void)fail(s, BASE_ERR_FRAGMENTATION);
  if (f->masked != (s->as->server ? 1u : 0u))
    (void)fail(s, BASE_ERR_MASK);
  return !s->over;
}

/* False: it is not whole, or wrong. */
static bool read_length(struct state *s, struct frame *f) {
  bool wide = f->len == 127;
  if (f->len < 126)
    return true;
  if (s->left.n < (wide ? 8u : 2u))
    return false;
  f->len = bytes_number(&s->left, wide ? 8 : 2);
  if (f->len < (wide ? 65536u : 126u) || f->len >> 63 != 0)
    return fail(s, BASE_ERR_FRAME_LENGTH);
  return true;
}

static bool is_packed(const struct state *s, const struct frame *f) {
  return f->opcode == 0 ? s->view->compressed : (f->rsv & 4) != 0;
}

/* What was claimed, before a byte of it is looked at. */
static bool is_too_long(const struct state *s, const struct frame *f) {
  size_t had = f->opcode == 0 ? s->view->partial.n : 0;
  return f->opcode < 8 && !is_packed(s, f) &&
         (f->len > s->as->max_message || had + f->len > s->as->max_message);
}

static bool read_frame(struct state *s, struct frame *f) {
  uint8_t key[4] = {0};
  unsigned first, second;
  size_t i;
  if (s->left.n < 2)
    return false;
  first = bytes_one(&s->left);
  second = bytes_one(&s->left);
  f->fin = first >> 7;
  f->rsv = first >> 4 & 7;
  f->opcode = first & 15;
  f->masked = second >> 7;
  f->len = second & 127;
  if (!judge(s, f) || !read_length(s, f) || (f->masked && s->left.n < 4))
    return false;
  for (i = 0; f->masked && i < 4; i++)
    key[i] = (uint8_t)bytes_one(&s->left);
  if (is_too_long(s, f))
    return fail(s, BASE_ERR_MESSAGE_SIZE);
  s->view->frames++;
  for (i = 0; i < f->len && s->left.n > 0; i++) {
    uint8_t byte = (uint8_t)(bytes_one(&s->left) ^ key[i % 4]);
    blob_put(&f->payload, &byte, 1);
  }
  return true;
}

/* ---- frames -------------------------------------------------------------- */

static bool is_code(unsigned code) {
  static const uint16_t known[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009,
                                   1010, 1011, 1012, 1013, 1014};
  size_t i;
  for (i = 0; i < sizeof known / sizeof known[0]; i++)
    if (known[i] == code)
      return true;
  return code / 1000 == 3 || code / 1000 == 4;
}

static void read_close(struct state *s, const struct frame *f) {
  struct bytes b = {f->payload.mem, f->payload.n};
  unsigned code = b.n == 0 ? 1005 : (unsigned)bytes_number(&b, 2);
  bool whole = true;
  if (f->len == 1 || (f->len > 1 && !is_code(code)))
    (void)fail(s, BASE_ERR_CLOSE_CODE);
  if (f->len > 2 && !(is_text(b.at, b.n, &whole) && whole))
    (void)fail(s, BASE_ERR_UTF8);
  if (!s->over)
    rfc6455_note(&s->view->events, 'c', code, b.at, b.n);
  s->over = true;
}

/* All of the message so far, anew. */
static enum inflate_end unpack(struct state *s, size_t n, unsigned finals) {
  struct blob out = {NULL, 0, 0};
  enum inflate_end end;
  blob_put(&out, s->before.mem, s->before.n);
  end = inflate_slowly(&out, s->as->max_message, s->packed.mem, n, finals);
  blob_drop_front(&out, s->before.n);
  blob_free(&s->view->partial);
  s->view->partial = out;
  return end;
}

static bool read_packed(struct state *s, const struct frame *f, bool last) {
  static const uint8_t tail[] = {0, 0, 0xff, 0xff};
  enum inflate_end end;
  bool whole;
  blob_put(&s->packed, f->payload.mem, f->payload.n);
  end = unpack(s, s->packed.n, FINALS);
  if (last && end == INFLATE_SHORT) { /* RFC 7692, 7.2.2 */
    blob_put(&s->packed, tail, sizeof tail);
    end = unpack(s, s->packed.n, FINALS + 2);
    if (end == INFLATE_SHORT)
      end = INFLATE_WRONG;
  }
  if (s->opcode == 1 &&
      !is_text(s->view->partial.mem, s->view->partial.n, &whole))
    return fail(s, BASE_ERR_UTF8);
  if (end == INFLATE_WRONG)
    return fail(s, BASE_ERR_DEFLATE);
  return end == INFLATE_FULL ? fail(s, BASE_ERR_MESSAGE_SIZE) : true;
}

static void deliver(struct state *s) {
  struct rfc6455_view *v = s->view;
  bool whole = true;
  if (s->opcode == 1 && !(is_text(v->partial.mem, v->partial.n, &whole) &&
                          whole)) {
    (void)fail(s, BASE_ERR_UTF8);
    return;
  }
  rfc6455_note(&v->events, s->opcode == 1 ? 't' : 'b', 0, v->partial.mem,
               v->partial.n);
  if (v->compressed && s->as->takeover)
    blob_put(&s->before, v->partial.mem, v->partial.n);
  if (s->before.n > WINDOW)
    blob_drop_front(&s->before, s->before.n - WINDOW);
  blob_free(&v->partial);
  blob_free(&s->packed);
  s->in_message = v->compressed = false;
}

static void read_data(struct state *s, const struct frame *f) {
  struct rfc6455_view *v = s->view;
  bool there = f->payload.n == f->len, last = f->fin && there, whole;
  if (f->opcode != 0) {
    s->in_message = true;
    s->opcode = f->opcode;
    v->compressed = (f->rsv & 4) != 0;
  }
  if (v->compressed) {
    if (!read_packed(s, f, last))
      return;
  } else {
    blob_put(&v->partial, f->payload.mem, f->payload.n);
    if (s->opcode == 1 && !is_text(v->partial.mem, v->partial.n, &whole)) {
      (void)fail(s, BASE_ERR_UTF8);
      return;
    }
  }
  if (last)
    deliver(s);
}

static bool next_frame(struct state *s) {
  struct frame f;
  bool whole;
  memset(&f, 0, sizeof f);
  whole = read_frame(s, &f);
  if (whole) {
    whole = f.payload.n == f.len;
    if (f.opcode < 8)
      read_data(s, &f);
    else if (whole && f.opcode == 8)
      read_close(s, &f);
    else if (whole)
      rfc6455_note(&s->view->events, f.opcode == 9 ? 'i' : 'o', 0,
                   f.payload.mem, f.payload.n);
  }
  blob_free(&f.payload);
  s->cut = !whole;
  return whole && !s->over;
}

void rfc6455_read(struct rfc6455_view *out, const struct rfc6455 *as,
                  const uint8_t *wire, size_t n) {
  struct state s;
  memset(out, 0, sizeof *out);
  memset(&s, 0, sizeof s);
  s.as = as;
  s.view = out;
  s.left.at = wire;
  s.left.n = n;
  while (s.left.n > 0 && next_frame(&s))
    ;
  out->midway = !s.over && (s.in_message || s.cut);
  blob_free(&s.packed);
  blob_free(&s.before);
}

void rfc6455_free(struct rfc6455_view *v) {
  blob_free(&v->events);
  blob_free(&v->partial);
}
