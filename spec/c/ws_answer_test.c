/* ws/accept and ws/date: what a server answers, and the date in it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/sha.h>

#include "base/mem.h"
#include "ws/date.h"
#include "ws/handshake.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455, 1.3 */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static void sha1(const uint8_t *in, size_t n, uint8_t out[20]) {
  assert_non_null(SHA1(in, n, out));
}

static void is(struct base_buf *out, const char *want) {
  assert_int_equal(base_buf_append(out, "", 1), 0);
  assert_string_equal((const char *)base_buf_data(out), want);
  base_buf_free(out);
}

static void accepts_as_the_rfc_shows(void **state) {
  static const struct ws_pair headers[] = {{"X-A", "1"}, {"Set-Cookie", "b"}};
  struct ws_accept a;
  struct base_buf out;
  (void)state;
  memset(&a, 0, sizeof a);
  a.key = KEY;
  base_buf_init(&out, 1000);
  assert_int_equal(ws_handshake_respond(&out, &a, sha1), 0);
  is(&out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
           "Connection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n");
  a.subprotocol = "chat";
  a.extensions = "permessage-deflate";
  a.headers = headers;
  a.header_count = 2;
  assert_int_equal(ws_handshake_respond(&out, &a, sha1), 0);
  is(&out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
           "Connection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n"
           "Sec-WebSocket-Protocol: chat\r\n"
           "Sec-WebSocket-Extensions: permessage-deflate\r\n"
           "X-A: 1\r\nSet-Cookie: b\r\n\r\n");
}

static void our_client_takes_what_our_server_answers(void **state) {
  static const char *const offered[] = {"chat"};
  const char *subprotocol, *extensions;
  struct ws_url url;
  struct ws_request r;
  struct ws_accept a;
  struct base_buf out;
  struct ws_head in, back;
  struct ws_ask asked;
  (void)state;
  memset(&r, 0, sizeof r);
  memset(&a, 0, sizeof a);
  assert_int_equal(ws_url_parse(&url, "ws+unix:///run/x:/a?b", 21, false), 0);
  r.url = &url;
  r.subprotocols = offered;
  r.subprotocol_count = 1;
  ws_handshake_key(r.key, (const uint8_t *)"0123456789abcdef");
  base_buf_init(&out, 1000);
  assert_int_equal(ws_handshake_request(&out, &r), 0);
  ws_head_init(&in, true, 1000);
  assert_int_equal(ws_head_feed(&in, base_buf_data(&out), out.len), out.len);
  ws_handshake_ask(&asked, &in);
  assert_int_equal(asked.status, 0);
  assert_string_equal(asked.host, "localhost");
  base_buf_clear(&out);
  a.key = asked.key;
  a.subprotocol = offered[0];
  assert_int_equal(ws_handshake_respond(&out, &a, sha1), 0);
  ws_head_init(&back, false, 1000);
  assert_int_equal(ws_head_feed(&back, base_buf_data(&out), out.len),
                   out.len);
  assert_null(ws_handshake_check(&r, &back, sha1, 0, &subprotocol,
                                 &extensions));
  assert_string_equal(subprotocol, "chat");
  ws_head_deinit(&in);
  ws_head_deinit(&back);
  base_buf_free(&out);
  ws_url_deinit(&url);
}

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

/* "!" in front of the body: it is the caller's to send. */
static void answers(struct ws_response *r, const char *body,
                    const char *want) {
  struct base_buf out;
  r->now = 784111777;
  r->body_size = strlen(body);
  r->body = (const uint8_t *)body;
  if (*body == '!') {
    r->body_size--;
    r->body = NULL;
  }
  base_buf_init(&out, 1000);
  assert_int_equal(ws_handshake_answer(&out, r), 0);
  is(&out, want);
}

static struct ws_response response(int status) {
  struct ws_response r;
  memset(&r, 0, sizeof r);
  r.status = status;
  return r;
}

static void answers_tell_date_connection_and_length(void **state) {
  static const struct ws_pair headers[] = {{"content-type", "text/plain"}};
  struct ws_response r = response(200);
  (void)state;
  answers(&r, "", "HTTP/1.1 200 OK\r\n" DATE "Connection: close\r\n"
                  "Content-Length: 0\r\n\r\n");
  r.keep = true;
  r.headers = headers;
  r.header_count = 1;
  answers(&r, "up\n", "HTTP/1.1 200 OK\r\n" DATE "Connection: keep-alive\r\n"
                      "Content-Length: 3\r\ncontent-type: text/plain\r\n\r\n"
                      "up\n");
  answers(&r, "!up\n", "HTTP/1.1 200 OK\r\n" DATE "Connection: keep-alive\r\n"
                       "Content-Length: 3\r\ncontent-type: text/plain\r\n"
                       "\r\n");
  r.head_only = true;
  answers(&r, "up\n", "HTTP/1.1 200 OK\r\n" DATE "Connection: keep-alive\r\n"
                      "Content-Length: 3\r\ncontent-type: text/plain\r\n"
                      "\r\n");
  r = response(299); /* the space stays: RFC 9112, 4 */
  answers(&r, "", "HTTP/1.1 299 \r\n" DATE "Connection: close\r\n"
                  "Content-Length: 0\r\n\r\n");
}

static void some_answers_never_have_a_body(void **state) {
  struct ws_response r = response(204);
  int status;
  (void)state;
  answers(&r, "x", "HTTP/1.1 204 No Content\r\n" DATE
                   "Connection: close\r\n\r\n");
  r = response(304);
  answers(&r, "!x", "HTTP/1.1 304 Not Modified\r\n" DATE
                    "Connection: close\r\n\r\n");
  r = response(205);
  answers(&r, "x", "HTTP/1.1 205 Reset Content\r\n" DATE
                   "Connection: close\r\nContent-Length: 0\r\n\r\n");
  for (status = 200; status < 600; status++)
    assert_int_equal(ws_handshake_has_body(status),
                     status != 204 && status != 205 && status != 304);
}

static void answers_have_what_their_status_demands(void **state) {
  static const struct ws_pair allow[] = {{"aLLOW", "GET"}};
  static const struct ws_pair other[] = {{"Allows", "GET"}};
  struct ws_response r = response(405);
  (void)state;
  answers(&r, "", "HTTP/1.1 405 Method Not Allowed\r\n" DATE
                  "Connection: close\r\nContent-Length: 0\r\n"
                  "Allow: GET, HEAD\r\n\r\n");
  r.header_count = 1;
  r.headers = allow;
  answers(&r, "", "HTTP/1.1 405 Method Not Allowed\r\n" DATE
                  "Connection: close\r\nContent-Length: 0\r\n"
                  "aLLOW: GET\r\n\r\n");
  r.headers = other;
  answers(&r, "", "HTTP/1.1 405 Method Not Allowed\r\n" DATE
                  "Connection: close\r\nContent-Length: 0\r\n"
                  "Allow: GET, HEAD\r\nAllows: GET\r\n\r\n");
  r = response(426);
  answers(&r, "", "HTTP/1.1 426 Upgrade Required\r\n" DATE
                  "Connection: Upgrade, close\r\nContent-Length: 0\r\n"
                  "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n");
  r.keep = true;
  answers(&r, "no", "HTTP/1.1 426 Upgrade Required\r\n" DATE
                    "Connection: Upgrade, keep-alive\r\nContent-Length: 2\r\n"
                    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
                    "no");
}

static int allowed; /* allocations until they fail */

static void *failing(void *p, size_t size) {
  if (size == 0) {
    free(p);
    return NULL;
  }
  return allowed-- > 0 ? realloc(p, size) : NULL;
}

static void an_answer_that_does_not_fit_leaves_nothing(void **state) {
  base_realloc_fn *before = base_mem_realloc_hook;
  struct ws_response r = response(426);
  struct ws_accept a;
  struct base_buf out;
  size_t max, whole;
  (void)state;
  memset(&a, 0, sizeof a);
  a.key = KEY;
  r.body = (const uint8_t *)"why";
  r.body_size = 3;
  base_buf_init(&out, 1000);
  assert_int_equal(ws_handshake_answer(&out, &r), 0);
  whole = out.len;
  base_buf_free(&out);
  for (max = 1; max <= whole; max++) { /* with one byte in front: never */
    base_buf_init(&out, max);
    assert_int_equal(base_buf_append_str(&out, "<"), 0);
    assert_int_equal(ws_handshake_answer(&out, &r), BASE_ERR_BUFFER_FULL);
    if (max <= 129)
      assert_int_equal(ws_handshake_respond(&out, &a, sha1),
                       BASE_ERR_BUFFER_FULL);
    assert_int_equal(out.len, 1);
    base_buf_free(&out);
  }
  base_mem_realloc_hook = failing;
  allowed = 0;
  base_buf_init(&out, 1000);
  assert_int_equal(ws_handshake_respond(&out, &a, sha1), BASE_ERR_MEMORY);
  assert_int_equal(ws_handshake_answer(&out, &r), BASE_ERR_MEMORY);
  assert_int_equal(out.len, 0);
  base_mem_realloc_hook = before;
}

static void knows_which_headers_a_user_may_answer_with(void **state) {
  static const char *const ours[] = {
    "Connection", "content-LENGTH", "Transfer-Encoding", "UPGRADE", "date",
    "Sec-WebSocket-Accept", "sec-websocket-protocol", "Sec-WebSocket-",
  };
  static const char *const theirs[] = {
    "Host", "Dates", "Dat", "Content-Type", "Allow", "Location", "Set-Cookie",
    "Sec-WebSocket", "Server",
  };
  size_t i;
  (void)state;
  for (i = 0; i < sizeof ours / sizeof ours[0]; i++)
    assert_false(ws_handshake_reply_allowed(ours[i]));
  for (i = 0; i < sizeof theirs / sizeof theirs[0]; i++)
    assert_true(ws_handshake_reply_allowed(theirs[i]));
}

static void knows_the_reasons(void **state) {
  static const struct {
    int status;
    const char *reason;
  } rows[] = {
    {101, "Switching Protocols"}, {200, "OK"}, {301, "Moved Permanently"},
    {403, "Forbidden"}, {404, "Not Found"}, {408, "Request Timeout"},
    {413, "Content Too Large"}, {426, "Upgrade Required"},
    {431, "Request Header Fields Too Large"}, {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"}, {306, ""}, {418, ""}, {299, ""},
    {0, ""}, {-1, ""}, {600, ""},
  };
  size_t i;
  (void)state;
  for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_string_equal(ws_handshake_reason(rows[i].status), rows[i].reason);
}

static void writes(double t, const char *want) {
  char got[WS_DATE_SIZE];
  memset(got, 'x', sizeof got);
  ws_date_format(got, t);
  assert_string_equal(got, want);
}

static void writes_dates_as_http_wants_them(void **state) {
  (void)state; /* RFC 9110, 5.6.7 */
  writes(784111777, "Sun, 06 Nov 1994 08:49:37 GMT");
  writes(784111777.999, "Sun, 06 Nov 1994 08:49:37 GMT");
  writes(0, "Thu, 01 Jan 1970 00:00:00 GMT");
  writes(951782399, "Mon, 28 Feb 2000 23:59:59 GMT");
  writes(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
  writes(4107542399.0, "Sun, 28 Feb 2100 23:59:59 GMT");
  writes(4107542400.0, "Mon, 01 Mar 2100 00:00:00 GMT");
  writes(1735689599, "Tue, 31 Dec 2024 23:59:59 GMT");
  writes(1735689600, "Wed, 01 Jan 2025 00:00:00 GMT");
  writes(253402300799.0, "Fri, 31 Dec 9999 23:59:59 GMT");
  writes(253402300800.0, "Fri, 31 Dec 9999 23:59:59 GMT");
  writes((double)INFINITY, "Fri, 31 Dec 9999 23:59:59 GMT");
  writes(-1, "Thu, 01 Jan 1970 00:00:00 GMT");
  writes(-(double)INFINITY, "Thu, 01 Jan 1970 00:00:00 GMT");
  writes((double)NAN, "Thu, 01 Jan 1970 00:00:00 GMT");
}

static void every_date_reads_back(void **state) {
  static const char weekdays[] = "ThuFriSatSunMonTueWed";
  char got[WS_DATE_SIZE];
  size_t day;
  (void)state;
  for (day = 0; day < 2932897; day++) { /* to the end of 9999; 12:34:56 */
    double t = (double)day * 86400 + 45296, back;
    ws_date_format(got, t);
    assert_true(ws_date_parse(&back, got));
    if (back < t || back > t)
      fail_msg("%s: %f, not %f", got, back, t);
    assert_memory_equal(got, weekdays + day % 7 * 3, 3);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(accepts_as_the_rfc_shows),
    cmocka_unit_test(our_client_takes_what_our_server_answers),
    cmocka_unit_test(answers_tell_date_connection_and_length),
    cmocka_unit_test(some_answers_never_have_a_body),
    cmocka_unit_test(answers_have_what_their_status_demands),
    cmocka_unit_test(an_answer_that_does_not_fit_leaves_nothing),
    cmocka_unit_test(knows_which_headers_a_user_may_answer_with),
    cmocka_unit_test(knows_the_reasons),
    cmocka_unit_test(writes_dates_as_http_wants_them),
    cmocka_unit_test(every_date_reads_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
