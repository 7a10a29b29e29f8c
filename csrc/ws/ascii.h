/*
** ASCII without a locale: the grammars of URLs and HTTP know no other letters.
*/
#ifndef WS_ASCII_H
#define WS_ASCII_H

#include <stdbool.h>
#include <stddef.h>

static inline bool ws_ascii_is_digit(char c) {
  return c >= '0' && c <= '9';
}

static inline char ws_ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static inline bool ws_ascii_is_alpha(char c) {
  char l = ws_ascii_lower(c);
  return l >= 'a' && l <= 'z';
}

static inline bool ws_ascii_is_hex(char c) {
  char l = ws_ascii_lower(c);
  return ws_ascii_is_digit(c) || (l >= 'a' && l <= 'f');
}

/* Do the 'n' bytes at 's' spell the string 'text', whatever their case? */
static inline bool ws_ascii_same(const char *s, size_t n, const char *text) {
  size_t i;
  for (i = 0; i < n; i++)
    if (text[i] == '\0' || ws_ascii_lower(s[i]) != ws_ascii_lower(text[i]))
      return false;
  return text[n] == '\0';
}

#endif
