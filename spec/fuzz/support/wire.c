#include "support/wire.h"

#include <stdlib.h>
#include <string.h>

#include "support/broken.h"

enum { HEAD = 5, BODY_MAX = 40000, LINE_MAX = 1 << 23, DATA = 23, CCS = 20 };

void wire_init(struct wire *w, struct seal *seal) {
  memset(w, 0, sizeof *w);
  base_buf_init(&w->line, LINE_MAX);
  base_buf_init(&w->last, LINE_MAX);
  base_buf_init(&w->plain, LINE_MAX);
  w->seal = seal;
}

static void forget(struct wire *w, size_t i) {
  free(w->list[i].body);
  w->count--;
  memmove(w->list + i, w->list + i + 1, (w->count - i) * sizeof *w->list);
}

void wire_lose(struct wire *w) {
  while (w->count > 0)
    forget(w, w->count - 1);
  base_buf_clear(&w->line);
}

void wire_deinit(struct wire *w) {
  wire_lose(w);
  base_buf_free(&w->line);
  base_buf_free(&w->last);
  base_buf_free(&w->plain);
}

/* Room at the i-th place; NULL if there is none. */
static struct record *make_room(struct wire *w, size_t i, size_t size) {
  struct record *r = w->list + i;
  uint8_t *body;
  if (w->count == WIRE_RECORDS || size > BODY_MAX)
    return NULL;
  body = (uint8_t *)malloc(size > 0 ? size : 1);
  MUST(body != NULL && i <= w->count);
  memmove(r + 1, r, (w->count - i) * sizeof *r);
  w->count++;
  memset(r, 0, sizeof *r);
  r->body = body;
  r->size = size;
  return r;
}

/* ---- in and out ---------------------------------------------------------- */

static void open_record(struct wire *w, struct record *r) {
  long inner;
  if (w->seal == NULL || r->head[0] != DATA)
    return;
  inner = seal_open(w->seal, r->body, r->size);
  if (inner < 0)
    return;
  r->size = (size_t)inner;
  r->epoch = w->seal->in.epoch;
}

size_t wire_take(struct wire *w, const uint8_t *data, size_t n) {
  size_t at = 0, size;
  struct record *r;
  while (n - at >= HEAD) {
    size = (size_t)data[at + 3] << 8 | data[at + 4];
    if (n - at < HEAD + size)
      break;
    r = make_room(w, w->count, size);
    if (r == NULL)
      break;
    memcpy(r->head, data + at, HEAD);
    memcpy(r->body, data + at + HEAD, size);
    open_record(w, r);
    at += HEAD + size;
  }
  return at;
}

/* Data that the other end may take for what was sent. */
static void keep_plain(struct wire *w, const struct record *r) {
  size_t n = r->size;
  while (n > 0 && r->body[n - 1] == 0)
    n--;
  if (n > 1 && r->body[n - 1] == DATA)
    MUST(base_buf_append(&w->plain, r->body, n - 1) == 0);
}

static void send_first(struct wire *w) {
  static uint8_t sealed[BODY_MAX + SEAL_TAG];
  struct record *r = w->list;
  const uint8_t *body = r->body;
  size_t size = r->size, said;
  if (r->epoch > 0 && seal_close(w->seal, r->epoch, r->body, size, sealed)) {
    keep_plain(w, r);
    body = sealed;
    size += SEAL_TAG;
  }
  said = size + r->lie;
  r->head[3] = (uint8_t)(said >> 8);
  r->head[4] = (uint8_t)said;
  base_buf_clear(&w->last);
  MUST(base_buf_append(&w->last, r->head, HEAD) == 0 &&
       base_buf_append(&w->last, body, size) == 0);
  MUST(base_buf_append(&w->line, r->head, HEAD) == 0 &&
       base_buf_append(&w->line, body, size) == 0);
  forget(w, 0);
}

void wire_send(struct wire *w, size_t n) {
  while (n-- > 0 && w->count > 0)
    send_first(w);
}

/* ---- harm ---------------------------------------------------------------- */

static void copy_head(struct record *to, const struct record *from) {
  memcpy(to->head, from->head, HEAD);
  to->epoch = from->epoch;
}

static void halve(struct wire *w, size_t i, size_t at) {
  struct record *r = make_room(w, i + 1, w->list[i].size - at);
  if (r == NULL)
    return;
  copy_head(r, &w->list[i]);
  memcpy(r->body, w->list[i].body + at, r->size);
  w->list[i].size = at;
}

static void repeat(struct wire *w, size_t i) {
  struct record *r = make_room(w, i + 1, w->list[i].size);
  if (r == NULL)
    return;
  copy_head(r, &w->list[i]);
  memcpy(r->body, w->list[i].body, r->size);
}

/* With the next, the type of what is sealed stays last. */
static void join(struct wire *w, size_t i) {
  struct record *a = &w->list[i], *b = a + 1, *r;
  size_t first = a->size - (a->epoch > 0 && a->size > 0 ? 1 : 0);
  if (i + 1 >= w->count)
    return;
  r = make_room(w, i + 2, first + b->size);
  if (r == NULL)
    return;
  copy_head(r, b);
  memcpy(r->body, a->body, first);
  memcpy(r->body + first, b->body, b->size);
  forget(w, i);
  forget(w, i);
}

static void swap(struct wire *w, size_t i, size_t with) {
  struct record r = w->list[i];
  w->list[i] = w->list[with];
  w->list[with] = r;
}

void wire_harm(struct wire *w, enum wire_harm how, size_t i, unsigned a,
               unsigned b) {
  struct record *r;
  size_t at;
  if (w->count == 0)
    return;
  i %= w->count;
  r = &w->list[i];
  at = r->size > 0 ? (a < 128 ? a : r->size - 1 - (a - 128) % r->size) % r->size
                   : 0;
  w->touched = true;
  switch (how) {
  case HARM_FLIP:
    if (r->size > 0)
      r->body[at] ^= (uint8_t)(b != 0 ? b : 1);
    break;
  case HARM_DROP:
    forget(w, i);
    break;
  case HARM_DOUBLE:
    repeat(w, i);
    break;
  case HARM_SWAP:
    swap(w, i, a % w->count);
    break;
  case HARM_SPLIT:
    halve(w, i, b > 0 ? (size_t)a * b % (r->size + 1) : at);
    break;
  case HARM_JOIN:
    join(w, i);
    break;
  case HARM_HEAD:
    r->head[a % 3] = (uint8_t)b;
    break;
  case HARM_CUT:
    r->size = at;
    break;
  default:
    r->lie = (size_t)a << 8 | b;
  }
}

void wire_insert(struct wire *w, size_t i, unsigned type, const uint8_t *data,
                 size_t n) {
  bool sealed = w->seal != NULL && w->seal->in.epoch > 0 && type != CCS;
  struct record *r;
  i = w->count > 0 ? i % (w->count + 1) : 0;
  r = make_room(w, i, n + (sealed ? 1 : 0));
  if (r == NULL)
    return;
  w->touched = true;
  r->head[0] = (uint8_t)(sealed ? DATA : type);
  r->head[1] = r->head[2] = 3;
  if (n > 0)
    memcpy(r->body, data, n);
  if (sealed) {
    r->body[n] = (uint8_t)type;
    r->epoch = w->seal->in.epoch;
  }
}
