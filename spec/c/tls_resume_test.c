/* tls: a server's tickets, their keys, and who may come back with one. */
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

#include <openssl/pem.h>

#include "tls/context_impl.h"
#include "tls/session_impl.h"
#include "tls/ticket.h"
#include "tls/verify.h"
#include "tls_pair.h"
#include "tls_support.h"

static const enum tls_version versions[] = {TLS_V_1_2, TLS_V_1_3};

static const char *ca;

/* ---- a clock that is told ----------------------------------------------- */

static double now;

static double told(void) {
  return now;
}

static struct tls_keys *new_keys(void) {
  struct tls_keys *k = tls_keys_new();
  assert_non_null(k);
  k->clock = told;
  now = 1000.0;
  return k;
}

static void a_key_encrypts_for_an_hour(void **state) {
  struct tls_keys *k = new_keys();
  uint8_t first[16];
  (void)state;
  assert_false(k->current.there); /* none before it is needed */
  memcpy(first, tls_keys_current(k)->name, 16);
  now += 3599;
  assert_memory_equal(tls_keys_current(k)->name, first, 16);
  now += 1;
  assert_memory_not_equal(tls_keys_current(k)->name, first, 16);
  tls_keys_free(k);
  tls_keys_free(NULL);
}

static void every_part_of_a_key_changes(void **state) {
  struct tls_keys *k = new_keys();
  struct tls_key first;
  (void)state;
  first = *tls_keys_current(k);
  now += 3600;
  assert_memory_not_equal(tls_keys_current(k)->name, first.name, 16);
  assert_memory_not_equal(tls_keys_current(k)->aes, first.aes, 32);
  assert_memory_not_equal(tls_keys_current(k)->mac, first.mac, 32);
  tls_keys_free(k);
}

static void the_last_key_is_known_for_an_hour_more(void **state) {
  static const uint8_t zeros[sizeof(struct tls_key)] = {0};
  struct tls_keys *k = new_keys();
  uint8_t first[16];
  (void)state;
  memcpy(first, tls_keys_current(k)->name, 16);
  assert_ptr_equal(tls_keys_find(k, first), &k->current);
  now += 3600; /* nobody needed a new one: this makes none */
  assert_ptr_equal(tls_keys_find(k, first), &k->last);
  assert_false(k->current.there);
  (void)tls_keys_current(k);
  now += 3599;
  assert_ptr_equal(tls_keys_find(k, first), &k->last);
  now += 1;
  assert_null(tls_keys_find(k, first));
  assert_memory_not_equal(&k->last, zeros, sizeof zeros); /* the second one */
  now += 3600;
  assert_null(tls_keys_find(k, first));
  assert_memory_equal(&k->last, zeros, sizeof zeros); /* wiped */
  assert_memory_equal(&k->current, zeros, sizeof zeros);
  tls_keys_free(k);
}

static void after_a_pause_nothing_old_is_known(void **state) {
  struct tls_keys *k = new_keys();
  uint8_t first[16], unknown[16] = {1};
  (void)state;
  memcpy(first, tls_keys_current(k)->name, 16);
  assert_null(tls_keys_find(k, unknown));
  now += 2 * 3600;
  assert_null(tls_keys_find(k, first));
  assert_memory_not_equal(tls_keys_current(k)->name, first, 16);
  assert_false(k->last.there);
  tls_keys_free(k);
}

/* ---- connections -------------------------------------------------------- */

static struct tls_context *server_of(const char *const *trusted,
                                     enum tls_verify_client how) {
  struct tls_options o;
  struct tls_context *c;
  server_options(&o, "server");
  o.client_ca.items = trusted;
  o.client_ca.count = trusted != NULL ? 1 : 0;
  o.verify_client = how;
  c = pair_context(&o);
  c->keys->clock = told;
  now = 1000.0;
  return c;
}

/*
** Connect with a ticket, which is replaced by the one that came of it. Was it
** resumed? Both ends agree, or the test fails; so it does if the connection
** does.
*/
static bool meet(struct tls_context *server, struct tls_context *client,
                 const char *host, struct tls_ticket **t) {
  struct tls_conf conf = {NULL, NULL, false, NULL, NULL};
  struct tls_peer *ours, *theirs;
  struct base_error *err;
  struct pair p;
  bool resumed;
  conf.host = host;
  conf.ticket = t != NULL ? *t : NULL;
  pair_open(&p, server, client, &conf);
  pair_run(&p);
  err = tls_session_error(p.server.session);
  if (err != NULL || !p.server.up || !p.client.up)
    fail_msg("%s", err != NULL ? err->message : "not up");
  ours = tls_session_peer(p.server.session);
  theirs = tls_session_peer(p.client.session);
  resumed = tls_peer_resumed(ours);
  assert_int_equal(resumed, tls_peer_resumed(theirs));
  tls_peer_unref(ours);
  tls_peer_unref(theirs);
  if (t != NULL) {
    tls_ticket_unref(*t);
    *t = tls_session_ticket(p.client.session);
  }
  pair_close(&p);
  return resumed;
}

static void a_ticket_is_taken_and_renewed(void **state) {
  int v, i;
  (void)state;
  for (v = 0; v < 2; v++) {
    struct tls_context *server = server_of(NULL, TLS_CLIENT_NONE),
                       *client = client_of(versions[v], NULL);
    struct tls_ticket *t = NULL;
    assert_false(meet(server, client, "server.test", &t));
    for (i = 0; i < 3; i++) {
      assert_non_null(t);
      assert_true(meet(server, client, "server.test", &t));
    }
    tls_ticket_unref(t);
    tls_context_unref(server);
    tls_context_unref(client);
  }
}

static void a_ticket_of_the_last_key_is_taken_and_replaced(void **state) {
  int v;
  (void)state;
  for (v = 0; v < 2; v++) {
    struct tls_context *server = server_of(NULL, TLS_CLIENT_NONE),
                       *client = client_of(versions[v], NULL);
    struct tls_ticket *t = NULL, *old;
    int hour;
    assert_false(meet(server, client, "server.test", &t));
    for (hour = 0; hour < 5; hour++) {
      now += 3600; /* each time it is one of the last key */
      assert_true(meet(server, client, "server.test", &t));
      assert_non_null(t);
    }
    old = tls_ticket_ref(t);
    now += 3600;
    assert_true(meet(server, client, "server.test", &t));
    now += 3600;
    if (v == 0) /* one of TLS 1.3 is offered once */
      assert_false(meet(server, client, "server.test", &old));
    now += 3600;
    assert_false(meet(server, client, "server.test", &t));
    assert_true(meet(server, client, "server.test", &t)); /* of the new key */
    tls_ticket_unref(old);
    tls_ticket_unref(t);
    tls_context_unref(server);
    tls_context_unref(client);
  }
}

static void a_tickets_lifetime_is_two_hours_at_most(void **state) {
  int v;
  (void)state;
  for (v = 0; v < 2; v++) {
    struct tls_context *server = server_of(NULL, TLS_CLIENT_NONE),
                       *client = client_of(versions[v], NULL);
    struct tls_ticket *t = NULL;
    unsigned long hint;
    assert_false(meet(server, client, "server.test", &t));
    hint = SSL_SESSION_get_ticket_lifetime_hint(t->session);
    assert_true(hint > 0 && hint <= 7200);
    tls_ticket_unref(t);
    tls_context_unref(server);
    tls_context_unref(client);
  }
}

static void a_ticket_survives_reload_but_not_its_context(void **state) {
  int v;
  (void)state;
  for (v = 0; v < 2; v++) {
    struct tls_context *server = server_of(NULL, TLS_CLIENT_NONE),
                       *other = server_of(NULL, TLS_CLIENT_NONE),
                       *client = client_of(versions[v], NULL);
    struct tls_ticket *t = NULL;
    assert_false(meet(server, client, "server.test", &t));
    assert_null(tls_context_reload(server));
    assert_true(meet(server, client, "server.test", &t));
    assert_false(meet(other, client, "server.test", &t));
    tls_ticket_unref(t);
    tls_context_unref(server);
    tls_context_unref(other);
    tls_context_unref(client);
  }
}

/* RFC 6066, 3. Our own client would not offer it, so its ticket is forged. */
static void a_ticket_is_good_for_the_name_it_was_given_for(void **state) {
  int v;
  (void)state;
  for (v = 0; v < 2; v++) {
    struct tls_context *server = server_of(NULL, TLS_CLIENT_NONE),
                       *client = client_of(versions[v], NULL);
    struct tls_ticket *t = NULL;
    assert_false(meet(server, client, "server.test", &t));
    tls_name_deinit(&t->name);
    assert_null(tls_name_init(&t->name, "localhost"));
    assert_int_equal(SSL_SESSION_set1_hostname(t->session, "localhost"), 1);
    assert_false(meet(server, client, "localhost", &t));
    assert_true(meet(server, client, "localhost", &t));
    tls_ticket_unref(t);
    tls_context_unref(server);
    tls_context_unref(client);
  }
}

static void a_changed_ticket_costs_nothing_but_a_handshake(void **state) {
  int v;
  (void)state;
  for (v = 0; v < 2; v++) {
    struct tls_context *server = server_of(NULL, TLS_CLIENT_NONE),
                       *client = client_of(versions[v], NULL);
    struct tls_ticket *t = NULL;
    const unsigned char *bytes;
    size_t n;
    assert_false(meet(server, client, "server.test", &t));
    SSL_SESSION_get0_ticket(t->session, &bytes, &n);
    assert_true(n > 60);
    ((unsigned char *)bytes)[n / 2] ^= 1; /* of the client's own memory */
    assert_false(meet(server, client, "server.test", &t));
    tls_ticket_unref(t);
    tls_context_unref(server);
    tls_context_unref(client);
  }
}

static void without_the_option_there_are_no_tickets(void **state) {
  int v;
  (void)state;
  for (v = 0; v < 2; v++) {
    struct tls_context *server, *client = client_of(versions[v], NULL);
    struct tls_conf conf = {"server.test", NULL, true, NULL, NULL};
    struct tls_options o;
    struct tls_ticket *t = NULL;
    struct tls_step step;
    struct pair p;
    server_options(&o, "server");
    o.tickets = false;
    server = pair_context(&o);
    assert_null(server->keys);
    pair_open(&p, server, client, &conf);
    pair_run(&p);
    assert_true(p.server.up);
    while (tls_session_step(p.server.session, &step))
      assert_string_not_equal(step.name, "NewSessionTicket");
    /* nor is there a session that the server keeps (RFC 5246, 7.4.1.3) */
    assert_int_equal(
      SSL_CTX_sess_number(server->material->ssl), 0);
    pair_close(&p);
    assert_false(meet(server, client, "server.test", &t));
    assert_false(meet(server, client, "server.test", &t));
    tls_ticket_unref(t);
    tls_context_unref(server);
    tls_context_unref(client);
  }
}

static void one_of_another_server_leads_to_a_handshake(void **state) {
  int v;
  (void)state;
  for (v = 0; v < 2; v++) {
    struct server_conf conf = {NULL, 0, false, NULL, NULL, NULL};
    struct tls_conf ours = {"server.test", NULL, false, NULL, NULL};
    struct tls_context *server, *client = client_of(versions[v], NULL);
    struct tls_options o;
    struct tls_ticket *t;
    struct base_error *err;
    SSL_CTX *foreign = server_new(&conf);
    struct line l;
    assert_true(line_open(&l, client, foreign, &ours, &err));
    line_run(&l);
    t = tls_session_ticket(l.client);
    assert_non_null(t);
    line_close(&l);
    server_options(&o, "server");
    o.tickets = v == 0;
    server = pair_context(&o);
    assert_false(meet(server, client, "server.test", &t));
    tls_ticket_unref(t);
    tls_context_unref(server);
    tls_context_unref(client);
    SSL_CTX_free(foreign);
  }
}

/* ---- with a client's certificate ---------------------------------------- */

static void a_resumed_client_is_verified_and_named_again(void **state) {
  static const enum tls_verify_client how[] = {TLS_CLIENT_REQUEST,
                                               TLS_CLIENT_REQUIRE};
  int v, k;
  (void)state;
  for (v = 0; v < 2; v++)
    for (k = 0; k < 2; k++) {
      struct tls_context *server = server_of(&ca, how[k]),
                         *client = client_of(versions[v], "rootclient");
      struct tls_conf conf = {"server.test", NULL, false, NULL, NULL};
      struct tls_ticket *t = NULL;
      struct tls_cert cert;
      struct tls_peer *peer;
      struct pair p;
      assert_false(meet(server, client, "server.test", &t));
      conf.ticket = t;
      pair_open(&p, server, client, &conf);
      pair_run(&p);
      assert_true(p.server.up);
      peer = tls_session_peer(p.server.session);
      assert_true(tls_peer_resumed(peer) && tls_peer_verified(peer));
      assert_int_equal(tls_peer_chain_count(peer), 2);
      assert_true(tls_peer_cert(peer, 0, &cert));
      assert_string_equal(cert.subject, "CN=root client");
      tls_cert_deinit(&cert);
      tls_peer_unref(peer);
      pair_close(&p);
      tls_ticket_unref(t);
      tls_context_unref(server);
      tls_context_unref(client);
    }
}

static void a_client_that_showed_nothing_resumes_as_nobody(void **state) {
  int v;
  (void)state;
  for (v = 0; v < 2; v++) {
    struct tls_context *server = server_of(&ca, TLS_CLIENT_REQUEST),
                       *client = client_of(versions[v], NULL);
    struct tls_conf conf = {"server.test", NULL, false, NULL, NULL};
    struct tls_ticket *t = NULL;
    struct tls_peer *peer;
    struct pair p;
    assert_false(meet(server, client, "server.test", &t));
    conf.ticket = t;
    pair_open(&p, server, client, &conf);
    pair_run(&p);
    peer = tls_session_peer(p.server.session);
    assert_true(tls_peer_resumed(peer) && !tls_peer_verified(peer));
    assert_int_equal(tls_peer_chain_count(peer), 0);
    tls_peer_unref(peer);
    pair_close(&p);
    tls_ticket_unref(t);
    tls_context_unref(server);
    tls_context_unref(client);
  }
}

/* The ticket has the client's own alone: the intermediate is not in it. */
static void a_chain_that_cannot_be_built_again_is_shown_again(void **state) {
  int v;
  (void)state;
  for (v = 0; v < 2; v++) {
    struct tls_context *server = server_of(&ca, TLS_CLIENT_REQUIRE),
                       *client = client_of(versions[v], "client");
    struct tls_ticket *t = NULL;
    assert_false(meet(server, client, "server.test", &t));
    assert_false(meet(server, client, "server.test", &t));
    tls_ticket_unref(t);
    tls_context_unref(server);
    tls_context_unref(client);
  }
}

static void who_is_not_trusted_any_more_does_not_resume(void **state) {
  const char *file = certs_path("trusted-clients.crt");
  int v;
  (void)state;
  for (v = 0; v < 2; v++) {
    struct tls_context *server, *client = client_of(versions[v], "rootclient");
    struct tls_conf conf = {"server.test", NULL, false, NULL, NULL};
    struct tls_ticket *t = NULL;
    struct base_error *err;
    struct pair p;
    copy_file("ca.crt", file);
    server = server_of(&file, TLS_CLIENT_REQUIRE);
    assert_false(meet(server, client, "server.test", &t));
    assert_null(tls_context_reload(server));
    assert_true(meet(server, client, "server.test", &t));
    copy_file("other-ca.crt", file);
    assert_null(tls_context_reload(server));
    conf.ticket = t;
    pair_open(&p, server, client, &conf);
    pair_run(&p);
    assert_false(p.server.up); /* a full handshake, which fails */
    err = tls_session_error(p.server.session);
    assert_string_equal(err->code, "unknown_issuer");
    base_error_free(err);
    pair_close(&p);
    tls_ticket_unref(t);
    tls_context_unref(server);
    tls_context_unref(client);
  }
  (void)unlink(file);
}

/* A ticket is not taken, because what it stands for is not trusted now, or
** under another name; and a certificate is only requested. The client that
** shows none then is nobody, not who it was. */
static void a_refused_ticket_leaves_no_name_behind(void **state) {
  const char *file = certs_path("trusted-clients.crt");
  int k;
  (void)state;
  for (k = 0; k < 4; k++) {
    struct tls_context *server,
                       *client = client_of(versions[k / 2], "rootclient"),
                       *nobody = client_of(versions[k / 2], NULL);
    struct tls_conf conf = {"server.test", NULL, false, NULL, NULL};
    struct tls_ticket *t = NULL;
    struct tls_peer *peer;
    struct pair p;
    copy_file("ca.crt", file);
    server = server_of(&file, TLS_CLIENT_REQUEST);
    assert_false(meet(server, client, "server.test", &t));
    /* stolen with all its secrets, by one who has not the client's key */
    tls_context_unref(t->context);
    t->context = tls_context_ref(nobody);
    if (k % 2 == 0) {
      copy_file("other-ca.crt", file);
      assert_null(tls_context_reload(server));
    } else {
      tls_name_deinit(&t->name);
      conf.host = "localhost";
      assert_null(tls_name_init(&t->name, conf.host));
      assert_int_equal(SSL_SESSION_set1_hostname(t->session, conf.host), 1);
    }
    conf.ticket = t;
    pair_open(&p, server, nobody, &conf);
    pair_run(&p);
    assert_true(p.server.up);
    peer = tls_session_peer(p.server.session);
    assert_false(tls_peer_resumed(peer) || tls_peer_verified(peer));
    assert_int_equal(tls_peer_chain_count(peer), 0);
    tls_peer_unref(peer);
    pair_close(&p);
    tls_ticket_unref(t);
    tls_context_unref(server);
    tls_context_unref(client);
    tls_context_unref(nobody);
  }
  (void)unlink(file);
}

/* What resumption asks. That time passes cannot be waited for. */
static void the_leaf_alone_is_verified_in_full(void **state) {
  static const struct {
    const char *file, *code;
  } table[] = {{"rootclient.crt", NULL},
               {"expiredclient.crt", "expired"},
               {"notyetclient.crt", "not_yet_valid"},
               {"client.crt", "unknown_issuer"},
               {"otherclient.crt", "unknown_issuer"},
               {"server.crt", "wrong_purpose"}};
  const char *trusted[2];
  struct tls_context *server;
  struct tls_options o;
  size_t i;
  (void)state;
  trusted[0] = ca;
  trusted[1] = certs_path("intermediate.crt");
  server_options(&o, "server");
  o.client_ca.items = trusted;
  o.verify_client = TLS_CLIENT_REQUIRE;
  for (i = 0; i < sizeof table / sizeof table[0]; i++) {
    X509 *x = read_cert(table[i].file);
    struct tls_judgement j;
    struct tls_case c;
    bool with = strcmp(table[i].file, "client.crt") != 0;
    o.client_ca.count = with ? 2 : 1;
    server = pair_context(&o);
    c.leaf = x;
    c.sent = NULL;
    c.store = SSL_CTX_get_cert_store(server->material->ssl);
    c.name = NULL;
    c.now = (double)time(NULL);
    if (tls_verify(&server->material->rules, &c, &j))
      assert_null(table[i].code);
    else if (table[i].code == NULL || strcmp(j.err->code, table[i].code) != 0)
      fail_msg("%s: %s", table[i].file, j.err->message);
    tls_judgement_deinit(&j);
    X509_free(x);
    tls_context_unref(server);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_key_encrypts_for_an_hour),
    cmocka_unit_test(every_part_of_a_key_changes),
    cmocka_unit_test(the_last_key_is_known_for_an_hour_more),
    cmocka_unit_test(after_a_pause_nothing_old_is_known),
    cmocka_unit_test(a_ticket_is_taken_and_renewed),
    cmocka_unit_test(a_ticket_of_the_last_key_is_taken_and_replaced),
    cmocka_unit_test(a_tickets_lifetime_is_two_hours_at_most),
    cmocka_unit_test(a_ticket_survives_reload_but_not_its_context),
    cmocka_unit_test(a_ticket_is_good_for_the_name_it_was_given_for),
    cmocka_unit_test(a_changed_ticket_costs_nothing_but_a_handshake),
    cmocka_unit_test(without_the_option_there_are_no_tickets),
    cmocka_unit_test(one_of_another_server_leads_to_a_handshake),
    cmocka_unit_test(a_resumed_client_is_verified_and_named_again),
    cmocka_unit_test(a_client_that_showed_nothing_resumes_as_nobody),
    cmocka_unit_test(a_chain_that_cannot_be_built_again_is_shown_again),
    cmocka_unit_test(who_is_not_trusted_any_more_does_not_resume),
    cmocka_unit_test(a_refused_ticket_leaves_no_name_behind),
    cmocka_unit_test(the_leaf_alone_is_verified_in_full),
  };
  if (!certs_make())
    return 1;
  ca = certs_path("ca.crt");
  return cmocka_run_group_tests(tests, NULL, NULL);
}
