/*
** What one Lua state holds of this library, and what the files of the binding
** share. Functions named push_* leave a value on the Lua stack.
**
** The rules: C enters Lua through binding_call alone; whatever can raise is
** inside it or inside a function that Lua called; a function that Lua called
** first checks its arguments, then makes Lua things, then makes C things, and
** raises nothing after the second.
*/
#ifndef LUA_BINDING_H
#define LUA_BINDING_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "engine/client.h"
#include "engine/engine.h"

/* The registry's key of the public module's table. */
#define BINDING_MODULE "uvwss.module"
/* And of the function that makes a policy of reconnecting. */
#define BINDING_POLICY "uvwss.policy"

/* What must be ended before the loop can be closed: a part of a userdata. */
struct binding_member {
  struct binding_member *next, **at; /* 'at' is NULL outside of the list */
  void (*end)(struct binding_member *m); /* silent, and leaves the list */
};

struct pin;

struct binding {
  lua_State *L;          /* the main thread */
  struct engine *engine; /* NULL once the state closes */
  bool running;          /* some function drives the loop */
  bool stopping;         /* wss.stop was called */
  bool closing;          /* the state closes: C enters Lua no more */
  bool failed;           /* an error that nobody heard is kept */
  bool starved;          /* and it is a want of memory */
  size_t live;           /* what wss.run waits for */
  size_t timers;
  size_t references;     /* registry references held */
  struct binding_member *members; /* see binding_gc */
  struct pin *pins;      /* kept for the next messages; see pin.c */
  size_t pins_kept;
  lua_State *task;       /* the coroutine of wss.run(fn) */
  int task_status;       /* LUA_YIELD until it has ended */
  int task_results;
};

/* The state's binding; made when there is none (raises without memory). */
struct binding *binding_get(lua_State *L);

/* ---- call.c --------------------------------------------------------------*/

/*
** Call the C function 'fn' with the light userdata 'arg' in protected mode on
** the main thread, with no results. False if it raised, or could not be
** called; the error then went to wss.onerror or is kept for whoever drives the
** loop. 'anchor' (or LUA_NOREF) is the connection on whose behalf.
*/
bool binding_call(struct binding *b, lua_CFunction fn, void *arg, int anchor);

/* The error on top of the stack [-1, +0] of a coroutine or handler. Inside of
** binding_call only. */
void binding_report(struct binding *b, lua_State *L, int anchor);

void binding_open_call(lua_State *L);

/* Registry references, counted. binding_ref pops a value and may raise. */
int binding_ref(struct binding *b, lua_State *L);
void binding_unref(struct binding *b, int ref); /* LUA_NOREF is fine */

/* Keep the error on top [-1, +0] for whoever drives the loop; the first one
** counts. */
void binding_keep(struct binding *b, lua_State *L);
/* Raise the kept error, if there is one. */
void binding_raise(struct binding *b, lua_State *L);

void binding_join(struct binding *b, struct binding_member *m,
                  void (*end)(struct binding_member *m));
void binding_leave(struct binding_member *m); /* a second call does no harm */

/* Raise if the state closes: nothing new may begin then. */
void binding_check_alive(struct binding *b, lua_State *L, const char *what);

/* Something that wss.run waits for begins and ends. */
void binding_hold(struct binding *b);
void binding_release(struct binding *b);

/* ---- loop.c --------------------------------------------------------------*/

/*
** Run the loop until 'done' (NULL: never) says so, or nothing is left, or
** wss.stop, or a failure, which binding_raise raises. Only where nobody else
** does: check with binding_check_idle first, which raises.
*/
void binding_drive(struct binding *b, bool (*done)(void *arg), void *arg);
void binding_check_idle(struct binding *b, lua_State *L, const char *what);
bool binding_is_main(lua_State *L);

/* Resume the coroutine 'co' with the 'n' values on top of L [-n, +0]. Inside
** of binding_call only. */
void binding_resume(struct binding *b, lua_State *L, lua_State *co, int n);

void binding_open_loop(lua_State *L); /* adds its functions to the table */

/* ---- error.c -------------------------------------------------------------*/

void push_error(lua_State *L, const struct base_error *e); /* [-0, +1] */
/* nil and the error, which is freed. Returns 2. */
int push_failure(lua_State *L, struct base_error *e);
void push_list(lua_State *L, const char *items, size_t size); /* [-0, +1] */

/* ---- the types -----------------------------------------------------------*/

void binding_open_error(lua_State *L);
void binding_open_websocket(lua_State *L);
void binding_open_writer(lua_State *L);
void binding_open_tls(lua_State *L);

int binding_connect(lua_State *L); /* wss.connect(url [, options]) */

/* ---- stress --------------------------------------------------------------*/

/* A build that collects at every chance, to find what is not anchored. */
#if defined(UVWSS_GC_STRESS)
#define BINDING_STRESS(L) ((void)lua_gc(L, LUA_GCCOLLECT))
#else
#define BINDING_STRESS(L) ((void)(L))
#endif

#endif
