#include "tls/verdict.h"

#include <stdio.h>
#include <math.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tls/pin.h"
#include "tls/text.h"

enum {
  SHOWN_NAMES = 4, /* of a certificate, in a sentence */
  LIST_BYTES = 340 /* of a sentence, leaving room for the rest */
};

/* ---- all codes of OpenSSL 3.0 -------------------------------------------- */

/* The sentence is: certificate of "x" <text>. NULL: it has its own below. */
#define CODE_MAP(X) \
  X(UNSPECIFIED, "unspecified", "could not be verified") \
  X(UNABLE_TO_GET_ISSUER_CERT, "unknown_issuer", NULL) \
  X(UNABLE_TO_GET_CRL, "no_crl", "has no revocation list to be checked with") \
  X(UNABLE_TO_DECRYPT_CERT_SIGNATURE, "bad_signature", \
    "has a signature that cannot be read") \
  X(UNABLE_TO_DECRYPT_CRL_SIGNATURE, "bad_crl_signature", \
    "has a revocation list whose signature cannot be read") \
  X(UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY, "bad_issuer_key", \
    "has an issuer whose public key cannot be read") \
  X(CERT_SIGNATURE_FAILURE, "bad_signature", \
    "was not signed by its issuer's key: its signature is wrong") \
  X(CRL_SIGNATURE_FAILURE, "bad_crl_signature", \
    "has a revocation list with a wrong signature") \
  X(CERT_NOT_YET_VALID, "not_yet_valid", NULL) \
  X(CERT_HAS_EXPIRED, "expired", NULL) \
  X(CRL_NOT_YET_VALID, "crl_not_yet_valid", \
    "has a revocation list that is not valid yet") \
  X(CRL_HAS_EXPIRED, "crl_expired", "has a revocation list that has expired") \
  X(ERROR_IN_CERT_NOT_BEFORE_FIELD, "bad_time", \
    "has a malformed beginning of its validity") \
  X(ERROR_IN_CERT_NOT_AFTER_FIELD, "bad_time", \
    "has a malformed end of its validity") \
  X(ERROR_IN_CRL_LAST_UPDATE_FIELD, "bad_crl_time", \
    "has a revocation list with a malformed time of issue") \
  X(ERROR_IN_CRL_NEXT_UPDATE_FIELD, "bad_crl_time", \
    "has a revocation list with a malformed time of its successor") \
  X(OUT_OF_MEM, "memory", "could not be verified without memory") \
  X(DEPTH_ZERO_SELF_SIGNED_CERT, "self_signed", NULL) \
  X(SELF_SIGNED_CERT_IN_CHAIN, "unknown_issuer", NULL) \
  X(UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "unknown_issuer", NULL) \
  X(UNABLE_TO_VERIFY_LEAF_SIGNATURE, "unknown_issuer", NULL) \
  X(CERT_CHAIN_TOO_LONG, "chain_too_long", NULL) \
  X(CERT_REVOKED, "revoked", "was revoked by its issuer") \
  X(NO_ISSUER_PUBLIC_KEY, "bad_issuer_key", \
    "has an issuer without a public key") \
  X(PATH_LENGTH_EXCEEDED, "path_length", \
    "has more certificates below it than it allows (path length)") \
  X(INVALID_PURPOSE, "wrong_purpose", NULL) \
  X(CERT_UNTRUSTED, "untrusted", "is not trusted for this purpose") \
  X(CERT_REJECTED, "rejected", "is marked as rejected for this purpose") \
  X(SUBJECT_ISSUER_MISMATCH, "issuer_mismatch", \
    "names an issuer that is not the next in the chain") \
  X(AKID_SKID_MISMATCH, "issuer_mismatch", \
    "names an issuer's key that is not the next in the chain") \
  X(AKID_ISSUER_SERIAL_MISMATCH, "issuer_mismatch", \
    "names an issuer's serial number that is not the next in the chain") \
  X(KEYUSAGE_NO_CERTSIGN, "invalid_ca", \
    "is an issuer's whose key may not sign certificates") \
  X(UNABLE_TO_GET_CRL_ISSUER, "no_crl_issuer", \
    "has a revocation list whose issuer is not known") \
  X(UNHANDLED_CRITICAL_EXTENSION, "critical_extension", \
    "has a critical extension that is not understood") \
  X(KEYUSAGE_NO_CRL_SIGN, "crl_key_usage", \
    "has a revocation list whose issuer may not sign such lists") \
  X(UNHANDLED_CRITICAL_CRL_EXTENSION, "critical_crl_extension", \
    "has a revocation list with a critical extension that is not understood") \
  X(INVALID_NON_CA, "invalid_non_ca", "is not a CA's and has a CA's marks") \
  X(PROXY_PATH_LENGTH_EXCEEDED, "proxy_path_length", \
    "has more proxy certificates below it than it allows") \
  X(KEYUSAGE_NO_DIGITAL_SIGNATURE, "key_usage", \
    "has a key that may not make signatures") \
  X(PROXY_CERTIFICATES_NOT_ALLOWED, "proxy_certificate", \
    "is a proxy certificate, which is not allowed") \
  X(INVALID_EXTENSION, "invalid_extension", \
    "has a malformed or contradictory extension") \
  X(INVALID_POLICY_EXTENSION, "invalid_policy", \
    "has a malformed extension about policies") \
  X(NO_EXPLICIT_POLICY, "no_explicit_policy", \
    "has no policy, and one is required") \
  X(DIFFERENT_CRL_SCOPE, "crl_scope", \
    "has a revocation list with another scope") \
  X(UNSUPPORTED_EXTENSION_FEATURE, "unsupported_extension", \
    "uses a feature of an extension that is not supported") \
  X(UNNESTED_RESOURCE, "unnested_resource", \
    "claims resources that its issuer does not have (RFC 3779)") \
  X(PERMITTED_VIOLATION, "name_constraint", \
    "has a name that its issuer is not permitted to give") \
  X(EXCLUDED_VIOLATION, "name_constraint", \
    "has a name that its issuer is forbidden to give") \
  X(SUBTREE_MINMAX, "name_constraint", \
    "has an issuer with a malformed constraint of names") \
  X(APPLICATION_VERIFICATION, "refused", "was refused by this program") \
  X(UNSUPPORTED_CONSTRAINT_TYPE, "name_constraint", \
    "has an issuer with a constraint of names of an unknown type") \
  X(UNSUPPORTED_CONSTRAINT_SYNTAX, "name_constraint", \
    "has an issuer with a malformed constraint of names") \
  X(UNSUPPORTED_NAME_SYNTAX, "name_constraint", \
    "has a malformed name, and its issuer has a constraint of names") \
  X(CRL_PATH_VALIDATION_ERROR, "crl_path", \
    "has a revocation list whose own chain is not trusted") \
  X(PATH_LOOP, "path_loop", "is in a chain that bites its tail") \
  X(SUITE_B_INVALID_VERSION, "suite_b", "does not obey Suite B (version)") \
  X(SUITE_B_INVALID_ALGORITHM, "suite_b", "does not obey Suite B (key)") \
  X(SUITE_B_INVALID_CURVE, "suite_b", "does not obey Suite B (curve)") \
  X(SUITE_B_INVALID_SIGNATURE_ALGORITHM, "suite_b", \
    "does not obey Suite B (signature)") \
  X(SUITE_B_LOS_NOT_ALLOWED, "suite_b", "does not obey Suite B (level)") \
  X(SUITE_B_CANNOT_SIGN_P_384_WITH_P_256, "suite_b", \
    "does not obey Suite B (P-384 signed with P-256)") \
  X(HOSTNAME_MISMATCH, "hostname_mismatch", NULL) \
  X(EMAIL_MISMATCH, "email_mismatch", "is for another mail address") \
  X(IP_ADDRESS_MISMATCH, "hostname_mismatch", NULL) \
  X(DANE_NO_MATCH, "dane", "matches no TLSA record") \
  X(EE_KEY_TOO_SMALL, "weak_key", NULL) \
  X(CA_KEY_TOO_SMALL, "weak_key", NULL) \
  X(CA_MD_TOO_WEAK, "weak_signature", \
    "is signed with a hash that can be forged") \
  X(INVALID_CALL, "invalid_call", "could not be verified: invalid call") \
  X(STORE_LOOKUP, "store_lookup", \
    "could not be verified: looking for its issuer failed") \
  X(NO_VALID_SCTS, "no_scts", "has no valid proof of its publication (SCT)") \
  X(PROXY_SUBJECT_NAME_VIOLATION, "proxy_subject", \
    "is a proxy certificate with a subject that is not its issuer's") \
  X(OCSP_VERIFY_NEEDED, "ocsp_needed", "has no OCSP answer, and needs one") \
  X(OCSP_VERIFY_FAILED, "ocsp_failed", \
    "has an OCSP answer that cannot be verified") \
  X(OCSP_CERT_UNKNOWN, "ocsp_unknown", \
    "is unknown to its issuer's OCSP responder") \
  X(UNSUPPORTED_SIGNATURE_ALGORITHM, "unsupported_signature", \
    "is signed with an algorithm that is not supported") \
  X(SIGNATURE_ALGORITHM_MISMATCH, "signature_mismatch", \
    "is signed with an algorithm that does not fit its issuer's key") \
  X(SIGNATURE_ALGORITHM_INCONSISTENCY, "signature_inconsistency", \
    "names two different algorithms of its signature") \
  X(INVALID_CA, "invalid_ca", "is not a CA's, and others were issued with it") \
  X(PATHLEN_INVALID_FOR_NON_CA, "pathlen_invalid_for_non_ca", \
    "is not a CA's and has a path length") \
  X(PATHLEN_WITHOUT_KU_KEY_CERT_SIGN, "pathlen_without_key_cert_sign", \
    "has a path length, but may not sign certificates") \
  X(KU_KEY_CERT_SIGN_INVALID_FOR_NON_CA, "key_cert_sign_invalid_for_non_ca", \
    "is not a CA's and may sign certificates") \
  X(ISSUER_NAME_EMPTY, "issuer_name_empty", "has an empty issuer") \
  X(SUBJECT_NAME_EMPTY, "subject_name_empty", "has an empty subject") \
  X(MISSING_AUTHORITY_KEY_IDENTIFIER, "missing_authority_key_identifier", \
    "lacks the identifier of its issuer's key (strict)") \
  X(MISSING_SUBJECT_KEY_IDENTIFIER, "missing_subject_key_identifier", \
    "is a CA's and lacks the identifier of its key (strict)") \
  X(EMPTY_SUBJECT_ALT_NAME, "empty_subject_alt_name", \
    "has an empty list of names") \
  X(EMPTY_SUBJECT_SAN_NOT_CRITICAL, "empty_subject_san_not_critical", \
    "has no subject, and its list of names is not critical (strict)") \
  X(CA_BCONS_NOT_CRITICAL, "ca_basic_constraints_not_critical", \
    "is a CA's, and its basic constraints are not critical (strict)") \
  X(AUTHORITY_KEY_IDENTIFIER_CRITICAL, "authority_key_identifier_critical", \
    "has a critical identifier of its issuer's key (strict)") \
  X(SUBJECT_KEY_IDENTIFIER_CRITICAL, "subject_key_identifier_critical", \
    "has a critical identifier of its key (strict)") \
  X(CA_CERT_MISSING_KEY_USAGE, "ca_missing_key_usage", \
    "is a CA's and does not say what its key may be used for (strict)") \
  X(EXTENSIONS_REQUIRE_VERSION_3, "extensions_require_version_3", \
    "has extensions, but is not of version 3 (strict)") \
  X(EC_KEY_EXPLICIT_PARAMS, "ec_key_explicit_params", \
    "has a key on a curve that nobody named")

static const struct row {
  int number;
  const char *code, *text;
} rows[] = {
#define X(name, code, text) {X509_V_ERR_##name, code, text},
  CODE_MAP(X)
#undef X
};

static const struct row *row_of(int number) {
  size_t i;
  for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (rows[i].number == number)
      return &rows[i];
  return &rows[0];
}

const char *tls_verdict_code(int x509_v_err) {
  return row_of(x509_v_err)->code;
}

/* ---- sentences ---------------------------------------------------------- */

static bool has_wanted(const struct tls_verdict *v) {
  const struct tls_name *name = v->wanted;
  if (v->depth != 0 || name == NULL)
    return false;
  if (name->ip_size > 0)
    return X509_check_ip((X509 *)v->cert, name->ip, name->ip_size, 0) == 1;
  return X509_check_host((X509 *)v->cert, name->text, 0,
                         X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
}

/* Its beginning: certificate of "x", the client's certificate "x", CA
** certificate "y". Of all its names, people look for the one that they asked
** for; clients they know by their subject. */
static void whose(char out[TLS_TEXT_SHORT + 32], const struct tls_verdict *v) {
  char label[TLS_TEXT_SHORT];
  if (has_wanted(v))
    tls_text_clean(label, sizeof label, v->wanted->text,
                   strlen(v->wanted->text), true);
  else
    tls_text_label(label, v->cert, v->depth == 0 && !v->client);
  (void)snprintf(out, TLS_TEXT_SHORT + 32, "%s \"%s\"",
                 v->depth > 0 ? "CA certificate"
                 : v->client  ? "the client's certificate"
                              : "certificate of",
                 label);
}

static struct base_error *say_time(const struct tls_verdict *v,
                                   const struct row *r) {
  char who[TLS_TEXT_SHORT + 32], date[32], span[32];
  bool over = v->code == X509_V_ERR_CERT_HAS_EXPIRED;
  const ASN1_TIME *t =
    over ? X509_get0_notAfter(v->cert) : X509_get0_notBefore(v->cert);
  double away = over ? v->now - tls_text_epoch(t) : tls_text_epoch(t) - v->now;
  whose(who, v);
  tls_text_date(date, sizeof date, t);
  tls_text_span(span, sizeof span, away > 0 ? away : 0);
  return base_error_new(BASE_KIND_CERTIFICATE, r->code,
                        over ? "%s expired %s ago (%s)"
                             : "%s is not valid yet: it will be in %s (%s); "
                               "is the clock of this machine right?",
                        who, span, date);
}

/* Up to four of a list, quoted: "a", "b" and 7 more. */
static void enumerate(char out[LIST_BYTES], const char *names, size_t size) {
  char one[TLS_TEXT_SHORT];
  size_t at = 0, shown = 0, more = 0;
  const char *p;
  out[0] = '\0';
  for (p = names; p < names + size; p += strlen(p) + 1) {
    if (shown == SHOWN_NAMES || at > LIST_BYTES - TLS_TEXT_SHORT - 32) {
      more++;
      continue;
    }
    tls_text_clean(one, sizeof one, p, strlen(p), true);
    at += (size_t)snprintf(out + at, LIST_BYTES - at, "%s\"%s\"",
                           shown++ > 0 ? ", " : "", one);
  }
  if (more > 0)
    (void)snprintf(out + at, LIST_BYTES - at, " and %d more", (int)more);
}

static struct base_error *say_names(const struct tls_verdict *v,
                                    const struct row *r) {
  char list[LIST_BYTES], who[TLS_TEXT_SHORT];
  char *names = NULL;
  size_t size = 0;
  struct base_error *err;
  const char *wanted = v->wanted != NULL ? v->wanted->text : "";
  if (tls_text_sans(v->cert, &names, &size) && size > 0) {
    enumerate(list, names, size);
    err = base_error_new(BASE_KIND_CERTIFICATE, r->code,
                         "certificate is for %s, but \"%.100s\" was wanted",
                         list, wanted);
  } else { /* RFC 6125, 6.4.4 is not followed: a common name is no host name */
    tls_text_dn_label(who, X509_get_subject_name(v->cert));
    err = base_error_new(BASE_KIND_CERTIFICATE, r->code,
                         "certificate \"%s\" has no list of host names, so it "
                         "is not good for \"%.100s\"",
                         who, wanted);
  }
  base_free(names);
  return err;
}

/* Without its root, or without an intermediate: nobody can tell which. */
static struct base_error *say_issuer(const struct tls_verdict *v,
                                     const struct row *r) {
  char who[TLS_TEXT_SHORT + 32], last[TLS_TEXT_SHORT];
  bool sent = v->code == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN;
  if (v->code == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT) {
    whose(who, v);
    return base_error_new(BASE_KIND_CERTIFICATE, r->code,
                          "%s is signed by itself and not trusted (trusted: "
                          "%s)",
                          who, v->trusted);
  }
  tls_text_dn_label(last, sent ? X509_get_subject_name(v->cert)
                               : X509_get_issuer_name(v->cert));
  return base_error_new(BASE_KIND_CERTIFICATE, r->code,
                        "%s ends at \"%s\", which is not trusted "
                        "(trusted: %s)%s",
                        v->client ? "the chain of the client's certificate"
                                  : "chain",
                        last, v->trusted,
                        sent ? "" : " and was not sent along by the peer");
}

static struct base_error *say_key(const struct tls_verdict *v,
                                  const struct row *r) {
  char who[TLS_TEXT_SHORT + 32];
  const EVP_PKEY *key = X509_get0_pubkey(v->cert);
  const char *type = key != NULL ? EVP_PKEY_get0_type_name(key) : NULL;
  whose(who, v);
  return base_error_new(BASE_KIND_CERTIFICATE, r->code,
                        "%s has a key that is too weak (%s, %d bits), when "
                        "112 bits of security are wanted (RSA 2048, P-256)",
                        who,
                        type != NULL ? type : "unknown",
                        key != NULL ? EVP_PKEY_get_bits(key) : 0);
}

static struct base_error *say_purpose(const struct tls_verdict *v,
                                      const struct row *r) {
  char who[TLS_TEXT_SHORT + 32];
  const char *role = v->client ? "client" : "server";
  whose(who, v);
  if (v->depth > 0)
    return base_error_new(BASE_KIND_CERTIFICATE, r->code,
                          "%s may not issue certificates of %ss", who, role);
  return base_error_new(BASE_KIND_CERTIFICATE, r->code,
                        "%s is not meant for a %s: its key usages lack %sAuth",
                        who, role, role);
}

static struct base_error *sentence(const struct tls_verdict *v,
                                   const struct row *r) {
  char who[TLS_TEXT_SHORT + 32];
  switch (v->code) {
  case X509_V_ERR_CERT_HAS_EXPIRED:
  case X509_V_ERR_CERT_NOT_YET_VALID:
    return say_time(v, r);
  case X509_V_ERR_HOSTNAME_MISMATCH:
  case X509_V_ERR_IP_ADDRESS_MISMATCH:
    return say_names(v, r);
  case X509_V_ERR_EE_KEY_TOO_SMALL:
  case X509_V_ERR_CA_KEY_TOO_SMALL:
    return say_key(v, r);
  case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    return base_error_new(BASE_KIND_CERTIFICATE, r->code,
                          "%s is too long: more than %u intermediates",
                          v->client ? "the chain of the client's certificate"
                                    : "chain",
                          v->max_depth);
  case X509_V_ERR_INVALID_PURPOSE:
    return say_purpose(v, r);
  default:
    if (r->text == NULL)
      return say_issuer(v, r);
    whose(who, v);
    return base_error_new(BASE_KIND_CERTIFICATE, r->code, "%s %s", who,
                          r->text);
  }
}

/* ---- fields ------------------------------------------------------------- */

static void add_time(struct base_error *err, const char *name,
                     const ASN1_TIME *t) {
  double at = tls_text_epoch(t);
  if (!isnan(at)) /* a date that can be read */
    base_error_number(err, name, at);
}

static void add_fields(struct base_error *err, const X509 *x, int depth,
                       const struct tls_name *wanted) {
  char dn[TLS_TEXT_LONG];
  char *names = NULL;
  size_t size = 0;
  if (wanted != NULL)
    base_error_text(err, "wanted", wanted->text);
  if (x == NULL)
    return;
  tls_text_dn(dn, X509_get_subject_name(x));
  base_error_text(err, "subject", dn);
  tls_text_dn(dn, X509_get_issuer_name(x));
  base_error_text(err, "issuer", dn);
  base_error_number(err, "depth", depth);
  add_time(err, "not_before", X509_get0_notBefore(x));
  add_time(err, "not_after", X509_get0_notAfter(x));
  if (tls_text_sans(x, &names, &size))
    base_error_list(err, "names", BASE_FIELD_LIST,
                    names != NULL ? names : "", size);
  base_free(names);
}

struct base_error *tls_verdict_error(const struct tls_verdict *v) {
  const struct row *r = row_of(v->code);
  struct base_error *err;
  if (v->code == X509_V_ERR_OUT_OF_MEM)
    return base_error_from(BASE_ERR_MEMORY);
  if (v->cert != NULL)
    err = sentence(v, r);
  else
    err = base_error_new(BASE_KIND_CERTIFICATE, r->code,
                         "the %s's certificate could not be verified (%s)",
                         v->client ? "client" : "peer", r->code);
  add_fields(err, v->cert, v->depth, v->wanted);
  base_error_number(err, "openssl", v->code);
  ERR_clear_error();
  return err;
}

struct base_error *tls_verdict_pins(const STACK_OF(X509) *chain,
                                    const struct tls_name *wanted) {
  char list[LIST_BYTES], label[TLS_TEXT_SHORT] = "?";
  struct base_buf all;
  struct base_error *err;
  int i;
  base_buf_init(&all, (size_t)TLS_TEXT_NAMES * TLS_TEXT_PIN);
  for (i = 0; i < sk_X509_num(chain) && i < TLS_TEXT_NAMES; i++) {
    char pin[TLS_TEXT_PIN];
    uint8_t digest[32];
    if (!tls_pin_of(digest, sk_X509_value(chain, i)))
      continue;
    tls_text_pin(pin, digest);
    (void)base_buf_append(&all, pin, sizeof pin);
  }
  enumerate(list, (const char *)base_buf_data(&all), all.len);
  if (sk_X509_num(chain) > 0)
    tls_text_label(label, sk_X509_value(chain, 0), true);
  err = base_error_new(BASE_KIND_CERTIFICATE, "pin_mismatch",
                       "no pin matches the chain of \"%s\", which has %s",
                       label, list);
  add_fields(err, sk_X509_num(chain) > 0 ? sk_X509_value(chain, 0) : NULL, 0,
             wanted);
  if (all.len > 0)
    base_error_list(err, "pins", BASE_FIELD_LIST,
                    (const char *)base_buf_data(&all), all.len);
  base_buf_free(&all);
  return err;
}
