/*
** Signals of the process, told in the loop, for the command. While one is
** told it does not do what it would do otherwise; several that come at once
** may be told as one.
*/
#ifndef NET_SIGNAL_H
#define NET_SIGNAL_H

#include "net/loop.h"

enum net_signal_name {
  NET_SIGNAL_HUP,
  NET_SIGNAL_INT,
  NET_SIGNAL_PIPE,
  NET_SIGNAL_TERM
};

struct net_signal;
typedef void net_signal_fn(void *ctx);

/* NULL without memory (or descriptors). 'fn' is called from net_loop_run
** alone; a loop does not wait because somebody listens to signals. */
struct net_signal *net_signal_new(struct net_loop *loop,
                                  enum net_signal_name name,
                                  net_signal_fn *fn, void *ctx);

/* 'fn' is not called any more; memory goes in a later pass. NULL is fine.
** May be called from inside 'fn'. */
void net_signal_free(struct net_signal *s);

#endif
