#include "support/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/err.h"
#include "support/broken.h"
#include "support/pattern.h"

#define ALPHA "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"
#define TOKEN ALPHA DIGIT "!#$%&'*+-.^_`|~" /* RFC 9110, 5.6.2 */

struct cursor {
  const uint8_t *in;
  size_t n, i;
  bool cut; /* the bytes end here */
  int err;
};

/* ---- what a byte may be -------------------------------------------------- */

typedef bool is_fn(unsigned c);

static bool is_token(unsigned c) {
  return c != 0 && c < 0x80 && strchr(TOKEN, (int)c) != NULL;
}

static bool is_digit(unsigned c) {
  return c != 0 && c < 0x80 && strchr(DIGIT, (int)c) != NULL;
}

static bool is_text(unsigned c) { /* RFC 9110, 5.5 */
  return c == '\t' || (c >= ' ' && c <= '~') || c >= 0x80;
}

static bool is_target(unsigned c) { /* what browsers send, too */
  return c > ' ' && c <= '~' && c != '"' && c != '#' && c != '<' && c != '>';
}

bool http_is_token(const char *s, size_t n) {
  size_t i = 0;
  while (i < n && is_token((uint8_t)s[i]))
    i++;
  return n > 0 && i == n;
}

/* ---- reading ------------------------------------------------------------- */

static bool more(struct cursor *c) {
  c->cut = c->cut || c->i == c->n;
  return !c->cut && c->err == 0;
}

static void one(struct cursor *c, is_fn *is) {
  if (more(c) && is(c->in[c->i]))
    c->i++;
  else if (!c->cut && c->err == 0)
    c->err = BASE_ERR_HEAD_SYNTAX;
}

static void run(struct cursor *c, is_fn *is) {
  while (more(c) && is(c->in[c->i]))
    c->i++;
}

static void literal(struct cursor *c, const char *text) {
  for (; *text != '\0' && more(c); text++) {
    if (c->in[c->i] != (uint8_t)*text)
      c->err = BASE_ERR_HEAD_SYNTAX;
    else
      c->i++;
  }
}

static char *text_of(const uint8_t *at, size_t n) {
  char *text = (char *)malloc(n + 1);
  MUST(text != NULL);
  memcpy(text, at, n);
  text[n] = '\0';
  return text;
}

/* What has been read since 'from'; NULL when it may go on. */
static char *since(const struct cursor *c, size_t from) {
  return c->cut || c->err != 0 ? NULL : text_of(c->in + from, c->i - from);
}

/* A digit where another stands is a version that is not ours. */
static void read_version(struct http *h, struct cursor *c) {
  size_t from = c->i;
  literal(c, "HTTP/1.");
  if (more(c) && h->request && c->in[c->i] == '0')
    c->i++;
  else
    literal(c, "1");
  if (c->err != 0 && c->i - from >= 5 && is_digit(c->in[c->i]))
    c->err = BASE_ERR_HEAD_VERSION;
  if (c->err == 0 && !c->cut)
    h->minor = c->in[c->i - 1] - '0';
}

static void read_request(struct http *h, struct cursor *c) {
  size_t from = c->i;
  one(c, is_token);
  run(c, is_token);
  h->method = since(c, from);
  literal(c, " ");
  from = c->i;
  one(c, is_target);
  run(c, is_target);
  h->target = since(c, from);
  literal(c, " ");
  read_version(h, c);
}

static void read_status(struct http *h, struct cursor *c) {
  size_t from;
  int digit;
  read_version(h, c);
  literal(c, " ");
  from = c->i;
  if (more(c) && c->in[c->i] == '0')
    c->err = BASE_ERR_HEAD_SYNTAX;
  for (digit = 0; digit < 3; digit++)
    one(c, is_digit);
  for (; !c->cut && c->err == 0 && from < c->i; from++)
    h->status = 10 * h->status + c->in[from] - '0';
  literal(c, " ");
  from = c->i;
  run(c, is_text);
  h->reason = since(c, from);
}

static char *trimmed(char *s) {
  size_t n = strlen(s), from = strspn(s, " \t");
  while (n > from && strchr(" \t", s[n - 1]) != NULL)
    n--;
  memmove(s, s + from, n - from);
  s[n - from] = '\0';
  return s;
}

static void read_field(struct http *h, struct cursor *c) {
  struct http_field *f = &h->fields[h->count];
  size_t from = c->i;
  char *name, *value, *s;
  if (more(c) && h->count == HTTP_FIELDS && is_token(c->in[c->i])) {
    c->err = BASE_ERR_HEAD_LENGTH;
    return;
  }
  one(c, is_token);
  run(c, is_token);
  name = since(c, from);
  literal(c, ":");
  from = c->i;
  run(c, is_text);
  value = since(c, from);
  literal(c, "\r\n");
  if (c->cut || c->err != 0) {
    free(name);
    free(value);
    return;
  }
  for (s = name; *s != '\0'; s++)
    if (strchr(ALPHA, *s) != NULL)
      *s = (char)(*s | 0x20);
  f->name = name;
  f->value = trimmed(value);
  h->count++;
}

/* RFC 9112, 3.2.2 */
static void split_target(struct http *h) {
  static struct pattern absolute =
      PATTERN("([Hh][Tt][Tt][Pp][Ss]?|[Ww][Ss][Ss]?)://.*");
  char *all = h->target, *at;
  size_t n;
  if (!pattern_fits(&absolute, all, strlen(all)))
    return;
  at = strstr(all, "://") + 3;
  n = strcspn(at, "/?");
  h->authority = text_of((const uint8_t *)at, n);
  at += n;
  n = strlen(at) + 2;
  h->target = (char *)malloc(n);
  MUST(h->target != NULL);
  (void)snprintf(h->target, n, at[0] == '/' ? "%s" : "/%s", at);
  free(all);
}

void http_read(struct http *out, const uint8_t *in, size_t n, bool request,
               size_t limit) {
  struct cursor c = {in, n < limit ? n : limit, 0, false, 0};
  memset(out, 0, sizeof *out);
  out->request = request;
  if (request)
    read_request(out, &c);
  else
    read_status(out, &c);
  literal(&c, "\r\n");
  while (more(&c) && in[c.i] != '\r')
    read_field(out, &c);
  literal(&c, "\r\n");
  out->whole = !c.cut && c.err == 0;
  if (c.cut && n > limit)
    c.err = BASE_ERR_HEAD_LENGTH;
  out->err = c.err;
  out->at = c.i;
  if (out->whole && request)
    split_target(out);
}

void http_free(struct http *h) {
  size_t i;
  for (i = 0; i < h->count; i++) {
    free(h->fields[i].name);
    free(h->fields[i].value);
  }
  free(h->method);
  free(h->target);
  free(h->authority);
  free(h->reason);
  memset(h, 0, sizeof *h);
}

/* ---- fields -------------------------------------------------------------- */

size_t http_count(const struct http *h, const char *name) {
  size_t i, n = 0;
  for (i = 0; i < h->count; i++)
    if (strcmp(h->fields[i].name, name) == 0)
      n++;
  return n;
}

const char *http_only(const struct http *h, const char *name) {
  const char *found = NULL;
  size_t i;
  for (i = 0; i < h->count; i++)
    if (strcmp(h->fields[i].name, name) == 0)
      found = h->fields[i].value;
  return http_count(h, name) == 1 ? found : NULL;
}

bool http_is_first(const struct http *h, size_t field) {
  size_t i = 0;
  while (strcmp(h->fields[i].name, h->fields[field].name) != 0)
    i++;
  return i == field;
}

void http_join(struct blob *out, const struct http *h, const char *name) {
  bool cookie = strcmp(name, "cookie") == 0, first = true;
  size_t i;
  for (i = 0; i < h->count; i++) {
    if (strcmp(h->fields[i].name, name) != 0)
      continue;
    if (!first)
      blob_put(out, cookie ? "; " : ", ", 2);
    blob_put(out, h->fields[i].value, strlen(h->fields[i].value));
    first = false;
  }
  blob_put(out, "", 1);
}

bool http_lists(const struct http *h, const char *name, const char *word) {
  struct blob all = {NULL, 0, 0};
  char *at, *next;
  bool found = false;
  http_join(&all, h, name);
  for (at = (char *)all.mem; !found && at != NULL; at = next) {
    next = strchr(at, ',');
    if (next != NULL)
      *next++ = '\0';
    found = strcasecmp(trimmed(at), word) == 0;
  }
  blob_free(&all);
  return found;
}

/* ---- Retry-After (RFC 9110, 10.2.3) -------------------------------------- */

#define DAYS "(Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
#define MONTHS "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"

static bool read_date(double *out, const char *s) {
  static struct pattern date = PATTERN(
      DAYS ", [0-9]{2} " MONTHS " [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT");
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  char month[4] = "";
  struct tm tm;
  int day, second;
  if (!pattern_fits(&date, s, strlen(s)))
    return false;
  memset(&tm, 0, sizeof tm);
  (void)sscanf(s + 5, "%d %3s %d %d:%d:%d", &day, month, &tm.tm_year,
               &tm.tm_hour, &tm.tm_min, &second);
  if (tm.tm_year < 1 || tm.tm_hour > 23 || tm.tm_min > 59 || second > 60)
    return false;
  tm.tm_mon = (int)(strstr(months, month) - months) / 3;
  tm.tm_year -= 1900;
  tm.tm_mday = day;
  *out = (double)timegm(&tm) + second;
  return tm.tm_mday == day; /* or there is no such day */
}

double http_retry_after(const struct http *h, double now) {
  static struct pattern seconds = PATTERN("[0-9]+");
  const char *s = NULL;
  double wait = 0;
  size_t i;
  for (i = h->count; i > 0; i--)
    if (strcmp(h->fields[i - 1].name, "retry-after") == 0)
      s = h->fields[i - 1].value;
  if (s == NULL)
    return -1;
  if (pattern_fits(&seconds, s, strlen(s)))
    wait = strtod(s, NULL);
  else if (read_date(&wait, s))
    wait = wait > now ? wait - now : 0;
  else
    return -1;
  return wait < 1e9 ? wait : 1e9;
}
