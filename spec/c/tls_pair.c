#define _POSIX_C_SOURCE 200809L

#include "tls_pair.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "tls_support.h"

enum { PLAIN_BYTES = 32768 };

static void end_init(struct end *e) {
  base_buf_init(&e->out, 1u << 22);
  base_buf_init(&e->got, 1u << 22);
}

static void start(struct end *e, struct tls_context *c,
                  const struct tls_conf *conf) {
  struct base_error *err;
  end_init(e);
  line_in_client = true;
  err = tls_session_new(&e->session, c, conf);
  if (err == NULL) {
    tls_session_set_out(e->session, &e->out);
    e->status = tls_session_handshake(e->session);
  } else { /* only where memory fails */
    base_error_free(err);
    e->status = TLS_FAILED;
  }
  line_in_client = false;
}

void pair_open(struct pair *p, struct tls_context *server,
               struct tls_context *client, const struct tls_conf *conf) {
  memset(p, 0, sizeof *p);
  start(&p->server, server, conf);
  start(&p->client, client, conf);
}

void pair_open_raw(struct pair *p, struct tls_context *server, SSL_CTX *client,
                   const char *host) {
  struct tls_conf conf = {NULL, NULL, false, NULL, NULL};
  BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
  memset(p, 0, sizeof *p);
  start(&p->server, server, &conf);
  p->raw = SSL_new(client);
  assert(p->raw != NULL && in != NULL && out != NULL);
  BIO_set_mem_eof_return(in, -1);
  BIO_set_mem_eof_return(out, -1);
  SSL_set_bio(p->raw, in, out);
  SSL_set_connect_state(p->raw);
  if (host != NULL && SSL_set_tlsext_host_name(p->raw, host) != 1)
    abort();
}

static void work(struct end *e) {
  static uint8_t plain[PLAIN_BYTES];
  size_t got = 0;
  line_in_client = true;
  if (!e->up) {
    e->status = tls_session_handshake(e->session);
    e->up = e->status == TLS_OK;
  }
  while (e->up) {
    e->status = tls_session_read(e->session, plain, sizeof plain, &got);
    if (e->status != TLS_OK)
      break;
    line_in_client = false;
    if (base_buf_append(&e->got, plain, got) != 0)
      abort();
    line_in_client = true;
  }
  line_in_client = false;
}

/* Each piece in memory of its own size, so that a read too far is seen. */
void pair_feed(struct end *e, const void *data, size_t n) {
  const uint8_t *p = (const uint8_t *)data;
  while (n > 0 && e->status != TLS_FAILED && e->status != TLS_ENDED) {
    size_t part = e->cut > 0 && e->cut < n ? e->cut : n;
    uint8_t *piece = (uint8_t *)malloc(part);
    assert(piece != NULL);
    memcpy(piece, p, part);
    tls_session_feed(e->session, piece, part);
    work(e);
    free(piece);
    p += part;
    n -= part;
  }
}

static bool to_end(struct end *e, const struct base_buf *out) {
  uint8_t *copy;
  size_t n = out->len;
  if (n == 0)
    return false;
  copy = (uint8_t *)malloc(n);
  assert(copy != NULL);
  memcpy(copy, base_buf_data(out), n);
  pair_feed(e, copy, n);
  free(copy);
  return true;
}

static bool raw_says(struct pair *p) {
  char *bytes;
  uint8_t *copy;
  long n = BIO_get_mem_data(SSL_get_wbio(p->raw), &bytes);
  if (n <= 0)
    return false;
  copy = (uint8_t *)malloc((size_t)n);
  assert(copy != NULL);
  memcpy(copy, bytes, (size_t)n);
  (void)BIO_reset(SSL_get_wbio(p->raw));
  pair_feed(&p->server, copy, (size_t)n);
  free(copy);
  return true;
}

static bool raw_hears(struct pair *p) {
  char plain[4096];
  size_t got, n = p->server.out.len;
  if (n > 0 && BIO_write(SSL_get_rbio(p->raw), base_buf_data(&p->server.out),
                         (int)n) != (int)n)
    abort();
  base_buf_clear(&p->server.out);
  ERR_clear_error();
  if (!SSL_is_init_finished(p->raw))
    (void)SSL_do_handshake(p->raw);
  while (SSL_is_init_finished(p->raw) &&
         SSL_read_ex(p->raw, plain, sizeof plain, &got) == 1)
    continue;
  if (p->raw_error == 0)
    p->raw_error = ERR_peek_error();
  ERR_clear_error();
  return n > 0;
}

static void run_raw(struct pair *p) {
  bool moved = true;
  while (moved) {
    moved = raw_hears(p);
    moved = raw_says(p) || moved;
  }
}

void pair_run(struct pair *p) {
  bool moved = p->client.session != NULL && p->server.session != NULL;
  if (p->raw != NULL) {
    run_raw(p);
    return;
  }
  while (moved) {
    moved = to_end(&p->server, &p->client.out);
    base_buf_clear(&p->client.out);
    moved = to_end(&p->client, &p->server.out) || moved;
    base_buf_clear(&p->server.out);
  }
}

static void end_deinit(struct end *e) {
  line_in_client = true;
  tls_session_free(e->session);
  line_in_client = false;
  base_buf_free(&e->out);
  base_buf_free(&e->got);
}

void pair_close(struct pair *p) {
  end_deinit(&p->client);
  end_deinit(&p->server);
  SSL_free(p->raw);
  ERR_clear_error();
}

void server_options(struct tls_options *o, const char *name) {
  char file[128];
  tls_options_init_server(o);
  (void)snprintf(file, sizeof file, "%s.crt", name);
  o->cert = certs_path(file);
  (void)snprintf(file, sizeof file, "%s.key", name);
  o->key = certs_path(file);
}

struct tls_context *pair_context(const struct tls_options *o) {
  struct tls_context *c;
  struct base_error *err = tls_context_new(&c, o);
  if (err != NULL) {
    (void)fprintf(stderr, "%s: %s\n", err->code, err->message);
    abort();
  }
  return c;
}

struct tls_context *client_of(enum tls_version version,
                              const char *certificate) {
  const char *ca = certs_path("ca.crt");
  struct tls_options o;
  char file[128];
  options_with(&o, &ca);
  o.min_version = o.max_version = version;
  if (certificate != NULL) {
    (void)snprintf(file, sizeof file, "%s.crt", certificate);
    o.cert = certs_path(file);
    (void)snprintf(file, sizeof file, "%s.key", certificate);
    o.key = certs_path(file);
  }
  return pair_context(&o);
}

SSL_CTX *raw_client(int version) {
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  assert(ctx != NULL);
  SSL_CTX_set_security_level(ctx, 0);
  if (SSL_CTX_set_min_proto_version(ctx, version) != 1 ||
      SSL_CTX_set_max_proto_version(ctx, version) != 1)
    abort();
  return ctx;
}

void copy_file(const char *from, const char *to) {
  char *text = certs_text(from);
  FILE *f = fopen(to, "w");
  if (f == NULL || fputs(text, f) < 0)
    abort();
  (void)fclose(f);
  free(text);
}

X509 *read_cert(const char *file) {
  FILE *f = fopen(certs_path(file), "r");
  X509 *x;
  assert(f != NULL);
  x = PEM_read_X509(f, NULL, NULL, NULL);
  (void)fclose(f);
  assert(x != NULL);
  return x;
}
