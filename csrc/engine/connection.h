/*
** ONE transport with its TLS and WebSocket state, single use: dialled or
** accepted, opened, closed, gone. Reconnecting is the
** client's business.
**
** Nothing is called back from inside the functions here, except that
** engine_conn_pump delivers. After any callback the connection may have been
** ended by the user; its memory stays until on_closed has returned.
*/
#ifndef ENGINE_CONNECTION_H
#define ENGINE_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/engine.h"
#include "engine/queue.h"
#include "net/dial.h"
#include "tls/session.h"
#include "ws/extension.h"
#include "ws/handshake.h"
#include "ws/protocol.h"

struct engine_limits {
  size_t max_message, max_buffered, high_water, low_water, max_header;
  uint32_t open_timeout_ms, close_timeout_ms;
  uint32_t upgrade_timeout_ms; /* a server's, for what its user decides */
  uint32_t ping_interval_ms, ping_timeout_ms; /* 0: none */
};

/* How a connection ended. What it owns is the receiver's. */
struct engine_end {
  struct base_error *err;    /* owned; NULL when clean */
  struct tls_ticket *ticket; /* owned; for the next connection, or NULL */
  struct tls_peer *peer;     /* owned; NULL without TLS */
  char ip[64];               /* the peer's address; "" if none was reached */
  int port;
  uint16_t code;             /* RFC 6455, 7.1.5; 1006 without a handshake */
  uint8_t reason_len;
  char reason[WS_CONTROL_MAX]; /* the peer's, UTF-8 */
  bool opened;
  double uptime; /* seconds it was open */
};

struct engine_stats {
  uint64_t bytes_in, bytes_out;       /* on the socket */
  uint64_t messages_in, messages_out; /* whole ones */
  uint64_t frames_in, frames_out;
  uint64_t pings_in, pings_out;
  double rtt; /* of the last pong, seconds; -1: none yet */
};

struct engine_conn_ops {
  /* It is open; an accepted one's 'subprotocol' is NULL, its owner knows. */
  void (*on_open)(void *owner, const char *subprotocol);
  /* A well-formed request came over an accepted one. Both arguments are good
  ** until it is answered (engine_conn_upgrade, engine_conn_answer), which may
  ** be now or later. */
  void (*on_request)(void *owner, const struct ws_head *head,
                     const struct ws_ask *ask);
  void (*on_message)(void *owner, const uint8_t *data, size_t n, bool text);
  /* In place of on_message, where engine_conn_set_fragments says so. */
  void (*on_fragment)(void *owner, const uint8_t *data, size_t n, bool text,
                      bool last);
  void (*on_ping)(void *owner, const uint8_t *data, size_t n);
  /* 'seconds' is negative where no ping of ours had that payload. */
  void (*on_pong)(void *owner, const uint8_t *data, size_t n, double seconds);
  void (*on_drain)(void *owner);
  void (*on_step)(void *owner, const struct tls_step *step);
  /* The user's word on a chain, in the middle of a handshake (tls_ask). */
  bool (*on_verify)(void *owner, struct tls_peer *peer,
                    const struct base_error *err);
  /* Everything of it is closed, and the connection is gone: take over what
  ** 'end' owns. Then its messages are settled, and then comes on_closed. */
  void (*on_gone)(void *owner, const struct engine_end *end);
  void (*on_closed)(void *owner);
};

/* permessage-deflate (RFC 7692), as the user wants it. */
struct engine_deflate {
  bool on;
  struct ws_deflate_wish wish;
  int level, mem_level; /* zlib's */
  size_t min_size;      /* smaller messages go as they are */
};

/* Borrowed until on_closed, but for the reference to 'ticket'. */
struct engine_conn_conf {
  const struct engine_limits *limits;
  struct engine_queue *queue;
  struct engine_stats *stats;
  const struct ws_request *request; /* 'key' is the connection's to fill; NULL
                                       for one that is accepted */
  const struct net_proxy *proxy;
  struct tls_context *tls;          /* NULL: plain */
  struct tls_ticket *ticket;        /* or NULL */
  bool trace;
  bool ask; /* on_verify has a word in the verdict */
  const struct engine_deflate *deflate; /* or NULL */
};

struct engine_conn;

/* 0 or BASE_ERR_MEMORY, in which case nothing will be called. */
int engine_conn_dial(struct engine_conn **out, struct engine *e,
                     const struct engine_conn_conf *conf,
                     const struct engine_conn_ops *ops, void *owner);

/* A connection that a peer made: the stream is its own from here on. 0 or
** BASE_ERR_MEMORY, in which case nothing will be called and nothing changed
** hands. */
int engine_conn_accept(struct engine_conn **out, struct engine *e,
                       struct net_stream *stream,
                       const struct engine_conn_conf *conf,
                       const struct engine_conn_ops *ops, void *owner);

/* Does a request wait for its answer? */
bool engine_conn_asks(const struct engine_conn *c);

/*
** Answer the request that waits: with a 101, after which the connection is
** open; or with anything else. 'body' (or NULL) is a message of which the
** queue sends the bytes as they are; it is accepted in any case. 0; or a
** negative base_err, and the request still waits for another answer.
*/
int engine_conn_upgrade(struct engine_conn *c, const struct ws_accept *a);
int engine_conn_answer(struct engine_conn *c, const struct ws_response *r,
                       struct engine_item *body);
/* Refuse it with a status and a sentence, which is the body, and what the end
** of the connection will be given too. */
void engine_conn_turn_away(struct engine_conn *c, int status,
                           const char *why);
/* No further request: an answer that is under way is the last one, and without
** any the connection ends now. */
void engine_conn_dismiss(struct engine_conn *c);

/* Something was put into the queue. */
void engine_conn_wake(struct engine_conn *c);

/* Does anyone take messages? While nobody does, reading stops at the first
** message that waits, and TCP pushes back. */
void engine_conn_set_taking(struct engine_conn *c, bool taking);
/* Messages that begin from now on are delivered in parts, as they arrive. */
void engine_conn_set_fragments(struct engine_conn *c, bool fragments);
void engine_conn_set_paused(struct engine_conn *c, bool paused);

/* Deliver what has been read already. Not from inside a callback. */
void engine_conn_pump(struct engine_conn *c);

/* From inside on_message, where nobody takes messages after all: this one is
** kept as if that had been known before. The receiver has said so with
** engine_conn_set_taking, and has done nothing else. */
void engine_conn_refuse(struct engine_conn *c);

/* False when the bounded list of control frames is full, or it is too late.
** At most 125 bytes. */
bool engine_conn_ping(struct engine_conn *c, const uint8_t *data, size_t n);

/* Start the closing handshake, after what is queued. Code 0: no code. The
** reason is copied, at most 123 bytes. Later calls do nothing. */
void engine_conn_close(struct engine_conn *c, unsigned code,
                       const char *reason, size_t n);

/* End at once: 'err' (or NULL) is what on_closed will be given. */
void engine_conn_terminate(struct engine_conn *c, struct base_error *err);

/* The same for an owner that will not be there any more: one that has ended,
** and waits for the next run to say so, says so now. */
void engine_conn_abandon(struct engine_conn *c);

/* Can it be sent a message compressed with a window of so many bits? */
bool engine_conn_takes_deflated(const struct engine_conn *c, int bits);
bool engine_conn_is_open(const struct engine_conn *c);
bool engine_conn_is_closing(const struct engine_conn *c);

/* Borrowed, or NULL. */
struct tls_peer *engine_conn_tls_peer(const struct engine_conn *c);
void engine_conn_address(const struct engine_conn *c, char ip[64], int *port);

/* For the engine. */
void engine_conn_flush_dirty(struct engine *e);
void engine_conn_resume_all(struct engine *e);

#endif
