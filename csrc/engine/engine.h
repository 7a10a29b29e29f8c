/*
** What all connections of one Lua state share: the loop, scratch buffers,
** random bytes in batches, the list of connections that have something to
** flush, and the ledger. An idle connection borrows nothing of it.
*/
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/limits.h"
#include "net/loop.h"

struct engine_conn;
struct ws_deflater;

enum {
  ENGINE_SPARE_OUTS = 4,
  ENGINE_RANDOM_BYTES = 2048,
  ENGINE_OUT_MARKS = 32,
  ENGINE_OUT_TARGET_BYTES = 384 * 1024 /* of one batch: LIMIT_OUT_BYTES */
};

/*
** A batch of one connection's output on its way to the kernel. A mark says
** that the frames up to 'plain' (an offset in all that the connection ever
** framed) are in the output up to 'wire' (in all that it ever put out), so
** that what the kernel took can be told back to the messages.
*/
struct engine_mark {
  uint64_t plain, wire;
};

struct engine_out {
  struct engine_out *next; /* among the spare ones */
  struct base_buf buf;
  size_t count;
  struct engine_mark marks[ENGINE_OUT_MARKS];
};

/* Live objects; every row is zero once everything is closed. */
struct engine_ledger {
  size_t connections; /* engine_conn */
  size_t servers;
  size_t transports;  /* streams and dials */
  size_t ssl_objects;
  size_t pinned_strings, pinned_bytes;
};

struct engine {
  struct net_loop *loop;
  struct engine_conn *conns;    /* all */
  struct engine_conn *dirty;    /* have something to do before the loop waits */
  struct engine_conn *flushing; /* those of this pass */
  bool halted;    /* wss.stop: nothing is delivered until the next run */
  uint8_t *plain; /* LIMIT_PLAIN_BYTES of plaintext being read */
  uint8_t *stage; /* one TLS record of frames being encoded */
  uint8_t *deflated; /* LIMIT_TLS_RECORD_BYTES of one; NULL until needed */
  struct ws_deflater *spare_deflater; /* at rest, or NULL */
  struct engine_out *spare; /* at rest, ENGINE_SPARE_OUTS at most */
  size_t spares;
  uint8_t random[ENGINE_RANDOM_BYTES];
  size_t random_left;
  struct engine_ledger ledger;
};

/* 0 or BASE_ERR_MEMORY. */
int engine_new(struct engine **out);

/* All clients have been detached. Runs the loop until everything is closed;
** see net_loop_free for calls from inside a callback. */
void engine_free(struct engine *e);

/* Four bytes no peer can foresee (RFC 6455, 5.3). False: no randomness. */
bool engine_mask_key(struct engine *e, uint8_t key[4]);

/* A batch, empty; NULL without memory. Give it back, whatever is in it. */
struct engine_out *engine_out_get(struct engine *e);
void engine_out_put(struct engine *e, struct engine_out *out); /* or NULL */

/* A deflater with these, which stays the engine's; NULL without memory. */
struct ws_deflater *engine_spare_deflater(struct engine *e, int bits,
                                          int level, int mem_level);

/* Deliver again after 'halted' was set. */
void engine_unhalt(struct engine *e);

#endif
