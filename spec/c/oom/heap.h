/*
** Three heaps with one count: that of C (base/mem.h), of libuv and of
** OpenSSL, and of Lua. Each allocation has a number; the heap can be told to
** refuse one.
*/
#ifndef HEAP_H
#define HEAP_H

#include <stdbool.h>
#include <stddef.h>

enum heap_kind { HEAP_BASE, HEAP_UV, HEAP_SSL, HEAP_LUA, HEAP_KINDS };

enum heap_mode {
  HEAP_ONCE,  /* one allocation fails; Lua collects and asks again, in vain */
  HEAP_AGAIN, /* the same, but the second time Lua gets it */
  HEAP_DRY,   /* everything fails from there on */
  HEAP_MODES
};

extern long heap_live[HEAP_KINDS]; /* blocks */

/* Before OpenSSL and libuv are used. */
void heap_install(void);

/* Begin at 0 and paused; refuse the n-th (0: none). */
void heap_arm(long nth, enum heap_mode mode);
void heap_go_on(void);
void heap_pause(void); /* nothing is counted, nothing fails */
bool heap_refused(void); /* did it come so far? */

void *heap_lua(void *ud, void *p, size_t osize, size_t nsize);

#endif
