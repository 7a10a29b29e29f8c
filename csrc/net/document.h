/*
** A file below a folder, for the command's static pages: nothing else is
** opened, whatever links there are and whatever kind of thing lies there.
*/
#ifndef NET_DOCUMENT_H
#define NET_DOCUMENT_H

#include <stddef.h>
#include <stdio.h>

/*
** Open 'path', relative to 'root', for reading. Links are followed as long as
** they lead to something below 'root'. NULL and a negative number as
** net_error_name takes it: ENOENT, EACCES, EISDIR, EXDEV (it leads out), EINVAL
** (no file: a device, a socket, …), EFBIG (more than 'most' bytes), or others
** of open(2). Blocks for as long as the file system does.
*/
FILE *net_document_open(const char *root, const char *path, size_t most,
                        int *err);

#endif
