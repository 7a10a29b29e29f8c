/*
** The opening handshake once more, by other means than ws/handshake, accept
** and extension: who may accept what, found out from whole heads (RFC 6455, 4
** and 9.1; RFC 7692, 7.1; RFC 9112, 3.2 and 6.3).
*/
#ifndef FUZZ_OPENING_H
#define FUZZ_OPENING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/blob.h"
#include "support/http.h"
#include "ws/extension.h"

enum opening_fault { /* statuses that may refuse a request */
  OPENING_400 = 1,
  OPENING_405 = 2,
  OPENING_413 = 4,
  OPENING_426 = 8,
  OPENING_501 = 16
};

unsigned opening_bit(int status); /* 0 for any other status */
/* All that is wrong with a request; 0: it is to be answered. */
unsigned opening_judge(const struct http *request);
bool opening_is_upgrade(const struct http *request);

/*
** The subprotocols of a request, each with its NUL behind it: how many there
** are. -1 if the list may be refused.
*/
int opening_subprotocols(struct blob *out, const struct http *request);

/* Base64 of the SHA-1 of a key and the GUID; the caller has room for 29. */
void opening_accept(char out[29], const char *key);

/*
** A client judges an answer: the code of its error, NULL if there is none.
** 'offered' are the subprotocols, 'extension' whether one was offered.
*/
const char *opening_check(const struct http *answer, const char *key,
                          const char *const *offered, size_t count,
                          bool extension);

/* The parameters of permessage-deflate. */
struct opening_params {
  bool server_alone, client_alone; /* ..._no_context_takeover */
  int server_bits, client_bits;    /* 0: without a value; -1: not there */
};

/* The element of a list, one alone: may it stand in an answer, in an offer? */
bool opening_params(struct opening_params *out, const char *s, size_t n,
                    bool answer);
/* The first offer of a request that may be accepted; false: there is none. */
bool opening_offer(struct opening_params *out, const struct http *request);

/* May a client with that wish take this answer? And what is agreed on then. */
bool opening_agrees(const struct opening_params *answer,
                    const struct ws_deflate_wish *wish);
bool opening_is_deal(const struct ws_deflate_deal *deal,
                     const struct opening_params *answer,
                     const struct ws_deflate_wish *clients);
/* May a server with that wish answer so? */
bool opening_grants(const struct opening_params *offer,
                    const struct opening_params *answer,
                    const struct ws_deflate_wish *wish);

#endif
