#include "support/ledger.h"

#include <stdlib.h>

#include <malloc.h>

#include <openssl/crypto.h>

#include "support/broken.h"

size_t ledger_live, ledger_most;

static void heap_add(const void *p) {
  if (p != NULL)
    ledger_live += malloc_usable_size((void *)p);
  if (ledger_live > ledger_most)
    ledger_most = ledger_live;
}

static void *heap_malloc(size_t n, const char *file, int line) {
  void *p = n > 0 ? malloc(n) : NULL;
  (void)file;
  (void)line;
  heap_add(p);
  return p;
}

static void heap_free(void *p, const char *file, int line) {
  (void)file;
  (void)line;
  if (p != NULL)
    ledger_live -= malloc_usable_size(p);
  free(p);
}

static void *heap_realloc(void *p, size_t n, const char *file, int line) {
  size_t old = p != NULL ? malloc_usable_size(p) : 0;
  void *q;
  if (n == 0) {
    heap_free(p, file, line);
    return NULL;
  }
  q = realloc(p, n);
  if (q != NULL) {
    ledger_live -= old;
    heap_add(q);
  }
  return q;
}

void ledger_install(void) {
  MUST(CRYPTO_set_mem_functions(heap_malloc, heap_realloc, heap_free) == 1);
}
