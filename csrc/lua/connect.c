/*
** wss.connect: from a URL and its options to a WebSocket.
*/
#include <string.h>

#include "lua/handlers.h"
#include "lua/object.h"
#include "lua/options.h"
#include "lua/shown.h"
#include "lua/tls.h"

static int conf_gc(lua_State *L) {
  engine_client_conf_deinit(
    (struct engine_client_conf *)lua_touserdata(L, 1));
  return 0;
}

static void handlers(lua_State *L, int options, int ws, struct websocket *w) {
  static const char *const names[] = {HANDLER_NAMES, NULL};
  object_take_handlers(L, options, ws, names, SLOT_HANDLER);
  w->has_message = lua_getiuservalue(L, ws, SLOT_ONMESSAGE) != LUA_TNIL;
  w->has_fragment = lua_getiuservalue(L, ws, SLOT_ONFRAGMENT) != LUA_TNIL;
  lua_pop(L, 2);
}

/* reconnect = true or its options: the policy is Lua's (uvwss.retry). */
static void policy(lua_State *L, int options, int ws,
                   struct engine_client_conf *conf) {
  lua_getfield(L, options, "reconnect");
  if (lua_isnil(L, -1) || (lua_isboolean(L, -1) && !lua_toboolean(L, -1))) {
    lua_pop(L, 1);
    return;
  }
  if (!lua_isboolean(L, -1) && !lua_istable(L, -1))
    luaL_error(L, "option 'reconnect': boolean or table expected, got %s",
               luaL_typename(L, -1));
  if (lua_istable(L, -1)) {
    const char *outbox = options_string(L, lua_gettop(L), "outbox");
    if (outbox != NULL && strcmp(outbox, "drop") == 0)
      conf->drop = true;
    else if (outbox != NULL && strcmp(outbox, "unsent") != 0)
      luaL_error(L, "option 'outbox': \"unsent\" or \"drop\" expected, got "
                    "\"%s\"", push_shown(L, outbox, strlen(outbox)));
    lua_pop(L, 1);
  } else {
    lua_pop(L, 1);
    lua_newtable(L);
  }
  lua_getfield(L, LUA_REGISTRYINDEX, BINDING_POLICY);
  lua_insert(L, -2);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK)
    luaL_error(L, "option 'reconnect': %s", luaL_tolstring(L, -1, NULL));
  lua_setiuservalue(L, ws, SLOT_POLICY);
}

int binding_connect(lua_State *L) {
  struct binding *b = binding_get(L);
  struct engine_client_conf *conf;
  struct websocket *w;
  int options = lua_isnoneornil(L, 2) ? 0 : 2, ws;
  binding_check_alive(b, L, "connect"); /* conf's finalizer would not run */
  lua_settop(L, 2);
  conf = (struct engine_client_conf *)push_owned(
    L, sizeof *conf, "uvwss.client_conf", conf_gc);
  options_client(L, 1, options, conf);
  w = push_websocket(L, b);
  ws = lua_gettop(L);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, ws, SLOT_URL);
  if (options != 0) {
    handlers(L, options, ws, w);
    policy(L, options, ws, conf);
  }
  tls_option(L, options, ws, conf);
  lua_pushvalue(L, ws);
  w->anchor = binding_ref(b, L);
  if (engine_client_new(&w->socket, b->engine, conf, &handlers_ops, w) != 0) {
    binding_unref(b, w->anchor);
    return luaL_error(L, "not enough memory");
  }
  binding_join(b, &w->member, websocket_end);
  binding_hold(b);
  websocket_update_taking(w);
  lua_settop(L, ws);
  BINDING_STRESS(L);
  return 1;
}
