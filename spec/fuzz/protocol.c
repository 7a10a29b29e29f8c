/*
** What a peer sends (csrc/ws/protocol.c, and what it calls), for both roles.
** An input begins with eight bytes: the role and what was agreed on, a limit,
** how much is missing at the end, which messages come in parts, and how the
** bytes are cut. What follows are frames to be written (support/records.h), or
** the bytes as they are.
*/
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fuzz.h"
#include "support/blob.h"
#include "support/broken.h"
#include "support/bytes.h"
#include "support/records.h"
#include "support/rfc6455.h"
#include "ws/protocol.h"

enum option {
  OPT_SERVER = 1,
  OPT_DEFLATE = 2,
  OPT_TAKEOVER = 4,
  OPT_RAW = 8,   /* bytes, no records */
  OPT_PAUSE = 16 /* after each event the rest is kept, and handed in again */
};

enum { SMALLEST = 256, CUT_LARGE = 4000, DEFLATE_MAX = 16384 };

double fuzz_limit_seconds = 2;

struct run {
  struct ws_protocol p;
  struct rfc6455_view seen;
  const uint8_t *head;
  unsigned messages, fed;
  int err;
};

/* ---- events -------------------------------------------------------------- */

static void look_at_error(struct run *r, const struct ws_event *ev) {
  unsigned code = ws_protocol_close_code(ev->err), right = 1002;
  if (ev->err == BASE_ERR_UTF8 || ev->err == BASE_ERR_DEFLATE)
    right = 1007;
  if (ev->err == BASE_ERR_MESSAGE_SIZE) {
    right = 1009;
    MUST(r->p.frame.len > r->p.max_message);
  }
  MUST(code == right);
  r->err = ev->err;
  r->seen.errors = rfc6455_bit(ev->err);
}

static void look_at_part(struct run *r, const struct ws_event *ev) {
  struct blob *all = &r->seen.partial;
  MUST(ev->opcode == WS_TEXT || ev->opcode == WS_BINARY);
  MUST(ev->data != NULL);
  MUST(ev->type == WS_EVENT_MESSAGE ? all->n == 0 : ev->last || ev->len > 0);
  blob_put(all, ev->data, ev->len);
  MUST(all->n <= r->p.max_message);
  if (ev->type == WS_EVENT_FRAGMENT && !ev->last)
    return;
  rfc6455_note(&r->seen.events, ev->opcode == WS_TEXT ? 't' : 'b', 0, all->mem,
               all->n);
  blob_free(all);
  r->messages++;
}

static void look_at(struct run *r, const struct ws_event *ev) {
  MUST(r->err == 0);
  switch (ev->type) {
    case WS_EVENT_MESSAGE:
    case WS_EVENT_FRAGMENT:
      look_at_part(r, ev);
      break;
    case WS_EVENT_PING:
    case WS_EVENT_PONG:
      MUST(ev->len <= WS_CONTROL_MAX);
      rfc6455_note(&r->seen.events, ev->type == WS_EVENT_PING ? 'i' : 'o', 0,
                   ev->data, ev->len);
      break;
    case WS_EVENT_CLOSE:
      rfc6455_note(&r->seen.events, 'c', ev->code, ev->data, ev->len);
      break;
    default:
      look_at_error(r, ev);
  }
}

/* Memory grows with what came: at most twice as much, or with what it may
** inflate to. */
static void look_at_memory(const struct run *r) {
  size_t cap = r->p.message.cap, came = (size_t)2 * r->fed;
  MUST(cap <= SMALLEST || cap <= r->p.max_message);
  MUST(cap <= SMALLEST || r->p.deflate || cap <= came);
}

/* ---- feeding ------------------------------------------------------------- */

static bool in_parts(const struct run *r) {
  return (r->head[3] >> (r->messages % 8) & 1) != 0;
}

/* From memory of its own size, gone before the next feed. */
static void feed(struct run *r, const uint8_t *in, size_t n, bool pause) {
  uint8_t *now = blob_copy(in, n), *rest, *next;
  struct ws_event ev;
  r->fed += (unsigned)n;
  ws_protocol_feed(&r->p, now, n);
  for (;;) {
    r->p.fragments = in_parts(r);
    ws_protocol_poll(&r->p, &ev);
    look_at_memory(r);
    if (ev.type == WS_EVENT_NONE)
      break;
    look_at(r, &ev);
    if (pause) {
      n = ws_protocol_rest(&r->p, &rest);
      next = blob_copy(rest, n);
      free(now);
      now = next;
      ws_protocol_feed(&r->p, now, n);
    }
  }
  MUST(r->p.in_len == 0);
  free(now);
}

static void feed_all(struct run *r, const struct rfc6455 *as,
                     const struct blob *wire, enum cut_how how) {
  struct cut cut = {how, r->head + 4, 0};
  bool pause = how == CUT_AS_TOLD && (r->head[0] & OPT_PAUSE) != 0;
  size_t at = 0;
  if (how == CUT_EVERYWHERE && wire->n > CUT_LARGE)
    cut.how = CUT_AS_TOLD;
  ws_protocol_init(&r->p, as->server ? WS_SERVER : WS_CLIENT, as->max_message);
  if (as->deflate)
    ws_protocol_set_deflate(&r->p, as->takeover);
  while (at < wire->n) {
    size_t n = cut_next(&cut, wire->n - at);
    feed(r, wire->mem + at, n, pause);
    at += n;
  }
}

static void compare(const struct run *r, const struct rfc6455_view *right) {
  char text[80];
  (void)snprintf(text, sizeof text, "(error %d of %llx)", r->err,
                 (unsigned long long)right->errors);
  MUST_OF(text, (r->err == 0) == (right->errors == 0));
  MUST_OF(text, r->err == 0 || (right->errors & r->seen.errors) != 0);
  MUST_OF(text, blob_same(&r->seen.events, &right->events));
  MUST_OF(text, ws_protocol_midway(&r->p) == right->midway);
  MUST_OF(text, r->p.frames == right->frames);
  MUST_OF(text, blob_begins(&right->partial, &r->seen.partial));
  if (right->midway && in_parts(r) && r->p.in_message && r->p.streaming)
    MUST_OF(text, blob_same(&right->partial, &r->seen.partial));
}

static void go(const struct rfc6455 *as, const uint8_t *head,
               const struct blob *wire) {
  struct rfc6455_view right;
  uint64_t errors = 0;
  int how;
  rfc6455_read(&right, as, wire->mem, wire->n);
  for (how = 0; how < CUT_COUNT; how++) {
    struct run r;
    memset(&r, 0, sizeof r);
    r.head = head;
    feed_all(&r, as, wire, (enum cut_how)how);
    compare(&r, &right);
    MUST(how == 0 || errors == r.seen.errors);
    errors = r.seen.errors;
    rfc6455_free(&r.seen);
    ws_protocol_deinit(&r.p);
  }
  rfc6455_free(&right);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const size_t limits[] = {70000, 1000, 126, 125, 16, 1, 0, SIZE_MAX};
  struct blob wire = {NULL, 0, 0};
  struct rfc6455 as;
  if (size < RECORDS_HEAD)
    return 0;
  as.server = (data[0] & OPT_SERVER) != 0;
  as.deflate = (data[0] & OPT_DEFLATE) != 0;
  as.takeover = as.deflate && (data[0] & OPT_TAKEOVER) != 0;
  as.max_message = limits[data[1] % 8];
  if (as.deflate && as.max_message > DEFLATE_MAX)
    as.max_message = DEFLATE_MAX;
  if ((data[0] & OPT_RAW) != 0)
    blob_put(&wire, data + RECORDS_HEAD, size - RECORDS_HEAD);
  else
    records_wire(&wire, data + RECORDS_HEAD, size - RECORDS_HEAD, as.server,
                 !as.takeover);
  wire.n -= wire.n > data[2] ? data[2] : wire.n;
  go(&as, data, &wire);
  blob_free(&wire);
  return 0;
}
