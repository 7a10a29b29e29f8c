/*
** Who came to a listener: its streams, kept until the end of a test.
*/
#ifndef NET_GUESTS_H
#define NET_GUESTS_H

#include "net_support.h"

#include "net/listener.h"

enum { GUESTS = 512 };

struct guests {
  struct net_loop *loop;
  struct net_listener *listener;
  struct base_error *err; /* of the last guests_listen */
  struct net_stream *streams[GUESTS];
  int count, left, gone; /* streams; that we have closed; that are closed */
  int closed;      /* the listener */
  int reads;
  char last;       /* byte that was read */
  bool inside;     /* a call of ours into the floor is going on */
  void (*on_stream)(struct guests *g);
  int port;
  char ip[64];
};

extern const struct net_listener_ops guests_ops;

void guests_init(struct guests *g, struct net_loop *loop);

/* Listen, on one host or path: true, or false and 'err'. */
bool guests_listen(struct guests *g, const struct net_listen_conf *conf);
bool guests_listen_on(struct guests *g, const char *host, int port);
bool guests_listen_at(struct guests *g, const char *path);

/* Run until so many have come. */
void guests_wait(struct guests *g, int count);

/* Where the last one called from. */
void guests_last(struct guests *g, char ip[64], int *port);

/* Close the streams and the listener, and wait for it. A second call does no
** harm. */
void guests_leave(struct guests *g);

/* The error, which is freed with the guests. */
void guests_assert_error(struct guests *g, const char *kind,
                         const char *code, const char *address);

#endif
