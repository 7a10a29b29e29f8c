/* An echo server that costs as little as one can: OpenSSL on a blocking
 * socket, a thread a connection, frames passed on as they come, and one
 * SSL_write for everything that one pass read. It is here so that the peer
 * of a fast client is not what is measured.
 *
 *   echo CERT KEY      prints `ready PORT`, serves until it is killed
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 256 << 10, HEAD = 14 };

static SSL_CTX *context;

struct peer {
  SSL *ssl;
  unsigned char in[ROOM];
  unsigned char out[2 * ROOM];
  unsigned char head[HEAD]; /* of the frame that is coming */
  size_t head_size;
  uint64_t left; /* of its payload */
  uint64_t mask; /* four bytes twice, turned to where the payload is */
  size_t filled; /* of out */
  int skip;      /* a pong's payload goes nowhere */
  int closing;
};

static int flush(struct peer *p) {
  size_t written;
  size_t size = p->filled;

  p->filled = 0;
  return size == 0 || SSL_write_ex(p->ssl, p->out, size, &written) == 1;
}

/* Header bytes in p->head; how many there must be, as far as is known. */
static size_t head_wanted(const struct peer *p) {
  unsigned length;

  if (p->head_size < 2) return 2;
  length = p->head[1] & 127U;
  return 6 + (length == 126 ? 2U : length == 127 ? 8U : 0U);
}

/* A whole header: the answer's header goes out. False if it is not right. */
static int begin(struct peer *p, size_t size) {
  unsigned opcode = p->head[0] & 15U;
  size_t i;
  uint32_t mask;

  if ((p->head[1] & 128U) == 0 || (p->head[0] & 0x70U) != 0) return 0;
  p->left = 0;
  if (size == 6) p->left = p->head[1] & 127U;
  for (i = 2; i < size - 4; i++) p->left = p->left << 8 | p->head[i];
  memcpy(&mask, p->head + size - 4, 4);
  p->mask = (uint64_t)mask << 32 | mask;
  p->closing = opcode == 8;
  p->skip = opcode == 10;
  p->head_size = 0;
  if (p->skip) return 1;
  if (opcode == 9) p->head[0] = 0x8a; /* a ping is answered by a pong */
  p->head[1] &= 127U;
  memcpy(p->out + p->filled, p->head, size - 4);
  p->filled += size - 4;
  return 1;
}

static void unmask(unsigned char *to, const unsigned char *from, size_t size,
    uint64_t *mask) {
  unsigned turn = (unsigned)(size % 4) * 8;
  uint32_t half = (uint32_t)*mask;
  uint64_t word;
  size_t i;

  for (i = 0; i + 8 <= size; i += 8) {
    memcpy(&word, from + i, 8);
    word ^= *mask;
    memcpy(to + i, &word, 8);
  }
  for (; i < size; i++) {
    to[i] = (unsigned char)(from[i] ^ (unsigned char)(*mask >> (i % 8 * 8)));
  }
  if (turn != 0) half = half >> turn | half << (32 - turn);
  *mask = (uint64_t)half << 32 | half;
}

/* What came in goes out; in is at most half of out, and a header of ours is
 * shorter than the one it answers. False at the end. */
static int pass(struct peer *p, size_t size) {
  size_t at = 0;
  size_t wanted;
  size_t piece;

  for (;;) {
    while (p->left == 0) {
      if (p->closing) return 0;
      wanted = head_wanted(p);
      while (p->head_size < wanted && at < size) {
        p->head[p->head_size++] = p->in[at++];
      }
      if (p->head_size < wanted) return 1;
      if (wanted != head_wanted(p)) continue;
      if (!begin(p, wanted)) return 0;
    }
    piece = size - at;
    if (piece > p->left) piece = (size_t)p->left;
    if (piece == 0) return 1;
    if (!p->skip) {
      unmask(p->out + p->filled, p->in + at, piece, &p->mask);
      p->filled += piece;
    }
    at += piece;
    p->left -= piece;
  }
}

/* The request's head into p->in, as a string; false if it is none. */
static int request(struct peer *p) {
  size_t size = 0;
  size_t got;

  while (size < 8192) {
    if (SSL_read_ex(p->ssl, p->in + size, 8192 - size, &got) != 1) return 0;
    size += got;
    p->in[size] = 0;
    if (size >= 4 && memcmp(p->in + size - 4, "\r\n\r\n", 4) == 0) return 1;
  }
  return 0;
}

static int upgrade(struct peer *p) {
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  static const char name[] = "\r\nsec-websocket-key:";
  unsigned char digest[SHA_DIGEST_LENGTH];
  unsigned char text[64];
  char both[64];
  char key[25];
  char *at = (char *)p->in;

  while (*at != 0 && strncasecmp(at, name, sizeof name - 1) != 0) at++;
  if (*at == 0 || sscanf(at + sizeof name - 1, " %24s", key) != 1) return 0;
  (void)snprintf(both, sizeof both, "%s%s", key, guid);
  SHA1((const unsigned char *)both, strlen(both), digest);
  EVP_EncodeBlock(text, digest, sizeof digest);
  p->filled = (size_t)snprintf((char *)p->out, sizeof p->out,
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
      (char *)text);
  return flush(p);
}

static void echo(struct peer *p) {
  size_t size;
  size_t got;
  int more = 1;

  while (more && SSL_read_ex(p->ssl, p->in, ROOM, &size) == 1) {
    /* Records that are here already are answered together. */
    while (size < ROOM && SSL_has_pending(p->ssl) &&
        SSL_read_ex(p->ssl, p->in + size, ROOM - size, &got) == 1) {
      size += got;
    }
    more = pass(p, size);
    if (!flush(p)) return;
  }
  SSL_shutdown(p->ssl);
}

static void *serve(void *arg) {
  struct peer *p = (struct peer *)arg;
  int fd = SSL_get_fd(p->ssl);

  if (SSL_accept(p->ssl) == 1 && request(p) && upgrade(p)) echo(p);
  SSL_free(p->ssl);
  close(fd);
  free(p);
  return NULL;
}

static void start(int fd) {
  struct peer *p = (struct peer *)calloc(1, sizeof *p);
  pthread_t thread;
  int yes = 1;

  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (p == NULL || (p->ssl = SSL_new(context)) == NULL) abort();
  SSL_set_fd(p->ssl, fd);
  if (pthread_create(&thread, NULL, serve, p) != 0) abort();
  pthread_detach(thread);
}

int main(int argc, char **argv) {
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  int fd;

  if (argc != 3) {
    fprintf(stderr, "usage: %s CERT KEY\n", argv[0]);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  /* Left to themselves, clients would not all take the same one. */
  SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384");
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, 64 << 10);
  if (SSL_CTX_use_certificate_chain_file(context, argv[1]) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, argv[2], SSL_FILETYPE_PEM) != 1) {
    fprintf(stderr, "%s: cannot load %s and %s\n", argv[0], argv[1], argv[2]);
    return 1;
  }
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (struct sockaddr *)&address, size) != 0 ||
      listen(listener, 128) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
    perror(argv[0]);
    return 1;
  }
  printf("ready %d\n", ntohs(address.sin_port));
  fflush(stdout);
  while ((fd = accept(listener, NULL, NULL)) >= 0) start(fd);
  perror(argv[0]);
  return 1;
}
