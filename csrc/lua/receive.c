/*
** ws:receive and ws:messages, in a coroutine and in the main chunk.
*/
#include "lua/receive.h"

#include <math.h>

#include "engine/facade.h"
#include "lua/handlers.h"

static struct base_error *too_late(double seconds) {
  struct base_error *e;
  e = base_error_new(BASE_KIND_TIMEOUT, "receive",
                     "no message came within %g seconds", seconds);
  base_error_number(e, "seconds", seconds);
  return e;
}

/* Wake the coroutine with nil and a timeout. */
static int receive_late(lua_State *L) {
  struct websocket *w = (struct websocket *)lua_touserdata(L, 1);
  lua_State *co;
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->anchor);
  lua_getiuservalue(L, 2, SLOT_WAITER);
  lua_pushnil(L);
  lua_setiuservalue(L, 2, SLOT_WAITER);
  co = lua_tothread(L, 3);
  w->resuming = true;
  websocket_stop_receiving(w);
  lua_pushnil(L);
  lua_pushnumber(L, w->timeout);
  binding_resume(w->b, L, co, 2);
  return 0;
}

static void on_timeout(void *ctx) {
  struct websocket *w = (struct websocket *)ctx;
  if (w->receiving == RECEIVE_COROUTINE) {
    (void)binding_call(w->b, receive_late, w, LUA_NOREF);
  } else if (w->receiving == RECEIVE_MAIN) {
    w->late = w->got = true;
    w->got_data = false;
    websocket_stop_receiving(w);
  }
}

/* nil and why it is closed, on top [-2, +2]. */
static int return_why(lua_State *L) {
  if (lua_isnil(L, -1)) /* see on_close */
    return luaL_error(L, "not enough memory");
  return 2;
}

/* Stack: ws, (timeout), …; what the coroutine was resumed with is on top. */
static int receive_over(lua_State *L, int status, lua_KContext k) {
  struct websocket *w = websocket_check(L, 1);
  (void)status;
  (void)k;
  if (!w->resuming) {
    lua_pushnil(L);
    lua_setiuservalue(L, 1, SLOT_WAITER);
    websocket_stop_receiving(w);
    return luaL_error(L, "a coroutine that waits in receive was resumed by "
                         "another");
  }
  w->resuming = false;
  if (lua_isnil(L, -2) && lua_isnumber(L, -1))
    return push_failure(L, too_late(lua_tonumber(L, -1)));
  return return_why(L);
}

static void start_timer(lua_State *L, struct websocket *w, double seconds) {
  w->timeout = seconds;
  w->late = false;
  if (seconds < 0)
    return;
  w->timer = net_timer_new(w->b->engine->loop, on_timeout, w);
  if (w->timer == NULL)
    luaL_error(L, "not enough memory");
  w->b->timers++;
  (void)net_loop_update_ms(w->b->engine->loop);
  net_timer_start(w->timer, (uint64_t)ceil(seconds * 1000.0));
}

static bool has_got(void *arg) {
  return ((struct websocket *)arg)->got;
}

static int take_data(lua_State *L, struct websocket *w) {
  w->got_data = false;
  lua_getiuservalue(L, 1, SLOT_DATA);
  lua_pushnil(L);
  lua_setiuservalue(L, 1, SLOT_DATA);
  lua_pushstring(L, w->got_text ? "text" : "binary");
  return 2;
}

static int receive_main(lua_State *L, struct websocket *w, double seconds) {
  bool stopped;
  binding_check_idle(w->b, L, "receive");
  start_timer(L, w, seconds);
  w->got = w->got_data = false;
  w->receiving = RECEIVE_MAIN;
  websocket_update_taking(w);
  engine_unhalt(w->b->engine);
  w->b->stopping = false;
  w->b->running = true; /* a delivery may call handlers of others */
  engine_socket_pump(w->socket);
  w->b->running = false;
  if (!w->got && !w->b->stopping)
    binding_drive(w->b, has_got, w);
  stopped = !w->got;
  if (stopped)
    websocket_stop_receiving(w);
  binding_raise(w->b, L);
  if (w->late)
    return push_failure(L, too_late(seconds));
  if (stopped)
    return push_failure(L, base_error_new(BASE_KIND_CLOSED, "stopped",
                                          "wss.stop was called"));
  if (!w->got_data) {
    push_why_closed(L, 1);
    return return_why(L);
  }
  return take_data(L, w);
}

static int receive(lua_State *L, double seconds) {
  struct websocket *w = websocket_check(L, 1);
  lua_settop(L, 1);
  w->pulled = true;
  if (w->got_data) /* when it came, another's error had to be raised */
    return take_data(L, w);
  if (w->closed) {
    push_why_closed(L, 1);
    return return_why(L);
  }
  if (websocket_is_received(w))
    return luaL_error(L, "receive: another is receiving from this connection");
  if (binding_is_main(L))
    return receive_main(L, w, seconds);
  if (!lua_isyieldable(L))
    return luaL_error(L, "receive: this coroutine cannot yield here");
  start_timer(L, w, seconds);
  lua_pushthread(L);
  lua_setiuservalue(L, 1, SLOT_WAITER);
  w->waiter = L;
  w->receiving = RECEIVE_COROUTINE;
  w->resuming = false;
  websocket_update_taking(w);
  return lua_yieldk(L, 0, 0, receive_over);
}

int websocket_receive(lua_State *L) {
  double seconds = -1;
  (void)websocket_check(L, 1);
  if (!lua_isnoneornil(L, 2)) {
    seconds = luaL_checknumber(L, 2);
    luaL_argcheck(L, seconds >= 0 && seconds <= 4e6, 2,
                  "seconds must be from 0 to 4000000");
  }
  return receive(L, seconds);
}

/* The iterator: ws is its state, so that no closure is needed. */
static int next_message(lua_State *L) {
  return receive(L, -1);
}

int websocket_messages(lua_State *L) {
  (void)websocket_check(L, 1);
  lua_settop(L, 1);
  lua_pushcfunction(L, next_message);
  lua_insert(L, 1);
  return 2;
}
