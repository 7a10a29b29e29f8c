#include "tls/peer_impl.h"

#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/mem.h"
#include "tls/pin.h"
#include "tls/text.h"

struct tls_peer {
  unsigned refs;
  const char *version, *cipher; /* OpenSSL's own, static */
  char group[32];
  char alpn[256];
  bool resumed, verified;
  double ocsp_until;
  STACK_OF(X509) *chain;
  struct tls_peer *came; /* counted; or NULL */
  uint8_t *staple;       /* owned; or NULL */
  size_t staple_size;
};

/* ---- the connection ----------------------------------------------------- */

/* The name of a group belongs to the SSL_CTX: it is copied. Without a key
** exchange of its own, a connection has none. */
static void set_group(struct tls_peer *p, SSL *ssl) {
  long id = SSL_get_negotiated_group(ssl);
  const char *name = id > 0 ? SSL_group_to_name(ssl, (int)id) : NULL;
  (void)snprintf(p->group, sizeof p->group, "%s", name != NULL ? name : "");
  ERR_clear_error();
}

struct tls_peer *tls_peer_of_chain(const STACK_OF(X509) *chain,
                                   bool verified) {
  struct tls_peer *p = (struct tls_peer *)base_calloc(1, sizeof *p);
  if (p == NULL)
    return NULL;
  p->refs = 1;
  p->chain = X509_chain_up_ref((STACK_OF(X509) *)chain);
  if (p->chain == NULL) {
    base_free(p);
    ERR_clear_error();
    return NULL;
  }
  p->version = p->cipher = "";
  p->ocsp_until = -1;
  p->verified = verified;
  return p;
}

struct tls_peer *tls_peer_new(SSL *ssl, const STACK_OF(X509) *chain,
                              bool verified) {
  const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
  const unsigned char *alpn = NULL;
  unsigned n = 0;
  struct tls_peer *p = tls_peer_of_chain(chain, verified);
  if (p == NULL)
    return NULL;
  if (cipher == NULL) /* in the middle of a handshake */
    cipher = SSL_get_pending_cipher(ssl);
  p->version = SSL_get_version(ssl);
  p->cipher = SSL_CIPHER_get_name(cipher);
  set_group(p, ssl);
  SSL_get0_alpn_selected(ssl, &alpn, &n);
  if (n > 0 && n < sizeof p->alpn)
    memcpy(p->alpn, alpn, n);
  p->resumed = SSL_session_reused(ssl) == 1;
  return p;
}

struct tls_peer *tls_peer_ref(struct tls_peer *p) {
  p->refs++;
  return p;
}

void tls_peer_unref(struct tls_peer *p) {
  if (p == NULL || --p->refs > 0)
    return;
  sk_X509_pop_free(p->chain, X509_free);
  tls_peer_unref(p->came);
  base_free(p->staple);
  base_free(p);
}

const char *tls_peer_version(const struct tls_peer *p) {
  return p->version;
}

const char *tls_peer_cipher(const struct tls_peer *p) {
  return p->cipher;
}

const char *tls_peer_group(const struct tls_peer *p) {
  return p->group;
}

const char *tls_peer_alpn(const struct tls_peer *p) {
  return p->alpn;
}

bool tls_peer_resumed(const struct tls_peer *p) {
  return p->resumed;
}

void tls_peer_set_ocsp(struct tls_peer *p, double until) {
  p->ocsp_until = until;
}

double tls_peer_ocsp_until(const struct tls_peer *p) {
  return p->ocsp_until;
}

bool tls_peer_set_came(struct tls_peer *p, const STACK_OF(X509) *chain,
                       const uint8_t *staple, size_t n) {
  p->came = tls_peer_of_chain(chain, false);
  if (n > 0) {
    p->staple = (uint8_t *)base_malloc(n);
    if (p->staple == NULL)
      return false;
    memcpy(p->staple, staple, n);
    p->staple_size = n;
  }
  return p->came != NULL;
}

const struct tls_peer *tls_peer_came(const struct tls_peer *p) {
  return p->came;
}

const uint8_t *tls_peer_staple(const struct tls_peer *p, size_t *n) {
  *n = p->staple_size;
  return p->staple;
}

bool tls_peer_verified(const struct tls_peer *p) {
  return p->verified;
}

size_t tls_peer_chain_count(const struct tls_peer *p) {
  int n = sk_X509_num(p->chain);
  return n > 0 ? (size_t)n : 0;
}

/* ---- one certificate ---------------------------------------------------- */

static char *hex(const uint8_t *p, size_t n) {
  static const char digits[] = "0123456789abcdef";
  char *out = (char *)base_malloc(2 * n + 1);
  size_t i;
  if (out == NULL)
    return NULL;
  for (i = 0; i < n; i++) {
    out[2 * i] = digits[p[i] >> 4];
    out[2 * i + 1] = digits[p[i] & 15];
  }
  out[2 * n] = '\0';
  return out;
}

/* The digits alone; RFC 5280, 4.1.2.2 wants them positive. */
static char *serial_text(const X509 *x) {
  const ASN1_INTEGER *i = X509_get0_serialNumber(x);
  int n = ASN1_STRING_length(i);
  if (n <= 0)
    return base_strdup("00");
  return hex(ASN1_STRING_get0_data(i), (size_t)n);
}

static char *dn_text(const X509_NAME *name) {
  char text[TLS_TEXT_LONG];
  tls_text_dn(text, name);
  return base_strdup(text);
}

static char *digest_text(const X509 *x) {
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned n = 0;
  if (X509_digest(x, EVP_sha256(), digest, &n) != 1)
    return NULL;
  return hex(digest, n);
}

static char *pin_text(const X509 *x) {
  uint8_t digest[32];
  char text[TLS_TEXT_PIN];
  if (!tls_pin_of(digest, x))
    return NULL;
  tls_text_pin(text, digest);
  return base_strdup(text);
}

static char *pem_text(const X509 *x) {
  BIO *b = BIO_new(BIO_s_mem());
  char *data = NULL, *out = NULL;
  long n;
  if (b != NULL && PEM_write_bio_X509(b, (X509 *)x) == 1) {
    n = BIO_get_mem_data(b, &data);
    if (n > 0)
      out = base_strndup(data, (size_t)n);
  }
  BIO_free(b);
  return out;
}

/* "EC P-256", "RSA 2048", "ED25519": what people call a key. */
static char *key_text(const X509 *x) {
  const EVP_PKEY *key = X509_get0_pubkey(x);
  const char *type = key != NULL ? EVP_PKEY_get0_type_name(key) : NULL;
  char curve[48], text[96];
  if (type == NULL)
    return base_strdup("unknown");
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
      EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL) == 1) {
    const char *nist = EC_curve_nid2nist(OBJ_txt2nid(curve));
    (void)snprintf(text, sizeof text, "EC %s", nist != NULL ? nist : curve);
  } else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ||
             EVP_PKEY_get_base_id(key) == EVP_PKEY_ED448) {
    (void)snprintf(text, sizeof text, "%s", type);
  } else {
    (void)snprintf(text, sizeof text, "%.64s %d", type,
                   EVP_PKEY_get_bits(key));
  }
  return base_strdup(text);
}

static char *signature_text(const X509 *x) {
  int nid = X509_get_signature_nid(x);
  return base_strdup(nid != NID_undef ? OBJ_nid2ln(nid) : "unknown");
}

bool tls_peer_cert(const struct tls_peer *p, size_t i, struct tls_cert *out) {
  const X509 *x;
  memset(out, 0, sizeof *out);
  if (i >= tls_peer_chain_count(p))
    return false;
  x = sk_X509_value(p->chain, (int)i);
  /* A list of names that is malformed is none; only insecure sees one. */
  (void)tls_text_sans(x, &out->names, &out->names_size);
  out->subject = dn_text(X509_get_subject_name(x));
  out->issuer = dn_text(X509_get_issuer_name(x));
  out->serial = serial_text(x);
  out->not_before = tls_text_epoch(X509_get0_notBefore(x));
  out->not_after = tls_text_epoch(X509_get0_notAfter(x));
  out->sha256 = digest_text(x);
  out->spki_sha256 = pin_text(x);
  out->pem = pem_text(x);
  out->key = key_text(x);
  out->signature = signature_text(x);
  ERR_clear_error();
  if (out->subject != NULL && out->issuer != NULL && out->serial != NULL &&
      out->sha256 != NULL && out->spki_sha256 != NULL &&
      out->pem != NULL && out->key != NULL && out->signature != NULL)
    return true;
  tls_cert_deinit(out);
  return false;
}

void tls_cert_deinit(struct tls_cert *c) {
  base_free(c->subject);
  base_free(c->issuer);
  base_free(c->serial);
  base_free(c->names);
  base_free(c->sha256);
  base_free(c->spki_sha256);
  base_free(c->pem);
  base_free(c->key);
  base_free(c->signature);
  memset(c, 0, sizeof *c);
}
