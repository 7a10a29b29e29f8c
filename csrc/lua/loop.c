/*
** The loop as Lua sees it: run, stop, step, spawn, sleep, timers, and the
** ledger. And the binding's own life.
*/
#include "lua/binding.h"

#include <math.h>
#include <string.h>

#include "base/version.h"
#include "engine/facade.h"
#include "lua/pin.h"

#define TIMER_TYPE "uvwss.timer"

/* ---- the binding's life -------------------------------------------------- */

static const char binding_key = 0;

/*
** The state closes. Everything that holds a connection was made later and has
** been finalized before, except for what a user's finalizer made only now: for
** that no finalizer runs any more. Close what is still closing, silently.
*/
static int binding_gc(lua_State *L) {
  struct binding *b = (struct binding *)lua_touserdata(L, 1);
  struct engine *e = b->engine;
  b->closing = true;
  while (b->members != NULL)
    b->members->end(b->members);
  b->engine = NULL;
  engine_free(e);
  pin_free_kept(b);
  return 0;
}

static lua_State *main_thread(lua_State *L) {
  lua_State *main;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  main = lua_tothread(L, -1);
  lua_pop(L, 1);
  return main;
}

struct binding *binding_get(lua_State *L) {
  struct binding *b;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &binding_key);
  b = (struct binding *)lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (b != NULL)
    return b;
  b = (struct binding *)lua_newuserdatauv(L, sizeof *b, 0);
  memset(b, 0, sizeof *b);
  b->L = main_thread(L);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, binding_gc);
  lua_setfield(L, -2, "__gc");
  binding_open_call(L);
  if (engine_new(&b->engine) != 0)
    luaL_error(L, "not enough memory");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &binding_key);
  return b;
}

bool binding_is_main(lua_State *L) {
  bool is = lua_pushthread(L);
  lua_pop(L, 1);
  return is;
}

static int loop_spawn(lua_State *L);

/* ---- driving ------------------------------------------------------------ */

void binding_check_idle(struct binding *b, lua_State *L, const char *what) {
  binding_check_alive(b, L, what);
  if (b->running)
    luaL_error(L, "%s cannot wait here: the loop is running already (inside "
                  "a handler, use wss.spawn)", what);
}

void binding_drive(struct binding *b, bool (*done)(void *arg), void *arg) {
  b->running = true;
  b->stopping = false;
  engine_unhalt(b->engine);
  while (!b->failed && !b->stopping && b->live > 0 &&
         (done == NULL || !done(arg)))
    net_loop_run(b->engine->loop, NET_RUN_ONCE);
  if (b->live == 0) { /* close callbacks of what has just ended */
    int passes = 8;
    while (passes-- > 0 && net_loop_handles(b->engine->loop) > 0)
      net_loop_run(b->engine->loop, NET_RUN_NOWAIT);
  }
  b->running = false;
}

/* What wss.run(fn) returns or raises. */
static int finish_task(lua_State *L, struct binding *b) {
  lua_State *co = b->task;
  int status = b->task_status, n = b->task_results;
  b->task = NULL;
  binding_raise(b, L); /* its own error too */
  if (status == LUA_OK) {
    if (n > lua_gettop(co)) /* the user closed or resumed it since */
      n = lua_gettop(co);
    luaL_checkstack(L, n, "too many results");
    lua_xmove(co, L, n);
    return n;
  }
  if (b->stopping)
    return 0;
  return luaL_error(L, "run: the function waits, but nothing is left that "
                       "could wake it");
}

static int loop_run(lua_State *L) {
  struct binding *b = binding_get(L);
  if (!lua_isnone(L, 1))
    luaL_checktype(L, 1, LUA_TFUNCTION);
  binding_check_idle(b, L, "run");
  if (lua_isnone(L, 1)) {
    binding_drive(b, NULL, NULL);
    binding_raise(b, L);
    return 0;
  }
  (void)loop_spawn(L); /* leaves the coroutine on the stack */
  b->task = lua_tothread(L, 1);
  b->task_status = LUA_YIELD;
  b->task_results = 0;
  binding_drive(b, NULL, NULL);
  return finish_task(L, b);
}

static int loop_stop(lua_State *L) {
  struct binding *b = binding_get(L);
  if (b->running && !b->closing) {
    b->stopping = true;
    b->engine->halted = true;
    net_loop_hasten(b->engine->loop);
  }
  return 0;
}

static int loop_step(lua_State *L) {
  struct binding *b = binding_get(L);
  binding_check_idle(b, L, "step");
  b->running = true;
  b->stopping = false;
  engine_unhalt(b->engine);
  net_loop_run(b->engine->loop, NET_RUN_NOWAIT);
  b->running = false;
  engine_unhalt(b->engine); /* a stop ends this step, not the next */
  binding_raise(b, L);
  return 0;
}

static int loop_pollfd(lua_State *L) {
  struct binding *b = binding_get(L);
  binding_check_alive(b, L, "pollfd");
  lua_pushinteger(L, net_loop_fd(b->engine->loop));
  return 1;
}

/* A server may wait for its callers without a time: nothing is due then, but
** there is something to do. */
enum { IDLE_SECONDS = 3600 };

static int loop_timeout(lua_State *L) {
  struct binding *b = binding_get(L);
  int ms;
  binding_check_alive(b, L, "timeout");
  ms = net_loop_timeout_ms(b->engine->loop);
  if (b->live == 0)
    lua_pushnil(L);
  else
    lua_pushnumber(L, ms < 0 ? IDLE_SECONDS : ms / 1000.0);
  return 1;
}

/* ---- coroutines ---------------------------------------------------------- */

static int last_traceback(lua_State *L) {
  lua_State *co = (lua_State *)lua_touserdata(L, 1);
  luaL_traceback(L, co, lua_tostring(co, -1), 0);
  return 1;
}

/* What it died of [-0, +1]; with a traceback, where nobody else has one.
** Raises nothing: its variables are still to be closed. */
static void push_last_error(lua_State *L, lua_State *co, bool traceback) {
  if (traceback && lua_type(co, -1) == LUA_TSTRING) {
    lua_pushcfunction(L, last_traceback);
    lua_pushlightuserdata(L, co);
    (void)lua_pcall(L, 1, 1, 0); /* at worst: not enough memory */
  } else if (lua_checkstack(co, 1)) {
    lua_pushvalue(co, -1); /* closing its variables needs the error too */
    lua_xmove(co, L, 1);
  } else {
    lua_pushliteral(L, "stack overflow");
  }
}

/* Its error belongs to wss.run(fn) if that is what it is, or to nobody. Its
** to-be-closed variables are closed here: nobody else would. */
static void ended_badly(struct binding *b, lua_State *L, lua_State *co,
                        int status) {
  bool is_task = co == b->task;
  if (is_task)
    b->task_status = status;
  push_last_error(L, co, !is_task);
  (void)lua_resetthread(co);
  lua_settop(co, 0);
  if (is_task)
    binding_keep(b, L);
  else
    binding_report(b, L, LUA_NOREF);
}

void binding_resume(struct binding *b, lua_State *L, lua_State *co, int n) {
  int results, status;
  if (!lua_checkstack(co, n + 1)) {
    lua_pop(L, n);
    luaL_error(L, "not enough memory");
  }
  lua_xmove(L, co, n);
  if (lua_status(co) != LUA_YIELD && lua_gettop(co) == n) {
    lua_pop(co, n); /* it was closed meanwhile */
    return;
  }
  if (lua_status(co) == LUA_OK)
    n = lua_gettop(co) - 1; /* it has not begun: function and arguments */
  status = lua_resume(co, L, n, &results);
  BINDING_STRESS(L);
  if (b->closing)
    return;
  if (status == LUA_YIELD) {
    lua_pop(co, results);
  } else if (status != LUA_OK) {
    ended_badly(b, L, co, status);
  } else if (co == b->task) {
    b->task_status = LUA_OK;
    b->task_results = results;
  } else {
    lua_pop(co, results);
  }
}

/* ---- timers -------------------------------------------------------------- */

/* A timer of Lua's: a userdata whose user value is what it wakes, a function
** or a coroutine. It is anchored while it runs. */
struct timer {
  struct binding_member member; /* first; while it runs */
  struct binding *b;
  struct net_timer *t;
  int anchor;
  double repeat; /* seconds; negative: once */
  bool is_thread;
  bool fired;    /* for a sleep in the main chunk */
  bool resuming; /* the coroutine is woken by us */
};

static void timer_stop(struct timer *t) {
  if (t->t == NULL)
    return;
  binding_leave(&t->member);
  net_timer_free(t->t);
  t->t = NULL;
  t->b->timers--;
  binding_release(t->b);
  binding_unref(t->b, t->anchor);
  t->anchor = LUA_NOREF;
}

static uint64_t milliseconds(double s) {
  double ms = ceil(s * 1000.0);
  return ms < 4e12 ? (uint64_t)ms : (uint64_t)4e12;
}

/* Stack: light userdata. */
static int timer_call(lua_State *L) {
  struct timer *t = (struct timer *)lua_touserdata(L, 1);
  struct binding *b = t->b;
  lua_rawgeti(L, LUA_REGISTRYINDEX, t->anchor);
  lua_getiuservalue(L, -1, 1);
  if (t->repeat >= 0)
    net_timer_start(t->t, milliseconds(t->repeat));
  else
    timer_stop(t); /* the userdata is on the stack still */
  if (t->is_thread) {
    t->resuming = true;
    binding_resume(b, L, lua_tothread(L, -1), 0);
  } else {
    lua_call(L, 0, 0);
  }
  return 0;
}

static void timer_fired(void *ctx) {
  struct timer *t = (struct timer *)ctx;
  if (t->b->engine->halted && t->b->stopping) {
    net_timer_start(t->t, 0); /* after wss.stop, in the next run */
    return;
  }
  t->fired = true;
  (void)binding_call(t->b, timer_call, t, LUA_NOREF);
}

static void timer_end(struct binding_member *m) {
  timer_stop((struct timer *)m);
}

/* Make a timer of the value on top of the stack [-1, +1]. */
static struct timer *push_timer(lua_State *L, double s, double repeat) {
  struct binding *b = binding_get(L);
  struct timer *t;
  binding_check_alive(b, L, "a timer cannot be started");
  t = (struct timer *)lua_newuserdatauv(L, sizeof *t, 1);
  memset(t, 0, sizeof *t);
  t->b = b;
  t->anchor = LUA_NOREF;
  t->repeat = repeat;
  t->is_thread = lua_isthread(L, -2);
  luaL_setmetatable(L, TIMER_TYPE);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, 1);
  lua_pushvalue(L, -1);
  t->anchor = binding_ref(b, L);
  t->t = net_timer_new(b->engine->loop, timer_fired, t);
  if (t->t == NULL) {
    binding_unref(b, t->anchor);
    luaL_error(L, "not enough memory");
  }
  b->timers++;
  binding_join(b, &t->member, timer_end);
  binding_hold(b);
  (void)net_loop_update_ms(b->engine->loop);
  net_timer_start(t->t, milliseconds(s));
  return t;
}

static int timer_cancel(lua_State *L) {
  struct timer *t = (struct timer *)luaL_checkudata(L, 1, TIMER_TYPE);
  timer_stop(t);
  return 0;
}

static int timer_gc(lua_State *L) {
  struct timer *t = (struct timer *)luaL_checkudata(L, 1, TIMER_TYPE);
  if (t->t != NULL) { /* it would be anchored otherwise */
    t->b->closing = true;
    timer_stop(t);
  }
  return 0;
}

static double check_seconds(lua_State *L, int arg) {
  double s = luaL_checknumber(L, arg);
  luaL_argcheck(L, s >= 0 && s < HUGE_VAL, arg,
                "seconds must be a number that is not negative");
  return s;
}

static int loop_timer(lua_State *L) {
  double repeat = -1, s = check_seconds(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  if (!lua_isnoneornil(L, 3)) {
    repeat = check_seconds(L, 3);
    luaL_argcheck(L, repeat > 0, 3, "a repeat must be more than 0 seconds");
  }
  lua_settop(L, 2);
  (void)push_timer(L, s, repeat);
  return 1;
}

static int sleep_over(lua_State *L, int status, lua_KContext k) {
  struct timer *t = (struct timer *)lua_touserdata(L, (int)k);
  (void)status;
  if (!t->resuming) {
    timer_stop(t);
    return luaL_error(L, "a coroutine that sleeps was resumed by another");
  }
  return 0;
}

static bool has_fired(void *arg) {
  return ((struct timer *)arg)->fired;
}

static int nothing(lua_State *L) {
  (void)L;
  return 0;
}

static int loop_sleep(lua_State *L) {
  struct binding *b = binding_get(L);
  double s = check_seconds(L, 1);
  struct timer *t;
  bool stopped;
  lua_settop(L, 1);
  if (!binding_is_main(L)) {
    if (!lua_isyieldable(L))
      return luaL_error(L, "sleep: this coroutine cannot yield here");
    lua_pushthread(L);
    (void)push_timer(L, s, -1);
    return lua_yieldk(L, 0, 2, sleep_over);
  }
  binding_check_idle(b, L, "sleep");
  lua_pushcfunction(L, nothing);
  t = push_timer(L, s, -1);
  binding_drive(b, has_fired, t);
  stopped = b->stopping;
  timer_stop(t);
  binding_raise(b, L);
  lua_pushboolean(L, !stopped);
  return 1;
}

static int loop_spawn(lua_State *L) {
  int n = lua_gettop(L) - 1;
  lua_State *co;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  co = lua_newthread(L);
  lua_insert(L, 1);
  if (!lua_checkstack(co, n + 1))
    return luaL_error(L, "too many arguments");
  lua_xmove(L, co, n + 1);
  lua_pushvalue(L, 1);
  (void)push_timer(L, 0, -1);
  lua_settop(L, 1);
  return 1;
}

/* ---- facts --------------------------------------------------------------- */

static void set_count(lua_State *L, const char *name, size_t n) {
  lua_pushinteger(L, (lua_Integer)n);
  lua_setfield(L, -2, name);
}

static int loop_stats(lua_State *L) {
  struct binding *b = binding_get(L);
  const struct engine_ledger *l;
  binding_check_alive(b, L, "stats");
  l = &b->engine->ledger;
  lua_createtable(L, 0, 9);
  set_count(L, "connections", l->connections);
  set_count(L, "servers", l->servers);
  set_count(L, "transports", l->transports);
  set_count(L, "ssl_objects", l->ssl_objects);
  set_count(L, "timers", b->timers);
  set_count(L, "handles", net_loop_handles(b->engine->loop));
  set_count(L, "pinned_strings", l->pinned_strings);
  set_count(L, "pinned_bytes", l->pinned_bytes);
  set_count(L, "references", b->references);
  return 1;
}

static int loop_versions(lua_State *L) {
  lua_createtable(L, 0, 4);
  lua_pushliteral(L, UVWSS_VERSION);
  lua_setfield(L, -2, "uvwss");
  lua_pushstring(L, tls_version_text());
  lua_setfield(L, -2, "openssl");
  lua_pushstring(L, net_version());
  lua_setfield(L, -2, "libuv");
  lua_pushstring(L, ws_deflate_version());
  lua_setfield(L, -2, "zlib");
  return 1;
}

void binding_open_loop(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"run", loop_run}, {"stop", loop_stop}, {"step", loop_step},
    {"pollfd", loop_pollfd}, {"timeout", loop_timeout},
    {"spawn", loop_spawn}, {"sleep", loop_sleep}, {"timer", loop_timer},
    {"stats", loop_stats}, {"versions", loop_versions}, {NULL, NULL}
  };
  luaL_newmetatable(L, TIMER_TYPE);
  lua_pushcfunction(L, timer_gc);
  lua_setfield(L, -2, "__gc");
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, timer_cancel);
  lua_setfield(L, -2, "cancel");
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
