#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The bytes of one character of valid UTF-8 (RFC 3629, 4), or 0. */
static size_t utf8_char(const uint8_t *s, size_t n, uint32_t *cp) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t i, len;
  if (s[0] < 0x80) {
    *cp = s[0];
    return 1;
  }
  len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
  if (s[0] < 0xc0 || s[0] > 0xf4 || len > n)
    return 0;
  *cp = s[0] & (0x7fu >> len);
  for (i = 1; i < len; i++) {
    if ((s[i] & 0xc0u) != 0x80)
      return 0;
    *cp = *cp << 6 | (s[i] & 0x3fu);
  }
  if (*cp < least[len] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000))
    return 0;
  return len;
}

/* Controls, line ends, and what is invisible or turns the line around. */
static bool is_printable(uint32_t cp) {
  if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0xad || cp == 0x61c)
    return false;
  return !(cp >= 0x200b && cp <= 0x200f) && !(cp >= 0x2028 && cp <= 0x202e) &&
         !(cp >= 0x2060 && cp <= 0x206f) && !(cp >= 0xfff0 && cp <= 0xffff) &&
         cp != 0xfeff && cp < 0xe0000;
}

/* One character, as it is or escaped, with a backslash if it is one of
** 'marks': its bytes in 'out', and their number. */
static size_t put_char(char out[12], const uint8_t *s, size_t n,
                       const char *marks, size_t *used) {
  uint32_t cp = 0;
  size_t len = utf8_char(s, n, &cp);
  *used = len > 0 ? len : 1;
  if (len > 0 && is_printable(cp)) {
    size_t at = 0;
    if (len == 1 && strchr(marks, (int)cp) != NULL)
      out[at++] = '\\';
    memcpy(out + at, s, len);
    return at + len;
  }
  (void)snprintf(out, 5, "\\x%02x", s[0]);
  *used = 1; /* the rest of it is invalid by itself, and escaped as well */
  return 4;
}

void base_text_clean(char *out, size_t size, const char *s, size_t n,
                     const char *marks) {
  size_t at = 0, i = 0, safe = 0;
  while (i < n) {
    char piece[12];
    size_t used, len;
    len = put_char(piece, (const uint8_t *)s + i, n - i, marks, &used);
    if (at + len >= size) {
      memcpy(out + safe, "...", 4);
      return;
    }
    memcpy(out + at, piece, len);
    at += len;
    i += used;
    if (at + 4 <= size)
      safe = at; /* up to here the dots would still fit behind it */
  }
  out[at] = '\0';
}
