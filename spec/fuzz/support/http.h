/*
** Heads of HTTP/1.1 once more, by other means than ws/head: all of it is
** there, and is read from its front as the grammar has it (RFC 9112, 2 to 5).
*/
#ifndef FUZZ_HTTP_H
#define FUZZ_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/blob.h"

enum { HTTP_FIELDS = 128 }; /* no head has more */

struct http_field {
  char *name, *value; /* owned */
};

struct http {
  int err;       /* 0, or what is wrong */
  size_t at;     /* bytes in front of the wrong one; of a whole head, its own */
  bool whole;    /* what follows is there only then */
  bool request;
  int minor, status;
  char *method, *target, *authority, *reason; /* owned; NULL if there is none */
  size_t count;
  struct http_field fields[HTTP_FIELDS];
};

/* Of the bytes 'limit' may belong to the head. */
void http_read(struct http *out, const uint8_t *in, size_t n, bool request,
               size_t limit);
void http_free(struct http *h);

/* The only field of that name; NULL if there is none, or several. */
const char *http_only(const struct http *h, const char *name);
size_t http_count(const struct http *h, const char *name);
/* Is the word, in lower case, in a list of that name? */
bool http_lists(const struct http *h, const char *name, const char *word);

/* All fields of one name, joined; with a NUL behind it. */
void http_join(struct blob *out, const struct http *h, const char *name);
bool http_is_first(const struct http *h, size_t field); /* of its name */

bool http_is_token(const char *s, size_t n);
/* What Retry-After says at that time, -1 if it says nothing. */
double http_retry_after(const struct http *h, double now);

#endif
