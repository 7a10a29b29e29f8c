/* tls/session: a connection as a machine over bytes. */
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
#include <openssl/pem.h>

#include "tls/ticket.h"
#include "tls_support.h"

/* ---- what all of them need ---------------------------------------------- */

static const char *ca;
static SSL_CTX *plain_server;

static struct tls_context *context_of(const struct tls_options *o) {
  struct tls_context *c;
  struct base_error *err = tls_context_new(&c, o);
  if (err != NULL)
    fail_msg("%s", err->message);
  return c;
}

static struct tls_context *usual(void) {
  struct tls_options o;
  options_with(&o, &ca);
  return context_of(&o);
}

static SSL_CTX *server_of(int version) {
  struct server_conf conf = {NULL, 0, false, NULL, NULL, NULL};
  conf.version = version;
  return server_new(&conf);
}

static void open_with(struct line *l, struct tls_context *c, SSL_CTX *server,
                      struct tls_ticket *ticket) {
  struct tls_conf conf = {"server.test", NULL, false, NULL, NULL};
  struct base_error *err;
  conf.ticket = ticket;
  if (!line_open(l, c, server, &conf, &err))
    fail_msg("%s", err->message);
}

static void connect_with(struct line *l, struct tls_context *c,
                         SSL_CTX *server, struct tls_ticket *ticket) {
  open_with(l, c, server, ticket);
  line_run(l);
  if (l->status == TLS_FAILED)
    fail_msg("%s", tls_session_error(l->client)->message);
  assert_true(l->up && SSL_is_init_finished(l->server));
  assert_int_equal(l->status, TLS_WANT);
}

/* The connection has failed so; its error. */
static void failed(struct line *l, enum base_kind kind, const char *code,
                   const char *words) {
  struct base_error *err;
  assert_int_equal(l->status, TLS_FAILED);
  assert_int_equal(ERR_peek_error(), 0);
  err = tls_session_error(l->client);
  assert_non_null(err);
  if (err->kind != kind || strcmp(err->code, code) != 0 ||
      strstr(err->message, words) == NULL)
    fail_msg("%s/%s: %s", base_kind_name(err->kind), err->code, err->message);
  base_error_free(err);
}

static void say(struct line *l, const void *data, size_t n) {
  assert_int_equal(tls_session_write(l->client, (const uint8_t *)data, n,
                                     false), TLS_OK);
}

static void server_says(struct line *l, const void *data, size_t n) {
  size_t done;
  assert_int_equal(SSL_write_ex(l->server, data, n, &done), 1);
}

static void heard(struct base_buf *b, const void *data, size_t n) {
  assert_int_equal(b->len, n);
  assert_memory_equal(base_buf_data(b), data, n);
  base_buf_clear(b);
}

/* ---- handshakes and bytes ----------------------------------------------- */

static void bytes_arrive_however_they_are_cut(void **state) {
  static const size_t cuts[] = {0, 1, (size_t)-1, 5};
  static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
  static uint8_t big[100000];
  struct tls_context *c = usual();
  size_t i, v, k;
  (void)state;
  for (k = 0; k < sizeof big; k++)
    big[k] = (uint8_t)(k * 31 + k / 256);
  for (v = 0; v < 2; v++) {
    SSL_CTX *server = server_of(versions[v]);
    for (i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
      struct line l;
      open_with(&l, c, server, NULL);
      l.cut = cuts[i];
      line_run(&l);
      assert_true(l.up);
      say(&l, "up", 2);
      server_says(&l, "down", 4);
      line_run(&l);
      heard(&l.sent_up, "up", 2);
      heard(&l.got, "down", 4);
      say(&l, big, sizeof big);
      server_says(&l, big, sizeof big);
      line_run(&l);
      heard(&l.sent_up, big, sizeof big);
      heard(&l.got, big, sizeof big);
      tls_session_shutdown(l.client);
      (void)SSL_shutdown(l.server);
      line_run(&l);
      assert_int_equal(l.status, TLS_ENDED);
      assert_true(l.peer_ended);
      line_close(&l);
    }
    SSL_CTX_free(server);
  }
  tls_context_unref(c);
}

static void to_the_server(struct line *l) {
  assert_int_equal(BIO_write(SSL_get_rbio(l->server), base_buf_data(&l->out),
                             (int)l->out.len),
                   l->out.len);
  base_buf_clear(&l->out);
  (void)SSL_do_handshake(l->server);
}

/* All that the server has said so far, taken from it; to be freed. */
static char *taken_from_the_server(struct line *l, size_t *n) {
  char *bytes, *copy;
  long size = BIO_get_mem_data(SSL_get_wbio(l->server), &bytes);
  assert_true(size > 0);
  *n = (size_t)size;
  copy = (char *)malloc(*n);
  assert_non_null(copy);
  memcpy(copy, bytes, *n);
  (void)BIO_reset(SSL_get_wbio(l->server));
  return copy;
}

/* The same, at once. */
static size_t to_the_client(struct line *l) {
  size_t n;
  char *bytes = taken_from_the_server(l, &n);
  line_feed(l, bytes, n);
  free(bytes);
  return n;
}

static void what_follows_the_handshake_at_once_is_not_lost(void **state) {
  SSL_CTX *server = server_of(TLS1_2_VERSION); /* its Finished is the last */
  struct tls_context *c = usual();
  struct line l;
  (void)state;
  open_with(&l, c, server, NULL);
  to_the_server(&l);
  (void)to_the_client(&l);
  assert_false(l.up);
  to_the_server(&l);
  server_says(&l, "first", 5);
  (void)to_the_client(&l);
  assert_true(l.up);
  heard(&l.got, "first", 5);
  line_close(&l);
  tls_context_unref(c);
  SSL_CTX_free(server);
}

static void a_read_gives_at_most_what_is_asked_for(void **state) {
  struct tls_context *c = usual();
  struct line l;
  uint8_t out[4];
  char *bytes;
  size_t got, all = 0;
  long n;
  (void)state;
  connect_with(&l, c, plain_server, NULL);
  server_says(&l, "0123456789", 10);
  n = BIO_get_mem_data(SSL_get_wbio(l.server), &bytes);
  tls_session_feed(l.client, (const uint8_t *)bytes, (size_t)n);
  while (tls_session_read(l.client, out, sizeof out, &got) == TLS_OK) {
    assert_true(got > 0 && got <= sizeof out);
    assert_int_equal(out[0], '0' + all);
    all += got;
  }
  assert_int_equal(all, 10);
  (void)BIO_reset(SSL_get_wbio(l.server));
  line_close(&l);
  tls_context_unref(c);
}

static void the_bound_of_a_write_holds(void **state) {
  static const char *const ciphers[] = {
    NULL, "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA"};
  static const size_t sizes[] = {1, 15, 16, 100, 16383, 16384, 16385, 70000};
  static uint8_t zeros[70000];
  struct server_conf conf = {NULL, 0, false, NULL, NULL, NULL};
  size_t k, i;
  int v;
  (void)state;
  for (v = 0; v < 3; v++)
    for (k = 0; k < 3; k++) {
      static const int versions[] = {TLS1_VERSION, TLS1_2_VERSION,
                                     TLS1_3_VERSION};
      struct tls_options o;
      struct tls_context *c;
      struct line l;
      SSL_CTX *server;
      if (versions[v] == TLS1_VERSION && k != 2)
        continue; /* has nothing else */
      options_with(&o, &ca);
      o.min_version = TLS_V_1_0;
      o.ciphers = ciphers[k];
      conf.version = versions[v];
      server = server_new(&conf);
      c = context_of(&o);
      connect_with(&l, c, server, NULL);
      for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        (void)SSL_key_update(l.server, SSL_KEY_UPDATE_REQUESTED);
        (void)SSL_do_handshake(l.server);
        ERR_clear_error();
        line_run(&l); /* so that an answer to it is due before the data */
        base_buf_clear(&l.sent_up);
        say(&l, zeros, sizes[i]);
        assert_true(l.out.len > sizes[i]);
        assert_true(l.out.len <= tls_session_write_bound(sizes[i]));
        line_run(&l);
        heard(&l.sent_up, zeros, sizes[i]);
      }
      line_close(&l);
      tls_context_unref(c);
      SSL_CTX_free(server);
    }
}

static void old_versions_work_only_when_asked_for(void **state) {
  static const enum tls_version mins[] = {TLS_V_1_0, TLS_V_1_1};
  static const int theirs[] = {TLS1_VERSION, TLS1_1_VERSION};
  struct tls_options o;
  int i;
  (void)state;
  for (i = 0; i < 2; i++) {
    SSL_CTX *server = server_of(theirs[i]);
    struct tls_context *c;
    struct tls_peer *p;
    struct line l;
    options_with(&o, &ca);
    o.min_version = mins[i];
    c = context_of(&o);
    connect_with(&l, c, server, NULL);
    p = tls_session_peer(l.client);
    assert_string_equal(tls_peer_version(p), i == 0 ? "TLSv1" : "TLSv1.1");
    tls_peer_unref(p);
    line_close(&l);
    tls_context_unref(c);
    c = usual();
    open_with(&l, c, server, NULL);
    line_run(&l);
    failed(&l, BASE_KIND_TLS, "tlsv1_alert_protocol_version",
           "allowed: TLS 1.2 to TLS 1.3");
    line_close(&l);
    tls_context_unref(c);
    SSL_CTX_free(server);
  }
}

static void an_old_version_does_not_weaken_certificates(void **state) {
  struct server_conf conf = {"weak", TLS1_VERSION, false, NULL, NULL, NULL};
  SSL_CTX *server = server_new(&conf);
  struct tls_options o;
  struct tls_context *c;
  struct line l;
  (void)state;
  options_with(&o, &ca);
  o.min_version = TLS_V_1_0;
  c = context_of(&o);
  open_with(&l, c, server, NULL);
  line_run(&l);
  failed(&l, BASE_KIND_CERTIFICATE, "weak_key", "1024 bits");
  line_close(&l);
  tls_context_unref(c);
  SSL_CTX_free(server);
}

/* ---- the output --------------------------------------------------------- */

static void without_room_for_output_a_call_fails(void **state) {
  struct tls_context *c = usual();
  struct tls_conf conf = {"server.test", NULL, false, NULL, NULL};
  struct tls_session *s;
  struct base_buf tiny;
  struct base_error *err;
  struct line l;
  (void)state;
  assert_null(tls_session_new(&s, c, &conf));
  assert_int_equal(tls_session_handshake(s), TLS_FAILED);
  err = tls_session_error(s);
  assert_string_equal(err->code, "buffered");
  base_error_free(err);
  assert_int_equal(tls_session_handshake(s), TLS_FAILED);
  tls_session_free(s);
  base_buf_init(&tiny, 100);
  assert_null(tls_session_new(&s, c, &conf));
  tls_session_set_out(s, &tiny);
  assert_int_equal(tls_session_handshake(s), TLS_FAILED);
  assert_int_equal(tiny.len, 0);
  tls_session_free(s);
  base_buf_free(&tiny);
  connect_with(&l, c, plain_server, NULL);
  tls_session_set_out(l.client, NULL);
  l.status = tls_session_write(l.client, (const uint8_t *)"x", 1, false);
  failed(&l, BASE_KIND_LIMIT, "buffered", "full");
  assert_int_equal(tls_session_write(l.client, (const uint8_t *)"x", 1, false),
                   TLS_FAILED);
  line_close(&l);
  tls_context_unref(c);
}

static void a_session_that_has_not_begun_is_freed(void **state) {
  struct tls_context *c = usual();
  struct tls_conf conf = {"server.test", NULL, true, NULL, NULL};
  struct tls_session *s;
  struct tls_step step;
  (void)state;
  assert_null(tls_session_new(&s, c, &conf));
  assert_null(tls_session_error(s));
  assert_null(tls_session_ticket(s));
  assert_false(tls_session_step(s, &step));
  tls_session_shutdown(s); /* says nothing yet */
  tls_context_unref(c);    /* the session has a reference of its own */
  tls_session_free(s);
  tls_session_free(NULL);
}

/* ---- ends --------------------------------------------------------------- */

static void a_fin_without_close_notify_is_a_truncation(void **state) {
  struct tls_context *c = usual();
  struct tls_ticket *t;
  struct line l;
  uint8_t out[8];
  size_t got;
  (void)state;
  connect_with(&l, c, plain_server, NULL);
  tls_session_feed_end(l.client);
  l.status = tls_session_read(l.client, out, sizeof out, &got);
  failed(&l, BASE_KIND_TLS, "unexpected_eof_while_reading",
         "without close_notify");
  assert_int_equal(tls_session_read(l.client, out, sizeof out, &got),
                   TLS_FAILED);
  t = tls_session_ticket(l.client); /* a lost connection can be resumed */
  assert_non_null(t);
  line_close(&l);
  connect_with(&l, c, plain_server, t);
  assert_int_equal(SSL_session_reused(l.server), 1);
  line_close(&l);
  tls_ticket_unref(t);
  tls_context_unref(c);
}

static void a_fin_in_the_handshake_says_so(void **state) {
  struct tls_context *c = usual();
  struct line l;
  (void)state;
  open_with(&l, c, plain_server, NULL);
  tls_session_feed_end(l.client);
  l.status = tls_session_handshake(l.client);
  failed(&l, BASE_KIND_TLS, "unexpected_eof_while_reading",
         "during the TLS handshake");
  line_close(&l);
  tls_context_unref(c);
}

static void close_notify_ends_reading_but_not_writing(void **state) {
  struct tls_context *c = usual();
  struct line l;
  uint8_t out[8];
  size_t got;
  (void)state;
  connect_with(&l, c, plain_server, NULL);
  server_says(&l, "last", 4);
  (void)SSL_shutdown(l.server);
  line_run(&l);
  heard(&l.got, "last", 4);
  assert_int_equal(l.status, TLS_ENDED);
  tls_session_feed_end(l.client); /* now the FIN is as it should be */
  assert_int_equal(tls_session_read(l.client, out, sizeof out, &got),
                   TLS_ENDED);
  say(&l, "more", 4); /* RFC 8446, 6.1: only the peer's direction is closed */
  assert_true(l.out.len > 4);
  base_buf_clear(&l.out);
  tls_session_shutdown(l.client);
  assert_true(l.out.len > 0);
  base_buf_clear(&l.out);
  tls_session_shutdown(l.client); /* once is enough */
  assert_int_equal(l.out.len, 0);
  line_close(&l);
  tls_context_unref(c);
}

static void bytes_behind_close_notify_are_ignored(void **state) {
  struct tls_context *c = usual();
  struct line l;
  uint8_t out[8];
  size_t got;
  (void)state;
  connect_with(&l, c, plain_server, NULL);
  (void)SSL_shutdown(l.server);
  line_run(&l);
  assert_int_equal(l.status, TLS_ENDED);
  tls_session_feed(l.client, (const uint8_t *)"rubbish", 7);
  assert_int_equal(tls_session_read(l.client, out, sizeof out, &got),
                   TLS_ENDED);
  line_close(&l);
  tls_context_unref(c);
}

static void a_changed_byte_is_noticed(void **state) {
  struct tls_context *c = usual();
  struct line l;
  char *bytes, copy[256];
  long n;
  (void)state;
  connect_with(&l, c, plain_server, NULL);
  server_says(&l, "important", 9);
  n = BIO_get_mem_data(SSL_get_wbio(l.server), &bytes);
  assert_true(n > 0 && n < (long)sizeof copy);
  memcpy(copy, bytes, (size_t)n);
  copy[7] ^= 1;
  line_feed(&l, copy, (size_t)n);
  assert_int_equal(l.got.len, 0);
  assert_true(l.out.len > 0); /* the alert, for the owner to send */
  failed(&l, BASE_KIND_TLS, "decryption_failed_or_bad_record_mac",
         "bad record mac");
  assert_null(tls_session_ticket(l.client)); /* not after an attack */
  line_close(&l);
  tls_context_unref(c);
}

/* ---- peers that do not fit ---------------------------------------------- */

static void something_else_on_the_port_is_recognised(void **state) {
  static const char *const words[] = {"HTTP/1.1 400 Bad Request\r\n\r\n",
                                      "SSH-2.0-OpenSSH_9.2\r\n",
                                      "220 mail ESMTP\r\n"};
  struct tls_context *c = usual();
  size_t i, cut;
  (void)state;
  for (i = 0; i < sizeof words / sizeof words[0]; i++)
    for (cut = 0; cut < 2; cut++) {
      struct line l;
      open_with(&l, c, plain_server, NULL);
      l.cut = cut;
      line_feed(&l, words[i], strlen(words[i]));
      failed(&l, BASE_KIND_TLS, "wrong_version_number",
             "does not speak TLS on this port (wrong version number)");
      line_close(&l);
    }
  tls_context_unref(c);
}

static void random_bytes_never_get_further(void **state) {
  struct tls_context *c = usual();
  unsigned round, i, dice = 7;
  (void)state;
  for (round = 0; round < 300; round++) {
    uint8_t noise[600];
    struct line l;
    open_with(&l, c, plain_server, NULL);
    for (i = 0; i < sizeof noise; i++) {
      dice = dice * 1103515245u + 12345u;
      noise[i] = (uint8_t)(dice >> 16);
    }
    if (round % 2 == 0) { /* the header of a record at least */
      noise[0] = (uint8_t)(20 + round % 5);
      noise[1] = 3;
      noise[2] = 3;
      noise[3] = 0;
      noise[4] = (uint8_t)(round % 200);
    }
    l.cut = (size_t)-1;
    l.dice = round;
    line_feed(&l, noise, sizeof noise);
    tls_session_feed_end(l.client);
    if (l.status != TLS_FAILED)
      l.status = tls_session_handshake(l.client);
    assert_false(l.up);
    assert_int_equal(l.status, TLS_FAILED);
    line_close(&l);
  }
  tls_context_unref(c);
}

static void nothing_in_common_has_a_sentence(void **state) {
  struct server_conf conf = {NULL, TLS1_2_VERSION, false, NULL,
                             "AES128-SHA256", NULL};
  struct tls_context *c = usual();
  const struct base_field *f;
  struct base_error *err;
  struct tls_options o;
  SSL_CTX *server = server_new(&conf);
  struct line l;
  (void)state;
  open_with(&l, c, server, NULL); /* no forward secrecy: not offered */
  line_run(&l);
  assert_int_equal(l.status, TLS_FAILED);
  err = tls_session_error(l.client);
  assert_string_equal(err->code, "sslv3_alert_handshake_failure");
  f = base_error_field(err, "alert");
  assert_non_null(f);
  assert_string_equal(f->text, "handshake_failure");
  f = base_error_field(err, "alert_number");
  assert_int_equal((int)f->number, 40);
  base_error_free(err);
  line_close(&l);
  tls_context_unref(c);
  options_with(&o, &ca);
  o.max_version = TLS_V_1_2;
  o.min_version = TLS_V_1_2;
  o.ciphers = "AES128-SHA256"; /* the user's own will */
  c = context_of(&o);
  SSL_CTX_free(server);
  conf.name = "weak";
  server = server_new(&conf);
  open_with(&l, c, server, NULL);
  line_run(&l);
  failed(&l, BASE_KIND_CERTIFICATE, "weak_key", "1024");
  line_close(&l);
  tls_context_unref(c);
  SSL_CTX_free(server);
}

static void a_peer_without_a_certificate_is_never_accepted(void **state) {
  struct server_conf conf = {NULL, TLS1_2_VERSION, false, NULL,
                             "AECDH-AES128-SHA:@SECLEVEL=0", NULL};
  SSL_CTX *server = server_new(&conf);
  struct tls_options o;
  int i;
  (void)state;
  for (i = 0; i < 2; i++) {
    struct tls_context *c;
    struct line l;
    options_with(&o, &ca);
    o.ciphers = "AECDH-AES128-SHA:@SECLEVEL=0";
    o.max_version = TLS_V_1_2;
    o.insecure = i == 1;
    c = context_of(&o);
    open_with(&l, c, server, NULL);
    line_run(&l);
    assert_false(l.up);
    failed(&l, BASE_KIND_TLS, "no_certificate", "showed no certificate");
    assert_null(tls_session_ticket(l.client));
    line_close(&l);
    tls_context_unref(c);
  }
  SSL_CTX_free(server);
}

/* ---- clients' certificates ---------------------------------------------- */

static void a_required_certificate_is_asked_for_by_an_alert(void **state) {
  struct server_conf conf = {NULL, 0, true, NULL, NULL, NULL};
  struct tls_context *c = usual();
  const struct base_field *f;
  struct base_error *err;
  SSL_CTX *server = server_new(&conf);
  struct line l;
  (void)state;
  open_with(&l, c, server, NULL);
  line_run(&l);
  assert_true(l.up); /* RFC 8446, 4.4.2.4: it comes after the handshake */
  assert_int_equal(l.status, TLS_FAILED);
  err = tls_session_error(l.client);
  assert_int_equal(err->kind, BASE_KIND_TLS);
  assert_string_equal(err->code, "tlsv13_alert_certificate_required");
  f = base_error_field(err, "alert");
  assert_string_equal(f->text, "certificate_required");
  f = base_error_field(err, "alert_number");
  assert_int_equal((int)f->number, 116);
  base_error_free(err);
  line_close(&l);
  SSL_CTX_free(server);
  conf.version = TLS1_2_VERSION;
  server = server_new(&conf);
  open_with(&l, c, server, NULL);
  line_run(&l);
  assert_false(l.up);
  failed(&l, BASE_KIND_TLS, "sslv3_alert_handshake_failure", "certificate");
  line_close(&l);
  SSL_CTX_free(server);
  tls_context_unref(c);
}

static void our_certificate_is_shown_with_its_chain(void **state) {
  static const int versions[] = {TLS1_2_VERSION, 0};
  struct server_conf conf = {NULL, 0, true, NULL, NULL, NULL};
  struct tls_options o;
  struct tls_context *c;
  int i;
  (void)state;
  options_with(&o, &ca);
  o.cert = certs_path("encrypted.crt");
  o.key = certs_path("encrypted.key");
  o.password = "secret";
  c = context_of(&o);
  for (i = 0; i < 2; i++) {
    SSL_CTX *server;
    struct line l;
    conf.version = versions[i];
    server = server_new(&conf);
    connect_with(&l, c, server, NULL);
    assert_int_equal(SSL_get_verify_result(l.server), X509_V_OK);
    assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(l.server)), 1);
    line_close(&l);
    SSL_CTX_free(server);
  }
  tls_context_unref(c);
}

/* ---- resumption --------------------------------------------------------- */

static struct tls_ticket *ticket_of(struct tls_context *c, SSL_CTX *server) {
  struct tls_ticket *t;
  struct line l;
  connect_with(&l, c, server, NULL);
  t = tls_session_ticket(l.client);
  assert_non_null(t);
  line_close(&l); /* abruptly, as it is when it is needed */
  return t;
}

/* Is a ticket taken up? */
static bool resumes(struct tls_context *c, SSL_CTX *server,
                    struct tls_ticket *t, const char *host) {
  struct tls_conf conf = {NULL, NULL, false, NULL, NULL};
  struct base_error *err;
  struct tls_peer *p;
  struct line l;
  bool resumed;
  conf.host = host;
  conf.ticket = t;
  assert_true(line_open(&l, c, server, &conf, &err));
  line_run(&l);
  assert_true(l.up);
  p = tls_session_peer(l.client);
  resumed = tls_peer_resumed(p);
  assert_int_equal(SSL_session_reused(l.server), resumed);
  assert_int_equal(tls_peer_chain_count(p), 3); /* in any case */
  assert_true(tls_peer_verified(p));
  tls_peer_unref(p);
  line_close(&l);
  return resumed;
}

static void a_ticket_is_good_for_its_name_and_context(void **state) {
  static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
  int i;
  (void)state;
  for (i = 0; i < 2; i++) {
    SSL_CTX *server = server_of(versions[i]);
    struct tls_context *c = usual(), *other = usual();
    struct tls_ticket *t = ticket_of(c, server);
    assert_false(resumes(c, server, t, "localhost"));
    assert_false(resumes(c, server, t, "127.0.0.1"));
    assert_false(resumes(other, server, t, "server.test"));
    assert_true(resumes(c, server, t, "SERVER.test."));
    /* RFC 8446, C.4: one of TLS 1.3 once, lest connections be linked */
    assert_int_equal(resumes(c, server, t, "server.test"), i == 0);
    tls_ticket_unref(t);
    t = ticket_of(c, server);
    assert_null(tls_context_reload(c)); /* who is trusted may have changed */
    assert_false(resumes(c, server, t, "server.test"));
    tls_ticket_unref(t);
    tls_context_unref(c);
    tls_context_unref(other);
    SSL_CTX_free(server);
  }
}

/* What a ticket stands for, replaced by the chain of another file. */
static void replace_chain(struct tls_ticket *t, const char *file) {
  FILE *f = fopen(certs_path(file), "r");
  X509 *x;
  assert_non_null(f);
  sk_X509_pop_free(t->chain, X509_free);
  t->chain = sk_X509_new_null();
  while ((x = PEM_read_X509(f, NULL, NULL, NULL)) != NULL)
    assert_true(sk_X509_push(t->chain, x) > 0);
  (void)fclose(f);
  ERR_clear_error();
}

static void a_resumption_is_worth_what_was_verified(void **state) {
  static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
  static const struct {
    const char *file, *code;
  } bad[] = {{"expired.crt", "expired"},
             {"notyet.crt", "not_yet_valid"},
             {"server2.crt", "pin_mismatch"}};
  const char *pin = certs_pin("server.crt");
  struct tls_options o;
  struct tls_context *c;
  int v;
  size_t i;
  (void)state;
  options_with(&o, &ca);
  o.pins.items = &pin;
  o.pins.count = 1;
  c = context_of(&o);
  for (v = 0; v < 2; v++)
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
      SSL_CTX *server = server_of(versions[v]);
      struct tls_ticket *t = ticket_of(c, server);
      struct line l;
      replace_chain(t, bad[i].file);
      assert_false(resumes(c, server, t, "server.test")); /* not offered */
      replace_chain(t, "server.crt");
      open_with(&l, c, server, t);
      replace_chain(t, bad[i].file); /* it went bad meanwhile */
      line_run(&l);
      assert_false(l.up);
      failed(&l, BASE_KIND_CERTIFICATE, bad[i].code, "");
      assert_null(tls_session_ticket(l.client));
      line_close(&l);
      tls_ticket_unref(t);
      SSL_CTX_free(server);
    }
  tls_context_unref(c);
}

static void a_resumed_session_gives_a_ticket_again(void **state) {
  static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
  int i, round;
  (void)state;
  for (i = 0; i < 2; i++) {
    SSL_CTX *server = server_of(versions[i]);
    struct tls_context *c = usual();
    struct tls_ticket *t = ticket_of(c, server);
    for (round = 0; round < 3; round++) {
      struct tls_ticket *next;
      struct line l;
      connect_with(&l, c, server, t);
      assert_int_equal(SSL_session_reused(l.server), 1);
      next = tls_session_ticket(l.client);
      assert_non_null(next);
      tls_ticket_unref(t);
      t = next;
      line_close(&l);
    }
    tls_ticket_unref(t);
    tls_context_unref(c);
    SSL_CTX_free(server);
  }
}

static void a_ticket_that_the_server_forgot_costs_nothing(void **state) {
  SSL_CTX *first = server_of(0), *second = server_of(0);
  struct tls_context *c = usual();
  struct tls_ticket *t = ticket_of(c, first);
  (void)state;
  assert_false(resumes(c, second, t, "server.test"));
  tls_ticket_unref(t);
  tls_context_unref(c);
  SSL_CTX_free(first);
  SSL_CTX_free(second);
}

static void without_the_option_there_are_no_tickets(void **state) {
  static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
  struct tls_options o;
  struct tls_context *c;
  int i;
  (void)state;
  options_with(&o, &ca);
  o.session = false;
  c = context_of(&o);
  for (i = 0; i < 2; i++) {
    struct tls_conf conf = {"server.test", NULL, true, NULL, NULL};
    SSL_CTX *server = server_of(versions[i]);
    struct base_error *err;
    struct tls_step step;
    struct line l;
    assert_true(line_open(&l, c, server, &conf, &err));
    line_run(&l);
    assert_true(l.up);
    assert_null(tls_session_ticket(l.client));
    while (i == 0 && tls_session_step(l.client, &step))
      assert_string_not_equal(step.name, "NewSessionTicket"); /* unasked */
    line_close(&l);
    SSL_CTX_free(server);
  }
  tls_context_unref(c);
}

static void a_refused_chain_leaves_no_ticket(void **state) {
  struct server_conf conf = {"wronghost", TLS1_2_VERSION, false, NULL, NULL,
                             NULL};
  struct tls_context *c = usual();
  SSL_CTX *server = server_new(&conf);
  struct line l;
  (void)state;
  open_with(&l, c, server, NULL);
  line_run(&l);
  assert_null(tls_session_ticket(l.client));
  failed(&l, BASE_KIND_CERTIFICATE, "hostname_mismatch", "other.test");
  line_close(&l);
  tls_context_unref(c);
  SSL_CTX_free(server);
}

/* ---- what is known ------------------------------------------------------ */

static void a_peer_is_described(void **state) {
  struct tls_context *c = usual();
  struct tls_cert cert;
  struct tls_peer *p;
  struct line l;
  char *pem = certs_text("server.crt");
  (void)state;
  connect_with(&l, c, plain_server, NULL);
  p = tls_session_peer(l.client);
  line_close(&l);
  tls_context_unref(c); /* what is known outlives the connection */
  assert_string_equal(tls_peer_version(p), "TLSv1.3");
  assert_string_equal(tls_peer_cipher(p), "TLS_AES_128_GCM_SHA256");
  assert_string_equal(tls_peer_group(p), "x25519");
  assert_string_equal(tls_peer_alpn(p), "");
  assert_true(tls_peer_verified(p) && !tls_peer_resumed(p));
  assert_int_equal(tls_peer_chain_count(p), 3); /* with the root */
  assert_true(tls_peer_cert(p, 0, &cert));
  assert_string_equal(cert.subject, "CN=server.test");
  assert_string_equal(cert.issuer, "CN=uvwss test intermediate");
  assert_int_equal(cert.names_size,
                   sizeof "localhost\0server.test\0" "127.0.0.1\0::1");
  assert_string_equal(cert.names, "localhost");
  assert_string_equal(cert.spki_sha256, certs_pin("server.crt"));
  assert_int_equal(strlen(cert.sha256), 64);
  assert_true(strlen(cert.serial) >= 2);
  assert_int_equal(strspn(cert.serial, "0123456789abcdef"),
                   strlen(cert.serial));
  assert_memory_equal(cert.pem, pem, strlen(cert.pem));
  assert_true(cert.not_after - cert.not_before > 3649 * 86400.0);
  tls_cert_deinit(&cert);
  assert_true(tls_peer_cert(p, 2, &cert));
  assert_string_equal(cert.subject, "CN=uvwss test CA");
  assert_int_equal(cert.names_size, 0);
  tls_cert_deinit(&cert);
  assert_false(tls_peer_cert(p, 3, &cert));
  tls_peer_unref(tls_peer_ref(p));
  tls_peer_unref(p);
  free(pem);
}

static void ciphers_groups_and_versions_can_be_chosen(void **state) {
  struct tls_options o;
  struct tls_context *c;
  struct tls_peer *p;
  struct line l;
  (void)state;
  options_with(&o, &ca);
  o.ciphersuites = "TLS_CHACHA20_POLY1305_SHA256";
  o.groups = "P-384";
  c = context_of(&o);
  connect_with(&l, c, plain_server, NULL);
  p = tls_session_peer(l.client);
  assert_string_equal(tls_peer_cipher(p), "TLS_CHACHA20_POLY1305_SHA256");
  assert_string_equal(tls_peer_group(p), "secp384r1");
  tls_peer_unref(p);
  line_close(&l);
  tls_context_unref(c);
  o.max_version = TLS_V_1_2;
  o.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384";
  o.groups = "P-384:P-256"; /* the latter for the certificate */
  c = context_of(&o);
  connect_with(&l, c, plain_server, NULL);
  p = tls_session_peer(l.client);
  assert_string_equal(tls_peer_version(p), "TLSv1.2");
  assert_string_equal(tls_peer_cipher(p), "ECDHE-ECDSA-AES256-GCM-SHA384");
  assert_string_equal(tls_peer_group(p), "secp384r1");
  tls_peer_unref(p);
  line_close(&l);
  tls_context_unref(c);
}

static void alpn_is_offered_and_checked(void **state) {
  struct server_conf conf = {NULL, 0, false, "http/1.1", NULL, NULL};
  SSL_CTX *server = server_new(&conf);
  struct tls_context *c = usual();
  struct tls_peer *p;
  struct line l;
  (void)state;
  connect_with(&l, c, server, NULL);
  p = tls_session_peer(l.client);
  assert_string_equal(tls_peer_alpn(p), "http/1.1");
  tls_peer_unref(p);
  line_close(&l);
  SSL_CTX_free(server);
  conf.alpn = "h2"; /* which nobody offered: RFC 7301, 3.2 */
  server = server_new(&conf);
  open_with(&l, c, server, NULL);
  line_run(&l);
  assert_false(l.up);
  assert_int_equal(l.status, TLS_FAILED);
  line_close(&l);
  tls_context_unref(c);
  SSL_CTX_free(server);
}

static char sni[256];

static int on_sni(SSL *ssl, int *alert, void *arg) {
  const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  (void)alert;
  (void)arg;
  (void)snprintf(sni, sizeof sni, "%s", name != NULL ? name : "(none)");
  return SSL_TLSEXT_ERR_OK;
}

static void sni_is_a_name_without_its_dot_and_never_an_address(void **state) {
  static const char *const hosts[][2] = {{"server.test", "server.test"},
                                         {"server.test.", "server.test"},
                                         {"127.0.0.1", "(none)"},
                                         {"::1", "(none)"}};
  SSL_CTX *server = server_of(0);
  struct tls_context *c = usual();
  size_t i;
  (void)state;
  SSL_CTX_set_tlsext_servername_callback(server, on_sni);
  for (i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
    struct tls_conf conf = {NULL, NULL, false, NULL, NULL};
    struct base_error *err;
    struct line l;
    conf.host = hosts[i][0];
    assert_true(line_open(&l, c, server, &conf, &err));
    line_run(&l);
    assert_true(l.up);
    assert_string_equal(sni, hosts[i][1]);
    line_close(&l);
  }
  tls_context_unref(c);
  SSL_CTX_free(server);
}

static void a_host_that_is_no_name_is_refused_before_it_begins(void **state) {
  static const char *const hosts[] = {"", "*.test", ".test", "fe80::1%",
                                      "m\303\274nchen.test"};
  struct tls_context *c = usual();
  size_t i;
  (void)state;
  for (i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
    struct tls_conf conf = {NULL, NULL, false, NULL, NULL};
    struct tls_session *s;
    struct base_error *err;
    conf.host = hosts[i];
    err = tls_session_new(&s, c, &conf);
    assert_null(s);
    assert_string_equal(err->code, "bad_name");
    base_error_free(err);
  }
  tls_context_unref(c);
}

static void the_key_log_has_whole_lines(void **state) {
  static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
  struct tls_options o;
  struct tls_context *c;
  char *log, *line, *rest;
  int i, lines = 0;
  (void)state;
  options_with(&o, &ca);
  o.keylog = certs_path("session-keys.log");
  c = context_of(&o);
  for (i = 0; i < 2; i++) {
    SSL_CTX *server = server_of(versions[i]);
    struct line l;
    connect_with(&l, c, server, NULL);
    line_close(&l);
    SSL_CTX_free(server);
  }
  tls_context_unref(c);
  log = certs_text("session-keys.log");
  assert_non_null(strstr(log, "CLIENT_RANDOM "));
  assert_non_null(strstr(log, "CLIENT_HANDSHAKE_TRAFFIC_SECRET "));
  assert_non_null(strstr(log, "SERVER_TRAFFIC_SECRET_0 "));
  for (line = strtok_r(log, "\n", &rest); line != NULL;
       line = strtok_r(NULL, "\n", &rest)) {
    assert_true(strlen(line) > 100 && line[0] >= 'A' && line[0] <= 'Z');
    lines++;
  }
  assert_true(lines >= 5);
  free(log);
  (void)unlink(o.keylog);
}

static void steps_of_the_handshake_are_recorded(void **state) {
  static const char *const want[] = {
    "ClientHello", "ServerHello", "EncryptedExtensions", "Certificate",
    "CertificateVerify", "Finished", "Finished", "NewSessionTicket"};
  struct tls_conf conf = {"server.test", NULL, true, NULL, NULL};
  struct tls_context *c = usual();
  struct tls_step step;
  struct base_error *err;
  struct line l;
  double last = 0;
  size_t i = 0, count = 0;
  (void)state;
  assert_true(line_open(&l, c, plain_server, &conf, &err));
  line_run(&l);
  while (tls_session_step(l.client, &step)) {
    assert_true(step.at >= last);
    last = step.at;
    if (strcmp(step.name, "ChangeCipherSpec") == 0)
      continue;
    if (i < sizeof want / sizeof want[0]) {
      assert_string_equal(step.name, want[i]);
      assert_int_equal(step.out, i == 0 || i == 6);
    }
    i++;
    assert_true(step.bytes > 3);
  }
  assert_true(i >= sizeof want / sizeof want[0]);
  for (i = 0; i < 100; i++) { /* recording ends, the connection does not */
    (void)SSL_key_update(l.server, SSL_KEY_UPDATE_NOT_REQUESTED);
    (void)SSL_do_handshake(l.server);
    line_run(&l);
  }
  assert_int_equal(l.status, TLS_WANT);
  while (tls_session_step(l.client, &step))
    count++;
  assert_true(count > 40 && count < 64);
  line_close(&l);
  connect_with(&l, c, plain_server, NULL);
  assert_false(tls_session_step(l.client, &step));
  line_close(&l);
  tls_context_unref(c);
}

/* ---- a peer that tries --------------------------------------------------- */

static void key_updates_cost_no_more_than_they_bring(void **state) {
  struct tls_context *c = usual();
  struct line l;
  size_t fed = 0;
  int i;
  (void)state;
  connect_with(&l, c, plain_server, NULL);
  base_buf_clear(&l.out);
  for (i = 0; i < 1000; i++) {
    assert_int_equal(SSL_key_update(l.server, SSL_KEY_UPDATE_REQUESTED), 1);
    assert_int_equal(SSL_do_handshake(l.server), 1);
    fed += to_the_client(&l);
    assert_int_equal(l.status, TLS_WANT);
  }
  assert_true(l.out.len <= fed); /* RFC 8446, 4.6.3: an answer to each */
  base_buf_clear(&l.out);
  say(&l, "x", 1);
  assert_true(l.out.len <= tls_session_write_bound(1));
  line_close(&l);
  tls_context_unref(c);
}

/* RFC 8446, 5.1: a message of the handshake protocol may lie in several
** records, and nothing says when the next one comes. */
static void a_ticket_in_pieces_holds_up_writing(void **state) {
  SSL_CTX *server = server_of(TLS1_3_VERSION);
  struct tls_context *c = usual();
  char data[2000], *bytes;
  struct line l;
  size_t n;
  (void)state;
  connect_with(&l, c, server, NULL);
  memset(data, 'x', sizeof data);
  assert_int_equal(SSL_set_max_send_fragment(l.server, 512), 1);
  assert_int_equal(SSL_SESSION_set1_ticket_appdata(SSL_get_session(l.server),
                                                   data, sizeof data), 1);
  assert_int_equal(SSL_new_session_ticket(l.server), 1);
  assert_int_equal(SSL_do_handshake(l.server), 1);
  bytes = taken_from_the_server(&l, &n);
  assert_true(n > 4 * 512);
  assert_true(tls_session_may_write(l.client));
  line_feed(&l, bytes, 600);
  assert_int_equal(l.status, TLS_WANT);
  assert_false(tls_session_may_write(l.client));
  line_feed(&l, bytes + 600, n - 600);
  free(bytes);
  assert_true(tls_session_may_write(l.client));
  base_buf_clear(&l.sent_up);
  say(&l, "after it", 8);
  line_run(&l);
  heard(&l.sent_up, "after it", 8);
  /* Who writes all the same is told why not. */
  assert_int_equal(SSL_new_session_ticket(l.server), 1);
  assert_int_equal(SSL_do_handshake(l.server), 1);
  bytes = taken_from_the_server(&l, &n);
  line_feed(&l, bytes, 600);
  free(bytes);
  l.status = tls_session_write(l.client, (const uint8_t *)"x", 1, false);
  failed(&l, BASE_KIND_TLS, "unexpected_message", "did not finish");
  line_close(&l);
  tls_context_unref(c);
  SSL_CTX_free(server);
}

static void renegotiation_is_declined(void **state) {
  struct tls_conf conf = {"server.test", NULL, true, NULL, NULL};
  SSL_CTX *server = server_of(TLS1_2_VERSION);
  struct tls_context *c = usual();
  struct tls_step step;
  struct base_error *err;
  struct line l;
  bool asked = false, warned = false;
  (void)state;
  assert_true(line_open(&l, c, server, &conf, &err));
  line_run(&l);
  while (tls_session_step(l.client, &step))
    continue;
  assert_int_equal(SSL_renegotiate(l.server), 1);
  (void)SSL_do_handshake(l.server);
  line_run(&l);
  while (tls_session_step(l.client, &step)) {
    asked = asked || strcmp(step.name, "HelloRequest") == 0;
    warned = warned || (step.out && strcmp(step.name, "Alert") == 0);
    assert_string_not_equal(step.name, "ClientHello");
  }
  assert_true(asked && warned); /* RFC 5246, 7.2.2: no_renegotiation */
  assert_int_equal(ERR_peek_error(), 0);
  line_close(&l);
  tls_context_unref(c);
  SSL_CTX_free(server);
}

static void an_error_of_the_users_own_does_no_harm(void **state) {
  struct tls_context *c = usual();
  struct line l;
  uint8_t out[8];
  size_t got;
  (void)state;
  connect_with(&l, c, plain_server, NULL);
  ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
  assert_int_equal(tls_session_read(l.client, out, sizeof out, &got),
                   TLS_WANT);
  ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
  say(&l, "x", 1);
  assert_int_equal(ERR_peek_error(), 0);
  line_close(&l);
  tls_context_unref(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(bytes_arrive_however_they_are_cut),
    cmocka_unit_test(what_follows_the_handshake_at_once_is_not_lost),
    cmocka_unit_test(a_read_gives_at_most_what_is_asked_for),
    cmocka_unit_test(the_bound_of_a_write_holds),
    cmocka_unit_test(old_versions_work_only_when_asked_for),
    cmocka_unit_test(an_old_version_does_not_weaken_certificates),
    cmocka_unit_test(without_room_for_output_a_call_fails),
    cmocka_unit_test(a_session_that_has_not_begun_is_freed),
    cmocka_unit_test(a_fin_without_close_notify_is_a_truncation),
    cmocka_unit_test(a_fin_in_the_handshake_says_so),
    cmocka_unit_test(close_notify_ends_reading_but_not_writing),
    cmocka_unit_test(bytes_behind_close_notify_are_ignored),
    cmocka_unit_test(a_changed_byte_is_noticed),
    cmocka_unit_test(something_else_on_the_port_is_recognised),
    cmocka_unit_test(random_bytes_never_get_further),
    cmocka_unit_test(nothing_in_common_has_a_sentence),
    cmocka_unit_test(a_peer_without_a_certificate_is_never_accepted),
    cmocka_unit_test(a_required_certificate_is_asked_for_by_an_alert),
    cmocka_unit_test(our_certificate_is_shown_with_its_chain),
    cmocka_unit_test(a_ticket_is_good_for_its_name_and_context),
    cmocka_unit_test(a_resumption_is_worth_what_was_verified),
    cmocka_unit_test(a_resumed_session_gives_a_ticket_again),
    cmocka_unit_test(a_ticket_that_the_server_forgot_costs_nothing),
    cmocka_unit_test(without_the_option_there_are_no_tickets),
    cmocka_unit_test(a_refused_chain_leaves_no_ticket),
    cmocka_unit_test(a_peer_is_described),
    cmocka_unit_test(ciphers_groups_and_versions_can_be_chosen),
    cmocka_unit_test(alpn_is_offered_and_checked),
    cmocka_unit_test(sni_is_a_name_without_its_dot_and_never_an_address),
    cmocka_unit_test(a_host_that_is_no_name_is_refused_before_it_begins),
    cmocka_unit_test(the_key_log_has_whole_lines),
    cmocka_unit_test(steps_of_the_handshake_are_recorded),
    cmocka_unit_test(key_updates_cost_no_more_than_they_bring),
    cmocka_unit_test(a_ticket_in_pieces_holds_up_writing),
    cmocka_unit_test(renegotiation_is_declined),
    cmocka_unit_test(an_error_of_the_users_own_does_no_harm),
  };
  int bad;
  if (!certs_make())
    return 1;
  ca = certs_path("ca.crt");
  plain_server = server_of(0);
  bad = cmocka_run_group_tests(tests, NULL, NULL);
  SSL_CTX_free(plain_server);
  return bad;
}
