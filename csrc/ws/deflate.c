#include "ws/deflate.h"

#include <limits.h>
#include <string.h>

#include <zlib.h>

#include "base/err.h"
#include "base/mem.h"

enum {
  TAIL = 4,               /* of a flush: 00 00 ff ff (RFC 7692, 7.2.1) */
  STEP_MIN = 1024,        /* of what is inflated at a time */
  STEP_MAX = 64 * 1024,
  DICTIONARY = 32 * 1024, /* the largest window */
  FINALS_MAX = 64         /* final blocks of one message: each of two bytes has
                             the window copied */
};

static const uint8_t tail[TAIL] = {0x00, 0x00, 0xff, 0xff};

static void *allocate(void *opaque, unsigned items, unsigned size) {
  (void)opaque;
  return base_calloc(items, size);
}

static void release(void *opaque, void *p) {
  (void)opaque;
  base_free(p);
}

static void set_heap(z_stream *z) {
  z->zalloc = allocate;
  z->zfree = release;
}

static unsigned bounded(size_t n) {
  return n < UINT_MAX ? (unsigned)n : UINT_MAX;
}

/* ---- out ----------------------------------------------------------------- */

struct ws_deflater {
  z_stream z;
  int bits, level, mem_level;
  uint8_t held[TAIL]; /* the last bytes made: the message may end with them */
  size_t held_len;
  bool begun;         /* something of this message was given out */
};

struct ws_deflater *ws_deflater_new(int bits, int level, int mem_level) {
  struct ws_deflater *d = (struct ws_deflater *)base_calloc(1, sizeof *d);
  if (d == NULL)
    return NULL;
  set_heap(&d->z);
  d->bits = bits;
  d->level = level;
  d->mem_level = mem_level;
  if (deflateInit2(&d->z, level, Z_DEFLATED, -bits, mem_level,
                   Z_DEFAULT_STRATEGY) == Z_OK)
    return d;
  base_free(d);
  return NULL;
}

void ws_deflater_free(struct ws_deflater *d) {
  if (d == NULL)
    return;
  (void)deflateEnd(&d->z);
  base_free(d);
}

bool ws_deflater_is(const struct ws_deflater *d, int bits, int level,
                    int mem_level) {
  return d->bits == bits && d->level == level && d->mem_level == mem_level;
}

void ws_deflater_reset(struct ws_deflater *d) {
  (void)deflateReset(&d->z);
  d->held_len = 0;
  d->begun = false;
}

/* Of the 'n' bytes made, what may be given out: all but the last four, which
** wait, or are the end. */
static size_t hold_back(struct ws_deflater *d, uint8_t *out, size_t n,
                        bool over) {
  size_t kept = n < TAIL ? n : TAIL;
  if (!over) {
    memcpy(d->held, out + n - kept, kept);
    d->held_len = kept;
    d->begun = d->begun || n > kept;
    return n - kept;
  }
  n -= kept; /* 00 00 ff ff */
  if (n == 0 && !d->begun)
    out[n++] = 0x00; /* RFC 7692, 7.2.3.6: an empty message */
  d->held_len = 0;
  d->begun = false;
  return n;
}

bool ws_deflater_run(struct ws_deflater *d, const uint8_t *in, size_t *n,
                     uint8_t *out, size_t *made,
                     enum ws_deflate_flush flush) {
  size_t had = d->held_len;
  unsigned given = bounded(*n), room = bounded(*made - had);
  bool done;
  memcpy(out, d->held, had);
  d->z.next_in = (z_const Bytef *)in;
  d->z.avail_in = given;
  d->z.next_out = out + had;
  d->z.avail_out = room;
  /* Z_BUF_ERROR: there was nothing to do, for a flush was just before */
  (void)deflate(&d->z, flush == WS_DEFLATE_MORE || given < *n ? Z_NO_FLUSH
                                                              : Z_SYNC_FLUSH);
  done = d->z.avail_out > 0 && d->z.avail_in == 0 && given == *n;
  *n = given - d->z.avail_in;
  *made = hold_back(d, out, had + room - d->z.avail_out,
                    done && flush == WS_DEFLATE_END);
  return done;
}

/* ---- in ------------------------------------------------------------------ */

struct ws_inflater {
  z_stream z;
  bool fresh; /* nothing has come, or nothing since a final block */
  unsigned finals; /* of this message */
};

struct ws_inflater *ws_inflater_new(void) {
  struct ws_inflater *f = (struct ws_inflater *)base_calloc(1, sizeof *f);
  if (f == NULL)
    return NULL;
  set_heap(&f->z);
  f->fresh = true;
  /* The largest window will do for every peer's. */
  if (inflateInit2(&f->z, -MAX_WBITS) == Z_OK)
    return f;
  base_free(f);
  return NULL;
}

void ws_inflater_free(struct ws_inflater *f) {
  if (f == NULL)
    return;
  (void)inflateEnd(&f->z);
  base_free(f);
}

/* RFC 7692, 7.2.3.4: a final block is not the end of what was before: the
** window goes on. */
static int go_on(struct ws_inflater *f) {
  uint8_t *window = (uint8_t *)base_malloc(DICTIONARY);
  uInt n = DICTIONARY;
  int got;
  if (window == NULL)
    return BASE_ERR_MEMORY;
  got = inflateGetDictionary(&f->z, window, &n);
  if (got == Z_OK)
    got = inflateReset(&f->z);
  if (got == Z_OK && n > 0)
    got = inflateSetDictionary(&f->z, window, n);
  base_free(window);
  return got == Z_OK ? 0 : BASE_ERR_DEFLATE;
}

/* Where the next bytes go: room for some of them, or for a single one, which
** is too much. */
static uint8_t *make_room(struct base_buf *out, size_t n, uint8_t *spare,
                          size_t *room) {
  size_t left = out->max - out->len;
  size_t step = n > STEP_MAX / 4 ? STEP_MAX : 4 * n;
  if (step < STEP_MIN)
    step = STEP_MIN;
  if (step > left)
    step = left;
  *room = step > 0 ? step : 1;
  return step > 0 ? base_buf_reserve(out, step) : spare;
}

/* Is it between two blocks, with no bit of another one? */
static bool is_between(const struct ws_inflater *f) {
  int state = f->z.data_type;
  return f->fresh || ((state & 128) != 0 && (state & 63) == 0);
}

/* One call of zlib. 1: call again; 0: all is used; or an error. */
static int step(struct ws_inflater *f, struct base_buf *out) {
  uint8_t spare;
  size_t room, made;
  uint8_t *to = make_room(out, f->z.avail_in, &spare, &room);
  int got;
  if (to == NULL)
    return BASE_ERR_MEMORY;
  f->z.next_out = to;
  f->z.avail_out = (unsigned)room;
  got = inflate(&f->z, Z_SYNC_FLUSH);
  made = room - f->z.avail_out;
  if (made > 0 && to == &spare)
    return BASE_ERR_MESSAGE_SIZE;
  if (to != &spare)
    base_buf_commit(out, made);
  if (got == Z_STREAM_END) {
    if (++f->finals > FINALS_MAX)
      return BASE_ERR_DEFLATE;
    f->fresh = f->z.avail_in == 0;
    got = go_on(f);
    return got != 0 ? got : f->z.avail_in > 0;
  }
  if (got == Z_MEM_ERROR)
    return BASE_ERR_MEMORY;
  if (got != Z_OK && got != Z_BUF_ERROR)
    return BASE_ERR_DEFLATE;
  /* a call for nothing would make zlib forget that it is between blocks */
  return f->z.avail_in > 0 || (f->z.avail_out == 0 && !is_between(f));
}

int ws_inflater_feed(struct ws_inflater *f, const uint8_t *in, size_t n,
                     struct base_buf *out) {
  while (n > 0) {
    unsigned part = bounded(n);
    int got;
    f->fresh = false;
    f->z.next_in = (z_const Bytef *)in;
    f->z.avail_in = part;
    do
      got = step(f, out);
    while (got > 0);
    if (got < 0)
      return got;
    in += part;
    n -= part;
  }
  return 0;
}

/* A message without a byte, or with its flush whole at its end, stands between
** two blocks already. That is not as RFC 7692, 7.2.1 has it, but what is made
** where zlib is asked for two flushes in a row (by python-websockets, of an
** empty message or last fragment); the tail would be half a block then. */
int ws_inflater_end(struct ws_inflater *f, struct base_buf *out) {
  int got;
  f->finals = 0;
  if (is_between(f))
    return 0;
  got = ws_inflater_feed(f, tail, TAIL, out);
  if (got == 0 && !is_between(f))
    got = BASE_ERR_DEFLATE;
  return got;
}

const char *ws_deflate_version(void) {
  return zlibVersion();
}
