#include "tls/verify.h"

#include <limits.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls/text.h"
#include "tls/verdict.h"

enum { AUTH_LEVEL = 2 }; /* 112 bits: RSA 2048, no SHA-1 */

/* Whatever of these was on is off. */
static const unsigned long no_flags =
  X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_ALLOW_PROXY_CERTS |
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

static int on_error(int ok, X509_STORE_CTX *ctx) {
  const X509 *x = X509_STORE_CTX_get_current_cert(ctx);
  if (ok == 1)
    return 1;
  if (x == NULL || !at_anchor(ctx) ||
      !is_form(x, X509_STORE_CTX_get_error(ctx)))
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

static bool prepare(X509_STORE_CTX *ctx, const struct tls_rules *rules,
                    const struct tls_name *name) {
  X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);
  unsigned long flags = X509_V_FLAG_TRUSTED_FIRST;
  /* RFC 5280, 4.2.1.12: one's certificate is not good as the other's */
  int purpose =
    rules->client ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER;
  int trust = rules->client ? X509_TRUST_SSL_CLIENT : X509_TRUST_SSL_SERVER;
  if (rules->strict)
    flags |= X509_V_FLAG_X509_STRICT;
  if (X509_VERIFY_PARAM_clear_flags(p, no_flags) != 1 ||
      X509_VERIFY_PARAM_set_flags(p, flags) != 1 ||
      X509_VERIFY_PARAM_set_purpose(p, purpose) != 1 ||
      X509_VERIFY_PARAM_set_trust(p, trust) != 1)
    return false;
  X509_VERIFY_PARAM_set_auth_level(p, AUTH_LEVEL);
  X509_VERIFY_PARAM_set_depth(
    p, rules->max_depth < INT_MAX / 2 ? (int)rules->max_depth : INT_MAX / 2);
  X509_STORE_CTX_set_verify_cb(ctx, on_error);
  return set_name(p, name);
}

/* ---- the verdict -------------------------------------------------------- */

static struct base_error *why(X509_STORE_CTX *ctx,
                              const struct tls_rules *rules,
                              const struct tls_name *name) {
  struct tls_verdict v;
  v.code = X509_STORE_CTX_get_error(ctx);
  if (v.code == X509_V_OK) /* it failed all the same */
    v.code = X509_V_ERR_UNSPECIFIED;
  X509_STORE_CTX_set_error(ctx, v.code);
  v.cert = X509_STORE_CTX_get_current_cert(ctx);
  v.depth = X509_STORE_CTX_get_error_depth(ctx);
  if (v.cert == NULL) {
    v.cert = X509_STORE_CTX_get0_cert(ctx);
    v.depth = 0;
  }
  v.client = rules->client;
  v.wanted = name;
  v.trusted = rules->trusted;
  v.max_depth = rules->max_depth;
  v.now = (double)time(NULL);
  return tls_verdict_error(&v);
}

/* Revocation and the user's own word will have their places here, behind
** the chain and before the pins. */
static struct base_error *judge(X509_STORE_CTX *ctx,
                                const struct tls_rules *rules,
                                const struct tls_name *name) {
  if (!prepare(ctx, rules, name)) {
    X509_STORE_CTX_set_error(ctx, X509_V_ERR_OUT_OF_MEM);
    return base_error_from(BASE_ERR_MEMORY);
  }
  if (X509_verify_cert(ctx) != 1 || X509_STORE_CTX_get_error(ctx) != X509_V_OK)
    return why(ctx, rules, name);
  return NULL;
}

static struct base_error *judge_pins(const STACK_OF(X509) *chain,
                                     const struct tls_rules *rules,
                                     const struct tls_name *name) {
  if (rules->pins.count == 0 || tls_pins_match(&rules->pins, chain))
    return NULL;
  return tls_verdict_pins(chain, name);
}

bool tls_verify(X509_STORE_CTX *ctx, const struct tls_rules *rules,
                const struct tls_name *name, STACK_OF(X509) **chain,
                struct base_error **err) {
  STACK_OF(X509) *seen;
  *chain = NULL;
  *err = rules->insecure ? NULL : judge(ctx, rules, name);
  if (*err != NULL)
    return false;
  seen = rules->insecure ? X509_STORE_CTX_get0_untrusted(ctx)
                         : X509_STORE_CTX_get0_chain(ctx);
  *err = judge_pins(seen, rules, name);
  if (*err != NULL) {
    X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_REJECTED);
    return false;
  }
  *chain = seen != NULL ? X509_chain_up_ref(seen) : NULL;
  if (*chain == NULL) {
    X509_STORE_CTX_set_error(ctx, X509_V_ERR_OUT_OF_MEM);
    *err = base_error_from(BASE_ERR_MEMORY);
    return false;
  }
  return true;
}

bool tls_verify_alone(X509 *leaf, X509_STORE *store,
                      const struct tls_rules *rules, STACK_OF(X509) **chain,
                      struct base_error **err) {
  X509_STORE_CTX *ctx = X509_STORE_CTX_new();
  bool ok;
  *chain = NULL;
  if (ctx == NULL || X509_STORE_CTX_init(ctx, store, leaf, NULL) != 1) {
    *err = base_error_from(BASE_ERR_MEMORY);
    ok = false;
  } else {
    ok = tls_verify(ctx, rules, NULL, chain, err);
  }
  X509_STORE_CTX_free(ctx);
  ERR_clear_error();
  return ok;
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
