/*
** Sockets are read and written here, not by libuv's streams: those raise
** SIGPIPE when the peer has gone, whose disposition belongs to the program
** that we are a guest in, and they ask for memory with every write. A
** uv_poll_t tells when it is time.
*/
#include "net/stream_private.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "net/address_private.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* then there is SO_NOSIGPIPE */
#endif

enum { READS_PER_PASS = 4 }; /* of LIMIT_READ_BYTES: be fair to the others */

struct net_stream {
  struct net_task task; /* first: tells the owner that it is closed */
  uv_poll_t poll;
  struct net_loop *loop;
  int fd;
  int armed; /* the events that libuv looks for */
  int err;   /* what the kernel told first: it tells it only once */
  const struct net_stream_ops *ops;
  void *ctx;
  net_stream_ready_fn *ready; /* before it is attached */
  void *ready_ctx;
  int watched;
  uint64_t sent_at;   /* when some of 'out' last was */
  const uint8_t *out; /* borrowed, while 'writing' */
  size_t out_len;
  bool reading, writing;
  bool fin;     /* to be said after what is being written */
  bool closing;
  int port;
  char ip[64];
};

/* ---- interest ----------------------------------------------------------- */

static void on_poll(uv_poll_t *poll, int status, int events);

static int wanted(const struct net_stream *s) {
  if (s->ready != NULL)
    return s->watched;
  return (s->reading ? UV_READABLE : 0) | (s->writing ? UV_WRITABLE : 0);
}

static int arm(struct net_stream *s, int events) {
  int err = 0;
  if (events == s->armed)
    return 0;
  if (events == 0)
    (void)uv_poll_stop(&s->poll);
  else
    err = uv_poll_start(&s->poll, events, on_poll);
  s->armed = err == 0 ? events : 0;
  return err;
}

/* What is wanted is armed at once. What is not is disarmed only when it
** troubles us: an owner that stops and starts with every message costs no
** system call. */
static int arm_wanted(struct net_stream *s) {
  int want = wanted(s);
  return (want & ~s->armed) != 0 ? arm(s, want) : 0;
}

/* ---- the socket --------------------------------------------------------- */

static long told(ssize_t n) {
  if (n >= 0)
    return (long)n;
  return errno == EWOULDBLOCK ? UV_EAGAIN : -errno;
}

long net_stream_recv(struct net_stream *s, uint8_t *data, size_t n,
                     int flags) {
  ssize_t got;
  do
    got = recv(s->fd, data, n, flags);
  while (got < 0 && errno == EINTR);
  return told(got);
}

long net_stream_send(struct net_stream *s, const uint8_t *data, size_t n) {
  ssize_t took;
  do
    took = send(s->fd, data, n, MSG_NOSIGNAL);
  while (took < 0 && errno == EINTR);
  return told(took);
}

/* sendmsg never writes to what it is given. */
static long send_both(struct net_stream *s, const struct net_piece *head,
                      const struct net_piece *rest) {
  struct iovec pieces[2];
  struct msghdr msg;
  ssize_t took;
  pieces[0].iov_base = (void *)head->data;
  pieces[0].iov_len = head->len;
  pieces[1].iov_base = (void *)rest->data;
  pieces[1].iov_len = rest->len;
  memset(&msg, 0, sizeof msg);
  msg.msg_iov = pieces;
  msg.msg_iovlen = 2;
  do
    took = sendmsg(s->fd, &msg, MSG_NOSIGNAL);
  while (took < 0 && errno == EINTR);
  return told(took);
}

static void remember(struct net_stream *s, int err) {
  if (s->err == 0)
    s->err = err;
}

static void say_fin(struct net_stream *s) {
  (void)shutdown(s->fd, SHUT_WR);
}

/* ---- events ------------------------------------------------------------- */

static void end_reading(struct net_stream *s, int err) {
  s->reading = false;
  s->ops->on_end(s->ctx, err);
}

/* True if the end has come. A read that does not fill the buffer has taken
** all there is: no second one to hear EAGAIN. */
static bool read_some(struct net_stream *s) {
  int i;
  for (i = 0; i < READS_PER_PASS; i++) {
    long n = net_stream_recv(s, s->loop->read_buf, LIMIT_READ_BYTES, 0);
    if (n == UV_EAGAIN)
      return false;
    if (n <= 0) {
      remember(s, (int)n);
      end_reading(s, s->err);
      return true;
    }
    s->ops->on_read(s->ctx, s->loop->read_buf, (size_t)n);
    if (s->closing || !s->reading || (size_t)n < LIMIT_READ_BYTES)
      return false;
  }
  return false;
}

static void write_some(struct net_stream *s) {
  long n = net_stream_send(s, s->out, s->out_len);
  int err = 0;
  if (n == UV_EAGAIN)
    return;
  if (n < 0) {
    err = (int)n;
    remember(s, err);
  } else {
    s->sent_at = net_loop_now_ms(s->loop);
    s->out += n;
    s->out_len -= (size_t)n;
    if (s->out_len > 0)
      return;
    if (s->fin)
      say_fin(s);
  }
  s->writing = false;
  s->ops->on_written(s->ctx, err);
}

/*
** libuv reports a broken socket as EBADF and has stopped looking; what broke
** it, the next call on the socket says. What arrived before is read first.
*/
static void on_poll(uv_poll_t *poll, int status, int events) {
  struct net_stream *s = (struct net_stream *)poll->data;
  int before = wanted(s), drop;
  if (status < 0) {
    s->armed = 0;
    events = UV_READABLE | UV_WRITABLE;
  }
  drop = events & ~before;
  if (s->ready != NULL) {
    if ((events & before) != 0)
      s->ready(s->ready_ctx, s);
  } else {
    if (s->reading && (events & UV_READABLE) != 0 && read_some(s))
      drop |= UV_READABLE;
    if (s->writing && (events & UV_WRITABLE) != 0)
      write_some(s);
    drop |= UV_WRITABLE; /* without need it fires in every pass */
  }
  if (s->closing)
    return;
  drop &= s->armed & ~wanted(s);
  /* These fail only for a descriptor that is watched twice. */
  (void)(drop != 0 ? arm(s, wanted(s)) : arm_wanted(s));
}

/* ---- life --------------------------------------------------------------- */

static void closed(struct net_task *task) {
  struct net_stream *s = (struct net_stream *)task;
  const struct net_stream_ops *ops = s->ops;
  void *ctx = s->ctx;
  s->loop->handles--;
  base_free(s);
  if (ops != NULL)
    ops->on_closed(ctx);
}

static void on_close(uv_handle_t *handle) {
  struct net_stream *s = (struct net_stream *)handle->data;
  net_loop_defer(s->loop, &s->task);
}

/* Our writes are whole batches: nothing is won by waiting for more. */
static void set_options(int fd, int family) {
  int on = 1;
  if (family != AF_UNIX)
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#ifdef SO_NOSIGPIPE
  (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
}

int net_stream_new(struct net_stream **out, struct net_loop *loop, int fd,
                   const struct sockaddr *peer) {
  struct net_stream *s = (struct net_stream *)base_calloc(1, sizeof *s);
  int err = s == NULL ? UV_ENOMEM : uv_poll_init(&loop->uv, &s->poll, fd);
  if (err != 0) {
    base_free(s);
    (void)close(fd);
    return err;
  }
  set_options(fd, peer->sa_family);
  s->task.run = closed;
  s->poll.data = s;
  s->loop = loop;
  s->fd = fd;
  net_address(peer, s->ip, &s->port);
  loop->handles++;
  *out = s;
  return 0;
}

int net_stream_connect(struct net_stream **out, struct net_loop *loop,
                       const struct sockaddr *addr, net_stream_ready_fn *fn,
                       void *ctx) {
  int err, fd = socket(addr->sa_family,
                       SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -errno;
  /* An interrupted connect goes on by itself. */
  if (connect(fd, addr, net_address_size(addr)) != 0 &&
      errno != EINPROGRESS && errno != EINTR) {
    err = -errno;
    (void)close(fd);
    return err;
  }
  err = net_stream_new(out, loop, fd, addr);
  if (err != 0)
    return err;
  err = net_stream_watch(*out, UV_WRITABLE, fn, ctx);
  if (err != 0)
    net_stream_close(*out);
  return err;
}

int net_stream_failure(const struct net_stream *s) {
  int err = 0;
  socklen_t len = sizeof err;
  if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
    err = errno;
  return -err;
}

int net_stream_watch(struct net_stream *s, int events,
                     net_stream_ready_fn *fn, void *ctx) {
  s->ready = fn;
  s->ready_ctx = ctx;
  s->watched = events;
  return arm_wanted(s);
}

void net_stream_attach(struct net_stream *s, const struct net_stream_ops *ops,
                       void *ctx) {
  s->ready = NULL;
  s->ops = ops;
  s->ctx = ctx;
}

void net_stream_close(struct net_stream *s) {
  if (s->closing)
    return;
  s->closing = true;
  s->ready = NULL;
  s->reading = s->writing = false;
  uv_close((uv_handle_t *)&s->poll, on_close);
  (void)close(s->fd);
}

void net_stream_reset(struct net_stream *s) {
  struct linger hard = {1, 0};
  if (s->closing)
    return;
  (void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  net_stream_close(s);
}

/* ---- the owner's -------------------------------------------------------- */

int net_stream_read_start(struct net_stream *s) {
  int err;
  assert(s->ops != NULL);
  if (s->closing)
    return UV_EBADF;
  s->reading = true;
  err = arm_wanted(s);
  if (err != 0)
    s->reading = false;
  return err;
}

void net_stream_read_stop(struct net_stream *s) {
  s->reading = false;
}

static long tried(struct net_stream *s, long took) {
  if (took == UV_EAGAIN)
    return 0;
  if (took < 0 && !s->fin)
    remember(s, (int)took);
  return took;
}

long net_stream_try_write(struct net_stream *s, const uint8_t *data,
                          size_t n) {
  assert(!s->writing);
  if (s->closing)
    return UV_EBADF;
  if (n == 0)
    return 0;
  return tried(s, net_stream_send(s, data, n));
}

long net_stream_try_write_both(struct net_stream *s,
                               const struct net_piece *head,
                               const struct net_piece *rest) {
  assert(!s->writing && rest->len > 0);
  if (s->closing)
    return UV_EBADF;
  return tried(s, send_both(s, head, rest));
}

int net_stream_write(struct net_stream *s, const uint8_t *data, size_t n) {
  int err;
  assert(!s->writing && s->ops != NULL);
  if (s->closing)
    return UV_EBADF;
  s->out = data;
  s->out_len = n;
  s->writing = true;
  err = arm_wanted(s);
  if (err != 0) {
    s->writing = false;
    s->out_len = 0;
  }
  return err;
}

uint64_t net_stream_sent_at(const struct net_stream *s) {
  return s->sent_at;
}

size_t net_stream_unwritten(const struct net_stream *s) {
  return s->out_len;
}

void net_stream_shutdown(struct net_stream *s) {
  if (s->closing || s->fin)
    return;
  s->fin = true;
  if (!s->writing)
    say_fin(s);
}

void net_stream_peer(const struct net_stream *s, char ip[64], int *port) {
  memcpy(ip, s->ip, sizeof s->ip);
  *port = s->port;
}
