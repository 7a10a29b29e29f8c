/*
** What does our verdict cost? Full TLS 1.3 handshakes in memory, of which the
** client verifies the server's chain of three, in turns: by OpenSSL's own
** verification with the same parameters, and by tls_verify.
**
**   handshake CHAIN KEY CA [ROUNDS [HANDSHAKES]]
**
** Prints the median of the rounds' CPU time for each, and the ratio. With
** ROUNDS 0 it makes HANDSHAKES with ours alone, with -1 with OpenSSL's, for
** callgrind.
*/
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tls/verify.h"

#define MUST(what) \
  do { \
    if (!(what)) { \
      (void)fprintf(stderr, "handshake: %s failed\n", #what); \
      exit(2); \
    } \
  } while (0)

static const char host[] = "server.test";
static struct tls_rules rules;
static struct tls_name name;

static double cpu(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_us(X509_STORE_CTX *ctx, void *arg) {
  SSL_CTX *ssl = (SSL_CTX *)arg;
  struct tls_judgement j;
  struct tls_case c;
  int ok;
  c.leaf = X509_STORE_CTX_get0_cert(ctx);
  c.sent = X509_STORE_CTX_get0_untrusted(ctx);
  c.store = SSL_CTX_get_cert_store(ssl);
  c.name = &name;
  c.now = (double)time(NULL);
  ok = tls_verify(&rules, &c, &j) ? 1 : 0;
  X509_STORE_CTX_set_error(ctx, j.code);
  tls_judgement_deinit(&j);
  return ok;
}

static SSL_CTX *client(const char *ca, int ours) {
  SSL_CTX *c = SSL_CTX_new(TLS_client_method());
  X509_VERIFY_PARAM *p;
  MUST(c != NULL && SSL_CTX_load_verify_locations(c, ca, NULL) == 1);
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_security_level(c, 2);
  if (ours) {
    SSL_CTX_set_cert_verify_callback(c, by_us, c);
    return c;
  }
  p = SSL_CTX_get0_param(c);
  X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  X509_VERIFY_PARAM_set_auth_level(p, 2);
  X509_VERIFY_PARAM_set_depth(p, 10);
  MUST(X509_VERIFY_PARAM_set1_host(p, host, 0) == 1);
  MUST(X509_VERIFY_PARAM_set_flags(
         p, X509_V_FLAG_X509_STRICT | X509_V_FLAG_TRUSTED_FIRST |
              X509_V_FLAG_PARTIAL_CHAIN) == 1);
  return c;
}

static void shake(SSL_CTX *client_ctx, SSL_CTX *server_ctx) {
  SSL *c = SSL_new(client_ctx), *s = SSL_new(server_ctx);
  BIO *up = NULL, *down = NULL;
  int turns = 0, done = 0;
  MUST(c != NULL && s != NULL && BIO_new_bio_pair(&up, 0, &down, 0) == 1);
  SSL_set_bio(c, up, up);
  SSL_set_bio(s, down, down);
  SSL_set_connect_state(c);
  SSL_set_accept_state(s);
  while (done != 3 && turns++ < 20) {
    done = SSL_do_handshake(c) == 1 ? 1 : 0;
    done |= SSL_do_handshake(s) == 1 ? 2 : 0;
  }
  MUST(done == 3);
  SSL_free(c);
  SSL_free(s);
}

static double round_of(SSL_CTX *c, SSL_CTX *s, long n) {
  double start = cpu();
  long i;
  for (i = 0; i < n; i++)
    shake(c, s);
  return (cpu() - start) / (double)n;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double median(double *list, long n) {
  qsort(list, (size_t)n, sizeof *list, ascending);
  return list[n / 2];
}

int main(int argc, char **argv) {
  enum { ROUNDS_MAX = 101 };
  double plain[ROUNDS_MAX], ours[ROUNDS_MAX];
  long rounds = argc > 4 ? strtol(argv[4], NULL, 10) : 15;
  long n = argc > 5 ? strtol(argv[5], NULL, 10) : 200;
  SSL_CTX *server, *a, *b;
  long i;
  MUST(argc > 3 && rounds <= ROUNDS_MAX && n > 0);
  MUST(tls_name_init(&name, host) == NULL);
  rules.strict = true;
  rules.max_depth = 10;
  server = SSL_CTX_new(TLS_server_method());
  MUST(server != NULL &&
       SSL_CTX_use_certificate_chain_file(server, argv[1]) == 1 &&
       SSL_CTX_use_PrivateKey_file(server, argv[2], SSL_FILETYPE_PEM) == 1);
  SSL_CTX_set_session_cache_mode(server, SSL_SESS_CACHE_OFF);
  MUST(SSL_CTX_set_num_tickets(server, 0) == 1);
  a = client(argv[3], 0);
  b = client(argv[3], 1);
  if (rounds <= 0) {
    (void)round_of(rounds == 0 ? b : a, server, n);
    return 0;
  }
  (void)round_of(a, server, 20);
  (void)round_of(b, server, 20);
  for (i = 0; i < rounds; i++) {
    plain[i] = round_of(a, server, n);
    ours[i] = round_of(b, server, n);
  }
  (void)printf("a full handshake, both sides: OpenSSL's verdict %.1f us, ours "
               "%.1f us, ratio %.3f\n",
               median(plain, rounds) * 1e6, median(ours, rounds) * 1e6,
               median(ours, rounds) / median(plain, rounds));
  return 0;
}
