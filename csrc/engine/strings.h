/*
** A list of strings of which somebody is the owner.
*/
#ifndef ENGINE_STRINGS_H
#define ENGINE_STRINGS_H

#include <stdbool.h>
#include <stddef.h>

struct engine_strings {
  char **items; /* owned */
  size_t count;
};

/* A copy of 'n' bytes becomes the last one; false without memory. */
bool engine_strings_add(struct engine_strings *list, const char *s, size_t n);
void engine_strings_deinit(struct engine_strings *list); /* zeros are fine */

#endif
