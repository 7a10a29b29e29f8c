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
  char *path;         /* owned: of a local socket ("ws+unix:///run/x.sock", or
                         with a resource, "ws+unix:///run/x.sock:/a?b"); NULL
                         otherwise. The host is "localhost" then, the port 0
                         and as good as the default */
};

/*
** Parse the 'n' bytes at 's'. A host may be "*" (to listen; a client finds no
** such name). The path of a local socket is decoded; ":" and "?" in it must be
** percent-encoded. 0 or a negative enum base_err; on failure nothing is owned.
** Schemes are compared without case. With 'http_too' (what a server says),
** "http" and "https" are taken as "ws" and "wss", and "ws+unix" is refused.
*/
int ws_url_parse(struct ws_url *out, const char *s, size_t n, bool http_too);

/* Where to listen: the same without 'http_too', but a port may be 0. */
int ws_url_parse_listen(struct ws_url *out, const char *s, size_t n);

/*
** Resolve a reference (RFC 3986, 5.2; a Location header) against 'base'.
** Dot segments are removed. As ws_url_parse otherwise: a reference may lead
** away from a local socket, or elsewhere on the same, but not to another.
*/
int ws_url_resolve(struct ws_url *out, const struct ws_url *base,
                   const char *s, size_t n);
void ws_url_deinit(struct ws_url *u); /* zeroed memory is fine */

/*
** What belongs into a Host header: brackets around IPv6, the port unless it
** is the default; "localhost" for a local socket. Returns the length written,
** always less than 'size' if 'size' is at least 270.
*/
size_t ws_url_authority(const struct ws_url *u, char *out, size_t size);

/*
** Is it a host that is not empty, perhaps with a port, and nothing else (RFC
** 3986, 3.2; RFC 9110, 7.2)? By the grammar alone: it need be no name of DNS.
*/
bool ws_url_is_authority(const char *s, size_t n);

/* Same scheme, host and port (RFC 6454, 5), or the same local socket? */
bool ws_url_same_origin(const struct ws_url *a, const struct ws_url *b);

#endif
