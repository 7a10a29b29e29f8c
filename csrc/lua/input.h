/*
** The command's input: core.input(fn [, file]) and core.isterminal(fd). The
** file is one of Lua's, whose own buffer is passed over; it must not be closed
** before the input is. Of the writing end of a pipe only the end is told: when
** nobody can read from it any more. Not part of the public interface.
*/
#ifndef LUA_INPUT_H
#define LUA_INPUT_H

#include <lua.h>

void binding_open_input(lua_State *L); /* adds its functions to the table */

#endif
