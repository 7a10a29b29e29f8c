/*
** Addresses of sockets, and their text.
*/
#ifndef NET_ADDRESS_PRIVATE_H
#define NET_ADDRESS_PRIVATE_H

#include "net/posix.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

union net_endpoint {
  struct sockaddr any;
  struct sockaddr_in in4;
  struct sockaddr_in6 in6;
};

/* From an address as text: its family, or 0 if it is none. */
int net_endpoint_parse(union net_endpoint *out, const char *text,
                       uint16_t port);

/* From a resolver's answer; false if it is of no family known here. */
bool net_endpoint_take(union net_endpoint *out, const struct sockaddr *addr,
                       size_t size);
void net_endpoint_set_port(union net_endpoint *e, uint16_t port);
bool net_endpoint_equal(const union net_endpoint *a,
                        const union net_endpoint *b);

/* "::ffff:192.0.2.1" becomes "192.0.2.1"; everything else stays. */
void net_endpoint_unmap(union net_endpoint *e);

/* bind's and connect's: how much of the struct counts. */
socklen_t net_address_size(const struct sockaddr *addr);

/* "127.0.0.1" or "::1", and the port; "" and 0 of a local socket. */
void net_address(const struct sockaddr *addr, char ip[64], int *port);

/* The address of a local socket: 0, UV_ENOENT (an empty path) or
** UV_ENAMETOOLONG. */
int net_address_local(struct sockaddr_un *out, const char *path);

#endif
