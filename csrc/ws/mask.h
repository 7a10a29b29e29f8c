/*
** Masking (RFC 6455, 5.3). 'phase' is the offset of the first byte in its
** frame's payload, modulo 4 taken inside. Written so that compilers turn the
** loops into vector instructions; any alignment is fine.
*/
#ifndef WS_MASK_H
#define WS_MASK_H

#include <stddef.h>
#include <stdint.h>

void ws_mask_inplace(uint8_t *data, size_t n, const uint8_t key[4],
                     size_t phase);
/* 'out' and 'in' do not overlap. */
void ws_mask_copy(uint8_t *out, const uint8_t *in, size_t n,
                  const uint8_t key[4], size_t phase);

#endif
