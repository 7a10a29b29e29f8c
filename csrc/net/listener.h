/*
** A listening socket, or several that belong together (both families of one
** name, one port). Whatever accept says, listening goes on: when descriptors
** run out, a reserve one is used to turn callers away, and accepting pauses
** for a while that grows from 50 ms to a second, until somebody is accepted.
*/
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/loop.h"
#include "net/stream.h"

struct net_listener;

struct net_listen_conf {
  const char *host; /* an address, a name (all of its addresses; this may ask
                       the resolver, and blocks), or "*": both families.
                       "::" takes IPv4 too, "0.0.0.0" only that. What of a
                       name or "*" the machine does not speak is left out */
  uint16_t port;    /* 0: the kernel picks one, the same for all families */
  const char *path; /* of a local socket, instead of host and port; or NULL.
                       The file's mode is 0666 less the umask; whoever may
                       write to it may call */
  int backlog;
  bool reuse_port;  /* SO_REUSEPORT: several processes share the port; of no
                       meaning to a local socket */
};

struct net_listener_ops {
  /* A caller; it is the callee's now. One who came by IPv4 has such an
  ** address, also on "::". The callee may close the listener. */
  void (*on_stream)(void *ctx, struct net_stream *s);
  /* Last, in a later pass than net_listener_close. */
  void (*on_closed)(void *ctx);
};

struct net_listener_stats {
  uint64_t accepted;
  uint64_t turned_away; /* by the reserve descriptor */
  uint64_t failures;    /* of accept, whatever they were, or for want of
                           memory */
};

/*
** Bind and listen at once. NULL and the listener, or the error: kind connect
** (an errno's name such as EADDRINUSE, EACCES; field "address") or dns.
** A path that is a socket nobody listens on any more is replaced, any other
** file there is EADDRINUSE. Callbacks never come from inside this call.
*/
struct base_error *net_listener_new(struct net_listener **out,
                                    struct net_loop *loop,
                                    const struct net_listen_conf *conf,
                                    const struct net_listener_ops *ops,
                                    void *ctx);

/* Stop accepting; a socket file that is still ours is removed. on_closed
** follows, in a later pass; a second call does no harm. */
void net_listener_close(struct net_listener *l);

/* What it is bound to, the first of several: "" and 0 for a local socket. */
void net_listener_address(const struct net_listener *l, char ip[64],
                          int *port);
const struct net_listener_stats *
net_listener_stats(const struct net_listener *l);

#endif
