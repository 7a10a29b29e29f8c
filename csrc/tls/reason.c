#include "tls/reason.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

enum { CODE_BYTES = sizeof((struct base_error *)0)->code, LAST_ALERT = 255 };

/* RFC 8446, B.2 and RFC 5246, 7.2; OpenSSL 3.0 does not know all of them. */
static const struct {
  int number;
  const char *name;
} alerts[] = {
  {0, "close_notify"},
  {10, "unexpected_message"},
  {20, "bad_record_mac"},
  {21, "decryption_failed"},
  {22, "record_overflow"},
  {30, "decompression_failure"},
  {40, "handshake_failure"},
  {41, "no_certificate"},
  {42, "bad_certificate"},
  {43, "unsupported_certificate"},
  {44, "certificate_revoked"},
  {45, "certificate_expired"},
  {46, "certificate_unknown"},
  {47, "illegal_parameter"},
  {48, "unknown_ca"},
  {49, "access_denied"},
  {50, "decode_error"},
  {51, "decrypt_error"},
  {60, "export_restriction"},
  {70, "protocol_version"},
  {71, "insufficient_security"},
  {80, "internal_error"},
  {86, "inappropriate_fallback"},
  {90, "user_canceled"},
  {100, "no_renegotiation"},
  {109, "missing_extension"},
  {110, "unsupported_extension"},
  {111, "certificate_unobtainable"},
  {112, "unrecognized_name"},
  {113, "bad_certificate_status_response"},
  {114, "bad_certificate_hash_value"},
  {115, "unknown_psk_identity"},
  {116, "certificate_required"},
  {120, "no_application_protocol"},
};

struct words {
  int reason;
  const char *text; /* %s: the versions allowed here */
};

/* What OpenSSL says in three words and people ask about. */
static const struct words sentences[] = {
  {SSL_R_WRONG_VERSION_NUMBER,
   "the peer does not speak TLS on this port (wrong version number)"},
  {SSL_R_UNSUPPORTED_PROTOCOL,
   "the peer chose a version of TLS that is not allowed here (allowed: %s)"},
  {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION,
   "the peer speaks no version of TLS that is allowed here (allowed: %s)"},
  {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
   "the peer found no common ground (ciphers, groups, or a client's "
   "certificate that it wants): alert handshake_failure"},
  {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED,
   "the peer requires a client's certificate, and none was given: alert "
   "certificate_required"},
  {SSL_R_TLSV1_ALERT_UNKNOWN_CA,
   "the peer does not know the CA of our certificate: alert unknown_ca"},
  {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
   "the peer refused our certificate: alert bad_certificate"},
  {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
   "the peer says that our certificate has expired: alert "
   "certificate_expired"},
  {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED,
   "the peer says that our certificate was revoked: alert "
   "certificate_revoked"},
  {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
   "the peer does not take our certificate, or not for this purpose: alert "
   "unsupported_certificate"},
  {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
   "the peer does not take our certificate: alert certificate_unknown"},
  {SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL,
   "the peer serves no protocol (ALPN) of ours: alert "
   "no_application_protocol"},
  {SSL_R_TLSV1_UNRECOGNIZED_NAME,
   "the peer does not serve that name: alert unrecognized_name"},
  {SSL_R_NO_PROTOCOLS_AVAILABLE,
   "no version of TLS is left to offer (allowed: %s)"},
  {SSL_R_PACKET_LENGTH_TOO_LONG,
   "the peer sent a record larger than TLS allows (packet length too long)"},
  {SSL_R_ENCRYPTED_LENGTH_TOO_LONG,
   "the peer sent a record larger than TLS allows (encrypted length too "
   "long)"},
  {SSL_R_DATA_LENGTH_TOO_LONG,
   "the peer sent a record larger than TLS allows (data length too long)"},
  {SSL_R_EXCESSIVE_MESSAGE_SIZE,
   "the peer's message of the handshake is larger than allowed (excessive "
   "message size)"},
};

/* The same where the peer is a client. */
static const struct words of_clients[] = {
  {SSL_R_HTTP_REQUEST,
   "the client speaks plain HTTP, and this is a port of TLS (http request)"},
  {SSL_R_HTTPS_PROXY_REQUEST,
   "the client takes this port of TLS for an HTTP proxy (https proxy "
   "request)"},
  {SSL_R_WRONG_VERSION_NUMBER,
   "the client does not speak TLS (wrong version number)"},
  {SSL_R_UNKNOWN_PROTOCOL, /* SSL 2.0 and nothing newer */
   "the client offers no version of TLS that is allowed here (allowed: %s)"},
  {SSL_R_UNSUPPORTED_PROTOCOL,
   "the client offers no version of TLS that is allowed here (allowed: %s)"},
  {SSL_R_NO_SHARED_CIPHER,
   "the client offers no cipher that is allowed here and fits the server's "
   "certificate (no shared cipher)"},
  {SSL_R_NO_APPLICATION_PROTOCOL,
   "the client offers no protocol (ALPN) that is served here"},
  {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE,
   "a client's certificate is required here, and the client showed none"},
};

const char *tls_reason_alert(int number) {
  size_t i;
  for (i = 0; i < sizeof alerts / sizeof alerts[0]; i++)
    if (alerts[i].number == number)
      return alerts[i].name;
  return "alert";
}

struct reason {
  unsigned long error; /* 0: the queue was empty */
  int memory;          /* somewhere in it there was no memory */
};

/* 2: says what; 1: says something; 0: "the X library failed". */
static int worth(unsigned long e) {
  if (ERR_SYSTEM_ERROR(e) || (ERR_GET_REASON(e) & ERR_RFLAG_COMMON) != 0)
    return 0;
  return ERR_GET_LIB(e) == ERR_LIB_SSL ? 2 : 1;
}

/* The first of the best: causes are queued before their effects. */
static struct reason take(void) {
  struct reason r = {0, 0};
  unsigned long e;
  while ((e = ERR_get_error()) != 0) {
    if (ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE)
      r.memory = 1;
    if (r.error == 0 || worth(e) > worth(r.error))
      r.error = e;
  }
  ERR_clear_error();
  return r;
}

static const char *words_of(unsigned long e) {
  const char *words = e != 0 ? ERR_reason_error_string(e) : NULL;
  return words != NULL ? words : "internal error";
}

static void code_of(char out[CODE_BYTES], const char *words) {
  size_t i;
  for (i = 0; words[i] != '\0' && i + 1 < CODE_BYTES; i++) {
    char c = words[i];
    if (c >= 'A' && c <= 'Z')
      c = (char)(c - 'A' + 'a');
    else if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9'))
      c = '_';
    out[i] = c;
  }
  out[i] = '\0';
}

struct base_error *tls_reason_config(const char *what) {
  char code[CODE_BYTES];
  struct reason r = take();
  if (r.memory)
    return base_error_from(BASE_ERR_MEMORY);
  code_of(code, words_of(r.error));
  return base_error_new(BASE_KIND_TLS, code, "%s: %s", what,
                        words_of(r.error));
}

static const char *text_of(int reason, bool server) {
  const size_t n = sizeof of_clients / sizeof of_clients[0];
  size_t i;
  for (i = 0; server && i < n; i++)
    if (of_clients[i].reason == reason)
      return of_clients[i].text;
  for (i = 0; i < sizeof sentences / sizeof sentences[0]; i++)
    if (sentences[i].reason == reason)
      return sentences[i].text;
  return NULL;
}

static struct base_error *sentence(const char *code, const char *text,
                                   const char *versions) {
  const char *gap = text != NULL ? strstr(text, "%s") : NULL;
  if (text == NULL)
    return NULL;
  if (gap == NULL)
    return base_error_new(BASE_KIND_TLS, code, "%s", text);
  return base_error_new(BASE_KIND_TLS, code, "%.*s%s%s", (int)(gap - text),
                        text, versions, gap + 2);
}

struct base_error *tls_reason_session(const char *versions, bool server) {
  char code[CODE_BYTES];
  struct base_error *err = NULL;
  struct reason r = take();
  int reason = ERR_GET_REASON(r.error), alert = -1;
  if (r.memory)
    return base_error_from(BASE_ERR_MEMORY);
  code_of(code, words_of(r.error));
  if (ERR_GET_LIB(r.error) == ERR_LIB_SSL) {
    if (reason >= SSL_AD_REASON_OFFSET &&
        reason <= SSL_AD_REASON_OFFSET + LAST_ALERT)
      alert = reason - SSL_AD_REASON_OFFSET;
    err = sentence(code, text_of(reason, server), versions);
  }
  if (alert >= 0 && ERR_reason_error_string(r.error) == NULL)
    err = base_error_new(BASE_KIND_TLS, "unknown_alert",
                         "the peer ended the connection with an alert that "
                         "nobody has registered (%d)", alert);
  if (err == NULL && alert >= 0)
    err = base_error_new(BASE_KIND_TLS, code,
                         "the peer ended the connection: alert %s (%d)",
                         tls_reason_alert(alert), alert);
  if (err == NULL)
    err = base_error_new(BASE_KIND_TLS, code, "TLS failed: %s",
                         words_of(r.error));
  if (alert >= 0) {
    base_error_text(err, "alert", tls_reason_alert(alert));
    base_error_number(err, "alert_number", alert);
  }
  return err;
}
