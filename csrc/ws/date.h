/*
** Dates as HTTP writes them (RFC 9110, 5.6.7), without clock and locale.
*/
#ifndef WS_DATE_H
#define WS_DATE_H

#include <stdbool.h>

/* "Sun, 06 Nov 1994 08:49:37 GMT" to epoch seconds; false if it is not one. */
bool ws_date_parse(double *out, const char *s);

enum { WS_DATE_SIZE = 30 }; /* with the NUL */

/* The other way round: whole seconds of the years 1970 to 9999; what lies
** outside becomes the nearest of them. */
void ws_date_format(char out[WS_DATE_SIZE], double epoch_seconds);

#endif
