/*
** Text that strangers wrote, for people: bounded, without control characters,
** without what turns the direction of writing, and without line ends.
*/
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>

/*
** Copy the UTF-8 of 'n' bytes at 's' to the 'size' bytes at 'out' (4 < size),
** ended by NUL. What is not fit to be printed becomes \xNN, and each of 'marks'
** gets a backslash. What does not fit is cut, and "..." says so.
*/
void base_text_clean(char *out, size_t size, const char *s, size_t n,
                     const char *marks);

#endif
