#include "net/posix.h"

#include "net/input.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "net/loop_private.h"
#include "net/timer.h"

/* A file is always ready, and epoll refuses it: a timer stands in. */
struct net_input {
  struct net_loop *loop;
  struct net_timer *turn; /* of a file; NULL where the poll works */
  uv_poll_t poll;
  int fd;
  bool active;
  net_input_fn *fn;
  void *ctx;
};

static void read_some(struct net_input *in) {
  ssize_t n;
  do
    n = read(in->fd, in->loop->read_buf, LIMIT_READ_BYTES);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN)
    return; /* somebody else made it non-blocking and was faster */
  if (n <= 0) {
    net_input_pause(in);
    in->fn(in->ctx, NULL, 0);
  } else {
    in->fn(in->ctx, in->loop->read_buf, (size_t)n);
  }
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  (void)status; /* the read says what is wrong */
  (void)events;
  read_some((struct net_input *)poll->data);
}

static void on_turn(void *ctx) {
  struct net_input *in = (struct net_input *)ctx;
  struct net_timer *turn = in->turn;
  net_timer_start(turn, 0);
  read_some(in); /* may free 'in', and the timer with it */
}

/* libuv makes what it polls non-blocking. A terminal's descriptors are one and
** the same open file: what the program prints would be cut off. */
static int poll_init(struct net_input *in, int fd) {
  int flags = fcntl(fd, F_GETFL);
  int err = uv_poll_init(&in->loop->uv, &in->poll, fd);
  if (flags >= 0 && (flags & O_NONBLOCK) == 0)
    (void)fcntl(fd, F_SETFL, flags);
  return err;
}

struct net_input *net_input_new(struct net_loop *loop, int fd,
                                net_input_fn *fn, void *ctx) {
  struct net_input *in = (struct net_input *)base_calloc(1, sizeof *in);
  if (in == NULL)
    return NULL;
  in->loop = loop;
  in->fd = fd;
  in->fn = fn;
  in->ctx = ctx;
  if (poll_init(in, fd) == 0) {
    in->poll.data = in;
    loop->handles++;
    return in;
  }
  in->turn = net_timer_new(loop, on_turn, in);
  if (in->turn == NULL) {
    base_free(in);
    return NULL;
  }
  return in;
}

void net_input_pause(struct net_input *in) {
  in->active = false;
  if (in->turn != NULL)
    net_timer_stop(in->turn);
  else
    (void)uv_poll_stop(&in->poll);
}

void net_input_resume(struct net_input *in) {
  if (in->active)
    return;
  in->active = true;
  if (in->turn != NULL)
    net_timer_start(in->turn, 0);
  else
    (void)uv_poll_start(&in->poll, UV_READABLE, on_poll);
}

static void on_close(uv_handle_t *handle) {
  base_free(handle->data);
}

void net_input_free(struct net_input *in) {
  if (in == NULL)
    return;
  if (in->turn != NULL) {
    net_timer_free(in->turn);
    base_free(in);
    return;
  }
  in->loop->handles--;
  uv_close((uv_handle_t *)&in->poll, on_close);
}

bool net_is_terminal(int fd) {
  return isatty(fd) != 0;
}
