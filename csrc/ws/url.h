/*
** WebSocket URLs (RFC 6455, 3; RFC 3986). Strict: what is not a URL by the
** grammar is refused, nothing is repaired.
*/
#ifndef WS_URL_H
#define WS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ws_url {
  bool secure;        /* wss */
  bool is_ip;         /* the host is an address, not a name */
  uint16_t port;      /* the scheme's default where none is written */
  bool default_port;
  char host[256];     /* lower case; an IPv6 address without its brackets;
                         one trailing dot is kept */
  char *resource;     /* owned: path and query, "/" at least (RFC 6455, 3) */
};

/*
** Parse the 'n' bytes at 's'. 0 or a negative enum base_err; on failure
** nothing is owned. Schemes are compared without case. "http" and "https"
** are taken as "ws" and "wss" only if 'http_too' (redirects).
*/
int ws_url_parse(struct ws_url *out, const char *s, size_t n, bool http_too);

/*
** Resolve a reference (RFC 3986, 5.2; a Location header) against 'base'.
** Dot segments are removed. As ws_url_parse otherwise.
*/
int ws_url_resolve(struct ws_url *out, const struct ws_url *base,
                   const char *s, size_t n);
void ws_url_deinit(struct ws_url *u); /* zeroed memory is fine */

/*
** What belongs into a Host header: brackets around IPv6, the port unless it
** is the default. Returns the length written, always less than 'size' if
** 'size' is at least 270.
*/
size_t ws_url_authority(const struct ws_url *u, char *out, size_t size);

/* Same scheme, host and port (RFC 6454, 5)? */
bool ws_url_same_origin(const struct ws_url *a, const struct ws_url *b);

#endif
