#include "tls/context_impl.h"

#include <limits.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/limits.h"
#include "base/mem.h"

void tls_options_init(struct tls_options *o) {
  static const char *const alpn[] = {"http/1.1"}; /* RFC 7301, 6 */
  memset(o, 0, sizeof *o);
  o->alpn.items = alpn;
  o->alpn.count = sizeof alpn / sizeof alpn[0];
  o->session = true;
  o->max_depth = LIMIT_CHAIN_DEPTH;
  o->strict = true;
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

static bool copy_string(const char **s) {
  if (*s != NULL)
    *s = base_strdup(*s);
  return *s != NULL;
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
  free_list(&o->ca);
  free_list(&o->pins);
  free_list(&o->alpn);
}

static bool copy_options(struct tls_options *to,
                         const struct tls_options *from) {
  const char **strings[8];
  bool ok, had;
  size_t i;
  *to = *from;
  strings[0] = &to->cert;
  strings[1] = &to->key;
  strings[2] = &to->password;
  strings[3] = &to->server_name;
  strings[4] = &to->ciphers;
  strings[5] = &to->ciphersuites;
  strings[6] = &to->groups;
  strings[7] = &to->keylog;
  ok = copy_list(&to->ca, &from->ca); /* all of them, so that all can be */
  ok = copy_list(&to->pins, &from->pins) && ok; /* freed again */
  ok = copy_list(&to->alpn, &from->alpn) && ok;
  for (i = 0; i < sizeof strings / sizeof strings[0]; i++) {
    had = *strings[i] != NULL;
    ok = (copy_string(strings[i]) || !had) && ok;
  }
  return ok;
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
  if (!copy_options(&c->options, o))
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
