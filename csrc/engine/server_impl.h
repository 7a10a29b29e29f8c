/*
** The inside of a server, shared by server.c (listening, its end),
** caller.c (one that was accepted) and publish.c.
*/
#ifndef ENGINE_SERVER_IMPL_H
#define ENGINE_SERVER_IMPL_H

#include "engine/server.h"
#include "engine/socket_impl.h"
#include "engine/topics.h"
#include "net/timer.h"

struct engine_caller {
  struct engine_socket socket; /* first */
  struct engine_subscriber subscriber;
  struct engine_server *server; /* NULL once it has left */
  struct engine_caller *next, **at; /* among the server's */
  struct tls_context *tls;      /* counted: of its own handshake, or NULL */
  void *exchange;               /* of the request that waits, or NULL */
  double since;                 /* when its first step was traced */
  bool surplus;                 /* beyond max_connections */
  bool open;                    /* it was upgraded, and is counted */
};

struct engine_server {
  struct engine *engine;
  struct engine_server_conf conf;
  const struct engine_server_ops *ops;
  void *owner; /* NULL once detached */
  struct net_listener *listener; /* NULL once closed */
  struct net_timer *timer;       /* of the grace, and of the end */
  struct net_timer *room;        /* on_room soon; with ENGINE_SLOW_WAIT */
  struct engine_caller *callers;
  size_t count;                  /* of them */
  size_t opened;                 /* of them, upgraded */
  struct engine_topics topics;
  struct engine_server_stats stats;
  struct engine_end refused;     /* the last that was; its error is owned */
  bool closing, ended;
  uint64_t close_by;
};

/* caller.c */
void caller_accept(struct engine_server *s, struct net_stream *stream);
void caller_add_traffic(struct engine_stats *sum,
                        const struct engine_stats *s);

/* server.c: has everything gone? */
void server_closed_maybe(struct engine_server *s);

#endif
