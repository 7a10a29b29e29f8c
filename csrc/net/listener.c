#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* accept4 */
#endif

#include "net/listener_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "net/address_private.h"
#include "net/bind_private.h"
#include "net/shake_private.h"
#include "net/stream_private.h"
#include "net/timer.h"

enum {
  CALLERS_PER_PASS = 64, /* be fair to those who are served */
  READS_TO_DISMISS = 4,  /* of LIMIT_READ_BYTES */
  QUEUE_MAX = 4096,      /* longer than Linux makes one by itself */
  PAUSE_MIN_MS = 50,
  PAUSE_MAX_MS = 1000
};

/* One socket. */
struct door {
  uv_poll_t poll;
  struct net_listener *owner;
  int fd;
};

struct net_listener {
  struct net_task task; /* first: tells the owner that it is closed */
  struct net_loop *loop;
  const struct net_listener_ops *ops; /* NULL: the owner never knew it */
  void *ctx;
  struct net_timer *pause; /* runs: nobody is accepted */
  unsigned pause_ms;       /* the next one's */
  int reserve;             /* -1: lost for now */
  bool closing;
  size_t closing_doors;
  struct net_listener_stats stats;
  struct net_bound bound; /* what the doors are of */
  size_t count;           /* doors that libuv knows */
  struct door *doors;     /* bound.count */
};

/* ---- accept -------------------------------------------------------------- */

static int accept_socket(int fd, struct sockaddr *addr, socklen_t *size) {
  return accept4(fd, addr, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int (*net_listener_accept)(int fd, struct sockaddr *addr, socklen_t *size) =
  accept_socket;

/* A socket, or libuv's error. Of a local caller's address the family will
** do. */
static int accept_one(const struct door *d, union net_endpoint *from) {
  socklen_t size = sizeof *from;
  int fd;
  memset(from, 0, sizeof *from);
  fd = net_listener_accept(d->fd, &from->any, &size);
  if (fd >= 0)
    return fd;
  return errno == EWOULDBLOCK ? UV_EAGAIN : -errno;
}

static bool is_shortage(int err) {
  return err == UV_EMFILE || err == UV_ENFILE || err == UV_ENOBUFS ||
         err == UV_ENOMEM;
}

/* ---- pauses -------------------------------------------------------------- */

static void on_poll(uv_poll_t *poll, int status, int events);

static void take_reserve(struct net_listener *l) {
  if (l->reserve < 0)
    l->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void pause_accepting(struct net_listener *l) {
  size_t i;
  for (i = 0; i < l->count; i++)
    (void)uv_poll_stop(&l->doors[i].poll);
  net_timer_start(l->pause, l->pause_ms);
  l->pause_ms = l->pause_ms * 2 < PAUSE_MAX_MS ? l->pause_ms * 2
                                                : PAUSE_MAX_MS;
}

static int start_accepting(struct net_listener *l) {
  size_t i;
  int err = 0;
  for (i = 0; i < l->count && err == 0; i++)
    err = uv_poll_start(&l->doors[i].poll, UV_READABLE, on_poll);
  return err;
}

static void on_pause_over(void *ctx) {
  struct net_listener *l = (struct net_listener *)ctx;
  take_reserve(l);
  if (start_accepting(l) != 0)
    pause_accepting(l);
}

/* ---- callers ------------------------------------------------------------- */

/* Somebody who is not served is to see an end, not a RST: that would come of
** what he sent and nobody read. */
static void dismiss(struct net_listener *l, int fd) {
  int i = 0;
  (void)shutdown(fd, SHUT_WR);
  while (i++ < READS_TO_DISMISS &&
         recv(fd, l->loop->read_buf, LIMIT_READ_BYTES, 0) > 0)
    continue;
  (void)close(fd);
}

/*
** There is no descriptor left. Giving up the reserve makes room for one caller
** after the other, who is told at once instead of waiting for his own patience
** to end. False if nobody was waiting: accept wants a descriptor before it
** looks.
*/
static bool turn_away(const struct door *d) {
  struct net_listener *l = d->owner;
  union net_endpoint from;
  bool waiting = true;
  int i;
  if (l->reserve < 0)
    return true;
  (void)close(l->reserve);
  l->reserve = -1;
  for (i = 0; i < CALLERS_PER_PASS; i++) {
    int fd = accept_one(d, &from);
    if (fd >= 0) {
      dismiss(l, fd);
      l->stats.turned_away++;
      continue;
    }
    if (fd == UV_EAGAIN) {
      waiting = i > 0;
      break;
    }
    l->stats.failures++;
    if (is_shortage(fd))
      break; /* another thread was faster */
  }
  take_reserve(l);
  return waiting;
}

static void hand_over(struct net_listener *l, int fd,
                      union net_endpoint *from) {
  struct net_stream *s;
  net_endpoint_unmap(from);
  if (net_stream_new(&s, l->loop, fd, &from->any) != 0) {
    l->stats.failures++;
    return;
  }
  l->stats.accepted++;
  l->pause_ms = PAUSE_MIN_MS;
  l->ops->on_stream(l->ctx, s); /* may close us, or never return */
}

/*
** What accept says is of one caller (accept(2) lists ECONNABORTED, EPERM, and
** errors of the network), and the next one may be fine. But what is there in
** every pass, and with nobody who is, must not keep the loop busy.
*/
static void accept_some(const struct door *d) {
  struct net_listener *l = d->owner;
  union net_endpoint from;
  bool good = false;
  int i;
  for (i = 0; i < CALLERS_PER_PASS; i++) {
    int fd = accept_one(d, &from);
    if (fd == UV_EAGAIN || (is_shortage(fd) && !turn_away(d)))
      return;
    if (fd >= 0) {
      good = true;
      hand_over(l, fd, &from);
      if (l->closing)
        return;
      continue;
    }
    l->stats.failures++;
    if (is_shortage(fd)) {
      pause_accepting(l);
      return;
    }
  }
  if (!good)
    pause_accepting(l);
}

/* libuv has stopped to look at a socket that it finds broken. */
static void on_poll(uv_poll_t *poll, int status, int events) {
  const struct door *d = (const struct door *)poll->data;
  (void)events;
  if (status == 0) {
    accept_some(d);
  } else {
    d->owner->stats.failures++;
    pause_accepting(d->owner);
  }
}

/* ---- life ---------------------------------------------------------------- */

static void closed(struct net_task *task) {
  struct net_listener *l = (struct net_listener *)task;
  const struct net_listener_ops *ops = l->ops;
  void *ctx = l->ctx;
  l->loop->handles--;
  base_free(l->doors);
  base_free(l);
  if (ops != NULL)
    ops->on_closed(ctx);
}

static void on_close(uv_handle_t *handle) {
  struct net_listener *l = ((struct door *)handle->data)->owner;
  if (--l->closing_doors == 0)
    net_loop_defer(l->loop, &l->task);
}

/* Whoever stands in the queue when its socket is closed gets a RST. Another
** process may listen on the port, but the queue is not handed over to it. */
static void empty_queues(struct net_listener *l) {
  union net_endpoint from;
  size_t i;
  for (i = 0; i < l->count; i++) {
    int fd, n = 0;
    while (n++ < QUEUE_MAX && (fd = accept_one(&l->doors[i], &from)) >= 0) {
      dismiss(l, fd);
      l->stats.turned_away++;
    }
  }
}

void net_listener_close(struct net_listener *l) {
  size_t i;
  if (l->closing)
    return;
  l->closing = true;
  empty_queues(l);
  net_timer_free(l->pause);
  l->closing_doors = l->count;
  for (i = 0; i < l->count; i++)
    uv_close((uv_handle_t *)&l->doors[i].poll, on_close);
  if (l->count == 0)
    net_loop_defer(l->loop, &l->task);
  net_bound_close(&l->bound);
  if (l->reserve >= 0)
    (void)close(l->reserve);
}

static int open_doors(struct net_listener *l) {
  int err = 0;
  while (l->count < l->bound.count && err == 0) {
    struct door *d = &l->doors[l->count];
    d->owner = l;
    d->fd = l->bound.fds[l->count];
    err = uv_poll_init(&l->loop->uv, &d->poll, d->fd);
    d->poll.data = d;
    if (err == 0)
      l->count++;
  }
  return err == 0 ? start_accepting(l) : err;
}

static int set_up(struct net_listener *l) {
  l->pause = net_timer_new(l->loop, on_pause_over, l);
  l->doors = (struct door *)base_calloc(l->bound.count, sizeof *l->doors);
  if (l->pause == NULL || l->doors == NULL)
    return UV_ENOMEM;
  take_reserve(l); /* without one it still pauses, and asks again */
  return open_doors(l);
}

static struct base_error *set_up_error(const struct net_listener *l,
                                       const struct net_listen_conf *conf,
                                       int e) {
  char where[NET_AUTHORITY_SIZE];
  struct base_error *err;
  if (e == UV_ENOMEM)
    return base_error_from(BASE_ERR_MEMORY);
  net_authority(where, l->bound.ip, (unsigned)l->bound.port);
  err = base_error_new(BASE_KIND_CONNECT, net_error_name(e),
                       "could not wait for callers: %s", net_error_text(e));
  base_error_text(err, "address", conf->path != NULL ? conf->path : where);
  return err;
}

struct base_error *net_listener_new(struct net_listener **out,
                                    struct net_loop *loop,
                                    const struct net_listen_conf *conf,
                                    const struct net_listener_ops *ops,
                                    void *ctx) {
  struct net_listener *l = (struct net_listener *)base_calloc(1, sizeof *l);
  struct base_error *err;
  int e;
  if (l == NULL)
    return base_error_from(BASE_ERR_MEMORY);
  err = net_bind(&l->bound, loop, conf);
  if (err != NULL) {
    base_free(l);
    return err;
  }
  l->task.run = closed;
  l->loop = loop;
  l->pause_ms = PAUSE_MIN_MS;
  l->reserve = -1;
  loop->handles++;
  e = set_up(l);
  if (e != 0) {
    err = set_up_error(l, conf, e);
    net_listener_close(l); /* tells nobody */
    return err;
  }
  l->ops = ops;
  l->ctx = ctx;
  *out = l;
  return NULL;
}

void net_listener_address(const struct net_listener *l, char ip[64],
                          int *port) {
  memcpy(ip, l->bound.ip, sizeof l->bound.ip);
  *port = l->bound.port;
}

const struct net_listener_stats *
net_listener_stats(const struct net_listener *l) {
  return &l->stats;
}
