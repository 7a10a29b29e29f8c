#include "net/local_private.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "net/address_private.h"

static const struct sockaddr *any(const struct sockaddr_un *un) {
  return (const struct sockaddr *)(const void *)un;
}

static bool same_file(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int new_socket(void) {
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Does it refuse a caller? One whose queue is full says EAGAIN, and one that
** is no stream EPROTOTYPE. */
static bool refuses(const struct sockaddr_un *un) {
  int fd = new_socket();
  bool yes;
  if (fd < 0)
    return false;
  yes = connect(fd, any(un), sizeof *un) != 0 && errno == ECONNREFUSED;
  (void)close(fd);
  return yes;
}

/* It must be what was asked that is removed: another process may be doing the
** same just now, and have put its own there. */
static bool remove_stale(const struct sockaddr_un *un) {
  struct stat before, now;
  return lstat(un->sun_path, &before) == 0 && S_ISSOCK(before.st_mode) &&
         refuses(un) && lstat(un->sun_path, &now) == 0 &&
         same_file(&before, &now) && unlink(un->sun_path) == 0;
}

static int bind_file(int fd, const struct sockaddr_un *un) {
  /* Where the file gets its mode from the socket, as on Linux. A caller needs
  ** leave to write. */
  (void)fchmod(fd, 0666);
  if (bind(fd, any(un), sizeof *un) == 0)
    return 0;
  if (errno != EADDRINUSE)
    return -errno;
  if (!remove_stale(un))
    return UV_EADDRINUSE;
  return bind(fd, any(un), sizeof *un) == 0 ? 0 : -errno;
}

/* What cannot be looked at will not be removed. */
static void remember(struct net_local *l) {
  struct stat st;
  if (lstat(l->path, &st) == 0) {
    l->dev = st.st_dev;
    l->ino = st.st_ino;
  }
}

static int open_file(struct net_local *l, int fd,
                     const struct sockaddr_un *un, int backlog) {
  int err = bind_file(fd, un);
  if (err != 0)
    return err;
  remember(l);
  return listen(fd, backlog) == 0 ? 0 : -errno;
}

int net_local_listen(struct net_local *out, int *fd, const char *path,
                     int backlog) {
  struct sockaddr_un un;
  int err = net_address_local(&un, path);
  memset(out, 0, sizeof *out);
  if (err != 0)
    return err;
  out->path = base_strdup(path);
  if (out->path == NULL)
    return UV_ENOMEM;
  *fd = new_socket();
  err = *fd >= 0 ? open_file(out, *fd, &un, backlog) : -errno;
  if (err != 0) {
    net_local_deinit(out);
    if (*fd >= 0)
      (void)close(*fd);
  }
  return err;
}

/* As long as the socket is open, its file's number goes to no other file. */
void net_local_deinit(struct net_local *l) {
  struct stat st;
  if (l->path != NULL && l->ino != 0 && lstat(l->path, &st) == 0 &&
      st.st_dev == l->dev && st.st_ino == l->ino)
    (void)unlink(l->path);
  base_free(l->path);
  memset(l, 0, sizeof *l);
}
