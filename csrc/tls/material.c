#include "tls/material.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "base/mem.h"
#include "tls/bio.h"
#include "tls/file.h"
#include "tls/load.h"
#include "tls/reason.h"
#include "tls/server.h"
#include "tls/session_impl.h"
#include "tls/text.h"

/*
** What Mozilla calls intermediate: forward secrecy and AEAD, nothing else.
** Finite fields are left out: a server that has nothing better is not met.
*/
#define AEAD_CIPHERS \
  "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
  "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
  "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

/* TLS 1.0 and 1.1 have no AEAD; who asks for them gets what they have. */
#define OLD_CIPHERS \
  ":ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:" \
  "ECDHE-RSA-AES256-SHA"

/* Some old servers have no forward secrecy; a server of ours always has. */
#define OLDEST_CIPHERS ":AES128-SHA:AES256-SHA"

#define TLS13_CIPHERS \
  "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

#define GROUPS "X25519:P-256:P-384"
/* Safe from a later quantum computer; OpenSSL has it from 3.5 on. */
#define HYBRID "X25519MLKEM768:"

enum { LEVEL = 2, LEVEL_OLD = 0, ALPN_MAX_BYTES = 65535 };

/* ---- versions ----------------------------------------------------------- */

static const struct {
  int number;
  const char *name;
} versions[] = {
  {0, ""},
  {TLS1_VERSION, "TLS 1.0"},
  {TLS1_1_VERSION, "TLS 1.1"},
  {TLS1_2_VERSION, "TLS 1.2"},
  {TLS1_3_VERSION, "TLS 1.3"},
};

static struct base_error *set_versions(struct tls_material *m,
                                       enum tls_version min,
                                       enum tls_version max) {
  if (min == TLS_V_DEFAULT)
    min = TLS_V_1_2;
  if (max == TLS_V_DEFAULT)
    max = TLS_V_1_3;
  if (min > max)
    return base_error_new(BASE_KIND_TLS, "no_protocols_available",
                          "min_version (%s) is above max_version (%s)",
                          versions[min].name, versions[max].name);
  (void)snprintf(m->versions, sizeof m->versions, "%s%s%s",
                 versions[min].name, min == max ? "" : " to ",
                 min == max ? "" : versions[max].name);
  /* SHA-1 and MD5, which the old versions sign with, are below level 1. */
  SSL_CTX_set_security_level(m->ssl, min < TLS_V_1_2 ? LEVEL_OLD : LEVEL);
  if (SSL_CTX_set_min_proto_version(m->ssl, versions[min].number) != 1 ||
      SSL_CTX_set_max_proto_version(m->ssl, versions[max].number) != 1)
    return tls_reason_config("cannot set the versions of TLS");
  return NULL;
}

/* ---- ciphers and groups ------------------------------------------------- */

static struct base_error *bad(const char *option, const char *value) {
  char what[160], shown[TLS_TEXT_VALUE];
  tls_text_clean(shown, sizeof shown, value, strlen(value), false);
  (void)snprintf(what, sizeof what, "cannot use '%s' \"%s\"", option, shown);
  return tls_reason_config(what);
}

static struct base_error *set_ciphers(SSL_CTX *ssl,
                                      const struct tls_options *o) {
  bool old = o->min_version != TLS_V_DEFAULT && o->min_version < TLS_V_1_2;
  const char *list = o->ciphers != NULL ? o->ciphers
                     : !old             ? AEAD_CIPHERS
                     : o->server ? AEAD_CIPHERS OLD_CIPHERS
                                 : AEAD_CIPHERS OLD_CIPHERS OLDEST_CIPHERS;
  const char *suites =
    o->ciphersuites != NULL ? o->ciphersuites : TLS13_CIPHERS;
  const char *groups = o->groups != NULL ? o->groups : GROUPS;
  char shown[TLS_TEXT_VALUE];
  struct base_error *err;
  if (SSL_CTX_set_cipher_list(ssl, list) != 1)
    return bad("ciphers", list);
  if (SSL_CTX_set_ciphersuites(ssl, suites) != 1)
    return bad("ciphersuites", suites);
  if (o->groups == NULL && SSL_CTX_set1_groups_list(ssl, HYBRID GROUPS) == 1)
    return NULL;
  ERR_clear_error();
  if (SSL_CTX_set1_groups_list(ssl, groups) == 1)
    return NULL;
  tls_text_clean(shown, sizeof shown, groups, strlen(groups), false);
  err = bad("groups", groups);
  if (err->kind == BASE_KIND_LIMIT)
    return err;
  base_error_free(err); /* OpenSSL says nothing useful about an unknown one */
  return base_error_new(BASE_KIND_TLS, "no_suitable_groups",
                        "cannot use 'groups' \"%s\": not all of them are "
                        "known",
                        shown);
}

/* RFC 7301, 3.1: each with its length in one byte before it. */
static struct base_error *set_alpn(struct tls_material *m,
                                   const struct tls_list *names) {
  size_t i, n, size = 0;
  for (i = 0; i < names->count; i++) {
    n = strlen(names->items[i]);
    size += n + 1;
    if (n == 0 || n > 255 || size > ALPN_MAX_BYTES)
      return base_error_new(BASE_KIND_TLS, "bad_alpn",
                            "the names of 'alpn' have 1 to 255 bytes");
  }
  if (size == 0)
    return NULL;
  m->alpn = (uint8_t *)base_malloc(size);
  if (m->alpn == NULL)
    return base_error_from(BASE_ERR_MEMORY);
  for (i = 0; i < names->count; i++) {
    n = strlen(names->items[i]);
    m->alpn[m->alpn_size] = (uint8_t)n;
    memcpy(m->alpn + m->alpn_size + 1, names->items[i], n);
    m->alpn_size += n + 1;
  }
  if (!m->server &&
      SSL_CTX_set_alpn_protos(m->ssl, m->alpn, (unsigned)size) != 0)
    return tls_reason_config("cannot set 'alpn'");
  return NULL;
}

/* ---- trust -------------------------------------------------------------- */

static int count_roots(X509_STORE *store) {
  STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(store);
  int i, n = 0;
  for (i = 0; i < sk_X509_OBJECT_num(all); i++)
    if (X509_OBJECT_get_type(sk_X509_OBJECT_value(all, i)) == X509_LU_X509)
      n++;
  return n;
}

/* Its name is the hash of a subject: how OpenSSL finds it, when it looks. */
static struct base_error *count_hashed(void *ctx, const char *path) {
  const char *name = strrchr(path, '/');
  const char *p = name != NULL ? name + 1 : path;
  if (strspn(p, "0123456789abcdef") == 8 && p[8] == '.' &&
      p[9 + strspn(p + 9, "0123456789")] == '\0')
    ++*(int *)ctx;
  return NULL;
}

/* What the system's folders have: a list, as OpenSSL reads it. Its file has
** the same, as a rule. */
static int count_system(void) {
  const char *p = tls_file_env(X509_get_default_cert_dir_env());
  int n = 0;
  if (p == NULL)
    p = X509_get_default_cert_dir();
  while (*p != '\0') {
    size_t len = strcspn(p, ":");
    char *folder = base_strndup(p, len);
    if (folder != NULL)
      base_error_free(tls_file_each(folder, count_hashed, &n));
    base_free(folder);
    p += len + (p[len] == ':' ? 1 : 0);
  }
  return n;
}

/* For sentences. */
static void describe_trust(struct tls_rules *r, const struct tls_options *o,
                           int n) {
  const char *s = n == 1 ? "" : "s";
  const char *option = o->server ? "client_ca" : "ca";
  size_t size = sizeof r->trusted, given;
  given = o->server ? o->client_ca.count : o->ca.count;
  if (r->insecure)
    (void)snprintf(r->trusted, size, "everything");
  else if (given > 0 && !o->system_ca)
    (void)snprintf(r->trusted, size, "%d root%s of the '%s' option", n, s,
                   option);
  else if (given > 0)
    (void)snprintf(r->trusted, size, "the system store and '%s', %d root%s",
                   option, n, s);
  else if (n > 0)
    (void)snprintf(r->trusted, size, "the system store, %d root%s", n, s);
  else
    (void)snprintf(r->trusted, size, "the system store");
}

static struct base_error *set_trust(struct tls_material *m,
                                    const struct tls_options *o) {
  bool system = (o->ca.count == 0 && !m->server) || o->system_ca;
  X509_STORE *store = SSL_CTX_get_cert_store(m->ssl);
  struct base_error *err = NULL;
  int loaded, n = 0;
  if (system && !m->rules.insecure &&
      SSL_CTX_set_default_verify_paths(m->ssl) != 1)
    return tls_reason_config("cannot load the system's store");
  loaded = count_roots(store);
  if (system && !m->rules.insecure)
    n = count_system();
  if (n < loaded)
    n = loaded;
  if (!m->server) /* insecure: wrong ones are told */
    err = tls_load_trust(store, &o->ca, "ca");
  describe_trust(&m->rules, o, n + count_roots(store) - loaded);
  return err;
}

/* ---- the key log -------------------------------------------------------- */

static void on_keylog(const SSL *ssl, const char *line) {
  const struct tls_session *s =
    (const struct tls_session *)SSL_get_app_data(ssl);
  tls_file_log_line(tls_session_material(s)->keylog, line);
}

/* The option must work; the environment's wish is not worth a failure. */
static struct base_error *set_keylog(struct tls_material *m,
                                     const char *option) {
  const char *path = option != NULL ? option : tls_file_env("SSLKEYLOGFILE");
  if (path == NULL)
    return NULL;
  m->keylog = tls_file_log_open(path);
  if (m->keylog < 0)
    return option != NULL ? tls_file_error("write", path, errno) : NULL;
  SSL_CTX_set_keylog_callback(m->ssl, on_keylog);
  return NULL;
}

/* ---- all of it ---------------------------------------------------------- */

/* Every one explicitly: a system's openssl.cnf may say otherwise. */
static void set_modes(struct tls_material *m) {
  SSL_CTX *ssl = m->ssl;
  SSL_CTX_clear_options(ssl, SSL_OP_LEGACY_SERVER_CONNECT |
                               SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |
                               SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_clear_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
  SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_read_ahead(ssl, 0);
  if (m->tickets) { /* the client's; a server decides anew */
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT |
                                          SSL_SESS_CACHE_NO_INTERNAL);
  } else {
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
  }
}

static struct base_error *set_name(struct tls_material *m, const char *name) {
  if (name == NULL)
    return NULL;
  m->name = (struct tls_name *)base_calloc(1, sizeof *m->name);
  if (m->name == NULL)
    return base_error_from(BASE_ERR_MEMORY);
  return tls_name_init(m->name, name);
}

static struct base_error *set_identity(SSL_CTX *ssl,
                                       const struct tls_options *o) {
  if (o->server && o->cert == NULL)
    return base_error_new(BASE_KIND_TLS, "no_certificate",
                          "a server of TLS needs a certificate: the option "
                          "'cert', and its private key, 'key'");
  if (o->cert != NULL)
    return tls_load_identity(ssl, o->cert, o->key, o->password);
  if (o->key != NULL)
    return base_error_new(BASE_KIND_TLS, "no_certificate",
                          "'key' was given without 'cert'");
  return NULL;
}

static struct base_error *fill(struct tls_material *m,
                               const struct tls_options *o) {
  struct base_error *err;
  m->server = o->server;
  m->rules.client = o->server; /* whom a server verifies */
  m->rules.insecure = o->insecure && !o->server;
  m->rules.strict = o->strict;
  m->rules.max_depth = o->max_depth;
  m->rules.crl_chain = o->crl_chain;
  m->rules.ocsp = o->server ? TLS_OCSP_NONE : o->stapled;
  m->tickets = o->server ? o->tickets : o->session;
  if (!o->server && ((err = tls_pins_init(&m->rules.pins, &o->pins)) != NULL ||
                     (err = set_name(m, o->server_name)) != NULL))
    return err;
  m->wire = tls_bio_method_new();
  m->ssl = SSL_CTX_new(o->server ? TLS_server_method() : TLS_client_method());
  if (m->wire == NULL || m->ssl == NULL)
    return tls_reason_config("cannot make a configuration");
  set_modes(m);
  tls_session_hook(m->ssl);
  if ((err = set_versions(m, o->min_version, o->max_version)) != NULL ||
      (err = set_ciphers(m->ssl, o)) != NULL ||
      (err = set_alpn(m, &o->alpn)) != NULL ||
      (err = set_identity(m->ssl, o)) != NULL ||
      (o->server && (err = tls_server_fill(m, o)) != NULL) ||
      (err = set_trust(m, o)) != NULL ||
      (err = tls_load_crls(&m->rules.crls, &o->crl, "crl", o->strict)) !=
        NULL)
    return err;
  if (m->rules.ocsp != TLS_OCSP_NONE && !tls_session_hook_staple(m->ssl))
    return tls_reason_config("cannot set 'ocsp'");
  return set_keylog(m, o->keylog);
}

struct base_error *tls_material_new(struct tls_material **out,
                                    const struct tls_options *o) {
  struct base_error *err;
  struct tls_material *m = (struct tls_material *)base_calloc(1, sizeof *m);
  *out = NULL;
  if (m == NULL)
    return base_error_from(BASE_ERR_MEMORY);
  m->refs = 1;
  m->keylog = -1;
  ERR_clear_error();
  err = fill(m, o);
  ERR_clear_error();
  if (err != NULL)
    tls_material_unref(m);
  else
    *out = m;
  return err;
}

struct tls_material *tls_material_ref(struct tls_material *m) {
  m->refs++;
  return m;
}

void tls_material_unref(struct tls_material *m) {
  if (m == NULL || --m->refs > 0)
    return;
  SSL_CTX_free(m->ssl);
  BIO_meth_free(m->wire);
  tls_pins_deinit(&m->rules.pins);
  sk_X509_CRL_pop_free(m->rules.crls, X509_CRL_free);
  tls_owns_deinit(&m->owns);
  tls_staple_deinit(&m->staple);
  if (m->name != NULL)
    tls_name_deinit(m->name);
  base_free(m->name);
  base_free(m->alpn);
  tls_file_log_close(m->keylog);
  base_free(m);
  ERR_clear_error(); /* even to free, OpenSSL may want memory */
}
