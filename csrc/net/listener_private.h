/*
** The accept of a listener, for tests to set: accept(2)'s contract.
*/
#ifndef NET_LISTENER_PRIVATE_H
#define NET_LISTENER_PRIVATE_H

#include "net/posix.h"

#include <sys/socket.h>

extern int (*net_listener_accept)(int fd, struct sockaddr *addr,
                                  socklen_t *size);

#endif
