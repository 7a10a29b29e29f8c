/*
** The door: the only place where C enters Lua, and where errors come out.
*/
#include "lua/binding.h"

/* Strings get a traceback; errors that are tables stay what they are. */
static int message_handler(lua_State *L) {
  if (lua_type(L, 1) == LUA_TSTRING)
    luaL_traceback(L, L, lua_tostring(L, 1), 1);
  return 1;
}

int binding_ref(struct binding *b, lua_State *L) {
  int ref = luaL_ref(L, LUA_REGISTRYINDEX);
  b->references++;
  return ref;
}

void binding_unref(struct binding *b, int ref) {
  if (ref == LUA_NOREF)
    return;
  b->references--;
  if (!b->closing)
    luaL_unref(b->L, LUA_REGISTRYINDEX, ref);
}

void binding_join(struct binding *b, struct binding_member *m,
                  void (*end)(struct binding_member *m)) {
  m->end = end;
  m->next = b->members;
  m->at = &b->members;
  if (m->next != NULL)
    m->next->at = &m->next;
  b->members = m;
}

void binding_leave(struct binding_member *m) {
  if (m->at == NULL)
    return;
  *m->at = m->next;
  if (m->next != NULL)
    m->next->at = m->at;
  m->at = NULL;
}

void binding_check_alive(struct binding *b, lua_State *L, const char *what) {
  if (b->closing)
    luaL_error(L, "%s: this Lua state is closing", what);
}

void binding_hold(struct binding *b) {
  if (b->live++ == 0)
    net_loop_hold(b->engine->loop);
}

void binding_release(struct binding *b) {
  if (--b->live == 0)
    net_loop_release(b->engine->loop);
}

/* An error that nobody heard waits here for whoever drives the loop. The slot
** always exists, so that filling it needs no memory. */
static const char failure_key = 0;

void binding_keep(struct binding *b, lua_State *L) {
  if (b->failed) {
    lua_pop(L, 1); /* the first one counts */
    return;
  }
  lua_rawsetp(L, LUA_REGISTRYINDEX, &failure_key);
  b->failed = true;
  net_loop_hasten(b->engine->loop);
}

void binding_raise(struct binding *b, lua_State *L) {
  if (!b->failed)
    return;
  b->failed = false;
  if (b->starved) {
    b->starved = false;
    luaL_error(L, "not enough memory");
  }
  lua_rawgetp(L, LUA_REGISTRYINDEX, &failure_key);
  lua_pushboolean(L, 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &failure_key);
  lua_error(L);
}

void binding_open_call(lua_State *L) {
  lua_pushboolean(L, 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &failure_key);
}

struct report {
  struct binding *b;
  int anchor;
};

/* wss.onerror(err, ws). Stack: error, report. True if there is one. */
static int report(lua_State *L) {
  struct report *r = (struct report *)lua_touserdata(L, 2);
  lua_getfield(L, LUA_REGISTRYINDEX, BINDING_MODULE);
  if (!lua_istable(L, -1))
    return 0;
  lua_pushliteral(L, "onerror");
  lua_rawget(L, -2);
  if (!lua_isfunction(L, -1))
    return 0;
  lua_pushvalue(L, 1);
  if (r->anchor != LUA_NOREF)
    lua_rawgeti(L, LUA_REGISTRYINDEX, r->anchor);
  else
    lua_pushnil(L);
  lua_call(L, 2, 0);
  lua_pushboolean(L, 1);
  return 1;
}

/* Errors of onerror itself, and a want of memory, are kept instead. */
void binding_report(struct binding *b, lua_State *L, int anchor) {
  struct report r;
  int status;
  r.b = b;
  r.anchor = anchor;
  lua_pushcfunction(L, report);
  lua_pushvalue(L, -2);
  lua_pushlightuserdata(L, &r);
  status = lua_pcall(L, 2, 1, 0);
  if (status == LUA_OK) {
    bool heard = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (heard)
      lua_pop(L, 1);
    else
      binding_keep(b, L);
  } else {
    lua_remove(L, -2);
    binding_keep(b, L);
  }
}

/* There is no room on the stack, not even for a message. */
static void keep_no_memory(struct binding *b) {
  b->starved = true;
  b->failed = true;
  net_loop_hasten(b->engine->loop);
}

bool binding_call(struct binding *b, lua_CFunction fn, void *arg, int anchor) {
  lua_State *L = b->L;
  int top, status;
  if (b->closing)
    return false;
  if (!lua_checkstack(L, 12)) {
    keep_no_memory(b);
    return false;
  }
  top = lua_gettop(L);
  lua_pushcfunction(L, message_handler);
  lua_pushcfunction(L, fn);
  lua_pushlightuserdata(L, arg);
  status = lua_pcall(L, 1, 0, top + 1);
  if (status != LUA_OK)
    binding_report(b, L, anchor);
  lua_settop(L, top);
  BINDING_STRESS(L);
  return status == LUA_OK;
}
