/*
** A WebSocket as its user holds it, whichever side made the connection: a
** queue, and at most one connection at a time. What a role adds is in
** engine/client.h and engine/server.h.
**
** Nothing is called back from inside the functions here, except that
** engine_socket_pump delivers and engine_socket_detach releases.
*/
#ifndef ENGINE_SOCKET_H
#define ENGINE_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/connection.h"

enum engine_state {
  ENGINE_CONNECTING,
  ENGINE_OPEN,
  ENGINE_WAITING, /* a client, for the next dial */
  ENGINE_CLOSING,
  ENGINE_CLOSED
};

struct engine_open {
  unsigned attempt; /* 1 on the first */
  bool resumed;
  const char *subprotocol; /* or NULL */
};

struct engine_socket_ops {
  void (*on_open)(void *owner, const struct engine_open *info);
  void (*on_message)(void *owner, const uint8_t *data, size_t n, bool text);
  void (*on_fragment)(void *owner, const uint8_t *data, size_t n, bool text,
                      bool last);
  void (*on_ping)(void *owner, const uint8_t *data, size_t n);
  void (*on_pong)(void *owner, const uint8_t *data, size_t n, double seconds);
  void (*on_drain)(void *owner);
  void (*on_step)(void *owner, const struct tls_step *step);
  bool (*on_verify)(void *owner, struct tls_peer *peer,
                    const struct base_error *err);
  /* A client's connection was lost or could not be made. Seconds until the
  ** next dial, or a negative number to end. */
  double (*on_down)(void *owner, const struct engine_end *end);
  /* The last call of all. */
  void (*on_close)(void *owner, const struct engine_end *end);
};

struct engine_socket;

/* The owner dies: no further call-outs, no handshake. The socket frees itself
** when all is closed. Messages that wait are released from in here. */
void engine_socket_detach(struct engine_socket *s);

/* Accept a message, or refuse it with a reason, which the caller owns. */
struct base_error *engine_socket_send(struct engine_socket *s,
                                      struct engine_item *item);
/* A message in pieces; NULL and a stream, or the reason. */
struct base_error *engine_socket_stream(struct engine_socket *s,
                                        struct engine_stream **out,
                                        uint8_t opcode);
struct base_error *engine_socket_write(struct engine_socket *s,
                                       struct engine_stream *stream,
                                       struct engine_item *item);
struct base_error *engine_socket_finish(struct engine_socket *s,
                                        struct engine_stream *stream);
void engine_socket_abandon(struct engine_socket *s,
                           struct engine_stream *stream);

struct base_error *engine_socket_ping(struct engine_socket *s,
                                      const uint8_t *data, size_t n);
void engine_socket_set_taking(struct engine_socket *s, bool taking);
void engine_socket_set_fragments(struct engine_socket *s, bool fragments);
void engine_socket_set_paused(struct engine_socket *s, bool paused);
void engine_socket_pump(struct engine_socket *s);
/* See engine_conn_refuse. */
void engine_socket_refuse(struct engine_socket *s);

void engine_socket_close(struct engine_socket *s, unsigned code,
                         const char *reason, size_t n);
void engine_socket_terminate(struct engine_socket *s);

enum engine_state engine_socket_state(const struct engine_socket *s);
size_t engine_socket_buffered(const struct engine_socket *s);
const struct engine_stats *engine_socket_stats(const struct engine_socket *s);
const char *engine_socket_subprotocol(const struct engine_socket *s);
struct tls_peer *engine_socket_tls_peer(const struct engine_socket *s);
/* False when no peer was reached yet. */
bool engine_socket_address(const struct engine_socket *s, char ip[64],
                           int *port);

#endif
