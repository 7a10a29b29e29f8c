#define _POSIX_C_SOURCE 200809L

#include "tls/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/mem.h"
#include "tls/text.h"

enum {
  MOST_BYTES = 16 * 1024 * 1024, /* nobody's bundle is larger */
  FIRST_BYTES = 4096,
  LINE_BYTES = 512 /* the longest of RFC 9850's lines has 340 */
};

static const struct {
  int err;
  const char *name, *text;
} errors[] = {
  {ENOENT, "ENOENT", "there is no such file or folder"},
  {EACCES, "EACCES", "permission denied"},
  {EPERM, "EPERM", "not permitted"},
  {EISDIR, "EISDIR", "it is a folder"},
  {EEXIST, "EEXIST", "it is there already"},
  {ENOTDIR, "ENOTDIR", "a part of its path is not a folder"},
  {ELOOP, "ELOOP", "too many symbolic links"},
  {ENAMETOOLONG, "ENAMETOOLONG", "its name is too long"},
  {EMFILE, "EMFILE", "this process has too many open files"},
  {ENFILE, "ENFILE", "the system has too many open files"},
  {ENOSPC, "ENOSPC", "there is no space left"},
  {EROFS, "EROFS", "the file system is read-only"},
  {EFBIG, "EFBIG", "it is too large"},
  {ENXIO, "ENXIO", "there is no such device"},
  {ENODEV, "ENODEV", "there is no such device"},
  {ETXTBSY, "ETXTBSY", "it is being executed"},
  {EINVAL, "EINVAL", "it cannot be opened in this way"},
  {EINTR, "EINTR", "interrupted"},
  {EIO, "EIO", "an input or output error"},
};

struct base_error *tls_file_error(const char *verb, const char *path,
                                  int err) {
  char number[16], shown[TLS_TEXT_PATH];
  const char *name = number, *text = "the system refused";
  struct base_error *e;
  size_t i;
  if (err == ENOMEM)
    return base_error_from(BASE_ERR_MEMORY);
  (void)snprintf(number, sizeof number, "E%d", err);
  for (i = 0; i < sizeof errors / sizeof errors[0]; i++)
    if (errors[i].err == err) {
      name = errors[i].name;
      text = errors[i].text;
    }
  tls_text_clean(shown, sizeof shown, path, strlen(path), false);
  e = base_error_new(BASE_KIND_IO, name, "cannot %s \"%s\": %s (%s)", verb,
                     shown, text, name);
  base_error_text(e, "path", path);
  return e;
}

/* Grow by hand, not by realloc: what moves may be a key, and is wiped. */
static char *larger(char *data, size_t used, size_t cap, size_t more) {
  char *fresh = (char *)base_malloc(more);
  if (fresh != NULL && used > 0)
    memcpy(fresh, data, used);
  tls_file_free(data, cap);
  return fresh;
}

/* 0 or an errno. A pipe has no size in advance, so none is asked for. */
static int slurp(int fd, char **data, size_t *size) {
  char *mem = NULL;
  size_t used = 0, cap = 0;
  int err = 0;
  for (;;) {
    ssize_t n;
    if (used + 1 >= cap) {
      size_t more = cap == 0 ? FIRST_BYTES : cap * 2;
      mem = more > MOST_BYTES ? NULL : larger(mem, used, cap, more);
      if (mem == NULL) {
        err = more > MOST_BYTES ? EFBIG : ENOMEM;
        break;
      }
      cap = more;
    }
    n = read(fd, mem + used, cap - used - 1);
    if (n == 0)
      break;
    if (n < 0 && errno != EINTR) {
      err = errno;
      break;
    }
    if (n > 0)
      used += (size_t)n;
  }
  if (err != 0) {
    tls_file_free(mem, cap);
    return err;
  }
  mem[used] = '\0';
  *data = mem;
  *size = used;
  return 0;
}

struct base_error *tls_file_read(const char *path, char **data, size_t *size) {
  int err, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0)
    return tls_file_error("read", path, errno);
  err = slurp(fd, data, size);
  (void)close(fd);
  return err != 0 ? tls_file_error("read", path, err) : NULL;
}

void tls_file_free(char *data, size_t size) {
  if (data != NULL)
    OPENSSL_cleanse(data, size);
  base_free(data);
}

bool tls_file_is_folder(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A link that leads nowhere is what c_rehash leaves behind: no file. */
static struct base_error *visit_one(const char *folder, const char *name,
                                    tls_file_visit *visit, void *ctx) {
  struct base_error *err = NULL;
  struct stat st;
  size_t n = strlen(folder) + strlen(name) + 2;
  char *path = (char *)base_malloc(n);
  if (path == NULL)
    return base_error_from(BASE_ERR_MEMORY);
  (void)snprintf(path, n, "%s/%s", folder, name);
  if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
    err = visit(ctx, path);
  base_free(path);
  return err;
}

struct base_error *tls_file_each(const char *folder, tls_file_visit *visit,
                                 void *ctx) {
  struct base_error *err = NULL;
  struct dirent *entry;
  DIR *d = opendir(folder);
  if (d == NULL)
    return tls_file_error("read", folder, errno);
  while (err == NULL) {
    errno = 0;
    entry = readdir(d);
    if (entry == NULL) {
      if (errno != 0)
        err = tls_file_error("read", folder, errno);
      break;
    }
    if (entry->d_name[0] != '.')
      err = visit_one(folder, entry->d_name, visit, ctx);
  }
  (void)closedir(d);
  return err;
}

int tls_file_log_open(const char *path) {
  return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
              S_IRUSR | S_IWUSR);
}

/* One write, so that a line stays whole among those of other processes. */
void tls_file_log_line(int fd, const char *line) {
  char whole[LINE_BYTES];
  int n = snprintf(whole, sizeof whole, "%s\n", line);
  ssize_t done;
  if (n <= 0 || (size_t)n >= sizeof whole)
    return;
  do
    done = write(fd, whole, (size_t)n);
  while (done < 0 && errno == EINTR);
  OPENSSL_cleanse(whole, sizeof whole);
}

void tls_file_log_close(int fd) {
  if (fd >= 0)
    (void)close(fd);
}

const char *tls_file_env(const char *name) {
  const char *value;
  if (getuid() != geteuid() || getgid() != getegid())
    return NULL;
  value = getenv(name);
  return value != NULL && value[0] != '\0' ? value : NULL;
}
