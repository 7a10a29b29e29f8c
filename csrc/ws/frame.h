/*
** Frame headers (RFC 6455, 5.2), both directions. No state between calls.
*/
#ifndef WS_FRAME_H
#define WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ws_opcode {
  WS_CONTINUATION = 0,
  WS_TEXT = 1,
  WS_BINARY = 2,
  WS_CLOSE = 8,
  WS_PING = 9,
  WS_PONG = 10
};

enum { WS_FRAME_HEADER_MAX = 14, WS_CONTROL_MAX = 125 };

struct ws_frame {
  bool fin, rsv1, rsv2, rsv3, masked;
  uint8_t opcode;
  uint8_t key[4]; /* where masked */
  uint64_t len;   /* of the payload */
};

/*
** Parse one frame header from the 'n' bytes at 'in'. Returns its size, 0 if
** it is not whole yet, or BASE_ERR_FRAME_LENGTH: not in the shortest form, or
** the top bit is set. Bits and opcodes are judged by the protocol, which
** knows what was negotiated.
*/
int ws_frame_parse(struct ws_frame *out, const uint8_t *in, size_t n);

/* Write a header, shortest form; returns its size, 2 to 14. */
size_t ws_frame_write(uint8_t out[WS_FRAME_HEADER_MAX],
                      const struct ws_frame *f);

#endif
