/*
** A one-shot timer. Starting one that runs moves it. It fires 'ms' after the
** start or later, never earlier. One that is started by a timer's 'fn' fires
** only after the loop has looked for events once more, even with 0.
*/
#ifndef NET_TIMER_H
#define NET_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"

struct net_timer;
typedef void net_timer_fn(void *ctx);

/* NULL without memory. 'fn' is called from net_loop_run alone. */
struct net_timer *net_timer_new(struct net_loop *loop, net_timer_fn *fn,
                                void *ctx);
void net_timer_start(struct net_timer *t, uint64_t ms);
void net_timer_stop(struct net_timer *t);
bool net_timer_active(const struct net_timer *t);

/* 'fn' is not called any more; memory goes in a later pass. NULL is fine.
** May be called from inside 'fn'. */
void net_timer_free(struct net_timer *t);

#endif
