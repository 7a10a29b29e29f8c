/*
** What a WebSocket makes of what its peer sent, found out from all of it at
** once (RFC 6455, 5 to 8; RFC 7692, 6 and 7.2).
*/
#ifndef FUZZ_RFC6455_H
#define FUZZ_RFC6455_H

#include <stdbool.h>

#include "support/blob.h"

struct rfc6455 {
  bool server, deflate, takeover; /* of who receives */
  size_t max_message;
};

struct rfc6455_view {
  struct blob events;  /* rfc6455_note, one behind the other */
  uint64_t errors;     /* bits of those that may be reported; 0: none */
  bool midway;         /* an end here would cut something */
  uint64_t frames;     /* whose header is whole and good */
  struct blob partial; /* what is known of a message that is not whole */
  bool compressed;     /* and whether it is compressed */
};

/* 't', 'b', 'i' (ping), 'o' (pong) or 'c', with a code. */
void rfc6455_note(struct blob *events, char what, unsigned code,
                  const uint8_t *data, size_t n);
uint64_t rfc6455_bit(int err); /* of a base_err */

void rfc6455_read(struct rfc6455_view *out, const struct rfc6455 *as,
                  const uint8_t *wire, size_t n);
void rfc6455_free(struct rfc6455_view *v);

#endif
