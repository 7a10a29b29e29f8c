/*
** permessage-deflate on one connection (RFC 7692): what was agreed on, and who
** owns the deflater when. Without context takeover a connection has one only
** while it encodes a message; one at rest is the engine's.
*/
#include "base/mem.h"
#include "engine/connection_impl.h"

static bool is_client(const struct engine_conn *c) {
  return c->proto.role == WS_CLIENT;
}

static int our_bits(const struct engine_conn *c) {
  return is_client(c) ? c->deal.client_window_bits
                      : c->deal.server_window_bits;
}

static bool takes_over(const struct engine_conn *c) {
  return is_client(c) ? !c->deal.client_no_context_takeover
                      : !c->deal.server_no_context_takeover;
}

void conn_deflate_agreed(struct engine_conn *c) {
  bool peers = is_client(c) ? !c->deal.server_no_context_takeover
                            : !c->deal.client_no_context_takeover;
  if (c->deal.on)
    ws_protocol_set_deflate(&c->proto, peers);
}

/* A window of 8 bits is more than zlib can do: such messages go as they are,
** which is always allowed (RFC 7692, 6). */
bool conn_deflates(const struct engine_conn *c, const struct engine_item *it) {
  if (!c->deal.on || it->deflated || our_bits(c) < WS_DEFLATE_BITS_MIN)
    return false;
  if (it->stream == NULL)
    return it->blob.len >= c->conf.deflate->min_size;
  return it->opcode != WS_CONTINUATION || it->stream->deflates;
}

struct ws_deflater *conn_deflater(struct engine_conn *c) {
  const struct engine_deflate *want = c->conf.deflate;
  struct engine *e = c->engine;
  if (e->deflated == NULL)
    e->deflated = (uint8_t *)base_malloc(LIMIT_TLS_RECORD_BYTES);
  if (e->deflated == NULL)
    return NULL;
  if (c->deflater == NULL && e->spare_deflater != NULL &&
      ws_deflater_is(e->spare_deflater, our_bits(c), want->level,
                     want->mem_level)) {
    c->deflater = e->spare_deflater;
    e->spare_deflater = NULL;
  }
  if (c->deflater == NULL)
    c->deflater = ws_deflater_new(our_bits(c), want->level, want->mem_level);
  return c->deflater;
}

void conn_deflate_free(struct engine_conn *c) {
  struct engine *e = c->engine;
  if (c->deflater == NULL)
    return;
  if (e->spare_deflater == NULL) {
    ws_deflater_reset(c->deflater);
    e->spare_deflater = c->deflater;
  } else {
    ws_deflater_free(c->deflater);
  }
  c->deflater = NULL;
}

/* The peer's window has moved over one that others had compressed: ours starts
** anew, and refers to nothing before. */
void conn_deflate_over(struct engine_conn *c, bool shared) {
  if (!takes_over(c))
    conn_deflate_free(c);
  else if (shared && c->deflater != NULL)
    ws_deflater_reset(c->deflater);
}

bool engine_conn_takes_deflated(const struct engine_conn *c, int bits) {
  return c->deal.on && our_bits(c) >= bits;
}
