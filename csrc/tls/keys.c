#include "tls/keys.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/mem.h"
#include "tls/context.h"
#include "tls/trace.h"

enum { IV_BYTES = 16 };

struct tls_keys *tls_keys_new(void) {
  struct tls_keys *k = (struct tls_keys *)base_calloc(1, sizeof *k);
  if (k != NULL)
    k->clock = tls_trace_clock;
  return k;
}

void tls_keys_free(struct tls_keys *k) {
  if (k != NULL)
    OPENSSL_cleanse(k, sizeof *k);
  base_free(k);
}

/* The hour of the current key may be over, and the one after it too. */
static void turn(struct tls_keys *k, double now) {
  double age = now - k->current.born;
  if (!k->current.there || age < TLS_KEYS_HOUR)
    return;
  if (age < TLS_KEYS_LIFETIME)
    k->last = k->current;
  else
    OPENSSL_cleanse(&k->last, sizeof k->last);
  OPENSSL_cleanse(&k->current, sizeof k->current);
}

/* The last key goes when no ticket of its can be good any more, whether or
** not another was needed since. */
static void expire(struct tls_keys *k, double now) {
  turn(k, now);
  if (k->last.there && now - k->last.born >= TLS_KEYS_LIFETIME)
    OPENSSL_cleanse(&k->last, sizeof k->last);
}

const struct tls_key *tls_keys_current(struct tls_keys *k) {
  struct tls_key *key = &k->current;
  double now = k->clock();
  expire(k, now);
  if (key->there)
    return key;
  if (!tls_random(key->name, sizeof key->name) ||
      !tls_random(key->aes, sizeof key->aes) ||
      !tls_random(key->mac, sizeof key->mac))
    return NULL;
  key->born = now;
  key->there = true;
  return key;
}

const struct tls_key *tls_keys_find(struct tls_keys *k,
                                    const uint8_t name[16]) {
  expire(k, k->clock());
  if (k->current.there &&
      memcmp(k->current.name, name, sizeof k->current.name) == 0)
    return &k->current;
  if (k->last.there && memcmp(k->last.name, name, sizeof k->last.name) == 0)
    return &k->last;
  return NULL;
}

static bool set_up(const struct tls_key *key, const uint8_t *iv,
                   EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool encrypt) {
  char digest[] = "SHA256";
  OSSL_PARAM params[2];
  params[0] =
    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
  params[1] = OSSL_PARAM_construct_end();
  return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv,
                           encrypt ? 1 : 0) == 1 &&
         EVP_MAC_init(mac, key->mac, sizeof key->mac, params) == 1;
}

int tls_keys_use(struct tls_keys *k, uint8_t name[16], uint8_t *iv,
                 EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool encrypt) {
  const struct tls_key *key =
    encrypt ? tls_keys_current(k) : tls_keys_find(k, name);
  if (key == NULL)
    return encrypt ? -1 : 0;
  if (encrypt) {
    memcpy(name, key->name, sizeof key->name);
    if (!tls_random(iv, IV_BYTES))
      return -1;
  }
  if (!set_up(key, iv, cipher, mac, encrypt))
    return -1;
  return !encrypt && key == &k->last ? 2 : 1;
}
