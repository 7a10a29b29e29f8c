#include "support/records.h"

#include <string.h>

#include <zlib.h>

#include "support/broken.h"
#include "support/bytes.h"

enum { REPEATS = 256, WIRE_MAX = 80000 };

size_t records_parse(struct record out[RECORDS_MAX], const uint8_t *in,
                     size_t n) {
  struct bytes b = {in, n};
  size_t i;
  for (i = 0; i < RECORDS_MAX && b.n > 0; i++) {
    out[i].first = (uint8_t)bytes_one(&b);
    out[i].flags = (uint8_t)bytes_one(&b);
    out[i].n = (size_t)bytes_number(&b, 2);
    if (out[i].n > b.n)
      out[i].n = b.n;
    out[i].data = b.at;
    b.at += out[i].n;
    b.n -= out[i].n;
  }
  return i;
}

void records_put(struct blob *out, const struct record *r) {
  blob_put(out, &r->first, 1);
  blob_put(out, &r->flags, 1);
  blob_put_number(out, r->n, 2);
  blob_put(out, r->data, r->n);
}

/* One frame's share of a compressed message (RFC 7692, 7.2.1). */
static void pack(z_stream *z, struct blob *payload, bool last) {
  struct blob out = {NULL, 0, 0};
  uint8_t part[4096];
  static uint8_t nothing[1];
  z->next_in = payload->n > 0 ? payload->mem : nothing;
  z->avail_in = (uInt)payload->n;
  do {
    z->next_out = part;
    z->avail_out = sizeof part;
    (void)deflate(z, Z_SYNC_FLUSH);
    blob_put(&out, part, sizeof part - z->avail_out);
  } while (z->avail_out == 0);
  if (last && out.n >= 4 && memcmp(out.mem + out.n - 4, "\0\0\xff\xff", 4) == 0)
    out.n -= 4;
  blob_free(payload);
  *payload = out;
}

static void put_length(struct blob *out, unsigned mask, size_t n, bool wide) {
  if (n > 65535 || (wide && n > 125)) {
    blob_put_number(out, mask | 127, 1);
    blob_put_number(out, n, 8);
  } else if (n > 125 || wide) {
    blob_put_number(out, mask | 126, 1);
    blob_put_number(out, n, 2);
  } else {
    blob_put_number(out, mask | n, 1);
  }
}

static void put_frame(struct blob *out, const struct record *r,
                      struct blob *payload, bool masked) {
  uint8_t key[4];
  size_t i;
  blob_put(out, &r->first, 1);
  put_length(out, masked ? 128 : 0, payload->n,
             (r->flags & RECORD_WIDE) != 0);
  for (i = 0; i < 4; i++)
    key[i] = (uint8_t)((r->flags >> 4) * (17 + 50 * i));
  if (masked)
    blob_put(out, key, 4);
  for (i = 0; masked && i < payload->n; i++)
    payload->mem[i] ^= key[i % 4];
  blob_put(out, payload->mem, payload->n);
}

void records_wire(struct blob *out, const uint8_t *in, size_t n, bool masked,
                  bool fresh) {
  struct record all[RECORDS_MAX];
  size_t count = records_parse(all, in, n), i;
  int k;
  z_stream z;
  memset(&z, 0, sizeof z);
  MUST(deflateInit2(&z, 6, Z_DEFLATED, -15, 1, Z_DEFAULT_STRATEGY) == Z_OK);
  for (i = 0; i < count; i++) {
    const struct record *r = &all[i];
    struct blob payload = {NULL, 0, 0};
    int times = (r->flags & RECORD_REPEAT) != 0 ? REPEATS : 1;
    for (k = 0; k < times; k++)
      if (out->n + payload.n + r->n < WIRE_MAX)
        blob_put(&payload, r->data, r->n);
    if (fresh && (r->first & 15) != 0)
      (void)deflateReset(&z);
    if ((r->flags & RECORD_PACK) != 0)
      pack(&z, &payload, (r->first & 128) != 0);
    put_frame(out, r, &payload,
              masked != ((r->flags & RECORD_MASK) != 0));
    blob_free(&payload);
  }
  (void)deflateEnd(&z);
}
