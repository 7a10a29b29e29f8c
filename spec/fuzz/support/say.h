/*
** A sequence of things to say, and the frames that our side makes of them, in
** the manner of engine/conn_encode: by ws/frame, ws/mask and ws/deflate.
**
** Each is two bytes and a text. The first byte: what (0 to 7: a whole text, a
** whole binary message, the same begun, more of it, its end, a ping, a pong;
** 15: a close; others as their lower three bits), 16: compressed where that was
** agreed on, 32: a whole message is compressed as for many receivers, by nobody
** in particular (engine/share), and in its upper two bits how often the text is
** repeated: 1, 4, 16 or 64 times. The second: the text's length.
*/
#ifndef FUZZ_SAY_H
#define FUZZ_SAY_H

#include <stdbool.h>

#include "support/blob.h"

struct say {
  bool server;   /* who says it masks nothing */
  int bits;      /* of the window; 0: no compression was agreed on */
  bool takeover; /* of whoever says it */
};

struct said {
  struct blob wire;
  struct blob events; /* rfc6455_note, one behind the other */
  uint64_t frames;
  size_t most;        /* of one message, be it whole or not */
  bool midway;        /* a message is not whole */
  struct blob part;   /* and this is what there is of it */
};

void say_all(struct said *out, const struct say *how, const uint8_t *in,
             size_t n);
void said_free(struct said *s);

#endif
