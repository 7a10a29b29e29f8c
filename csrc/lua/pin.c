#include "lua/pin.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

struct pin {
  struct engine_item item; /* first */
  struct binding *b;
  struct pin *next; /* of those kept */
  int ref;          /* the string, or a pair of the string and the function */
  bool has_done;
};

/* Pins of messages that were sent are kept, each with its place in the
** registry, so that the next small message costs neither malloc nor luaL_ref.
** A tool that looks for what is used too late must see each one freed. */
#if defined(UVWSS_GC_STRESS) || defined(UVWSS_TEST_NO_PIN) || \
  defined(__SANITIZE_ADDRESS__)
static const size_t kept_max = 0;
#else
static const size_t kept_max = 1024;
#endif

static struct pin *pin_of(struct base_blob *b) {
  return (struct pin *)(void *)((char *)b -
                                offsetof(struct engine_item, blob));
}

static void count(struct pin *p) {
  p->b->engine->ledger.pinned_strings++;
  p->b->engine->ledger.pinned_bytes += p->item.blob.len;
}

static void uncount(struct pin *p) {
  struct binding *b = p->b;
  if (b->engine != NULL) {
    b->engine->ledger.pinned_strings--;
    b->engine->ledger.pinned_bytes -= p->item.blob.len;
  }
}

/* ---- those kept ----------------------------------------------------------- */

/* Its string is free now. Raises nothing: the place exists. */
static bool keep(struct pin *p) {
  struct binding *b = p->b;
  if (b->closing || b->pins_kept >= kept_max)
    return false;
  lua_pushboolean(b->L, 0);
  lua_rawseti(b->L, LUA_REGISTRYINDEX, p->ref);
  b->references--;
  p->next = b->pins;
  b->pins = p;
  b->pins_kept++;
  return true;
}

/* One that was kept, with the string at 'data', or NULL. */
static struct pin *take_kept(struct binding *b, lua_State *L, int data) {
  struct pin *p = b->pins;
  if (p == NULL)
    return NULL;
  b->pins = p->next;
  b->pins_kept--;
  lua_pushvalue(L, data);
  lua_rawseti(L, LUA_REGISTRYINDEX, p->ref);
  b->references++;
  return p;
}

void pin_free_kept(struct binding *b) {
  while (b->pins != NULL) {
    struct pin *p = b->pins;
    b->pins = p->next;
    base_free(p);
  }
  b->pins_kept = 0;
}

/* ---- the end of one ------------------------------------------------------- */

static const char *const outcomes[] = {"written", "unsent", "partial"};

struct done {
  int ref;
  enum base_outcome how;
};

static void push_outcome_error(lua_State *L, enum base_outcome how) {
  struct base_error e;
  memset(&e, 0, sizeof e);
  e.kind = BASE_KIND_CLOSED;
  (void)snprintf(e.code, sizeof e.code, "%s", outcomes[how]);
  (void)snprintf(e.message, sizeof e.message,
                 "the connection ended %s of the message was sent",
                 how == BASE_UNSENT ? "before any" : "when only a part");
  push_error(L, &e);
}

/* done(err, outcome). */
static int call_done(lua_State *L) {
  const struct done *d = (const struct done *)lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, d->ref);
  lua_rawgeti(L, -1, 2);
  if (d->how == BASE_WRITTEN)
    lua_pushnil(L);
  else
    push_outcome_error(L, d->how);
  lua_pushstring(L, outcomes[d->how]);
  lua_call(L, 2, 0);
  return 0;
}

/* Whoever called is told last, when nothing of the pin is left but the
** reference that holds the function. */
static void release(struct base_blob *blob, enum base_outcome how) {
  struct pin *p = pin_of(blob);
  struct binding *b = p->b;
  bool has_done = p->has_done;
  struct done d;
  d.ref = p->ref;
  d.how = how;
  uncount(p);
  if (!has_done && keep(p))
    return;
  base_free(p);
  if (has_done)
    (void)binding_call(b, call_done, &d, LUA_NOREF);
  binding_unref(b, d.ref);
}

/* ---- pinning -------------------------------------------------------------- */

/* The string, or it and the function, in the registry. */
static int hold(struct binding *b, lua_State *L, int data, int done) {
  int ref = LUA_NOREF;
  (void)data;
  if (done != 0) {
    lua_createtable(L, 2, 0);
#if !defined(UVWSS_TEST_NO_PIN)
    lua_pushvalue(L, data);
    lua_rawseti(L, -2, 1);
#endif
    lua_pushvalue(L, done);
    lua_rawseti(L, -2, 2);
    ref = binding_ref(b, L);
  } else {
#if !defined(UVWSS_TEST_NO_PIN)
    lua_pushvalue(L, data);
    ref = binding_ref(b, L);
#endif
  }
  return ref;
}

static struct pin *make(struct binding *b, lua_State *L, int data, int done) {
  int ref = hold(b, L, data, done);
  struct pin *p = (struct pin *)base_malloc(sizeof *p);
  if (p == NULL) {
    binding_unref(b, ref);
    luaL_error(L, "not enough memory");
    return NULL; /* not reached */
  }
  p->b = b;
  p->ref = ref;
  return p;
}

struct engine_item *pin_new(struct binding *b, lua_State *L, int data,
                            int done, bool text) {
  struct pin *p = done == 0 ? take_kept(b, L, data) : NULL;
  size_t n;
  const char *s = lua_tolstring(L, data, &n);
  if (p == NULL)
    p = make(b, L, data, done);
  memset(&p->item, 0, sizeof p->item);
  p->has_done = done != 0;
  p->item.opcode = text ? WS_TEXT : WS_BINARY;
  p->item.blob.data = (const uint8_t *)s;
  p->item.blob.len = n;
  p->item.blob.release = release;
  count(p);
  return &p->item;
}

void pin_discard(struct engine_item *item) {
  struct pin *p = pin_of(&item->blob);
  uncount(p);
  if (!p->has_done && keep(p))
    return;
  binding_unref(p->b, p->ref);
  base_free(p);
}
