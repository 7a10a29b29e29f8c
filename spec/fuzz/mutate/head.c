/*
** How inputs of head.c are changed: mostly as the lines that they are, and by
** words of the handshake. Only libFuzzer calls it.
*/
#include "mutate.h"

#include <string.h>

enum { HEAD = 8, SCRATCH = 8192, LINES_MAX = 64 };

/* ---- words --------------------------------------------------------------- */

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* The key, or what is to be answered to it, is the byte 4 (support/text.h). */
static const char *const lines[] = {
  "Host: h\n", "Host: [::1]:8\n", "Upgrade: websocket\n",
  "Connection: Upgrade\n", "Connection: close\n",
  "Sec-WebSocket-Version: 13\n", "Sec-WebSocket-Key: \4\n",
  "Sec-WebSocket-Accept: \4\n", "Sec-WebSocket-Protocol: chat\n",
  "Sec-WebSocket-Extensions: permessage-deflate\n", "Origin: https://h\n",
  "Content-Length: 0\n", "Transfer-Encoding: chunked\n", "Cookie: a=b\n",
  "Retry-After: 1\n", "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\n", "\n",
  "GET / HTTP/1.1\n", "GET http://h/x HTTP/1.1\n", "HEAD / HTTP/1.0\n",
  "HTTP/1.1 101 Switching Protocols\n", "HTTP/1.1 503 \n",
};

static const char *const words[] = {
  ",", ";", "=", "\"", " ", "\t", ", ", "; ", ":", "\\", "\n", "\r", "?",
  "\4", "websocket", "upgrade", "close", "chat", "v2.x", "13", "0", "5",
  "permessage-deflate", "server_no_context_takeover",
  "client_no_context_takeover", "server_max_window_bits=",
  "client_max_window_bits", "8", "9", "15", "16", "http://", "wss://",
  "[::1]", "%41", ":80", "HTTP/1.", "\1\1\1", "\3\177", "\2\1\1",
};

/* ---- one change ---------------------------------------------------------- */

struct text {
  uint8_t *at;
  size_t n, max;
};

static size_t starts[LINES_MAX + 1]; /* of lines, and the end */

static size_t find_lines(const uint8_t *s, size_t n) {
  size_t i, count = 0;
  starts[count++] = 0;
  for (i = 0; i + 1 < n && count < LINES_MAX; i++)
    if (s[i] == '\n')
      starts[count++] = i + 1;
  starts[count] = n;
  return count;
}

/* Bytes in the place of those from 'from' to 'to', if there is room. */
static void replace(struct text *t, size_t from, size_t to, const void *with,
                    size_t n) {
  if (t->n - (to - from) + n > t->max)
    return;
  memmove(t->at + from + n, t->at + to, t->n - to);
  if (n > 0)
    memcpy(t->at + from, with, n);
  t->n = t->n - (to - from) + n;
}

/* One line, by libFuzzer's own means. */
static void change_line(struct text *t, size_t from, size_t to) {
  static uint8_t scratch[SCRATCH];
  size_t n = to - from;
  if (n + 32 > SCRATCH)
    return;
  memcpy(scratch, t->at + from, n);
  n = LLVMFuzzerMutate(scratch, n, n + 32);
  replace(t, from, to, scratch, n);
}

static void copy_line(struct text *t, size_t to, size_t from, size_t end) {
  static uint8_t scratch[SCRATCH];
  if (end - from > SCRATCH)
    return;
  memcpy(scratch, t->at + from, end - from);
  replace(t, to, to, scratch, end - from);
}

static void change(struct text *t) {
  size_t count = find_lines(t->at, t->n), i = dice(count), at;
  size_t from = starts[i], to = starts[i + 1], other = dice(count);
  const char *word = words[dice(COUNT(words))];
  const char *line = lines[dice(COUNT(lines))];
  switch (dice(8)) {
    case 0: replace(t, from, to, NULL, 0); break;
    case 1: copy_line(t, from, starts[other], starts[other + 1]); break;
    case 2: replace(t, from, from, line, strlen(line)); break;
    case 3: replace(t, from, to, line, strlen(line)); break;
    case 4:
    case 5:
      at = from + dice(to - from + 1);
      replace(t, at, at + dice(2) * dice(to - at + 1), word, strlen(word));
      break;
    default: change_line(t, from, to);
  }
}

static void change_head(uint8_t *head) {
  size_t i = dice(HEAD);
  if (i < 3)
    head[i] ^= (uint8_t)(1u << dice(8));
  else
    head[i] = (uint8_t)dice(256);
}

/* ---- what libFuzzer calls ------------------------------------------------ */

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
                               unsigned seed) {
  struct text t;
  dice_seed(seed);
  if (size < HEAD || max <= HEAD || dice(20) == 0)
    return LLVMFuzzerMutate(data, size, max);
  if (dice(5) == 0)
    change_head(data);
  t.at = data + HEAD;
  t.n = size - HEAD;
  t.max = max - HEAD;
  do {
    change(&t);
  } while (dice(3) == 0);
  return HEAD + t.n;
}

/* The first lines of one, and the last of the other. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size,
                                 const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max, unsigned seed) {
  struct text t;
  size_t from;
  dice_seed(seed);
  if (a_size < HEAD || b_size < HEAD || a_size > max)
    return 0;
  memcpy(out, a, a_size);
  t.at = out + HEAD;
  t.max = max - HEAD;
  t.n = starts[dice(find_lines(a + HEAD, a_size - HEAD) + 1)];
  from = starts[dice(find_lines(b + HEAD, b_size - HEAD) + 1)];
  replace(&t, t.n, t.n, b + HEAD + from, b_size - HEAD - from);
  return HEAD + t.n;
}
