#include "lua/request.h"

#include <string.h>

#include "engine/facade.h"
#include "lua/handlers.h"
#include "lua/object.h"
#include "lua/options.h"
#include "lua/pin.h"
#include "lua/server.h"
#include "lua/tls.h"

#define EXCHANGE_TYPE "uvwss.exchange"

/* One request that waits for its answer. The coroutine that decides has it as
** a to-be-closed variable: one that dies answers 500. */
struct exchange {
  struct server *s;
  struct engine_caller *caller; /* NULL once answered, or the caller is gone */
  int anchor;                   /* while it has a caller */
  bool upgrade, head_only, keep;
};

/* What a call through the door carries. */
struct asked {
  struct server *s;
  struct engine_caller *caller;
  const struct ws_head *head;
  const struct ws_ask *ask;
};

static const char FAILED[] = "the server failed to decide on this request";

/* ---- the request as a table ---------------------------------------------- */

static void push_span(lua_State *L, const struct ws_span *s) {
  if (s->at != NULL)
    lua_pushlstring(L, s->at, s->len);
  else
    lua_pushnil(L);
}

static int buf_gc(lua_State *L) {
  base_buf_free((struct base_buf *)lua_touserdata(L, 1));
  return 0;
}

static struct base_buf *push_buf(lua_State *L) {
  struct base_buf *b;
  b = (struct base_buf *)push_owned(L, sizeof *b, "uvwss.buffer", buf_gc);
  base_buf_init(b, 16 * LIMIT_HEADER_BYTES);
  return b;
}

static void push_headers(lua_State *L, const struct ws_head *head) {
  struct base_buf *buf = push_buf(L);
  size_t i;
  lua_createtable(L, 0, (int)head->count);
  for (i = 0; i < head->count; i++) {
    int n;
    base_buf_clear(buf);
    n = ws_head_joined(head, i, buf);
    if (n < 0)
      luaL_error(L, "not enough memory");
    if (n == 0)
      continue;
    lua_pushlstring(L, (const char *)base_buf_data(buf), buf->len);
    lua_setfield(L, -2, head->fields[i].name);
  }
  base_buf_free(buf);
  lua_remove(L, -2);
}

/* False, and nothing on the stack, if the list is malformed. */
static bool push_subprotocols(lua_State *L, const struct ws_head *head) {
  struct base_buf *buf = push_buf(L);
  int err = ws_handshake_subprotocols(head, buf);
  if (err == BASE_ERR_MEMORY)
    luaL_error(L, "not enough memory");
  if (err == 0)
    push_list(L, (const char *)base_buf_data(buf), buf->len);
  base_buf_free(buf);
  if (err != 0) {
    lua_pop(L, 1);
    return false;
  }
  lua_remove(L, -2);
  return true;
}

static void push_peer_of(lua_State *L, const struct engine_caller *c) {
  char ip[64];
  int port;
  engine_caller_address(c, ip, &port);
  push_peer(L, ip, port);
}

/* False, and nothing on the stack, if it is malformed after all. */
static bool push_request(lua_State *L, const struct asked *a) {
  luaL_checkstack(L, 12, NULL);
  if (!push_subprotocols(L, a->head))
    return false;
  lua_createtable(L, 0, 8);
  lua_insert(L, -2);
  lua_setfield(L, -2, "subprotocols");
  lua_pushstring(L, a->head->method);
  lua_setfield(L, -2, "method");
  push_span(L, &a->ask->path);
  lua_setfield(L, -2, "path");
  push_span(L, &a->ask->query);
  lua_setfield(L, -2, "query");
  push_headers(L, a->head);
  lua_setfield(L, -2, "headers");
  push_peer_of(L, a->caller);
  lua_setfield(L, -2, "peer");
  push_tls_peer(L, engine_caller_tls_peer(a->caller));
  lua_setfield(L, -2, "tls");
  return true;
}

/* ---- answers ------------------------------------------------------------- */

/* Headers in the making, on the stack as a userdata. */
static int strings_gc(lua_State *L) {
  engine_strings_deinit((struct engine_strings *)lua_touserdata(L, 1));
  return 0;
}

/* The table at 'index', or nil, as pairs; pushes what holds them [-0, +2].
** Who comes to an end drops them. */
static struct ws_pair *push_pairs(lua_State *L, int index, const char *what,
                                  options_allowed *allowed, size_t *count) {
  struct engine_strings *list;
  struct ws_pair *pairs;
  size_t i;
  list = (struct engine_strings *)push_owned(L, sizeof *list,
                                             "uvwss.strings", strings_gc);
  if (!lua_isnoneornil(L, index)) {
    if (!lua_istable(L, index))
      luaL_error(L, "%s: table expected, got %s", what,
                 luaL_typename(L, index));
    options_headers(L, index, what, allowed, list);
  }
  *count = list->count / 2;
  pairs = (struct ws_pair *)lua_newuserdatauv(
    L, (*count + 1) * sizeof *pairs, 0);
  for (i = 0; i < *count; i++) {
    pairs[i].name = list->items[2 * i];
    pairs[i].value = list->items[2 * i + 1];
  }
  return pairs;
}

/* What push_pairs has pushed, the upper of both at 'pairs'. */
static void drop_pairs(lua_State *L, int pairs) {
  engine_strings_deinit((struct engine_strings *)lua_touserdata(L, pairs - 1));
}

static void release(struct exchange *x) {
  x->caller = NULL;
  binding_unref(x->s->b, x->anchor);
  x->anchor = LUA_NOREF;
}

/* Stack values: status (nil: 'otherwise'), headers, body from 'first' on. */
static void answer(lua_State *L, struct exchange *x, int first,
                   const char *what, int otherwise) {
  struct ws_response r;
  struct engine_item *body = NULL;
  lua_Integer status = otherwise;
  int exact = 1, pairs, err;
  memset(&r, 0, sizeof r);
  if (!lua_isnil(L, first))
    status = lua_tointegerx(L, first, &exact);
  if (!exact || lua_type(L, first) == LUA_TSTRING || status < 200 ||
      status > 599)
    luaL_error(L, "%s: a status from 200 to 599 expected, got %s", what,
               luaL_tolstring(L, first, NULL));
  if (!lua_isnil(L, first + 2) && lua_type(L, first + 2) != LUA_TSTRING)
    luaL_error(L, "%s: a body is a string, got %s", what,
               luaL_typename(L, first + 2));
  r.headers = push_pairs(L, first + 1, what, ws_handshake_reply_allowed,
                         &r.header_count);
  pairs = lua_gettop(L);
  r.status = (int)status;
  r.head_only = x->head_only;
  r.keep = x->keep && !x->upgrade;
  r.now = net_clock_epoch();
  if (!lua_isnil(L, first + 2) && ws_handshake_has_body((int)status)) {
    r.body_size = lua_rawlen(L, first + 2);
    if (r.body_size > 0)
      body = pin_new(x->s->b, L, first + 2, 0, false);
  }
  err = engine_caller_answer(x->caller, &r, body);
  drop_pairs(L, pairs);
  if (err != 0)
    luaL_error(L, "%s: %s", what, base_err_text(err));
  release(x);
}

/* ---- upgrades ------------------------------------------------------------ */

/* Is it one of the strings of the list at 'index'? */
static bool is_listed(lua_State *L, int index, const char *s) {
  lua_Integer i, n = (lua_Integer)lua_rawlen(L, index);
  bool found = false;
  for (i = 1; i <= n && !found; i++) {
    lua_rawgeti(L, index, i);
    found = lua_type(L, -1) == LUA_TSTRING &&
            strcmp(lua_tostring(L, -1), s) == 0;
    lua_pop(L, 1);
  }
  return found;
}

/* The client's first that the server's option lists; NULL if none. It is an
** item of the list in 'request', or of the options. */
static const char *choose(lua_State *L, const struct server *s, int request) {
  const struct engine_strings *ours =
    &engine_server_conf(s->server)->subprotocols;
  const char *found = NULL;
  lua_Integer i, n;
  size_t j;
  if (ours->count == 0)
    return NULL;
  lua_getfield(L, request, "subprotocols");
  n = lua_istable(L, -1) ? (lua_Integer)lua_rawlen(L, -1) : 0;
  for (i = 1; i <= n && found == NULL; i++) {
    lua_rawgeti(L, -1, i);
    for (j = 0; j < ours->count && found == NULL; j++)
      if (lua_type(L, -1) == LUA_TSTRING &&
          strcmp(lua_tostring(L, -1), ours->items[j]) == 0)
        found = ours->items[j];
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return found;
}

static void push_ws_url(lua_State *L, const struct server *s,
                        const struct ws_ask *ask) {
  bool secure = engine_server_conf(s->server)->url.secure;
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, secure ? "wss://" : "ws://");
  luaL_addstring(&b, ask->host);
  luaL_addlstring(&b, ask->path.at, ask->path.len);
  if (ask->query.at != NULL) {
    luaL_addchar(&b, '?');
    luaL_addlstring(&b, ask->query.at, ask->query.len);
  }
  luaL_pushresult(&b);
}

static void join(struct server *s, struct websocket *w) {
  w->server = s;
  w->next = s->open;
  w->at = &s->open;
  if (w->next != NULL)
    w->next->at = &w->next;
  s->open = w;
}

/* The WebSocket of a request, before anything has happened: the request's
** table is at 'request', the server at 'server' [-0, +1]. */
static struct websocket *push_accepted(lua_State *L, const struct asked *a,
                                       int server, int request) {
  struct websocket *w = push_websocket(L, a->s->b);
  lua_pushvalue(L, server);
  lua_setiuservalue(L, -2, SLOT_SERVER);
  lua_pushvalue(L, request);
  lua_setiuservalue(L, -2, SLOT_REQUEST);
  push_ws_url(L, a->s, a->ask);
  lua_setiuservalue(L, -2, SLOT_URL);
  lua_pushvalue(L, -1);
  w->anchor = binding_ref(a->s->b, L);
  return w;
}

/* 0: it is open, and nothing was raised since, or it was refused meanwhile: a
** finalizer or a metamethod may have closed the server. Or an error of enum
** base_err. */
static int open_up(struct server *s, struct websocket *w,
                   struct engine_caller *c, const struct ws_accept *accept) {
  int err = 0;
  bool asks = engine_caller_asks(c);
  if (asks)
    err = engine_caller_upgrade(c, accept, &handlers_ops, w, &w->socket);
  else
    engine_caller_set_exchange(c, NULL);
  if (!asks || err != 0) {
    binding_unref(s->b, w->anchor);
    w->anchor = LUA_NOREF;
    return err;
  }
  binding_join(s->b, &w->member, websocket_end);
  binding_hold(s->b);
  join(s, w);
  websocket_update_taking(w);
  return 0;
}

/* ---- without a handler --------------------------------------------------- */

static void say_426(struct server *s, struct engine_caller *c,
                    const struct ws_ask *ask) {
  static const char text[] = "This is a WebSocket server.\n";
  struct ws_response r;
  (void)s;
  memset(&r, 0, sizeof r);
  r.status = 426; /* RFC 9110, 15.5.22 */
  r.body = (const uint8_t *)text;
  r.body_size = sizeof text - 1;
  r.head_only = ask->head_only;
  r.keep = ask->keep;
  r.now = net_clock_epoch();
  if (engine_caller_answer(c, &r, NULL) != 0)
    engine_caller_turn_away(c, 500, FAILED);
}

/* Stack: asked, server, request. */
static void accept_plainly(lua_State *L, const struct asked *a) {
  struct ws_accept accept;
  struct websocket *w;
  memset(&accept, 0, sizeof accept);
  accept.key = a->ask->key;
  accept.subprotocol = choose(L, a->s, 3);
  w = push_accepted(L, a, 2, 3);
  if (open_up(a->s, w, a->caller, &accept) != 0)
    engine_caller_turn_away(a->caller, 500, FAILED);
}

/* ---- with a handler ------------------------------------------------------ */

/* Values of the coroutine's function. */
enum { AT_EXCHANGE = 1, AT_HANDLER, AT_SERVER, AT_REQUEST, AT_WS, AT_KEY,
       AT_RESULTS };

/* The handler says yes, perhaps with a table of wishes at AT_RESULTS. */
static void accept_with(lua_State *L, struct exchange *x) {
  struct websocket *w = (struct websocket *)lua_touserdata(L, AT_WS);
  struct ws_accept accept;
  int err, pairs = 0;
  memset(&accept, 0, sizeof accept);
  accept.key = lua_tostring(L, AT_KEY);
  accept.subprotocol = choose(L, x->s, AT_REQUEST);
  if (lua_istable(L, AT_RESULTS)) {
    static const char *const names[] = {"subprotocol", "headers", NULL};
    const char *wish;
    options_check(L, AT_RESULTS, names);
    wish = options_string(L, AT_RESULTS, "subprotocol");
    lua_getfield(L, AT_REQUEST, "subprotocols");
    /* Only what was offered may be chosen (RFC 6455, 4.2.2). The list is the
    ** user's to change, so that it alone does not make a header's value. */
    if (wish != NULL)
      accept.subprotocol =
        ws_head_is_token(wish, strlen(wish)) && lua_istable(L, -1) &&
        is_listed(L, lua_gettop(L), wish) ? wish : NULL;
    lua_getfield(L, AT_RESULTS, "headers");
    accept.headers = push_pairs(L, lua_gettop(L), "onupgrade: headers",
                                ws_handshake_reply_allowed,
                                &accept.header_count);
    pairs = lua_gettop(L);
  }
  lua_pushvalue(L, AT_WS);
  w->anchor = binding_ref(x->s->b, L);
  err = open_up(x->s, w, x->caller, &accept);
  if (pairs != 0)
    drop_pairs(L, pairs);
  if (err != 0)
    luaL_error(L, "onupgrade: %s", base_err_text(err));
  release(x);
}

static void decide_upgrade(lua_State *L, struct exchange *x) {
  if (lua_isnil(L, AT_RESULTS) || lua_istable(L, AT_RESULTS) ||
      (lua_isboolean(L, AT_RESULTS) && lua_toboolean(L, AT_RESULTS)))
    accept_with(L, x);
  else if (lua_isboolean(L, AT_RESULTS))
    answer(L, x, AT_RESULTS + 1, "onupgrade", 403);
  else
    luaL_error(L, "onupgrade: a table, true, or false and a status expected, "
                  "got %s", luaL_typename(L, AT_RESULTS));
}

/* The handler has returned; four values of it are on top. */
static int decide(lua_State *L, int status, lua_KContext k) {
  struct exchange *x = (struct exchange *)lua_touserdata(L, AT_EXCHANGE);
  (void)status;
  (void)k;
  if (x->caller == NULL) /* too late */
    return 0;
  if (!engine_caller_asks(x->caller)) {
    engine_caller_set_exchange(x->caller, NULL);
    release(x);
  } else if (x->upgrade) {
    decide_upgrade(L, x);
  } else {
    answer(L, x, AT_RESULTS, "onrequest", 404);
  }
  return 0;
}

/* The coroutine. */
static int exchange_body(lua_State *L) {
  lua_toclose(L, AT_EXCHANGE);
  lua_pushvalue(L, AT_HANDLER);
  lua_pushvalue(L, AT_SERVER);
  lua_pushvalue(L, AT_REQUEST);
  lua_callk(L, 2, 4, 0, decide);
  return decide(L, LUA_OK, 0);
}

static int exchange_close(lua_State *L) {
  struct exchange *x =
    (struct exchange *)luaL_checkudata(L, 1, EXCHANGE_TYPE);
  struct engine_caller *c = x->caller;
  if (c == NULL)
    return 0;
  engine_caller_turn_away(c, 500, FAILED);
  release(x);
  return 0;
}

static struct exchange *push_exchange(lua_State *L, const struct asked *a) {
  struct exchange *x;
  x = (struct exchange *)lua_newuserdatauv(L, sizeof *x, 0);
  memset(x, 0, sizeof *x);
  x->s = a->s;
  x->upgrade = a->ask->upgrade;
  x->head_only = a->ask->head_only;
  x->keep = a->ask->keep;
  x->anchor = LUA_NOREF;
  luaL_setmetatable(L, EXCHANGE_TYPE);
  return x;
}

/* Stack: asked, server, request, handler. */
static void run_handler(lua_State *L, const struct asked *a) {
  struct exchange *x;
  lua_State *co = lua_newthread(L); /* 5 */
  if (!lua_checkstack(co, AT_RESULTS + 20))
    luaL_error(L, "not enough memory");
  lua_pushcfunction(co, exchange_body);
  x = push_exchange(L, a);
  lua_pushvalue(L, 4);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  if (a->ask->upgrade) {
    struct websocket *w = push_accepted(L, a, 2, 3);
    binding_unref(a->s->b, w->anchor); /* until it is open */
    w->anchor = LUA_NOREF;
    lua_pushstring(L, a->ask->key);
  } else {
    lua_pushnil(L);
    lua_pushnil(L);
  }
  lua_pushvalue(L, 6);
  x->anchor = binding_ref(a->s->b, L);
  x->caller = a->caller;
  engine_caller_set_exchange(a->caller, x);
  binding_resume(a->s->b, L, co, 6);
}

static int call_request(lua_State *L) {
  const struct asked *a = (const struct asked *)lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, a->s->anchor); /* 2 */
  if (!push_request(L, a)) {                       /* 3 */
    engine_caller_turn_away(a->caller, 400, "Sec-WebSocket-Protocol is "
                                            "malformed");
    return 0;
  }
  lua_getiuservalue(L, 2, a->ask->upgrade ? SERVER_ONUPGRADE
                                          : SERVER_ONREQUEST); /* 4 */
  if (!lua_isnil(L, 4))
    run_handler(L, a);
  else if (a->ask->upgrade)
    accept_plainly(L, a);
  else
    say_426(a->s, a->caller, a->ask);
  return 0;
}

void request_on_request(void *owner, struct engine_caller *c,
                        const struct ws_head *head,
                        const struct ws_ask *ask) {
  struct asked a;
  a.s = (struct server *)owner;
  a.caller = c;
  a.head = head;
  a.ask = ask;
  if (!binding_call(a.s->b, call_request, &a, LUA_NOREF) &&
      !a.s->b->closing && engine_caller_asks(c)) {
    struct exchange *x = (struct exchange *)engine_caller_exchange(c);
    engine_caller_turn_away(c, 500, FAILED);
    if (x != NULL) /* its coroutine did not come so far as to close it */
      release(x);
  }
}

void request_on_left(void *owner, void *exchange) {
  (void)owner;
  release((struct exchange *)exchange);
}

void request_open(lua_State *L) {
  luaL_newmetatable(L, EXCHANGE_TYPE);
  lua_pushcfunction(L, exchange_close);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
}
