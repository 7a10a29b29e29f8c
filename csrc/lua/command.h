/*
** What the command's other half is made of: core.signal(name, fn),
** core.document(root, path, most) and core.certs(dir, names, days, force).
** Not part of the public interface.
*/
#ifndef LUA_COMMAND_H
#define LUA_COMMAND_H

#include <lua.h>

void binding_open_command(lua_State *L); /* adds its functions to the table */

#endif
