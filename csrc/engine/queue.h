/*
** What waits to be sent, in order. It belongs to the client, so that it
** outlives a connection; one connection at a time encodes from it. Every
** accepted item is settled exactly once (base/blob.h).
**
** A message is one item (one frame), or a stream: an open message whose
** pieces are items. While a stream is at the front and has no piece, what is
** behind it waits.
**
**   entries:  [message] [stream: piece piece] [message] ...   not begun
**   current:  the item that is being encoded
**   flight:   items encoded whole, but not yet taken by the kernel
*/
#ifndef ENGINE_QUEUE_H
#define ENGINE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/blob.h"
#include "ws/frame.h"

struct engine_entry {
  struct engine_entry *next;
  bool is_stream;
};

/* The sender embeds it, fills 'blob' and 'opcode', and clears the rest. */
struct engine_item {
  struct engine_entry entry;    /* first: an item is an entry */
  struct base_blob blob;
  struct engine_stream *stream; /* the message it is a piece of, or NULL */
  uint64_t start, end; /* offsets in what the connection framed */
  size_t done;         /* payload bytes encoded */
  uint8_t key[4];      /* the mask of its frame */
  uint8_t opcode;
  bool fin;
  bool begun;          /* its header was encoded */
  bool deflated;       /* its bytes are a compressed message (RFC 7692) */
  bool deflates;       /* it is compressed as it is encoded, into several frames,
                          so that it can stand between two of them */
};

/* In place of an opcode: bytes that are no frame (the body of an answer). */
enum { ENGINE_RAW = 0xff };

struct engine_list {
  struct base_blob *head, *tail;
};

struct engine_queue;

struct engine_stream {
  struct engine_entry entry;  /* first */
  struct engine_queue *queue; /* NULL when broken, or finished and gone */
  struct engine_list pieces;  /* not begun */
  struct engine_item last;    /* the empty piece that may end it */
  size_t flying;              /* pieces in flight or current */
  uint8_t opcode;
  bool queued;   /* among the entries */
  bool opened;   /* its first piece was encoded: what follows continues */
  bool deflates; /* as its first piece does */
  bool touched;  /* bytes of it have left */
  bool finished; /* no piece follows */
  bool owned;    /* its writer is alive */
};

struct engine_queue {
  struct engine_entry *head, *tail;
  struct engine_item *current;
  struct engine_list flight;
  struct engine_list lost; /* of a cut, about to be settled as partial */
  size_t bytes;  /* payload not yet handed to the kernel */
  bool orphaned; /* there may be an open stream without a writer */
  bool closed;   /* takes nothing more */
  bool high;     /* above high_water since the last drain: its client's */
};

void engine_queue_init(struct engine_queue *q);

/* Accept a message: from here on its release is owed. */
void engine_queue_push(struct engine_queue *q, struct engine_item *item);

/* Open a stream at the end of the queue; NULL without memory. The caller is
** its owner until engine_stream_disown. */
struct engine_stream *engine_queue_open(struct engine_queue *q,
                                        uint8_t opcode);
/* Accept a piece. False: the stream is finished or broken, and nothing was
** accepted. */
bool engine_stream_push(struct engine_stream *s, struct engine_item *item);
/* No piece follows. False if it was finished or broken already. */
bool engine_stream_finish(struct engine_stream *s);
/* The writer is gone. Calls nobody: it is for finalizers. A stream left open
** can never be finished; the next sweep, cut or drop breaks it. */
void engine_stream_disown(struct engine_stream *s);

/* Break the streams that were left open by their writers. True if one of them
** was begun, so that the connection must end for it: its peer waits for the
** rest. Calls the user. */
bool engine_queue_sweep(struct engine_queue *q);

/* The item to encode now, or NULL: nothing, or an open stream without a
** piece. Its frame's opcode and FIN are right when it is returned. */
struct engine_item *engine_queue_next(struct engine_queue *q);
/* That item was encoded whole; 'end' is set. */
void engine_queue_encoded(struct engine_queue *q);
static inline bool engine_queue_midframe(const struct engine_queue *q) {
  return q->current != NULL && q->current->begun && !q->current->deflates;
}
/* Whether there is an item to encode. */
bool engine_queue_ready(const struct engine_queue *q);
/* Is every accepted message with the kernel (an open stream counts)? */
bool engine_queue_empty(const struct engine_queue *q);

/* The kernel took what was framed up to 'taken': settle as written. Calls the
** user; 'q' must be looked at anew after it. */
void engine_queue_settle(struct engine_queue *q, uint64_t taken);

/*
** The connection ended. Of what it framed, all up to 'taken' was taken by the
** kernel and bytes up to 'touched' may have left: what lies between is settled
** as partial. The rest waits for the next connection.
*/
void engine_queue_cut(struct engine_queue *q, uint64_t taken, uint64_t touched);

/* Settle all that waits as unsent; streams are broken. */
void engine_queue_drop(struct engine_queue *q);

#endif
