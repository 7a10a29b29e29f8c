#include "tls/path.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/mem.h"
#include "tls/profile.h"
#include "tls/verdict.h"

enum {
  POOL_MAX = 63,       /* certificates sent that a search can leave out */
  SETS_MAX = 256,      /* of certificates left out, tried or waiting */
  SIGNATURES_MAX = 64, /* checked, until the search ends; each costs up to a
                          millisecond */
  BYTES_MAX = 512 * 1024 /* of certificates in the paths tried: names and
                            constraints cost the product of their numbers */
};

/* In a set: what was sent goes before what is trusted. */
static const uint64_t sent_first = UINT64_C(1) << POOL_MAX;

struct search {
  const struct tls_rules *rules;
  struct tls_rules unlisted; /* the same without revocation lists; borrows */
  const struct tls_case *c;
  X509 *pool[POOL_MAX];
  int size;
  uint64_t sets[SETS_MAX]; /* the bits of those that a try leaves out */
  int count;
  bool over;               /* a fault was met that no path makes up for */
  uint64_t bad;            /* those that are on no good path */
  int signatures;
  long bytes;
};

/* What became of one path. */
struct path {
  struct tls_verdict verdict;
  STACK_OF(X509) *chain; /* built; borrowed of the context */
  int untrusted;         /* so many of it were sent */
  bool ok;
};

/* ---- the pool ----------------------------------------------------------- */

static bool is_in(const struct search *s, const X509 *x) {
  int i;
  for (i = 0; i < s->size; i++)
    if (X509_cmp(s->pool[i], x) == 0)
      return true;
  return X509_cmp(s->c->leaf, x) == 0;
}

static void fill_pool(struct search *s) {
  int i;
  for (i = 0; i < sk_X509_num(s->c->sent) && s->size < POOL_MAX; i++) {
    X509 *x = sk_X509_value(s->c->sent, i);
    if (!is_in(s, x))
      s->pool[s->size++] = x;
  }
}

/* All but those of a set; NULL without memory. Borrowed certificates. */
static STACK_OF(X509) *pool_without(const struct search *s, uint64_t set) {
  STACK_OF(X509) *some = sk_X509_new_null();
  int i;
  for (i = 0; some != NULL && i < s->size; i++)
    if ((set >> i & 1) == 0 && sk_X509_push(some, s->pool[i]) <= 0) {
      sk_X509_free(some);
      some = NULL;
    }
  return some;
}

static uint64_t bit_of(const struct search *s, const X509 *x) {
  int i;
  for (i = 0; i < s->size; i++)
    if (s->pool[i] == x)
      return UINT64_C(1) << i;
  return 0;
}

/* ---- faults ------------------------------------------------------------- */

/* No anchor was found. No signature was looked at. */
static bool is_dead_end(const struct tls_verdict *v) {
  switch (v->code) {
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
  case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
  case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
  case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    return true;
  default:
    return false;
  }
}

/* Or else was the fault in how the path's certificates go together, so that
** the same ones may be good on another? */
static bool is_of_path(const struct tls_verdict *v) {
  switch (v->code) {
  case X509_V_ERR_CERT_SIGNATURE_FAILURE:
  case X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE:
  case X509_V_ERR_SIGNATURE_ALGORITHM_MISMATCH:
  case X509_V_ERR_PATH_LENGTH_EXCEEDED:
  case X509_V_ERR_PERMITTED_VIOLATION:
  case X509_V_ERR_EXCLUDED_VIOLATION:
  case X509_V_ERR_SUBTREE_MINMAX:
  case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
  case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
  case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
  case X509_V_ERR_NO_EXPLICIT_POLICY:
  case X509_V_ERR_INVALID_POLICY_EXTENSION:
  case X509_V_ERR_UNABLE_TO_GET_CRL:
  case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
  case X509_V_ERR_CRL_SIGNATURE_FAILURE: /* another issuer of that name */
  case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
  case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
  case X509_V_ERR_CRL_PATH_VALIDATION_ERROR:
    return true;
  default:
    return is_dead_end(v);
  }
}

/* Nothing makes up for these, wherever they are met. */
static bool is_final(const struct tls_verdict *v) {
  switch (v->code) {
  case X509_V_ERR_CERT_REVOKED:
  case X509_V_ERR_HOSTNAME_MISMATCH:
  case X509_V_ERR_IP_ADDRESS_MISMATCH:
  case X509_V_ERR_UNSPECIFIED: /* too many names and constraints */
  case X509_V_ERR_STORE_LOOKUP:
  case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    return true;
  default: /* of the leaf's own faults only those about who issued it */
    return v->depth == 0 && !is_of_path(v);
  }
}

/* ---- one path ----------------------------------------------------------- */

/* X509_verify_cert tells of every signature that was right. */
static void account(struct search *s, const struct path *p, int right) {
  int i;
  if (right > 0 || !is_dead_end(&p->verdict))
    s->signatures += right + 1;
  for (i = 0; i < sk_X509_num(p->chain); i++) {
    int n = i2d_X509(sk_X509_value(p->chain, i), NULL);
    s->bytes += n > 0 ? n : 0;
  }
}

/* A verdict that memory was short for is none. */
static bool ran_out(void) {
  unsigned long e;
  bool out = false;
  while ((e = ERR_get_error()) != 0)
    out = out || ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
  return out;
}

static void find_fault(struct path *p, X509_STORE_CTX *ctx) {
  p->verdict.code = X509_STORE_CTX_get_error(ctx);
  if (ran_out())
    p->verdict.code = X509_V_ERR_OUT_OF_MEM;
  else if (p->verdict.code == X509_V_OK) /* it failed all the same */
    p->verdict.code = X509_V_ERR_UNSPECIFIED;
  else if (p->verdict.code == X509_V_ERR_UNSPECIFIED)
    p->verdict.flaw = TLS_FLAW_TOO_MANY_NAMES; /* all that it stands for */
  p->verdict.cert = X509_STORE_CTX_get_current_cert(ctx);
  p->verdict.depth = X509_STORE_CTX_get_error_depth(ctx);
  if (p->verdict.cert == NULL) {
    p->verdict.cert = X509_STORE_CTX_get0_cert(ctx);
    p->verdict.depth = 0;
  }
}

static bool is_unreadable(const X509 *x) {
  return (X509_get_extension_flags((X509 *)x) & EXFLAG_INVALID) != 0;
}

static void blame(struct tls_verdict *v, const X509 *x, int depth) {
  v->cert = x;
  v->depth = depth;
  v->flaw = tls_profile_repeats(x);
  v->code = X509_V_ERR_INVALID_EXTENSION;
}

/* A certificate with an extension that OpenSSL cannot read has no issuer for
** it, and is nobody's: the missing issuer is not what is wrong. */
static void find_unreadable(const struct search *s, struct tls_verdict *v) {
  int i;
  if (v->code != X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT &&
      v->code != X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY &&
      v->code != X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE)
    return;
  if (is_unreadable(v->cert)) {
    blame(v, v->cert, v->depth);
    return;
  }
  for (i = 0; i < s->size; i++)
    if (is_unreadable(s->pool[i]) &&
        X509_NAME_cmp(X509_get_subject_name(s->pool[i]),
                      X509_get_issuer_name(v->cert)) == 0) {
      blame(v, s->pool[i], v->depth + 1);
      return;
    }
}

static void walk(struct search *s, const struct tls_rules *rules, uint64_t set,
                 X509_STORE_CTX *ctx, struct path *p) {
  int right = 0;
  struct tls_verdict *v = &p->verdict;
  memset(p, 0, sizeof *p);
  v->client = s->rules->client;
  v->wanted = s->c->name;
  v->trusted = s->rules->trusted;
  v->max_depth = s->rules->max_depth;
  v->now = s->c->now;
  if (!tls_verify_prepare(ctx, rules, s->c) ||
      X509_STORE_CTX_set_app_data(ctx, &right) != 1) {
    v->code = X509_V_ERR_OUT_OF_MEM;
    return;
  }
  if ((set & sent_first) != 0 &&
      X509_VERIFY_PARAM_clear_flags(X509_STORE_CTX_get0_param(ctx),
                                    X509_V_FLAG_TRUSTED_FIRST) != 1) {
    v->code = X509_V_ERR_OUT_OF_MEM;
    return;
  }
  p->ok = X509_verify_cert(ctx) == 1 &&
          X509_STORE_CTX_get_error(ctx) == X509_V_OK;
  p->chain = X509_STORE_CTX_get0_chain(ctx);
  p->untrusted = X509_STORE_CTX_get_num_untrusted(ctx);
  if (!p->ok)
    find_fault(p, ctx);
  else
    p->ok = tls_profile_check(s->rules, p->chain, p->untrusted, v);
  account(s, p, right);
}

/*
** OpenSSL looks into the revocation lists before it looks at the signatures of
** a path. A list may be long, and what was sent may be forged: after the first
** path, this is done only for those that are good without. False: no memory.
*/
static bool walk_cheaply(struct search *s, uint64_t set, STACK_OF(X509) *pool,
                         X509_STORE_CTX *ctx, struct path *p) {
  if (set != 0 && s->rules->crls != NULL) {
    walk(s, &s->unlisted, set, ctx, p);
    if (!p->ok)
      return true;
    X509_STORE_CTX_cleanup(ctx);
    if (X509_STORE_CTX_init(ctx, s->c->store, s->c->leaf, pool) != 1)
      return false;
  }
  walk(s, s->rules, set, ctx, p);
  return true;
}

/* ---- which way to go from there ------------------------------------------ */

static bool is_known(const struct search *s, uint64_t set, int among) {
  int i;
  for (i = 0; i < among; i++)
    if (s->sets[i] == set)
      return true;
  return false;
}

static void add_set(struct search *s, uint64_t set) {
  if (s->count < SETS_MAX && !is_known(s, set, s->count))
    s->sets[s->count++] = set;
}

/* A certificate that is bad by itself is on no good path. Otherwise every
** other path leaves out at least one of this one's; the one at fault is the
** likeliest. */
static void branch(struct search *s, uint64_t set, const struct path *p) {
  int i, depth = p->verdict.depth;
  uint64_t at_fault = 0;
  if (depth > 0 && depth < p->untrusted)
    at_fault = bit_of(s, sk_X509_value(p->chain, depth));
  if (at_fault != 0 && !is_of_path(&p->verdict)) {
    s->bad |= at_fault;
    add_set(s, set | at_fault);
    return;
  }
  if (at_fault != 0)
    add_set(s, set | at_fault);
  /* A root that is trusted and has expired, and a certificate of the same CA
  ** by another that is trusted */
  if (depth > 0 && depth >= p->untrusted)
    add_set(s, set | sent_first);
  for (i = p->untrusted - 1; i > 0; i--)
    add_set(s, set | bit_of(s, sk_X509_value(p->chain, i)));
}

static bool is_revoked(const struct path *p) {
  return p->verdict.code == X509_V_ERR_CERT_REVOKED;
}

/* A leaf that is in the store needs no other certificate. OpenSSL looks there
** for it last, and keeps the path that led nowhere above it. */
static bool is_beside_anchor(const struct path *p) {
  return p->untrusted == 0 && sk_X509_num(p->chain) > 1;
}

static bool accept(struct tls_judgement *out, const struct path *p) {
  out->chain = X509_chain_up_ref(p->chain);
  return out->chain != NULL;
}

/* False: no memory, which ends it. */
static bool try_set(struct search *s, uint64_t set,
                    struct tls_judgement *out) {
  STACK_OF(X509) *pool = pool_without(s, set);
  X509_STORE_CTX *ctx = X509_STORE_CTX_new();
  struct path p;
  bool ok = pool != NULL && ctx != NULL &&
            X509_STORE_CTX_init(ctx, s->c->store, s->c->leaf, pool) == 1 &&
            walk_cheaply(s, set, pool, ctx, &p);
  if (ok) {
    if (p.ok)
      ok = accept(out, &p);
    else if (p.verdict.code == X509_V_ERR_OUT_OF_MEM)
      ok = false;
    else if (is_beside_anchor(&p) && !is_revoked(&p))
      add_set(s, ~UINT64_C(0));
    else if (!is_final(&p.verdict))
      branch(s, set, &p);
    else
      s->over = true;
    if (ok && !p.ok && (out->err == NULL || is_revoked(&p))) {
      find_unreadable(s, &p.verdict);
      base_error_free(out->err);
      out->err = tls_verdict_error(&p.verdict);
      out->code = p.verdict.code;
    }
  }
  X509_STORE_CTX_free(ctx);
  sk_X509_free(pool);
  ERR_clear_error();
  return ok;
}

bool tls_path_verify(const struct tls_rules *rules, const struct tls_case *c,
                     struct tls_judgement *out) {
  struct search *s = (struct search *)base_calloc(1, sizeof *s);
  bool ok = s != NULL;
  int i;
  if (ok) {
    s->rules = rules;
    s->unlisted = *rules;
    s->unlisted.crls = NULL;
    s->c = c;
    fill_pool(s);
    add_set(s, 0);
  }
  for (i = 0; ok && out->chain == NULL && i < s->count && !s->over &&
              s->signatures < SIGNATURES_MAX && s->bytes < BYTES_MAX;
       i++) {
    uint64_t set = s->sets[i] | s->bad;
    if (set == s->sets[i] || !is_known(s, set, i))
      ok = try_set(s, set, out);
    s->sets[i] = set;
  }
  base_free(s);
  if (ok && out->chain == NULL)
    return false;
  base_error_free(out->err);
  out->err = ok ? NULL : base_error_from(BASE_ERR_MEMORY);
  out->code = ok ? X509_V_OK : X509_V_ERR_OUT_OF_MEM;
  return ok;
}
