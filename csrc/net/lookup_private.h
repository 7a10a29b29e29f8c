/*
** The addresses of a name in one family, asked for in a resolver's thread.
*/
#ifndef NET_LOOKUP_PRIVATE_H
#define NET_LOOKUP_PRIVATE_H

#include "net/loop_private.h"

struct addrinfo;
struct net_lookup;

/* The answer: 0 and a list that is gone after the call, or libuv's error. It
** must not call out (see loop_private.h). */
typedef void net_lookup_fn(void *ctx, int family, int uv_err,
                           const struct addrinfo *list);

/* 0, and 'fn' is called once; or libuv's error, and it is not. 'out' is valid
** until then. */
int net_lookup_start(struct net_lookup **out, struct net_loop *loop,
                     const char *host, int family, net_lookup_fn *fn,
                     void *ctx);

/* 'fn' is not called any more. A thread that is asking already goes on, which
** nobody but net_loop_free waits for, the ledger does not count, and the next
** lookup of the same name joins. */
void net_lookup_detach(struct net_lookup *q);

/* Hand over the answer and free 'q'. */
void net_lookup_answer(struct net_lookup *q, int uv_err,
                       const struct addrinfo *list);

/* For tests: asked instead of the resolver. Owes one net_lookup_answer, later,
** also for what has been detached meanwhile; or returns libuv's error. */
extern int (*net_lookup_hook)(struct net_lookup *q, const char *host,
                              int family);

#endif
