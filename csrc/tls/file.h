/*
** The files that options name. Private to this floor.
*/
#ifndef TLS_FILE_H
#define TLS_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* An error of kind io for errno 'err': "cannot <verb> <path>: why". */
struct base_error *tls_file_error(const char *verb, const char *path,
                                  int err);

/*
** The whole file, with a NUL behind it; wipe and free it with tls_file_free.
** NULL or the error, which the caller owns.
*/
struct base_error *tls_file_read(const char *path, char **data, size_t *size);
void tls_file_free(char *data, size_t size); /* NULL is fine */

bool tls_file_is_folder(const char *path);

/*
** Call 'visit' with the path of every regular file in a folder, whatever it
** is called, hidden ones excepted. Ends at the first error, and returns it.
*/
typedef struct base_error *tls_file_visit(void *ctx, const char *path);
struct base_error *tls_file_each(const char *folder, tls_file_visit *visit,
                                 void *ctx);

/*
** A key log (NSS format): opened for appending, readable for its owner only,
** so that lines of several processes do not mix. A descriptor, or -1 with
** errno.
*/
int tls_file_log_open(const char *path);
void tls_file_log_line(int fd, const char *line);
void tls_file_log_close(int fd); /* -1 is fine */

/* The value of an environment variable, NULL in a set-user-id program. */
const char *tls_file_env(const char *name);

#endif
