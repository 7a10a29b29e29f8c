/* ws/head: HTTP/1.1 heads, fed whole, byte by byte, and cut everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "ws/head.h"

#define OK_LINE "HTTP/1.1 101 Switching Protocols\r\n"
#define GET_LINE "GET / HTTP/1.1\r\n"

/* Feed from memory of exactly that size; add what was used to '*used'. */
static long feed(struct ws_head *h, const char *s, size_t n, size_t *used) {
  uint8_t *copy = (uint8_t *)malloc(n + 1);
  long got;
  assert_non_null(copy);
  memcpy(copy + 1, s, n);
  got = ws_head_feed(h, copy + 1, n);
  free(copy);
  if (got > 0)
    *used += (size_t)got;
  return got;
}

/* All that is in a head, as one text. */
static void describe(char *out, size_t size, const struct ws_head *h) {
  size_t n, i;
  if (h->is_request)
    n = (size_t)snprintf(out, size, "%s%s%s %s%s", h->method,
                         h->authority != NULL ? " //" : "",
                         h->authority != NULL ? h->authority : "", h->target,
                         h->minor == 0 ? " 1.0" : "");
  else
    n = (size_t)snprintf(out, size, "%d [%s]", h->status, h->reason);
  for (i = 0; i < h->count; i++)
    n += (size_t)snprintf(out + n, size - n, "|%s=%s", h->fields[i].name,
                          h->fields[i].value);
  assert_true(n < size);
}

/* Feed up to 'first', then in pieces of 'step'; judge the end. */
static void run(bool is_request, const char *s, size_t n, size_t first,
                size_t step, int err, const char *want) {
  char got[1000];
  struct ws_head h;
  size_t used = 0;
  long last;
  ws_head_init(&h, is_request, 600);
  last = feed(&h, s, first, &used);
  while (last >= 0 && used < n && !h.complete) {
    size_t k = n - used < step ? n - used : step;
    last = feed(&h, s + used, k, &used);
  }
  if ((last < 0 ? last : 0) != err)
    fail_msg("%s: %ld, not %d (cut at %d, then every %d)", s, last, err,
             (int)first, (int)step);
  assert_int_equal(h.complete, want != NULL);
  if (want != NULL) {
    describe(got, sizeof got, &h);
    assert_string_equal(got, want);
    assert_int_equal(used, strstr(s, "\r\n\r\n") + 4 - s);
    assert_int_equal(feed(&h, "x", 1, &used), 0);
  } else {
    assert_int_equal(h.count, 0);
    if (err != 0)
      assert_int_equal(feed(&h, "\r\n\r\n", 4, &used), err);
  }
  ws_head_deinit(&h);
}

static void run_n(bool is_request, const char *s, size_t n, int err,
                  const char *want) {
  size_t cut;
  for (cut = 0; cut <= n; cut++)
    run(is_request, s, n, cut, n, err, want);
  run(is_request, s, n, 0, 1, err, want);
}

static void takes(bool is_request, const char *s, const char *want) {
  run_n(is_request, s, strlen(s), 0, want);
}

static void refuses_both(const char *fields, int err) {
  char s[800];
  (void)snprintf(s, sizeof s, GET_LINE "%s", fields);
  run_n(true, s, strlen(s), err, NULL);
  (void)snprintf(s, sizeof s, OK_LINE "%s", fields);
  run_n(false, s, strlen(s), err, NULL);
}

static void parses_requests(void **state) {
  (void)state;
  takes(true, "GET / HTTP/1.1\r\n\r\n", "GET /");
  takes(true,
        "GET /chat?a=b|{c}^`\\%zz HTTP/1.1\r\nHost: h:80\r\n\r\nrest",
        "GET /chat?a=b|{c}^`\\%zz|host=h:80");
  takes(true, "x-Y!#$%&'*+-.^_`|~9 /* HTTP/1.1\r\n\r\n",
        "x-Y!#$%&'*+-.^_`|~9 /*");
}

static void parses_requests_of_http_1_0(void **state) {
  (void)state;
  takes(true, "GET /up?a HTTP/1.0\r\nA: b\r\n\r\nrest", "GET /up?a 1.0|a=b");
}

static void takes_a_whole_url_apart(void **state) {
  static const char *const cases[][2] = { /* RFC 9112, 3.2.2 */
    {"http://h/a?b", "GET //h /a?b"}, {"ws://h:80/", "GET //h:80 /"},
    {"HTTPS://[::1]:4/a//b", "GET //[::1]:4 /a//b"}, {"wss://h", "GET //h /"},
    {"http://h?a/b", "GET //h /?a/b"}, {"http://h:?", "GET //h: /?"},
    {"http://", "GET // /"}, {"http:///a", "GET // /a"},
    {"http://?", "GET // /?"}, {"ws://u:p@h/", "GET //u:p@h /"},
    /* not taken apart: another form, or no URL of ours */
    {"/http://h/a", "GET /http://h/a"}, {"//h/a", "GET //h/a"},
    {"http:/h/a", "GET http:/h/a"}, {"http:h", "GET http:h"},
    {"httpx://h/a", "GET httpx://h/a"}, {"htt://h/a", "GET htt://h/a"},
    {"ftp://h/a", "GET ftp://h/a"}, {"://h/a", "GET ://h/a"},
    {"http", "GET http"}, {"h:80", "GET h:80"}, {"*", "GET *"},
  };
  char s[100];
  size_t i;
  (void)state;
  for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    (void)snprintf(s, sizeof s, "GET %s HTTP/1.1\r\n\r\n", cases[i][0]);
    takes(true, s, cases[i][1]);
  }
}

static void parses_responses(void **state) {
  (void)state;
  takes(false, OK_LINE "\r\n", "101 [Switching Protocols]");
  takes(false, "HTTP/1.1 404 \r\n\r\n\x81\x00", "404 []");
  takes(false, "HTTP/1.1 999 a\tb \xff\r\n\r\n", "999 [a\tb \xff]");
}

static void names_become_lower_case_and_values_are_trimmed(void **state) {
  (void)state;
  takes(false,
        OK_LINE "UPGRADE:websocket\r\nX-A: \t b \t c\t \r\nEmpty:\r\n"
        "Blank: \t\r\nx-a:2\r\nU: \xc3\xa9:\r\n\r\n",
        "101 [Switching Protocols]|upgrade=websocket|x-a=b \t c|empty=|"
        "blank=|x-a=2|u=\xc3\xa9:");
}

static void refuses_malformed_first_lines(void **state) {
  static const char *const requests[] = {
    " GET / HTTP/1.1\r\n", "\r\nGET / HTTP/1.1\r\n", "GET  / HTTP/1.1\r\n",
    "GET /  HTTP/1.1\r\n", "GET / HTTP/1.1 \r\n", "GET /\r\n", "GET\r\n",
    "GET http://h/# HTTP/1.1\r\n", "GET # HTTP/1.1\r\n",
    "GET h\xc3\xa9 HTTP/1.1\r\n", "GET \tHTTP/1.1\r\n",
    "GET /# HTTP/1.1\r\n", "GET /\" HTTP/1.1\r\n", "GET /\t HTTP/1.1\r\n",
    "GET /\xc3\xa9 HTTP/1.1\r\n", "GET /\x7f HTTP/1.1\r\n",
    "G(T / HTTP/1.1\r\n", "GET / http/1.1\r\n", "GET / HTTP/1.1\n",
    "GET / HTTP/1.1\r\r\n", "GET / HTTP/1,1\r\n", "GET / HTTP/.1\r\n",
    "GET / HTTPS/1.1\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "GET / HTTP/1.0\n",
    "\x16\x03\x01\x02", "\x80",
  };
  static const char *const responses[] = {
    " HTTP/1.1 101 a\r\n", "HTTP/1.1  101 a\r\n", "HTTP/1.1 101\r\n",
    "HTTP/1.1 101a\r\n", "HTTP/1.1 10 a\r\n", "HTTP/1.1 1010 a\r\n",
    "HTTP/1.1 -10 a\r\n", "HTTP/1.1 001 a\r\n", "HTTP/1.1\t101 a\r\n",
    "HTTP/1.1 101 a\n", "HTTP/1.1 101 a\rb", "HTTP/1.1 101 a\x01\r\n",
    "HTTP/1.1 101 a\x7f\r\n", "http/1.1 101 a\r\n", "HTTP/1.11 101 a\r\n",
    "\x15\x03\x03\x00\x02", "SSH-2.0", "220 smtp ready\r\n", "ICY 200 OK\r\n",
  };
  size_t i;
  (void)state;
  for (i = 0; i < sizeof requests / sizeof requests[0]; i++)
    run_n(true, requests[i], strlen(requests[i]), BASE_ERR_HEAD_SYNTAX, NULL);
  for (i = 0; i < sizeof responses / sizeof responses[0]; i++)
    run_n(false, responses[i], strlen(responses[i]), BASE_ERR_HEAD_SYNTAX,
          NULL);
}

static void refuses_other_versions(void **state) {
  (void)state;
  run_n(true, "GET / HTTP/0.9", 12, BASE_ERR_HEAD_VERSION, NULL);
  run_n(true, "GET / HTTP/2.0", 12, BASE_ERR_HEAD_VERSION, NULL);
  run_n(true, "PRI * HTTP/2.0", 12, BASE_ERR_HEAD_VERSION, NULL);
  run_n(true, "GET / HTTP/1.2", 14, BASE_ERR_HEAD_VERSION, NULL);
  run_n(true, "GET / HTTP/2", 12, BASE_ERR_HEAD_VERSION, NULL);
  run_n(false, "HTTP/1.0", 8, BASE_ERR_HEAD_VERSION, NULL);
  run_n(false, "HTTP/0", 6, BASE_ERR_HEAD_VERSION, NULL);
}

static void refuses_malformed_fields(void **state) {
  static const char *const fields[] = {
    ": a\r\n", "a\r\n", "a : b\r\n", "a\t: b\r\n", " a: b\r\n", "\ta: b\r\n",
    "a: b\n", "\n", "\r\r\n", "a: b\r\n c\r\n", "a: b\r\n\tc\r\n",
    "a: b\rc\r\n", "a: \x01\r\n", "a: \x7f\r\n", "a: \x1b[1m\r\n", "a(: b\r\n",
    "a\"b: c\r\n", "\xc3\xa9: b\r\n", "a@: b\r\n", "a: b\r\n\rx", "a b: c\r\n",
  };
  size_t i;
  (void)state;
  for (i = 0; i < sizeof fields / sizeof fields[0]; i++)
    refuses_both(fields[i], BASE_ERR_HEAD_SYNTAX);
}

static void refuses_nul_everywhere(void **state) {
  static const char good[] = "GET /x HTTP/1.1\r\nAb: cd\r\n\r\n";
  char s[sizeof good];
  size_t i;
  (void)state;
  for (i = 0; i < sizeof good - 1; i++) {
    memcpy(s, good, sizeof good);
    s[i] = '\0';
    run_n(true, s, i + 1, BASE_ERR_HEAD_SYNTAX, NULL);
  }
}

static void wrong_bytes_are_known_at_once(void **state) {
  struct ws_head h;
  size_t used = 0;
  (void)state;
  ws_head_init(&h, false, 100);
  assert_int_equal(feed(&h, "\x15", 1, &used), BASE_ERR_HEAD_SYNTAX);
  ws_head_deinit(&h);
  ws_head_init(&h, true, 100);
  assert_int_equal(feed(&h, "\x16", 1, &used), BASE_ERR_HEAD_SYNTAX);
  ws_head_deinit(&h);
  ws_head_init(&h, true, 100);
  assert_int_equal(feed(&h, "GET \"", 5, &used), BASE_ERR_HEAD_SYNTAX);
  assert_null(h.bytes.mem);
  ws_head_deinit(&h);
}

static void an_unfinished_head_is_not_complete(void **state) {
  (void)state;
  takes(true, GET_LINE "a: b\r\n\r\n", "GET /|a=b");
  run_n(true, GET_LINE "a: b\r\n\r", strlen(GET_LINE) + 7, 0, NULL);
  run_n(true, "", 0, 0, NULL);
}

static void a_head_has_its_greatest_size(void **state) {
  char s[700];
  size_t n = strlen(GET_LINE), end;
  (void)state;
  memset(s, 'x', sizeof s);
  memcpy(s, GET_LINE "a: ", n + 3);
  for (end = 600; end <= 601; end++) { /* 'run' allows 600 */
    struct ws_head h;
    size_t used = 0;
    memset(s + n + 3, 'x', sizeof s - n - 3);
    memcpy(s + end - 4, "\r\n\r\n", 4);
    ws_head_init(&h, true, 600);
    if (end == 600) {
      assert_int_equal(feed(&h, s, sizeof s, &used), 600);
      assert_true(h.complete);
      assert_int_equal(strlen(ws_head_get(&h, "a")), 600 - 4 - n - 3);
    } else {
      run_n(true, s, end, BASE_ERR_HEAD_LENGTH, NULL);
    }
    ws_head_deinit(&h);
  }
}

static void a_head_has_its_greatest_number_of_fields(void **state) {
  char s[1000] = GET_LINE;
  struct ws_head h;
  size_t i, n = strlen(s), used = 0;
  (void)state;
  for (i = 0; i < LIMIT_HEADER_FIELDS; i++, n += 4)
    memcpy(s + n, "a:\r\n", 4);
  ws_head_init(&h, true, 1000);
  assert_int_equal(feed(&h, s, n, &used), n);
  assert_int_equal(feed(&h, "\r\n", 2, &used), 2);
  assert_true(h.complete);
  assert_int_equal(ws_head_count(&h, "a"), LIMIT_HEADER_FIELDS);
  ws_head_deinit(&h);
  ws_head_init(&h, true, 1000);
  assert_int_equal(feed(&h, s, n, &used), n);
  assert_int_equal(feed(&h, "a", 1, &used), BASE_ERR_HEAD_LENGTH);
  ws_head_deinit(&h);
}

static void fill(struct ws_head *h, const char *fields) {
  char s[600];
  size_t used = 0;
  (void)snprintf(s, sizeof s, OK_LINE "%s\r\n", fields);
  ws_head_init(h, false, sizeof s);
  assert_int_equal(feed(h, s, strlen(s), &used), strlen(s));
  assert_true(h->complete);
}

static void finds_fields_and_tokens(void **state) {
  struct ws_head h;
  (void)state;
  fill(&h, "Connection: keep-alive ,, UPgrade\r\nB: 1\r\nb: 2, x y ,z\r\n");
  assert_string_equal(ws_head_get(&h, "b"), "1");
  assert_null(ws_head_get(&h, "c"));
  assert_int_equal(ws_head_count(&h, "b"), 2);
  assert_int_equal(ws_head_count(&h, "c"), 0);
  assert_true(ws_head_has_token(&h, "connection", "upgrade"));
  assert_true(ws_head_has_token(&h, "connection", "Keep-Alive"));
  assert_true(ws_head_has_token(&h, "b", "z"));
  assert_false(ws_head_has_token(&h, "b", "x"));
  assert_false(ws_head_has_token(&h, "b", "zz"));
  assert_false(ws_head_has_token(&h, "connection", "upgrad"));
  assert_false(ws_head_has_token(&h, "connection", "upgrade2"));
  assert_false(ws_head_has_token(&h, "c", "z"));
  ws_head_deinit(&h);
}

static void takes_lists_apart(void **state) {
  static const char *const cases[][2] = {
    {"", "[]"}, {"a", "[a]"}, {" a b\t", "[a b]"}, {"a,b", "[a][b]"},
    {"a , \t b,", "[a][b][]"}, {",,", "[][][]"}, {" , a", "[][a]"},
  };
  struct ws_span one;
  char got[40];
  size_t i;
  (void)state;
  for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *list = cases[i][0];
    got[0] = '\0';
    while (ws_head_element(&list, &one))
      (void)snprintf(got + strlen(got), sizeof got - strlen(got), "[%.*s]",
                     (int)one.len, one.at);
    assert_null(list);
    assert_string_equal(got, cases[i][1]);
  }
}

static void joins(const struct ws_head *h, size_t i, const char *want) {
  struct base_buf out;
  base_buf_init(&out, 600);
  assert_int_equal(base_buf_append_str(&out, "<"), 0);
  assert_int_equal(ws_head_joined(h, i, &out), want != NULL);
  assert_int_equal(base_buf_append(&out, "", 1), 0);
  assert_string_equal((const char *)base_buf_data(&out) + 1,
                      want != NULL ? want : "");
  base_buf_free(&out);
}

static void fields_of_one_name_are_joined_at_the_first(void **state) {
  struct base_buf tiny;
  struct ws_head h;
  (void)state;
  fill(&h, "A: 1\r\nCookie: a=b\r\nB: 2\r\na:\r\ncookie: c=d; e=f\r\n"
           "A: 3, 4\r\nCookies: x\r\ncookies: y\r\n");
  joins(&h, 0, "1, , 3, 4");
  joins(&h, 1, "a=b; c=d; e=f"); /* RFC 9113, 8.2.3 */
  joins(&h, 2, "2");
  joins(&h, 3, NULL);
  joins(&h, 4, NULL);
  joins(&h, 5, NULL);
  joins(&h, 6, "x, y");
  base_buf_init(&tiny, 8); /* the whole has nine */
  assert_int_equal(ws_head_joined(&h, 0, &tiny), BASE_ERR_BUFFER_FULL);
  assert_int_equal(tiny.len, 0);
  base_buf_free(&tiny);
  ws_head_deinit(&h);
}

static void knows_tokens_and_values(void **state) {
  int c;
  (void)state;
  assert_false(ws_head_is_token("", 0));
  assert_true(ws_head_is_value("", 0));
  assert_true(ws_head_is_token("X-a", 3));
  assert_false(ws_head_is_token("X a", 3));
  assert_true(ws_head_is_value("a b\tc", 5));
  for (c = 0; c < 256; c++) {
    char s = (char)c;
    bool token = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                 (c >= 'A' && c <= 'Z') ||
                 (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
    assert_int_equal(ws_head_is_token(&s, 1), token);
    assert_int_equal(ws_head_is_value(&s, 1),
                     c == '\t' || (c >= ' ' && c != 127));
  }
}

static void waits(const char *value, double now, double want) {
  char s[200];
  struct ws_head h;
  double got;
  (void)snprintf(s, sizeof s, "Retry-After: %s\r\n", value);
  fill(&h, s);
  got = ws_head_retry_after(&h, now);
  ws_head_deinit(&h);
  if (got < want || got > want)
    fail_msg("%s: %f, not %f", value, got, want);
}

static void reads_retry_after_in_seconds(void **state) {
  struct ws_head h;
  (void)state;
  waits("0", 0, 0);
  waits("120", 5e8, 120);
  waits("000007", 0, 7);
  waits("1000000001", 0, 1e9);
  waits("99999999999999999999999999999999999999999999", 0, 1e9);
  waits("", 0, -1);
  waits("-1", 0, -1);
  waits("+1", 0, -1);
  waits("1.5", 0, -1);
  waits("1 2", 0, -1);
  waits("soon", 0, -1);
  fill(&h, "");
  assert_true(ws_head_retry_after(&h, 0) < 0);
  ws_head_deinit(&h);
}

static void reads_retry_after_as_a_date(void **state) {
  (void)state;
  waits("Thu, 01 Jan 1970 00:00:00 GMT", 0, 0);
  waits("Thu, 01 Jan 1970 00:01:40 GMT", 40, 60);
  waits("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 - 10, 10);
  waits("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 + 10, 0);
  waits("Tue, 29 Feb 2000 00:00:00 GMT", 951782400 - 1, 1);
  waits("Wed, 01 Mar 2000 00:00:00 GMT", 951868800 - 1, 1);
  waits("Fri, 31 Dec 2100 23:59:60 GMT", 4133980800.0 - 1, 1);
  waits("Sat, 01 Jan 2101 00:00:10 GMT", 4133980800.0, 10);
  waits("Mon, 01 Mar 2100 00:00:00 GMT", 4107542400.0 - 1, 1);
  waits("Fri, 31 Dec 9999 23:59:59 GMT", 0, 1e9);
}

static void refuses_malformed_dates(void **state) {
  static const char *const dates[] = {
    "Sun, 06 Nov 1994 08:49:37 gmt", "Sun, 06 Nov 1994 08:49:37 GMT+1",
    "Sun, 06 Nov 1994 08:49:37", "Sun, 6 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
    "Son, 06 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT",
    "Sun, 29 Feb 1900 08:49:37 GMT", "Sun, 29 Feb 2001 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
    "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 199x 08:49:37 GMT",
    "Sun, 06 Nov 0000 08:49:37 GMT", "Sun. 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 ovD 1994 08:49:37 GMT", "unT, 06 Nov 1994 08:49:37 GMT",
  };
  size_t i;
  (void)state;
  for (i = 0; i < sizeof dates / sizeof dates[0]; i++)
    waits(dates[i], 0, -1);
}

static int allowed; /* allocations until they fail */
static size_t calls, live;

static void *failing(void *p, size_t size) {
  if (size == 0) {
    live--;
    free(p);
    return NULL;
  }
  calls++;
  if (allowed-- <= 0)
    return NULL;
  live += p == NULL;
  return realloc(p, size);
}

static void survives_a_want_of_memory(void **state) {
  base_realloc_fn *before = base_mem_realloc_hook;
  static const char s[] = GET_LINE "a: b\r\n\r\n";
  int n;
  (void)state;
  base_mem_realloc_hook = failing;
  for (n = 0; n <= 2; n++) {
    struct ws_head h;
    size_t used = 0;
    allowed = n;
    ws_head_init(&h, true, 100);
    assert_int_equal(feed(&h, s, sizeof s - 1, &used),
                     n < 2 ? BASE_ERR_MEMORY : (long)sizeof s - 1);
    assert_int_equal(h.complete, n == 2);
    ws_head_deinit(&h);
    assert_int_equal(live, 0);
  }
  base_mem_realloc_hook = before;
}

static void a_dribbled_head_is_not_copied_again_and_again(void **state) {
  base_realloc_fn *before = base_mem_realloc_hook;
  struct ws_head h;
  size_t i, used = 0;
  (void)state;
  base_mem_realloc_hook = failing;
  allowed = 1000;
  calls = 0;
  ws_head_init(&h, true, 16384);
  assert_int_equal(feed(&h, GET_LINE "a: ", 19, &used), 19);
  for (i = 0; i < 16000; i++)
    assert_int_equal(feed(&h, "x", 1, &used), 1);
  assert_int_equal(h.scanned, used);
  ws_head_deinit(&h);
  base_mem_realloc_hook = before;
  assert_in_range(calls, 1, 16);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(parses_requests),
    cmocka_unit_test(parses_requests_of_http_1_0),
    cmocka_unit_test(takes_a_whole_url_apart),
    cmocka_unit_test(parses_responses),
    cmocka_unit_test(names_become_lower_case_and_values_are_trimmed),
    cmocka_unit_test(refuses_malformed_first_lines),
    cmocka_unit_test(refuses_other_versions),
    cmocka_unit_test(refuses_malformed_fields),
    cmocka_unit_test(refuses_nul_everywhere),
    cmocka_unit_test(wrong_bytes_are_known_at_once),
    cmocka_unit_test(an_unfinished_head_is_not_complete),
    cmocka_unit_test(a_head_has_its_greatest_size),
    cmocka_unit_test(a_head_has_its_greatest_number_of_fields),
    cmocka_unit_test(finds_fields_and_tokens),
    cmocka_unit_test(takes_lists_apart),
    cmocka_unit_test(fields_of_one_name_are_joined_at_the_first),
    cmocka_unit_test(knows_tokens_and_values),
    cmocka_unit_test(reads_retry_after_in_seconds),
    cmocka_unit_test(reads_retry_after_as_a_date),
    cmocka_unit_test(refuses_malformed_dates),
    cmocka_unit_test(survives_a_want_of_memory),
    cmocka_unit_test(a_dribbled_head_is_not_copied_again_and_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
