/* tls: the server's role, with clients of ours and of OpenSSL's. */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls_pair.h"
#include "tls_support.h"

static const struct {
  enum tls_version number;
  const char *name;
} versions[] = {{TLS_V_1_2, "TLSv1.2"}, {TLS_V_1_3, "TLSv1.3"}};

static const char *ca, *other_ca;

static struct tls_context *server_of(const char *name) {
  struct tls_options o;
  server_options(&o, name);
  return pair_context(&o);
}

/* A server that wants certificates by "ca", and may have to have them. */
static void demanding(struct tls_options *o, enum tls_verify_client how) {
  server_options(o, "server");
  o->client_ca.items = &ca;
  o->client_ca.count = 1;
  o->verify_client = how;
}

static void talk(struct pair *p, struct tls_context *server,
                 struct tls_context *client, struct tls_ticket *ticket) {
  struct tls_conf conf = {"server.test", NULL, false, NULL, NULL};
  conf.ticket = ticket;
  pair_open(p, server, client, &conf);
  pair_run(p);
}

static void is_up(struct pair *p) {
  struct base_error *err = tls_session_error(p->server.session);
  if (err != NULL)
    fail_msg("the server: %s", err->message);
  err = p->client.session != NULL ? tls_session_error(p->client.session) : NULL;
  if (err != NULL)
    fail_msg("the client: %s", err->message);
  assert_true(p->server.up);
  assert_int_equal(p->server.status, TLS_WANT);
}

/* An end has failed so. */
static void failed(struct end *e, enum base_kind kind, const char *code,
                   const char *words) {
  struct base_error *err;
  assert_int_equal(e->status, TLS_FAILED);
  err = tls_session_error(e->session);
  assert_non_null(err);
  if (getenv("UVWSS_SHOW") != NULL)
    print_message("%s: %s\n", err->code, err->message);
  if (err->kind != kind || strcmp(err->code, code) != 0 ||
      strstr(err->message, words) == NULL)
    fail_msg("%s/%s: %s", base_kind_name(err->kind), err->code, err->message);
  base_error_free(err);
}

/* The client was told so. */
static void alerted(struct end *e, const char *alert) {
  const struct base_field *f;
  struct base_error *err = tls_session_error(e->session);
  assert_int_equal(e->status, TLS_FAILED);
  assert_non_null(err);
  assert_int_equal(err->kind, BASE_KIND_TLS);
  f = base_error_field(err, "alert");
  if (f == NULL || strcmp(f->text, alert) != 0)
    fail_msg("%s instead of %s", err->message, alert);
  base_error_free(err);
}

/* The subject of certificate 'i' of the peer's chain. */
static void subject_is(struct end *e, size_t i, const char *subject) {
  struct tls_peer *p = tls_session_peer(e->session);
  struct tls_cert cert;
  assert_non_null(p);
  assert_true(tls_peer_cert(p, i, &cert));
  assert_string_equal(cert.subject, subject);
  tls_cert_deinit(&cert);
  tls_peer_unref(p);
}

/* ---- options ------------------------------------------------------------ */

static void expect(const struct tls_options *o, enum base_kind kind,
                   const char *code, const char *words) {
  struct tls_context *c;
  struct base_error *err = tls_context_new(&c, o);
  assert_int_equal(ERR_peek_error(), 0);
  if (code == NULL) {
    if (err != NULL)
      fail_msg("%s: %s", err->code, err->message);
    assert_true(tls_context_is_server(c));
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

static void a_server_needs_a_certificate_and_its_key(void **state) {
  struct tls_context *client;
  struct tls_options o;
  (void)state;
  tls_options_init_server(&o);
  assert_true(o.server && o.tickets && o.strict && !o.insecure);
  assert_int_equal(o.verify_client, TLS_CLIENT_NONE);
  expect(&o, BASE_KIND_TLS, "no_certificate", "needs a certificate");
  o.key = certs_path("server.key");
  expect(&o, BASE_KIND_TLS, "no_certificate", "needs a certificate");
  o.cert = certs_path("server.crt");
  expect(&o, BASE_KIND_TLS, NULL, NULL);
  o.key = NULL;
  expect(&o, BASE_KIND_TLS, "no_private_key", "server.crt");
  o.key = certs_path("client.key");
  expect(&o, BASE_KIND_TLS, "key_values_mismatch", "client.key");
  server_options(&o, "weak");
  expect(&o, BASE_KIND_TLS, "ee_key_too_small", "weak.crt");
  client = client_of(TLS_V_1_2, NULL);
  assert_false(tls_context_is_server(client));
  tls_context_unref(client);
}

static void to_verify_clients_someone_must_be_trusted(void **state) {
  static const enum tls_verify_client how[] = {TLS_CLIENT_REQUEST,
                                               TLS_CLIENT_REQUIRE};
  struct tls_options o;
  const char *item = certs_path("client.key");
  int i;
  (void)state;
  for (i = 0; i < 2; i++) {
    demanding(&o, how[i]);
    expect(&o, BASE_KIND_TLS, NULL, NULL);
    o.client_ca.count = 0;
    expect(&o, BASE_KIND_TLS, "no_client_ca", "'client_ca'");
    o.ca.items = &ca; /* is the client's option */
    o.ca.count = 1;
    expect(&o, BASE_KIND_TLS, "no_client_ca", "'client_ca'");
  }
  o.client_ca.items = &item;
  o.client_ca.count = 1;
  expect(&o, BASE_KIND_TLS, "no_certificate", "client.key");
  item = "-----BEGIN NOTHING-----\n-----END NOTHING-----\n";
  expect(&o, BASE_KIND_TLS, "no_certificate", "PEM text of 'client_ca'");
}

static void names_of_sni_are_host_names_that_differ(void **state) {
  static const char *const wrong[] = {
    "", "*", "*.", "a..b", "f*.example", "a.*.example", "**.example",
    "127.0.0.1", "::1", "*.127.0.0.1", "m\303\274nchen.test", "a b"};
  struct tls_identity all[2] = {{"a.example", NULL, NULL, NULL},
                                {NULL, NULL, NULL, NULL}};
  struct tls_options o;
  size_t i;
  (void)state;
  server_options(&o, "server");
  o.sni = all;
  o.sni_count = 2;
  all[0].cert = all[1].cert = certs_path("aserver.crt");
  all[0].key = all[1].key = certs_path("aserver.key");
  for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    all[1].name = wrong[i];
    expect(&o, BASE_KIND_TLS, "bad_name", "'sni' \"");
  }
  all[1].name = NULL;
  expect(&o, BASE_KIND_TLS, "bad_name", "no name");
  all[1].name = "A.Example.";
  expect(&o, BASE_KIND_TLS, "bad_name", "\"A.Example.\": the name is there");
  all[1].name = "*.a.example";
  expect(&o, BASE_KIND_TLS, NULL, NULL);
  all[1].key = certs_path("server.key");
  expect(&o, BASE_KIND_TLS, "key_values_mismatch", "'sni' \"*.a.example\": ");
  all[1].cert = certs_path("nowhere.crt");
  expect(&o, BASE_KIND_IO, "ENOENT", "nowhere.crt");
  all[1].cert = NULL;
  expect(&o, BASE_KIND_TLS, "no_certificate", "\"*.a.example\"");
}

/* ---- handshakes and bytes ----------------------------------------------- */

static void bytes_go_both_ways(void **state) {
  static const uint8_t big[50000] = {1, 2, 3};
  struct tls_context *server = server_of("server");
  size_t cuts[] = {0, 1, 7}, i;
  int v;
  (void)state;
  for (v = 0; v < 2; v++)
    for (i = 0; i < 3; i++) {
      struct tls_context *client = client_of(versions[v].number, NULL);
      struct tls_conf conf = {"server.test", NULL, false, NULL, NULL};
      struct tls_peer *peer;
      struct pair p;
      pair_open(&p, server, client, &conf);
      p.server.cut = cuts[i];
      pair_run(&p);
      is_up(&p);
      assert_int_equal(tls_session_write(p.server.session, big, sizeof big,
                                         false), TLS_OK);
      assert_int_equal(tls_session_write(p.client.session, big, sizeof big,
                                         false), TLS_OK);
      pair_run(&p);
      assert_int_equal(p.client.got.len, sizeof big);
      assert_int_equal(p.server.got.len, sizeof big);
      assert_memory_equal(base_buf_data(&p.server.got), big, sizeof big);
      peer = tls_session_peer(p.server.session);
      assert_string_equal(tls_peer_version(peer), versions[v].name);
      assert_string_equal(tls_peer_alpn(peer), "http/1.1");
      assert_string_equal(tls_peer_group(peer), "x25519");
      assert_int_equal(tls_peer_chain_count(peer), 0);
      assert_false(tls_peer_verified(peer) || tls_peer_resumed(peer));
      tls_peer_unref(peer);
      assert_null(tls_session_ticket(p.server.session));
      tls_session_shutdown(p.server.session);
      pair_run(&p);
      assert_int_equal(p.client.status, TLS_ENDED);
      pair_close(&p);
      tls_context_unref(client);
    }
  tls_context_unref(server);
}

static void steps_of_the_handshake_are_recorded(void **state) {
  struct tls_conf conf = {"server.test", NULL, true, NULL, NULL};
  struct tls_context *server = server_of("server"),
                     *client = client_of(TLS_V_1_3, NULL);
  struct tls_step step;
  struct pair p;
  (void)state;
  pair_open(&p, server, client, &conf);
  pair_run(&p);
  assert_true(tls_session_step(p.server.session, &step));
  assert_string_equal(step.name, "ClientHello");
  assert_false(step.out);
  assert_true(tls_session_step(p.server.session, &step));
  assert_string_equal(step.name, "ServerHello");
  assert_true(step.out);
  pair_close(&p);
  tls_context_unref(server);
  tls_context_unref(client);
}

/* ---- clients' certificates ---------------------------------------------- */

static const struct {
  const char *certificate;
  enum base_kind kind;
  const char *code, *words;
  const char *alerts[2]; /* under TLS 1.2 and 1.3 */
} refusals[] = {
  {NULL, BASE_KIND_TLS, "peer_did_not_return_a_certificate",
   "a client's certificate is required here",
   {"handshake_failure", "certificate_required"}},
  {"expiredclient", BASE_KIND_CERTIFICATE, "expired",
   "the client's certificate \"expired client\" expired 3 days ago (20",
   {"certificate_expired", "certificate_expired"}},
  {"notyetclient", BASE_KIND_CERTIFICATE, "not_yet_valid",
   "the client's certificate \"early client\" is not valid yet",
   {"bad_certificate", "bad_certificate"}},
  {"otherclient", BASE_KIND_CERTIFICATE, "unknown_issuer",
   "the chain of the client's certificate ends at \"another CA\", which is "
   "not trusted (trusted: 1 root of the 'client_ca' option)",
   {"unknown_ca", "unknown_ca"}},
  {"selfsigned", BASE_KIND_CERTIFICATE, "self_signed",
   "the client's certificate \"server.test\" is signed by itself",
   {"unknown_ca", "unknown_ca"}},
  {"server", BASE_KIND_CERTIFICATE, "wrong_purpose",
   "the client's certificate \"server.test\" is not meant for a client: its "
   "key usages lack clientAuth",
   {"unsupported_certificate", "unsupported_certificate"}},
  {"formlessclient", BASE_KIND_CERTIFICATE, "missing_authority_key_identifier",
   "the client's certificate \"formless client\" lacks the identifier",
   {"certificate_unknown", "certificate_unknown"}},
};

static void each_wrong_certificate_has_its_error_and_alert(void **state) {
  struct tls_options o;
  struct tls_context *server;
  size_t i;
  int v;
  (void)state;
  demanding(&o, TLS_CLIENT_REQUIRE);
  server = pair_context(&o);
  for (i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
    for (v = 0; v < 2; v++) {
      struct tls_context *client =
        client_of(versions[v].number, refusals[i].certificate);
      struct pair p;
      talk(&p, server, client, NULL);
      assert_false(p.server.up);
      failed(&p.server, refusals[i].kind, refusals[i].code, refusals[i].words);
      alerted(&p.client, refusals[i].alerts[v]);
      assert_null(tls_session_ticket(p.client.session));
      pair_close(&p);
      tls_context_unref(client);
    }
  tls_context_unref(server);
}

static void a_refusal_has_the_fields_of_the_clients_certificate(void **state) {
  struct tls_context *client = client_of(TLS_V_1_3, "otherclient"), *server;
  struct tls_options o;
  struct base_error *err;
  struct pair p;
  (void)state;
  demanding(&o, TLS_CLIENT_REQUIRE);
  server = pair_context(&o);
  talk(&p, server, client, NULL);
  err = tls_session_error(p.server.session);
  assert_string_equal(base_error_field(err, "subject")->text,
                      "CN=other client");
  assert_string_equal(base_error_field(err, "issuer")->text, "CN=another CA");
  assert_string_equal(base_error_field(err, "names")->text, "client.test");
  assert_non_null(base_error_field(err, "not_after"));
  assert_non_null(base_error_field(err, "openssl"));
  assert_int_equal((int)base_error_field(err, "depth")->number, 0);
  assert_null(base_error_field(err, "wanted"));
  base_error_free(err);
  pair_close(&p);
  tls_context_unref(client);
  tls_context_unref(server);
}

static void the_right_certificate_is_served_and_named(void **state) {
  static const char *const names[] = {"client", "rootclient"};
  struct tls_options o;
  int v, k;
  (void)state;
  for (v = 0; v < 2; v++)
    for (k = 0; k < 2; k++) {
      struct tls_context *client = client_of(versions[v].number, names[k]),
                         *server;
      struct tls_peer *peer;
      struct pair p;
      demanding(&o, TLS_CLIENT_REQUIRE);
      server = pair_context(&o);
      talk(&p, server, client, NULL);
      is_up(&p);
      peer = tls_session_peer(p.server.session);
      assert_true(tls_peer_verified(peer));
      assert_int_equal(tls_peer_chain_count(peer), k == 0 ? 3 : 2);
      tls_peer_unref(peer);
      subject_is(&p.server, 0, k == 0 ? "CN=client" : "CN=root client");
      subject_is(&p.server, k == 0 ? 2 : 1, "CN=uvwss test CA");
      pair_close(&p);
      tls_context_unref(client);
      tls_context_unref(server);
    }
}

static void a_requested_certificate_may_be_missing_but_not_wrong(void **state) {
  struct tls_options o;
  struct tls_context *server;
  int v;
  (void)state;
  demanding(&o, TLS_CLIENT_REQUEST);
  server = pair_context(&o);
  for (v = 0; v < 2; v++) {
    struct tls_context *none = client_of(versions[v].number, NULL),
                       *right = client_of(versions[v].number, "client"),
                       *wrong = client_of(versions[v].number, "expiredclient");
    struct tls_peer *peer;
    struct pair p;
    talk(&p, server, none, NULL);
    is_up(&p);
    peer = tls_session_peer(p.server.session);
    assert_true(!tls_peer_verified(peer) && tls_peer_chain_count(peer) == 0);
    tls_peer_unref(peer);
    pair_close(&p);
    talk(&p, server, right, NULL);
    is_up(&p);
    subject_is(&p.server, 0, "CN=client");
    pair_close(&p);
    talk(&p, server, wrong, NULL);
    failed(&p.server, BASE_KIND_CERTIFICATE, "expired", "expired client");
    pair_close(&p);
    tls_context_unref(none);
    tls_context_unref(right);
    tls_context_unref(wrong);
  }
  tls_context_unref(server);
}

static void without_the_option_no_certificate_is_asked_for(void **state) {
  struct tls_context *server = server_of("server"),
                     *client = client_of(TLS_V_1_3, "expiredclient");
  struct tls_conf conf = {"server.test", NULL, true, NULL, NULL};
  struct tls_step step;
  struct pair p;
  (void)state;
  pair_open(&p, server, client, &conf);
  pair_run(&p);
  is_up(&p);
  while (tls_session_step(p.server.session, &step))
    assert_string_not_equal(step.name, "CertificateRequest");
  pair_close(&p);
  tls_context_unref(server);
  tls_context_unref(client);
}

static void max_depth_and_strict_hold_for_clients(void **state) {
  struct tls_options o;
  struct tls_context *server, *client = client_of(TLS_V_1_3, "client");
  struct pair p;
  (void)state;
  demanding(&o, TLS_CLIENT_REQUIRE);
  o.max_depth = 0;
  server = pair_context(&o);
  talk(&p, server, client, NULL);
  failed(&p.server, BASE_KIND_CERTIFICATE, "chain_too_long",
         "the chain of the client's certificate is too long: more than 0");
  pair_close(&p);
  tls_context_unref(client);
  client = client_of(TLS_V_1_3, "rootclient");
  talk(&p, server, client, NULL);
  is_up(&p);
  pair_close(&p);
  tls_context_unref(client);
  tls_context_unref(server);
  demanding(&o, TLS_CLIENT_REQUIRE);
  o.strict = false;
  o.insecure = true; /* is not the server's to say */
  server = pair_context(&o);
  client = client_of(TLS_V_1_3, "formlessclient");
  talk(&p, server, client, NULL);
  is_up(&p);
  pair_close(&p);
  tls_context_unref(client);
  client = client_of(TLS_V_1_3, "otherclient");
  talk(&p, server, client, NULL);
  failed(&p.server, BASE_KIND_CERTIFICATE, "unknown_issuer", "another CA");
  pair_close(&p);
  tls_context_unref(client);
  tls_context_unref(server);
}

/* Let a raw client have that certificate. */
static void show(SSL_CTX *ctx, const char *name) {
  char file[128];
  (void)snprintf(file, sizeof file, "%s.crt", name);
  assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, certs_path(file)),
                   1);
  (void)snprintf(file, sizeof file, "%s.key", name);
  assert_int_equal(
    SSL_CTX_use_PrivateKey_file(ctx, certs_path(file), SSL_FILETYPE_PEM), 1);
}

static void a_weak_key_of_a_client_is_refused(void **state) {
  static const int numbers[] = {TLS1_2_VERSION, TLS1_3_VERSION};
  struct tls_options o;
  struct tls_context *server;
  int v;
  (void)state;
  demanding(&o, TLS_CLIENT_REQUIRE);
  server = pair_context(&o);
  for (v = 0; v < 2; v++) {
    SSL_CTX *ctx = raw_client(numbers[v]);
    struct pair p;
    show(ctx, "weak");
    pair_open_raw(&p, server, ctx, NULL);
    pair_run(&p);
    failed(&p.server, BASE_KIND_CERTIFICATE, "weak_key", "1024 bits");
    assert_int_equal(ERR_GET_REASON(p.raw_error),
                     SSL_AD_REASON_OFFSET + SSL_AD_BAD_CERTIFICATE);
    pair_close(&p);
    SSL_CTX_free(ctx);
  }
  tls_context_unref(server);
}

static void the_names_of_client_ca_are_told(void **state) {
  static const int numbers[] = {TLS1_2_VERSION, TLS1_3_VERSION};
  struct tls_options o;
  struct tls_context *server;
  const char *both[2];
  int v;
  (void)state;
  both[0] = ca;
  both[1] = other_ca;
  demanding(&o, TLS_CLIENT_REQUEST);
  o.client_ca.items = both;
  o.client_ca.count = 2;
  server = pair_context(&o);
  for (v = 0; v < 2; v++) {
    SSL_CTX *ctx = raw_client(numbers[v]);
    const STACK_OF(X509_NAME) *names;
    struct pair p;
    pair_open_raw(&p, server, ctx, NULL);
    pair_run(&p);
    is_up(&p);
    names = SSL_get0_peer_CA_list(p.raw);
    assert_int_equal(sk_X509_NAME_num(names), 2);
    pair_close(&p);
    SSL_CTX_free(ctx);
  }
  tls_context_unref(server);
}

/* ---- names -------------------------------------------------------------- */

static void a_certificate_is_chosen_by_name(void **state) {
  static const struct {
    const char *name, *subject;
    bool told; /* that the name decided something */
  } table[] = {
    {"a.example", "CN=a.example", true},
    {"A.Example", "CN=a.example", true},
    {"x.b.example", "CN=b.example", true},
    {"X.B.EXAMPLE", "CN=b.example", true},
    {"exact.b.example", "CN=rsa.example", true},
    {"b.example", "CN=server.test", false},
    {"x.y.b.example", "CN=server.test", false},
    {"b.a.example", "CN=server.test", false},
    {"xa.example", "CN=server.test", false},
    {"rsa.example", "CN=rsa.example", true},
    {"unknown.test", "CN=server.test", false},
    {"*.b.example", "CN=server.test", false},
    {"127.0.0.1", "CN=server.test", false},
    {"a.example.", "CN=a.example", true},
    {"example", "CN=server.test", false},
    {NULL, "CN=server.test", false},
  };
  static const int numbers[] = {TLS1_2_VERSION, TLS1_3_VERSION};
  struct tls_identity sni[] = {{"A.EXAMPLE", NULL, NULL, NULL},
                               {"*.B.example", NULL, NULL, NULL},
                               {"rsa.example", NULL, NULL, NULL},
                               {"exact.b.example", NULL, NULL, NULL}};
  static const char *const files[] = {"aserver", "bserver", "rsaserver",
                                      "rsaserver"};
  char names[4][2][32];
  struct tls_options o;
  struct tls_context *server;
  size_t i;
  int v;
  (void)state;
  for (i = 0; i < 4; i++) {
    (void)snprintf(names[i][0], sizeof names[i][0], "%s.crt", files[i]);
    (void)snprintf(names[i][1], sizeof names[i][1], "%s.key", files[i]);
    sni[i].cert = certs_path(names[i][0]);
    sni[i].key = certs_path(names[i][1]);
  }
  server_options(&o, "server");
  o.sni = sni;
  o.sni_count = 4;
  server = pair_context(&o);
  memset(sni, 0, sizeof sni); /* it has a copy */
  for (v = 0; v < 2; v++) {
    SSL_CTX *ctx = raw_client(numbers[v]);
    for (i = 0; i < sizeof table / sizeof table[0]; i++) {
      char subject[128];
      struct pair p;
      pair_open_raw(&p, server, ctx, table[i].name);
      pair_run(&p);
      is_up(&p);
      (void)X509_NAME_get_text_by_NID(
        X509_get_subject_name(SSL_get0_peer_certificate(p.raw)),
        NID_commonName, subject, sizeof subject);
      assert_string_equal(subject, table[i].subject + 3);
      assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(p.raw)), 2);
      /* OpenSSL's client notes the name if it was acknowledged */
      assert_int_equal(
        SSL_SESSION_get0_hostname(SSL_get0_session(p.raw)) != NULL,
        table[i].told);
      pair_close(&p);
    }
    SSL_CTX_free(ctx);
  }
  tls_context_unref(server);
}

/* A client that says another name once it has heard the server. */
static void change_its_mind(int out, int version, int type, const void *data,
                            size_t n, SSL *ssl, void *arg) {
  (void)version;
  if (out == 0 && type == SSL3_RT_HANDSHAKE && n > 0 &&
      *(const unsigned char *)data == SSL3_MT_SERVER_HELLO)
    (void)SSL_set_tlsext_host_name(ssl, (const char *)arg);
}

static void a_hello_retry_changes_nothing_of_the_choice(void **state) {
  static const char *const names[][2] = {{"a.example", "a.example"},
                                         {"a.example", "server.test"},
                                         {"server.test", "a.example"}};
  struct tls_identity sni = {"a.example", NULL, NULL, NULL};
  struct tls_options o;
  struct tls_context *server;
  SSL_CTX *ctx = raw_client(TLS1_3_VERSION);
  struct pair p;
  int i;
  (void)state;
  server_options(&o, "server");
  sni.cert = certs_path("aserver.crt");
  sni.key = certs_path("aserver.key");
  o.sni = &sni;
  o.sni_count = 1;
  o.groups = "P-384:P-256";
  server = pair_context(&o);
  assert_int_equal(SSL_CTX_set1_groups_list(ctx, "X25519:P-384"), 1);
  for (i = 0; i < 3; i++) {
    pair_open_raw(&p, server, ctx, names[i][0]);
    SSL_set_msg_callback(p.raw, change_its_mind);
    SSL_set_msg_callback_arg(p.raw, (void *)names[i][1]);
    pair_run(&p);
    is_up(&p);
    assert_int_equal(X509_check_host(SSL_get0_peer_certificate(p.raw),
                                     names[i][0], 0, 0, NULL), 1);
    pair_close(&p);
  }
  tls_context_unref(server);
  SSL_CTX_free(ctx);
}

/* ---- protocols ---------------------------------------------------------- */

static void our_preference_chooses_the_protocol(void **state) {
  static const struct {
    const char *offered; /* one byte of length before each; NULL: none */
    const char *chosen;  /* NULL: refused */
  } table[] = {
    {"\x02" "h2" "\x08" "http/1.1", "http/1.1"},
    {"\x08" "http/1.1", "http/1.1"},
    {"\x02" "h2" "\x08" "http/1.1" "\x06" "frames", "frames"},
    {"\x02" "h2", NULL},
    {"\x07" "http/1.", NULL},
    {"\x08" "HTTP/1.1", NULL},
    {NULL, ""},
  };
  static const char *const ours[] = {"frames", "http/1.1"};
  static const int numbers[] = {TLS1_2_VERSION, TLS1_3_VERSION};
  struct tls_options o;
  struct tls_context *server;
  size_t i;
  int v;
  (void)state;
  server_options(&o, "server");
  o.alpn.items = ours;
  o.alpn.count = 2;
  server = pair_context(&o);
  for (v = 0; v < 2; v++) {
    SSL_CTX *ctx = raw_client(numbers[v]);
    for (i = 0; i < sizeof table / sizeof table[0]; i++) {
      struct tls_peer *peer;
      struct pair p;
      pair_open_raw(&p, server, ctx, NULL);
      if (table[i].offered != NULL)
        assert_int_equal(
          SSL_set_alpn_protos(p.raw, (const unsigned char *)table[i].offered,
                              (unsigned)strlen(table[i].offered)), 0);
      pair_run(&p);
      if (table[i].chosen == NULL) {
        failed(&p.server, BASE_KIND_TLS, "no_application_protocol",
               "no protocol (ALPN) that is served here");
        assert_int_equal(ERR_GET_REASON(p.raw_error),
                         SSL_AD_REASON_OFFSET +
                           SSL_AD_NO_APPLICATION_PROTOCOL);
      } else {
        is_up(&p);
        peer = tls_session_peer(p.server.session);
        assert_string_equal(tls_peer_alpn(peer), table[i].chosen);
        tls_peer_unref(peer);
      }
      pair_close(&p);
    }
    SSL_CTX_free(ctx);
  }
  tls_context_unref(server);
}

static void without_protocols_every_offer_is_ignored(void **state) {
  struct tls_context *client = client_of(TLS_V_1_3, NULL), *server;
  struct tls_options o;
  struct tls_peer *peer;
  struct pair p;
  (void)state;
  server_options(&o, "server");
  o.alpn.count = 0;
  server = pair_context(&o);
  talk(&p, server, client, NULL);
  is_up(&p);
  peer = tls_session_peer(p.server.session);
  assert_string_equal(tls_peer_alpn(peer), "");
  tls_peer_unref(peer);
  pair_close(&p);
  tls_context_unref(client);
  tls_context_unref(server);
}

/* ---- what is spoken ----------------------------------------------------- */

/* What a client that can do but that cipher or version gets to hear. */
static void offer(struct tls_context *server, int version, const char *cipher,
                  const char *code, const char *words) {
  SSL_CTX *ctx = raw_client(version);
  struct pair p;
  if (cipher != NULL)
    assert_int_equal(SSL_CTX_set_cipher_list(ctx, cipher), 1);
  pair_open_raw(&p, server, ctx, NULL);
  pair_run(&p);
  if (code != NULL)
    failed(&p.server, BASE_KIND_TLS, code, words);
  else
    is_up(&p);
  pair_close(&p);
  SSL_CTX_free(ctx);
}

static void only_forward_secrecy_with_aead_is_spoken(void **state) {
  static const char *const wrong[] = {
    "ECDHE-RSA-AES128-SHA:@SECLEVEL=0", "ECDHE-RSA-AES256-SHA384:@SECLEVEL=0",
    "AES128-GCM-SHA256:@SECLEVEL=0", "AES256-SHA256:@SECLEVEL=0",
    "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0", "AECDH-AES128-SHA:@SECLEVEL=0",
    "NULL-SHA256:@SECLEVEL=0", "ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0"};
  static const char *const right[] = {
    "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305"};
  struct tls_context *server = server_of("rsaserver");
  size_t i;
  (void)state;
  for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    offer(server, TLS1_2_VERSION, wrong[i], "no_shared_cipher",
          "the client offers no cipher");
  for (i = 0; i < sizeof right / sizeof right[0]; i++)
    offer(server, TLS1_2_VERSION, right[i], NULL, NULL);
  offer(server, TLS1_3_VERSION, NULL, NULL, NULL);
  offer(server, TLS1_1_VERSION, "ALL:@SECLEVEL=0", "unsupported_protocol",
        "the client offers no version of TLS that is allowed here (allowed: "
        "TLS 1.2 to TLS 1.3)");
  offer(server, TLS1_VERSION, "ALL:@SECLEVEL=0", "unsupported_protocol",
        "allowed");
  tls_context_unref(server);
}

static void who_wants_old_versions_gets_forward_secrecy(void **state) {
  struct tls_options o;
  struct tls_context *server;
  (void)state;
  server_options(&o, "rsaserver");
  o.min_version = TLS_V_1_0;
  server = pair_context(&o);
  offer(server, TLS1_VERSION, "ALL:@SECLEVEL=0", NULL, NULL);
  offer(server, TLS1_1_VERSION, "ALL:@SECLEVEL=0", NULL, NULL);
  offer(server, TLS1_VERSION, "AES128-SHA:@SECLEVEL=0", "no_shared_cipher",
        "no cipher");
  tls_context_unref(server);
}

static const char *cipher_of(struct tls_context *server, int version,
                             const char *list, const char *suites) {
  static char name[64];
  SSL_CTX *ctx = raw_client(version);
  struct pair p;
  if (list != NULL)
    assert_int_equal(SSL_CTX_set_cipher_list(ctx, list), 1);
  if (suites != NULL)
    assert_int_equal(SSL_CTX_set_ciphersuites(ctx, suites), 1);
  pair_open_raw(&p, server, ctx, NULL);
  pair_run(&p);
  is_up(&p);
  (void)snprintf(name, sizeof name, "%s", SSL_get_cipher_name(p.raw));
  pair_close(&p);
  SSL_CTX_free(ctx);
  return name;
}

static void we_prefer_and_honour_who_needs_chacha(void **state) {
  struct tls_context *server = server_of("rsaserver");
  (void)state;
  assert_string_equal(
    cipher_of(server, TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384:"
              "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256", NULL),
    "ECDHE-RSA-AES128-GCM-SHA256");
  assert_string_equal(
    cipher_of(server, TLS1_2_VERSION, "ECDHE-RSA-CHACHA20-POLY1305:"
              "ECDHE-RSA-AES256-GCM-SHA384", NULL),
    "ECDHE-RSA-CHACHA20-POLY1305");
  assert_string_equal(
    cipher_of(server, TLS1_3_VERSION, NULL, "TLS_AES_256_GCM_SHA384:"
              "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"),
    "TLS_AES_128_GCM_SHA256");
  assert_string_equal(
    cipher_of(server, TLS1_3_VERSION, NULL, "TLS_CHACHA20_POLY1305_SHA256:"
              "TLS_AES_128_GCM_SHA256"), "TLS_CHACHA20_POLY1305_SHA256");
  tls_context_unref(server);
}

static void versions_ciphers_and_groups_can_be_chosen(void **state) {
  struct tls_options o;
  struct tls_context *server;
  (void)state;
  server_options(&o, "rsaserver");
  o.ciphers = "ECDHE-RSA-AES256-GCM-SHA384";
  o.ciphersuites = "TLS_AES_256_GCM_SHA384";
  o.groups = "P-384";
  server = pair_context(&o);
  assert_string_equal(cipher_of(server, TLS1_2_VERSION, NULL, NULL),
                      "ECDHE-RSA-AES256-GCM-SHA384");
  assert_string_equal(cipher_of(server, TLS1_3_VERSION, NULL, NULL),
                      "TLS_AES_256_GCM_SHA384");
  tls_context_unref(server);
  o.min_version = TLS_V_1_3;
  server = pair_context(&o);
  offer(server, TLS1_2_VERSION, NULL, "unsupported_protocol", "TLS 1.3)");
  tls_context_unref(server);
}

static void renegotiation_is_declined(void **state) {
  struct tls_context *server = server_of("server");
  SSL_CTX *ctx = raw_client(TLS1_2_VERSION);
  struct pair p;
  (void)state;
  pair_open_raw(&p, server, ctx, NULL);
  pair_run(&p);
  is_up(&p);
  assert_int_equal(SSL_renegotiate(p.raw), 1);
  (void)SSL_do_handshake(p.raw);
  pair_run(&p);
  assert_int_equal(ERR_GET_REASON(p.raw_error), SSL_R_NO_RENEGOTIATION);
  pair_close(&p);
  SSL_CTX_free(ctx);
  tls_context_unref(server);
}

/* ---- garbage ------------------------------------------------------------ */

static void hear(struct tls_context *server, const void *data, size_t n,
                 const char *code, const char *words) {
  size_t cut;
  for (cut = 0; cut < 2; cut++) {
    struct tls_conf conf = {NULL, NULL, false, NULL, NULL};
    struct pair p;
    pair_open(&p, server, server, &conf);
    p.server.cut = cut;
    pair_feed(&p.server, data, n);
    failed(&p.server, BASE_KIND_TLS, code, words);
    assert_int_equal(ERR_peek_error(), 0);
    pair_close(&p);
  }
}

static void what_is_no_tls_is_recognised(void **state) {
  static const char http[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  static const char proxy[] = "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n";
  static const char ssh[] = "SSH-2.0-OpenSSH_9.2\r\n";
  /* SSL 2.0's hello, of that version and nothing else */
  static const unsigned char sslv2[] = {
    0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10, 1, 0, 0x80, 2, 0,
    0x80, 3, 0, 0x80, 4, 0, 0x80, 5, 0, 0x80, 6, 0, 0x40, 7, 0, 0xc0,
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  /* a record of 65,535 bytes, and a hello of 16 MiB */
  static const unsigned char record[] = {22, 3, 1, 0xff, 0xff, 1, 0, 0xff, 0};
  static const unsigned char hello[] = {22, 3, 1, 0, 16, 1, 0xff, 0xff, 0xff,
                                        3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  struct tls_context *server = server_of("server");
  (void)state;
  hear(server, http, sizeof http - 1, "http_request",
       "the client speaks plain HTTP");
  hear(server, proxy, sizeof proxy - 1, "https_proxy_request", "HTTP proxy");
  hear(server, ssh, sizeof ssh - 1, "wrong_version_number",
       "the client does not speak TLS");
  hear(server, sslv2, sizeof sslv2, "unknown_protocol",
       "the client offers no version");
  hear(server, record, sizeof record, "packet_length_too_long",
       "larger than TLS allows");
  hear(server, hello, sizeof hello, "excessive_message_size",
       "larger than allowed");
  tls_context_unref(server);
}

static void random_bytes_never_get_further(void **state) {
  struct tls_context *server = server_of("server");
  unsigned round, i, dice = 11;
  (void)state;
  for (round = 0; round < 300; round++) {
    struct tls_conf conf = {NULL, NULL, false, NULL, NULL};
    uint8_t noise[600];
    struct pair p;
    for (i = 0; i < sizeof noise; i++) {
      dice = dice * 1103515245u + 12345u;
      noise[i] = (uint8_t)(dice >> 16);
    }
    if (round % 2 == 0) { /* the header of a record and of a hello at least */
      static const uint8_t head[] = {22, 3, 1, 1, 0x2c, 1, 0, 1, 0x28, 3, 3};
      memcpy(noise, head, sizeof head);
    }
    pair_open(&p, server, server, &conf);
    p.server.cut = 1 + round % 50;
    pair_feed(&p.server, noise, sizeof noise);
    tls_session_feed_end(p.server.session);
    if (p.server.status != TLS_FAILED)
      p.server.status = tls_session_handshake(p.server.session);
    assert_false(p.server.up);
    assert_int_equal(p.server.status, TLS_FAILED);
    pair_close(&p);
  }
  tls_context_unref(server);
}

static void a_fin_in_the_handshake_says_so(void **state) {
  struct tls_context *server = server_of("server");
  struct tls_conf conf = {NULL, NULL, false, NULL, NULL};
  struct pair p;
  (void)state;
  pair_open(&p, server, server, &conf);
  tls_session_feed_end(p.server.session);
  p.server.status = tls_session_handshake(p.server.session);
  failed(&p.server, BASE_KIND_TLS, "unexpected_eof_while_reading",
         "during the TLS handshake");
  pair_close(&p);
  tls_context_unref(server);
}

static void an_endless_chain_of_a_client_is_cut_off(void **state) {
  SSL_CTX *ctx = raw_client(TLS1_3_VERSION);
  struct tls_options o;
  struct tls_context *server;
  struct pair p;
  int i;
  (void)state;
  demanding(&o, TLS_CLIENT_REQUIRE);
  server = pair_context(&o);
  show(ctx, "client");
  for (i = 0; i < 200; i++)
    assert_int_equal(SSL_CTX_add1_chain_cert(ctx,
                                             SSL_CTX_get0_certificate(ctx)),
                     1);
  pair_open_raw(&p, server, ctx, NULL);
  pair_run(&p);
  failed(&p.server, BASE_KIND_TLS, "excessive_message_size",
         "larger than allowed");
  pair_close(&p);
  tls_context_unref(server);
  SSL_CTX_free(ctx);
}

/* ---- reload ------------------------------------------------------------- */

/* Whose certificate does a new client see? */
static void shows(struct tls_context *server, const char *name,
                  const char *issuer) {
  SSL_CTX *ctx = raw_client(TLS1_3_VERSION);
  char text[128];
  struct pair p;
  pair_open_raw(&p, server, ctx, name);
  pair_run(&p);
  is_up(&p);
  (void)X509_NAME_get_text_by_NID(
    X509_get_issuer_name(SSL_get0_peer_certificate(p.raw)), NID_commonName,
    text, sizeof text);
  assert_string_equal(text, issuer);
  pair_close(&p);
  SSL_CTX_free(ctx);
}

static void reload_is_all_or_nothing_and_drops_nobody(void **state) {
  static const char mine[] = "uvwss test intermediate", theirs[] = "another CA";
  struct tls_identity sni = {"a.example", NULL, NULL, NULL};
  struct tls_context *server, *client = client_of(TLS_V_1_3, "client");
  struct tls_options o;
  struct base_error *err;
  struct pair p;
  SSL_CTX *ctx;
  const char *file = certs_path("changing-ca.crt");
  (void)state;
  copy_file("server.crt", certs_path("changing.crt"));
  copy_file("server.key", certs_path("changing.key"));
  copy_file("server.crt", certs_path("changing-sni.crt"));
  copy_file("server.key", certs_path("changing-sni.key"));
  copy_file("ca.crt", certs_path("changing-ca.crt"));
  server_options(&o, "changing");
  sni.cert = certs_path("changing-sni.crt");
  sni.key = certs_path("changing-sni.key");
  o.sni = &sni;
  o.sni_count = 1;
  o.client_ca.items = &file;
  o.client_ca.count = 1;
  o.verify_client = TLS_CLIENT_REQUEST;
  server = pair_context(&o);
  talk(&p, server, client, NULL);
  is_up(&p);
  copy_file("impostor.crt", certs_path("changing.crt")); /* not its key */
  copy_file("other-ca.crt", certs_path("changing-ca.crt"));
  err = tls_context_reload(server);
  assert_non_null(err);
  assert_string_equal(err->code, "key_values_mismatch");
  base_error_free(err);
  shows(server, NULL, mine);
  copy_file("impostor.key", certs_path("changing.key"));
  (void)unlink(certs_path("changing-sni.key")); /* one of them is enough */
  err = tls_context_reload(server);
  assert_non_null(err);
  assert_string_equal(err->code, "ENOENT");
  base_error_free(err);
  shows(server, NULL, mine);
  shows(server, "a.example", mine);
  copy_file("impostor.crt", certs_path("changing-sni.crt"));
  copy_file("impostor.key", certs_path("changing-sni.key"));
  assert_null(tls_context_reload(server));
  shows(server, NULL, theirs);
  shows(server, "a.example", theirs);
  assert_int_equal(tls_session_write(p.client.session,
                                     (const uint8_t *)"still", 5, false),
                   TLS_OK);
  pair_run(&p);
  is_up(&p);
  assert_int_equal(p.server.got.len, 5);
  pair_close(&p);
  tls_context_unref(client);
  ctx = raw_client(TLS1_3_VERSION);
  show(ctx, "client");
  pair_open_raw(&p, server, ctx, NULL);
  pair_run(&p);
  failed(&p.server, BASE_KIND_CERTIFICATE, "unknown_issuer", "uvwss test CA");
  pair_close(&p);
  SSL_CTX_free(ctx);
  tls_context_unref(server);
}

static void a_session_keeps_what_it_began_with(void **state) {
  struct tls_conf conf = {"server.test", NULL, false, NULL, NULL};
  struct tls_context *server, *client = client_of(TLS_V_1_3, NULL);
  struct tls_options o;
  struct pair p;
  (void)state;
  copy_file("server.crt", certs_path("changing.crt"));
  copy_file("server.key", certs_path("changing.key"));
  server_options(&o, "changing");
  server = pair_context(&o);
  pair_open(&p, server, client, &conf);
  copy_file("impostor.crt", certs_path("changing.crt"));
  copy_file("impostor.key", certs_path("changing.key"));
  assert_null(tls_context_reload(server));
  tls_context_unref(server); /* nor does it need the context's owner */
  pair_run(&p);
  is_up(&p);
  pair_close(&p);
  tls_context_unref(client);
}

static void the_key_log_has_the_servers_keys_too(void **state) {
  struct tls_context *server, *client = client_of(TLS_V_1_3, NULL);
  struct tls_options o;
  struct pair p;
  char *log;
  (void)state;
  server_options(&o, "server");
  o.keylog = certs_path("server-keys.log");
  server = pair_context(&o);
  talk(&p, server, client, NULL);
  is_up(&p);
  pair_close(&p);
  tls_context_unref(client);
  tls_context_unref(server);
  log = certs_text("server-keys.log");
  assert_non_null(strstr(log, "SERVER_TRAFFIC_SECRET_0 "));
  free(log);
  (void)unlink(o.keylog);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_server_needs_a_certificate_and_its_key),
    cmocka_unit_test(to_verify_clients_someone_must_be_trusted),
    cmocka_unit_test(names_of_sni_are_host_names_that_differ),
    cmocka_unit_test(bytes_go_both_ways),
    cmocka_unit_test(steps_of_the_handshake_are_recorded),
    cmocka_unit_test(each_wrong_certificate_has_its_error_and_alert),
    cmocka_unit_test(a_refusal_has_the_fields_of_the_clients_certificate),
    cmocka_unit_test(the_right_certificate_is_served_and_named),
    cmocka_unit_test(a_requested_certificate_may_be_missing_but_not_wrong),
    cmocka_unit_test(without_the_option_no_certificate_is_asked_for),
    cmocka_unit_test(max_depth_and_strict_hold_for_clients),
    cmocka_unit_test(a_weak_key_of_a_client_is_refused),
    cmocka_unit_test(the_names_of_client_ca_are_told),
    cmocka_unit_test(a_certificate_is_chosen_by_name),
    cmocka_unit_test(a_hello_retry_changes_nothing_of_the_choice),
    cmocka_unit_test(our_preference_chooses_the_protocol),
    cmocka_unit_test(without_protocols_every_offer_is_ignored),
    cmocka_unit_test(only_forward_secrecy_with_aead_is_spoken),
    cmocka_unit_test(who_wants_old_versions_gets_forward_secrecy),
    cmocka_unit_test(we_prefer_and_honour_who_needs_chacha),
    cmocka_unit_test(versions_ciphers_and_groups_can_be_chosen),
    cmocka_unit_test(renegotiation_is_declined),
    cmocka_unit_test(what_is_no_tls_is_recognised),
    cmocka_unit_test(random_bytes_never_get_further),
    cmocka_unit_test(a_fin_in_the_handshake_says_so),
    cmocka_unit_test(an_endless_chain_of_a_client_is_cut_off),
    cmocka_unit_test(reload_is_all_or_nothing_and_drops_nobody),
    cmocka_unit_test(a_session_keeps_what_it_began_with),
    cmocka_unit_test(the_key_log_has_the_servers_keys_too),
  };
  if (!certs_make())
    return 1;
  ca = certs_path("ca.crt");
  other_ca = certs_path("other-ca.crt");
  return cmocka_run_group_tests(tests, NULL, NULL);
}
