#include "net/lookup_private.h"

#include <netdb.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/mem.h"

int (*net_lookup_hook)(struct net_lookup *q, const char *host, int family);
int (*net_lookup_wait_hook)(const char *host, int family,
                            struct addrinfo **out);

struct net_lookup {
  struct net_lookup *next; /* of the same question */
  struct net_question *question; /* NULL: hooked */
  struct net_loop *loop;
  net_lookup_fn *fn; /* NULL: detached */
  void *ctx;
  int family;
};

/*
** What a thread is asking. Whoever wants to know the same while it asks joins
** in: a client that dials again and again while its resolver does not answer
** occupies one thread for each family, not all there are.
*/
struct net_question {
  struct net_question *next; /* of the loop's */
  uv_getaddrinfo_t req;
  struct net_loop *loop;
  struct net_lookup *waiting;
  int family;
  bool cancelled;
  char host[1]; /* and more */
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
  struct net_question *a = (struct net_question *)req->data;
  struct net_question **at = &a->loop->questions;
  struct net_lookup *q;
  while (*at != a)
    at = &(*at)->next;
  *at = a->next;
  while ((q = a->waiting) != NULL) {
    a->waiting = q->next;
    net_lookup_answer(q, status, list);
  }
  uv_freeaddrinfo(list);
  base_free(a);
}

/* RFC 6761, 6.3: these names mean this machine, whatever a resolver says. */
static bool is_localhost(const char *host) {
  size_t n = strlen(host);
  if (n > 0 && host[n - 1] == '.')
    n--;
  return n >= 9 && strncasecmp(host + n - 9, "localhost", 9) == 0 &&
         (n == 9 || host[n - 10] == '.');
}

/*
** No AI_ADDRCONFIG: where there is nothing but a loopback interface it hides
** even "localhost". An address of a family that the machine cannot speak fails
** to connect at once, and the next one is tried.
*/
static int ask(struct net_loop *loop, uv_getaddrinfo_t *req,
               uv_getaddrinfo_cb fn, const char *host, int family) {
  struct addrinfo hints;
  memset(&hints, 0, sizeof hints);
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  if (is_localhost(host)) {
    hints.ai_flags = AI_NUMERICHOST;
    host = family == AF_INET6 ? "::1" : "127.0.0.1";
  }
  return uv_getaddrinfo(&loop->uv, req, fn, host, NULL, &hints);
}

static struct net_question *find(struct net_loop *loop, const char *host,
                                 int family) {
  struct net_question *a = loop->questions;
  while (a != NULL && (a->cancelled || a->family != family ||
                       strcmp(a->host, host) != 0))
    a = a->next;
  return a;
}

static int new_question(struct net_question **out, struct net_loop *loop,
                        const char *host, int family) {
  size_t n = strlen(host);
  struct net_question *a;
  int err;
  a = (struct net_question *)base_calloc(1, sizeof *a + n);
  if (a == NULL)
    return UV_ENOMEM;
  a->loop = loop;
  a->family = family;
  memcpy(a->host, host, n + 1);
  a->req.data = a;
  err = ask(loop, &a->req, on_answer, a->host, family);
  if (err != 0) {
    base_free(a);
    return err;
  }
  a->next = loop->questions;
  loop->questions = a;
  *out = a;
  return 0;
}

static int join(struct net_lookup *q, const char *host) {
  struct net_question *a = find(q->loop, host, q->family);
  if (a == NULL) {
    int err = new_question(&a, q->loop, host, q->family);
    if (err != 0)
      return err;
  }
  q->question = a;
  q->next = a->waiting;
  a->waiting = q;
  return 0;
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
  err = net_lookup_hook != NULL ? net_lookup_hook(q, host, family)
                                : join(q, host);
  if (err != 0) {
    base_free(q);
    return err;
  }
  loop->handles++;
  *out = q;
  return 0;
}

void net_lookup_detach(struct net_lookup *q) {
  struct net_question *a = q->question;
  struct net_lookup **at;
  q->fn = NULL;
  q->loop->handles--;
  if (a == NULL)
    return; /* the hook still owes its answer */
  for (at = &a->waiting; *at != q; at = &(*at)->next)
    continue;
  *at = q->next;
  base_free(q);
  if (a->waiting == NULL) /* works only for what has not begun */
    a->cancelled = uv_cancel((uv_req_t *)&a->req) == 0;
}

int net_lookup_wait(struct net_loop *loop, const char *host, int family,
                    struct addrinfo **out) {
  uv_getaddrinfo_t req;
  int err;
  if (net_lookup_wait_hook != NULL)
    return net_lookup_wait_hook(host, family, out);
  err = ask(loop, &req, NULL, host, family);
  if (err == 0)
    *out = req.addrinfo;
  return err;
}

static bool not_found(int uv_err) {
  return uv_err == 0 || uv_err == UV_EAI_NONAME || uv_err == UV_EAI_NODATA ||
         uv_err == UV_EAI_ADDRFAMILY || uv_err == UV_EAI_FAMILY;
}

/* That one family has no address says less than why the other was not
** found out. */
struct base_error *net_lookup_error(int err6, int err4, const char *what,
                                    const char *host) {
  int e = not_found(err4) ? err6 : err4;
  struct base_error *err;
  if (e == UV_ENOMEM || e == UV_EAI_MEMORY)
    return base_error_from(BASE_ERR_MEMORY);
  if (not_found(e))
    err = base_error_new(BASE_KIND_DNS, "ENOTFOUND",
                         "no address found for %s\"%s\"", what, host);
  else
    err = base_error_new(BASE_KIND_DNS, net_error_name(e),
                         "no address found for %s\"%s\": %s", what, host,
                         net_error_text(e));
  base_error_text(err, "host", host);
  return err;
}
