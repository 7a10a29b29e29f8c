/* spec/fuzz/pair.c over its corpus. */
#include "replay.h"

int main(void) {
  return fuzz_replay("pair");
}
