#include "scene.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ftw.h>
#include <sys/stat.h>

#include <openssl/crypto.h>

#include "echo.h"
#include "heap.h"
#include "raw.h"
#include "state.h"

enum { HANG_SECONDS = 60, WARM_RUNS = 13 };

long scene_runs, scene_failures;

static const struct scene_trouble *trouble;
static struct echo server;
static char folder[] = "/tmp/uvwss-scene-XXXXXX"; /* for local sockets */
static long turn;
static int part;

static char now[160]; /* what is going on, as a line */

static void fatal(const char *what) {
  const char *const texts[] = {trouble->program, what, now};
  size_t i;
  for (i = 0; i < sizeof texts / sizeof *texts; i++)
    if (write(STDERR_FILENO, texts[i], strlen(texts[i])) < 0)
      _exit(1);
}

static void on_signal(int number) {
  if (number == SIGALRM) {
    fatal(": a hang in ");
    _exit(1);
  }
  fatal(": a crash in ");
  (void)signal(number, SIG_DFL);
  (void)raise(number);
}

#if defined(__SANITIZE_ADDRESS__)
void __sanitizer_set_death_callback(void (*fn)(void));

static void on_death(void) {
  fatal(": an error in ");
}
#endif

void scene_failed(const char *format, const char *what) {
  scene_failures++;
  (void)printf("%.*s: ", (int)strcspn(now, "\n"), now);
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
    scene_failed("WRONG: %s was called after the end", lua_tostring(L, 1));
  return 0;
}

static int set_up(lua_State *L) {
  state_open(L, "lua/?.lua;lua/?/init.lua");
  state_knows(L, &server);
  state_number(L, "TURN", turn++);
  state_number(L, "PART", part + 1);
  state_text(L, "FOLDER", folder);
  state_text(L, "TROUBLE", trouble->program);
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

/* May this be the outcome of a run in which something failed? */
static void judge(lua_State *L) {
  const char *text;
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "kind");
    lua_getfield(L, -2, "code");
    lua_getfield(L, -3, "message");
    if (!lua_isstring(L, -1) || !lua_isstring(L, -2) || !lua_isstring(L, -3))
      scene_failed("%s", "an error table without kind, code or message");
    return;
  }
  text = lua_tostring(L, -1);
  if (text == NULL || strstr(text, "not enough memory") == NULL ||
      strstr(text, "WRONG") != NULL)
    scene_failed("raised \"%s\"", text != NULL ? text : "something else");
}

static void finish(lua_State *L, int status) {
  if (status == LUA_OK)
    return;
  if (!trouble->happened())
    scene_failed("failed without a reason: %s", luaL_tolstring(L, -1, NULL));
  else
    judge(L);
  lua_settop(L, 0);
  if (lua_getglobal(L, "clean_up") == LUA_TFUNCTION &&
      lua_pcall(L, 0, 0, 0) != LUA_OK)
    scene_failed("afterwards: %s", luaL_tolstring(L, -1, NULL));
}

static int protect(lua_State *L, lua_CFunction fn) {
  lua_pushcfunction(L, fn); /* neither needs memory */
  lua_insert(L, 1);
  return lua_pcall(L, lua_gettop(L) - 1, 0, 0);
}

static void run_state(const struct scene *s) {
  char file[128];
  lua_State *L;
  int status;
  (void)snprintf(file, sizeof file, "spec/c/oom/%s.lua", s->name);
  if (s->counts_all)
    trouble->go_on();
  L = lua_newstate(heap_lua, NULL);
  if (L == NULL)
    return;
  status = protect(L, set_up);
  if (status == LUA_OK && !s->counts_all) {
    lua_pushstring(L, file);
    lua_pushboolean(L, s->parts > 0);
    status = protect(L, load);
    trouble->go_on();
    if (status == LUA_OK)
      status = protect(L, perform);
  }
  trouble->pause(); /* judging needs some */
  finish(L, status);
  trouble->go_on();
  lua_close(L);
}

static void run_until_quit(const struct scene *s) {
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
    scene_failed("%s", text);
  }
}

void scene_run(const struct scene *s, int of, const char *what) {
  long before[HEAP_KINDS];
  memcpy(before, heap_live, sizeof before);
  part = of;
  (void)snprintf(now, sizeof now, "%s, %s\n", s->name, what);
  (void)alarm(HANG_SECONDS);
  quitting = false;
  run_until_quit(s);
  trouble->pause();
  (void)alarm(0);
  raw_hang_up();
  OPENSSL_thread_stop(); /* its queue of errors */
  scene_runs++;
  check_heaps(before);
}

void scene_warm(const struct scene *s, int of) {
  int i;
  if (of == 0)
    turn = 0;
  warming = true;
  for (i = 0; i < WARM_RUNS; i++)
    scene_run(s, of, "warming");
  warming = false;
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *place) {
  (void)st;
  (void)type;
  (void)place;
  return remove(path);
}

static void remove_folder(void) {
  (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void scene_start(const struct scene_trouble *t) {
  trouble = t;
  if (mkdtemp(folder) == NULL || atexit(remove_folder) != 0) {
    perror("mkdtemp");
    exit(1);
  }
  echo_start(&server);
  heap_install();
  (void)signal(SIGALRM, on_signal);
  (void)signal(SIGABRT, on_signal);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(on_death);
#endif
}
