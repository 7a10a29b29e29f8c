/*
** What a user holds: a URL with its options, a queue, and at most one
** connection at a time. When a connection has gone, the policy is asked
** (on_down), and perhaps another is made, after a wait that counts as work.
**
** Nothing is called back from inside the functions here, except that
** engine_client_pump delivers and engine_client_detach releases.
*/
#ifndef ENGINE_CLIENT_H
#define ENGINE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/connection.h"

enum engine_state {
  ENGINE_CONNECTING,
  ENGINE_OPEN,
  ENGINE_WAITING, /* for the next dial */
  ENGINE_CLOSING,
  ENGINE_CLOSED
};

struct engine_strings {
  char **items; /* owned */
  size_t count;
};

/* Owned by the client from engine_client_new on; zeroed memory is empty. */
struct engine_client_conf {
  struct engine_limits limits;
  struct ws_url url;
  struct engine_strings subprotocols;
  struct engine_strings headers; /* names and values in turn */
  char *origin;                  /* or NULL */
  struct net_proxy proxy;
  struct tls_context *tls;       /* where the URL or a redirect needs it */
  struct base_error *tls_error;  /* why there is none */
  unsigned redirects;            /* followed at most */
  bool drop;                     /* outbox = "drop" */
  bool trace;
};
void engine_client_conf_deinit(struct engine_client_conf *conf);

struct engine_open {
  unsigned attempt; /* 1 on the first */
  bool resumed;
  const char *subprotocol; /* or NULL */
};

struct engine_client_ops {
  void (*on_open)(void *owner, const struct engine_open *info);
  void (*on_message)(void *owner, const uint8_t *data, size_t n, bool text);
  void (*on_ping)(void *owner, const uint8_t *data, size_t n);
  void (*on_pong)(void *owner, const uint8_t *data, size_t n, double seconds);
  void (*on_drain)(void *owner);
  void (*on_step)(void *owner, const struct tls_step *step);
  /* The connection was lost or could not be made. Seconds until the next
  ** dial, or a negative number to end. */
  double (*on_down)(void *owner, const struct engine_end *end);
  /* The last call of all. */
  void (*on_close)(void *owner, const struct engine_end *end);
};

struct engine_client;

/* 0 and the client, which dials; or BASE_ERR_MEMORY, and nothing changed
** hands. */
int engine_client_new(struct engine_client **out, struct engine *e,
                      struct engine_client_conf *conf,
                      const struct engine_client_ops *ops, void *owner);

/* The owner dies: no further call-outs, no handshake. The client frees itself
** when all is closed. Messages that wait are released from in here. */
void engine_client_detach(struct engine_client *c);

/* Accept a message, or refuse it with a reason, which the caller owns. */
struct base_error *engine_client_send(struct engine_client *c,
                                      struct engine_item *item);
/* A message in pieces; NULL and a stream, or the reason. */
struct base_error *engine_client_stream(struct engine_client *c,
                                        struct engine_stream **out,
                                        uint8_t opcode);
struct base_error *engine_client_write(struct engine_client *c,
                                       struct engine_stream *s,
                                       struct engine_item *item);
struct base_error *engine_client_finish(struct engine_client *c,
                                        struct engine_stream *s);
void engine_client_abandon(struct engine_client *c, struct engine_stream *s);

struct base_error *engine_client_ping(struct engine_client *c,
                                      const uint8_t *data, size_t n);
void engine_client_set_taking(struct engine_client *c, bool taking);
void engine_client_set_paused(struct engine_client *c, bool paused);
void engine_client_pump(struct engine_client *c);
/* See engine_conn_refuse. */
void engine_client_refuse(struct engine_client *c);

void engine_client_close(struct engine_client *c, unsigned code,
                         const char *reason, size_t n);
void engine_client_terminate(struct engine_client *c);
/* False when it is closing or closed. */
bool engine_client_reconnect(struct engine_client *c);

enum engine_state engine_client_state(const struct engine_client *c);
size_t engine_client_buffered(const struct engine_client *c);
const struct engine_stats *engine_client_stats(const struct engine_client *c);
unsigned engine_client_reconnects(const struct engine_client *c);
const char *engine_client_subprotocol(const struct engine_client *c);
struct tls_peer *engine_client_tls_peer(const struct engine_client *c);
/* False when no peer was reached yet. */
bool engine_client_address(const struct engine_client *c, char ip[64],
                           int *port);
/* The URL in use now, after redirects. */
const struct ws_url *engine_client_url(const struct engine_client *c);

#endif
