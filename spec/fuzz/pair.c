/*
** What one of our roles sends the other accepts, and takes for what was meant:
** the opening handshake with its negotiation of compression (RFC 6455, 4;
** RFC 7692, 5 and 7.1), and then frames in both directions. An input begins
** with eight bytes: the wishes of the client (two) and of the server (two), and
** how bytes are cut. Behind them are things to say (say.h), said by the client
** first, and then by the server. What is wrong in the same way on both sides is
** for a third reader (rfc6455.h).
*/
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/sha.h>

#include "base/buf.h"
#include "base/limits.h"
#include "fuzz.h"
#include "support/blob.h"
#include "support/broken.h"
#include "support/bytes.h"
#include "support/rfc6455.h"
#include "support/say.h"
#include "ws/extension.h"
#include "ws/handshake.h"
#include "ws/protocol.h"

enum { HEAD = 8, CUTS_AT = 4, MESSAGE_MAX = 1 << 20 };
enum { PIECES_MAX = 2000 };   /* of what is heard; the last has what is left */
enum { READ_LARGE = 100000 }; /* too much for the third reader, who is slow */
enum wish { WISH_ON = 1, WISH_SERVER_ALONE = 2, WISH_CLIENT_ALONE = 4,
            WISH_PARTS = 8, WISH_PROTOCOLS = 16 };

double fuzz_limit_seconds = 2;

static const char *const protocols[] = {"chat", "superchat"};

/* ---- the handshake ------------------------------------------------------- */

static void sha1(const uint8_t *in, size_t n, uint8_t out[20]) {
  MUST(SHA1(in, n, out) != NULL);
}

/* 0, or 8 to 15. */
static int bits_of(unsigned four) {
  return four < 8 ? 0 : (int)four;
}

static struct ws_deflate_wish wish_of(const uint8_t *two) {
  struct ws_deflate_wish w;
  w.server_no_context_takeover = (two[0] & WISH_SERVER_ALONE) != 0;
  w.client_no_context_takeover = (two[0] & WISH_CLIENT_ALONE) != 0;
  w.server_max_window_bits = bits_of(two[1] % 16);
  w.client_max_window_bits = bits_of(two[1] / 16);
  return w;
}

static void read_head(struct ws_head *h, const struct base_buf *wire,
                      bool is_request, struct cut cut) {
  const uint8_t *at = base_buf_data(wire);
  size_t left = wire->len;
  ws_head_init(h, is_request, LIMIT_HEADER_BYTES);
  while (left > 0) {
    size_t n = cut_next(&cut, left);
    MUST(!h->complete);
    MUST(ws_head_feed(h, at, n) == (long)n);
    at += n;
    left -= n;
  }
  MUST(h->complete);
}

static int smaller(int a, int b) {
  int x = a > 0 ? a : WS_WINDOW_BITS_MAX, y = b > 0 ? b : WS_WINDOW_BITS_MAX;
  return x < y ? x : y;
}

/* Our sides grant one another whatever either asks for. */
static void is_right(const struct ws_deflate_deal *d,
                     const struct ws_deflate_wish *a,
                     const struct ws_deflate_wish *b) {
  MUST(d->server_no_context_takeover ==
       (a->server_no_context_takeover || b->server_no_context_takeover));
  MUST(d->client_no_context_takeover ==
       (a->client_no_context_takeover || b->client_no_context_takeover));
  MUST(d->server_window_bits ==
       smaller(a->server_max_window_bits, b->server_max_window_bits));
  MUST(d->client_window_bits ==
       smaller(a->client_max_window_bits, b->client_max_window_bits));
}

static void same_deal(const struct ws_deflate_deal *a,
                      const struct ws_deflate_deal *b) {
  MUST(a->on == b->on);
  if (!a->on)
    return;
  MUST(a->server_no_context_takeover == b->server_no_context_takeover);
  MUST(a->client_no_context_takeover == b->client_no_context_takeover);
  MUST(a->server_window_bits == b->server_window_bits);
  MUST(a->client_window_bits == b->client_window_bits);
}

struct shake {
  const uint8_t *head;
  struct ws_deflate_wish client, server;
  struct ws_deflate_deal deal;
  struct ws_request request;
  struct ws_url url;
  struct base_buf wire;
  char offer[WS_EXTENSION_SIZE], answer[WS_EXTENSION_SIZE];
};

/* The server reads the request, and answers. */
static void answer(struct shake *s, struct cut cut) {
  struct ws_accept accept = {NULL, NULL, NULL, NULL, 0};
  struct base_buf asked;
  struct ws_head head;
  struct ws_ask ask;
  read_head(&head, &s->wire, true, cut);
  ws_handshake_ask(&ask, &head);
  MUST_OF(ask.why != NULL ? ask.why : "", ask.status == 0 && ask.upgrade);
  base_buf_init(&asked, LIMIT_HEADER_BYTES);
  MUST(ws_handshake_subprotocols(&head, &asked) == 0);
  if (asked.len > 0)
    accept.subprotocol = (const char *)base_buf_data(&asked);
  MUST((asked.len > 0) == (s->request.subprotocol_count > 0));
  if ((s->head[2] & WISH_ON) != 0 &&
      ws_extension_accept(&s->deal, s->answer, &head, &s->server))
    accept.extensions = s->answer;
  MUST((accept.extensions != NULL) == s->deal.on);
  accept.key = ask.key;
  base_buf_clear(&s->wire);
  MUST(ws_handshake_respond(&s->wire, &accept, sha1) == 0);
  base_buf_free(&asked);
  ws_head_deinit(&head);
}

/* The client reads the answer. */
static void check(struct shake *s, struct cut cut) {
  const char *subprotocol, *extensions;
  struct ws_deflate_deal deal;
  struct base_error *e;
  struct ws_head head;
  read_head(&head, &s->wire, false, cut);
  e = ws_handshake_check(&s->request, &head, sha1, 0, &subprotocol,
                         &extensions);
  MUST_OF(e != NULL ? e->message : "", e == NULL);
  MUST((subprotocol != NULL) == (s->request.subprotocol_count > 0));
  MUST((extensions != NULL) == s->deal.on);
  memset(&deal, 0, sizeof deal);
  if (s->request.extensions != NULL) {
    const char *wrong = ws_extension_check(&deal, extensions, &s->client);
    MUST_OF(wrong != NULL ? wrong : "", wrong == NULL);
  }
  same_deal(&deal, &s->deal);
  MUST(deal.on == ((s->head[0] & s->head[2] & WISH_ON) != 0));
  if (deal.on)
    is_right(&deal, &s->client, &s->server);
  ws_head_deinit(&head);
}

static void shake_hands(struct shake *s, enum cut_how how) {
  static const char url[] = "ws://example.com/chat?x=1";
  struct cut cut = {how, s->head + CUTS_AT, 0};
  uint8_t nonce[16];
  size_t i;
  s->client = wish_of(s->head);
  s->server = wish_of(s->head + 2);
  memset(&s->deal, 0, sizeof s->deal);
  for (i = 0; i < sizeof nonce; i++)
    nonce[i] = (uint8_t)(s->head[i % HEAD] * (i + 1) + s->head[i / 2]);
  MUST(ws_url_parse(&s->url, url, sizeof url - 1, false) == 0);
  memset(&s->request, 0, sizeof s->request);
  s->request.url = &s->url;
  ws_handshake_key(s->request.key, nonce);
  s->request.subprotocols = protocols;
  s->request.subprotocol_count = (s->head[0] & WISH_PROTOCOLS) != 0 ? 2 : 0;
  if ((s->head[0] & WISH_ON) != 0) {
    ws_extension_offer(s->offer, &s->client);
    s->request.extensions = s->offer;
  }
  base_buf_init(&s->wire, LIMIT_HEADER_BYTES);
  MUST(ws_handshake_request(&s->wire, &s->request) == 0);
  answer(s, cut);
  check(s, cut);
  base_buf_free(&s->wire);
  ws_url_deinit(&s->url);
}

/* ---- frames -------------------------------------------------------------- */

struct listener {
  struct ws_protocol p;
  struct blob events, part;
};

static void hear(struct listener *l, const struct ws_event *ev) {
  char what = ev->opcode == WS_TEXT ? 't' : 'b';
  switch (ev->type) {
    case WS_EVENT_FRAGMENT:
      blob_put(&l->part, ev->data, ev->len);
      if (!ev->last)
        break;
      rfc6455_note(&l->events, what, 0, l->part.mem, l->part.n);
      l->part.n = 0;
      break;
    case WS_EVENT_MESSAGE:
      rfc6455_note(&l->events, what, 0, ev->data, ev->len);
      break;
    case WS_EVENT_PING:
    case WS_EVENT_PONG:
      rfc6455_note(&l->events, ev->type == WS_EVENT_PING ? 'i' : 'o', 0,
                   ev->data, ev->len);
      break;
    case WS_EVENT_CLOSE:
      rfc6455_note(&l->events, 'c', ev->code, ev->data, ev->len);
      break;
    default:
      MUST_OF(base_err_text(ev->err), ev->type != WS_EVENT_ERROR);
  }
}

static void feed(struct listener *l, const uint8_t *in, size_t n) {
  uint8_t *copy = blob_copy(in, n);
  struct ws_event ev;
  ws_protocol_feed(&l->p, copy, n);
  for (;;) {
    ws_protocol_poll(&l->p, &ev);
    if (ev.type == WS_EVENT_NONE)
      break;
    hear(l, &ev);
  }
  free(copy);
}

static bool takes_over(const struct shake *s, bool by_server) {
  return by_server ? !s->deal.server_no_context_takeover
                   : !s->deal.client_no_context_takeover;
}

static void read_by_the_book(const struct shake *s, const struct said *said,
                             bool by_server) {
  struct rfc6455_view view;
  struct rfc6455 as;
  if (said->events.n > READ_LARGE)
    return;
  as.server = !by_server;
  as.deflate = s->deal.on;
  as.takeover = s->deal.on && takes_over(s, by_server);
  as.max_message = said->most;
  rfc6455_read(&view, &as, said->wire.mem, said->wire.n);
  MUST(view.errors == 0);
  MUST(blob_same(&view.events, &said->events));
  MUST(view.frames == said->frames && view.midway == said->midway);
  MUST(!said->midway || blob_same(&view.partial, &said->part));
  rfc6455_free(&view);
}

static void listen_to(const struct shake *s, const struct said *said,
                      bool by_server, enum cut_how how) {
  struct cut cut = {how, s->head + CUTS_AT, 0};
  const uint8_t *at = said->wire.mem;
  size_t left = said->wire.n;
  unsigned pieces = 0;
  struct listener l;
  memset(&l, 0, sizeof l);
  ws_protocol_init(&l.p, by_server ? WS_CLIENT : WS_SERVER,
                   how == CUT_AS_TOLD ? said->most : MESSAGE_MAX);
  if (s->deal.on)
    ws_protocol_set_deflate(&l.p, takes_over(s, by_server));
  l.p.fragments = (s->head[by_server ? 0 : 2] & WISH_PARTS) != 0;
  while (left > 0) {
    size_t n = ++pieces < PIECES_MAX ? cut_next(&cut, left) : left;
    feed(&l, at, n);
    at += n;
    left -= n;
  }
  MUST(blob_same(&l.events, &said->events));
  MUST(l.p.frames == said->frames);
  MUST(ws_protocol_midway(&l.p) == said->midway);
  if (said->midway && l.p.fragments) /* all of it is there to be read */
    MUST(blob_same(&l.part, &said->part));
  ws_protocol_deinit(&l.p);
  blob_free(&l.events);
  blob_free(&l.part);
}

/* Of the processor. */
static double seconds(void) {
  return (double)clock() / (double)CLOCKS_PER_SEC;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  double start = seconds();
  struct shake s;
  int how, role;
  if (size < HEAD)
    return 0;
  memset(&s, 0, sizeof s);
  s.head = data;
  for (how = 0; how < CUT_COUNT; how++)
    shake_hands(&s, (enum cut_how)how);
  for (role = 0; role < 2; role++) {
    struct say say;
    struct said said;
    say.server = role == 1;
    say.bits = !s.deal.on ? 0
               : role == 1 ? s.deal.server_window_bits
                           : s.deal.client_window_bits;
    say.takeover = takes_over(&s, role == 1);
    say_all(&said, &say, data + HEAD, size - HEAD);
    read_by_the_book(&s, &said, role == 1);
    for (how = 0; how < CUT_COUNT; how++)
      listen_to(&s, &said, role == 1, (enum cut_how)how);
    said_free(&said);
  }
  MUST(seconds() - start < fuzz_limit_seconds);
  return 0;
}
