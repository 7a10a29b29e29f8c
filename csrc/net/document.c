#include "net/posix.h"

#include "net/document.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Both have no links and no dots in them. "/" is above everything. */
static bool is_below(const char *root, const char *path) {
  size_t n = strlen(root);
  return strncmp(root, path, n) == 0 &&
         (n == 1 || path[n] == '/' || path[n] == '\0');
}

/* The real path, or errno. */
static int resolve(const char *root, const char *path, char out[PATH_MAX]) {
  char whole[PATH_MAX], real_root[PATH_MAX];
  int n = snprintf(whole, sizeof whole, "%s/%s", root, path);
  if (n < 0 || (size_t)n >= sizeof whole)
    return ENAMETOOLONG;
  if (realpath(root, real_root) == NULL || realpath(whole, out) == NULL)
    return errno;
  return is_below(real_root, out) ? 0 : EXDEV;
}

/* 0, or what is wrong with what was opened. */
static int examine(int fd, size_t most) {
  struct stat st;
  if (fstat(fd, &st) != 0)
    return errno;
  if (S_ISDIR(st.st_mode))
    return EISDIR;
  if (!S_ISREG(st.st_mode))
    return EINVAL;
  return st.st_size < 0 || (uintmax_t)st.st_size > most ? EFBIG : 0;
}

FILE *net_document_open(const char *root, const char *path, size_t most,
                        int *err) {
  char real[PATH_MAX];
  FILE *f = NULL;
  int fd, e = resolve(root, path, real);
  if (e != 0) {
    *err = -e;
    return NULL;
  }
  /* Without waiting for the other end of a FIFO. */
  fd = open(real, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) {
    *err = -errno;
    return NULL;
  }
  e = examine(fd, most);
  if (e == 0) {
    f = fdopen(fd, "rb");
    if (f == NULL)
      e = errno;
  }
  if (f == NULL) {
    (void)close(fd);
    *err = -e;
  }
  return f;
}
