#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *plain_realloc(void *p, size_t size) {
  if (size == 0) {
    free(p);
    return NULL;
  }
  return realloc(p, size);
}

base_realloc_fn *base_mem_realloc_hook = plain_realloc;

void *base_malloc(size_t size) {
  return base_mem_realloc_hook(NULL, size != 0 ? size : 1);
}

void *base_calloc(size_t count, size_t size) {
  void *p;
  if (size != 0 && count > SIZE_MAX / size)
    return NULL;
  p = base_malloc(count * size);
  if (p != NULL)
    memset(p, 0, count * size);
  return p;
}

void *base_realloc(void *p, size_t size) {
  return base_mem_realloc_hook(p, size != 0 ? size : 1);
}

char *base_strndup(const char *s, size_t n) {
  char *copy = (char *)base_malloc(n + 1);
  if (copy != NULL) {
    if (n > 0)
      memcpy(copy, s, n);
    copy[n] = '\0';
  }
  return copy;
}

char *base_strdup(const char *s) {
  return base_strndup(s, strlen(s));
}

void base_free(void *p) {
  if (p != NULL)
    (void)base_mem_realloc_hook(p, 0);
}
