#define _POSIX_C_SOURCE 200809L

#include "support/roles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>

#include "support/broken.h"
#include "support/forge.h"

enum { SLOTS = 128 };

/* ---- the head ------------------------------------------------------------ */

void roles_read(struct roles *r, const uint8_t h[ROLES_HEAD]) {
  static const size_t reads[8] = {32768, 16384, 1, 100, 16385, 512, 4096, 7};
  memset(r, 0, sizeof *r);
  r->raw_client = (h[0] & 3) == 3;
  r->raw_server = (h[0] >> 2 & 3) == 3 && !r->raw_client;
  r->client_version = (unsigned)(h[0] >> 4 & 3) % 3;
  r->server_version = (unsigned)(h[0] >> 6) % 3;
  r->trust = (enum role_trust)(h[1] & 3);
  r->cert = (enum role_cert)((h[1] >> 2 & 3) % 3);
  r->ask = (enum role_ask)(h[1] >> 4 & 3);
  r->ocsp = (h[1] >> 6) < 2    ? TLS_OCSP_NONE
            : (h[1] >> 6) == 2 ? TLS_OCSP_STAPLE
                               : TLS_OCSP_REQUIRE;
  r->verify = (enum tls_verify_client)((h[2] & 3) % 3);
  r->tickets = (h[2] & 4) == 0;
  r->staple = (h[2] & 8) != 0;
  r->session = (h[2] & 16) == 0;
  r->retry = (h[2] & 32) != 0;
  r->sealed = (h[2] & 64) != 0;
  r->trace = (h[2] & 128) != 0;
  r->client_alpn = h[3] & 3;
  r->server_alpn = h[3] >> 2 & 3;
  r->noise = (h[3] & 16) != 0;
  r->sni = (h[3] & 32) != 0;
  r->host = (enum role_host)((h[3] >> 6) % 3);
  r->cut = h[4];
  r->again_cut = h[5];
  r->read = reads[h[6] & 7];
  r->again_read = reads[h[6] >> 3 & 7];
  r->anonymous = (h[7] & 1) != 0;
  r->rogue_alpn = (h[7] & 2) != 0;
  r->junk_staple = (h[7] & 4) != 0;
  r->small = (h[7] & 8) != 0;
  r->padded = (h[7] & 16) != 0;
  r->raw_version = (unsigned)(h[7] >> 5) % 5;
}

const char *roles_host(const struct roles *r) {
  static const char *const hosts[] = {"example.com", "example.org",
                                      "127.0.0.1"};
  return hosts[r->host];
}

/* ---- who accepts whom ---------------------------------------------------- */

static bool is_stapled(const struct roles *r) {
  return r->staple && !(r->sni && r->host == HOST_NAME);
}

/* A stranger that shows no certificate. */
static bool is_nobody(const struct roles *r) {
  return r->raw_server && r->anonymous;
}

bool roles_chain_is_good(const struct roles *r) {
  if (is_nobody(r))
    return false;
  return r->trust == TRUST_GOOD && r->host != HOST_OTHER &&
         (r->ocsp != TLS_OCSP_REQUIRE || (is_stapled(r) && !r->raw_server)) &&
         (r->ocsp == TLS_OCSP_NONE || !r->raw_server || !r->junk_staple);
}

/* A stranger without a certificate leaves nothing that one could overrule. */
bool roles_client_accepts(const struct roles *r) {
  if (r->ask == ASK_NO || is_nobody(r))
    return false;
  return r->ask == ASK_YES || r->trust == TRUST_NOBODY_ASKED ||
         roles_chain_is_good(r);
}

bool roles_server_accepts(const struct roles *r) {
  switch (r->verify) {
  case TLS_CLIENT_NONE:
    return true;
  case TLS_CLIENT_REQUEST:
    return r->cert != CERT_FOREIGN;
  default:
    return r->cert == CERT_GOOD;
  }
}

bool roles_agree(const struct roles *r) {
  bool version = r->client_version == 0 || r->server_version == 0 ||
                 r->client_version == r->server_version;
  bool protocol = r->client_alpn == 0 || r->server_alpn == 0 ||
                  (r->client_alpn & r->server_alpn) != 0;
  return version && protocol;
}

/* ---- files and texts ----------------------------------------------------- */

/* Everything that the configurations are made of; made once, never freed. */
static struct texts {
  struct text root, chain, key, foreign, foreign_key;
  X509 *strange;
  char staple[64];
} texts;

static X509 *make_foreign(const struct forge *f) {
  X509 *x = X509_dup(f->leaf);
  MUST(x != NULL && X509_set_pubkey(x, f->keys[KEY_OTHER]) == 1);
  MUST(X509_set_issuer_name(x, X509_get_subject_name(x)) == 1);
  MUST(X509_sign(x, f->keys[KEY_OTHER], NULL) > 0);
  return x;
}

/* "good" until 2049, signed by the issuer of the leaf. */
static OCSP_RESPONSE *make_answer(const struct forge *f) {
  OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
  OCSP_CERTID *id = OCSP_cert_to_id(NULL, f->leaf, f->middle);
  ASN1_TIME *from = ASN1_TIME_new(), *to = ASN1_TIME_new();
  OCSP_RESPONSE *answer;
  MUST(basic != NULL && id != NULL && from != NULL && to != NULL);
  MUST(ASN1_TIME_set_string(from, "20000101000000Z") == 1 &&
       ASN1_TIME_set_string(to, "20491231235959Z") == 1);
  MUST(OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, from,
                              to) != NULL);
  MUST(OCSP_basic_sign(basic, f->middle, f->keys[KEY_MIDDLE], NULL, NULL,
                       OCSP_NOCERTS) == 1);
  answer = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
  MUST(answer != NULL);
  ASN1_TIME_free(from);
  ASN1_TIME_free(to);
  OCSP_CERTID_free(id);
  OCSP_BASICRESP_free(basic);
  return answer;
}

static void remove_staple(void) {
  (void)unlink(texts.staple);
}

/* The one thing that is read from a file, whenever a server is loaded. */
static void write_staple(const struct forge *f) {
  OCSP_RESPONSE *answer = make_answer(f);
  unsigned char *der = NULL;
  int n = i2d_OCSP_RESPONSE(answer, &der), fd;
  (void)snprintf(texts.staple, sizeof texts.staple,
                 "/tmp/uvwss-fuzz-XXXXXX");
  fd = mkstemp(texts.staple);
  MUST(n > 0 && fd >= 0 && atexit(remove_staple) == 0);
  MUST(write(fd, der, (size_t)n) == n && close(fd) == 0);
  OPENSSL_free(der);
  OCSP_RESPONSE_free(answer);
}

static const struct texts *texts_get(void) {
  const struct forge *f = forge_get();
  if (texts.root.data != NULL)
    return &texts;
  forge_pem(&texts.root, f->root);
  forge_pem(&texts.chain, f->leaf);
  forge_pem(&texts.chain, f->middle);
  forge_pem_key(&texts.key, f->keys[KEY_LEAF]);
  texts.strange = make_foreign(f);
  forge_pem(&texts.foreign, texts.strange);
  forge_pem_key(&texts.foreign_key, f->keys[KEY_OTHER]);
  write_staple(f);
  return &texts;
}

/* ---- contexts ------------------------------------------------------------ */

/* Made anew only where another one took its place. */
struct slot {
  uint64_t name;
  struct tls_context *context;
};

static struct tls_context *keep(struct slot *all, uint64_t name,
                                const struct tls_options *o) {
  struct slot *s = &all[(name * 2654435761u >> 16) % SLOTS];
  struct base_error *err;
  if (s->context != NULL && s->name == name)
    return s->context;
  tls_context_unref(s->context);
  err = tls_context_new(&s->context, o);
  if (err != NULL)
    fuzz_broken("a configuration", err->message, __FILE__, __LINE__);
  s->name = name;
  return s->context;
}

static void set_alpn(struct tls_options *o, unsigned alpn) {
  static const char *const all[] = {"a", "bb"};
  static const size_t counts[] = {0, 1, 1, 2};
  o->alpn.items = alpn == ALPN_B ? all + 1 : all;
  o->alpn.count = counts[alpn];
}

static void set_version(struct tls_options *o, unsigned version) {
  if (version == 1)
    o->max_version = TLS_V_1_2;
  else if (version == 2)
    o->min_version = TLS_V_1_3;
}

static const char one_suite[] = "TLS_AES_128_GCM_SHA256";

struct tls_context *roles_client(const struct roles *r) {
  static const char pin[] =
    "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  const struct texts *t = texts_get();
  const char *ca = r->trust == TRUST_OTHER ? t->foreign.data : t->root.data;
  const char *pins = pin;
  static struct slot kept[SLOTS];
  struct tls_options o;
  uint64_t name = r->client_version;
  name = name * 4 + (unsigned)r->trust;
  name = name * 4 + (unsigned)r->cert;
  name = name * 4 + (unsigned)r->ocsp;
  name = name * 4 + r->client_alpn;
  name = name * 16 + (r->session ? 1u : 0u) + (r->retry ? 2u : 0u) +
         (r->sealed ? 4u : 0u) + (is_nobody(r) ? 8u : 0u);
  tls_options_init(&o);
  o.ca.items = &ca;
  o.ca.count = 1;
  o.pins.items = &pins;
  o.pins.count = r->trust == TRUST_PINNED;
  o.insecure = r->trust == TRUST_NOBODY_ASKED;
  if (r->cert != CERT_NONE) {
    o.cert = r->cert == CERT_GOOD ? t->chain.data : t->foreign.data;
    o.key = r->cert == CERT_GOOD ? t->key.data : t->foreign_key.data;
  }
  o.stapled = r->ocsp;
  o.session = r->session;
  if (r->retry)
    o.groups = "P-256:X25519";
  if (r->sealed)
    o.ciphersuites = one_suite;
  if (is_nobody(r)) /* so that it comes that far */
    o.ciphers = "ALL:aNULL:@SECLEVEL=0";
  set_alpn(&o, r->client_alpn);
  set_version(&o, r->client_version);
  return keep(kept, name, &o);
}

struct tls_context *roles_server(const struct roles *r) {
  const struct texts *t = texts_get();
  const char *ca = t->root.data;
  struct tls_identity own = {"example.com", NULL, NULL, NULL};
  static struct slot kept[SLOTS];
  struct tls_options o;
  uint64_t name = r->server_version;
  name = name * 4 + (unsigned)r->verify;
  name = name * 4 + r->server_alpn;
  name = name * 32 + (r->tickets ? 1u : 0u) + (r->staple ? 2u : 0u) +
         (r->sni ? 4u : 0u) + (r->retry ? 8u : 0u) + (r->sealed ? 16u : 0u);
  tls_options_init_server(&o);
  own.cert = t->chain.data;
  own.key = t->key.data;
  o.cert = t->chain.data;
  o.key = t->key.data;
  o.client_ca.items = &ca;
  o.client_ca.count = 1;
  o.verify_client = r->verify;
  o.tickets = r->tickets;
  o.ocsp = r->staple ? t->staple : NULL;
  o.sni = &own;
  o.sni_count = r->sni;
  if (r->retry)
    o.groups = "X25519";
  if (r->sealed)
    o.ciphersuites = one_suite;
  set_alpn(&o, r->server_alpn);
  set_version(&o, r->server_version);
  return keep(kept, name, &o);
}

/* ---- strangers ----------------------------------------------------------- */

/* RFC 7301, 3.2 forbids to choose what was not offered. */
static int choose(SSL *ssl, const unsigned char **out, unsigned char *n,
                  const unsigned char *in, unsigned size, void *arg) {
  (void)ssl;
  if (arg != NULL) {
    *out = (const unsigned char *)"zzz";
    *n = 3;
  } else {
    *out = in + 1;
    *n = in[0];
  }
  return size > 0 ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static int staple_junk(SSL *ssl, void *arg) {
  static const char junk[] = "0\003\012\001\001";
  (void)arg;
  (void)SSL_set_tlsext_status_ocsp_resp(
    ssl, (unsigned char *)OPENSSL_memdup(junk, sizeof junk - 1),
    sizeof junk - 1);
  return SSL_TLSEXT_ERR_OK;
}

static void identify(SSL_CTX *c, const struct roles *r, bool server) {
  const struct forge *f = forge_get();
  bool good = server || r->cert == CERT_GOOD;
  if (server ? r->anonymous : r->cert == CERT_NONE)
    return;
  MUST(SSL_CTX_use_certificate(c, good ? f->leaf : texts.strange) == 1 &&
       SSL_CTX_use_PrivateKey(c, f->keys[good ? KEY_LEAF : KEY_OTHER]) == 1);
  if (good)
    MUST(SSL_CTX_add1_chain_cert(c, f->middle) == 1);
}

SSL_CTX *roles_stranger(const struct roles *r, bool server) {
  static const int versions[] = {0, TLS1_VERSION, TLS1_1_VERSION,
                                 TLS1_2_VERSION, TLS1_3_VERSION};
  SSL_CTX *c = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
  int version = versions[r->raw_version];
  (void)texts_get();
  MUST(c != NULL);
  SSL_CTX_set_security_level(c, 0);
  SSL_CTX_clear_options(c, SSL_OP_NO_RENEGOTIATION);
  MUST(SSL_CTX_set_cipher_list(c, "ALL:eNULL:aNULL@SECLEVEL=0") == 1 &&
       SSL_CTX_set_min_proto_version(c, version) == 1 &&
       SSL_CTX_set_max_proto_version(c, version) == 1);
  if (r->sealed)
    MUST(SSL_CTX_set_ciphersuites(c, one_suite) == 1);
  if (r->small)
    (void)SSL_CTX_set_max_send_fragment(c, 512);
  if (r->padded)
    (void)SSL_CTX_set_block_padding(c, 1000);
  (void)SSL_CTX_set_dh_auto(c, 1);
  (void)SSL_CTX_set_session_id_context(c, (const unsigned char *)"raw", 3);
  identify(c, r, server);
  if (server)
    SSL_CTX_set_alpn_select_cb(c, choose, r->rogue_alpn ? c : NULL);
  else if (r->client_alpn != 0)
    (void)SSL_CTX_set_alpn_protos(c, (const unsigned char *)"\001a", 2);
  if (server && r->junk_staple)
    (void)SSL_CTX_set_tlsext_status_cb(c, staple_junk);
  ERR_clear_error();
  return c;
}
