/*
** DEFLATE (RFC 1951) bit by bit, without zlib: slow, short, and strict where
** zlib is.
*/
#ifndef FUZZ_INFLATE_H
#define FUZZ_INFLATE_H

#include "support/blob.h"

enum inflate_end {
  INFLATE_BETWEEN, /* all is used, and it ends with a block */
  INFLATE_SHORT,   /* a block is cut */
  INFLATE_WRONG,
  INFLATE_FULL     /* there would be more than 'room' bytes */
};

/*
** Appends what the 'n' bytes are, at most 'room'; what is in 'out' before may
** be referred to. Behind a final block another may begin, with the next byte;
** more than 'finals' of them are wrong.
*/
enum inflate_end inflate_slowly(struct blob *out, size_t room,
                                const uint8_t *in, size_t n, unsigned finals);

#endif
