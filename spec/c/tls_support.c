#define _POSIX_C_SOURCE 200809L

#include "tls_support.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

bool line_in_client;

/* ---- certificates ------------------------------------------------------- */

enum { MOST_FILES = 256 };

static char folder[256];

static void remove_folder(void) {
  char command[512];
  (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
  if (system(command) != 0)
    (void)fprintf(stderr, "cannot remove %s\n", folder);
}

bool certs_make(void) {
  char command[600];
  const char *given = getenv("UVWSS_CERTS");
  if (given != NULL) {
    (void)snprintf(folder, sizeof folder, "%s", given);
    return true;
  }
  (void)snprintf(folder, sizeof folder, "/tmp/uvwss-certs-XXXXXX");
  if (mkdtemp(folder) == NULL)
    return false;
  (void)atexit(remove_folder);
  (void)snprintf(command, sizeof command, "sh spec/certs/make.sh '%s'",
                 folder);
  if (system(command) == 0)
    return true;
  (void)fprintf(stderr, "spec/certs/make.sh failed\n");
  return false;
}

const char *certs_path(const char *file) {
  static char paths[MOST_FILES][512];
  char path[512];
  unsigned i;
  (void)snprintf(path, sizeof path, "%s/%s", folder, file);
  for (i = 0; i < MOST_FILES; i++) {
    if (paths[i][0] == '\0')
      memcpy(paths[i], path, sizeof path);
    if (strcmp(paths[i], path) == 0)
      return paths[i];
  }
  abort();
}

char *certs_text(const char *file) {
  FILE *f = fopen(certs_path(file), "r");
  char *text = (char *)calloc(1, 65536);
  assert(f != NULL && text != NULL);
  (void)fread(text, 1, 65535, f);
  (void)fclose(f);
  return text;
}

const char *certs_pin(const char *file) {
  static char pins[MOST_FILES][52];
  static unsigned turn;
  char *pin = pins[turn++ % MOST_FILES];
  FILE *f = fopen(certs_path(file), "r");
  X509 *x;
  unsigned char *der = NULL, digest[32];
  int n;
  assert(f != NULL);
  x = PEM_read_X509(f, NULL, NULL, NULL);
  (void)fclose(f);
  assert(x != NULL);
  n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
  (void)EVP_Digest(der, (size_t)n, digest, NULL, EVP_sha256(), NULL);
  memcpy(pin, "sha256/", 7);
  (void)EVP_EncodeBlock((unsigned char *)pin + 7, digest, 32);
  OPENSSL_free(der);
  X509_free(x);
  return pin;
}

/* ---- the server --------------------------------------------------------- */

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *n,
                       const unsigned char *in, unsigned size, void *arg) {
  const char *name = (const char *)arg;
  (void)ssl;
  (void)in;
  (void)size;
  *out = (const unsigned char *)name;
  *n = (unsigned char)strlen(name);
  return SSL_TLSEXT_ERR_OK;
}

SSL_CTX *server_new(const struct server_conf *conf) {
  static const unsigned char id[] = "test";
  const char *name = conf->name != NULL ? conf->name : "server";
  char file[128];
  SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
  bool ok = ctx != NULL;
  SSL_CTX_set_security_level(ctx, 0);
  ok = ok && SSL_CTX_set_min_proto_version(
               ctx, conf->version != 0 ? conf->version : TLS1_VERSION) == 1;
  ok = ok && SSL_CTX_set_max_proto_version(ctx, conf->version) == 1;
  ok = ok && SSL_CTX_set_cipher_list(ctx, conf->ciphers != NULL
                                            ? conf->ciphers
                                            : "ALL:@SECLEVEL=0") == 1;
  if (conf->groups != NULL)
    ok = ok && SSL_CTX_set1_groups_list(ctx, conf->groups) == 1;
  (void)snprintf(file, sizeof file, "%s.crt", name);
  ok = ok &&
       SSL_CTX_use_certificate_chain_file(ctx, certs_path(file)) == 1;
  (void)snprintf(file, sizeof file, "%s.key", name);
  ok = ok && SSL_CTX_use_PrivateKey_file(ctx, certs_path(file),
                                         SSL_FILETYPE_PEM) == 1;
  (void)SSL_CTX_set_session_id_context(ctx, id, sizeof id);
  if (conf->wants_client) {
    ok = ok && SSL_CTX_load_verify_locations(ctx, certs_path("ca.crt"),
                                             NULL) == 1;
    SSL_CTX_set_verify(
      ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  }
  if (conf->alpn != NULL)
    SSL_CTX_set_alpn_select_cb(ctx, select_alpn, (void *)conf->alpn);
  if (!ok)
    ERR_print_errors_fp(stderr);
  assert(ok);
  return ctx;
}

/* ---- the line ----------------------------------------------------------- */

enum { PLAIN_BYTES = 32768 };

bool line_open(struct line *l, struct tls_context *c, SSL_CTX *server,
               const struct tls_conf *conf, struct base_error **err) {
  BIO *in, *out;
  memset(l, 0, sizeof *l);
  l->dice = 1;
  base_buf_init(&l->out, 1u << 22);
  base_buf_init(&l->got, 1u << 24);
  base_buf_init(&l->sent_up, 1u << 24);
  line_in_client = true;
  *err = tls_session_new(&l->client, c, conf);
  line_in_client = false;
  if (*err != NULL)
    return false;
  l->server = SSL_new(server);
  in = BIO_new(BIO_s_mem());
  out = BIO_new(BIO_s_mem());
  assert(l->server != NULL && in != NULL && out != NULL);
  BIO_set_mem_eof_return(in, -1);
  BIO_set_mem_eof_return(out, -1);
  SSL_set_bio(l->server, in, out);
  SSL_set_accept_state(l->server);
  tls_session_set_out(l->client, &l->out);
  line_in_client = true;
  l->status = tls_session_handshake(l->client);
  line_in_client = false;
  return true;
}

static void client_works(struct line *l) {
  static uint8_t plain[PLAIN_BYTES];
  size_t got = 0;
  line_in_client = true;
  if (!l->up) {
    l->status = tls_session_handshake(l->client);
    if (l->status == TLS_OK)
      l->up = true;
  }
  while (l->up) {
    l->status = tls_session_read(l->client, plain, sizeof plain, &got);
    if (l->status != TLS_OK)
      break;
    line_in_client = false;
    if (base_buf_append(&l->got, plain, got) != 0)
      abort();
    line_in_client = true;
  }
  line_in_client = false;
}

/* Each piece in memory of its own size, so that a read too far is seen. */
void line_feed(struct line *l, const void *data, size_t n) {
  const uint8_t *p = (const uint8_t *)data;
  while (n > 0 && l->status != TLS_FAILED && l->status != TLS_ENDED) {
    size_t part = l->cut;
    uint8_t *piece;
    if (l->cut == (size_t)-1) {
      l->dice = l->dice * 1103515245u + 12345u;
      part = 1 + (l->dice >> 16) % 700;
    }
    if (part == 0 || part > n)
      part = n;
    piece = (uint8_t *)malloc(part);
    assert(piece != NULL);
    memcpy(piece, p, part);
    tls_session_feed(l->client, piece, part);
    client_works(l);
    free(piece);
    p += part;
    n -= part;
  }
}

static bool to_server(struct line *l) {
  static char plain[PLAIN_BYTES];
  size_t got;
  bool moved = l->out.len > 0;
  ERR_clear_error();
  if (moved) {
    if (BIO_write(SSL_get_rbio(l->server), base_buf_data(&l->out),
                  (int)l->out.len) != (int)l->out.len)
      abort();
    base_buf_clear(&l->out);
  }
  if (!SSL_is_init_finished(l->server))
    (void)SSL_do_handshake(l->server);
  while (SSL_is_init_finished(l->server) &&
         SSL_read_ex(l->server, plain, sizeof plain, &got) == 1)
    if (base_buf_append(&l->sent_up, plain, got) != 0)
      abort();
  if ((SSL_get_shutdown(l->server) & SSL_RECEIVED_SHUTDOWN) != 0)
    l->peer_ended = true;
  ERR_clear_error();
  return moved;
}

static bool to_client(struct line *l) {
  char *bytes;
  uint8_t *copy;
  long n = BIO_get_mem_data(SSL_get_wbio(l->server), &bytes);
  if (n <= 0)
    return false;
  copy = (uint8_t *)malloc((size_t)n);
  assert(copy != NULL);
  memcpy(copy, bytes, (size_t)n);
  (void)BIO_reset(SSL_get_wbio(l->server));
  line_feed(l, copy, (size_t)n);
  free(copy);
  return true;
}

void line_run(struct line *l) {
  bool moved = true;
  while (moved) {
    moved = to_server(l);
    moved = to_client(l) || moved;
  }
}

void line_close(struct line *l) {
  line_in_client = true;
  tls_session_free(l->client);
  line_in_client = false;
  SSL_free(l->server);
  base_buf_free(&l->out);
  base_buf_free(&l->got);
  base_buf_free(&l->sent_up);
}

void options_with(struct tls_options *o, const char *const *ca) {
  tls_options_init(o);
  o->ca.items = ca;
  o->ca.count = 1;
}
