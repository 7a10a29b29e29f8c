/*
** The file of a local socket that listens.
*/
#ifndef NET_LOCAL_PRIVATE_H
#define NET_LOCAL_PRIVATE_H

#include "net/posix.h"

#include <sys/types.h>

enum { NET_LOCAL_SHOWN = 260 }; /* of its path in a sentence, with a NUL */

struct net_local {
  char *path; /* owned; NULL: there is no file */
  dev_t dev;  /* of the file that we made */
  ino_t ino;
};

/*
** A socket that listens at 'path': 0 and 'fd', or libuv's error. The file's
** mode is 0666 less the umask. A socket there that refuses callers, since
** nobody listens on it any more, is replaced; whatever else is there is
** UV_EADDRINUSE.
*/
int net_local_listen(struct net_local *out, int *fd, const char *path,
                     int backlog);

/* Remove the file if it is still the one that was made; before the socket is
** closed. Zeroed memory is fine. */
void net_local_deinit(struct net_local *l);

#endif
