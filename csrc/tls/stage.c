#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tls/file.h"

bool tls_file_is_there(const char *path) {
  struct stat st;
  return lstat(path, &st) == 0;
}

struct base_error *tls_file_exists(const char *path) {
  return tls_file_error("write", path, EEXIST);
}

struct base_error *tls_file_make_folder(const char *path) {
  if (mkdir(path, S_IRWXU | S_IRGRP | S_IXGRP | S_IROTH | S_IXOTH) == 0 ||
      (errno == EEXIST && tls_file_is_folder(path)))
    return NULL;
  return tls_file_error("make the folder", path, errno);
}

/* 0 or an errno. */
static int write_all(int fd, const char *data, size_t n) {
  while (n > 0) {
    ssize_t done = write(fd, data, n);
    if (done < 0 && errno != EINTR)
      return errno;
    if (done > 0) {
      data += done;
      n -= (size_t)done;
    }
  }
  return fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
}

/* What an earlier run left behind when it was killed is in nobody's way. */
struct base_error *tls_file_stage(const char *part, const void *data, size_t n,
                                  bool secret) {
  mode_t mode = S_IRUSR | S_IWUSR;
  int fd, err;
  if (!secret)
    mode |= S_IRGRP | S_IROTH;
  (void)unlink(part);
  fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, mode);
  if (fd < 0) {
    err = errno;
  } else {
    err = write_all(fd, (const char *)data, n);
    if (close(fd) != 0 && err == 0)
      err = errno;
    if (err != 0)
      (void)unlink(part);
  }
  return err != 0 ? tls_file_error("write", part, err) : NULL;
}

/* A link is made only where nothing is; a renaming replaces. */
struct base_error *tls_file_commit(const char *part, const char *path,
                                   bool replace) {
  if ((replace ? rename(part, path) : link(part, path)) != 0)
    return tls_file_error("write", path, errno);
  if (!replace)
    (void)unlink(part);
  return NULL;
}

void tls_file_unstage(const char *part) {
  (void)unlink(part);
}
