#include "lua/tls.h"

#include <math.h>
#include <string.h>

#include "lua/binding.h"
#include "lua/handlers.h"
#include "lua/object.h"
#include "lua/options.h"

/* User values: the functions trace and onverify, or nil; the options, of which
** a context for the other role is made when it is needed. */
enum { BOX_TRACE = 1, BOX_VERIFY, BOX_OPTIONS };

struct tls_box {
  struct binding_member member; /* first */
  struct tls_context *client, *server;
};

static void end(struct binding_member *m) {
  struct tls_box *box = (struct tls_box *)m;
  binding_leave(m);
  tls_context_unref(box->client);
  tls_context_unref(box->server);
  box->client = box->server = NULL;
}

/* A member, since one that a finalizer makes while the state closes has no
** finalizer any more. */
static struct tls_box *push_box(lua_State *L) {
  struct tls_box *box;
  box = (struct tls_box *)lua_newuserdatauv(L, sizeof *box, BOX_OPTIONS);
  memset(box, 0, sizeof *box);
  luaL_setmetatable(L, TLS_TYPE);
  binding_join(binding_get(L), &box->member, end);
  return box;
}

/* A copy of the table at 'index', and of the tables in it: its owner may
** change it [-0, +1]. */
static void push_copy(lua_State *L, int index, int depth) {
  luaL_checkstack(L, 6, NULL);
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    if (lua_istable(L, -2) && depth > 0)
      push_copy(L, lua_gettop(L) - 1, depth - 1);
    else
      lua_pushvalue(L, -2);
    lua_rawset(L, -5);
  }
}

/* Load the options at 'index' for one role; the functions trace and onverify
** are pushed last. */
static struct base_error *load(lua_State *L, int index, bool server,
                               struct tls_context **out) {
  struct tls_options o;
  if (server)
    options_tls_server(L, index, &o);
  else
    options_tls(L, index, &o);
  return tls_context_new(out, &o);
}

int tls_new(lua_State *L) {
  struct tls_box *box;
  struct base_error *err;
  bool server;
  luaL_checktype(L, 1, LUA_TTABLE);
  binding_check_alive(binding_get(L), L, "tls");
  lua_settop(L, 1);
  box = push_box(L);
  push_copy(L, 1, 2);
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, 2, BOX_OPTIONS);
  server = options_tls_is_server(L, 3);
  err = load(L, 3, server, server ? &box->server : &box->client);
  lua_setiuservalue(L, 2, BOX_VERIFY);
  lua_setiuservalue(L, 2, BOX_TRACE);
  if (err != NULL)
    return push_failure(L, err);
  lua_pushvalue(L, 2);
  return 1;
}

/* What another finalizer, at the end of the state, has in its hands. A context
** that it got now would never be freed. */
static void check_alive(lua_State *L, const struct tls_box *box) {
  if (box->member.at == NULL)
    luaL_error(L, "this TLS configuration was finalized");
}

/* One of its contexts, which is made now if it is not there. 'index' is the
** box's; pushes what is in the way of nobody. */
static struct base_error *box_load(lua_State *L, int index, bool server) {
  struct tls_box *box = (struct tls_box *)lua_touserdata(L, index);
  struct tls_context **context = server ? &box->server : &box->client;
  check_alive(L, box);
  if (*context != NULL)
    return NULL;
  if (lua_getiuservalue(L, index, BOX_OPTIONS) == LUA_TNIL)
    return NULL; /* the defaults, which could not be loaded */
  return load(L, lua_gettop(L), server, context);
}

struct base_error *tls_box_context(lua_State *L, int index,
                                   struct tls_context **out) {
  struct tls_box *box = (struct tls_box *)luaL_checkudata(L, index, TLS_TYPE);
  struct base_error *err;
  bool server;
  check_alive(L, box);
  lua_getiuservalue(L, index, BOX_OPTIONS);
  server = lua_istable(L, -1) && options_tls_is_server(L, lua_gettop(L));
  err = box_load(L, index, server);
  *out = server ? box->server : box->client;
  lua_getiuservalue(L, index, BOX_VERIFY);
  return err;
}

static int tls_reload(lua_State *L) {
  struct tls_box *box = (struct tls_box *)luaL_checkudata(L, 1, TLS_TYPE);
  struct base_error *err = NULL;
  check_alive(L, box);
  if (box->client == NULL && box->server == NULL)
    return luaL_error(L, "reload: this configuration was never loaded");
  if (box->client != NULL)
    err = tls_context_reload(box->client);
  if (box->server != NULL && err == NULL)
    err = tls_context_reload(box->server);
  if (err != NULL)
    return push_failure(L, err);
  lua_pushboolean(L, 1);
  return 1;
}

static int tls_gc(lua_State *L) {
  end(&((struct tls_box *)luaL_checkudata(L, 1, TLS_TYPE))->member);
  return 0;
}

/* The defaults with the system's store, which is costly to load: once a
** state. */
static void default_context(lua_State *L, struct engine_client_conf *conf) {
  struct tls_options o;
  struct tls_box *box;
  lua_getfield(L, LUA_REGISTRYINDEX, "uvwss.tls.default");
  box = (struct tls_box *)lua_touserdata(L, -1);
  if (box != NULL) {
    check_alive(L, box);
  } else {
    lua_pop(L, 1);
    box = push_box(L);
    tls_options_init(&o);
    conf->tls_error = tls_context_new(&box->client, &o);
    if (conf->tls_error == NULL) {
      lua_pushvalue(L, -1);
      lua_setfield(L, LUA_REGISTRYINDEX, "uvwss.tls.default");
    }
  }
  if (box->client != NULL)
    conf->tls = tls_context_ref(box->client);
  lua_pop(L, 1);
}

static void wrong_tls(lua_State *L, int index) {
  luaL_error(L, "option 'tls': table or wss.tls expected, got %s",
             luaL_typename(L, index));
}

void tls_option(lua_State *L, int options, int ws,
                struct engine_client_conf *conf) {
  struct tls_box *box;
  lua_pushnil(L);
  if (options != 0)
    lua_getfield(L, options, "tls");
  if (lua_isnil(L, -1)) {
    if (conf->url.secure || conf->redirects > 0)
      default_context(L, conf);
    return;
  }
  box = (struct tls_box *)luaL_testudata(L, -1, TLS_TYPE);
  if (box != NULL) {
    int index = lua_gettop(L);
    conf->tls_error = box_load(L, index, false);
    if (box->client != NULL)
      conf->tls = tls_context_ref(box->client);
    lua_getiuservalue(L, index, BOX_TRACE);
    lua_getiuservalue(L, index, BOX_VERIFY);
  } else if (lua_istable(L, -1)) {
    conf->tls_error = load(L, lua_gettop(L), false, &conf->tls);
  } else {
    wrong_tls(L, -1);
  }
  conf->ask = lua_isfunction(L, -1);
  lua_setiuservalue(L, ws, SLOT_VERIFY);
  conf->trace = lua_isfunction(L, -1);
  lua_setiuservalue(L, ws, SLOT_TRACE);
}

struct base_error *tls_server_option(lua_State *L, int index,
                                     struct tls_context **out) {
  struct tls_box *box;
  struct base_error *err;
  box = (struct tls_box *)luaL_testudata(L, index, TLS_TYPE);
  if (box == NULL && !lua_istable(L, index))
    wrong_tls(L, index);
  if (box == NULL) {
    err = load(L, index, true, out);
    lua_pop(L, 1); /* there is no onverify */
    return err;
  }
  err = box_load(L, index, true);
  if (err == NULL)
    *out = tls_context_ref(box->server);
  lua_getiuservalue(L, index, BOX_TRACE);
  return err;
}

/* ---- ws.tls -------------------------------------------------------------- */

static void set_string(lua_State *L, const char *name, const char *s) {
  lua_pushstring(L, s);
  lua_setfield(L, -2, name);
}

/* A date that cannot be read (the peer wrote it) is none. */
static void set_seconds(lua_State *L, const char *name, double seconds) {
  if (isnan(seconds))
    return;
  lua_pushinteger(L, (lua_Integer)seconds);
  lua_setfield(L, -2, name);
}

static int cert_gc(lua_State *L) {
  tls_cert_deinit((struct tls_cert *)lua_touserdata(L, 1));
  return 0;
}

void push_cert(lua_State *L, const struct tls_peer *p, size_t i) {
  struct tls_cert *c;
  c = (struct tls_cert *)push_owned(L, sizeof *c, "uvwss.cert", cert_gc);
  if (!tls_peer_cert(p, i, c))
    luaL_error(L, "not enough memory");
  lua_createtable(L, 0, 12);
  set_string(L, "subject", c->subject);
  set_string(L, "issuer", c->issuer);
  set_string(L, "serial", c->serial);
  push_list(L, c->names, c->names_size);
  lua_setfield(L, -2, "names");
  set_seconds(L, "not_before", c->not_before);
  set_seconds(L, "not_after", c->not_after);
  if (!isnan(c->not_after)) {
    lua_pushnumber(L, (c->not_after - net_clock_epoch()) / 86400.0);
    lua_setfield(L, -2, "days_left");
  }
  set_string(L, "sha256", c->sha256);
  set_string(L, "spki_sha256", c->spki_sha256);
  set_string(L, "pem", c->pem);
  set_string(L, "key", c->key);
  set_string(L, "signature", c->signature);
  tls_cert_deinit(c);
  lua_remove(L, -2);
}

void push_chain(lua_State *L, const struct tls_peer *p) {
  size_t i, n = tls_peer_chain_count(p);
  lua_createtable(L, (int)n, 0);
  for (i = 0; i < n; i++) {
    push_cert(L, p, i);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

void push_tls_peer(lua_State *L, struct tls_peer *p) {
  if (p == NULL) {
    lua_pushnil(L);
    return;
  }
  luaL_checkstack(L, 10, NULL);
  lua_createtable(L, 0, 7);
  set_string(L, "version", tls_peer_version(p));
  set_string(L, "cipher", tls_peer_cipher(p));
  set_string(L, "group", tls_peer_group(p));
  set_string(L, "alpn", tls_peer_alpn(p));
  lua_pushboolean(L, tls_peer_resumed(p));
  lua_setfield(L, -2, "resumed");
  lua_pushboolean(L, tls_peer_verified(p));
  lua_setfield(L, -2, "verified");
  if (tls_peer_ocsp_until(p) >= 0) {
    set_string(L, "ocsp", "good");
    set_seconds(L, "ocsp_until", tls_peer_ocsp_until(p));
  }
  push_chain(L, p);
  lua_setfield(L, -2, "chain");
}

void binding_open_tls(lua_State *L) {
  static const luaL_Reg methods[] = {
    {"reload", tls_reload}, {"verify", tls_verify_chain}, {NULL, NULL}
  };
  luaL_newmetatable(L, TLS_TYPE);
  lua_pushcfunction(L, tls_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
