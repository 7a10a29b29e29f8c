/*
** A small PKI with keys that are always the same (Ed25519, whose signatures
** are too), so that an input means the same in every run; and strangers'
** certificates, signed anew by it, so that more of them is looked at than the
** signature. Nothing here fails: what does is a bug of the harness.
*/
#ifndef FUZZ_FORGE_H
#define FUZZ_FORGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ocsp.h>
#include <openssl/x509.h>

enum { FORGE_KEYS = 6 };

/* Of seeds.py, too: names, serial numbers and keys are the same there. */
enum forge_key { KEY_ROOT, KEY_MIDDLE, KEY_DELEGATE, KEY_LEAF, KEY_SPARE,
                 KEY_OTHER };

struct forge {
  EVP_PKEY *keys[FORGE_KEYS];
  X509 *root;     /* signed by itself */
  X509 *middle;   /* an intermediate, by 'root' */
  X509 *leaf;     /* for example.com, *.w.example.com and 127.0.0.1 */
  X509 *delegate; /* may sign the OCSP responses of 'middle' */
};

/* Made at the first call, and never freed. */
const struct forge *forge_get(void);

enum { FORGE_KEEP_AKI = 1, FORGE_KEEP_ISSUER = 2, FORGE_KEEP_SIGNATURE = 4,
       FORGE_ADD_AKI = 8 };

/*
** Sign 'x' as the issuer would, whose name and key identifier go in; what
** 'keep' says stays as it is. An identifier is added only if it says so. False
** if there is no encoding of it, and it is of no use.
*/
bool forge_sign(X509 *x, const X509 *issuer, EVP_PKEY *key, unsigned keep);

/* The same of a list, which is the issuer's then. */
bool forge_sign_crl(X509_CRL *crl, const X509 *issuer, EVP_PKEY *key,
                    unsigned keep);

/*
** Sign a response as 'signer', whose name becomes the responder's; 'along' is
** sent with it unless it is NULL.
*/
bool forge_sign_ocsp(OCSP_BASICRESP *basic, const X509 *signer, EVP_PKEY *key,
                     X509 *along);
/* Let the single response 'i' be about a certificate. */
void forge_about(OCSP_BASICRESP *basic, int i, const X509 *leaf,
                 const X509 *issuer);

/* A text that grows; freed with free. */
struct text {
  char *data;
  size_t size;
};
void forge_pem(struct text *t, const X509 *x);
void forge_pem_crl(struct text *t, const X509_CRL *crl);
void forge_pem_key(struct text *t, EVP_PKEY *key);

#endif
