#include "support/question.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>

#include "fuzz.h"
#include "support/broken.h"
#include "support/oracle.h"
#include "tls/context.h"
#include "tls/peer.h"

/* ---- contexts ------------------------------------------------------------ */

static char *pem_of(const X509 *x) {
  struct text t = {NULL, 0};
  forge_pem(&t, x);
  return t.data;
}

static char *pem_of_key(EVP_PKEY *key) {
  struct text t = {NULL, 0};
  forge_pem_key(&t, key);
  return t.data;
}

struct setting {
  bool lax, client, crl_chain, insecure, pinned;
  enum tls_ocsp ocsp;
};

/* "sha256/BASE64" of our leaf's key. */
static const char *our_pin(void) {
  static char pin[52] = "sha256/";
  unsigned char *der = NULL, digest[32];
  int n;
  if (pin[7] == '\0') {
    n = i2d_PUBKEY(forge_get()->keys[KEY_LEAF], &der);
    MUST(n > 0 && EVP_Digest(der, (size_t)n, digest, NULL, EVP_sha256(),
                             NULL) == 1);
    (void)EVP_EncodeBlock((unsigned char *)pin + 7, digest, 32);
    OPENSSL_free(der);
  }
  return pin;
}

/* NULL if the anchor is none that can be trusted. */
static struct tls_context *make_context(const struct setting *s,
                                        const X509 *anchor) {
  const struct forge *f = forge_get();
  struct tls_options o;
  struct tls_context *c;
  struct base_error *err;
  char *ca = pem_of(anchor), *cert = NULL, *key = NULL;
  const char *item = ca, *pin = our_pin();
  (s->client ? tls_options_init_server : tls_options_init)(&o);
  if (s->client) {
    o.client_ca.items = &item;
    o.client_ca.count = 1;
    o.cert = cert = pem_of(f->leaf);
    o.key = key = pem_of_key(f->keys[KEY_LEAF]);
    o.verify_client = TLS_CLIENT_REQUIRE;
  } else {
    o.ca.items = &item;
    o.ca.count = 1;
    o.pins.items = &pin;
    o.pins.count = s->pinned;
  }
  o.strict = !s->lax;
  o.crl_chain = s->crl_chain;
  o.stapled = s->ocsp;
  o.insecure = s->insecure;
  err = tls_context_new(&c, &o);
  if (err != NULL)
    oracle_error(err);
  base_error_free(err);
  free(key);
  free(cert);
  free(ca);
  return c;
}

/* Those that trust the root are kept. */
static struct tls_context *root_context(const struct setting *s) {
  static struct tls_context *all[2][2][2][2][2][3];
  struct tls_context **c = &all[s->lax][s->client][s->crl_chain][s->insecure]
                               [s->pinned][s->ocsp];
  if (*c == NULL)
    *c = make_context(s, forge_get()->root);
  MUST(*c != NULL);
  return *c;
}

/* ---- questions ----------------------------------------------------------- */

static double seconds(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Who has the last word. */
struct judge {
  unsigned variant;
  int asked;
  bool refused; /* by the verdict */
};

static bool ask(void *ctx, struct tls_peer *peer,
                const struct base_error *err) {
  struct judge *j = (struct judge *)ctx;
  j->asked++;
  j->refused = err != NULL;
  oracle_readable(peer);
  MUST(tls_peer_verified(peer) == (err == NULL));
  if (err != NULL)
    oracle_error(err);
  if ((j->variant & (SAY_YES | SAY_NO)) != 0)
    return (j->variant & SAY_NO) == 0;
  return err == NULL;
}

/* Ask once: who was accepted, with one reference, or NULL. */
static struct tls_peer *verify(struct tls_context *c,
                               const struct tls_query *q) {
  struct tls_peer *p = NULL;
  double start = seconds();
  struct base_error *err = tls_context_verify(c, q, &p);
  MUST(seconds() - start < fuzz_limit_seconds);
  MUST((p == NULL) == (err != NULL));
  MUST(ERR_peek_error() == 0);
  if (err != NULL)
    oracle_error(err);
  else
    oracle_readable(p);
  base_error_free(err);
  return p;
}

/* What was accepted is accepted too when less is asked for. */
static void ask_for_less(const struct setting *setting, const X509 *anchor,
                         const struct tls_query *query) {
  struct setting s = *setting;
  struct tls_query q = *query;
  struct tls_context *c;
  struct tls_peer *p;
  s.lax = true;
  s.crl_chain = false;
  s.pinned = false;
  s.ocsp = TLS_OCSP_NONE;
  q.name = NULL;
  q.crl.count = 0;
  q.ocsp = NULL;
  q.ocsp_size = 0;
  q.bounded = false;
  c = anchor != NULL ? make_context(&s, anchor) : root_context(&s);
  MUST(c != NULL);
  p = verify(c, &q);
  MUST(p != NULL);
  tls_peer_unref(p);
  if (anchor != NULL)
    tls_context_unref(c);
}

static void check_accepted(const struct question *a, const struct setting *s,
                           const struct tls_query *q,
                           const struct tls_peer *p) {
  struct oracle_case c;
  c.query = q;
  c.strict = !s->lax;
  c.client = s->client;
  c.anchor = a->anchor != NULL ? a->anchor : forge_get()->root;
  oracle_chain(&c, p);
  if (s->pinned)
    oracle_pin(p, our_pin());
  if (s->ocsp != TLS_OCSP_NONE && !s->client && q->ocsp != NULL)
    oracle_ocsp(p, q->ocsp, q->ocsp_size, q->now);
  if (s->ocsp == TLS_OCSP_REQUIRE && !s->client)
    MUST(q->ocsp != NULL);
  if (s->ocsp == TLS_OCSP_STAPLE && !s->client && q->ocsp == NULL)
    oracle_no_staple(p);
  if (a->list != NULL) {
    MUST(!s->crl_chain); /* it is one list, and each issuer has its own */
    oracle_crl(p, a->list, q->now);
  }
  ask_for_less(s, a->anchor, q);
}

/* Who verifies nothing still shows what came. */
static void show(const struct tls_query *query) {
  struct setting s = {false, false, false, true, false, TLS_OCSP_NONE};
  struct tls_query q = *query;
  q.ask = NULL;
  tls_peer_unref(verify(root_context(&s), &q));
}

static struct setting setting_of(const struct question *a) {
  struct setting s = {false, false, false, false, false, TLS_OCSP_NONE};
  unsigned options = a->in->options;
  s.lax = (options & OPT_LAX) != 0;
  s.client = (options & OPT_CLIENT) != 0;
  s.crl_chain = (options & OPT_CRL_CHAIN) != 0;
  s.pinned = (a->in->variant & PINNED) != 0 && !s.client;
  if ((options & OPT_REQUIRE) != 0)
    s.ocsp = TLS_OCSP_REQUIRE;
  else if (a->stapling)
    s.ocsp = TLS_OCSP_STAPLE;
  return s;
}

static struct tls_query query_of(const struct question *a) {
  struct tls_query q;
  memset(&q, 0, sizeof q);
  q.chain = a->chain.data != NULL ? a->chain.data : "";
  q.name = a->named ? a->name : NULL;
  q.crl.items = (const char *const *)&a->crl.data;
  q.crl.count = a->crl.data != NULL;
  q.ocsp = a->ocsp;
  q.ocsp_size = a->ocsp_size;
  q.dated = true;
  q.now = a->now;
  q.bounded = (a->in->options & OPT_BOUNDED) != 0;
  q.max_depth = a->in->variant & 3;
  return q;
}

/* The last word counts, and shows. */
static void check_word(const struct judge *j, const struct tls_peer *p) {
  MUST(j->asked <= 1);
  if (j->asked == 0)
    MUST(p == NULL); /* there was no certificate to ask about */
  else if ((j->variant & SAY_NO) != 0)
    MUST(p == NULL);
  else if ((j->variant & SAY_YES) != 0)
    MUST(p != NULL && tls_peer_verified(p) == !j->refused);
  else
    MUST((p != NULL) == !j->refused);
}

void question_put(const struct question *a) {
  struct setting s = setting_of(a);
  struct tls_query q = query_of(a);
  struct judge judge = {0, 0, false};
  struct tls_context *c;
  struct tls_peer *p;
  judge.variant = a->in->variant;
  q.ask = ask;
  q.ask_ctx = &judge;
  c = a->anchor != NULL ? make_context(&s, a->anchor) : root_context(&s);
  p = c != NULL ? verify(c, &q) : NULL;
  if (c != NULL)
    check_word(&judge, p);
  q.ask = NULL;
  if (p != NULL && !judge.refused)
    check_accepted(a, &s, &q, p);
  else
    show(&q);
  tls_peer_unref(p);
  if (a->anchor != NULL)
    tls_context_unref(c);
}
