/*
** Makes every single allocation fail, of C, libuv, OpenSSL and Lua alike,
** while the scenarios in this folder (*.lua, scene.h) talk to a server.
**
**   oom [stride=N] [modes=once,again,dry] [only=NAME] [from=N] [to=N]
**
** What a script may raise then is Lua's "not enough memory" or an error with
** kind and code.
**
** Without arguments, or with UVWSS_OOM=full for all, the strides are such
** that it takes about two and a half minutes.
*/
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "scene.h"

static const struct scenario {
  struct scene scene;
  long stride[HEAP_MODES];
} scenarios[] = {
  {{"load", 0, true}, {1, 2, 2}},
  {{"echo", 0, false}, {1, 1, 1}},
  {{"handlers", 0, false}, {1, 1, 1}},
  {{"main", 0, false}, {1, 1, 1}},
  {{"stream", 0, false}, {1, 1, 1}},
  {{"reconnect", 0, false}, {1, 1, 1}},
  {{"ends", 0, false}, {1, 1, 1}},
  {{"timers", 0, false}, {1, 1, 1}},
  {{"quit", 0, false}, {3, 13, 5}},
  {{"options", 0, false}, {29, 211, 31}},
  {{"tls", 0, false}, {19, 101, 19}},
  {{"impostor", 0, false}, {13, 101, 17}},
  {{"listen", 0, false}, {1, 1, 1}},
  {{"serve", 0, false}, {1, 3, 2}},
  {{"publish", 0, false}, {1, 3, 2}},
  {{"deflate", 0, false}, {1, 3, 2}},
  {{"upgrade", 0, false}, {1, 3, 2}},
  {{"request", 0, false}, {1, 3, 2}},
  {{"reject", 0, false}, {1, 3, 2}},
  {{"topics", 0, false}, {3, 11, 5}},
  {{"local", 0, false}, {1, 3, 2}},
  {{"files", 0, false}, {7, 53, 11}},
  {{"resume", 0, false}, {97, 499, 101}},
  {{"finals", 0, false}, {1, 3, 2}},
  {{"cancel", 0, false}, {1, 3, 2}},
  {{"document", 0, false}, {1, 3, 2}},
  {{"mutual", 0, false}, {97, 499, 101}},
  {{"verify", 22, false}, {13, 97, 19}},
};

static long refusals;

static const char *const mode_names[HEAP_MODES] = {"once", "again", "dry"};

static void run(const struct scenario *s, int part, long nth,
                enum heap_mode mode) {
  char what[80];
  (void)snprintf(what, sizeof what, "mode %s, allocation %ld",
                 mode_names[mode], nth);
  heap_arm(nth, mode);
  scene_run(&s->scene, part, what);
  if (heap_refused())
    refusals++;
}

static struct {
  long stride; /* 0: as the scenario says */
  long from, to;
  bool modes[HEAP_MODES];
  const char *only;
} wanted = {0, 1, 0, {true, true, true}, NULL};

/* Until the failure comes behind the end. That end moves a little from run to
** run with the timing of the network. */
static void torture(const struct scenario *s, int part, enum heap_mode mode) {
  long stride = wanted.stride != 0 ? wanted.stride : s->stride[mode];
  long nth = wanted.from, count = 0;
  do {
    run(s, part, nth, mode);
    count++;
    nth += stride;
  } while (heap_refused() && (wanted.to == 0 || nth <= wanted.to));
  (void)printf("%s, %s: %ld runs, the last with allocation %ld\n", s->scene.name,
               mode_names[mode], count, nth - stride);
  (void)fflush(stdout);
}

static void torture_all(const struct scenario *s, int part) {
  int i;
  if (wanted.only != NULL && strcmp(wanted.only, s->scene.name) != 0)
    return;
  heap_arm(0, HEAP_ONCE);
  scene_warm(&s->scene, part);
  for (i = 0; i < HEAP_MODES; i++)
    if (wanted.modes[i])
      torture(s, part, (enum heap_mode)i);
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

int main(int argc, char **argv) {
  static const struct scene_trouble trouble = {"oom", heap_go_on, heap_pause,
                                               heap_refused};
  size_t i;
  int part;
  options(argc, argv);
  scene_start(&trouble);
  for (i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
    for (part = 0; part == 0 || part < scenarios[i].scene.parts; part++)
      torture_all(&scenarios[i], part);
  (void)printf("oom: %ld runs, %ld with a refused allocation, %ld failures\n",
               scene_runs, refusals, scene_failures);
  return scene_failures == 0 && refusals > 0 ? 0 : 1;
}
