/*
** One TLS connection as a machine over bytes: ciphertext in by feed, out
** into a buffer that the owner lends. No socket. Single use.
*/
#ifndef TLS_SESSION_H
#define TLS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "tls/context.h"
#include "tls/peer.h"

struct tls_session;
struct tls_ticket; /* what a later session may resume; counted */

enum tls_status {
  TLS_FAILED = -1, /* tls_session_error has the reason */
  TLS_WANT = 0,    /* feed more */
  TLS_OK = 1,
  TLS_ENDED = 2    /* the peer sent close_notify (RFC 8446, 6.1) */
};

struct tls_conf {
  const char *host;          /* of the URL: SNI unless it is an address, and
                                the name verified; 'server_name' goes before */
  struct tls_ticket *ticket; /* or NULL; borrowed for the call */
  bool trace;                /* record the steps of the handshake */
  tls_ask *ask;              /* or NULL; a client's only */
  void *ask_ctx;
};

/* One message of the handshake (RFC 8446, 4; RFC 5246, 7.4) as it passed. */
struct tls_step {
  bool out;         /* sent by us */
  const char *name; /* "ClientHello"; static */
  const char *alert; /* what an alert says, else NULL; static */
  size_t bytes;
  double at;        /* monotonic seconds */
};

/*
** NULL and a session in the role of its context, or the error. A server's
** needs nothing of 'conf' but 'trace'. A client's fails with kind tls, code
** bad_name, for a host that no certificate can be good for. A ticket that does
** not fit (made for another name, by another context or before its reload, or
** with a chain that has expired) is not offered; one of TLS 1.3 is good for
** one connection.
*/
struct base_error *tls_session_new(struct tls_session **out,
                                   struct tls_context *c,
                                   const struct tls_conf *conf);
void tls_session_free(struct tls_session *s); /* NULL is fine */

/*
** Lend the buffer into which ciphertext is appended, NULL to take it back.
** Without one, or when it is full, a call that must send fails.
*/
void tls_session_set_out(struct tls_session *s, struct base_buf *out);

/*
** Ciphertext from the peer: borrowed until it is used up, which is when
** handshake or read returns TLS_WANT. Only when the last was used up. After
** TLS_ENDED and TLS_FAILED it is ignored.
*/
void tls_session_feed(struct tls_session *s, const uint8_t *in, size_t n);
void tls_session_feed_end(struct tls_session *s); /* FIN */

/* TLS_OK when done, TLS_WANT, TLS_FAILED. Call once before any input. */
enum tls_status tls_session_handshake(struct tls_session *s);

/*
** Plaintext, one record at most: TLS_OK with 0 < *got <= n, TLS_WANT,
** TLS_ENDED, or TLS_FAILED (a FIN without close_notify is a failure with code
** unexpected_eof_while_reading: a truncation, RFC 8446, 6.1).
*/
enum tls_status tls_session_read(struct tls_session *s, uint8_t *out, size_t n,
                                 size_t *got);

/*
** Encrypt all 'n' bytes (0 < n) into the lent buffer, in records as large as
** the protocol allows. 'more': another write is about to follow, and the room
** for a record is kept for it. TLS_OK or TLS_FAILED. Only after the handshake.
*/
enum tls_status tls_session_write(struct tls_session *s, const uint8_t *in,
                                  size_t n, bool more);
/* At most so many bytes of ciphertext come of 'n' bytes of plaintext. */
size_t tls_session_write_bound(size_t n);
/* Not while the peer is in the middle of a message of the handshake protocol (a
** ticket, a KeyUpdate) that its records cut (RFC 8446, 5.1): what completes it
** is read first. */
bool tls_session_may_write(const struct tls_session *s);
bool tls_session_has_failed(const struct tls_session *s);

/* Append close_notify to the lent buffer; nothing is written after it. */
void tls_session_shutdown(struct tls_session *s);

/* The reason of TLS_FAILED; the caller owns it. NULL if there is none. */
struct base_error *tls_session_error(struct tls_session *s);

/* After the handshake: what is known of the connection and its peer, with one
** reference for the caller; NULL without memory. The chain of a client that
** showed no certificate is empty, and not verified. */
struct tls_peer *tls_session_peer(struct tls_session *s);

/* The newest ticket, with one reference for the caller, or NULL; a server's
** are its clients'. */
struct tls_ticket *tls_session_ticket(struct tls_session *s);
void tls_ticket_unref(struct tls_ticket *t); /* NULL is fine */

/* Take the next recorded step. False when there is none. Bounded: steps
** beyond the first 64 are not recorded. */
bool tls_session_step(struct tls_session *s, struct tls_step *out);

#endif
