/*
** One end of a TLS connection over memory: a session of ours, whose promises
** are looked after with every call, or OpenSSL's own. What was done with it is
** remembered, and can be done again with the bytes cut in another way.
*/
#ifndef FUZZ_PARTY_H
#define FUZZ_PARTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "support/roles.h"
#include "tls/session.h"

enum { PARTY_ACTS = 1024 };

enum act_kind { ACT_FEED, ACT_TAKE, ACT_WRITE, ACT_SHUT, ACT_FIN, ACT_LIMIT };

struct act {
  enum act_kind kind;
  size_t size;
};

struct party {
  const struct roles *roles;
  bool server;
  struct tls_context *context; /* borrowed */
  struct tls_ticket *ticket;   /* that is offered, or NULL; borrowed */
  struct tls_session *session; /* ours; or */
  SSL *raw;                    /* a stranger */
  uint64_t dice, first_dice;
  struct base_buf out;         /* lent: what waits to be taken */
  struct base_buf got;         /* plaintext */
  struct base_buf said;        /* all of its ciphertext */
  enum tls_status status;
  bool up, failed, ended;      /* established once; how it ended */
  bool fin, shut, limited;
  int asked;                   /* how often the user was */
  size_t read;                 /* bytes read at once */
  enum base_kind kind;
  char code[56];
  struct act acts[PARTY_ACTS];
  size_t count;
  struct base_buf heard;       /* the bytes of ACT_FEED */
};

/* Begin, with the handshake's first step. */
void party_open(struct party *p, const struct roles *r, bool server,
                struct tls_ticket *ticket, SSL_CTX *stranger);
void party_close(struct party *p);

/* Look whether there is anything to do. */
void party_work(struct party *p);
/* Bytes from the peer, 'cut' of them at once (0: all). */
void party_feed(struct party *p, const uint8_t *data, size_t n, size_t cut);
/* The first 'n' bytes of 'out' are gone. */
void party_take(struct party *p, size_t n);
/* Some plaintext, of which byte 'i' of all is party_byte's; true if it was
** written. */
bool party_write(struct party *p, size_t n);
uint8_t party_byte(bool server, size_t i);
void party_shut(struct party *p);
void party_fin(struct party *p);
/* So much more fits into 'out'. */
void party_limit(struct party *p, size_t more);
/* Nothing more can come of it. */
bool party_is_over(const struct party *p);

/*
** The same again, beginning with 'ticket', which is as the first one was, with
** the bytes in other pieces: everything must be as it was.
*/
void party_again(const struct party *p, struct tls_ticket *ticket);

#endif
