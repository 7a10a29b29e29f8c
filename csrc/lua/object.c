#include "lua/object.h"

#include <stdbool.h>
#include <string.h>

#include "lua/shown.h"

/* Of __index and __newindex: what has a name (methods are functions, fields
** are numbers), and the class. */
enum { UP_MEMBERS = 1, UP_CLASS };

void object_check_handler(lua_State *L, const char *name, int value) {
  if (!lua_isfunction(L, value) && !lua_isnil(L, value))
    luaL_error(L, "handler '%s': function expected, got %s", name,
               luaL_typename(L, value));
}

void object_take_handlers(lua_State *L, int options, int index,
                          const char *const *names, int first) {
  int i;
  for (i = 0; names[i] != NULL; i++) {
    lua_getfield(L, options, names[i]);
    object_check_handler(L, names[i], -1);
    lua_setiuservalue(L, index, first + i);
  }
}

void *push_owned(lua_State *L, size_t size, const char *type,
                 lua_CFunction gc) {
  void *mem = lua_newuserdatauv(L, size, 0);
  memset(mem, 0, size);
  if (luaL_getmetatable(L, type) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pushvalue(L, -1); /* whole before it is known */
    lua_setfield(L, LUA_REGISTRYINDEX, type);
  }
  lua_setmetatable(L, -2);
  return mem;
}

int object_find(const char *const *names, const char *name) {
  int i;
  for (i = 0; names[i] != NULL; i++)
    if (strcmp(name, names[i]) == 0)
      return i;
  return -1;
}

static const struct object_class *class_of(lua_State *L) {
  return (const struct object_class *)lua_touserdata(
    L, lua_upvalueindex(UP_CLASS));
}

/* The string at 'index' as a handler's name: no such name has a NUL byte. */
static int slot_of(lua_State *L, int index, const struct object_class *class_) {
  size_t n;
  const char *name = lua_tolstring(L, index, &n);
  return strlen(name) == n ? class_->slot(name) : -1;
}

static int index_own(lua_State *L, const struct object_class *class_) {
  int slot = -1;
  if (lua_type(L, 2) == LUA_TSTRING)
    slot = slot_of(L, 2, class_);
  if (slot > 0) {
    lua_getiuservalue(L, 1, slot);
    return 1;
  }
  if (lua_getiuservalue(L, 1, OBJECT_FIELDS) != LUA_TTABLE)
    return 1; /* nil */
  lua_pushvalue(L, 2);
  lua_gettable(L, -2);
  return 1;
}

static int object_index(lua_State *L) {
  const struct object_class *class_ = class_of(L);
  void *object = class_->check(L);
  lua_pushvalue(L, 2);
  switch (lua_rawget(L, lua_upvalueindex(UP_MEMBERS))) {
  case LUA_TFUNCTION:
    return 1;
  case LUA_TNUMBER:
    class_->push_field(L, object, (int)lua_tointeger(L, -1));
    return 1;
  default:
    return index_own(L, class_);
  }
}

static void set_own(lua_State *L) {
  if (lua_isnil(L, 2) || (lua_isnumber(L, 2) && !lua_rawequal(L, 2, 2)))
    luaL_error(L, "a field's name cannot be nil or NaN");
  lua_settop(L, 3);
  if (lua_getiuservalue(L, 1, OBJECT_FIELDS) != LUA_TTABLE) {
    lua_settop(L, 3);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, OBJECT_FIELDS);
  }
  lua_insert(L, 2);
  lua_settable(L, 2);
}

static int object_newindex(lua_State *L) {
  const struct object_class *class_ = class_of(L);
  bool named = lua_type(L, 2) == LUA_TSTRING;
  const char *name = named ? lua_tostring(L, 2) : "";
  int slot = named ? slot_of(L, 2, class_) : -1, type;
  (void)class_->check(L);
  if (slot > 0) {
    object_check_handler(L, name, 3);
    lua_settop(L, 3);
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, 1, slot);
    class_->changed(L, slot);
    return 0;
  }
  if (strncmp(name, "on", 2) == 0)
    return luaL_error(L, "unknown handler '%s'", push_shown_value(L, 2));
  lua_pushvalue(L, 2);
  type = lua_rawget(L, lua_upvalueindex(UP_MEMBERS));
  if (type == LUA_TFUNCTION)
    return luaL_error(L, "'%s' is a method", name);
  if (type == LUA_TNUMBER)
    return luaL_error(L, "field '%s' can only be read", name);
  set_own(L);
  return 0;
}

void object_open(lua_State *L, const struct object_class *class_,
                 const luaL_Reg *methods, const char *const *fields) {
  int i;
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  for (i = 0; fields[i] != NULL; i++) {
    lua_pushinteger(L, i + 1);
    lua_setfield(L, -2, fields[i]);
  }
  lua_pushvalue(L, -1);
  lua_pushlightuserdata(L, (void *)class_);
  lua_pushcclosure(L, object_newindex, 2);
  lua_setfield(L, -3, "__newindex");
  lua_pushlightuserdata(L, (void *)class_);
  lua_pushcclosure(L, object_index, 2);
  lua_setfield(L, -2, "__index");
}
