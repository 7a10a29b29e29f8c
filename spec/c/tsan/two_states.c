/*
** Four Lua states in four threads of one process at once, each with its own
** loop: connecting, over TLS and without, talking, failing, closing. Built
** with ThreadSanitizer: what they share shows as a race.
*/
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <unistd.h>

int luaopen_uvwss_core(lua_State *L);

enum { STATES = 4, ROUNDS = 5 };

struct peer {
  FILE *pipe;
  int port;
};

struct job {
  pthread_t thread;
  char error[512]; /* "" when all went well */
};

static char directory[] = "/tmp/uvwss-tsan-XXXXXX";
static struct peer plain, tls;

static const char script[] =
  "local plain, secure, ca, rounds = ...\n"
  "local wss = require 'uvwss'\n"
  "for round = 1, rounds do\n"
  "  local tls = assert(wss.tls { ca = ca })\n"
  "  local sum = 0\n"
  "  for _, url in ipairs { plain, secure } do\n"
  "    wss.spawn(function()\n"
  "      local ws <close> = wss.connect(url, { tls = tls })\n"
  "      for i = 1, 20 do\n"
  "        ws:send(('x'):rep(i * 997), 'binary')\n"
  "        local data = assert(ws:receive(60))\n"
  "        sum = sum + #data\n"
  "      end\n"
  "    end)\n"
  "    local ws = wss.connect(url, { tls = tls, reconnect = true })\n"
  "    function ws:onopen(info)\n"
  "      if info.attempt == 1 then self:reconnect() else self:close() end\n"
  "    end\n"
  "  end\n"
  "  local refused = wss.connect('ws://127.0.0.1:1/')\n"
  "  function refused:onclose(_, _, err) sum = sum + #err.message end\n"
  "  local stranger = wss.connect(secure)\n" /* the system's store */
  "  function stranger:onclose(_, _, err)\n"
  "    assert(err.kind == 'certificate', err)\n"
  "    sum = sum + 1\n"
  "  end\n"
  "  wss.timer(0.001, function() sum = sum + 1 end)\n"
  "  wss.run()\n"
  "  assert(sum > 2 * 997 * 210, sum)\n"
  "  collectgarbage()\n"
  "  for name, n in pairs(wss.stats()) do assert(n == 0, name) end\n"
  "end\n";

/* ---- the peers ----------------------------------------------------------- */

static int start(struct peer *p, const char *options) {
  char command[512];
  (void)snprintf(command, sizeof command,
                 "exec /usr/bin/python3 spec/support/peers/echo.py %s",
                 options);
  p->pipe = popen(command, "r"); /* NOLINT(cert-env33-c): of this tree */
  if (p->pipe == NULL || fscanf(p->pipe, "ready %d", &p->port) != 1)
    return -1; /* NOLINT(cert-err34-c): the peer is ours */
  return 0;
}

static int set_up(void **state) {
  char line[512];
  (void)state;
  if (mkdtemp(directory) == NULL)
    return -1;
  (void)snprintf(line, sizeof line, "sh spec/certs/make.sh %s", directory);
  if (system(line) != 0) /* NOLINT(cert-env33-c) */
    return -1;
  (void)snprintf(line, sizeof line, "--tls %s/server.crt %s/server.key",
                 directory, directory);
  return start(&plain, "") != 0 || start(&tls, line) != 0 ? -1 : 0;
}

static int tear_down(void **state) {
  char line[512];
  (void)state;
  (void)snprintf(line, sizeof line, "pkill -P %ld; rm -rf %s", (long)getpid(),
                 directory);
  return system(line) == 0 ? 0 : -1; /* NOLINT(cert-env33-c) */
}

/* ---- the states ---------------------------------------------------------- */

static void run(struct job *job, lua_State *L) {
  luaL_openlibs(L);
  luaL_requiref(L, "uvwss.core", luaopen_uvwss_core, 0);
  lua_settop(L, 0);
  if (luaL_dostring(L, "package.path = 'lua/?.lua;lua/?/init.lua'") != LUA_OK ||
      luaL_loadstring(L, script) != LUA_OK) {
    (void)snprintf(job->error, sizeof job->error, "%s", lua_tostring(L, -1));
    return;
  }
  lua_pushfstring(L, "ws://127.0.0.1:%d/", plain.port);
  lua_pushfstring(L, "wss://127.0.0.1:%d/", tls.port);
  lua_pushfstring(L, "%s/ca.crt", directory);
  lua_pushinteger(L, ROUNDS);
  if (lua_pcall(L, 4, 0, 0) != LUA_OK)
    (void)snprintf(job->error, sizeof job->error, "%s",
                   luaL_tolstring(L, -1, NULL));
}

static void *work(void *arg) {
  struct job *job = (struct job *)arg;
  lua_State *L = luaL_newstate();
  if (L == NULL) {
    (void)snprintf(job->error, sizeof job->error, "no state");
    return NULL;
  }
  run(job, L);
  lua_close(L);
  return NULL;
}

static void states_do_not_share(void **state) {
  struct job jobs[STATES];
  int i;
  (void)state;
  memset(jobs, 0, sizeof jobs);
  for (i = 0; i < STATES; i++)
    assert_int_equal(pthread_create(&jobs[i].thread, NULL, work, &jobs[i]), 0);
  for (i = 0; i < STATES; i++)
    assert_int_equal(pthread_join(jobs[i].thread, NULL), 0);
  for (i = 0; i < STATES; i++)
    assert_string_equal(jobs[i].error, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(states_do_not_share),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
