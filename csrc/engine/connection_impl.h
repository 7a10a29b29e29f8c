/*
** The inside of a connection, shared by connection.c (life and end),
** conn_open.c (from dialling to open), conn_serve.c (from accepting to open),
** conn_read.c, conn_encode.c and conn_write.c.
*/
#ifndef ENGINE_CONNECTION_IMPL_H
#define ENGINE_CONNECTION_IMPL_H

#include "engine/connection.h"
#include "net/stream.h"
#include "net/timer.h"
#include "ws/deflate.h"
#include "ws/head.h"

enum conn_phase {
  CONN_DIAL,
  CONN_TLS,
  CONN_UPGRADE, /* a client waits for the answer, a server for a request */
  CONN_JUDGE,   /* a server's user has the request */
  CONN_ANSWER,  /* an answer other than 101 is being sent */
  CONN_OPEN,
  CONN_CLOSING, /* a close is wanted, was sent or was received */
  CONN_LINGER,  /* nothing more to say or hear; waiting for the peer's FIN */
  CONN_ENDED
};

enum conn_close {
  CLOSE_NONE,
  CLOSE_AFTER, /* when the queue is empty */
  CLOSE_NOW,   /* after the frame being sent */
  CLOSE_SENT   /* encoded */
};

/* A ping whose pong has not come. */
struct conn_ping {
  struct conn_ping *next;
  double at; /* precise seconds when it was encoded; 0 before */
  uint8_t len;
  uint8_t data[WS_CONTROL_MAX];
};

enum {
  CONN_PINGS_MAX = 16,
  CONN_CONTROL_BYTES = 4096,
  CONN_PASS_BYTES = 1024 * 1024 /* one connection's share of a pass */
};

struct engine_conn {
  struct engine *engine;
  struct engine_conn *next, **at; /* among all */
  struct engine_conn *dirty_next, **dirty_at; /* NULL: not dirty */
  struct engine_conn_conf conf;
  const struct engine_conn_ops *ops;
  void *owner;
  enum conn_phase phase;
  int port; /* of the peer */
  struct net_dial *dial;
  struct net_stream *stream;
  struct net_timer *timer;
  struct tls_session *tls;
  struct tls_peer *peer;
  char ip[64];

  /* deadlines, loop milliseconds; 0: none */
  uint64_t due; /* what the timer is set to */
  uint64_t open_by, close_by, ping_at, pong_by;
  uint64_t read_at, written_at, opened_at; /* when that last happened */
  bool grace;        /* overdue, but the loop has not looked since */
  bool ping_waiting; /* the keepalive ping is not encoded yet */
  uint32_t ping_number;

  /* opening */
  struct ws_request request;
  struct ws_head *head;
  struct ws_ask ask; /* what 'head' asks for */

  /* input */
  struct ws_protocol proto;
  struct base_buf held;  /* plaintext that nobody took yet; proto.in is here */
  struct base_buf stash; /* the message in front of it */
  uint8_t stash_opcode;
  bool stash_part, stash_last; /* it is a fragment, the last one */
  bool stashed;
  bool dialled;  /* the dial has answered */
  bool keep;     /* another request may follow the answer */
  bool served;   /* one was answered before */
  bool announce; /* on_request or on_open has still to be called */
  bool deaf;     /* TLS has failed: what comes is of no interest */
  bool taking, paused;
  bool reading;          /* the socket is being read */
  bool in_process;       /* guards against delivering from inside delivery */
  bool tail; /* the input ended behind what is held */
  struct base_error *tail_err; /* why; NULL: by a plain FIN or close_notify */
  bool refused;          /* the message in delivery was not taken */

  /* output */
  struct engine_out *out;  /* being filled */
  struct engine_out *busy; /* borrowed by the stream until it was written */
  uint64_t framed;         /* bytes of frames made so far */
  uint64_t wire_taken;     /* bytes that the kernel took */
  uint64_t plain_taken, mark_wire; /* where the last used mark stood */
  struct base_buf control; /* [opcode, length, payload] waiting */
  struct conn_ping *pings;
  uint64_t ping_end;         /* where the last ping ends among the frames */
  bool mute;                 /* nothing can be sent; what came is taken */
  struct base_error *broken; /* why, if it is not tail_err */

  /* compression */
  struct ws_deflate_deal deal;
  struct ws_deflater *deflater; /* while it is needed */
  size_t deflated;              /* input of this pass */

  /* closing */
  enum conn_close close;
  bool got_close;
  uint16_t close_code;     /* to send; 0: none */
  uint8_t close_len;
  char close_reason[WS_CONTROL_MAX];
  struct base_error *violation; /* ours to report once the peer knows */
  struct engine_end end;        /* what on_closed will be given */
};

/* connection.c: how it ends. The error is theirs now. */
void conn_end(struct engine_conn *c, struct base_error *err);
void conn_violation(struct engine_conn *c, int base_err);
void conn_eof(struct engine_conn *c, struct base_error *err);
void conn_closed_maybe(struct engine_conn *c);
void conn_arm(struct engine_conn *c);
bool conn_is_gone(const struct engine_conn *c);
void conn_gone(struct engine_conn *c);
struct base_error *conn_late(const char *code, uint32_t ms,
                             const char *sentence);

/* conn_open.c */
int conn_dial(struct engine_conn *c);
void conn_handshake(struct engine_conn *c);
void conn_answer(struct engine_conn *c, uint8_t *data, size_t n);

void conn_begin(struct engine_conn *c, struct net_stream *s);
void conn_opened(struct engine_conn *c);
bool conn_new_head(struct engine_conn *c, bool is_request);
void conn_free_head(struct engine_conn *c);
/* As they are, in front of all frames. False: the connection ended. */
bool conn_send_bytes(struct engine_conn *c, const uint8_t *data, size_t n);

/* conn_serve.c */
void conn_await_request(struct engine_conn *c);
void conn_request(struct engine_conn *c, const uint8_t *data, size_t n);
void conn_ask(struct engine_conn *c);
void conn_answered(struct engine_conn *c);
void conn_serve_late(struct engine_conn *c);
void conn_fail_gently(struct engine_conn *c, struct base_error *err);

/* conn_read.c */
void conn_read_stop(struct engine_conn *c);
extern const struct net_stream_ops conn_stream_ops;
void conn_plaintext(struct engine_conn *c, uint8_t *data, size_t n);
void conn_process(struct engine_conn *c);
void conn_read_start(struct engine_conn *c);
void conn_steps(struct engine_conn *c);

/* conn_deflate.c */
void conn_deflate_agreed(struct engine_conn *c);
void conn_deflate_free(struct engine_conn *c);
bool conn_deflates(const struct engine_conn *c, const struct engine_item *it);
/* The deflater; NULL without memory. */
struct ws_deflater *conn_deflater(struct engine_conn *c);
/* A message was encoded; 'shared': one that others had compressed. */
void conn_deflate_over(struct engine_conn *c, bool shared);

/* conn_encode.c */
bool conn_control(struct engine_conn *c, uint8_t opcode, const uint8_t *data,
                  size_t n);
/* Fill the batch. False: the connection ended. */
bool conn_encode(struct engine_conn *c);
/* The message that is midway through its frame, if the bytes to come can be
** taken from where they are; NULL if not, or if there is none. */
struct engine_item *conn_uncopied(const struct engine_conn *c);
/* Its next bytes go into the batch all the same, which is empty. False: the
** connection ended. */
bool conn_encode_copy(struct engine_conn *c, struct engine_item *item);
void conn_tls_failed(struct engine_conn *c); /* ends it */
void conn_item_encoded(struct engine_conn *c, struct engine_item *item);

/* conn_write.c */
bool conn_lend_out(struct engine_conn *c);
void conn_mark_dirty(struct engine_conn *c);
void conn_unmark_dirty(struct engine_conn *c);
void conn_flush(struct engine_conn *c);
void conn_written(struct engine_conn *c, int uv_err);
void conn_last_words(struct engine_conn *c, bool notify);
void conn_free_output(struct engine_conn *c);
void conn_account_busy(struct engine_conn *c);
uint64_t conn_touched(const struct engine_conn *c);

#endif
