#include "tls/load.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/mem.h"
#include "tls/crl.h"
#include "tls/file.h"
#include "tls/reason.h"
#include "tls/text.h"

static const char *const mark = "-----BEGIN";

/* ---- sources ------------------------------------------------------------ */

/* One item of an option: its text, and what to call it in a sentence. */
struct source {
  char label[288];
  const char *text;
  size_t size;
  char *owned; /* what was read of a file, or NULL */
};

static struct base_error *source_open(struct source *s, const char *item,
                                      const char *option) {
  char shown[TLS_TEXT_PATH];
  struct base_error *err;
  s->owned = NULL;
  s->text = item;
  s->size = strlen(item);
  if (strstr(item, mark) != NULL) {
    (void)snprintf(s->label, sizeof s->label, "the PEM text of '%s'", option);
    return NULL;
  }
  tls_text_clean(shown, sizeof shown, item, strlen(item), false);
  (void)snprintf(s->label, sizeof s->label, "\"%s\"", shown);
  err = tls_file_read(item, &s->owned, &s->size);
  s->text = s->owned;
  return err;
}

static void source_close(struct source *s) {
  tls_file_free(s->owned, s->size);
  s->owned = NULL;
}

static struct base_error *bad(const char *verb, const struct source *s) {
  char what[352];
  /* Of a block that is empty, or all headers, OpenSSL says nothing. */
  if (ERR_peek_error() == 0)
    ERR_raise(ERR_LIB_PEM, PEM_R_BAD_BASE64_DECODE);
  (void)snprintf(what, sizeof what, "cannot %s %s", verb, s->label);
  return tls_reason_config(what);
}

/* ---- passwords ---------------------------------------------------------- */

struct secret {
  const char *password; /* or NULL */
  bool asked;
};

static int give_password(char *out, int size, int writing, void *ctx) {
  struct secret *s = (struct secret *)ctx;
  size_t n;
  (void)writing;
  s->asked = true;
  if (s->password == NULL)
    return -1;
  n = strlen(s->password);
  if (size < 0 || n > (size_t)size)
    return -1;
  memcpy(out, s->password, n);
  return (int)n;
}

/* ---- certificates ------------------------------------------------------- */

static struct base_error *no_certificate(const struct source *s) {
  return base_error_new(BASE_KIND_TLS, "no_certificate",
                        "there is no certificate in %s", s->label);
}

/* All certificates of a text, at least one. */
static struct base_error *certs_of(const struct source *s,
                                   STACK_OF(X509) **out) {
  struct secret none = {NULL, false};
  struct base_error *err = NULL;
  STACK_OF(X509) *all = sk_X509_new_null();
  BIO *b = BIO_new_mem_buf(s->text, (int)s->size);
  X509 *x = NULL;
  ERR_clear_error();
  while (all != NULL && b != NULL) {
    x = PEM_read_bio_X509_AUX(b, NULL, give_password, &none);
    if (x == NULL || sk_X509_push(all, x) <= 0)
      break;
    x = NULL;
  }
  if (all == NULL || b == NULL || x != NULL)
    err = base_error_from(BASE_ERR_MEMORY);
  else if (strstr(s->text, "CERTIFICATE-----") == NULL)
    err = no_certificate(s);
  else if (ERR_GET_LIB(ERR_peek_last_error()) != ERR_LIB_PEM ||
           ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
    err = bad("read a certificate of", s);
  else if (sk_X509_num(all) == 0)
    err = no_certificate(s);
  X509_free(x);
  BIO_free(b);
  ERR_clear_error();
  if (err != NULL) {
    sk_X509_pop_free(all, X509_free);
    all = NULL;
  }
  *out = all;
  return err;
}

struct base_error *tls_load_pem(const char *text, const char *option,
                                STACK_OF(X509) **out) {
  struct source s;
  STACK_OF(X509) *all;
  struct base_error *err;
  (void)snprintf(s.label, sizeof s.label, "the PEM text of '%s'", option);
  s.text = text;
  s.size = strlen(text);
  s.owned = NULL;
  if (s.size > INT_MAX)
    return base_error_new(BASE_KIND_LIMIT, "memory", "'%s' is too long",
                          option);
  err = certs_of(&s, &all);
  if (err != NULL)
    return err;
  if (*out == NULL) {
    *out = all;
    return NULL;
  }
  while (sk_X509_num(all) > 0) {
    if (sk_X509_push(*out, sk_X509_value(all, 0)) <= 0) {
      err = base_error_from(BASE_ERR_MEMORY);
      break;
    }
    (void)sk_X509_shift(all); /* it is theirs */
  }
  sk_X509_pop_free(all, X509_free);
  return err;
}

/* ---- revocation lists ---------------------------------------------------- */

static struct base_error *bad_crl(const struct source *s, const char *why) {
  return base_error_new(BASE_KIND_TLS, "bad_crl", "%s of %s %s",
                        "a revocation list", s->label, why);
}

/* All lists of a text, or the one in DER. */
static struct base_error *crls_of(const struct source *s,
                                  STACK_OF(X509_CRL) *all, bool strict) {
  BIO *b = BIO_new_mem_buf(s->text, (int)s->size);
  const char *why;
  X509_CRL *crl;
  int n = sk_X509_CRL_num(all);
  bool pem = strstr(s->text, mark) != NULL, ok = b != NULL;
  struct base_error *err = NULL;
  ERR_clear_error();
  while (ok && err == NULL) {
    crl = pem ? PEM_read_bio_X509_CRL(b, NULL, NULL, NULL)
              : d2i_X509_CRL_bio(b, NULL);
    if (crl == NULL)
      break;
    why = tls_crl_flaw(crl, strict);
    if (why != NULL)
      err = bad_crl(s, why);
    ok = sk_X509_CRL_push(all, crl) > 0;
    if (!ok)
      X509_CRL_free(crl);
    if (!pem)
      break;
  }
  if (!ok)
    err = base_error_from(BASE_ERR_MEMORY);
  else if (err == NULL && sk_X509_CRL_num(all) == n)
    err = base_error_new(BASE_KIND_TLS, "bad_crl",
                         "there is no revocation list in %s", s->label);
  else if (err == NULL && pem &&
           ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
    err = bad_crl(s, "cannot be read");
  BIO_free(b);
  ERR_clear_error();
  return err;
}

struct base_error *tls_load_crls(STACK_OF(X509_CRL) **out,
                                 const struct tls_list *items,
                                 const char *option, bool strict) {
  struct base_error *err = NULL;
  struct source s;
  size_t i;
  if (*out == NULL && items->count > 0)
    *out = sk_X509_CRL_new_null();
  if (*out == NULL)
    return items->count > 0 ? base_error_from(BASE_ERR_MEMORY) : NULL;
  for (i = 0; err == NULL && i < items->count; i++) {
    err = source_open(&s, items->items[i], option);
    if (err == NULL)
      err = crls_of(&s, *out, strict);
    source_close(&s);
  }
  return err;
}

/* ---- trust -------------------------------------------------------------- */

struct folder {
  X509_STORE *store;
  const char *option;
  int found; /* certificates */
};

static struct base_error *trust_text(X509_STORE *store,
                                     const struct source *s) {
  STACK_OF(X509) *all;
  struct base_error *err = certs_of(s, &all);
  int i;
  for (i = 0; err == NULL && i < sk_X509_num(all); i++)
    if (X509_STORE_add_cert(store, sk_X509_value(all, i)) != 1)
      err = bad("trust a certificate of", s);
  sk_X509_pop_free(all, X509_free);
  return err;
}

/* In a folder other things may lie beside certificates: lists, a README. */
static struct base_error *trust_entry(void *ctx, const char *path) {
  struct folder *f = (struct folder *)ctx;
  struct source s;
  struct base_error *err = source_open(&s, path, f->option);
  if (err != NULL)
    return err;
  if (strstr(s.text, "CERTIFICATE-----") != NULL) {
    f->found++;
    err = trust_text(f->store, &s);
  }
  source_close(&s);
  return err;
}

static struct base_error *trust_item(X509_STORE *store, const char *item,
                                     const char *option) {
  struct source s;
  struct base_error *err;
  if (strstr(item, mark) == NULL && tls_file_is_folder(item)) {
    struct folder f = {NULL, NULL, 0};
    char shown[TLS_TEXT_PATH];
    f.store = store;
    f.option = option;
    err = tls_file_each(item, trust_entry, &f);
    if (err != NULL || f.found > 0)
      return err;
    tls_text_clean(shown, sizeof shown, item, strlen(item), false);
    return base_error_new(BASE_KIND_TLS, "no_certificate",
                          "there is no file with a certificate in the folder "
                          "\"%s\"",
                          shown);
  }
  err = source_open(&s, item, option);
  if (err == NULL)
    err = trust_text(store, &s);
  source_close(&s);
  return err;
}

struct base_error *tls_load_trust(X509_STORE *store,
                                  const struct tls_list *items,
                                  const char *option) {
  struct base_error *err = NULL;
  size_t i;
  for (i = 0; err == NULL && i < items->count; i++)
    err = trust_item(store, items->items[i], option);
  return err;
}

/* ---- our own ------------------------------------------------------------ */

static struct base_error *key_error(const struct secret *s,
                                    const struct source *from) {
  struct base_error *err = bad("read the private key of", from);
  if (err->kind == BASE_KIND_LIMIT) /* memory, which explains the rest */
    return err;
  if (strstr(from->text, "PRIVATE KEY-----") == NULL) {
    base_error_free(err);
    return base_error_new(BASE_KIND_TLS, "no_private_key",
                          "there is no private key in %s", from->label);
  }
  if (!s->asked)
    return err;
  base_error_free(err);
  if (s->password == NULL)
    return base_error_new(BASE_KIND_TLS, "bad_password_read",
                          "the private key of %s is encrypted, and no "
                          "'password' was given",
                          from->label);
  return base_error_new(BASE_KIND_TLS, "bad_decrypt",
                        "the private key of %s cannot be decrypted: the "
                        "'password' is wrong, or the file is damaged",
                        from->label);
}

static struct base_error *key_mismatch(const struct source *from) {
  struct base_error *err = bad("compare with the certificate the key of", from);
  if (err->kind == BASE_KIND_LIMIT)
    return err;
  base_error_free(err);
  return base_error_new(BASE_KIND_TLS, "key_values_mismatch",
                        "the private key of %s is not that of the certificate "
                        "in 'cert'",
                        from->label);
}

static struct base_error *use_key(SSL_CTX *ctx, X509 *leaf,
                                  const struct source *from,
                                  const char *password) {
  struct secret secret = {NULL, false};
  struct base_error *err = NULL;
  BIO *b = BIO_new_mem_buf(from->text, (int)from->size);
  EVP_PKEY *key = NULL;
  secret.password = password;
  ERR_clear_error();
  if (b != NULL)
    key = PEM_read_bio_PrivateKey(b, NULL, give_password, &secret);
  if (b == NULL)
    err = base_error_from(BASE_ERR_MEMORY);
  else if (key == NULL)
    err = key_error(&secret, from);
  else if (X509_check_private_key(leaf, key) != 1)
    err = key_mismatch(from);
  else if (SSL_CTX_use_PrivateKey(ctx, key) != 1)
    err = bad("use the key of", from);
  EVP_PKEY_free(key);
  BIO_free(b);
  ERR_clear_error();
  return err;
}

/* RFC 8446, 4.4.2: the end's certificate comes first. */
static struct base_error *use_chain(SSL_CTX *ctx, const STACK_OF(X509) *all,
                                    const struct source *from) {
  int i;
  ERR_clear_error();
  if (SSL_CTX_use_certificate(ctx, sk_X509_value(all, 0)) != 1)
    return bad("use the certificate of", from);
  for (i = 1; i < sk_X509_num(all); i++)
    if (SSL_CTX_add1_chain_cert(ctx, sk_X509_value(all, i)) != 1)
      return bad("use the chain of", from);
  return NULL;
}

struct base_error *tls_load_identity(SSL_CTX *ctx, const char *cert,
                                     const char *key, const char *password) {
  struct source from, key_from;
  STACK_OF(X509) *all = NULL;
  struct base_error *err = source_open(&from, cert, "cert");
  if (err != NULL)
    return err;
  err = certs_of(&from, &all);
  if (err == NULL)
    err = use_chain(ctx, all, &from);
  if (err == NULL && key == NULL)
    err = use_key(ctx, sk_X509_value(all, 0), &from, password);
  source_close(&from);
  if (err == NULL && key != NULL) {
    err = source_open(&key_from, key, "key");
    if (err == NULL)
      err = use_key(ctx, sk_X509_value(all, 0), &key_from, password);
    source_close(&key_from);
  }
  sk_X509_pop_free(all, X509_free);
  return err;
}

struct base_error *tls_load_keep(SSL_CTX *ctx, X509 **cert, EVP_PKEY **key) {
  X509 *c = SSL_CTX_get0_certificate(ctx);
  EVP_PKEY *k = SSL_CTX_get0_privatekey(ctx);
  if (c != NULL && k != NULL && X509_up_ref(c) == 1) {
    if (EVP_PKEY_up_ref(k) == 1) {
      *cert = c;
      *key = k;
      return NULL;
    }
    X509_free(c);
  }
  return tls_reason_config("cannot keep a certificate and its key");
}
