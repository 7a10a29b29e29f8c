#include "tls/crl.h"

#include <math.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls/text.h"

/* RFC 5280, 5.2.3: every list has a number. Lists of version 1, which
** openssl ca makes unless it is told otherwise, have no extensions at all. */
static const char *number_flaw(X509_CRL *crl) {
  int at = X509_CRL_get_ext_by_NID(crl, NID_crl_number, -1);
  if (at < 0)
    return X509_CRL_get_version(crl) == 0
             ? NULL
             : "has no number (strict; RFC 5280, 5.2.3)";
  if (X509_EXTENSION_get_critical(X509_CRL_get_ext(crl, at)) == 1)
    return "has a critical number (strict; RFC 5280, 5.2.3)";
  return NULL;
}

const char *tls_crl_flaw(X509_CRL *crl, bool strict) {
  if (X509_CRL_get0_nextUpdate(crl) == NULL)
    return "does not say when the next one comes (RFC 5280, 5.1.2.5), so "
           "that nobody can tell whether it is out of date";
  return strict ? number_flaw(crl) : NULL;
}

double tls_crls_until(const STACK_OF(X509_CRL) *crls) {
  double until = (double)INFINITY;
  int i;
  for (i = 0; i < sk_X509_CRL_num(crls); i++) {
    double last = /* at nextUpdate OpenSSL takes it for out of date */
      tls_text_epoch(X509_CRL_get0_nextUpdate(sk_X509_CRL_value(crls, i))) - 1;
    if (!(until <= last)) /* one that cannot be read is none */
      until = isnan(last) ? 0 : last;
  }
  return until;
}
