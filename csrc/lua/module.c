/*
** luaopen_uvwss_core: the C half of the module "uvwss". May be opened again
** in the same state, and in several states of one process.
*/
#include "base/version.h"
#include "lua/binding.h"
#include "lua/command.h"
#include "lua/input.h"
#include "lua/server.h"
#include "lua/tls.h"

#if defined(__GNUC__)
#define MODULE_EXPORT __attribute__((visibility("default")))
#else
#define MODULE_EXPORT
#endif

MODULE_EXPORT int luaopen_uvwss_core(lua_State *L);

/* core.attach(module, policy): the public table, in which wss.onerror is
** looked up, and the function that makes a reconnect policy. */
static int attach(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_setfield(L, LUA_REGISTRYINDEX, BINDING_POLICY);
  lua_setfield(L, LUA_REGISTRYINDEX, BINDING_MODULE);
  return 0;
}

int luaopen_uvwss_core(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"connect", binding_connect}, {"listen", binding_listen},
    {"tls", tls_new}, {"attach", attach},
    {NULL, NULL}
  };
  (void)binding_get(L);
  binding_open_error(L);
  binding_open_websocket(L);
  binding_open_writer(L);
  binding_open_tls(L);
  binding_open_server(L);
  luaL_newlib(L, functions);
  binding_open_loop(L);
  binding_open_input(L);
  binding_open_command(L);
  lua_pushliteral(L, "uvwss " UVWSS_VERSION);
  lua_setfield(L, -2, "_VERSION");
  return 1;
}
