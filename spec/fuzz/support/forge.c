#include "support/forge.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "support/broken.h"

/* ---- the PKI ------------------------------------------------------------- */

struct plan {
  const char *name;
  long serial;
  enum forge_key key, issuer;
  const char *constraints, *usage, *extended, *names;
};

static const struct plan root_plan = {
  "fuzz root", 1, KEY_ROOT, KEY_ROOT, "critical,CA:TRUE",
  "critical,keyCertSign,cRLSign", NULL, NULL};
static const struct plan middle_plan = {
  "fuzz intermediate", 2, KEY_MIDDLE, KEY_ROOT, "critical,CA:TRUE",
  "critical,keyCertSign,cRLSign", NULL, NULL};
static const struct plan leaf_plan = {
  "fuzz leaf", 4096, KEY_LEAF, KEY_MIDDLE, NULL, "critical,digitalSignature",
  "serverAuth,clientAuth",
  "DNS:example.com,DNS:*.w.example.com,IP:127.0.0.1"};
static const struct plan delegate_plan = {
  "fuzz delegate", 4097, KEY_DELEGATE, KEY_MIDDLE, NULL,
  "critical,digitalSignature", "OCSPSigning", NULL};

static void add(X509 *x, X509 *issuer, int nid, const char *value) {
  X509V3_CTX ctx;
  X509_EXTENSION *e;
  if (value == NULL)
    return;
  X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
  e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
  MUST(e != NULL && X509_add_ext(x, e, -1) == 1);
  X509_EXTENSION_free(e);
}

static X509 *make(const struct forge *f, const struct plan *p, X509 *issuer) {
  X509 *x = X509_new();
  X509_NAME *name = X509_NAME_new();
  MUST(x != NULL && name != NULL);
  MUST(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                  (const unsigned char *)p->name, -1, -1,
                                  0) == 1);
  MUST(X509_set_version(x, 2) == 1 && X509_set_subject_name(x, name) == 1);
  MUST(ASN1_INTEGER_set(X509_get_serialNumber(x), p->serial) == 1);
  MUST(ASN1_TIME_set_string(X509_getm_notBefore(x), "000101000000Z") == 1);
  MUST(ASN1_TIME_set_string(X509_getm_notAfter(x), "491231235959Z") == 1);
  MUST(X509_set_pubkey(x, f->keys[p->key]) == 1);
  issuer = issuer != NULL ? issuer : x;
  add(x, issuer, NID_basic_constraints, p->constraints);
  add(x, issuer, NID_key_usage, p->usage);
  add(x, issuer, NID_ext_key_usage, p->extended);
  add(x, issuer, NID_subject_alt_name, p->names);
  add(x, issuer, NID_subject_key_identifier, "hash");
  if (issuer != x)
    add(x, issuer, NID_authority_key_identifier, "keyid:always");
  MUST(forge_sign(x, issuer, f->keys[p->issuer], FORGE_KEEP_AKI));
  X509_NAME_free(name);
  return x;
}

const struct forge *forge_get(void) {
  static struct forge f;
  uint8_t seed[32];
  int i;
  if (f.root != NULL)
    return &f;
  for (i = 0; i < FORGE_KEYS; i++) {
    memset(seed, i + 1, sizeof seed);
    f.keys[i] = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed,
                                             sizeof seed);
    MUST(f.keys[i] != NULL);
  }
  f.root = make(&f, &root_plan, NULL);
  f.middle = make(&f, &middle_plan, f.root);
  f.leaf = make(&f, &leaf_plan, f.middle);
  f.delegate = make(&f, &delegate_plan, f.middle);
  return &f;
}

/* ---- strangers' ---------------------------------------------------------- */

/* AuthorityKeyIdentifier ::= SEQUENCE { [0] keyIdentifier } in an extension
** that is there already. Without an identifier it says nothing. */
static void say_issuer(X509_EXTENSION *e, const X509 *issuer) {
  const ASN1_OCTET_STRING *id = X509_get0_subject_key_id((X509 *)issuer);
  int n = id != NULL ? ASN1_STRING_length(id) : 0;
  unsigned char der[128];
  ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
  size_t size = 2;
  MUST(value != NULL);
  der[0] = 0x30;
  der[1] = 0;
  if (n > 0 && n < 100) {
    der[1] = (unsigned char)(n + 2);
    der[2] = 0x80;
    der[3] = (unsigned char)n;
    memcpy(der + 4, ASN1_STRING_get0_data(id), (size_t)n);
    size += (size_t)n + 2;
  }
  MUST(ASN1_OCTET_STRING_set(value, der, (int)size) == 1);
  MUST(X509_EXTENSION_set_data(e, value) == 1);
  ASN1_OCTET_STRING_free(value);
}

static void add_identifier(X509 *x) {
  AUTHORITY_KEYID *id = AUTHORITY_KEYID_new();
  MUST(id != NULL);
  (void)X509_add1_ext_i2d(x, NID_authority_key_identifier, id, 0,
                          X509V3_ADD_KEEP_EXISTING);
  AUTHORITY_KEYID_free(id);
}

bool forge_sign(X509 *x, const X509 *issuer, EVP_PKEY *key, unsigned keep) {
  bool ok = true;
  int i;
  if ((keep & FORGE_ADD_AKI) != 0)
    add_identifier(x);
  i = X509_get_ext_by_NID(x, NID_authority_key_identifier, -1);
  if ((keep & FORGE_KEEP_AKI) == 0 && i >= 0)
    say_issuer(X509_get_ext(x, i), issuer);
  if ((keep & FORGE_KEEP_ISSUER) == 0)
    ok = X509_set_issuer_name(x, X509_get_subject_name(issuer)) == 1;
  if ((keep & FORGE_KEEP_SIGNATURE) == 0)
    ok = ok && X509_sign(x, key, NULL) > 0;
  ERR_clear_error();
  return ok;
}

bool forge_sign_crl(X509_CRL *crl, const X509 *issuer, EVP_PKEY *key,
                    unsigned keep) {
  int i = X509_CRL_get_ext_by_NID(crl, NID_authority_key_identifier, -1);
  bool ok = true;
  if ((keep & FORGE_KEEP_AKI) == 0 && i >= 0)
    say_issuer(X509_CRL_get_ext(crl, i), issuer);
  if ((keep & FORGE_KEEP_ISSUER) == 0)
    ok = X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1;
  if ((keep & FORGE_KEEP_SIGNATURE) == 0)
    ok = ok && X509_CRL_sign(crl, key, NULL) > 0;
  ERR_clear_error();
  return ok;
}

/* ---- OCSP ---------------------------------------------------------------- */

static void set_digest(ASN1_OCTET_STRING *out, const EVP_MD *md,
                       const void *data, size_t n) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  MUST(EVP_Digest(data, n, digest, &size, md, NULL) == 1);
  MUST(ASN1_OCTET_STRING_set(out, digest, (int)size) == 1);
}

static void set_key_hash(ASN1_OCTET_STRING *out, const EVP_MD *md,
                         const X509 *x) {
  const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(x);
  set_digest(out, md, ASN1_STRING_get0_data(key),
             (size_t)ASN1_STRING_length(key));
}

/* In its place: OCSP_RESPID_set_by_name and its like are for what is new. */
static void set_responder(OCSP_BASICRESP *basic, const X509 *signer) {
  const ASN1_OCTET_STRING *id = NULL;
  const X509_NAME *given = NULL, *wanted = X509_get_subject_name(signer);
  X509_NAME *name;
  int i;
  MUST(OCSP_resp_get0_id(basic, &id, &given) == 1);
  if (id != NULL)
    set_key_hash((ASN1_OCTET_STRING *)id, EVP_sha1(), signer);
  name = (X509_NAME *)given;
  if (name == NULL)
    return;
  while (X509_NAME_entry_count(name) > 0)
    X509_NAME_ENTRY_free(X509_NAME_delete_entry(name, 0));
  for (i = 0; i < X509_NAME_entry_count(wanted); i++)
    MUST(X509_NAME_add_entry(name, X509_NAME_get_entry(wanted, i), -1, 0) ==
         1);
}

/* OCSP_basic_sign would set the responder anew, and the date. */
bool forge_sign_ocsp(OCSP_BASICRESP *basic, const X509 *signer, EVP_PKEY *key,
                     X509 *along) {
  bool ok;
  set_responder(basic, signer);
  ok = ASN1_item_sign(ASN1_ITEM_rptr(OCSP_RESPDATA),
                      (X509_ALGOR *)OCSP_resp_get0_tbs_sigalg(basic), NULL,
                      (ASN1_BIT_STRING *)OCSP_resp_get0_signature(basic),
                      OCSP_resp_get0_respdata(basic), key, NULL) > 0;
  if (ok && along != NULL)
    ok = OCSP_basic_add1_cert(basic, along) == 1;
  ERR_clear_error();
  return ok;
}

void forge_about(OCSP_BASICRESP *basic, int i, const X509 *leaf,
                 const X509 *issuer) {
  OCSP_SINGLERESP *one = OCSP_resp_get0(basic, i);
  ASN1_OCTET_STRING *name = NULL, *key = NULL;
  ASN1_OBJECT *object = NULL;
  ASN1_INTEGER *serial = NULL;
  const EVP_MD *md;
  unsigned char *der = NULL;
  int n;
  MUST(OCSP_id_get0_info(&name, &object, &key, &serial,
                         (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(one)) == 1);
  md = EVP_get_digestbyobj(object);
  MUST(ASN1_STRING_copy(serial, X509_get0_serialNumber(leaf)) == 1);
  n = i2d_X509_NAME(X509_get_subject_name(issuer), &der);
  if (md != NULL && EVP_MD_get_size(md) > 0 && n > 0) {
    set_digest(name, md, der, (size_t)n);
    set_key_hash(key, md, issuer);
  }
  OPENSSL_free(der);
  ERR_clear_error();
}

/* ---- PEM ----------------------------------------------------------------- */

static void append(struct text *t, BIO *b) {
  char *data = NULL, *bigger;
  long n = BIO_get_mem_data(b, &data);
  MUST(n >= 0);
  bigger = (char *)realloc(t->data, t->size + (size_t)n + 1);
  MUST(bigger != NULL);
  t->data = bigger;
  if (n > 0)
    memcpy(t->data + t->size, data, (size_t)n);
  t->size += (size_t)n;
  t->data[t->size] = '\0';
  BIO_free(b);
  ERR_clear_error();
}

void forge_pem(struct text *t, const X509 *x) {
  BIO *b = BIO_new(BIO_s_mem());
  MUST(b != NULL);
  (void)PEM_write_bio_X509(b, (X509 *)x);
  append(t, b);
}

void forge_pem_crl(struct text *t, const X509_CRL *crl) {
  BIO *b = BIO_new(BIO_s_mem());
  MUST(b != NULL);
  (void)PEM_write_bio_X509_CRL(b, (X509_CRL *)crl);
  append(t, b);
}

void forge_pem_key(struct text *t, EVP_PKEY *key) {
  BIO *b = BIO_new(BIO_s_mem());
  MUST(b != NULL);
  MUST(PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL) == 1);
  append(t, b);
}
