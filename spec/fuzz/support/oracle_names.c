/* RFC 5280, 4.2.1.10, once more and in the plainest way. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "support/broken.h"
#include "support/oracle.h"

struct bytes {
  const unsigned char *s;
  size_t n;
};

static struct bytes bytes_of(const ASN1_STRING *s) {
  struct bytes b;
  b.s = ASN1_STRING_get0_data(s);
  b.n = (size_t)ASN1_STRING_length(s);
  return b;
}

static bool is_same(const unsigned char *a, const unsigned char *b, size_t n) {
  static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  size_t i;
  for (i = 0; i < n; i++) {
    unsigned char x = a[i], y = b[i];
    if (x != 0 && strchr(upper, x) != NULL)
      x = (unsigned char)(x + 32);
    if (y != 0 && strchr(upper, y) != NULL)
      y = (unsigned char)(y + 32);
    if (x != y)
      return false;
  }
  return true;
}

/* A host, or with a star every name that it stands for. A base with a leading
** dot is what OpenSSL takes it for: below. */
static bool host_within(struct bytes host, struct bytes base) {
  size_t at;
  if (base.n == 0)
    return true;
  if (host.n < base.n)
    return false;
  at = host.n - base.n;
  if (!is_same(host.s + at, base.s, base.n))
    return false;
  return at == 0 ? base.s[0] != '.'
                 : base.s[0] == '.' || host.s[at - 1] == '.';
}

/* "*.b" is the name "a.b" as well. */
static bool star_reaches(struct bytes host, struct bytes base) {
  const unsigned char *dot =
    base.n > 0 ? (const unsigned char *)memchr(base.s, '.', base.n) : NULL;
  size_t rest = dot != NULL ? base.n - (size_t)(dot - base.s) : 0;
  return host.n > 2 && host.s[0] == '*' && dot != base.s &&
         rest == host.n - 1 && is_same(host.s + 1, dot, rest);
}

static bool address_within(struct bytes ip, struct bytes range) {
  size_t i;
  if (range.n != 2 * ip.n)
    return false;
  for (i = 0; i < ip.n; i++)
    if (((ip.s[i] ^ range.s[i]) & range.s[ip.n + i]) != 0)
      return false;
  return true;
}

static bool within(const GENERAL_NAME *name, const GENERAL_NAME *base) {
  if (name->type == GEN_DNS)
    return host_within(bytes_of(name->d.dNSName), bytes_of(base->d.dNSName));
  return address_within(bytes_of(name->d.iPAddress),
                        bytes_of(base->d.iPAddress));
}

static void check_name(const GENERAL_NAME *name, const NAME_CONSTRAINTS *nc) {
  bool limited = false, permitted = false;
  int i;
  if (name->type != GEN_DNS && name->type != GEN_IPADD)
    return;
  for (i = 0; i < sk_GENERAL_SUBTREE_num(nc->permittedSubtrees); i++) {
    const GENERAL_NAME *base =
      sk_GENERAL_SUBTREE_value(nc->permittedSubtrees, i)->base;
    if (base->type == name->type) {
      limited = true;
      permitted = permitted || within(name, base);
    }
  }
  MUST(!limited || permitted);
  for (i = 0; i < sk_GENERAL_SUBTREE_num(nc->excludedSubtrees); i++) {
    const GENERAL_NAME *base =
      sk_GENERAL_SUBTREE_value(nc->excludedSubtrees, i)->base;
    if (base->type != name->type)
      continue;
    MUST(!within(name, base));
    MUST(base->type != GEN_DNS ||
         !star_reaches(bytes_of(name->d.dNSName), bytes_of(base->d.dNSName)));
  }
}

static void check_under(const X509 *x, const X509 *above) {
  GENERAL_NAMES *names =
    (GENERAL_NAMES *)X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
  NAME_CONSTRAINTS *nc = (NAME_CONSTRAINTS *)X509_get_ext_d2i(
    above, NID_name_constraints, NULL, NULL);
  int i;
  /* One that cannot be read constrains nothing, and must not be accepted. */
  MUST(nc != NULL || X509_get_ext_by_NID(above, NID_name_constraints, -1) < 0);
  MUST(names != NULL || X509_get_ext_by_NID(x, NID_subject_alt_name, -1) < 0);
  for (i = 0; nc != NULL && i < sk_GENERAL_NAME_num(names); i++)
    check_name(sk_GENERAL_NAME_value(names, i), nc);
  NAME_CONSTRAINTS_free(nc);
  GENERAL_NAMES_free(names);
}

void oracle_constraints(const STACK_OF(X509) *chain) {
  int i, k, n = sk_X509_num(chain);
  for (i = 0; i < n; i++) {
    const X509 *x = sk_X509_value(chain, i);
    if (i > 0 && X509_NAME_cmp(X509_get_subject_name(x),
                               X509_get_issuer_name(x)) == 0)
      continue;
    for (k = i + 1; k < n; k++)
      check_under(x, sk_X509_value(chain, k));
  }
  ERR_clear_error();
}
