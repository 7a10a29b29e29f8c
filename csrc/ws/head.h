/*
** HTTP/1.1 message heads (RFC 9112, 2 to 5), both directions, and requests of
** HTTP/1.0, such as simple health checks send. Strict: CRLF only, no folding
** (RFC 9112, 5.2), no space before the colon, no control characters, tokens
** where tokens belong.
*/
#ifndef WS_HEAD_H
#define WS_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/limits.h"

struct ws_pair { /* to be written */
  const char *name, *value;
};

struct ws_span { /* a part of a string: no NUL behind it */
  const char *at;
  size_t len;
};

struct ws_field {
  const char *name;  /* lower case, NUL-terminated, within the head's bytes */
  const char *value; /* no white space around it, NUL-terminated */
};

struct ws_head {
  struct base_buf bytes; /* owned */
  bool complete;
  size_t scanned;        /* private: bytes already looked at */
  size_t seen;           /* private: fields begun */
  uint8_t state, step;   /* private: where in the grammar the next byte is */
  int err;               /* private: once wrong, wrong for ever */
  bool is_request;
  int status;            /* responses */
  const char *reason;    /* responses; may be empty */
  int minor;             /* HTTP/1.1 or, of requests, HTTP/1.0 */
  const char *method;    /* requests */
  const char *target;    /* requests: path and query, beginning with "/", of
                            origin-form and absolute-form; others as sent */
  const char *authority; /* requests in absolute-form (http, https, ws, wss);
                            not checked; NULL otherwise */
  size_t count;
  struct ws_field *fields; /* owned, allocated when complete */
};

void ws_head_init(struct ws_head *h, bool is_request, size_t limit_bytes);
void ws_head_deinit(struct ws_head *h);

/*
** Take bytes until the blank line. Returns how many of the 'n' were used (the
** rest belongs to what follows the head) or a negative enum base_err:
** HEAD_SYNTAX as soon as it is certain, HEAD_LENGTH, HEAD_VERSION, MEMORY.
** 'complete' tells whether the head is whole. 'reason', 'method', 'target',
** 'authority' and the fields are there only then.
*/
long ws_head_feed(struct ws_head *h, const uint8_t *in, size_t n);

/* The first field of that (lower-case) name, or NULL. */
const char *ws_head_get(const struct ws_head *h, const char *name);
size_t ws_head_count(const struct ws_head *h, const char *name);

/* Does any field of that name list the token, without regard to case? */
bool ws_head_has_token(const struct ws_head *h, const char *name,
                       const char *token);

/*
** The next element of a list (RFC 9110, 5.6.1), without the white space around
** it, and perhaps empty. '*list' begins as a field's value and becomes NULL
** with the last one; false when it is.
*/
bool ws_head_element(const char **list, struct ws_span *out);

/*
** Field 'i' of a head as one header: the values of all fields of its name,
** joined as HTTP says (RFC 9110, 5.3; Cookie: RFC 9113, 8.2.3), are appended
** to 'out', without a NUL. 1; 0 if 'i' is not the first of its name; or
** BASE_ERR_MEMORY or BASE_ERR_BUFFER_FULL, and then nothing was appended. A
** buffer that has room for the head is never full.
*/
int ws_head_joined(const struct ws_head *head, size_t i, struct base_buf *out);

/*
** Writing. Every step takes the error so far and does nothing after one, so
** that a head is a plain list of steps. Names and values are checked already.
*/
void ws_head_put(struct base_buf *out, int *err, const char *s);
void ws_head_put_field(struct base_buf *out, int *err, const char *name,
                       const char *value);
void ws_head_put_fields(struct base_buf *out, int *err,
                        const struct ws_pair *fields, size_t count);

/* For checks of what a user wants to send (RFC 9110, 5.1 and 5.5). */
bool ws_head_is_token(const char *s, size_t n);
bool ws_head_is_value(const char *s, size_t n); /* no CR, LF, NUL, controls */

/*
** Seconds that Retry-After asks to wait (RFC 9110, 10.2.3), -1 without one
** or when malformed. Both forms; a date is taken relative to 'now' (epoch
** seconds) and never gives less than 0.
*/
double ws_head_retry_after(const struct ws_head *h, double now);

#endif
