/*
** UTF-8 once more, by other means than ws/utf8: code points are put together,
** and what they could become is compared with what there is (RFC 3629, 3).
*/
#ifndef FUZZ_UTF8_H
#define FUZZ_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
** The place of the first byte that no text can have there, 'n' if there is
** none. '*whole': and no sequence is cut.
*/
size_t utf8_first_wrong(const uint8_t *s, size_t n, bool *whole);

#endif
