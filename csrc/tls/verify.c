#include "tls/verify.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls/crl.h"
#include "tls/path.h"
#include "tls/peer.h"
#include "tls/text.h"
#include "tls/verdict.h"

enum { AUTH_LEVEL = 2 }; /* 112 bits: RSA 2048, no SHA-1 */

/* Whatever of these was on is off. */
static const unsigned long no_flags =
  X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_ALLOW_PROXY_CERTS |
  X509_V_FLAG_NOTIFY_POLICY | X509_V_FLAG_USE_DELTAS |
  X509_V_FLAG_IGNORE_CRITICAL | X509_V_FLAG_NO_CHECK_TIME |
  X509_V_FLAG_USE_CHECK_TIME | X509_V_FLAG_EXTENDED_CRL_SUPPORT |
  X509_V_FLAG_X509_STRICT | X509_V_FLAG_CRL_CHECK |
  X509_V_FLAG_CRL_CHECK_ALL | X509_V_FLAG_NO_ALT_CHAINS;

/* ---- strict, but not with anchors --------------------------------------- */

/*
** Errors of form only. A trust anchor is trusted as a key with a name (RFC
** 5280, 6.1.1 d); some that are in every store are older than the rules.
*/
static bool is_form(const X509 *x, int err) {
  switch (err) {
  case X509_V_ERR_PATHLEN_INVALID_FOR_NON_CA:
  case X509_V_ERR_PATHLEN_WITHOUT_KU_KEY_CERT_SIGN:
  case X509_V_ERR_KU_KEY_CERT_SIGN_INVALID_FOR_NON_CA:
  case X509_V_ERR_ISSUER_NAME_EMPTY:
  case X509_V_ERR_SUBJECT_NAME_EMPTY:
  case X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER:
  case X509_V_ERR_MISSING_SUBJECT_KEY_IDENTIFIER:
  case X509_V_ERR_EMPTY_SUBJECT_ALT_NAME:
  case X509_V_ERR_EMPTY_SUBJECT_SAN_NOT_CRITICAL:
  case X509_V_ERR_CA_BCONS_NOT_CRITICAL:
  case X509_V_ERR_AUTHORITY_KEY_IDENTIFIER_CRITICAL:
  case X509_V_ERR_SUBJECT_KEY_IDENTIFIER_CRITICAL:
  case X509_V_ERR_CA_CERT_MISSING_KEY_USAGE:
  case X509_V_ERR_EXTENSIONS_REQUIRE_VERSION_3:
  case X509_V_ERR_SIGNATURE_ALGORITHM_INCONSISTENCY:
    return true;
  case X509_V_ERR_INVALID_CA: /* above 1: a CA by an older custom */
    return X509_check_ca((X509 *)x) > 1;
  default:
    return false;
  }
}

/* The chain has been built, and ends in the store, when form is looked at. */
static bool at_anchor(X509_STORE_CTX *ctx) {
  int depth = X509_STORE_CTX_get_error_depth(ctx);
  return depth == sk_X509_num(X509_STORE_CTX_get0_chain(ctx)) - 1 &&
         depth >= X509_STORE_CTX_get_num_untrusted(ctx);
}

/*
** An anchor is not looked up in lists (RFC 5280, 6.1.3 is about those below it).
** A root's own list is there for the one below; of an anchor that somebody else
** has issued, whom nobody trusts, there can be none that OpenSSL would take.
*/
static bool is_list_of_anchor(X509_STORE_CTX *ctx, const X509 *x, int err) {
  if (err != X509_V_ERR_UNABLE_TO_GET_CRL &&
      err != X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER &&
      err != X509_V_ERR_CRL_SIGNATURE_FAILURE &&
      err != X509_V_ERR_KEYUSAGE_NO_CRL_SIGN)
    return false;
  return X509_STORE_CTX_get0_parent_ctx(ctx) == NULL && at_anchor(ctx) &&
         X509_STORE_CTX_get_error_depth(ctx) > 0 &&
         (X509_get_extension_flags((X509 *)x) & EXFLAG_SI) == 0;
}

/* RFC 5280, 4.1.2.5: valid through notAfter, the whole second. OpenSSL takes
** it for the first one after. */
static bool is_last_second(X509_STORE_CTX *ctx, const X509 *x) {
  double now = (double)X509_VERIFY_PARAM_get_time(
    X509_STORE_CTX_get0_param(ctx));
  return tls_text_epoch(X509_get0_notAfter(x)) == now;
}

static int on_step(int ok, X509_STORE_CTX *ctx) {
  const X509 *x = X509_STORE_CTX_get_current_cert(ctx);
  int *right = (int *)X509_STORE_CTX_get_app_data(ctx);
  int code = X509_STORE_CTX_get_error(ctx);
  if (ok == 1) {
    if (right != NULL) /* NULL: the path of a revocation list's issuer */
      (*right)++;
    return 1;
  }
  if (x == NULL || !((at_anchor(ctx) && is_form(x, code)) ||
                     is_list_of_anchor(ctx, x, code) ||
                     (code == X509_V_ERR_CERT_HAS_EXPIRED &&
                      is_last_second(ctx, x))))
    return 0;
  X509_STORE_CTX_set_error(ctx, X509_V_OK);
  return 1;
}

/* ---- the parameters ----------------------------------------------------- */

static bool set_name(X509_VERIFY_PARAM *p, const struct tls_name *name) {
  /* RFC 6125, 6.4.3 and 6.4.4: no "f*.example", and no common names */
  X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (name == NULL)
    return true;
  if (name->ip_size > 0)
    return X509_VERIFY_PARAM_set1_ip(p, name->ip, name->ip_size) == 1;
  /* An empty name would be "any": tls_name_init has refused it. */
  return name->text[0] != '\0' &&
         X509_VERIFY_PARAM_set1_host(p, name->text, 0) == 1;
}

static bool set_crls(X509_STORE_CTX *ctx, X509_VERIFY_PARAM *p,
                     const struct tls_rules *rules) {
  unsigned long flags = X509_V_FLAG_CRL_CHECK;
  if (rules->crls == NULL)
    return true;
  if (rules->crl_chain)
    flags |= X509_V_FLAG_CRL_CHECK_ALL;
  X509_STORE_CTX_set0_crls(ctx, rules->crls); /* borrowed all the same */
  return X509_VERIFY_PARAM_set_flags(p, flags) == 1;
}

bool tls_verify_prepare(X509_STORE_CTX *ctx, const struct tls_rules *rules,
                        const struct tls_case *c) {
  X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);
  /* RFC 5280, 6.1.1 d: an anchor is a name and a key. Who puts a certificate
  ** into 'ca' trusts it, whether or not it is signed by itself. */
  unsigned long flags = X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN;
  /* RFC 5280, 4.2.1.12: one's certificate is not good as the other's */
  int purpose =
    rules->client ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER;
  int trust = rules->client ? X509_TRUST_SSL_CLIENT : X509_TRUST_SSL_SERVER;
  if (rules->strict)
    flags |= X509_V_FLAG_X509_STRICT;
  if (X509_VERIFY_PARAM_clear_flags(p, no_flags) != 1 ||
      X509_VERIFY_PARAM_set_flags(p, flags) != 1 ||
      X509_VERIFY_PARAM_set_purpose(p, purpose) != 1 ||
      X509_VERIFY_PARAM_set_trust(p, trust) != 1 || !set_crls(ctx, p, rules))
    return false;
  X509_VERIFY_PARAM_set_time(p, (time_t)c->now);
  X509_VERIFY_PARAM_set_auth_level(p, AUTH_LEVEL);
  X509_VERIFY_PARAM_set_depth(
    p, rules->max_depth < INT_MAX / 2 ? (int)rules->max_depth : INT_MAX / 2);
  X509_STORE_CTX_set_verify_cb(ctx, on_step);
  return set_name(p, c->name);
}

/* ---- the verdict -------------------------------------------------------- */

/* What was not verified is a heap of certificates, which everybody can add the
** right one to: the handshake proves the key of the leaf alone. */
static struct base_error *judge_pins(const STACK_OF(X509) *chain,
                                     const struct tls_rules *rules,
                                     const struct tls_name *name) {
  if (rules->pins.count == 0 ||
      tls_pins_match(&rules->pins, chain,
                     rules->insecure ? 1 : sk_X509_num(chain)))
    return NULL;
  return tls_verdict_pins(chain, name);
}

STACK_OF(X509) *tls_case_all(const struct tls_case *c) {
  STACK_OF(X509) *all = sk_X509_new_null();
  int i;
  if (all == NULL || X509_add_cert(all, c->leaf, X509_ADD_FLAG_UP_REF) != 1)
    goto fail;
  for (i = 0; i < sk_X509_num(c->sent); i++) {
    X509 *x = sk_X509_value(c->sent, i);
    if (X509_cmp(x, c->leaf) != 0 &&
        X509_add_cert(all, x, X509_ADD_FLAG_UP_REF) != 1)
      goto fail;
  }
  return all;
fail:
  sk_X509_pop_free(all, X509_free);
  return NULL;
}

bool tls_verify(const struct tls_rules *rules, const struct tls_case *c,
                struct tls_judgement *out) {
  memset(out, 0, sizeof *out);
  out->until = (double)INFINITY;
  if (rules->insecure) {
    out->chain = tls_case_all(c);
    if (out->chain == NULL)
      out->err = base_error_from(BASE_ERR_MEMORY);
  } else if (tls_path_verify(rules, c, out) && rules->crls != NULL) {
    out->until = tls_crls_until(rules->crls);
  }
  if (out->chain == NULL) {
    if (out->code == X509_V_OK)
      out->code = X509_V_ERR_OUT_OF_MEM;
    return false;
  }
  out->err = judge_pins(out->chain, rules, c->name);
  if (out->err == NULL)
    return true;
  out->code = X509_V_ERR_CERT_REJECTED;
  sk_X509_pop_free(out->chain, X509_free);
  out->chain = NULL;
  return false;
}

void tls_judgement_ask(struct tls_judgement *j, struct tls_peer *peer,
                       STACK_OF(X509) *came, const struct tls_name *name,
                       tls_ask *ask, void *ctx) {
  bool yes = peer != NULL && ask(ctx, peer, j->err);
  tls_peer_unref(peer);
  if (yes == (j->err == NULL))
    return;
  if (yes) {
    base_error_free(j->err);
    j->err = NULL;
    j->chain = came != NULL ? X509_chain_up_ref(came) : NULL;
    if (j->chain == NULL)
      j->err = base_error_from(BASE_ERR_MEMORY);
    j->overruled = true;
  } else {
    j->err = peer != NULL ? tls_verdict_refused(j->chain, name)
                          : base_error_from(BASE_ERR_MEMORY);
    j->code = X509_V_ERR_CERT_REJECTED; /* for the alert: bad_certificate */
    sk_X509_pop_free(j->chain, X509_free);
    j->chain = NULL;
  }
}

void tls_judgement_deinit(struct tls_judgement *j) {
  sk_X509_pop_free(j->chain, X509_free);
  base_error_free(j->err);
  memset(j, 0, sizeof *j);
}

/* ---- once more ---------------------------------------------------------- */

/* 0, or the X509_V_ERR of its dates; a date that cannot be read is past. */
static int dates_at(const X509 *x, double now) {
  double from = tls_text_epoch(X509_get0_notBefore(x));
  double to = tls_text_epoch(X509_get0_notAfter(x));
  if (!(from <= now))
    return X509_V_ERR_CERT_NOT_YET_VALID;
  return now <= to ? X509_V_OK : X509_V_ERR_CERT_HAS_EXPIRED;
}

struct base_error *tls_verify_again(const STACK_OF(X509) *chain,
                                    const struct tls_rules *rules,
                                    const struct tls_name *name, double now) {
  struct tls_verdict v;
  int i;
  memset(&v, 0, sizeof v);
  for (i = 0; !rules->insecure && i < sk_X509_num(chain); i++) {
    v.cert = sk_X509_value(chain, i);
    v.code = dates_at(v.cert, now);
    if (v.code == X509_V_OK)
      continue;
    v.depth = i;
    v.client = rules->client;
    v.wanted = name;
    v.trusted = rules->trusted;
    v.max_depth = rules->max_depth;
    v.now = now;
    return tls_verdict_error(&v);
  }
  return judge_pins(chain, rules, name);
}
