#include "support/utf8.h"

enum { SURROGATES = 0xd800, SURROGATES_END = 0xdfff, LAST = 0x10ffff };

/* Is there a code point of a sequence of 'size' bytes that begins with these
** bits, 'missing' bytes before its end? */
static bool is_possible(uint32_t bits, int size, int missing) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  uint32_t low = bits << (6 * missing);
  uint32_t high = low + (UINT32_C(1) << (6 * missing)) - 1;
  if (low < least[size])
    low = least[size];
  if (high > LAST)
    high = LAST;
  return low <= high && !(low >= SURROGATES && high <= SURROGATES_END);
}

/* How many bytes a sequence has that begins so; 0: none does. */
static int size_of(uint8_t c) {
  int size;
  if (c < 0x80)
    return 1;
  for (size = 0; (c & 0x80) != 0; c = (uint8_t)(c << 1))
    size++;
  return size >= 2 && size <= 4 ? size : 0;
}

size_t utf8_first_wrong(const uint8_t *s, size_t n, bool *whole) {
  size_t i = 0;
  *whole = true;
  while (i < n) {
    int size = size_of(s[i]), k;
    uint32_t bits;
    if (size == 0)
      return i;
    bits = size == 1 ? s[i] : s[i] & (0x7fu >> size);
    for (k = 1; k <= size; k++, i++) {
      if (k > 1 && i == n) {
        *whole = false;
        return n;
      }
      if (k > 1) {
        if (s[i] / 64 != 2)
          return i;
        bits = bits * 64 + s[i] % 64;
      }
      if (!is_possible(bits, size, size - k))
        return i;
    }
  }
  return n;
}
