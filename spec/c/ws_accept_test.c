/* ws/accept: which requests a server takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "ws/handshake.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455, 1.3 */
#define HOST "Host: h\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEYED "Sec-WebSocket-Key: " KEY "\r\n"
#define ALL HOST UPGRADE CONNECTION VERSION KEYED
#define GET "GET / HTTP/1.1\r\n"

/* The head of 'lines' and an empty one. */
static void parse(struct ws_head *h, const char *lines) {
  ws_head_init(h, true, 16384);
  assert_int_equal(ws_head_feed(h, (const uint8_t *)lines, strlen(lines)),
                   strlen(lines));
  assert_int_equal(ws_head_feed(h, (const uint8_t *)"\r\n", 2), 2);
  assert_true(h->complete);
}

/* ---- judging requests ---------------------------------------------------- */

struct row {
  int status;
  const char *lines;
};

static void judges(const struct row *rows, size_t n) {
  struct ws_head h;
  struct ws_ask a;
  size_t i;
  for (i = 0; i < n; i++) {
    parse(&h, rows[i].lines);
    memset(&a, 0xff, sizeof a);
    ws_handshake_ask(&a, &h);
    if (a.status != rows[i].status)
      fail_msg("%d (%s), not %d, for:\n%s", a.status,
               a.why != NULL ? a.why : "", rows[i].status, rows[i].lines);
    assert_int_equal(a.why != NULL, a.status != 0);
    assert_false(a.status != 0 && a.keep);
    assert_int_equal(a.key != NULL, a.upgrade && a.status == 0);
    ws_head_deinit(&h);
  }
}

#define JUDGES(rows) judges(rows, sizeof(rows) / sizeof((rows)[0]))

static void only_get_and_head_are_served(void **state) {
  static const struct row rows[] = {
    {0, GET HOST}, {0, "HEAD / HTTP/1.1\r\n" HOST},
    {405, "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n"},
    {405, "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"},
    {405, "OPTIONS * HTTP/1.1\r\n" HOST}, {405, "CONNECT h:80 HTTP/1.1\r\n"},
    {405, "get / HTTP/1.1\r\n" HOST}, {405, "head / HTTP/1.1\r\n" HOST},
    {405, "GETS / HTTP/1.1\r\n" HOST}, {405, "POST / HTTP/1.0\r\n"},
    {405, "POST / HTTP/1.1\r\n" ALL},
  };
  (void)state;
  JUDGES(rows);
}

static void there_is_one_host_and_it_is_well_formed(void **state) {
  static const struct row rows[] = {
    {400, GET}, {400, GET UPGRADE CONNECTION VERSION KEYED},
    {400, GET HOST HOST}, {400, GET HOST "hOST: i\r\n"},
    {400, GET "Host:\r\n"}, {400, GET "Host: a b\r\n"},
    {400, GET "Host: me@h\r\n"}, {400, GET "Host: h:65536\r\n"},
    {400, GET "Host: http://h\r\n"}, {400, GET "Host: h/\r\n"},
    {400, GET "Host: [::1\r\n"}, {400, GET "Host: h\xc3\xa9\r\n"},
    {0, GET "Host: [::1]:80\r\n"}, {0, GET "Host: my_host:\r\n"},
    {0, "GET / HTTP/1.0\r\n"}, {0, "GET / HTTP/1.0\r\n" HOST},
    {400, "GET / HTTP/1.0\r\n" HOST HOST},
    {400, "GET / HTTP/1.0\r\nHost: a b\r\n"},
    {400, "GET http://h/ HTTP/1.1\r\n"},
    {400, "GET http://h/ HTTP/1.1\r\n" HOST HOST},
  };
  (void)state;
  JUDGES(rows);
}

static void a_target_is_a_path_or_a_url(void **state) {
  static const struct row rows[] = {
    {0, "GET /a/../b//c?d=/?e HTTP/1.1\r\n" HOST},
    {0, "GET //a HTTP/1.1\r\n" HOST}, {0, "GET /* HTTP/1.1\r\n" HOST},
    {0, "GET http://a HTTP/1.1\r\n" HOST}, {0, "GET WS://a/ HTTP/1.1\r\n" HOST},
    {0, "GET https://[::1]:1/ HTTP/1.1\r\n" HOST},
    {0, "GET wss://a?b HTTP/1.1\r\n" ALL},
    {0, "GET http://a/ HTTP/1.0\r\n"},
    {400, "GET * HTTP/1.1\r\n" HOST}, {400, "GET h:80 HTTP/1.1\r\n" HOST},
    {400, "GET h HTTP/1.1\r\n" HOST}, {400, "GET ?a HTTP/1.1\r\n" HOST},
    {400, "GET ftp://h/ HTTP/1.1\r\n" HOST},
    {400, "GET http:/h HTTP/1.1\r\n" HOST},
    {400, "GET http:///a HTTP/1.1\r\n" HOST},
    {400, "GET http://:80/ HTTP/1.1\r\n" HOST},
    {400, "GET http://me@h/ HTTP/1.1\r\n" HOST},
    {400, "GET http://h:x/ HTTP/1.1\r\n" HOST},
  };
  (void)state;
  JUDGES(rows);
}

static void a_request_has_no_body(void **state) {
  static const struct row rows[] = {
    {0, GET HOST "Content-Length: 0\r\n"},
    {0, GET HOST "Content-Length: 000\r\n"},
    {0, GET HOST "Content-Length: 0, 00\r\nContent-Length: 0\r\n"},
    {0, GET ALL "Content-Length: 0\r\n"},
    {413, GET HOST "Content-Length: 1\r\n"},
    {413, GET HOST "Content-Length: 010\r\n"},
    {413, GET ALL "Content-Length: 1\r\n"},
    {413, "HEAD / HTTP/1.0\r\nContent-Length: 1\r\n"},
    {413, GET HOST "Content-Length: 5, 05\r\nContent-Length: 5\r\n"},
    {413, GET HOST "Content-Length: 99999999999999999999999999999999\r\n"},
    {413, GET HOST "Content-Length: 18446744073709551616\r\n"},
    {400, GET HOST "Content-Length:\r\n"},
    {400, GET HOST "Content-Length: -1\r\n"},
    {400, GET HOST "Content-Length: +0\r\n"},
    {400, GET HOST "Content-Length: 0x0\r\n"},
    {400, GET HOST "Content-Length: 0 0\r\n"},
    {400, GET HOST "Content-Length: 0,\r\n"},
    {400, GET HOST "Content-Length: 0, 1\r\n"},
    {400, GET HOST "Content-Length: 0\r\nContent-Length: 1\r\n"},
    {400, GET HOST "Content-Length: 1\r\nContent-Length: 0\r\n"},
    {400, GET HOST "Content-Length: 1\r\nContent-Length: 11\r\n"},
    {400, GET HOST "Content-Length: 11\r\nContent-Length: 12\r\n"},
    {400, GET HOST "Content-Length: 1\r\nContent-Length: x\r\n"},
    {501, GET HOST "Transfer-Encoding: chunked\r\n"},
    {501, GET HOST "Transfer-Encoding:\r\n"},
    {501, GET HOST "Transfer-Encoding: identity\r\n"},
    {501, GET ALL "transfer-ENCODING: gzip, chunked\r\n"},
    {400, GET HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"},
    {400, GET HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"},
    {400, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n"},
  };
  (void)state;
  JUDGES(rows);
}

static void there_is_at_most_one_origin(void **state) {
  static const struct row rows[] = {
    {0, GET ALL "Origin: https://a\r\n"}, {0, GET HOST "Origin: null\r\n"},
    {400, GET ALL "Origin: https://a\r\nOrigin: https://b\r\n"},
    {400, GET HOST "Origin: https://a\r\nOrigin: https://a\r\n"},
  };
  (void)state;
  JUDGES(rows);
}

#define WITH_VERSION(v) GET HOST UPGRADE CONNECTION KEYED v
#define WITH_KEY(k) GET HOST UPGRADE CONNECTION VERSION k
#define ONE_KEY(k) WITH_KEY("Sec-WebSocket-Key: " k "\r\n")
#define ONE_VERSION(v) WITH_VERSION("Sec-WebSocket-Version: " v "\r\n")

static void an_upgrade_is_all_that_the_rfc_lists(void **state) {
  static const struct row rows[] = { /* RFC 6455, 4.2.1 */
    {0, GET ALL},
    {0, GET HOST "UPGRADE: h2c, WebSocket\r\n"
        "connection: keep-alive\r\nConnection: x , uPGRADE\r\n" VERSION KEYED},
    {0, GET HOST "Upgrade: h2c\r\nUpgrade: websocket\r\n" CONNECTION VERSION
        KEYED},
    {400, GET HOST UPGRADE VERSION KEYED},
    {400, GET HOST UPGRADE "Connection: close\r\n" VERSION KEYED},
    {400, GET HOST UPGRADE "Connection: upgraded\r\n" VERSION KEYED},
    {400, GET HOST UPGRADE "Connection: x upgrade\r\n" VERSION KEYED},
    {400, "GET / HTTP/1.0\r\n" ALL},
    {400, "HEAD / HTTP/1.1\r\n" ALL},
  };
  (void)state;
  JUDGES(rows);
}

static void the_version_is_13(void **state) {
  static const struct row rows[] = { /* RFC 6455, 4.4 */
    {426, WITH_VERSION("")}, {426, ONE_VERSION("")}, {426, ONE_VERSION("8")},
    {426, ONE_VERSION("14")}, {426, ONE_VERSION("130")},
    {426, ONE_VERSION("013")}, {426, ONE_VERSION("13, 8")},
    {426, ONE_VERSION("8, 13")}, {426, ONE_VERSION("13.0")},
    {426, WITH_VERSION(VERSION VERSION)},
    {426, GET HOST UPGRADE CONNECTION}, /* whatever its key would be */
    {426, GET HOST UPGRADE CONNECTION "Sec-WebSocket-Key: x\r\n"},
  };
  (void)state;
  JUDGES(rows);
}

static void the_key_is_16_bytes_in_base64(void **state) {
  static const struct row rows[] = {
    {0, ONE_KEY(KEY)}, {0, ONE_KEY("++++//////0123456789zA==")},
    {0, ONE_KEY("AAAAAAAAAAAAAAAAAAAAAQ==")},
    {0, ONE_KEY("AAAAAAAAAAAAAAAAAAAAAg==")},
    {0, ONE_KEY("AAAAAAAAAAAAAAAAAAAAAw==")},
    {400, WITH_KEY("")}, {400, WITH_KEY(KEYED KEYED)}, {400, ONE_KEY("")},
    {400, ONE_KEY("x")}, {400, ONE_KEY("==")},
    {400, ONE_KEY("dGhlIHNhbXBsZSBub25jZQ=")},
    {400, ONE_KEY("dGhlIHNhbXBsZSBub25jZQ")},
    {400, ONE_KEY("dGhlIHNhbXBsZSBub25jZQ===")},
    {400, ONE_KEY("dGhlIHNhbXBsZSBub25jZQ==, x")},
    {400, ONE_KEY("dGhlIHNhbXBsZSBub25jZQA=")}, /* 17 bytes */
    {400, ONE_KEY("dGhlIHNhbXBsZSBub25jZQAA")}, /* 18 */
    {400, ONE_KEY("dGhlIHNhbXBsZSBub25jZS==")}, /* not canonical */
    {400, ONE_KEY("dGhlIHNhbXBsZSBub25jZR==")},
    {400, ONE_KEY("dGhlIHNhbXBsZSBub25jZ===")},
    {400, ONE_KEY("dGhlIHNhbXBsZSBub2=jZQ==")},
    {400, ONE_KEY("dGhlIHNhbXBsZSBub2 jZQ==")},
    {400, ONE_KEY("dGhlIHNhbXBsZSBub2-jZQ==")},
    {400, ONE_KEY("dGhlIHNhbXBsZSBub2_jZQ==")},
    {400, ONE_KEY("dGhlIHNhbXBsZSBub2\xc3jZQ==")},
    {400, ONE_KEY("dGhlIHNhbXBsZSBub25jZQ=A")},
  };
  (void)state;
  JUDGES(rows);
}

struct got {
  struct ws_head head;
  struct ws_ask ask;
};

static struct ws_ask *ask(struct got *g, const char *lines) {
  parse(&g->head, lines);
  ws_handshake_ask(&g->ask, &g->head);
  return &g->ask;
}

static bool upgrades(const char *lines) {
  struct got g;
  bool answer = ask(&g, lines)->upgrade;
  ws_head_deinit(&g.head);
  return answer;
}

static void other_protocols_to_upgrade_to_are_ignored(void **state) {
  static const struct row plain[] = { /* RFC 9110, 7.8 */
    {0, GET HOST "Upgrade: h2c\r\nConnection: Upgrade\r\n"},
    {0, GET HOST "Upgrade: websocket/13\r\n" CONNECTION},
    {0, GET HOST CONNECTION VERSION KEYED},
  };
  (void)state;
  JUDGES(plain);
  assert_false(upgrades(plain[0].lines));
  assert_false(upgrades(plain[1].lines));
  assert_false(upgrades(plain[2].lines));
  assert_true(upgrades(GET ALL));
  assert_true(upgrades(GET HOST UPGRADE)); /* refused, but known as one */
  assert_true(upgrades("GET / HTTP/1.0\r\n" UPGRADE));
}

static bool keeps(const char *lines) {
  struct got g;
  bool answer = ask(&g, lines)->keep;
  ws_head_deinit(&g.head);
  return answer;
}

static void a_connection_is_kept_as_http_1_1_says(void **state) {
  (void)state; /* RFC 9112, 9.3 */
  assert_true(keeps(GET HOST));
  assert_true(keeps("HEAD / HTTP/1.1\r\n" HOST));
  assert_true(keeps(GET HOST "Connection: keep-alive\r\n"));
  assert_true(keeps(GET ALL)); /* where it is refused by the user */
  assert_false(keeps(GET HOST "Connection: x, Close\r\n"));
  assert_false(keeps(GET HOST "Connection: keep-alive, close\r\n"));
  assert_false(keeps("GET / HTTP/1.0\r\n" HOST));
  assert_false(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n"));
  assert_false(keeps(GET));
  assert_false(keeps("POST / HTTP/1.1\r\n" HOST));
}

static void only_head_wants_no_body(void **state) {
  struct got g;
  (void)state;
  assert_true(ask(&g, "HEAD / HTTP/1.1\r\n" HOST)->head_only);
  ws_head_deinit(&g.head);
  assert_true(ask(&g, "HEAD / HTTP/1.1\r\n")->head_only); /* refused, too */
  ws_head_deinit(&g.head);
  assert_false(ask(&g, GET HOST)->head_only);
  ws_head_deinit(&g.head);
}

static void spans(const char *target, const char *path, const char *query) {
  char lines[200];
  struct got g;
  struct ws_ask *a;
  (void)snprintf(lines, sizeof lines, "GET %s HTTP/1.1\r\n" HOST, target);
  a = ask(&g, lines);
  assert_int_equal(a->status, 0);
  assert_int_equal(a->path.len, strlen(path));
  assert_memory_equal(a->path.at, path, strlen(path));
  assert_int_equal(a->query.at != NULL, query != NULL);
  assert_int_equal(a->query.len, query != NULL ? strlen(query) : 0);
  if (query != NULL)
    assert_memory_equal(a->query.at, query, strlen(query));
  ws_head_deinit(&g.head);
}

static void path_and_query_are_told_apart_and_left_as_sent(void **state) {
  (void)state;
  spans("/", "/", NULL);
  spans("/a%2Fb/%zz", "/a%2Fb/%zz", NULL);
  spans("/a?", "/a", "");
  spans("/?a?b=c/d", "/", "a?b=c/d");
  spans("http://x:1/a?b", "/a", "b");
  spans("http://x", "/", NULL);
  spans("wss://x?a", "/", "a");
  spans("https://x/?", "/", "");
}

static void says_host_origin_and_key(void **state) {
  struct got g;
  struct ws_ask *a = ask(&g, GET "Host: H:80\r\n" UPGRADE CONNECTION VERSION
                                 KEYED "Origin: https://a\r\n");
  (void)state;
  assert_string_equal(a->host, "H:80");
  assert_string_equal(a->origin, "https://a");
  assert_string_equal(a->key, KEY);
  ws_head_deinit(&g.head);
  a = ask(&g, "GET http://x:1/ HTTP/1.1\r\n" HOST);
  assert_string_equal(a->host, "x:1"); /* RFC 9112, 3.2.2 */
  assert_null(a->origin);
  ws_head_deinit(&g.head);
  a = ask(&g, "GET / HTTP/1.0\r\n");
  assert_string_equal(a->host, "");
  ws_head_deinit(&g.head);
}

/* ---- subprotocols -------------------------------------------------------- */

/* 'want' ends each with a "|"; NULL: the list is refused. */
static void lists(const char *lines, const char *want) {
  char got[100] = "";
  struct base_buf out;
  struct ws_head h;
  size_t i;
  int err;
  parse(&h, lines);
  base_buf_init(&out, 90);
  assert_int_equal(base_buf_append(&out, "a\0", 2), 0); /* is not looked at */
  err = ws_handshake_subprotocols(&h, &out);
  assert_int_equal(err, want != NULL ? 0 : BASE_ERR_HEAD_SYNTAX);
  assert_memory_equal(base_buf_data(&out), "a\0", 2);
  memcpy(got, base_buf_data(&out) + 2, out.len - 2);
  for (i = 0; i < out.len - 2; i++)
    if (got[i] == '\0')
      got[i] = '|';
  assert_string_equal(got, want != NULL ? want : "");
  base_buf_free(&out);
  ws_head_deinit(&h);
}

#define OFFERS(list) GET "Sec-WebSocket-Protocol: " list "\r\n"

static void lists_subprotocols_in_their_order(void **state) {
  (void)state;
  lists(GET, "");
  lists(OFFERS("a"), "a|");
  lists(OFFERS("chat ,\tframes.v1"), "chat|frames.v1|");
  lists(OFFERS("b, a") "X: y\r\nsec-websocket-PROTOCOL: A,c\r\n", "b|a|A|c|");
  lists(OFFERS(",a,, b ,"), "a|b|"); /* RFC 9110, 5.6.1.2 */
  lists(OFFERS("ab, a, b"), "ab|a|b|");
}

static void refuses_malformed_lists_of_subprotocols(void **state) {
  (void)state;
  lists(OFFERS(""), NULL);
  lists(OFFERS(", ,"), NULL);
  lists(OFFERS("a b"), NULL);
  lists(OFFERS("a/b"), NULL);
  lists(OFFERS("a, \"b\""), NULL);
  lists(OFFERS("a;b"), NULL);
  lists(OFFERS("a, \xc3\xa9"), NULL);
  lists(OFFERS("a, b, a"), NULL);
  lists(OFFERS("a") "Sec-WebSocket-Protocol: b, a\r\n", NULL);
}

static void a_list_of_subprotocols_is_bounded(void **state) {
  char lines[4000] = GET "Sec-WebSocket-Protocol: ";
  size_t n = strlen(lines), i;
  struct base_buf out;
  struct ws_head h;
  (void)state;
  for (i = 0; i <= LIMIT_HEADER_FIELDS; i++) {
    base_buf_init(&out, 4000);
    (void)snprintf(lines + n, sizeof lines - n, "%sp%d\r\n",
                   i > 0 ? "," : "", (int)i);
    n += strlen(lines + n) - 2;
    parse(&h, lines);
    assert_int_equal(ws_handshake_subprotocols(&h, &out),
                     i < LIMIT_HEADER_FIELDS ? 0 : BASE_ERR_HEAD_LENGTH);
    assert_int_equal(out.len > 0, i < LIMIT_HEADER_FIELDS);
    base_buf_free(&out);
    ws_head_deinit(&h);
  }
  base_buf_init(&out, 3);
  parse(&h, OFFERS("ab,cd"));
  assert_int_equal(ws_handshake_subprotocols(&h, &out), BASE_ERR_BUFFER_FULL);
  assert_int_equal(out.len, 0);
  base_buf_free(&out);
  ws_head_deinit(&h);
}

/* ---- mutations ----------------------------------------------------------- */

static uint32_t seed = 2463534242u;

static size_t dice(size_t n) { /* xorshift */
  seed ^= seed << 13;
  seed ^= seed >> 17;
  seed ^= seed << 5;
  return seed % n;
}

static const char valid[] =
    "GET /a?b HTTP/1.1\r\n" ALL "Origin: https://a\r\n"
    "Sec-WebSocket-Protocol: chat, b\r\n\r\n";

/* One change: a byte, a piece doubled, taken out, or put elsewhere. */
static size_t mutate(char *s, size_t n, size_t room) {
  static const char *const words[] = {
    "\r\n", "\r\n\r\n", ",", "0", "Host: h\r\n", "HEAD", "*", "http://", "?",
    "#", "HTTP/1.0", "Transfer-Encoding: a\r\n", "Content-Length: 1\r\n",
    "Upgrade", " ", "\t", "13", "==", "%", "//", ":",
  };
  size_t at = dice(n), len = 1 + dice(n - at < 30 ? n - at : 30);
  const char *word = words[dice(sizeof words / sizeof words[0])];
  switch (dice(4)) {
    case 0: s[at] = (char)dice(256); return n;
    case 1:
      memmove(s + at, s + at + len, n - at - len);
      return n - len;
    case 2:
      if (n + len > room)
        return n;
      memmove(s + at + len, s + at, n - at);
      return n + len;
    default:
      len = strlen(word);
      if (n + len > room)
        return n;
      memmove(s + at + len, s + at, n - at);
      memcpy(s + at, word, len);
      return n + len;
  }
}

static bool within(const struct ws_head *h, const char *s, size_t n) {
  const char *from = (const char *)base_buf_data(&h->bytes);
  return s >= from && s + n <= from + h->bytes.len;
}

/* What holds for every request that was taken. */
static void check_taken(const struct ws_head *h, const struct ws_ask *a) {
  assert_true(within(h, a->path.at, a->path.len));
  assert_true(a->path.len > 0 && a->path.at[0] == '/');
  if (a->query.at != NULL)
    assert_true(within(h, a->query.at, a->query.len));
  assert_non_null(a->host);
  assert_true(*a->host != '\0' || h->minor == 0);
  assert_true(strcmp(h->method, a->head_only ? "HEAD" : "GET") == 0);
  if (a->upgrade) {
    assert_int_equal(strlen(a->key), WS_KEY_SIZE - 1);
    assert_int_equal(h->minor, 1);
  }
}

/* Feed in random cuts, each from memory of its own; the answer's status. */
static int outcome(const char *s, size_t n) {
  struct base_buf out;
  struct ws_head h;
  struct ws_ask a;
  size_t at = 0, i;
  long got = 0;
  int status = -1;
  ws_head_init(&h, true, 600);
  while (at < n && !h.complete && got >= 0) {
    size_t k = 1 + dice(n - at);
    uint8_t *piece = (uint8_t *)malloc(k);
    assert_non_null(piece);
    memcpy(piece, s + at, k);
    got = ws_head_feed(&h, piece, k);
    free(piece);
    at += got > 0 ? (size_t)got : 0;
  }
  if (got < 0)
    assert_true(got == BASE_ERR_HEAD_SYNTAX || got == BASE_ERR_HEAD_LENGTH ||
                got == BASE_ERR_HEAD_VERSION);
  if (h.complete) {
    ws_handshake_ask(&a, &h);
    status = a.status;
    assert_int_equal(a.why != NULL, status != 0);
    if (status == 0)
      check_taken(&h, &a);
    base_buf_init(&out, h.bytes.len);
    (void)ws_handshake_subprotocols(&h, &out);
    base_buf_clear(&out);
    for (i = 0; i < h.count; i++)
      assert_true(ws_head_joined(&h, i, &out) >= 0);
    base_buf_free(&out);
  }
  ws_head_deinit(&h);
  return status;
}

static void mutated_requests_are_judged_and_nothing_worse(void **state) {
  static const int may[] = {-1, 0, 400, 405, 413, 426, 501};
  enum { KINDS = sizeof may / sizeof may[0], RUNS = 20000 };
  size_t seen[KINDS] = {0}, run, i, k;
  char s[900];
  (void)state;
  for (run = 0; run < RUNS; run++) {
    size_t n = sizeof valid - 1, changes = 1 + dice(4);
    int status;
    memcpy(s, valid, n);
    for (k = 0; k < changes; k++)
      n = mutate(s, n, sizeof s);
    status = outcome(s, n);
    for (i = 0; i < KINDS && may[i] != status; i++)
      continue;
    if (i == KINDS)
      fail_msg("run %d: %d for:\n%.*s", (int)run, status, (int)n, s);
    seen[i]++;
  }
  for (i = 0; i < KINDS; i++) /* or it would prove little */
    if (seen[i] < 10)
      fail_msg("status %d came %d times", may[i], (int)seen[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(only_get_and_head_are_served),
    cmocka_unit_test(there_is_one_host_and_it_is_well_formed),
    cmocka_unit_test(a_target_is_a_path_or_a_url),
    cmocka_unit_test(a_request_has_no_body),
    cmocka_unit_test(there_is_at_most_one_origin),
    cmocka_unit_test(an_upgrade_is_all_that_the_rfc_lists),
    cmocka_unit_test(the_version_is_13),
    cmocka_unit_test(the_key_is_16_bytes_in_base64),
    cmocka_unit_test(other_protocols_to_upgrade_to_are_ignored),
    cmocka_unit_test(a_connection_is_kept_as_http_1_1_says),
    cmocka_unit_test(only_head_wants_no_body),
    cmocka_unit_test(path_and_query_are_told_apart_and_left_as_sent),
    cmocka_unit_test(says_host_origin_and_key),
    cmocka_unit_test(lists_subprotocols_in_their_order),
    cmocka_unit_test(refuses_malformed_lists_of_subprotocols),
    cmocka_unit_test(a_list_of_subprotocols_is_bounded),
    cmocka_unit_test(mutated_requests_are_judged_and_nothing_worse),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
