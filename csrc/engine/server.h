/*
** What listens: it accepts callers, has their requests decided, and publishes
** to those that are open. A caller is a socket (engine/socket.h) once it was
** upgraded.
**
** Nothing is called back from inside the functions here.
*/
#ifndef ENGINE_SERVER_H
#define ENGINE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/connection.h"
#include "engine/socket.h"
#include "engine/strings.h"
#include "net/listener.h"

enum engine_slow {
  ENGINE_SLOW_CLOSE, /* a receiver beyond max_buffered is ended */
  ENGINE_SLOW_DROP,  /* above high_water it misses messages */
  ENGINE_SLOW_WAIT   /* the publisher waits, if it can; otherwise as CLOSE */
};

/* Owned by the server from engine_server_new on; zeroed memory is empty. */
struct engine_server_conf {
  struct engine_limits limits; /* open_timeout_ms is the handshake's */
  struct ws_url url;
  int backlog;
  bool reuse_port;
  struct engine_strings subprotocols, origins;
  bool check_origin;       /* 'origins' was given */
  struct tls_context *tls; /* or NULL */
  size_t max_connections;  /* 0: no bound */
  size_t max_topics;       /* of one connection */
  enum engine_slow slow;
  bool trace;
  struct engine_deflate deflate;
};
void engine_server_conf_deinit(struct engine_server_conf *conf);

struct engine_server;
struct engine_caller;

struct engine_server_ops {
  /* A request that is well-formed and that nothing forbids. 'head' and 'ask'
  ** are good until it is answered; on_left comes if the caller has gone (or
  ** has waited too long) before that. */
  void (*on_request)(void *owner, struct engine_caller *c,
                     const struct ws_head *head, const struct ws_ask *ask);
  void (*on_left)(void *owner, void *exchange);
  /* A caller's connection ended before it was open, and why. */
  void (*on_refused)(void *owner, const struct engine_end *end);
  /* 'since' is when that handshake had its first step. */
  void (*on_step)(void *owner, const struct tls_step *step, double since);
  /* A receiver that was above high_water has drained, has gone, or may be
  ** none any more (engine_caller_unsubscribe, engine_caller_make_room). */
  void (*on_room)(void *owner);
  /* The last call of all: nobody listens, and no caller is left. */
  void (*on_closed)(void *owner);
};

struct engine_server_stats {
  uint64_t accepted;    /* callers */
  uint64_t turned_away; /* without a word: descriptors, far too many callers */
  uint64_t refused;     /* ended before they were open or answered */
  uint64_t requests, upgrades;
  uint64_t published;   /* messages */
  uint64_t delivered;   /* to receivers' queues */
  uint64_t dropped, slow_closed;
  struct engine_stats traffic; /* of all callers that ever were */
};

/* NULL and a server that listens, or the error (net/listener.h), which the
** caller owns; nothing changed hands then. */
struct base_error *engine_server_new(struct engine_server **out,
                                     struct engine *e,
                                     struct engine_server_conf *conf,
                                     const struct engine_server_ops *ops,
                                     void *owner);

/* The owner dies: silence from here on. Frees itself when all is closed. */
void engine_server_detach(struct engine_server *s);

/* Stop accepting; 1001 to all (RFC 6455, 7.4.1), and after 'grace_ms' the end.
** A second call can only make it sooner. */
void engine_server_close(struct engine_server *s, uint32_t grace_ms);
bool engine_server_is_closed(const struct engine_server *s); /* or closing */

/* For handshakes from here on; counts a reference of its own. */
void engine_server_set_tls(struct engine_server *s, struct tls_context *tls);
struct tls_context *engine_server_tls(const struct engine_server *s);

const struct engine_server_conf *
engine_server_conf(const struct engine_server *s);
void engine_server_address(const struct engine_server *s, char ip[64],
                           int *port);
void engine_server_stats(const struct engine_server *s,
                         struct engine_server_stats *out);
size_t engine_server_count(const struct engine_server *s);   /* open ones */
size_t engine_server_callers(const struct engine_server *s); /* all */
size_t engine_server_topics(const struct engine_server *s);
size_t engine_server_subscriptions(const struct engine_server *s);

/*
** A message for the subscribers of a topic, or for everybody that is open if
** 'topic' is NULL; at once, in this call. 'receivers' is to how many it went.
** If that is not 0 the item was accepted, otherwise it is the caller's still.
** NULL, or why it was refused (not UTF-8, no memory).
*/
struct base_error *engine_server_publish(struct engine_server *s,
                                         const char *topic, size_t n,
                                         struct engine_item *item,
                                         size_t *receivers);
/* Would a receiver of it be above high_water? */
bool engine_server_is_crowded(const struct engine_server *s,
                              const char *topic, size_t n);

/* ---- callers ------------------------------------------------------------- */

/* Whose request waits: handed to on_left. */
void engine_caller_set_exchange(struct engine_caller *c, void *exchange);
void *engine_caller_exchange(const struct engine_caller *c); /* or NULL */
/* False once its request was answered, or refused for its user. */
bool engine_caller_asks(const struct engine_caller *c);

/*
** Answer the request that waits (see engine_conn_upgrade and _answer): 0, or a
** negative base_err and it waits still. After an upgrade 'ops' and 'owner'
** are the socket's, which the owner detaches when it dies; on_open comes from
** the loop. Only while it asks.
*/
int engine_caller_upgrade(struct engine_caller *c, const struct ws_accept *a,
                          const struct engine_socket_ops *ops, void *owner,
                          struct engine_socket **out);
int engine_caller_answer(struct engine_caller *c, const struct ws_response *r,
                         struct engine_item *body);
void engine_caller_turn_away(struct engine_caller *c, int status,
                             const char *why);

struct tls_peer *engine_caller_tls_peer(const struct engine_caller *c);
void engine_caller_address(const struct engine_caller *c, char ip[64],
                           int *port);

/* The caller that an upgraded socket is. */
struct engine_caller *engine_caller_of(struct engine_socket *s);
/* True, or false and a reason, which the caller owns. */
struct base_error *engine_caller_subscribe(struct engine_caller *c,
                                           const char *topic, size_t n);
/* False if it had not subscribed. */
bool engine_caller_unsubscribe(struct engine_caller *c, const char *topic,
                               size_t n);
/* It was closed: nobody shall wait for it to drain. on_room from the loop. */
void engine_caller_make_room(struct engine_caller *c);

#endif
