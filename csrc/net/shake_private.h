/*
** What is said to a proxy before it is transparent: a machine over bytes, to
** be driven by net/dial.h.
*/
#ifndef NET_SHAKE_PRIVATE_H
#define NET_SHAKE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/dial.h"

/* "host:port", with brackets around an IPv6 address. */
#define NET_AUTHORITY_SIZE 272
void net_authority(char out[NET_AUTHORITY_SIZE], const char *host,
                   unsigned port);

enum net_shake_status { NET_SHAKE_MORE, NET_SHAKE_DONE, NET_SHAKE_FAILED };

struct net_shake {
  const struct net_proxy *proxy;
  const char *host; /* borrowed, as the proxy is */
  uint16_t port;
  struct base_buf out; /* to be sent and consumed by the caller */
  enum net_shake_status status;
  struct base_error *err; /* of a failure; owned until taken */
  int step;
  size_t total;      /* HTTP: bytes of the head so far */
  size_t line_bytes; /* HTTP: of the line, without CR */
  int http_status;   /* 0: no status line yet */
  size_t in_len, need;
  uint8_t in[264];   /* HTTP: the status line; SOCKS: the answer */
};

/* Begin; 'status' may be a failure at once. */
void net_shake_init(struct net_shake *k, const struct net_proxy *proxy,
                    const char *host, uint16_t port);
void net_shake_deinit(struct net_shake *k); /* zeroed memory is fine */

/*
** Bytes from the proxy. Returns how many belong to its answer: all of them
** while there is more to come, and none behind its end.
*/
size_t net_shake_feed(struct net_shake *k, const uint8_t *data, size_t n);

/* The proxy hung up (0), or the connection broke: a failure. */
void net_shake_end(struct net_shake *k, int uv_err);

#endif
