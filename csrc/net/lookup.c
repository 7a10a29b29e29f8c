#include "net/lookup_private.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

int (*net_lookup_hook)(struct net_lookup *q, const char *host, int family);

struct net_lookup {
  uv_getaddrinfo_t req;
  struct net_loop *loop;
  net_lookup_fn *fn; /* NULL: detached */
  void *ctx;
  int family;
  bool hooked;
};

void net_lookup_answer(struct net_lookup *q, int uv_err,
                       const struct addrinfo *list) {
  if (q->fn != NULL) {
    q->loop->handles--;
    q->fn(q->ctx, q->family, uv_err, list);
  }
  base_free(q);
}

static void on_answer(uv_getaddrinfo_t *req, int status,
                      struct addrinfo *list) {
  net_lookup_answer((struct net_lookup *)req->data, status, list);
  uv_freeaddrinfo(list);
}

/*
** No AI_ADDRCONFIG: where there is nothing but a loopback interface it hides
** even "localhost". An address of a family that the machine cannot speak fails
** to connect at once, and the next one is tried.
*/
static int ask(struct net_lookup *q, const char *host) {
  struct addrinfo hints;
  if (net_lookup_hook != NULL) {
    q->hooked = true;
    return net_lookup_hook(q, host, q->family);
  }
  memset(&hints, 0, sizeof hints);
  hints.ai_family = q->family;
  hints.ai_socktype = SOCK_STREAM;
  q->req.data = q;
  return uv_getaddrinfo(&q->loop->uv, &q->req, on_answer, host, NULL, &hints);
}

int net_lookup_start(struct net_lookup **out, struct net_loop *loop,
                     const char *host, int family, net_lookup_fn *fn,
                     void *ctx) {
  struct net_lookup *q = (struct net_lookup *)base_calloc(1, sizeof *q);
  int err;
  if (q == NULL)
    return UV_ENOMEM;
  q->loop = loop;
  q->fn = fn;
  q->ctx = ctx;
  q->family = family;
  err = ask(q, host);
  if (err != 0) {
    base_free(q);
    return err;
  }
  loop->handles++;
  *out = q;
  return 0;
}

void net_lookup_detach(struct net_lookup *q) {
  q->fn = NULL;
  q->loop->handles--;
  if (!q->hooked)
    (void)uv_cancel((uv_req_t *)&q->req); /* only what has not begun */
}
