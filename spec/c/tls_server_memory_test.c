/* tls, the server's role: with every single allocation failing once; and what
** an idle connection costs. */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "tls/context_impl.h"
#include "tls_heap.h"
#include "tls_pair.h"
#include "tls_support.h"

static const enum tls_version versions[] = {TLS_V_1_2, TLS_V_1_3};

static const char *ca;

static struct base_error *make(struct tls_context **c) {
  struct tls_identity sni[2] = {{"server.test", NULL, NULL, NULL},
                                {"*.example", NULL, NULL, NULL}};
  struct tls_options o;
  struct base_error *err;
  server_options(&o, "server");
  o.client_ca.items = &ca;
  o.client_ca.count = 1;
  o.verify_client = TLS_CLIENT_REQUIRE;
  sni[0].cert = sni[1].cert = certs_path("server.crt");
  sni[0].key = sni[1].key = certs_path("server.key");
  o.sni = sni;
  o.sni_count = 2;
  line_in_client = true;
  err = tls_context_new(c, &o);
  line_in_client = false;
  return err;
}

/* Fail the first allocation, the second, and so on, until none does. */
static void a_context_fails_cleanly_or_is_made_and_loaded_again(void **state) {
  struct tls_context *c;
  struct base_error *err;
  long n, before, step = tls_heap_step(13);
  (void)state;
  assert_null(make(&c));
  tls_context_unref(c);
  before = tls_heap_blocks;
  for (n = 0;; n += step) {
    struct tls_material *old;
    tls_heap_countdown = n;
    err = make(&c);
    if (err == NULL) {
      old = c->material;
      line_in_client = true;
      err = tls_context_reload(c);
      line_in_client = false;
      if (err != NULL)
        assert_ptr_equal(c->material, old);
      tls_context_unref(c);
    } else {
      assert_null(c);
    }
    base_error_free(err);
    assert_int_equal(ERR_peek_error(), 0);
    if (tls_heap_blocks != before)
      fail_msg("%ld blocks leaked at allocation %ld",
               tls_heap_blocks - before, n);
    if (tls_heap_countdown >= 0)
      break;
  }
  tls_heap_countdown = -1;
  assert_true(n > 100);
}

struct outcome {
  bool up, resumed, failed;
};

/* The allocations of our client fail as well. */
static void meet(struct tls_context *server, struct tls_context *client,
                 struct tls_ticket **t, struct outcome *o) {
  struct tls_conf conf = {"server.test", NULL, true, NULL, NULL};
  struct tls_peer *peer;
  struct base_error *err;
  struct pair p;
  conf.ticket = *t;
  memset(o, 0, sizeof *o);
  pair_open(&p, server, client, &conf);
  pair_run(&p);
  if (p.server.up) {
    line_in_client = true;
    peer = tls_session_peer(p.server.session);
    line_in_client = false;
    if (peer != NULL) {
      o->resumed = tls_peer_resumed(peer);
      assert_true(tls_peer_verified(peer) && tls_peer_chain_count(peer) > 1);
    }
    tls_peer_unref(peer);
  }
  o->up = p.server.up && p.client.up && p.server.status == TLS_WANT;
  o->failed = p.server.status == TLS_FAILED || p.client.status == TLS_FAILED;
  if (p.server.session != NULL && p.server.status == TLS_FAILED) {
    err = tls_session_error(p.server.session);
    assert_non_null(err);
    base_error_free(err);
  }
  tls_ticket_unref(*t);
  *t = o->up ? tls_session_ticket(p.client.session) : NULL;
  pair_close(&p);
}

static void try_all(int v, const char *certificate, bool resumes, bool good) {
  struct tls_context *server, *client = client_of(versions[v], certificate);
  long n, before = 0, step = tls_heap_step(5);
  struct outcome o;
  assert_null(make(&server));
  for (n = -2 * step;; n += step) {
    struct tls_ticket *t = NULL;
    tls_heap_countdown = -1;
    if (n == 0)
      before = tls_heap_blocks; /* what is kept for good is there by now */
    if (resumes) {
      meet(server, client, &t, &o);
      assert_true(o.up && t != NULL);
    }
    tls_heap_countdown = n >= 0 ? n : -1;
    meet(server, client, &t, &o);
    if (!good && o.up)
      fail_msg("accepted when allocation %ld failed", n);
    if (!o.up && !o.failed)
      fail_msg("nothing was said of allocation %ld", n);
    tls_ticket_unref(t);
    if (n >= 0 && tls_heap_blocks != before)
      fail_msg("%ld blocks leaked at allocation %ld",
               tls_heap_blocks - before, n);
    if (n >= 0 && tls_heap_countdown >= 0)
      break;
  }
  tls_heap_countdown = -1;
  assert_int_equal(o.up, good);
  assert_int_equal(o.resumed, resumes);
  assert_true(n > 100);
  print_message("%s: %ld allocations\n", certificate, n);
  tls_context_unref(server);
  tls_context_unref(client);
}

static void a_good_client_is_served_or_fails_cleanly(void **state) {
  (void)state;
  try_all(0, "rootclient", false, true);
  try_all(1, "rootclient", false, true);
}

static void a_resumption_works_or_fails_cleanly(void **state) {
  (void)state;
  try_all(0, "rootclient", true, true);
  try_all(1, "rootclient", true, true);
}

static void a_bad_client_is_never_served(void **state) {
  (void)state;
  try_all(0, "expiredclient", false, false);
  try_all(1, "otherclient", false, false);
}

/* ---- idle connections --------------------------------------------------- */

/* Records that come whole and in pieces, and some that go. */
static void talk(struct pair *p) {
  static const uint8_t big[50000] = {1, 2, 3};
  p->server.cut = 20000;
  assert_int_equal(tls_session_write(p->client.session, big, sizeof big,
                                     false), TLS_OK);
  assert_int_equal(tls_session_write(p->server.session, big, 16384, true),
                   TLS_OK);
  assert_int_equal(tls_session_write(p->server.session, big, sizeof big,
                                     false), TLS_OK);
  pair_run(p);
  assert_int_equal(p->server.got.len, sizeof big);
  base_buf_free(&p->server.got);
  base_buf_free(&p->server.out);
}

/* What OpenSSL and we hold for one server's session, in bytes; after much was
** said, no more. */
static void an_idle_connection_has_no_buffers(void **state) {
  enum { COUNT = 20 };
  static const char *const certificates[] = {NULL, "rootclient"};
  static struct pair pairs[COUNT];
  int v, k, i;
  (void)state;
  for (k = 0; k < 3; k++)
    for (v = 0; v < 2; v++) {
      struct tls_context *client = client_of(versions[v], certificates[k % 2]),
                         *server;
      struct tls_conf conf = {"server.test", NULL, false, NULL, NULL};
      struct tls_options o;
      long before, after;
      server_options(&o, "server");
      o.client_ca.items = &ca;
      o.client_ca.count = 1;
      o.verify_client = TLS_CLIENT_REQUEST;
      server = pair_context(&o);
      for (i = 0; i < COUNT; i++) {
        pair_open(&pairs[i], server, client, &conf);
        pair_run(&pairs[i]);
        assert_int_equal(pairs[i].server.status, TLS_WANT);
        if (k == 2)
          talk(&pairs[i]);
        tls_session_free(pairs[i].client.session);
        pairs[i].client.session = NULL;
      }
      before = tls_heap_ssl_bytes;
      for (i = 0; i < COUNT; i++)
        pair_close(&pairs[i]);
      after = tls_heap_ssl_bytes;
      print_message("TLS 1.%d%s: %ld bytes\n", 2 + v,
                    k == 0   ? ""
                    : k == 1 ? ", client's certificate"
                             : ", after 50,000 bytes each way",
                    (before - after) / COUNT);
      assert_true((before - after) / COUNT < 32 * 1024);
      tls_context_unref(client);
      tls_context_unref(server);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_context_fails_cleanly_or_is_made_and_loaded_again),
    cmocka_unit_test(a_good_client_is_served_or_fails_cleanly),
    cmocka_unit_test(a_resumption_works_or_fails_cleanly),
    cmocka_unit_test(a_bad_client_is_never_served),
    cmocka_unit_test(an_idle_connection_has_no_buffers),
  };
  if (!tls_heap_take() || !certs_make())
    return 1;
  ca = certs_path("ca.crt");
  return cmocka_run_group_tests(tests, NULL, NULL);
}
