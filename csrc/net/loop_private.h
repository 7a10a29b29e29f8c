/*
** What the files of this floor know of a loop, and others do not.
**
** Who may be called from where. libuv keeps some lists on its stack while it
** works them off: the closing handles (uv__run_closing_handles) and the
** answers of its threads (uv__work_done). Whoever is called from one of these
** and never returns, because a handler ended the process with os.exit and
** net_loop_free runs the loop a second time further up the stack, takes the
** rest of that list with him: its handles would never finish closing and its
** requests never be done. Therefore:
**
**   - a close callback and a resolver's callback never call out. They free
**     what is theirs, or put a task on the loop's own list;
**   - tasks are worked off by net_loop_run, outside of uv_run, one at a time,
**     each unlinked before it is called;
**   - what is called from within uv_run comes from a uv_poll_t, a uv_timer_t
**     or the one uv_prepare_t. There libuv has unlinked what it calls, and
**     what it left on its stack (the events of one epoll_wait) is reported
**     again, since epoll is level-triggered.
*/
#ifndef NET_LOOP_PRIVATE_H
#define NET_LOOP_PRIVATE_H

#include "net/posix.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "net/loop.h"

/* Work put off until uv_run has returned. Lies first in its owner's struct,
** which must not be freed before 'run' is called. */
struct net_task {
  struct net_task *next;
  void (*run)(struct net_task *task);
  bool queued;
};

struct net_question;

struct net_loop {
  uv_loop_t uv;
  uv_prepare_t prepare; /* calls 'fn'; is what net_loop_hold refers to */
  uv_idle_t idle;       /* while it is active, a pass does not wait */
  struct net_task *first, **last;
  size_t tasks;
  void (*fn)(void *ctx);
  void *ctx;
  uint8_t *read_buf; /* LIMIT_READ_BYTES, shared by all streams */
  struct net_question *questions; /* that resolver threads are asking */
  size_t holds;
  size_t handles;    /* for the ledger */
  uint64_t passes;   /* how often the loop has looked for events */
  bool woken, hastened, running, freeing, in_timer;
};

/* Call task->run in net_loop_run; nothing happens if it is queued already. */
void net_loop_defer(struct net_loop *loop, struct net_task *task);

#endif
