/*
** Why a certificate was refused, as an error for people: kind certificate
** and the fields that docs/reference.md lists. Private to this floor.
*/
#ifndef TLS_VERDICT_H
#define TLS_VERDICT_H

#include <stdbool.h>

#include <openssl/x509.h>

#include "base/err.h"
#include "tls/name.h"

/*
** What profile.c and ocsp.c find: a name, the code, the text of the sentence
** "certificate of "x" <text>", and the X509_V_ERR that is nearest (its alert
** is the one that the peer is told).
*/
#define TLS_FLAW_MAP(X) \
  X(NONE, "", "", X509_V_OK) \
  X(TOO_MANY_NAMES, "too_many_names", "has more names under more constraints " \
    "than are compared", X509_V_ERR_UNSPECIFIED) \
  X(KEY_TYPE, "weak_key", \
    "has a key of a type that is not used any more, or not known", \
    X509_V_ERR_EE_KEY_TOO_SMALL) \
  X(DUPLICATE_EXTENSION, "duplicate_extension", \
    "has an extension twice (RFC 5280, 4.2)", X509_V_ERR_INVALID_EXTENSION) \
  X(TOO_MANY_EXTENSIONS, "invalid_extension", \
    "has more extensions than are compared with each other", \
    X509_V_ERR_INVALID_EXTENSION) \
  X(CA_AS_LEAF, "ca_as_leaf", "is a CA's, and no " \
    "CA's certificate is taken for a server's or a client's", \
    X509_V_ERR_INVALID_PURPOSE) \
  X(SAN_ADDRESS, "malformed_name", \
    "has an address that is neither 4 nor 16 bytes long among its names", \
    X509_V_ERR_INVALID_EXTENSION) \
  X(SAN_SYNTAX, "malformed_name", "has a malformed list of names", \
    X509_V_ERR_INVALID_EXTENSION) \
  X(NC_DNS, "name_constraint", "has a malformed host name among its names, " \
    "and its issuer has a constraint of such names", \
    X509_V_ERR_UNSUPPORTED_NAME_SYNTAX) \
  X(NC_MAIL, "name_constraint", "has a malformed mail address among its " \
    "names, and its issuer has a constraint of such addresses", \
    X509_V_ERR_UNSUPPORTED_NAME_SYNTAX) \
  X(NC_WILDCARD, "name_constraint", \
    "has a wildcard that reaches names which its issuer is forbidden to give", \
    X509_V_ERR_EXCLUDED_VIOLATION) \
  X(NC_SYNTAX, "name_constraint", "has a malformed constraint of names", \
    X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX) \
  X(NC_OF_LEAF, "invalid_extension", \
    "is not a CA's and has a constraint of names (RFC 5280, 4.2.1.10)", \
    X509_V_ERR_INVALID_EXTENSION) \
  X(POLICY_NOT_CRITICAL, "invalid_policy", \
    "has policy constraints that are not critical (RFC 5280, 4.2.1.11)", \
    X509_V_ERR_INVALID_POLICY_EXTENSION) \
  X(ACCESS_CRITICAL, "invalid_extension", \
    "has critical access information (RFC 5280, 4.2.2.1)", \
    X509_V_ERR_INVALID_EXTENSION) \
  X(ACCESS_MALFORMED, "invalid_extension", \
    "has malformed access information (RFC 5280, 4.2.2.1)", \
    X509_V_ERR_INVALID_EXTENSION) \
  X(OCSP_NEEDED, "ocsp_needed", \
    "came without a stapled OCSP answer, which is required here", \
    X509_V_ERR_OCSP_VERIFY_NEEDED) \
  X(MUST_STAPLE, "ocsp_needed", "says that its server staples an OCSP " \
    "answer (RFC 7633), and came without one", X509_V_ERR_OCSP_VERIFY_NEEDED) \
  X(OCSP_MALFORMED, "ocsp_failed", "came with a malformed OCSP answer", \
    X509_V_ERR_OCSP_VERIFY_FAILED) \
  X(OCSP_REFUSED, "ocsp_failed", "came with an OCSP answer that says nothing " \
    "(its status is not successful)", X509_V_ERR_OCSP_VERIFY_FAILED) \
  X(OCSP_OTHER, "ocsp_failed", "came with an OCSP answer about other " \
    "certificates", X509_V_ERR_OCSP_VERIFY_FAILED) \
  X(OCSP_SIGNER, "ocsp_failed", "came with an OCSP answer by somebody who " \
    "may not speak for its issuer (RFC 6960, 4.2.2.2)", \
    X509_V_ERR_OCSP_VERIFY_FAILED) \
  X(OCSP_SIGNATURE, "ocsp_failed", \
    "came with an OCSP answer whose signature is wrong", \
    X509_V_ERR_OCSP_VERIFY_FAILED) \
  X(OCSP_WEAK, "ocsp_failed", "came with an OCSP answer that is signed with " \
    "a hash that can be forged", X509_V_ERR_OCSP_VERIFY_FAILED) \
  X(OCSP_CRITICAL, "ocsp_failed", "came with an OCSP answer that has a " \
    "critical extension which is not understood", \
    X509_V_ERR_OCSP_VERIFY_FAILED) \
  X(OCSP_OLD, "ocsp_expired", "came with an OCSP answer that is out of date", \
    X509_V_ERR_OCSP_VERIFY_FAILED) \
  X(OCSP_EARLY, "ocsp_not_yet_valid", "came with an OCSP answer of the " \
    "future; is the clock of this machine right?", \
    X509_V_ERR_OCSP_VERIFY_FAILED) \
  X(OCSP_UNKNOWN, "ocsp_unknown", "is unknown to its issuer's OCSP " \
    "responder", X509_V_ERR_OCSP_CERT_UNKNOWN) \
  X(OCSP_REVOKED, "revoked", "was revoked by its issuer (says its OCSP " \
    "answer)", X509_V_ERR_CERT_REVOKED) \
  X(VERSION, "invalid_version", \
    "is of a version that there is not (RFC 5280, 4.1.2.1)", \
    X509_V_ERR_INVALID_EXTENSION) \
  X(SERIAL_LENGTH, "invalid_serial", \
    "has a serial number of more than 20 bytes (RFC 5280, 4.1.2.2)", \
    X509_V_ERR_INVALID_EXTENSION)

enum tls_flaw {
#define X(name, code, text, number) TLS_FLAW_##name,
  TLS_FLAW_MAP(X)
#undef X
  TLS_FLAW_COUNT
};

struct tls_verdict {
  enum tls_flaw flaw;      /* ours; TLS_FLAW_NONE: OpenSSL's below */
  int code;                /* X509_V_ERR_... */
  const X509 *cert;        /* the one at fault */
  int depth;               /* 0 is the peer's own */
  bool client;             /* the peer is a client */
  const struct tls_name *wanted; /* or NULL */
  const char *trusted;     /* "the system store, 142 roots" */
  unsigned max_depth;
  double now;              /* epoch seconds */
};

/* A flaw was looked for: 'code' becomes the X509_V_ERR of it, or X509_V_OK. It
** may have been looked for in vain, without memory: then that is it. Clears
** OpenSSL's queue of errors. */
void tls_verdict_settle(struct tls_verdict *v);

/* limit/memory if that was the reason. */
struct base_error *tls_verdict_error(const struct tls_verdict *v);

/* No pin matches the chain, of which the message names the pins. */
struct base_error *tls_verdict_pins(const STACK_OF(X509) *chain,
                                    const struct tls_name *wanted);

/* The user said no to a chain that was accepted. */
struct base_error *tls_verdict_refused(const STACK_OF(X509) *chain,
                                       const struct tls_name *wanted);

/* The code of an X509_V_ERR, "unspecified" if there is none. */
const char *tls_verdict_code(int x509_v_err);

#endif
