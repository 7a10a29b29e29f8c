/*
** What a user of Lua may hand to the module: an input becomes values of every
** type, which are given to all that takes options or arguments. The values, the
** rules of docs/reference.md and the judgement are Lua's (options.lua, and the
** folder of that name); here are a state for each input, what only C can make,
** and what must be gone when the state has closed.
*/
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <fcntl.h>

#include "base/mem.h"
#include "fuzz.h"
#include "oom/state.h"
#include "support/broken.h"
#include "support/forge.h"

enum { DESCRIPTORS = 64 };

double fuzz_limit_seconds = 3;

/* ---- what is held -------------------------------------------------------- */

static long live; /* blocks of csrc's */

static void *counted(void *p, size_t size) {
  void *q;
  if (size == 0) {
    live -= p != NULL;
    free(p);
    return NULL;
  }
  q = realloc(p, size);
  live += p == NULL && q != NULL;
  return q;
}

static uint64_t descriptors(void) {
  uint64_t open = 0;
  int fd;
  for (fd = 0; fd < DESCRIPTORS; fd++)
    if (fcntl(fd, F_GETFD) != -1)
      open |= (uint64_t)1 << fd;
  return open;
}

/* ---- what an input is worth ----------------------------------------------- */

/* To a fuzzer of C all values out of range look alike; to the rules not. */
#if defined(__clang__)
__attribute__((section("__libfuzzer_extra_counters")))
#endif
static uint8_t worth[8192];

/* note(text): this was seen. */
static int note(lua_State *L) {
  const char *s = luaL_checkstring(L, 1);
  uint32_t hash = 2166136261u; /* FNV-1a */
  for (; *s != '\0'; s++)
    hash = (hash ^ (uint8_t)*s) * 16777619u;
  worth[(hash ^ hash >> 13) % sizeof worth] = 1;
  return 0;
}

/* ---- a state ------------------------------------------------------------- */

static int full_userdata(lua_State *L) {
  (void)lua_newuserdatauv(L, 8, 1);
  return 1;
}

static void set_pem(lua_State *L, const char *name, const struct text *t) {
  lua_pushlstring(L, t->data, t->size);
  lua_setfield(L, -2, name);
}

static void push_pem(lua_State *L) {
  const struct forge *f = forge_get();
  static struct text root, middle, leaf, chain, key, other;
  if (root.data == NULL) {
    forge_pem(&root, f->root);
    forge_pem(&middle, f->middle);
    forge_pem(&leaf, f->leaf);
    forge_pem(&chain, f->leaf);
    forge_pem(&chain, f->middle);
    forge_pem_key(&key, f->keys[KEY_LEAF]);
    forge_pem_key(&other, f->keys[KEY_OTHER]);
  }
  lua_newtable(L);
  set_pem(L, "root", &root);
  set_pem(L, "middle", &middle);
  set_pem(L, "leaf", &leaf);
  set_pem(L, "chain", &chain);
  set_pem(L, "key", &key);
  set_pem(L, "other", &other);
}

/* What Lua cannot make. */
static void push_things(lua_State *L) {
  static int mark;
  lua_newtable(L);
  lua_pushcfunction(L, full_userdata);
  lua_setfield(L, -2, "full");
  lua_pushcfunction(L, note);
  lua_setfield(L, -2, "note");
  lua_pushlightuserdata(L, &mark);
  lua_setfield(L, -2, "light");
  push_pem(L);
  lua_setfield(L, -2, "pem");
}

/* Stack: the input. */
static int play(lua_State *L) {
  state_open(L, "lua/?.lua;lua/?/init.lua;spec/fuzz/?.lua");
  if (luaL_loadfile(L, "spec/fuzz/options.lua") != LUA_OK)
    return lua_error(L);
  push_things(L);
  lua_call(L, 1, 1);
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  if (getenv("FUZZ_SAYS") != NULL)
    (void)fprintf(stderr, "%s\n", lua_tostring(L, -1));
  return 0;
}

static void set_up(void) {
  base_mem_realloc_hook = counted;
  MUST(setenv("SSL_CERT_FILE", "/dev/null", 1) == 0);
  MUST(setenv("SSL_CERT_DIR", "/dev/null", 1) == 0);
  MUST(unsetenv("SSLKEYLOGFILE") == 0);
  (void)forge_get();
}

static double seconds(void) {
  return (double)clock() / CLOCKS_PER_SEC;
}

static void one_state(const uint8_t *data, size_t size) {
  lua_State *L = luaL_newstate();
  MUST(L != NULL);
  lua_pushcfunction(L, play);
  lua_pushlstring(L, (const char *)data, size);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK)
    MUST_OF(luaL_tolstring(L, -1, NULL), false);
  lua_close(L);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool ready;
  double start = seconds();
  uint64_t open;
  if (!ready) {
    set_up();
    one_state(data, size); /* what libraries make once */
    ready = true;
  }
  open = descriptors();
  live = 0;
  one_state(data, size);
  MUST(live == 0);
  MUST(descriptors() == open);
  MUST(seconds() - start < fuzz_limit_seconds);
  return 0;
}
