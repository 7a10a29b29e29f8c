#define _POSIX_C_SOURCE 200809L

#include "tls/trace.h"

#include <time.h>

#include "tls/reason.h"

static const char *message_name(int type) {
  static const struct {
    int type;
    const char *name;
  } names[] = { /* RFC 8446, B.3; RFC 5246, 7.4; RFC 6066, 8 */
    {SSL3_MT_HELLO_REQUEST, "HelloRequest"},
    {SSL3_MT_CLIENT_HELLO, "ClientHello"},
    {SSL3_MT_SERVER_HELLO, "ServerHello"},
    {SSL3_MT_NEWSESSION_TICKET, "NewSessionTicket"},
    {SSL3_MT_END_OF_EARLY_DATA, "EndOfEarlyData"},
    {SSL3_MT_ENCRYPTED_EXTENSIONS, "EncryptedExtensions"},
    {SSL3_MT_CERTIFICATE, "Certificate"},
    {SSL3_MT_SERVER_KEY_EXCHANGE, "ServerKeyExchange"},
    {SSL3_MT_CERTIFICATE_REQUEST, "CertificateRequest"},
    {SSL3_MT_SERVER_DONE, "ServerHelloDone"},
    {SSL3_MT_CERTIFICATE_VERIFY, "CertificateVerify"},
    {SSL3_MT_CLIENT_KEY_EXCHANGE, "ClientKeyExchange"},
    {SSL3_MT_FINISHED, "Finished"},
    {SSL3_MT_CERTIFICATE_STATUS, "CertificateStatus"},
    {SSL3_MT_KEY_UPDATE, "KeyUpdate"},
  };
  size_t i;
  for (i = 0; i < sizeof names / sizeof names[0]; i++)
    if (names[i].type == type)
      return names[i].name;
  return "Handshake";
}

double tls_trace_clock(void) {
  struct timespec t;
  if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
    return 0.0;
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_message(int out, int version, int type, const void *data,
                       size_t n, SSL *ssl, void *arg) {
  struct tls_trace *t = (struct tls_trace *)arg;
  const char *name;
  struct tls_step *step;
  (void)version;
  (void)ssl;
  if (type == SSL3_RT_HANDSHAKE)
    name = message_name(n > 0 ? *(const unsigned char *)data : -1);
  else if (type == SSL3_RT_CHANGE_CIPHER_SPEC)
    name = "ChangeCipherSpec";
  else if (type == SSL3_RT_ALERT)
    name = "Alert";
  else /* headers of records, and what is in them once more */
    return;
  if (t->count == TLS_TRACE_STEPS)
    return;
  step = &t->steps[t->count++];
  step->out = out != 0;
  step->name = name;
  step->alert = type == SSL3_RT_ALERT && n == 2
                  ? tls_reason_alert(((const unsigned char *)data)[1])
                  : NULL;
  step->bytes = n;
  step->at = tls_trace_clock();
}

void tls_trace_attach(struct tls_trace *t, SSL *ssl) {
  SSL_set_msg_callback(ssl, on_message);
  SSL_set_msg_callback_arg(ssl, t);
}

bool tls_trace_take(struct tls_trace *t, struct tls_step *out) {
  if (t->taken == t->count)
    return false;
  *out = t->steps[t->taken++];
  return true;
}
