/*
** Dates as HTTP writes them (RFC 9110, 5.6.7), without clock and locale.
*/
#ifndef WS_DATE_H
#define WS_DATE_H

#include <stdbool.h>

/* "Sun, 06 Nov 1994 08:49:37 GMT" to epoch seconds; false if it is not one. */
bool ws_date_parse(double *out, const char *s);

#endif
