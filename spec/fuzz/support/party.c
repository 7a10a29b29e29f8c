#include "support/party.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "base/mem.h"
#include "support/broken.h"
#include "support/dice.h"
#include "support/oracle.h"
#include "tls/peer.h"
#include "tls/ticket.h"

enum { OUT_MAX = 1 << 20, ALL_MAX = 1 << 23, READ_MAX = 32768,
       PIECES = 300 /* the rest comes at once */ };

/* Seen by libFuzzer as if they were counters of code: which errors there are,
** and how it came to them. */
#if defined(__clang__)
__attribute__((section("__libfuzzer_extra_counters")))
#endif
static uint8_t counters[1024];

static void note(const struct party *p, const char *what) {
  unsigned h = p->server ? 17 : 0;
  while (*what != '\0')
    h = h * 31 + (unsigned char)*what++;
  h = h * 4 + (p->up ? 1u : 0u) + (p->shut ? 2u : 0u);
  counters[h * 2654435761u >> 22] = 1;
}

/* ---- what holds after every call ----------------------------------------- */

static void check_limit(const struct party *p, const struct base_error *err) {
  MUST(p->limited && strcmp(err->code, "buffered") == 0);
  MUST(err->message[0] != '\0');
}

static void failed(struct party *p) {
  struct base_error *err = tls_session_error(p->session);
  p->failed = true;
  MUST(err != NULL && tls_session_error(p->session) == NULL);
  if (err->kind == BASE_KIND_LIMIT)
    check_limit(p, err);
  else
    oracle_error(err);
  p->kind = err->kind;
  memcpy(p->code, err->code, sizeof p->code);
  note(p, p->code);
  base_error_free(err);
}

static void before(struct party *p) {
  dice_use(&p->dice);
  if (p->roles->noise) /* RFC 8446 knows nothing of it; nor must we */
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
}

static void after(struct party *p, size_t waited) {
  dice_use(NULL);
  if (p->raw != NULL) {
    ERR_clear_error();
    return;
  }
  MUST(p->roles->noise || ERR_peek_error() == 0);
  ERR_clear_error();
  MUST(!p->failed || p->out.len == waited); /* not a byte behind the alert */
  MUST(!p->failed || p->status == TLS_FAILED);
  MUST(!p->ended || p->status == TLS_ENDED);
  if (p->status == TLS_FAILED && !p->failed)
    failed(p);
  if (p->status == TLS_ENDED)
    p->ended = true;
}

/* ---- what is known of a peer --------------------------------------------- */

static bool ask(void *ctx, struct tls_peer *peer,
                const struct base_error *err) {
  struct party *p = (struct party *)ctx;
  p->asked++;
  MUST(p->asked == 1);
  oracle_readable(peer);
  MUST(tls_peer_verified(peer) ==
       (err == NULL && p->roles->trust != TRUST_NOBODY_ASKED));
  if (err != NULL)
    oracle_error(err);
  switch (p->roles->ask) {
  case ASK_YES:
    return true;
  case ASK_NO:
    return false;
  default:
    return err == NULL;
  }
}

static bool is_for(const struct tls_ticket *t, const char *host) {
  return strcmp(t->name.text, host) == 0;
}

static void check_client(const struct party *p, const struct tls_peer *peer) {
  static const char *const all[] = {"a", "bb"};
  const struct roles *r = p->roles;
  const char *alpn = tls_peer_alpn(peer);
  MUST(roles_client_accepts(r));
  MUST(tls_peer_verified(peer) ==
       (r->trust != TRUST_NOBODY_ASKED && roles_chain_is_good(r)));
  MUST(tls_peer_chain_count(peer) > 0);
  MUST(*alpn == '\0' ||
       (strcmp(alpn, all[0]) == 0 && (r->client_alpn & ALPN_A) != 0) ||
       (strcmp(alpn, all[1]) == 0 && (r->client_alpn & ALPN_B) != 0));
  MUST(!tls_peer_resumed(peer) ||
       (p->ticket != NULL && is_for(p->ticket, roles_host(r))));
  MUST(tls_peer_resumed(peer) || r->ask == ASK_NONE || p->asked == 1);
}

static void check_server(const struct party *p, const struct tls_peer *peer) {
  const struct roles *r = p->roles;
  bool shown = tls_peer_chain_count(peer) > 0;
  MUST(roles_server_accepts(r));
  MUST(!shown || (r->verify != TLS_CLIENT_NONE && r->cert == CERT_GOOD));
  MUST(shown || r->verify == TLS_CLIENT_NONE || r->cert != CERT_GOOD ||
       r->raw_client); /* who may not be able to */
  MUST(tls_peer_verified(peer) == shown);
}

static void established(struct party *p) {
  struct tls_peer *peer;
  p->up = true;
  note(p, "up");
  if (p->raw != NULL)
    return;
  peer = tls_session_peer(p->session);
  MUST(peer != NULL);
  if (tls_peer_chain_count(peer) > 0)
    oracle_readable(peer);
  MUST(isupper((unsigned char)tls_peer_cipher(peer)[0])); /* "(NONE)" */
  if (p->server)
    check_server(p, peer);
  else
    check_client(p, peer);
  note(p, tls_peer_cipher(peer));
  note(p, tls_peer_resumed(peer) ? "again" : "anew");
  tls_peer_unref(peer);
}

/* ---- OpenSSL's own ------------------------------------------------------- */

static void raw_say(struct party *p) {
  char *bytes;
  long n = BIO_get_mem_data(SSL_get_wbio(p->raw), &bytes);
  if (n > 0 && base_buf_append(&p->out, bytes, (size_t)n) == 0)
    MUST(base_buf_append(&p->said, bytes, (size_t)n) == 0);
  (void)BIO_reset(SSL_get_wbio(p->raw));
}

static void raw_work(struct party *p) {
  static uint8_t plain[READ_MAX];
  size_t got = 0;
  if (!p->up && SSL_do_handshake(p->raw) == 1)
    established(p);
  while (p->up && SSL_read_ex(p->raw, plain, p->read, &got) == 1)
    MUST(base_buf_append(&p->got, plain, got) == 0);
  if (p->up && (SSL_get_shutdown(p->raw) & SSL_RECEIVED_SHUTDOWN) != 0)
    p->ended = true;
  raw_say(p);
}

static void raw_open(struct party *p, SSL_CTX *ctx) {
  BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
  p->raw = SSL_new(ctx);
  MUST(p->raw != NULL && in != NULL && out != NULL);
  BIO_set_mem_eof_return(in, -1);
  BIO_set_mem_eof_return(out, -1);
  SSL_set_bio(p->raw, in, out);
  if (p->server) {
    SSL_set_accept_state(p->raw);
  } else {
    SSL_set_connect_state(p->raw);
    MUST(SSL_set_tlsext_host_name(p->raw, roles_host(p->roles)) == 1);
  }
}

/* ---- ours ---------------------------------------------------------------- */

static void keep_said(struct party *p, size_t waited) {
  if (p->out.len > waited)
    MUST(base_buf_append(&p->said, base_buf_data(&p->out) + waited,
                         p->out.len - waited) == 0);
}

static void read_all(struct party *p) {
  uint8_t *plain = (uint8_t *)malloc(p->read); /* of its own size */
  size_t got;
  MUST(plain != NULL);
  do {
    got = p->read + 1;
    p->status = tls_session_read(p->session, plain, p->read, &got);
    MUST(got <= p->read && (got > 0) == (p->status == TLS_OK));
    if (got > 0)
      MUST(base_buf_append(&p->got, plain, got) == 0);
  } while (p->status == TLS_OK);
  free(plain);
}

void party_work(struct party *p) {
  size_t waited = p->out.len;
  before(p);
  if (p->raw != NULL) {
    raw_work(p);
  } else {
    if (!p->up) {
      p->status = tls_session_handshake(p->session);
      MUST(p->status != TLS_ENDED);
      if (p->status == TLS_OK)
        established(p);
    }
    if (p->up)
      read_all(p);
    keep_said(p, waited);
  }
  after(p, waited);
  MUST(!p->fin || p->raw != NULL || p->failed || p->ended);
}

static void ours_open(struct party *p) {
  struct tls_conf conf = {roles_host(p->roles), p->ticket, p->roles->trace,
                          NULL, p};
  struct base_error *err;
  if (p->roles->ask != ASK_NONE && !p->server)
    conf.ask = ask;
  before(p);
  err = tls_session_new(&p->session, p->context, &conf);
  MUST(err == NULL && p->session != NULL);
  after(p, 0);
  tls_session_set_out(p->session, &p->out);
}

void party_open(struct party *p, const struct roles *r, bool server,
                struct tls_ticket *ticket, SSL_CTX *stranger) {
  memset(p, 0, sizeof *p);
  p->roles = r;
  p->server = server;
  p->ticket = ticket;
  p->dice = p->first_dice = server ? 0x5eedu : 0xc1u;
  p->read = r->read;
  base_buf_init(&p->out, OUT_MAX);
  base_buf_init(&p->got, ALL_MAX);
  base_buf_init(&p->said, ALL_MAX);
  base_buf_init(&p->heard, ALL_MAX);
  if (stranger != NULL) {
    before(p);
    raw_open(p, stranger);
    after(p, 0);
  } else {
    p->context = server ? roles_server(r) : roles_client(r);
    ours_open(p);
  }
  party_work(p);
}

static void check_steps(struct party *p) {
  struct tls_step step;
  int n = 0;
  while (tls_session_step(p->session, &step)) {
    MUST(step.name != NULL && step.name[0] != '\0');
    n++;
  }
  MUST(n <= 64 && (n > 0 || !p->roles->trace || p->said.len == 0));
}

void party_close(struct party *p) {
  if (p->session != NULL)
    check_steps(p);
  before(p);
  tls_session_free(p->session);
  SSL_free(p->raw);
  MUST(p->raw != NULL || p->roles->noise || ERR_peek_error() == 0);
  ERR_clear_error();
  dice_use(NULL);
  base_buf_free(&p->out);
  base_buf_free(&p->got);
  base_buf_free(&p->said);
  base_buf_free(&p->heard);
}

/* ---- what is done with it ------------------------------------------------ */

static void remember(struct party *p, enum act_kind kind, size_t size) {
  MUST(p->count < PARTY_ACTS);
  p->acts[p->count].kind = kind;
  p->acts[p->count++].size = size;
}

bool party_is_over(const struct party *p) {
  return p->failed || p->ended || p->fin;
}

void party_feed(struct party *p, const uint8_t *data, size_t n, size_t cut) {
  int pieces = 0;
  if (n == 0 || p->fin)
    return;
  if (p->raw != NULL) {
    MUST(BIO_write(SSL_get_rbio(p->raw), data, (int)n) == (int)n);
    party_work(p);
    return;
  }
  remember(p, ACT_FEED, n);
  MUST(base_buf_append(&p->heard, data, n) == 0);
  for (; n > 0; pieces++) {
    size_t part = cut > 0 && cut < n && pieces < PIECES ? cut : n;
    uint8_t *piece = (uint8_t *)malloc(part);
    MUST(piece != NULL);
    memcpy(piece, data, part);
    tls_session_feed(p->session, piece, part);
    party_work(p);
    free(piece);
    data += part;
    n -= part;
  }
}

void party_take(struct party *p, size_t n) {
  if (n == 0)
    return;
  remember(p, ACT_TAKE, n);
  base_buf_consume(&p->out, n);
}

uint8_t party_byte(bool server, size_t i) {
  uint32_t x = ((uint32_t)i + 1) * 2654435761u ^ (server ? 0x5a5a5a5au : 0);
  return (uint8_t)(x >> 24 ^ x >> 11);
}

static size_t written(const struct party *p) {
  size_t i, n = 0;
  for (i = 0; i < p->count; i++)
    if (p->acts[i].kind == ACT_WRITE)
      n += p->acts[i].size;
  return n;
}

bool party_write(struct party *p, size_t n) {
  size_t waited = p->out.len, at = written(p), i;
  enum tls_status then = p->status, st;
  uint8_t *data;
  bool ok;
  if (!p->up || p->shut || n == 0 || (p->raw != NULL && p->failed))
    return false;
  data = (uint8_t *)malloc(n);
  MUST(data != NULL);
  for (i = 0; i < n; i++)
    data[i] = party_byte(p->server, at + i);
  before(p);
  if (p->raw != NULL) {
    size_t done;
    ok = SSL_write_ex(p->raw, data, n, &done) == 1;
    raw_say(p);
    p->failed = !ok;
  } else {
    st = tls_session_write(p->session, data, n, false);
    MUST(st == TLS_OK || st == TLS_FAILED);
    MUST(st == TLS_OK || p->failed || p->limited); /* for want of room only */
    MUST(st == TLS_FAILED || !p->failed);
    ok = st == TLS_OK;
    p->status = ok ? then : st;
    p->ended = p->ended && ok;
    MUST(!ok || p->out.len - waited > n);
    MUST(p->out.len - waited <= tls_session_write_bound(n));
    keep_said(p, waited);
  }
  free(data);
  after(p, waited);
  if (ok || p->raw == NULL)
    remember(p, ACT_WRITE, n);
  return ok;
}

void party_shut(struct party *p) {
  size_t waited = p->out.len;
  before(p);
  if (p->raw != NULL) {
    (void)SSL_shutdown(p->raw);
    raw_say(p);
    p->shut = true;
  } else {
    remember(p, ACT_SHUT, 0);
    tls_session_shutdown(p->session);
    p->shut = p->shut || p->up;
    keep_said(p, waited);
  }
  after(p, waited);
}

void party_fin(struct party *p) {
  if (p->fin || p->raw != NULL)
    return;
  remember(p, ACT_FIN, 0);
  tls_session_feed_end(p->session);
  p->fin = true;
  party_work(p);
}

void party_limit(struct party *p, size_t more) {
  if (p->raw != NULL)
    return;
  remember(p, ACT_LIMIT, more);
  p->out.max = p->out.len + more;
  p->limited = true;
}

/* ---- the same again ------------------------------------------------------ */

static bool same(const struct base_buf *a, const struct base_buf *b) {
  return a->len == b->len &&
         (a->len == 0 ||
          memcmp(base_buf_data(a), base_buf_data(b), a->len) == 0);
}

/* Those that follow each other at once become one. */
static size_t merge(const struct party *p, size_t *i) {
  size_t n = p->acts[*i].size;
  while (*i + 1 < p->count && p->acts[*i + 1].kind == ACT_FEED)
    n += p->acts[++*i].size;
  return n;
}

static void act(struct party *q, const struct act *a) {
  switch (a->kind) {
  case ACT_TAKE:
    party_take(q, a->size);
    break;
  case ACT_WRITE:
    (void)party_write(q, a->size);
    break;
  case ACT_SHUT:
    party_shut(q);
    break;
  case ACT_FIN:
    party_fin(q);
    break;
  default:
    party_limit(q, a->size);
  }
}

void party_again(const struct party *p, struct tls_ticket *ticket) {
  static struct party q;
  size_t i, at = 0, n;
  if (p->session == NULL)
    return;
  party_open(&q, p->roles, p->server, ticket, NULL);
  q.read = p->roles->again_read;
  for (i = 0; i < p->count; i++) {
    if (p->acts[i].kind != ACT_FEED) {
      act(&q, &p->acts[i]);
      continue;
    }
    n = merge(p, &i);
    party_feed(&q, base_buf_data(&p->heard) + at, n, p->roles->again_cut);
    at += n;
  }
  MUST(same(&p->said, &q.said));
  MUST(same(&p->got, &q.got));
  MUST(p->up == q.up && p->failed == q.failed && p->ended == q.ended);
  MUST_OF(p->code, strcmp(p->code, q.code) == 0 && p->asked == q.asked);
  party_close(&q);
}
