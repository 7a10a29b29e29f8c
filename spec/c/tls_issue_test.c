/* tls/issue: certificates for development. */
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
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tls/issue.h"
#include "tls_heap.h"
#include "tls_pair.h"
#include "tls_support.h"

static const char *const all[] = {"ca.crt",     "ca.key",     "server.crt",
                                  "server.key", "client.crt", "client.key"};
enum { ALL = 6 };

/* ---- folders ------------------------------------------------------------ */

static char folder[64];

static const char *path_of(const char *file) {
  static char paths[8][128];
  static unsigned turn;
  char *path = paths[turn++ % 8];
  (void)snprintf(path, sizeof paths[0], "%s/%s", folder, file);
  return path;
}

/* A new one for each test; the certificates are in a folder below it. */
static int set_up(void **state) {
  (void)state;
  (void)snprintf(folder, sizeof folder, "/tmp/uvwss-issue-XXXXXX");
  return mkdtemp(folder) == NULL;
}

static int tear_down(void **state) {
  char command[128];
  (void)state;
  (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
  return system(command);
}

static char *text_of(const char *file) {
  FILE *f = fopen(path_of(file), "r");
  char *text = (char *)calloc(1, 8192);
  assert_non_null(f);
  assert_true(fread(text, 1, 8191, f) > 0);
  (void)fclose(f);
  return text;
}

/* Files in the folder. */
static int count(void) {
  char command[128];
  FILE *f;
  int n = -1;
  (void)snprintf(command, sizeof command, "ls -A '%s' | wc -l", folder);
  f = popen(command, "r"); /* NOLINT(cert-env33-c): a path of our own */
  assert_non_null(f);
  assert_int_equal(fscanf(f, "%d", &n), 1);
  (void)pclose(f);
  return n;
}

static X509 *cert_of(const char *file) {
  FILE *f = fopen(path_of(file), "r");
  X509 *x;
  assert_non_null(f);
  x = PEM_read_X509(f, NULL, NULL, NULL);
  (void)fclose(f);
  assert_non_null(x);
  return x;
}

static struct tls_issue usual(void) {
  struct tls_issue what = {NULL, {NULL, 0}, NULL, 30};
  what.dir = folder;
  return what;
}

static void issue(const struct tls_issue *what, bool force) {
  struct base_error *err = tls_issue(what, force);
  assert_int_equal(ERR_peek_error(), 0);
  if (err != NULL)
    fail_msg("%s: %s", err->code, err->message);
}

static void refused(const struct tls_issue *what, bool force,
                    enum base_kind kind, const char *code, const char *words) {
  struct base_error *err = tls_issue(what, force);
  assert_int_equal(ERR_peek_error(), 0);
  assert_non_null(err);
  if (err->kind != kind || strcmp(err->code, code) != 0 ||
      strstr(err->message, words) == NULL)
    fail_msg("%s/%s: %s", base_kind_name(err->kind), err->code, err->message);
  base_error_free(err);
}

/* ---- what is made ------------------------------------------------------- */

/* A server with them that demands a client with them: the chain of each is
** verified, strictly. NULL, or what was said against it. */
static struct base_error *verified(const char *host, const char *certificate) {
  const char *ca = path_of("ca.crt");
  char cert[32], key[32];
  struct tls_conf conf = {NULL, NULL, false, NULL, NULL};
  struct tls_context *server, *client;
  struct base_error *err;
  struct tls_options o;
  struct pair p;
  conf.host = host;
  tls_options_init_server(&o);
  o.cert = path_of("server.crt");
  o.key = path_of("server.key");
  o.client_ca.items = &ca;
  o.client_ca.count = 1;
  o.verify_client = TLS_CLIENT_REQUIRE;
  server = pair_context(&o);
  options_with(&o, &ca);
  (void)snprintf(cert, sizeof cert, "%s.crt", certificate);
  (void)snprintf(key, sizeof key, "%s.key", certificate);
  o.cert = path_of(cert);
  o.key = path_of(key);
  client = pair_context(&o);
  pair_open(&p, server, client, &conf);
  pair_run(&p);
  err = tls_session_error(p.client.session);
  if (err == NULL)
    err = tls_session_error(p.server.session);
  assert_int_equal(err == NULL, p.server.up && p.client.up);
  pair_close(&p);
  tls_context_unref(server);
  tls_context_unref(client);
  return err;
}

static void are_good_for(const char *host) {
  struct base_error *err = verified(host, "client");
  if (err != NULL)
    fail_msg("%s: %s", host, err->message);
}

static void are_not_good_for(const char *host, const char *code) {
  struct base_error *err = verified(host, "client");
  assert_non_null(err);
  assert_string_equal(err->code, code);
  base_error_free(err);
}

static void all_pass_our_strict_verification(void **state) {
  struct tls_issue what = usual();
  struct base_error *err;
  (void)state;
  issue(&what, false);
  assert_int_equal(count(), ALL);
  are_good_for("localhost");
  are_good_for("127.0.0.1");
  are_good_for("::1");
  are_not_good_for("server.test", "hostname_mismatch");
  err = verified("localhost", "server"); /* not as a client's */
  assert_non_null(err);
  base_error_free(err);
}

static void the_server_has_the_names_it_was_given(void **state) {
  static const char *const names[] = {"API.example", "*.dev.example",
                                      "192.0.2.1", "2001:db8::1"};
  struct tls_issue what = usual();
  X509 *x;
  (void)state;
  what.names.items = names;
  what.names.count = 4;
  issue(&what, false);
  are_good_for("api.example");
  are_good_for("a.dev.example");
  are_good_for("192.0.2.1");
  are_good_for("2001:db8::1");
  are_not_good_for("localhost", "hostname_mismatch");
  are_not_good_for("dev.example", "hostname_mismatch");
  x = cert_of("server.crt");
  assert_true(X509_get_extension_flags(x) & EXFLAG_XKUSAGE);
  assert_int_equal(X509_get_extended_key_usage(x), XKU_SSL_SERVER);
  X509_free(x);
}

static void a_name_that_is_none_is_refused(void **state) {
  static const char *const wrong[] = {"", "*", "*.", "a b", "*.127.0.0.1",
                                      "a,DNS:b", "a.example\nDNS:b", "\xff"};
  static const char *const clients[] = {
    "", "a\nb", "\xff\xfe",
    "0123456789012345678901234567890123456789012345678901234567890123456789"};
  struct tls_issue what = usual();
  size_t i;
  (void)state;
  what.names.count = 1;
  for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    what.names.items = &wrong[i];
    refused(&what, false, BASE_KIND_TLS, "bad_name", "");
  }
  what.names.count = 0;
  for (i = 0; i < sizeof clients / sizeof clients[0]; i++) {
    what.client = clients[i];
    refused(&what, false, BASE_KIND_TLS, "bad_name", "a client's name");
  }
  assert_int_equal(count(), 0); /* and nothing is left behind */
}

static void a_long_name_is_no_common_name(void **state) {
  const char *name = "a-label-of-some-length.a-label-of-some-length."
                     "a-label-of-some-length.example";
  struct tls_issue what = usual();
  (void)state;
  what.names.items = &name;
  what.names.count = 1;
  issue(&what, false);
  are_good_for(name);
}

static void the_client_has_its_name(void **state) {
  struct tls_issue what = usual();
  char text[128];
  X509 *x;
  (void)state;
  what.client = "caf\303\251 17";
  issue(&what, false);
  x = cert_of("client.crt");
  (void)X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName,
                                  text, sizeof text);
  assert_string_equal(text, what.client);
  assert_int_equal(X509_get_extended_key_usage(x), XKU_SSL_CLIENT);
  X509_free(x);
}

static void days_count_and_end_with_the_ca(void **state) {
  struct tls_issue what = usual();
  X509 *x, *ca;
  int days, seconds;
  (void)state;
  what.days = 0;
  refused(&what, false, BASE_KIND_TLS, "bad_days", "1 to");
  what.days = 30;
  issue(&what, false);
  x = cert_of("server.crt");
  assert_int_equal(ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x)),
                   1);
  assert_true(days == 29 || days == 30);
  X509_free(x);
  what.days = 36500;
  issue(&what, true);
  x = cert_of("server.crt");
  ca = cert_of("ca.crt");
  assert_int_equal(ASN1_TIME_compare(X509_get0_notAfter(x),
                                     X509_get0_notAfter(ca)), 0);
  assert_int_equal(ASN1_TIME_diff(&days, &seconds, NULL,
                                  X509_get0_notAfter(ca)), 1);
  assert_true(days >= 3649);
  X509_free(x);
  X509_free(ca);
}

/* ---- files -------------------------------------------------------------- */

static void keys_are_readable_for_their_owner_only(void **state) {
  struct tls_issue what = usual();
  mode_t before = umask(0);
  struct stat st;
  size_t i;
  (void)state;
  issue(&what, false);
  (void)umask(before);
  for (i = 0; i < ALL; i++) {
    assert_int_equal(stat(path_of(all[i]), &st), 0);
    assert_int_equal(st.st_mode & 0777,
                     strstr(all[i], ".key") != NULL ? 0600 : 0644);
  }
}

static void the_folder_is_made(void **state) {
  struct tls_issue what = usual();
  char below[96];
  FILE *f;
  (void)state;
  (void)snprintf(below, sizeof below, "%s", path_of("new"));
  what.dir = below;
  issue(&what, false);
  assert_int_equal(access(path_of("new/client.key"), R_OK), 0);
  (void)snprintf(below, sizeof below, "%s", path_of("no/such"));
  refused(&what, false, BASE_KIND_IO, "ENOENT", "no/such");
  f = fopen(path_of("file"), "w");
  assert_non_null(f);
  (void)fclose(f);
  (void)snprintf(below, sizeof below, "%s", path_of("file"));
  refused(&what, false, BASE_KIND_IO, "EEXIST", "file");
}

static void what_lies_there_is_replaced_only_by_force(void **state) {
  struct tls_issue what = usual();
  char *before[ALL], *after;
  size_t i;
  (void)state;
  issue(&what, false);
  for (i = 0; i < ALL; i++)
    before[i] = text_of(all[i]);
  refused(&what, false, BASE_KIND_IO, "EEXIST", "server.key");
  (void)unlink(path_of("server.key"));
  (void)unlink(path_of("server.crt"));
  refused(&what, false, BASE_KIND_IO, "EEXIST", "client.key");
  assert_int_equal(count(), ALL - 2); /* none of them, then */
  issue(&what, true);
  assert_int_equal(count(), ALL);
  for (i = 0; i < ALL; i++) {
    after = text_of(all[i]);
    assert_int_equal(strcmp(before[i], after) == 0, i < 2); /* the CA stays */
    free(after);
    free(before[i]);
  }
  are_good_for("localhost");
}

static void a_ca_that_lies_there_is_used_or_told(void **state) {
  struct tls_issue what = usual();
  char command[256];
  (void)state;
  (void)snprintf(command, sizeof command, "cp '%s' '%s' '%s'",
                 certs_path("other-ca.crt"), certs_path("other-ca.key"),
                 folder);
  assert_int_equal(system(command), 0);
  assert_int_equal(rename(path_of("other-ca.crt"), path_of("ca.crt")), 0);
  refused(&what, false, BASE_KIND_IO, "ENOENT", "ca.key");
  assert_int_equal(rename(path_of("other-ca.key"), path_of("ca.key")), 0);
  issue(&what, false);
  are_good_for("localhost");
  assert_int_equal(rename(path_of("server.key"), path_of("ca.key")), 0);
  refused(&what, true, BASE_KIND_TLS, "key_values_mismatch", "ca.key");
  assert_int_equal(rename(path_of("client.key"), path_of("ca.key")), 0);
  assert_int_equal(rename(path_of("client.crt"), path_of("ca.crt")), 0);
  refused(&what, true, BASE_KIND_TLS, "not_a_ca", "ca.crt");
}

static void an_expired_ca_is_not_used(void **state) {
  struct tls_issue what = usual();
  char command[512];
  (void)state;
  (void)snprintf(command, sizeof command,
                 "openssl req -x509 -new -newkey ec -pkeyopt "
                 "ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=old "
                 "-addext keyUsage=critical,keyCertSign -keyout '%s/ca.key' "
                 "-out '%s/ca.crt' 2>/dev/null",
                 folder, folder);
  assert_int_equal(system(command), 0);
  refused(&what, false, BASE_KIND_TLS, "expired", "ca.crt");
}

static void without_memory_there_are_all_files_or_none(void **state) {
  struct tls_issue what = usual();
  long n, before = tls_heap_blocks, step = tls_heap_step(29);
  bool over = false;
  (void)state;
  issue(&what, false);
  for (n = 0; !over; n += step) {
    struct base_error *err;
    size_t i;
    for (i = 0; i < ALL; i++)
      (void)unlink(path_of(all[i]));
    tls_heap_countdown = n;
    line_in_client = true;
    err = tls_issue(&what, false);
    line_in_client = false;
    if (tls_heap_countdown >= 0 && err != NULL)
      fail_msg("%s", err->message);
    over = tls_heap_countdown >= 0;
    tls_heap_countdown = -1;
    assert_int_equal(count(), err == NULL ? ALL : 0);
    base_error_free(err);
    assert_int_equal(tls_heap_blocks, before);
    assert_int_equal(ERR_peek_error(), 0);
  }
  assert_true(n > 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(all_pass_our_strict_verification),
    TEST(the_server_has_the_names_it_was_given),
    TEST(a_name_that_is_none_is_refused),
    TEST(a_long_name_is_no_common_name),
    TEST(the_client_has_its_name),
    TEST(days_count_and_end_with_the_ca),
    TEST(keys_are_readable_for_their_owner_only),
    TEST(the_folder_is_made),
    TEST(what_lies_there_is_replaced_only_by_force),
    TEST(a_ca_that_lies_there_is_used_or_told),
    TEST(an_expired_ca_is_not_used),
    TEST(without_memory_there_are_all_files_or_none),
  };
  if (!tls_heap_take() || !certs_make())
    return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
