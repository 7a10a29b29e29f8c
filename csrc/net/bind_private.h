/*
** Sockets that listen, for net/listener.h.
*/
#ifndef NET_BIND_PRIVATE_H
#define NET_BIND_PRIVATE_H

#include "net/local_private.h"

#include "base/limits.h"
#include "net/listener.h"

struct net_bound {
  size_t count;
  int fds[LIMIT_ADDRESSES];
  int port;    /* of all of them; 0 for a local one */
  char ip[64]; /* of the first; "" for a local one */
  struct net_local local;
};

/* NULL, or what net_listener_new returns; then there is nothing to free. */
struct base_error *net_bind(struct net_bound *out, struct net_loop *loop,
                            const struct net_listen_conf *conf);
void net_bound_close(struct net_bound *b);

#endif
