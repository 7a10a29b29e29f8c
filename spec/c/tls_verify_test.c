/* tls/verify: what is accepted, what is refused, and what is said of it. */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/mem.h"
#include "tls/name.h"
#include "tls/text.h"
#include "tls/verdict.h"
#include "tls/verify.h"
#include "tls_support.h"

/* ---- one handshake ------------------------------------------------------ */

/* The error of a handshake with that certificate's server, or NULL. */
static struct base_error *refusal(const struct tls_options *o,
                                  const char *certificate, const char *host,
                                  int version) {
  struct server_conf conf = {NULL, 0, false, NULL, NULL, NULL};
  struct tls_conf client = {NULL, NULL, false, NULL, NULL};
  struct base_error *err;
  struct tls_context *c;
  struct line l;
  SSL_CTX *ctx;
  conf.name = certificate;
  conf.version = version;
  client.host = host;
  ctx = server_new(&conf);
  err = tls_context_new(&c, o);
  if (err != NULL)
    fail_msg("%s", err->message);
  if (line_open(&l, c, ctx, &client, &err)) {
    line_run(&l);
    assert_int_equal(ERR_peek_error(), 0);
    err = tls_session_error(l.client);
    assert_int_equal(l.status, err != NULL ? TLS_FAILED : TLS_WANT);
    assert_int_equal(l.up, err == NULL);
    if (err == NULL) {
      struct tls_peer *p = tls_session_peer(l.client);
      assert_int_equal(tls_peer_verified(p), !o->insecure);
      tls_peer_unref(p);
    } else {
      assert_null(tls_session_ticket(l.client));
      assert_null(tls_session_error(l.client)); /* it was taken */
      assert_int_not_equal(SSL_is_init_finished(l.server) &&
                             version == TLS1_2_VERSION,
                           1);
    }
    line_close(&l);
  }
  tls_context_unref(c);
  SSL_CTX_free(ctx);
  return err;
}

static const struct {
  const char *certificate, *host, *code, *words;
} cases[] = {
  {"server", "server.test", NULL, NULL},
  {"server", "SERVER.Test", NULL, NULL},
  {"server", "server.test.", NULL, NULL},
  {"server", "localhost", NULL, NULL},
  {"server", "127.0.0.1", NULL, NULL},
  {"server", "::1", NULL, NULL},
  {"server", "0:0:0::1", NULL, NULL},
  {"server2", "server.test", NULL, NULL},
  {"wildcard", "a.wild.test", NULL, NULL},
  {"ipserver", "127.0.0.1", NULL, NULL},
  {"hostile", "server.test", NULL, NULL},
  {"server", "other.test", "hostname_mismatch",
   "certificate is for \"localhost\", \"server.test\", \"127.0.0.1\", "
   "\"::1\", but \"other.test\" was wanted"},
  {"server", "127.0.0.2", "hostname_mismatch", "but \"127.0.0.2\" was wanted"},
  {"server", "a.server.test", "hostname_mismatch", "a.server.test"},
  {"wronghost", "server.test", "hostname_mismatch", "for \"other.test\", but"},
  {"wildcard", "wild.test", "hostname_mismatch", "for \"*.wild.test\", but"},
  {"wildcard", "a.b.wild.test", "hostname_mismatch", "a.b.wild.test"},
  {"partial", "foo.wild.test", "hostname_mismatch", "for \"f*.wild.test\""},
  {"many", "server.test", "hostname_mismatch", "and 36 more, but"},
  {"cnonly", "server.test", "hostname_mismatch", "has no list of host names"},
  {"ipserver", "localhost", "hostname_mismatch", "for \"127.0.0.1\", but"},
  {"expired", "server.test", "expired",
   "certificate of \"server.test\" expired 3 days ago (20"},
  {"notyet", "server.test", "not_yet_valid", "(2090-01-01 00:00 UTC)"},
  {"selfsigned", "server.test", "self_signed",
   "certificate of \"server.test\" is signed by itself and not trusted "
   "(trusted: 1 root of the 'ca' option)"},
  {"impostor", "server.test", "unknown_issuer",
   "chain ends at \"another CA\", which is not trusted (trusted: 1 root of the "
   "'ca' option) and was not sent along"},
  {"nointermediate", "server.test", "unknown_issuer",
   "chain ends at \"uvwss test intermediate\", which is not trusted"},
  {"clientasserver", "server.test", "wrong_purpose", "not meant for a server"},
  {"weak", "server.test", "weak_key", "too weak (RSA, 1024 bits)"},
  {"weakhash", "server.test", "weak_signature", "can be forged"},
  {"nonca", "server.test", "invalid_ca",
   "CA certificate \"server.test\" is not a CA's"},
  {"constrained", "server.test", "name_constraint", "not permitted to give"},
  {"deep", "server.test", "path_length", "uvwss test intermediate"},
  {"nonform", "server.test", "missing_authority_key_identifier", "strict"},
};

static void every_refusal_has_its_code_and_sentence(void **state) {
  static const int all[] = {0, TLS1_2_VERSION};
  const char *ca = certs_path("ca.crt");
  struct base_error *err;
  struct tls_options o;
  size_t i, v;
  (void)state;
  options_with(&o, &ca);
  for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
    for (v = 0; v < 2; v++) {
      err = refusal(&o, cases[i].certificate, cases[i].host, all[v]);
      if (cases[i].code == NULL) {
        if (err != NULL)
          fail_msg("%s for %s: %s", cases[i].certificate, cases[i].host,
                   err->message);
        continue;
      }
      if (err == NULL)
        fail_msg("%s was accepted for %s", cases[i].certificate,
                 cases[i].host);
      if (err->kind != BASE_KIND_CERTIFICATE ||
          strcmp(err->code, cases[i].code) != 0 ||
          strstr(err->message, cases[i].words) == NULL)
        fail_msg("%s for %s: %s/%s: %s", cases[i].certificate, cases[i].host,
                 base_kind_name(err->kind), err->code, err->message);
      if (getenv("UVWSS_SHOW") != NULL)
        print_message("%s: %s\n", err->code, err->message);
      base_error_free(err);
    }
}

static const char *text_of(const struct base_error *e, const char *name) {
  const struct base_field *f = base_error_field(e, name);
  if (f == NULL)
    fail_msg("no field %s", name);
  return f->text;
}

static double number_of(const struct base_error *e, const char *name) {
  const struct base_field *f = base_error_field(e, name);
  if (f == NULL)
    fail_msg("no field %s", name);
  return f->number;
}

static void a_refusal_has_its_fields(void **state) {
  static const char names[] = "localhost\0server.test\0" "127.0.0.1\0::1";
  const char *ca = certs_path("ca.crt");
  struct base_error *err;
  struct tls_options o;
  double age;
  (void)state;
  options_with(&o, &ca);
  err = refusal(&o, "expired", "server.test", 0);
  assert_string_equal(text_of(err, "subject"), "CN=server.test");
  assert_string_equal(text_of(err, "issuer"), "CN=uvwss test intermediate");
  assert_string_equal(text_of(err, "wanted"), "server.test");
  assert_int_equal((int)number_of(err, "depth"), 0);
  assert_int_equal((int)number_of(err, "openssl"), X509_V_ERR_CERT_HAS_EXPIRED);
  age = (double)time(NULL) - number_of(err, "not_after");
  assert_true(age > 3 * 86400.0 && age < 4 * 86400.0);
  age = (double)time(NULL) - number_of(err, "not_before");
  assert_true(age > 39 * 86400.0 && age < 41 * 86400.0);
  assert_int_equal(base_error_field(err, "names")->size, sizeof names);
  assert_memory_equal(text_of(err, "names"), names, sizeof names);
  base_error_free(err);
  err = refusal(&o, "nonca", "server.test", 0);
  assert_int_equal((int)number_of(err, "depth"), 1);
  base_error_free(err);
}

static void what_certificates_say_is_printable(void **state) {
  const char *ca = certs_path("other-ca.crt");
  struct base_error *err;
  struct tls_options o;
  const char *p;
  (void)state;
  options_with(&o, &ca);
  err = refusal(&o, "hostile", "server.test", 0);
  assert_string_equal(err->code, "unknown_issuer");
  base_error_free(err);
  ca = certs_path("ca.crt");
  o.max_depth = 10;
  err = refusal(&o, "hostile", "not.its.name", 0);
  for (p = text_of(err, "subject"); *p != '\0'; p++)
    assert_true((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f);
  assert_non_null(strstr(text_of(err, "subject"), "\\xe2\\x80\\xae"));
  base_error_free(err);
}

static void max_depth_counts_intermediates(void **state) {
  const char *ca = certs_path("ca.crt");
  struct base_error *err;
  struct tls_options o;
  (void)state;
  options_with(&o, &ca);
  o.max_depth = 1;
  assert_null(refusal(&o, "server", "server.test", 0));
  o.max_depth = 0;
  err = refusal(&o, "server", "server.test", 0);
  assert_string_equal(err->code, "chain_too_long");
  assert_non_null(strstr(err->message, "more than 0 intermediates"));
  base_error_free(err);
  ca = certs_path("other-ca.crt");
  assert_null(refusal(&o, "impostor", "server.test", 0));
  o.max_depth = (unsigned)-1;
  assert_null(refusal(&o, "impostor", "server.test", 0));
}

static void strict_is_about_everything_but_the_anchor(void **state) {
  const char *ca = certs_path("oldroot.crt");
  struct base_error *err;
  struct tls_options o;
  (void)state;
  options_with(&o, &ca);
  assert_null(refusal(&o, "oldserver", "server.test", 0));
  err = refusal(&o, "oldserver", "other.test", 0); /* form alone is forgiven */
  assert_string_equal(err->code, "hostname_mismatch");
  base_error_free(err);
  ca = certs_path("signonly.crt"); /* and so is what a key is for */
  err = refusal(&o, "signonly", "server.test", 0);
  assert_string_equal(err->code, "wrong_purpose");
  base_error_free(err);
  ca = certs_path("ca.crt");
  o.strict = false;
  assert_null(refusal(&o, "nonform", "server.test", 0));
}

static void a_certificate_of_the_list_is_trusted_by_itself(void **state) {
  const char *ca = certs_path("selfsigned.crt");
  struct base_error *err;
  struct tls_options o;
  (void)state;
  options_with(&o, &ca);
  assert_null(refusal(&o, "selfsigned", "server.test", 0));
  err = refusal(&o, "selfsigned", "other.test", 0);
  assert_string_equal(err->code, "hostname_mismatch");
  base_error_free(err);
  ca = certs_path("intermediate.crt"); /* no root, and none is needed */
  assert_null(refusal(&o, "server", "server.test", 0));
  ca = certs_path("server.crt"); /* this one server, and no other */
  assert_null(refusal(&o, "server", "server.test", 0));
  err = refusal(&o, "impostor", "server.test", 0);
  assert_string_equal(err->code, "unknown_issuer");
  base_error_free(err);
}

static void an_untrusted_root_that_is_sent_along_is_named(void **state) {
  const char *ca = certs_path("ca.crt");
  struct base_error *err;
  struct tls_options o;
  char command[1200];
  (void)state;
  options_with(&o, &ca);
  (void)snprintf(command, sizeof command,
                 "cat '%s' '%s' >'%s' && cp '%s' '%s'",
                 certs_path("impostor.crt"), certs_path("other-ca.crt"),
                 certs_path("whole.crt"), certs_path("impostor.key"),
                 certs_path("whole.key"));
  assert_int_equal(system(command), 0);
  err = refusal(&o, "whole", "server.test", 0);
  assert_string_equal(err->code, "unknown_issuer");
  assert_string_equal(err->message,
                      "chain ends at \"another CA\", which is not trusted "
                      "(trusted: 1 root of the 'ca' option)");
  base_error_free(err);
}

static void the_option_server_name_is_the_name_verified(void **state) {
  const char *ca = certs_path("ca.crt");
  struct base_error *err;
  struct tls_options o;
  (void)state;
  options_with(&o, &ca);
  o.server_name = "server.test";
  assert_null(refusal(&o, "server", "whatever.example", 0));
  assert_null(refusal(&o, "server", "not a name at all", 0));
  o.server_name = "other.test";
  err = refusal(&o, "server", "server.test", 0);
  assert_string_equal(text_of(err, "wanted"), "other.test");
  base_error_free(err);
}

/* ---- insecure, and pins ------------------------------------------------- */

static void insecure_accepts_what_it_must_not(void **state) {
  static const char *const names[] = {"expired",    "selfsigned", "impostor",
                                      "wronghost",  "cnonly",     "nonca",
                                      "nonform",    "weakhash",   "weak",
                                      "clientasserver"};
  struct tls_options o;
  size_t i;
  (void)state;
  tls_options_init(&o);
  o.insecure = true;
  for (i = 0; i < sizeof names / sizeof names[0]; i++)
    assert_null(refusal(&o, names[i], "server.test", 0));
}

static void one_pin_must_be_in_the_verified_chain(void **state) {
  const char *ca = certs_path("ca.crt"), *pins[2];
  struct base_error *err;
  struct tls_options o;
  (void)state;
  options_with(&o, &ca);
  o.pins.items = pins;
  o.pins.count = 2;
  pins[0] = certs_pin("server2.crt");
  pins[1] = certs_pin("server.crt");
  assert_null(refusal(&o, "server", "server.test", 0));
  assert_null(refusal(&o, "server2", "server.test", 0));
  pins[1] = certs_pin("intermediate.crt");
  assert_null(refusal(&o, "server", "server.test", TLS1_2_VERSION));
  pins[1] = certs_pin("ca.crt"); /* which is not sent, but is in the chain */
  assert_null(refusal(&o, "server", "server.test", 0));
  pins[1] = certs_pin("other-ca.crt");
  err = refusal(&o, "server", "server.test", 0);
  assert_string_equal(err->code, "pin_mismatch");
  assert_non_null(strstr(err->message, certs_pin("server.crt")));
  assert_non_null(strstr(err->message, certs_pin("ca.crt")));
  assert_int_equal(base_error_field(err, "pins")->size, 3 * 52);
  base_error_free(err);
  pins[1] = certs_pin("wronghost.crt"); /* a pin does not replace the rest */
  err = refusal(&o, "wronghost", "server.test", 0);
  assert_string_equal(err->code, "hostname_mismatch");
  base_error_free(err);
}

static void pins_count_without_verification_too(void **state) {
  const char *pin = certs_pin("selfsigned.crt");
  struct base_error *err;
  struct tls_options o;
  (void)state;
  tls_options_init(&o);
  o.insecure = true;
  o.pins.items = &pin;
  o.pins.count = 1;
  assert_null(refusal(&o, "selfsigned", "server.test", 0));
  err = refusal(&o, "server", "server.test", 0);
  assert_int_equal(err->kind, BASE_KIND_CERTIFICATE);
  assert_string_equal(err->code, "pin_mismatch");
  base_error_free(err);
}

/* ---- once more, for a resumption ---------------------------------------- */

static STACK_OF(X509) *chain_of(const char *file) {
  STACK_OF(X509) *chain = sk_X509_new_null();
  FILE *f = fopen(certs_path(file), "r");
  X509 *x;
  assert_non_null(f);
  while ((x = PEM_read_X509(f, NULL, NULL, NULL)) != NULL)
    assert_true(sk_X509_push(chain, x) > 0);
  (void)fclose(f);
  ERR_clear_error();
  return chain;
}

static void dates_and_pins_are_looked_at_again(void **state) {
  STACK_OF(X509) *chain = chain_of("server.crt");
  double end = tls_text_epoch(X509_get0_notAfter(sk_X509_value(chain, 0)));
  double start = tls_text_epoch(X509_get0_notBefore(sk_X509_value(chain, 0)));
  struct tls_rules rules;
  struct base_error *err;
  struct tls_name name;
  const char *text = certs_pin("client.crt");
  struct tls_list pins;
  (void)state;
  pins.items = &text;
  pins.count = 1;
  memset(&rules, 0, sizeof rules);
  assert_null(tls_name_init(&name, "server.test"));
  assert_null(tls_verify_again(chain, &rules, &name, end));
  err = tls_verify_again(chain, &rules, &name, end + 86400.0);
  assert_string_equal(err->code, "expired");
  assert_non_null(strstr(err->message, "expired 1 day ago"));
  base_error_free(err);
  err = tls_verify_again(chain, &rules, &name, start - 7200.0);
  assert_string_equal(err->code, "not_yet_valid");
  base_error_free(err);
  assert_null(tls_pins_init(&rules.pins, &pins));
  err = tls_verify_again(chain, &rules, &name, end);
  assert_string_equal(err->code, "pin_mismatch");
  base_error_free(err);
  tls_pins_deinit(&rules.pins);
  tls_name_deinit(&name);
  sk_X509_pop_free(chain, X509_free);
}

/* ---- the parts ---------------------------------------------------------- */

static void every_code_of_openssl_has_a_row(void **state) {
  int i;
  (void)state;
  assert_string_equal(tls_verdict_code(1), "unspecified");
  for (i = 2; i <= X509_V_ERR_EC_KEY_EXPLICIT_PARAMS; i++)
    if (strcmp(tls_verdict_code(i), "unspecified") == 0)
      fail_msg("no row for %d", i);
  assert_string_equal(tls_verdict_code(9999), "unspecified");
  assert_string_equal(tls_verdict_code(X509_V_ERR_CERT_REVOKED), "revoked");
}

static void a_name_is_a_host_name_or_an_address_or_refused(void **state) {
  static const char *const good[] = {"a", "a.b", "xn--mnchen-3ya.de", "1.a",
                                     "_x.example", "10.0.0.1", "::",
                                     "fe80::1", "::ffff:1.2.3.4", "0x7g"};
  static const char *const wrong[] = {
    "", ".", "..", ".a", "a..b", "a..", "*", "*.a", "a.*", "a b", "a\n",
    "m\303\274nchen.de", "fe80::1%", "[::1]", "1.2.3", "127.1",
    "0x7f.0.0.1", "1.2.3.256", "01.2.3.4", "a/b", "a@b", "a:1", "a%00", "0x7f",
    "1.2.3.4.5", "-?-",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b"};
  struct tls_name name, copy;
  struct base_error *err;
  char longest[256];
  size_t i;
  (void)state;
  for (i = 0; i < sizeof good / sizeof good[0]; i++) {
    err = tls_name_init(&name, good[i]);
    if (err != NULL)
      fail_msg("%s", err->message);
    assert_true(tls_name_copy(&copy, &name) && tls_name_equal(&copy, &name));
    tls_name_deinit(&name);
    tls_name_deinit(&copy);
  }
  for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    err = tls_name_init(&name, wrong[i]);
    if (err == NULL)
      fail_msg("\"%s\" was taken for a name", wrong[i]);
    assert_string_equal(err->code, "bad_name");
    base_error_free(err);
  }
  err = tls_name_init(&name, NULL);
  assert_string_equal(err->code, "bad_name");
  base_error_free(err);
  for (i = 0; i < sizeof longest; i++)
    longest[i] = i % 2 == 0 ? 'a' : '.';
  longest[253] = '\0';
  assert_null(tls_name_init(&name, longest));
  tls_name_deinit(&name);
  longest[253] = '.';
  longest[254] = 'a';
  longest[255] = '\0';
  base_error_free(err = tls_name_init(&name, longest));
  assert_non_null(err);
}

static void one_trailing_dot_is_taken_off(void **state) {
  struct tls_name a, b;
  (void)state;
  assert_null(tls_name_init(&a, "API.example."));
  assert_null(tls_name_init(&b, "api.example"));
  assert_string_equal(a.text, "api.example");
  assert_true(tls_name_equal(&a, &b));
  tls_name_deinit(&b);
  assert_null(tls_name_init(&b, "api.example2"));
  assert_true(!tls_name_equal(&a, &b) && !tls_name_equal(&b, &a));
  tls_name_deinit(&a);
  tls_name_deinit(&b);
  assert_null(tls_name_init(&a, "10.0.0.1."));
  assert_int_equal(a.ip_size, 4); /* it would be resolved as one */
  assert_null(tls_name_init(&b, "10.0.0.1"));
  assert_true(tls_name_equal(&a, &b));
  tls_name_deinit(&a);
  tls_name_deinit(&b);
}

static void clean(const char *in, size_t n, bool quoted, const char *want) {
  char out[64];
  tls_text_clean(out, sizeof out, in, n, quoted);
  assert_string_equal(out, want);
}

static void text_is_cleaned_and_bounded(void **state) {
  char in[300], out[20];
  size_t i;
  (void)state;
  clean("plain", 5, false, "plain");
  clean("a\0b\nc\x7f", 6, false, "a\\x00b\\x0ac\\x7f");
  clean("a\"\\", 3, true, "a\\\"\\\\");
  clean("a\"\\", 3, false, "a\"\\");
  clean("M\303\274nchen \342\202\254 \360\237\230\200", 17, false,
        "M\303\274nchen \342\202\254 \360\237\230\200");
  clean("\342\200\256x", 4, false, "\\xe2\\x80\\xaex"); /* turns around */
  clean("\302\205", 2, false, "\\xc2\\x85");            /* C1 */
  clean("\300\200", 2, false, "\\xc0\\x80");            /* overlong */
  clean("\355\240\200", 3, false, "\\xed\\xa0\\x80");   /* surrogate */
  clean("\364\220\200\200", 4, false, "\\xf4\\x90\\x80\\x80");
  clean("\303", 1, false, "\\xc3");                     /* cut */
  clean("", 0, false, "");
  for (i = 0; i < sizeof in; i++)
    in[i] = i % 7 == 3 ? '\n' : 'x';
  for (i = 0; i < sizeof in; i++) {
    memset(out, 'G', sizeof out);
    tls_text_clean(out, 16, in, i, true);
    assert_true(strlen(out) < 16 && out[16] == 'G');
    if (i > 16)
      assert_string_equal(out + strlen(out) - 3, "...");
  }
}

static void spans_have_one_unit(void **state) {
  static const struct {
    double seconds;
    const char *text;
  } spans[] = {{0, "0 seconds"},      {1, "1 second"},    {59, "59 seconds"},
               {60, "1 minute"},      {3599, "59 minutes"}, {3600, "1 hour"},
               {86399, "23 hours"},   {86400, "1 day"},
               {3e11, "3472222 days"}};
  char out[32];
  size_t i;
  (void)state;
  for (i = 0; i < sizeof spans / sizeof spans[0]; i++) {
    tls_text_span(out, sizeof out, spans[i].seconds);
    assert_string_equal(out, spans[i].text);
  }
}

static void dates_are_epoch_seconds(void **state) {
  static const struct {
    const char *text;
    double at;
  } dates[] = {{"19700101000000Z", 0},
               {"20000229120000Z", 951825600.0},
               {"20000301000000Z", 951868800.0},
               {"19500101000000Z", -631152000.0},
               {"21000301000000Z", 4107542400.0},
               {"99991231235959Z", 253402300799.0}};
  ASN1_TIME *t = ASN1_TIME_new();
  char out[32];
  size_t i;
  (void)state;
  for (i = 0; i < sizeof dates / sizeof dates[0]; i++) {
    assert_int_equal(ASN1_TIME_set_string(t, dates[i].text), 1);
    assert_true(tls_text_epoch(t) - dates[i].at < 0.5 &&
                dates[i].at - tls_text_epoch(t) < 0.5);
  }
  tls_text_date(out, sizeof out, t);
  assert_string_equal(out, "9999-12-31 23:59 UTC");
  ASN1_TIME_free(t);
  assert_true(!(tls_text_epoch(NULL) >= 0) && !(tls_text_epoch(NULL) < 0));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_refusal_has_its_code_and_sentence),
    cmocka_unit_test(a_refusal_has_its_fields),
    cmocka_unit_test(what_certificates_say_is_printable),
    cmocka_unit_test(max_depth_counts_intermediates),
    cmocka_unit_test(strict_is_about_everything_but_the_anchor),
    cmocka_unit_test(a_certificate_of_the_list_is_trusted_by_itself),
    cmocka_unit_test(an_untrusted_root_that_is_sent_along_is_named),
    cmocka_unit_test(the_option_server_name_is_the_name_verified),
    cmocka_unit_test(insecure_accepts_what_it_must_not),
    cmocka_unit_test(one_pin_must_be_in_the_verified_chain),
    cmocka_unit_test(pins_count_without_verification_too),
    cmocka_unit_test(dates_and_pins_are_looked_at_again),
    cmocka_unit_test(every_code_of_openssl_has_a_row),
    cmocka_unit_test(a_name_is_a_host_name_or_an_address_or_refused),
    cmocka_unit_test(one_trailing_dot_is_taken_off),
    cmocka_unit_test(text_is_cleaned_and_bounded),
    cmocka_unit_test(spans_have_one_unit),
    cmocka_unit_test(dates_are_epoch_seconds),
  };
  if (!certs_make())
    return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
