/*
** The files of a corpus through a harness, once each, without a fuzzer.
*/
#ifndef FUZZ_REPLAY_H
#define FUZZ_REPLAY_H

/*
** What the main of spec/c/fuzz_NAME_test.c does: one test, that everything in
** spec/fuzz/corpus/NAME keeps the promises. Where UVWSS_STEP is above one
** (valgrind), a part of it. Returns the exit status.
*/
int fuzz_replay(const char *name);

#endif
