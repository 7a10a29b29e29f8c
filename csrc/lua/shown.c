#include "lua/shown.h"

#include "base/text.h"

enum { SHOWN_BYTES = 64 }; /* with a NUL */

const char *push_shown(lua_State *L, const char *s, size_t n) {
  char text[SHOWN_BYTES];
  base_text_clean(text, sizeof text, s, n, "");
  return lua_pushstring(L, text);
}

const char *push_shown_value(lua_State *L, int index) {
  size_t n;
  const char *s = lua_tolstring(L, index, &n);
  return push_shown(L, s, n);
}
