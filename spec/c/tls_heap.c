#define _POSIX_C_SOURCE 200809L

#include "tls_heap.h"

#include <stddef.h>
#include <stdlib.h>

#include <malloc.h>

#include <openssl/crypto.h>

#include "base/mem.h"
#include "tls_support.h"

long tls_heap_countdown = -1;
long tls_heap_blocks;
long tls_heap_ssl_bytes;

static bool fails(void) {
  return line_in_client && tls_heap_countdown >= 0 && tls_heap_countdown-- == 0;
}

static void *counted(void *p) {
  tls_heap_ssl_bytes += (long)malloc_usable_size(p);
  return p;
}

static void *ssl_malloc(size_t n, const char *file, int line) {
  (void)file;
  (void)line;
  return fails() ? NULL : counted(malloc(n));
}

static void ssl_free(void *p, const char *file, int line) {
  (void)file;
  (void)line;
  tls_heap_ssl_bytes -= (long)malloc_usable_size(p);
  free(p);
}

static void *ssl_realloc(void *p, size_t n, const char *file, int line) {
  long before = (long)malloc_usable_size(p);
  void *fresh;
  if (n == 0) {
    ssl_free(p, file, line);
    return NULL;
  }
  fresh = fails() ? NULL : realloc(p, n);
  if (fresh == NULL)
    return NULL;
  tls_heap_ssl_bytes -= before;
  return counted(fresh);
}

static void *base_hook(void *p, size_t n) {
  void *fresh;
  if (n == 0) {
    free(p);
    tls_heap_blocks--;
    return NULL;
  }
  if (fails())
    return NULL;
  fresh = realloc(p, n);
  if (p == NULL && fresh != NULL)
    tls_heap_blocks++;
  return fresh;
}

bool tls_heap_take(void) {
  base_mem_realloc_hook = base_hook;
  return CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free) == 1;
}

long tls_heap_step(long step) {
  const char *text = getenv("UVWSS_STEP");
  if (text != NULL)
    step = atol(text);
  return step > 0 ? step : 1;
}
