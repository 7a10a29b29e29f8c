/*
** The WebSocket userdata: its methods and fields.
*/
#include <stdio.h>
#include <string.h>

#include "engine/facade.h"
#include "lua/handlers.h"
#include "lua/pin.h"
#include "lua/receive.h"
#include "lua/tls.h"
#include "lua/writer.h"

/* A finalizer that runs after its own can still reach it. */
const char websocket_type[] = WEBSOCKET_TYPE;

struct websocket *websocket_check(lua_State *L, int arg) {
  struct websocket *w = (struct websocket *)lua_touserdata(L, arg);
  /* Light userdata has no length, and other types have not ours or not our
  ** mark. */
  if (w == NULL || lua_rawlen(L, arg) != sizeof *w ||
      w->type != websocket_type)
    w = (struct websocket *)luaL_checkudata(L, arg, WEBSOCKET_TYPE);
  if (w->client == NULL)
    luaL_error(L, "this WebSocket was finalized");
  return w;
}

static struct websocket *check(lua_State *L, int arg) {
  return websocket_check(L, arg);
}

/* A string and nothing that merely could become one. */
static const char *check_string(lua_State *L, int arg, size_t *n) {
  luaL_checktype(L, arg, LUA_TSTRING);
  return lua_tolstring(L, arg, n);
}

bool websocket_check_kind(lua_State *L, int arg) {
  const char *s;
  if (lua_isnoneornil(L, arg))
    return true;
  s = check_string(L, arg, NULL);
  if (strcmp(s, "text") == 0)
    return true;
  if (strcmp(s, "binary") == 0)
    return false;
  return luaL_argerror(L, arg, lua_pushfstring(L, "\"text\" or \"binary\" "
                                               "expected, got \"%s\"", s));
}

static int success_or(lua_State *L, struct base_error *err) {
  if (err != NULL)
    return push_failure(L, err);
  lua_pushboolean(L, 1);
  return 1;
}

/* ---- sending ------------------------------------------------------------ */

static int ws_send(lua_State *L) {
  struct websocket *w = check(L, 1);
  struct engine_item *item;
  struct base_error *err;
  bool text;
  luaL_checktype(L, 2, LUA_TSTRING);
  text = websocket_check_kind(L, 3);
  if (!lua_isnoneornil(L, 4))
    luaL_checktype(L, 4, LUA_TFUNCTION);
  item = pin_new(w->b, L, 2, lua_isnoneornil(L, 4) ? 0 : 4, text);
  err = engine_client_send(w->client, item);
  if (err != NULL)
    pin_discard(item);
  BINDING_STRESS(L);
  return success_or(L, err);
}

static int ws_ping(lua_State *L) {
  struct websocket *w = check(L, 1);
  char number[32];
  const char *data = number;
  size_t n = 0;
  if (lua_isnoneornil(L, 2)) {
    n = (size_t)snprintf(number, sizeof number, "%llu",
                         (unsigned long long)++w->ping_number);
  } else {
    data = check_string(L, 2, &n);
    luaL_argcheck(L, n <= WS_CONTROL_MAX, 2,
                  "at most 125 bytes (RFC 6455, 5.5)");
  }
  return success_or(L, engine_client_ping(w->client, (const uint8_t *)data,
                                          n));
}

/* ---- closing ------------------------------------------------------------ */

static int ws_close(lua_State *L) {
  struct websocket *w = check(L, 1);
  lua_Integer code = luaL_optinteger(L, 2, 1000);
  const char *reason = "";
  size_t n = 0;
  if (!lua_isnoneornil(L, 3))
    reason = check_string(L, 3, &n);
  luaL_argcheck(L, code >= 0 && code <= 4999 &&
                  ws_protocol_code_valid((unsigned)code), 2,
                "not a close code that may be sent (RFC 6455, 7.4)");
  luaL_argcheck(L, n <= WS_CONTROL_MAX - 2, 3,
                "a reason has at most 123 bytes (RFC 6455, 5.5)");
  luaL_argcheck(L, ws_utf8_valid((const uint8_t *)reason, n), 3,
                "a reason must be valid UTF-8");
  websocket_close(w, (unsigned)code, reason, n);
  return 0;
}

static bool is_closed(void *arg) {
  return ((struct websocket *)arg)->closed;
}

/* The variable goes out of scope. In a plain script nothing would run the
** loop afterwards, so that what was sent just before would be lost: see it
** through here, which the time limits bound. */
static int ws_scope_close(lua_State *L) {
  struct websocket *w = check(L, 1);
  lua_settop(L, 1);
  if (w->b->closing || w->closed)
    return 0;
  websocket_close(w, 1000, "", 0);
  if (binding_is_main(L) && !w->b->running) {
    w->pulled = true; /* ws.error tells; nobody else needs to */
    binding_drive(w->b, is_closed, w);
    binding_raise(w->b, L);
  }
  return 0;
}

static int ws_terminate(lua_State *L) {
  engine_client_terminate(check(L, 1)->client);
  return 0;
}

static int ws_reconnect(lua_State *L) {
  struct websocket *w = check(L, 1);
  if (engine_client_reconnect(w->client)) {
    lua_pushboolean(L, 1);
    return 1;
  }
  return push_failure(L, base_error_new(BASE_KIND_CLOSED, "local",
                                        "the connection is closed for good"));
}

/* ---- pausing ----------------------------------------------------------- */

static int ws_pause(lua_State *L) {
  engine_client_set_paused(check(L, 1)->client, true);
  return 0;
}

static int ws_resume(lua_State *L) {
  engine_client_set_paused(check(L, 1)->client, false);
  return 0;
}

/* ---- facts -------------------------------------------------------------- */

static void set_number(lua_State *L, const char *name, uint64_t n) {
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, name);
}

static int ws_stats(lua_State *L) {
  struct websocket *w = check(L, 1);
  const struct engine_stats *s = engine_client_stats(w->client);
  lua_createtable(L, 0, 10);
  set_number(L, "bytes_in", s->bytes_in);
  set_number(L, "bytes_out", s->bytes_out);
  set_number(L, "messages_in", s->messages_in);
  set_number(L, "messages_out", s->messages_out);
  set_number(L, "frames_in", s->frames_in);
  set_number(L, "frames_out", s->frames_out);
  set_number(L, "pings_in", s->pings_in);
  set_number(L, "pings_out", s->pings_out);
  set_number(L, "reconnects", engine_client_reconnects(w->client));
  if (s->rtt >= 0) {
    lua_pushnumber(L, s->rtt);
    lua_setfield(L, -2, "rtt");
  }
  return 1;
}

static int ws_topic(lua_State *L) {
  (void)check(L, 1);
  return luaL_error(L, "subscribe and unsubscribe are for the connections of "
                       "a server");
}

static int ws_tostring(lua_State *L) {
  static const char *const states[] = {"connecting", "open", "waiting",
                                       "closing", "closed"};
  struct websocket *w = check(L, 1);
  lua_getiuservalue(L, 1, SLOT_URL);
  lua_pushfstring(L, "WebSocket (%s, %s)", lua_tostring(L, -1),
                  states[engine_client_state(w->client)]);
  return 1;
}

enum field {
  FIELD_STATE = 1,
  FIELD_URL,
  FIELD_SUBPROTOCOL,
  FIELD_BUFFERED,
  FIELD_PEER,
  FIELD_REQUEST,
  FIELD_ERROR,
  FIELD_TLS
};

static void push_peer(lua_State *L, struct websocket *w) {
  char ip[64];
  int port;
  if (!engine_client_address(w->client, ip, &port)) {
    lua_pushnil(L);
    return;
  }
  lua_createtable(L, 0, 2);
  lua_pushstring(L, ip);
  lua_setfield(L, -2, "ip");
  lua_pushinteger(L, port);
  lua_setfield(L, -2, "port");
}

static void push_field(lua_State *L, struct websocket *w, enum field f) {
  static const char *const states[] = {"connecting", "open", "waiting",
                                       "closing", "closed"};
  switch (f) {
  case FIELD_STATE:
    lua_pushstring(L, w->closed ? "closed"
                                : states[engine_client_state(w->client)]);
    break;
  case FIELD_URL:
    lua_getiuservalue(L, 1, SLOT_URL);
    break;
  case FIELD_SUBPROTOCOL:
    lua_pushstring(L, engine_client_subprotocol(w->client));
    break;
  case FIELD_BUFFERED:
    lua_pushinteger(L, (lua_Integer)engine_client_buffered(w->client));
    break;
  case FIELD_PEER:
    push_peer(L, w);
    break;
  case FIELD_REQUEST: /* of a server's connection */
    lua_pushnil(L);
    break;
  case FIELD_ERROR:
    if (w->closed && !w->clean)
      lua_getiuservalue(L, 1, SLOT_ERROR);
    else
      lua_pushnil(L);
    break;
  case FIELD_TLS:
    push_tls_peer(L, engine_client_tls_peer(w->client));
    break;
  }
}

/* ws.key: upvalue 1 has the methods, upvalue 2 the numbers of fields. */
static int ws_index(lua_State *L) {
  struct websocket *w = check(L, 1);
  int slot;
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
    return 1;
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL) {
    push_field(L, w, (enum field)lua_tointeger(L, -1));
    return 1;
  }
  if (lua_type(L, 2) == LUA_TSTRING) {
    slot = handler_slot(lua_tostring(L, 2));
    if (slot > 0) {
      lua_getiuservalue(L, 1, slot);
      return 1;
    }
  }
  if (lua_getiuservalue(L, 1, SLOT_FIELDS) != LUA_TTABLE)
    return 1; /* nil */
  lua_pushvalue(L, 2);
  lua_gettable(L, -2);
  return 1;
}

static void set_handler(lua_State *L, struct websocket *w, int slot) {
  if (slot == SLOT_ONMESSAGE)
    w->has_handler = !lua_isnil(L, 3);
  lua_settop(L, 3);
  lua_setiuservalue(L, 1, slot);
  websocket_update_taking(w);
}

static int ws_newindex(lua_State *L) {
  struct websocket *w = check(L, 1);
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  int slot = handler_slot(name);
  if (slot > 0) {
    handler_check(L, name, 3);
    set_handler(L, w, slot);
    return 0;
  }
  if (strncmp(name, "on", 2) == 0)
    return luaL_error(L, "unknown handler '%s'", name);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
    return luaL_error(L, "'%s' is a method", name);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
    return luaL_error(L, "field '%s' can only be read", name);
  if (lua_isnil(L, 2) || (lua_isnumber(L, 2) && !lua_rawequal(L, 2, 2)))
    return luaL_error(L, "a field's name cannot be nil or NaN");
  lua_settop(L, 3);
  if (lua_getiuservalue(L, 1, SLOT_FIELDS) != LUA_TTABLE) {
    lua_settop(L, 3);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, SLOT_FIELDS);
  }
  lua_insert(L, 2);
  lua_settable(L, 2);
  return 0;
}

/* Collected after its end, or because the state closes. */
void websocket_end(struct binding_member *m) {
  struct websocket *w = (struct websocket *)m;
  struct engine_client *client = w->client;
  binding_leave(m);
  if (client == NULL)
    return;
  if (!w->closed)
    w->b->closing = true; /* it would be anchored otherwise */
  w->client = NULL;
  net_timer_free(w->timer);
  w->timer = NULL;
  engine_client_detach(client);
}

static int ws_gc(lua_State *L) {
  websocket_end(
    &((struct websocket *)luaL_checkudata(L, 1, WEBSOCKET_TYPE))->member);
  return 0;
}

static void push_field_numbers(lua_State *L) {
  static const char *const names[] = {"state", "url", "subprotocol",
                                      "buffered", "peer", "request", "error",
                                      "tls"};
  int i;
  lua_createtable(L, 0, 8);
  for (i = 0; i < 8; i++) {
    lua_pushinteger(L, FIELD_STATE + i);
    lua_setfield(L, -2, names[i]);
  }
}

void binding_open_websocket(lua_State *L) {
  static const luaL_Reg methods[] = {
    {"send", ws_send}, {"stream", writer_new}, {"receive", websocket_receive},
    {"messages", websocket_messages}, {"ping", ws_ping}, {"pause", ws_pause},
    {"resume", ws_resume}, {"reconnect", ws_reconnect}, {"close", ws_close},
    {"terminate", ws_terminate}, {"stats", ws_stats},
    {"subscribe", ws_topic}, {"unsubscribe", ws_topic}, {NULL, NULL}
  };
  static const luaL_Reg meta[] = {
    {"__gc", ws_gc}, {"__close", ws_scope_close},
    {"__tostring", ws_tostring}, {NULL, NULL}
  };
  luaL_newmetatable(L, WEBSOCKET_TYPE);
  luaL_setfuncs(L, meta, 0);
  luaL_newlib(L, methods);
  push_field_numbers(L);
  lua_pushvalue(L, -2);
  lua_pushvalue(L, -2);
  lua_pushcclosure(L, ws_newindex, 2);
  lua_setfield(L, -4, "__newindex");
  lua_pushcclosure(L, ws_index, 2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
