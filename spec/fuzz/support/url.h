/*
** URLs once more, by other means than ws/url: POSIX regular expressions of the
** grammar in RFC 3986, inet_pton for addresses, and the steps of RFC 3986, 5.2,
** as they stand there.
*/
#ifndef FUZZ_URL_H
#define FUZZ_URL_H

#include <stdbool.h>
#include <stddef.h>

enum url_purpose { URL_DIAL, URL_REDIRECT, URL_LISTEN };

struct url_parts {
  bool secure, is_ip, default_port;
  unsigned port;
  char host[260];
  char resource[8400];
  char path[120]; /* of a local socket; "" otherwise */
};

/* Is it a URL for that purpose? '*out' has its parts then. No NUL within. */
bool url_parts_of(struct url_parts *out, const char *s,
                  enum url_purpose purpose);

/* The same of a reference, seen from 'base', for a redirect. */
bool url_parts_from(struct url_parts *out, const struct url_parts *base,
                    const char *reference);

#endif
