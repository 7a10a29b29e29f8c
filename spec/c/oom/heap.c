#include "heap.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <uv.h>

#include "base/mem.h"

long heap_live[HEAP_KINDS];

static bool armed, refused, again;
static long asked, failing;
static enum heap_mode how;

void heap_arm(long nth, enum heap_mode mode) {
  asked = 0;
  failing = nth;
  how = mode;
  refused = again = armed = false;
}

void heap_go_on(void) {
  armed = true;
}

void heap_pause(void) {
  armed = false;
}

bool heap_refused(void) {
  return refused;
}

static bool refuse(void) {
  if (!armed)
    return false;
  asked++;
  if (failing == 0 || asked < failing || (asked > failing && how != HEAP_DRY))
    return false;
  refused = true;
  return true;
}

static void *resize(enum heap_kind kind, void *p, size_t size) {
  void *q;
  if (size == 0) {
    if (p != NULL)
      heap_live[kind]--;
    free(p);
    return NULL;
  }
  q = realloc(p, size);
  if (p == NULL && q != NULL)
    heap_live[kind]++;
  return q;
}

static void *base_hook(void *p, size_t size) {
  return size != 0 && refuse() ? NULL : resize(HEAP_BASE, p, size);
}

/* ---- Lua ---------------------------------------------------------------- */

/* What shrinks never fails (Lua relies on it). What is refused is asked for
** again after a collection. */
void *heap_lua(void *ud, void *p, size_t osize, size_t nsize) {
  (void)ud;
  if (nsize == 0)
    return resize(HEAP_LUA, p, 0);
  if (p == NULL || nsize > osize) {
    if (again) {
      again = false;
      if (armed && how == HEAP_ONCE)
        return NULL;
    } else if (refuse()) {
      again = how != HEAP_DRY;
      return NULL;
    }
  }
  return resize(HEAP_LUA, p, nsize);
}

/* ---- libuv -------------------------------------------------------------- */

static void *uv_malloc_hook(size_t size) {
  return refuse() ? NULL : resize(HEAP_UV, NULL, size != 0 ? size : 1);
}

static void *uv_calloc_hook(size_t count, size_t size) {
  void *p = uv_malloc_hook(count * size);
  if (p != NULL)
    memset(p, 0, count * size);
  return p;
}

/* Its one use here is the table of descriptors, for which libuv 1.44 calls
** abort where it cannot grow: nobody above could change that. */
static void *uv_realloc_hook(void *p, size_t size) {
  return resize(HEAP_UV, p, size);
}

static void uv_free_hook(void *p) {
  (void)resize(HEAP_UV, p, 0);
}

/* ---- OpenSSL ------------------------------------------------------------ */

static void *ssl_malloc_hook(size_t size, const char *file, int line) {
  (void)file;
  (void)line;
  if (size == 0 || refuse())
    return NULL;
  return resize(HEAP_SSL, NULL, size);
}

static void *ssl_realloc_hook(void *p, size_t size, const char *file,
                              int line) {
  (void)file;
  (void)line;
  if (size != 0 && refuse())
    return NULL;
  return resize(HEAP_SSL, p, size);
}

static void ssl_free_hook(void *p, const char *file, int line) {
  (void)file;
  (void)line;
  (void)resize(HEAP_SSL, p, 0);
}

void heap_install(void) {
  base_mem_realloc_hook = base_hook;
  if (uv_replace_allocator(uv_malloc_hook, uv_realloc_hook, uv_calloc_hook,
                           uv_free_hook) != 0 ||
      CRYPTO_set_mem_functions(ssl_malloc_hook, ssl_realloc_hook,
                               ssl_free_hook) != 1)
    abort();
}
