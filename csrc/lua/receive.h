/*
** Receiving without handlers. One at a time waits: a coroutine, which yields,
** or the main chunk, which runs the loop meanwhile.
*/
#ifndef LUA_RECEIVE_H
#define LUA_RECEIVE_H

#include <lua.h>

int websocket_receive(lua_State *L);  /* ws:receive([timeout]) */
int websocket_messages(lua_State *L); /* ws:messages() */

#endif
