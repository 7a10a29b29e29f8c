/* The limit: bytes sent back as they come, without framing. One thread,
 * epoll, and OpenSSL if there is a certificate: a record is read and written,
 * until there is none. What a WebSocket server does is this, and more.
 *
 *   raw MODE PORT plain [CERT KEY]      prints `ready PORT`
 *
 * MODE is echo; or idle, which has OpenSSL release its buffers.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of one record; without TLS, of one read. */
enum { RECORD = 16384, ROOM = 256 << 10, EVENTS = 64 };

struct peer {
  int fd;
  int writing; /* what is left waits for room in the socket */
  SSL *ssl;
  unsigned char *left;
  size_t size;
};

static SSL_CTX *context;
static int poller;
static unsigned char room[ROOM];

static void watch(struct peer *p, int how, unsigned events) {
  struct epoll_event event = { .events = events, .data.ptr = p };

  if (epoll_ctl(poller, how, p->fd, &event) != 0) abort();
}

static void end(struct peer *p) {
  if (p->ssl != NULL) {
    if (SSL_is_init_finished(p->ssl)) SSL_shutdown(p->ssl);
    SSL_free(p->ssl);
  }
  close(p->fd);
  free(p->left);
  free(p);
}

/* Bytes, 0 where none can be had now, or -1 at the end. */
static long try_read(struct peer *p) {
  size_t got;
  long n;

  if (p->ssl == NULL) {
    n = recv(p->fd, room, ROOM, 0);
    return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
  }
  if (SSL_read_ex(p->ssl, room, RECORD, &got) == 1) return (long)got;
  return SSL_get_error(p->ssl, 0) == SSL_ERROR_WANT_READ ? 0 : -1;
}

static long try_write(struct peer *p, const unsigned char *from, size_t size) {
  size_t written;
  long n;

  if (p->ssl == NULL) {
    n = send(p->fd, from, size, MSG_NOSIGNAL);
    return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
  }
  if (SSL_write_ex(p->ssl, from, size, &written) == 1) return (long)written;
  return SSL_get_error(p->ssl, 0) == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

/* Write, or keep for later. False at the end. */
static int pass_on(struct peer *p, const unsigned char *from, size_t size) {
  long n;

  while (size > 0) {
    n = try_write(p, from, size);
    if (n < 0) return 0;
    if (n == 0) break;
    from += n;
    size -= (size_t)n;
  }
  if (size > 0) {
    if (p->left == NULL && (p->left = malloc(ROOM)) == NULL) abort();
    memmove(p->left, from, size);
  } else {
    free(p->left);
    p->left = NULL;
  }
  p->size = size;
  if (p->writing != (size > 0)) {
    p->writing = size > 0;
    watch(p, EPOLL_CTL_MOD, p->writing ? EPOLLOUT : EPOLLIN);
  }
  return 1;
}

static void ready(struct peer *p) {
  long n;

  if (p->writing && !pass_on(p, p->left, p->size)) {
    end(p);
    return;
  }
  while (!p->writing) {
    n = try_read(p);
    if (n == 0) return;
    if (n < 0 || !pass_on(p, room, (size_t)n)) {
      end(p);
      return;
    }
    if (p->ssl == NULL && n < ROOM) return; /* there is no more */
  }
}

static void greet(int listener) {
  struct peer *p;
  int yes = 1;
  int fd;

  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if ((p = calloc(1, sizeof *p)) == NULL) abort();
    p->fd = fd;
    if (context != NULL) {
      if ((p->ssl = SSL_new(context)) == NULL) abort();
      SSL_set_fd(p->ssl, fd);
      SSL_set_accept_state(p->ssl);
    }
    watch(p, EPOLL_CTL_ADD, EPOLLIN);
  }
}

static int prepare(int argc, char **argv) {
  if (argc < 6) return 1;
  context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_mode(context,
      SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (strcmp(argv[1], "idle") == 0) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  }
  return SSL_CTX_use_certificate_chain_file(context, argv[4]) == 1 &&
         SSL_CTX_use_PrivateKey_file(context, argv[5], SSL_FILETYPE_PEM) == 1;
}

static int bound(int port) {
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int yes = 1;

  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  address.sin_port = htons((unsigned short)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, (struct sockaddr *)&address, size) != 0 ||
      listen(fd, 511) != 0 ||
      getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
    perror("raw");
    exit(1);
  }
  printf("ready %d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

int main(int argc, char **argv) {
  struct epoll_event events[EVENTS];
  struct epoll_event listening = { .events = EPOLLIN, .data.ptr = NULL };
  int listener;
  int i;
  int n;

  if (argc != 4 && argc != 6) {
    fprintf(stderr, "usage: %s MODE PORT plain [CERT KEY]\n", argv[0]);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  if (!prepare(argc, argv)) {
    fprintf(stderr, "%s: cannot load %s and %s\n", argv[0], argv[4], argv[5]);
    return 1;
  }
  poller = epoll_create1(0);
  listener = bound(atoi(argv[2]));
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &listening);
  for (;;) {
    n = epoll_wait(poller, events, EVENTS, -1);
    for (i = 0; i < n; i++) {
      if (events[i].data.ptr == NULL) {
        greet(listener);
      } else {
        ready(events[i].data.ptr);
      }
    }
  }
}
