/*
** URLs (csrc/ws/url.c). The first byte of an input says what the rest is: a URL
** to dial, of a server's redirect, or to listen on; the host of a request; or a
** base and, behind a line feed, a reference that is resolved against it.
*/
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "fuzz.h"
#include "support/broken.h"
#include "support/url.h"
#include "ws/url.h"

enum mode { RESOLVE = URL_LISTEN + 1, AUTHORITY, MODES };
enum { AUTHORITY_SIZE = 270 };

double fuzz_limit_seconds = 1;

/* In memory of its own size, without a NUL behind it. */
static int parse(struct ws_url *u, const char *s, size_t n,
                 enum url_purpose purpose) {
  char *copy = (char *)malloc(n + 1);
  int err;
  MUST(copy != NULL);
  memcpy(copy + 1, s, n);
  memset(u, 0xa5, sizeof *u);
  if (purpose == URL_LISTEN)
    err = ws_url_parse_listen(u, copy + 1, n);
  else
    err = ws_url_parse(u, copy + 1, n, purpose == URL_REDIRECT);
  free(copy);
  return err;
}

static void is_error(const struct ws_url *u, int err) {
  struct base_error *e = base_error_from(err);
  MUST(e->kind == BASE_KIND_UPGRADE);
  MUST_OF(e->message, strcmp(e->code, "url") == 0);
  base_error_free(e);
  MUST(u->resource == NULL && u->path == NULL);
}

/* Nothing that ends a line or a word of a request gets into it. */
static void is_harmless(const char *s) {
  for (; *s != '\0'; s++)
    MUST(*s > ' ' && *s < 0x7f && *s != '#' && *s != '"');
}

static void same(const struct ws_url *u, const struct url_parts *p) {
  MUST(u->secure == p->secure && u->is_ip == p->is_ip);
  MUST(u->port == p->port && u->default_port == p->default_port);
  MUST_OF(u->host, strcmp(u->host, p->host) == 0);
  MUST_OF(u->resource, strcmp(u->resource, p->resource) == 0);
  MUST((u->path == NULL) == (p->path[0] == '\0'));
  MUST(u->path == NULL || strcmp(u->path, p->path) == 0);
  is_harmless(u->host);
  is_harmless(u->resource);
}

/* Written again, it says the same. */
static void comes_back(const struct ws_url *u, enum url_purpose purpose) {
  char authority[AUTHORITY_SIZE];
  size_t n = ws_url_authority(u, authority, sizeof authority), size;
  struct ws_url back;
  char *all;
  MUST(n < sizeof authority && strlen(authority) == n);
  MUST(ws_url_is_authority(authority, n));
  MUST(ws_url_same_origin(u, u));
  size = n + strlen(u->resource) + 10;
  if (u->path != NULL || size > LIMIT_URL_BYTES)
    return;
  all = (char *)malloc(size);
  MUST(all != NULL);
  n = (size_t)snprintf(all, size, "%s://%s%s", u->secure ? "wss" : "ws",
                       authority, u->resource);
  MUST_OF(all, parse(&back, all, n, purpose) == 0);
  MUST(ws_url_same_origin(u, &back));
  MUST(strcmp(u->resource, back.resource) == 0 && u->is_ip == back.is_ip);
  ws_url_deinit(&back);
  free(all);
}

static bool to_parse(struct ws_url *u, struct url_parts *p, const char *s,
                     size_t n, enum url_purpose purpose) {
  bool right = strlen(s) == n && url_parts_of(p, s, purpose);
  int err = parse(u, s, n, purpose);
  MUST_OF(s, (err == 0) == right);
  if (err != 0) {
    is_error(u, err);
    return false;
  }
  same(u, p);
  comes_back(u, purpose);
  return true;
}

/* RFC 6454, 5; a local socket is its own. */
static bool is_same_origin(const struct url_parts *a,
                           const struct url_parts *b) {
  return strcmp(a->path, b->path) == 0 && strcmp(a->host, b->host) == 0 &&
         a->secure == b->secure && a->port == b->port;
}

static void to_resolve(const struct ws_url *base, const struct url_parts *from,
                       const char *s, size_t n) {
  static struct url_parts p;
  struct ws_url u;
  bool right = strlen(s) == n && url_parts_from(&p, from, s);
  char *copy = (char *)malloc(n + 1);
  int err;
  MUST(copy != NULL);
  memcpy(copy + 1, s, n);
  memset(&u, 0xa5, sizeof u);
  err = ws_url_resolve(&u, base, copy + 1, n);
  free(copy);
  MUST_OF(s, (err == 0) == right);
  if (err != 0) {
    is_error(&u, err);
    return;
  }
  same(&u, &p);
  comes_back(&u, URL_REDIRECT);
  MUST(ws_url_same_origin(base, &u) == is_same_origin(from, &p));
  MUST(ws_url_same_origin(&u, base) == is_same_origin(from, &p));
  ws_url_deinit(&u);
}

static void base_and_reference(const char *s, size_t n) {
  static struct url_parts p;
  struct ws_url base;
  char *copy;
  size_t k;
  const char *end = (const char *)memchr(s, '\n', n);
  if (end == NULL)
    return;
  k = (size_t)(end - s);
  copy = (char *)calloc(1, k + 1);
  MUST(copy != NULL);
  memcpy(copy, s, k);
  if (to_parse(&base, &p, copy, k, URL_DIAL)) {
    to_resolve(&base, &p, end + 1, n - k - 1);
    ws_url_deinit(&base);
  }
  free(copy);
}

/* Whoever may be dialled may be a host of a request. */
static void authority(const char *s, size_t n) {
  static struct url_parts p;
  char *copy = (char *)malloc(n + 1), *url;
  bool is;
  MUST(copy != NULL);
  memcpy(copy + 1, s, n);
  is = ws_url_is_authority(copy + 1, n);
  free(copy);
  if (is) {
    MUST(n > 0 && strlen(s) == n);
    MUST_OF(s, strpbrk(s, "/?#@ \t\r\n\"<>\\") == NULL);
    is_harmless(s);
    return;
  }
  url = (char *)malloc(n + 8);
  MUST(url != NULL);
  (void)snprintf(url, n + 8, "wss://%s", s);
  MUST_OF(s, strlen(s) < n || strpbrk(s, "/?") != NULL ||
                 !url_parts_of(&p, url, URL_LISTEN));
  free(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct url_parts p;
  struct ws_url u;
  size_t n = size - 1;
  unsigned mode;
  char *s;
  if (size == 0)
    return 0;
  mode = data[0] % MODES;
  s = (char *)malloc(size);
  MUST(s != NULL);
  memcpy(s, data + 1, n);
  s[n] = '\0';
  if (mode == RESOLVE)
    base_and_reference(s, n);
  else if (mode == AUTHORITY)
    authority(s, n);
  else if (to_parse(&u, &p, s, n, (enum url_purpose)mode))
    ws_url_deinit(&u);
  free(s);
  return 0;
}
