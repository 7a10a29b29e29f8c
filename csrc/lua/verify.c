/*
** The user's word on a chain, and verifying one without a connection.
*/
#include <string.h>

#include "engine/facade.h"
#include "lua/binding.h"
#include "lua/object.h"
#include "lua/options.h"
#include "lua/tls.h"

/* What came in the handshake, into the table on top [-0, +0]. */
static void push_came(lua_State *L, const struct tls_peer *p) {
  size_t n;
  const uint8_t *staple = tls_peer_staple(p, &n);
  if (staple != NULL) {
    lua_pushlstring(L, (const char *)staple, n);
    lua_setfield(L, -2, "stapled");
  }
  if (tls_peer_came(p) != NULL) {
    push_chain(L, tls_peer_came(p));
    lua_setfield(L, -2, "sent");
  }
}

bool call_onverify(lua_State *L, struct tls_peer *p,
                   const struct base_error *err) {
  bool yes;
  luaL_checkstack(L, 12, NULL);
  lua_pushboolean(L, err == NULL);
  push_cert(L, p, 0);
  if (err != NULL)
    push_error(L, err);
  else
    lua_pushnil(L);
  push_tls_peer(L, p);
  push_came(L, p);
  lua_call(L, 4, 1);
  if (!lua_isboolean(L, -1))
    luaL_error(L, "onverify must return true or false, not a %s",
               luaL_typename(L, -1));
  yes = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return yes;
}

struct question {
  lua_State *L;
  int fn; /* where the function is */
  struct tls_peer *peer;
  const struct base_error *err;
  bool yes, failed;
};

static int ask_protected(lua_State *L) {
  struct question *q = (struct question *)lua_touserdata(L, 2);
  lua_settop(L, 1);
  q->yes = call_onverify(L, q->peer, q->err);
  return 0;
}

/* Nothing may raise through the floor below: what does waits on the stack. */
static bool ask(void *ctx, struct tls_peer *peer,
                const struct base_error *err) {
  struct question *q = (struct question *)ctx;
  q->peer = peer;
  q->err = err;
  q->yes = false;
  lua_pushcfunction(q->L, ask_protected);
  lua_pushvalue(q->L, q->fn);
  lua_pushlightuserdata(q->L, q);
  q->failed = lua_pcall(q->L, 2, 0, 0) != LUA_OK;
  return q->yes;
}

struct answer {
  struct tls_peer *peer;
  struct base_error *err;
};

static int answer_gc(lua_State *L) {
  struct answer *a = (struct answer *)lua_touserdata(L, 1);
  tls_peer_unref(a->peer);
  base_error_free(a->err);
  a->peer = NULL;
  a->err = NULL;
  return 0;
}

static const char *check_text(lua_State *L, int arg) {
  size_t n;
  const char *s;
  luaL_checktype(L, arg, LUA_TSTRING);
  s = lua_tolstring(L, arg, &n);
  luaL_argcheck(L, strlen(s) == n, arg, "it contains a NUL byte");
  return s;
}

int tls_verify_chain(lua_State *L) {
  struct tls_query q;
  struct question question;
  struct tls_context *context;
  struct answer *a;
  struct base_error *err;
  luaL_checkudata(L, 1, TLS_TYPE);
  lua_settop(L, 4);
  memset(&q, 0, sizeof q);
  memset(&question, 0, sizeof question);
  q.chain = check_text(L, 2);
  if (!lua_isnil(L, 3))
    q.name = check_text(L, 3);
  if (!lua_isnil(L, 4))
    options_tls_query(L, 4, &q);
  err = tls_box_context(L, 1, &context);
  if (err != NULL)
    return push_failure(L, err);
  if (lua_isfunction(L, -1)) {
    question.L = L;
    question.fn = lua_gettop(L);
    q.ask = ask;
    q.ask_ctx = &question;
  }
  a = (struct answer *)push_owned(L, sizeof *a, "uvwss.answer", answer_gc);
  luaL_checkstack(L, 16, NULL);
  a->err = tls_context_verify(context, &q, &a->peer);
  if (question.failed)
    return lua_error(L); /* what onverify raised is on top */
  if (a->err == NULL) {
    push_chain(L, a->peer);
    return 1;
  }
  lua_pushnil(L);
  push_error(L, a->err);
  return 2;
}
