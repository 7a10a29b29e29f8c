/*
** The keys that a server's tickets are encrypted with (RFC 5077, 4). They
** change: each encrypts for an hour and is good for tickets of its own for at
** most an hour more, then it is wiped. Private to this floor.
*/
#ifndef TLS_KEYS_H
#define TLS_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

enum {
  TLS_KEYS_HOUR = 3600,       /* seconds that one key encrypts for */
  TLS_KEYS_LIFETIME = 2 * TLS_KEYS_HOUR /* of a ticket, at most */
};

struct tls_key {
  bool there;
  double born; /* by the clock */
  uint8_t name[16], aes[32], mac[32];
};

struct tls_keys {
  double (*clock)(void); /* monotonic seconds; a test puts its own here */
  struct tls_key current, last;
};

/* No key is made before one is needed. NULL without memory. */
struct tls_keys *tls_keys_new(void);
void tls_keys_free(struct tls_keys *k); /* wipes them; NULL is fine */

/* The key to encrypt with now, or NULL: there are no random bytes. */
const struct tls_key *tls_keys_current(struct tls_keys *k);

/* The key of that name, or NULL if it is not known (any more). */
const struct tls_key *tls_keys_find(struct tls_keys *k, const uint8_t name[16]);

/*
** What SSL_CTX_set_tlsext_ticket_key_evp_cb asks for, with AES-256-CBC and
** HMAC-SHA-256: -1 if it fails, 0 for a key that is not known, 1, or 2 for a
** ticket that is good and wants to be replaced.
*/
int tls_keys_use(struct tls_keys *k, uint8_t name[16], uint8_t *iv,
                 EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool encrypt);

#endif
