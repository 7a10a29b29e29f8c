/* tls: with every single allocation failing once, OpenSSL's included. */
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

#include "tls_heap.h"
#include "tls_support.h"

/* ---- one whole life ----------------------------------------------------- */

struct life {
  const char *certificate; /* of the server */
  const char *pin;         /* or NULL */
  bool connects;           /* else there is a context, and no more */
  bool resumes;
  bool shows;              /* a certificate of our own */
  int version;
  long step;               /* look at every n-th allocation; 0: at each */
};

struct outcome {
  bool up;     /* the handshake succeeded */
  bool said;   /* and bytes went both ways */
  bool failed; /* something returned an error, and it was there */
};

static void use(struct line *l, struct outcome *o) {
  struct tls_peer *p;
  struct tls_cert cert;
  line_in_client = true;
  p = tls_session_peer(l->client);
  if (p != NULL && tls_peer_cert(p, 0, &cert))
    tls_cert_deinit(&cert);
  tls_peer_unref(p);
  if (tls_session_write(l->client, (const uint8_t *)"ping", 4, false) ==
      TLS_OK) {
    line_in_client = false;
    line_run(l);
    o->said = l->sent_up.len == 4 &&
              memcmp(base_buf_data(&l->sent_up), "ping", 4) == 0;
    line_in_client = true;
  }
  tls_session_shutdown(l->client);
  line_in_client = false;
}

static struct tls_ticket *connect_once(struct tls_context *c, SSL_CTX *server,
                                       struct tls_ticket *t,
                                       struct outcome *o) {
  struct tls_conf conf = {"server.test", NULL, true, NULL, NULL};
  struct base_error *err = NULL;
  struct line l;
  conf.ticket = t;
  t = NULL;
  memset(o, 0, sizeof *o);
  if (!line_open(&l, c, server, &conf, &err)) {
    o->failed = err != NULL;
    base_error_free(err);
  } else {
    line_run(&l);
    o->up = l.up;
    if (l.up && l.status != TLS_FAILED)
      use(&l, o);
    line_in_client = true;
    err = tls_session_error(l.client);
    o->failed = err != NULL;
    base_error_free(err);
    t = tls_session_ticket(l.client);
    line_in_client = false;
  }
  line_close(&l);
  return t;
}

static struct base_error *make(const struct life *life,
                               struct tls_context **c) {
  struct tls_options options;
  struct base_error *err;
  const char *ca = certs_path("ca.crt");
  options_with(&options, &ca);
  if (life->shows) {
    options.cert = certs_path("encrypted.crt");
    options.key = certs_path("encrypted.key");
    options.password = "secret";
  }
  if (life->pin != NULL) {
    options.pins.items = &life->pin;
    options.pins.count = 1;
  }
  line_in_client = true;
  err = tls_context_new(c, &options);
  line_in_client = false;
  return err;
}

static void connect_all(const struct life *life, struct tls_context *c,
                        SSL_CTX *server, struct outcome *o) {
  struct tls_ticket *t = connect_once(c, server, NULL, o), *next;
  if (life->resumes && t != NULL && !o->failed) {
    next = connect_once(c, server, t, o);
    tls_ticket_unref(next);
  }
  tls_ticket_unref(t);
}

/* With a context given, it is that which is used. */
static void live(const struct life *life, struct tls_context *given,
                 SSL_CTX *server, struct outcome *o) {
  struct tls_context *c = given;
  struct base_error *err = given == NULL ? make(life, &c) : NULL;
  memset(o, 0, sizeof *o);
  if (err != NULL) {
    o->failed = true;
    base_error_free(err);
    return;
  }
  if (life->connects)
    connect_all(life, c, server, o);
  if (given != NULL)
    return;
  line_in_client = true;
  tls_context_unref(c);
  line_in_client = false;
}

/*
** Fail the first allocation, the second, and so on, until a life passes
** without one. UVWSS_STEP=1 takes the minutes to look at each of them in all
** lives, where a step is a prime otherwise (and a large one under valgrind,
** where each life takes a second).
*/
static void try_all(const struct life *life, bool good) {
  struct server_conf conf = {NULL, 0, false, NULL, NULL, NULL};
  long n, step = tls_heap_step(life->step), before;
  struct tls_context *c = NULL;
  struct outcome o;
  SSL_CTX *server;
  conf.name = life->certificate;
  conf.version = life->version;
  conf.wants_client = life->shows;
  server = server_new(&conf);
  tls_heap_countdown = -1;
  if (life->connects)
    assert_null(make(life, &c));
  live(life, c, server, &o); /* what OpenSSL keeps for good is there then */
  live(life, c, server, &o);
  assert_int_equal(o.up && o.said, life->connects && good);
  before = tls_heap_blocks;
  for (n = 0;; n += step) {
    tls_heap_countdown = n;
    live(life, c, server, &o);
    if (!good && o.up)
      fail_msg("accepted when allocation %ld failed", n);
    if (life->connects && !o.said && !o.failed)
      fail_msg("nothing was said of allocation %ld", n);
    if (tls_heap_blocks != before)
      fail_msg("%ld blocks leaked at allocation %ld",
               tls_heap_blocks - before, n);
    if (tls_heap_countdown >= 0)
      break; /* there are not so many */
  }
  tls_heap_countdown = -1;
  assert_int_equal(o.said, life->connects && good);
  assert_true(n > 100);
  print_message("%s: %ld allocations\n", life->certificate, n);
  tls_context_unref(c);
  SSL_CTX_free(server);
}

static void a_context_fails_cleanly_or_is_made(void **state) {
  struct life life = {"server", NULL, false, false, false, 0, 1};
  (void)state;
  life.pin = certs_pin("server.crt");
  try_all(&life, true);
}

static void an_encrypted_key_fails_cleanly_or_is_read(void **state) {
  struct life life = {"server", NULL, false, false, true, 0, 17};
  (void)state;
  try_all(&life, true);
}

static void a_good_server_fails_cleanly_or_works(void **state) {
  struct life life = {"server", NULL, true, false, true, 0, 5};
  (void)state;
  life.pin = certs_pin("server.crt");
  try_all(&life, true);
}

static void a_resumption_fails_cleanly_or_works(void **state) {
  static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
  struct life life = {"server", NULL, true, true, false, 0, 5};
  size_t i;
  (void)state;
  for (i = 0; i < 2; i++) {
    life.version = versions[i];
    try_all(&life, true);
  }
}

static void a_bad_certificate_is_never_accepted(void **state) {
  static const char *const names[] = {"wronghost", "expired", "impostor",
                                      "clientasserver"};
  struct life life = {NULL, NULL, true, false, false, 0, 1};
  size_t i;
  (void)state;
  for (i = 0; i < sizeof names / sizeof names[0]; i++) {
    life.certificate = names[i];
    try_all(&life, false);
    life.step = 3; /* the first of them was looked at in full */
  }
}

static void a_wrong_pin_is_never_accepted(void **state) {
  struct life life = {"server", NULL, true, false, false, 0, 3};
  (void)state;
  life.pin = certs_pin("other-ca.crt");
  try_all(&life, false);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_context_fails_cleanly_or_is_made),
    cmocka_unit_test(an_encrypted_key_fails_cleanly_or_is_read),
    cmocka_unit_test(a_good_server_fails_cleanly_or_works),
    cmocka_unit_test(a_resumption_fails_cleanly_or_works),
    cmocka_unit_test(a_bad_certificate_is_never_accepted),
    cmocka_unit_test(a_wrong_pin_is_never_accepted),
  };
  if (!tls_heap_take() || !certs_make())
    return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
