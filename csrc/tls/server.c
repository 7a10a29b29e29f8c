#include "tls/server.h"

#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/mem.h"
#include "tls/keys.h"
#include "tls/load.h"
#include "tls/reason.h"
#include "tls/session_impl.h"

enum {
  NAME_BYTES = 255,           /* of a host, RFC 1035, 2.3.4 */
  CHAIN_BYTES = 64 * 1024,    /* of a client's certificate with its issuers */
  CA_NAMES_BYTES = 16 * 1024, /* more is too much for some clients */
  TICKETS = 1                 /* of TLS 1.3, each connection */
};

static struct tls_session *session_of(const SSL *ssl) {
  return (struct tls_session *)SSL_get_app_data(ssl);
}

void tls_guest_deinit(struct tls_guest *g) {
  sk_X509_pop_free(g->chain, X509_free);
  g->chain = NULL;
}

/* ---- the name that is asked for ----------------------------------------- */

/* RFC 6066, 3: a list of one host name. What is malformed OpenSSL refuses
** later on; here it is none. */
static bool sent_name(SSL *ssl, char out[NAME_BYTES + 1]) {
  const unsigned char *p;
  size_t size, n;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &size) != 1 ||
      size < 5 || p[2] != TLSEXT_NAMETYPE_host_name)
    return false;
  n = (size_t)p[3] << 8 | p[4];
  if (n + 5 != size || n > NAME_BYTES || memchr(p + 5, 0, n) != NULL)
    return false;
  memcpy(out, p + 5, n);
  out[n] = '\0';
  return true;
}

/* '*out' is empty where no name was sent, or none that is one. */
static bool parse_name(struct tls_name *out, SSL *ssl) {
  char text[NAME_BYTES + 1];
  struct base_error *err;
  bool ok;
  memset(out, 0, sizeof *out);
  if (!sent_name(ssl, text))
    return true;
  err = tls_name_init(out, text);
  ok = err == NULL || err->kind != BASE_KIND_LIMIT;
  base_error_free(err);
  if (err == NULL && out->ip_size > 0)
    tls_name_deinit(out);
  return ok;
}

/*
** RFC 6066, 3: a session is not resumed under another name. OpenSSL leaves
** that to the session's context, of which it has but 32 bytes.
*/
static bool mark(SSL *ssl, const struct tls_name *host) {
  const char *text = host->text != NULL ? host->text : "";
  uint8_t digest[SSL_MAX_SID_CTX_LENGTH];
  return EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) ==
           1 &&
         SSL_set_session_id_context(ssl, digest, sizeof digest) == 1;
}

/* It comes once more behind a HelloRetryRequest, and must not say anything
** else then (RFC 8446, 4.1.2). */
static int on_hello(SSL *ssl, int *alert, void *arg) {
  struct tls_session *s = session_of(ssl);
  struct tls_guest *g = tls_session_guest(s);
  struct tls_name host;
  bool ok;
  (void)arg;
  if (g->greeted)
    return SSL_CLIENT_HELLO_SUCCESS;
  ok = parse_name(&host, ssl) && mark(ssl, &host);
  if (ok && host.text != NULL)
    g->own = tls_owns_find(&tls_session_material(s)->owns, &host);
  if (ok && g->own != NULL)
    ok = tls_own_use(g->own, ssl);
  g->greeted = true;
  tls_name_deinit(&host);
  if (ok)
    return SSL_CLIENT_HELLO_SUCCESS;
  *alert = SSL_AD_INTERNAL_ERROR;
  return SSL_CLIENT_HELLO_ERROR;
}

/* RFC 6066, 3: said to the client only if it decided something. */
static int on_name(SSL *ssl, int *alert, void *arg) {
  (void)alert;
  (void)arg;
  return tls_session_guest(session_of(ssl))->own != NULL
           ? SSL_TLSEXT_ERR_OK
           : SSL_TLSEXT_ERR_NOACK;
}

/* ---- protocol and staple ------------------------------------------------ */

/* RFC 7301, 3.2: ours by our preference, or the fatal alert. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *n,
                   const unsigned char *in, unsigned size, void *arg) {
  const struct tls_material *m = tls_session_material(session_of(ssl));
  size_t i, k;
  (void)arg;
  for (i = 0; i < m->alpn_size; i += 1u + m->alpn[i])
    for (k = 0; k < size; k += 1u + in[k])
      if (k + 1 + in[k] <= size && in[k] == m->alpn[i] &&
          memcmp(in + k + 1, m->alpn + i + 1, in[k]) == 0) {
        *out = in + k + 1;
        *n = in[k];
        return SSL_TLSEXT_ERR_OK;
      }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* The answer is about the default's certificate. */
static int on_status(SSL *ssl, void *arg) {
  struct tls_session *s = session_of(ssl);
  const struct tls_staple *staple = &tls_session_material(s)->staple;
  unsigned char *copy;
  (void)arg;
  if (tls_session_guest(s)->own != NULL ||
      !tls_staple_is_fresh(staple, (double)time(NULL)))
    return SSL_TLSEXT_ERR_NOACK;
  copy = (unsigned char *)OPENSSL_memdup(staple->der, staple->size);
  if (copy == NULL)
    return SSL_TLSEXT_ERR_NOACK;
  (void)SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)staple->size);
  return SSL_TLSEXT_ERR_OK; /* the copy is the SSL's */
}

/* ---- resumption --------------------------------------------------------- */

static int on_key(SSL *ssl, unsigned char *name, unsigned char *iv,
                  EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt) {
  return tls_keys_use(tls_session_keys(session_of(ssl)), name, iv, cipher, mac,
                      encrypt == 1);
}

/* A ticket holds the client's certificate, and not who issued it: what was
** right once is verified once more, by what is trusted now. */
static bool still_good(struct tls_session *s, const SSL_SESSION *old) {
  const struct tls_material *m = tls_session_material(s);
  struct tls_guest *g = tls_session_guest(s);
  X509 *leaf = SSL_SESSION_get0_peer((SSL_SESSION *)old);
  struct tls_judgement j;
  struct tls_case c;
  bool ok;
  tls_guest_deinit(g);
  if (leaf == NULL || m->verify_client == TLS_CLIENT_NONE)
    return leaf == NULL && m->verify_client != TLS_CLIENT_REQUIRE;
  c.leaf = leaf;
  c.sent = NULL;
  c.store = SSL_CTX_get_cert_store(m->ssl);
  c.name = NULL;
  c.now = (double)time(NULL);
  ok = tls_verify(&m->rules, &c, &j);
  g->chain = j.chain; /* ownership moves here */
  base_error_free(j.err);
  return ok;
}

static SSL_TICKET_RETURN on_ticket(SSL *ssl, SSL_SESSION *old,
                                   const unsigned char *name, size_t n,
                                   SSL_TICKET_STATUS status, void *arg) {
  (void)name;
  (void)n;
  (void)arg;
  if ((status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) ||
      !still_good(session_of(ssl), old))
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  /* RFC 8446, C.4: a client uses one of TLS 1.3 once, and wants another */
  return status == SSL_TICKET_SUCCESS && SSL_version(ssl) < TLS1_3_VERSION
           ? SSL_TICKET_RETURN_USE
           : SSL_TICKET_RETURN_USE_RENEW;
}

/* ---- the verdict -------------------------------------------------------- */

/* OpenSSL says who was resumed; that is whom the ticket's chain is of. */
static bool is_resumed_chain(SSL *ssl, const struct tls_guest *g) {
  X509 *leaf = SSL_get0_peer_certificate(ssl);
  if (leaf == NULL || g->chain == NULL)
    return leaf == NULL && g->chain == NULL;
  return X509_cmp(leaf, sk_X509_value(g->chain, 0)) == 0;
}

struct base_error *tls_server_accept(const struct tls_material *m, SSL *ssl,
                                     struct tls_guest *g, bool judged,
                                     STACK_OF(X509) **chain) {
  bool resumed = SSL_session_reused(ssl) == 1;
  if (resumed && !is_resumed_chain(ssl, g))
    return base_error_new(BASE_KIND_TLS, "bad_session",
                          "the client resumed a session with another "
                          "certificate");
  if (resumed || !judged) {
    sk_X509_pop_free(*chain, X509_free);
    *chain = resumed ? g->chain : NULL;
    if (resumed)
      g->chain = NULL; /* ownership moves here */
  }
  tls_guest_deinit(g);
  /* The copy that was sent. */
  (void)SSL_set_tlsext_status_ocsp_resp(ssl, NULL, 0);
  if (*chain == NULL && m->verify_client == TLS_CLIENT_REQUIRE)
    return base_error_new(BASE_KIND_TLS, "no_certificate",
                          "a client's certificate is required here, and the "
                          "client showed none");
  return NULL;
}

/* ---- the configuration -------------------------------------------------- */

/* Every one explicitly: a system's openssl.cnf may say otherwise. */
static struct base_error *set_modes(struct tls_material *m) {
  static const unsigned char id[] = "uvwss"; /* until a name is known */
  SSL_CTX *ssl = m->ssl;
  SSL_CTX_clear_options(ssl, SSL_OP_ALLOW_CLIENT_RENEGOTIATION |
                               SSL_OP_ALLOW_NO_DHE_KEX |
                               SSL_OP_NO_EXTENDED_MASTER_SECRET |
                               SSL_OP_DISABLE_TLSEXT_CA_NAMES);
  SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE |
                             SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_max_cert_list(ssl, CHAIN_BYTES);
  SSL_CTX_set_client_hello_cb(ssl, on_hello, NULL);
  SSL_CTX_set_tlsext_servername_callback(ssl, on_name);
  if (m->alpn_size > 0)
    SSL_CTX_set_alpn_select_cb(ssl, on_alpn, NULL);
  if (SSL_CTX_set_dh_auto(ssl, 0) != 1 ||
      SSL_CTX_set_max_early_data(ssl, 0) != 1 ||
      SSL_CTX_set_session_id_context(ssl, id, sizeof id - 1) != 1)
    return tls_reason_config("cannot make a server's configuration");
  return NULL;
}

/* Sessions are in their tickets, or nowhere: no cache that grows. */
static struct base_error *set_tickets(struct tls_material *m) {
  SSL_CTX *ssl = m->ssl;
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
  (void)SSL_CTX_set_timeout(ssl, TLS_KEYS_LIFETIME);
  if (!m->tickets) {
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
    if (SSL_CTX_set_num_tickets(ssl, 0) != 1)
      return tls_reason_config("cannot set 'tickets'");
    return NULL;
  }
  SSL_CTX_clear_options(ssl, SSL_OP_NO_TICKET);
  if (SSL_CTX_set_num_tickets(ssl, TICKETS) != 1 ||
      SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, on_key) != 1 ||
      SSL_CTX_set_session_ticket_cb(ssl, NULL, on_ticket, NULL) != 1)
    return tls_reason_config("cannot set 'tickets'");
  return NULL;
}

/*
** RFC 8446, 4.2.4: whom we trust, so that a client with several certificates
** can choose. Where there are too many names none are sent, which means any.
*/
static struct base_error *tell_names(SSL_CTX *ssl) {
  STACK_OF(X509_OBJECT) *all =
    X509_STORE_get0_objects(SSL_CTX_get_cert_store(ssl));
  STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
  long bytes = 0;
  int i;
  for (i = 0; names != NULL && i < sk_X509_OBJECT_num(all); i++) {
    X509 *x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));
    X509_NAME *name =
      x != NULL ? X509_NAME_dup(X509_get_subject_name(x)) : NULL;
    if (x == NULL)
      continue;
    if (name == NULL || sk_X509_NAME_push(names, name) <= 0) {
      X509_NAME_free(name);
      sk_X509_NAME_pop_free(names, X509_NAME_free);
      return base_error_from(BASE_ERR_MEMORY);
    }
    bytes += 2 + i2d_X509_NAME(name, NULL);
  }
  if (names == NULL)
    return base_error_from(BASE_ERR_MEMORY);
  if (bytes > CA_NAMES_BYTES)
    sk_X509_NAME_pop_free(names, X509_NAME_free);
  else
    SSL_CTX_set_client_CA_list(ssl, names); /* the SSL_CTX's from here on */
  return NULL;
}

static struct base_error *set_clients(struct tls_material *m,
                                      const struct tls_options *o) {
  X509_STORE *store = SSL_CTX_get_cert_store(m->ssl);
  struct base_error *err;
  int mode = SSL_VERIFY_NONE;
  m->verify_client = o->verify_client;
  if (o->verify_client != TLS_CLIENT_NONE)
    mode = SSL_VERIFY_PEER;
  if (o->verify_client == TLS_CLIENT_REQUIRE)
    mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(m->ssl, mode, NULL);
  if (mode != SSL_VERIFY_NONE && o->client_ca.count == 0 && !o->system_ca)
    return base_error_new(BASE_KIND_TLS, "no_client_ca",
                          "'verify_client' needs 'client_ca': without it no "
                          "client's certificate would be trusted");
  err = tls_load_trust(store, &o->client_ca, "client_ca");
  if (err == NULL && mode != SSL_VERIFY_NONE)
    err = tell_names(m->ssl);
  return err;
}

struct base_error *tls_server_fill(struct tls_material *m,
                                   const struct tls_options *o) {
  struct base_error *err;
  if ((err = set_modes(m)) != NULL || (err = set_tickets(m)) != NULL ||
      (err = set_clients(m, o)) != NULL ||
      (err = tls_owns_init(&m->owns, o->sni, o->sni_count,
                           SSL_CTX_get_security_level(m->ssl))) != NULL)
    return err;
  if (o->ocsp == NULL)
    return NULL;
  err = tls_staple_init(&m->staple, o->ocsp,
                        SSL_CTX_get0_certificate(m->ssl));
  if (err == NULL && SSL_CTX_set_tlsext_status_cb(m->ssl, on_status) != 1)
    err = tls_reason_config("cannot set 'ocsp'");
  return err;
}
