#include "net/loop_private.h"

#include <assert.h>
#include <time.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"

/* ---- tasks -------------------------------------------------------------- */

void net_loop_defer(struct net_loop *loop, struct net_task *task) {
  if (task->queued)
    return;
  task->queued = true;
  task->next = NULL;
  *loop->last = task;
  loop->last = &task->next;
  loop->tasks++;
}

/* Those that are there now: what they add is for the next pass. */
static bool run_tasks(struct net_loop *loop) {
  size_t n = loop->tasks;
  bool any = n > 0;
  while (n-- > 0 && loop->first != NULL) {
    struct net_task *task = loop->first;
    loop->first = task->next;
    if (loop->first == NULL)
      loop->last = &loop->first;
    loop->tasks--;
    task->queued = false;
    task->run(task);
  }
  return any;
}

/* ---- a pass ------------------------------------------------------------- */

static void on_idle(uv_idle_t *idle) {
  (void)idle;
}

static void before_wait(struct net_loop *loop) {
  loop->woken = false;
  if (loop->fn != NULL)
    loop->fn(loop->ctx);
}

/*
** Comes before the poll in every pass of uv_run. Whatever a timer has just
** put off, and whatever 'fn' itself left over, must not wait for the network:
** an idle handle makes libuv poll without waiting.
*/
static void on_prepare(uv_prepare_t *prepare) {
  struct net_loop *loop = (struct net_loop *)prepare->data;
  loop->passes++;
  before_wait(loop);
  if (loop->woken || loop->hastened || loop->tasks > 0)
    (void)uv_idle_start(&loop->idle, on_idle);
}

void net_loop_run(struct net_loop *loop, enum net_run mode) {
  bool waits = mode == NET_RUN_ONCE;
  assert(!loop->running && !loop->freeing);
  loop->running = true;
  loop->hastened = false;
  if (run_tasks(loop))
    waits = false;
  if (uv_loop_alive(&loop->uv)) {
    (void)uv_run(&loop->uv, waits ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    (void)uv_idle_stop(&loop->idle);
  } else { /* uv_run would not even prepare */
    uv_update_time(&loop->uv);
    before_wait(loop);
  }
  (void)run_tasks(loop);
  loop->running = false;
}

bool net_loop_running(const struct net_loop *loop) {
  return loop->running;
}

void net_loop_hold(struct net_loop *loop) {
  if (loop->holds++ == 0 && !loop->freeing)
    uv_ref((uv_handle_t *)&loop->prepare);
}

void net_loop_release(struct net_loop *loop) {
  assert(loop->holds > 0);
  if (--loop->holds == 0 && !loop->freeing)
    uv_unref((uv_handle_t *)&loop->prepare);
}

void net_loop_before_wait(struct net_loop *loop, void (*fn)(void *ctx),
                          void *ctx) {
  loop->fn = fn;
  loop->ctx = ctx;
}

/* A flag will do. Set outside of uv_run, or after the poll, 'fn' comes before
** the next poll anyway; set in between, on_prepare sees it. */
void net_loop_wake(struct net_loop *loop) {
  loop->woken = true;
}

void net_loop_hasten(struct net_loop *loop) {
  loop->hastened = true;
}

/* ---- life --------------------------------------------------------------- */

int net_loop_new(struct net_loop **out) {
  struct net_loop *loop = (struct net_loop *)base_calloc(1, sizeof *loop);
  if (loop == NULL)
    return BASE_ERR_MEMORY;
  loop->last = &loop->first;
  loop->read_buf = (uint8_t *)base_malloc(LIMIT_READ_BYTES);
  if (loop->read_buf == NULL || uv_loop_init(&loop->uv) != 0) {
    base_free(loop->read_buf);
    base_free(loop);
    return BASE_ERR_MEMORY;
  }
  (void)uv_prepare_init(&loop->uv, &loop->prepare);
  (void)uv_idle_init(&loop->uv, &loop->idle);
  loop->prepare.data = loop;
  (void)uv_prepare_start(&loop->prepare, on_prepare);
  uv_unref((uv_handle_t *)&loop->prepare);
  uv_unref((uv_handle_t *)&loop->idle);
  *out = loop;
  return 0;
}

#ifndef NDEBUG
static void assert_closing(uv_handle_t *handle, void *ctx) {
  (void)ctx;
  assert(uv_is_closing(handle)); /* somebody's timer or stream was forgotten */
}
#endif

void net_loop_free(struct net_loop *loop) {
  if (loop == NULL)
    return;
  loop->freeing = true;
  loop->fn = NULL;
  uv_close((uv_handle_t *)&loop->prepare, NULL);
  uv_close((uv_handle_t *)&loop->idle, NULL);
#ifndef NDEBUG
  uv_walk(&loop->uv, assert_closing, NULL);
#endif
  for (;;) {
    (void)run_tasks(loop);
    if (loop->tasks == 0 && uv_loop_close(&loop->uv) == 0)
      break;
    (void)uv_run(&loop->uv, loop->tasks > 0 ? UV_RUN_NOWAIT : UV_RUN_ONCE);
  }
  base_free(loop->read_buf);
  base_free(loop);
}

/* ---- questions ---------------------------------------------------------- */

int net_loop_fd(const struct net_loop *loop) {
  return uv_backend_fd(&loop->uv);
}

/* libuv counts from the start of the last pass, and says 0 of a loop that has
** nothing to do. */
int net_loop_timeout_ms(const struct net_loop *loop) {
  uint64_t late_ms;
  int ms;
  if (loop->woken || loop->tasks > 0)
    return 0;
  if (!uv_loop_alive(&loop->uv))
    return -1;
  ms = uv_backend_timeout(&loop->uv);
  if (ms <= 0)
    return ms;
  late_ms = uv_hrtime() / 1000000u - uv_now(&loop->uv);
  return late_ms < (uint64_t)ms ? ms - (int)late_ms : 0;
}

uint64_t net_loop_now_ms(const struct net_loop *loop) {
  return uv_now(&loop->uv);
}

uint64_t net_loop_update_ms(struct net_loop *loop) {
  uv_update_time(&loop->uv);
  return uv_now(&loop->uv);
}

double net_clock_epoch(void) {
  struct timespec t = {0, 0};
  (void)clock_gettime(CLOCK_REALTIME, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double net_clock_precise(void) {
  return (double)uv_hrtime() / 1e9;
}

size_t net_loop_handles(const struct net_loop *loop) {
  return loop->handles;
}

/* libuv's own functions allocate for a number they do not know. */
const char *net_error_name(int uv_err) {
  switch (uv_err) {
#define X(name, text) case UV_##name: return #name;
  UV_ERRNO_MAP(X)
#undef X
  default: return "UNKNOWN";
  }
}

const char *net_error_text(int uv_err) {
  switch (uv_err) {
#define X(name, text) case UV_##name: return text;
  UV_ERRNO_MAP(X)
#undef X
  default: return "unknown error";
  }
}

bool net_error_is_hangup(int uv_err) {
  return uv_err == UV_EPIPE || uv_err == UV_ECONNRESET;
}

const char *net_version(void) {
  return uv_version_string();
}
