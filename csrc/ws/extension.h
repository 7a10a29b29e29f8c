/*
** The negotiation of permessage-deflate (RFC 7692, 5 and 7.1; RFC 6455, 9.1),
** as pure functions over header values.
*/
#ifndef WS_EXTENSION_H
#define WS_EXTENSION_H

#include <stdbool.h>
#include <stddef.h>

#include "ws/head.h"

enum { WS_WINDOW_BITS_MIN = 8, WS_WINDOW_BITS_MAX = 15,
       WS_EXTENSION_SIZE = 192 /* of an offer or an answer, with its NUL */ };

/* What one side wants. */
struct ws_deflate_wish {
  bool server_no_context_takeover, client_no_context_takeover;
  int server_max_window_bits, client_max_window_bits; /* 0: does not care */
};

/* What both have agreed on. */
struct ws_deflate_deal {
  bool on;
  bool server_no_context_takeover, client_no_context_takeover;
  int server_window_bits, client_window_bits; /* 8 to 15 */
};

/* A client's offer, the one element that it sends. */
void ws_extension_offer(char out[WS_EXTENSION_SIZE],
                        const struct ws_deflate_wish *wish);

/*
** A client judges the answer to its offer (RFC 7692, 7.1), NULL where the
** server sent none. NULL, or what is wrong with it as the end of a sentence:
** anything that was not offered, is there twice, or has no such value; then
** the connection must be failed.
*/
const char *ws_extension_check(struct ws_deflate_deal *out, const char *answer,
                               const struct ws_deflate_wish *wish);

/*
** A server takes the first offer in a request that it can fulfil, and writes
** its answer; false, with '*deal' off, where there is none. Offers that are
** malformed are declined, as are unknown extensions.
*/
bool ws_extension_accept(struct ws_deflate_deal *deal,
                         char answer[WS_EXTENSION_SIZE],
                         const struct ws_head *request,
                         const struct ws_deflate_wish *wish);

#endif
