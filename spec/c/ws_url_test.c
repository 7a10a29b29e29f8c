/* ws/url: what is a WebSocket URL, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "ws/url.h"

/* From memory of exactly that size: no NUL behind it to lean on. */
static int parse_n(struct ws_url *u, const char *s, size_t n, bool http_too) {
  char *copy = (char *)malloc(n + 1);
  int err;
  assert_non_null(copy);
  memcpy(copy + 1, s, n);
  err = ws_url_parse(u, copy + 1, n, http_too);
  free(copy);
  if (err != 0) {
    assert_null(u->resource);
    assert_null(u->path);
  }
  return err;
}

static int parse(struct ws_url *u, const char *s) {
  return parse_n(u, s, strlen(s), false);
}

static void takes(const char *s, bool secure, const char *host, unsigned port,
                  const char *resource) {
  struct ws_url u;
  int err = parse(&u, s);
  if (err != 0)
    fail_msg("%s: %s", s, base_err_text(err));
  assert_int_equal(u.secure, secure);
  assert_string_equal(u.host, host);
  assert_int_equal(u.port, port);
  assert_int_equal(u.default_port, port == (secure ? 443u : 80u));
  assert_string_equal(u.resource, resource);
  assert_null(u.path);
  ws_url_deinit(&u);
  assert_null(u.resource);
}

static void refuses(const char *s, int want) {
  struct ws_url u;
  int err = parse(&u, s);
  if (err != want)
    fail_msg("%s: %s, not %s", s, err == 0 ? "taken" : base_err_text(err),
             base_err_text(want));
}

static void takes_schemes_hosts_ports_and_resources(void **state) {
  (void)state;
  takes("ws://example.com", false, "example.com", 80, "/");
  takes("wss://example.com", true, "example.com", 443, "/");
  takes("WsS://Example.COM/Path", true, "example.com", 443, "/Path");
  takes("ws://h:8080/a/b?c=d", false, "h", 8080, "/a/b?c=d");
  takes("ws://h?x", false, "h", 80, "/?x");
  takes("ws://h:81?", false, "h", 81, "/?");
  takes("ws://h:/", false, "h", 80, "/");
  takes("wss://h:", true, "h", 443, "/");
  takes("ws://h:00080/", false, "h", 80, "/");
  takes("ws://h:65535/", false, "h", 65535, "/");
  takes("wss://h:80/", true, "h", 80, "/");
  takes("ws://h/../a/./b//c", false, "h", 80, "/../a/./b//c");
  takes("ws://h/%7e%2F?%00&a=b;c", false, "h", 80, "/%7e%2F?%00&a=b;c");
  takes("ws://h/-._~!$&'()*+,;=:@?/?", false, "h", 80,
        "/-._~!$&'()*+,;=:@?/?");
  takes("ws://_srv._tcp.a-b.example./", false, "_srv._tcp.a-b.example.", 80,
        "/");
  takes("ws://xn--bcher-kva.example/", false, "xn--bcher-kva.example", 80,
        "/");
  takes("ws://1a.2b/", false, "1a.2b", 80, "/");
  takes("ws://0xfg/", false, "0xfg", 80, "/");
  takes("ws://*", false, "*", 80, "/");
  takes("wss://*:8443/a", true, "*", 8443, "/a");
}

static void takes_port_0_only_to_listen(void **state) {
  static const char s[] = "wss://*:0/", http[] = "http://h/";
  struct ws_url u;
  (void)state;
  refuses(s, BASE_ERR_URL_PORT);
  assert_int_equal(parse_n(&u, s, sizeof s - 1, true), BASE_ERR_URL_PORT);
  assert_int_equal(ws_url_parse_listen(&u, s, sizeof s - 1), 0);
  assert_int_equal(u.port, 0);
  assert_false(u.default_port);
  assert_string_equal(u.host, "*");
  ws_url_deinit(&u);
  assert_int_equal(ws_url_parse_listen(&u, "ws://h", 6), 0);
  assert_int_equal(u.port, 80);
  ws_url_deinit(&u);
  assert_int_equal(ws_url_parse_listen(&u, "ws://h:65536", 12),
                   BASE_ERR_URL_PORT);
  assert_int_equal(ws_url_parse_listen(&u, http, sizeof http - 1),
                   BASE_ERR_URL_SCHEME);
  assert_int_equal(ws_url_parse_listen(&u, "ws+unix:///a", 12), 0);
  assert_string_equal(u.path, "/a");
  ws_url_deinit(&u);
}

static void local(const char *s, const char *path, const char *resource) {
  char authority[270];
  struct ws_url u;
  int err = parse(&u, s);
  if (err != 0)
    fail_msg("%s: %s", s, base_err_text(err));
  assert_non_null(u.path);
  assert_string_equal(u.path, path);
  assert_string_equal(u.resource, resource);
  assert_string_equal(u.host, "localhost");
  assert_false(u.secure || u.is_ip);
  assert_int_equal(ws_url_authority(&u, authority, sizeof authority), 9);
  assert_string_equal(authority, "localhost");
  ws_url_deinit(&u);
  assert_null(u.path);
  assert_null(u.resource);
}

static void takes_local_sockets(void **state) {
  (void)state;
  local("ws+unix:///run/x.sock", "/run/x.sock", "/");
  local("WS+Unix:///A", "/A", "/");
  local("ws+unix:///run/x.sock:/", "/run/x.sock", "/");
  local("ws+unix:///run/x.sock:/a%20b?c=d:e%00", "/run/x.sock",
        "/a%20b?c=d:e%00");
  local("ws+unix:///a%20b%3a%3F%23%25%2F%c3%A9%01/~", "/a b:?#%/\xc3\xa9\x01/~",
        "/");
  local("ws+unix:///-._~!$&'()*+,;=@:/:", "/-._~!$&'()*+,;=@", "/:");
  local("ws+unix://%2Frun", "/run", "/");
  local("ws+unix:////run//x/", "//run//x/", "/");
}

static void refuses_malformed_local_sockets(void **state) {
  (void)state;
  refuses("ws+unix:", BASE_ERR_URL_HOST);
  refuses("ws+unix:/run", BASE_ERR_URL_HOST);
  refuses("ws+unix:run", BASE_ERR_URL_HOST);
  refuses("ws+unix://", BASE_ERR_URL_HOST);
  refuses("ws+unix:///", BASE_ERR_URL_HOST);
  refuses("ws+unix:///:/a", BASE_ERR_URL_HOST);
  refuses("ws+unix://localhost/run", BASE_ERR_URL_HOST);
  refuses("ws+unix://h:80/run", BASE_ERR_URL_HOST);
  refuses("ws+unix://me@/run", BASE_ERR_URL_HOST);
  refuses("ws+unix://run", BASE_ERR_URL_HOST);
  refuses("ws+unix:///run:", BASE_ERR_URL_CHARACTER);
  refuses("ws+unix:///run:80", BASE_ERR_URL_CHARACTER);
  refuses("ws+unix:///run:?a", BASE_ERR_URL_CHARACTER);
  refuses("ws+unix:///run?a", BASE_ERR_URL_CHARACTER);
  refuses("ws+unix:///run#a", BASE_ERR_URL_FRAGMENT);
  refuses("ws+unix:///run:/a#b", BASE_ERR_URL_FRAGMENT);
  refuses("ws+unix:///run:/a b", BASE_ERR_URL_CHARACTER);
  refuses("ws+unix:///r n", BASE_ERR_URL_CHARACTER);
  refuses("ws+unix:///r\xc3\xa9", BASE_ERR_URL_CHARACTER);
  refuses("ws+unix:///r%", BASE_ERR_URL_CHARACTER);
  refuses("ws+unix:///r%4", BASE_ERR_URL_CHARACTER);
  refuses("ws+unix:///r%4g", BASE_ERR_URL_CHARACTER);
  refuses("ws+unix:///r%00", BASE_ERR_URL_CHARACTER);
  refuses("ws+unix:///%00run", BASE_ERR_URL_CHARACTER);
}

static void a_local_socket_has_its_longest_path(void **state) {
  char s[400] = "ws+unix:///";
  struct ws_url u;
  size_t i;
  (void)state;
  memset(s + 11, 'a', 107);
  assert_int_equal(parse_n(&u, s, 10 + 107, false), 0);
  assert_int_equal(strlen(u.path), 107);
  ws_url_deinit(&u);
  assert_int_equal(parse_n(&u, s, 10 + 108, false), BASE_ERR_URL_LENGTH);
  for (i = 0; i < 107; i++) /* the bytes of the path count, not of the URL */
    memcpy(s + 11 + 3 * i, "%2e", 3);
  assert_int_equal(parse_n(&u, s, 11 + 3 * (size_t)106, false), 0);
  assert_int_equal(strlen(u.path), 107);
  ws_url_deinit(&u);
  assert_int_equal(parse_n(&u, s, 11 + 3 * (size_t)107, false),
                   BASE_ERR_URL_LENGTH);
}

static void knows_addresses_from_names(void **state) {
  static const struct {
    const char *url, *host;
    bool is_ip;
  } cases[] = {
    {"ws://127.0.0.1:9/", "127.0.0.1", true},
    {"ws://255.255.255.255", "255.255.255.255", true},
    {"ws://[::1]:9/", "::1", true},
    {"ws://[::]/", "::", true},
    {"ws://[2001:DB8::A]/", "2001:db8::a", true},
    {"ws://[1:2:3:4:5:6:7:8]/", "1:2:3:4:5:6:7:8", true},
    {"ws://[1:2:3:4:5:6:7::]/", "1:2:3:4:5:6:7::", true},
    {"ws://[::2:3:4:5:6:7:8]/", "::2:3:4:5:6:7:8", true},
    {"ws://[1::8]/", "1::8", true},
    {"ws://[::ffff:1.2.3.4]/", "::ffff:1.2.3.4", true},
    {"ws://[1:2:3:4:5:6:1.2.3.4]/", "1:2:3:4:5:6:1.2.3.4", true},
    {"ws://localhost/", "localhost", false},
    {"ws://1.2.3.4.example/", "1.2.3.4.example", false},
  };
  struct ws_url u;
  size_t i;
  (void)state;
  for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (parse(&u, cases[i].url) != 0)
      fail_msg("%s", cases[i].url);
    assert_string_equal(u.host, cases[i].host);
    assert_int_equal(u.is_ip, cases[i].is_ip);
    ws_url_deinit(&u);
  }
}

static void refuses_other_schemes(void **state) {
  (void)state;
  refuses("", BASE_ERR_URL_SCHEME);
  refuses("example.com", BASE_ERR_URL_SCHEME);
  refuses("//example.com", BASE_ERR_URL_SCHEME);
  refuses("http://h/", BASE_ERR_URL_SCHEME);
  refuses("https://h/", BASE_ERR_URL_SCHEME);
  refuses("wsss://h/", BASE_ERR_URL_SCHEME);
  refuses("w://h/", BASE_ERR_URL_SCHEME);
  refuses(" ws://h/", BASE_ERR_URL_SCHEME);
  refuses("wss+unix:///s", BASE_ERR_URL_SCHEME);
  refuses("http+unix:///s", BASE_ERR_URL_SCHEME);
  refuses("ws+unix", BASE_ERR_URL_SCHEME);
  refuses("unix:///s", BASE_ERR_URL_SCHEME);
  refuses("ws", BASE_ERR_URL_SCHEME);
  refuses("ws:", BASE_ERR_URL_HOST);
  refuses("ws:h", BASE_ERR_URL_HOST);
  refuses("ws:/h", BASE_ERR_URL_HOST);
}

static void takes_http_only_when_told(void **state) {
  struct ws_url u;
  (void)state;
  assert_int_equal(parse_n(&u, "HTTPS://h/", 10, true), 0);
  assert_true(u.secure && u.port == 443);
  ws_url_deinit(&u);
  assert_int_equal(parse_n(&u, "http://h/", 9, true), 0);
  assert_true(!u.secure && u.port == 80);
  ws_url_deinit(&u);
  assert_int_equal(parse_n(&u, "ws+unix:///run", 14, true),
                   BASE_ERR_URL_SCHEME); /* not for a server to say */
}

static void refuses_malformed_hosts(void **state) {
  static const char *const hosts[] = {
    "", ".", "..", "a..b", ".a", "a..", "-a", "a-", "a.-b", "a.b-.c", "a b",
    "a%41", "m\xc3\xbcnster", "a\tb", "a\"b", "a*b", "a\\b", "a,b",
    "**", "*.", "*.a",
    /* numbers that are no address as written */
    "1.2.3", "127.1", "1", "2130706433", "0x7f.1", "0x7f000001", "1.2.3.0x4",
    "0x", "a.0x", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.04", "1.2.3.4.",
    "1.2..3", "0177.0.0.1", "a.1", "a.1.", "999999999999.1",
    "[", "[]", "[:]", "[:::]", "[::1", "[1]", "[1:2:3:4:5:6:7]",
    "[1:2:3:4:5:6:7:8:9]", "[1:2:3:4:5:6:7:8::]", "[::1::2]", "[1:]",
    "[:1:2:3:4:5:6:7]", "[12345::]", "[g::]", "[::1]x", "[fe80::1%25eth0]",
    "[fe80::1%eth0]", "[1.2.3.4]", "[::1.2.3]", "[::1.2.3.4:5]", "[::01.2.3.4]",
    "[1:2:3:4:5:6:7:1.2.3.4]", "[v1.x]", "[::1]]", "[[::1]", "x[::1]", "]",
  };
  char s[300];
  size_t i;
  (void)state;
  for (i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
    (void)snprintf(s, sizeof s, "ws://%s/", hosts[i]);
    refuses(s, BASE_ERR_URL_HOST);
    (void)snprintf(s, sizeof s, "wss://%s:80", hosts[i]);
    refuses(s, BASE_ERR_URL_HOST);
  }
}

static void names_have_their_greatest_length(void **state) {
  char s[400] = "ws://";
  struct ws_url u;
  size_t n = 5, i;
  (void)state;
  memset(s + n, 'a', 64);
  assert_int_equal(parse_n(&u, s, n + 63, false), 0);
  ws_url_deinit(&u);
  assert_int_equal(parse_n(&u, s, n + 64, false), BASE_ERR_URL_HOST);
  for (i = 0; i < 256; i++)
    s[n + i] = i % 2 == 0 ? 'a' : '.';
  assert_int_equal(parse_n(&u, s, n + 253, false), 0);
  ws_url_deinit(&u);
  assert_int_equal(parse_n(&u, s, n + 254, false), 0); /* the final dot */
  assert_int_equal(strlen(u.host), 254);
  ws_url_deinit(&u);
  assert_int_equal(parse_n(&u, s, n + 255, false), BASE_ERR_URL_HOST);
  s[n + 253] = 'a';
  assert_int_equal(parse_n(&u, s, n + 254, false), BASE_ERR_URL_HOST);
}

static void refuses_malformed_ports(void **state) {
  (void)state;
  refuses("ws://h:0/", BASE_ERR_URL_PORT);
  refuses("ws://h:65536/", BASE_ERR_URL_PORT);
  refuses("ws://h:4294967376/", BASE_ERR_URL_PORT);
  refuses("ws://h:-1/", BASE_ERR_URL_PORT);
  refuses("ws://h:+1/", BASE_ERR_URL_PORT);
  refuses("ws://h:8a/", BASE_ERR_URL_PORT);
  refuses("ws://h:80:90/", BASE_ERR_URL_PORT);
  refuses("ws://h: 80/", BASE_ERR_URL_PORT);
  refuses("ws://[::1]::/", BASE_ERR_URL_PORT);
  refuses("ws://:80/", BASE_ERR_URL_HOST);
}

static void refuses_user_names_and_fragments(void **state) {
  (void)state;
  refuses("ws://me@h/", BASE_ERR_URL_USERINFO);
  refuses("ws://me:secret@h/", BASE_ERR_URL_USERINFO);
  refuses("ws://@h/", BASE_ERR_URL_USERINFO);
  refuses("ws://h#", BASE_ERR_URL_FRAGMENT);
  refuses("ws://h/#a", BASE_ERR_URL_FRAGMENT);
  refuses("ws://h/a?b#c", BASE_ERR_URL_FRAGMENT);
}

static void refuses_characters_that_need_escaping(void **state) {
  struct ws_url u;
  char s[8] = "ws://h/";
  int c;
  (void)state;
  for (c = 0; c < 256; c++) {
    bool fine = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                (c >= 'a' && c <= 'z') ||
                (c != 0 && strchr("-._~!$&'()*+,;=:@/?", c) != NULL);
    s[7] = (char)c;
    assert_int_equal(parse_n(&u, s, 8, false),
                     fine ? 0 : c == '#' ? BASE_ERR_URL_FRAGMENT
                                         : BASE_ERR_URL_CHARACTER);
    ws_url_deinit(&u);
  }
  refuses("ws://h/%", BASE_ERR_URL_CHARACTER);
  refuses("ws://h/%4", BASE_ERR_URL_CHARACTER);
  refuses("ws://h/%4g", BASE_ERR_URL_CHARACTER);
  refuses("ws://h/?%g4", BASE_ERR_URL_CHARACTER);
  refuses("ws://h/%%41", BASE_ERR_URL_CHARACTER);
}

static void refuses_a_url_that_is_too_long(void **state) {
  static char s[LIMIT_URL_BYTES + 1];
  struct ws_url u;
  (void)state;
  memset(s, 'a', sizeof s);
  memcpy(s, "ws://h/", 7);
  assert_int_equal(parse_n(&u, s, sizeof s, false), BASE_ERR_URL_LENGTH);
  assert_int_equal(parse_n(&u, s, sizeof s - 1, false), 0);
  ws_url_deinit(&u);
}

/* Every beginning of a good URL is judged without reading beyond it. */
static void every_beginning_is_safe_to_parse(void **state) {
  static const char *const urls[] = {
    "wss://[2001:db8::1.2.3.4]:8443/a%20b?c=%64",
    "ws+unix:///run/%41b.sock:/a%20b?c=%64",
  };
  struct ws_url u;
  size_t i, n;
  (void)state;
  for (i = 0; i < sizeof urls / sizeof urls[0]; i++)
    for (n = 0; n <= strlen(urls[i]); n++) {
      (void)parse_n(&u, urls[i], n, false);
      ws_url_deinit(&u);
    }
}

static void resolves(const char *base, const char *ref, const char *want) {
  struct ws_url b, u;
  char got[400], authority[270];
  size_t n;
  int err;
  assert_int_equal(parse(&b, base), 0);
  err = ws_url_resolve(&u, &b, ref, strlen(ref));
  if (err != 0)
    fail_msg("%s: %s", ref, base_err_text(err));
  n = ws_url_authority(&u, authority, sizeof authority);
  assert_int_equal(n, strlen(authority));
  (void)snprintf(got, sizeof got, "%s://%s%s", u.secure ? "wss" : "ws",
                 authority, u.resource);
  if (strcmp(got, want) != 0)
    fail_msg("%s: %s, not %s", ref, got, want);
  ws_url_deinit(&u);
  ws_url_deinit(&b);
}

static void resolves_references_as_the_rfc_shows(void **state) {
  static const char *const cases[][2] = { /* RFC 3986, 5.4, without #s */
    {"g", "/b/c/g"}, {"./g", "/b/c/g"}, {"g/", "/b/c/g/"}, {"/g", "/g"},
    {"?y", "/b/c/d;p?y"}, {"g?y", "/b/c/g?y"}, {";x", "/b/c/;x"},
    {"g;x", "/b/c/g;x"}, {"g;x?y", "/b/c/g;x?y"}, {"", "/b/c/d;p?q"},
    {".", "/b/c/"}, {"./", "/b/c/"}, {"..", "/b/"}, {"../", "/b/"},
    {"../g", "/b/g"}, {"../..", "/"}, {"../../", "/"}, {"../../g", "/g"},
    {"../../../g", "/g"}, {"../../../../g", "/g"}, {"/./g", "/g"},
    {"/../g", "/g"}, {"g.", "/b/c/g."}, {".g", "/b/c/.g"},
    {"g..", "/b/c/g.."}, {"..g", "/b/c/..g"}, {"./../g", "/b/g"},
    {"./g/.", "/b/c/g/"}, {"g/./h", "/b/c/g/h"}, {"g/../h", "/b/c/h"},
    {"g;x=1/./y", "/b/c/g;x=1/y"}, {"g;x=1/../y", "/b/c/y"},
    {"g?y/./x", "/b/c/g?y/./x"}, {"g?y/../x", "/b/c/g?y/../x"},
    {"...", "/b/c/..."}, {"//", NULL},
  };
  char want[100];
  size_t i;
  (void)state;
  for (i = 0; cases[i][1] != NULL; i++) {
    (void)snprintf(want, sizeof want, "ws://a%s", cases[i][1]);
    resolves("ws://a/b/c/d;p?q", cases[i][0], want);
  }
  resolves("ws://a/b/c/d;p?q", "//g", "ws://g/");
  resolves("wss://a:1/b?x/y", "c", "wss://a:1/c");
  resolves("wss://[::1]:1/b", "/c/", "wss://[::1]:1/c/");
  resolves("wss://a", "//B:444/../x/../y?z", "wss://b:444/y?z");
  resolves("ws://a/b", "https://c/d/./e/..", "wss://c/d/");
  resolves("wss://a/b", "http://c?/../d", "ws://c/?/../d");
  resolves("wss://a/b", "WS://c:443", "ws://c:443/");
  resolves("ws://a/b", "./1:2", "ws://a/1:2");
  resolves("ws://a/b", "?1:2", "ws://a/b?1:2");
}

static void refuses_references_to_elsewhere(void **state) {
  static const struct {
    const char *ref;
    int err;
  } cases[] = {
    {"ftp://h/", BASE_ERR_URL_SCHEME}, {"g:h", BASE_ERR_URL_SCHEME},
    {"1.2.3.4:80/x", BASE_ERR_URL_SCHEME}, {":", BASE_ERR_URL_SCHEME},
    {"ws:g", BASE_ERR_URL_HOST}, {"ws:", BASE_ERR_URL_HOST},
    {"//", BASE_ERR_URL_HOST}, {"///x", BASE_ERR_URL_HOST},
    {"//me@h/", BASE_ERR_URL_USERINFO}, {"#s", BASE_ERR_URL_FRAGMENT},
    {"g#s/./x", BASE_ERR_URL_FRAGMENT}, {"a b", BASE_ERR_URL_CHARACTER},
    {"/%zz", BASE_ERR_URL_CHARACTER}, {"//h:0", BASE_ERR_URL_PORT},
    {"a b/../g", BASE_ERR_URL_CHARACTER},
    {"/%/../g", BASE_ERR_URL_CHARACTER},
    {"ws://h/\x7f/../g", BASE_ERR_URL_CHARACTER},
  };
  static char longest[LIMIT_URL_BYTES + 1];
  struct ws_url b, u;
  size_t i;
  (void)state;
  assert_int_equal(parse(&b, "ws://h/a"), 0);
  for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    int err = ws_url_resolve(&u, &b, cases[i].ref, strlen(cases[i].ref));
    if (err != cases[i].err)
      fail_msg("%s: %d", cases[i].ref, err);
    assert_null(u.resource);
  }
  memset(longest, 'a', sizeof longest);
  assert_int_equal(ws_url_resolve(&u, &b, longest, sizeof longest),
                   BASE_ERR_URL_LENGTH);
  assert_int_equal(ws_url_resolve(&u, &b, longest, sizeof longest - 1),
                   BASE_ERR_URL_LENGTH);
  ws_url_deinit(&b);
}

static void a_reference_never_opens_another_local_socket(void **state) {
  static const char from[] = "ws+unix:///run/a%20b:/c/d?e";
  static const char *const stays[][2] = {
    {"x", "/c/x"}, {"/x", "/x"}, {"../../x?y", "/x?y"}, {"?z", "/c/d?z"},
    {"", "/c/d?e"},
  };
  struct ws_url b, u;
  size_t i;
  (void)state;
  assert_int_equal(parse(&b, from), 0);
  for (i = 0; i < sizeof stays / sizeof stays[0]; i++) {
    assert_int_equal(
        ws_url_resolve(&u, &b, stays[i][0], strlen(stays[i][0])), 0);
    assert_string_equal(u.path, "/run/a b");
    assert_string_equal(u.resource, stays[i][1]);
    assert_true(u.port == b.port && u.default_port);
    assert_true(ws_url_same_origin(&b, &u));
    ws_url_deinit(&u);
  }
  assert_int_equal(ws_url_resolve(&u, &b, "ws://h/x", 8), 0);
  assert_null(u.path);
  assert_string_equal(u.host, "h");
  assert_false(ws_url_same_origin(&b, &u));
  ws_url_deinit(&u);
  assert_int_equal(ws_url_resolve(&u, &b, "//h/x", 5), BASE_ERR_URL_HOST);
  assert_int_equal(ws_url_resolve(&u, &b, "///run/c", 8), BASE_ERR_URL_HOST);
  assert_int_equal(ws_url_resolve(&u, &b, from, strlen(from)),
                   BASE_ERR_URL_SCHEME);
  ws_url_deinit(&b);
  assert_int_equal(parse(&b, "ws://h/"), 0);
  assert_int_equal(ws_url_resolve(&u, &b, from, strlen(from)),
                   BASE_ERR_URL_SCHEME);
  ws_url_deinit(&b);
}

static void knows_what_a_host_header_may_be(void **state) {
  static const char *const good[] = {
    "h", "h:80", "h:", "a.b.", "my_host", "1.2.3.4:65535", "[::1]", "[::1]:8",
    "%2Frun%2Fx", "a-", "-._~!$&'()*+,;=", "H:0", "1.2.3", "x:00080",
  };
  static const char *const bad[] = {
    "", ":", ":80", "h:65536", "h:8a", "h:80:80", "h:-1", "a b", "a/b", "a?b",
    "a#b", "a@b", "@h", "a%2", "a%zz", "a%", "m\xc3\xbcnster", "a\"b", "a\\b",
    "<h>", "[::1", "[]", "::1", "[::1]8", "[::1]::", "[g::]", "[::1]]", "]",
    "[", "h:80 ", "a\tb", "a^b", "a|b", "{a}", "http://h", "h, i",
    "h:4294967296",
  };
  size_t i;
  (void)state;
  for (i = 0; i < sizeof good / sizeof good[0]; i++)
    if (!ws_url_is_authority(good[i], strlen(good[i])))
      fail_msg("%s", good[i]);
  for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
    if (ws_url_is_authority(bad[i], strlen(bad[i])))
      fail_msg("%s", bad[i]);
}

static void authority(const char *url, const char *want) {
  char out[270];
  struct ws_url u;
  assert_int_equal(parse(&u, url), 0);
  assert_int_equal(ws_url_authority(&u, out, sizeof out), strlen(want));
  assert_string_equal(out, want);
  ws_url_deinit(&u);
}

static void writes_what_a_host_header_needs(void **state) {
  (void)state;
  authority("ws://H/", "h");
  authority("ws://h:80/", "h");
  authority("wss://h:443/", "h");
  authority("ws://h:443/", "h:443");
  authority("wss://[::1]/", "[::1]");
  authority("wss://[::1]:65535/", "[::1]:65535");
  authority("ws://1.2.3.4:81/", "1.2.3.4:81");
}

static bool same(const char *a, const char *b) {
  struct ws_url u, v;
  bool answer;
  assert_int_equal(parse(&u, a), 0);
  assert_int_equal(parse(&v, b), 0);
  answer = ws_url_same_origin(&u, &v);
  ws_url_deinit(&u);
  ws_url_deinit(&v);
  return answer;
}

static void compares_origins(void **state) {
  (void)state;
  assert_true(same("ws://H/a", "ws://h:80/b?c"));
  assert_false(same("ws://h/", "wss://h/"));
  assert_false(same("ws://h:443/", "wss://h/"));
  assert_false(same("ws://h/", "ws://h:81/"));
  assert_false(same("ws://h/", "ws://i/"));
  assert_true(same("ws+unix:///a", "ws+unix:///%61:/b"));
  assert_false(same("ws+unix:///a", "ws+unix:///b"));
  assert_false(same("ws+unix:///a", "ws://localhost/"));
  assert_false(same("ws://localhost/", "ws+unix:///a"));
}

static int allowed; /* allocations until they fail */
static int live;

static void *failing(void *p, size_t size) {
  if (size == 0) {
    live -= p != NULL;
    free(p);
    return NULL;
  }
  if (allowed-- <= 0)
    return NULL;
  live += p == NULL;
  return realloc(p, size);
}

/* However few allocations there are: an error, or all of it, and no leak. */
static void survives_a_want_of_memory(void **state) {
  static const char *const bases[] = {"ws://h/a", "ws+unix:///a:/b"};
  base_realloc_fn *before = base_mem_realloc_hook;
  struct ws_url b, u;
  int i, n, err;
  (void)state;
  for (i = 0; i < 2; i++) {
    base_mem_realloc_hook = failing;
    for (n = 0, err = BASE_ERR_MEMORY; err != 0 && n < 10; n++) {
      allowed = n;
      err = parse(&b, bases[i]);
      if (err != 0)
        assert_int_equal(err, BASE_ERR_MEMORY);
    }
    assert_int_equal(n, 2 + i); /* resource; path */
    for (n = 0, err = BASE_ERR_MEMORY; err != 0 && n < 10; n++) {
      allowed = n;
      err = ws_url_resolve(&u, &b, "x", 1);
      if (err != 0) {
        assert_int_equal(err, BASE_ERR_MEMORY);
        assert_null(u.resource);
        assert_null(u.path);
      }
    }
    assert_int_equal(n, 3 + i); /* the whole, and the same */
    ws_url_deinit(&u);
    ws_url_deinit(&b);
    assert_int_equal(live, 0);
    base_mem_realloc_hook = before;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(takes_schemes_hosts_ports_and_resources),
    cmocka_unit_test(takes_port_0_only_to_listen),
    cmocka_unit_test(knows_addresses_from_names),
    cmocka_unit_test(refuses_other_schemes),
    cmocka_unit_test(takes_http_only_when_told),
    cmocka_unit_test(refuses_malformed_hosts),
    cmocka_unit_test(names_have_their_greatest_length),
    cmocka_unit_test(refuses_malformed_ports),
    cmocka_unit_test(takes_local_sockets),
    cmocka_unit_test(refuses_malformed_local_sockets),
    cmocka_unit_test(a_local_socket_has_its_longest_path),
    cmocka_unit_test(refuses_user_names_and_fragments),
    cmocka_unit_test(refuses_characters_that_need_escaping),
    cmocka_unit_test(refuses_a_url_that_is_too_long),
    cmocka_unit_test(every_beginning_is_safe_to_parse),
    cmocka_unit_test(resolves_references_as_the_rfc_shows),
    cmocka_unit_test(refuses_references_to_elsewhere),
    cmocka_unit_test(a_reference_never_opens_another_local_socket),
    cmocka_unit_test(knows_what_a_host_header_may_be),
    cmocka_unit_test(writes_what_a_host_header_needs),
    cmocka_unit_test(compares_origins),
    cmocka_unit_test(survives_a_want_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
