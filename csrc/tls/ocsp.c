#include "tls/ocsp.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "tls/text.h"

enum {
  SKEW = 300,         /* seconds that two clocks may differ */
  UNDATED = 86400,    /* seconds a response without nextUpdate is good for */
  STATUS_REQUEST = 5, /* RFC 7633, 4.1: the feature that means a staple */
  LEVEL = 2           /* of strength, as for chains */
};

/* ---- what the certificate asks for --------------------------------------- */

/* RFC 7633. An extension that cannot be read asks for the worst. */
static bool must_staple(const X509 *leaf) {
  int i, critical = -1;
  bool must = false;
  TLS_FEATURE *f =
    (TLS_FEATURE *)X509_get_ext_d2i(leaf, NID_tlsfeature, &critical, NULL);
  if (f == NULL)
    return critical != -1;
  for (i = 0; i < sk_ASN1_INTEGER_num(f); i++)
    must = must || ASN1_INTEGER_get(sk_ASN1_INTEGER_value(f, i)) ==
                     STATUS_REQUEST;
  TLS_FEATURE_free(f);
  return must;
}

/* ---- who may answer (RFC 6960, 4.2.2.2) ----------------------------------- */

static bool is_same_ca(const X509 *a, const X509 *b) {
  return X509_NAME_cmp(X509_get_subject_name(a), X509_get_subject_name(b)) ==
           0 &&
         EVP_PKEY_eq(X509_get0_pubkey(a), X509_get0_pubkey(b)) == 1;
}

/* Issued by the very CA, directly, for this purpose, and valid. Whether it was
** itself revoked is not looked up: such certificates live for days. */
static bool is_delegate(X509 *signer, X509 *issuer, double now) {
  X509_STORE *store = X509_STORE_new();
  X509_STORE_CTX *ctx = X509_STORE_CTX_new();
  X509_VERIFY_PARAM *p;
  bool ok = false;
  if ((X509_get_extension_flags(signer) & EXFLAG_XKUSAGE) == 0 ||
      (X509_get_extended_key_usage(signer) & XKU_OCSP_SIGN) == 0 ||
      (X509_get_key_usage(signer) & KU_DIGITAL_SIGNATURE) == 0)
    goto end;
  if (store == NULL || ctx == NULL || X509_STORE_add_cert(store, issuer) != 1 ||
      X509_STORE_CTX_init(ctx, store, signer, NULL) != 1)
    goto end;
  p = X509_STORE_CTX_get0_param(ctx);
  X509_VERIFY_PARAM_set_time(p, (time_t)now);
  X509_VERIFY_PARAM_set_auth_level(p, LEVEL);
  X509_VERIFY_PARAM_set_depth(p, 0);
  ok = X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
       X509_VERIFY_PARAM_set_purpose(p, X509_PURPOSE_OCSP_HELPER) == 1 &&
       X509_verify_cert(ctx) == 1;
end:
  X509_STORE_CTX_free(ctx);
  X509_STORE_free(store);
  return ok;
}

/* RFC 4055, 3.1: the hash is SHA-1 unless it is named. What cannot be read is
** the worst. */
static int hash_of_pss(const void *value, int type) {
  RSA_PSS_PARAMS *p = NULL;
  const ASN1_OBJECT *o;
  int md = NID_sha1;
  if (type == V_ASN1_SEQUENCE)
    p = (RSA_PSS_PARAMS *)ASN1_item_unpack((const ASN1_STRING *)value,
                                           ASN1_ITEM_rptr(RSA_PSS_PARAMS));
  if (p != NULL && p->hashAlgorithm != NULL) {
    X509_ALGOR_get0(&o, NULL, NULL, p->hashAlgorithm);
    md = OBJ_obj2nid(o);
  }
  RSA_PSS_PARAMS_free(p);
  return md;
}

static bool is_weak(const OCSP_BASICRESP *basic) {
  const ASN1_OBJECT *o;
  const void *value;
  int type, md = NID_undef, key = NID_undef;
  X509_ALGOR_get0(&o, &type, &value, OCSP_resp_get0_tbs_sigalg(basic));
  if (OBJ_find_sigid_algs(OBJ_obj2nid(o), &md, &key) != 1)
    return true;
  if (OBJ_obj2nid(o) == NID_rsassaPss)
    md = hash_of_pss(value, type);
  return md == NID_sha1 || md == NID_md5 || md == NID_md4;
}

static enum tls_flaw judge_signer(OCSP_BASICRESP *basic,
                                  STACK_OF(X509) *chain, X509 *issuer,
                                  double now) {
  X509 *signer = NULL;
  if (OCSP_resp_get0_signer(basic, &signer, chain) != 1)
    return TLS_FLAW_OCSP_SIGNER;
  if (!is_same_ca(signer, issuer) && !is_delegate(signer, issuer, now))
    return TLS_FLAW_OCSP_SIGNER;
  if (is_weak(basic))
    return TLS_FLAW_OCSP_WEAK;
  /* The signature alone: the chain was looked at above, and better. */
  if (OCSP_basic_verify(basic, chain, NULL, OCSP_NOVERIFY) != 1)
    return TLS_FLAW_OCSP_SIGNATURE;
  return TLS_FLAW_NONE;
}

/* ---- what it says --------------------------------------------------------- */

static bool has_critical(OCSP_BASICRESP *basic) {
  int i;
  for (i = 0; i < OCSP_BASICRESP_get_ext_count(basic); i++)
    if (X509_EXTENSION_get_critical(OCSP_BASICRESP_get_ext(basic, i)) == 1)
      return true;
  return false;
}

static bool single_has_critical(OCSP_SINGLERESP *one) {
  int i;
  for (i = 0; i < OCSP_SINGLERESP_get_ext_count(one); i++)
    if (X509_EXTENSION_get_critical(OCSP_SINGLERESP_get_ext(one, i)) == 1)
      return true;
  return false;
}

/* Is it about this certificate of this issuer? '*lost' if that cannot be told,
** for want of memory. */
static bool is_about(const OCSP_SINGLERESP *one, const X509 *leaf,
                     const X509 *issuer, bool *lost) {
  const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(one);
  OCSP_CERTID *mine;
  ASN1_OBJECT *digest = NULL;
  ASN1_INTEGER *serial = NULL;
  const EVP_MD *md;
  bool same;
  (void)OCSP_id_get0_info(NULL, &digest, NULL, &serial, (OCSP_CERTID *)id);
  if (serial == NULL ||
      ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) != 0)
    return false;
  md = EVP_get_digestbyobj(digest);
  mine = md != NULL ? OCSP_cert_to_id(md, leaf, issuer) : NULL;
  same = mine != NULL && OCSP_id_cmp(mine, id) == 0;
  *lost = *lost || (md != NULL && mine == NULL);
  OCSP_CERTID_free(mine);
  return same;
}

/* RFC 6960, 3.2 and 4.2.2.1. */
static enum tls_flaw judge_age(OCSP_SINGLERESP *one, double produced,
                               double now, double *until) {
  ASN1_GENERALIZEDTIME *this_time = NULL, *next_time = NULL;
  double from, to;
  (void)OCSP_single_get0_status(one, NULL, NULL, &this_time, &next_time);
  from = tls_text_epoch(this_time);
  to = next_time != NULL ? tls_text_epoch(next_time) : from + UNDATED;
  if (isnan(from) || isnan(to) || isnan(produced) || to < from ||
      produced < from - SKEW)
    return TLS_FLAW_OCSP_MALFORMED;
  if (from > now + SKEW || produced > now + SKEW)
    return TLS_FLAW_OCSP_EARLY;
  if (to < now - SKEW)
    return TLS_FLAW_OCSP_OLD;
  *until = to;
  return TLS_FLAW_NONE;
}

/* A response may say several things of one certificate: the worst counts. */
static enum tls_flaw judge_answers(OCSP_BASICRESP *basic, const X509 *leaf,
                                   const X509 *issuer, double now,
                                   double *until) {
  double produced = tls_text_epoch(OCSP_resp_get0_produced_at(basic));
  enum tls_flaw good = TLS_FLAW_OCSP_OTHER;
  bool unknown = false, critical = false, fresh = false, lost = false;
  int i;
  for (i = 0; i < OCSP_resp_count(basic); i++) {
    OCSP_SINGLERESP *one = OCSP_resp_get0(basic, i);
    int status;
    if (!is_about(one, leaf, issuer, &lost))
      continue;
    status = OCSP_single_get0_status(one, NULL, NULL, NULL, NULL);
    if (status == V_OCSP_CERTSTATUS_REVOKED)
      return TLS_FLAW_OCSP_REVOKED;
    unknown = unknown || status != V_OCSP_CERTSTATUS_GOOD;
    critical = critical || single_has_critical(one);
    if (!fresh)
      good = judge_age(one, produced, now, until);
    fresh = fresh || good == TLS_FLAW_NONE;
  }
  if (lost) /* it may have been the worst */
    return TLS_FLAW_OCSP_MALFORMED;
  if (critical)
    return TLS_FLAW_OCSP_CRITICAL;
  return unknown ? TLS_FLAW_OCSP_UNKNOWN : good;
}

static enum tls_flaw judge_basic(OCSP_BASICRESP *basic,
                                 STACK_OF(X509) *chain, double now,
                                 double *until) {
  X509 *leaf = sk_X509_value(chain, 0);
  X509 *issuer = sk_X509_num(chain) > 1 ? sk_X509_value(chain, 1) : leaf;
  enum tls_flaw flaw = judge_signer(basic, chain, issuer, now);
  if (flaw != TLS_FLAW_NONE)
    return flaw;
  if (has_critical(basic))
    return TLS_FLAW_OCSP_CRITICAL;
  return judge_answers(basic, leaf, issuer, now, until);
}

static enum tls_flaw judge_response(STACK_OF(X509) *chain, const uint8_t *der,
                                    size_t n, double now, double *until) {
  const unsigned char *p = der;
  OCSP_RESPONSE *answer =
    n <= LONG_MAX ? d2i_OCSP_RESPONSE(NULL, &p, (long)n) : NULL;
  OCSP_BASICRESP *basic = NULL;
  enum tls_flaw flaw = TLS_FLAW_OCSP_MALFORMED;
  if (answer != NULL && p == der + n) {
    if (OCSP_response_status(answer) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
      flaw = TLS_FLAW_OCSP_REFUSED;
    else if ((basic = OCSP_response_get1_basic(answer)) != NULL)
      flaw = judge_basic(basic, chain, now, until);
  }
  OCSP_BASICRESP_free(basic);
  OCSP_RESPONSE_free(answer);
  return flaw;
}

void tls_ocsp_judge(const struct tls_rules *rules, const struct tls_case *c,
                    const uint8_t *der, size_t n, struct tls_judgement *j) {
  struct tls_verdict v;
  double until = (double)INFINITY;
  memset(&v, 0, sizeof v);
  v.cert = sk_X509_value(j->chain, 0);
  v.client = rules->client;
  v.wanted = c->name;
  v.trusted = rules->trusted;
  v.now = c->now;
  ERR_clear_error();
  if (der != NULL)
    v.flaw = judge_response(j->chain, der, n, c->now, &until);
  else if (rules->ocsp == TLS_OCSP_REQUIRE)
    v.flaw = TLS_FLAW_OCSP_NEEDED;
  else if (must_staple(v.cert))
    v.flaw = TLS_FLAW_MUST_STAPLE;
  tls_verdict_settle(&v);
  if (until < j->until)
    j->until = until;
  j->stapled = der != NULL;
  if (v.code == X509_V_OK)
    return;
  j->code = v.code;
  j->err = tls_verdict_error(&v);
  sk_X509_pop_free(j->chain, X509_free);
  j->chain = NULL;
}
