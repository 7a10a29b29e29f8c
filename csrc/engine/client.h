/*
** A socket that dials: a URL with its options, and at most one connection at
** a time. When a connection has gone, the policy is asked (on_down), and
** perhaps another is made, after a wait that counts as work.
**
** Nothing is called back from inside the functions here.
*/
#ifndef ENGINE_CLIENT_H
#define ENGINE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/connection.h"
#include "engine/socket.h"
#include "engine/strings.h"

/* Owned by the client from engine_client_new on; zeroed memory is empty. */
struct engine_client_conf {
  struct engine_limits limits;
  struct ws_url url;
  struct engine_strings subprotocols;
  struct engine_strings headers; /* names and values in turn */
  char *origin;                  /* or NULL */
  struct net_proxy proxy;
  struct tls_context *tls;       /* where the URL or a redirect needs it */
  struct base_error *tls_error;  /* why there is none */
  unsigned redirects;            /* followed at most */
  bool drop;                     /* outbox = "drop" */
  bool trace;
  bool ask; /* on_verify has a word in the verdict */
  struct engine_deflate deflate;
};
void engine_client_conf_deinit(struct engine_client_conf *conf);

/* 0 and the client, which dials; or BASE_ERR_MEMORY, and nothing changed
** hands. */
int engine_client_new(struct engine_socket **out, struct engine *e,
                      struct engine_client_conf *conf,
                      const struct engine_socket_ops *ops, void *owner);

/* False when it is closing or closed. */
bool engine_client_reconnect(struct engine_socket *s);
unsigned engine_client_reconnects(const struct engine_socket *s);
/* The URL in use now, after redirects. */
const struct ws_url *engine_client_url(const struct engine_socket *s);

#endif
