#include "support/seal.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "support/broken.h"

enum { KEY = 16, IV = 12, HEAD = 5 };

/* ---- keys ---------------------------------------------------------------- */

/* HKDF-Expand-Label with no context (RFC 8446, 7.1), up to one block. */
static void expand(const uint8_t secret[SEAL_SECRET], const char *label,
                   uint8_t *out, size_t n) {
  uint8_t info[64], block[EVP_MAX_MD_SIZE];
  size_t size = strlen(label) + 6;
  unsigned got = 0;
  info[0] = 0;
  info[1] = (uint8_t)n;
  info[2] = (uint8_t)size;
  memcpy(info + 3, "tls13 ", 6);
  memcpy(info + 9, label, size - 6);
  info[3 + size] = 0;
  info[4 + size] = 1;
  MUST(HMAC(EVP_sha256(), secret, SEAL_SECRET, info, size + 5, block, &got) !=
         NULL && n <= got);
  memcpy(out, block, n);
}

static bool turn(const struct seal *s, struct seal_state *to, int epoch) {
  uint8_t next[SEAL_SECRET];
  if (epoch <= 2) {
    if (epoch < 1 || !s->there[epoch - 1])
      return false;
    memcpy(to->secret, s->secrets[epoch - 1], SEAL_SECRET);
  } else {
    expand(to->secret, "traffic upd", next, sizeof next);
    memcpy(to->secret, next, sizeof next);
  }
  to->epoch = epoch;
  to->sequence = 0;
  return true;
}

static int digit(char c) {
  const char *all = "0123456789abcdef", *at = strchr(all, c);
  return c != '\0' && at != NULL ? (int)(at - all) : -1;
}

void seal_line(struct seal both[2], const char *line) {
  static const char *const labels[2][2] = {
    {"CLIENT_HANDSHAKE_TRAFFIC_SECRET ", "CLIENT_TRAFFIC_SECRET_0 "},
    {"SERVER_HANDSHAKE_TRAFFIC_SECRET ", "SERVER_TRAFFIC_SECRET_0 "}};
  const char *hex = strrchr(line, ' ');
  int side, kind;
  size_t i;
  for (side = 0; side < 2; side++)
    for (kind = 0; kind < 2; kind++) {
      const char *label = labels[side][kind];
      if (strncmp(line, label, strlen(label)) != 0 ||
          strlen(hex + 1) < (size_t)2 * SEAL_SECRET)
        continue;
      for (i = 0; i < SEAL_SECRET; i++)
        both[side].secrets[kind][i] =
          (uint8_t)(digit(hex[1 + 2 * i]) * 16 + digit(hex[2 + 2 * i]));
      both[side].there[kind] = true;
    }
}

/* ---- records ------------------------------------------------------------- */

static EVP_CIPHER_CTX *cipher(const struct seal_state *k, size_t body,
                              bool encrypt) {
  EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
  uint8_t key[KEY], iv[IV], head[HEAD] = {23, 3, 3, 0, 0};
  int n, i;
  expand(k->secret, "key", key, sizeof key);
  expand(k->secret, "iv", iv, sizeof iv);
  for (i = 0; i < 8; i++)
    iv[IV - 1 - i] ^= (uint8_t)(k->sequence >> (8 * i));
  head[3] = (uint8_t)(body >> 8);
  head[4] = (uint8_t)body;
  MUST(c != NULL && EVP_CipherInit_ex(c, EVP_aes_128_gcm(), NULL, key, iv,
                                      encrypt ? 1 : 0) == 1);
  MUST(EVP_CipherUpdate(c, NULL, &n, head, HEAD) == 1);
  return c;
}

static bool open_with(struct seal_state *k, const uint8_t *body, size_t n,
                      uint8_t *out) {
  EVP_CIPHER_CTX *c = cipher(k, n, false);
  size_t inner = n - SEAL_TAG;
  int got = 0;
  bool ok =
    EVP_CipherUpdate(c, out, &got, body, (int)inner) == 1 &&
    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG,
                        (void *)(body + inner)) == 1 &&
    EVP_CipherFinal_ex(c, out + got, &got) == 1;
  EVP_CIPHER_CTX_free(c);
  ERR_clear_error();
  if (ok)
    k->sequence++;
  return ok;
}

long seal_open(struct seal *s, uint8_t *body, size_t n) {
  static uint8_t inner[1 << 16];
  struct seal_state next = s->in;
  if (n <= SEAL_TAG || n > sizeof inner)
    return -1;
  if (s->in.epoch == 0 || !open_with(&s->in, body, n, inner)) {
    if (!turn(s, &next, s->in.epoch + 1) ||
        !open_with(&next, body, n, inner))
      return -1;
    s->in = next;
  }
  memcpy(body, inner, n - SEAL_TAG);
  return (long)(n - SEAL_TAG);
}

bool seal_close(struct seal *s, int epoch, const uint8_t *inner, size_t n,
                uint8_t *out) {
  EVP_CIPHER_CTX *c;
  int got = 0, more = 0;
  while (s->out.epoch < epoch)
    if (!turn(s, &s->out, s->out.epoch + 1))
      return false;
  if (s->out.epoch == 0)
    return false;
  c = cipher(&s->out, n + SEAL_TAG, true);
  MUST(EVP_CipherUpdate(c, out, &got, inner, (int)n) == 1 &&
       EVP_CipherFinal_ex(c, out + got, &more) == 1 &&
       EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG, out + n) == 1);
  EVP_CIPHER_CTX_free(c);
  s->out.sequence++;
  return true;
}
