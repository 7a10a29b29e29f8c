/*
** A question to tls_context_verify, put and looked after: what verify.c does
** with every input once it has made a chain of it.
*/
#ifndef FUZZ_QUESTION_H
#define FUZZ_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "support/forge.h"

enum { NAME_MAX_BYTES = 260 };

enum option {
  OPT_LAX = 0x01,
  OPT_CLIENT = 0x02,
  OPT_KEEP_AKI = 0x04,
  OPT_KEEP_ISSUER = 0x08,
  OPT_KEEP_SIGNATURE = 0x10,
  OPT_CRL_CHAIN = 0x20,
  OPT_REQUIRE = 0x40,
  OPT_BOUNDED = 0x80
};

/* Of a variant; its two lowest bits are the depth and the number of keys. */
enum {
  BY_DELEGATE = 0x01,
  BY_FOLLOWER = 0x02,
  ABOUT_LEAF = 0x04,
  NOT_ALONG = 0x08,
  ADD_AKI = 0x10,  /* to an intermediate */
  PINNED = 0x20,   /* our own leaf's key must be there */
  SAY_YES = 0x40,  /* the last word, whatever the verdict */
  SAY_NO = 0x80
};

struct input {
  const uint8_t *data; /* behind the head */
  size_t size;
  unsigned mode;
  unsigned options, name, time, variant;
  uint8_t signers[4];
};

/* What is asked. */
struct question {
  const struct input *in;
  struct text chain;
  struct text crl;
  const X509_CRL *list; /* owned by the mode */
  uint8_t *ocsp;        /* OpenSSL's; or borrowed */
  size_t ocsp_size;
  bool stapling;        /* responses are looked at */
  const X509 *anchor;   /* NULL: the root */
  char name[NAME_MAX_BYTES];
  bool named;
  double now;
};

/* Abort if the verdict breaks a promise. */
void question_put(const struct question *a);

#endif
