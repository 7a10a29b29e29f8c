/*
** The inside of a socket, shared by socket.c and the roles, which embed it as
** their first member.
*/
#ifndef ENGINE_SOCKET_IMPL_H
#define ENGINE_SOCKET_IMPL_H

#include "engine/socket.h"

/* What a role does with what happens to its socket; NULL: nothing. */
struct engine_role {
  bool single; /* one connection, and none after it */
  void (*on_open)(struct engine_socket *s, const char *subprotocol);
  void (*on_request)(struct engine_socket *s, const struct ws_head *head,
                     const struct ws_ask *ask);
  void (*on_step)(struct engine_socket *s, const struct tls_step *step);
  void (*on_drain)(struct engine_socket *s);
  /* The user ended it while it had no connection. 'err' is the role's now. */
  void (*on_idle)(struct engine_socket *s, struct base_error *err);
  /* The connection has gone, and its messages are settled. */
  void (*on_down)(struct engine_socket *s);
  void (*on_detach)(struct engine_socket *s);
  /* The owner is gone or has been told. Frees what the role owns, and 's'. */
  void (*on_free)(struct engine_socket *s);
};

struct engine_socket {
  const struct engine_role *role;
  struct engine *engine;
  const struct engine_limits *limits; /* the role's */
  const struct engine_socket_ops *ops;
  void *owner; /* NULL once detached */
  enum engine_state state;
  struct engine_conn *conn; /* at most one, ever */
  struct engine_queue queue;
  struct engine_stats stats;
  struct tls_ticket *ticket; /* the newest */
  struct tls_peer *peer;
  char ip[64];
  int port;
  char *subprotocol;
  struct engine_end end; /* of the last connection */
  bool taking, paused, fragments;
  bool closing;          /* the user wants it to end */
};

void engine_socket_init(struct engine_socket *s, struct engine *e,
                        const struct engine_role *role,
                        const struct engine_limits *limits,
                        const struct engine_socket_ops *ops, void *owner);
void engine_socket_deinit(struct engine_socket *s);

/* What connections tell a socket. */
extern const struct engine_conn_ops engine_socket_conn_ops;

/* A connection is open: remember who it is with. False without memory. */
bool engine_socket_opened(struct engine_socket *s, const char *subprotocol);

/* Why it is about to end; 'err' is the socket's now. */
void engine_socket_set_end(struct engine_socket *s, struct base_error *err);

/* Accept a message that was checked. */
void engine_socket_push(struct engine_socket *s, struct engine_item *item);

/* It is over: settle, and tell. */
void engine_socket_over(struct engine_socket *s);

#endif
