/*
** ws:stream: one message in pieces (RFC 6455, 5.4).
*/
#ifndef LUA_WRITER_H
#define LUA_WRITER_H

#include <lua.h>
#include <stdbool.h>

int writer_new(lua_State *L); /* ws:stream([kind]) */

/* True for text, false for binary; text if there is none. Raises. */
bool websocket_check_kind(lua_State *L, int arg);

#endif
