/*
** OpenSSL's error queue, turned into one error that people can read. Private
** to this floor. The queue is the thread's, shared with whoever else uses
** OpenSSL in it: it is empty after each of these.
*/
#ifndef TLS_REASON_H
#define TLS_REASON_H

#include <stdbool.h>

#include "base/err.h"

/*
** Something that was asked of the configuration failed: "<what>: <reason>".
** Kind tls, code the reason; limit/memory if that was it.
*/
struct base_error *tls_reason_config(const char *what);

/*
** A connection failed, of which we are the server or the client. 'versions'
** says which versions are allowed here. Kind tls; where the peer sent an alert,
** fields 'alert' (its name, RFC 8446, 6) and 'alert_number'.
*/
struct base_error *tls_reason_session(const char *versions, bool server);

/* "certificate_required" of 116; "alert" for one that nobody registered. */
const char *tls_reason_alert(int number);

#endif
