#include "tls/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

/* ---- hostile text -------------------------------------------------------- */

void tls_text_clean(char *out, size_t size, const char *s, size_t n,
                    bool quoted) {
  base_text_clean(out, size, s, n, quoted ? "\"\\" : "");
}

void tls_text_quote(char *out, size_t size, const char *s) {
  base_text_clean(out, size, s, strlen(s), "\"");
}

/* ---- names -------------------------------------------------------------- */

void tls_text_dn(char out[TLS_TEXT_LONG], const X509_NAME *name) {
  /* Characters above ASCII stay: they are cleaned here, and better. */
  const unsigned long flags = XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB;
  BIO *b = BIO_new(BIO_s_mem());
  char *data = NULL;
  long n;
  (void)snprintf(out, TLS_TEXT_LONG, "?");
  if (b != NULL && X509_NAME_print_ex(b, name, 0, flags) >= 0) {
    n = BIO_get_mem_data(b, &data);
    if (n >= 0)
      tls_text_clean(out, TLS_TEXT_LONG, data != NULL ? data : "", (size_t)n,
                     false);
  }
  BIO_free(b);
  ERR_clear_error();
}

static bool entry_text(char out[TLS_TEXT_SHORT], const X509_NAME *name,
                       int nid) {
  unsigned char *utf8 = NULL;
  int n, i = X509_NAME_get_index_by_NID(name, nid, -1);
  if (i < 0)
    return false;
  n = ASN1_STRING_to_UTF8(
    &utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i)));
  if (n > 0)
    tls_text_clean(out, TLS_TEXT_SHORT, (const char *)utf8, (size_t)n, true);
  OPENSSL_free(utf8);
  return n > 0;
}

void tls_text_dn_label(char out[TLS_TEXT_SHORT], const X509_NAME *name) {
  char whole[TLS_TEXT_LONG];
  if (!entry_text(out, name, NID_commonName) &&
      !entry_text(out, name, NID_organizationalUnitName) &&
      !entry_text(out, name, NID_organizationName)) {
    tls_text_dn(whole, name);
    tls_text_quote(out, TLS_TEXT_SHORT, whole);
  }
  ERR_clear_error();
}

void tls_text_label(char out[TLS_TEXT_SHORT], const X509 *x, bool leaf) {
  char *names = NULL;
  size_t size = 0;
  if (leaf && tls_text_sans(x, &names, &size) && size > 0)
    tls_text_quote(out, TLS_TEXT_SHORT, names);
  else
    tls_text_dn_label(out, X509_get_subject_name(x));
  base_free(names);
}

/* RFC 5952 would shorten IPv6; eight groups are clear enough, but people
** compare with what they typed, so the longest run of zeros is left out. */
static void ip_text(char out[TLS_TEXT_SHORT], const uint8_t *p, size_t n) {
  size_t i, at = 0, run = 0, best = 0, best_end = 0;
  if (n == 4) {
    (void)snprintf(out, TLS_TEXT_SHORT, "%u.%u.%u.%u", p[0], p[1], p[2], p[3]);
    return;
  }
  for (i = 0; i < 8; i++) {
    run = p[2 * i] == 0 && p[2 * i + 1] == 0 ? run + 1 : 0;
    if (run > best) {
      best = run;
      best_end = i + 1;
    }
  }
  if (best < 2)
    best = best_end = 0;
  out[0] = '\0';
  for (i = 0; i < 8; i++) {
    if (best > 0 && i == best_end - best) {
      at += (size_t)snprintf(out + at, TLS_TEXT_SHORT - at, "::");
      i = best_end - 1;
      continue;
    }
    at += (size_t)snprintf(out + at, TLS_TEXT_SHORT - at, "%s%x",
                           at > 0 && out[at - 1] != ':' ? ":" : "",
                           (unsigned)p[2 * i] << 8 | p[2 * i + 1]);
  }
}

/* False if it is neither a DNS name nor an address. */
static bool san_text(char out[TLS_TEXT_LONG], const GENERAL_NAME *g) {
  int type;
  const ASN1_STRING *s =
    (const ASN1_STRING *)GENERAL_NAME_get0_value(g, &type);
  const uint8_t *p;
  size_t n;
  if (type != GEN_DNS && type != GEN_IPADD)
    return false;
  p = ASN1_STRING_get0_data(s);
  n = (size_t)ASN1_STRING_length(s);
  if (type == GEN_IPADD && (n == 4 || n == 16))
    ip_text(out, p, n);
  else
    tls_text_clean(out, TLS_TEXT_LONG, p != NULL ? (const char *)p : "", n,
                   false);
  return true;
}

static bool collect(struct base_buf *b, const GENERAL_NAMES *all) {
  char one[TLS_TEXT_LONG];
  int i, count = 0;
  for (i = 0; i < sk_GENERAL_NAME_num(all) && count < TLS_TEXT_NAMES; i++) {
    if (!san_text(one, sk_GENERAL_NAME_value(all, i)))
      continue;
    count++;
    if (base_buf_append(b, one, strlen(one) + 1) != 0)
      return false;
  }
  return true;
}

bool tls_text_sans(const X509 *x, char **names, size_t *size) {
  struct base_buf b;
  int critical = -1;
  bool ok;
  GENERAL_NAMES *all = (GENERAL_NAMES *)X509_get_ext_d2i(
    x, NID_subject_alt_name, &critical, NULL);
  *names = NULL;
  *size = 0;
  ERR_clear_error();
  if (all == NULL)
    return critical == -1; /* absent; otherwise malformed, or no memory */
  base_buf_init(&b, (size_t)TLS_TEXT_NAMES * TLS_TEXT_LONG);
  ok = collect(&b, all);
  GENERAL_NAMES_free(all);
  if (!ok) {
    base_buf_free(&b);
    return false;
  }
  *names = (char *)b.mem; /* nothing was consumed: it starts there */
  *size = b.len;
  return true;
}

/* ---- times -------------------------------------------------------------- */

/* Days since 1970-01-01 in the Gregorian calendar, years counted from March
** so that the leap day comes last. */
static double days_of(int year, int month, int day) {
  int y = month <= 2 ? year - 1 : year;
  int m = month <= 2 ? month + 9 : month - 3;
  long leap_days = y / 4 - y / 100 + y / 400;
  long in_year = (153L * m + 2) / 5 + day - 1;
  return (double)(365L * y + leap_days + in_year - 719468L);
}

double tls_text_epoch(const ASN1_TIME *t) {
  struct tm tm;
  if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1) {
    ERR_clear_error();
    return (double)NAN;
  }
  return days_of(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) * 86400.0 +
         (double)(tm.tm_hour * 3600L + tm.tm_min * 60L + tm.tm_sec);
}

void tls_text_date(char *out, size_t size, const ASN1_TIME *t) {
  struct tm tm;
  if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1 ||
      strftime(out, size, "%Y-%m-%d %H:%M UTC", &tm) == 0)
    (void)snprintf(out, size, "?");
  ERR_clear_error();
}

void tls_text_span(char *out, size_t size, double seconds) {
  static const struct {
    double seconds;
    const char *one, *many;
  } units[] = {{86400.0, "day", "days"},
               {3600.0, "hour", "hours"},
               {60.0, "minute", "minutes"},
               {1.0, "second", "seconds"}};
  size_t i = 0;
  long count; /* not floor(): libm for that alone is too much */
  while (i + 1 < sizeof units / sizeof units[0] && seconds < units[i].seconds)
    i++;
  count = (long)(seconds / units[i].seconds);
  (void)snprintf(out, size, "%ld %s", count,
                 count == 1 ? units[i].one : units[i].many);
}

void tls_text_pin(char out[TLS_TEXT_PIN], const uint8_t digest[32]) {
  memcpy(out, "sha256/", 7);
  (void)EVP_EncodeBlock((unsigned char *)out + 7, digest, 32);
}
