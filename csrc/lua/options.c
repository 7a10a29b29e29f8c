#include "lua/options.h"

#include <limits.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "engine/facade.h"
#include "lua/binding.h"
#include "lua/handlers.h"
#include "lua/server.h"
#include "lua/shown.h"

/* ---- names -------------------------------------------------------------- */

enum { NAME_MAX_ = 32 };

/* Levenshtein's distance; names longer than NAME_MAX_ are far from all. */
static size_t distance(const char *a, const char *b) {
  size_t row[NAME_MAX_ + 1], m = strlen(a), n = strlen(b), i, j;
  if (m > NAME_MAX_ || n > NAME_MAX_)
    return NAME_MAX_;
  for (j = 0; j <= n; j++)
    row[j] = j;
  for (i = 1; i <= m; i++) {
    size_t corner = row[0];
    row[0] = i;
    for (j = 1; j <= n; j++) {
      size_t best = corner + (a[i - 1] != b[j - 1]);
      corner = row[j];
      if (row[j] + 1 < best)
        best = row[j] + 1;
      if (row[j - 1] + 1 < best)
        best = row[j - 1] + 1;
      row[j] = best;
    }
  }
  return row[n];
}

/* The name is on top. */
static void unknown(lua_State *L, const char *const *names) {
  const char *name = lua_tostring(L, -1), *nearest = NULL;
  size_t best = 3; /* further away is no slip of the finger */
  for (; *names != NULL; names++) {
    size_t d = distance(name, *names);
    if (d < best) {
      best = d;
      nearest = *names;
    }
  }
  name = push_shown_value(L, -1);
  if (nearest != NULL)
    luaL_error(L, "unknown option '%s' (did you mean '%s'?)", name, nearest);
  else
    luaL_error(L, "unknown option '%s'", name);
}

/* A name has no NUL byte, so that what follows one must not be lost. */
static bool is_among(lua_State *L, const char *const *names) {
  size_t n;
  const char *name = lua_tolstring(L, -1, &n);
  while (*names != NULL && strcmp(*names, name) != 0)
    names++;
  return *names != NULL && strlen(name) == n;
}

void options_check(lua_State *L, int index, const char *const *names) {
  luaL_checktype(L, index, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      luaL_error(L, "options have names; found a key that is a %s",
                 luaL_typename(L, -1));
    if (!is_among(L, names))
      unknown(L, names);
  }
}

/* ---- values ------------------------------------------------------------- */

void options_wrong_type(lua_State *L, const char *name, const char *wanted) {
  luaL_error(L, "option '%s': %s expected, got %s", name, wanted,
             luaL_typename(L, -1));
}

bool options_boolean(lua_State *L, int index, const char *name,
                     bool otherwise) {
  lua_getfield(L, index, name);
  if (lua_isboolean(L, -1))
    otherwise = lua_toboolean(L, -1);
  else if (!lua_isnil(L, -1))
    options_wrong_type(L, name, "boolean");
  lua_pop(L, 1);
  return otherwise;
}

size_t options_size(lua_State *L, int index, const char *name,
                    size_t otherwise) {
  int exact;
  lua_Integer n;
  lua_getfield(L, index, name);
  if (!lua_isnil(L, -1)) {
    if (lua_type(L, -1) != LUA_TNUMBER)
      options_wrong_type(L, name, "number");
    n = lua_tointegerx(L, -1, &exact);
    if (!exact || n < 0 || n > LLONG_MAX / 4)
      luaL_error(L, "option '%s': a whole number that is not negative "
                    "expected, got %s",
                 name, luaL_tolstring(L, -1, NULL));
    otherwise = (size_t)n;
  }
  lua_pop(L, 1);
  return otherwise;
}

unsigned options_count(lua_State *L, int index, const char *name,
                      unsigned otherwise, unsigned most) {
  size_t n = options_size(L, index, name, otherwise);
  if (n > most)
    luaL_error(L, "option '%s': at most %d", name, (int)most);
  return (unsigned)n;
}

uint32_t options_time(lua_State *L, int index, const char *name,
                      uint32_t otherwise_ms, bool none_too) {
  lua_getfield(L, index, name);
  if (none_too && lua_isboolean(L, -1) && !lua_toboolean(L, -1)) {
    otherwise_ms = 0;
  } else if (!lua_isnil(L, -1)) {
    lua_Number s = lua_tonumber(L, -1);
    if (lua_type(L, -1) != LUA_TNUMBER)
      options_wrong_type(L, name, "number of seconds");
    if (!(s >= 0 && s <= 4e6) || (s <= 0 && !none_too))
      luaL_error(L, "option '%s': seconds from %s to 4000000 expected, got %s",
                 name, none_too ? "0" : "more than 0",
                 luaL_tolstring(L, -1, NULL));
    otherwise_ms = (uint32_t)(s * 1000.0 + 0.999);
    if (otherwise_ms == 0 && s > 0) /* none is what 0 says */
      otherwise_ms = 1;
  }
  lua_pop(L, 1);
  return otherwise_ms;
}

const char *options_string(lua_State *L, int index, const char *name) {
  const char *s;
  size_t n;
  luaL_checkstack(L, 4, NULL);
  lua_getfield(L, index, name);
  if (lua_isnil(L, -1))
    return NULL;
  if (lua_type(L, -1) != LUA_TSTRING)
    options_wrong_type(L, name, "string");
  s = lua_tolstring(L, -1, &n);
  if (strlen(s) != n)
    luaL_error(L, "option '%s' contains a NUL byte", name);
  return s;
}

/* Of the table on top; -1 if it is none, but has other keys. */
static lua_Integer list_length(lua_State *L) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, -1), count = 0;
  lua_pushnil(L);
  while (lua_next(L, -2) != 0) {
    lua_pop(L, 1);
    count++;
  }
  return count == n ? n : -1;
}

/* The string on top, or the list of strings, becomes a list of our own, which
** nobody can change while its strings are in use [-1, +1]. */
static void own_list(lua_State *L, const char *name) {
  lua_Integer i, n;
  if (lua_type(L, -1) != LUA_TSTRING && !lua_istable(L, -1))
    options_wrong_type(L, name, "string or list of strings");
  if (!lua_istable(L, -1)) {
    lua_createtable(L, 1, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 1);
    return;
  }
  n = list_length(L);
  if (n < 0)
    luaL_error(L, "option '%s': a list has no keys but 1, 2, ...", name);
  lua_newtable(L);
  for (i = 1; i <= n; i++) {
    lua_rawgeti(L, -2, i);
    if (lua_type(L, -1) != LUA_TSTRING)
      options_wrong_type(L, name, "list of strings");
    lua_rawseti(L, -2, i);
  }
  lua_remove(L, -2);
}

struct tls_list options_strings(lua_State *L, int index, const char *name) {
  struct tls_list list = {NULL, 0};
  const char **items;
  size_t i, n;
  luaL_checkstack(L, 8, NULL);
  lua_getfield(L, index, name);
  if (lua_isnil(L, -1)) {
    lua_pushnil(L);
    return list;
  }
  own_list(L, name);
  n = lua_rawlen(L, -1);
  items = (const char **)lua_newuserdatauv(L, (n + 1) * sizeof *items, 0);
  for (i = 0; i < n; i++) {
    size_t len;
    lua_rawgeti(L, -2, (lua_Integer)i + 1);
    items[i] = lua_tolstring(L, -1, &len);
    if (strlen(items[i]) != len)
      luaL_error(L, "option '%s' contains a NUL byte", name);
    lua_pop(L, 1); /* the list holds it */
  }
  list.items = items;
  list.count = n;
  return list;
}

struct tls_list options_some_strings(lua_State *L, int index,
                                    const char *name) {
  struct tls_list list = options_strings(L, index, name);
  if (list.items != NULL && list.count == 0)
    luaL_error(L, "option '%s' is an empty list", name);
  return list;
}

int options_choice(lua_State *L, int index, const char *name,
                  const char *const *words) {
  const char *s = options_string(L, index, name);
  luaL_Buffer b;
  int i;
  if (s == NULL)
    return 0;
  for (i = 0; words[i] != NULL; i++)
    if (strcmp(s, words[i]) == 0)
      return i;
  luaL_buffinit(L, &b);
  for (i = 0; words[i] != NULL; i++) {
    luaL_addstring(&b, i == 0 ? "\"" : words[i + 1] != NULL ? "\", \""
                                                           : "\" or \"");
    luaL_addstring(&b, words[i]);
  }
  luaL_pushresult(&b);
  s = push_shown(L, s, strlen(s)); /* the words are below it now */
  return luaL_error(L, "option '%s': %s\" expected, got \"%s\"", name,
                    lua_tostring(L, -2), s);
}

/* ---- the client ---------------------------------------------------------- */

static void append(lua_State *L, struct engine_strings *list, const char *s,
                   size_t n) {
  if (!engine_strings_add(list, s, n))
    luaL_error(L, "not enough memory");
}

static void subprotocols(lua_State *L, int index,
                         struct engine_strings *out) {
  struct tls_list list = options_strings(L, index, "subprotocols");
  size_t i, j;
  for (i = 0; i < list.count; i++) {
    const char *s = list.items[i];
    if (!ws_head_is_token(s, strlen(s)))
      luaL_error(L, "option 'subprotocols': '%s' is not a token (RFC 9110, "
                    "5.6.2)", push_shown(L, s, strlen(s)));
    for (j = 0; j < i; j++) /* RFC 6455, 4.1: all unique */
      if (strcmp(s, list.items[j]) == 0)
        luaL_error(L, "option 'subprotocols': '%s' is listed twice",
                   push_shown(L, s, strlen(s)));
    append(L, out, s, strlen(s));
  }
}

/* One header: the name is at -2, the value at -1. */
static void header(lua_State *L, const char *what, options_allowed *allowed,
                   struct engine_strings *out) {
  size_t nn, nv;
  const char *name, *value;
  if (lua_type(L, -2) != LUA_TSTRING)
    luaL_error(L, "%s: names are strings, got a %s", what,
               luaL_typename(L, -2));
  if (lua_type(L, -1) != LUA_TSTRING) {
    name = push_shown_value(L, -2); /* the value is below it now */
    luaL_error(L, "%s: '%s' must be a string or a list of strings, got %s",
               what, name, luaL_typename(L, -2));
  }
  name = lua_tolstring(L, -2, &nn);
  value = lua_tolstring(L, -1, &nv);
  if (!ws_head_is_token(name, nn))
    luaL_error(L, "%s: '%s' is not a header name", what,
               push_shown(L, name, nn));
  if (!allowed(name))
    luaL_error(L, "%s: '%s' belongs to the handshake", what,
               push_shown(L, name, nn));
  if (!ws_head_is_value(value, nv))
    luaL_error(L, "%s: the value of '%s' has a control character", what,
               push_shown(L, name, nn));
  append(L, out, name, nn);
  append(L, out, value, nv);
}

void options_headers(lua_State *L, int index, const char *what,
                     options_allowed *allowed, struct engine_strings *out) {
  luaL_checkstack(L, 8, NULL);
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    if (lua_istable(L, -1)) {
      lua_Integer i, n = list_length(L);
      if (n < 0)
        luaL_error(L, "%s: a list has no keys but 1, 2, ...", what);
      for (i = 1; i <= n; i++) {
        lua_pushvalue(L, -2);
        lua_rawgeti(L, -2, i);
        header(L, what, allowed, out);
        lua_pop(L, 2);
      }
    } else {
      header(L, what, allowed, out);
    }
    lua_pop(L, 1);
  }
}

static void headers(lua_State *L, int index, struct engine_client_conf *conf) {
  lua_getfield(L, index, "headers");
  if (lua_isnil(L, -1))
    return;
  if (!lua_istable(L, -1))
    options_wrong_type(L, "headers", "table");
  options_headers(L, lua_gettop(L), "option 'headers'",
                  ws_handshake_header_allowed, &conf->headers);
}

static void proxy(lua_State *L, int index, struct engine_client_conf *conf) {
  const char *s = options_string(L, index, "proxy"), *why;
  if (s == NULL)
    return;
  why = net_proxy_parse(&conf->proxy, s);
  if (why != NULL)
    luaL_error(L, "option 'proxy': %s", why);
}

static void limits(lua_State *L, int index, struct engine_limits *l) {
  l->max_message = options_size(L, index, "max_message", l->max_message);
  l->max_buffered = options_size(L, index, "max_buffered", l->max_buffered);
  l->high_water = options_size(L, index, "high_water", l->high_water);
  if (l->low_water > l->high_water) /* a lower one was asked for */
    l->low_water = l->high_water;
  l->low_water = options_size(L, index, "low_water", l->low_water);
  l->max_header = options_size(L, index, "max_header", l->max_header);
  if (l->low_water > l->high_water)
    luaL_error(L, "option 'low_water' (%I) is above 'high_water' (%I)",
               (LUAI_UACINT)l->low_water, (LUAI_UACINT)l->high_water);
  l->close_timeout_ms = options_time(L, index, "close_timeout",
                                     l->close_timeout_ms, false);
  l->ping_interval_ms = options_time(L, index, "ping_interval",
                                     l->ping_interval_ms, true);
  l->ping_timeout_ms = options_time(L, index, "ping_timeout",
                                    l->ping_timeout_ms, true);
}

static void defaults(struct engine_limits *l) {
  l->max_message = LIMIT_MESSAGE_BYTES;
  l->max_buffered = LIMIT_BUFFERED_BYTES;
  l->high_water = LIMIT_HIGH_WATER_BYTES;
  l->low_water = LIMIT_LOW_WATER_BYTES;
  l->max_header = LIMIT_HEADER_BYTES;
  l->open_timeout_ms = LIMIT_OPEN_TIMEOUT_MS;
  l->close_timeout_ms = LIMIT_CLOSE_TIMEOUT_MS;
  l->ping_interval_ms = LIMIT_PING_INTERVAL_MS;
  l->ping_timeout_ms = LIMIT_PING_TIMEOUT_MS;
  l->upgrade_timeout_ms = LIMIT_UPGRADE_TIMEOUT_MS;
}

static void url(lua_State *L, int arg, bool listens, struct ws_url *out) {
  size_t n;
  const char *s;
  int err;
  luaL_checktype(L, arg, LUA_TSTRING);
  s = lua_tolstring(L, arg, &n);
  err = listens ? ws_url_parse_listen(out, s, n)
                : ws_url_parse(out, s, n, false);
  if (err == BASE_ERR_MEMORY)
    luaL_error(L, "not enough memory");
  else if (err != 0)
    luaL_argerror(L, arg, base_err_text(err));
}

/* ---- compression (RFC 7692) ---------------------------------------------- */

static int between(lua_State *L, int index, const char *name, int otherwise,
                   int least, int most) {
  size_t n = options_size(L, index, name, SIZE_MAX);
  if (n == SIZE_MAX)
    return otherwise;
  if (n < (size_t)least || n > (size_t)most)
    luaL_error(L, "option '%s': %d to %d expected", name, least, most);
  return (int)n;
}

static void compress(lua_State *L, int index, struct engine_deflate *out) {
  static const char *const names[] = {
    "level", "mem_level", "server_no_context_takeover",
    "client_no_context_takeover", "server_max_window_bits",
    "client_max_window_bits", "min_size", NULL
  };
  memset(out, 0, sizeof *out);
  out->level = 6;
  out->mem_level = 8;
  out->min_size = LIMIT_DEFLATE_BYTES;
  lua_getfield(L, index, "compress");
  if (lua_istable(L, -1)) {
    int t = lua_gettop(L);
    options_check(L, t, names);
    out->on = true;
    out->level = between(L, t, "level", out->level, 0, 9);
    out->mem_level = between(L, t, "mem_level", out->mem_level, 1, 9);
    out->min_size = options_size(L, t, "min_size", out->min_size);
    out->wish.server_no_context_takeover =
      options_boolean(L, t, "server_no_context_takeover", false);
    out->wish.client_no_context_takeover =
      options_boolean(L, t, "client_no_context_takeover", false);
    out->wish.server_max_window_bits =
      between(L, t, "server_max_window_bits", 0, 8, 15);
    out->wish.client_max_window_bits =
      between(L, t, "client_max_window_bits", 0, 8, 15);
  } else if (lua_isboolean(L, -1)) {
    out->on = lua_toboolean(L, -1);
  } else if (!lua_isnil(L, -1)) {
    options_wrong_type(L, "compress", "boolean or table");
  }
  lua_pop(L, 1);
}

void options_client(lua_State *L, int url_index, int index,
                    struct engine_client_conf *conf) {
  static const char *const names[] = {
    "subprotocols", "headers", "origin", "tls", "reconnect", "open_timeout",
    "close_timeout", "ping_interval", "ping_timeout", "max_message",
    "max_buffered", "high_water", "low_water", "max_header", "compress",
    "proxy", "redirects", HANDLER_NAMES, NULL
  };
  const char *origin;
  defaults(&conf->limits);
  url(L, url_index, false, &conf->url);
  if (index == 0)
    return;
  options_check(L, index, names);
  limits(L, index, &conf->limits);
  conf->limits.open_timeout_ms = options_time(
    L, index, "open_timeout", conf->limits.open_timeout_ms, false);
  subprotocols(L, index, &conf->subprotocols);
  headers(L, index, conf);
  proxy(L, index, conf);
  compress(L, index, &conf->deflate);
  conf->redirects = options_count(L, index, "redirects", 0, 20);
  origin = options_string(L, index, "origin");
  if (origin != NULL) {
    if (!ws_head_is_value(origin, strlen(origin)) || *origin == '\0')
      luaL_error(L, "option 'origin' is not a header's value");
    conf->origin = base_strdup(origin);
    if (conf->origin == NULL)
      luaL_error(L, "not enough memory");
  }
}

/* ---- the server ---------------------------------------------------------- */

/* What browsers send: scheme and authority, without a path (RFC 6454, 7). */
static void origins(lua_State *L, int index, struct engine_server_conf *conf) {
  struct tls_list list = options_strings(L, index, "origins");
  size_t i;
  if (list.items == NULL)
    return;
  conf->check_origin = true;
  for (i = 0; i < list.count; i++) {
    const char *s = list.items[i], *host = strstr(s, "://");
    if (strcmp(s, "null") != 0 &&
        (host == NULL || host == s || host[3] == '\0' ||
         strpbrk(host + 3, "/?# ") != NULL))
      luaL_error(L, "option 'origins': '%s' is not an origin such as "
                    "\"https://example.com\" (RFC 6454, 7)",
                 push_shown(L, s, strlen(s)));
    append(L, &conf->origins, s, strlen(s));
  }
}

void options_server(lua_State *L, int url_index, int index,
                    struct engine_server_conf *conf) {
  static const char *const names[] = {
    "subprotocols", "origins", "tls", "handshake_timeout", "upgrade_timeout",
    "close_timeout", "ping_interval", "ping_timeout", "max_message",
    "max_buffered", "high_water", "low_water", "max_header", "compress",
    "backlog", "max_connections", "max_topics", "reuse_port",
    "slow_consumer", SERVER_HANDLER_NAMES, NULL
  };
  static const char *const slow[] = {"close", "drop", "wait", NULL};
  struct engine_limits *l = &conf->limits;
  defaults(l);
  conf->backlog = (int)LIMIT_BACKLOG;
  conf->max_topics = LIMIT_TOPICS;
  url(L, url_index, true, &conf->url);
  if (strcmp(conf->url.resource, "/") != 0)
    luaL_argerror(L, url_index, "a server listens on a host and a port; which "
                                "paths it serves is for onupgrade to say");
  if (index == 0)
    return;
  options_check(L, index, names);
  limits(L, index, l);
  l->open_timeout_ms = options_time(L, index, "handshake_timeout",
                                    l->open_timeout_ms, false);
  l->upgrade_timeout_ms = options_time(L, index, "upgrade_timeout",
                                       l->upgrade_timeout_ms, false);
  subprotocols(L, index, &conf->subprotocols);
  origins(L, index, conf);
  compress(L, index, &conf->deflate);
  conf->backlog = (int)options_count(L, index, "backlog", LIMIT_BACKLOG, 65535);
  conf->max_connections = options_size(L, index, "max_connections", 0);
  conf->max_topics = options_size(L, index, "max_topics", conf->max_topics);
  conf->reuse_port = options_boolean(L, index, "reuse_port", false);
  conf->slow =
    (enum engine_slow)options_choice(L, index, "slow_consumer", slow);
}
