/*
** The command's input: core.input(fn) and core.isterminal(fd). Not part of
** the public interface.
*/
#ifndef LUA_INPUT_H
#define LUA_INPUT_H

#include <lua.h>

void binding_open_input(lua_State *L); /* adds its functions to the table */

#endif
