/*
** A Lua state with the module that is linked into the program, for those that
** hold Lua themselves.
*/
#ifndef STATE_H
#define STATE_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "echo.h"

int luaopen_uvwss_core(lua_State *L);

static inline void state_open(lua_State *L, const char *path) {
  luaL_openlibs(L);
  (void)luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_uvwss_core);
  lua_setfield(L, -2, "uvwss.core");
  lua_getglobal(L, "package");
  lua_pushstring(L, path);
  lua_setfield(L, -2, "path");
}

static inline void state_number(lua_State *L, const char *name,
                                lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setglobal(L, name);
}

static inline void state_text(lua_State *L, const char *name,
                              const char *value) {
  lua_pushstring(L, value);
  lua_setglobal(L, name);
}

/* Globals say where the other end is, and what to trust. */
static inline void state_knows(lua_State *L, const struct echo *server) {
  state_number(L, "PORT", server->port);
  state_number(L, "TLS_PORT", server->tls_port);
  state_number(L, "IMPOSTOR_PORT", server->impostor_port);
  state_text(L, "CA", server->ca);
  state_text(L, "CERT", server->cert);
  state_text(L, "KEY", server->key);
}

#endif
