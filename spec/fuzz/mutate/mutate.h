/*
** What is the same for all that change inputs: libFuzzer's functions, and dice
** that fall as its seed says.
*/
#ifndef FUZZ_MUTATE_H
#define FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size,
                                 const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max, unsigned seed);

static uint32_t dice_state;

static inline void dice_seed(unsigned seed) {
  dice_state = seed * 2654435761u + 1;
}

/* 0 to n - 1 (xorshift). */
static inline size_t dice(size_t n) {
  dice_state ^= dice_state << 13;
  dice_state ^= dice_state >> 17;
  dice_state ^= dice_state << 5;
  return n > 0 ? dice_state % n : 0;
}

#endif
