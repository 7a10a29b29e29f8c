/*
** A program's own input (a terminal, a pipe, a file) read in the loop, for
** the command. The descriptor stays as it is: it is shared with others, so
** that it is never made non-blocking, and it is not closed.
*/
#ifndef NET_INPUT_H
#define NET_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"

struct net_input;

/* Some bytes, in the loop's shared read buffer; 0 at the end (or an error,
** which reads as the end), after which nothing comes. */
typedef void net_input_fn(void *ctx, const uint8_t *data, size_t n);

/* NULL without memory. It reads nothing until it is resumed. */
struct net_input *net_input_new(struct net_loop *loop, int fd,
                                net_input_fn *fn, void *ctx);
void net_input_pause(struct net_input *in);
void net_input_resume(struct net_input *in);
void net_input_free(struct net_input *in); /* NULL is fine */

bool net_is_terminal(int fd);

#endif
