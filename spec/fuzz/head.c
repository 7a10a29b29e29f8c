/*
** Heads of HTTP and the opening handshake (csrc/ws/head.c, handshake.c,
** accept.c, extension.c). An input begins with eight bytes: whether a request
** or an answer follows, and as it is or expanded (support/text.h); a limit;
** what our side offers, or wishes for; and how the bytes are cut. Whatever
** comes of it, our client then asks our server, and is answered.
*/
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/sha.h>

#include "base/err.h"
#include "fuzz.h"
#include "support/blob.h"
#include "support/broken.h"
#include "support/bytes.h"
#include "support/http.h"
#include "support/opening.h"
#include "support/text.h"
#include "ws/extension.h"
#include "ws/handshake.h"

enum option {
  OPT_ANSWER = 1, /* what a client reads */
  OPT_PLAIN = 2,
  OPT_HEAD_ONLY = 4,
  OPT_KEEP = 8
};

enum offer {
  OFFER_EXTENSION = 4, /* the lower two bits choose subprotocols */
  OFFER_ORIGIN = 8,
  OFFER_SERVER_ALONE = 16,
  OFFER_CLIENT_ALONE = 32,
  OFFER_WISHES = 64 /* what the server wishes for is something else */
};

enum { HEAD = 8, SMALLEST = 256, OURS_MAX = 100000, USERS_MAX = 100 };

static const char after[] = "GET"; /* the first bytes of what follows a head */

double fuzz_limit_seconds = 2;

/* What an input says of our own side. */
struct side {
  const uint8_t *head;
  char key[WS_KEY_SIZE];
  double now;
  const char *const *offered;
  size_t count;
  struct ws_deflate_wish client, server;
  char offer[WS_EXTENSION_SIZE]; /* "" if there is none */
};

static void sha1(const uint8_t *in, size_t n, uint8_t out[20]) {
  (void)SHA1(in, n, out);
}

static int bits_from(unsigned v) {
  return v % 16 < 8 ? 0 : (int)(v % 16);
}

static void choose_side(struct side *s, const uint8_t *head) {
  static const char *const names[] = {"chat", "Chat", "v2.x", "a"};
  uint8_t nonce[16];
  size_t i;
  bool others = (head[2] & OFFER_WISHES) != 0;
  memset(s, 0, sizeof *s);
  for (i = 0; i < sizeof nonce; i++)
    nonce[i] = (uint8_t)(head[i % 4] * (i + 1) + i);
  ws_handshake_key(s->key, nonce);
  s->head = head;
  s->now = (double)head[7] * 11000000 + head[6];
  s->offered = names;
  s->count = (size_t)(head[2] % 4) * 4 / 3;
  s->client.server_no_context_takeover = (head[2] & OFFER_SERVER_ALONE) != 0;
  s->client.client_no_context_takeover = (head[2] & OFFER_CLIENT_ALONE) != 0;
  s->client.server_max_window_bits = bits_from(head[3]);
  s->client.client_max_window_bits = bits_from(head[3] / 16);
  s->server.server_no_context_takeover = (head[4] & 1) != 0 && others;
  s->server.client_no_context_takeover = (head[4] & 2) != 0 && others;
  s->server.server_max_window_bits = others ? bits_from(head[5]) : 0;
  s->server.client_max_window_bits = others ? bits_from(head[5] / 16) : 0;
  if ((head[2] & OFFER_EXTENSION) != 0)
    ws_extension_offer(s->offer, &s->client);
}

/* ---- feeding ------------------------------------------------------------- */

static void look_at_memory(const struct ws_head *h, size_t limit, size_t fed) {
  size_t cap = h->bytes.cap;
  MUST(h->bytes.len <= limit && h->bytes.len <= fed);
  MUST(cap <= SMALLEST || (cap <= limit && cap <= 2 * fed));
}

/* One piece, from memory of its own size. */
static long feed(struct ws_head *h, const uint8_t *in, size_t n) {
  uint8_t *copy = blob_copy(in, n);
  long got;
  got = ws_head_feed(h, copy, n);
  memset(copy, 0xa5, n);
  free(copy);
  return got;
}

/* Returns the error; the piece that it is told of has the byte at fault. */
static int feed_all(struct ws_head *h, const struct blob *wire, size_t limit,
                    struct cut cut, const struct http *right) {
  size_t at = 0;
  while (at < wire->n) {
    size_t n = cut_next(&cut, wire->n - at);
    long got = feed(h, wire->mem + at, n);
    look_at_memory(h, limit, at + n);
    if (got < 0) {
      MUST(!h->complete && h->fields == NULL && h->count == 0);
      MUST(right->at >= at && right->at < at + n);
      MUST(ws_head_feed(h, wire->mem, 1) == got); /* for ever */
      return (int)got;
    }
    at += (size_t)got;
    MUST(h->complete ? at == right->at : (size_t)got == n);
    if (h->complete)
      break;
  }
  MUST(!h->complete || ws_head_feed(h, (const uint8_t *)after, 3) == 0);
  return 0;
}

static bool same_text(const char *a, const char *b) {
  return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void compare_joined(const struct ws_head *h, const struct http *right,
                           size_t field) {
  struct blob all = {NULL, 0, 0};
  struct base_buf joined;
  int got;
  http_join(&all, right, right->fields[field].name);
  base_buf_init(&joined, h->bytes.len);
  got = ws_head_joined(h, field, &joined);
  MUST(got == http_is_first(right, field));
  MUST(got == 1 ? joined.len == all.n - 1 : joined.len == 0);
  MUST(joined.len == 0 ||
       memcmp(base_buf_data(&joined), all.mem, joined.len) == 0);
  base_buf_free(&joined);
  blob_free(&all);
}

/* What there is of each name. */
static void compare_names(const struct ws_head *h, const struct http *right) {
  size_t i;
  for (i = 0; i < h->count; i++) {
    const char *name = right->fields[i].name;
    MUST(ws_head_count(h, name) == http_count(right, name));
    MUST(!http_is_first(right, i) ||
         ws_head_get(h, name) == h->fields[i].value);
    compare_joined(h, right, i);
  }
  MUST(ws_head_get(h, "") == NULL && ws_head_count(h, "") == 0);
  MUST(ws_head_retry_after(h, 1e9) == http_retry_after(right, 1e9));
}

static void compare(const struct ws_head *h, const struct http *right) {
  size_t i;
  MUST(h->minor == right->minor && h->is_request == right->request);
  MUST(h->count == right->count);
  for (i = 0; i < h->count; i++) {
    const char *name = right->fields[i].name;
    MUST_OF(name, strcmp(h->fields[i].name, name) == 0);
    MUST_OF(name, strcmp(h->fields[i].value, right->fields[i].value) == 0);
  }
  if (right->request) {
    MUST(same_text(h->method, right->method));
    MUST_OF(right->target, same_text(h->target, right->target));
    MUST_OF(right->target, same_text(h->authority, right->authority));
  } else {
    MUST(h->status == right->status && same_text(h->reason, right->reason));
  }
}

static void refused(int err) {
  struct base_error *e = base_error_from(err);
  MUST(err == BASE_ERR_HEAD_SYNTAX || err == BASE_ERR_HEAD_LENGTH ||
       err == BASE_ERR_HEAD_VERSION);
  MUST(e->kind == BASE_KIND_UPGRADE && e->code[0] != '\0');
  MUST(e->message[0] != '\0');
  base_error_free(e);
}

/* ---- a server ------------------------------------------------------------ */

static bool is_span(const struct ws_span *s, const char *at, size_t n) {
  return s->at != NULL && s->len == n && memcmp(s->at, at, n) == 0;
}

static void look_at_ask(const struct ws_ask *a, const struct http *h) {
  size_t path = strcspn(h->target, "?");
  const char *host = http_only(h, "host"), *query = strchr(h->target, '?');
  if (h->authority != NULL)
    host = h->authority;
  MUST(a->why == NULL);
  MUST(a->keep == (h->minor == 1 && !http_lists(h, "connection", "close")));
  MUST(strcmp(a->host, host != NULL ? host : "") == 0);
  MUST(same_text(a->origin, http_only(h, "origin")));
  MUST(same_text(a->key, a->upgrade ? http_only(h, "sec-websocket-key")
                                    : NULL));
  MUST(is_span(&a->path, h->target, path));
  MUST(query == NULL ? a->query.at == NULL
                     : is_span(&a->query, query + 1, strlen(query + 1)));
}

static void look_at_subprotocols(const struct ws_head *h,
                                 const struct http *right) {
  struct blob all = {NULL, 0, 0};
  struct base_buf got;
  int err, count = opening_subprotocols(&all, right);
  base_buf_init(&got, h->bytes.len + 1);
  MUST(base_buf_append(&got, "x", 1) == 0);
  err = ws_handshake_subprotocols(h, &got);
  MUST((err == 0) == (count >= 0));
  MUST(err == 0 || err == BASE_ERR_HEAD_SYNTAX || err == BASE_ERR_HEAD_LENGTH);
  MUST(got.len == 1 + (err == 0 ? all.n : 0));
  MUST(got.len == 1 || memcmp(base_buf_data(&got) + 1, all.mem, all.n) == 0);
  base_buf_free(&got);
  blob_free(&all);
}

static void look_at_offers(const struct ws_head *h, const struct http *right,
                           const struct side *s) {
  static const struct ws_deflate_wish none = {false, false, 0, 0};
  struct opening_params offer, granted;
  struct ws_deflate_deal deal;
  char answer[WS_EXTENSION_SIZE];
  bool on;
  memset(&deal, 0xa5, sizeof deal);
  on = ws_extension_accept(&deal, answer, h, &s->server);
  MUST(on == opening_offer(&offer, right) && on == deal.on);
  if (!on)
    return;
  MUST_OF(answer, opening_params(&granted, answer, strlen(answer), true));
  MUST_OF(answer, opening_grants(&offer, &granted, &s->server));
  MUST_OF(answer, opening_is_deal(&deal, &granted, &none));
}

/* An answer that is no 101, for whoever asked. */
static void answer(int status, const struct ws_pair *headers, size_t count,
                   const struct side *s);

static int serve(const struct ws_head *h, const struct http *right,
                 const struct side *s) {
  unsigned faults = opening_judge(right);
  struct ws_ask ask;
  char text[40];
  memset(&ask, 0xa5, sizeof ask);
  ws_handshake_ask(&ask, h);
  (void)snprintf(text, sizeof text, "(status %d of %x)", ask.status, faults);
  MUST_OF(text, (ask.status == 0) == (faults == 0));
  MUST_OF(text, ask.status == 0 || (opening_bit(ask.status) & faults) != 0);
  MUST(ask.upgrade == opening_is_upgrade(right));
  MUST(ask.head_only == (strcmp(right->method, "HEAD") == 0));
  if (ask.status == 0)
    look_at_ask(&ask, right);
  else
    MUST(ask.why != NULL && ask.why[0] != '\0');
  look_at_subprotocols(h, right);
  look_at_offers(h, right, s);
  return ask.status;
}

/* ---- a client ------------------------------------------------------------ */

static void look_at_headers(const struct base_error *e,
                            const struct http *right) {
  const struct base_field *f = base_error_field(e, "headers");
  struct blob all = {NULL, 0, 0};
  size_t i;
  for (i = 0; i < right->count; i++) {
    const char *name = right->fields[i].name;
    if (!http_is_first(right, i))
      continue;
    blob_put(&all, name, strlen(name) + 1);
    http_join(&all, right, name);
  }
  MUST((f == NULL) == (all.n == 0));
  MUST(f == NULL || (f->type == BASE_FIELD_MAP && f->size == all.n &&
                     memcmp(f->text, all.mem, all.n) == 0));
  blob_free(&all);
}

static void look_at_error(const struct base_error *e, const char *code,
                          const struct http *right, double now) {
  const struct base_field *status = base_error_field(e, "status");
  const struct base_field *retry = base_error_field(e, "retry_after");
  double wait = http_retry_after(right, now);
  const char *s;
  MUST(e->kind == BASE_KIND_UPGRADE && e->message[0] != '\0');
  MUST_OF(e->message, strcmp(e->code, code) == 0);
  for (s = e->message; *s != '\0'; s++)
    MUST_OF(e->code, *s >= ' ' && *s <= '~');
  MUST(status != NULL && status->number == right->status);
  MUST((retry == NULL) == (wait < 0));
  MUST(retry == NULL || retry->number == wait);
  look_at_headers(e, right);
}

static void judge_extension(const char *got, const struct side *s) {
  struct opening_params answer;
  struct ws_deflate_deal deal;
  const char *why = ws_extension_check(&deal, got, &s->client);
  bool right = opening_params(&answer, got, strlen(got), true) &&
               opening_agrees(&answer, &s->client);
  MUST_OF(got, right == (why == NULL) && right == deal.on);
  MUST(why == NULL || why[0] != '\0');
  MUST(!right || opening_is_deal(&deal, &answer, &s->client));
}

static void check(const struct ws_head *h, const struct http *right,
                  const struct side *s) {
  struct ws_request r;
  const char *chosen, *extensions, *code;
  struct base_error *e;
  bool offers = s->offer[0] != '\0';
  memset(&r, 0, sizeof r);
  memcpy(r.key, s->key, sizeof r.key);
  r.subprotocols = s->offered;
  r.subprotocol_count = s->count;
  r.extensions = offers ? s->offer : NULL;
  code = opening_check(right, s->key, s->offered, s->count, offers);
  e = ws_handshake_check(&r, h, sha1, s->now, &chosen, &extensions);
  MUST_OF(e != NULL ? e->code : code, (e == NULL) == (code == NULL));
  if (e != NULL) {
    MUST(chosen == NULL && extensions == NULL);
    look_at_error(e, code, right, s->now);
    base_error_free(e);
    return;
  }
  MUST(same_text(chosen, http_only(right, "sec-websocket-protocol")));
  MUST(same_text(extensions, http_only(right, "sec-websocket-extensions")));
  if (extensions != NULL)
    judge_extension(extensions, s);
}

/* ---- an input ------------------------------------------------------------ */

/* Whole, byte by byte and cut as told; '*h' is then the last of them. */
static int take(struct ws_head *h, const struct blob *wire, size_t limit,
                const struct http *right, const uint8_t *head) {
  int how, err = 0;
  for (how = 0; how < CUT_COUNT; how++) {
    struct cut cut = {(enum cut_how)how, head + 4, 0};
    if (how > 0)
      ws_head_deinit(h);
    ws_head_init(h, right->request, limit);
    err = feed_all(h, wire, limit, cut, right);
    MUST(err == right->err && h->complete == right->whole);
    if (h->complete)
      compare(h, right);
  }
  if (h->complete)
    compare_names(h, right);
  if (err != 0)
    refused(err);
  return err;
}

static size_t limit_of(unsigned how, size_t n) {
  static const size_t limits[] = {LIMIT_HEADER_BYTES, 50000, 8192, 1000,
                                  SMALLEST, 20};
  how %= 8;
  return how < 6 ? limits[how] : n > how - 6 ? n - (how - 6) : 0;
}

static void handshake(const struct http *input, const struct side *s);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct blob wire = {NULL, 0, 0};
  struct http right;
  struct ws_head h;
  struct side s;
  char accept[WS_ACCEPT_SIZE];
  size_t limit;
  int status = 0;
  if (size < HEAD)
    return 0;
  choose_side(&s, data);
  opening_accept(accept, s.key);
  if ((data[0] & OPT_PLAIN) != 0)
    blob_put(&wire, data + HEAD, size - HEAD);
  else
    text_expand(&wire, data + HEAD, size - HEAD,
                (data[0] & OPT_ANSWER) != 0 ? accept : s.key);
  limit = limit_of(data[1], wire.n);
  blob_put(&wire, after, 1); /* behind a whole head, or what cuts it */
  http_read(&right, wire.mem, wire.n, (data[0] & OPT_ANSWER) == 0, limit);
  (void)take(&h, &wire, limit, &right, data);
  if (h.complete && right.request)
    status = serve(&h, &right, &s);
  else if (h.complete)
    check(&h, &right, &s);
  if (status != 0)
    answer(status, NULL, 0, &s);
  handshake(&right, &s);
  ws_head_deinit(&h);
  http_free(&right);
  blob_free(&wire);
  return 0;
}

/* ---- our own words ------------------------------------------------------- */

/* The fields of an input that a user may send. */
static size_t users(struct ws_pair out[USERS_MAX], const struct http *h,
                    bool (*allowed)(const char *name)) {
  size_t i, n = 0;
  for (i = 0; h->whole && i < h->count && n < USERS_MAX; i++) {
    const struct http_field *f = &h->fields[i];
    MUST(ws_head_is_token(f->name, strlen(f->name)));
    MUST(ws_head_is_value(f->value, strlen(f->value)));
    if (!allowed(f->name) || strcmp(f->name, "origin") == 0)
      continue;
    out[n].name = f->name;
    out[n++].value = f->value;
  }
  return n;
}

/* The other side reads all of it; what is behind the head is left. */
static void read_ours(struct ws_head *h, struct http *right,
                      const struct base_buf *out, bool request,
                      const struct side *s) {
  struct blob wire = {NULL, 0, 0};
  blob_put(&wire, base_buf_data(out), out->len);
  http_read(right, wire.mem, wire.n, request, OURS_MAX);
  MUST(right->whole);
  MUST(take(h, &wire, OURS_MAX, right, s->head) == 0);
  blob_free(&wire);
}

/* It has the user's headers, in their order. */
static void has_users(const struct http *h, const struct ws_pair *pairs,
                      size_t count, size_t ours) {
  size_t i, found = 0;
  MUST(h->count == count + ours);
  for (i = 0; i < h->count && found < count; i++)
    if (strcmp(h->fields[i].name, pairs[found].name) == 0 &&
        strcmp(h->fields[i].value, pairs[found].value) == 0)
      found++;
  MUST(found == count);
}

static bool has_header(const struct ws_pair *pairs, size_t count,
                       const char *name) {
  size_t i;
  for (i = 0; i < count; i++)
    if (strcmp(pairs[i].name, name) == 0)
      return true;
  return false;
}

static void look_at_answer(const struct http *h, const struct ws_response *r,
                           size_t body) {
  bool none = r->status == 204 || r->status == 205 || r->status == 304;
  const char *length = http_only(h, "content-length");
  size_t ours = 3;
  char text[40];
  time_t now = (time_t)r->now;
  struct tm tm;
  MUST(gmtime_r(&now, &tm) != NULL);
  MUST(strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm) == 29);
  MUST(same_text(http_only(h, "date"), text));
  MUST(h->status == r->status);
  MUST(http_lists(h, "connection", "close") == !r->keep);
  MUST(http_lists(h, "connection", "keep-alive") == r->keep);
  MUST(http_lists(h, "connection", "upgrade") == (r->status == 426));
  MUST(body == (none || r->head_only ? 0 : r->body_size));
  (void)snprintf(text, sizeof text, "%zu", none ? 0 : r->body_size);
  if (r->status == 204 || r->status == 304)
    ours--;
  MUST(same_text(length, ours == 2 ? NULL : text));
  if (r->status == 405) {
    MUST(http_count(h, "allow") > 0);
    ours += !has_header(r->headers, r->header_count, "allow");
  }
  if (r->status == 426) {
    MUST(same_text(http_only(h, "upgrade"), "websocket"));
    MUST(same_text(http_only(h, "sec-websocket-version"), "13"));
    ours += 2;
  }
  has_users(h, r->headers, r->header_count, ours);
}

static void answer(int status, const struct ws_pair *headers, size_t count,
                   const struct side *s) {
  struct ws_response r = {status, headers, count, s->head, s->head[6] % HEAD,
                          (s->head[0] & OPT_HEAD_ONLY) != 0,
                          (s->head[0] & OPT_KEEP) != 0, s->now};
  struct base_buf out;
  struct ws_head h;
  struct http right;
  base_buf_init(&out, OURS_MAX);
  MUST(ws_handshake_answer(&out, &r) == 0);
  read_ours(&h, &right, &out, false, s);
  look_at_answer(&right, &r, out.len - right.at);
  check(&h, &right, s); /* which no client takes for an upgrade */
  ws_head_deinit(&h);
  http_free(&right);
  base_buf_free(&out);
}

/* What our client said, as our server heard it. */
struct talk {
  struct ws_head head;
  struct http seen;
  struct ws_ask ask;
};

static void ask_ours(struct talk *t, const struct ws_request *r,
                     const struct side *s) {
  struct base_buf out;
  char authority[270];
  base_buf_init(&out, OURS_MAX);
  MUST(ws_handshake_request(&out, r) == 0);
  read_ours(&t->head, &t->seen, &out, true, s);
  MUST(t->seen.at == out.len);
  MUST(serve(&t->head, &t->seen, s) == 0);
  ws_handshake_ask(&t->ask, &t->head);
  (void)ws_url_authority(r->url, authority, sizeof authority);
  MUST(t->ask.upgrade && strcmp(t->ask.key, r->key) == 0);
  MUST(strcmp(t->ask.host, authority) == 0);
  MUST(same_text(t->ask.origin, r->origin));
  MUST(strcmp(t->head.target, r->url->resource) == 0);
  has_users(&t->seen, r->headers, r->header_count,
            5u + (r->origin != NULL) + (r->extensions != NULL) +
                (r->subprotocol_count > 0));
  base_buf_free(&out);
}

/* The 101, and what our client makes of it. */
static void answer_ours(const struct talk *t, const struct ws_request *r,
                        const struct http *input, const struct side *s) {
  struct ws_pair headers[USERS_MAX];
  char extension[WS_EXTENSION_SIZE];
  struct ws_deflate_deal deal, clients;
  struct base_buf protocols, out;
  struct ws_accept a = {t->ask.key, NULL, NULL, headers, 0};
  const char *chosen, *extensions;
  struct ws_head h;
  struct http right;
  a.header_count = users(headers, input, ws_handshake_reply_allowed);
  base_buf_init(&protocols, OURS_MAX);
  base_buf_init(&out, OURS_MAX);
  MUST(ws_handshake_subprotocols(&t->head, &protocols) == 0);
  if (protocols.len > 0)
    a.subprotocol = (const char *)base_buf_data(&protocols);
  MUST(a.subprotocol == NULL || strcmp(a.subprotocol, s->offered[0]) == 0);
  if (ws_extension_accept(&deal, extension, &t->head, &s->server))
    a.extensions = extension;
  MUST((a.extensions != NULL) == (r->extensions != NULL));
  MUST(ws_handshake_respond(&out, &a, sha1) == 0);
  read_ours(&h, &right, &out, false, s);
  MUST(right.at == out.len);
  has_users(&right, headers, a.header_count,
            3u + (a.subprotocol != NULL) + (a.extensions != NULL));
  check(&h, &right, s);
  MUST(ws_handshake_check(r, &h, sha1, s->now, &chosen, &extensions) == NULL);
  MUST(same_text(chosen, a.subprotocol));
  MUST(ws_extension_check(&clients, extensions, &s->client) == NULL);
  MUST(clients.on == deal.on);
  if (deal.on) { /* a client may hold itself to less than it said */
    MUST(clients.server_no_context_takeover ==
         deal.server_no_context_takeover);
    MUST(clients.client_no_context_takeover >=
         deal.client_no_context_takeover);
    MUST(clients.server_window_bits == deal.server_window_bits);
    MUST(clients.client_window_bits <= deal.client_window_bits);
  }
  ws_head_deinit(&h);
  http_free(&right);
  base_buf_free(&out);
  base_buf_free(&protocols);
}

/* To the input's own target, if a URL can have it. */
static void choose_url(struct ws_url *u, const struct http *input) {
  struct blob text = {NULL, 0, 0};
  int err = -1;
  if (input->whole && input->request) {
    blob_put(&text, "wss://[::1]:8443", 16);
    blob_put(&text, input->target, strlen(input->target));
    err = ws_url_parse(u, (const char *)text.mem, text.n, false);
    blob_free(&text);
  }
  if (err != 0)
    MUST(ws_url_parse(u, "ws://example.com/a?b", 20, false) == 0);
}

static void handshake(const struct http *input, const struct side *s) {
  struct ws_pair headers[USERS_MAX];
  struct ws_request r;
  struct ws_url url;
  struct talk t;
  static const int statuses[] = {200, 204, 205, 302, 304, 404, 405, 426, 503};
  choose_url(&url, input);
  memset(&r, 0, sizeof r);
  r.url = &url;
  memcpy(r.key, s->key, sizeof r.key);
  r.subprotocols = s->offered;
  r.subprotocol_count = s->count;
  r.origin = (s->head[2] & OFFER_ORIGIN) != 0 ? "https://h" : NULL;
  r.extensions = s->offer[0] != '\0' ? s->offer : NULL;
  r.headers = headers;
  r.header_count = users(headers, input, ws_handshake_header_allowed);
  ask_ours(&t, &r, s);
  answer_ours(&t, &r, input, s);
  r.header_count = users(headers, input, ws_handshake_reply_allowed);
  answer(statuses[s->head[5] % 9], headers, r.header_count, s);
  ws_head_deinit(&t.head);
  http_free(&t.seen);
  ws_url_deinit(&url);
}
