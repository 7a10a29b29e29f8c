#include "support/url.h"

#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>

#include "support/broken.h"

/* What ws/url promises besides the grammar. */
enum { URL_MAX = 8192, NAME_MAX_BYTES = 253, PATH_MAX_BYTES = 107 };
enum { WHOLE_MAX = 17000, GROUPS = 10 };

#define PLAIN "A-Za-z0-9._~!$&'()*+,;=@/-"
#define ESCAPE "%[0-9A-Fa-f]{2}"
#define RESOURCE "[/?]([?:" PLAIN "]|" ESCAPE ")*"
#define LABEL "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"

enum which { URL, LOCAL, NAME, NUMBER, PATH, REFERENCE, WHICH };

static const char *const texts[WHICH] = {
  [URL] = "^([A-Za-z]+)://(\\[([0-9A-Fa-f:.]*)\\]|[A-Za-z0-9._*-]+)"
          "(:([0-9]*))?(" RESOURCE ")?$",
  [LOCAL] = "^[wW][sS][+][uU][nN][iI][xX]://(([" PLAIN "]|" ESCAPE ")+)"
            "(:(/([?:" PLAIN "]|" ESCAPE ")*))?$",
  [NAME] = "^(" LABEL "[.])*" LABEL "[.]?$",
  [NUMBER] = "(^|[.])([0-9]+|0[xX][0-9A-Fa-f]*)[.]?$",
  [PATH] = "^([:" PLAIN "]|" ESCAPE ")*$",
  /* RFC 3986, appendix B, with the scheme of 3.1. */
  [REFERENCE] =
      "^([A-Za-z][A-Za-z0-9+.-]*:)?(//([^/?#]*))?([^?#]*)([?][^#]*)?(#.*)?$",
};

struct found {
  const char *of;
  regmatch_t at[GROUPS];
};

static bool match(struct found *f, enum which which, const char *s) {
  static regex_t made[WHICH];
  static bool ready[WHICH];
  if (!ready[which])
    MUST(regcomp(&made[which], texts[which], REG_EXTENDED) == 0);
  ready[which] = true;
  f->of = s;
  return regexec(&made[which], s, GROUPS, f->at, 0) == 0;
}

static void copy(char *out, size_t size, const char *s) {
  MUST((size_t)snprintf(out, size, "%s", s) < size);
}

/* A group's text, "" if it took no part; 'out' has room for it. */
static char *take(char *out, size_t size, const struct found *f, int group) {
  regmatch_t m = f->at[group];
  size_t n = m.rm_so < 0 ? 0 : (size_t)(m.rm_eo - m.rm_so);
  MUST(n < size);
  if (n > 0)
    memcpy(out, f->of + m.rm_so, n);
  out[n] = '\0';
  return out;
}

static size_t length(const struct found *f, int group) {
  return f->at[group].rm_so < 0
             ? 0 : (size_t)(f->at[group].rm_eo - f->at[group].rm_so);
}

/* ---- a URL --------------------------------------------------------------- */

static bool scheme_of(struct url_parts *out, const char *s,
                      enum url_purpose purpose) {
  bool http = purpose == URL_REDIRECT;
  out->secure = strcasecmp(s, "wss") == 0 ||
                (http && strcasecmp(s, "https") == 0);
  return out->secure || strcasecmp(s, "ws") == 0 ||
         (http && strcasecmp(s, "http") == 0);
}

static bool is_name(const char *s) {
  struct found f;
  size_t n = strlen(s);
  if (strcmp(s, "*") == 0)
    return true;
  if (n > 0 && s[n - 1] == '.')
    n--;
  return n <= NAME_MAX_BYTES && match(&f, NAME, s) && !match(&f, NUMBER, s);
}

static bool host_of(struct url_parts *out, const struct found *f) {
  unsigned char address[16];
  bool bracket = f->at[3].rm_so >= 0;
  char *c;
  if (length(f, bracket ? 3 : 2) >= sizeof out->host)
    return false;
  (void)take(out->host, sizeof out->host, f, bracket ? 3 : 2);
  for (c = out->host; *c != '\0'; c++)
    *c = (char)tolower((unsigned char)*c);
  out->is_ip = inet_pton(bracket ? AF_INET6 : AF_INET, out->host, address) == 1;
  return out->is_ip || (!bracket && is_name(out->host));
}

static bool port_of(struct url_parts *out, const struct found *f,
                    enum url_purpose purpose) {
  unsigned usual = out->secure ? 443 : 80;
  const char *s = f->of + f->at[5].rm_so;
  size_t n = length(f, 5);
  char digits[6];
  out->port = usual;
  out->default_port = true;
  if (n == 0)
    return true;
  for (; n > 1 && *s == '0'; n--)
    s++;
  if (n >= sizeof digits)
    return false;
  memcpy(digits, s, n);
  digits[n] = '\0';
  out->port = (unsigned)atoi(digits);
  out->default_port = out->port == usual;
  return out->port <= 65535 && (out->port > 0 || purpose == URL_LISTEN);
}

static void resource_of(struct url_parts *out, const struct found *f,
                        int group) {
  char text[URL_MAX + 1];
  (void)take(text, sizeof text, f, group);
  (void)snprintf(out->resource, sizeof out->resource, "%s%s",
                 text[0] == '/' ? "" : "/", text);
}

static bool local_of(struct url_parts *out, const struct found *f) {
  char text[URL_MAX + 1];
  const char *s = take(text, sizeof text, f, 1);
  size_t n = 0;
  for (; *s != '\0'; s++) {
    unsigned c = (unsigned char)*s;
    if (c == '%') {
      MUST(sscanf(s + 1, "%2x", &c) == 1);
      s += 2;
    }
    if (c == 0 || n == PATH_MAX_BYTES)
      return false;
    out->path[n++] = (char)c;
  }
  out->path[n] = '\0';
  copy(out->host, sizeof out->host, "localhost");
  out->default_port = true;
  resource_of(out, f, 4);
  return n > 1 && out->path[0] == '/';
}

bool url_parts_of(struct url_parts *out, const char *s,
                  enum url_purpose purpose) {
  struct found f;
  char scheme[URL_MAX + 1];
  memset(out, 0, sizeof *out);
  if (strlen(s) > URL_MAX)
    return false;
  if (purpose != URL_REDIRECT && match(&f, LOCAL, s))
    return local_of(out, &f);
  if (!match(&f, URL, s))
    return false;
  if (!scheme_of(out, take(scheme, sizeof scheme, &f, 1), purpose) ||
      !host_of(out, &f) || !port_of(out, &f, purpose))
    return false;
  resource_of(out, &f, 6);
  return true;
}

/* ---- a reference (RFC 3986, 5.2) ----------------------------------------- */

/* 5.2.4 with its steps A to E; 'in' is destroyed. */
static void remove_dot_segments(char *out, char *in) {
  size_t n = 0;
  while (*in != '\0') {
    if (strncmp(in, "../", 3) == 0) { /* A */
      in += 3;
    } else if (strncmp(in, "./", 2) == 0) {
      in += 2;
    } else if (strncmp(in, "/./", 3) == 0) { /* B */
      in += 2;
    } else if (strcmp(in, "/.") == 0) {
      in[1] = '\0';
    } else if (strncmp(in, "/../", 4) == 0 || strcmp(in, "/..") == 0) { /* C */
      in += 3;
      if (*in == '\0')
        *--in = '/';
      while (n > 0 && out[--n] != '/')
        ;
    } else if (strcmp(in, ".") == 0 || strcmp(in, "..") == 0) { /* D */
      *in = '\0';
    } else { /* E */
      do
        out[n++] = *in++;
      while (*in != '\0' && *in != '/');
    }
  }
  out[n] = '\0';
}

/* 5.2.3; a base has an authority always, and a path. */
static void merge(char *out, size_t size, const char *base, const char *path) {
  size_t n = strcspn(base, "?");
  while (n > 0 && base[n - 1] != '/')
    n--;
  (void)snprintf(out, size, "%.*s%s", (int)n, base, path);
}

struct reference {
  char scheme[WHOLE_MAX], authority[WHOLE_MAX], path[WHOLE_MAX];
  char query[WHOLE_MAX], fragment[WHOLE_MAX];
  bool has_authority;
};

static void split(struct reference *r, const char *s) {
  struct found f;
  MUST(match(&f, REFERENCE, s));
  (void)take(r->scheme, sizeof r->scheme, &f, 1);
  (void)take(r->authority, sizeof r->authority, &f, 2);
  (void)take(r->path, sizeof r->path, &f, 4);
  (void)take(r->query, sizeof r->query, &f, 5);
  (void)take(r->fragment, sizeof r->fragment, &f, 6);
  r->has_authority = f.at[2].rm_so >= 0;
}

static void authority_of(char *out, size_t size, const struct url_parts *base) {
  bool six = strchr(base->host, ':') != NULL;
  int n = snprintf(out, size, "//%s%s%s", six ? "[" : "", base->host,
                   six ? "]" : "");
  if (!base->default_port)
    (void)snprintf(out + n, size - (size_t)n, ":%u", base->port);
}

/* 5.2.2, from a base whose path is its resource up to "?". */
static void complete(struct reference *r, const struct url_parts *base) {
  char merged[WHOLE_MAX];
  size_t path = strcspn(base->resource, "?");
  if (r->scheme[0] != '\0')
    return;
  copy(r->scheme, sizeof r->scheme, base->secure ? "wss:" : "ws:");
  if (r->has_authority)
    return;
  authority_of(r->authority, sizeof r->authority, base);
  r->has_authority = true;
  if (r->path[0] == '\0') {
    memcpy(r->path, base->resource, path);
    r->path[path] = '\0';
    if (r->query[0] == '\0')
      copy(r->query, sizeof r->query, base->resource + path);
  } else if (r->path[0] != '/') {
    merge(merged, sizeof merged, base->resource, r->path);
    copy(r->path, sizeof r->path, merged);
  }
}

bool url_parts_from(struct url_parts *out, const struct url_parts *base,
                    const char *reference) {
  static struct reference r;
  struct found f;
  static char whole[5 * WHOLE_MAX], path[WHOLE_MAX];
  bool absolute;
  if (strlen(reference) > URL_MAX)
    return false;
  split(&r, reference);
  if (!match(&f, PATH, r.path)) /* of which parts may be left out below */
    return false;
  absolute = r.scheme[0] != '\0';
  if (!absolute && !r.has_authority &&
      strcspn(r.path, ":") < strcspn(r.path, "/"))
    return false; /* path-noscheme (4.2) */
  if (base->path[0] != '\0' && !absolute && r.has_authority)
    return false; /* another local socket */
  complete(&r, base);
  if (r.has_authority)
    remove_dot_segments(path, r.path);
  (void)snprintf(whole, sizeof whole, "%s%s%s%s%s", r.scheme, r.authority,
                 path, r.query, r.fragment);
  if (!r.has_authority || !url_parts_of(out, whole, URL_REDIRECT))
    return false;
  if (base->path[0] != '\0' && !absolute) {
    copy(out->path, sizeof out->path, base->path);
    out->port = 0;
    out->default_port = true;
  }
  return true;
}
