/* net/proxy and what is said to one: HTTP CONNECT and SOCKS5. */
#include "net_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "net/shake_private.h"

static struct net_loop *loop;
static struct diary d;
static struct net_proxy proxy;

static int setup(void **state) {
  (void)state;
  support_begin();
  memset(&proxy, 0, sizeof proxy);
  if (net_loop_new(&loop) != 0)
    return -1;
  diary_init(&d, loop);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  diary_deinit(&d);
  net_proxy_deinit(&proxy);
  assert_int_equal(net_loop_handles(loop), 0);
  net_loop_free(loop);
  support_end();
  return 0;
}

static void use(const char *url) {
  net_proxy_deinit(&proxy);
  assert_null(net_proxy_parse(&proxy, url));
}

/* ---- the URL ---- */

static void takes(const char *url, enum net_proxy_type type, const char *host,
                  unsigned port, const char *user, const char *password) {
  const char *why = net_proxy_parse(&proxy, url);
  if (why != NULL)
    fail_msg("%s: %s", url, why);
  assert_int_equal(proxy.type, type);
  assert_string_equal(proxy.host, host);
  assert_int_equal(proxy.port, port);
  assert_int_equal(proxy.user != NULL, user != NULL);
  assert_int_equal(proxy.password != NULL, password != NULL);
  if (user != NULL)
    assert_string_equal(proxy.user, user);
  if (password != NULL)
    assert_string_equal(proxy.password, password);
  net_proxy_deinit(&proxy);
  assert_null(proxy.user);
}

static void refuses(const char *url, const char *part) {
  const char *why = net_proxy_parse(&proxy, url);
  if (why == NULL)
    fail_msg("%s was taken", url);
  if (strstr(why, part) == NULL)
    fail_msg("%s: %s", url, why);
  assert_null(proxy.user);
  assert_null(proxy.password);
}

static void a_url_says_where_the_proxy_is(void **state) {
  (void)state;
  takes("http://proxy", NET_PROXY_HTTP, "proxy", 8080, NULL, NULL);
  takes("HTTP://proxy:3128/", NET_PROXY_HTTP, "proxy", 3128, NULL, NULL);
  takes("http://[::1]", NET_PROXY_HTTP, "::1", 8080, NULL, NULL);
  takes("http://[fe80::2]:1", NET_PROXY_HTTP, "fe80::2", 1, NULL, NULL);
  takes("socks5://10.0.0.1", NET_PROXY_SOCKS5, "10.0.0.1", 1080, NULL, NULL);
  takes("socks5h://p.example:65535", NET_PROXY_SOCKS5, "p.example", 65535,
        NULL, NULL);
}

static void credentials_are_decoded(void **state) {
  (void)state;
  takes("http://a:b@p", NET_PROXY_HTTP, "p", 8080, "a", "b");
  takes("http://a@p:1", NET_PROXY_HTTP, "p", 1, "a", NULL);
  takes("http://a:@p", NET_PROXY_HTTP, "p", 8080, "a", "");
  takes("http://:b@p", NET_PROXY_HTTP, "p", 8080, "", "b");
  takes("http://a:b:c@p", NET_PROXY_HTTP, "p", 8080, "a", "b:c");
  takes("socks5://u%40x:%3a%2F%25@p", NET_PROXY_SOCKS5, "p", 1080, "u@x",
        ":/%");
  takes("socks5://a%3Ab:c@p", NET_PROXY_SOCKS5, "p", 1080, "a:b", "c");
  takes("http://%C3%A9:x@p", NET_PROXY_HTTP, "p", 8080, "\xc3\xa9", "x");
}

static void other_urls_are_refused_with_a_sentence(void **state) {
  char url[6000];
  (void)state;
  refuses("", "scheme");
  refuses("proxy:8080", "scheme");
  refuses("https://proxy", "scheme");
  refuses("socks4://proxy", "scheme");
  refuses("http:/proxy", "scheme");
  refuses("http://", "host");
  refuses("http://:80", "host");
  refuses("http://a b", "host");
  refuses("http://a%20b", "host");
  refuses("http://[::1", "host");
  refuses("http://[::1]x", "host");
  refuses("http://[1.2.3.4]", "host");
  refuses("http://[]", "host");
  refuses("http://a@b@c", "host");
  refuses("http://p\r\nHost: x", "host");
  refuses("http://p:", "port");
  refuses("http://p:0", "port");
  refuses("http://p:65536", "port");
  refuses("http://p:4294967297", "port");
  refuses("http://p:8x", "port");
  refuses("http://p:-1", "port");
  refuses("http://p/path", "path");
  refuses("http://p?q", "path");
  refuses("http://p#f", "path");
  refuses("http://a:b%@p", "percent");
  refuses("http://a:b%4@p", "percent");
  refuses("http://a:b%zz@p", "percent");
  refuses("http://a b:c@p", "percent");
  refuses("http://a:%00@p", "control");
  refuses("http://a:%0d%0aX@p", "control");
  refuses("http://a:%7f@p", "control");
  refuses("http://a%3ab:c@p", "colon");
  refuses("socks5://:b@p", "empty");
  (void)snprintf(url, sizeof url, "http://%0300d", 0);
  refuses(url, "host");
  (void)snprintf(url, sizeof url, "socks5://a:%0256d@p", 0);
  refuses(url, "too long");
  (void)snprintf(url, sizeof url, "http://%04097d:b@p", 0);
  refuses(url, "too long");
}

static void without_memory_a_url_is_refused(void **state) {
  long nth;
  (void)state;
  for (nth = 1; nth <= 2; nth++) {
    support_fail_allocation(nth);
    refuses("http://a:b@p", "memory");
    support_fail_allocation(0);
  }
}

/* ---- the machine ---- */

static struct net_shake k;

/* What it has to say, which is said then. */
static void says(const void *bytes, size_t n) {
  assert_int_equal(k.out.len, n);
  assert_memory_equal(base_buf_data(&k.out), bytes, n);
  base_buf_consume(&k.out, n);
}

static void says_str(const char *s) {
  if (k.out.len != strlen(s) ||
      memcmp(base_buf_data(&k.out), s, k.out.len) != 0)
    fail_msg("%.*s", (int)k.out.len, (const char *)base_buf_data(&k.out));
  base_buf_consume(&k.out, k.out.len);
}

static void begin(const char *host, unsigned port) {
  net_shake_init(&k, &proxy, host, (uint16_t)port);
}

static void http_names_the_target_and_nothing_else(void **state) {
  (void)state;
  use("http://proxy");
  begin("echo.example", 443);
  says_str("CONNECT echo.example:443 HTTP/1.1\r\nHost: echo.example:443\r\n"
           "\r\n");
  net_shake_deinit(&k);
  begin("::1", 80);
  says_str("CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
  net_shake_deinit(&k);
}

static void http_sends_basic_credentials(void **state) {
  static const char *const cases[][2] = {
    {"http://Aladdin:open%20sesame@p", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
    {"http://a:bc@p", "YTpiYw=="},
    {"http://a:b@p", "YTpi"},
    {"http://aa:bb@p", "YWE6YmI="},
    {"http://a@p", "YTo="},
    {"http://%C3%BF%C3%BF:%3E%3F@p", "w7/Dvzo+Pw=="}
  };
  size_t i;
  (void)state;
  for (i = 0; i < sizeof cases / sizeof *cases; i++) {
    char want[200];
    use(cases[i][0]);
    begin("h", 1);
    (void)snprintf(want, sizeof want,
                   "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n"
                   "Proxy-Authorization: Basic %s\r\n\r\n", cases[i][1]);
    says_str(want);
    net_shake_deinit(&k);
  }
}

static void long_credentials_are_sent_whole(void **state) {
  char url[8300];
  (void)state;
  (void)snprintf(url, sizeof url, "http://%04096d:%04096d@p", 0, 0);
  use(url);
  begin("h", 1);
  assert_int_equal(k.status, NET_SHAKE_MORE);
  assert_true(k.out.len > 8192 / 3 * 4);
  net_shake_deinit(&k);
}

static void no_host_makes_another_request(void **state) {
  static const char *const hosts[] = {
    "", "a\r\nX: y", "a b", "a\nb", "a\tb", "a\x7f"
  };
  char name[300];
  size_t i;
  (void)state;
  for (i = 0; i < 2 * sizeof hosts / sizeof *hosts; i++) {
    use(i % 2 == 0 ? "http://p" : "socks5://p");
    begin(hosts[i / 2], 1);
    assert_int_equal(k.status, NET_SHAKE_FAILED);
    assert_int_equal(k.out.len, 0);
    assert_int_equal(k.err->kind, BASE_KIND_PROXY);
    net_shake_deinit(&k);
  }
  memset(name, 'a', sizeof name);
  name[256] = '\0';
  begin(name, 1);
  assert_int_equal(k.status, NET_SHAKE_FAILED);
  net_shake_deinit(&k);
}

/*
** Feed an answer with bytes behind it: whole, byte by byte, and cut at every
** place. The outcome is the same, and nothing behind the end is taken.
** 'code' is NULL for success, "more" if it must not decide.
*/
static void check(const uint8_t *all, size_t size, const char *code) {
  if (code == NULL)
    assert_int_equal(k.status, NET_SHAKE_DONE);
  else if (strcmp(code, "more") == 0)
    assert_int_equal(k.status, NET_SHAKE_MORE);
  else {
    assert_int_equal(k.status, NET_SHAKE_FAILED);
    assert_int_equal(k.err->kind, BASE_KIND_PROXY);
    if (strcmp(k.err->code, code) != 0)
      fail_msg("%.*s: %s", (int)size, (const char *)all, k.err->message);
    assert_string_equal(error_text_of(k.err, "proxy"), "p:8080");
  }
}

static size_t feed(const uint8_t *data, size_t n) {
  uint8_t *copy = (uint8_t *)malloc(n + 1);
  size_t used;
  assert_non_null(copy);
  memcpy(copy + 1, data, n);
  used = net_shake_feed(&k, copy + 1, n);
  free(copy);
  return used;
}

static void answer(const void *bytes, size_t n, const char *code) {
  uint8_t all[20000];
  size_t cut, used, size = n + 3;
  assert_true(size <= sizeof all);
  memcpy(all, bytes, n);
  memcpy(all + n, "\x81\x01x", 3);
  for (cut = 0; cut <= size; cut += n > 2000 ? 977 : 1) {
    begin("h", 1);
    used = feed(all, cut);
    if (used == cut)
      used += feed(all + cut, size - cut);
    check(all, size, code);
    if (code == NULL)
      assert_int_equal(used, n);
    net_shake_deinit(&k);
  }
  begin("h", 1);
  for (used = 0; used < size && k.status == NET_SHAKE_MORE; used++)
    assert_int_equal(feed(all + used, 1), 1);
  check(all, size, code);
  if (code == NULL)
    assert_int_equal(used, n);
  net_shake_deinit(&k);
}

static void answer_str(const char *s, const char *code) {
  answer(s, strlen(s), code);
}

static void http_takes_any_2xx_up_to_the_blank_line(void **state) {
  (void)state;
  use("http://p");
  answer_str("HTTP/1.1 200 Connection established\r\n\r\n", NULL);
  answer_str("HTTP/1.0 200 OK\r\nVia: x\r\nX-Y: z\r\n\r\n", NULL);
  answer_str("HTTP/1.1 200\r\n\r\n", NULL);
  answer_str("HTTP/1.1 200 \r\n\r\n", NULL);
  answer_str("HTTP/1.1 299 Fine\nA: b\n\n", NULL);
  answer_str("HTTP/1.1 204 None\r\nContent-Length: 3\r\n\r\n", NULL);
  answer_str("HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
             NULL);
}

static void http_says_how_it_was_refused(void **state) {
  (void)state;
  use("http://p");
  answer_str("HTTP/1.1 403 Forbidden\r\n\r\n", "refused");
  answer_str("HTTP/1.1 502 Bad Gateway\r\nA: b\r\n\r\n", "refused");
  answer_str("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "refused");
  answer_str("HTTP/1.1 101 Switching\r\n\r\n", "refused");
  answer_str("HTTP/1.1 407 Who\r\n\r\n", "auth_required");
  begin("h", 1);
  (void)feed((const uint8_t *)"HTTP/1.1 403 For\x1b" "bidden\r\n\r\n", 28);
  assert_int_equal(k.status, NET_SHAKE_FAILED);
  assert_string_equal(k.err->message, "the proxy \"p:8080\" refused to "
                                      "connect: 403 For?bidden");
  assert_true(base_error_field(k.err, "status")->number == 403);
  net_shake_deinit(&k);
}

static void http_garbage_is_a_protocol_error(void **state) {
  (void)state;
  use("http://p");
  answer_str("SSH-2.0-OpenSSH\r\n", "protocol");
  answer_str("HTTP/2 200\r\n\r\n", "protocol");
  answer_str("HTTP/1.1 20\r\n\r\n", "protocol");
  answer_str("HTTP/1.1 2000 OK\r\n\r\n", "protocol");
  answer_str("HTTP/1.1  200 OK\r\n\r\n", "protocol");
  answer_str("HTTP/1.1 2x0 OK\r\n\r\n", "protocol");
  answer_str("HTTP/1.1 099 OK\r\n\r\n", "protocol");
  answer_str("HTTP/1.x 200 OK\r\n\r\n", "protocol");
  answer_str("HTTP/1.1\r\n\r\n", "protocol");
  answer_str("\r\n\r\n", "protocol");
  answer("HTTP/1.1 200 O\0K\r\n\r\n", 20, "protocol");
  answer("\x05\x00", 2, "protocol");
  answer_str("HTTP/1.1 200 OK\r\nA: b\r\n", "more");
}

static void http_heads_are_bounded(void **state) {
  static char head[LIMIT_PROXY_HEAD_BYTES + 100];
  static const char line[] = "HTTP/1.1 200 OK\r\n", interim[] =
    "HTTP/1.1 102 \r\n\r\n";
  size_t i;
  (void)state;
  use("http://p");
  memset(head, 'a', sizeof head);
  memcpy(head, line, sizeof line - 1);
  memcpy(head + LIMIT_PROXY_HEAD_BYTES - 4, "\r\n\r\n", 4);
  answer(head, LIMIT_PROXY_HEAD_BYTES, NULL);
  memset(head + LIMIT_PROXY_HEAD_BYTES - 4, 'a', 4);
  memcpy(head + LIMIT_PROXY_HEAD_BYTES - 3, "\r\n\r\n", 4);
  answer(head, LIMIT_PROXY_HEAD_BYTES + 1, "protocol");
  memset(head + 5, '1', sizeof head - 5);
  memcpy(head, line, sizeof line - 3);
  answer(head, sizeof head, "protocol"); /* one endless line */
  for (i = 0; i + sizeof interim < sizeof head; i += sizeof interim - 1)
    memcpy(head + i, interim, sizeof interim - 1);
  answer(head, i, "protocol"); /* interim ones count together */
}

static void an_end_before_the_answer_is_an_error(void **state) {
  static const struct {
    const char *url, *sent, *code;
  } cases[] = {
    {"http://p", "", "protocol"},
    {"http://p", "HTTP/1.1 200 OK\r\n", "protocol"},
    {"http://p", "HTTP/1.1 403 No\r\nA:", "refused"},
    {"http://p", "HTTP/1.1 407 No\r\n", "auth_required"},
    {"socks5://p:8080", "", "protocol"},
    {"socks5://p:8080", "\x05", "protocol"}
  };
  size_t i;
  (void)state;
  for (i = 0; i < sizeof cases / sizeof *cases; i++) {
    use(cases[i].url);
    begin("h", 1);
    (void)feed((const uint8_t *)cases[i].sent, strlen(cases[i].sent));
    net_shake_end(&k, 0);
    check((const uint8_t *)cases[i].sent, strlen(cases[i].sent),
          cases[i].code);
    net_shake_end(&k, 0);
    net_shake_deinit(&k);
  }
}

static void socks_sends_names_as_names(void **state) {
  (void)state;
  use("socks5://p");
  begin("echo.example", 443);
  says("\x05\x01\x00", 3);
  assert_int_equal(feed((const uint8_t *)"\x05\x00", 2), 2);
  says("\x05\x01\x00\x03\x0c" "echo.example\x01\xbb", 19);
  net_shake_deinit(&k);
}

static void socks_sends_addresses_as_addresses(void **state) {
  (void)state;
  use("socks5h://p");
  begin("127.0.0.2", 0x1234);
  says("\x05\x01\x00", 3);
  (void)feed((const uint8_t *)"\x05\x00", 2);
  says("\x05\x01\x00\x01\x7f\x00\x00\x02\x12\x34", 10);
  net_shake_deinit(&k);
  begin("2001:db8::1", 80);
  says("\x05\x01\x00", 3);
  (void)feed((const uint8_t *)"\x05\x00", 2);
  says("\x05\x01\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x50",
       22);
  net_shake_deinit(&k);
}

static void socks_authenticates_when_asked(void **state) {
  (void)state;
  use("socks5://joe:secret@p");
  begin("h", 1);
  says("\x05\x02\x00\x02", 4);
  (void)feed((const uint8_t *)"\x05\x02", 2);
  says("\x01\x03joe\x06secret", 12);
  (void)feed((const uint8_t *)"\x01\x00", 2);
  says("\x05\x01\x00\x03\x01h\x00\x01", 8);
  net_shake_deinit(&k);
}

static void socks_answers(void **state) {
  uint8_t name[4 + 1 + 255 + 2 + 2] = {5, 0, 5, 0, 0, 3, 255};
  (void)state;
  use("socks5://p:8080");
  answer("\5\0\5\0\0\1\1\2\3\4\0\1", 12, NULL);
  answer("\5\0\5\0\0\4" "0123456789abcdef" "\0\1", 24, NULL);
  answer("\5\0\5\0\0\3\4name\0\1", 13, NULL);
  answer("\5\0\5\0\0\3\0\0\1", 9, NULL);
  answer(name, sizeof name, NULL);
}

static void socks_refusals_have_names(void **state) {
  static const char *const part[] = {
    "failed", "rules", "network is unreachable", "host is unreachable",
    "connection refused", "time to live", "CONNECT", "type of address",
    "reply 9"
  };
  int i;
  (void)state;
  use("socks5://p:8080");
  for (i = 1; i <= 9; i++) {
    uint8_t bytes[4] = {5, 0, 5, 0};
    bytes[3] = (uint8_t)i;
    answer(bytes, sizeof bytes, "refused");
    begin("h", 1);
    (void)feed(bytes, sizeof bytes);
    assert_non_null(strstr(k.err->message, part[i - 1]));
    assert_true(base_error_field(k.err, "reply")->number == i);
    net_shake_deinit(&k);
  }
  answer("\5\xff", 2, "auth_required");
  use("socks5://joe:secret@p:8080");
  answer("\5\xff", 2, "auth_required");
  answer("\5\2\1\1", 4, "auth_required");
}

static void socks_garbage_is_a_protocol_error(void **state) {
  (void)state;
  use("socks5://p:8080");
  answer("HTTP/1.1 400\r\n", 14, "protocol");
  answer("\4\0", 2, "protocol");
  answer("\5\2", 2, "protocol"); /* was not offered */
  answer("\5\1", 2, "protocol");
  answer("\5\0\4\0\0\1", 6, "protocol");
  answer("\5\0\5\0\0\2\0", 7, "protocol");
  answer("\5\0\5\0\0\0\0", 7, "protocol");
  use("socks5://joe:secret@p:8080");
  answer("\5\2\5\0", 4, "protocol");
}

static void without_memory_a_handshake_fails(void **state) {
  (void)state;
  use("http://a:b@p");
  for (;;) {
    static long nth = 1;
    support_fail_allocation(nth++);
    begin("h", 1);
    support_fail_allocation(0);
    if (k.status == NET_SHAKE_MORE) {
      assert_true(nth > 3);
      net_shake_deinit(&k);
      break;
    }
    assert_string_equal(k.err->code, "memory");
    net_shake_deinit(&k);
  }
}

/* ---- over sockets ---- */

static void dial_through(const char *scheme, struct peer *p) {
  char url[100];
  (void)snprintf(url, sizeof url, "%s127.0.0.1:%d", scheme, p->port);
  use(url);
  diary_dial(&d, "target.test", 4433, &proxy);
}

struct script {
  const char *reply; /* to a HTTP request */
  size_t size;
  char request[512];
};

/* Read up to the blank line; reply; then echo one byte. */
static void http_proxy(int fd, void *arg) {
  struct script *s = (struct script *)arg;
  size_t n = 0;
  char c;
  while (n < sizeof s->request - 1 && peer_read(fd, s->request + n, 1) == 1) {
    s->request[++n] = '\0';
    if (n >= 4 && memcmp(s->request + n - 4, "\r\n\r\n", 4) == 0)
      break;
  }
  peer_write(fd, s->reply, s->size);
  if (peer_read(fd, &c, 1) == 1)
    peer_write(fd, &c, 1);
}

static void script(struct script *s, const char *reply) {
  memset(s, 0, sizeof *s);
  s->reply = reply;
  s->size = strlen(reply);
}

static void http_hands_over_what_came_behind_the_head(void **state) {
  struct script s;
  struct peer p;
  (void)state;
  script(&s, "HTTP/1.1 200 OK\r\nA: b\r\n\r\nfirst words");
  peer_start(&p, "127.0.0.1", http_proxy, &s);
  dial_through("http://joe:x@", &p);
  run_until(loop, &d.dials_closed, 1);
  assert_null(d.err);
  assert_int_equal(net_loop_handles(loop), 1);
  assert_int_equal(net_stream_read_start(d.stream), 0);
  run_until_bytes(&d, 11);
  assert_int_equal(net_stream_try_write(d.stream, (const uint8_t *)"!", 1),
                   1);
  run_until_bytes(&d, 12);
  assert_memory_equal(d.data, "first words!", 12);
  diary_close(&d);
  peer_join(&p);
  assert_string_equal(s.request,
                      "CONNECT target.test:4433 HTTP/1.1\r\n"
                      "Host: target.test:4433\r\n"
                      "Proxy-Authorization: Basic am9lOng=\r\n\r\n");
}

static void http_fails_with(const char *reply, const char *code) {
  struct script s;
  struct peer p;
  script(&s, reply);
  peer_start(&p, "127.0.0.1", http_proxy, &s);
  dial_through("http://", &p);
  run_until(loop, &d.dials_closed, 1);
  assert_non_null(d.err);
  assert_int_equal(d.err->kind, BASE_KIND_PROXY);
  assert_string_equal(d.err->code, code);
  assert_int_equal(net_loop_handles(loop), 0);
  peer_join(&p); /* our end is closed: it hears so */
}

static void http_refused(void **state) {
  (void)state;
  http_fails_with("HTTP/1.1 403 Forbidden\r\n\r\nsorry", "refused");
}

static void http_auth_required(void **state) {
  (void)state;
  http_fails_with("HTTP/1.1 407 Auth\r\n\r\n", "auth_required");
}

static void http_garbage(void **state) {
  (void)state;
  http_fails_with("220 mail.example ESMTP\r\n", "protocol");
}

static void http_endless_head(void **state) {
  static char head[3 * LIMIT_PROXY_HEAD_BYTES];
  (void)state;
  memset(head, 'a', sizeof head - 1);
  memcpy(head, "HTTP/1.1 200 OK\r\n", 17);
  http_fails_with(head, "protocol");
}

/* A FIN instead of an answer, or a RST. */
static void hang_up(int fd, void *arg) {
  char c;
  if (arg == NULL) {
    (void)shutdown(fd, SHUT_WR);
    while (peer_read(fd, &c, 1) == 1)
      continue;
  } else {
    (void)peer_read(fd, &c, 1);
    peer_reset(fd);
  }
}

static void a_proxy_that_hangs_up(void **state) {
  struct peer p;
  int how;
  (void)state;
  for (how = 0; how < 2; how++) {
    peer_start(&p, "127.0.0.1", hang_up, how == 0 ? NULL : &p);
    dial_through(how == 0 ? "http://" : "socks5://", &p);
    run_until(loop, &d.dials_closed, 1);
    assert_non_null(d.err);
    assert_int_equal(d.err->kind, BASE_KIND_PROXY);
    assert_string_equal(d.err->code, "protocol");
    peer_join(&p);
    base_error_free(d.err);
    d.err = NULL;
    d.dials = d.dials_closed = 0;
  }
}

struct socks {
  bool wants_password;
  uint8_t reply;
  uint8_t request[4 + 1 + 11 + 2], auth[12];
};

static void socks_proxy(int fd, void *arg) {
  struct socks *s = (struct socks *)arg;
  uint8_t head[2], methods[2], c;
  uint8_t verdict[10] = {5, 0, 0, 1, 127, 0, 0, 1, 1, 1};
  (void)peer_read(fd, head, 2);
  (void)peer_read(fd, methods, head[1] <= 2 ? head[1] : 2);
  peer_write(fd, s->wants_password ? "\5\2" : "\5\0", 2);
  if (s->wants_password) {
    (void)peer_read(fd, s->auth, sizeof s->auth);
    peer_write(fd, "\1\0", 2);
  }
  (void)peer_read(fd, s->request, sizeof s->request);
  verdict[1] = s->reply;
  peer_write(fd, verdict, sizeof verdict);
  peer_write(fd, "hello", 5);
  (void)peer_read(fd, &c, 1);
}

static void socks_opens_the_way(void **state) {
  struct socks s;
  struct peer p;
  int password;
  (void)state;
  for (password = 0; password < 2; password++) {
    memset(&s, 0, sizeof s);
    s.wants_password = password != 0;
    peer_start(&p, "127.0.0.1", socks_proxy, &s);
    dial_through(password ? "socks5://joe:secret@" : "socks5://", &p);
    run_until(loop, &d.dials_closed, 1);
    assert_null(d.err);
    assert_int_equal(net_stream_read_start(d.stream), 0);
    run_until_bytes(&d, 5);
    assert_memory_equal(d.data, "hello", 5);
    diary_close(&d);
    peer_join(&p);
    assert_memory_equal(s.request, "\5\1\0\3\x0btarget.test\x11\x51", 18);
    if (password)
      assert_memory_equal(s.auth, "\1\3joe\6secret", 12);
    diary_deinit(&d);
    diary_init(&d, loop);
  }
}

static void socks_refused(void **state) {
  struct socks s;
  struct peer p;
  char want[100];
  (void)state;
  memset(&s, 0, sizeof s);
  s.reply = 5;
  peer_start(&p, "127.0.0.1", socks_proxy, &s);
  dial_through("socks5://", &p);
  run_until(loop, &d.dials_closed, 1);
  assert_non_null(d.err);
  (void)snprintf(want, sizeof want, "the proxy \"127.0.0.1:%d\" refused to "
                                    "connect: connection refused", p.port);
  assert_string_equal(d.err->message, want);
  peer_join(&p);
}

static void a_proxy_that_cannot_be_reached_is_a_connect_error(void **state) {
  char url[100], want[200];
  int port = 0, fd = support_refusing("127.0.0.1", &port);
  (void)state;
  (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
  use(url);
  diary_dial(&d, "target.test", 4433, &proxy);
  run_until(loop, &d.dials_closed, 1);
  assert_non_null(d.err);
  assert_int_equal(d.err->kind, BASE_KIND_CONNECT);
  assert_string_equal(d.err->code, "ECONNREFUSED");
  assert_string_equal(error_text_of(d.err, "proxy"), url + 7);
  (void)snprintf(want, sizeof want,
                 "could not connect to the proxy \"127.0.0.1\" port %d: "
                 "connection refused (127.0.0.1:%d)", port, port);
  assert_string_equal(d.err->message, want);
  (void)close(fd);
}

/* Give up when the proxy has got the request, and does not answer. */
static void cancel_in_the_handshake(void **state) {
  static const char *const schemes[] = {"http://", "socks5://"};
  int i;
  (void)state;
  for (i = 0; i < 2; i++) {
    int port = 0, listener = support_listen("127.0.0.1", 4, &port), fd;
    char url[100], c;
    (void)snprintf(url, sizeof url, "%s127.0.0.1:%d", schemes[i], port);
    use(url);
    diary_dial(&d, "target.test", 4433, &proxy);
    net_loop_run(loop, NET_RUN_ONCE); /* begins to connect */
    fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    while (recv(fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) < 1)
      net_loop_run(loop, NET_RUN_NOWAIT);
    assert_int_equal(d.dials, 0);
    d.inside = true;
    net_dial_cancel(d.dial);
    d.inside = false;
    run_until(loop, &d.dials_closed, 1);
    assert_int_equal(d.dials, 0);
    assert_int_equal(net_loop_handles(loop), 0);
    d.dials_closed = 0;
    (void)close(fd);
    (void)close(listener);
  }
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
    T(a_url_says_where_the_proxy_is),
    T(credentials_are_decoded),
    T(other_urls_are_refused_with_a_sentence),
    T(without_memory_a_url_is_refused),
    T(http_names_the_target_and_nothing_else),
    T(http_sends_basic_credentials),
    T(long_credentials_are_sent_whole),
    T(no_host_makes_another_request),
    T(http_takes_any_2xx_up_to_the_blank_line),
    T(http_says_how_it_was_refused),
    T(http_garbage_is_a_protocol_error),
    T(http_heads_are_bounded),
    T(an_end_before_the_answer_is_an_error),
    T(socks_sends_names_as_names),
    T(socks_sends_addresses_as_addresses),
    T(socks_authenticates_when_asked),
    T(socks_answers),
    T(socks_refusals_have_names),
    T(socks_garbage_is_a_protocol_error),
    T(without_memory_a_handshake_fails),
    T(http_hands_over_what_came_behind_the_head),
    T(http_refused),
    T(http_auth_required),
    T(http_garbage),
    T(http_endless_head),
    T(a_proxy_that_hangs_up),
    T(socks_opens_the_way),
    T(socks_refused),
    T(a_proxy_that_cannot_be_reached_is_a_connect_error),
    T(cancel_in_the_handshake)
  };
  support_watchdog();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
