/* ws/mask: against the loop of RFC 6455, 5.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ws/mask.h"

enum { MOST = 130, ALIGNMENTS = 16, GUARD = 0x5a };

static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};

static void naive(uint8_t *s, size_t n, size_t phase) {
  size_t i;
  for (i = 0; i < n; i++)
    s[i] ^= key[(phase + i) % 4];
}

static void equals_the_naive_loop_in_place(void **state) {
  uint8_t got[MOST + ALIGNMENTS + 1], want[sizeof got];
  size_t n, at, phase, i;
  (void)state;
  for (n = 0; n <= MOST; n++)
    for (at = 0; at < ALIGNMENTS; at++)
      for (phase = 0; phase < 9; phase++) {
        for (i = 0; i < sizeof got; i++)
          got[i] = want[i] = (uint8_t)(i * 7 + n);
        naive(want + at, n, phase);
        ws_mask_inplace(got + at, n, key, phase);
        if (memcmp(got, want, sizeof got) != 0)
          fail_msg("length %d, offset %d, phase %d", (int)n, (int)at,
                   (int)phase);
      }
}

static void equals_the_naive_loop_when_copying(void **state) {
  uint8_t in[MOST + ALIGNMENTS], out[MOST + ALIGNMENTS + 1];
  uint8_t want[sizeof out];
  size_t n, from, to, phase, i;
  (void)state;
  for (i = 0; i < sizeof in; i++)
    in[i] = (uint8_t)(i * 13 + 1);
  for (n = 0; n <= MOST; n++)
    for (from = 0; from < ALIGNMENTS; from++)
      for (to = 0; to < ALIGNMENTS; to += 3)
        for (phase = 0; phase < 4; phase++) {
          memset(out, GUARD, sizeof out);
          memset(want, GUARD, sizeof want);
          memcpy(want + to, in + from, n);
          naive(want + to, n, phase);
          ws_mask_copy(out + to, in + from, n, key, phase);
          if (memcmp(out, want, sizeof out) != 0)
            fail_msg("length %d, from %d to %d, phase %d", (int)n, (int)from,
                     (int)to, (int)phase);
        }
}

static void pieces_with_their_phase_make_the_whole(void **state) {
  uint8_t whole[MOST], pieces[MOST];
  size_t a, b, i;
  (void)state;
  for (a = 0; a <= MOST; a++)
    for (b = a; b <= MOST; b++) {
      for (i = 0; i < MOST; i++)
        whole[i] = pieces[i] = (uint8_t)i;
      ws_mask_inplace(whole, MOST, key, 0);
      ws_mask_inplace(pieces, a, key, 0);
      ws_mask_inplace(pieces + a, b - a, key, a);
      ws_mask_inplace(pieces + b, MOST - b, key, b);
      if (memcmp(whole, pieces, MOST) != 0)
        fail_msg("cut at %d and %d", (int)a, (int)b);
    }
}

static void masking_twice_gives_the_bytes_back(void **state) {
  uint8_t s[] = {0x7f, 0x9f, 0x4d, 0x51, 0x58}; /* RFC 6455, 5.7 */
  (void)state;
  ws_mask_inplace(s, sizeof s, key, 0);
  assert_memory_equal(s, "Hello", 5);
  ws_mask_inplace(s, sizeof s, key, 0);
  assert_memory_equal(s, "\x7f\x9f\x4d\x51\x58", 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(equals_the_naive_loop_in_place),
    cmocka_unit_test(equals_the_naive_loop_when_copying),
    cmocka_unit_test(pieces_with_their_phase_make_the_whole),
    cmocka_unit_test(masking_twice_gives_the_bytes_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
