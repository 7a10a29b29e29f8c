#include "support/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/broken.h"

static void make(struct pattern *p) {
  char text[600];
  int size = snprintf(text, sizeof text, "^(%s)$", p->text);
  MUST(size > 0 && (size_t)size < sizeof text);
  MUST(regcomp(&p->made, text, REG_EXTENDED | REG_NOSUB) == 0);
  p->ready = true;
}

bool pattern_fits(struct pattern *p, const char *s, size_t n) {
  char *text = (char *)malloc(n + 1);
  bool fits;
  MUST(text != NULL);
  if (n > 0)
    memcpy(text, s, n);
  text[n] = '\0';
  if (!p->ready)
    make(p);
  fits = strlen(text) == n && regexec(&p->made, text, 0, NULL, 0) == 0;
  free(text);
  return fits;
}
