/*
** The WebSocket userdata: its methods and fields.
*/
#include <stdio.h>
#include <string.h>

#include "engine/facade.h"
#include "lua/handlers.h"
#include "lua/object.h"
#include "lua/pin.h"
#include "lua/receive.h"
#include "lua/shown.h"
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
  if (w->socket == NULL)
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

/* Compared by their lengths first: this is done for each message. */
bool websocket_check_kind(lua_State *L, int arg) {
  const char *s;
  size_t n;
  if (lua_isnoneornil(L, arg))
    return true;
  s = check_string(L, arg, &n);
  if (n == 6 && memcmp(s, "binary", 6) == 0)
    return false;
  if (n == 4 && memcmp(s, "text", 4) == 0)
    return true;
  return luaL_argerror(L, arg, lua_pushfstring(L, "\"text\" or \"binary\" "
                                               "expected, got \"%s\"",
                                               push_shown(L, s, n)));
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
  int done = lua_isnoneornil(L, 4) ? 0 : 4;
  bool text;
  luaL_checktype(L, 2, LUA_TSTRING);
  text = websocket_check_kind(L, 3);
  if (done != 0)
    luaL_checktype(L, done, LUA_TFUNCTION);
  item = pin_new(w->b, L, 2, done, text);
  err = engine_socket_send(w->socket, item);
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
  return success_or(L, engine_socket_ping(w->socket, (const uint8_t *)data,
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
  engine_socket_terminate(check(L, 1)->socket);
  return 0;
}

static int ws_reconnect(lua_State *L) {
  struct websocket *w = check(L, 1);
  if (w->server != NULL)
    return luaL_error(L, "reconnect: only a client can dial");
  if (engine_client_reconnect(w->socket)) {
    lua_pushboolean(L, 1);
    return 1;
  }
  return push_failure(L, base_error_new(BASE_KIND_CLOSED, "local",
                                        "the connection is closed for good"));
}

/* ---- pausing ----------------------------------------------------------- */

static int ws_pause(lua_State *L) {
  engine_socket_set_paused(check(L, 1)->socket, true);
  return 0;
}

static int ws_resume(lua_State *L) {
  engine_socket_set_paused(check(L, 1)->socket, false);
  return 0;
}

/* ---- facts -------------------------------------------------------------- */

static void set_number(lua_State *L, const char *name, uint64_t n) {
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, name);
}

static int ws_stats(lua_State *L) {
  struct websocket *w = check(L, 1);
  const struct engine_stats *s = engine_socket_stats(w->socket);
  lua_createtable(L, 0, 10);
  set_number(L, "bytes_in", s->bytes_in);
  set_number(L, "bytes_out", s->bytes_out);
  set_number(L, "messages_in", s->messages_in);
  set_number(L, "messages_out", s->messages_out);
  set_number(L, "frames_in", s->frames_in);
  set_number(L, "frames_out", s->frames_out);
  set_number(L, "pings_in", s->pings_in);
  set_number(L, "pings_out", s->pings_out);
  if (w->server == NULL)
    set_number(L, "reconnects", engine_client_reconnects(w->socket));
  if (s->rtt >= 0) {
    lua_pushnumber(L, s->rtt);
    lua_setfield(L, -2, "rtt");
  }
  return 1;
}

/* A connection that a server accepted, and the topic's name. */
static struct engine_caller *check_topic(lua_State *L, const char **topic,
                                         size_t *n) {
  struct websocket *w = check(L, 1);
  if (w->server == NULL)
    luaL_error(L, "subscribe and unsubscribe are for the connections of a "
                  "server");
  *topic = check_string(L, 2, n);
  return engine_caller_of(w->socket);
}

static int ws_subscribe(lua_State *L) {
  const char *topic;
  size_t n;
  struct engine_caller *c = check_topic(L, &topic, &n);
  return success_or(L, engine_caller_subscribe(c, topic, n));
}

static int ws_unsubscribe(lua_State *L) {
  const char *topic;
  size_t n;
  struct engine_caller *c = check_topic(L, &topic, &n);
  lua_pushboolean(L, engine_caller_unsubscribe(c, topic, n));
  return 1;
}

static int ws_tostring(lua_State *L) {
  static const char *const states[] = {"connecting", "open", "waiting",
                                       "closing", "closed"};
  struct websocket *w = check(L, 1);
  lua_getiuservalue(L, 1, SLOT_URL);
  lua_pushfstring(L, "WebSocket (%s, %s)", lua_tostring(L, -1),
                  states[engine_socket_state(w->socket)]);
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

void push_peer(lua_State *L, const char *ip, int port) {
  lua_createtable(L, 0, 2);
  lua_pushstring(L, ip);
  lua_setfield(L, -2, "ip");
  lua_pushinteger(L, port);
  lua_setfield(L, -2, "port");
}

/* Nobody was reached yet, or it is a process of this machine: nil. */
static void push_own_peer(lua_State *L, const struct websocket *w) {
  char ip[64];
  int port;
  if (engine_socket_address(w->socket, ip, &port))
    push_peer(L, ip, port);
  else
    lua_pushnil(L);
}

static void push_field(lua_State *L, void *object, int field) {
  static const char *const states[] = {"connecting", "open", "waiting",
                                       "closing", "closed"};
  struct websocket *w = (struct websocket *)object;
  switch ((enum field)field) {
  case FIELD_STATE:
    lua_pushstring(L, w->closed ? "closed"
                                : states[engine_socket_state(w->socket)]);
    break;
  case FIELD_URL:
    lua_getiuservalue(L, 1, SLOT_URL);
    break;
  case FIELD_SUBPROTOCOL:
    lua_pushstring(L, engine_socket_subprotocol(w->socket));
    break;
  case FIELD_BUFFERED:
    lua_pushinteger(L, (lua_Integer)engine_socket_buffered(w->socket));
    break;
  case FIELD_PEER:
    push_own_peer(L, w);
    break;
  case FIELD_REQUEST: /* of a server's connection, nil otherwise */
    lua_getiuservalue(L, 1, SLOT_REQUEST);
    break;
  case FIELD_ERROR:
    if (w->closed && !w->clean)
      lua_getiuservalue(L, 1, SLOT_ERROR);
    else
      lua_pushnil(L);
    break;
  case FIELD_TLS:
    push_tls_peer(L, engine_socket_tls_peer(w->socket));
    break;
  }
}

static void *check_first(lua_State *L) {
  return check(L, 1);
}

static void changed(lua_State *L, int slot) {
  struct websocket *w = check(L, 1);
  if (slot == SLOT_ONMESSAGE)
    w->has_message = !lua_isnil(L, 3);
  else if (slot == SLOT_ONFRAGMENT)
    w->has_fragment = !lua_isnil(L, 3);
  websocket_update_taking(w);
}

struct websocket *push_websocket(lua_State *L, struct binding *b) {
  struct websocket *w;
  w = (struct websocket *)lua_newuserdatauv(L, sizeof *w, SLOT_COUNT);
  memset(w, 0, sizeof *w);
  w->type = websocket_type;
  w->b = b;
  w->anchor = LUA_NOREF;
  luaL_setmetatable(L, WEBSOCKET_TYPE);
  return w;
}

void websocket_leave(struct websocket *w) {
  if (w->at == NULL)
    return;
  *w->at = w->next;
  if (w->next != NULL)
    w->next->at = w->at;
  w->at = NULL;
}

/* Collected after its end, or because the state closes. */
void websocket_end(struct binding_member *m) {
  struct websocket *w = (struct websocket *)m;
  struct engine_socket *socket = w->socket;
  binding_leave(m);
  if (socket == NULL)
    return;
  if (!w->closed)
    w->b->closing = true; /* it would be anchored otherwise */
  w->socket = NULL;
  websocket_leave(w);
  net_timer_free(w->timer);
  w->timer = NULL;
  engine_socket_detach(socket);
}

static int ws_gc(lua_State *L) {
  websocket_end(
    &((struct websocket *)luaL_checkudata(L, 1, WEBSOCKET_TYPE))->member);
  return 0;
}

void binding_open_websocket(lua_State *L) {
  static const luaL_Reg methods[] = {
    {"send", ws_send}, {"stream", writer_new}, {"receive", websocket_receive},
    {"messages", websocket_messages}, {"ping", ws_ping}, {"pause", ws_pause},
    {"resume", ws_resume}, {"reconnect", ws_reconnect}, {"close", ws_close},
    {"terminate", ws_terminate}, {"stats", ws_stats},
    {"subscribe", ws_subscribe}, {"unsubscribe", ws_unsubscribe}, {NULL, NULL}
  };
  static const luaL_Reg meta[] = {
    {"__gc", ws_gc}, {"__close", ws_scope_close},
    {"__tostring", ws_tostring}, {NULL, NULL}
  };
  static const char *const fields[] = {
    "state", "url", "subprotocol", "buffered", "peer", "request", "error",
    "tls", NULL
  };
  static const struct object_class class_ = {
    check_first, handler_slot, push_field, changed
  };
  luaL_newmetatable(L, WEBSOCKET_TYPE);
  luaL_setfuncs(L, meta, 0);
  object_open(L, &class_, methods, fields);
  lua_pop(L, 1);
}
