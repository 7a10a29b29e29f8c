#include "ws/url.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "ws/ascii.h"

enum { NAME_MAX_BYTES = 253, LABEL_MAX_BYTES = 63 }; /* RFC 1035, 2.3.4 */
enum { AUTHORITY_BYTES = 270 };
enum { PATH_BYTES = 107 }; /* of a local socket: what sun_path holds */

/* What a URL is for decides what may stand in it. */
enum purpose { DIAL, REDIRECT, LISTEN };

static size_t find(const char *s, size_t n, const char *any) {
  size_t i;
  for (i = 0; i < n; i++)
    if (s[i] != '\0' && strchr(any, s[i]) != NULL)
      break;
  return i;
}

/* dec-octet (RFC 3986, 3.2.2): no leading zero, at most 255. */
static bool is_octet(const char *s, size_t n) {
  unsigned v = 0;
  size_t i;
  if (n == 0 || n > 3 || (n > 1 && s[0] == '0'))
    return false;
  for (i = 0; i < n; i++) {
    if (!ws_ascii_is_digit(s[i]))
      return false;
    v = v * 10 + (unsigned)(s[i] - '0');
  }
  return v <= 255;
}

static bool is_ipv4(const char *s, size_t n) {
  int octets;
  for (octets = 1; ; octets++) {
    size_t k = find(s, n, ".");
    if (!is_octet(s, k))
      return false;
    if (k == n)
      return octets == 4;
    s += k + 1;
    n -= k + 1;
  }
}

/* IPv6address (RFC 3986, 3.2.2), without a zone. */
static bool is_ipv6(const char *s, size_t n) {
  bool gap = n >= 2 && s[0] == ':' && s[1] == ':';
  size_t i = gap ? 2 : 0;
  int groups = 0;
  while (i < n) {
    size_t d = 0;
    while (i + d < n && ws_ascii_is_hex(s[i + d]))
      d++;
    if (i + d < n && s[i + d] == '.') { /* the last 32 bits, dotted */
      if (!is_ipv4(s + i, n - i))
        return false;
      groups += 2;
      break;
    }
    if (d == 0 || d > 4)
      return false;
    groups++;
    i += d;
    if (i == n)
      break;
    if (s[i++] != ':' || i == n)
      return false;
    if (s[i] == ':') {
      if (gap)
        return false;
      gap = true;
      i++;
    }
  }
  return gap ? groups <= 7 : groups == 8;
}

/* Letters, digits, hyphens inside (RFC 1123, 2.1); underscores as in SRV. */
static bool is_label(const char *s, size_t n) {
  size_t i;
  if (n == 0 || n > LABEL_MAX_BYTES || s[0] == '-' || s[n - 1] == '-')
    return false;
  for (i = 0; i < n; i++)
    if (!ws_ascii_is_alpha(s[i]) && !ws_ascii_is_digit(s[i]) && s[i] != '-' &&
        s[i] != '_')
      return false;
  return true;
}

/* Would inet_aton read it: decimal or octal digits, or 0x and hex ones? */
static bool is_number(const char *s, size_t n) {
  bool hex = n >= 2 && s[0] == '0' && ws_ascii_lower(s[1]) == 'x';
  size_t i;
  for (i = hex ? 2 : 0; i < n; i++)
    if (hex ? !ws_ascii_is_hex(s[i]) : !ws_ascii_is_digit(s[i]))
      return false;
  return n > 0;
}

/*
** A name must not end in a number: resolvers take 1.2.3 or 0x7f.1 for an
** address, and what was checked would not be what is dialled.
*/
static bool is_name(const char *s, size_t n) {
  if (n > 0 && s[n - 1] == '.')
    n--;
  if (n > NAME_MAX_BYTES)
    return false;
  for (;;) {
    size_t k = find(s, n, ".");
    if (!is_label(s, k))
      return false;
    if (k == n)
      return !is_number(s, n);
    s += k + 1;
    n -= k + 1;
  }
}

/* Any digits and none (RFC 3986, 3.2.3), up to what 16 bits hold. */
static bool read_port(unsigned *v, const char *s, size_t n) {
  size_t i;
  *v = 0;
  for (i = 0; i < n && *v <= 65535; i++) {
    if (!ws_ascii_is_digit(s[i]))
      return false;
    *v = *v * 10 + (unsigned)(s[i] - '0');
  }
  return *v <= 65535;
}

static int parse_port(struct ws_url *out, const char *s, size_t n,
                      enum purpose purpose) {
  uint16_t usual = out->secure ? 443 : 80;
  unsigned v;
  if (!read_port(&v, s, n))
    return BASE_ERR_URL_PORT;
  if (n == 0)
    v = usual;
  if (v == 0 && purpose != LISTEN)
    return BASE_ERR_URL_PORT;
  out->port = (uint16_t)v;
  out->default_port = v == usual;
  return 0;
}

static int parse_authority(struct ws_url *out, const char *s, size_t n,
                           enum purpose purpose) {
  const char *host = s;
  size_t len, used, i;
  bool ok;
  if (find(s, n, "@") < n)
    return BASE_ERR_URL_USERINFO;
  if (n > 0 && s[0] == '[') {
    host++;
    len = find(host, n - 1, "]");
    used = len + 2; /* more than 'n' if the bracket is missing */
    ok = used <= n && is_ipv6(host, len);
    out->is_ip = true;
  } else {
    len = used = find(s, n, ":");
    out->is_ip = is_ipv4(host, len);
    ok = out->is_ip || is_name(host, len) || (len == 1 && *host == '*');
  }
  if (!ok || len >= sizeof out->host || (used < n && s[used] != ':'))
    return BASE_ERR_URL_HOST;
  for (i = 0; i < len; i++)
    out->host[i] = ws_ascii_lower(host[i]);
  out->host[len] = '\0';
  if (used < n)
    used++;
  return parse_port(out, s + used, n - used, purpose);
}

/* pchar, "/" and "?" (RFC 3986, 3.3 and 3.4), but for "%". */
static bool is_plain(char c) {
  return ws_ascii_is_alpha(c) || ws_ascii_is_digit(c) ||
         (c != '\0' && strchr("-._~!$&'()*+,;=:@/?", c) != NULL);
}

static bool is_escape(const char *s, size_t n) { /* RFC 3986, 2.1 */
  return n > 2 && s[0] == '%' && ws_ascii_is_hex(s[1]) &&
         ws_ascii_is_hex(s[2]);
}

static int check_resource(const char *s, size_t n) {
  size_t i;
  for (i = 0; i < n; i++) {
    if (s[i] == '#')
      return BASE_ERR_URL_FRAGMENT; /* RFC 6455, 3 */
    if (is_escape(s + i, n - i))
      i += 2;
    else if (!is_plain(s[i]))
      return BASE_ERR_URL_CHARACTER;
  }
  return 0;
}

static int parse_resource(struct ws_url *out, const char *s, size_t n) {
  size_t slash = n == 0 || s[0] != '/'; /* RFC 6455, 3: "/" if it is empty */
  int err = check_resource(s, n);
  if (err != 0)
    return err;
  out->resource = (char *)base_malloc(slash + n + 1);
  if (out->resource == NULL)
    return BASE_ERR_MEMORY;
  out->resource[0] = '/';
  if (n > 0)
    memcpy(out->resource + slash, s, n);
  out->resource[slash + n] = '\0';
  return 0;
}

static unsigned hex_value(char c) {
  char l = ws_ascii_lower(c);
  return (unsigned)(ws_ascii_is_digit(c) ? c - '0' : l - 'a' + 10);
}

/* The path of a local socket, into 'out'; 'n' is its length there. */
static int decode_path(char out[PATH_BYTES + 1], const char *s, size_t n) {
  size_t i, used = 0;
  for (i = 0; i < n; i++) {
    unsigned c = (unsigned char)s[i];
    if (is_escape(s + i, n - i)) {
      c = hex_value(s[i + 1]) << 4 | hex_value(s[i + 2]);
      i += 2;
    } else if (!is_plain(s[i]) || s[i] == '?') {
      return s[i] == '#' ? BASE_ERR_URL_FRAGMENT : BASE_ERR_URL_CHARACTER;
    }
    if (c == '\0')
      return BASE_ERR_URL_CHARACTER;
    if (used == PATH_BYTES)
      return BASE_ERR_URL_LENGTH;
    out[used++] = (char)c;
  }
  out[used] = '\0';
  return 0;
}

/* Host and resource are there; the port has no meaning. */
static int stay_local(struct ws_url *out, const char *path) {
  out->port = 0;
  out->default_port = true;
  out->path = base_strdup(path);
  if (out->path != NULL)
    return 0;
  ws_url_deinit(out);
  return BASE_ERR_MEMORY;
}

/* Behind "ws+unix:": an absolute path, no host, perhaps a resource. */
static int parse_local(struct ws_url *out, const char *s, size_t n) {
  static const char host[] = "localhost";
  char path[PATH_BYTES + 1];
  size_t k = find(s, n, ":");
  int err = decode_path(path, s, k);
  if (err != 0)
    return err;
  if (path[0] != '/' || path[1] == '\0')
    return BASE_ERR_URL_HOST;
  if (k < n && (++k == n || s[k] != '/'))
    return BASE_ERR_URL_CHARACTER; /* the ":" is one of the path */
  err = parse_resource(out, s + k, n - k);
  if (err != 0)
    return err;
  memcpy(out->host, host, sizeof host);
  return stay_local(out, path);
}

static bool parse_scheme(struct ws_url *out, const char *s, size_t n,
                         enum purpose purpose) {
  bool http_too = purpose == REDIRECT;
  out->secure = ws_ascii_same(s, n, "wss") ||
                (http_too && ws_ascii_same(s, n, "https"));
  return out->secure || ws_ascii_same(s, n, "ws") ||
         (http_too && ws_ascii_same(s, n, "http"));
}

static int parse(struct ws_url *out, const char *s, size_t n,
                 enum purpose purpose) {
  bool local;
  size_t k;
  int err;
  memset(out, 0, sizeof *out);
  if (n > LIMIT_URL_BYTES)
    return BASE_ERR_URL_LENGTH;
  k = find(s, n, ":");
  /* a server has no say in which files of this machine are opened */
  local = purpose != REDIRECT && ws_ascii_same(s, k, "ws+unix");
  if (k == n || (!local && !parse_scheme(out, s, k, purpose)))
    return BASE_ERR_URL_SCHEME;
  s += k + 1;
  n -= k + 1;
  if (n < 2 || s[0] != '/' || s[1] != '/')
    return BASE_ERR_URL_HOST;
  s += 2;
  n -= 2;
  if (local)
    return parse_local(out, s, n);
  k = find(s, n, "/?#");
  err = parse_authority(out, s, k, purpose);
  return err != 0 ? err : parse_resource(out, s + k, n - k);
}

int ws_url_parse(struct ws_url *out, const char *s, size_t n, bool http_too) {
  return parse(out, s, n, http_too ? REDIRECT : DIAL);
}

int ws_url_parse_listen(struct ws_url *out, const char *s, size_t n) {
  return parse(out, s, n, LISTEN);
}

static bool has_scheme(const char *s, size_t n) { /* RFC 3986, 3.1 */
  size_t i;
  if (n == 0 || !ws_ascii_is_alpha(s[0]))
    return false;
  for (i = 1; i < n && s[i] != ':'; i++)
    if (!ws_ascii_is_alpha(s[i]) && !ws_ascii_is_digit(s[i]) && s[i] != '+' &&
        s[i] != '-' && s[i] != '.')
      return false;
  return i < n;
}

/* How much of the base's resource stays before the reference "s". */
static size_t kept(const char *resource, const char *s, size_t n) {
  size_t all = strlen(resource);
  size_t path = find(resource, all, "?");
  if (n == 0 || s[0] == '#')
    return all;
  if (s[0] == '/')
    return 0;
  if (s[0] == '?')
    return path;
  while (path > 0 && resource[path - 1] != '/')
    path--; /* RFC 3986, 5.2.3 */
  return path;
}

/* Where the last segment of the path begins, its "/" included. */
static size_t parent(const char *s, size_t n) {
  while (n > 0 && s[n - 1] != '/')
    n--;
  return n > 0 ? n - 1 : 0;
}

/* RFC 3986, 5.2.4, in place, for a path that is empty or begins with "/". */
static size_t remove_dots(char *s, size_t n) {
  size_t in = 0, out = 0;
  while (in < n) {
    size_t k = 1 + find(s + in + 1, n - in - 1, "/");
    bool up = k == 3 && s[in + 1] == '.' && s[in + 2] == '.';
    bool here = k == 2 && s[in + 1] == '.';
    if (up)
      out = parent(s, out);
    if (!up && !here) {
      memmove(s + out, s + in, k);
      out += k;
    } else if (in + k == n) {
      s[out++] = '/';
    }
    in += k;
  }
  return out;
}

/*
** Take the dot segments out of a whole URL; '*n' becomes its new length. What
** they take along must be of a URL too.
*/
static int tidy(char *url, size_t *n) {
  size_t path, end, left;
  int err;
  path = find(url, *n, ":") + 3; /* behind "://", if there is one */
  if (path > *n || url[path - 2] != '/' || url[path - 1] != '/')
    return 0; /* ws_url_parse will refuse it */
  path += find(url + path, *n - path, "/?#");
  end = path + find(url + path, *n - path, "?#");
  err = check_resource(url + path, end - path);
  if (err != 0)
    return err;
  left = remove_dots(url + path, end - path);
  memmove(url + path + left, url + end, *n - end);
  *n -= end - path - left;
  return 0;
}

int ws_url_resolve(struct ws_url *out, const struct ws_url *base,
                   const char *s, size_t n) {
  const char *scheme = base->secure ? "wss:" : "ws:";
  char authority[AUTHORITY_BYTES];
  size_t size = 0, keep = 0;
  char *url;
  int err;
  memset(out, 0, sizeof *out);
  if (n > LIMIT_URL_BYTES)
    return BASE_ERR_URL_LENGTH;
  if (!has_scheme(s, n) && find(s, n, ":") < find(s, n, "/?#"))
    return BASE_ERR_URL_SCHEME; /* RFC 3986, 4.2: nor is it a path */
  if (base->path != NULL && n >= 2 && s[0] == '/' && s[1] == '/')
    return BASE_ERR_URL_HOST; /* the scheme ws+unix stays, and has no hosts */
  (void)ws_url_authority(base, authority, sizeof authority);
  if (n < 2 || s[0] != '/' || s[1] != '/')
    keep = kept(base->resource, s, n);
  url = (char *)base_malloc(8 + sizeof authority + keep + n);
  if (url == NULL)
    return BASE_ERR_MEMORY;
  if (!has_scheme(s, n)) {
    bool whole = n >= 2 && s[0] == '/' && s[1] == '/';
    size = (size_t)snprintf(url, 8 + sizeof authority, "%s%s%s", scheme,
                            whole ? "" : "//", whole ? "" : authority);
    memcpy(url + size, base->resource, keep);
    size += keep;
  }
  if (n > 0)
    memcpy(url + size, s, n);
  size += n;
  err = tidy(url, &size);
  if (err == 0)
    err = parse(out, url, size, REDIRECT);
  base_free(url);
  if (err == 0 && base->path != NULL && !has_scheme(s, n))
    err = stay_local(out, base->path);
  return err;
}

void ws_url_deinit(struct ws_url *u) {
  base_free(u->resource);
  base_free(u->path);
  u->resource = u->path = NULL;
}

size_t ws_url_authority(const struct ws_url *u, char *out, size_t size) {
  bool v6 = u->is_ip && strchr(u->host, ':') != NULL;
  char port[8] = "";
  if (!u->default_port)
    (void)snprintf(port, sizeof port, ":%u", (unsigned)u->port);
  return (size_t)snprintf(out, size, "%s%s%s%s", v6 ? "[" : "", u->host,
                          v6 ? "]" : "", port);
}

/* reg-name, but not an empty one (RFC 3986, 3.2.2). */
static bool is_reg_name(const char *s, size_t n) {
  size_t i;
  for (i = 0; i < n; i++) {
    if (is_escape(s + i, n - i))
      i += 2;
    else if (!is_plain(s[i]) || strchr(":@/?", s[i]) != NULL)
      return false;
  }
  return n > 0;
}

bool ws_url_is_authority(const char *s, size_t n) {
  unsigned port;
  size_t k;
  if (n > 0 && s[0] == '[') {
    k = find(s, n, "]");
    if (k == n || !is_ipv6(s + 1, k - 1))
      return false;
    k++;
  } else {
    k = find(s, n, ":");
    if (!is_reg_name(s, k))
      return false;
  }
  return k == n || (s[k] == ':' && read_port(&port, s + k + 1, n - k - 1));
}

bool ws_url_same_origin(const struct ws_url *a, const struct ws_url *b) {
  if (a->path != NULL || b->path != NULL)
    return a->path != NULL && b->path != NULL && strcmp(a->path, b->path) == 0;
  return a->secure == b->secure && a->port == b->port &&
         strcmp(a->host, b->host) == 0;
}
