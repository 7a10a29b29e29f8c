/*
** Certificates for development: a private CA, and what it signs (RFC 5280).
** Not for the open internet: keys lie in files without a password.
*/
#ifndef TLS_ISSUE_H
#define TLS_ISSUE_H

#include "base/err.h"
#include "tls/context.h"

struct tls_issue {
  const char *dir;       /* made if it is not there */
  struct tls_list names; /* of the server: host names and addresses; without
                            any: localhost, 127.0.0.1, ::1 */
  const char *client;    /* the client's name, "client" if NULL */
  unsigned days;         /* server and client, but no longer than the CA,
                            which is good for 10 years */
};

/*
** Write ca.crt and ca.key, server.crt and server.key, client.crt and
** client.key (P-256, PEM; keys readable for their owner only) into 'dir'. A CA
** that lies there is used, and kept; certificates that lie there are
** overwritten only if 'force'. Each file is written whole or not at all.
** All of them are ready before the first is put into its place.
** NULL or the error: kind io (EEXIST too), tls (bad_name, bad_days; not_a_ca
** or expired for a CA that lies there), or want of memory.
*/
struct base_error *tls_issue(const struct tls_issue *what, bool force);

#endif
