/*
** TLS as Lua sees it: wss.tls, the option 'tls', and ws.tls.
*/
#ifndef LUA_TLS_H
#define LUA_TLS_H

#include <lua.h>

#include "engine/client.h"

#define TLS_TYPE "uvwss.tls"

int tls_new(lua_State *L); /* wss.tls(options) */

/* The option 'tls' of the table at 'options' (0: none): fill in what 'conf'
** needs, and the trace function of the userdata at 'ws'. Raises what is
** misuse; what a file does wrong waits in conf->tls_error. */
void tls_option(lua_State *L, int options, int ws,
                struct engine_client_conf *conf);

/*
** The TLS of a server: the table or wss.tls at 'index' (absolute) becomes a
** context with one reference, and its trace function, or nil, is pushed
** [-0, +1]. NULL, or what a file or a certificate does wrong. Raises what is
** misuse.
*/
struct base_error *tls_server_option(lua_State *L, int index,
                                     struct tls_context **out);

/* ws.tls, nil for NULL [-0, +1]. */
void push_tls_peer(lua_State *L, struct tls_peer *p);

#endif
