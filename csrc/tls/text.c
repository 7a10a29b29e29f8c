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

/* ---- hostile text -------------------------------------------------------- */

/* The bytes of one character of valid UTF-8 (RFC 3629, 4), or 0. */
static size_t utf8_char(const uint8_t *s, size_t n, uint32_t *cp) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t i, len;
  if (s[0] < 0x80) {
    *cp = s[0];
    return 1;
  }
  len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
  if (s[0] < 0xc0 || s[0] > 0xf4 || len > n)
    return 0;
  *cp = s[0] & (0x7fu >> len);
  for (i = 1; i < len; i++) {
    if ((s[i] & 0xc0u) != 0x80)
      return 0;
    *cp = *cp << 6 | (s[i] & 0x3fu);
  }
  if (*cp < least[len] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000))
    return 0;
  return len;
}

/* Controls, line ends, and what is invisible or turns the line around. */
static bool is_printable(uint32_t cp) {
  if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0xad || cp == 0x61c)
    return false;
  return !(cp >= 0x200b && cp <= 0x200f) && !(cp >= 0x2028 && cp <= 0x202e) &&
         !(cp >= 0x2060 && cp <= 0x206f) && !(cp >= 0xfff0 && cp <= 0xffff) &&
         cp != 0xfeff && cp < 0xe0000;
}

/* One character, as it is or escaped, with a backslash if it is one of
** 'marks': its bytes in 'out', and their number. */
static size_t put_char(char out[12], const uint8_t *s, size_t n,
                       const char *marks, size_t *used) {
  uint32_t cp = 0;
  size_t len = utf8_char(s, n, &cp);
  *used = len > 0 ? len : 1;
  if (len > 0 && is_printable(cp)) {
    size_t at = 0;
    if (len == 1 && strchr(marks, (int)cp) != NULL)
      out[at++] = '\\';
    memcpy(out + at, s, len);
    return at + len;
  }
  (void)snprintf(out, 5, "\\x%02x", s[0]);
  *used = 1; /* the rest of it is invalid by itself, and escaped as well */
  return 4;
}

static void clean(char *out, size_t size, const char *s, size_t n,
                  const char *marks) {
  size_t at = 0, i = 0, safe = 0;
  while (i < n) {
    char piece[12];
    size_t used, len;
    len = put_char(piece, (const uint8_t *)s + i, n - i, marks, &used);
    if (at + len >= size) {
      memcpy(out + safe, "...", 4);
      return;
    }
    memcpy(out + at, piece, len);
    at += len;
    i += used;
    if (at + 4 <= size)
      safe = at; /* up to here the dots would still fit behind it */
  }
  out[at] = '\0';
}

void tls_text_clean(char *out, size_t size, const char *s, size_t n,
                    bool quoted) {
  clean(out, size, s, n, quoted ? "\"\\" : "");
}

void tls_text_quote(char *out, size_t size, const char *s) {
  clean(out, size, s, strlen(s), "\"");
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
