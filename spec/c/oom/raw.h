/*
** Callers of a server in this process that write what they are told to, and
** read to the end. Nothing of them is counted or made to fail, and none ever
** blocks: what they write fits into a socket.
*/
#ifndef RAW_H
#define RAW_H

#include <lua.h>

/* Globals: raw_dial(port, text) gives a number, raw_hear(number) the text so
** far and whether that is all. */
void raw_set_up(lua_State *L);

/* All of them, after each run. */
void raw_hang_up(void);

#endif
