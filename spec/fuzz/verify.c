/*
** Certificates, revocation lists and OCSP responses through
** tls_context_verify, which tls:verify calls.
**
** An input begins with eight bytes: the mode, options, the name and the time
** that are asked about, a variant, and four more for who signs whom. What
** follows is DER, one structure after the other (mode 0: PEM). It is signed
** anew with keys of our own, since nothing but the signature would be looked
** at otherwise. seeds.py writes such inputs, mutate/verify.c changes them.
*/
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "fuzz.h"
#include "support/broken.h"
#include "support/forge.h"
#include "support/oracle.h"
#include "support/question.h"

enum { HEAD = 8, CERTS_MAX = 32 };

enum mode {
  MODE_PEM,      /* the chain as it is */
  MODE_LEAF,     /* one, signed by the root */
  MODE_CHAIN,    /* an intermediate, and then its leaf */
  MODE_OCSP,     /* a response as it is, about our own leaf */
  MODE_ANSWER,   /* a response, signed by who may, or by the delegate that
                    follows */
  MODE_CRL,      /* a list, about our own leaf */
  MODE_PATHS,    /* up to 32 certificates, which sign each other */
  MODE_ANCHOR,   /* an anchor, and then its leaf */
  MODE_REVOKED,  /* a leaf, and then the list of its issuer */
  MODE_STAPLED,  /* a leaf, and then a response about it */
  MODE_COUNT
};

double fuzz_limit_seconds = 1;

/* ---- the name and the time ----------------------------------------------- */

/* The first of the leaf's own names of a type; a star becomes "w". */
static bool own_name(char out[NAME_MAX_BYTES], const X509 *leaf, int type) {
  GENERAL_NAMES *all = (GENERAL_NAMES *)X509_get_ext_d2i(
    leaf, NID_subject_alt_name, NULL, NULL);
  bool found = false;
  char *star;
  int i;
  for (i = 0; i < sk_GENERAL_NAME_num(all) && !found; i++) {
    const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
    const unsigned char *s;
    int n;
    if (g->type != type)
      continue;
    s = ASN1_STRING_get0_data(g->d.ia5);
    n = ASN1_STRING_length(g->d.ia5);
    found = n < NAME_MAX_BYTES;
    if (found && type == GEN_DNS) {
      memcpy(out, s, (size_t)n);
      out[n] = '\0';
      if ((star = strchr(out, '*')) != NULL)
        *star = 'w';
    } else if (found && n == 4) {
      (void)snprintf(out, NAME_MAX_BYTES, "%d.%d.%d.%d", s[0], s[1], s[2],
                     s[3]);
    } else if (found && n == 16) {
      for (n = 0; n < 8; n++)
        (void)snprintf(out + 5 * (size_t)n, 6, "%02x%02x:", s[2 * n],
                       s[2 * n + 1]);
      out[39] = '\0';
    }
  }
  GENERAL_NAMES_free(all);
  ERR_clear_error();
  return found;
}

static void choose_name(struct question *a, const X509 *leaf) {
  static const char *const names[] = {
    "example.com", "a.w.example.com", "127.0.0.1", "::1",
    "host.sub.example.com", "not-example.com", "*.example.com"};
  const size_t count = sizeof names / sizeof names[0];
  unsigned n = a->in->name;
  a->named = n > 0;
  if (n == 0)
    return;
  if (n <= 8 && leaf != NULL &&
      own_name(a->name, leaf, n % 2 == 1 ? GEN_DNS : GEN_IPADD))
    return;
  (void)snprintf(a->name, sizeof a->name, "%s", names[n % count]);
}

/* Mostly the beginning of 2024; or around an edge of what the leaf says. */
static void choose_time(struct question *a, const X509 *leaf) {
  const unsigned t = a->in->time;
  double at = (double)NAN;
  if (leaf != NULL && t >= 8 && t < 14) {
    int step = (int)(t - 8) / 2 - 1; /* -1, 0, 1 */
    at = step + oracle_epoch(t % 2 == 0 ? X509_get0_notAfter(leaf)
                                        : X509_get0_notBefore(leaf));
  } else if (t >= 14) {
    at = t == 14 ? -1.0 : 4102444800.0; /* 2100 */
  }
  a->now = isnan(at) ? 1704067200.0 : at;
}

static void about(struct question *a, const X509 *leaf) {
  choose_name(a, leaf);
  choose_time(a, leaf);
}

/* ---- the modes ----------------------------------------------------------- */

static X509 *next_cert(struct input *in) {
  const unsigned char *p = in->data;
  X509 *x = d2i_X509(NULL, &p, (long)in->size);
  if (x != NULL) {
    in->size -= (size_t)(p - in->data);
    in->data = p;
  }
  ERR_clear_error();
  return x;
}

static OCSP_BASICRESP *next_answer(struct input *in) {
  const unsigned char *p = in->data;
  OCSP_RESPONSE *answer = d2i_OCSP_RESPONSE(NULL, &p, (long)in->size);
  OCSP_BASICRESP *basic = NULL;
  if (answer != NULL) {
    basic = OCSP_response_get1_basic(answer);
    in->size -= (size_t)(p - in->data);
    in->data = p;
  }
  OCSP_RESPONSE_free(answer);
  ERR_clear_error();
  return basic;
}

static unsigned keeps(const struct input *in) {
  unsigned keep = 0;
  if ((in->options & OPT_KEEP_AKI) != 0)
    keep |= FORGE_KEEP_AKI;
  if ((in->options & OPT_KEEP_ISSUER) != 0)
    keep |= FORGE_KEEP_ISSUER;
  if ((in->options & OPT_KEEP_SIGNATURE) != 0)
    keep |= FORGE_KEEP_SIGNATURE;
  return keep;
}

static void run_pem(struct input *in, struct question *a) {
  a->chain.data = (char *)calloc(1, in->size + 1);
  MUST(a->chain.data != NULL);
  memcpy(a->chain.data, in->data, in->size);
  about(a, NULL);
  question_put(a);
}

static void run_leaf(struct input *in, struct question *a) {
  const struct forge *f = forge_get();
  X509 *leaf = next_cert(in);
  if (leaf != NULL &&
      forge_sign(leaf, f->root, f->keys[KEY_ROOT], keeps(in))) {
    forge_pem(&a->chain, leaf);
    about(a, leaf);
    question_put(a);
  }
  X509_free(leaf);
}

/* Two: the upper one gets a key of ours. */
static void run_chain(struct input *in, struct question *a) {
  const struct forge *f = forge_get();
  X509 *upper = next_cert(in), *leaf = next_cert(in), *root = NULL;
  bool anchor = in->mode == MODE_ANCHOR;
  const X509 *above = anchor ? upper : f->root;
  enum forge_key key = anchor ? KEY_SPARE : KEY_ROOT;
  if (leaf != NULL && X509_set_pubkey(upper, f->keys[KEY_SPARE]) == 1 &&
      forge_sign(upper, above, f->keys[key],
                 anchor                         ? FORGE_KEEP_ISSUER
                 : (in->variant & ADD_AKI) != 0 ? FORGE_ADD_AKI
                                                : 0) &&
      forge_sign(leaf, upper, f->keys[KEY_SPARE], keeps(in))) {
    forge_pem(&a->chain, leaf);
    if (!anchor)
      forge_pem(&a->chain, upper);
    about(a, leaf);
    if (anchor)
      a->anchor = root = X509_dup(upper); /* as it is read */
    if (!anchor || root != NULL)
      question_put(a);
  }
  X509_free(root);
  X509_free(leaf);
  X509_free(upper);
}

static void our_chain(struct question *a, const X509 *leaf) {
  forge_pem(&a->chain, leaf);
  forge_pem(&a->chain, forge_get()->middle);
  about(a, leaf);
}

static void run_ocsp(struct input *in, struct question *a) {
  our_chain(a, forge_get()->leaf);
  a->ocsp = (uint8_t *)in->data;
  a->ocsp_size = in->size;
  a->stapling = true;
  question_put(a);
}

/* The response that is next, about a leaf of our intermediate. */
static bool answer_about(struct input *in, struct question *a,
                         const X509 *leaf) {
  const struct forge *f = forge_get();
  OCSP_BASICRESP *basic = next_answer(in);
  OCSP_RESPONSE *answer = NULL;
  const X509 *signer = f->middle;
  X509 *along = NULL, *follower = NULL;
  EVP_PKEY *key = f->keys[KEY_MIDDLE];
  bool ok = basic != NULL;
  int n = 0;
  if (ok && (in->variant & BY_FOLLOWER) != 0) {
    follower = next_cert(in);
    ok = follower != NULL &&
         X509_set_pubkey(follower, f->keys[KEY_DELEGATE]) == 1 &&
         forge_sign(follower, f->middle, f->keys[KEY_MIDDLE], 0);
    signer = along = follower;
    key = f->keys[KEY_DELEGATE];
  } else if ((in->variant & BY_DELEGATE) != 0) {
    signer = along = f->delegate;
    key = f->keys[KEY_DELEGATE];
  }
  if (ok && (in->variant & ABOUT_LEAF) != 0 && OCSP_resp_count(basic) > 0)
    forge_about(basic, (int)(in->signers[0] % OCSP_resp_count(basic)), leaf,
                f->middle);
  if (ok && (in->options & OPT_KEEP_SIGNATURE) == 0)
    ok = forge_sign_ocsp(basic, signer, key,
                         (in->variant & NOT_ALONG) != 0 ? NULL : along);
  if (ok)
    answer = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
  if (answer != NULL)
    n = i2d_OCSP_RESPONSE(answer, &a->ocsp);
  a->ocsp_size = n > 0 ? (size_t)n : 0;
  OCSP_RESPONSE_free(answer);
  OCSP_BASICRESP_free(basic);
  X509_free(follower);
  ERR_clear_error();
  return n > 0;
}

static void run_answer(struct input *in, struct question *a) {
  const struct forge *f = forge_get();
  X509 *own = in->mode == MODE_STAPLED ? next_cert(in) : NULL;
  X509 *leaf = in->mode == MODE_STAPLED ? own : f->leaf;
  if (leaf != NULL &&
      (own == NULL ||
       forge_sign(own, f->middle, f->keys[KEY_MIDDLE], 0))) {
    our_chain(a, leaf);
    a->stapling = true;
    if (answer_about(in, a, leaf) || in->mode == MODE_STAPLED)
      question_put(a);
  }
  OPENSSL_free(a->ocsp);
  X509_free(own);
}

static void run_crl(struct input *in, struct question *a) {
  const struct forge *f = forge_get();
  X509 *own = in->mode == MODE_REVOKED ? next_cert(in) : NULL;
  X509 *leaf = in->mode == MODE_REVOKED ? own : f->leaf;
  const unsigned char *p = in->data;
  X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)in->size), *own_crl = NULL;
  if (crl != NULL && leaf != NULL &&
      (own == NULL || forge_sign(own, f->middle, f->keys[KEY_MIDDLE], 0)) &&
      forge_sign_crl(crl, f->middle, f->keys[KEY_MIDDLE], keeps(in))) {
    our_chain(a, leaf);
    forge_pem_crl(&a->crl, crl);
    own_crl = X509_CRL_dup(crl); /* as it is read */
    a->list = own_crl;
    question_put(a);
  }
  ERR_clear_error();
  X509_CRL_free(own_crl);
  X509_CRL_free(crl);
  X509_free(own);
}

/* Who signs the i-th: 0 is the root; a number beyond the last leaves it as it
** is. */
static unsigned signer_of(const struct input *in, int i) {
  return (unsigned)in->signers[i / 2 % 4] >> (i % 2 * 4) & 15;
}

static void sign_each_other(const struct input *in, X509 **all, int n) {
  const struct forge *f = forge_get();
  unsigned keys = 1 + in->variant % 4;
  int i;
  for (i = 1; i < n; i++)
    (void)X509_set_pubkey(all[i], f->keys[2 + (unsigned)i % keys]);
  for (i = 0; i < n; i++) {
    unsigned by = signer_of(in, i);
    if (by == 0)
      (void)forge_sign(all[i], f->root, f->keys[KEY_ROOT], keeps(in));
    else if (by <= (unsigned)n)
      (void)forge_sign(all[i], all[by - 1], f->keys[2 + (by - 1) % keys],
                       keeps(in));
  }
}

static void run_paths(struct input *in, struct question *a) {
  X509 *all[CERTS_MAX];
  int i, n = 0;
  while (n < CERTS_MAX && (all[n] = next_cert(in)) != NULL)
    n++;
  if (n > 0) {
    sign_each_other(in, all, n);
    for (i = 0; i < n; i++)
      forge_pem(&a->chain, all[i]);
    about(a, all[0]);
    question_put(a);
  }
  for (i = 0; i < n; i++)
    X509_free(all[i]);
}

static void run(struct input *in, struct question *a) {
  switch (in->mode) {
  case MODE_PEM:
    run_pem(in, a);
    break;
  case MODE_LEAF:
    run_leaf(in, a);
    break;
  case MODE_CHAIN:
  case MODE_ANCHOR:
    run_chain(in, a);
    break;
  case MODE_OCSP:
    run_ocsp(in, a);
    break;
  case MODE_ANSWER:
  case MODE_STAPLED:
    run_answer(in, a);
    break;
  case MODE_CRL:
  case MODE_REVOKED:
    run_crl(in, a);
    break;
  case MODE_PATHS:
    run_paths(in, a);
    break;
  default:
    break;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in;
  struct question a;
  if (size < HEAD)
    return 0;
  memset(&a, 0, sizeof a);
  in.data = data + HEAD;
  in.size = size - HEAD;
  in.mode = data[0] % MODE_COUNT;
  in.options = data[1];
  in.name = data[2] & 15;
  in.time = data[2] >> 4;
  in.variant = data[3];
  memcpy(in.signers, data + 4, sizeof in.signers);
  a.in = &in;
  run(&in, &a);
  free(a.chain.data);
  free(a.crl.data);
  return 0;
}
