#include "tls/profile.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

enum {
  SERIAL_BYTES = 20,
  LABEL_BYTES = 63,
  NAME_BYTES = 253,
  EXTENSIONS_MAX = 256 /* each is compared with each; twenty are many */
};

/* What constrains the names below, gathered from the anchor down. */
struct constraints {
  const STACK_OF(X509) *chain;
  int last; /* the anchor's depth */
};

/* ---- keys --------------------------------------------------------------- */

/* RFC 8446, 4.2.3 and RFC 8422: what TLS has. How strong they are, OpenSSL's
** level of security has looked at. */
static bool is_key_type_known(const X509 *x) {
  const EVP_PKEY *key = X509_get0_pubkey(x);
  if (key == NULL)
    return false;
  switch (EVP_PKEY_get_base_id(key)) {
  case EVP_PKEY_RSA:
  case EVP_PKEY_RSA_PSS:
  case EVP_PKEY_EC:
  case EVP_PKEY_ED25519:
  case EVP_PKEY_ED448:
    return true;
  default:
    return false;
  }
}

/* By its basic constraints, whatever its key may be used for. */
static bool is_ca(const X509 *x) {
  return (X509_get_extension_flags((X509 *)x) & EXFLAG_CA) != 0 ||
         X509_check_ca((X509 *)x) != 0;
}

/* ---- extensions --------------------------------------------------------- */

enum tls_flaw tls_profile_repeats(const X509 *x) {
  int i, k, n = X509_get_ext_count(x);
  if (n > EXTENSIONS_MAX)
    return TLS_FLAW_TOO_MANY_EXTENSIONS;
  for (i = 1; i < n; i++) {
    const ASN1_OBJECT *o = X509_EXTENSION_get_object(X509_get_ext(x, i));
    for (k = 0; k < i; k++)
      if (OBJ_cmp(o, X509_EXTENSION_get_object(X509_get_ext(x, k))) == 0)
        return TLS_FLAW_DUPLICATE_EXTENSION;
  }
  return TLS_FLAW_NONE;
}

/* The extension as a structure, which the caller frees; NULL if there is none.
** False if it cannot be read, or memory is short. */
static bool get(const X509 *x, int nid, void **out) {
  int critical = -1;
  *out = X509_get_ext_d2i(x, nid, &critical, NULL);
  return *out != NULL || critical == -1;
}

static bool is_there(const X509 *x, int nid, bool *critical) {
  int at = X509_get_ext_by_NID(x, nid, -1);
  *critical =
    at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(x, at)) == 1;
  return at >= 0;
}

static enum tls_flaw access_flaw(const X509 *x, int nid) {
  bool critical;
  void *info;
  if (is_there(x, nid, &critical) && critical)
    return TLS_FLAW_ACCESS_CRITICAL;
  if (!get(x, nid, &info))
    return TLS_FLAW_ACCESS_MALFORMED;
  AUTHORITY_INFO_ACCESS_free((AUTHORITY_INFO_ACCESS *)info);
  return TLS_FLAW_NONE;
}

/* Rules of form (strict), for all but the anchor. */
static enum tls_flaw form_flaw(const X509 *x, bool leaf) {
  bool critical;
  enum tls_flaw flaw;
  /* OpenSSL asks for 3 where there are extensions, and takes 4 as well */
  if (X509_get_version(x) < X509_VERSION_1 ||
      X509_get_version(x) > X509_VERSION_3)
    return TLS_FLAW_VERSION;
  if (ASN1_STRING_length(X509_get0_serialNumber(x)) > SERIAL_BYTES)
    return TLS_FLAW_SERIAL_LENGTH;
  if (leaf && is_there(x, NID_name_constraints, &critical))
    return TLS_FLAW_NC_OF_LEAF;
  if (is_there(x, NID_policy_constraints, &critical) && !critical)
    return TLS_FLAW_POLICY_NOT_CRITICAL;
  flaw = access_flaw(x, NID_info_access);
  return flaw != TLS_FLAW_NONE ? flaw : access_flaw(x, NID_sinfo_access);
}

/* ---- names -------------------------------------------------------------- */

static bool is_label_char(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* RFC 5280, 4.2.1.6 (RFC 1034, 3.5), with the underscore that is in use;
** 'star': a whole first label may be "*". */
static bool is_host(const unsigned char *s, size_t n, bool star) {
  size_t i, label = 0;
  if (n == 0 || n > NAME_BYTES)
    return false;
  if (star && n > 2 && s[0] == '*' && s[1] == '.') {
    s += 2;
    n -= 2;
  }
  for (i = 0; i < n; i++) {
    if (s[i] == '.' && label > 0) {
      label = 0;
    } else if (is_label_char(s[i]) && label < LABEL_BYTES) {
      label++;
    } else {
      return false;
    }
  }
  return label > 0;
}

static int lower(int c) {
  return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* Is the host 's' the domain 'of', or below it? */
static bool is_below(const unsigned char *s, size_t n, const unsigned char *of,
                     size_t size) {
  size_t i;
  if (n < size || (n > size && s[n - size - 1] != '.'))
    return false;
  for (i = 0; i < size; i++)
    if (lower(s[n - size + i]) != lower(of[i]))
      return false;
  return true;
}

/* RFC 5280, 4.2.1.10: an address and its mask, whose ones come first. */
static bool is_range(const ASN1_OCTET_STRING *ip) {
  const unsigned char *p = ASN1_STRING_get0_data(ip);
  int i, n = ASN1_STRING_length(ip);
  bool ones = true;
  if (n != 8 && n != 32)
    return false;
  for (i = n / 2; i < n; i++) {
    unsigned inverse = 0xffu & ~(unsigned)p[i];
    if ((!ones && p[i] != 0) || (inverse & (inverse + 1)) != 0)
      return false;
    ones = p[i] == 0xff;
  }
  return true;
}

/* RFC 5280 knows a leading dot for URIs alone. For hosts it is in use, and
** OpenSSL takes it for "below, and not itself": not where strict is on. */
static bool is_subtree(const GENERAL_SUBTREE *tree, bool strict) {
  const GENERAL_NAME *g = tree->base;
  const unsigned char *s;
  int n;
  if (g->type == GEN_IPADD)
    return is_range(g->d.iPAddress);
  if (g->type != GEN_DNS)
    return true;
  s = ASN1_STRING_get0_data(g->d.dNSName);
  n = ASN1_STRING_length(g->d.dNSName);
  if (!strict && n > 1 && s[0] == '.')
    return is_host(s + 1, (size_t)n - 1, false);
  return n == 0 || is_host(s, (size_t)n, false);
}

static bool are_subtrees(const STACK_OF(GENERAL_SUBTREE) *all, bool strict) {
  int i;
  for (i = 0; i < sk_GENERAL_SUBTREE_num(all); i++)
    if (!is_subtree(sk_GENERAL_SUBTREE_value(all, i), strict))
      return false;
  return true;
}

/* An issuer's own constraint must be one, the anchor's too: it is a wall. */
static enum tls_flaw constraint_flaw(const X509 *x, bool strict) {
  bool ok;
  void *got;
  NAME_CONSTRAINTS *nc;
  if (!get(x, NID_name_constraints, &got))
    return TLS_FLAW_NC_SYNTAX;
  nc = (NAME_CONSTRAINTS *)got;
  if (nc == NULL)
    return TLS_FLAW_NONE;
  ok = (sk_GENERAL_SUBTREE_num(nc->permittedSubtrees) > 0 ||
        sk_GENERAL_SUBTREE_num(nc->excludedSubtrees) > 0) &&
       are_subtrees(nc->permittedSubtrees, strict) &&
       are_subtrees(nc->excludedSubtrees, strict);
  NAME_CONSTRAINTS_free(nc);
  return ok ? TLS_FLAW_NONE : TLS_FLAW_NC_SYNTAX;
}

/* RFC 5280, 4.2.1.6: local-part@host, without quotes around either. */
static bool is_mailbox(const unsigned char *s, size_t n) {
  const unsigned char *at =
    n > 0 ? (const unsigned char *)memchr(s, '@', n) : NULL;
  size_t local = at != NULL ? (size_t)(at - s) : 0;
  return local > 0 && is_host(at + 1, n - local - 1, false);
}

/* What one subtree says of one host name or mailbox. */
static enum tls_flaw against(const GENERAL_SUBTREE *tree, bool excluded,
                             int type, const unsigned char *s, size_t n) {
  const ASN1_IA5STRING *base = tree->base->d.dNSName;
  const unsigned char *of;
  size_t size;
  if (tree->base->type != type)
    return TLS_FLAW_NONE;
  if (type == GEN_EMAIL)
    return is_mailbox(s, n) ? TLS_FLAW_NONE : TLS_FLAW_NC_MAIL;
  if (!is_host(s, n, true))
    return TLS_FLAW_NC_DNS;
  of = ASN1_STRING_get0_data(base);
  size = (size_t)ASN1_STRING_length(base);
  /* "*.b" stands for every "a.b": an excluded "x.a.b" is not among these */
  if (excluded && s[0] == '*' && is_below(of, size, s + 2, n - 2) &&
      size > n - 2 && memchr(of, '.', size - (n - 2) - 1) == NULL)
    return TLS_FLAW_NC_WILDCARD;
  return TLS_FLAW_NONE;
}

static enum tls_flaw against_all(const STACK_OF(GENERAL_SUBTREE) *all,
                                 bool excluded, int type,
                                 const unsigned char *s, size_t n) {
  enum tls_flaw flaw = TLS_FLAW_NONE;
  int i;
  for (i = 0; flaw == TLS_FLAW_NONE && i < sk_GENERAL_SUBTREE_num(all); i++)
    flaw = against(sk_GENERAL_SUBTREE_value(all, i), excluded, type, s, n);
  return flaw;
}

/* The names of one certificate under the constraints of one above it. */
static enum tls_flaw names_under(const GENERAL_NAMES *names,
                                 const NAME_CONSTRAINTS *nc) {
  enum tls_flaw flaw = TLS_FLAW_NONE;
  int i;
  for (i = 0; flaw == TLS_FLAW_NONE && i < sk_GENERAL_NAME_num(names); i++) {
    const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
    const unsigned char *s;
    size_t n;
    if (g->type != GEN_DNS && g->type != GEN_EMAIL)
      continue;
    s = ASN1_STRING_get0_data(g->d.ia5);
    n = (size_t)ASN1_STRING_length(g->d.ia5);
    flaw = against_all(nc->excludedSubtrees, true, g->type, s, n);
    if (flaw == TLS_FLAW_NONE)
      flaw = against_all(nc->permittedSubtrees, false, g->type, s, n);
  }
  return flaw;
}

static bool is_self_issued(const X509 *x) {
  return X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) == 0;
}

/* RFC 5280, 6.1.3 b: what issues itself is not constrained, but for a leaf. */
static enum tls_flaw constrained_flaw(const struct constraints *c,
                                      const GENERAL_NAMES *names, int depth) {
  enum tls_flaw flaw = TLS_FLAW_NONE;
  int i;
  if (depth > 0 && is_self_issued(sk_X509_value(c->chain, depth)))
    return TLS_FLAW_NONE;
  for (i = depth + 1; flaw == TLS_FLAW_NONE && i <= c->last; i++) {
    void *nc;
    if (!get(sk_X509_value(c->chain, i), NID_name_constraints, &nc))
      return TLS_FLAW_NC_SYNTAX;
    if (nc != NULL)
      flaw = names_under(names, (NAME_CONSTRAINTS *)nc);
    NAME_CONSTRAINTS_free((NAME_CONSTRAINTS *)nc);
  }
  return flaw;
}

static enum tls_flaw address_flaw(const GENERAL_NAMES *names) {
  int i;
  for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
    const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
    int n = g->type == GEN_IPADD ? ASN1_STRING_length(g->d.iPAddress) : 4;
    if (n != 4 && n != 16)
      return TLS_FLAW_SAN_ADDRESS;
  }
  return TLS_FLAW_NONE;
}

static enum tls_flaw name_flaw(const struct constraints *c, int depth) {
  enum tls_flaw flaw;
  GENERAL_NAMES *names;
  void *got;
  if (!get(sk_X509_value(c->chain, depth), NID_subject_alt_name, &got))
    return TLS_FLAW_SAN_SYNTAX;
  names = (GENERAL_NAMES *)got;
  flaw = address_flaw(names);
  if (flaw == TLS_FLAW_NONE && names != NULL)
    flaw = constrained_flaw(c, names, depth);
  GENERAL_NAMES_free(names);
  return flaw;
}

/* ---- all of it ---------------------------------------------------------- */

/* A leaf that is the anchor as well was put there by its name: what tools make
** for one machine is often a CA's by form. */
static enum tls_flaw flaw_at(const struct tls_rules *rules,
                             const struct constraints *c, int depth,
                             bool anchor) {
  const X509 *x = sk_X509_value(c->chain, depth);
  enum tls_flaw flaw = TLS_FLAW_NONE;
  if (!is_key_type_known(x))
    return TLS_FLAW_KEY_TYPE;
  if (!anchor)
    flaw = tls_profile_repeats(x);
  if (flaw != TLS_FLAW_NONE)
    return flaw;
  if (!anchor && depth == 0 && is_ca(x))
    return TLS_FLAW_CA_AS_LEAF;
  if (!anchor && rules->strict)
    flaw = form_flaw(x, depth == 0);
  if (flaw == TLS_FLAW_NONE && depth > 0)
    flaw = constraint_flaw(x, rules->strict);
  if (flaw == TLS_FLAW_NONE && !anchor)
    flaw = name_flaw(c, depth);
  return flaw;
}

bool tls_profile_check(const struct tls_rules *rules,
                       const STACK_OF(X509) *chain, int untrusted,
                       struct tls_verdict *v) {
  struct constraints c;
  int i;
  c.chain = chain;
  c.last = sk_X509_num(chain) - 1;
  ERR_clear_error();
  for (i = c.last; i >= 0 && v->flaw == TLS_FLAW_NONE; i--) {
    v->flaw = flaw_at(rules, &c, i, i == c.last && i >= untrusted);
    v->cert = sk_X509_value(chain, i);
    v->depth = i;
  }
  tls_verdict_settle(v);
  return v->code == X509_V_OK;
}
