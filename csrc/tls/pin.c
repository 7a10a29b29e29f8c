#include "tls/pin.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/mem.h"
#include "tls/text.h"

/* EVP_DecodeBlock forgives blanks and stray bits: what it made must be what
** was written. */
static bool parse(uint8_t out[32], const char *text) {
  uint8_t decoded[33];
  char again[TLS_TEXT_PIN];
  if (strlen(text) != TLS_TEXT_PIN - 1 || memcmp(text, "sha256/", 7) != 0)
    return false;
  if (EVP_DecodeBlock(decoded, (const unsigned char *)text + 7, 44) != 33)
    return false;
  tls_text_pin(again, decoded);
  if (strcmp(again, text) != 0)
    return false;
  memcpy(out, decoded, 32);
  return true;
}

struct base_error *tls_pins_init(struct tls_pins *out,
                                 const struct tls_list *texts) {
  size_t i;
  out->count = 0;
  out->digests = NULL;
  if (texts->count == 0)
    return NULL;
  out->digests = (uint8_t(*)[32])base_calloc(texts->count, 32);
  if (out->digests == NULL)
    return base_error_from(BASE_ERR_MEMORY);
  for (i = 0; i < texts->count; i++) {
    char shown[TLS_TEXT_SHORT];
    if (parse(out->digests[i], texts->items[i]))
      continue;
    tls_pins_deinit(out);
    tls_text_clean(shown, sizeof shown, texts->items[i],
                   strlen(texts->items[i]), true);
    return base_error_new(BASE_KIND_TLS, "bad_pin",
                          "\"%s\" is not a pin: a pin is \"sha256/\" and the "
                          "44 characters of a SHA-256 digest in base64",
                          shown);
  }
  out->count = texts->count;
  return NULL;
}

void tls_pins_deinit(struct tls_pins *p) {
  base_free(p->digests);
  p->digests = NULL;
  p->count = 0;
}

bool tls_pin_of(uint8_t out[32], const X509 *x) {
  unsigned char *der = NULL;
  unsigned n = 0;
  int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
  bool ok = len > 0 &&
            EVP_Digest(der, (size_t)len, out, &n, EVP_sha256(), NULL) == 1 &&
            n == 32;
  OPENSSL_free(der);
  ERR_clear_error();
  return ok;
}

bool tls_pins_match(const struct tls_pins *p, const STACK_OF(X509) *chain,
                    int n) {
  uint8_t digest[32];
  size_t k;
  int i;
  for (i = 0; i < n && i < sk_X509_num(chain); i++) { /* -1 for NULL */
    if (!tls_pin_of(digest, sk_X509_value(chain, i)))
      return false;
    for (k = 0; k < p->count; k++)
      if (memcmp(p->digests[k], digest, 32) == 0)
        return true;
  }
  return false;
}
