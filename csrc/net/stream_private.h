/*
** A stream before it is anybody's: a socket that connects, and then perhaps
** speaks with a proxy. net/dial.h makes it and hands it on; net/listener.h
** begins with net_stream_new.
*/
#ifndef NET_STREAM_PRIVATE_H
#define NET_STREAM_PRIVATE_H

#include "net/loop_private.h"

#include "net/stream.h"

struct sockaddr;

/* The socket is ready for what is watched, or broken. */
typedef void net_stream_ready_fn(void *ctx, struct net_stream *s);

/*
** Take over a non-blocking socket and set its options. 0 or libuv's error; the
** descriptor is closed then.
*/
int net_stream_new(struct net_stream **out, struct net_loop *loop, int fd,
                   const struct sockaddr *peer);

/*
** A new socket on its way to 'addr'. 0 or libuv's error. 'fn' is called once
** in a later pass: net_stream_failure tells how it went.
*/
int net_stream_connect(struct net_stream **out, struct net_loop *loop,
                       const struct sockaddr *addr, net_stream_ready_fn *fn,
                       void *ctx);
int net_stream_failure(const struct net_stream *s); /* SO_ERROR, libuv's */

/*
** Call 'fn' as long as one of 'events' (libuv's; 0 for none) holds, until
** net_stream_attach. 0 or libuv's error.
*/
int net_stream_watch(struct net_stream *s, int events,
                     net_stream_ready_fn *fn, void *ctx);

/* recv(2) and send(2) that are not interrupted: bytes, or libuv's error. */
long net_stream_recv(struct net_stream *s, uint8_t *data, size_t n, int flags);
long net_stream_send(struct net_stream *s, const uint8_t *data, size_t n);

#endif
