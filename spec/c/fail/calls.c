#include "calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "../oom/heap.h"

/* Written by symbols.lua. */
struct fail_call {
  const char *name;
  int number;  /* for errno; 0: not touched */
  int queued;  /* an error of OpenSSL, but not always */
};
extern const struct fail_call fail_calls[];
extern const long fail_calls_count;

enum { CALLS_MAX = 400, ROW = 5 };

static long made[CALLS_MAX], failing, nth;
static enum calls_mode mode;
static bool armed, failed;

/* Called in place of the functions, and behind those that do their work. */
int fail_now(int which);
void fail_trace(int which);

long calls_count(void) {
  return fail_calls_count;
}

const char *calls_name(long which) {
  return fail_calls[which].name;
}

void calls_arm(long which, long n, enum calls_mode how) {
  if (fail_calls_count > CALLS_MAX)
    abort();
  memset(made, 0, sizeof made);
  failing = which;
  nth = n;
  mode = how;
  armed = failed = false;
}

void calls_go_on(void) {
  armed = true;
  heap_go_on();
}

void calls_pause(void) {
  armed = false;
  heap_pause();
}

bool calls_failed(void) {
  return failed;
}

long calls_made(long which) {
  return made[which];
}

void fail_trace(int which) {
  const struct fail_call *call = &fail_calls[which];
  if (call->number != 0)
    errno = call->number;
  if (call->queued != 0 && nth % 2 != 0)
    ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
}

int fail_now(int which) {
  bool now;
  if (!armed)
    return 0;
  made[which]++;
  now = which == failing && nth > 0 &&
        made[which] >= nth && made[which] < nth + (mode == CALLS_ONCE ? 1 : ROW);
  if (now) {
    failed = true;
    fail_trace(which);
  }
  return now;
}
