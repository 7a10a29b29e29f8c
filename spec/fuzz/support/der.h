/*
** DER (X.690) as a tree that can be changed: whatever is put in or taken out,
** the lengths around it stay right. Also within OCTET and BIT STRINGs that
** hold DER, as extensions and keys do.
*/
#ifndef FUZZ_DER_H
#define FUZZ_DER_H

#include <stddef.h>
#include <stdint.h>

enum { DER_NODES = 1024 };

struct der_node {
  size_t at;   /* of its tag */
  size_t head; /* bytes of tag, length and unused bits */
  size_t bits; /* of these, the one that counts unused bits: 0 or 1 */
  size_t size; /* of its content */
  int parent;  /* -1: none */
};

struct der_tree {
  struct der_node nodes[DER_NODES];
  int count;
};

/* All structures one after the other, up to what is none. */
void der_parse(struct der_tree *t, const uint8_t *data, size_t n);

/*
** Put 'size' bytes in the place of [from, to), which is within the content of
** node 'in' (-1: of none), and mend the lengths of it and of what holds it.
** Returns the new size, or 0 if it would be more than 'max'; then nothing was
** changed. The tree is void afterwards.
*/
size_t der_replace(const struct der_tree *t, int in, uint8_t *data, size_t n,
                   size_t max, size_t from, size_t to, const uint8_t *bytes,
                   size_t size);

#endif
