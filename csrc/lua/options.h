/*
** Tables of options: every name is known, every value has its type and its
** range, and what is wrong is said at the caller's line.
*/
#ifndef LUA_OPTIONS_H
#define LUA_OPTIONS_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/client.h"
#include "engine/facade.h"
#include "engine/server.h"

/* Raise unless every key of the table at 'index' is among the names, which end
** with NULL. A near miss is suggested. */
void options_check(lua_State *L, int index, const char *const *names);

/* One option of the table at 'index' (absolute), or 'otherwise'. */
bool options_boolean(lua_State *L, int index, const char *name,
                     bool otherwise);
size_t options_size(lua_State *L, int index, const char *name,
                    size_t otherwise);
/* Seconds in, milliseconds out; 0 and false mean none where 'none_too'. */
uint32_t options_time(lua_State *L, int index, const char *name,
                      uint32_t otherwise_ms, bool none_too);

/* These push the value, so that the string stays [-0, +1]; NULL if unset. */
const char *options_string(lua_State *L, int index, const char *name);

/* A string or a list of strings; pushes what keeps them alive [-0, +2]. */
struct tls_list options_strings(lua_State *L, int index, const char *name);
/* An empty list would silently mean "as if it were not there": here that
** would be trust in what was not meant. */
struct tls_list options_some_strings(lua_State *L, int index,
                                     const char *name);
/* A whole number up to 'most'. */
unsigned options_count(lua_State *L, int index, const char *name,
                       unsigned otherwise, unsigned most);
/* One of several words, the first of which is meant where none is given; which
** one. Pushes the value. */
int options_choice(lua_State *L, int index, const char *name,
                   const char *const *words);
/* Raise about the value on top. */
void options_wrong_type(lua_State *L, const char *name, const char *wanted);

/* Fill the client's options from the table at 'index' (0: none), the URL
** from the string at 'url'. 'conf' is owned by a userdata, so that nothing is
** lost when this raises. Leaves on the stack what it needs. */
void options_client(lua_State *L, int url, int index,
                    struct engine_client_conf *conf);

/* The same for a server. */
void options_server(lua_State *L, int url, int index,
                    struct engine_server_conf *conf);

/* Check a table of headers at 'index' (absolute), and put names and values in
** turn into 'out', which is owned by a userdata. 'what' begins the errors. */
typedef bool options_allowed(const char *name);
void options_headers(lua_State *L, int index, const char *what,
                     options_allowed *allowed, struct engine_strings *out);

/* The same for a table of TLS options; the strings are anchored by the
** stack. */
void options_tls(lua_State *L, int index, struct tls_options *o);
void options_tls_server(lua_State *L, int index, struct tls_options *o);
/* Has it an option that only servers have? */
void options_tls_query(lua_State *L, int index, struct tls_query *q);
bool options_tls_is_server(lua_State *L, int index);

#endif
