/*
** Lua states in threads of their own, all at once in one process: what they
** share (OpenSSL's and libuv's libraries, our constants) must bear it. In
** every other one they are one another's servers and clients.
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

#include "../oom/echo.h"
#include "../oom/state.h"

enum { THREADS_MAX = 16, SECONDS = 110 };

static struct echo server;
static long threads = 4, rounds = 12;
static pthread_barrier_t everyone;
static lua_Integer ports[THREADS_MAX][2];

struct job {
  pthread_t thread;
  int number;
};

/* exchange(port, tls_port): those of the next thread, once all have told. */
static int exchange(lua_State *L) {
  long own = (long)lua_tointeger(L, lua_upvalueindex(1)) - 1;
  const lua_Integer *next = ports[(own + 1) % threads];
  ports[own][0] = luaL_checkinteger(L, 1);
  ports[own][1] = luaL_checkinteger(L, 2);
  (void)pthread_barrier_wait(&everyone);
  lua_pushinteger(L, next[0]);
  lua_pushinteger(L, next[1]);
  (void)pthread_barrier_wait(&everyone); /* before they are written again */
  return 2;
}

/* Lua: the job, and the file. */
static int perform(lua_State *L) {
  const struct job *job = (const struct job *)lua_touserdata(L, 1);
  const char *file = luaL_checkstring(L, 2);
  state_open(L, "lua/?.lua;lua/?/init.lua");
  state_knows(L, &server);
  state_number(L, "NUMBER", job->number);
  lua_pushinteger(L, job->number);
  lua_pushcclosure(L, exchange, 1);
  lua_setglobal(L, "exchange");
  if (luaL_dofile(L, file) != LUA_OK)
    return lua_error(L);
  return 0;
}

/* A state for each round, so that opening and closing overlap too. */
static void *work(void *arg) {
  static const char *const files[] = {"spec/c/tsan/round.lua",
                                      "spec/c/tsan/cross.lua"};
  struct job *job = (struct job *)arg;
  long i;
  for (i = 0; i < 2 * rounds; i++) {
    lua_State *L = luaL_newstate();
    lua_pushcfunction(L, perform);
    lua_pushlightuserdata(L, job);
    lua_pushstring(L, files[i % 2]);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
      (void)fprintf(stderr, "thread %d, round %ld: %s\n", job->number, i / 2,
                    luaL_tolstring(L, -1, NULL));
      exit(1); /* the others may wait for it */
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
  int i;
  options(argc, argv);
  echo_start(&server);
  (void)alarm(SECONDS);
  memset(jobs, 0, sizeof jobs);
  if (pthread_barrier_init(&everyone, NULL, (unsigned)threads) != 0) {
    perror("pthread_barrier_init");
    return 1;
  }
  for (i = 0; i < threads; i++) {
    jobs[i].number = i + 1;
    if (pthread_create(&jobs[i].thread, NULL, work, &jobs[i]) != 0) {
      perror("pthread_create");
      return 1;
    }
  }
  for (i = 0; i < threads; i++)
    (void)pthread_join(jobs[i].thread, NULL);
  (void)printf("states: %ld threads, %ld states each, half of them servers and "
               "clients of one another, 0 failed\n",
               threads, 2 * rounds);
  return 0;
}
