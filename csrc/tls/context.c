#include "tls/context_impl.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/limits.h"
#include "base/mem.h"
#include "tls/load.h"
#include "tls/ocsp.h"
#include "tls/peer_impl.h"

/* ---- defaults ----------------------------------------------------------- */

void tls_options_init(struct tls_options *o) {
  static const char *const alpn[] = {"http/1.1"}; /* RFC 7301, 6 */
  memset(o, 0, sizeof *o);
  o->alpn.items = alpn;
  o->alpn.count = sizeof alpn / sizeof alpn[0];
  o->session = true;
  o->max_depth = LIMIT_CHAIN_DEPTH;
  o->strict = true;
}

void tls_options_init_server(struct tls_options *o) {
  tls_options_init(o);
  o->session = false;
  o->server = true;
  o->tickets = true;
}

/* ---- a copy of the options ---------------------------------------------- */

static void wipe(const char *s) {
  char *mine = (char *)s; /* a copy made here: it may be a key */
  if (mine != NULL)
    OPENSSL_cleanse(mine, strlen(mine));
  base_free(mine);
}

static void free_list(struct tls_list *l) {
  char **items = (char **)l->items;
  size_t i;
  for (i = 0; i < l->count; i++)
    base_free(items[i]);
  base_free(items);
}

static bool copy_list(struct tls_list *to, const struct tls_list *from) {
  char **items;
  to->items = NULL;
  to->count = 0;
  if (from->count == 0)
    return true;
  items = (char **)base_calloc(from->count, sizeof *items);
  if (items == NULL)
    return false;
  to->items = (const char *const *)items;
  for (; to->count < from->count; to->count++) {
    items[to->count] = base_strdup(from->items[to->count]);
    if (items[to->count] == NULL)
      return false;
  }
  return true;
}

/* Every one of them, even without memory, so that all can be freed again. */
static bool copy_strings(const char **const *strings, size_t n) {
  bool ok = true;
  size_t i;
  for (i = 0; i < n; i++)
    if (*strings[i] != NULL) {
      *strings[i] = base_strdup(*strings[i]);
      ok = ok && *strings[i] != NULL;
    }
  return ok;
}

static void free_identities(const struct tls_identity *all, size_t count) {
  size_t i;
  for (i = 0; all != NULL && i < count; i++) {
    wipe(all[i].name);
    wipe(all[i].cert);
    wipe(all[i].key);
    wipe(all[i].password);
  }
  base_free((struct tls_identity *)all); /* a copy made here */
}

static bool copy_identities(struct tls_options *to,
                            const struct tls_options *from) {
  struct tls_identity *all;
  bool ok = true;
  size_t i;
  to->sni = NULL;
  if (from->sni_count == 0)
    return true;
  all = (struct tls_identity *)base_calloc(from->sni_count, sizeof *all);
  if (all == NULL)
    return false;
  for (i = 0; i < from->sni_count; i++) {
    const char **strings[4];
    all[i] = from->sni[i];
    strings[0] = &all[i].name;
    strings[1] = &all[i].cert;
    strings[2] = &all[i].key;
    strings[3] = &all[i].password;
    ok = copy_strings(strings, sizeof strings / sizeof strings[0]) && ok;
  }
  to->sni = all;
  return ok;
}

static void free_options(struct tls_options *o) {
  wipe(o->cert);
  wipe(o->key);
  wipe(o->password);
  wipe(o->server_name);
  wipe(o->ciphers);
  wipe(o->ciphersuites);
  wipe(o->groups);
  wipe(o->keylog);
  wipe(o->ocsp);
  free_identities(o->sni, o->sni_count);
  free_list(&o->client_ca);
  free_list(&o->crl);
  free_list(&o->ca);
  free_list(&o->pins);
  free_list(&o->alpn);
}

static bool copy_options(struct tls_options *to,
                         const struct tls_options *from) {
  const char **strings[9];
  bool ok;
  *to = *from;
  strings[0] = &to->cert;
  strings[1] = &to->key;
  strings[2] = &to->password;
  strings[3] = &to->server_name;
  strings[4] = &to->ciphers;
  strings[5] = &to->ciphersuites;
  strings[6] = &to->groups;
  strings[7] = &to->keylog;
  strings[8] = &to->ocsp;
  ok = copy_list(&to->ca, &from->ca); /* all of them, so that all can be */
  ok = copy_list(&to->pins, &from->pins) && ok; /* freed again */
  ok = copy_list(&to->alpn, &from->alpn) && ok;
  ok = copy_list(&to->client_ca, &from->client_ca) && ok;
  ok = copy_list(&to->crl, &from->crl) && ok;
  ok = copy_identities(to, from) && ok;
  return copy_strings(strings, sizeof strings / sizeof strings[0]) && ok;
}

/* ---- contexts ----------------------------------------------------------- */

struct base_error *tls_context_new(struct tls_context **out,
                                   const struct tls_options *o) {
  struct tls_context *c = (struct tls_context *)base_calloc(1, sizeof *c);
  struct base_error *err = NULL;
  *out = NULL;
  if (c == NULL)
    return base_error_from(BASE_ERR_MEMORY);
  c->refs = 1;
  if (o->server && o->tickets)
    c->keys = tls_keys_new();
  if (!copy_options(&c->options, o) ||
      (o->server && o->tickets && c->keys == NULL))
    err = base_error_from(BASE_ERR_MEMORY);
  else
    err = tls_material_new(&c->material, &c->options);
  if (err != NULL)
    tls_context_unref(c);
  else
    *out = c;
  return err;
}

struct tls_context *tls_context_ref(struct tls_context *c) {
  c->refs++;
  return c;
}

void tls_context_unref(struct tls_context *c) {
  if (c == NULL || --c->refs > 0)
    return;
  tls_material_unref(c->material);
  free_options(&c->options);
  tls_keys_free(c->keys);
  base_free(c);
}

struct base_error *tls_context_reload(struct tls_context *c) {
  struct tls_material *fresh;
  struct base_error *err = tls_material_new(&fresh, &c->options);
  if (err != NULL)
    return err;
  tls_material_unref(c->material);
  c->material = fresh;
  c->generation++; /* tickets of the old one are void: trust has changed */
  return NULL;
}

bool tls_context_insecure(const struct tls_context *c) {
  return c->options.insecure;
}

bool tls_context_is_server(const struct tls_context *c) {
  return c->options.server;
}

/* ---- verifying without a connection -------------------------------------- */

/* All the certificates that a query brings: the leaf is the first. */
static struct base_error *gather(const struct tls_query *q,
                                 STACK_OF(X509) **out) {
  struct base_error *err = tls_load_pem(q->chain, "chain", out);
  size_t i;
  for (i = 0; err == NULL && i < q->intermediates.count; i++)
    err = tls_load_pem(q->intermediates.items[i], "intermediates", out);
  return err;
}

/* The context's rules, but for what the query says. The lists are owned by
** the copy if the query has some. */
static struct base_error *override(struct tls_rules *rules,
                                   const struct tls_query *q) {
  if (q->bounded)
    rules->max_depth = q->max_depth;
  if (q->crl.count == 0)
    return NULL;
  rules->crls = NULL;
  return tls_load_crls(&rules->crls, &q->crl, "crl", rules->strict);
}

static struct base_error *judge(const struct tls_rules *rules,
                                const struct tls_case *c,
                                const struct tls_query *q,
                                struct tls_peer **out) {
  struct tls_judgement j;
  struct base_error *err;
  if (tls_verify(rules, c, &j) && rules->ocsp != TLS_OCSP_NONE &&
      !rules->insecure)
    tls_ocsp_judge(rules, c, q->ocsp, q->ocsp_size, &j);
  if (q->ask != NULL)
    tls_judgement_ask(
      &j,
      tls_peer_of_chain(j.err == NULL ? j.chain : c->sent,
                        j.err == NULL && !rules->insecure),
      c->sent, c->name, q->ask, q->ask_ctx);
  if (j.err == NULL) {
    *out = tls_peer_of_chain(j.chain, !rules->insecure && !j.overruled);
    if (*out == NULL)
      j.err = base_error_from(BASE_ERR_MEMORY);
  }
  err = j.err;
  j.err = NULL;
  tls_judgement_deinit(&j);
  return err;
}

/* The user may reload in there: what this began with stays until the end. */
struct base_error *tls_context_verify(struct tls_context *c,
                                      const struct tls_query *q,
                                      struct tls_peer **out) {
  struct tls_material *m = tls_material_ref(c->material);
  struct tls_rules rules = m->rules;
  STACK_OF(X509) *all = NULL;
  struct tls_name name;
  struct tls_case what;
  struct base_error *err;
  memset(&name, 0, sizeof name);
  *out = NULL;
  err = q->name != NULL ? tls_name_init(&name, q->name) : NULL;
  if (err == NULL)
    err = gather(q, &all);
  if (err == NULL)
    err = override(&rules, q);
  if (err == NULL) {
    what.leaf = sk_X509_value(all, 0);
    what.sent = all;
    what.store = SSL_CTX_get_cert_store(m->ssl);
    what.name = q->name != NULL ? &name : NULL;
    what.now = q->dated ? q->now : (double)time(NULL);
    err = judge(&rules, &what, q, out);
  }
  if (rules.crls != m->rules.crls)
    sk_X509_CRL_pop_free(rules.crls, X509_CRL_free);
  sk_X509_pop_free(all, X509_free);
  tls_name_deinit(&name);
  tls_material_unref(m);
  ERR_clear_error();
  return err;
}

/* ---- what else the floors above want of OpenSSL -------------------------- */

bool tls_random(uint8_t *out, size_t n) {
  while (n > 0) {
    int part = n > INT_MAX ? INT_MAX : (int)n;
    if (RAND_bytes(out, part) != 1) {
      ERR_clear_error();
      return false;
    }
    out += part;
    n -= (size_t)part;
  }
  return true;
}

/* Without memory it is all zeros, which matches nothing that it is compared
** with: a handshake is refused then, never accepted. */
void tls_sha1(const uint8_t *in, size_t n, uint8_t out[20]) {
  if (EVP_Digest(in, n, out, NULL, EVP_sha1(), NULL) != 1) {
    memset(out, 0, 20);
    ERR_clear_error();
  }
}

const char *tls_version_text(void) {
  return OpenSSL_version(OPENSSL_VERSION_STRING);
}
