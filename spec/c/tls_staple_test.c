/* tls: the answer about our certificate that is shown to who asks. */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>

#include "tls/staple.h"
#include "tls_pair.h"
#include "tls_support.h"

enum { NEVER = 0 };

/* ---- answers ------------------------------------------------------------ */

static EVP_PKEY *read_key(const char *file) {
  FILE *f = fopen(certs_path(file), "r");
  EVP_PKEY *k;
  assert_non_null(f);
  k = PEM_read_PrivateKey(f, NULL, NULL, NULL);
  (void)fclose(f);
  assert_non_null(k);
  return k;
}

/* An answer about a certificate, good for so many seconds from now (or,
** NEVER, without an end). */
static OCSP_RESPONSE *answer_about(const char *file, long seconds) {
  X509 *x = read_cert(file), *issuer = read_cert("intermediate.crt");
  EVP_PKEY *key = read_key("intermediate.key");
  OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
  ASN1_TIME *from = X509_gmtime_adj(NULL, -86400),
            *to = X509_gmtime_adj(NULL, seconds);
  OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), x, issuer);
  OCSP_RESPONSE *r;
  assert_non_null(OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0,
                                         NULL, from,
                                         seconds != NEVER ? to : NULL));
  assert_int_equal(OCSP_basic_sign(basic, issuer, key, EVP_sha256(), NULL, 0),
                   1);
  r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
  assert_non_null(r);
  OCSP_CERTID_free(id);
  ASN1_TIME_free(from);
  ASN1_TIME_free(to);
  OCSP_BASICRESP_free(basic);
  EVP_PKEY_free(key);
  X509_free(issuer);
  X509_free(x);
  return r;
}

static void write_bytes(const char *path, const void *data, size_t n) {
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  assert_int_equal(fwrite(data, 1, n, f), n);
  (void)fclose(f);
}

/* Written, freed; its path. */
static const char *written(OCSP_RESPONSE *r, bool pem) {
  const char *path = certs_path("answer.ocsp");
  unsigned char *der = NULL;
  int n = i2d_OCSP_RESPONSE(r, &der);
  FILE *f;
  assert_true(n > 0);
  if (pem) {
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(PEM_write(f, "OCSP RESPONSE", "", der, n) > 0);
    (void)fclose(f);
  } else {
    write_bytes(path, der, (size_t)n);
  }
  OPENSSL_free(der);
  OCSP_RESPONSE_free(r);
  return path;
}

/* ---- loading ------------------------------------------------------------ */

static struct base_error *load(const char *path) {
  struct tls_options o;
  struct tls_context *c;
  struct base_error *err;
  server_options(&o, "server");
  o.ocsp = path;
  err = tls_context_new(&c, &o);
  assert_int_equal(ERR_peek_error(), 0);
  tls_context_unref(c);
  return err;
}

static void refused(const char *path, const char *words) {
  struct base_error *err = load(path);
  assert_non_null(err);
  if (err->kind != BASE_KIND_TLS || strcmp(err->code, "bad_ocsp") != 0 ||
      strstr(err->message, words) == NULL)
    fail_msg("%s: %s", err->code, err->message);
  base_error_free(err);
}

static void what_is_no_answer_is_an_error(void **state) {
  struct base_error *err = load(certs_path("nowhere.ocsp"));
  const char *path = certs_path("answer.ocsp");
  unsigned char *der = NULL;
  OCSP_RESPONSE *r;
  int n;
  (void)state;
  assert_string_equal(err->code, "ENOENT");
  base_error_free(err);
  refused(certs_path("server.crt"), "no OCSP response");
  write_bytes(path, "", 0);
  refused(path, "no OCSP response");
  r = OCSP_response_create(OCSP_RESPONSE_STATUS_TRYLATER, NULL);
  refused(written(r, false), "the responder refused");
  r = answer_about("server.crt", 3600);
  n = i2d_OCSP_RESPONSE(r, &der);
  write_bytes(path, der, (size_t)n - 1);
  refused(path, "no OCSP response");
  OPENSSL_free(der);
  OCSP_RESPONSE_free(r);
  refused(written(answer_about("server2.crt", 3600), false),
          "not about the certificate");
  assert_null(load(written(answer_about("server.crt", 3600), false)));
  assert_null(load(written(answer_about("server.crt", 3600), true)));
  assert_null(load(written(answer_about("server.crt", -60), false)));
}

static void it_is_fresh_until_its_end(void **state) {
  X509 *x = read_cert("server.crt");
  double now = (double)time(NULL);
  struct tls_staple s;
  (void)state;
  memset(&s, 0, sizeof s);
  assert_false(tls_staple_is_fresh(&s, now)); /* there is none */
  assert_null(tls_staple_init(&s, written(answer_about("server.crt", 3600),
                                          false), x));
  assert_true(tls_staple_is_fresh(&s, now) &&
              tls_staple_is_fresh(&s, now + 3590));
  assert_false(tls_staple_is_fresh(&s, now + 3660));
  tls_staple_deinit(&s);
  assert_null(tls_staple_init(&s, written(answer_about("server.crt", NEVER),
                                          true), x));
  assert_true(tls_staple_is_fresh(&s, now + 1e10));
  tls_staple_deinit(&s);
  tls_staple_deinit(&s);
  X509_free(x);
}

/* ---- showing ------------------------------------------------------------ */

/* What a client of OpenSSL's gets: bytes of an answer, or -1. */
static long gets(struct tls_context *server, int version, bool asks,
                 const char *name) {
  SSL_CTX *ctx = raw_client(version);
  const unsigned char *bytes;
  OCSP_RESPONSE *r;
  struct pair p;
  long n;
  pair_open_raw(&p, server, ctx, name);
  if (asks)
    assert_int_equal(SSL_set_tlsext_status_type(p.raw,
                                                TLSEXT_STATUSTYPE_ocsp), 1);
  pair_run(&p);
  assert_true(p.server.up && SSL_is_init_finished(p.raw));
  n = SSL_get_tlsext_status_ocsp_resp(p.raw, &bytes);
  if (n > 0) {
    r = d2i_OCSP_RESPONSE(NULL, &bytes, n);
    assert_non_null(r);
    OCSP_RESPONSE_free(r);
  }
  pair_close(&p);
  SSL_CTX_free(ctx);
  return n;
}

static void who_asks_gets_it_while_it_is_fresh(void **state) {
  static const int numbers[] = {TLS1_2_VERSION, TLS1_3_VERSION};
  struct tls_identity sni = {"a.example", NULL, NULL, NULL};
  struct tls_context *fresh, *stale, *none;
  struct tls_options o;
  int v;
  (void)state;
  server_options(&o, "server");
  none = pair_context(&o);
  sni.cert = certs_path("aserver.crt");
  sni.key = certs_path("aserver.key");
  o.sni = &sni;
  o.sni_count = 1;
  o.ocsp = written(answer_about("server.crt", 3600), false);
  fresh = pair_context(&o);
  o.ocsp = written(answer_about("server.crt", -60), false);
  stale = pair_context(&o);
  for (v = 0; v < 2; v++) {
    assert_true(gets(fresh, numbers[v], true, "server.test") > 100);
    assert_true(gets(fresh, numbers[v], true, NULL) > 100);
    assert_int_equal(gets(fresh, numbers[v], false, NULL), -1);
    assert_int_equal(gets(fresh, numbers[v], true, "a.example"), -1);
    assert_int_equal(gets(stale, numbers[v], true, NULL), -1);
    assert_int_equal(gets(none, numbers[v], true, NULL), -1);
  }
  (void)written(answer_about("server.crt", 3600), false);
  assert_null(tls_context_reload(stale)); /* the file is a newer one */
  assert_true(gets(stale, TLS1_3_VERSION, true, NULL) > 100);
  tls_context_unref(fresh);
  tls_context_unref(stale);
  tls_context_unref(none);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_is_no_answer_is_an_error),
    cmocka_unit_test(it_is_fresh_until_its_end),
    cmocka_unit_test(who_asks_gets_it_while_it_is_fresh),
  };
  if (!certs_make())
    return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
