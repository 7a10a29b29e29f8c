/*
** The receiving side of one WebSocket connection after the handshake
** (RFC 6455, 5 to 8), and the rules of closing. Feed bytes, poll events; no
** socket and no clock. What is sent is framed by the caller (ws/frame.h).
*/
#ifndef WS_PROTOCOL_H
#define WS_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "ws/deflate.h"
#include "ws/frame.h"
#include "ws/utf8.h"

enum ws_role { WS_CLIENT, WS_SERVER };

enum ws_event_type {
  WS_EVENT_NONE,    /* the input is used up */
  WS_EVENT_MESSAGE, /* data, len, opcode: a whole message */
  WS_EVENT_PING,    /* data, len */
  WS_EVENT_PONG,
  WS_EVENT_CLOSE,   /* code (1005 where none was sent), data, len: reason */
  WS_EVENT_ERROR,   /* err; nothing more comes */
  WS_EVENT_FRAGMENT /* data, len, opcode, last: a part of a message */
};

struct ws_event {
  enum ws_event_type type;
  uint8_t opcode;      /* of a message: WS_TEXT or WS_BINARY */
  uint16_t code;       /* of a close */
  bool last;           /* of a fragment: the message ends with it */
  int err;             /* a negative enum base_err */
  const uint8_t *data; /* holds until the next poll or feed */
  size_t len;
};

struct ws_protocol {
  enum ws_role role;
  size_t max_message;
  uint8_t *in;           /* borrowed input, not yet used */
  size_t in_len;
  uint8_t header[WS_FRAME_HEADER_MAX]; /* of a header cut in two */
  uint8_t header_len;
  bool in_frame;         /* 'frame' is being read, 'left' bytes of it to come */
  bool in_message;       /* between the first fragment and the last */
  bool closed;           /* a close was received, or an error was found */
  uint8_t opcode;        /* of the message */
  struct ws_frame frame;
  uint64_t left;
  struct ws_utf8 utf8;   /* of a text message */
  struct base_buf message; /* pieces of a message that did not lie whole in
                              the input; no memory while there is none */
  bool fragments;        /* messages that begin from now on come in parts */
  bool streaming;        /* this one does */
  size_t given;          /* so much of it was given out */
  bool deflate;          /* permessage-deflate was agreed on */
  bool takeover;         /* and what the peer sends refers to earlier messages */
  bool compressed;       /* this message is */
  struct ws_inflater *inflater; /* of it, or where 'takeover'; otherwise NULL */
  bool delivered;        /* 'message' was lent out and is cleared next */
  uint8_t control[WS_CONTROL_MAX];
  uint8_t control_len;
  uint64_t frames;       /* counts, for statistics */
};

void ws_protocol_init(struct ws_protocol *p, enum ws_role role,
                      size_t max_message);
void ws_protocol_deinit(struct ws_protocol *p);

/* RFC 7692 was agreed on; 'takeover': the peer's messages may refer to earlier
** ones. Before the first byte. */
void ws_protocol_set_deflate(struct ws_protocol *p, bool takeover);

/*
** Hand in bytes, which are borrowed until poll has answered NONE, and may be
** changed (unmasked in place). Only when the last ones were used up, or their
** rest was kept by the caller: it is forgotten here.
*/
void ws_protocol_feed(struct ws_protocol *p, uint8_t *in, size_t n);

/*
** The next event. A message that lies whole in one frame and in the input is
** lent out where it lies; others are assembled, at most max_message bytes
** (checked against the header as soon as that is read: RFC 6455, 7.4.1,
** 1009), in memory that grows with what has arrived, never with what a header
** claims. Text is checked as it arrives, so that an error comes before the
** message is whole. A compressed message is inflated as it arrives, and
** max_message bounds what it inflates to. With 'fragments' set when a message
** begins it comes as it arrives, in parts that have nothing to do with frames;
** max_message bounds all of it.
*/
void ws_protocol_poll(struct ws_protocol *p, struct ws_event *ev);

/* Input not used yet: pointer and length. For a pause in the middle of it. */
static inline size_t ws_protocol_rest(const struct ws_protocol *p,
                                      uint8_t **rest) {
  *rest = p->in;
  return p->in_len;
}

/* True in the middle of a message or frame: an end here cuts it. */
bool ws_protocol_midway(const struct ws_protocol *p);

/*
** The close code that an error sends (RFC 6455, 7.4.1): 1002, 1007 (not UTF-8,
** or not compressed as it says), 1009, or 1011 for BASE_ERR_MEMORY.
*/
uint16_t ws_protocol_close_code(int err);

/*
** May this code stand in a close frame (RFC 6455, 7.4)? On the wire: 1000 to
** 1003, 1007 to 1014, 3000 to 4999. A user may send 1000, 1001 to 1003 and
** 1007 to 1014 too, but not 1004 to 1006 and 1015.
*/
bool ws_protocol_code_valid(unsigned code);

#endif
