#include "lua/command.h"

#include <stdio.h>
#include <string.h>

#include "engine/facade.h"
#include "lua/binding.h"
#include "lua/object.h"
#include "lua/shown.h"

#define SIGNAL_TYPE "uvwss.signal"

/* ---- signals ------------------------------------------------------------- */

/* User value 1 is the function. Anchored until it is closed; wss.run does not
** wait for it. */
struct heard {
  struct binding_member member; /* first; while it is not closed */
  struct binding *b;
  struct net_signal *signal; /* NULL once it is closed */
  int anchor;
};

static void finish(struct heard *h) {
  if (h->signal == NULL)
    return;
  binding_leave(&h->member);
  net_signal_free(h->signal);
  h->signal = NULL;
  binding_unref(h->b, h->anchor);
  h->anchor = LUA_NOREF;
}

static void end(struct binding_member *m) {
  finish((struct heard *)m);
}

static int call_fn(lua_State *L) {
  struct heard *h = (struct heard *)lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, h->anchor);
  lua_getiuservalue(L, -1, 1);
  lua_call(L, 0, 0);
  return 0;
}

static void on_signal(void *ctx) {
  struct heard *h = (struct heard *)ctx;
  (void)binding_call(h->b, call_fn, h, LUA_NOREF);
}

static int signal_new(lua_State *L) {
  static const char *const names[] = {"HUP", "INT", "PIPE", "TERM", NULL};
  struct binding *b = binding_get(L);
  struct heard *h;
  int name;
  luaL_checktype(L, 1, LUA_TSTRING);
  name = object_find(names, lua_tostring(L, 1));
  if (name < 0 || lua_rawlen(L, 1) != strlen(names[name]))
    return luaL_argerror(L, 1, lua_pushfstring(
      L, "\"HUP\", \"INT\", \"PIPE\" or \"TERM\" expected, got \"%s\"",
      push_shown_value(L, 1)));
  luaL_checktype(L, 2, LUA_TFUNCTION);
  binding_check_alive(b, L, "signal");
  h = (struct heard *)lua_newuserdatauv(L, sizeof *h, 1);
  memset(h, 0, sizeof *h);
  h->b = b;
  h->anchor = LUA_NOREF;
  luaL_setmetatable(L, SIGNAL_TYPE);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, 1);
  lua_pushvalue(L, -1);
  h->anchor = binding_ref(b, L);
  h->signal = net_signal_new(b->engine->loop, (enum net_signal_name)name,
                             on_signal, h);
  if (h->signal == NULL) {
    binding_unref(b, h->anchor);
    return luaL_error(L, "not enough memory");
  }
  binding_join(b, &h->member, end);
  return 1;
}

static int signal_close(lua_State *L) {
  finish((struct heard *)luaL_checkudata(L, 1, SIGNAL_TYPE));
  return 0;
}

static int signal_gc(lua_State *L) {
  struct heard *h = (struct heard *)luaL_checkudata(L, 1, SIGNAL_TYPE);
  if (h->signal != NULL) { /* the state closes: it would be anchored otherwise */
    h->b->closing = true;
    finish(h);
  }
  return 0;
}

/* ---- files --------------------------------------------------------------- */

static int document_close(lua_State *L) {
  luaL_Stream *s = (luaL_Stream *)luaL_checkudata(L, 1, LUA_FILEHANDLE);
  return luaL_fileresult(L, fclose(s->f) == 0, NULL);
}

/* A file of Lua's, or nil and errno's name. */
static int document(lua_State *L) {
  const char *root = luaL_checkstring(L, 1);
  size_t n;
  const char *path = luaL_checklstring(L, 2, &n);
  lua_Integer most = luaL_checkinteger(L, 3);
  luaL_Stream *s;
  int err = 0;
  luaL_argcheck(L, strlen(path) == n, 2, "no path has a zero byte");
  luaL_argcheck(L, most >= 0, 3, "not negative");
  s = (luaL_Stream *)lua_newuserdatauv(L, sizeof *s, 0);
  s->closef = NULL; /* until it is open */
  s->f = NULL;
  luaL_setmetatable(L, LUA_FILEHANDLE);
  s->f = net_document_open(root, path, (size_t)most, &err);
  if (s->f == NULL) {
    lua_pushnil(L);
    lua_pushstring(L, net_error_name(err));
    return 2;
  }
  s->closef = document_close;
  return 1;
}

/* ---- certificates -------------------------------------------------------- */

/* The strings of the list at 'index', which stay where they are [-0, +1]. */
static struct tls_list push_names(lua_State *L, int index) {
  struct tls_list list;
  const char **items;
  size_t i, n, size;
  luaL_checktype(L, index, LUA_TTABLE);
  n = (size_t)lua_rawlen(L, index);
  items = (const char **)lua_newuserdatauv(L, (n + 1) * sizeof *items, 0);
  for (i = 0; i < n; i++) {
    lua_rawgeti(L, index, (lua_Integer)i + 1);
    luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, index,
                  "names are strings");
    items[i] = lua_tolstring(L, -1, &size);
    luaL_argcheck(L, strlen(items[i]) == size, index,
                  "no name has a zero byte");
    lua_pop(L, 1);
  }
  list.items = items;
  list.count = n;
  return list;
}

/* True, or nil and the error. */
static int certs(lua_State *L) {
  struct tls_issue what;
  struct base_error *err;
  lua_Integer days = luaL_checkinteger(L, 3);
  memset(&what, 0, sizeof what);
  what.dir = luaL_checkstring(L, 1);
  luaL_argcheck(L, days >= 1 && days <= 36500, 3, "days are 1 to 36500");
  what.days = (unsigned)days;
  luaL_checktype(L, 4, LUA_TBOOLEAN);
  what.names = push_names(L, 2);
  err = tls_issue(&what, lua_toboolean(L, 4) != 0);
  if (err != NULL)
    return push_failure(L, err);
  lua_pushboolean(L, 1);
  return 1;
}

void binding_open_command(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"signal", signal_new}, {"document", document}, {"certs", certs},
    {NULL, NULL}
  };
  luaL_newmetatable(L, SIGNAL_TYPE);
  lua_pushcfunction(L, signal_gc);
  lua_setfield(L, -2, "__gc");
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, signal_close);
  lua_setfield(L, -2, "close");
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
