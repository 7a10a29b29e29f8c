/*
** What the tests of csrc/tls share: certificates, a plain OpenSSL server
** over memory, and the line between it and a session.
*/
#ifndef TLS_SUPPORT_H
#define TLS_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

#include "tls/session.h"

/*
** Make the certificates (spec/certs/make.sh) in a folder that is removed at
** the end of the program; UVWSS_CERTS names one that is there already.
** False, with a message, if that fails. Call it in main.
*/
bool certs_make(void);
/* The path of a file in it ("": its own), which stays. */
const char *certs_path(const char *file);
/* The text of a file, which the caller frees with free. */
char *certs_text(const char *file);
/* The pin of the first certificate of a file. */
const char *certs_pin(const char *file);

struct server_conf {
  const char *name;      /* of its certificate and key; "server" */
  int version;           /* TLS1_2_VERSION, or 0 for all */
  bool wants_client;     /* requires a certificate by "ca" */
  const char *alpn;      /* what it selects, whoever asks; or NULL */
  const char *ciphers;   /* of TLS 1.2; at level 0 */
  const char *groups;
};

/* An SSL_CTX for a server. */
SSL_CTX *server_new(const struct server_conf *conf);

/* The two ends of one connection, and what each of them got. */
struct line {
  struct tls_session *client;
  SSL *server;
  struct base_buf out;     /* the client's */
  enum tls_status status;  /* of the client's last call */
  bool up;                 /* the client's handshake is done */
  size_t cut;              /* bytes fed at once; 0: all, -1: random */
  unsigned dice;
  struct base_buf got;     /* by the client */
  struct base_buf sent_up; /* got by the server */
  bool peer_ended;         /* the server saw close_notify */
};

/* True while the code under test runs: the rest is the test's own. */
extern bool line_in_client;

/* Both ends; the handshake has not begun. False if there is no session, with
** the reason in '*err'. */
bool line_open(struct line *l, struct tls_context *c, SSL_CTX *server,
               const struct tls_conf *conf, struct base_error **err);
/* Let them talk until neither has anything to say. */
void line_run(struct line *l);
/* Hand bytes to the client as if the server had sent them. */
void line_feed(struct line *l, const void *data, size_t n);
void line_close(struct line *l);

/* Options that trust "ca" alone. */
void options_with(struct tls_options *o, const char *const *ca);

#endif
