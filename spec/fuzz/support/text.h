/*
** Text as inputs have it, short, and as it is handed in, perhaps very long.
*/
#ifndef FUZZ_TEXT_H
#define FUZZ_TEXT_H

#include "support/blob.h"

enum { TEXT_MAX = 40000 }; /* no longer than this, about */

/*
** Appends the 'n' bytes at 'in', but for some, and two that follow them (all
** zero behind the end):
**
**   01 n c   n times c
**   02 n c   40 n times c
**   03 n     the last line n times more
**   04       the string 'word'
**   0a       CRLF, without the CR if there is one already
*/
void text_expand(struct blob *out, const uint8_t *in, size_t n,
                 const char *word);

#endif
