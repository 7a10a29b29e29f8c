#define _POSIX_C_SOURCE 200809L

#include "tls/name.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/mem.h"
#include "tls/text.h"

enum { NAME_MAX_BYTES = 253, LABEL_MAX_BYTES = 63 }; /* RFC 1035, 2.3.4 */

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_hex(char c) {
  return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}

/* Letters, digits, hyphens; the underscore is no host's but is in use. */
static bool is_label(const char *s, size_t n) {
  size_t i;
  if (n == 0 || n > LABEL_MAX_BYTES)
    return false;
  for (i = 0; i < n; i++)
    if (!is_digit(s[i]) && !(lower(s[i]) >= 'a' && lower(s[i]) <= 'z') &&
        s[i] != '-' && s[i] != '_')
      return false;
  return true;
}

/* "127.1" and "0x7f.1" are addresses to getaddrinfo: no TLD is a number. */
static bool is_number(const char *s, size_t n) {
  size_t i;
  bool hex = n >= 2 && s[0] == '0' && lower(s[1]) == 'x';
  for (i = hex ? 2 : 0; i < n; i++)
    if (!(hex ? is_hex(s[i]) : is_digit(s[i])))
      return false;
  return true;
}

static bool is_dns_name(const char *s, size_t n) {
  const char *dot;
  if (n == 0 || n > NAME_MAX_BYTES)
    return false;
  while ((dot = (const char *)memchr(s, '.', n)) != NULL) {
    if (!is_label(s, (size_t)(dot - s)))
      return false;
    n -= (size_t)(dot - s) + 1;
    s = dot + 1;
  }
  return is_label(s, n) && !is_number(s, n);
}

static struct base_error *refuse(const char *host) {
  char shown[TLS_TEXT_SHORT];
  tls_text_clean(shown, sizeof shown, host, strlen(host), true);
  return base_error_new(BASE_KIND_TLS, "bad_name",
                        "\"%s\" is neither a host name nor an address, so no "
                        "certificate can be good for it",
                        shown);
}

/* "fe80::1%eth0" is an address on a link (RFC 4007, 11); which link is nobody's
** business but ours. How long it is without. */
static size_t without_zone(const char *host, size_t n) {
  const char *zone = (const char *)memchr(host, '%', n);
  return zone != NULL && zone[1] != '\0' &&
             memchr(host, ':', (size_t)(zone - host)) != NULL
           ? (size_t)(zone - host)
           : n;
}

struct base_error *tls_name_init(struct tls_name *out, const char *host) {
  size_t n;
  char *p;
  memset(out, 0, sizeof *out);
  if (host == NULL)
    host = "";
  n = strlen(host);
  if (n > 1 && host[n - 1] == '.')
    n--; /* the root's; certificates have none (RFC 6125, 6.4.1) */
  n = without_zone(host, n);
  out->text = base_strndup(host, n);
  if (out->text == NULL)
    return base_error_from(BASE_ERR_MEMORY);
  for (p = out->text; *p != '\0'; p++)
    *p = lower(*p); /* servers compare it with a ticket's, byte by byte */
  if (inet_pton(AF_INET, out->text, out->ip) == 1) {
    out->ip_size = 4;
  } else if (inet_pton(AF_INET6, out->text, out->ip) == 1) {
    out->ip_size = 16;
  } else if (!is_dns_name(out->text, n)) {
    tls_name_deinit(out);
    return refuse(host);
  }
  return NULL;
}

void tls_name_deinit(struct tls_name *n) {
  base_free(n->text);
  memset(n, 0, sizeof *n);
}

bool tls_name_copy(struct tls_name *out, const struct tls_name *from) {
  *out = *from;
  out->text = base_strdup(from->text);
  return out->text != NULL;
}

bool tls_name_equal(const struct tls_name *a, const struct tls_name *b) {
  if (a->ip_size != b->ip_size)
    return false;
  if (a->ip_size > 0)
    return memcmp(a->ip, b->ip, a->ip_size) == 0;
  return strcmp(a->text, b->text) == 0;
}
