/* What an OCSP response or a revocation list says, read by hand. */
#include <math.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "support/broken.h"
#include "support/oracle.h"

enum { SKEW = 300, UNDATED = 86400 }; /* seconds, as docs/security.md says */

/* ---- OCSP ---------------------------------------------------------------- */

static bool is_digest_of(const ASN1_OCTET_STRING *hash, const EVP_MD *md,
                         const unsigned char *data, size_t n) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  return EVP_Digest(data, n, digest, &size, md, NULL) == 1 &&
         (unsigned)ASN1_STRING_length(hash) == size &&
         memcmp(ASN1_STRING_get0_data(hash), digest, size) == 0;
}

/* RFC 6960, 4.1.1: the issuer's name as it is in the leaf. */
static bool is_about(const OCSP_SINGLERESP *one, const X509 *leaf,
                     const X509 *issuer) {
  const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(issuer);
  ASN1_OCTET_STRING *name_hash = NULL, *key_hash = NULL;
  ASN1_OBJECT *object = NULL;
  ASN1_INTEGER *serial = NULL;
  unsigned char *der = NULL;
  const EVP_MD *md;
  bool same;
  int n;
  (void)OCSP_id_get0_info(&name_hash, &object, &key_hash, &serial,
                          (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(one));
  md = EVP_get_digestbyobj(object);
  n = i2d_X509_NAME(X509_get_issuer_name(leaf), &der);
  same = md != NULL && n > 0 &&
         ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0 &&
         is_digest_of(name_hash, md, der, (size_t)n) &&
         is_digest_of(key_hash, md, ASN1_STRING_get0_data(key),
                      (size_t)ASN1_STRING_length(key));
  OPENSSL_free(der);
  return same;
}

static bool is_fresh(const OCSP_SINGLERESP *one, double now) {
  ASN1_GENERALIZEDTIME *from = NULL, *to = NULL;
  double first, last;
  (void)OCSP_single_get0_status((OCSP_SINGLERESP *)one, NULL, NULL, &from,
                                &to);
  first = oracle_epoch(from);
  last = to != NULL ? oracle_epoch(to) : first + UNDATED;
  return first <= now + SKEW && last >= now - SKEW;
}

static bool may_answer(const X509 *x) {
  EXTENDED_KEY_USAGE *use = (EXTENDED_KEY_USAGE *)X509_get_ext_d2i(
    x, NID_ext_key_usage, NULL, NULL);
  bool ok = false;
  int i;
  for (i = 0; i < sk_ASN1_OBJECT_num(use); i++)
    ok = ok || OBJ_obj2nid(sk_ASN1_OBJECT_value(use, i)) == NID_OCSP_sign;
  EXTENDED_KEY_USAGE_free(use);
  return ok;
}

static bool has_signed(OCSP_BASICRESP *basic, const X509 *x) {
  EVP_PKEY *key = X509_get0_pubkey(x);
  bool ok =
    key != NULL &&
    ASN1_item_verify(ASN1_ITEM_rptr(OCSP_RESPDATA),
                     (X509_ALGOR *)OCSP_resp_get0_tbs_sigalg(basic),
                     (ASN1_BIT_STRING *)OCSP_resp_get0_signature(basic),
                     (void *)OCSP_resp_get0_respdata(basic), key) == 1;
  ERR_clear_error();
  return ok;
}

/* By the issuer, or by a delegate of it that came along (RFC 6960, 4.2.2.2) or
** is of the chain. */
static bool is_signed(OCSP_BASICRESP *basic, const STACK_OF(X509) *chain,
                      const X509 *issuer, double now) {
  const STACK_OF(X509) *along = OCSP_resp_get0_certs(basic);
  int i, n = sk_X509_num(along), all = n + sk_X509_num(chain);
  if (has_signed(basic, issuer))
    return true;
  for (i = 0; i < all; i++) {
    const X509 *x =
      i < n ? sk_X509_value(along, i) : sk_X509_value(chain, i - n);
    if (has_signed(basic, x) && may_answer(x) &&
        X509_verify((X509 *)x, X509_get0_pubkey(issuer)) == 1 &&
        oracle_epoch(X509_get0_notBefore(x)) <= now &&
        now <= oracle_epoch(X509_get0_notAfter(x)))
      return true;
  }
  return false;
}

static bool has_critical(const OCSP_BASICRESP *basic,
                         const OCSP_SINGLERESP *one) {
  return OCSP_BASICRESP_get_ext_by_critical((OCSP_BASICRESP *)basic, 1, -1) >=
           0 ||
         OCSP_SINGLERESP_get_ext_by_critical((OCSP_SINGLERESP *)one, 1, -1) >=
           0;
}

void oracle_ocsp(const struct tls_peer *p, const uint8_t *der, size_t n,
                 double now) {
  STACK_OF(X509) *chain = oracle_certs(p);
  X509 *leaf = sk_X509_value(chain, 0);
  X509 *issuer = sk_X509_num(chain) > 1 ? sk_X509_value(chain, 1) : leaf;
  const unsigned char *at = der;
  OCSP_RESPONSE *answer = d2i_OCSP_RESPONSE(NULL, &at, (long)n);
  OCSP_BASICRESP *basic;
  bool good = false;
  int i;
  MUST(answer != NULL && OCSP_response_status(answer) == 0);
  basic = OCSP_response_get1_basic(answer);
  MUST(basic != NULL);
  for (i = 0; i < OCSP_resp_count(basic); i++) {
    OCSP_SINGLERESP *one = OCSP_resp_get0(basic, i);
    int status = OCSP_single_get0_status(one, NULL, NULL, NULL, NULL);
    if (!is_about(one, leaf, issuer))
      continue;
    MUST(status == V_OCSP_CERTSTATUS_GOOD);
    MUST(!has_critical(basic, one));
    good = good || is_fresh(one, now);
  }
  MUST(good);
  MUST(is_signed(basic, chain, issuer, now));
  OCSP_BASICRESP_free(basic);
  OCSP_RESPONSE_free(answer);
  sk_X509_pop_free(chain, X509_free);
  ERR_clear_error();
}

/* RFC 7633, 4.1: the feature 5, status_request, as it is encoded. */
void oracle_no_staple(const struct tls_peer *p) {
  static const unsigned char feature[] = {0x02, 0x01, 0x05};
  STACK_OF(X509) *chain = oracle_certs(p);
  const X509 *leaf = sk_X509_value(chain, 0);
  int i = X509_get_ext_by_NID(leaf, NID_tlsfeature, -1);
  if (i >= 0) {
    const ASN1_OCTET_STRING *s =
      X509_EXTENSION_get_data(X509_get_ext(leaf, i));
    MUST(memmem(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s),
                feature, sizeof feature) == NULL);
  }
  sk_X509_pop_free(chain, X509_free);
  ERR_clear_error();
}

/* ---- revocation lists ---------------------------------------------------- */

/* RFC 5280, 5.3.1: removeFromCRL, which only lists of changes have. */
static bool is_removed(const X509_REVOKED *r) {
  ASN1_ENUMERATED *reason = (ASN1_ENUMERATED *)X509_REVOKED_get_ext_d2i(
    r, NID_crl_reason, NULL, NULL);
  bool removed = reason != NULL && ASN1_ENUMERATED_get(reason) == 8;
  ASN1_ENUMERATED_free(reason);
  return removed;
}

void oracle_crl(const struct tls_peer *p, const X509_CRL *crl, double now) {
  STACK_OF(X509) *chain = oracle_certs(p);
  const X509 *leaf = sk_X509_value(chain, 0);
  const X509 *issuer =
    sk_X509_num(chain) > 1 ? sk_X509_value(chain, 1) : leaf;
  STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED((X509_CRL *)crl);
  int i;
  MUST(X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_issuer_name(leaf)) ==
       0);
  MUST(X509_CRL_verify((X509_CRL *)crl, X509_get0_pubkey(issuer)) == 1);
  MUST(oracle_epoch(X509_CRL_get0_lastUpdate(crl)) <= now);
  MUST(now <= oracle_epoch(X509_CRL_get0_nextUpdate(crl)));
  for (i = 0; i < sk_X509_REVOKED_num(all); i++) {
    const X509_REVOKED *r = sk_X509_REVOKED_value(all, i);
    /* RFC 5280, 5.3.3: from there on, of somebody else's certificates */
    if (X509_REVOKED_get_ext_by_NID(r, NID_certificate_issuer, -1) >= 0)
      break;
    MUST(is_removed(r) ||
         ASN1_INTEGER_cmp(X509_REVOKED_get0_serialNumber(r),
                          X509_get0_serialNumber(leaf)) != 0);
  }
  sk_X509_pop_free(chain, X509_free);
  ERR_clear_error();
}
