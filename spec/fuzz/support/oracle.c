#include "support/oracle.h"

#include <math.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "support/broken.h"
#include "tls/verify.h"

/* ---- text ---------------------------------------------------------------- */

/* RFC 3629, 4, by its table; and no controls of either set. */
static bool is_clean(const char *text, size_t n) {
  const unsigned char *s = (const unsigned char *)text;
  size_t i = 0;
  while (i < n) {
    unsigned c = s[i], low = 0x80, high = 0xbf;
    size_t more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3, k;
    if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xc2) || c > 0xf4 ||
        more >= n - i)
      return false;
    if (c == 0xc2) /* C1 */
      low = 0xa0;
    if (c == 0xe0)
      low = 0xa0;
    if (c == 0xed)
      high = 0x9f;
    if (c == 0xf0)
      low = 0x90;
    if (c == 0xf4)
      high = 0x8f;
    for (k = 1; k <= more; k++) {
      if (s[i + k] < low || s[i + k] > high)
        return false;
      low = 0x80;
      high = 0xbf;
    }
    i += more + 1;
  }
  return true;
}

static bool is_clean_string(const char *text) {
  return text != NULL && is_clean(text, strlen(text));
}

static void check_field(const struct base_field *f) {
  size_t at;
  MUST(f->name != NULL && is_clean_string(f->name));
  switch (f->type) {
  case BASE_FIELD_TEXT:
    MUST_OF(f->name, is_clean_string(f->text));
    break;
  case BASE_FIELD_NUMBER:
    MUST_OF(f->name, isfinite(f->number));
    break;
  case BASE_FIELD_LIST:
  case BASE_FIELD_MAP:
    MUST_OF(f->name, f->size == 0 || f->text[f->size - 1] == '\0');
    for (at = 0; at < f->size; at += strlen(f->text + at) + 1)
      MUST_OF(f->name, is_clean_string(f->text + at));
    break;
  }
}

void oracle_error(const struct base_error *err) {
  const struct base_field *f;
  MUST(base_kind_name(err->kind) != NULL);
  MUST_OF(err->message,
          err->kind == BASE_KIND_CERTIFICATE || err->kind == BASE_KIND_TLS);
  MUST(err->code[0] != '\0');
  MUST_OF(err->code,
          strspn(err->code, "abcdefghijklmnopqrstuvwxyz_0123456789") ==
            strlen(err->code));
  MUST_OF(err->message, strcmp(err->code, "internal_error") != 0);
  MUST_OF(err->code, err->message[0] != '\0');
  MUST_OF(err->code, is_clean_string(err->message));
  for (f = err->fields; f != NULL; f = f->next)
    check_field(f);
}

/* ---- a peer -------------------------------------------------------------- */

static void check_cert(const struct tls_cert *c) {
  size_t at;
  MUST(is_clean_string(c->subject) && is_clean_string(c->issuer));
  MUST(is_clean_string(c->serial) && c->serial[0] != '\0');
  MUST(strlen(c->sha256) == 64 && strlen(c->spki_sha256) == 51);
  MUST(strncmp(c->pem, "-----BEGIN CERTIFICATE-----\n", 28) == 0);
  MUST(is_clean_string(c->key) && is_clean_string(c->signature));
  MUST(c->names_size == 0 || c->names[c->names_size - 1] == '\0');
  for (at = 0; at < c->names_size; at += strlen(c->names + at) + 1)
    MUST(is_clean_string(c->names + at));
}

static X509 *read_pem(const char *pem) {
  BIO *b = BIO_new_mem_buf(pem, -1);
  X509 *x;
  MUST(b != NULL);
  x = PEM_read_bio_X509(b, NULL, NULL, NULL);
  BIO_free(b);
  return x;
}

STACK_OF(X509) *oracle_certs(const struct tls_peer *p) {
  STACK_OF(X509) *all = sk_X509_new_null();
  size_t i, n = tls_peer_chain_count(p);
  MUST(all != NULL);
  for (i = 0; i < n; i++) {
    struct tls_cert c;
    X509 *x;
    MUST(tls_peer_cert(p, i, &c));
    x = read_pem(c.pem);
    MUST(x != NULL && sk_X509_push(all, x) > 0);
    tls_cert_deinit(&c);
  }
  return all;
}

void oracle_readable(const struct tls_peer *p) {
  struct tls_cert c;
  size_t i, n = tls_peer_chain_count(p);
  MUST(n > 0 && !tls_peer_cert(p, n, &c));
  for (i = 0; i < n; i++) {
    MUST(tls_peer_cert(p, i, &c));
    check_cert(&c);
    tls_cert_deinit(&c);
  }
}

void oracle_pin(const struct tls_peer *p, const char *pin) {
  size_t i;
  bool found = false;
  for (i = 0; i < tls_peer_chain_count(p); i++) {
    struct tls_cert c;
    MUST(tls_peer_cert(p, i, &c));
    found = found || strcmp(c.spki_sha256, pin) == 0;
    tls_cert_deinit(&c);
  }
  MUST(found);
}

double oracle_epoch(const ASN1_TIME *t) {
  ASN1_TIME *zero = ASN1_TIME_set(NULL, 0);
  int days = 0, seconds = 0;
  double at = (double)NAN;
  MUST(zero != NULL);
  if (t != NULL && ASN1_TIME_diff(&days, &seconds, zero, t) == 1)
    at = days * 86400.0 + seconds;
  ASN1_TIME_free(zero);
  ERR_clear_error();
  return at;
}

/* ---- a chain ------------------------------------------------------------- */

/* One dot at the end is no part of a name, nor is an address's zone. */
static void check_name(const X509 *leaf, const char *asked) {
  const unsigned flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                         X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
  char name[300];
  size_t n = strlen(asked);
  ASN1_OCTET_STRING *ip;
  bool good;
  MUST(n > 0 && n < sizeof name);
  memcpy(name, asked, n + 1);
  if (name[n - 1] == '.')
    name[n - 1] = '\0';
  if (strchr(name, '%') != NULL)
    *strchr(name, '%') = '\0';
  ip = a2i_IPADDRESS(name);
  ERR_clear_error();
  if (ip != NULL)
    good = X509_check_ip((X509 *)leaf, ASN1_STRING_get0_data(ip),
                         (size_t)ASN1_STRING_length(ip), 0) == 1;
  else
    good = X509_check_host((X509 *)leaf, name, 0, flags, NULL) == 1;
  ASN1_OCTET_STRING_free(ip);
  MUST_OF(name, good);
}

static void check_dates(const X509 *x, double now) {
  MUST(oracle_epoch(X509_get0_notBefore(x)) <= now);
  MUST(now <= oracle_epoch(X509_get0_notAfter(x)));
}

static void check_link(const X509 *x, const X509 *issuer) {
  EVP_PKEY *key = X509_get0_pubkey(issuer);
  MUST(X509_NAME_cmp(X509_get_issuer_name(x), X509_get_subject_name(issuer)) ==
       0);
  MUST(key != NULL && X509_verify((X509 *)x, key) == 1);
}

/* Extensions that somebody obeys here or in OpenSSL. */
static void check_critical(const X509 *x) {
  int i;
  for (i = 0; i < X509_get_ext_count(x); i++) {
    X509_EXTENSION *e = X509_get_ext(x, i);
    if (X509_EXTENSION_get_critical(e) != 1)
      continue;
    switch (OBJ_obj2nid(X509_EXTENSION_get_object(e))) {
    case NID_netscape_cert_type:
    case NID_key_usage:
    case NID_subject_alt_name:
    case NID_basic_constraints:
    case NID_certificate_policies:
    case NID_crl_distribution_points:
    case NID_ext_key_usage:
    case NID_sbgp_ipAddrBlock:
    case NID_sbgp_autonomousSysNum:
    case NID_policy_constraints:
    case NID_name_constraints:
    case NID_policy_mappings:
    case NID_inhibit_any_policy:
      break;
    default:
      MUST(!"a critical extension that nobody obeys");
    }
  }
}

static bool has_usage(const X509 *x, int bit) {
  ASN1_BIT_STRING *usage =
    (ASN1_BIT_STRING *)X509_get_ext_d2i(x, NID_key_usage, NULL, NULL);
  bool has = usage == NULL || ASN1_BIT_STRING_get_bit(usage, bit) == 1;
  ASN1_BIT_STRING_free(usage);
  return has;
}

static bool is_for(const X509 *x, int purpose) {
  EXTENDED_KEY_USAGE *all = (EXTENDED_KEY_USAGE *)X509_get_ext_d2i(
    x, NID_ext_key_usage, NULL, NULL);
  bool ok = all == NULL;
  int i;
  for (i = 0; i < sk_ASN1_OBJECT_num(all); i++) {
    int nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(all, i));
    ok = ok || nid == purpose;
    if (purpose == NID_server_auth) /* as it was called once */
      ok = ok || nid == NID_ms_sgc || nid == NID_ns_sgc;
  }
  EXTENDED_KEY_USAGE_free(all);
  return ok;
}

static bool issues_itself(const X509 *x) {
  return X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) == 0;
}

static bool is_shorter(const ASN1_INTEGER *n, int than) {
  int64_t value = 0;
  bool fits = ASN1_INTEGER_get_int64(&value, n) == 1;
  ERR_clear_error();
  return fits ? value < than : ASN1_STRING_type(n) == V_ASN1_NEG_INTEGER;
}

/* RFC 5280, 4.2.1.1 and 4.2.1.9, where 'strict' is on. */
static void check_form(const X509 *x, bool ca) {
  int i = X509_get_ext_by_NID(x, NID_basic_constraints, -1);
  MUST(X509_get_version(x) == X509_VERSION_3);
  MUST(X509_get_ext_by_NID(x, NID_authority_key_identifier, -1) >= 0);
  if (!ca)
    return;
  MUST(i >= 0 && X509_EXTENSION_get_critical(X509_get_ext(x, i)) == 1);
  MUST(X509_get_ext_by_NID(x, NID_subject_key_identifier, -1) >= 0);
  MUST(X509_get_ext_by_NID(x, NID_key_usage, -1) >= 0);
}

/* An issuer within the chain, with 'below' intermediates under it that do not
** issue themselves. */
static void check_ca(const struct oracle_case *c, const X509 *x, int below) {
  BASIC_CONSTRAINTS *b = (BASIC_CONSTRAINTS *)X509_get_ext_d2i(
    x, NID_basic_constraints, NULL, NULL);
  MUST(has_usage(x, 5)); /* keyCertSign */
  if (b != NULL) {
    MUST(b->ca != 0);
    MUST(b->pathlen == NULL || !is_shorter(b->pathlen, below));
  }
  BASIC_CONSTRAINTS_free(b);
  MUST(is_for(x, c->client ? NID_client_auth : NID_server_auth));
}

static bool has_twice(const X509 *x) {
  int i, n = X509_get_ext_count(x);
  for (i = 0; i < n; i++) {
    const ASN1_OBJECT *o = X509_EXTENSION_get_object(X509_get_ext(x, i));
    if (X509_get_ext_by_OBJ(x, o, i) >= 0)
      return true;
  }
  return false;
}

static void check_leaf(const struct oracle_case *c, const X509 *x) {
  BASIC_CONSTRAINTS *b = (BASIC_CONSTRAINTS *)X509_get_ext_d2i(
    x, NID_basic_constraints, NULL, NULL);
  MUST(b == NULL || b->ca == 0);
  BASIC_CONSTRAINTS_free(b);
  MUST(is_for(x, c->client ? NID_client_auth : NID_server_auth));
  if (c->client)
    MUST(has_usage(x, 0) || has_usage(x, 4));
  else
    MUST(has_usage(x, 0) || has_usage(x, 2) || has_usage(x, 4));
}

/* A session with that chain may be resumed until the first of its certificates
** has expired. */
static void check_resumption(const STACK_OF(X509) *all, double now) {
  struct tls_rules rules;
  struct base_error *err;
  double last = (double)INFINITY;
  int i;
  memset(&rules, 0, sizeof rules);
  rules.trusted[0] = '?';
  for (i = 0; i < sk_X509_num(all); i++) {
    double to = oracle_epoch(X509_get0_notAfter(sk_X509_value(all, i)));
    last = to < last ? to : last;
  }
  MUST(tls_verify_again(all, &rules, NULL, now) == NULL);
  MUST(tls_verify_again(all, &rules, NULL, last) == NULL);
  err = tls_verify_again(all, &rules, NULL, last + 1);
  MUST(err != NULL && strcmp(err->code, "expired") == 0);
  oracle_error(err);
  base_error_free(err);
}

void oracle_chain(const struct oracle_case *c, const struct tls_peer *p) {
  STACK_OF(X509) *all = oracle_certs(p);
  int i, n = sk_X509_num(all), below = 0;
  MUST(tls_peer_verified(p));
  MUST(X509_cmp(sk_X509_value(all, n - 1), c->anchor) == 0);
  if (c->query->bounded)
    MUST(n - 2 <= (int)c->query->max_depth);
  for (i = 0; i < n; i++) {
    const X509 *x = sk_X509_value(all, i);
    bool anchor = i == n - 1;
    check_dates(x, c->query->now);
    check_critical(x);
    MUST(anchor || !has_twice(x));
    if (c->strict && !anchor)
      check_form(x, i > 0);
    if (!anchor)
      check_link(x, sk_X509_value(all, i + 1));
    if (i > 0)
      check_ca(c, x, below);
    else if (!anchor)
      check_leaf(c, x);
    if (i > 0 && !issues_itself(x))
      below++;
  }
  if (c->query->name != NULL)
    check_name(sk_X509_value(all, 0), c->query->name);
  oracle_constraints(all);
  check_resumption(all, c->query->now);
  sk_X509_pop_free(all, X509_free);
  ERR_clear_error();
}
