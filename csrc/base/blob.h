/*
** A borrowed span of bytes with a way to give it back. Whoever accepts a blob
** owes exactly one release(blob, outcome); whoever refuses it owes none.
** The bytes stay where they are, unchanged, until then.
*/
#ifndef BASE_BLOB_H
#define BASE_BLOB_H

#include <stddef.h>
#include <stdint.h>

enum base_outcome {
  BASE_WRITTEN, /* the last byte was handed to the kernel */
  BASE_UNSENT,  /* not one byte left */
  BASE_PARTIAL  /* some did */
};

struct base_blob {
  struct base_blob *next; /* its holder's */
  const uint8_t *data;
  size_t len;
  /* May free the blob, and may call back into its holder. */
  void (*release)(struct base_blob *b, enum base_outcome how);
};

#endif
