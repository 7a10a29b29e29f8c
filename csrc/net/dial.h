/*
** Make one outgoing connection: resolve both families, race the addresses
** (RFC 8305), and pass through a proxy where one is set. Or to a local socket,
** where a full queue is waited for until somebody cancels.
*/
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <stdint.h>

#include "base/err.h"
#include "net/loop.h"
#include "net/stream.h"

struct net_dial;

enum net_proxy_type {
  NET_PROXY_NONE,
  NET_PROXY_HTTP,  /* CONNECT (RFC 9110, 9.3.6), Basic credentials */
  NET_PROXY_SOCKS5 /* RFC 1928; the name is resolved there; RFC 1929 */
};

struct net_proxy {
  enum net_proxy_type type;
  char host[256];
  uint16_t port;
  char *user, *password; /* or NULL */
};

/*
** Parse "http://[user:password@]host[:port]" or "socks5://…" (socks5h is the
** same). Ports default to 8080 and 1080; credentials are percent-decoded. NULL
** when fine, otherwise a sentence that says what is wrong. On success free
** with net_proxy_deinit.
*/
const char *net_proxy_parse(struct net_proxy *out, const char *s);
void net_proxy_deinit(struct net_proxy *p);

struct net_dial_conf {
  const char *path;              /* of a local socket, instead of the rest,
                                    no proxy either; or NULL; copied */
  const char *host;              /* name or address; copied */
  uint16_t port;
  const struct net_proxy *proxy; /* NULL: none; must live until closed */
};

/*
** What 'err' can be: dns ("ENOTFOUND" or the resolver's EAI_ name; field
** "host"), connect (an errno's name; "address" and the attempts, one for each
** address tried, in order; of a local socket its path, and no attempts), proxy
** ("refused" with "status" or "reply", "auth_required", "protocol"), or want
** of memory. The first three have "proxy" if there is one: dns and connect
** mean that it was not reached itself.
*/
struct net_dial_ops {
  /* Exactly one of 's' and 'err' is not NULL, and is the callee's now. Not
  ** called after net_dial_cancel. */
  void (*on_done)(void *ctx, struct net_stream *s, struct base_error *err);
  /* Last: every socket that lost the race is closed. 'd' is gone. */
  void (*on_closed)(void *ctx);
};

/*
** 0 or BASE_ERR_MEMORY, in which case nothing will be called. Callbacks never
** come from inside this call. A resolver thread that has not answered when
** the dial ends is detached: nobody waits for it but net_loop_free.
*/
int net_dial_start(struct net_dial **out, struct net_loop *loop,
                   const struct net_dial_conf *conf,
                   const struct net_dial_ops *ops, void *ctx);

/* Give up. on_closed follows, in a later pass. Not after on_done. */
void net_dial_cancel(struct net_dial *d);

#endif
