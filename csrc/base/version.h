/*
** The one place that holds the version. A spec compares it with the
** rockspec, with the CHANGELOG and with what the module says of itself.
*/
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define UVWSS_VERSION "0.1.0"

#endif
