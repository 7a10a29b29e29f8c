/*
** All that OpenSSL can say of a chain, with our code and words for it.
** Private to verdict.c.
*/
#ifndef TLS_CODES_H
#define TLS_CODES_H

/* The sentence is: certificate of "x" <text>. NULL: it has its own below. */
#define CODE_MAP(X) \
  X(UNSPECIFIED, "unspecified", "could not be verified") \
  X(UNABLE_TO_GET_ISSUER_CERT, "unknown_issuer", NULL) \
  X(UNABLE_TO_GET_CRL, "no_crl", "has no revocation list to be checked with") \
  X(UNABLE_TO_DECRYPT_CERT_SIGNATURE, "bad_signature", \
    "has a signature that cannot be read") \
  X(UNABLE_TO_DECRYPT_CRL_SIGNATURE, "bad_crl_signature", \
    "has a revocation list whose signature cannot be read") \
  X(UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY, "bad_issuer_key", \
    "has an issuer whose public key cannot be read") \
  X(CERT_SIGNATURE_FAILURE, "bad_signature", \
    "was not signed by its issuer's key: its signature is wrong") \
  X(CRL_SIGNATURE_FAILURE, "bad_crl_signature", \
    "has a revocation list with a wrong signature") \
  X(CERT_NOT_YET_VALID, "not_yet_valid", NULL) \
  X(CERT_HAS_EXPIRED, "expired", NULL) \
  X(CRL_NOT_YET_VALID, "crl_not_yet_valid", \
    "has a revocation list that is not valid yet") \
  X(CRL_HAS_EXPIRED, "crl_expired", "has a revocation list that has expired") \
  X(ERROR_IN_CERT_NOT_BEFORE_FIELD, "bad_time", \
    "has a malformed beginning of its validity") \
  X(ERROR_IN_CERT_NOT_AFTER_FIELD, "bad_time", \
    "has a malformed end of its validity") \
  X(ERROR_IN_CRL_LAST_UPDATE_FIELD, "bad_crl_time", \
    "has a revocation list with a malformed time of issue") \
  X(ERROR_IN_CRL_NEXT_UPDATE_FIELD, "bad_crl_time", \
    "has a revocation list with a malformed time of its successor") \
  X(OUT_OF_MEM, "memory", "could not be verified without memory") \
  X(DEPTH_ZERO_SELF_SIGNED_CERT, "self_signed", NULL) \
  X(SELF_SIGNED_CERT_IN_CHAIN, "unknown_issuer", NULL) \
  X(UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "unknown_issuer", NULL) \
  X(UNABLE_TO_VERIFY_LEAF_SIGNATURE, "unknown_issuer", NULL) \
  X(CERT_CHAIN_TOO_LONG, "chain_too_long", NULL) \
  X(CERT_REVOKED, "revoked", "was revoked by its issuer") \
  X(NO_ISSUER_PUBLIC_KEY, "bad_issuer_key", \
    "has an issuer without a public key") \
  X(PATH_LENGTH_EXCEEDED, "path_length", \
    "has more certificates below it than it allows (path length)") \
  X(INVALID_PURPOSE, "wrong_purpose", NULL) \
  X(CERT_UNTRUSTED, "untrusted", "is not trusted for this purpose") \
  X(CERT_REJECTED, "rejected", "is marked as rejected for this purpose") \
  X(SUBJECT_ISSUER_MISMATCH, "issuer_mismatch", \
    "names an issuer that is not the next in the chain") \
  X(AKID_SKID_MISMATCH, "issuer_mismatch", \
    "names an issuer's key that is not the next in the chain") \
  X(AKID_ISSUER_SERIAL_MISMATCH, "issuer_mismatch", \
    "names an issuer's serial number that is not the next in the chain") \
  X(KEYUSAGE_NO_CERTSIGN, "invalid_ca", \
    "is an issuer's whose key may not sign certificates") \
  X(UNABLE_TO_GET_CRL_ISSUER, "no_crl_issuer", \
    "has a revocation list whose issuer is not known") \
  X(UNHANDLED_CRITICAL_EXTENSION, "critical_extension", \
    "has a critical extension that is not understood") \
  X(KEYUSAGE_NO_CRL_SIGN, "crl_key_usage", \
    "has a revocation list whose issuer may not sign such lists") \
  X(UNHANDLED_CRITICAL_CRL_EXTENSION, "critical_crl_extension", \
    "has a revocation list with a critical extension that is not understood") \
  X(INVALID_NON_CA, "invalid_non_ca", "is not a CA's and has a CA's marks") \
  X(PROXY_PATH_LENGTH_EXCEEDED, "proxy_path_length", \
    "has more proxy certificates below it than it allows") \
  X(KEYUSAGE_NO_DIGITAL_SIGNATURE, "key_usage", \
    "has a key that may not make signatures") \
  X(PROXY_CERTIFICATES_NOT_ALLOWED, "proxy_certificate", \
    "is a proxy certificate, which is not allowed") \
  X(INVALID_EXTENSION, "invalid_extension", \
    "has a malformed or contradictory extension") \
  X(INVALID_POLICY_EXTENSION, "invalid_policy", \
    "has a malformed extension about policies") \
  X(NO_EXPLICIT_POLICY, "no_explicit_policy", \
    "has no policy, and one is required") \
  X(DIFFERENT_CRL_SCOPE, "crl_scope", \
    "has a revocation list with another scope") \
  X(UNSUPPORTED_EXTENSION_FEATURE, "unsupported_extension", \
    "uses a feature of an extension that is not supported") \
  X(UNNESTED_RESOURCE, "unnested_resource", \
    "claims resources that its issuer does not have (RFC 3779)") \
  X(PERMITTED_VIOLATION, "name_constraint", \
    "has a name that its issuer is not permitted to give") \
  X(EXCLUDED_VIOLATION, "name_constraint", \
    "has a name that its issuer is forbidden to give") \
  X(SUBTREE_MINMAX, "name_constraint", \
    "has an issuer with a malformed constraint of names") \
  X(APPLICATION_VERIFICATION, "refused", "was refused by this program ('onverify')") \
  X(UNSUPPORTED_CONSTRAINT_TYPE, "name_constraint", \
    "has an issuer with a constraint of names of an unknown type") \
  X(UNSUPPORTED_CONSTRAINT_SYNTAX, "name_constraint", \
    "has an issuer with a malformed constraint of names") \
  X(UNSUPPORTED_NAME_SYNTAX, "name_constraint", \
    "has a malformed name, and its issuer has a constraint of names") \
  X(CRL_PATH_VALIDATION_ERROR, "crl_path", \
    "has a revocation list whose own chain is not trusted") \
  X(PATH_LOOP, "path_loop", "is in a chain that bites its tail") \
  X(SUITE_B_INVALID_VERSION, "suite_b", "does not obey Suite B (version)") \
  X(SUITE_B_INVALID_ALGORITHM, "suite_b", "does not obey Suite B (key)") \
  X(SUITE_B_INVALID_CURVE, "suite_b", "does not obey Suite B (curve)") \
  X(SUITE_B_INVALID_SIGNATURE_ALGORITHM, "suite_b", \
    "does not obey Suite B (signature)") \
  X(SUITE_B_LOS_NOT_ALLOWED, "suite_b", "does not obey Suite B (level)") \
  X(SUITE_B_CANNOT_SIGN_P_384_WITH_P_256, "suite_b", \
    "does not obey Suite B (P-384 signed with P-256)") \
  X(HOSTNAME_MISMATCH, "hostname_mismatch", NULL) \
  X(EMAIL_MISMATCH, "email_mismatch", "is for another mail address") \
  X(IP_ADDRESS_MISMATCH, "hostname_mismatch", NULL) \
  X(DANE_NO_MATCH, "dane", "matches no TLSA record") \
  X(EE_KEY_TOO_SMALL, "weak_key", NULL) \
  X(CA_KEY_TOO_SMALL, "weak_key", NULL) \
  X(CA_MD_TOO_WEAK, "weak_signature", \
    "is signed with a hash that can be forged") \
  X(INVALID_CALL, "invalid_call", "could not be verified: invalid call") \
  X(STORE_LOOKUP, "store_lookup", \
    "could not be verified: looking for its issuer failed") \
  X(NO_VALID_SCTS, "no_scts", "has no valid proof of its publication (SCT)") \
  X(PROXY_SUBJECT_NAME_VIOLATION, "proxy_subject", \
    "is a proxy certificate with a subject that is not its issuer's") \
  X(OCSP_VERIFY_NEEDED, "ocsp_needed", "has no OCSP answer, and needs one") \
  X(OCSP_VERIFY_FAILED, "ocsp_failed", \
    "has an OCSP answer that cannot be verified") \
  X(OCSP_CERT_UNKNOWN, "ocsp_unknown", \
    "is unknown to its issuer's OCSP responder") \
  X(UNSUPPORTED_SIGNATURE_ALGORITHM, "unsupported_signature", \
    "is signed with an algorithm that is not supported") \
  X(SIGNATURE_ALGORITHM_MISMATCH, "signature_mismatch", \
    "is signed with an algorithm that does not fit its issuer's key") \
  X(SIGNATURE_ALGORITHM_INCONSISTENCY, "signature_inconsistency", \
    "names two different algorithms of its signature") \
  X(INVALID_CA, "invalid_ca", "is not a CA's, or its key may not sign " \
    "certificates, and others were issued with it") \
  X(PATHLEN_INVALID_FOR_NON_CA, "pathlen_invalid_for_non_ca", \
    "is not a CA's and has a path length") \
  X(PATHLEN_WITHOUT_KU_KEY_CERT_SIGN, "pathlen_without_key_cert_sign", \
    "has a path length, but may not sign certificates") \
  X(KU_KEY_CERT_SIGN_INVALID_FOR_NON_CA, "key_cert_sign_invalid_for_non_ca", \
    "is not a CA's and may sign certificates") \
  X(ISSUER_NAME_EMPTY, "issuer_name_empty", "has an empty issuer") \
  X(SUBJECT_NAME_EMPTY, "subject_name_empty", "has an empty subject") \
  X(MISSING_AUTHORITY_KEY_IDENTIFIER, "missing_authority_key_identifier", \
    "lacks the identifier of its issuer's key (strict)") \
  X(MISSING_SUBJECT_KEY_IDENTIFIER, "missing_subject_key_identifier", \
    "is a CA's and lacks the identifier of its key (strict)") \
  X(EMPTY_SUBJECT_ALT_NAME, "empty_subject_alt_name", \
    "has an empty list of names") \
  X(EMPTY_SUBJECT_SAN_NOT_CRITICAL, "empty_subject_san_not_critical", \
    "has no subject, and its list of names is not critical (strict)") \
  X(CA_BCONS_NOT_CRITICAL, "ca_basic_constraints_not_critical", \
    "is a CA's, and its basic constraints are not critical (strict)") \
  X(AUTHORITY_KEY_IDENTIFIER_CRITICAL, "authority_key_identifier_critical", \
    "has a critical identifier of its issuer's key (strict)") \
  X(SUBJECT_KEY_IDENTIFIER_CRITICAL, "subject_key_identifier_critical", \
    "has a critical identifier of its key (strict)") \
  X(CA_CERT_MISSING_KEY_USAGE, "ca_missing_key_usage", \
    "is a CA's and does not say what its key may be used for (strict)") \
  X(EXTENSIONS_REQUIRE_VERSION_3, "extensions_require_version_3", \
    "has extensions, but is not of version 3 (strict)") \
  X(EC_KEY_EXPLICIT_PARAMS, "ec_key_explicit_params", \
    "has a key on a curve that nobody named")

#endif
