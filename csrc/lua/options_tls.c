/*
** Options of TLS, of a client, of a server, and of tls:verify.
*/
#include <math.h>
#include <string.h>

#include "engine/facade.h"
#include "lua/binding.h"
#include "lua/options.h"
#include "lua/shown.h"

static enum tls_version version(lua_State *L, int index, const char *name) {
  static const char *const names[] = {"1.0", "1.1", "1.2", "1.3"};
  const char *s = options_string(L, index, name);
  size_t i;
  if (s == NULL)
    return TLS_V_DEFAULT;
  for (i = 0; i < 4; i++)
    if (strcmp(s, names[i]) == 0)
      return (enum tls_version)(TLS_V_1_0 + i);
  luaL_error(L, "option '%s': \"1.0\", \"1.1\", \"1.2\" or \"1.3\" expected, "
                "got \"%s\"", name, push_shown(L, s, strlen(s)));
  return TLS_V_DEFAULT;
}

/* What both roles have; the trace function, or nil, is on top then. The
** callers put onverify, or nil, behind it. */
static void common_tls(lua_State *L, int index, struct tls_options *o) {
  static const char *const whose[] = {"leaf", "chain", NULL};
  struct tls_list alpn;
  o->crl = options_some_strings(L, index, "crl");
  o->crl_chain = options_choice(L, index, "crl_check", whose) == 1;
  o->cert = options_string(L, index, "cert");
  o->key = options_string(L, index, "key");
  o->password = options_string(L, index, "password");
  o->min_version = version(L, index, "min_version");
  o->max_version = version(L, index, "max_version");
  o->ciphers = options_string(L, index, "ciphers");
  o->ciphersuites = options_string(L, index, "ciphersuites");
  o->groups = options_string(L, index, "groups");
  alpn = options_strings(L, index, "alpn");
  if (alpn.items != NULL) /* an empty list is a wish too */
    o->alpn = alpn;
  o->keylog = options_string(L, index, "keylog");
  o->max_depth = options_count(L, index, "max_depth", o->max_depth, 100);
  o->strict = options_boolean(L, index, "strict", o->strict);
  lua_getfield(L, index, "trace");
  if (!lua_isnil(L, -1) && !lua_isfunction(L, -1))
    options_wrong_type(L, "trace", "function");
}

void options_tls(lua_State *L, int index, struct tls_options *o) {
  static const char *const names[] = {
    "ca", "system_ca", "cert", "key", "password", "server_name", "pins",
    "min_version", "max_version", "ciphers", "ciphersuites", "groups", "alpn",
    "session", "keylog", "max_depth", "strict", "insecure", "trace", "crl",
    "crl_check", "ocsp", "onverify", NULL
  };
  static const char *const stapled[] = {"staple", "require", NULL};
  options_check(L, index, names);
  tls_options_init(o);
  if (options_string(L, index, "ocsp") != NULL)
    o->stapled = (enum tls_ocsp)(TLS_OCSP_STAPLE +
                                 options_choice(L, index, "ocsp", stapled));
  o->ca = options_some_strings(L, index, "ca");
  o->system_ca = options_boolean(L, index, "system_ca", o->system_ca);
  o->server_name = options_string(L, index, "server_name");
  o->pins = options_some_strings(L, index, "pins");
  o->session = options_boolean(L, index, "session", o->session);
  o->insecure = options_boolean(L, index, "insecure", o->insecure);
  common_tls(L, index, o);
  lua_getfield(L, index, "onverify");
  if (!lua_isnil(L, -1) && !lua_isfunction(L, -1))
    options_wrong_type(L, "onverify", "function");
}

/* ---- the TLS of a server ------------------------------------------------- */

/* One name of 'sni': the name is at -2, the table at -1; both stay. */
static void identity(lua_State *L, struct tls_identity *out) {
  static const char *const names[] = {"cert", "key", "password", NULL};
  int index = lua_gettop(L);
  size_t n;
  if (lua_type(L, -2) != LUA_TSTRING || !lua_istable(L, -1))
    luaL_error(L, "option 'sni': a table of tables by host name expected");
  out->name = lua_tolstring(L, -2, &n);
  if (strlen(out->name) != n)
    luaL_error(L, "option 'sni': the name '%s' contains a NUL byte",
               push_shown(L, out->name, n));
  options_check(L, index, names);
  out->cert = options_string(L, index, "cert");
  out->key = options_string(L, index, "key");
  out->password = options_string(L, index, "password");
  if (out->cert == NULL)
    luaL_error(L, "option 'sni': '%s' has no 'cert'",
               push_shown(L, out->name, strlen(out->name)));
}

/* Leaves on the stack what holds the strings. */
static void sni(lua_State *L, int index, struct tls_options *o) {
  struct tls_identity *list;
  size_t n = 0;
  lua_getfield(L, index, "sni");
  if (lua_isnil(L, -1))
    return;
  if (!lua_istable(L, -1))
    options_wrong_type(L, "sni", "table");
  index = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1))
    n++;
  list = (struct tls_identity *)lua_newuserdatauv(L, (n + 1) * sizeof *list,
                                                  0);
  o->sni = list;
  o->sni_count = n;
  luaL_checkstack(L, (int)(n < 100000 ? 6 * n : 600000) + 8, "too many names");
  n = 0;
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    if (n == o->sni_count) /* a metamethod of the one before added some */
      luaL_error(L, "option 'sni' was changed while it was read");
    identity(L, &list[n++]); /* three strings above */
    lua_pushvalue(L, -5);    /* the name, for lua_next */
  }
  o->sni_count = n;
}

void options_tls_server(lua_State *L, int index, struct tls_options *o) {
  static const char *const names[] = {
    "cert", "key", "password", "sni", "client_ca", "verify_client", "ocsp",
    "min_version", "max_version", "ciphers", "ciphersuites", "groups", "alpn",
    "tickets", "keylog", "max_depth", "strict", "trace", "crl", "crl_check",
    NULL
  };
  static const char *const words[] = {"none", "request", "require", NULL};
  options_check(L, index, names);
  tls_options_init_server(o);
  o->client_ca = options_some_strings(L, index, "client_ca");
  o->verify_client =
    (enum tls_verify_client)options_choice(L, index, "verify_client", words);
  o->ocsp = options_string(L, index, "ocsp");
  o->tickets = options_boolean(L, index, "tickets", o->tickets);
  sni(L, index, o);
  common_tls(L, index, o);
  lua_pushnil(L);
}

/* What tls:verify is told. */
void options_tls_query(lua_State *L, int index, struct tls_query *q) {
  static const char *const names[] = {
    "time", "intermediates", "crl", "max_depth", "ocsp", NULL
  };
  options_check(L, index, names);
  q->intermediates = options_strings(L, index, "intermediates");
  q->crl = options_some_strings(L, index, "crl");
  q->bounded = lua_getfield(L, index, "max_depth") != LUA_TNIL;
  q->max_depth = options_count(L, index, "max_depth", 0, 1000);
  lua_getfield(L, index, "time");
  if (!lua_isnil(L, -1)) {
    if (lua_type(L, -1) != LUA_TNUMBER)
      options_wrong_type(L, "time", "number of seconds");
    q->now = lua_tonumber(L, -1);
    q->dated = true;
    if (!(q->now >= -62135596800.0 && q->now < 253402300800.0))
      luaL_error(L, "option 'time': seconds since 1970, up to the year 9999, "
                    "expected");
    q->now = floor(q->now); /* RFC 5280, 4.1.2.5: there are no fractions */
  }
  lua_getfield(L, index, "ocsp");
  if (!lua_isnil(L, -1)) {
    if (lua_type(L, -1) != LUA_TSTRING)
      options_wrong_type(L, "ocsp", "string");
    q->ocsp = (const uint8_t *)lua_tolstring(L, -1, &q->ocsp_size);
  }
}

static bool is_client_word(const char *s) {
  return strcmp(s, "staple") == 0 || strcmp(s, "require") == 0;
}

bool options_tls_is_server(lua_State *L, int index) {
  static const char *const names[] = {
    "sni", "client_ca", "verify_client", "tickets", NULL
  };
  int i;
  if (lua_getfield(L, index, "ocsp") == LUA_TSTRING &&
      !is_client_word(lua_tostring(L, -1)) &&
      lua_getfield(L, index, "cert") != LUA_TNIL)
    return true; /* the file to staple, with the certificate */
  for (i = 0; names[i] != NULL; i++) {
    bool there = lua_getfield(L, index, names[i]) != LUA_TNIL;
    lua_pop(L, 1);
    if (there)
      return true;
  }
  return false;
}

