/*
** One connected socket (TCP, or a local one). Made by net/dial.h and
** net/listener.h. Its facts come up through net_stream_ops; after
** net_stream_close only on_closed comes, once, and the stream is gone.
*/
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"

struct net_stream;

struct net_stream_ops {
  /* Bytes, in the loop's shared read buffer: the callee may change them, and
  ** must be done with them when it returns. It may stop or close. */
  void (*on_read)(void *ctx, uint8_t *data, size_t n);
  /* No more bytes come: 0 at a FIN, or libuv's negative error. Reading has
  ** stopped. */
  void (*on_end)(void *ctx, int uv_err);
  /* What net_stream_write borrowed has been handed to the kernel (0), or the
  ** socket is broken (negative). */
  void (*on_written)(void *ctx, int uv_err);
  void (*on_closed)(void *ctx);
};

/* Tell a stream who listens; before that nothing is read or called. */
void net_stream_attach(struct net_stream *s, const struct net_stream_ops *ops,
                       void *ctx);

int net_stream_read_start(struct net_stream *s); /* 0 or libuv's error */
void net_stream_read_stop(struct net_stream *s);

/* Hand bytes to the kernel at once: how many it took, 0 if its buffer is
** full, or libuv's negative error. Not while a net_stream_write is pending. */
long net_stream_try_write(struct net_stream *s, const uint8_t *data, size_t n);

/* The same for two pieces, one after the other; the first may be empty. */
struct net_piece {
  const uint8_t *data;
  size_t len;
};
long net_stream_try_write_both(struct net_stream *s,
                               const struct net_piece *head,
                               const struct net_piece *rest);

/* Hand over all bytes, as the socket drains. They are borrowed until
** on_written, or on_closed if the stream is closed first (on_written is not
** called then). One at a time. 0 or libuv's error (nothing borrowed). */
int net_stream_write(struct net_stream *s, const uint8_t *data, size_t n);

/* So many bytes of it have not been handed over; 0 when nothing pends. It is
** right after on_written told of a failure too. */
size_t net_stream_unwritten(const struct net_stream *s);

/* When the kernel last took some of it (net_loop_now_ms); 0 for never. */
uint64_t net_stream_sent_at(const struct net_stream *s);

/* FIN after what is being written; no callback. */
void net_stream_shutdown(struct net_stream *s);

void net_stream_close(struct net_stream *s); /* a second call does no harm */
void net_stream_reset(struct net_stream *s); /* the same, with a RST */

/* The peer's address as text, "" for a local socket. */
void net_stream_peer(const struct net_stream *s, char ip[64], int *port);

#endif
