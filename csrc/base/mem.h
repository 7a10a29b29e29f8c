/*
** The one door to the heap. Everything that this project allocates in C
** passes here, so that a test can make the n-th allocation fail.
*/
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/*
** Behave as realloc and free do: NULL grows from nothing, a size of 0 frees.
** Replace it before the first use and never while threads run.
*/
typedef void *base_realloc_fn(void *p, size_t size);
extern base_realloc_fn *base_mem_realloc_hook;

/* NULL when there is no memory; free with base_free. */
void *base_malloc(size_t size);
void *base_calloc(size_t count, size_t size);
void *base_realloc(void *p, size_t size);

/* A copy of the 'n' bytes at 's', with a NUL behind them. */
char *base_strndup(const char *s, size_t n);
char *base_strdup(const char *s);

void base_free(void *p); /* NULL is fine */

#endif
