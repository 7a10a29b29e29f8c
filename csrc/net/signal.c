#include "net/posix.h"

#include "net/signal.h"

#include "base/mem.h"
#include "net/loop_private.h"

/* libuv tells signals from a list on its stack: 'fn' is called from a task
** (see net/loop_private.h). */
struct net_signal {
  struct net_task task; /* first */
  uv_signal_t uv;
  struct net_loop *loop;
  net_signal_fn *fn; /* NULL once it is freed */
  void *ctx;
  bool closed;
};

static void run(struct net_task *task) {
  struct net_signal *s = (struct net_signal *)task;
  if (s->fn != NULL)
    s->fn(s->ctx); /* may call net_signal_free, whose memory stays for now */
  else if (s->closed)
    base_free(s);
}

static void on_signal(uv_signal_t *uv, int number) {
  struct net_signal *s = (struct net_signal *)uv->data;
  (void)number;
  net_loop_defer(s->loop, &s->task);
}

static void on_close(uv_handle_t *handle) {
  struct net_signal *s = (struct net_signal *)handle->data;
  s->closed = true;
  if (!s->task.queued)
    base_free(s);
}

struct net_signal *net_signal_new(struct net_loop *loop,
                                  enum net_signal_name name,
                                  net_signal_fn *fn, void *ctx) {
  static const int numbers[] = {SIGHUP, SIGINT, SIGPIPE, SIGTERM};
  struct net_signal *s = (struct net_signal *)base_calloc(1, sizeof *s);
  if (s == NULL)
    return NULL;
  s->task.run = run;
  s->loop = loop;
  s->fn = fn;
  s->ctx = ctx;
  if (uv_signal_init(&loop->uv, &s->uv) != 0) {
    base_free(s);
    return NULL;
  }
  s->uv.data = s;
  loop->handles++;
  if (uv_signal_start(&s->uv, on_signal, numbers[name]) != 0) {
    net_signal_free(s);
    return NULL;
  }
  uv_unref((uv_handle_t *)&s->uv);
  return s;
}

void net_signal_free(struct net_signal *s) {
  if (s == NULL)
    return;
  s->fn = NULL;
  s->loop->handles--;
  uv_close((uv_handle_t *)&s->uv, on_close);
}
