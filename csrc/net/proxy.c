#include "net/posix.h"

#include "net/dial.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/mem.h"

enum { SOCKS_CREDENTIAL_MAX = 255, HTTP_CREDENTIAL_MAX = 4096 };

/* ---- the URL of a proxy -------------------------------------------------- */

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static int hex_value(char c) {
  if (is_digit(c))
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

/* RFC 3986, 2.2 and 2.3: what stands for itself in credentials and names. */
static bool is_plain(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c != '\0' && strchr("-._~!$&'()*+,;=", c) != NULL);
}

/* The 'n' bytes at 's', percent-decoded; control characters are in no
** credentials (RFC 7617, 2). On failure '*why' says it. */
static char *decode(const char *s, size_t n, size_t max, const char **why) {
  char *out = (char *)base_malloc(n + 1);
  size_t i, len = 0;
  if (out == NULL) {
    *why = base_err_text(BASE_ERR_MEMORY);
    return NULL;
  }
  for (i = 0; i < n; i++) {
    int c = (unsigned char)s[i];
    if (c == '%' && n - i > 2 && hex_value(s[i + 1]) >= 0 &&
        hex_value(s[i + 2]) >= 0) {
      c = hex_value(s[i + 1]) * 16 + hex_value(s[i + 2]);
      i += 2;
    } else if (!is_plain(s[i]) && c != ':') {
      *why = "the proxy's credentials must be percent-encoded";
      break;
    }
    if (c < 0x20 || c == 0x7f) {
      *why = "the proxy's credentials have a control character";
      break;
    }
    out[len++] = (char)c;
  }
  if (i == n && len <= max) {
    out[len] = '\0';
    return out;
  }
  if (i == n)
    *why = "the proxy's credentials are too long";
  base_free(out);
  return NULL;
}

static const char *parse_credentials(struct net_proxy *p, const char *s,
                                     size_t n) {
  const char *colon = (const char *)memchr(s, ':', n), *why = NULL;
  size_t user = colon != NULL ? (size_t)(colon - s) : n;
  size_t max = p->type == NET_PROXY_SOCKS5 ? (size_t)SOCKS_CREDENTIAL_MAX
                                           : (size_t)HTTP_CREDENTIAL_MAX;
  p->user = decode(s, user, max, &why);
  if (p->user != NULL && colon != NULL)
    p->password = decode(colon + 1, n - user - 1, max, &why);
  if (why != NULL)
    return why;
  if (p->type == NET_PROXY_HTTP && strchr(p->user, ':') != NULL)
    return "the proxy's user name has a colon"; /* RFC 7617, 2 */
  if (p->type == NET_PROXY_SOCKS5 && p->user[0] == '\0')
    return "the proxy's user name is empty"; /* RFC 1929, 2 */
  return NULL;
}

static const char *parse_port(struct net_proxy *p, const char *s, size_t n) {
  unsigned port = 0;
  size_t i;
  for (i = 0; i < n && is_digit(s[i]) && port <= 65535; i++)
    port = port * 10 + (unsigned)(s[i] - '0');
  if (i != n || port < 1 || port > 65535)
    return "the proxy's port is not 1 to 65535";
  p->port = (uint16_t)port;
  return NULL;
}

static const char *parse_host(struct net_proxy *p, const char *s, size_t n) {
  static const char bad[] = "the proxy's host is missing or malformed";
  struct in6_addr in6;
  const char *end;
  size_t i, len;
  bool ip6 = n > 0 && s[0] == '[';
  if (ip6) {
    s++;
    n--;
  }
  end = (const char *)memchr(s, ip6 ? ']' : ':', n);
  if (end == NULL && ip6)
    return bad;
  len = end != NULL ? (size_t)(end - s) : n;
  if (len == 0 || len >= sizeof p->host)
    return bad;
  memcpy(p->host, s, len);
  p->host[len] = '\0';
  if (ip6 && inet_pton(AF_INET6, p->host, &in6) != 1)
    return bad;
  for (i = 0; i < len && !ip6; i++)
    if (!is_plain(s[i]))
      return bad;
  s += len + (ip6 ? 1 : 0);
  n -= len + (ip6 ? 1 : 0);
  if (n == 0)
    return NULL;
  return s[0] == ':' ? parse_port(p, s + 1, n - 1) : bad;
}

static const struct {
  const char *prefix;
  enum net_proxy_type type;
  uint16_t port;
} schemes[] = {
  {"http://", NET_PROXY_HTTP, 8080},
  {"socks5://", NET_PROXY_SOCKS5, 1080},
  {"socks5h://", NET_PROXY_SOCKS5, 1080}
};

static const char *parse(struct net_proxy *p, const char *s) {
  const char *at, *why;
  size_t i, n;
  for (i = 0; i < sizeof schemes / sizeof *schemes; i++)
    if (strncasecmp(s, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
      break;
  if (i == sizeof schemes / sizeof *schemes)
    return "the proxy's scheme is not http, socks5 or socks5h";
  p->type = schemes[i].type;
  p->port = schemes[i].port;
  s += strlen(schemes[i].prefix);
  n = strcspn(s, "/?#");
  if (s[n] != '\0' && strcmp(s + n, "/") != 0)
    return "the proxy's URL has a path";
  at = (const char *)memchr(s, '@', n);
  if (at != NULL) {
    why = parse_credentials(p, s, (size_t)(at - s));
    if (why != NULL)
      return why;
    n -= (size_t)(at - s) + 1;
    s = at + 1;
  }
  return parse_host(p, s, n);
}

const char *net_proxy_parse(struct net_proxy *out, const char *s) {
  const char *why;
  memset(out, 0, sizeof *out);
  why = parse(out, s);
  if (why != NULL)
    net_proxy_deinit(out);
  return why;
}

void net_proxy_deinit(struct net_proxy *p) {
  base_free(p->user);
  base_free(p->password);
  memset(p, 0, sizeof *p);
}
