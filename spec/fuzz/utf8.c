/*
** UTF-8 (csrc/ws/utf8.c) in pieces. An input begins with four bytes that say
** how it is cut and one that says where in memory it lies; the rest is text.
*/
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "support/broken.h"
#include "support/bytes.h"
#include "support/utf8.h"
#include "ws/utf8.h"

enum { HEAD = CUT_BYTES + 1 };

double fuzz_limit_seconds = 1;

static bool feed(struct ws_utf8 *u, const uint8_t *s, size_t n,
                 unsigned place) {
  uint8_t *copy = (uint8_t *)malloc(place + n + 1);
  bool ok;
  MUST(copy != NULL);
  if (n > 0)
    memcpy(copy + place, s, n);
  ok = ws_utf8_feed(u, copy + place, n);
  free(copy);
  return ok;
}

static void in_pieces(const uint8_t *s, size_t n, unsigned place,
                      struct cut cut) {
  struct ws_utf8 u = {0, 0, 0};
  bool whole, unused;
  size_t wrong = utf8_first_wrong(s, n, &whole), at = 0, k;
  while (at < n) {
    k = cut_next(&cut, n - at);
    MUST(feed(&u, s + at, k, place) == (at + k <= wrong));
    at += k;
    if (at <= wrong) {
      (void)utf8_first_wrong(s, at, &unused);
      MUST(ws_utf8_complete(&u) == unused);
    } else {
      MUST(!ws_utf8_complete(&u));
    }
  }
  MUST(ws_utf8_complete(&u) == (wrong == n && whole));
  MUST(feed(&u, s, 0, place) == (wrong == n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct ws_utf8 u = {0, 0, 0};
  struct cut cut = {CUT_NOT, data, 0};
  const uint8_t *s;
  size_t n, wrong;
  unsigned place;
  bool whole;
  int how;
  if (size < HEAD)
    return 0;
  place = data[CUT_BYTES] % 16;
  s = data + HEAD;
  n = size - HEAD;
  for (how = 0; how < CUT_COUNT; how++) {
    cut.how = (enum cut_how)how;
    in_pieces(s, n, place, cut);
  }
  wrong = utf8_first_wrong(s, n, &whole);
  MUST(ws_utf8_valid(s, n) == (wrong == n && whole));
  MUST(feed(&u, s, wrong, place)); /* and the next byte is the wrong one */
  if (wrong < n)
    MUST(!feed(&u, s + wrong, 1, place));
  return 0;
}
