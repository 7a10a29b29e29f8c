/* spec/fuzz/utf8.c over its corpus. */
#include "replay.h"

int main(void) {
  return fuzz_replay("utf8");
}
