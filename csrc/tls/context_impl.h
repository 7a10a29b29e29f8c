/*
** What the rest of the floor must know of a context. Private to this floor.
*/
#ifndef TLS_CONTEXT_IMPL_H
#define TLS_CONTEXT_IMPL_H

#include "tls/context.h"
#include "tls/keys.h"
#include "tls/material.h"

struct tls_context {
  unsigned refs;
  struct tls_options options;    /* a copy of its own, to load again */
  struct tls_material *material; /* counted; never NULL */
  unsigned long generation;      /* of 'material' */
  struct tls_keys *keys;         /* of a server's tickets, or NULL; owned */
};

#endif
