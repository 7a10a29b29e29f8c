#include "tls/staple.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>

#include "base/mem.h"
#include "tls/file.h"
#include "tls/text.h"

static struct base_error *bad(const char *path, const char *why) {
  char shown[TLS_TEXT_PATH];
  tls_text_clean(shown, sizeof shown, path, strlen(path), false);
  return base_error_new(BASE_KIND_TLS, "bad_ocsp", "cannot staple \"%s\": %s",
                        shown, why);
}

/* False if it says nothing about the certificate of that serial number. */
static bool find(struct tls_staple *s, OCSP_BASICRESP *basic,
                 const ASN1_INTEGER *serial) {
  bool found = false;
  int i;
  for (i = 0; i < OCSP_resp_count(basic); i++) {
    OCSP_SINGLERESP *one = OCSP_resp_get0(basic, i);
    ASN1_GENERALIZEDTIME *next = NULL;
    ASN1_INTEGER *number = NULL;
    (void)OCSP_id_get0_info(NULL, NULL, NULL, &number,
                            (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(one));
    if (number == NULL || ASN1_INTEGER_cmp(number, serial) != 0)
      continue;
    found = true;
    (void)OCSP_single_get0_status(one, NULL, NULL, NULL, &next);
    if (next != NULL && !(s->until <= tls_text_epoch(next)))
      s->until = tls_text_epoch(next);
  }
  return found;
}

/* NULL, or what is wrong with it. */
static const char *judge(struct tls_staple *s, const X509 *leaf) {
  const unsigned char *p = s->der;
  OCSP_RESPONSE *answer = d2i_OCSP_RESPONSE(NULL, &p, (long)s->size);
  OCSP_BASICRESP *basic = NULL;
  const char *why = NULL;
  if (answer == NULL || p != s->der + s->size)
    why = "it is no OCSP response";
  else if (OCSP_response_status(answer) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
    why = "the responder refused to answer (its status is not successful)";
  else if ((basic = OCSP_response_get1_basic(answer)) == NULL)
    why = "it is no basic OCSP response";
  else if (!find(s, basic, X509_get0_serialNumber(leaf)))
    why = "it is not about the certificate in 'cert'";
  OCSP_BASICRESP_free(basic);
  OCSP_RESPONSE_free(answer);
  return why;
}

static unsigned char *copy(const void *data, size_t n) {
  return (unsigned char *)base_strndup((const char *)data, n);
}

/* The bytes within PEM, or the file's own. False without memory. */
static bool unwrap(struct tls_staple *s, const char *text, size_t n) {
  char *name = NULL, *header = NULL;
  unsigned char *data = NULL;
  long size = 0;
  BIO *b = BIO_new_mem_buf(text, (int)n); /* files are of 16 MiB at most */
  if (b == NULL)
    return false;
  if (PEM_read_bio(b, &name, &header, &data, &size) == 1) {
    s->der = copy(data, (size_t)size);
    s->size = (size_t)size;
  } else {
    s->der = copy(text, n);
    s->size = n;
  }
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_free(data);
  BIO_free(b);
  return s->der != NULL;
}

struct base_error *tls_staple_init(struct tls_staple *out, const char *path,
                                   const X509 *leaf) {
  struct base_error *err;
  const char *why;
  char *text;
  size_t n;
  bool ok;
  memset(out, 0, sizeof *out);
  out->until = (double)INFINITY;
  err = tls_file_read(path, &text, &n);
  if (err != NULL)
    return err;
  ok = unwrap(out, text, n);
  tls_file_free(text, n);
  ERR_clear_error();
  if (!ok)
    return base_error_from(BASE_ERR_MEMORY);
  why = judge(out, leaf);
  if (ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE)
    err = base_error_from(BASE_ERR_MEMORY);
  else if (why != NULL)
    err = bad(path, why);
  ERR_clear_error();
  return err;
}

void tls_staple_deinit(struct tls_staple *s) {
  base_free(s->der);
  s->der = NULL;
  s->size = 0;
}

/* RFC 6960, 4.2.2.1: after nextUpdate there is something newer. */
bool tls_staple_is_fresh(const struct tls_staple *s, double now) {
  return s->der != NULL && now <= s->until;
}
