/*
** Two ends of a TLS connection over memory, of which one at least is ours
** (csrc/tls/session.h), and what happens between them.
**
** An input begins with eight bytes, who the two are (support/roles.c). Steps
** of four bytes follow: what is done, to whom (the highest bit), and three
** numbers; some are followed by bytes of their own.
*/
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>

#include "fuzz.h"
#include "support/broken.h"
#include "support/dice.h"
#include "support/ledger.h"
#include "support/oracle.h"
#include "support/party.h"
#include "support/roles.h"
#include "support/wire.h"
#include "tls/context_impl.h"
#include "tls/peer.h"
#include "tls/ticket.h"

enum {
  STEP = 4,
  STEPS_MAX = 80,         /* of an input */
  CONNECTIONS_MAX = 3,
  WRITTEN_MAX = 150000,   /* bytes, of one end */
  ROUNDS_MAX = 40,        /* until there is silence */
  HEAP_MAX = 1 << 21      /* bytes of OpenSSL's for all that is there */
};

double fuzz_limit_seconds = 1;

/* ---- time, which is ours ------------------------------------------------- */

static time_t clock_now;

/* In the place of libc's, for OpenSSL too. */
__attribute__((visibility("default"))) time_t time(time_t *out) {
  if (out != NULL)
    *out = clock_now;
  return clock_now;
}

static double key_clock(void) {
  return (double)clock_now;
}

static double seconds(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void begin(void) {
  static bool begun;
  clock_now = 1704067200; /* 2024 */
  if (begun)
    return;
  begun = true;
  ledger_install();
  dice_install();
}

/* ---- a connection -------------------------------------------------------- */

enum { CLIENT, SERVER };

struct talk {
  struct roles roles;
  struct party ends[2];
  struct wire wires[2];  /* from the client, from the server */
  struct seal seals[2];
  SSL_CTX *stranger;     /* or NULL */
  struct tls_ticket *ticket, *same; /* to resume; a copy for the second time */
  struct tls_keys keys;  /* a server's, as they were when it began */
  size_t written[2], shut_at[2];
  int number;
};

static struct talk talk;

static void on_keys(const SSL *ssl, const char *line) {
  (void)ssl;
  seal_line(talk.seals, line);
}

static bool is_raw(const struct talk *t, int side) {
  return side == SERVER ? t->roles.raw_server : t->roles.raw_client;
}

static bool is_ours(const struct talk *t) {
  return !is_raw(t, CLIENT) && !is_raw(t, SERVER);
}

/* The keys of a connection, for who damages from within. */
static void listen_in(struct talk *t) {
  SSL_CTX *ssl = t->stranger;
  if (ssl == NULL)
    ssl = roles_client(&t->roles)->material->ssl;
  memset(t->seals, 0, sizeof t->seals);
  SSL_CTX_set_keylog_callback(ssl, on_keys);
}

/* The ticket as it is now, for the second time: one of TLS 1.3 can be used but
** once. */
static struct tls_ticket *copy_ticket(const struct tls_ticket *t) {
  SSL_SESSION *session = SSL_SESSION_dup(t->session);
  struct tls_ticket *copy = tls_ticket_new(session, t->chain, &t->name,
                                           t->context, t->generation,
                                           t->until);
  MUST(session != NULL && copy != NULL);
  SSL_SESSION_free(session);
  return copy;
}

/* What the server's tickets are encrypted with, or NULL. */
static struct tls_keys *keys_of(const struct talk *t) {
  return is_raw(t, SERVER) ? NULL : roles_server(&t->roles)->keys;
}

static void open_talk(struct talk *t) {
  struct tls_keys *keys = keys_of(t);
  int i;
  if (keys != NULL && t->number == 0) {
    memset(keys, 0, sizeof *keys);
    keys->clock = key_clock;
  }
  if (keys != NULL)
    t->keys = *keys;
  if (t->ticket != NULL)
    t->same = copy_ticket(t->ticket);
  listen_in(t);
  for (i = 0; i < 2; i++) {
    wire_init(&t->wires[i], t->roles.sealed ? &t->seals[i] : NULL);
    party_open(&t->ends[i], &t->roles, i == SERVER,
               i == CLIENT ? t->ticket : NULL,
               is_raw(t, i) ? t->stranger : NULL);
    t->written[i] = 0;
    t->shut_at[i] = 0;
  }
}

/* ---- what must hold ------------------------------------------------------ */

/* Never anything that was not sent, in that order. */
static void check_data(const struct talk *t, int reader) {
  const struct party *p = &t->ends[reader];
  const struct wire *w = &t->wires[!reader];
  const uint8_t *got = base_buf_data(&p->got);
  size_t i, n = p->got.len;
  if (w->seal != NULL && w->plain.len > 0) {
    MUST(n <= w->plain.len);
    MUST(n == 0 || memcmp(got, base_buf_data(&w->plain), n) == 0);
    return;
  }
  MUST(n <= t->written[!reader]);
  for (i = 0; i < n; i++)
    MUST(got[i] == party_byte(!reader, i));
}

/* An end without an error is one that the peer wanted, and of all it said. */
static void check_end(const struct talk *t, int reader) {
  const struct party *p = &t->ends[reader], *q = &t->ends[!reader];
  if (!p->ended || p->raw != NULL || t->wires[!reader].seal != NULL)
    return;
  MUST(q->shut);
  MUST(p->got.len == t->shut_at[!reader]);
}

/* What TLS is for: both have the same view, or one has none. */
static void check_views(const struct talk *t) {
  struct tls_peer *a, *b;
  if (!is_ours(t) || !t->ends[CLIENT].up || !t->ends[SERVER].up)
    return;
  a = tls_session_peer(t->ends[CLIENT].session);
  b = tls_session_peer(t->ends[SERVER].session);
  MUST(a != NULL && b != NULL);
  MUST(strcmp(tls_peer_version(a), tls_peer_version(b)) == 0);
  MUST(strcmp(tls_peer_cipher(a), tls_peer_cipher(b)) == 0);
  MUST(strcmp(tls_peer_alpn(a), tls_peer_alpn(b)) == 0);
  MUST(tls_peer_resumed(a) == tls_peer_resumed(b));
  tls_peer_unref(a);
  tls_peer_unref(b);
}

static void check(const struct talk *t) {
  check_data(t, CLIENT);
  check_data(t, SERVER);
  check_end(t, CLIENT);
  check_end(t, SERVER);
}

/* ---- steps --------------------------------------------------------------- */

static void collect(struct talk *t, int from) {
  struct party *p = &t->ends[from];
  size_t n;
  do {
    n = wire_take(&t->wires[from], base_buf_data(&p->out), p->out.len);
    if (p->raw != NULL)
      base_buf_consume(&p->out, n);
    else
      party_take(p, n);
    if (t->wires[from].count == WIRE_RECORDS) /* there are more than that */
      wire_send(&t->wires[from], WIRE_RECORDS);
  } while (n > 0 && p->out.len > 0);
}

/* The first 'n' bytes of what waits arrive. */
static void deliver(struct talk *t, int from, size_t n) {
  struct wire *w = &t->wires[from];
  struct party *p = &t->ends[!from];
  n = n < w->line.len ? n : w->line.len;
  if (party_is_over(p))
    n = w->line.len; /* nobody listens */
  else
    party_feed(p, base_buf_data(&w->line), n, t->roles.cut);
  base_buf_consume(&w->line, n);
}

static bool pass(struct talk *t, int from) {
  collect(t, from);
  wire_send(&t->wires[from], WIRE_RECORDS);
  if (t->wires[from].line.len == 0)
    return false;
  deliver(t, from, SIZE_MAX);
  return true;
}

static void settle(struct talk *t) {
  bool moved = true;
  int round;
  for (round = 0; moved; round++) {
    MUST(round < ROUNDS_MAX);
    moved = pass(t, CLIENT);
    moved = pass(t, SERVER) || moved;
  }
}

static void write_some(struct talk *t, int side, size_t n) {
  if (n > WRITTEN_MAX - t->written[side])
    n = WRITTEN_MAX - t->written[side];
  if (t->ends[side].count + 1 < PARTY_ACTS &&
      (party_write(&t->ends[side], n) || !is_raw(t, side)) &&
      t->ends[side].up && !t->ends[side].shut)
    t->written[side] += n;
}

static void shut(struct talk *t, int side) {
  bool before = t->ends[side].shut;
  party_shut(&t->ends[side]);
  if (!before && t->ends[side].shut)
    t->shut_at[side] = t->written[side];
}

/* The connection is lost: with what waits, or behind it. */
static void lose(struct talk *t, int from, bool all) {
  t->wires[from].touched = true;
  if (all)
    wire_lose(&t->wires[from]);
  else
    (void)pass(t, from);
  if (!party_is_over(&t->ends[!from]))
    party_fin(&t->ends[!from]);
}

/* What only a stranger does. */
static void trick(struct talk *t, int side, unsigned what) {
  SSL *ssl = t->ends[side].raw;
  if (ssl == NULL)
    return;
  dice_use(&t->ends[side].dice);
  switch (what % 6) {
  case 0:
    (void)SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
    break;
  case 1:
    (void)SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
    break;
  case 2:
    (void)SSL_new_session_ticket(ssl);
    break;
  case 3:
    (void)SSL_renegotiate(ssl);
    break;
  case 4:
    (void)SSL_verify_client_post_handshake(ssl);
    break;
  default:
    SSL_set_quiet_shutdown(ssl, 1);
  }
  if (t->ends[side].up)
    (void)SSL_do_handshake(ssl);
  ERR_clear_error();
  dice_use(NULL);
  party_work(&t->ends[side]);
}

enum step_kind { STEP_WRITE, STEP_PASS, STEP_SOME, STEP_BYTES, STEP_SETTLE,
                 STEP_SHUT, STEP_LOSE, STEP_LIMIT, STEP_INSERT, STEP_RAW,
                 STEP_REFLECT, STEP_TRICK, STEP_NEXT, STEP_HARM,
                 STEP_COUNT = STEP_HARM + HARM_COUNT };

struct input {
  const uint8_t *data;
  size_t size;
};

/* So many bytes of the input, or what is left. */
static const uint8_t *some(struct input *in, size_t *n) {
  const uint8_t *p = in->data;
  *n = *n < in->size ? *n : in->size;
  in->data += *n;
  in->size -= *n;
  return p;
}

static void insert(struct talk *t, int from, struct input *in,
                   const uint8_t s[STEP]) {
  static const uint8_t zeros[1 << 15] = {0};
  size_t n = s[3];
  const uint8_t *data;
  collect(t, from);
  if (s[2] == 255) { /* many bytes, for which the input has no room */
    wire_insert(&t->wires[from], s[1], 22, zeros, n << 7);
    return;
  }
  data = some(in, &n);
  wire_insert(&t->wires[from], s[1], s[2], data, n);
}

static void limit(struct talk *t, int side, const uint8_t s[STEP]) {
  collect(t, side);
  if (is_raw(t, side))
    return;
  party_limit(&t->ends[side], (size_t)s[1] * s[2] + s[3]);
  t->wires[side].touched = true;
}

static void step(struct talk *t, struct input *in, const uint8_t s[STEP]) {
  int side = s[0] >> 7;
  unsigned what = (s[0] & 0x7fu) % STEP_COUNT;
  struct wire *w = &t->wires[side];
  const uint8_t *data;
  size_t n = s[3];
  collect(t, side);
  switch (what) {
  case STEP_WRITE:
    write_some(t, side, 1 + (size_t)s[1] * s[2] + s[3]);
    break;
  case STEP_PASS:
    (void)pass(t, side);
    break;
  case STEP_SOME:
    wire_send(w, 1 + s[1] % 8u);
    deliver(t, side, SIZE_MAX);
    break;
  case STEP_BYTES:
    wire_send(w, WIRE_RECORDS);
    deliver(t, side, (size_t)s[1] * s[2] + s[3]);
    break;
  case STEP_SETTLE:
    settle(t);
    break;
  case STEP_SHUT:
    shut(t, side);
    break;
  case STEP_LOSE:
    lose(t, side, s[1] % 2 == 0);
    break;
  case STEP_LIMIT:
    limit(t, side, s);
    break;
  case STEP_INSERT:
    insert(t, side, in, s);
    break;
  case STEP_RAW:
    w->touched = true;
    wire_send(w, s[1]);
    data = some(in, &n);
    MUST(base_buf_append(&w->line, data, n) == 0);
    break;
  case STEP_REFLECT: /* what the other has just sent */
    w->touched = true;
    wire_send(w, s[1]);
    MUST(base_buf_append(&w->line, base_buf_data(&t->wires[!side].last),
                         t->wires[!side].last.len) == 0);
    break;
  case STEP_TRICK:
    trick(t, side, s[1]);
    break;
  default:
    wire_harm(w, (enum wire_harm)(what - STEP_HARM), s[1], s[2], s[3]);
  }
  check(t);
}

/* ---- the end of a connection --------------------------------------------- */

static bool is_clean(const struct talk *t) {
  return is_ours(t) && !t->wires[CLIENT].touched && !t->wires[SERVER].touched;
}

/* Nobody interfered: everything works, or nothing, as the roles say. */
static void check_clean(struct talk *t) {
  const struct roles *r = &t->roles;
  struct party *c = &t->ends[CLIENT], *s = &t->ends[SERVER];
  bool fine = roles_agree(r) && roles_client_accepts(r) &&
              roles_server_accepts(r);
  MUST_OF(c->failed ? c->code : s->code,
          fine == (c->up && s->up && !c->failed && !s->failed));
  if (!fine) {
    MUST(c->failed && s->failed); /* each of them has heard of it */
    MUST(c->got.len == 0);
    if (roles_agree(r) && !roles_client_accepts(r))
      MUST_OF(c->code, c->kind == BASE_KIND_CERTIFICATE);
    return;
  }
  MUST(c->got.len == t->written[SERVER] && s->got.len == t->written[CLIENT]);
  shut(t, CLIENT);
  shut(t, SERVER);
  settle(t);
  MUST(c->ended && s->ended);
  MUST(c->status == TLS_ENDED && s->status == TLS_ENDED);
}

/* Both ends once more, with the bytes cut in another way. */
static void repeat(struct talk *t) {
  struct tls_keys *keys = keys_of(t), then;
  if (keys != NULL) {
    then = *keys;
    *keys = t->keys;
  }
  party_again(&t->ends[CLIENT], t->same);
  party_again(&t->ends[SERVER], NULL);
  if (keys != NULL)
    *keys = then;
}

static struct tls_ticket *ticket_of(struct talk *t) {
  struct party *c = &t->ends[CLIENT];
  struct tls_ticket *ticket =
    c->session != NULL ? tls_session_ticket(c->session) : NULL;
  if (ticket != NULL) {
    MUST(c->up && t->roles.session);
    /* a chain that only the user wanted is worth nothing the next time */
    MUST(roles_chain_is_good(&t->roles) ||
         t->roles.trust == TRUST_NOBODY_ASKED);
  }
  return ticket;
}

static void close_talk(struct talk *t) {
  struct tls_ticket *next;
  int i;
  settle(t);
  check(t);
  check_views(t);
  if (is_clean(t))
    check_clean(t);
  for (i = 0; i < 2; i++)
    if (!party_is_over(&t->ends[i]))
      party_fin(&t->ends[i]);
  check(t);
  next = ticket_of(t);
  repeat(t);
  tls_ticket_unref(t->ticket);
  tls_ticket_unref(t->same);
  t->ticket = next;
  t->same = NULL;
  for (i = 0; i < 2; i++) {
    party_close(&t->ends[i]);
    wire_deinit(&t->wires[i]);
  }
}

/* Time goes by, files are read again, another name is wanted, and they meet
** once more. */
static void meet_again(struct talk *t, const uint8_t s[STEP]) {
  close_talk(t);
  t->number++;
  clock_now += (time_t)s[1] * 100;
  if ((s[2] & 1) != 0 && !t->roles.raw_client)
    base_error_free(tls_context_reload(roles_client(&t->roles)));
  if ((s[2] & 2) != 0 && !t->roles.raw_server)
    base_error_free(tls_context_reload(roles_server(&t->roles)));
  if ((s[2] & 4) != 0)
    t->roles.host = t->roles.host == HOST_NAME ? HOST_ADDRESS : HOST_NAME;
  open_talk(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data, size};
  struct talk *t = &talk;
  double start = seconds();
  size_t heap;
  int steps;
  if (size < ROLES_HEAD)
    return 0;
  begin();
  memset(t, 0, sizeof *t);
  roles_read(&t->roles, data);
  in.data += ROLES_HEAD;
  in.size -= ROLES_HEAD;
  if (t->roles.raw_client || t->roles.raw_server)
    t->stranger = roles_stranger(&t->roles, t->roles.raw_server);
  open_talk(t);
  heap = ledger_most = ledger_live;
  for (steps = 0; steps < STEPS_MAX && in.size >= STEP; steps++) {
    const uint8_t *s = in.data;
    in.data += STEP;
    in.size -= STEP;
    if ((s[0] & 0x7fu) % STEP_COUNT != STEP_NEXT)
      step(t, &in, s);
    else if (t->number + 1 < CONNECTIONS_MAX)
      meet_again(t, s);
  }
  close_talk(t);
  MUST(ledger_most - heap < HEAP_MAX);
  tls_ticket_unref(t->ticket);
  SSL_CTX_free(t->stranger);
  MUST(seconds() - start < fuzz_limit_seconds);
  return 0;
}
