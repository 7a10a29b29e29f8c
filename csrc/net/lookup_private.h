/*
** The addresses of a name in one family, asked for in a resolver's thread, or
** in this one.
*/
#ifndef NET_LOOKUP_PRIVATE_H
#define NET_LOOKUP_PRIVATE_H

#include "net/loop_private.h"

#include "base/err.h"

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

/* The same at once: blocks. 0 and a list for uv_freeaddrinfo, or libuv's
** error. */
int net_lookup_wait(struct net_loop *loop, const char *host, int family,
                    struct addrinfo **out);

/*
** The error for a name of which no family has an address, from libuv's errors
** for both (0: it answered without one). 'what' stands before the name.
*/
struct base_error *net_lookup_error(int err6, int err4, const char *what,
                                    const char *host);

/* For tests: asked instead of the resolver. Owes one net_lookup_answer, later,
** also for what has been detached meanwhile; or returns libuv's error. */
extern int (*net_lookup_hook)(struct net_lookup *q, const char *host,
                              int family);
extern int (*net_lookup_wait_hook)(const char *host, int family,
                                   struct addrinfo **out);

#endif
