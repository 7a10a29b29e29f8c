/*
** A sequence of frames as protocol.c's inputs have it: four bytes, and then
** the payload. Lengths, masks and compression are made of it later.
*/
#ifndef FUZZ_RECORDS_H
#define FUZZ_RECORDS_H

#include <stdbool.h>

#include "support/blob.h"

enum { RECORDS_HEAD = 8, RECORD_HEAD = 4, RECORDS_MAX = 64 };

enum record_flag {
  RECORD_MASK = 1,   /* masked in the wrong direction */
  RECORD_WIDE = 2,   /* the length is not in its shortest form */
  RECORD_REPEAT = 4, /* the payload 256 times */
  RECORD_PACK = 8    /* the payload is compressed */
};

struct record {
  uint8_t first; /* FIN, reserved bits, opcode */
  uint8_t flags; /* the upper four bits choose a key */
  const uint8_t *data;
  size_t n;
};

/* How many there are; the last one has what is left. */
size_t records_parse(struct record out[RECORDS_MAX], const uint8_t *in,
                     size_t n);
void records_put(struct blob *out, const struct record *r);

/* The bytes that a peer sends: 'masked' as it must, 'fresh' where each
** compressed message stands for itself. */
void records_wire(struct blob *out, const uint8_t *in, size_t n, bool masked,
                  bool fresh);

#endif
