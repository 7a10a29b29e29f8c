/*
** A request on its way through Lua: the table that handlers are given, the
** coroutine they run in, and what becomes of their answer.
*/
#ifndef LUA_REQUEST_H
#define LUA_REQUEST_H

#include <lua.h>

#include "engine/server.h"

/* See struct engine_server_ops; the owner is a struct server. */
void request_on_request(void *owner, struct engine_caller *c,
                        const struct ws_head *head, const struct ws_ask *ask);
void request_on_left(void *owner, void *exchange);

void request_open(lua_State *L);

#endif
