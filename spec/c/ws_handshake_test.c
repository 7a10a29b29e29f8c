/* ws/handshake: what is asked, and which answers open a connection. */
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
#include "ws/handshake.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455, 1.3 */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define SWITCHED "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADED "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define ACCEPTED "Sec-WebSocket-Accept: " ACCEPT "\r\n"

static const char *const offered[] = {"chat", "frames.v1"};

static void sha1(const uint8_t *in, size_t n, uint8_t out[20]) {
  assert_non_null(SHA1(in, n, out));
}

static struct ws_request request(const struct ws_url *url) {
  struct ws_request r;
  memset(&r, 0, sizeof r);
  r.url = url;
  memcpy(r.key, KEY, sizeof KEY);
  return r;
}

static struct ws_url url(const char *s) {
  struct ws_url u;
  assert_int_equal(ws_url_parse(&u, s, strlen(s), false), 0);
  return u;
}

static void encodes_base64(void **state) {
  static const char *const vectors[][2] = { /* RFC 4648, 10 */
    {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
    {"\xfb\xff\xfe", "+//+"},
  };
  char out[20];
  size_t i;
  (void)state;
  for (i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
    memset(out, 'x', sizeof out);
    ws_base64(out, (const uint8_t *)vectors[i][0], strlen(vectors[i][0]));
    assert_string_equal(out, vectors[i][1]);
  }
}

static void makes_the_key_and_accept_of_the_rfc(void **state) {
  char key[WS_KEY_SIZE], accept[WS_ACCEPT_SIZE];
  (void)state;
  ws_handshake_key(key, (const uint8_t *)"the sample nonce");
  assert_string_equal(key, KEY);
  ws_handshake_accept(accept, KEY, sha1);
  assert_string_equal(accept, ACCEPT);
}

static void a_key_of_any_length_is_safe(void **state) {
  char accept[WS_ACCEPT_SIZE], longest[300];
  (void)state;
  memset(longest, 'k', sizeof longest);
  longest[sizeof longest - 1] = '\0';
  ws_handshake_accept(accept, longest, sha1);
  assert_int_equal(strlen(accept), WS_ACCEPT_SIZE - 1);
  ws_handshake_accept(accept, "", sha1);
  assert_string_equal(accept, "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w=");
}

static void writes(const struct ws_request *r, const char *want) {
  struct base_buf out;
  base_buf_init(&out, 4096);
  assert_int_equal(base_buf_append_str(&out, "<"), 0);
  assert_int_equal(ws_handshake_request(&out, r), 0);
  assert_int_equal(out.len, strlen(want) + 1);
  assert_memory_equal(base_buf_data(&out) + 1, want, strlen(want));
  base_buf_free(&out);
}

static void writes_a_plain_request(void **state) {
  struct ws_url u = url("wss://Example.com");
  struct ws_request r = request(&u);
  (void)state;
  writes(&r, "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n"
             "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: " KEY "\r\n\r\n");
  ws_url_deinit(&u);
}

static void writes_all_that_is_asked_for(void **state) {
  static const struct ws_pair headers[] = {{"X-A", "1"}, {"Cookie", "c=d"}};
  struct ws_url u = url("ws://[::1]:8080/a%20b?c");
  struct ws_request r = request(&u);
  (void)state;
  r.origin = "https://example.com";
  r.extensions = "permessage-deflate";
  r.subprotocols = offered;
  r.subprotocol_count = 2;
  r.headers = headers;
  r.header_count = 2;
  writes(&r, "GET /a%20b?c HTTP/1.1\r\nHost: [::1]:8080\r\n"
             "Connection: Upgrade\r\nX-A: 1\r\nCookie: c=d\r\n"
             "Upgrade: websocket\r\nOrigin: https://example.com\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"
             "Sec-WebSocket-Extensions: permessage-deflate\r\n"
             "Sec-WebSocket-Protocol: chat, frames.v1\r\n\r\n");
  ws_url_deinit(&u);
}

static void a_request_that_does_not_fit_leaves_nothing(void **state) {
  struct ws_url u = url("ws://h/");
  struct ws_request r = request(&u);
  size_t max;
  (void)state;
  for (max = 1; max < 140; max++) {
    struct base_buf out;
    base_buf_init(&out, max);
    assert_int_equal(base_buf_append_str(&out, "<"), 0);
    assert_int_equal(ws_handshake_request(&out, &r), BASE_ERR_BUFFER_FULL);
    assert_int_equal(out.len, 1);
    base_buf_free(&out);
  }
  ws_url_deinit(&u);
}

static void keeps_its_own_headers_from_users(void **state) {
  (void)state;
  assert_false(ws_handshake_header_allowed("host"));
  assert_false(ws_handshake_header_allowed("UPGRADE"));
  assert_false(ws_handshake_header_allowed("Connection"));
  assert_false(ws_handshake_header_allowed("content-Length"));
  assert_false(ws_handshake_header_allowed("Transfer-Encoding"));
  assert_false(ws_handshake_header_allowed("Sec-WebSocket-Key"));
  assert_false(ws_handshake_header_allowed("sec-websocket-"));
  assert_true(ws_handshake_header_allowed("sec-websocket"));
  assert_true(ws_handshake_header_allowed("Hosts"));
  assert_true(ws_handshake_header_allowed("Authorization"));
  assert_true(ws_handshake_header_allowed("Origin"));
}

/* One answer, judged. */
struct verdict {
  struct ws_head head;
  struct base_error *err;
  const char *subprotocol, *extensions;
};

static void judge(struct verdict *v, const char *extensions,
                  const char *answer) {
  struct ws_url u = url("ws://h/");
  struct ws_request r = request(&u);
  r.extensions = extensions;
  r.subprotocols = offered;
  r.subprotocol_count = 2;
  ws_head_init(&v->head, false, 4096);
  assert_int_equal(
      ws_head_feed(&v->head, (const uint8_t *)answer, strlen(answer)),
      strlen(answer));
  assert_true(v->head.complete);
  v->err = ws_handshake_check(&r, &v->head, sha1, 784111777, &v->subprotocol,
                              &v->extensions);
  ws_url_deinit(&u);
}

static void forget(struct verdict *v) {
  base_error_free(v->err);
  ws_head_deinit(&v->head);
}

static void opens(const char *extensions, const char *answer,
                  const char *subprotocol, const char *chosen) {
  struct verdict v;
  judge(&v, extensions, answer);
  if (v.err != NULL)
    fail_msg("%s: %s", answer, v.err->message);
  assert_int_equal(v.subprotocol != NULL, subprotocol != NULL);
  if (subprotocol != NULL)
    assert_string_equal(v.subprotocol, subprotocol);
  assert_int_equal(v.extensions != NULL, chosen != NULL);
  if (chosen != NULL)
    assert_string_equal(v.extensions, chosen);
  forget(&v);
}

static void fails(const char *extensions, const char *answer, const char *code,
                  const char *message) {
  struct verdict v;
  judge(&v, extensions, answer);
  if (v.err == NULL)
    fail_msg("%s", answer);
  assert_int_equal(v.err->kind, BASE_KIND_UPGRADE);
  assert_string_equal(v.err->code, code);
  assert_string_equal(v.err->message, message);
  assert_null(v.subprotocol);
  assert_null(v.extensions);
  assert_true(base_error_field(v.err, "status")->number ==
              (double)v.head.status);
  forget(&v);
}

static void opens_on_a_correct_answer(void **state) {
  (void)state;
  opens(NULL, SWITCHED UPGRADED ACCEPTED "\r\n", NULL, NULL);
  opens(NULL, SWITCHED "UPGRADE: WebSocket\r\n"
              "connection: keep-alive, upgrade\r\n" ACCEPTED "\r\n",
        NULL, NULL);
  opens(NULL, "HTTP/1.1 101 \r\nConnection: a\r\n" UPGRADED ACCEPTED "\r\n",
        NULL, NULL);
  opens(NULL, SWITCHED UPGRADED ACCEPTED
        "Sec-WebSocket-Protocol: frames.v1\r\n\r\n", "frames.v1", NULL);
  opens("permessage-deflate", SWITCHED UPGRADED ACCEPTED "\r\n", NULL, NULL);
  opens("permessage-deflate", SWITCHED UPGRADED ACCEPTED
        "Sec-WebSocket-Extensions: permessage-deflate; a=1\r\n\r\n", NULL,
        "permessage-deflate; a=1");
}

static void any_other_status_fails(void **state) {
  (void)state;
  fails(NULL, "HTTP/1.1 403 Forbidden\r\n\r\n", "status",
        "server answered 403 Forbidden instead of 101 Switching Protocols");
  fails(NULL, "HTTP/1.1 200 \r\n" UPGRADED ACCEPTED "\r\n", "status",
        "server answered 200 instead of 101 Switching Protocols");
  fails(NULL, "HTTP/1.1 102 Processing\r\n" UPGRADED ACCEPTED "\r\n", "status",
        "server answered 102 Processing instead of 101 Switching Protocols");
}

static void the_words_of_a_peer_are_made_harmless(void **state) {
  char answer[600], reason[300];
  struct verdict v;
  (void)state;
  fails(NULL, "HTTP/1.1 500 a\tb\x9b" "2J %s\xff\r\n\r\n", "status",
        "server answered 500 a?b?2J %s? instead of 101 Switching Protocols");
  memset(reason, 'r', sizeof reason);
  reason[sizeof reason - 1] = '\0';
  (void)snprintf(answer, sizeof answer, "HTTP/1.1 500 %s\r\n\r\n", reason);
  judge(&v, NULL, answer);
  assert_in_range(strlen(v.err->message), 100, 170);
  assert_non_null(strstr(v.err->message, "rr... instead of 101"));
  forget(&v);
}

static void an_answer_without_upgrade_fails(void **state) {
  (void)state;
  fails(NULL, SWITCHED "Connection: Upgrade\r\n" ACCEPTED "\r\n", "no_upgrade",
        "server answered 101 but did not send Upgrade: websocket");
  fails(NULL, SWITCHED "Upgrade: websocket\r\n" ACCEPTED "\r\n", "no_upgrade",
        "server answered 101 but did not send Connection: Upgrade");
  fails(NULL, SWITCHED "Upgrade: h2c\r\nConnection: Upgrade\r\n" ACCEPTED
        "\r\n", "no_upgrade",
        "server answered 101 but sent \"h2c\" instead of Upgrade: websocket");
  fails(NULL, SWITCHED "Upgrade: websocket\r\nConnection: close\r\n" ACCEPTED
        "\r\n", "no_upgrade",
        "server answered 101 but sent \"close\" instead of "
        "Connection: Upgrade");
}

static void an_answer_with_two_upgrades_fails(void **state) {
  (void)state;
  fails(NULL, SWITCHED UPGRADED "Upgrade: h2c\r\n" ACCEPTED "\r\n",
        "no_upgrade", "server answered 101 with more than one Upgrade");
}

static void an_answer_to_another_key_fails(void **state) {
  static const char *const mismatch =
      "server's Sec-WebSocket-Accept does not match the key that was sent "
      "(a cache or proxy may have answered)";
  (void)state;
  fails(NULL, SWITCHED UPGRADED "\r\n", "bad_accept",
        "server answered 101 with no Sec-WebSocket-Accept instead of one");
  fails(NULL, SWITCHED UPGRADED ACCEPTED ACCEPTED "\r\n", "bad_accept",
        "server answered 101 with more than one Sec-WebSocket-Accept instead "
        "of one");
  fails(NULL, SWITCHED UPGRADED "Sec-WebSocket-Accept: " ACCEPT "=\r\n\r\n",
        "bad_accept", mismatch);
  fails(NULL, SWITCHED UPGRADED
        "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        "bad_accept", mismatch);
}

static void a_subprotocol_that_was_not_offered_fails(void **state) {
  (void)state;
  fails(NULL, SWITCHED UPGRADED ACCEPTED "Sec-WebSocket-Protocol: Chat\r\n\r\n",
        "subprotocol",
        "server chose the subprotocol \"Chat\", which was not offered");
  fails(NULL, SWITCHED UPGRADED ACCEPTED
        "Sec-WebSocket-Protocol: chat, frames.v1\r\n\r\n", "subprotocol",
        "server chose the subprotocol \"chat, frames.v1\", which was not "
        "offered");
  fails(NULL, SWITCHED UPGRADED ACCEPTED "Sec-WebSocket-Protocol: chat\r\n"
        "Sec-WebSocket-Protocol: chat\r\n\r\n", "subprotocol",
        "server chose more than one subprotocol");
}

static void an_extension_that_was_not_offered_fails(void **state) {
  (void)state;
  fails(NULL, SWITCHED UPGRADED ACCEPTED "Sec-WebSocket-Protocol: chat\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "extension",
        "server chose the extension \"permessage-deflate\", although none was "
        "offered");
  fails("permessage-deflate", SWITCHED UPGRADED ACCEPTED
        "Sec-WebSocket-Extensions: permessage-deflate\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "extension",
        "server sent Sec-WebSocket-Extensions more than once");
}

static void an_error_carries_what_the_server_said(void **state) {
  static const char want[] = "a\0" "1, 2, \0b\0x\0retry-after\0" "7";
  const struct base_field *f;
  struct verdict v;
  (void)state;
  judge(&v, NULL, "HTTP/1.1 503 No\r\nA: 1\r\nB: x\r\na: 2\r\nA:\r\n"
                  "Retry-After: 7\r\n\r\n");
  f = base_error_field(v.err, "headers");
  assert_non_null(f);
  assert_int_equal(f->type, BASE_FIELD_MAP);
  assert_int_equal(f->size, sizeof want);
  assert_memory_equal(f->text, want, sizeof want);
  f = base_error_field(v.err, "retry_after");
  assert_non_null(f);
  assert_true(f->number == 7.0);
  forget(&v);
  judge(&v, NULL, "HTTP/1.1 503 No\r\n"
                  "Retry-After: Sun, 06 Nov 1994 08:49:40 GMT\r\n\r\n");
  assert_true(base_error_field(v.err, "retry_after")->number == 3.0);
  forget(&v);
  judge(&v, NULL, "HTTP/1.1 503 No\r\nRetry-After: soon\r\n\r\n");
  assert_null(base_error_field(v.err, "retry_after"));
  forget(&v);
}

/* The shortest head for what its map holds. */
static void the_map_of_headers_always_fits(void **state) {
  const struct base_field *f;
  char answer[700] = "HTTP/1.1 503 \r\n";
  size_t n = strlen(answer), i;
  struct verdict v;
  (void)state;
  for (i = 0; i < LIMIT_HEADER_FIELDS; i++, n += 4)
    memcpy(answer + n, i % 2 == 0 ? "a:\r\n" : "b:\r\n", 4);
  memcpy(answer + n, "\r\n", 3);
  judge(&v, NULL, answer);
  f = base_error_field(v.err, "headers");
  assert_non_null(f);
  assert_int_equal(f->size, 2 * (3 + 2 * (LIMIT_HEADER_FIELDS / 2 - 1)));
  forget(&v);
}

static int allowed; /* allocations until they fail */
static size_t live;

static void *failing(void *p, size_t size) {
  if (size == 0) {
    live--;
    free(p);
    return NULL;
  }
  if (allowed-- <= 0)
    return NULL;
  live += p == NULL;
  return realloc(p, size);
}

static void survives_a_want_of_memory(void **state) {
  static const char s[] = "HTTP/1.1 503 No\r\nA: 1\r\nRetry-After: 7\r\n\r\n";
  base_realloc_fn *before = base_mem_realloc_hook;
  const char *subprotocol, *extensions;
  struct ws_url u = url("ws://h/");
  struct ws_request r = request(&u);
  struct ws_head h;
  int n;
  (void)state;
  ws_head_init(&h, false, 100);
  assert_int_equal(ws_head_feed(&h, (const uint8_t *)s, sizeof s - 1),
                   sizeof s - 1);
  base_mem_realloc_hook = failing;
  for (n = 0; n < 12; n++) {
    struct base_error *e;
    allowed = n;
    e = ws_handshake_check(&r, &h, sha1, 0, &subprotocol, &extensions);
    assert_non_null(e);
    assert_string_equal(e->code, n == 0 ? "memory" : "status");
    assert_int_equal(base_error_field(e, "status") != NULL, n > 1);
    if (n == 11) /* enough for all of it */
      assert_non_null(base_error_field(e, "retry_after"));
    base_error_free(e);
    assert_int_equal(live, 0);
  }
  base_mem_realloc_hook = before;
  ws_head_deinit(&h);
  ws_url_deinit(&u);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(encodes_base64),
    cmocka_unit_test(makes_the_key_and_accept_of_the_rfc),
    cmocka_unit_test(a_key_of_any_length_is_safe),
    cmocka_unit_test(writes_a_plain_request),
    cmocka_unit_test(writes_all_that_is_asked_for),
    cmocka_unit_test(a_request_that_does_not_fit_leaves_nothing),
    cmocka_unit_test(keeps_its_own_headers_from_users),
    cmocka_unit_test(opens_on_a_correct_answer),
    cmocka_unit_test(any_other_status_fails),
    cmocka_unit_test(the_words_of_a_peer_are_made_harmless),
    cmocka_unit_test(an_answer_without_upgrade_fails),
    cmocka_unit_test(an_answer_with_two_upgrades_fails),
    cmocka_unit_test(an_answer_to_another_key_fails),
    cmocka_unit_test(a_subprotocol_that_was_not_offered_fails),
    cmocka_unit_test(an_extension_that_was_not_offered_fails),
    cmocka_unit_test(an_error_carries_what_the_server_said),
    cmocka_unit_test(the_map_of_headers_always_fits),
    cmocka_unit_test(survives_a_want_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
