/*
** Lua states in threads of their own, all at once in one process: what they
** share (OpenSSL's and libuv's libraries, our constants) must bear it.
** Built with ThreadSanitizer, which ends the program where two threads touch
** the same memory without order.
**
**   states [threads=N] [rounds=N]
*/
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "../oom/echo.h"

int luaopen_uvwss_core(lua_State *L);

enum { THREADS_MAX = 16, SECONDS = 110 };

static struct echo server;
static long threads = 4, rounds = 12;

struct job {
  pthread_t thread;
  int number;
  int failed;
};

static void set_number(lua_State *L, const char *name, long value) {
  lua_pushinteger(L, value);
  lua_setglobal(L, name);
}

static int perform(lua_State *L) {
  const struct job *job = (const struct job *)lua_touserdata(L, 1);
  luaL_openlibs(L);
  (void)luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_uvwss_core);
  lua_setfield(L, -2, "uvwss.core");
  lua_getglobal(L, "package");
  lua_pushliteral(L, "lua/?.lua;lua/?/init.lua");
  lua_setfield(L, -2, "path");
  set_number(L, "PORT", server.port);
  set_number(L, "TLS_PORT", server.tls_port);
  set_number(L, "IMPOSTOR_PORT", server.impostor_port);
  set_number(L, "NUMBER", job->number);
  lua_pushstring(L, server.ca);
  lua_setglobal(L, "CA");
  if (luaL_dofile(L, "spec/c/tsan/round.lua") != LUA_OK)
    return lua_error(L);
  return 0;
}

/* A state for each round, so that opening and closing overlap too. */
static void *work(void *arg) {
  struct job *job = (struct job *)arg;
  long i;
  for (i = 0; i < rounds && job->failed == 0; i++) {
    lua_State *L = luaL_newstate();
    lua_pushcfunction(L, perform);
    lua_pushlightuserdata(L, job);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
      job->failed = 1;
      (void)fprintf(stderr, "thread %d, round %ld: %s\n", job->number, i,
                    luaL_tolstring(L, -1, NULL));
    }
    lua_close(L);
  }
  return NULL;
}

static void options(int argc, char **argv) {
  int i;
  for (i = 1; i < argc; i++) {
    if (strncmp(argv[i], "threads=", 8) == 0)
      threads = strtol(argv[i] + 8, NULL, 10);
    else if (strncmp(argv[i], "rounds=", 7) == 0)
      rounds = strtol(argv[i] + 7, NULL, 10);
  }
  if (threads < 1 || threads > THREADS_MAX)
    threads = THREADS_MAX;
}

int main(int argc, char **argv) {
  struct job jobs[THREADS_MAX];
  int i, failed = 0;
  options(argc, argv);
  echo_start(&server);
  (void)alarm(SECONDS);
  memset(jobs, 0, sizeof jobs);
  for (i = 0; i < threads; i++) {
    jobs[i].number = i + 1;
    if (pthread_create(&jobs[i].thread, NULL, work, &jobs[i]) != 0) {
      perror("pthread_create");
      return 1;
    }
  }
  for (i = 0; i < threads; i++) {
    (void)pthread_join(jobs[i].thread, NULL);
    failed += jobs[i].failed;
  }
  (void)printf("states: %ld threads, %ld states each, %d failed\n", threads,
               rounds, failed);
  return failed == 0 ? 0 : 1;
}
