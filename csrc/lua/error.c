/*
** Errors as Lua sees them: a table with kind, code, message, and what its
** kind adds; its tostring is the message.
*/
#include <string.h>

#include "lua/binding.h"

#define ERROR_TYPE "uvwss.error"

static int error_tostring(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushliteral(L, "message");
  lua_rawget(L, 1);
  if (lua_type(L, -1) != LUA_TSTRING)
    lua_pushliteral(L, "error");
  return 1;
}

void push_list(lua_State *L, const char *items, size_t size) {
  size_t at; /* an empty list is NULL, to which nothing can be added */
  lua_Integer i = 1;
  lua_newtable(L);
  for (at = 0; at < size; at += strlen(items + at) + 1) {
    lua_pushstring(L, items + at);
    lua_rawseti(L, -2, i++);
  }
}

static void push_map(lua_State *L, const char *items, size_t size) {
  size_t at = 0;
  lua_newtable(L);
  while (at < size) {
    const char *name = items + at, *value = name + strlen(name) + 1;
    lua_pushstring(L, name);
    lua_pushstring(L, value);
    lua_rawset(L, -3);
    at += strlen(name) + strlen(value) + 2;
  }
}

static void push_field(lua_State *L, const struct base_field *f) {
  lua_Integer whole;
  switch (f->type) {
  case BASE_FIELD_NUMBER: /* a peer may have chosen it: of any size */
    if (lua_numbertointeger(f->number, &whole) &&
        (double)whole == f->number)
      lua_pushinteger(L, whole);
    else
      lua_pushnumber(L, f->number);
    break;
  case BASE_FIELD_TEXT:
    lua_pushlstring(L, f->text, f->size);
    break;
  case BASE_FIELD_LIST:
    push_list(L, f->text, f->size);
    break;
  case BASE_FIELD_MAP:
    push_map(L, f->text, f->size);
    break;
  }
}

void push_error(lua_State *L, const struct base_error *e) {
  const struct base_field *f;
  luaL_checkstack(L, 8, NULL);
  lua_createtable(L, 0, 6);
  luaL_setmetatable(L, ERROR_TYPE);
  lua_pushstring(L, base_kind_name(e->kind));
  lua_setfield(L, -2, "kind");
  lua_pushstring(L, e->code);
  lua_setfield(L, -2, "code");
  lua_pushstring(L, e->message);
  lua_setfield(L, -2, "message");
  for (f = e->fields; f != NULL; f = f->next) {
    push_field(L, f);
    lua_setfield(L, -2, f->name);
  }
  if (e->attempts != NULL) {
    const struct base_error *a;
    lua_Integer i = 1;
    lua_newtable(L);
    for (a = e->attempts; a != NULL; a = a->next) {
      push_error(L, a); /* attempts have none of their own */
      lua_rawseti(L, -2, i++);
    }
    lua_setfield(L, -2, "attempts");
  }
}

static int push_failure_protected(lua_State *L) {
  push_error(L, (const struct base_error *)lua_touserdata(L, 1));
  return 1;
}

int push_failure(lua_State *L, struct base_error *e) {
  int status;
  lua_settop(L, 0);
  lua_pushnil(L);
  lua_pushcfunction(L, push_failure_protected);
  lua_pushlightuserdata(L, e);
  status = lua_pcall(L, 1, 1, 0);
  base_error_free(e); /* even if there is no memory for its table */
  if (status != LUA_OK)
    return lua_error(L);
  return 2;
}

void binding_open_error(lua_State *L) {
  luaL_newmetatable(L, ERROR_TYPE);
  lua_pushcfunction(L, error_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
}
