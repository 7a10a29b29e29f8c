/*
** One message for many receivers: its bytes are pinned once, and given back
** when the last receiver is done with them.
*/
#ifndef ENGINE_SHARE_H
#define ENGINE_SHARE_H

#include "engine/queue.h"

struct ws_deflater;

struct engine_share;

/* Shares 'source', which stays the caller's until engine_share_close. NULL
** without memory. */
struct engine_share *engine_share_open(struct engine_item *source);

/* One more receiver: an item for its queue, which settles by itself. NULL
** without memory. 'deflated': the compressed form, which is there. */
struct engine_item *engine_share_item(struct engine_share *s, bool deflated);

/*
** Make the compressed form (RFC 7692), once. False if it is no smaller, or
** there is no memory for it: send the message as it is.
*/
bool engine_share_deflate(struct engine_share *s, struct ws_deflater *d);

/* No further receivers. True: it has some, and 'source' will be released when
** they are done. False: it has none, and 'source' is the caller's still. */
bool engine_share_close(struct engine_share *s);

#endif
