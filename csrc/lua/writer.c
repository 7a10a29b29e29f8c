#include "lua/writer.h"

#include <string.h>

#include "engine/facade.h"
#include "lua/handlers.h"
#include "lua/pin.h"

#define WRITER_TYPE "uvwss.writer"

/* Its first user value is the connection, which it keeps alive. A member,
** since one that a finalizer makes while the state closes has no finalizer
** any more. */
struct writer {
  struct binding_member member; /* first */
  struct websocket *w;
  struct engine_stream *s; /* NULL once it was given up */
  struct ws_utf8 utf8;     /* of a text, across its pieces */
  bool text;
  bool finished;
};

static struct writer *check(lua_State *L) {
  return (struct writer *)luaL_checkudata(L, 1, WRITER_TYPE);
}

/* A message left open can never be finished. */
static void end(struct binding_member *m) {
  struct writer *wr = (struct writer *)m;
  struct engine_stream *s = wr->s;
  binding_leave(m);
  wr->s = NULL;
  if (s == NULL)
    return;
  if (wr->w->socket != NULL && !wr->w->b->closing)
    engine_socket_abandon(wr->w->socket, s);
  else
    (void)engine_stream_disown(s);
}

int writer_new(lua_State *L) {
  struct websocket *w;
  struct writer *wr;
  struct base_error *err;
  bool text;
  w = (struct websocket *)luaL_checkudata(L, 1, WEBSOCKET_TYPE);
  if (w->socket == NULL)
    return luaL_error(L, "this WebSocket was finalized");
  text = websocket_check_kind(L, 2);
  wr = (struct writer *)lua_newuserdatauv(L, sizeof *wr, 1);
  memset(wr, 0, sizeof *wr);
  wr->w = w;
  wr->text = text;
  luaL_setmetatable(L, WRITER_TYPE);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  binding_join(w->b, &wr->member, end);
  err = engine_socket_stream(w->socket, &wr->s, text ? WS_TEXT : WS_BINARY);
  return err != NULL ? push_failure(L, err) : 1;
}

/* The piece at index 2 and the function at index 3. */
static struct base_error *write_piece(lua_State *L, struct writer *wr,
                                      bool last) {
  size_t n;
  const char *s = lua_tolstring(L, 2, &n);
  struct ws_utf8 utf8 = wr->utf8;
  struct engine_item *item;
  struct base_error *err;
  if (wr->text && (!ws_utf8_feed(&utf8, (const uint8_t *)s, n) ||
                   (last && !ws_utf8_complete(&utf8))))
    return base_error_from(BASE_ERR_UTF8);
  item = pin_new(wr->w->b, L, 2, lua_isnoneornil(L, 3) ? 0 : 3, wr->text);
  err = engine_socket_write(wr->w->socket, wr->s, item);
  if (err != NULL)
    pin_discard(item);
  else
    wr->utf8 = utf8;
  return err;
}

static void check_piece(lua_State *L) {
  luaL_checktype(L, 2, LUA_TSTRING);
  if (!lua_isnoneornil(L, 3))
    luaL_checktype(L, 3, LUA_TFUNCTION);
}

static struct base_error *over(void) {
  return base_error_new(BASE_KIND_CLOSED, "local",
                        "this message is finished already");
}

static int writer_write(lua_State *L) {
  struct writer *wr = check(L);
  struct base_error *err;
  check_piece(L);
  err = wr->s == NULL || wr->finished ? over() : write_piece(L, wr, false);
  if (err != NULL)
    return push_failure(L, err);
  lua_pushboolean(L, 1);
  return 1;
}

static int writer_finish(lua_State *L) {
  struct writer *wr = check(L);
  struct base_error *err = NULL;
  if (lua_isnil(L, 2) && !lua_isnoneornil(L, 3)) {
    lua_pushliteral(L, ""); /* somebody has to tell the function */
    lua_replace(L, 2);
  }
  if (!lua_isnoneornil(L, 2))
    check_piece(L);
  if (wr->s == NULL || wr->finished)
    err = over();
  else if (!lua_isnoneornil(L, 2))
    err = write_piece(L, wr, true);
  else if (wr->text && !ws_utf8_complete(&wr->utf8))
    err = base_error_from(BASE_ERR_UTF8);
  if (err == NULL)
    err = engine_socket_finish(wr->w->socket, wr->s);
  if (err != NULL)
    return push_failure(L, err);
  wr->finished = true;
  lua_pushboolean(L, 1);
  return 1;
}

/* Out of scope or collected. */
static int writer_gc(lua_State *L) {
  end(&check(L)->member);
  return 0;
}

void binding_open_writer(lua_State *L) {
  static const luaL_Reg methods[] = {
    {"write", writer_write}, {"finish", writer_finish}, {NULL, NULL}
  };
  static const luaL_Reg meta[] = {
    {"__gc", writer_gc}, {"__close", writer_gc}, {NULL, NULL}
  };
  luaL_newmetatable(L, WRITER_TYPE);
  luaL_setfuncs(L, meta, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
