/*
** Compressed messages (RFC 7692, 7.2): one stream out, one stream in, over
** zlib, which is met in deflate.c alone.
*/
#ifndef WS_DEFLATE_H
#define WS_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Smaller windows than this zlib does not compress for. */
enum { WS_DEFLATE_BITS_MIN = 9, WS_DEFLATE_ROOM = 32 };

struct ws_deflater;

/* NULL without memory. 'bits' 9 to 15, 'level' 0 to 9, 'mem_level' 1 to 9. */
struct ws_deflater *ws_deflater_new(int bits, int level, int mem_level);
void ws_deflater_free(struct ws_deflater *d); /* NULL is fine */
/* Was it made with these? */
bool ws_deflater_is(const struct ws_deflater *d, int bits, int level,
                    int mem_level);

/* What comes next refers to nothing that was before. */
void ws_deflater_reset(struct ws_deflater *d);

enum ws_deflate_flush {
  WS_DEFLATE_MORE,  /* more of the message follows */
  WS_DEFLATE_PIECE, /* likewise, but the peer is to have all of this */
  WS_DEFLATE_END    /* the message ends here */
};

/*
** Compress the '*n' bytes at 'in' into the '*made' bytes at 'out', at least
** WS_DEFLATE_ROOM. Sets both to what was used and made. True when all of the
** input is in the output, as 'flush' wants it; otherwise call again with the
** rest of it.
*/
bool ws_deflater_run(struct ws_deflater *d, const uint8_t *in, size_t *n,
                     uint8_t *out, size_t *made, enum ws_deflate_flush flush);

struct ws_inflater;

struct ws_inflater *ws_inflater_new(void); /* NULL without memory */
void ws_inflater_free(struct ws_inflater *f); /* NULL is fine */

/*
** Append what 'n' bytes of a message inflate to, 'out->max' bytes in all. 0,
** BASE_ERR_DEFLATE for what is no such stream, BASE_ERR_MESSAGE_SIZE if there
** would be more (as soon as that shows), or BASE_ERR_MEMORY.
*/
int ws_inflater_feed(struct ws_inflater *f, const uint8_t *in, size_t n,
                     struct base_buf *out);
/* The message ends (RFC 7692, 7.2.2): the same, for what was still inside. */
int ws_inflater_end(struct ws_inflater *f, struct base_buf *out);

const char *ws_deflate_version(void); /* zlib's, of the library in use */

#endif
