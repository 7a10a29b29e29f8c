#include "ws/handshake.h"

#include <string.h>

#include "ws/ascii.h"

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

void ws_base64(char *out, const uint8_t *in, size_t n) {
  static const char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t i;
  for (i = 0; i < n; i += 3) {
    unsigned v = (unsigned)in[i] << 16;
    if (i + 1 < n)
      v |= (unsigned)in[i + 1] << 8;
    if (i + 2 < n)
      v |= in[i + 2];
    *out++ = digits[v >> 18];
    *out++ = digits[v >> 12 & 63];
    *out++ = digits[v >> 6 & 63];
    *out++ = digits[v & 63];
  }
  if (n % 3 != 0)
    out[-1] = '=';
  if (n % 3 == 1)
    out[-2] = '=';
  *out = '\0';
}

void ws_handshake_key(char out[WS_KEY_SIZE], const uint8_t nonce[16]) {
  ws_base64(out, nonce, 16);
}

/* RFC 6455, 4.2.2, step 5.4 */
void ws_handshake_accept(char out[WS_ACCEPT_SIZE], const char *key,
                         ws_sha1_fn *sha1) {
  uint8_t text[WS_KEY_SIZE - 1 + sizeof guid - 1], digest[20];
  size_t n = strlen(key);
  if (n > WS_KEY_SIZE - 1)
    n = WS_KEY_SIZE - 1; /* no key: the answer need not match */
  memcpy(text, key, n);
  memcpy(text + n, guid, sizeof guid - 1);
  sha1(text, n + sizeof guid - 1, digest);
  ws_base64(out, digest, sizeof digest);
}

bool ws_handshake_header_allowed(const char *name) {
  static const char *const ours[] = {"Host", "Upgrade", "Connection",
                                     "Content-Length", "Transfer-Encoding"};
  static const char prefix[] = "Sec-WebSocket-";
  size_t n = strlen(name), i;
  for (i = 0; i < sizeof ours / sizeof ours[0]; i++)
    if (ws_ascii_same(name, n, ours[i]))
      return false;
  if (n < sizeof prefix - 1)
    return true;
  return !ws_ascii_same(name, sizeof prefix - 1, prefix);
}

static void put_subprotocols(struct base_buf *out, int *err,
                             const struct ws_request *r) {
  size_t i;
  for (i = 0; i < r->subprotocol_count; i++) {
    ws_head_put(out, err, i == 0 ? "Sec-WebSocket-Protocol: " : ", ");
    ws_head_put(out, err, r->subprotocols[i]);
  }
  if (i > 0)
    ws_head_put(out, err, "\r\n");
}

int ws_handshake_request(struct base_buf *out, const struct ws_request *r) {
  size_t before = out->len;
  char authority[270];
  int err = 0;
  (void)ws_url_authority(r->url, authority, sizeof authority);
  ws_head_put(out, &err, "GET ");
  ws_head_put(out, &err, r->url->resource);
  ws_head_put(out, &err, " HTTP/1.1\r\n");
  /* in the order of browsers, for servers that have seen nothing else */
  ws_head_put_field(out, &err, "Host", authority);
  ws_head_put_field(out, &err, "Connection", "Upgrade");
  ws_head_put_fields(out, &err, r->headers, r->header_count);
  ws_head_put_field(out, &err, "Upgrade", "websocket");
  if (r->origin != NULL)
    ws_head_put_field(out, &err, "Origin", r->origin);
  ws_head_put_field(out, &err, "Sec-WebSocket-Version", "13");
  ws_head_put_field(out, &err, "Sec-WebSocket-Key", r->key);
  if (r->extensions != NULL)
    ws_head_put_field(out, &err, "Sec-WebSocket-Extensions", r->extensions);
  put_subprotocols(out, &err, r);
  ws_head_put(out, &err, "\r\n");
  if (err != 0)
    out->len = before;
  return err;
}

/*
** Checking. A peer's words in a message are made harmless first: they may end
** on a terminal.
*/

struct quote {
  char text[100];
};

static const char *quote(struct quote *q, const char *s) {
  size_t i;
  for (i = 0; i < sizeof q->text - 4 && s[i] != '\0'; i++)
    q->text[i] = (char)(s[i] >= 0x20 && s[i] < 0x7f ? s[i] : '?');
  memcpy(q->text + i, s[i] != '\0' ? "..." : "\0\0\0", 4);
  return q->text;
}

/* One name and its values, each ended by a NUL; nothing for a later field of
** the same name. */
static int put_joined(struct base_buf *out, const struct ws_head *h,
                      size_t field) {
  const char *name = h->fields[field].name;
  size_t before = out->len;
  int got = base_buf_append(out, name, strlen(name) + 1);
  if (got == 0) {
    got = ws_head_joined(h, field, out);
    if (got == 0)
      out->len = before;
  }
  return got > 0 ? base_buf_append(out, "", 1) : got;
}

static void add_headers(struct base_error *e, const struct ws_head *h) {
  struct base_buf map;
  int err = 0;
  size_t i;
  /* a NUL and ", " take the place of ":" and CRLF, and those of a later field
  ** leave room for its name: it cannot get longer */
  base_buf_init(&map, h->bytes.len);
  for (i = 0; err == 0 && i < h->count; i++)
    err = put_joined(&map, h, i);
  if (err == 0 && map.len > 0)
    base_error_list(e, "headers", BASE_FIELD_MAP,
                    (const char *)base_buf_data(&map), map.len);
  base_buf_free(&map);
}

static struct base_error *check_status(const struct ws_head *h) {
  struct quote q;
  if (h->status == 101)
    return NULL;
  return base_error_new(
      BASE_KIND_UPGRADE, "status",
      "server answered %d%s%s instead of 101 Switching Protocols", h->status,
      h->reason[0] != '\0' ? " " : "", quote(&q, h->reason));
}

static struct base_error *check_upgrade(const struct ws_head *h) {
  const char *upgrade = ws_head_get(h, "upgrade");
  const char *connection = ws_head_get(h, "connection");
  const char *name = "Upgrade: websocket", *got = upgrade;
  struct quote q;
  if (ws_head_count(h, "upgrade") > 1)
    return base_error_new(BASE_KIND_UPGRADE, "no_upgrade",
                          "server answered 101 with more than one Upgrade");
  if (upgrade != NULL &&
      ws_ascii_same(upgrade, strlen(upgrade), "websocket")) {
    if (ws_head_has_token(h, "connection", "upgrade"))
      return NULL;
    name = "Connection: Upgrade";
    got = connection;
  }
  if (got == NULL)
    return base_error_new(BASE_KIND_UPGRADE, "no_upgrade",
                          "server answered 101 but did not send %s", name);
  return base_error_new(BASE_KIND_UPGRADE, "no_upgrade",
                        "server answered 101 but sent \"%s\" instead of %s",
                        quote(&q, got), name);
}

static struct base_error *check_accept(const struct ws_request *r,
                                       const struct ws_head *h,
                                       ws_sha1_fn *sha1) {
  size_t n = ws_head_count(h, "sec-websocket-accept");
  char wanted[WS_ACCEPT_SIZE];
  if (n != 1)
    return base_error_new(
        BASE_KIND_UPGRADE, "bad_accept",
        "server answered 101 with %s Sec-WebSocket-Accept instead of one",
        n == 0 ? "no" : "more than one");
  ws_handshake_accept(wanted, r->key, sha1);
  if (strcmp(ws_head_get(h, "sec-websocket-accept"), wanted) == 0)
    return NULL;
  return base_error_new(BASE_KIND_UPGRADE, "bad_accept",
                        "server's Sec-WebSocket-Accept does not match the key "
                        "that was sent (a cache or proxy may have answered)");
}

static struct base_error *check_subprotocol(const struct ws_request *r,
                                            const struct ws_head *h,
                                            const char **chosen) {
  const char *got = ws_head_get(h, "sec-websocket-protocol");
  struct quote q;
  size_t i;
  *chosen = NULL;
  if (got == NULL)
    return NULL;
  if (ws_head_count(h, "sec-websocket-protocol") > 1) /* RFC 6455, 11.3.4 */
    return base_error_new(BASE_KIND_UPGRADE, "subprotocol",
                          "server chose more than one subprotocol");
  for (i = 0; i < r->subprotocol_count; i++)
    if (strcmp(got, r->subprotocols[i]) == 0) {
      *chosen = got;
      return NULL;
    }
  return base_error_new(
      BASE_KIND_UPGRADE, "subprotocol",
      "server chose the subprotocol \"%s\", which was not offered",
      quote(&q, got));
}

static struct base_error *check_extensions(const struct ws_request *r,
                                           const struct ws_head *h,
                                           const char **chosen) {
  const char *got = ws_head_get(h, "sec-websocket-extensions");
  struct quote q;
  *chosen = NULL;
  if (got == NULL)
    return NULL;
  if (r->extensions == NULL)
    return base_error_new(
        BASE_KIND_UPGRADE, "extension",
        "server chose the extension \"%s\", although none was offered",
        quote(&q, got));
  if (ws_head_count(h, "sec-websocket-extensions") > 1) /* RFC 6455, 11.3.2 */
    return base_error_new(
        BASE_KIND_UPGRADE, "extension",
        "server sent Sec-WebSocket-Extensions more than once");
  *chosen = got;
  return NULL;
}

struct base_error *ws_handshake_check(const struct ws_request *r,
                                      const struct ws_head *head,
                                      ws_sha1_fn *sha1, double now,
                                      const char **subprotocol,
                                      const char **extensions) {
  double wait;
  struct base_error *e = check_status(head);
  *subprotocol = *extensions = NULL;
  if (e == NULL)
    e = check_upgrade(head);
  if (e == NULL)
    e = check_accept(r, head, sha1);
  if (e == NULL)
    e = check_subprotocol(r, head, subprotocol);
  if (e == NULL)
    e = check_extensions(r, head, extensions);
  if (e == NULL)
    return NULL;
  *subprotocol = *extensions = NULL;
  base_error_number(e, "status", head->status);
  add_headers(e, head);
  wait = ws_head_retry_after(head, now);
  if (wait >= 0)
    base_error_number(e, "retry_after", wait);
  return e;
}
