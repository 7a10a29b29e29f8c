/*
** A connection as Lua sees it, and the handlers of its events.
*/
#ifndef LUA_HANDLERS_H
#define LUA_HANDLERS_H

#include <lua.h>
#include <stdbool.h>

#include "engine/server.h"
#include "lua/binding.h"

#define WEBSOCKET_TYPE "uvwss.websocket"

#define HANDLER_NAMES \
  "onopen", "onmessage", "onfragment", "onreconnect", "ondrain", "onping", "onpong", \
    "onclose"

/* User values of the userdata. */
enum {
  SLOT_FIELDS = 1, /* see lua/object.h */
  SLOT_URL,
  SLOT_ERROR,      /* why it ended, clean or not */
  SLOT_POLICY,     /* of reconnecting, or nil */
  SLOT_TRACE,      /* tls.trace, or nil */
  SLOT_VERIFY,     /* tls.onverify, or nil */
  SLOT_WAITER,     /* the coroutine in receive, or nil */
  SLOT_DATA,       /* what a receive in the main chunk got */
  SLOT_SERVER,     /* whose connection it is, or nil */
  SLOT_REQUEST,    /* with which it came to the server, or nil */
  SLOT_HANDLER,    /* the first of HANDLER_NAMES, in that order */
  SLOT_ONOPEN = SLOT_HANDLER,
  SLOT_ONMESSAGE,
  SLOT_ONFRAGMENT,
  SLOT_ONRECONNECT,
  SLOT_ONDRAIN,
  SLOT_ONPING,
  SLOT_ONPONG,
  SLOT_ONCLOSE,
  SLOT_COUNT = SLOT_ONCLOSE
};

enum receiving {
  RECEIVE_NONE,
  RECEIVE_COROUTINE, /* it is in SLOT_WAITER */
  RECEIVE_MAIN       /* the main chunk drives the loop */
};

struct server;

struct websocket {
  struct binding_member member; /* first; while it has a socket */
  const char *type;  /* websocket_type, to be told apart at a glance */
  struct binding *b;
  struct engine_socket *socket; /* NULL once finalized */
  struct server *server;        /* SLOT_SERVER's, or NULL */
  struct websocket *next, **at; /* among the server's, while it is open */
  int anchor;        /* while it is not closed */
  enum receiving receiving;
  bool got;          /* a receive in the main chunk is answered */
  bool got_text, got_data; /* SLOT_DATA has it until receive returns it */
  lua_State *waiter; /* SLOT_WAITER's, while receiving says so */
  bool resuming;     /* the coroutine is woken by us */
  bool pulled;       /* receive was called before */
  bool has_message, has_fragment; /* handlers of its own */
  bool announced;    /* onopen was called, or there was none */
  bool closed;
  bool clean;
  bool local;        /* this side was the first to close */
  uint16_t code;     /* of the close */
  double open_since; /* for the trace: precise seconds of the first step */
  struct net_timer *timer; /* of a receive with a timeout */
  double timeout;    /* its seconds, negative without one */
  bool late;         /* it is over (main chunk) */
  uint64_t ping_number;
};

extern const struct engine_socket_ops handlers_ops;
extern const char websocket_type[];

/* The WebSocket at that index; raises. luaL_checkudata looks the name of the
** type up at each call, which is a good part of a small message's cost. */
struct websocket *websocket_check(lua_State *L, int arg);

/* -1 or the slot of a handler's name. */
int handler_slot(const char *name);

struct websocket *push_websocket(lua_State *L, struct binding *b);

/* It is not the server's any more; a second call does no harm. */
void websocket_leave(struct websocket *w);

/* What tls.trace is given [-0, +1]. */
void push_step(lua_State *L, const struct tls_step *step, double since);
void push_peer(lua_State *L, const char *ip, int port); /* [-0, +1] */

/* Finalize: the socket goes, silently. */
void websocket_end(struct binding_member *m);

/* Tell the engine whether anybody takes messages now. */
void websocket_update_taking(struct websocket *w);

/* Does somebody wait in receive? A coroutine may have been closed (with
** coroutine.close) while it did: that ends the receive. */
bool websocket_is_received(struct websocket *w);

/* The receive ends: forget who waited. */
void websocket_stop_receiving(struct websocket *w);

/* Close, on this side's wish. */
void websocket_close(struct websocket *w, unsigned code, const char *reason,
                     size_t n);

/* nil and why receive can get nothing more from the closed connection at
** 'index' [-0, +2]. */
void push_why_closed(lua_State *L, int index);

#endif
