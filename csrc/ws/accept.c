/* The server's side of the opening handshake (RFC 6455, 4.2). */
#include "ws/handshake.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "ws/ascii.h"
#include "ws/date.h"

/* ---- what a request asks for --------------------------------------------- */

/* Always false: the end of a chain of checks. */
static bool refuse(struct ws_ask *a, int status, const char *why) {
  a->status = status;
  a->why = why;
  a->keep = false;
  a->key = NULL;
  return false;
}

static void split_target(struct ws_ask *a, const char *target) {
  a->path.at = target;
  a->path.len = strcspn(target, "?");
  if (target[a->path.len] == '?') {
    a->query.at = target + a->path.len + 1;
    a->query.len = strlen(a->query.at);
  }
}

/* Methods are told apart by case (RFC 9110, 9.1). */
static bool check_method(struct ws_ask *a, const struct ws_head *h) {
  if (a->head_only || strcmp(h->method, "GET") == 0)
    return true;
  return refuse(a, 405, "the method is neither GET nor HEAD");
}

/* RFC 9112, 3.2: HTTP/1.0 need not have a Host, but none may have two. */
static bool check_host(struct ws_ask *a, const struct ws_head *h) {
  const char *host = ws_head_get(h, "host");
  if (ws_head_count(h, "host") > 1)
    return refuse(a, 400, "there is more than one Host");
  if (host == NULL && h->minor > 0)
    return refuse(a, 400, "there is no Host");
  if (host != NULL && !ws_url_is_authority(host, strlen(host)))
    return refuse(a, 400, "the Host is malformed");
  a->host = host != NULL ? host : "";
  return true;
}

static bool check_target(struct ws_ask *a, const struct ws_head *h) {
  if (h->target[0] != '/')
    return refuse(a, 400, "the target is neither a path nor a URL of http");
  if (h->authority == NULL)
    return true;
  if (!ws_url_is_authority(h->authority, strlen(h->authority)))
    return refuse(a, 400, "the target's host is malformed");
  a->host = h->authority; /* RFC 9112, 3.2.2: whatever Host says */
  return true;
}

/* Which origin is allowed is decided by looking at one. */
static bool check_origin(struct ws_ask *a, const struct ws_head *h) {
  a->origin = ws_head_get(h, "origin");
  if (ws_head_count(h, "origin") > 1)
    return refuse(a, 400, "there is more than one Origin");
  return true;
}

/* Digits; leading zeros are taken away, so that a zero becomes empty. */
static bool is_length(struct ws_span *s) {
  size_t i;
  if (s->len == 0)
    return false;
  for (i = 0; i < s->len; i++)
    if (!ws_ascii_is_digit(s->at[i]))
      return false;
  while (s->len > 0 && s->at[0] == '0') {
    s->at++;
    s->len--;
  }
  return true;
}

/* RFC 9112, 6.3: one number, or the same one several times. */
static bool check_length(struct ws_ask *a, const struct ws_head *h) {
  struct ws_span all = {NULL, 0}, one;
  size_t i;
  for (i = 0; i < h->count; i++) {
    const char *list = h->fields[i].value;
    if (strcmp(h->fields[i].name, "content-length") != 0)
      continue;
    while (ws_head_element(&list, &one)) {
      if (!is_length(&one))
        return refuse(a, 400, "the Content-Length is malformed");
      if (all.at != NULL &&
          (one.len != all.len || memcmp(one.at, all.at, one.len) != 0))
        return refuse(a, 400, "there are several values of Content-Length");
      all = one;
    }
  }
  if (all.len > 0)
    return refuse(a, 413, "the request has a body");
  return true;
}

/*
** What cannot be told apart from the next request is not answered but closed:
** a proxy may see another end of it (RFC 9112, 11.2).
*/
static bool check_body(struct ws_ask *a, const struct ws_head *h) {
  if (ws_head_count(h, "transfer-encoding") == 0)
    return check_length(a, h);
  if (ws_head_count(h, "content-length") > 0) /* RFC 9112, 6.3 */
    return refuse(a, 400, "Transfer-Encoding stands beside Content-Length");
  if (h->minor == 0) /* RFC 9112, 6.1 */
    return refuse(a, 400, "Transfer-Encoding is not of HTTP/1.0");
  return refuse(a, 501, "the request has a transfer coding");
}

/*
** Base64 of exactly 16 bytes (RFC 6455, 4.2.1, 5), in the one way to write
** them: the last digit before the padding holds two bits (RFC 4648, 3.5).
*/
static bool is_key(const char *s) {
  enum { DIGITS = WS_KEY_SIZE - 3 };
  size_t i;
  if (strlen(s) != WS_KEY_SIZE - 1 || strcmp(s + DIGITS, "==") != 0)
    return false;
  for (i = 0; i < DIGITS; i++)
    if (!ws_ascii_is_alpha(s[i]) && !ws_ascii_is_digit(s[i]) && s[i] != '+' &&
        s[i] != '/')
      return false;
  return strchr("AQgw", s[DIGITS - 1]) != NULL;
}

/*
** RFC 6455, 4.2.1. The version comes before the key, for another version may
** have another kind of key.
*/
static bool check_upgrade(struct ws_ask *a, const struct ws_head *h) {
  const char *version = ws_head_get(h, "sec-websocket-version");
  if (h->minor == 0)
    return refuse(a, 400, "HTTP/1.0 cannot upgrade to a WebSocket");
  if (a->head_only)
    return refuse(a, 400, "an upgrade to a WebSocket is a GET");
  if (!ws_head_has_token(h, "connection", "upgrade"))
    return refuse(a, 400, "Connection does not list upgrade");
  if (ws_head_count(h, "sec-websocket-version") != 1 ||
      strcmp(version, "13") != 0) /* RFC 6455, 4.4 */
    return refuse(a, 426, "the version of the WebSocket protocol is not 13");
  a->key = ws_head_get(h, "sec-websocket-key");
  if (ws_head_count(h, "sec-websocket-key") != 1)
    return refuse(a, 400, "there is not exactly one Sec-WebSocket-Key");
  if (!is_key(a->key))
    return refuse(a, 400, "Sec-WebSocket-Key is not 16 bytes in base64");
  return true;
}

void ws_handshake_ask(struct ws_ask *out, const struct ws_head *head) {
  assert(head->complete && head->is_request);
  memset(out, 0, sizeof *out);
  out->host = "";
  out->head_only = strcmp(head->method, "HEAD") == 0;
  /* another protocol than this may be ignored (RFC 9110, 7.8) */
  out->upgrade = ws_head_has_token(head, "upgrade", "websocket");
  /* HTTP/1.0 could be kept too, but who speaks it asks once */
  out->keep = head->minor > 0 &&
              !ws_head_has_token(head, "connection", "close");
  split_target(out, head->target);
  (void)(check_method(out, head) && check_host(out, head) &&
         check_target(out, head) && check_origin(out, head) &&
         check_body(out, head) &&
         (!out->upgrade || check_upgrade(out, head)));
}

/* ---- subprotocols -------------------------------------------------------- */

/* Is it one of the strings, each with its NUL, in the 'n' bytes at 's'? */
static bool is_listed(const uint8_t *s, size_t n, const struct ws_span *one) {
  size_t i = 0;
  while (i < n) {
    size_t len = strlen((const char *)s + i);
    if (len == one->len && memcmp(s + i, one->at, len) == 0)
      return true;
    i += len + 1;
  }
  return false;
}

static int add_subprotocol(struct base_buf *out, size_t before,
                           const struct ws_span *one) {
  int err;
  if (!ws_head_is_token(one->at, one->len))
    return BASE_ERR_HEAD_SYNTAX;
  if (out->len > before &&
      is_listed(base_buf_data(out) + before, out->len - before, one))
    return BASE_ERR_HEAD_SYNTAX;
  err = base_buf_append(out, one->at, one->len);
  return err != 0 ? err : base_buf_append(out, "", 1);
}

int ws_handshake_subprotocols(const struct ws_head *head,
                              struct base_buf *out) {
  size_t before = out->len, fields = 0, count = 0, i;
  struct ws_span one;
  int err = 0;
  for (i = 0; err == 0 && i < head->count; i++) {
    const char *list = head->fields[i].value;
    if (strcmp(head->fields[i].name, "sec-websocket-protocol") != 0)
      continue;
    fields++;
    while (err == 0 && ws_head_element(&list, &one)) {
      if (one.len == 0)
        continue; /* RFC 9110, 5.6.1.2 */
      err = ++count > LIMIT_HEADER_FIELDS ? BASE_ERR_HEAD_LENGTH
                                          : add_subprotocol(out, before, &one);
    }
  }
  if (err == 0 && fields > 0 && count == 0) /* 1#token (RFC 6455, 4.3) */
    err = BASE_ERR_HEAD_SYNTAX;
  if (err != 0)
    out->len = before;
  return err;
}

/* ---- answers ------------------------------------------------------------- */

int ws_handshake_respond(struct base_buf *out, const struct ws_accept *a,
                         ws_sha1_fn *sha1) {
  char accept[WS_ACCEPT_SIZE];
  size_t before = out->len;
  int err = 0;
  ws_handshake_accept(accept, a->key, sha1);
  ws_head_put(out, &err, "HTTP/1.1 101 Switching Protocols\r\n");
  ws_head_put_field(out, &err, "Upgrade", "websocket");
  ws_head_put_field(out, &err, "Connection", "Upgrade");
  ws_head_put_field(out, &err, "Sec-WebSocket-Accept", accept);
  if (a->subprotocol != NULL)
    ws_head_put_field(out, &err, "Sec-WebSocket-Protocol", a->subprotocol);
  if (a->extensions != NULL)
    ws_head_put_field(out, &err, "Sec-WebSocket-Extensions", a->extensions);
  ws_head_put_fields(out, &err, a->headers, a->header_count);
  ws_head_put(out, &err, "\r\n");
  if (err != 0)
    out->len = before;
  return err;
}

bool ws_handshake_has_body(int status) {
  return status != 204 && status != 205 && status != 304;
}

/* A header that the status demands, unless the user has written it. */
static void put_demanded(struct base_buf *out, int *err,
                         const struct ws_response *r, const char *name,
                         const char *value) {
  size_t i;
  for (i = 0; i < r->header_count; i++)
    if (ws_ascii_same(r->headers[i].name, strlen(r->headers[i].name), name))
      return;
  ws_head_put_field(out, err, name, value);
}

static void put_connection(struct base_buf *out, int *err,
                           const struct ws_response *r) {
  char value[32];
  (void)snprintf(value, sizeof value, "%s%s",
                 r->status == 426 ? "Upgrade, " : "", /* RFC 9110, 7.8 */
                 r->keep ? "keep-alive" : "close");
  ws_head_put_field(out, err, "Connection", value);
}

/* RFC 9110, 8.6: none with 204; with 304 it would tell of another answer. */
static void put_length(struct base_buf *out, int *err,
                       const struct ws_response *r) {
  size_t n = ws_handshake_has_body(r->status) ? r->body_size : 0;
  char value[24];
  if (r->status == 204 || r->status == 304)
    return;
  (void)snprintf(value, sizeof value, "%zu", n);
  ws_head_put_field(out, err, "Content-Length", value);
}

static void put_status(struct base_buf *out, int *err, int status) {
  char line[24];
  /* the space stays where there is no reason (RFC 9112, 4) */
  (void)snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
  ws_head_put(out, err, line);
  ws_head_put(out, err, ws_handshake_reason(status));
  ws_head_put(out, err, "\r\n");
}

int ws_handshake_answer(struct base_buf *out, const struct ws_response *r) {
  size_t before = out->len;
  char date[WS_DATE_SIZE];
  int err = 0;
  assert(r->status >= 200 && r->status <= 599);
  put_status(out, &err, r->status);
  ws_date_format(date, r->now);
  ws_head_put_field(out, &err, "Date", date);
  put_connection(out, &err, r);
  put_length(out, &err, r);
  if (r->status == 405) /* RFC 9110, 15.5.6 */
    put_demanded(out, &err, r, "Allow", "GET, HEAD");
  if (r->status == 426) { /* RFC 9110, 15.5.22; RFC 6455, 4.2.2 */
    put_demanded(out, &err, r, "Upgrade", "websocket");
    put_demanded(out, &err, r, "Sec-WebSocket-Version", "13");
  }
  ws_head_put_fields(out, &err, r->headers, r->header_count);
  ws_head_put(out, &err, "\r\n");
  if (err == 0 && r->body != NULL && !r->head_only &&
      ws_handshake_has_body(r->status))
    err = base_buf_append(out, r->body, r->body_size);
  if (err != 0)
    out->len = before;
  return err;
}

bool ws_handshake_reply_allowed(const char *name) {
  size_t n = strlen(name);
  if (ws_ascii_same(name, n, "Date"))
    return false;
  return ws_handshake_header_allowed(name) || ws_ascii_same(name, n, "Host");
}

static const struct {
  int status;
  const char *reason;
} reasons[] = {
  {100, "Continue"}, {101, "Switching Protocols"}, {102, "Processing"},
  {103, "Early Hints"},
  {200, "OK"}, {201, "Created"}, {202, "Accepted"},
  {203, "Non-Authoritative Information"}, {204, "No Content"},
  {205, "Reset Content"}, {206, "Partial Content"}, {207, "Multi-Status"},
  {208, "Already Reported"}, {226, "IM Used"},
  {300, "Multiple Choices"}, {301, "Moved Permanently"}, {302, "Found"},
  {303, "See Other"}, {304, "Not Modified"}, {305, "Use Proxy"},
  {307, "Temporary Redirect"}, {308, "Permanent Redirect"},
  {400, "Bad Request"}, {401, "Unauthorized"}, {402, "Payment Required"},
  {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"},
  {406, "Not Acceptable"}, {407, "Proxy Authentication Required"},
  {408, "Request Timeout"}, {409, "Conflict"}, {410, "Gone"},
  {411, "Length Required"}, {412, "Precondition Failed"},
  {413, "Content Too Large"}, {414, "URI Too Long"},
  {415, "Unsupported Media Type"}, {416, "Range Not Satisfiable"},
  {417, "Expectation Failed"}, {421, "Misdirected Request"},
  {422, "Unprocessable Content"}, {423, "Locked"},
  {424, "Failed Dependency"}, {425, "Too Early"},
  {426, "Upgrade Required"}, {428, "Precondition Required"},
  {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"},
  {451, "Unavailable For Legal Reasons"},
  {500, "Internal Server Error"}, {501, "Not Implemented"},
  {502, "Bad Gateway"}, {503, "Service Unavailable"},
  {504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"},
  {506, "Variant Also Negotiates"}, {507, "Insufficient Storage"},
  {508, "Loop Detected"}, {510, "Not Extended"},
  {511, "Network Authentication Required"},
};

const char *ws_handshake_reason(int status) {
  size_t i;
  for (i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
    if (reasons[i].status == status)
      return reasons[i].reason;
  return "";
}
