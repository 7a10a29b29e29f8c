#include "ws/head.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "ws/ascii.h"
#include "ws/date.h"

/* What the next byte belongs to. */
enum state {
  METHOD, TARGET, VERSION, STATUS, REASON, CR, LF, LINE, NAME, VALUE, LAST_LF
};

static const char version[] = "HTTP/1.1";
enum { VERSION_SIZE = sizeof version - 1, MAJOR_AT = 5 };

static bool is_tchar(char c) { /* RFC 9110, 5.6.2 */
  return ws_ascii_is_alpha(c) || ws_ascii_is_digit(c) ||
         (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_text(char c) { /* RFC 9110, 5.5; obs-text included */
  unsigned char u = (unsigned char)c;
  return (u >= 0x20 && u != 0x7f) || c == '\t';
}

/*
** More than RFC 3986 allows, for browsers leave some characters of a query as
** they are; none that could end the target or begin a fragment.
*/
static bool is_target(char c) {
  return c > 0x20 && c < 0x7f && strchr("\"#<>", c) == NULL;
}

void ws_head_init(struct ws_head *h, bool is_request, size_t limit_bytes) {
  memset(h, 0, sizeof *h);
  base_buf_init(&h->bytes, limit_bytes);
  h->is_request = is_request;
  h->state = is_request ? METHOD : VERSION;
}

void ws_head_deinit(struct ws_head *h) {
  base_buf_free(&h->bytes);
  base_free(h->fields);
  h->fields = NULL;
  h->count = 0;
  h->complete = false;
}

/* The steps of the scanner: 0, or what is wrong with this byte. */

static int enter(struct ws_head *h, enum state s) {
  h->state = (uint8_t)s;
  h->step = 0;
  return 0;
}

static int scan_request(struct ws_head *h, char c) {
  bool first = h->step == 0;
  h->step = 1; /* neither is empty */
  if (c == ' ' && !first)
    return enter(h, h->state == METHOD ? TARGET : VERSION);
  return (h->state == METHOD ? is_tchar(c) : is_target(c))
             ? 0 : BASE_ERR_HEAD_SYNTAX;
}

static int scan_version(struct ws_head *h, char c) {
  bool old = h->is_request && h->step == VERSION_SIZE - 1 && c == '0';
  if (c != version[h->step] && !old)
    return h->step >= MAJOR_AT && ws_ascii_is_digit(c) ? BASE_ERR_HEAD_VERSION
                                                       : BASE_ERR_HEAD_SYNTAX;
  if (++h->step < VERSION_SIZE)
    return 0;
  h->minor = old ? 0 : 1;
  return enter(h, h->is_request ? CR : STATUS);
}

/* RFC 9112, 4: a space, three digits, and a space even without a reason. */
static int scan_status(struct ws_head *h, char c) {
  bool space = h->step == 0 || h->step == 4;
  if (space ? c != ' ' : !ws_ascii_is_digit(c))
    return BASE_ERR_HEAD_SYNTAX;
  if (h->step == 1 && c == '0')
    return BASE_ERR_HEAD_SYNTAX;
  if (!space)
    h->status = h->status * 10 + (c - '0');
  return ++h->step == 5 ? enter(h, REASON) : 0;
}

/* A line begins. White space here would be folding (RFC 9112, 5.2). */
static int scan_line(struct ws_head *h, char c) {
  if (c == '\r')
    return enter(h, LAST_LF);
  if (!is_tchar(c))
    return BASE_ERR_HEAD_SYNTAX;
  if (++h->seen > LIMIT_HEADER_FIELDS)
    return BASE_ERR_HEAD_LENGTH;
  return enter(h, NAME);
}

static int scan(struct ws_head *h, char c) {
  switch ((enum state)h->state) {
    case METHOD:
    case TARGET: return scan_request(h, c);
    case VERSION: return scan_version(h, c);
    case STATUS: return scan_status(h, c);
    case LINE: return scan_line(h, c);
    case NAME:
      if (c == ':')
        return enter(h, VALUE);
      return is_tchar(c) ? 0 : BASE_ERR_HEAD_SYNTAX;
    case REASON:
    case VALUE:
      if (c == '\r')
        return enter(h, LF);
      return is_text(c) ? 0 : BASE_ERR_HEAD_SYNTAX;
    case CR: return c == '\r' ? enter(h, LF) : BASE_ERR_HEAD_SYNTAX;
    case LF: return c == '\n' ? enter(h, LINE) : BASE_ERR_HEAD_SYNTAX;
    case LAST_LF:
      h->complete = c == '\n';
      return h->complete ? 0 : BASE_ERR_HEAD_SYNTAX;
  }
  return BASE_ERR_HEAD_SYNTAX;
}

/*
** Cutting a scanned head into strings. It is known to be well-formed, so that
** every search ends at a byte that is there.
*/

static char *cut(char *s, char at) {
  while (*s != at)
    s++;
  *s = '\0';
  return s + 1;
}

static char *cut_field(struct ws_field *f, char *s) {
  char *next, *end, *c;
  f->name = s;
  next = cut(s, ':');
  for (c = s; *c != '\0'; c++)
    *c = ws_ascii_lower(*c);
  while (*next == ' ' || *next == '\t')
    next++;
  f->value = next;
  s = next;
  next = cut(s, '\r');
  end = next - 1;
  while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
    end--;
  *end = '\0';
  return next + 1; /* over the LF */
}

/*
** Absolute-form (RFC 9112, 3.2.2): "http://h/x" becomes "h" and "/x". The
** authority moves over the two slashes, which makes room for a NUL behind it
** and for the "/" of an empty path.
*/
static void cut_absolute(struct ws_head *h, char *s) {
  static const char *const schemes[] = {"http", "https", "ws", "wss", NULL};
  size_t n = strcspn(s, ":"), i = 0;
  while (schemes[i] != NULL && !ws_ascii_same(s, n, schemes[i]))
    i++;
  if (schemes[i] == NULL || strncmp(s + n, "://", 3) != 0)
    return;
  s += n + 3;
  n = strcspn(s, "/?");
  h->authority = (char *)memmove(s - 2, s, n);
  s += n;
  s[-2] = '\0';
  if (*s != '/')
    *--s = '/';
  h->target = s;
}

static int finish(struct ws_head *h) {
  char *s = (char *)h->bytes.mem + h->bytes.start, *target;
  size_t i;
  h->fields = (struct ws_field *)base_calloc(h->seen, sizeof *h->fields);
  if (h->fields == NULL)
    return BASE_ERR_MEMORY;
  if (h->is_request) {
    h->method = s;
    target = s = cut(s, ' ');
    s = cut(s, ' ');
    h->target = target;
    cut_absolute(h, target);
  } else {
    h->reason = s += VERSION_SIZE + 5;
  }
  s = cut(s, '\r') + 1;
  for (i = 0; i < h->seen; i++)
    s = cut_field(&h->fields[i], s);
  h->count = h->seen;
  return 0;
}

long ws_head_feed(struct ws_head *h, const uint8_t *in, size_t n) {
  size_t room = h->bytes.max - h->bytes.len;
  size_t used = 0;
  if (h->complete)
    return 0;
  while (used < n && h->err == 0 && !h->complete) {
    if (used == room)
      h->err = BASE_ERR_HEAD_LENGTH;
    else
      h->err = scan(h, (char)in[used++]);
  }
  h->scanned += used;
  if (h->err == 0)
    h->err = base_buf_append(&h->bytes, in, used);
  if (h->err == 0 && h->complete)
    h->err = finish(h);
  if (h->err != 0) {
    h->complete = false;
    return h->err;
  }
  return (long)used;
}

const char *ws_head_get(const struct ws_head *h, const char *name) {
  size_t i;
  for (i = 0; i < h->count; i++)
    if (strcmp(h->fields[i].name, name) == 0)
      return h->fields[i].value;
  return NULL;
}

size_t ws_head_count(const struct ws_head *h, const char *name) {
  size_t i, n = 0;
  for (i = 0; i < h->count; i++)
    n += strcmp(h->fields[i].name, name) == 0;
  return n;
}

bool ws_head_element(const char **list, struct ws_span *out) {
  const char *s = *list;
  size_t n;
  if (s == NULL)
    return false;
  s += strspn(s, " \t");
  n = strcspn(s, ",");
  *list = s[n] == ',' ? s + n + 1 : NULL;
  while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
    n--;
  out->at = s;
  out->len = n;
  return true;
}

static bool list_has(const char *list, const char *token) {
  struct ws_span one;
  while (ws_head_element(&list, &one))
    if (ws_ascii_same(one.at, one.len, token))
      return true;
  return false;
}

bool ws_head_has_token(const struct ws_head *h, const char *name,
                       const char *token) {
  size_t i;
  for (i = 0; i < h->count; i++)
    if (strcmp(h->fields[i].name, name) == 0 &&
        list_has(h->fields[i].value, token))
      return true;
  return false;
}

int ws_head_joined(const struct ws_head *head, size_t i,
                   struct base_buf *out) {
  const char *name = head->fields[i].name;
  const char *between = strcmp(name, "cookie") == 0 ? "; " : ", ";
  size_t before = out->len, k;
  int err = 0;
  for (k = 0; k < i; k++)
    if (strcmp(head->fields[k].name, name) == 0)
      return 0;
  ws_head_put(out, &err, head->fields[i].value);
  for (k = i + 1; k < head->count; k++)
    if (strcmp(head->fields[k].name, name) == 0) {
      ws_head_put(out, &err, between);
      ws_head_put(out, &err, head->fields[k].value);
    }
  if (err == 0)
    return 1;
  out->len = before;
  return err;
}

void ws_head_put(struct base_buf *out, int *err, const char *s) {
  if (*err == 0)
    *err = base_buf_append_str(out, s);
}

void ws_head_put_field(struct base_buf *out, int *err, const char *name,
                       const char *value) {
  assert(ws_head_is_token(name, strlen(name)));
  assert(ws_head_is_value(value, strlen(value)));
  ws_head_put(out, err, name);
  ws_head_put(out, err, ": ");
  ws_head_put(out, err, value);
  ws_head_put(out, err, "\r\n");
}

void ws_head_put_fields(struct base_buf *out, int *err,
                        const struct ws_pair *fields, size_t count) {
  size_t i;
  for (i = 0; i < count; i++)
    ws_head_put_field(out, err, fields[i].name, fields[i].value);
}

bool ws_head_is_token(const char *s, size_t n) {
  size_t i;
  for (i = 0; i < n; i++)
    if (!is_tchar(s[i]))
      return false;
  return n > 0;
}

bool ws_head_is_value(const char *s, size_t n) {
  size_t i;
  for (i = 0; i < n; i++)
    if (!is_text(s[i]))
      return false;
  return true;
}

double ws_head_retry_after(const struct ws_head *h, double now) {
  const double most = 1e9; /* some thirty years: as good as never */
  const char *s = ws_head_get(h, "retry-after");
  double wait = 0, date;
  if (s == NULL || *s == '\0')
    return -1;
  if (ws_ascii_is_digit(*s)) { /* delay-seconds */
    for (; ws_ascii_is_digit(*s); s++)
      if (wait < most)
        wait = wait * 10 + (*s - '0');
    if (*s != '\0')
      return -1;
  } else {
    if (!ws_date_parse(&date, s))
      return -1;
    wait = date - now;
  }
  if (wait > most)
    return most;
  return wait > 0 ? wait : 0;
}
