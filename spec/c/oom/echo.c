#include "echo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define MUST(what) \
  do { \
    if (!(what)) { \
      (void)fprintf(stderr, "echo: %s failed: %s\n", #what, \
                    strerror(errno)); \
      _exit(2); \
    } \
  } while (0)

/* ---- certificates ------------------------------------------------------- */

static void extend(X509 *c, X509 *issuer, int nid, const char *value) {
  X509V3_CTX ctx;
  X509_EXTENSION *x;
  X509V3_set_ctx(&ctx, issuer, c, NULL, NULL, 0);
  MUST((x = X509V3_EXT_conf_nid(NULL, &ctx, nid, value)) != NULL);
  MUST(X509_add_ext(c, x, -1) == 1);
  X509_EXTENSION_free(x);
}

static X509 *certificate(const char *name, EVP_PKEY *key, X509 *issuer,
                         EVP_PKEY *issuer_key) {
  static long serial = 1;
  X509 *c = X509_new();
  X509_NAME *subject = X509_get_subject_name(c);
  MUST(c != NULL && X509_set_version(c, 2) == 1);
  MUST(ASN1_INTEGER_set(X509_get_serialNumber(c), serial++) == 1);
  (void)X509_gmtime_adj(X509_getm_notBefore(c), -3600);
  (void)X509_gmtime_adj(X509_getm_notAfter(c), 86400);
  MUST(X509_set_pubkey(c, key) == 1);
  MUST(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                  (const unsigned char *)name, -1, -1, 0));
  MUST(X509_set_issuer_name(c, issuer != NULL ? X509_get_subject_name(issuer)
                                              : subject));
  extend(c, c, NID_subject_key_identifier, "hash");
  if (issuer == NULL) {
    extend(c, c, NID_basic_constraints, "critical,CA:TRUE");
    extend(c, c, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    extend(c, issuer, NID_authority_key_identifier, "keyid:always");
    extend(c, issuer, NID_key_usage, "critical,digitalSignature");
    extend(c, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
    extend(c, issuer, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  }
  MUST(X509_sign(c, issuer_key, EVP_sha256()) > 0);
  return c;
}

/* What was written to 'bio', which ends here. */
static void take_text(BIO *bio, char *out, size_t size) {
  int n = BIO_read(bio, out, (int)size - 1);
  MUST(n > 0 && (size_t)n < size - 1);
  out[n] = '\0';
  (void)BIO_free(bio);
}

static void write_certificate(X509 *c, char *out, size_t size) {
  BIO *bio = BIO_new(BIO_s_mem());
  MUST(bio != NULL && PEM_write_bio_X509(bio, c) == 1);
  take_text(bio, out, size);
}

static void write_key(EVP_PKEY *key, char *out, size_t size) {
  BIO *bio = BIO_new(BIO_s_mem());
  MUST(bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL,
                                               NULL) == 1);
  take_text(bio, out, size);
}

/* A context with a certificate of an authority of its own; all are told. */
static SSL_CTX *context(struct echo *e) {
  EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
  X509 *root = certificate("Authority", ca_key, NULL, ca_key);
  X509 *leaf = certificate("Server", key, root, ca_key);
  SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
  MUST(ctx != NULL && SSL_CTX_use_certificate(ctx, leaf) == 1);
  MUST(SSL_CTX_use_PrivateKey(ctx, key) == 1);
  write_certificate(root, e->ca, sizeof e->ca);
  write_certificate(leaf, e->cert, sizeof e->cert);
  write_key(key, e->key, sizeof e->key);
  X509_free(leaf);
  X509_free(root);
  EVP_PKEY_free(key);
  EVP_PKEY_free(ca_key);
  return ctx;
}

/* ---- bytes -------------------------------------------------------------- */

struct line {
  int fd;
  SSL *ssl;     /* NULL: plain */
  SSL_CTX *ctx; /* of the listener */
};

static bool get(struct line *l, void *data, size_t n) {
  uint8_t *p = (uint8_t *)data;
  while (n > 0) {
    int some = n < 65536 ? (int)n : 65536;
    long k = l->ssl != NULL ? SSL_read(l->ssl, p, some)
                            : recv(l->fd, p, (size_t)some, 0);
    if (k <= 0)
      return false;
    p += k;
    n -= (size_t)k;
  }
  return true;
}

static bool put(struct line *l, const void *data, size_t n) {
  const uint8_t *p = (const uint8_t *)data;
  while (n > 0) {
    int some = n < 65536 ? (int)n : 65536;
    long k = l->ssl != NULL ? SSL_write(l->ssl, p, some)
                            : send(l->fd, p, (size_t)some, MSG_NOSIGNAL);
    if (k <= 0)
      return false;
    p += k;
    n -= (size_t)k;
  }
  return true;
}

/* ---- frames ------------------------------------------------------------- */

static bool put_frame(struct line *l, uint8_t first, const uint8_t *data,
                      size_t n) {
  uint8_t *frame = (uint8_t *)malloc(n + 10);
  size_t head = 2;
  int i;
  bool ok;
  MUST(frame != NULL);
  frame[0] = first;
  if (n < 126) {
    frame[1] = (uint8_t)n;
  } else if (n < 65536) {
    frame[1] = 126;
    frame[2] = (uint8_t)(n >> 8);
    frame[3] = (uint8_t)n;
    head = 4;
  } else {
    frame[1] = 127;
    for (i = 0; i < 8; i++)
      frame[2 + i] = (uint8_t)((uint64_t)n >> (56 - 8 * i));
    head = 10;
  }
  if (n > 0)
    memcpy(frame + head, data, n);
  ok = put(l, frame, head + n);
  free(frame);
  return ok;
}

static bool get_length(struct line *l, uint8_t second, uint64_t *out) {
  uint8_t bytes[8];
  int i, n = (second & 0x7f) == 126 ? 2 : 8;
  *out = second & 0x7f;
  if (*out < 126)
    return true;
  if (!get(l, bytes, (size_t)n))
    return false;
  for (*out = 0, i = 0; i < n; i++)
    *out = *out << 8 | bytes[i];
  return true;
}

struct message {
  uint8_t opcode;
  uint8_t *data;
  size_t len;
};

/* One frame behind what 'm' has; its first byte, or -1. */
static int get_frame(struct line *l, struct message *m) {
  uint8_t head[2], key[4];
  uint64_t n, i;
  if (!get(l, head, 2) || !get_length(l, head[1], &n) || n > 1u << 28 ||
      (head[1] & 0x80) == 0 || !get(l, key, 4))
    return -1;
  m->data = (uint8_t *)realloc(m->data, m->len + n + 1);
  MUST(m->data != NULL);
  if (!get(l, m->data + m->len, n))
    return -1;
  for (i = 0; i < n; i++)
    m->data[m->len + i] ^= key[i % 4];
  m->len += n;
  return head[0];
}

/* A control frame that came in the middle of a message. */
static bool answer(struct line *l, int first, const uint8_t *data, size_t n) {
  if ((first & 0x0f) == 9)
    return put_frame(l, 0x8a, data, n);
  if ((first & 0x0f) != 8)
    return true;
  (void)put_frame(l, 0x88, data, n < 2 ? 0 : 2);
  return false;
}

/* The next whole message. False at the end, or after a close. */
static bool get_message(struct line *l, struct message *m) {
  memset(m, 0, sizeof *m);
  for (;;) {
    size_t before = m->len;
    int first = get_frame(l, m);
    if (first < 0)
      return false;
    if ((first & 0x08) != 0) {
      if (!answer(l, first, m->data + before, m->len - before))
        return false;
      m->len = before;
      continue;
    }
    if ((first & 0x0f) != 0)
      m->opcode = (uint8_t)(first & 0x0f);
    if ((first & 0x80) != 0)
      return true;
  }
}

/* ---- the handshake ------------------------------------------------------ */

static bool upgrade(struct line *l, char path[64]) {
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  char head[4096], joined[128], accept[64], out[512];
  unsigned char sha[20];
  const char *key;
  size_t n = 0;
  while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0) {
    if (n + 1 == sizeof head || !get(l, head + n, 1))
      return false;
    n++;
  }
  head[n] = '\0';
  key = strstr(head, "Sec-WebSocket-Key: ");
  if (key == NULL || sscanf(head, "GET %63s", path) != 1)
    return false;
  if (strcmp(path, "/503") == 0) {
    static const char busy[] = "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\n"
                               "Content-Length: 0\r\n\r\n";
    (void)put(l, busy, sizeof busy - 1);
    return false;
  }
  (void)snprintf(joined, sizeof joined, "%.24s%s", key + 19, guid);
  (void)SHA1((const unsigned char *)joined, strlen(joined), sha);
  (void)EVP_EncodeBlock((unsigned char *)accept, sha, sizeof sha);
  (void)snprintf(out, sizeof out, "HTTP/1.1 101 Switching Protocols\r\n"
                 "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: %s\r\n%s\r\n", accept,
                 strstr(head, "Sec-WebSocket-Protocol: chat") != NULL
                   ? "Sec-WebSocket-Protocol: chat\r\n" : "");
  return put(l, out, strlen(out));
}

/* ---- what each path does -------------------------------------------------- */

static void echo(struct line *l, const char *path) {
  struct message m;
  bool last = strcmp(path, "/once") == 0 || strcmp(path, "/bye") == 0;
  while (get_message(l, &m)) {
    if (strcmp(path, "/ping") == 0)
      (void)put_frame(l, 0x89, (const uint8_t *)"are you there", 13);
    if (!put_frame(l, 0x80 | m.opcode, m.data, m.len) || last)
      break;
    free(m.data);
    m.data = NULL;
  }
  free(m.data);
  if (strcmp(path, "/bye") == 0) {
    (void)put_frame(l, 0x88, (const uint8_t *)"\x03\xe9", 2);
    while (get_message(l, &m))
      free(m.data);
    free(m.data);
  }
}

/* Until the client has gone, without taking a byte from it. */
static void wait_for_end(const struct line *l) {
  uint8_t byte[1];
  struct timeval second = {0, 20000};
  (void)setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
  for (;;) {
    int err = 0;
    socklen_t len = sizeof err;
    struct tcp_info info;
    socklen_t size = sizeof info;
    (void)recv(l->fd, byte, 1, MSG_PEEK);
    (void)usleep(1000);
    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0 || err != 0)
      return;
    if (getsockopt(l->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        info.tcpi_state != TCP_ESTABLISHED)
      return;
  }
}

static void talk(struct line *l) {
  uint32_t i;
  char text[32];
  for (i = 1; i <= 1000000; i++) {
    int n = snprintf(text, sizeof text, "%u", (unsigned)i);
    if (!put_frame(l, 0x81, (const uint8_t *)text, (size_t)n))
      return;
  }
}

static void serve(struct line *l) {
  char path[64];
  struct message m;
  if (!upgrade(l, path))
    return;
  if (strcmp(path, "/sink") == 0) {
    wait_for_end(l);
  } else if (strcmp(path, "/talk") == 0) {
    talk(l);
  } else if (strcmp(path, "/bad") == 0) {
    (void)put_frame(l, 0x83, NULL, 0);
    (void)get_message(l, &m);
    free(m.data);
  } else {
    echo(l, path);
  }
}

static void *serve_line(void *arg) {
  struct line *l = (struct line *)arg;
  int on = 1;
  (void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (l->ctx != NULL) {
    l->ssl = SSL_new(l->ctx);
    MUST(l->ssl != NULL && SSL_set_fd(l->ssl, l->fd) == 1);
  }
  if (l->ssl == NULL || SSL_accept(l->ssl) == 1) {
    serve(l);
    if (l->ssl != NULL)
      (void)SSL_shutdown(l->ssl);
  }
  SSL_free(l->ssl);
  (void)close(l->fd);
  free(l);
  return NULL;
}

/* ---- listening ---------------------------------------------------------- */

struct listener {
  int fd;
  SSL_CTX *ctx;
};

static int listen_on(int *port) {
  struct sockaddr_in a;
  socklen_t len = sizeof a;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  memset(&a, 0, sizeof a);
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  MUST(fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0);
  MUST(listen(fd, 128) == 0);
  MUST(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
  *port = ntohs(a.sin_port);
  return fd;
}

static void *accept_all(void *arg) {
  const struct listener *from = (const struct listener *)arg;
  for (;;) {
    struct line *l = (struct line *)calloc(1, sizeof *l);
    pthread_t thread;
    MUST(l != NULL);
    l->fd = accept(from->fd, NULL, NULL);
    if (l->fd < 0) { /* a client that has gone already */
      free(l);
      continue;
    }
    l->ctx = from->ctx;
    MUST(pthread_create(&thread, NULL, serve_line, l) == 0);
    MUST(pthread_detach(thread) == 0);
  }
  return NULL;
}

static void start(int fd, SSL_CTX *ctx) {
  struct listener *l = (struct listener *)malloc(sizeof *l);
  pthread_t thread;
  MUST(l != NULL);
  l->fd = fd;
  l->ctx = ctx;
  MUST(pthread_create(&thread, NULL, accept_all, l) == 0);
}

static void run(struct echo *e, int told, int alive) {
  struct echo other;
  char byte;
  int plain, secure, impostor;
  (void)signal(SIGPIPE, SIG_IGN);
  plain = listen_on(&e->port);
  secure = listen_on(&e->tls_port);
  impostor = listen_on(&e->impostor_port);
  start(plain, NULL);
  start(secure, context(e));
  start(impostor, context(&other));
  MUST(write(told, e, sizeof *e) == (ssize_t)sizeof *e);
  while (read(alive, &byte, 1) < 0 && errno == EINTR)
    continue;
  _exit(0); /* whoever holds the other end has gone */
}

void echo_start(struct echo *e) {
  int told[2], alive[2];
  MUST(pipe(told) == 0 && pipe(alive) == 0);
  switch (fork()) {
  case -1:
    MUST(false);
    break;
  case 0:
    memset(e, 0, sizeof *e);
    (void)close(told[0]);
    (void)close(alive[1]);
    run(e, told[1], alive[0]);
    break;
  default:
    (void)close(told[1]);
    (void)close(alive[0]);
    MUST(read(told[0], e, sizeof *e) == (ssize_t)sizeof *e);
    (void)close(told[0]);
  }
}
