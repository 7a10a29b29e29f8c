#define _POSIX_C_SOURCE 200809L /* fileno */

#include "lua/input.h"

#include <stdio.h>
#include <string.h>

#include "engine/facade.h"
#include "lua/binding.h"

#define INPUT_TYPE "uvwss.input"

/* User value 1 is the function, 2 the file. Anchored until its end. */
struct input {
  struct binding_member member; /* first; while it is not closed */
  struct binding *b;
  struct net_input *in; /* NULL once it is closed */
  int anchor;
  const uint8_t *data;
  size_t n;
};

static struct input *check(lua_State *L) {
  return (struct input *)luaL_checkudata(L, 1, INPUT_TYPE);
}

static void finish(struct input *i) {
  if (i->in == NULL)
    return;
  binding_leave(&i->member);
  net_input_free(i->in);
  i->in = NULL;
  binding_release(i->b);
  binding_unref(i->b, i->anchor);
  i->anchor = LUA_NOREF;
}

static void end(struct binding_member *m) {
  finish((struct input *)m);
}

/* fn(bytes), or fn(nil) at the end. */
static int call_fn(lua_State *L) {
  struct input *i = (struct input *)lua_touserdata(L, 1);
  bool over = i->data == NULL;
  lua_rawgeti(L, LUA_REGISTRYINDEX, i->anchor);
  lua_getiuservalue(L, 2, 1);
  if (over)
    lua_pushnil(L);
  else
    lua_pushlstring(L, (const char *)i->data, i->n);
  if (over)
    finish(i);
  lua_call(L, 1, 0);
  return 0;
}

static void on_input(void *ctx, const uint8_t *data, size_t n) {
  struct input *i = (struct input *)ctx;
  i->data = data;
  i->n = n;
  (void)binding_call(i->b, call_fn, i, LUA_NOREF);
}

/* The descriptor of a file of Lua's; 0 if there is none. */
static int check_file(lua_State *L, int arg) {
  luaL_Stream *s;
  if (lua_isnoneornil(L, arg))
    return 0;
  s = (luaL_Stream *)luaL_checkudata(L, arg, LUA_FILEHANDLE);
  luaL_argcheck(L, s->closef != NULL, arg, "an open file expected");
  return fileno(s->f);
}

static int input_new(lua_State *L) {
  struct binding *b = binding_get(L);
  struct input *i;
  int fd;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  fd = check_file(L, 2);
  lua_settop(L, 2);
  binding_check_alive(b, L, "input");
  i = (struct input *)lua_newuserdatauv(L, sizeof *i, 2);
  memset(i, 0, sizeof *i);
  i->b = b;
  i->anchor = LUA_NOREF;
  luaL_setmetatable(L, INPUT_TYPE);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, 2);
  lua_pushvalue(L, -1);
  i->anchor = binding_ref(b, L);
  i->in = net_input_new(b->engine->loop, fd, on_input, i);
  if (i->in == NULL) {
    binding_unref(b, i->anchor);
    return luaL_error(L, "not enough memory");
  }
  binding_join(b, &i->member, end);
  binding_hold(b);
  net_input_resume(i->in);
  return 1;
}

static int input_pause(lua_State *L) {
  struct input *i = check(L);
  if (i->in != NULL)
    net_input_pause(i->in);
  return 0;
}

static int input_resume(lua_State *L) {
  struct input *i = check(L);
  if (i->in != NULL)
    net_input_resume(i->in);
  return 0;
}

static int input_close(lua_State *L) {
  finish(check(L));
  return 0;
}

static int input_gc(lua_State *L) {
  struct input *i = check(L);
  if (i->in != NULL) { /* the state closes: it would be anchored otherwise */
    i->b->closing = true;
    finish(i);
  }
  return 0;
}

static int is_terminal(lua_State *L) {
  lua_pushboolean(L, net_is_terminal((int)luaL_checkinteger(L, 1)));
  return 1;
}

void binding_open_input(lua_State *L) {
  static const luaL_Reg methods[] = {
    {"pause", input_pause}, {"resume", input_resume}, {"close", input_close},
    {NULL, NULL}
  };
  static const luaL_Reg functions[] = {
    {"input", input_new}, {"isterminal", is_terminal}, {NULL, NULL}
  };
  luaL_newmetatable(L, INPUT_TYPE);
  lua_pushcfunction(L, input_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
