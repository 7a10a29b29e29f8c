#include "engine/share.h"

#include "base/mem.h"

struct engine_share {
  struct engine_item *source;
  size_t refs; /* receivers, and whoever has it open */
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
  return s;
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
    base_free(s);
    source->release(source, BASE_WRITTEN);
  }
}

struct engine_item *engine_share_item(struct engine_share *s) {
  struct shared_item *it;
  it = (struct shared_item *)base_calloc(1, sizeof *it);
  if (it == NULL)
    return NULL;
  it->item.blob.data = s->source->blob.data;
  it->item.blob.len = s->source->blob.len;
  it->item.blob.release = release;
  it->item.opcode = s->source->opcode;
  it->share = s;
  s->refs++;
  return &it->item;
}

bool engine_share_close(struct engine_share *s) {
  if (--s->refs > 0)
    return true;
  base_free(s);
  return false;
}
