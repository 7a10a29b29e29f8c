#include "net/posix.h"

#include "net/timer.h"

#include "base/mem.h"
#include "net/loop_private.h"

struct net_timer {
  uv_timer_t uv;
  struct net_loop *loop;
  net_timer_fn *fn;
  void *ctx;
  uint64_t not_before; /* the loop's pass */
};

#define MAX_MS ((uint64_t)1 << 52) /* so that no sum overflows */

/*
** libuv runs due timers until none is left, those started meanwhile too. A
** timer that starts itself with 0 would run for ever, and one that gives the
** network a last chance to speak would not give it: so a timer started by a
** timer runs after the loop has looked for events, not before.
*/
static void on_timer(uv_timer_t *uv) {
  struct net_timer *t = (struct net_timer *)uv->data;
  struct net_loop *loop = t->loop;
  if (loop->passes < t->not_before) {
    (void)uv_timer_start(uv, on_timer, 1, 0);
    return;
  }
  loop->in_timer = true;
  t->fn(t->ctx); /* may free 't', whose memory stays for this pass */
  loop->in_timer = false;
}

struct net_timer *net_timer_new(struct net_loop *loop, net_timer_fn *fn,
                                void *ctx) {
  struct net_timer *t = (struct net_timer *)base_calloc(1, sizeof *t);
  if (t == NULL)
    return NULL;
  t->loop = loop;
  t->fn = fn;
  t->ctx = ctx;
  (void)uv_timer_init(&loop->uv, &t->uv);
  t->uv.data = t;
  loop->handles++;
  return t;
}

/* libuv counts from when the pass began, in whole milliseconds. We count from
** now and round up: a timer may be late, never early. */
void net_timer_start(struct net_timer *t, uint64_t ms) {
  uint64_t wait_ms = 0;
  if (ms > 0) {
    uint64_t now_ns = uv_hrtime();
    uint64_t due_ms = now_ns / 1000000u + (ms < MAX_MS ? ms : MAX_MS);
    if (now_ns % 1000000u != 0)
      due_ms++;
    wait_ms = due_ms - uv_now(&t->loop->uv);
  }
  t->not_before = t->loop->in_timer ? t->loop->passes + 1 : 0;
  (void)uv_timer_start(&t->uv, on_timer, wait_ms, 0);
}

void net_timer_stop(struct net_timer *t) {
  (void)uv_timer_stop(&t->uv);
}

bool net_timer_active(const struct net_timer *t) {
  return uv_is_active((const uv_handle_t *)&t->uv) != 0;
}

static void on_close(uv_handle_t *handle) {
  base_free(handle->data);
}

/* Nothing can come from it any more, so the ledger forgets it here. */
void net_timer_free(struct net_timer *t) {
  if (t == NULL)
    return;
  t->loop->handles--;
  uv_close((uv_handle_t *)&t->uv, on_close);
}
