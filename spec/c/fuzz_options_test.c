/* spec/fuzz/options.c over its corpus. */
#include "replay.h"

int main(void) {
  return fuzz_replay("options");
}
