/*
** What is on its way from one end to the other: records (RFC 8446, 5.1),
** which can be damaged, and the bytes that they become.
*/
#ifndef FUZZ_WIRE_H
#define FUZZ_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "support/seal.h"

enum { WIRE_RECORDS = 96 };

struct record {
  uint8_t head[5]; /* as it will be sent, but for the length */
  uint8_t *body;   /* of malloc */
  size_t size;
  size_t lie;      /* added to the length that is said */
  int epoch;       /* above 0: it was opened, and will be sealed with that */
};

struct wire {
  struct record list[WIRE_RECORDS];
  size_t count;
  struct base_buf line;  /* bytes that wait */
  struct base_buf last;  /* that were delivered last */
  struct base_buf plain; /* sealed by whom has the keys, as data */
  struct seal *seal;     /* or NULL */
  bool touched;          /* it is not as it was any more */
};

void wire_init(struct wire *w, struct seal *seal);
void wire_deinit(struct wire *w);

/* Whole records come in; how many of the bytes were taken. */
size_t wire_take(struct wire *w, const uint8_t *data, size_t n);
/* The first 'n' records go out, to the end of 'line'. */
void wire_send(struct wire *w, size_t n);
/* All records and bytes are lost. */
void wire_lose(struct wire *w);

/* Ways to damage record 'i' (of any number), which is none where there are no
** records. */
enum wire_harm { HARM_FLIP, HARM_DROP, HARM_DOUBLE, HARM_SWAP, HARM_SPLIT,
                 HARM_JOIN, HARM_HEAD, HARM_CUT, HARM_LIE, HARM_COUNT };
void wire_harm(struct wire *w, enum wire_harm how, size_t i, unsigned a,
               unsigned b);
/* A record before the i-th; 'n' bytes of content. */
void wire_insert(struct wire *w, size_t i, unsigned type, const uint8_t *data,
                 size_t n);

#endif
