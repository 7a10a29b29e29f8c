/*
** The calls that csrc makes into libuv, OpenSSL, zlib and the system, each of
** which can be made to fail (symbols.lua).
*/
#ifndef CALLS_H
#define CALLS_H

#include <stdbool.h>

enum calls_mode {
  CALLS_ONCE, /* one call of one function fails */
  CALLS_ROW,  /* that one, and the next four of it */
  CALLS_MODES
};

long calls_count(void);
const char *calls_name(long which);

/* Make the n-th call of that one fail (0: none), counted from 'go_on' on. */
void calls_arm(long which, long nth, enum calls_mode mode);
void calls_go_on(void);
void calls_pause(void);
bool calls_failed(void);      /* did it come so far? */
long calls_made(long which);  /* since calls_arm */

#endif
