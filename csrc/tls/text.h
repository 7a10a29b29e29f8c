/*
** What is in a certificate, as text for people. Certificates are written by
** strangers: text comes out bounded, without control characters, without what
** turns the direction of writing, and without line ends. Private to this
** floor.
*/
#ifndef TLS_TEXT_H
#define TLS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

enum {
  TLS_TEXT_SHORT = 80,   /* one name within a sentence, with its NUL */
  TLS_TEXT_VALUE = 104,  /* what an option has */
  TLS_TEXT_PATH = 260,   /* of a file */
  TLS_TEXT_LONG = 1024,  /* a whole distinguished name */
  TLS_TEXT_NAMES = 256,  /* at most so many names of one certificate */
  TLS_TEXT_PIN = 52      /* "sha256/", 44 characters, NUL */
};

/*
** Copy the UTF-8 of 'n' bytes at 's' to the 'size' bytes at 'out' (4 < size),
** ended by NUL. What is not fit to be printed becomes \xNN; with 'quoted'
** double quotes and backslashes are escaped too. What does not fit is cut, and
** "..." says so.
*/
void tls_text_clean(char *out, size_t size, const char *s, size_t n,
                    bool quoted);

/* The same of a text that was cleaned without 'quoted': its \xNN stay. */
void tls_text_quote(char *out, size_t size, const char *s);

/* RFC 2253, in UTF-8. Without memory it is "?". */
void tls_text_dn(char out[TLS_TEXT_LONG], const X509_NAME *name);

/* What people call it: the first of its names, or its subject's. */
void tls_text_label(char out[TLS_TEXT_SHORT], const X509 *x, bool leaf);
/* The same of a distinguished name: common name, organisation, or all. */
void tls_text_dn_label(char out[TLS_TEXT_SHORT], const X509_NAME *name);

/*
** Its DNS names and addresses, each ended by NUL, 'size' bytes together, in
** memory that the caller owns (NULL when there are none). False without
** memory, or if the extension is malformed.
*/
bool tls_text_sans(const X509 *x, char **names, size_t *size);

/* Epoch seconds; NaN if it is malformed. */
double tls_text_epoch(const ASN1_TIME *t);
/* "2026-11-20 12:00 UTC", at most 'size' bytes. */
void tls_text_date(char *out, size_t size, const ASN1_TIME *t);
/* "3 days", of a number of seconds that is not negative. */
void tls_text_span(char *out, size_t size, double seconds);

/* "sha256/BASE64" of a digest. */
void tls_text_pin(char out[TLS_TEXT_PIN], const uint8_t digest[32]);

#endif
