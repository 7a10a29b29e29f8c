#define _POSIX_C_SOURCE 200809L

#include "tls/issue.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/mem.h"
#include "tls/file.h"
#include "tls/load.h"
#include "tls/name.h"
#include "tls/reason.h"
#include "tls/text.h"

#define ORGANISATION "uvwss development"

enum {
  DAY = 86400,
  CA_DAYS = 3650,
  MOST_DAYS = 36500,   /* beyond are dates that not everybody reads */
  EARLIER = 3600,      /* seconds, for clocks that are late */
  SERIAL_BYTES = 16,   /* RFC 5280, 4.1.2.2: positive, 20 at most */
  COMMON_NAME_MAX = 64 /* RFC 5280, A.1 */
};

struct pair {
  X509 *cert;
  EVP_PKEY *key;
};

static void pair_deinit(struct pair *p) {
  X509_free(p->cert);
  EVP_PKEY_free(p->key);
  p->cert = NULL;
  p->key = NULL;
}

static struct base_error *failed(void) {
  return tls_reason_config("cannot make a certificate");
}

/* ---- one certificate ---------------------------------------------------- */

struct wish {
  const char *common_name;     /* or NULL */
  const char *usage, *extended; /* 'extended' is NULL for a CA */
  const struct tls_list *names; /* or NULL */
  unsigned days;
};

static bool set_serial(X509 *x) {
  uint8_t bytes[SERIAL_BYTES];
  BIGNUM *n;
  bool ok;
  if (!tls_random(bytes, sizeof bytes))
    return false;
  bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
  n = BN_bin2bn(bytes, sizeof bytes, NULL);
  ok = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
  BN_free(n);
  return ok;
}

static bool set_subject(X509 *x, const char *common_name) {
  X509_NAME *name = X509_get_subject_name(x);
  return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
                                    (const unsigned char *)ORGANISATION, -1,
                                    -1, 0) == 1 &&
         (common_name == NULL ||
          X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                     (const unsigned char *)common_name, -1,
                                     -1, 0) == 1);
}

/* Never beyond its issuer's end, behind which nobody would accept it. */
static bool set_dates(X509 *x, unsigned days, const X509 *issuer) {
  const ASN1_TIME *end = X509_get0_notAfter(issuer);
  if (X509_gmtime_adj(X509_getm_notBefore(x), -(long)EARLIER) == NULL ||
      X509_time_adj_ex(X509_getm_notAfter(x), (int)days, 0, NULL) == NULL)
    return false;
  return x == issuer || ASN1_TIME_compare(X509_get0_notAfter(x), end) <= 0 ||
         X509_set1_notAfter(x, end) == 1;
}

static bool add(X509 *x, X509 *issuer, int nid, const char *value) {
  X509_EXTENSION *ext;
  X509V3_CTX ctx;
  bool ok;
  X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
  ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
  ok = ext != NULL && X509_add_ext(x, ext, -1) == 1;
  X509_EXTENSION_free(ext);
  return ok;
}

/* Its own text would be parsed by OpenSSL as a little language. */
static GENERAL_NAME *general_name(const struct tls_name *name, bool wildcard) {
  GENERAL_NAME *g = GENERAL_NAME_new();
  bool ip = name->ip_size > 0;
  ASN1_STRING *s = ip ? (ASN1_STRING *)ASN1_OCTET_STRING_new()
                      : (ASN1_STRING *)ASN1_IA5STRING_new();
  char text[TLS_TEXT_LONG];
  (void)snprintf(text, sizeof text, "%s%s", wildcard ? "*." : "", name->text);
  if (g != NULL && s != NULL &&
      ASN1_STRING_set(s, ip ? (const void *)name->ip : (const void *)text,
                      ip ? (int)name->ip_size : -1) == 1) {
    GENERAL_NAME_set0_value(g, ip ? GEN_IPADD : GEN_DNS, s);
    return g;
  }
  ASN1_STRING_free(s);
  GENERAL_NAME_free(g);
  return NULL;
}

static struct base_error *push_name(GENERAL_NAMES *all, const char *text) {
  bool wildcard = strncmp(text, "*.", 2) == 0;
  struct tls_name name;
  GENERAL_NAME *g;
  struct base_error *err = tls_name_init(&name, wildcard ? text + 2 : text);
  if (err == NULL && wildcard && name.ip_size > 0)
    err = base_error_new(BASE_KIND_TLS, "bad_name",
                         "there are no wildcards of addresses");
  if (err != NULL) {
    tls_name_deinit(&name);
    return err;
  }
  g = general_name(&name, wildcard);
  tls_name_deinit(&name);
  if (g != NULL && sk_GENERAL_NAME_push(all, g) > 0)
    return NULL;
  GENERAL_NAME_free(g);
  return base_error_from(BASE_ERR_MEMORY);
}

static struct base_error *add_names(X509 *x, const struct tls_list *names) {
  GENERAL_NAMES *all = GENERAL_NAMES_new();
  struct base_error *err = NULL;
  size_t i;
  if (all == NULL)
    return base_error_from(BASE_ERR_MEMORY);
  for (i = 0; err == NULL && i < names->count; i++)
    err = push_name(all, names->items[i]);
  if (err == NULL &&
      X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0,
                        X509V3_ADD_DEFAULT) != 1)
    err = failed();
  GENERAL_NAMES_free(all);
  return err;
}

/* RFC 5280, 4.2.1: what our own strict verification asks for. */
static bool add_extensions(X509 *x, X509 *issuer, const struct wish *w) {
  bool is_ca = w->extended == NULL;
  return add(x, issuer, NID_basic_constraints,
             is_ca ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
         add(x, issuer, NID_key_usage, w->usage) &&
         (is_ca || add(x, issuer, NID_ext_key_usage, w->extended)) &&
         add(x, issuer, NID_subject_key_identifier, "hash") &&
         add(x, issuer, NID_authority_key_identifier, "keyid:always");
}

/* EdDSA, which a CA of the user's own may have, brings its own digest. */
static bool sign(X509 *x, EVP_PKEY *key) {
  bool own = EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");
  return X509_sign(x, key, own ? NULL : EVP_sha256()) > 0;
}

/* A 'ca' of NULL signs itself. '*out' is freed by the caller in any case. */
static struct base_error *make(struct pair *out, const struct wish *w,
                               const struct pair *ca) {
  struct base_error *err = NULL;
  X509 *x = out->cert = X509_new();
  X509 *issuer = ca != NULL ? ca->cert : x;
  out->key = EVP_EC_gen("P-256");
  if (x == NULL || out->key == NULL)
    return failed();
  if (w->names != NULL && (err = add_names(x, w->names)) != NULL)
    return err;
  if (X509_set_version(x, 2) != 1 ||
      !set_serial(x) || !set_subject(x, w->common_name) ||
      X509_set_issuer_name(x, X509_get_subject_name(issuer)) != 1 ||
      !set_dates(x, w->days, issuer) || X509_set_pubkey(x, out->key) != 1 ||
      !add_extensions(x, issuer, w) ||
      !sign(x, ca != NULL ? ca->key : out->key))
    return failed();
  return NULL;
}

/* ---- files -------------------------------------------------------------- */

/* The six of them, as they are written; a CA that is used is not. */
enum { FILES = 6 };
static const char *const files[FILES] = {"ca.key",     "ca.crt",
                                         "server.key", "server.crt",
                                         "client.key", "client.crt"};

struct folder {
  char *paths[FILES], *parts[FILES]; /* where it goes; where it waits */
  bool staged[FILES];
};

static void folder_deinit(struct folder *f) {
  size_t i;
  for (i = 0; i < FILES; i++) {
    if (f->staged[i])
      tls_file_unstage(f->parts[i]);
    base_free(f->paths[i]);
    base_free(f->parts[i]);
  }
}

static struct base_error *folder_init(struct folder *f, const char *dir) {
  size_t i, n = strlen(dir) + 24;
  memset(f, 0, sizeof *f);
  for (i = 0; i < FILES; i++) {
    f->paths[i] = (char *)base_malloc(n);
    f->parts[i] = (char *)base_malloc(n);
    if (f->paths[i] == NULL || f->parts[i] == NULL)
      return base_error_from(BASE_ERR_MEMORY);
    (void)snprintf(f->paths[i], n, "%s/%s", dir, files[i]);
    (void)snprintf(f->parts[i], n, "%s.part", f->paths[i]);
  }
  return tls_file_make_folder(dir);
}

static struct base_error *stage(struct folder *f, size_t i, const BIO *b) {
  struct base_error *err;
  char *data = NULL;
  long n = BIO_get_mem_data((BIO *)b, &data);
  if (n <= 0)
    return failed();
  err = tls_file_stage(f->parts[i], data, (size_t)n, i % 2 == 0);
  f->staged[i] = err == NULL;
  return err;
}

/* Key and certificate number 'i' and the next. OpenSSL wipes its BIOs. */
static struct base_error *stage_pair(struct folder *f, size_t i,
                                     const struct pair *p) {
  BIO *key = BIO_new(BIO_s_mem()), *cert = BIO_new(BIO_s_mem());
  struct base_error *err;
  if (key == NULL || cert == NULL ||
      PEM_write_bio_PrivateKey(key, p->key, NULL, NULL, 0, NULL, NULL) != 1 ||
      PEM_write_bio_X509(cert, p->cert) != 1)
    err = failed();
  else if ((err = stage(f, i, key)) == NULL)
    err = stage(f, i + 1, cert);
  BIO_free(key);
  BIO_free(cert);
  return err;
}

/* ---- all of them -------------------------------------------------------- */

/* It must be one that the rest of us would take for a CA, and still be one
** when the day is over. */
static struct base_error *judge_ca(X509 *x, const char *path) {
  const char *code = "not_a_ca", *why = "is no CA's";
  time_t soon = time(NULL) + DAY;
  if (X509_check_ca(x) == 1 &&
      (X509_get_key_usage(x) & X509v3_KU_KEY_CERT_SIGN) != 0) {
    if (X509_cmp_time(X509_get0_notAfter(x), &soon) > 0)
      return NULL;
    code = "expired";
    why = "has expired, or will today";
  }
  return base_error_new(BASE_KIND_TLS, code,
                        "the certificate \"%.256s\" %s: remove it and its key "
                        "to have a new CA made",
                        path, why);
}

static struct base_error *load_ca(struct pair *ca, const struct folder *f) {
  SSL_CTX *scratch = SSL_CTX_new(TLS_server_method()); /* checks both */
  struct base_error *err;
  if (scratch == NULL)
    return failed();
  err = tls_load_identity(scratch, f->paths[1], f->paths[0], NULL);
  if (err == NULL)
    err = tls_load_keep(scratch, &ca->cert, &ca->key);
  if (err == NULL)
    err = judge_ca(ca->cert, f->paths[1]);
  SSL_CTX_free(scratch);
  return err;
}

static struct base_error *have_ca(struct pair *ca, struct folder *f) {
  static const struct wish wish = {"uvwss development CA",
                                   "critical,keyCertSign,cRLSign", NULL, NULL,
                                   CA_DAYS};
  struct base_error *err;
  if (tls_file_is_there(f->paths[0]) || tls_file_is_there(f->paths[1]))
    return load_ca(ca, f);
  err = make(ca, &wish, NULL);
  return err != NULL ? err : stage_pair(f, 0, ca);
}

static struct base_error *have_end(struct folder *f, size_t i,
                                   const struct wish *w,
                                   const struct pair *ca) {
  struct pair end = {NULL, NULL};
  struct base_error *err = make(&end, w, ca);
  if (err == NULL)
    err = stage_pair(f, i, &end);
  pair_deinit(&end);
  return err;
}

static struct base_error *have_server(struct folder *f,
                                      const struct tls_issue *what,
                                      const struct pair *ca) {
  static const char *const local[] = {"localhost", "127.0.0.1", "::1"};
  struct tls_list names = what->names;
  struct wish w = {NULL, "critical,digitalSignature", "serverAuth", NULL, 0};
  if (names.count == 0) {
    names.items = local;
    names.count = sizeof local / sizeof local[0];
  }
  if (strlen(names.items[0]) <= COMMON_NAME_MAX)
    w.common_name = names.items[0];
  w.names = &names;
  w.days = what->days;
  return have_end(f, 2, &w, ca);
}

static struct base_error *have_client(struct folder *f,
                                      const struct tls_issue *what,
                                      const struct pair *ca) {
  const char *name = what->client != NULL ? what->client : "client";
  struct wish w = {NULL, "critical,digitalSignature", "clientAuth", NULL, 0};
  char shown[TLS_TEXT_LONG];
  w.common_name = name;
  w.days = what->days;
  tls_text_clean(shown, sizeof shown, name, strlen(name), false);
  if (name[0] == '\0' || strlen(name) > COMMON_NAME_MAX ||
      strcmp(shown, name) != 0)
    return base_error_new(BASE_KIND_TLS, "bad_name",
                          "a client's name has 1 to %d bytes of printable "
                          "UTF-8",
                          (int)COMMON_NAME_MAX);
  return have_end(f, 4, &w, ca);
}

static struct base_error *check(const struct folder *f,
                                const struct tls_issue *what, bool force) {
  size_t i;
  if (what->days < 1 || what->days > MOST_DAYS)
    return base_error_new(BASE_KIND_TLS, "bad_days",
                          "a certificate is good for 1 to %d days",
                          (int)MOST_DAYS);
  for (i = 2; !force && i < FILES; i++)
    if (tls_file_is_there(f->paths[i]))
      return tls_file_exists(f->paths[i]);
  return NULL;
}

/* All are there beside their places before the first is put into its own. */
struct base_error *tls_issue(const struct tls_issue *what, bool force) {
  struct pair ca = {NULL, NULL};
  struct base_error *err;
  struct folder f;
  size_t i;
  ERR_clear_error();
  if ((err = folder_init(&f, what->dir)) == NULL &&
      (err = check(&f, what, force)) == NULL &&
      (err = have_ca(&ca, &f)) == NULL &&
      (err = have_server(&f, what, &ca)) == NULL)
    err = have_client(&f, what, &ca);
  for (i = 0; err == NULL && i < FILES; i++)
    if (f.staged[i]) {
      err = tls_file_commit(f.parts[i], f.paths[i], force && i >= 2);
      f.staged[i] = err != NULL;
    }
  pair_deinit(&ca);
  folder_deinit(&f);
  ERR_clear_error();
  return err;
}
