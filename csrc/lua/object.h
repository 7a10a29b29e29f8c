/*
** What userdata with methods, read-only fields, handlers and the user's own
** fields have in common.
*/
#ifndef LUA_OBJECT_H
#define LUA_OBJECT_H

#include <lauxlib.h>
#include <lua.h>

/* The user value in which each keeps the user's own fields: a table, or nil. */
enum { OBJECT_FIELDS = 1 };

struct object_class {
  void *(*check)(lua_State *L);            /* value 1, if it is one; raises */
  int (*slot)(const char *name);           /* of a handler, or -1 */
  void (*push_field)(lua_State *L, void *object, int field); /* [-0, +1] */
  void (*changed)(lua_State *L, int slot); /* a handler is now value 3 */
};

/* Raise unless the value at that index can be the handler of that name. */
void object_check_handler(lua_State *L, const char *name, int value);

/* Take the handlers out of the table of options at 'options': the user values
** of the userdata at 'index', from 'first' on, in the order of the names. */
void object_take_handlers(lua_State *L, int options, int index,
                          const char *const *names, int first);

/*
** Zeroed C memory that belongs to Lua while something is made in it, so that
** an error loses nothing: 'gc' frees what it holds. All of one 'type' share a
** metatable. Who comes to an end frees it himself, too: without memory Lua may
** not call a finalizer [-0, +1].
*/
void *push_owned(lua_State *L, size_t size, const char *type,
                 lua_CFunction gc);

/* Which of the names, which end with NULL; -1 if none. */
int object_find(const char *const *names, const char *name);

/*
** Give the metatable on top of the stack its __index and __newindex; 'fields'
** are numbered from 1, 'class' is static.
*/
void object_open(lua_State *L, const struct object_class *class_,
                 const luaL_Reg *methods, const char *const *fields);

#endif
