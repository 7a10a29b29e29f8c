/* Nothing has taken the place of RAND_METHOD but whole providers. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "support/dice.h"

#include <stddef.h>

#include <openssl/rand.h>

#include "support/broken.h"

static uint64_t nobodys = 1, *turn = &nobodys;

/* xorshift64 */
static int draw(unsigned char *out, int n) {
  int i;
  for (i = 0; i < n; i++) {
    *turn ^= *turn << 13;
    *turn ^= *turn >> 7;
    *turn ^= *turn << 17;
    out[i] = (unsigned char)(*turn >> 24);
  }
  return 1;
}

static int seed(const void *data, int n) {
  (void)data;
  (void)n;
  return 1;
}

static int add(const void *data, int n, double entropy) {
  (void)entropy;
  return seed(data, n);
}

static int status(void) {
  return 1;
}

void dice_install(void) {
  static RAND_METHOD method;
  method.seed = seed;
  method.bytes = method.pseudorand = draw;
  method.add = add;
  method.status = status;
  MUST(RAND_set_rand_method(&method) == 1);
}

void dice_use(uint64_t *state) {
  turn = state != NULL ? state : &nobodys;
}
