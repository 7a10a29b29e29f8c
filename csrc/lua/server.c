/*
** wss.listen, and the server userdata: its life, its methods and fields.
*/
#include "lua/server.h"

#include <math.h>
#include <string.h>

#include "engine/facade.h"
#include "lua/handlers.h"
#include "lua/object.h"
#include "lua/options.h"
#include "lua/pin.h"
#include "lua/request.h"
#include "lua/tls.h"
#include "lua/writer.h"

static const char *const handler_names[] = {SERVER_HANDLER_NAMES, NULL};

static struct server *check(lua_State *L) {
  struct server *s = (struct server *)luaL_checkudata(L, 1, SERVER_TYPE);
  if (s->server == NULL)
    luaL_error(L, "this server was finalized");
  return s;
}

static int slot_of_name(const char *name) {
  int i = object_find(handler_names, name);
  return i < 0 ? -1 : SERVER_HANDLER + i;
}

int server_slot_of(int slot) {
  switch (slot) {
  case SLOT_ONOPEN:
    return SERVER_ONOPEN;
  case SLOT_ONMESSAGE:
    return SERVER_ONMESSAGE;
  case SLOT_ONFRAGMENT:
    return SERVER_ONFRAGMENT;
  case SLOT_ONDRAIN:
    return SERVER_ONDRAIN;
  case SLOT_ONPING:
    return SERVER_ONPING;
  case SLOT_ONPONG:
    return SERVER_ONPONG;
  default:
    return SERVER_ONCLOSE;
  }
}

/* ---- what the engine says ------------------------------------------------- */

struct event {
  struct server *s;
  const struct engine_end *end;
  const struct tls_step *step;
  double since;
};

/* The event; value 2 is the server, value 3 what its slot has. */
static struct event *begin(lua_State *L, int slot) {
  struct event *ev = (struct event *)lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, ev->s->anchor);
  lua_getiuservalue(L, 2, slot);
  return ev;
}

static int call_refused(lua_State *L) {
  struct event *ev = begin(L, SERVER_ONREFUSED);
  if (lua_isnil(L, 3))
    return 0;
  lua_pushvalue(L, 2);
  push_error(L, ev->end->err);
  push_peer(L, ev->end->ip, ev->end->port);
  lua_call(L, 3, 0);
  return 0;
}

static void on_refused(void *owner, const struct engine_end *end) {
  struct event ev;
  ev.s = (struct server *)owner;
  ev.end = end;
  (void)binding_call(ev.s->b, call_refused, &ev, LUA_NOREF);
}

static int call_step(lua_State *L) {
  struct event *ev = begin(L, SERVER_TRACE);
  if (lua_isnil(L, 3))
    return 0;
  push_step(L, ev->step, ev->since);
  lua_call(L, 1, 0);
  return 0;
}

static void on_step(void *owner, const struct tls_step *step, double since) {
  struct event ev;
  ev.s = (struct server *)owner;
  ev.step = step;
  ev.since = since;
  (void)binding_call(ev.s->b, call_step, &ev, LUA_NOREF);
}

/* Resume all that wait in publish; each looks again whether it must wait. */
static int call_room(lua_State *L) {
  struct event *ev = begin(L, SERVER_WAITERS);
  lua_Integer i, n = 0;
  if (lua_isnil(L, 3))
    return 0;
  lua_newtable(L); /* the set changes meanwhile: 4 is a list of it */
  for (lua_pushnil(L); lua_next(L, 3) != 0; lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    lua_rawseti(L, 4, ++n);
  }
  for (i = 1; i <= n; i++) {
    lua_settop(L, 4);
    lua_rawgeti(L, 4, i);
    lua_pushvalue(L, 5);
    if (lua_rawget(L, 3) == LUA_TNIL) /* another may have taken it out */
      continue;
    if (lua_status(lua_tothread(L, 5)) == LUA_YIELD) {
      binding_resume(ev->s->b, L, lua_tothread(L, 5), 0);
    } else { /* it was closed (coroutine.close) while it waited */
      lua_pushvalue(L, 5);
      lua_pushnil(L);
      lua_rawset(L, 3);
    }
  }
  return 0;
}

static void on_room(void *owner) {
  struct event ev;
  ev.s = (struct server *)owner;
  (void)binding_call(ev.s->b, call_room, &ev, LUA_NOREF);
  net_loop_hasten(ev.s->b->engine->loop); /* the main chunk may wait, too */
}

static void on_closed(void *owner) {
  struct server *s = (struct server *)owner;
  s->ended = true;
  binding_release(s->b);
  binding_unref(s->b, s->anchor);
  s->anchor = LUA_NOREF;
}

static const struct engine_server_ops server_ops = {
  request_on_request, request_on_left, on_refused, on_step, on_room, on_closed
};

/* ---- making one ---------------------------------------------------------- */

static void end(struct binding_member *m) {
  struct server *s = (struct server *)m;
  struct engine_server *server = s->server;
  binding_leave(m);
  if (server == NULL)
    return;
  if (!s->ended)
    s->b->closing = true; /* it would be anchored otherwise */
  s->server = NULL;
  engine_server_detach(server);
}

static int conf_gc(lua_State *L) {
  engine_server_conf_deinit(
    (struct engine_server_conf *)lua_touserdata(L, 1));
  return 0;
}

static struct server *push_server(lua_State *L, struct binding *b) {
  struct server *s;
  s = (struct server *)lua_newuserdatauv(L, sizeof *s, SERVER_SLOTS);
  memset(s, 0, sizeof *s);
  s->b = b;
  s->anchor = LUA_NOREF;
  luaL_setmetatable(L, SERVER_TYPE);
  return s;
}

static void handlers(lua_State *L, int options, int index, struct server *s) {
  object_take_handlers(L, options, index, handler_names, SERVER_HANDLER);
  s->has_message = lua_getiuservalue(L, index, SERVER_ONMESSAGE) != LUA_TNIL;
  s->has_fragment = lua_getiuservalue(L, index, SERVER_ONFRAGMENT) != LUA_TNIL;
  lua_pop(L, 2);
}

/* The TLS options, for a wss: URL only, where there must be some. */
static struct base_error *tls(lua_State *L, int options, int index,
                              struct engine_server_conf *conf) {
  struct base_error *err;
  if (options != 0)
    lua_getfield(L, options, "tls");
  else
    lua_pushnil(L);
  if (lua_isnil(L, -1)) {
    if (conf->url.secure)
      luaL_error(L, "option 'tls': a wss server needs a certificate (tls = { "
                    "cert = \"server.crt\", key = \"server.key\" })");
    return NULL;
  }
  if (!conf->url.secure)
    luaL_error(L, "option 'tls': this URL has no TLS; wss: has");
  err = tls_server_option(L, lua_gettop(L), &conf->tls); /* [-0, +1] */
  conf->trace = lua_isfunction(L, -1);
  lua_setiuservalue(L, index, SERVER_TRACE);
  return err;
}

/* "wss://0.0.0.0:8443": as it was asked for, with the port that it has. */
static void push_url(lua_State *L, const struct server *s) {
  const struct ws_url *u = &engine_server_conf(s->server)->url;
  struct ws_url named = *u;
  char authority[280];
  if (u->path != NULL) {
    lua_getiuservalue(L, 1, SERVER_URL);
    return;
  }
  named.port = (uint16_t)s->port;
  named.default_port = s->port == (u->secure ? 443 : 80);
  (void)ws_url_authority(&named, authority, sizeof authority);
  lua_pushfstring(L, "%s://%s", u->secure ? "wss" : "ws", authority);
}

int binding_listen(lua_State *L) {
  struct binding *b = binding_get(L);
  struct engine_server_conf *conf;
  struct server *s;
  struct base_error *err;
  int options = lua_isnoneornil(L, 2) ? 0 : 2, index;
  char ip[64];
  binding_check_alive(b, L, "listen");
  lua_settop(L, 2);
  conf = (struct engine_server_conf *)push_owned(
    L, sizeof *conf, "uvwss.server_conf", conf_gc);
  options_server(L, 1, options, conf);
  s = push_server(L, b);
  index = lua_gettop(L);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, index, SERVER_URL);
  if (options != 0)
    handlers(L, options, index, s);
  err = tls(L, options, index, conf);
  if (err != NULL)
    return push_failure(L, err);
  lua_pushvalue(L, index);
  s->anchor = binding_ref(b, L);
  err = engine_server_new(&s->server, b->engine, conf, &server_ops, s);
  if (err != NULL) {
    binding_unref(b, s->anchor);
    s->anchor = LUA_NOREF;
    return push_failure(L, err);
  }
  binding_join(b, &s->member, end);
  binding_hold(b);
  engine_server_address(s->server, ip, &s->port);
  lua_settop(L, index);
  BINDING_STRESS(L);
  return 1;
}

/* ---- publishing ---------------------------------------------------------- */

/* Stack: server, topic (nil: everybody), data, kind. */
static int publish(lua_State *L) {
  struct server *s = check(L);
  const char *topic = NULL;
  size_t n = 0, receivers;
  struct engine_item *item;
  struct base_error *err;
  if (!lua_isnil(L, 2))
    topic = lua_tolstring(L, 2, &n);
  item = pin_new(s->b, L, 3, 0, websocket_check_kind(L, 4));
  err = engine_server_publish(s->server, topic, n, item, &receivers);
  if (receivers == 0)
    pin_discard(item);
  BINDING_STRESS(L);
  if (err != NULL)
    return push_failure(L, err);
  lua_pushinteger(L, (lua_Integer)receivers);
  return 1;
}

static bool is_crowded(lua_State *L, const struct server *s) {
  const char *topic = NULL;
  size_t n = 0;
  if (!lua_isnil(L, 2))
    topic = lua_tolstring(L, 2, &n);
  return engine_server_is_crowded(s->server, topic, n);
}

/* The set of those that wait [-0, +1]. */
static void push_waiters(lua_State *L) {
  if (lua_getiuservalue(L, 1, SERVER_WAITERS) == LUA_TTABLE)
    return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, 1, SERVER_WAITERS);
}

static void set_waiting(lua_State *L, bool waits) {
  push_waiters(L);
  lua_pushthread(L);
  if (waits)
    lua_pushboolean(L, 1);
  else
    lua_pushnil(L);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

static int wait_for_room(lua_State *L, int status, lua_KContext k) {
  struct server *s = check(L);
  (void)status;
  (void)k;
  lua_settop(L, 4);
  set_waiting(L, false);
  if (!is_crowded(L, s))
    return publish(L);
  set_waiting(L, true);
  return lua_yieldk(L, 0, 0, wait_for_room);
}

struct main_wait {
  lua_State *L;
  struct server *s;
};

static bool has_room(void *arg) {
  const struct main_wait *w = (const struct main_wait *)arg;
  return w->s->ended || !is_crowded(w->L, w->s);
}

/* Wait, where slow_consumer says so and waiting is possible. */
static int publish_or_wait(lua_State *L) {
  struct server *s = check(L);
  struct main_wait w;
  lua_settop(L, 4);
  if (engine_server_conf(s->server)->slow != ENGINE_SLOW_WAIT)
    return publish(L);
  if (lua_isyieldable(L))
    return is_crowded(L, s) ? wait_for_room(L, LUA_YIELD, 0) : publish(L);
  if (binding_is_main(L) && !s->b->running && !s->b->closing &&
      is_crowded(L, s)) {
    w.L = L;
    w.s = s;
    binding_drive(s->b, has_room, &w);
    binding_raise(s->b, L);
  }
  return publish(L);
}

static int server_publish(lua_State *L) {
  (void)check(L);
  luaL_checktype(L, 2, LUA_TSTRING);
  luaL_checktype(L, 3, LUA_TSTRING);
  (void)websocket_check_kind(L, 4);
  return publish_or_wait(L);
}

static int server_broadcast(lua_State *L) {
  (void)check(L);
  luaL_checktype(L, 2, LUA_TSTRING); /* while they are where the user put */
  (void)websocket_check_kind(L, 3);  /* them */
  lua_settop(L, 3);
  lua_pushnil(L);
  lua_insert(L, 2);
  return publish_or_wait(L);
}

/* ---- its connections ----------------------------------------------------- */

/* Upvalues: a list, and how far it was walked. */
static int next_connection(lua_State *L) {
  lua_Integer i = lua_tointeger(L, lua_upvalueindex(2)) + 1;
  lua_pushinteger(L, i);
  lua_replace(L, lua_upvalueindex(2));
  lua_rawgeti(L, lua_upvalueindex(1), i);
  return 1;
}

/* Those that are open now: what comes or goes meanwhile does no harm. */
static int server_connections(lua_State *L) {
  struct server *s = check(L);
  struct websocket *w;
  lua_Integer i = 0;
  lua_newtable(L);
  for (w = s->open; w != NULL; w = w->next) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, w->anchor);
    lua_rawseti(L, -2, ++i);
  }
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, next_connection, 2);
  return 1;
}

/* ---- life ---------------------------------------------------------------- */

static int server_reload(lua_State *L) {
  struct server *s = check(L);
  struct tls_context *tls = engine_server_tls(s->server), *other = NULL;
  struct base_error *err;
  if (tls == NULL)
    return luaL_error(L, "reload: this server has no TLS");
  lua_settop(L, 2);
  if (!lua_isnil(L, 2) && !lua_istable(L, 2) &&
      luaL_testudata(L, 2, TLS_TYPE) == NULL)
    return luaL_typeerror(L, 2, "table or wss.tls");
  if (lua_isnil(L, 2)) {
    err = tls_context_reload(tls);
  } else {
    err = tls_server_option(L, 2, &other);
    if (err == NULL)
      engine_server_set_tls(s->server, other);
    tls_context_unref(other);
  }
  if (err != NULL)
    return push_failure(L, err);
  lua_pushboolean(L, 1);
  return 1;
}

static int server_close(lua_State *L) {
  struct server *s = check(L);
  lua_Number grace = luaL_optnumber(L, 2, 5);
  luaL_argcheck(L, grace >= 0 && grace <= 4e6, 2,
                "seconds must be from 0 to 4000000");
  engine_server_close(s->server, (uint32_t)ceil(grace * 1000.0));
  return 0;
}

static bool has_ended(void *arg) {
  return ((struct server *)arg)->ended;
}

/* As for a connection: in a plain script the end is seen through here. */
static int server_scope_close(lua_State *L) {
  struct server *s = check(L);
  lua_settop(L, 1);
  if (s->b->closing || s->ended)
    return 0;
  engine_server_close(s->server, 5000);
  if (binding_is_main(L) && !s->b->running) {
    binding_drive(s->b, has_ended, s);
    binding_raise(s->b, L);
  }
  return 0;
}

static int server_gc(lua_State *L) {
  end(&((struct server *)luaL_checkudata(L, 1, SERVER_TYPE))->member);
  return 0;
}

/* ---- facts --------------------------------------------------------------- */

static void set_count(lua_State *L, const char *name, uint64_t n) {
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, name);
}

static int server_stats(lua_State *L) {
  struct server *s = check(L);
  struct engine_server_stats st;
  engine_server_stats(s->server, &st);
  lua_createtable(L, 0, 20);
  set_count(L, "connections", engine_server_count(s->server));
  set_count(L, "handshaking", engine_server_callers(s->server) -
                                engine_server_count(s->server));
  set_count(L, "accepted", st.accepted);
  set_count(L, "turned_away", st.turned_away);
  set_count(L, "refused", st.refused);
  set_count(L, "requests", st.requests);
  set_count(L, "upgrades", st.upgrades);
  set_count(L, "published", st.published);
  set_count(L, "delivered", st.delivered);
  set_count(L, "dropped", st.dropped);
  set_count(L, "slow_closed", st.slow_closed);
  set_count(L, "topics", engine_server_topics(s->server));
  set_count(L, "subscriptions", engine_server_subscriptions(s->server));
  set_count(L, "bytes_in", st.traffic.bytes_in);
  set_count(L, "bytes_out", st.traffic.bytes_out);
  set_count(L, "messages_in", st.traffic.messages_in);
  set_count(L, "messages_out", st.traffic.messages_out);
  set_count(L, "frames_in", st.traffic.frames_in);
  set_count(L, "frames_out", st.traffic.frames_out);
  set_count(L, "pings_in", st.traffic.pings_in);
  set_count(L, "pings_out", st.traffic.pings_out);
  return 1;
}

static const char *state_of(const struct server *s) {
  if (s->ended)
    return "closed";
  return engine_server_is_closed(s->server) ? "closing" : "listening";
}

static int server_tostring(lua_State *L) {
  struct server *s = check(L);
  push_url(L, s);
  lua_pushfstring(L, "Server (%s, %s)", lua_tostring(L, -1), state_of(s));
  return 1;
}

enum field { FIELD_URL = 1, FIELD_PORT, FIELD_COUNT, FIELD_STATE };

static void push_field(lua_State *L, void *object, int field) {
  struct server *s = (struct server *)object;
  switch ((enum field)field) {
  case FIELD_URL:
    push_url(L, s);
    break;
  case FIELD_PORT:
    if (s->port > 0)
      lua_pushinteger(L, s->port);
    else
      lua_pushnil(L);
    break;
  case FIELD_COUNT:
    lua_pushinteger(L, (lua_Integer)engine_server_count(s->server));
    break;
  case FIELD_STATE:
    lua_pushstring(L, state_of(s));
    break;
  }
}

static void *check_first(lua_State *L) {
  return check(L);
}

static void changed(lua_State *L, int slot) {
  struct server *s = check(L);
  struct websocket *w;
  if (slot == SERVER_ONMESSAGE)
    s->has_message = !lua_isnil(L, 3);
  else if (slot == SERVER_ONFRAGMENT)
    s->has_fragment = !lua_isnil(L, 3);
  else
    return;
  for (w = s->open; w != NULL; w = w->next)
    websocket_update_taking(w);
}

void binding_open_server(lua_State *L) {
  static const luaL_Reg methods[] = {
    {"publish", server_publish}, {"broadcast", server_broadcast},
    {"connections", server_connections}, {"reload", server_reload},
    {"close", server_close}, {"stats", server_stats}, {NULL, NULL}
  };
  static const luaL_Reg meta[] = {
    {"__gc", server_gc}, {"__close", server_scope_close},
    {"__tostring", server_tostring}, {NULL, NULL}
  };
  static const char *const fields[] = {
    "url", "port", "count", "state", NULL
  };
  static const struct object_class class_ = {
    check_first, slot_of_name, push_field, changed
  };
  luaL_newmetatable(L, SERVER_TYPE);
  luaL_setfuncs(L, meta, 0);
  object_open(L, &class_, methods, fields);
  lua_pop(L, 1);
  request_open(L);
}
