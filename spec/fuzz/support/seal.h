/*
** The records of TLS 1.3 opened and sealed again (RFC 8446, 5.2), with
** TLS_AES_128_GCM_SHA256: what a peer that has the keys, and means ill, can
** say.
*/
#ifndef FUZZ_SEAL_H
#define FUZZ_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEAL_SECRET = 32, SEAL_TAG = 16 };

struct seal_state {
  uint8_t secret[SEAL_SECRET];
  uint64_t sequence;
  int epoch; /* 0: none; 1: of the handshake; 2: of the data; 3 ...: updated */
};

/* One direction. Zeroed memory is one without keys. */
struct seal {
  uint8_t secrets[2][SEAL_SECRET]; /* of the handshake, of the data */
  bool there[2];
  struct seal_state in, out;
};

/* A line of a key log: [0] is the client's direction, [1] the server's. */
void seal_line(struct seal both[2], const char *line);

/*
** Open a record in its place: the size of what was in it, the type of content
** last, or -1 if it cannot be opened. 'in.epoch' is that of its keys then.
*/
long seal_open(struct seal *s, uint8_t *body, size_t n);
/* Seal 'n' bytes with the next number of an epoch into 'n' + SEAL_TAG bytes at
** 'out'. False if there are no such keys. */
bool seal_close(struct seal *s, int epoch, const uint8_t *inner, size_t n,
                uint8_t *out);

#endif
