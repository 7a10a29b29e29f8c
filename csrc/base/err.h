/*
** What can go wrong, in one list, and the error that travels upwards.
**
** Pure functions return a negative enum base_err. What a user gets to see is
** a struct base_error: a kind, a code, a full sentence, and the fields that
** its kind adds (docs/reference.md, "Errors").
*/
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

#define BASE_KIND_MAP(X) \
  X(DNS, "dns")                 \
  X(CONNECT, "connect")         \
  X(PROXY, "proxy")             \
  X(TLS, "tls")                 \
  X(CERTIFICATE, "certificate") \
  X(UPGRADE, "upgrade")         \
  X(PROTOCOL, "protocol")       \
  X(TIMEOUT, "timeout")         \
  X(LIMIT, "limit")             \
  X(CLOSED, "closed")           \
  X(IO, "io")

enum base_kind {
#define X(name, text) BASE_KIND_##name,
  BASE_KIND_MAP(X)
#undef X
  BASE_KIND_COUNT
};

/*
** name, kind, code, sentence. The close code that a protocol error sends to
** the peer is ws_protocol_close_code's (RFC 6455, 7.4.1).
*/
#define BASE_ERR_MAP(X) \
  X(MEMORY, LIMIT, "memory", "there is not enough memory") \
  X(BUFFER_FULL, LIMIT, "buffered", "a bounded buffer is full") \
  X(URL_SCHEME, UPGRADE, "url", "the URL's scheme is not ws or wss") \
  X(URL_USERINFO, UPGRADE, "url", "the URL has a user name or password") \
  X(URL_HOST, UPGRADE, "url", "the URL's host is malformed") \
  X(URL_PORT, UPGRADE, "url", "the URL's port is not 1 to 65535") \
  X(URL_FRAGMENT, UPGRADE, "url", "the URL has a fragment") \
  X(URL_CHARACTER, UPGRADE, "url", \
    "the URL has a character that must be percent-encoded") \
  X(URL_LENGTH, UPGRADE, "url", "the URL is too long") \
  X(HEAD_SYNTAX, UPGRADE, "syntax", "the HTTP head is malformed") \
  X(HEAD_LENGTH, UPGRADE, "header_too_large", \
    "the HTTP head is larger than allowed") \
  X(HEAD_VERSION, UPGRADE, "version", "the HTTP version is not 1.1") \
  X(STATUS, UPGRADE, "status", "the server did not switch protocols") \
  X(NO_UPGRADE, UPGRADE, "no_upgrade", \
    "the answer lacks Upgrade: websocket or Connection: Upgrade") \
  X(BAD_ACCEPT, UPGRADE, "bad_accept", \
    "Sec-WebSocket-Accept does not match the key that was sent") \
  X(BAD_SUBPROTOCOL, UPGRADE, "subprotocol", \
    "the server chose a subprotocol that was not offered") \
  X(BAD_EXTENSION, UPGRADE, "extension", \
    "the server chose an extension that was not offered") \
  X(UTF8, PROTOCOL, "utf8", "text is not valid UTF-8") \
  X(RESERVED_BITS, PROTOCOL, "reserved_bits", \
    "a frame has a reserved bit set that nobody negotiated") \
  X(OPCODE, PROTOCOL, "opcode", "a frame has a reserved opcode") \
  X(MASK, PROTOCOL, "mask", "a frame is masked in the wrong direction") \
  X(CONTROL_LENGTH, PROTOCOL, "control_length", \
    "a control frame is fragmented or longer than 125 bytes") \
  X(FRAGMENTATION, PROTOCOL, "fragmentation", \
    "fragments of messages are out of order") \
  X(FRAME_LENGTH, PROTOCOL, "frame_length", \
    "a frame's length is not in its shortest form or beyond 2^63") \
  X(DEFLATE, PROTOCOL, "deflate", "a compressed message cannot be inflated") \
  X(CLOSE_CODE, PROTOCOL, "close_code", \
    "a close frame has an invalid status code") \
  X(MESSAGE_SIZE, LIMIT, "message_size", \
    "a message is larger than max_message")

enum base_err {
  BASE_OK = 0,
  BASE_ERR_FIRST_ = -1000,
#define X(name, kind, code, text) BASE_ERR_##name,
  BASE_ERR_MAP(X)
#undef X
  BASE_ERR_LAST_
};

enum base_field_type {
  BASE_FIELD_TEXT,
  BASE_FIELD_NUMBER,
  BASE_FIELD_LIST, /* strings, each ended by a NUL, 'size' bytes together */
  BASE_FIELD_MAP   /* the same, names and values in turn */
};

struct base_field {
  struct base_field *next;
  const char *name; /* a literal */
  enum base_field_type type;
  double number;
  char *text; /* owned */
  size_t size;
};

struct base_error {
  enum base_kind kind;
  char code[56];
  char message[512];
  struct base_field *fields;   /* owned */
  struct base_error *attempts; /* owned: one for each address tried */
  struct base_error *next;     /* within 'attempts' */
};

const char *base_kind_name(enum base_kind kind);
const char *base_err_text(int err);

/*
** A new error; the caller owns it. Never NULL: without memory it is a shared,
** constant error that says so, on which the functions below do nothing.
** A message longer than its field is cut.
*/
struct base_error *base_error_new(enum base_kind kind, const char *code,
                                  const char *format, ...)
#if defined(__GNUC__)
  __attribute__((format(printf, 3, 4)))
#endif
  ;
struct base_error *base_error_from(int err); /* a row of the list */
void base_error_free(struct base_error *e);  /* NULL is fine */

/* Add a field; the text is copied. Without memory the field is left out. */
void base_error_text(struct base_error *e, const char *name, const char *text);
void base_error_number(struct base_error *e, const char *name, double number);
void base_error_list(struct base_error *e, const char *name,
                     enum base_field_type type, const char *items, size_t size);
/* Put 'attempt' behind the attempts of 'e', which owns it from here on. */
void base_error_attempt(struct base_error *e, struct base_error *attempt);

const struct base_field *base_error_field(const struct base_error *e,
                                          const char *name);

#endif
