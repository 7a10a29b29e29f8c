/*
** Makes the calls that csrc makes into libuv, OpenSSL, zlib and the system
** fail, one by one, while the scenarios of spec/c/oom talk to a server.
**
**   fail [only=SCENARIO] [call=FUNCTION] [nth=N] [full]
**
** Of each function the first, second and third call, and then each at twice as
** many, up to the last that a scenario makes; and the first five in a row.
** After each run what ../oom/scene.h says holds, and no descriptor is lost.
** Without 'full' (or UVWSS_FAIL=full), a function that has failed often enough in other scenarios
** is left alone in the later ones.
*/
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <dirent.h>

#include "../oom/scene.h"
#include "calls.h"

enum { ENOUGH = 40 }; /* failures of one function */

static const struct scene scenes[] = {
  {"load", 0, true},     {"echo", 0, false},      {"handlers", 0, false},
  {"main", 0, false},    {"stream", 0, false},    {"reconnect", 0, false},
  {"ends", 0, false},    {"timers", 0, false},    {"options", 0, false},
  {"tls", 0, false},     {"impostor", 0, false},  {"listen", 0, false},
  {"serve", 0, false},   {"publish", 0, false},   {"deflate", 0, false},
  {"upgrade", 0, false}, {"request", 0, false},   {"reject", 0, false},
  {"topics", 0, false},  {"local", 0, false},     {"mutual", 0, false},
  {"quit", 0, false},    {"files", 0, false},     {"resume", 0, false},
  {"finals", 0, false},  {"cancel", 0, false},    {"system", 0, false},
  {"document", 0, false},
  {"verify", 22, false},
};

static const char *only, *only_call;
static long only_nth, *failures_of, hits;
static bool full;

static long descriptors(void) {
  DIR *d = opendir("/proc/self/fd");
  long n = 0;
  if (d == NULL)
    return 0;
  while (readdir(d) != NULL)
    n++;
  (void)closedir(d);
  return n;
}

static double now(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(const struct scene *s, int part, long which, long nth,
                enum calls_mode mode) {
  long before = descriptors(), lost;
  double began = now(), took;
  char what[120];
  (void)snprintf(what, sizeof what, "%s call %ld of %s",
                 mode == CALLS_ONCE ? "the" : "from", nth, calls_name(which));
  calls_arm(which, nth, mode);
  scene_run(s, part, what);
  took = now() - began;
  if (took > 1)
    (void)printf("%s, %s: %.1f s\n", s->name, what, took);
  lost = descriptors() - before;
  if (lost != 0) {
    (void)snprintf(what, sizeof what, "%ld descriptors are lost", lost);
    scene_failed("%s", what);
  }
  if (calls_failed()) {
    hits++;
    failures_of[which]++;
  }
}

static bool is_wanted(long which, long made) {
  if (only_call != NULL)
    return strcmp(only_call, calls_name(which)) == 0;
  return made > 0 && (full || failures_of[which] < ENOUGH);
}

static void torture(const struct scene *s, int part) {
  long n = calls_count(), which, nth;
  long *made = (long *)calloc((size_t)n, sizeof *made);
  if (made == NULL || (only != NULL && strcmp(only, s->name) != 0)) {
    free(made);
    return;
  }
  calls_arm(0, 0, CALLS_ONCE);
  scene_warm(s, part);
  calls_arm(0, 0, CALLS_ONCE);
  scene_run(s, part, "nothing fails");
  for (which = 0; which < n; which++)
    made[which] = calls_made(which);
  for (which = 0; which < n; which++) {
    if (!is_wanted(which, made[which]))
      continue;
    if (only_nth > 0) {
      run(s, part, which, only_nth, CALLS_ONCE);
      continue;
    }
    for (nth = 1; nth <= made[which]; nth = nth < 3 ? nth + 1 : nth * 2)
      run(s, part, which, nth, CALLS_ONCE);
    run(s, part, which, 1, CALLS_ROW);
  }
  (void)printf("%s: %ld runs so far, in %ld of them a call failed\n", s->name,
               scene_runs, hits);
  (void)fflush(stdout);
  free(made);
}

static void options(int argc, char **argv) {
  const char *wanted = getenv("UVWSS_FAIL");
  int i;
  full = wanted != NULL && strcmp(wanted, "full") == 0;
  for (i = 1; i < argc; i++) {
    if (strncmp(argv[i], "only=", 5) == 0) {
      only = argv[i] + 5;
    } else if (strncmp(argv[i], "call=", 5) == 0) {
      only_call = argv[i] + 5;
    } else if (strncmp(argv[i], "nth=", 4) == 0) {
      only_nth = strtol(argv[i] + 4, NULL, 10);
    } else if (strcmp(argv[i], "full") == 0) {
      full = true;
    } else {
      (void)fprintf(stderr, "fail: not an option: %s\n", argv[i]);
      exit(2);
    }
  }
}

/* Functions of which no scenario makes a call are named. */
static void tell(void) {
  long i, failed = 0;
  for (i = 0; i < calls_count(); i++) {
    failed += failures_of[i] > 0;
    if (failures_of[i] == 0 && only == NULL && only_call == NULL)
      (void)printf("never called: %s\n", calls_name(i));
  }
  (void)printf("fail: %ld functions of %ld made to fail, %ld runs, in %ld a call "
               "failed, %ld failures\n",
               failed, calls_count(), scene_runs, hits, scene_failures);
}

int main(int argc, char **argv) {
  static const struct scene_trouble trouble = {"fail", calls_go_on, calls_pause,
                                               calls_failed};
  size_t i;
  int part;
  options(argc, argv);
  failures_of = (long *)calloc((size_t)calls_count(), sizeof *failures_of);
  if (failures_of == NULL)
    return 1;
  scene_start(&trouble);
  for (i = 0; i < sizeof scenes / sizeof *scenes; i++)
    for (part = 0; part == 0 || part < scenes[i].parts; part++)
      torture(&scenes[i], part);
  tell();
  free(failures_of);
  return scene_failures == 0 && hits > 0 ? 0 : 1;
}
