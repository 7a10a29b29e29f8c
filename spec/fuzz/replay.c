#define _POSIX_C_SOURCE 200809L

#include "replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>

#include <cmocka.h>

#include "fuzz.h"

enum { STEP_UNIT = 100 }; /* of UVWSS_STEP, which is about allocations */

static char folder[256];

/* The one of every so many files that is looked at. */
static long step(void) {
  const char *text = getenv("UVWSS_STEP");
  return text != NULL ? 1 + atol(text) / STEP_UNIT : 1;
}

static double slow(void) {
  const char *text = getenv("UVWSS_SLOW");
  return text != NULL && atof(text) > 1 ? atof(text) : 1;
}

/* In memory of its own size, so that a read too far is seen. */
static void replay_file(const char *path) {
  FILE *f = fopen(path, "rb");
  long n;
  uint8_t *data;
  assert_non_null(f);
  assert_int_equal(fseek(f, 0, SEEK_END), 0);
  n = ftell(f);
  assert_true(n >= 0);
  rewind(f);
  data = (uint8_t *)malloc(n > 0 ? (size_t)n : 1);
  assert_non_null(data);
  assert_int_equal(fread(data, 1, (size_t)n, f), n);
  (void)fclose(f);
  (void)fprintf(stderr, "%s\n", path); /* the last one is at fault */
  (void)LLVMFuzzerTestOneInput(data, (size_t)n);
  free(data);
}

static void every_input_keeps_the_promises(void **state) {
  struct dirent **all = NULL;
  int i, n = scandir(folder, &all, NULL, alphasort);
  long every = step(), seen = 0;
  (void)state;
  for (i = 0; i < n; i++) {
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", folder, all[i]->d_name);
    if (all[i]->d_name[0] != '.' && seen++ % every == 0)
      replay_file(path);
    free(all[i]);
  }
  free(all);
  assert_true(seen > 0);
}

int fuzz_replay(const char *name) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_input_keeps_the_promises),
  };
  (void)snprintf(folder, sizeof folder, "spec/fuzz/corpus/%s", name);
  fuzz_limit_seconds = 5 * slow(); /* whoever measures is at work, too */
  return cmocka_run_group_tests(tests, NULL, NULL);
}
