#include "tls/identity.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "base/mem.h"
#include "tls/load.h"
#include "tls/reason.h"
#include "tls/text.h"

/* ---- loading ------------------------------------------------------------ */

/* Say of which entry an error tells; its kind, code and fields stay. */
static struct base_error *of_entry(struct base_error *err, const char *name) {
  char label[TLS_TEXT_SHORT], whole[sizeof err->message];
  if (err == NULL || err->kind == BASE_KIND_LIMIT)
    return err; /* the want of memory is shared, and constant */
  tls_text_clean(label, sizeof label, name, strlen(name), true);
  (void)snprintf(whole, sizeof whole, "'sni' \"%s\": %.400s", label,
                 err->message);
  memcpy(err->message, whole, sizeof whole);
  return err;
}

static struct base_error *parse(struct tls_own *own, const char *name) {
  struct base_error *err;
  own->wildcard = strncmp(name, "*.", 2) == 0;
  err = tls_name_init(&own->name, own->wildcard ? name + 2 : name);
  if (err == NULL && own->name.ip_size > 0) /* RFC 6066, 3: never addresses */
    return base_error_new(BASE_KIND_TLS, "bad_name",
                          "an address is never sent as a server's name");
  return err;
}

/* An SSL_CTX checks what it is given; here it is for that alone. */
static struct base_error *load(struct tls_own *own,
                               const struct tls_identity *from, int level) {
  SSL_CTX *scratch;
  STACK_OF(X509) *chain = NULL;
  struct base_error *err;
  if (from->cert == NULL)
    return base_error_new(BASE_KIND_TLS, "no_certificate",
                          "there is no 'cert' for it");
  scratch = SSL_CTX_new(TLS_server_method());
  if (scratch == NULL)
    return tls_reason_config("cannot load a certificate");
  SSL_CTX_set_security_level(scratch, level);
  err = tls_load_identity(scratch, from->cert, from->key, from->password);
  if (err == NULL)
    err = tls_load_keep(scratch, &own->leaf, &own->key);
  if (err == NULL) {
    (void)SSL_CTX_get0_chain_certs(scratch, &chain);
    own->chain = X509_chain_up_ref(chain); /* NULL makes an empty one */
    if (own->chain == NULL)
      err = base_error_from(BASE_ERR_MEMORY);
  }
  SSL_CTX_free(scratch);
  return err;
}

static bool is_double(const struct tls_owns *o, const struct tls_own *own) {
  size_t i;
  for (i = 0; i < o->count; i++)
    if (&o->all[i] != own && o->all[i].wildcard == own->wildcard &&
        tls_name_equal(&o->all[i].name, &own->name))
      return true;
  return false;
}

static struct base_error *add(struct tls_owns *o,
                              const struct tls_identity *from, int level) {
  struct tls_own *own = &o->all[o->count];
  struct base_error *err;
  if (from->name == NULL)
    return base_error_new(BASE_KIND_TLS, "bad_name",
                          "an entry of 'sni' has no name");
  err = parse(own, from->name);
  if (own->name.text != NULL)
    o->count++; /* from here on it is freed with the others */
  if (err == NULL && is_double(o, own))
    err = base_error_new(BASE_KIND_TLS, "bad_name", "the name is there twice");
  if (err == NULL)
    err = load(own, from, level);
  return of_entry(err, from->name);
}

struct base_error *tls_owns_init(struct tls_owns *out,
                                 const struct tls_identity *sni, size_t count,
                                 int level) {
  struct base_error *err = NULL;
  size_t i;
  out->count = 0;
  out->all = NULL;
  if (count == 0)
    return NULL;
  out->all = (struct tls_own *)base_calloc(count, sizeof *out->all);
  if (out->all == NULL)
    return base_error_from(BASE_ERR_MEMORY);
  for (i = 0; err == NULL && i < count; i++)
    err = add(out, &sni[i], level);
  ERR_clear_error();
  return err;
}

void tls_owns_deinit(struct tls_owns *o) {
  size_t i;
  for (i = 0; i < o->count; i++) {
    X509_free(o->all[i].leaf);
    EVP_PKEY_free(o->all[i].key);
    sk_X509_pop_free(o->all[i].chain, X509_free);
    tls_name_deinit(&o->all[i].name);
  }
  base_free(o->all);
  o->all = NULL;
  o->count = 0;
}

/* ---- use ---------------------------------------------------------------- */

static const struct tls_own *find(const struct tls_owns *o, const char *name,
                                  bool wildcard) {
  size_t i;
  for (i = 0; i < o->count; i++)
    if (o->all[i].wildcard == wildcard &&
        strcmp(o->all[i].name.text, name) == 0)
      return &o->all[i];
  return NULL;
}

const struct tls_own *tls_owns_find(const struct tls_owns *o,
                                    const struct tls_name *host) {
  const struct tls_own *own = find(o, host->text, false);
  const char *dot = strchr(host->text, '.');
  return own == NULL && dot != NULL ? find(o, dot + 1, true) : own;
}

bool tls_own_use(const struct tls_own *own, SSL *ssl) {
  SSL_certs_clear(ssl); /* the default's may be of another kind of key */
  return SSL_use_cert_and_key(ssl, own->leaf, own->key, own->chain, 1) == 1;
}
