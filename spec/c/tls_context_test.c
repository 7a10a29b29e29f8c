/* tls/context: options in, a configuration or a sentence out. */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "tls_support.h"

/* No error if 'code' is NULL; that one, with 'words' in it, otherwise. The
** thread's queue of errors is left empty in any case. */
static void expect(const struct tls_options *o, enum base_kind kind,
                   const char *code, const char *words) {
  struct tls_context *c = NULL;
  struct base_error *err = tls_context_new(&c, o);
  assert_int_equal(ERR_peek_error(), 0);
  if (code == NULL) {
    if (err != NULL)
      fail_msg("%s: %s", err->code, err->message);
    assert_non_null(c);
  } else {
    assert_null(c);
    assert_non_null(err);
    if (err->kind != kind || strcmp(err->code, code) != 0 ||
        strstr(err->message, words) == NULL)
      fail_msg("%s/%s: %s", base_kind_name(err->kind), err->code,
               err->message);
  }
  base_error_free(err);
  tls_context_unref(c);
}

static void fine(const struct tls_options *o) {
  expect(o, BASE_KIND_TLS, NULL, NULL);
}

static void the_defaults_load_the_systems_store(void **state) {
  struct tls_options o;
  (void)state;
  tls_options_init(&o);
  assert_true(o.session && o.strict && !o.insecure);
  assert_int_equal(o.max_depth, 10);
  fine(&o);
}

static void a_ca_is_a_file_a_folder_or_text(void **state) {
  struct tls_options o;
  char *text = certs_text("ca.crt"), twice[4096];
  const char *items[3];
  (void)state;
  options_with(&o, items);
  items[0] = certs_path("ca.crt");
  fine(&o);
  items[0] = certs_path(""); /* not hashed, and with keys in it */
  fine(&o);
  items[0] = text;
  fine(&o);
  (void)snprintf(twice, sizeof twice, "a comment\n%s\n%s", text, text);
  items[1] = twice;
  items[2] = certs_path("other-ca.crt");
  o.ca.count = 3;
  o.system_ca = true;
  fine(&o);
  free(text);
}

static void a_ca_without_certificates_is_an_error(void **state) {
  struct tls_options o;
  const char *item = certs_path("ca.key");
  char dir[] = "/tmp/uvwss-empty-XXXXXX";
  (void)state;
  options_with(&o, &item);
  expect(&o, BASE_KIND_TLS, "no_certificate", "ca.key");
  item = "-----BEGIN NOTHING-----\n-----END NOTHING-----\n";
  expect(&o, BASE_KIND_TLS, "no_certificate", "PEM text of 'ca'");
  assert_non_null(mkdtemp(dir));
  item = dir;
  expect(&o, BASE_KIND_TLS, "no_certificate", dir);
  (void)rmdir(dir);
}

static void a_file_that_cannot_be_read_is_named(void **state) {
  struct tls_options o;
  struct tls_context *c;
  struct base_error *err;
  const char *item = certs_path("nowhere.crt");
  (void)state;
  options_with(&o, &item);
  expect(&o, BASE_KIND_IO, "ENOENT", "nowhere.crt");
  err = tls_context_new(&c, &o);
  assert_string_equal(base_error_field(err, "path")->text, item);
  base_error_free(err);
  item = "/etc/passwd/x";
  expect(&o, BASE_KIND_IO, "ENOTDIR", "not a folder");
  item = certs_path("ca.crt");
  o.cert = certs_path("absent.crt");
  expect(&o, BASE_KIND_IO, "ENOENT", "absent.crt");
  o.cert = certs_path("client.crt");
  o.key = certs_path("absent.key");
  expect(&o, BASE_KIND_IO, "ENOENT", "absent.key");
  o.key = certs_path("");
  expect(&o, BASE_KIND_IO, "EISDIR", "folder");
}

static void a_damaged_certificate_is_an_error(void **state) {
  struct tls_options o;
  char *text = certs_text("ca.crt");
  const char *item = text;
  (void)state;
  options_with(&o, &item);
  memset(strchr(text, '\n') + 1, '!', 40);
  expect(&o, BASE_KIND_TLS, "bad_base64_decode", "certificate");
  free(text);
  text = certs_text("ca.crt");
  item = text;
  memset(strchr(text, '\n') + 1, 'A', 40);
  expect(&o, BASE_KIND_TLS, "wrong_tag", "certificate");
  *strstr(text, "-----END") = '\0';
  expect(&o, BASE_KIND_TLS, "bad_end_line", "certificate");
  free(text);
}

static void cert_and_key_are_files_or_text(void **state) {
  struct tls_options o;
  char *cert = certs_text("client.crt"), *key = certs_text("client.key");
  char both[16384];
  const char *ca = certs_path("ca.crt");
  (void)state;
  options_with(&o, &ca);
  o.cert = certs_path("client.crt");
  o.key = certs_path("client.key");
  fine(&o);
  o.cert = cert;
  o.key = key;
  fine(&o);
  o.key = NULL;
  (void)snprintf(both, sizeof both, "%s%s", cert, key);
  o.cert = both;
  fine(&o);
  (void)snprintf(both, sizeof both, "%s%s", key, cert);
  fine(&o);
  o.cert = certs_path("client.crt"); /* the key is looked for in there */
  expect(&o, BASE_KIND_TLS, "no_private_key", "client.crt");
  o.cert = certs_path("client.key");
  expect(&o, BASE_KIND_TLS, "no_certificate", "client.key");
  o.cert = NULL;
  o.key = key;
  expect(&o, BASE_KIND_TLS, "no_certificate", "without 'cert'");
  free(cert);
  free(key);
}

static void an_encrypted_key_needs_its_password(void **state) {
  struct tls_options o;
  const char *ca = certs_path("ca.crt");
  char longest[5000];
  (void)state;
  options_with(&o, &ca);
  o.cert = certs_path("encrypted.crt");
  o.key = certs_path("encrypted.key");
  o.password = "secret";
  fine(&o);
  o.password = "wrong";
  expect(&o, BASE_KIND_TLS, "bad_decrypt", "'password' is wrong");
  o.password = "";
  expect(&o, BASE_KIND_TLS, "bad_decrypt", "'password' is wrong");
  memset(longest, 'x', sizeof longest);
  longest[sizeof longest - 1] = '\0';
  o.password = longest;
  expect(&o, BASE_KIND_TLS, "bad_decrypt", "'password' is wrong");
  o.password = NULL; /* and nobody is asked at a terminal */
  expect(&o, BASE_KIND_TLS, "bad_password_read", "no 'password' was given");
}

static void a_key_of_another_certificate_is_refused(void **state) {
  struct tls_options o;
  const char *ca = certs_path("ca.crt");
  (void)state;
  options_with(&o, &ca);
  o.cert = certs_path("client.crt");
  o.key = certs_path("server.key");
  expect(&o, BASE_KIND_TLS, "key_values_mismatch", "server.key");
  o.key = certs_path("weak.key");
  expect(&o, BASE_KIND_TLS, "key_values_mismatch", "weak.key");
  o.key = certs_path("client.crt");
  expect(&o, BASE_KIND_TLS, "no_private_key", "client.crt");
}

static void a_weak_certificate_of_our_own_is_refused(void **state) {
  struct tls_options o;
  const char *ca = certs_path("ca.crt");
  (void)state;
  options_with(&o, &ca);
  o.cert = certs_path("weak.crt");
  o.key = certs_path("weak.key");
  expect(&o, BASE_KIND_TLS, "ee_key_too_small", "weak.crt");
}

static void pins_have_one_form(void **state) {
  static const char good[] =
    "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  static const char *const wrong[] = {
    "",
    "sha256/",
    "sha1/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
    "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", /* stray bits */
    "sha256/ AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n==",
    "sha256/A-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
  };
  struct tls_options o;
  const char *pins[2] = {good, good};
  size_t i;
  (void)state;
  tls_options_init(&o);
  o.pins.items = pins;
  o.pins.count = 2;
  fine(&o);
  for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    pins[1] = wrong[i];
    expect(&o, BASE_KIND_TLS, "bad_pin", "is not a pin");
  }
}

static void what_openssl_does_not_know_is_refused(void **state) {
  struct tls_options o;
  (void)state;
  tls_options_init(&o);
  o.ciphers = "NO-SUCH-CIPHER";
  expect(&o, BASE_KIND_TLS, "no_cipher_match", "NO-SUCH-CIPHER");
  o.ciphers = "ECDHE-RSA-AES128-GCM-SHA256";
  fine(&o);
  o.ciphersuites = "TLS_NO_SUCH_SUITE";
  expect(&o, BASE_KIND_TLS, "no_cipher_match", "TLS_NO_SUCH_SUITE");
  o.ciphersuites = "TLS_AES_256_GCM_SHA384";
  fine(&o);
  o.groups = "X25519:P-1";
  expect(&o, BASE_KIND_TLS, "no_suitable_groups", "P-1");
  o.groups = "P-384";
  fine(&o);
}

static void versions_make_a_range(void **state) {
  struct tls_options o;
  (void)state;
  tls_options_init(&o);
  o.min_version = TLS_V_1_3;
  fine(&o);
  o.max_version = TLS_V_1_2;
  expect(&o, BASE_KIND_TLS, "no_protocols_available", "TLS 1.3");
  o.min_version = TLS_V_1_0;
  o.max_version = TLS_V_1_1;
  fine(&o);
}

static void alpn_names_have_1_to_255_bytes(void **state) {
  struct tls_options o;
  char longest[257];
  const char *names[2] = {"http/1.1", ""};
  (void)state;
  tls_options_init(&o);
  o.alpn.items = names;
  o.alpn.count = 2;
  expect(&o, BASE_KIND_TLS, "bad_alpn", "255");
  memset(longest, 'x', 256);
  longest[256] = '\0';
  names[1] = longest;
  expect(&o, BASE_KIND_TLS, "bad_alpn", "255");
  longest[255] = '\0';
  fine(&o);
  o.alpn.count = 0;
  fine(&o);
}

static void a_server_name_must_be_a_name(void **state) {
  struct tls_options o;
  (void)state;
  tls_options_init(&o);
  o.server_name = "*.example";
  expect(&o, BASE_KIND_TLS, "bad_name", "*.example");
  o.server_name = "api.example";
  fine(&o);
}

static void a_key_log_is_made_for_its_owner_only(void **state) {
  struct tls_options o;
  struct stat st;
  char path[512];
  (void)state;
  tls_options_init(&o);
  (void)snprintf(path, sizeof path, "%s", certs_path("no/such/keys.log"));
  o.keylog = path;
  expect(&o, BASE_KIND_IO, "ENOENT", "keys.log");
  (void)snprintf(path, sizeof path, "%s", certs_path("context-keys.log"));
  fine(&o);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
  (void)unlink(path);
  o.keylog = NULL; /* the environment's wish may fail */
  assert_int_equal(setenv("SSLKEYLOGFILE", certs_path("no/keys.log"), 1), 0);
  fine(&o);
  assert_int_equal(setenv("SSLKEYLOGFILE", path, 1), 0);
  fine(&o);
  assert_int_equal(stat(path, &st), 0);
  (void)unlink(path);
  (void)unsetenv("SSLKEYLOGFILE");
}

static void copy_file(const char *from, const char *to) {
  char *text = certs_text(from);
  FILE *f = fopen(to, "w");
  assert_non_null(f);
  assert_true(fputs(text, f) >= 0);
  (void)fclose(f);
  free(text);
}

/* Does a handshake with a server of that certificate succeed? */
static bool accepts(struct tls_context *c, const char *name) {
  struct server_conf conf = {NULL, 0, false, NULL, NULL, NULL};
  struct tls_conf client = {"server.test", NULL, false, NULL, NULL};
  struct base_error *err;
  struct line l;
  SSL_CTX *ctx;
  bool up;
  conf.name = name;
  ctx = server_new(&conf);
  assert_true(line_open(&l, c, ctx, &client, &err));
  line_run(&l);
  up = l.up;
  line_close(&l);
  SSL_CTX_free(ctx);
  return up;
}

static void reload_reads_the_files_again_or_keeps_what_there_was(void **s) {
  struct tls_options o;
  struct tls_context *c;
  struct base_error *err;
  const char *ca;
  char path[512];
  (void)s;
  (void)snprintf(path, sizeof path, "%s", certs_path("changing.pem"));
  ca = path;
  options_with(&o, &ca);
  copy_file("ca.crt", path);
  assert_null(tls_context_new(&c, &o));
  ca = "gone"; /* the context has its own copy of the options */
  assert_true(accepts(c, "server") && !accepts(c, "impostor"));
  (void)unlink(path);
  err = tls_context_reload(c);
  assert_string_equal(err->code, "ENOENT");
  base_error_free(err);
  assert_true(accepts(c, "server"));
  copy_file("other-ca.crt", path);
  assert_true(accepts(c, "server"));
  assert_null(tls_context_reload(c));
  assert_true(!accepts(c, "server") && accepts(c, "impostor"));
  (void)unlink(path);
  tls_context_unref(c);
}

static void every_form_of_trust_is_the_same_trust(void **state) {
  struct tls_options o;
  struct tls_context *c;
  char *text = certs_text("ca.crt");
  const char *items[3];
  int i;
  (void)state;
  items[0] = certs_path("ca.crt");
  items[1] = certs_path(""); /* the other root is in there as well */
  items[2] = text;
  for (i = 0; i < 3; i++) {
    options_with(&o, &items[i]);
    assert_null(tls_context_new(&c, &o));
    assert_true(accepts(c, "server"));
    assert_int_equal(accepts(c, "impostor"), i == 1);
    tls_context_unref(c);
  }
  free(text);
}

static void the_systems_store_obeys_its_environment(void **state) {
  struct tls_options o;
  struct tls_context *c;
  const char *ca = certs_path("other-ca.crt");
  (void)state;
  assert_int_equal(setenv("SSL_CERT_FILE", certs_path("ca.crt"), 1), 0);
  tls_options_init(&o);
  assert_null(tls_context_new(&c, &o));
  assert_true(accepts(c, "server") && !accepts(c, "impostor"));
  tls_context_unref(c);
  o.ca.items = &ca;
  o.ca.count = 1; /* replaces it */
  assert_null(tls_context_new(&c, &o));
  assert_true(!accepts(c, "server") && accepts(c, "impostor"));
  tls_context_unref(c);
  o.system_ca = true;
  assert_null(tls_context_new(&c, &o));
  assert_true(accepts(c, "server") && accepts(c, "impostor"));
  tls_context_unref(c);
  (void)unsetenv("SSL_CERT_FILE");
}

static void random_bytes_differ_and_sha1_is_sha1(void **state) {
  static const uint8_t abc[20] = {
    0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e,
    0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
  uint8_t a[64] = {0}, b[64] = {0};
  (void)state;
  assert_true(tls_random(a, sizeof a) && tls_random(b, sizeof b));
  assert_memory_not_equal(a, b, sizeof a);
  tls_sha1((const uint8_t *)"abc", 3, a);
  assert_memory_equal(a, abc, sizeof abc);
  assert_true(strncmp(tls_version_text(), "3.", 2) == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_defaults_load_the_systems_store),
    cmocka_unit_test(a_ca_is_a_file_a_folder_or_text),
    cmocka_unit_test(a_ca_without_certificates_is_an_error),
    cmocka_unit_test(a_file_that_cannot_be_read_is_named),
    cmocka_unit_test(a_damaged_certificate_is_an_error),
    cmocka_unit_test(cert_and_key_are_files_or_text),
    cmocka_unit_test(an_encrypted_key_needs_its_password),
    cmocka_unit_test(a_key_of_another_certificate_is_refused),
    cmocka_unit_test(a_weak_certificate_of_our_own_is_refused),
    cmocka_unit_test(pins_have_one_form),
    cmocka_unit_test(what_openssl_does_not_know_is_refused),
    cmocka_unit_test(versions_make_a_range),
    cmocka_unit_test(alpn_names_have_1_to_255_bytes),
    cmocka_unit_test(a_server_name_must_be_a_name),
    cmocka_unit_test(a_key_log_is_made_for_its_owner_only),
    cmocka_unit_test(reload_reads_the_files_again_or_keeps_what_there_was),
    cmocka_unit_test(every_form_of_trust_is_the_same_trust),
    cmocka_unit_test(the_systems_store_obeys_its_environment),
    cmocka_unit_test(random_bytes_differ_and_sha1_is_sha1),
  };
  if (!certs_make())
    return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
