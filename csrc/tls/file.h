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
bool tls_file_is_there(const char *path); /* whatever it is; a link too */
struct base_error *tls_file_make_folder(const char *path); /* or it is one */

/*
** Write a file whole or not at all: stage writes it to 'part', a name beside
** its own (readable for its owner only if 'secret'), commit puts it into its
** place, unstage removes it instead. A file that is there already is an error
** of code EEXIST unless commit is told to replace it; what is at 'part' goes.
** NULL or the error; after a failure of commit it is still staged.
*/
struct base_error *tls_file_stage(const char *part, const void *data, size_t n,
                                  bool secret);
struct base_error *tls_file_commit(const char *part, const char *path,
                                   bool replace);
void tls_file_unstage(const char *part);
struct base_error *tls_file_exists(const char *path); /* that error */

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
