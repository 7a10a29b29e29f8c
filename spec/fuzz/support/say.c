#include "support/say.h"

#include <stdlib.h>
#include <string.h>

#include "support/broken.h"
#include "support/bytes.h"
#include "support/rfc6455.h"
#include "ws/deflate.h"
#include "ws/frame.h"
#include "ws/mask.h"
#include "ws/protocol.h"

enum what { SAY_TEXT, SAY_BINARY, SAY_TEXT_BEGUN, SAY_BINARY_BEGUN, SAY_MORE,
            SAY_END, SAY_PING, SAY_PONG, SAY_CLOSE = 15 };
enum { DEFLATED = 16, SHARED = 32, THINGS_MAX = 64, LEVEL = 6, MEMORY = 5 };
enum { ROOM = 512, STEP = 900 }; /* of one frame, and what goes into it */

struct speaker {
  struct said *out;
  const struct say *how;
  struct ws_deflater *d;
  struct blob message; /* that was begun */
  bool in_message, deflates;
  unsigned opcode, keys;
};

/* Any bytes become UTF-8: those above ASCII code points of two to four. */
static void put_text(struct blob *out, struct bytes b) {
  static const char *const words[] = {"\xc3\xa9", "\xe2\x82\xac",
                                      "\xf0\x9f\x98\x80"};
  while (b.n > 0) {
    unsigned c = bytes_one(&b);
    uint8_t plain = (uint8_t)c;
    if (c < 0x80)
      blob_put(out, &plain, 1);
    else
      blob_put(out, words[c % 3], 2 + c % 3);
  }
}

/* ---- frames -------------------------------------------------------------- */

static void put_frame(struct speaker *s, bool fin, bool rsv1, unsigned opcode,
                      const struct blob *payload) {
  uint8_t header[WS_FRAME_HEADER_MAX], *masked;
  struct ws_frame f;
  memset(&f, 0, sizeof f);
  f.fin = fin;
  f.rsv1 = rsv1;
  f.opcode = (uint8_t)opcode;
  f.len = payload->n;
  f.masked = !s->how->server;
  if (f.masked) {
    unsigned key = ++s->keys * 0x9e3779b9u;
    memcpy(f.key, &key, sizeof f.key);
  }
  blob_put(&s->out->wire, header, ws_frame_write(header, &f));
  s->out->frames++;
  if (payload->n == 0)
    return;
  masked = (uint8_t *)malloc(payload->n);
  MUST(masked != NULL);
  if (f.masked)
    ws_mask_copy(masked, payload->mem, payload->n, f.key, 0);
  else
    memcpy(masked, payload->mem, payload->n);
  blob_put(&s->out->wire, masked, payload->n);
  free(masked);
}

static struct ws_deflater *new_deflater(const struct speaker *s) {
  struct ws_deflater *d = ws_deflater_new(s->how->bits, LEVEL, MEMORY);
  MUST(d != NULL);
  return d;
}

/* As many frames as there are rooms and steps. */
static void put_deflated(struct speaker *s, bool fin, unsigned opcode,
                         const struct blob *payload) {
  const uint8_t *at = payload->mem;
  size_t left = payload->n;
  bool done = false;
  if (s->d == NULL)
    s->d = new_deflater(s);
  while (!done) {
    enum ws_deflate_flush flush = fin ? WS_DEFLATE_END : WS_DEFLATE_PIECE;
    uint8_t room[ROOM];
    struct blob piece = {room, sizeof room, sizeof room};
    size_t used = left;
    if (used > STEP) {
      used = STEP;
      flush = WS_DEFLATE_MORE;
    }
    done = ws_deflater_run(s->d, left > 0 ? at : room, &used, room, &piece.n,
                           flush) &&
           flush != WS_DEFLATE_MORE;
    put_frame(s, fin && done, opcode != WS_CONTINUATION, opcode, &piece);
    opcode = WS_CONTINUATION;
    left -= used;
    if (left > 0)
      at += used;
  }
  if (fin && !s->how->takeover)
    ws_deflater_reset(s->d);
}

/* One frame. The peer's window moves over it and ours does not: what we say
** next refers to nothing before. */
static void put_shared(struct speaker *s, unsigned opcode,
                       const struct blob *payload) {
  struct ws_deflater *d = new_deflater(s);
  struct blob packed = {NULL, 0, 0};
  const uint8_t *at = payload->mem;
  size_t left = payload->n;
  bool done = false;
  while (!done) {
    uint8_t room[ROOM];
    size_t used = left, made = sizeof room;
    done = ws_deflater_run(d, left > 0 ? at : room, &used, room, &made,
                           WS_DEFLATE_END);
    blob_put(&packed, room, made);
    left -= used;
    if (left > 0)
      at += used;
  }
  put_frame(s, true, true, opcode, &packed);
  if (s->d != NULL)
    ws_deflater_reset(s->d);
  ws_deflater_free(d);
  blob_free(&packed);
}

static void put_data(struct speaker *s, bool fin, unsigned opcode,
                     const struct blob *payload) {
  if (s->deflates)
    put_deflated(s, fin, opcode, payload);
  else
    put_frame(s, fin, false, opcode, payload);
}

/* ---- things to say ------------------------------------------------------- */

static void say_data(struct speaker *s, bool first, bool last, unsigned what,
                     const struct blob *payload) {
  unsigned opcode = WS_CONTINUATION;
  if (first) {
    s->deflates = (what & DEFLATED) != 0 && s->how->bits >= WS_DEFLATE_BITS_MIN;
    opcode = s->opcode = what % 2 == 0 ? WS_TEXT : WS_BINARY;
  }
  blob_put(&s->message, payload->mem, payload->n);
  if (s->message.n > s->out->most)
    s->out->most = s->message.n;
  if (first && last && s->deflates && (what & SHARED) != 0)
    put_shared(s, opcode, payload);
  else
    put_data(s, last, opcode, payload);
  s->in_message = !last;
  if (!last)
    return;
  rfc6455_note(&s->out->events, s->opcode == WS_TEXT ? 't' : 'b', 0,
               s->message.mem, s->message.n);
  blob_free(&s->message);
  memset(&s->message, 0, sizeof s->message);
}

static void say_control(struct speaker *s, unsigned opcode,
                        struct blob *payload) {
  if (payload->n > WS_CONTROL_MAX)
    payload->n = WS_CONTROL_MAX;
  put_frame(s, true, false, opcode, payload);
  rfc6455_note(&s->out->events, opcode == WS_PING ? 'i' : 'o', 0, payload->mem,
               payload->n);
}

/* A code that may be sent, and a reason that is UTF-8; or nothing. */
static void say_close(struct speaker *s, struct bytes text) {
  struct blob reason = {NULL, 0, 0}, payload = {NULL, 0, 0};
  unsigned code = (unsigned)bytes_number(&text, 2);
  if (ws_protocol_code_valid(code)) {
    if (text.n > 30)
      text.n = 30;
    put_text(&reason, text);
    blob_put_number(&payload, code, 2);
    blob_put(&payload, reason.mem, reason.n);
  } else {
    code = 1005; /* RFC 6455, 7.1.5 */
  }
  put_frame(s, true, false, WS_CLOSE, &payload);
  rfc6455_note(&s->out->events, 'c', code, reason.mem, reason.n);
  blob_free(&reason);
  blob_free(&payload);
}

static void say(struct speaker *s, unsigned what, struct bytes text) {
  struct blob payload = {NULL, 0, 0};
  unsigned kind = what % 8, times = 1u << (what >> 6) * 2, i;
  bool is_text;
  if (kind < SAY_MORE && s->in_message) /* one has to end first */
    kind = kind < SAY_TEXT_BEGUN ? SAY_END : SAY_MORE;
  if (kind == SAY_MORE || kind == SAY_END)
    is_text = s->in_message && s->opcode == WS_TEXT;
  else
    is_text = kind % 2 == 0;
  for (i = 0; i < times; i++) {
    if (is_text)
      put_text(&payload, text);
    else
      blob_put(&payload, text.at, text.n);
  }
  if (kind < SAY_MORE)
    say_data(s, true, kind < SAY_TEXT_BEGUN, what, &payload);
  else if (kind < SAY_PING && s->in_message)
    say_data(s, false, kind == SAY_END, what, &payload);
  else
    say_control(s, kind % 2 == 0 ? WS_PING : WS_PONG, &payload);
  blob_free(&payload);
}

void say_all(struct said *out, const struct say *how, const uint8_t *in,
             size_t n) {
  struct bytes left = {in, n};
  struct speaker s;
  unsigned things = 0;
  memset(out, 0, sizeof *out);
  memset(&s, 0, sizeof s);
  s.out = out;
  s.how = how;
  while (left.n > 0 && things++ < THINGS_MAX) {
    unsigned what = bytes_one(&left);
    size_t size = bytes_one(&left);
    struct bytes text = {left.at, size < left.n ? size : left.n};
    left.at += text.n;
    left.n -= text.n;
    if (what % 16 == SAY_CLOSE) {
      say_close(&s, text);
      s.in_message = false; /* nothing more of it is waited for */
      break;
    }
    say(&s, what, text);
  }
  out->midway = s.in_message;
  out->part = s.message;
  ws_deflater_free(s.d);
}

void said_free(struct said *s) {
  blob_free(&s->wire);
  blob_free(&s->events);
  blob_free(&s->part);
}
