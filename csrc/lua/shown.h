/*
** What somebody wrote, in the sentence that says it is wrong: of any bytes and
** any length there, printable and not long here.
*/
#ifndef LUA_SHOWN_H
#define LUA_SHOWN_H

#include <lua.h>
#include <stddef.h>

/* The 'n' bytes at 's', cleaned (base/text.h) [-0, +1]. */
const char *push_shown(lua_State *L, const char *s, size_t n);

/* The same of the string at 'index'. */
const char *push_shown_value(lua_State *L, int index);

#endif
