/*
** UTF-8 (RFC 3629), whole or in pieces. Fails at the first byte that no
** valid text can continue from, even in the middle of a frame.
*/
#ifndef WS_UTF8_H
#define WS_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* State between pieces; zero is the start. */
struct ws_utf8 {
  uint8_t need;     /* continuation bytes still to come */
  uint8_t low, high; /* range of the next one */
};

/* False for ever after the first wrong byte. */
bool ws_utf8_feed(struct ws_utf8 *u, const uint8_t *s, size_t n);
static inline bool ws_utf8_complete(const struct ws_utf8 *u) {
  return u->need == 0;
}

/* Is the whole text valid? ASCII runs at the speed of a vector unit. */
bool ws_utf8_valid(const uint8_t *s, size_t n);

#endif
