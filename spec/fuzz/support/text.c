#include "support/text.h"

#include <string.h>

#include "support/bytes.h"

static void repeat(struct blob *out, const void *what, size_t size,
                   size_t times) {
  while (times-- > 0 && out->n + size <= TEXT_MAX)
    blob_put(out, what, size);
}

static void repeat_byte(struct blob *out, struct bytes *b, size_t each) {
  size_t times = each * bytes_one(b);
  uint8_t c = (uint8_t)bytes_one(b);
  repeat(out, &c, 1, times);
}

static void repeat_line(struct blob *out, size_t times) {
  struct blob line = {NULL, 0, 0};
  size_t end = out->n, at = end > 0 ? end - 1 : 0;
  while (at > 0 && out->mem[at - 1] != '\n')
    at--;
  if (end > at)
    blob_put(&line, out->mem + at, end - at);
  repeat(out, line.mem, line.n, times);
  blob_free(&line);
}

static void end_line(struct blob *out) {
  if (out->n == 0 || out->mem[out->n - 1] != '\r')
    blob_put(out, "\r", 1);
  blob_put(out, "\n", 1);
}

void text_expand(struct blob *out, const uint8_t *in, size_t n,
                 const char *word) {
  struct bytes b = {in, n};
  while (b.n > 0) {
    uint8_t c = (uint8_t)bytes_one(&b);
    switch (c) {
      case 1: repeat_byte(out, &b, 1); break;
      case 2: repeat_byte(out, &b, 40); break;
      case 3: repeat_line(out, bytes_one(&b)); break;
      case 4: repeat(out, word, strlen(word), 1); break;
      case '\n': end_line(out); break;
      default: blob_put(out, &c, 1);
    }
  }
}
