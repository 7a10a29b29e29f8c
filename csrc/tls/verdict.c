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
#include "tls/codes.h"
#include "tls/pin.h"
#include "tls/text.h"

enum {
  SHOWN_NAMES = 4, /* of a certificate, in a sentence */
  LIST_BYTES = 340 /* of a sentence, leaving room for the rest */
};

/* ---- codes --------------------------------------------------------------- */

static const struct row {
  int number;
  const char *code, *text;
} rows[] = {
#define X(name, code, text) {X509_V_ERR_##name, code, text},
  CODE_MAP(X)
#undef X
};

static const struct row flaws[] = {
#define X(name, code, text, number) {number, code, text},
  TLS_FLAW_MAP(X)
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

static const struct row *row_of_verdict(const struct tls_verdict *v) {
  return v->flaw != TLS_FLAW_NONE ? &flaws[v->flaw] : row_of(v->code);
}

void tls_verdict_settle(struct tls_verdict *v) {
  v->code = flaws[v->flaw].number;
  if (v->flaw != TLS_FLAW_NONE &&
      ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE) {
    v->flaw = TLS_FLAW_NONE;
    v->code = X509_V_ERR_OUT_OF_MEM;
  }
  ERR_clear_error();
}

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
    tls_text_quote(one, sizeof one, p);
    at += (size_t)snprintf(out + at, LIST_BYTES - at, "%s\"%s\"",
                           shown++ > 0 ? ", " : "", one);
  }
  if (more > 0)
    (void)snprintf(out + at, LIST_BYTES - at, " and %s%d more",
                   shown + more == TLS_TEXT_NAMES ? "at least " : "",
                   (int)more);
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
  if (v->depth == 0 &&
      (X509_get_extension_flags((X509 *)v->cert) & EXFLAG_XKUSAGE) == 0)
    return base_error_new(BASE_KIND_CERTIFICATE, r->code,
                          "%s is not meant for a %s: its key may not be used "
                          "for it (key usage)",
                          who, role);
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
  switch (v->flaw != TLS_FLAW_NONE ? X509_V_ERR_UNSPECIFIED : v->code) {
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
  const struct row *r = row_of_verdict(v);
  struct base_error *err;
  if (r->number == X509_V_ERR_OUT_OF_MEM)
    return base_error_from(BASE_ERR_MEMORY);
  if (v->cert != NULL)
    err = sentence(v, r);
  else
    err = base_error_new(BASE_KIND_CERTIFICATE, r->code,
                         "the %s's certificate could not be verified (%s)",
                         v->client ? "client" : "peer", r->code);
  add_fields(err, v->cert, v->depth, v->wanted);
  base_error_number(err, "openssl", r->number);
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

struct base_error *tls_verdict_refused(const STACK_OF(X509) *chain,
                                       const struct tls_name *wanted) {
  struct tls_verdict v;
  memset(&v, 0, sizeof v);
  v.code = X509_V_ERR_APPLICATION_VERIFICATION;
  v.cert = sk_X509_value(chain, 0);
  v.wanted = wanted;
  v.trusted = "";
  return tls_verdict_error(&v);
}
