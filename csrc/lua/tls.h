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

/* Call the function on top with the verdict, the leaf and the error: its
** answer [-1, +0]. */
bool call_onverify(lua_State *L, struct tls_peer *p,
                   const struct base_error *err);

/* tls:verify(chain [, name [, options]]) */
int tls_verify_chain(lua_State *L);

/* The context of the wss.tls at 'index' (absolute), which raises if it is none:
** a server's if its options are a server's. Pushes onverify, or nil, last. */
struct base_error *tls_box_context(lua_State *L, int index,
                                   struct tls_context **out);

/* Of a certificate, and of all of them, leaf first [-0, +1]. */
void push_cert(lua_State *L, const struct tls_peer *p, size_t i);
void push_chain(lua_State *L, const struct tls_peer *p);

/* ws.tls, nil for NULL [-0, +1]. */
void push_tls_peer(lua_State *L, struct tls_peer *p);

#endif
