#include "engine/share.h"

#include "base/buf.h"
#include "base/mem.h"
#include "ws/deflate.h"

enum { STEP = 64 * 1024 };

struct engine_share {
  struct engine_item *source;
  size_t refs; /* receivers, and whoever has it open */
  struct base_buf deflated; /* or empty */
  bool tried;
};

struct shared_item {
  struct engine_item item; /* first */
  struct engine_share *share;
};

struct engine_share *engine_share_open(struct engine_item *source) {
  struct engine_share *s = (struct engine_share *)base_malloc(sizeof *s);
  if (s == NULL)
    return NULL;
  s->source = source;
  s->refs = 1;
  s->tried = false;
  base_buf_init(&s->deflated, source->blob.len);
  return s;
}

static bool deflate(struct engine_share *s, struct ws_deflater *d) {
  const struct base_blob *b = &s->source->blob;
  size_t used, made, at = 0;
  uint8_t *to;
  bool done = false;
  while (!done) {
    made = s->deflated.max - s->deflated.len;
    if (made > STEP)
      made = STEP;
    to = made < WS_DEFLATE_ROOM ? NULL : base_buf_reserve(&s->deflated, made);
    if (to == NULL)
      return false;
    used = b->len - at;
    done = ws_deflater_run(d, b->data + at, &used, to, &made, WS_DEFLATE_END);
    base_buf_commit(&s->deflated, made);
    at += used;
  }
  return true;
}

bool engine_share_deflate(struct engine_share *s, struct ws_deflater *d) {
  if (!s->tried) {
    s->tried = true;
    if (!deflate(s, d))
      base_buf_free(&s->deflated);
    ws_deflater_reset(d);
  }
  return s->deflated.len > 0;
}

/* How it went for each receiver is for its connection to say. */
static void release(struct base_blob *b, enum base_outcome how) {
  struct shared_item *it =
    (struct shared_item *)(void *)((char *)b -
                                   offsetof(struct engine_item, blob));
  struct engine_share *s = it->share;
  (void)how;
  base_free(it);
  if (--s->refs == 0) {
    struct base_blob *source = &s->source->blob;
    base_buf_free(&s->deflated);
    base_free(s);
    source->release(source, BASE_WRITTEN);
  }
}

struct engine_item *engine_share_item(struct engine_share *s, bool deflated) {
  struct shared_item *it;
  it = (struct shared_item *)base_calloc(1, sizeof *it);
  if (it == NULL)
    return NULL;
  it->item.deflated = deflated;
  it->item.blob.data =
    deflated ? base_buf_data(&s->deflated) : s->source->blob.data;
  it->item.blob.len = deflated ? s->deflated.len : s->source->blob.len;
  it->item.blob.release = release;
  it->item.opcode = s->source->opcode;
  it->share = s;
  s->refs++;
  return &it->item;
}

bool engine_share_close(struct engine_share *s) {
  if (--s->refs > 0)
    return true;
  base_buf_free(&s->deflated);
  base_free(s);
  return false;
}
