/*
** Makes every single allocation fail, of C, libuv, OpenSSL and Lua alike,
** while the scenarios in this folder (*.lua) talk to a server.
**
**   oom [stride=N] [modes=once,again,dry] [only=NAME] [from=N] [to=N]
**
** After each run: nothing has crashed, nothing is lost (every block of ours,
** of Lua and of libuv is back, OpenSSL's as before), and the script has either
** come to its end or raised what may be raised: Lua's "not enough memory" or
** an error with kind and code. What begins with "WRONG" is a result that must
** never be. A run that takes longer than HANG_SECONDS hangs.
**
** Without arguments, or with UVWSS_OOM=full for all, the strides are such
** that it takes about two and a half minutes.
*/
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "echo.h"
#include "heap.h"
#include "raw.h"

int luaopen_uvwss_core(lua_State *L);

enum { HANG_SECONDS = 60, WARM_RUNS = 13 };

static const struct scenario {
  const char *name;
  long stride[HEAP_MODES];
  int parts; /* so many, each with a beginning in which nothing fails, and of
                which a function is what is left to do */
  bool counts_all; /* the making of the state too */
} scenarios[] = {
  {"load", {1, 2, 2}, 0, true},
  {"echo", {1, 1, 1}, 0, false},
  {"handlers", {1, 1, 1}, 0, false},
  {"main", {1, 1, 1}, 0, false},
  {"stream", {1, 1, 1}, 0, false},
  {"reconnect", {1, 1, 1}, 0, false},
  {"ends", {1, 1, 1}, 0, false},
  {"timers", {1, 1, 1}, 0, false},
  {"quit", {3, 13, 5}, 0, false},
  {"options", {29, 211, 31}, 0, false},
  {"tls", {19, 101, 19}, 0, false},
  {"impostor", {13, 101, 17}, 0, false},
  {"listen", {1, 1, 1}, 0, false},
  {"serve", {1, 3, 2}, 0, false},
  {"publish", {1, 3, 2}, 0, false},
  {"deflate", {1, 3, 2}, 0, false},
  {"upgrade", {1, 3, 2}, 0, false},
  {"request", {1, 3, 2}, 0, false},
  {"reject", {1, 3, 2}, 0, false},
  {"topics", {3, 11, 5}, 0, false},
  {"local", {1, 3, 2}, 0, false},
  {"mutual", {97, 499, 101}, 0, false},
  {"verify", {13, 97, 19}, 22, false},
};

static struct echo server;
static char folder[] = "/tmp/uvwss-oom-XXXXXX"; /* for local sockets */
static long runs, failures, refusals, turn;
static int part;

/* What is going on, for a report of something fatal. */
static const char *now_name = "";
static const char *now_mode = "";
static long now_nth;

static const char *const mode_names[HEAP_MODES] = {"once", "again", "dry"};

static char now_text[160]; /* the same as a line */

static void fatal(const char *what, size_t n) {
  if (write(STDERR_FILENO, what, n) < 0 ||
      write(STDERR_FILENO, now_text, strlen(now_text)) < 0)
    _exit(1);
}

static void on_signal(int number) {
  if (number == SIGALRM) {
    fatal("oom: a hang in ", 15);
    _exit(1);
  }
  fatal("oom: a crash in ", 16);
  (void)signal(number, SIG_DFL);
  (void)raise(number);
}

#if defined(__SANITIZE_ADDRESS__)
void __sanitizer_set_death_callback(void (*fn)(void));

static void on_death(void) {
  fatal("oom: an error in ", 17);
}
#endif

static void failed(const char *format, const char *what) {
  failures++;
  (void)printf("%s, mode %s, allocation %ld: ", now_name, now_mode, now_nth);
  (void)printf(format, what);
  (void)printf("\n");
}

/* ---- a run -------------------------------------------------------------- */

static jmp_buf quit_buf;
static bool quitting;

/* As os.exit(true, true) does, but the program goes on without it. */
static int quit(lua_State *L) {
  quitting = true;
  lua_close(L);
  longjmp(quit_buf, 1);
  return 0;
}

/* Something was called that must not be. But there may have been no memory to
** call 'quit', and then nothing has ended. */
static int wrong(lua_State *L) {
  if (quitting)
    failed("WRONG: %s was called after the end", lua_tostring(L, 1));
  return 0;
}

static void set_number(lua_State *L, const char *name, int value) {
  lua_pushinteger(L, value);
  lua_setglobal(L, name);
}

static void set_text(lua_State *L, const char *name, const char *value) {
  lua_pushstring(L, value);
  lua_setglobal(L, name);
}

static int set_up(lua_State *L) {
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
  set_number(L, "TURN", (int)turn++);
  set_number(L, "PART", part + 1);
  set_text(L, "CA", server.ca);
  set_text(L, "CERT", server.cert);
  set_text(L, "KEY", server.key);
  set_text(L, "FOLDER", folder);
  raw_set_up(L);
  lua_pushcfunction(L, quit);
  lua_setglobal(L, "quit");
  lua_pushcfunction(L, wrong);
  lua_setglobal(L, "wrong");
  lua_getglobal(L, "require");
  lua_pushliteral(L, "uvwss");
  lua_call(L, 1, 1);
  lua_setglobal(L, "wss");
  if (luaL_dofile(L, "spec/c/oom/lib.lua") != LUA_OK)
    return lua_error(L);
  return 0;
}

static int load(lua_State *L) {
  const char *file = lua_tostring(L, 1);
  if (luaL_loadfile(L, file) != LUA_OK)
    return lua_error(L);
  if (lua_toboolean(L, 2))
    lua_call(L, 0, 1);
  lua_setglobal(L, "scenario");
  return 0;
}

static int perform(lua_State *L) {
  lua_getglobal(L, "scenario");
  lua_call(L, 0, 0);
  return 0;
}

/* May this be the outcome of a run in which an allocation failed? */
static void judge(lua_State *L) {
  const char *text;
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "kind");
    lua_getfield(L, -2, "code");
    lua_getfield(L, -3, "message");
    if (!lua_isstring(L, -1) || !lua_isstring(L, -2) || !lua_isstring(L, -3))
      failed("%s", "an error table without kind, code or message");
    return;
  }
  text = lua_tostring(L, -1);
  if (text == NULL || strstr(text, "not enough memory") == NULL ||
      strstr(text, "WRONG") != NULL)
    failed("raised \"%s\"", text != NULL ? text : "something else");
}

static void finish(lua_State *L, int status) {
  if (status == LUA_OK)
    return;
  if (!heap_refused())
    failed("failed without a reason: %s", luaL_tolstring(L, -1, NULL));
  else
    judge(L);
  lua_settop(L, 0);
  if (lua_getglobal(L, "clean_up") == LUA_TFUNCTION &&
      lua_pcall(L, 0, 0, 0) != LUA_OK)
    failed("afterwards: %s", luaL_tolstring(L, -1, NULL));
}

static int protect(lua_State *L, lua_CFunction fn) {
  lua_pushcfunction(L, fn); /* neither needs memory */
  lua_insert(L, 1);
  return lua_pcall(L, lua_gettop(L) - 1, 0, 0);
}

static void run_state(const struct scenario *s) {
  char file[128];
  lua_State *L;
  int status;
  (void)snprintf(file, sizeof file, "spec/c/oom/%s.lua", s->name);
  if (s->counts_all)
    heap_go_on();
  L = lua_newstate(heap_lua, NULL);
  if (L == NULL)
    return;
  status = protect(L, set_up);
  if (status == LUA_OK && !s->counts_all) {
    lua_pushstring(L, file);
    lua_pushboolean(L, s->parts > 0);
    status = protect(L, load);
    heap_go_on();
    if (status == LUA_OK)
      status = protect(L, perform);
  }
  heap_pause(); /* judging needs some */
  finish(L, status);
  heap_go_on();
  lua_close(L);
}

static void run_until_quit(const struct scenario *s) {
  if (setjmp(quit_buf) == 0)
    run_state(s);
}

/* OpenSSL and libuv keep what they make once. */
static bool warming;

/* Blocks that are still there, compared with before. */
static void check_heaps(const long before[HEAP_KINDS]) {
  static const char *const names[HEAP_KINDS] = {"ours", "libuv", "OpenSSL",
                                                "Lua"};
  char text[128];
  int i;
  for (i = 0; i < HEAP_KINDS; i++) {
    long lost = heap_live[i] - before[i];
    if (lost == 0 || (warming && (i == HEAP_SSL || i == HEAP_UV)))
      continue;
    (void)snprintf(text, sizeof text, "%ld blocks of %s are lost", lost,
                   names[i]);
    failed("%s", text);
  }
}

/* How many allocations it asked for. */
static long run(const struct scenario *s, long nth, enum heap_mode mode) {
  long before[HEAP_KINDS], asked;
  memcpy(before, heap_live, sizeof before);
  now_name = s->name;
  now_mode = mode_names[mode];
  now_nth = nth;
  (void)snprintf(now_text, sizeof now_text, "%s, mode %s, allocation %ld\n",
                 now_name, now_mode, now_nth);
  (void)alarm(HANG_SECONDS);
  quitting = false;
  heap_arm(nth, mode);
  run_until_quit(s);
  asked = heap_disarm();
  (void)alarm(0);
  raw_hang_up();
  OPENSSL_thread_stop(); /* its queue of errors */
  runs++;
  if (heap_refused())
    refusals++;
  check_heaps(before);
  return asked;
}

/* ---- all of them -------------------------------------------------------- */

static struct {
  long stride; /* 0: as the scenario says */
  long from, to;
  bool modes[HEAP_MODES];
  const char *only;
} wanted = {0, 1, 0, {true, true, true}, NULL};

/* Until the failure comes behind the end. That end moves a little from run to
** run with the timing of the network. */
static void torture(const struct scenario *s, enum heap_mode mode) {
  long stride = wanted.stride != 0 ? wanted.stride : s->stride[mode];
  long nth = wanted.from, count = 0;
  do {
    (void)run(s, nth, mode);
    count++;
    nth += stride;
  } while (heap_refused() && (wanted.to == 0 || nth <= wanted.to));
  (void)printf("%s, %s: %ld runs, the last with allocation %ld\n", s->name,
               mode_names[mode], count, nth - stride);
  (void)fflush(stdout);
}

static void torture_all(const struct scenario *s) {
  int i;
  if (wanted.only != NULL && strcmp(wanted.only, s->name) != 0)
    return;
  warming = true;
  for (i = 0; i < WARM_RUNS; i++)
    (void)run(s, 0, HEAP_ONCE);
  warming = false;
  for (i = 0; i < HEAP_MODES; i++)
    if (wanted.modes[i])
      torture(s, (enum heap_mode)i);
}

static void options(int argc, char **argv) {
  const char *full = getenv("UVWSS_OOM");
  int i, m;
  if (full != NULL && strcmp(full, "full") == 0)
    wanted.stride = 1;
  for (i = 1; i < argc; i++) {
    const char *value = strchr(argv[i], '=');
    if (value == NULL) {
      (void)fprintf(stderr, "oom: not an option: %s\n", argv[i]);
      exit(2);
    }
    value++;
    if (strncmp(argv[i], "stride=", 7) == 0)
      wanted.stride = strtol(value, NULL, 10);
    else if (strncmp(argv[i], "from=", 5) == 0)
      wanted.from = strtol(value, NULL, 10);
    else if (strncmp(argv[i], "to=", 3) == 0)
      wanted.to = strtol(value, NULL, 10);
    else if (strncmp(argv[i], "only=", 5) == 0)
      wanted.only = value;
    else if (strncmp(argv[i], "modes=", 6) == 0)
      for (m = 0; m < HEAP_MODES; m++)
        wanted.modes[m] = strstr(value, mode_names[m]) != NULL;
  }
}

static void remove_folder(void) {
  char name[64];
  (void)snprintf(name, sizeof name, "%s/s", folder);
  (void)unlink(name);
  (void)rmdir(folder);
}

int main(int argc, char **argv) {
  size_t i;
  options(argc, argv);
  if (mkdtemp(folder) == NULL || atexit(remove_folder) != 0)
    return 1;
  echo_start(&server);
  heap_install();
  (void)signal(SIGALRM, on_signal);
  (void)signal(SIGABRT, on_signal);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(on_death);
#endif
  for (i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
    turn = 0;
    for (part = 0; part == 0 || part < scenarios[i].parts; part++)
      torture_all(&scenarios[i]);
  }
  (void)printf("oom: %ld runs, %ld with a refused allocation, %ld failures\n",
               runs, refusals, failures);
  return failures == 0 && refusals > 0 ? 0 : 1;
}
