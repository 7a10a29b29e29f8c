#include "engine/engine.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "engine/connection.h"
#include "tls/context.h"
#include "ws/deflate.h"

/* Last thing before the loop waits: everything said in this pass goes out,
** each connection's messages together. */
static void before_wait(void *ctx) {
  engine_conn_flush_dirty((struct engine *)ctx);
}

int engine_new(struct engine **out) {
  struct engine *e = (struct engine *)base_calloc(1, sizeof *e);
  if (e == NULL)
    return BASE_ERR_MEMORY;
  e->plain = (uint8_t *)base_malloc(LIMIT_PLAIN_BYTES);
  e->stage = (uint8_t *)base_malloc(LIMIT_TLS_RECORD_BYTES);
  if (e->plain == NULL || e->stage == NULL || net_loop_new(&e->loop) != 0) {
    base_free(e->plain);
    base_free(e->stage);
    base_free(e);
    return BASE_ERR_MEMORY;
  }
  net_loop_before_wait(e->loop, before_wait, e);
  *out = e;
  return 0;
}

void engine_free(struct engine *e) {
  if (e == NULL)
    return;
  /* What ended after wss.stop departs now; nobody is left to be told. */
  engine_unhalt(e);
  engine_conn_flush_dirty(e);
  net_loop_free(e->loop); /* calls back into what is still closing */
  assert(e->conns == NULL && e->ledger.connections == 0);
  while (e->spare != NULL) {
    struct engine_out *out = e->spare;
    e->spare = out->next;
    base_buf_free(&out->buf);
    base_free(out);
  }
  ws_deflater_free(e->spare_deflater);
  base_free(e->deflated);
  base_free(e->plain);
  base_free(e->stage);
  base_free(e);
}

bool engine_mask_key(struct engine *e, uint8_t key[4]) {
  if (e->random_left < 4) {
    if (!tls_random(e->random, sizeof e->random))
      return false;
    e->random_left = sizeof e->random;
  }
  e->random_left -= 4;
  memcpy(key, e->random + e->random_left, 4);
  return true;
}

struct engine_out *engine_out_get(struct engine *e) {
  struct engine_out *out = e->spare;
  if (out != NULL) {
    e->spare = out->next;
    e->spares--;
    return out;
  }
  out = (struct engine_out *)base_calloc(1, sizeof *out);
  if (out != NULL)
    base_buf_init(&out->buf, LIMIT_OUT_BYTES);
  return out;
}

void engine_out_put(struct engine *e, struct engine_out *out) {
  if (out == NULL)
    return;
  base_buf_clear(&out->buf);
  out->count = 0;
  if (e->spares < ENGINE_SPARE_OUTS) {
    out->next = e->spare;
    e->spare = out;
    e->spares++;
  } else {
    base_buf_free(&out->buf);
    base_free(out);
  }
}

struct ws_deflater *engine_spare_deflater(struct engine *e, int bits,
                                          int level, int mem_level) {
  if (e->spare_deflater != NULL &&
      !ws_deflater_is(e->spare_deflater, bits, level, mem_level)) {
    ws_deflater_free(e->spare_deflater);
    e->spare_deflater = NULL;
  }
  if (e->spare_deflater == NULL)
    e->spare_deflater = ws_deflater_new(bits, level, mem_level);
  return e->spare_deflater;
}

void engine_unhalt(struct engine *e) {
  if (!e->halted)
    return;
  e->halted = false;
  engine_conn_resume_all(e);
}
