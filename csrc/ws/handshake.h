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

/* ---- the server's side (RFC 6455, 4.2) ----------------------------------- */

/* What a request asks for. Strings lie within its head. */
struct ws_ask {
  int status;       /* 0: answer it; otherwise refuse it with this status */
  const char *why;  /* with a status: a sentence for people, static */
  bool upgrade;     /* to a WebSocket (an Upgrade header names it) */
  bool head_only;   /* HEAD: the answer has no body (RFC 9110, 9.3.2) */
  bool keep;        /* the connection may serve another request (RFC 9112,
                       9.3); never with a status */
  const char *host; /* with its port, if it has one; of the target where that
                       is in absolute-form (RFC 9112, 3.2.2); "" where there
                       is none (HTTP/1.0) */
  const char *origin; /* or NULL */
  const char *key;  /* of an upgrade; NULL with a status */
  struct ws_span path, query; /* of the target, as sent: not decoded; 'query'
                       is what follows '?', with 'at' NULL where there is
                       none */
};

/*
** Judge a complete request head: GET and HEAD, without a body, origin-form or
** absolute-form; one Host; and for an upgrade, which is GET and not HTTP/1.0,
** everything that RFC 6455, 4.2.1 demands. 400 for what is malformed, 405 for
** another method, 413 for a body, 426 for another version of the protocol, 501
** for a transfer coding. Nothing of 'out' but 'status', 'why', 'upgrade' and
** 'head_only' is to be relied on with a status.
*/
void ws_handshake_ask(struct ws_ask *out, const struct ws_head *head);

/*
** The subprotocols a request lists, in its order: each with its NUL behind
** it, appended to 'out'. 0 or a negative base_err, and then nothing was
** appended: BASE_ERR_HEAD_SYNTAX if the list is malformed or names one twice
** (RFC 6455, 4.1 and 11.3.4), BASE_ERR_HEAD_LENGTH if it is longer than
** LIMIT_HEADER_FIELDS.
*/
int ws_handshake_subprotocols(const struct ws_head *head,
                              struct base_buf *out);

/* The 101 (RFC 6455, 4.2.2). 0 or a negative base_err, nothing appended. */
struct ws_accept {
  const char *key;         /* the request's */
  const char *subprotocol; /* or NULL */
  const char *extensions;  /* or NULL */
  const struct ws_pair *headers; /* the user's, already checked */
  size_t header_count;
};
int ws_handshake_respond(struct base_buf *out, const struct ws_accept *a,
                         ws_sha1_fn *sha1);

/*
** Any other answer (RFC 9112, 4): with Content-Length, Date and Connection,
** and what its status demands (426: Upgrade, Connection and
** Sec-WebSocket-Version; 405: Allow) unless 'headers' has it. A NULL 'body'
** with 'body_size' > 0 is a body that the caller sends behind the head, unless
** the answer has none: ws_handshake_has_body, 'head_only'.
** 0 or a negative base_err, nothing appended.
*/
struct ws_response {
  int status;              /* 200 to 599 */
  const struct ws_pair *headers; /* the user's, already checked */
  size_t header_count;
  const uint8_t *body;
  size_t body_size;
  bool head_only;          /* Content-Length as if, and no body */
  bool keep;               /* Connection: keep-alive, otherwise close */
  double now;              /* epoch seconds, for Date */
};
int ws_handshake_answer(struct base_buf *out, const struct ws_response *r);

/* False for 204, 205 and 304 (RFC 9110, 6.4.1 and 15.3.6). */
bool ws_handshake_has_body(int status);

/* May a user set this header in an answer? Not those that the functions above
** write (Connection, Content-Length, Transfer-Encoding, Upgrade,
** Sec-WebSocket-*, Date); without regard to case. */
bool ws_handshake_reply_allowed(const char *name);

/* "Not Found"; "" for a status that nobody registered (RFC 9110, 15, and
** IANA's list). */
const char *ws_handshake_reason(int status);

#endif
