#include "tls/session_impl.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>

#include "base/limits.h"
#include "base/mem.h"
#include "tls/bio.h"
#include "tls/context_impl.h"
#include "tls/ocsp.h"
#include "tls/peer_impl.h"
#include "tls/reason.h"
#include "tls/server.h"
#include "tls/ticket.h"
#include "tls/trace.h"

enum phase { HANDSHAKE, ESTABLISHED, ENDED, FAILED };

enum {
  /* A record's header, nonce or IV, MAC and padding (RFC 5246, 6.2.3), and
     the empty record that goes before in TLS 1.0, are 85 bytes at most. */
  RECORD_OVERHEAD = 96,
  /* An answer to a KeyUpdate may go before (RFC 8446, 4.6.3). */
  WRITE_OVERHEAD = 128
};

struct tls_session {
  struct tls_context *context;   /* counted */
  struct tls_material *material; /* counted; of the context when it began */
  unsigned long generation;      /* of the material */
  SSL *ssl;
  struct tls_wire wire;
  struct tls_name name;       /* that a server must prove to have */
  struct tls_ticket *offered; /* counted; until the handshake is done */
  STACK_OF(X509) *chain;      /* accepted, by a verdict or by the ticket */
  struct tls_guest guest;     /* a server's; nothing otherwise */
  SSL_SESSION *fresh;         /* the newest that may be resumed, or NULL */
  struct base_error *error;   /* owned */
  struct tls_trace *trace;    /* or NULL */
  enum phase phase;
  tls_ask *ask;               /* or NULL: who has the last word */
  void *ask_ctx;
  struct tls_judgement verdict; /* its chain and error move out of here */
  STACK_OF(X509) *came;       /* what the user is asked about; owned */
  bool pending;               /* the verdict waits for the staple */
  bool judged;                /* the verdict was asked for, and was yes */
  bool accepted;              /* it was established once */
  bool fin;                   /* the peer's */
  bool closed;                /* close_notify was sent */
  bool keeps;                 /* see keep_room */
  bool midway;                /* of a message that follows the handshake */
};

/* ---- the verdict -------------------------------------------------------- */

static void set_case(struct tls_case *c, struct tls_session *s) {
  c->leaf = NULL;
  c->sent = NULL;
  c->store = SSL_CTX_get_cert_store(s->material->ssl);
  c->name = s->material->server ? NULL : &s->name;
  c->now = (double)time(NULL);
}

static bool wants_staple(const struct tls_session *s) {
  const struct tls_rules *r = &s->material->rules;
  return r->ocsp != TLS_OCSP_NONE && !r->insecure;
}

/* The response that came, and its size; NULL and 0 without one. */
static const uint8_t *staple(const struct tls_session *s, size_t *size) {
  const unsigned char *der = NULL;
  long n = SSL_get_tlsext_status_ocsp_resp(s->ssl, &der);
  *size = n > 0 ? (size_t)n : 0;
  return n > 0 ? der : NULL;
}

static void judge_staple(struct tls_session *s) {
  struct tls_case c;
  size_t n;
  const uint8_t *der = staple(s, &n);
  set_case(&c, s);
  tls_ocsp_judge(&s->material->rules, &c, der, n, &s->verdict);
}

static struct tls_peer *peer_of(struct tls_session *s,
                                const STACK_OF(X509) *chain, bool verified) {
  struct tls_peer *p = tls_peer_new(s->ssl, chain, verified);
  if (p != NULL && verified && s->verdict.stapled)
    tls_peer_set_ocsp(p, s->verdict.until);
  return p;
}

static void ask(struct tls_session *s) {
  struct tls_judgement *j = &s->verdict;
  STACK_OF(X509) *chain = j->err == NULL ? j->chain : s->came;
  struct tls_peer *peer =
    chain != NULL ? peer_of(s, chain, j->err == NULL &&
                                        !s->material->rules.insecure)
                  : NULL;
  size_t n;
  const uint8_t *der = staple(s, &n);
  if (peer != NULL &&
      (s->came == NULL || !tls_peer_set_came(peer, s->came, der, n))) {
    tls_peer_unref(peer);
    peer = NULL; /* no memory, which is a refusal */
  }
  tls_judgement_ask(j, peer, s->came, &s->name, s->ask, s->ask_ctx);
}

/* Everything that there is to judge by has come. */
static bool conclude(struct tls_session *s) {
  struct tls_judgement *j = &s->verdict;
  s->pending = false;
  if (j->err == NULL && wants_staple(s))
    judge_staple(s);
  if (s->ask != NULL)
    ask(s);
  s->judged = j->err == NULL;
  sk_X509_pop_free(s->chain, X509_free);
  s->chain = j->chain; /* ownership moves here */
  j->chain = NULL;
  if (s->judged)
    return true;
  base_error_free(s->error);
  s->error = j->err;
  j->err = NULL;
  return false;
}

/* Before TLS 1.3 the staple comes in a message of its own (RFC 6066, 8): the
** verdict waits for it, unless it is clear by now. */
static bool must_wait(const struct tls_session *s) {
  return wants_staple(s) && SSL_version(s->ssl) < TLS1_3_VERSION &&
         s->verdict.err == NULL;
}

static int on_verify(X509_STORE_CTX *ctx, void *arg) {
  SSL *ssl = (SSL *)X509_STORE_CTX_get_ex_data(
    ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
  struct tls_session *s = (struct tls_session *)SSL_get_app_data(ssl);
  struct tls_case c;
  bool ok;
  (void)arg;
  set_case(&c, s);
  c.leaf = X509_STORE_CTX_get0_cert(ctx);
  c.sent = X509_STORE_CTX_get0_untrusted(ctx);
  tls_judgement_deinit(&s->verdict);
  (void)tls_verify(&s->material->rules, &c, &s->verdict);
  sk_X509_pop_free(s->came, X509_free);
  s->came = s->ask != NULL ? tls_case_all(&c) : NULL;
  s->pending = must_wait(s);
  ok = s->pending || conclude(s);
  /* OpenSSL makes the alert of it. */
  X509_STORE_CTX_set_error(ctx, ok                             ? X509_V_OK
                                : s->verdict.code != X509_V_OK
                                  ? s->verdict.code
                                  : X509_V_ERR_CERT_REJECTED);
  return ok ? 1 : 0;
}

/* Called even if nothing was stapled, or no certificate was to be shown. */
static int on_status(SSL *ssl, void *arg) {
  struct tls_session *s = (struct tls_session *)SSL_get_app_data(ssl);
  (void)arg;
  return !s->pending || conclude(s) ? 1 : 0;
}

/* ---- other callbacks ---------------------------------------------------- */

/* RFC 8446, 4.6.1: any number of them, at any time; the newest counts. */
static int on_ticket(SSL *ssl, SSL_SESSION *fresh) {
  struct tls_session *s = (struct tls_session *)SSL_get_app_data(ssl);
  SSL_SESSION_free(s->fresh);
  s->fresh = fresh;
  return 1; /* which keeps the reference */
}

void tls_session_hook(SSL_CTX *ctx) {
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_cert_verify_callback(ctx, on_verify, NULL);
  SSL_CTX_sess_set_new_cb(ctx, on_ticket);
}

bool tls_session_hook_staple(SSL_CTX *ctx) {
  return SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp) == 1 &&
         SSL_CTX_set_tlsext_status_cb(ctx, on_status) == 1;
}

const struct tls_material *tls_session_material(const struct tls_session *s) {
  return s->material;
}

struct tls_guest *tls_session_guest(struct tls_session *s) {
  return &s->guest;
}

struct tls_keys *tls_session_keys(struct tls_session *s) {
  return s->context->keys;
}

/* Clearing takes some four hundred instructions, also of an empty queue. */
static void forget_errors(void) {
  if (ERR_peek_error() != 0)
    ERR_clear_error();
}

/* ---- failure ------------------------------------------------------------ */

/* The first reason stays: what follows is its consequence. */
static enum tls_status fail(struct tls_session *s, struct base_error *err) {
  if (s->error == NULL)
    s->error = err;
  else
    base_error_free(err);
  s->phase = FAILED;
  s->wire.in_size = 0;
  ERR_clear_error();
  return TLS_FAILED;
}

static enum tls_status truncated(struct tls_session *s) {
  bool open = s->phase == ESTABLISHED;
  return fail(s, base_error_new(
                   BASE_KIND_TLS, "unexpected_eof_while_reading",
                   open ? "the peer ended the connection without "
                          "close_notify: what it sent may have been cut off"
                        : "the peer ended the connection during the TLS "
                          "handshake"));
}

static enum tls_status shut_early(struct tls_session *s) {
  struct base_error *err =
    base_error_new(BASE_KIND_TLS, "close_notify",
                   "the peer ended the TLS handshake: alert close_notify");
  base_error_text(err, "alert", tls_reason_alert(0));
  base_error_number(err, "alert_number", 0);
  return fail(s, err);
}

/* Something of SSL_... did not succeed, and does not just want more. */
static enum tls_status broken(struct tls_session *s) {
  if (ERR_peek_error() == 0)
    return fail(s, base_error_from(s->wire.err != 0 ? s->wire.err
                                                    : BASE_ERR_MEMORY));
  return fail(s, tls_reason_session(s->material->versions,
                                    s->material->server));
}

/* ---- life --------------------------------------------------------------- */

static struct base_error *set_name(struct tls_session *s, const char *host) {
  const struct tls_name *own = s->material->name;
  if (own == NULL)
    return tls_name_init(&s->name, host);
  return tls_name_copy(&s->name, own) ? NULL
                                      : base_error_from(BASE_ERR_MEMORY);
}

/* RFC 8446, 4.6.1 lets a ticket be used for the name it was given for; what
** was verified then is looked at again. An unfit one is not offered. */
static void offer(struct tls_session *s, struct tls_ticket *t) {
  struct base_error *err;
  if (t == NULL || !s->material->tickets ||
      !tls_ticket_fits(t, &s->name, s->context, s->generation,
                       (double)time(NULL)))
    return;
  err = tls_verify_again(t->chain, &s->material->rules, &s->name,
                         (double)time(NULL));
  if (err == NULL && SSL_set_session(s->ssl, t->session) == 1)
    s->offered = tls_ticket_ref(t);
  base_error_free(err);
}

static struct base_error *set_up(struct tls_session *s,
                                 const struct tls_conf *conf) {
  struct base_error *err =
    s->material->server ? NULL : set_name(s, conf->host);
  BIO *wire;
  if (err != NULL)
    return err;
  s->ssl = SSL_new(s->material->ssl);
  wire = s->ssl != NULL ? tls_bio_new(s->material->wire, &s->wire) : NULL;
  if (wire == NULL)
    return tls_reason_config("cannot begin a TLS connection");
  SSL_set_bio(s->ssl, wire, wire); /* takes the one reference */
  if (s->material->server)
    SSL_set_accept_state(s->ssl);
  else
    SSL_set_connect_state(s->ssl);
  if (SSL_set_app_data(s->ssl, s) != 1 ||
      /* RFC 6066, 3: names only, never addresses */
      (!s->material->server && s->name.ip_size == 0 &&
       SSL_set_tlsext_host_name(s->ssl, s->name.text) != 1))
    return tls_reason_config("cannot begin a TLS connection");
  if (conf->trace) {
    s->trace = (struct tls_trace *)base_calloc(1, sizeof *s->trace);
    if (s->trace == NULL)
      return base_error_from(BASE_ERR_MEMORY);
    tls_trace_attach(s->trace, s->ssl);
  }
  if (!s->material->server)
    offer(s, conf->ticket);
  return NULL;
}

struct base_error *tls_session_new(struct tls_session **out,
                                   struct tls_context *c,
                                   const struct tls_conf *conf) {
  struct base_error *err;
  struct tls_session *s = (struct tls_session *)base_calloc(1, sizeof *s);
  *out = NULL;
  if (s == NULL)
    return base_error_from(BASE_ERR_MEMORY);
  s->context = tls_context_ref(c);
  s->material = tls_material_ref(c->material);
  s->generation = c->generation;
  s->verdict.until = (double)INFINITY;
  s->ask = c->options.server ? NULL : conf->ask;
  s->ask_ctx = conf->ask_ctx;
  ERR_clear_error();
  err = set_up(s, conf);
  ERR_clear_error();
  if (err != NULL)
    tls_session_free(s);
  else
    *out = s;
  return err;
}

void tls_session_free(struct tls_session *s) {
  if (s == NULL)
    return;
  if (s->ssl != NULL) {
    /* Else OpenSSL declares a session that was not closed in order to be not
       resumable; it has done so already where there was an attack. */
    SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(s->ssl);
  }
  SSL_SESSION_free(s->fresh);
  tls_ticket_unref(s->offered);
  sk_X509_pop_free(s->chain, X509_free);
  sk_X509_pop_free(s->came, X509_free);
  tls_judgement_deinit(&s->verdict);
  tls_guest_deinit(&s->guest);
  tls_name_deinit(&s->name);
  base_error_free(s->error);
  base_free(s->trace);
  tls_material_unref(s->material);
  tls_context_unref(s->context);
  base_free(s);
}

void tls_session_set_out(struct tls_session *s, struct base_buf *out) {
  s->wire.out = out;
}

void tls_session_feed(struct tls_session *s, const uint8_t *in, size_t n) {
  assert(s->wire.in_size == 0 && !s->fin);
  if (s->phase == FAILED || s->phase == ENDED)
    return;
  s->wire.in = in;
  s->wire.in_size = n;
}

void tls_session_feed_end(struct tls_session *s) {
  s->fin = true;
}

/* ---- the handshake ------------------------------------------------------ */

/* RFC 7301, 3.2: one of those that were offered, or none. */
static bool alpn_is_ours(const struct tls_session *s) {
  const struct tls_material *m = s->material;
  const unsigned char *chosen;
  unsigned n;
  size_t i;
  SSL_get0_alpn_selected(s->ssl, &chosen, &n);
  if (n == 0)
    return true;
  for (i = 0; i < m->alpn_size; i += 1u + m->alpn[i])
    if (m->alpn[i] == n && memcmp(m->alpn + i + 1, chosen, n) == 0)
      return true;
  return false;
}

/* No certificate was shown: what the ticket stands for must still be good. */
static struct base_error *accept_resumed(struct tls_session *s) {
  struct base_error *err;
  if (s->offered == NULL)
    return base_error_new(BASE_KIND_TLS, "bad_session",
                          "the peer resumed a session that was not offered");
  err = tls_verify_again(s->offered->chain, &s->material->rules, &s->name,
                         (double)time(NULL));
  if (err != NULL)
    return err;
  sk_X509_pop_free(s->chain, X509_free);
  s->chain = X509_chain_up_ref(s->offered->chain);
  if (s->chain == NULL)
    return base_error_from(BASE_ERR_MEMORY);
  s->verdict.until = s->offered->until;
  if (s->fresh == NULL && SSL_version(s->ssl) < TLS1_3_VERSION)
    s->fresh = SSL_get1_session(s->ssl); /* good for another time */
  return NULL;
}

static struct base_error *accept_server(struct tls_session *s) {
  struct base_error *err = NULL;
  if (SSL_session_reused(s->ssl))
    err = accept_resumed(s);
  else if (!s->judged)
    err = base_error_new(BASE_KIND_TLS, "no_certificate",
                         "the peer showed no certificate");
  if (err == NULL && !alpn_is_ours(s))
    err = base_error_new(BASE_KIND_TLS, "bad_alpn",
                         "the peer chose a protocol that was not offered");
  return err;
}

/* The last door: without a verdict nothing is accepted, whatever OpenSSL
** thinks (a cipher without certificates never asks for one). */
static enum tls_status established(struct tls_session *s) {
  struct base_error *err =
    s->material->server ? tls_server_accept(s->material, s->ssl, &s->guest,
                                            s->judged, &s->chain)
                        : accept_server(s);
  if (err != NULL)
    return fail(s, err);
  tls_ticket_unref(s->offered);
  s->offered = NULL;
  s->accepted = true;
  s->phase = ESTABLISHED;
  return TLS_OK;
}

/*
** What follows from a call that did not succeed. True: call again, for it
** used some of the input and there is more, or room to be given back.
*/
static bool again(struct tls_session *s, int ret, size_t before,
                  enum tls_status *st) {
  int why = SSL_get_error(s->ssl, ret);
  if (s->error == NULL && why == SSL_ERROR_WANT_READ) {
    if (s->wire.in_size < before && (s->wire.in_size > 0 || s->keeps))
      return true;
    if (s->wire.in_size > 0) /* only a bug of OpenSSL's leaves input */
      *st = fail(s, base_error_new(BASE_KIND_TLS, "internal_error",
                                   "TLS does not take its input"));
    else
      *st = s->fin ? truncated(s) : TLS_WANT;
  } else if (s->error == NULL && why == SSL_ERROR_ZERO_RETURN) {
    if (s->phase == HANDSHAKE) {
      *st = shut_early(s);
    } else {
      s->phase = ENDED;
      s->wire.in_size = 0;
      *st = TLS_ENDED;
    }
  } else {
    *st = broken(s);
  }
  return false;
}

enum tls_status tls_session_handshake(struct tls_session *s) {
  enum tls_status st;
  size_t before;
  int ret;
  if (s->phase != HANDSHAKE)
    return s->phase == FAILED ? TLS_FAILED : TLS_OK;
  forget_errors();
  do {
    before = s->wire.in_size;
    ret = SSL_do_handshake(s->ssl);
    if (ret == 1)
      return established(s);
  } while (again(s, ret, before, &st));
  forget_errors();
  return st;
}

/* ---- bytes -------------------------------------------------------------- */

/*
** OpenSSL has room of 16 KiB for a record in each direction, and gives it back
** after each record, or never. Here it is kept while more is about to come,
** and given back with the last: what rests has none, and what works does not
** ask for it again and again. From 3.2 on, a direction has the mode that
** it finds when it gets keys, so that nothing is kept, and new keys must find
** what they are to have.
*/
static void keep_room(struct tls_session *s, bool keeps) {
  if (s->keeps == keeps)
    return;
  s->keeps = keeps;
  if (keeps)
    (void)SSL_clear_mode(s->ssl, SSL_MODE_RELEASE_BUFFERS);
  else
    (void)SSL_set_mode(s->ssl, SSL_MODE_RELEASE_BUFFERS);
}

enum tls_status tls_session_read(struct tls_session *s, uint8_t *out, size_t n,
                                 size_t *got) {
  enum tls_status st;
  size_t before;
  int ret;
  assert(n > 0 && s->phase != HANDSHAKE);
  *got = 0;
  if (s->phase != ESTABLISHED)
    return s->phase == ENDED ? TLS_ENDED : TLS_FAILED;
  forget_errors();
  do {
    before = s->wire.in_size;
    keep_room(s, before > 0);
    ret = SSL_read_ex(s->ssl, out, n, got);
    if (ret == 1)
      return TLS_OK;
  } while (again(s, ret, before, &st));
  s->midway = SSL_in_init(s->ssl);
  forget_errors();
  return st;
}

enum tls_status tls_session_write(struct tls_session *s, const uint8_t *in,
                                  size_t n, bool more) {
  size_t done;
  assert(n > 0 && s->phase != HANDSHAKE && !s->closed);
  if (s->phase == FAILED)
    return TLS_FAILED;
  forget_errors();
  keep_room(s, more &&
                 SSL_get_key_update_type(s->ssl) == SSL_KEY_UPDATE_NONE);
  if (SSL_write_ex(s->ssl, in, n, &done) == 1)
    return TLS_OK;
  if (ERR_peek_error() == 0 && SSL_in_init(s->ssl))
    return fail(s, base_error_new(BASE_KIND_TLS, "unexpected_message",
                                  "the peer did not finish a message of the "
                                  "handshake protocol"));
  return broken(s);
}

bool tls_session_may_write(const struct tls_session *s) {
  return s->phase == FAILED || !s->midway;
}

bool tls_session_has_failed(const struct tls_session *s) {
  return s->phase == FAILED;
}

size_t tls_session_write_bound(size_t n) {
  return n + (n / LIMIT_TLS_RECORD_BYTES + 1) * RECORD_OVERHEAD +
         WRITE_OVERHEAD;
}

void tls_session_shutdown(struct tls_session *s) {
  if (s->closed || s->phase == FAILED || s->phase == HANDSHAKE)
    return;
  s->closed = true;
  forget_errors();
  (void)SSL_shutdown(s->ssl); /* no room for it: then it goes unsaid */
  forget_errors();
}

/* ---- what is known ------------------------------------------------------ */

struct base_error *tls_session_error(struct tls_session *s) {
  struct base_error *err = s->phase == FAILED ? s->error : NULL;
  if (err != NULL)
    s->error = NULL;
  return err;
}

struct tls_peer *tls_session_peer(struct tls_session *s) {
  assert(s->accepted);
  return peer_of(s, s->chain,
                 s->chain != NULL && !s->verdict.overruled &&
                        !s->material->rules.insecure);
}

struct tls_ticket *tls_session_ticket(struct tls_session *s) {
  if (!s->accepted || s->verdict.overruled || s->fresh == NULL ||
      !s->material->tickets ||
      !SSL_SESSION_is_resumable(s->fresh))
    return NULL;
  return tls_ticket_new(s->fresh, s->chain, &s->name, s->context,
                        s->generation, s->verdict.until);
}

bool tls_session_step(struct tls_session *s, struct tls_step *out) {
  return s->trace != NULL && tls_trace_take(s->trace, out);
}
