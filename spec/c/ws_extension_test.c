/* ws/extension: what is offered, answered and agreed on (RFC 7692, 7.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ws/extension.h"

#define NAME "permessage-deflate"
#define SERVER_NO "server_no_context_takeover"
#define CLIENT_NO "client_no_context_takeover"
#define SERVER_BITS "server_max_window_bits"
#define CLIENT_BITS "client_max_window_bits"

/* Letters for the two flags, numbers for the two windows, as in "SC 9 10". */
static void write_deal(char *out, size_t size, bool server_no, bool client_no,
                       int server, int client) {
  (void)snprintf(out, size, "%s%s %d %d", server_no ? "S" : "",
                 client_no ? "C" : "", server, client);
}

static struct ws_deflate_wish wish(const char *text) {
  struct ws_deflate_wish w;
  size_t letters = strspn(text, "SC");
  memset(&w, 0, sizeof w);
  w.server_no_context_takeover = memchr(text, 'S', letters) != NULL;
  w.client_no_context_takeover = memchr(text, 'C', letters) != NULL;
  if (sscanf(text + letters, "%d %d", &w.server_max_window_bits,
             &w.client_max_window_bits) != 2)
    fail_msg("no wish: %s", text);
  return w;
}

static void offers_what_is_wished_for(void **state) {
  static const char *const rows[][2] = {
    {" 0 0", NAME "; " CLIENT_BITS},
    {"S 0 0", NAME "; " SERVER_NO "; " CLIENT_BITS},
    {"C 0 0", NAME "; " CLIENT_NO "; " CLIENT_BITS},
    {" 9 0", NAME "; " SERVER_BITS "=9; " CLIENT_BITS},
    {" 8 15", NAME "; " SERVER_BITS "=8; " CLIENT_BITS "=15"},
    {"SC 10 12", NAME "; " SERVER_NO "; " CLIENT_NO "; " SERVER_BITS "=10; "
                 CLIENT_BITS "=12"},
  };
  size_t i;
  (void)state;
  for (i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct ws_deflate_wish w = wish(rows[i][0]);
    char out[WS_EXTENSION_SIZE];
    ws_extension_offer(out, &w);
    assert_string_equal(out, rows[i][1]);
  }
}

/* ---- the client's side -------------------------------------------------- */

static void agrees(const char *wished, const char *answer, const char *want) {
  struct ws_deflate_wish w = wish(wished);
  struct ws_deflate_deal d;
  const char *why = ws_extension_check(&d, answer, &w);
  char got[40];
  if (why != NULL)
    fail_msg("%s: %s", answer, why);
  assert_true(d.on);
  write_deal(got, sizeof got, d.server_no_context_takeover,
             d.client_no_context_takeover, d.server_window_bits,
             d.client_window_bits);
  if (strcmp(got, want) != 0)
    fail_msg("%s: %s, not %s", answer, got, want);
}

static void a_client_takes_what_it_offered(void **state) {
  (void)state;
  agrees(" 0 0", NAME, " 15 15");
  agrees(" 0 0", "Permessage-DEFLATE", " 15 15");
  agrees(" 0 0", "  " NAME " \t", " 15 15");
  agrees("S 0 0", NAME "; " SERVER_NO, "S 15 15");
  agrees("S 0 0", NAME ";" SERVER_NO ";" CLIENT_NO, "SC 15 15");
  agrees("S 0 0", NAME "\t;\tSERVER_no_Context_takeover", "S 15 15");
  agrees("C 0 0", NAME, "C 15 15"); /* RFC 7692, 7.1.1.2: it may do so */
  agrees("C 0 0", NAME "; " CLIENT_NO, "C 15 15");
  agrees(" 10 0", NAME "; " SERVER_BITS "=10", " 10 15");
  agrees(" 10 0", NAME "; " SERVER_BITS " = 8", " 8 15");
  agrees(" 0 10", NAME, " 15 10");
  agrees(" 0 10", NAME "; " CLIENT_BITS "=9", " 15 9");
  agrees(" 0 10", NAME "; " CLIENT_BITS "=10", " 15 10");
  agrees(" 15 15", NAME "; " SERVER_BITS "=\"15\"; " CLIENT_BITS "=\"8\"",
         " 15 8");
}

static void a_client_takes_what_a_server_adds(void **state) {
  (void)state; /* RFC 7692, 7.1.1 and 7.1.2: without having been asked */
  agrees(" 0 0", NAME "; " SERVER_NO, "S 15 15");
  agrees(" 0 0", NAME "; " CLIENT_NO, "C 15 15");
  agrees(" 0 0", NAME "; " SERVER_BITS "=8", " 8 15");
  agrees(" 0 0", NAME "; " CLIENT_BITS "=8", " 15 8");
  agrees(" 0 0", NAME "; " CLIENT_BITS "=15; " SERVER_BITS "=9; " CLIENT_NO
                 "; " SERVER_NO, "SC 9 15");
}

static void no_answer_is_no_compression(void **state) {
  struct ws_deflate_wish w = wish("SC 9 9");
  struct ws_deflate_deal d;
  (void)state;
  memset(&d, 0xff, sizeof d);
  assert_null(ws_extension_check(&d, NULL, &w));
  assert_false(d.on);
}

static void refuses(const char *wished, const char *answer, const char *want) {
  struct ws_deflate_wish w = wish(wished);
  struct ws_deflate_deal d;
  const char *why = ws_extension_check(&d, answer, &w);
  if (why == NULL || strstr(why, want) == NULL)
    fail_msg("%s: %s, not %s", answer, why != NULL ? why : "taken", want);
  assert_false(d.on);
}

static void a_client_refuses_other_extensions(void **state) {
  (void)state;
  refuses(" 0 0", "", "not offered");
  refuses(" 0 0", "x-webkit-deflate-frame", "not offered");
  refuses(" 0 0", "permessage-deflate2", "not offered");
  refuses(" 0 0", "permessage", "not offered");
  refuses(" 0 0", "\"permessage-deflate\"", "not offered");
  refuses(" 0 0", "foo, " NAME, "not offered");
  refuses(" 0 0", NAME ", foo", "more than one");
  refuses(" 0 0", NAME ", " NAME, "more than one");
  refuses(" 0 0", NAME "; " SERVER_NO ",", "more than one");
}

/* Parameters that neither side may write. */
static const char *const malformed[] = {
  "; unknown", "; unknown=1", "; " SERVER_NO "; unknown", ";", "; ", ";;",
  "; " SERVER_NO ";", "; ;" SERVER_NO, " " SERVER_NO, "=1", "; =1",
  "; " SERVER_NO "=", "; " SERVER_NO "=1", "; " SERVER_NO "=true",
  "; " SERVER_NO "=\"\"", "; " CLIENT_NO "=0",
  "; " SERVER_NO "; " SERVER_NO, "; " CLIENT_NO "; " CLIENT_NO,
  "; " SERVER_NO "; SERVER_NO_CONTEXT_TAKEOVER",
  "; " SERVER_BITS, "; " SERVER_BITS "=", "; " SERVER_BITS "=\"\"",
  "; " SERVER_BITS "=7", "; " SERVER_BITS "=16", "; " SERVER_BITS "=0",
  "; " SERVER_BITS "=1", "; " SERVER_BITS "=08", "; " SERVER_BITS "=010",
  "; " SERVER_BITS "=20", "; " SERVER_BITS "=100", "; " SERVER_BITS "=-9",
  "; " SERVER_BITS "=+9", "; " SERVER_BITS "=9x", "; " SERVER_BITS "=0x9",
  "; " SERVER_BITS "=1 0", "; " SERVER_BITS "=ten", "; " SERVER_BITS "=9.0",
  "; " SERVER_BITS "==9", "; " SERVER_BITS "=\"9", "; " SERVER_BITS "=9\"",
  "; " SERVER_BITS "=\" 9\"", "; " SERVER_BITS "=\"9 \"",
  "; " SERVER_BITS "='9'", "; " SERVER_BITS "=\"7\"",
  "; " SERVER_BITS "=9; " SERVER_BITS "=9",
  "; " SERVER_BITS "=9; " SERVER_BITS "=10",
  "; " CLIENT_BITS "=", "; " CLIENT_BITS "=7", "; " CLIENT_BITS "=16",
  "; " CLIENT_BITS "=08", "; " CLIENT_BITS "=\"16\"",
  "; " CLIENT_BITS "=4294967304", "; " CLIENT_BITS "=9; " CLIENT_BITS "=9",
};
enum { MALFORMED = sizeof malformed / sizeof *malformed };

static void a_client_refuses_malformed_parameters(void **state) {
  size_t i;
  (void)state;
  for (i = 0; i < MALFORMED; i++) {
    char text[200];
    (void)snprintf(text, sizeof text, NAME "%s", malformed[i]);
    refuses(" 0 0", text, "unknown, repeated or malformed");
  }
  /* RFC 7692, 7.1.2.2: only an offer leaves the value out */
  refuses(" 0 0", NAME "; " CLIENT_BITS, "malformed");
}

static void a_client_refuses_less_than_it_asked_for(void **state) {
  (void)state;
  refuses("S 0 0", NAME, "lacks " SERVER_NO);
  refuses("SC 0 0", NAME "; " CLIENT_NO, "lacks " SERVER_NO);
  refuses(" 10 0", NAME, SERVER_BITS);
  refuses(" 10 0", NAME "; " SERVER_BITS "=11", SERVER_BITS);
  refuses(" 8 0", NAME "; " SERVER_BITS "=9", SERVER_BITS);
  refuses(" 15 0", NAME, SERVER_BITS);
  refuses(" 0 10", NAME "; " CLIENT_BITS "=11", CLIENT_BITS);
  refuses(" 0 8", NAME "; " CLIENT_BITS "=15", CLIENT_BITS);
}

/* ---- the server's side -------------------------------------------------- */

static struct ws_head head;

/* A request with these fields, of which NULL is the last. */
static const struct ws_head *request(const char *const *fields) {
  char text[2000] = "GET / HTTP/1.1\r\nHost: x\r\n";
  size_t n;
  for (; *fields != NULL; fields++) {
    n = strlen(text);
    (void)snprintf(text + n, sizeof text - n,
                   "Sec-WebSocket-Extensions: %s\r\n", *fields);
  }
  n = strlen(text);
  (void)snprintf(text + n, sizeof text - n, "\r\n");
  ws_head_init(&head, true, sizeof text);
  n = strlen(text);
  assert_int_equal(ws_head_feed(&head, (const uint8_t *)text, n), n);
  assert_true(head.complete);
  return &head;
}

static void accepts_all(const char *wished, const char *const *fields,
                        const char *deal, const char *answer) {
  struct ws_deflate_wish w = wish(wished);
  struct ws_deflate_deal d;
  char out[WS_EXTENSION_SIZE] = "", got[40];
  if (!ws_extension_accept(&d, out, request(fields), &w))
    fail_msg("declined: %s", fields[0]);
  ws_head_deinit(&head);
  assert_true(d.on);
  write_deal(got, sizeof got, d.server_no_context_takeover,
             d.client_no_context_takeover, d.server_window_bits,
             d.client_window_bits);
  if (strcmp(got, deal) != 0 || strcmp(out, answer) != 0)
    fail_msg("%s: %s (%s), not %s (%s)", fields[0], out, got, answer, deal);
}

static void accepts(const char *wished, const char *offer, const char *deal,
                    const char *answer) {
  const char *const fields[] = {offer, NULL};
  accepts_all(wished, fields, deal, answer);
}

static void a_server_grants_what_is_asked_for(void **state) {
  (void)state;
  accepts(" 0 0", NAME, " 15 15", NAME);
  accepts(" 0 0", "PerMessage-Deflate", " 15 15", NAME);
  accepts(" 0 0", NAME "; " SERVER_NO, "S 15 15", NAME "; " SERVER_NO);
  accepts(" 0 0", NAME "; " CLIENT_NO, "C 15 15", NAME "; " CLIENT_NO);
  accepts(" 0 0", NAME ";" CLIENT_NO ";" SERVER_NO, "SC 15 15",
          NAME "; " SERVER_NO "; " CLIENT_NO);
  accepts(" 0 0", NAME "; " SERVER_BITS "=8", " 8 15",
          NAME "; " SERVER_BITS "=8");
  accepts(" 0 0", NAME "; " SERVER_BITS "=\"10\"", " 10 15",
          NAME "; " SERVER_BITS "=10");
  accepts(" 0 0", NAME "; " CLIENT_BITS, " 15 15", NAME);
  accepts(" 0 0", NAME "; " CLIENT_BITS "=11", " 15 11",
          NAME "; " CLIENT_BITS "=11");
}

static void a_server_adds_what_it_wishes_for(void **state) {
  (void)state;
  accepts("S 0 0", NAME, "S 15 15", NAME "; " SERVER_NO);
  accepts("C 0 0", NAME, "C 15 15", NAME "; " CLIENT_NO);
  accepts(" 9 0", NAME, " 9 15", NAME "; " SERVER_BITS "=9");
  accepts(" 12 0", NAME "; " SERVER_BITS "=10", " 10 15",
          NAME "; " SERVER_BITS "=10");
  accepts(" 10 0", NAME "; " SERVER_BITS "=12", " 10 15",
          NAME "; " SERVER_BITS "=10");
  accepts(" 0 9", NAME "; " CLIENT_BITS, " 15 9", NAME "; " CLIENT_BITS "=9");
  accepts(" 0 9", NAME "; " CLIENT_BITS "=12", " 15 9",
          NAME "; " CLIENT_BITS "=9");
  accepts(" 0 12", NAME "; " CLIENT_BITS "=9", " 15 9",
          NAME "; " CLIENT_BITS "=9");
  /* RFC 7692, 7.1.2.2: who did not offer it must not be told */
  accepts(" 0 9", NAME, " 15 15", NAME);
  accepts("SC 9 10", NAME "; " CLIENT_BITS, "SC 9 10",
          NAME "; " SERVER_NO "; " CLIENT_NO "; " SERVER_BITS "=9; "
          CLIENT_BITS "=10");
}

static void a_server_takes_the_first_offer_that_it_can(void **state) {
  (void)state; /* RFC 7692, 5.1 */
  accepts(" 0 0", NAME "; " SERVER_BITS "=9, " NAME, " 9 15",
          NAME "; " SERVER_BITS "=9");
  accepts(" 0 0", NAME "; unknown, " NAME "; " SERVER_NO, "S 15 15",
          NAME "; " SERVER_NO);
  accepts(" 0 0", NAME "; " SERVER_BITS "=16," NAME, " 15 15", NAME);
  accepts(" 0 0", "foo, bar; baz=1; q=\"a, b; \\\"c\", " NAME, " 15 15",
          NAME);
  accepts(" 0 0", "foo; x=\"" NAME "; " SERVER_NO "\", " NAME, " 15 15",
          NAME);
  accepts(" 0 0", ", ,\t," NAME ",", " 15 15", NAME);
  accepts(" 0 0", NAME ", foo", " 15 15", NAME);
  accepts(" 0 0", NAME "2, " NAME, " 15 15", NAME);
}

static void what_is_quoted_in_a_malformed_offer_is_no_offer(void **state) {
  (void)state;
  accepts(" 0 0", NAME "; x=\"a, b\", " NAME, " 15 15", NAME);
  accepts(" 0 0", NAME "; " SERVER_BITS "=\"9, " NAME "; " SERVER_NO
                  ", \", " NAME "; " CLIENT_NO, "C 15 15",
          NAME "; " CLIENT_NO);
  accepts(" 0 0", NAME "; " SERVER_BITS "=\"\\\", " NAME "\", " NAME "; "
                  CLIENT_NO, "C 15 15", NAME "; " CLIENT_NO);
}

static void a_server_reads_every_field(void **state) {
  const char *const fields[] = {"foo", NAME "; unknown", "bar, " NAME
                                "; " SERVER_NO, NAME, NULL};
  (void)state;
  accepts_all(" 0 0", fields, "S 15 15", NAME "; " SERVER_NO);
}

static void declines(const char *offer) {
  const char *const fields[] = {offer, NULL};
  struct ws_deflate_wish w = wish(" 0 0");
  struct ws_deflate_deal d;
  char out[WS_EXTENSION_SIZE];
  memset(&d, 0xff, sizeof d);
  if (ws_extension_accept(&d, out, request(offer != NULL ? fields
                                                         : fields + 1), &w))
    fail_msg("taken: %s", offer);
  ws_head_deinit(&head);
  assert_false(d.on);
}

static void a_server_declines_what_is_malformed_or_unknown(void **state) {
  size_t i;
  (void)state;
  declines(NULL);
  declines("");
  declines(",");
  declines("foo");
  declines("permessage");
  declines(NAME "2");
  declines("\"" NAME "\"");
  declines("x-webkit-deflate-frame; " SERVER_NO);
  declines("foo; " NAME);
  for (i = 0; i < MALFORMED; i++) {
    char text[200];
    (void)snprintf(text, sizeof text, NAME "%s", malformed[i]);
    declines(text);
  }
}

/* Whatever one of our sides wishes for, the other one can be had for it. */
static void both_sides_agree_on_the_same(void **state) {
  static const char *const wishes[] = {
    " 0 0", "S 0 0", "C 0 0", "SC 0 0", " 8 0", " 0 8", " 9 10", "S 10 9",
    "SC 15 15", " 15 8", "C 8 15",
  };
  enum { N = sizeof wishes / sizeof *wishes };
  size_t i, j;
  (void)state;
  for (i = 0; i < N; i++)
    for (j = 0; j < N; j++) {
      struct ws_deflate_wish client = wish(wishes[i]),
                             server = wish(wishes[j]);
      struct ws_deflate_deal c, s;
      char offer[WS_EXTENSION_SIZE], answer[WS_EXTENSION_SIZE] = "";
      const char *fields[] = {offer, NULL}, *why;
      ws_extension_offer(offer, &client);
      assert_true(ws_extension_accept(&s, answer, request(fields), &server));
      ws_head_deinit(&head);
      why = ws_extension_check(&c, answer, &client);
      if (why != NULL)
        fail_msg("%s, %s: it %s", offer, answer, why);
      assert_memory_equal(&c, &s, sizeof c);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(offers_what_is_wished_for),
    cmocka_unit_test(a_client_takes_what_it_offered),
    cmocka_unit_test(a_client_takes_what_a_server_adds),
    cmocka_unit_test(no_answer_is_no_compression),
    cmocka_unit_test(a_client_refuses_other_extensions),
    cmocka_unit_test(a_client_refuses_malformed_parameters),
    cmocka_unit_test(a_client_refuses_less_than_it_asked_for),
    cmocka_unit_test(a_server_grants_what_is_asked_for),
    cmocka_unit_test(a_server_adds_what_it_wishes_for),
    cmocka_unit_test(a_server_takes_the_first_offer_that_it_can),
    cmocka_unit_test(what_is_quoted_in_a_malformed_offer_is_no_offer),
    cmocka_unit_test(a_server_reads_every_field),
    cmocka_unit_test(a_server_declines_what_is_malformed_or_unknown),
    cmocka_unit_test(both_sides_agree_on_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
