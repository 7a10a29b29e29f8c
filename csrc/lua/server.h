/*
** A server as Lua sees it.
*/
#ifndef LUA_SERVER_H
#define LUA_SERVER_H

#include <lua.h>
#include <stdbool.h>

#include "engine/server.h"
#include "lua/binding.h"

#define SERVER_TYPE "uvwss.server"

#define SERVER_HANDLER_NAMES \
  "onupgrade", "onrequest", "onrefused", "onopen", "onmessage", \
    "onfragment", "ondrain", "onping", "onpong", "onclose"

/* User values of the userdata. */
enum {
  SERVER_FIELDS = 1, /* see lua/object.h */
  SERVER_URL,        /* as it was asked for */
  SERVER_TRACE,      /* tls.trace, or nil */
  SERVER_WAITERS,    /* coroutines that wait in publish: a set, or nil */
  SERVER_HANDLER,    /* the first of SERVER_HANDLER_NAMES, in that order */
  SERVER_ONUPGRADE = SERVER_HANDLER,
  SERVER_ONREQUEST,
  SERVER_ONREFUSED,
  SERVER_ONOPEN,
  SERVER_ONMESSAGE,
  SERVER_ONFRAGMENT,
  SERVER_ONDRAIN,
  SERVER_ONPING,
  SERVER_ONPONG,
  SERVER_ONCLOSE,
  SERVER_SLOTS = SERVER_ONCLOSE
};

struct websocket;

struct server {
  struct binding_member member; /* first; while it has a server */
  struct binding *b;
  struct engine_server *server; /* NULL once finalized */
  struct websocket *open;       /* its connections */
  int anchor;                   /* while it has not ended */
  int port;                     /* that it has, or had; 0: none */
  bool ended;
  bool has_message, has_fragment; /* handlers */
};

/* The user value of a server that goes with a handler's of a connection. */
int server_slot_of(int slot);

int binding_listen(lua_State *L); /* wss.listen(url [, options]) */
void binding_open_server(lua_State *L);

#endif
