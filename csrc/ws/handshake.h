/*
** The opening handshake (RFC 6455, 4), both roles, as pure functions over
** heads. Random bytes and SHA-1 are handed in.
*/
#ifndef WS_HANDSHAKE_H
#define WS_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "ws/head.h"
#include "ws/url.h"

typedef void ws_sha1_fn(const uint8_t *in, size_t n, uint8_t out[20]);

enum { WS_KEY_SIZE = 25, WS_ACCEPT_SIZE = 29 }; /* with the NUL */

struct ws_pair {
  const char *name, *value;
};

struct ws_request {
  const struct ws_url *url;
  char key[WS_KEY_SIZE];       /* from ws_handshake_key */
  const char *const *subprotocols;
  size_t subprotocol_count;
  const char *origin;          /* or NULL */
  const char *extensions;      /* or NULL */
  const struct ws_pair *headers; /* the user's, already checked */
  size_t header_count;
};

/* Base64 (RFC 4648, 4) of 'n' bytes; 'out' needs (n + 2) / 3 * 4 + 1. */
void ws_base64(char *out, const uint8_t *in, size_t n);

void ws_handshake_key(char out[WS_KEY_SIZE], const uint8_t nonce[16]);
void ws_handshake_accept(char out[WS_ACCEPT_SIZE], const char *key,
                         ws_sha1_fn *sha1);

/*
** Append the request (RFC 6455, 4.1) to 'out'. 0 or a negative base_err, and
** then nothing was appended.
*/
int ws_handshake_request(struct base_buf *out, const struct ws_request *r);

/*
** May a user set this header in a request? False for those that the
** handshake itself writes (Host, Upgrade, Connection, Sec-WebSocket-*,
** Content-Length, Transfer-Encoding); without regard to case.
*/
bool ws_handshake_header_allowed(const char *name);

/*
** Check the answer (RFC 6455, 4.1, the client's list). NULL if the
** connection is open: 'subprotocol' then points to the chosen one within
** 'head', or is NULL, and 'extensions' likewise. Otherwise the error, which the
** caller owns: kind upgrade, with 'status', 'headers' (a map; repeated ones
** joined by ", ") and 'retry_after' where known. 'now' is epoch seconds.
*/
struct base_error *ws_handshake_check(const struct ws_request *r,
                                      const struct ws_head *head,
                                      ws_sha1_fn *sha1, double now,
                                      const char **subprotocol,
                                      const char **extensions);

#endif
