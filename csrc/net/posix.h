/*
** Included before anything else where sockets or libuv are used: strict C11
** hides both.
*/
#ifndef NET_POSIX_H
#define NET_POSIX_H

#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE 1
#endif

#endif
