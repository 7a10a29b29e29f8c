/*
** What the rest of the floor must know of a session. Private to this floor.
*/
#ifndef TLS_SESSION_IMPL_H
#define TLS_SESSION_IMPL_H

#include <openssl/ssl.h>

#include "tls/session.h"

struct tls_guest;
struct tls_keys;
struct tls_material;

/* Put the callbacks of sessions into an SSL_CTX. Every SSL made of it must
** have its tls_session as its app data. */
void tls_session_hook(SSL_CTX *ctx);

/* The same for a client that asks for a staple. False if that fails. */
bool tls_session_hook_staple(SSL_CTX *ctx);

const struct tls_material *tls_session_material(const struct tls_session *s);
struct tls_guest *tls_session_guest(struct tls_session *s);
struct tls_keys *tls_session_keys(struct tls_session *s); /* or NULL */

#endif
