/*
** A Lua string lent to the engine. It is anchored in the registry until its
** last byte has been handed to the kernel, or its message has failed; C never
** copies it, nor writes into it.
*/
#ifndef LUA_PIN_H
#define LUA_PIN_H

#include <lua.h>

#include "engine/queue.h"
#include "lua/binding.h"

struct pin;

/*
** Pin the string at 'data' (absolute), together with the function at 'done'
** (0: none), which will be called as done(err, outcome). Raises without
** memory, with nothing pinned.
*/
struct engine_item *pin_new(struct binding *b, lua_State *L, int data,
                            int done, bool text);

/* It was refused: unpin, and do not call. */
void pin_discard(struct engine_item *item);

/* The state closes: those that were kept for later go. */
void pin_free_kept(struct binding *b);

#endif
