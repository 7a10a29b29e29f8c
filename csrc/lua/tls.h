/*
** TLS as Lua sees it: wss.tls, the option 'tls', and ws.tls.
*/
#ifndef LUA_TLS_H
#define LUA_TLS_H

#include <lua.h>

#include "engine/client.h"

int tls_new(lua_State *L); /* wss.tls(options) */

/* The option 'tls' of the table at 'options' (0: none): fill in what 'conf'
** needs, and the trace function of the userdata at 'ws'. Raises what is
** misuse; what a file does wrong waits in conf->tls_error. */
void tls_option(lua_State *L, int options, int ws,
                struct engine_client_conf *conf);

/* ws.tls, nil for NULL [-0, +1]. */
void push_tls_peer(lua_State *L, struct tls_peer *p);

#endif
