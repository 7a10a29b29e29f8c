/*
** The scenarios in this folder, run by a program in whose hands something
** fails: an allocation (oom.c), a call (../fail/fail.c).
**
** After each run: nothing has crashed, nothing is lost (every block of ours,
** of Lua and of libuv is back, OpenSSL's as before), and the script has either
** come to its end or raised what may be raised. What begins with "WRONG" is a
** result that must never be. A run that takes longer than a minute hangs.
*/
#ifndef SCENE_H
#define SCENE_H

#include <stdbool.h>

struct scene {
  const char *name;
  int parts; /* so many, each with a beginning in which nothing fails, and of
                which a function is what is left to do */
  bool counts_all; /* the making of the state too */
};

/* Who makes something fail. Between 'go_on' and 'pause' it may. */
struct scene_trouble {
  const char *program;
  void (*go_on)(void);
  void (*pause)(void);
  bool (*happened)(void);
};

extern long scene_runs, scene_failures;

/* First of all: the server at the other end, the heaps and the signals. */
void scene_start(const struct scene_trouble *trouble);

/* Do what has to be done once, so that it is not taken for lost. */
void scene_warm(const struct scene *s, int part);

/* 'what' says where something is to fail, for a report. */
void scene_run(const struct scene *s, int part, const char *what);

/* One more failure of what runs now. */
void scene_failed(const char *format, const char *what);

#endif
