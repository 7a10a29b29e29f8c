#include "tls/bio.h"

#include <string.h>

#include "base/err.h"

/*
** The end of the input is never told to OpenSSL: it would take it for a fatal
** error and make the session impossible to resume, which a lost connection
** does not call for (RFC 5246, 7.2.1). The session sees it by itself.
*/
static int wire_read(BIO *b, char *out, int n) {
  struct tls_wire *w = (struct tls_wire *)BIO_get_data(b);
  size_t take;
  BIO_clear_retry_flags(b);
  if (n <= 0)
    return 0;
  if (w->in_size == 0) {
    BIO_set_retry_read(b);
    return -1;
  }
  take = w->in_size < (size_t)n ? w->in_size : (size_t)n;
  memcpy(out, w->in, take);
  w->in += take;
  w->in_size -= take;
  return (int)take;
}

/* All or nothing: a record is never cut. */
static int wire_write(BIO *b, const char *in, int n) {
  struct tls_wire *w = (struct tls_wire *)BIO_get_data(b);
  int err;
  BIO_clear_retry_flags(b);
  if (n <= 0)
    return 0;
  err = w->out == NULL ? BASE_ERR_BUFFER_FULL
                       : base_buf_append(w->out, in, (size_t)n);
  if (err != 0) {
    w->err = err;
    return -1;
  }
  return n;
}

static long wire_ctrl(BIO *b, int cmd, long num, void *ptr) {
  (void)b;
  (void)num;
  (void)ptr;
  return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

/* A type without an index: there are but 127 for a whole process. */
BIO_METHOD *tls_bio_method_new(void) {
  BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "wire");
  if (m != NULL && BIO_meth_set_read(m, wire_read) == 1 &&
      BIO_meth_set_write(m, wire_write) == 1 &&
      BIO_meth_set_ctrl(m, wire_ctrl) == 1)
    return m;
  BIO_meth_free(m);
  return NULL;
}

BIO *tls_bio_new(const BIO_METHOD *m, struct tls_wire *w) {
  BIO *b = BIO_new(m);
  if (b != NULL) {
    BIO_set_data(b, w);
    BIO_set_init(b, 1);
  }
  return b;
}
