/*
** From the engine's events to Lua's handlers, receivers and policy. Each
** event is one call through the door; what the event carries lies on the C
** stack until then.
*/
#include "lua/handlers.h"

#include <string.h>

#include "engine/facade.h"
#include "lua/object.h"
#include "lua/server.h"
#include "lua/tls.h"

int handler_slot(const char *name) {
  static const char *const names[] = {HANDLER_NAMES, NULL};
  int i = object_find(names, name);
  return i < 0 ? -1 : SLOT_HANDLER + i;
}

static bool has_handler(const struct websocket *w) {
  const struct server *s = w->server;
  return w->has_message || w->has_fragment ||
         (s != NULL && (s->has_message || s->has_fragment));
}

/* onfragment goes before onmessage, and its own before the server's. */
static bool wants_fragments(const struct websocket *w) {
  if (w->has_fragment || w->has_message || w->server == NULL)
    return w->has_fragment;
  return w->server->has_fragment;
}

void websocket_update_taking(struct websocket *w) {
  if (w->socket != NULL && !w->closed)
    engine_socket_set_taking(w->socket, has_handler(w) ||
                                          w->receiving != RECEIVE_NONE);
  if (w->socket != NULL && !w->closed) /* receive is for whole messages */
    engine_socket_set_fragments(w->socket, wants_fragments(w) &&
                                             w->receiving == RECEIVE_NONE);
}

void websocket_stop_receiving(struct websocket *w) {
  w->receiving = RECEIVE_NONE;
  if (w->timer != NULL) {
    net_timer_free(w->timer);
    w->timer = NULL;
    w->b->timers--;
  }
  websocket_update_taking(w);
}

bool websocket_is_received(struct websocket *w) {
  if (w->receiving == RECEIVE_COROUTINE && lua_status(w->waiter) != LUA_YIELD)
    websocket_stop_receiving(w);
  return w->receiving != RECEIVE_NONE;
}

struct event {
  struct websocket *w;
  const uint8_t *data;
  size_t n;
  bool text, last;
  double seconds;
  const void *info;
  double delay; /* answer of on_down */
  struct tls_peer *peer;
  bool yes;     /* answer of on_verify */
};

/* The event's userdata becomes value 2. */
static struct event *begin(lua_State *L) {
  struct event *ev = (struct event *)lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, ev->w->anchor);
  return ev;
}

/* The handler of that slot and its first arguments, on top: the connection, or,
** where it is the server's that serves all of them, the server and the
** connection. How many arguments, 0 if there is no handler. */
static int push_handler(lua_State *L, const struct websocket *w, int slot) {
  if (lua_getiuservalue(L, 2, slot) != LUA_TNIL) {
    lua_pushvalue(L, 2);
    return 1;
  }
  lua_pop(L, 1);
  if (w->server == NULL)
    return 0;
  lua_getiuservalue(L, 2, SLOT_SERVER);
  if (lua_getiuservalue(L, -1, server_slot_of(slot)) == LUA_TNIL)
    return 0;
  lua_pushvalue(L, -2);
  lua_pushvalue(L, 2);
  return 2;
}

void websocket_close(struct websocket *w, unsigned code, const char *reason,
                     size_t n) {
  enum engine_state state = engine_socket_state(w->socket);
  if (state != ENGINE_CLOSING && state != ENGINE_CLOSED)
    w->local = true;
  engine_socket_close(w->socket, code, reason, n);
  if (w->server != NULL)
    engine_caller_make_room(engine_caller_of(w->socket));
}

/* An error in a handler closes its connection (1011: RFC 6455, 7.4.1). */
static void enter(struct event *ev, lua_CFunction fn) {
  struct websocket *w = ev->w;
  if (!binding_call(w->b, fn, ev, w->anchor) && w->socket != NULL &&
      !w->closed && !w->b->closing)
    websocket_close(w, 1011, "", 0);
}

/* ---- messages ------------------------------------------------------------ */

static void push_message(lua_State *L, const struct event *ev) {
  lua_pushlstring(L, (const char *)ev->data, ev->n);
  if (ev->text)
    lua_pushliteral(L, "text");
  else
    lua_pushliteral(L, "binary");
}

static int to_handler(lua_State *L) {
  struct event *ev = begin(L);
  int n = push_handler(L, ev->w, SLOT_ONMESSAGE);
  if (n == 0) /* it went while this was on its way */
    return 0;
  push_message(L, ev);
  lua_call(L, n + 2, 0);
  return 0;
}

static int to_main(lua_State *L) {
  struct event *ev = (struct event *)lua_touserdata(L, 1);
  struct websocket *w = ev->w;
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->anchor);
  lua_pushlstring(L, (const char *)ev->data, ev->n);
  lua_setiuservalue(L, 2, SLOT_DATA);
  w->got = w->got_data = true;
  w->got_text = ev->text;
  websocket_stop_receiving(w);
  net_loop_hasten(w->b->engine->loop); /* whoever drives it has it now */
  return 0;
}

/* The coroutine that waits in receive; it does not any more [-0, +1]. */
static lua_State *push_waiter(lua_State *L, struct websocket *w, int index) {
  lua_getiuservalue(L, index, SLOT_WAITER);
  lua_pushnil(L);
  lua_setiuservalue(L, index, SLOT_WAITER);
  w->resuming = true;
  websocket_stop_receiving(w);
  return lua_tothread(L, -1);
}

static int to_coroutine(lua_State *L) {
  struct event *ev = (struct event *)lua_touserdata(L, 1);
  lua_State *co;
  lua_rawgeti(L, LUA_REGISTRYINDEX, ev->w->anchor);
  push_message(L, ev); /* before anything changes: this may raise */
  co = push_waiter(L, ev->w, 2);
  lua_insert(L, 3);
  binding_resume(ev->w->b, L, co, 2);
  return 0;
}

static void on_message(void *owner, const uint8_t *data, size_t n, bool text) {
  struct event ev;
  ev.w = (struct websocket *)owner;
  ev.data = data;
  ev.n = n;
  ev.text = text;
  if (!websocket_is_received(ev.w) && !has_handler(ev.w))
    engine_socket_refuse(ev.w->socket);
  else if (ev.w->receiving == RECEIVE_COROUTINE)
    enter(&ev, to_coroutine);
  else if (ev.w->receiving == RECEIVE_MAIN)
    enter(&ev, to_main);
  else
    enter(&ev, to_handler);
}

static int to_fragment_handler(lua_State *L) {
  struct event *ev = begin(L);
  int n = push_handler(L, ev->w, SLOT_ONFRAGMENT);
  if (n == 0) /* it went in the middle of the message, whose rest goes too */
    return 0;
  push_message(L, ev);
  lua_pushboolean(L, ev->last);
  lua_call(L, n + 3, 0);
  return 0;
}

static void on_fragment(void *owner, const uint8_t *data, size_t n, bool text,
                        bool last) {
  struct event ev;
  ev.w = (struct websocket *)owner;
  ev.data = data;
  ev.n = n;
  ev.text = text;
  ev.last = last;
  if (!websocket_is_received(ev.w) && !has_handler(ev.w))
    engine_socket_refuse(ev.w->socket);
  else
    enter(&ev, to_fragment_handler);
}

/* ---- the smaller events --------------------------------------------------- */

static int call_onopen(lua_State *L) {
  struct event *ev = begin(L);
  const struct engine_open *info = (const struct engine_open *)ev->info;
  int n = push_handler(L, ev->w, SLOT_ONOPEN);
  if (n == 0)
    return 0;
  lua_createtable(L, 0, 3);
  lua_pushinteger(L, (lua_Integer)info->attempt);
  lua_setfield(L, -2, "attempt");
  lua_pushboolean(L, info->resumed);
  lua_setfield(L, -2, "resumed");
  lua_pushstring(L, info->subprotocol); /* nil for NULL */
  lua_setfield(L, -2, "subprotocol");
  lua_call(L, n + 1, 0);
  return 0;
}

static void on_open(void *owner, const struct engine_open *info) {
  struct event ev;
  ev.w = (struct websocket *)owner;
  ev.info = info;
  ev.w->announced = true;
  enter(&ev, call_onopen);
}

static int call_onping(lua_State *L) {
  struct event *ev = begin(L);
  int n = push_handler(L, ev->w, SLOT_ONPING);
  if (n == 0)
    return 0;
  lua_pushlstring(L, (const char *)ev->data, ev->n);
  lua_call(L, n + 1, 0);
  return 0;
}

static void on_ping(void *owner, const uint8_t *data, size_t n) {
  struct event ev;
  ev.w = (struct websocket *)owner;
  ev.data = data;
  ev.n = n;
  enter(&ev, call_onping);
}

static int call_onpong(lua_State *L) {
  struct event *ev = begin(L);
  int n = push_handler(L, ev->w, SLOT_ONPONG);
  if (n == 0)
    return 0;
  lua_pushlstring(L, (const char *)ev->data, ev->n);
  if (ev->seconds >= 0)
    lua_pushnumber(L, ev->seconds);
  else
    lua_pushnil(L);
  lua_call(L, n + 2, 0);
  return 0;
}

static void on_pong(void *owner, const uint8_t *data, size_t n,
                    double seconds) {
  struct event ev;
  ev.w = (struct websocket *)owner;
  ev.data = data;
  ev.n = n;
  ev.seconds = seconds;
  enter(&ev, call_onpong);
}

static int call_ondrain(lua_State *L) {
  struct event *ev = begin(L);
  int n = push_handler(L, ev->w, SLOT_ONDRAIN);
  if (n > 0)
    lua_call(L, n, 0);
  return 0;
}

static void on_drain(void *owner) {
  struct event ev;
  ev.w = (struct websocket *)owner;
  enter(&ev, call_ondrain);
}

void push_step(lua_State *L, const struct tls_step *step, double since) {
  lua_createtable(L, 0, 5);
  lua_pushstring(L, step->out ? "out" : "in");
  lua_setfield(L, -2, "direction");
  lua_pushstring(L, step->name);
  lua_setfield(L, -2, "name");
  lua_pushinteger(L, (lua_Integer)step->bytes);
  lua_setfield(L, -2, "bytes");
  lua_pushnumber(L, (step->at - since) * 1000.0);
  lua_setfield(L, -2, "milliseconds");
  if (step->alert != NULL) {
    lua_pushstring(L, step->alert);
    lua_setfield(L, -2, "alert");
  }
}

static int call_trace(lua_State *L) {
  struct event *ev = begin(L);
  const struct tls_step *step = (const struct tls_step *)ev->info;
  struct websocket *w = ev->w;
  if (lua_getiuservalue(L, 2, SLOT_TRACE) == LUA_TNIL)
    return 0;
  if (w->open_since <= 0)
    w->open_since = step->at;
  push_step(L, step, w->open_since);
  lua_call(L, 1, 0);
  return 0;
}

static void on_step(void *owner, const struct tls_step *step) {
  struct event ev;
  ev.w = (struct websocket *)owner;
  ev.info = step;
  enter(&ev, call_trace);
}

static int call_verify(lua_State *L) {
  struct event *ev = begin(L);
  if (lua_getiuservalue(L, 2, SLOT_VERIFY) == LUA_TNIL)
    return 0;
  ev->yes = call_onverify(L, ev->peer, (const struct base_error *)ev->info);
  return 0;
}

static bool on_verify(void *owner, struct tls_peer *peer,
                      const struct base_error *err) {
  struct event ev;
  ev.w = (struct websocket *)owner;
  ev.peer = peer;
  ev.info = err;
  ev.yes = false;
  enter(&ev, call_verify);
  return ev.yes;
}

/* ---- losing and closing --------------------------------------------------- */

/* Why it ended: the error, or what a clean close amounts to. */
static void push_end(lua_State *L, const struct engine_end *end, bool local) {
  struct base_error plain;
  if (end->err != NULL) {
    push_error(L, end->err);
    return;
  }
  memset(&plain, 0, sizeof plain);
  plain.kind = BASE_KIND_CLOSED;
  memcpy(plain.code, local ? "local" : "remote", local ? 6 : 7);
  memcpy(plain.message, "the connection was closed", 26);
  push_error(L, &plain);
}

/* How it was closed. A protocol error tells by itself which code was sent to
** the peer, and others have nothing to do with closing. */
static void add_close(lua_State *L, const struct engine_end *end) {
  if (end->err != NULL && end->err->kind != BASE_KIND_CLOSED)
    return;
  lua_pushinteger(L, end->code);
  lua_setfield(L, -2, "close");
  lua_pushlstring(L, end->reason, end->reason_len);
  lua_setfield(L, -2, "reason");
}

void push_why_closed(lua_State *L, int index) {
  lua_pushnil(L);
  lua_getiuservalue(L, index, SLOT_ERROR);
}

/* policy:next(event) [-0, +1]: seconds, or nil. The error is value 'err'. */
static void ask_policy(lua_State *L, const struct engine_end *end, int policy,
                       int err) {
  lua_getfield(L, policy, "next");
  lua_pushvalue(L, policy);
  lua_createtable(L, 0, 4);
  lua_pushvalue(L, err);
  lua_setfield(L, -2, "err");
  if (end->err == NULL) {
    lua_pushinteger(L, end->code);
    lua_setfield(L, -2, "code");
  }
  lua_pushnumber(L, end->uptime);
  lua_setfield(L, -2, "uptime");
  lua_getfield(L, err, "retry_after");
  lua_setfield(L, -2, "retry_after");
  lua_call(L, 2, 1);
}

static int call_down(lua_State *L) {
  struct event *ev = begin(L);
  const struct engine_end *end = (const struct engine_end *)ev->info;
  lua_getiuservalue(L, 2, SLOT_POLICY);
  if (lua_isnil(L, 3))
    return 0;
  push_end(L, end, false);
  if (end->err == NULL)
    add_close(L, end);
  ask_policy(L, end, 3, 4); /* delay: 5 */
  if (!lua_isnumber(L, 5))
    return 0;
  lua_getiuservalue(L, 2, SLOT_ONRECONNECT);
  if (!lua_isnil(L, -1)) {
    lua_pushvalue(L, 2);
    lua_getfield(L, 3, "attempt");
    lua_pushvalue(L, 5);
    lua_pushvalue(L, 4);
    lua_call(L, 4, 1);
    if (lua_isboolean(L, -1) && !lua_toboolean(L, -1))
      return 0;
  }
  ev->delay = lua_tonumber(L, 5);
  return 0;
}

static double on_down(void *owner, const struct engine_end *end) {
  struct event ev;
  ev.w = (struct websocket *)owner;
  ev.info = end;
  ev.delay = -1;
  ev.w->open_since = 0;
  (void)binding_call(ev.w->b, call_down, &ev, ev.w->anchor);
  return ev.delay;
}

static bool is_local(const struct base_error *err) {
  return err->kind == BASE_KIND_CLOSED && strcmp(err->code, "local") == 0;
}

/* Whoever waits in receive learns it. */
static void wake_receiver(lua_State *L, struct websocket *w) {
  if (w->receiving == RECEIVE_MAIN) {
    w->got = true;
    w->got_data = false;
    websocket_stop_receiving(w);
  } else if (w->receiving == RECEIVE_COROUTINE) {
    lua_State *co = push_waiter(L, w, 2);
    push_why_closed(L, 2);
    binding_resume(w->b, L, co, 2);
  }
}

/* Does nobody learn of this end? A peer must not be able to end a server's
** run, so that those of its connections are left out. */
static bool is_unheard(const struct websocket *w,
                       const struct engine_end *end) {
  return end->err != NULL && !w->pulled && w->receiving == RECEIVE_NONE &&
         w->server == NULL && !is_local(end->err);
}

/* Stack: event, ws, error. */
static void to_onclose(lua_State *L, const struct websocket *w,
                       const struct engine_end *end, bool unheard) {
  int n = w->announced || w->server == NULL ? push_handler(L, w, SLOT_ONCLOSE)
                                            : 0;
  if (n > 0) {
    lua_pushinteger(L, end->code);
    lua_pushlstring(L, end->reason, end->reason_len);
    if (end->err != NULL)
      lua_pushvalue(L, 3);
    else
      lua_pushnil(L);
    lua_call(L, n + 3, 0);
  } else if (unheard) {
    lua_pushvalue(L, 3);
    binding_keep(w->b, L);
  }
}

static int call_onclose(lua_State *L) {
  struct event *ev = begin(L);
  const struct engine_end *end = (const struct engine_end *)ev->info;
  struct websocket *w = ev->w;
  bool unheard = is_unheard(w, end);
  push_end(L, end, w->local); /* 3 */
  add_close(L, end);
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, 2, SLOT_ERROR);
  w->clean = end->err == NULL;
  binding_unref(w->b, w->anchor);
  w->anchor = LUA_NOREF;
  ev->w = NULL; /* on_close must not look at it any more */
  wake_receiver(L, w);
  to_onclose(L, w, end, unheard);
  return 0;
}

/* There was no memory to say why: receive raises that. */
static int wake_starved(lua_State *L) {
  struct websocket *w = (struct websocket *)lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->anchor);
  wake_receiver(L, w);
  return 0;
}

static void on_close(void *owner, const struct engine_end *end) {
  struct event ev;
  struct websocket *w = (struct websocket *)owner;
  struct binding *b = w->b;
  ev.w = w;
  ev.info = end;
  w->closed = true;
  w->code = end->code;
  websocket_leave(w);
  binding_release(b);
  /* Once its anchor has gone, it may be collected before the call is over. */
  if (!binding_call(b, call_onclose, &ev, LUA_NOREF) && ev.w != NULL) {
    if (w->receiving != RECEIVE_NONE) /* nobody waits for ever */
      (void)binding_call(b, wake_starved, w, LUA_NOREF);
    websocket_stop_receiving(w);
    binding_unref(b, w->anchor); /* the call did not come that far */
    w->anchor = LUA_NOREF;
  }
}

const struct engine_socket_ops handlers_ops = {
  on_open, on_message, on_fragment, on_ping, on_pong, on_drain, on_step, on_verify,
  on_down, on_close
};
