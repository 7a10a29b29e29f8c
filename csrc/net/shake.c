#include "net/posix.h"

#include "net/shake_private.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/mem.h"
#include "net/loop.h"

/* ---- common -------------------------------------------------------------- */

enum { OUT_MAX = 32 * 1024 };

void net_authority(char out[NET_AUTHORITY_SIZE], const char *host,
                   unsigned port) {
  const char *form = strchr(host, ':') != NULL ? "[%.255s]:%u" : "%.255s:%u";
  (void)snprintf(out, NET_AUTHORITY_SIZE, form, host, port);
}

static void fail(struct net_shake *k, const char *code, const char *what) {
  char name[NET_AUTHORITY_SIZE];
  net_authority(name, k->proxy->host, k->proxy->port);
  k->status = NET_SHAKE_FAILED;
  k->err = base_error_new(BASE_KIND_PROXY, code, "the proxy \"%s\" %s", name,
                          what);
  base_error_text(k->err, "proxy", name);
}

static void fail_memory(struct net_shake *k) {
  k->status = NET_SHAKE_FAILED;
  k->err = base_error_from(BASE_ERR_MEMORY);
}

static void say(struct net_shake *k, const void *data, size_t n) {
  if (k->status != NET_SHAKE_FAILED &&
      base_buf_append(&k->out, data, n) != 0)
    fail_memory(k);
}

static void say_str(struct net_shake *k, const char *s) {
  say(k, s, strlen(s));
}

static bool is_digit(uint8_t c) {
  return c >= '0' && c <= '9';
}

static const char *or_empty(const char *s) {
  return s != NULL ? s : "";
}

/* ---- HTTP (RFC 9110, 9.3.6) ---------------------------------------------- */

static void say_base64(struct net_shake *k, const char *s) {
  static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t n = strlen(s), i, j;
  for (i = 0; i < n; i += 3) {
    char four[4] = {'=', '=', '=', '='};
    uint32_t v = 0;
    for (j = 0; j < 3; j++)
      v = v << 8 | (i + j < n ? (unsigned char)s[i + j] : 0u);
    for (j = 0; j < 4; j++)
      if (i + j <= n)
        four[j] = digits[v >> (18 - 6 * j) & 63];
    say(k, four, 4);
  }
}

/* RFC 7617, 2. */
static void say_basic(struct net_shake *k) {
  size_t size = strlen(k->proxy->user) +
                strlen(or_empty(k->proxy->password)) + 2;
  char *both = (char *)base_malloc(size);
  if (both == NULL) {
    fail_memory(k);
    return;
  }
  (void)snprintf(both, size, "%s:%s", k->proxy->user,
                 or_empty(k->proxy->password));
  say_str(k, "Proxy-Authorization: Basic ");
  say_base64(k, both);
  say_str(k, "\r\n");
  base_free(both);
}

static void http_begin(struct net_shake *k) {
  char target[NET_AUTHORITY_SIZE];
  net_authority(target, k->host, k->port);
  say_str(k, "CONNECT ");
  say_str(k, target);
  say_str(k, " HTTP/1.1\r\nHost: ");
  say_str(k, target);
  say_str(k, "\r\n");
  if (k->proxy->user != NULL)
    say_basic(k);
  say_str(k, "\r\n");
}

static void http_bad(struct net_shake *k) {
  fail(k, "protocol", "did not answer in HTTP/1.1");
}

/* The line is "HTTP/1.x NNN" and perhaps a reason (RFC 9112, 4). */
static void http_status_line(struct net_shake *k) {
  const uint8_t *s = k->in;
  size_t i;
  if (k->in_len < 12 || memcmp(s, "HTTP/1.", 7) != 0 ||
      !is_digit(s[7]) || s[8] != ' ' ||
      (k->in_len > 12 && s[12] != ' ')) {
    http_bad(k);
    return;
  }
  for (i = 9; i < 12; i++) {
    if (!is_digit(s[i])) {
      http_bad(k);
      return;
    }
    k->http_status = k->http_status * 10 + (s[i] - '0');
  }
  if (k->http_status < 100)
    http_bad(k);
}

static void http_judge(struct net_shake *k) {
  char what[128], reason[64];
  size_t i, n = 0;
  /* Any 2xx makes it a tunnel; a 2xx has no content here. */
  if (k->http_status >= 200 && k->http_status < 300) {
    k->status = NET_SHAKE_DONE;
    return;
  }
  for (i = 12; i < k->in_len && n < sizeof reason - 1; i++)
    reason[n++] = (char)(k->in[i] >= 0x20 && k->in[i] < 0x7f ? k->in[i] : '?');
  reason[n] = '\0';
  if (k->http_status == 407)
    fail(k, "auth_required", k->proxy->user == NULL
                               ? "wants a user name and a password"
                               : "did not accept the user name and password");
  else {
    (void)snprintf(what, sizeof what, "refused to connect: %d%s",
                   k->http_status, reason);
    fail(k, "refused", what);
  }
  base_error_number(k->err, "status", k->http_status);
}

/* The end of a head: the final one, or an interim one before it (RFC 9110,
** 15.2). Nobody asked for a switch of protocols. */
static void http_head_end(struct net_shake *k) {
  if (k->http_status > 101 && k->http_status < 200) {
    k->http_status = 0;
    k->in_len = 0;
  } else {
    http_judge(k);
  }
}

static void http_line_end(struct net_shake *k) {
  if (k->http_status == 0)
    http_status_line(k);
  else if (k->line_bytes == 0)
    http_head_end(k);
  k->line_bytes = 0;
}

static void http_byte(struct net_shake *k, uint8_t c) {
  static const char begin[] = "HTTP/1.";
  if (++k->total > LIMIT_PROXY_HEAD_BYTES) {
    fail(k, "protocol", "answered with too long a head");
    return;
  }
  if (c == '\n') { /* alone is fine (RFC 9112, 2.2) */
    http_line_end(k);
    return;
  }
  if (c == '\r')
    return;
  if (c == '\0' || (k->http_status == 0 && k->line_bytes < sizeof begin - 1 &&
                    c != (uint8_t)begin[k->line_bytes])) {
    http_bad(k);
    return;
  }
  if (k->http_status == 0 && k->in_len < sizeof k->in)
    k->in[k->in_len++] = c;
  k->line_bytes++;
}

/* ---- SOCKS (RFC 1928, RFC 1929) ------------------------------------------ */

enum {
  SOCKS_METHOD, SOCKS_AUTH, SOCKS_VERDICT, SOCKS_KIND, SOCKS_ADDRESS
};

enum { NO_AUTH = 0, USER_PASSWORD = 2, NOT_ACCEPTABLE = 0xff };
enum { ATYP_IPV4 = 1, ATYP_NAME = 3, ATYP_IPV6 = 4 };

static void socks_expect(struct net_shake *k, int step, size_t need) {
  k->step = step;
  k->need = need;
}

static void socks_begin(struct net_shake *k) {
  static const uint8_t plain[] = {5, 1, NO_AUTH};
  static const uint8_t either[] = {5, 2, NO_AUTH, USER_PASSWORD};
  if (k->proxy->user == NULL)
    say(k, plain, sizeof plain);
  else
    say(k, either, sizeof either);
  socks_expect(k, SOCKS_METHOD, 2);
}

static void say_counted(struct net_shake *k, const char *s) {
  size_t n = strlen(s);
  uint8_t count = (uint8_t)n;
  assert(n <= 255);
  say(k, &count, 1);
  say(k, s, n);
}

static void socks_auth(struct net_shake *k) {
  static const uint8_t version = 1;
  say(k, &version, 1);
  say_counted(k, k->proxy->user);
  say_counted(k, or_empty(k->proxy->password));
  k->in_len = 0;
  socks_expect(k, SOCKS_AUTH, 2);
}

/* A name goes as a name: it is resolved there. */
static void socks_connect(struct net_shake *k) {
  uint8_t head[4] = {5, 1, 0, ATYP_NAME}, address[16], port[2];
  size_t n = 0;
  if (inet_pton(AF_INET, k->host, address) == 1) {
    head[3] = ATYP_IPV4;
    n = 4;
  } else if (inet_pton(AF_INET6, k->host, address) == 1) {
    head[3] = ATYP_IPV6;
    n = 16;
  }
  say(k, head, sizeof head);
  if (n > 0)
    say(k, address, n);
  else
    say_counted(k, k->host);
  port[0] = (uint8_t)(k->port >> 8);
  port[1] = (uint8_t)k->port;
  say(k, port, sizeof port);
  k->in_len = 0;
  socks_expect(k, SOCKS_VERDICT, 2);
}

static void socks_bad(struct net_shake *k) {
  fail(k, "protocol", "did not answer in SOCKS5");
}

static void socks_method(struct net_shake *k) {
  if (k->in[0] != 5)
    socks_bad(k);
  else if (k->in[1] == NO_AUTH)
    socks_connect(k);
  else if (k->in[1] == USER_PASSWORD && k->proxy->user != NULL)
    socks_auth(k);
  else if (k->in[1] == NOT_ACCEPTABLE)
    fail(k, "auth_required",
         k->proxy->user == NULL ? "wants a user name and a password"
                                : "takes neither a password nor nobody");
  else
    socks_bad(k);
}

/* RFC 1928, 6. */
static void socks_refused(struct net_shake *k, int reply) {
  static const char *const names[] = {
    "it failed", "its rules do not allow it", "the network is unreachable",
    "the host is unreachable", "connection refused",
    "the time to live expired", "it knows no CONNECT",
    "it does not know this type of address"
  };
  char what[96];
  if (reply <= (int)(sizeof names / sizeof *names))
    (void)snprintf(what, sizeof what, "refused to connect: %s",
                   names[reply - 1]);
  else
    (void)snprintf(what, sizeof what, "refused to connect: reply %d", reply);
  fail(k, "refused", what);
  base_error_number(k->err, "reply", reply);
}

/* The address it is bound to is of no interest, but must be read. */
static void socks_kind(struct net_shake *k) {
  size_t n = 0;
  if (k->in[3] == ATYP_IPV4)
    n = 4 + 4 + 2;
  else if (k->in[3] == ATYP_IPV6)
    n = 4 + 16 + 2;
  else if (k->in[3] == ATYP_NAME)
    n = 4 + 1 + (size_t)k->in[4] + 2;
  if (n == 0)
    socks_bad(k);
  else
    socks_expect(k, SOCKS_ADDRESS, n);
}

static void socks_step(struct net_shake *k) {
  switch (k->step) {
  case SOCKS_METHOD:
    socks_method(k);
    break;
  case SOCKS_AUTH:
    if (k->in[0] != 1)
      socks_bad(k);
    else if (k->in[1] != 0)
      fail(k, "auth_required", "did not accept the user name and password");
    else
      socks_connect(k);
    break;
  case SOCKS_VERDICT:
    if (k->in[0] != 5)
      socks_bad(k);
    else if (k->in[1] != 0)
      socks_refused(k, k->in[1]);
    else
      socks_expect(k, SOCKS_KIND, 5);
    break;
  case SOCKS_KIND:
    socks_kind(k);
    break;
  default:
    k->status = NET_SHAKE_DONE;
    break;
  }
}

/* ---- the machine --------------------------------------------------------- */

/* The URL's parser lets no such host through; what would come of one here is
** another request to the proxy than the user's. */
static bool sane(const char *host) {
  size_t n = strlen(host);
  const char *c;
  for (c = host; *c != '\0'; c++)
    if ((unsigned char)*c <= 0x20 || (unsigned char)*c == 0x7f)
      return false;
  return n >= 1 && n <= 255;
}

void net_shake_init(struct net_shake *k, const struct net_proxy *proxy,
                    const char *host, uint16_t port) {
  memset(k, 0, sizeof *k);
  k->proxy = proxy;
  k->host = host;
  k->port = port;
  base_buf_init(&k->out, OUT_MAX);
  if (!sane(host))
    fail(k, "protocol", "cannot be told such a host name");
  else if (proxy->type == NET_PROXY_HTTP)
    http_begin(k);
  else
    socks_begin(k);
}

void net_shake_deinit(struct net_shake *k) {
  base_buf_free(&k->out);
  base_error_free(k->err);
  k->err = NULL;
}

size_t net_shake_feed(struct net_shake *k, const uint8_t *data, size_t n) {
  size_t i;
  for (i = 0; i < n && k->status == NET_SHAKE_MORE; i++) {
    if (k->proxy->type == NET_PROXY_HTTP) {
      http_byte(k, data[i]);
    } else {
      k->in[k->in_len++] = data[i];
      if (k->in_len == k->need)
        socks_step(k);
    }
  }
  return i;
}

void net_shake_end(struct net_shake *k, int uv_err) {
  char what[96];
  if (k->status != NET_SHAKE_MORE)
    return;
  if (k->http_status >= 300) { /* the refusal was said, if not to its end */
    http_judge(k);
  } else if (uv_err == 0) {
    fail(k, "protocol", "hung up before it had answered");
  } else {
    (void)snprintf(what, sizeof what, "broke the connection: %s",
                   net_error_text(uv_err));
    fail(k, "protocol", what);
  }
}
