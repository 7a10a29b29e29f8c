#include "net/bind_private.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/text.h"
#include "net/address_private.h"
#include "net/lookup_private.h"
#include "net/shake_private.h"

/* The kernel picks a port for one address, which may be taken for another. */
enum { PORT_TRIES = 16 };

struct targets {
  size_t count;
  bool any; /* the first that works is enough */
  union net_endpoint list[LIMIT_ADDRESSES];
};

/* ---- addresses ----------------------------------------------------------- */

/* A resolver may name an address twice. */
static void add_target(struct targets *t, const union net_endpoint *to) {
  size_t i;
  for (i = 0; i < t->count; i++)
    if (net_endpoint_equal(&t->list[i], to))
      return;
  if (t->count < LIMIT_ADDRESSES)
    t->list[t->count++] = *to;
}

static bool is_memory(int err) {
  return err == UV_ENOMEM || err == UV_EAI_MEMORY;
}

static int add_family(struct targets *t, struct net_loop *loop,
                      const char *host, int family) {
  struct addrinfo *list, *ai;
  union net_endpoint to;
  int err = net_lookup_wait(loop, host, family, &list);
  if (err != 0)
    return err;
  for (ai = list; ai != NULL; ai = ai->ai_next)
    if (net_endpoint_take(&to, ai->ai_addr, ai->ai_addrlen))
      add_target(t, &to);
  uv_freeaddrinfo(list);
  return 0;
}

static struct base_error *find_targets(struct targets *t,
                                       struct net_loop *loop,
                                       const char *host) {
  int err4, err6;
  t->count = 0;
  t->any = strcmp(host, "*") == 0;
  if (t->any) { /* a socket for IPv6 takes IPv4 too */
    (void)net_endpoint_parse(&t->list[0], "::", 0);
    (void)net_endpoint_parse(&t->list[1], "0.0.0.0", 0);
    t->count = 2;
    return NULL;
  }
  if (net_endpoint_parse(&t->list[0], host, 0) != 0) {
    t->count = 1;
    return NULL;
  }
  err6 = add_family(t, loop, host, AF_INET6);
  err4 = add_family(t, loop, host, AF_INET);
  if (is_memory(err6) || is_memory(err4)) /* not half of it */
    return base_error_from(BASE_ERR_MEMORY);
  return t->count > 0 ? NULL : net_lookup_error(err6, err4, "", host);
}

/* ---- a socket ------------------------------------------------------------ */

static int set(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0 ? 0 : -errno;
}

static int set_options(int fd, const struct targets *t, int family,
                       const struct net_listen_conf *conf) {
  /* What still lingers of connections of yesterday does not keep us from the
  ** port; a listener does. */
  int err = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (err == 0 && conf->reuse_port)
#ifdef SO_REUSEPORT
    err = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
#else
    err = UV_ENOTSUP;
#endif
  /* Of several addresses each has its own socket. */
  if (err == 0 && family == AF_INET6)
    err = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !t->any && t->count > 1);
  return err;
}

static int open_socket(int *fd, const struct targets *t,
                       const union net_endpoint *to,
                       const struct net_listen_conf *conf) {
  int family = to->any.sa_family, err;
  *fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (*fd < 0)
    return -errno;
  err = set_options(*fd, t, family, conf);
  if (err == 0 && (bind(*fd, &to->any, net_address_size(&to->any)) != 0 ||
                   listen(*fd, conf->backlog) != 0))
    err = -errno;
  if (err != 0)
    (void)close(*fd);
  return err;
}

/* ---- all of them --------------------------------------------------------- */

/* Where the first one is: of a port that the system chose nobody else knows. */
static int name_first(struct net_bound *b) {
  union net_endpoint me;
  socklen_t size = sizeof me;
  memset(&me, 0, sizeof me);
  if (getsockname(b->fds[0], &me.any, &size) != 0)
    return -errno;
  net_address(&me.any, b->ip, &b->port);
  return 0;
}

static bool is_unavailable(int err) {
  return err == UV_EADDRNOTAVAIL || err == UV_EAFNOSUPPORT;
}

/* What the machine does not speak is left out, unless there is nothing else.
** 'failed' is whom an error is about. */
static int bind_once(struct net_bound *b, struct targets *t,
                     const struct net_listen_conf *conf,
                     const union net_endpoint **failed) {
  size_t i;
  int err = 0;
  b->count = 0;
  b->port = conf->port;
  for (i = 0; i < t->count && !(t->any && b->count > 0); i++) {
    int now;
    net_endpoint_set_port(&t->list[i], (uint16_t)b->port);
    now = open_socket(&b->fds[b->count], t, &t->list[i], conf);
    if (now == 0 && b->count++ == 0)
      now = name_first(b);
    if (now == 0)
      continue;
    err = now;
    *failed = &t->list[i];
    if (!is_unavailable(err)) {
      net_bound_close(b);
      return err;
    }
  }
  return b->count > 0 ? 0 : err;
}

static struct base_error *bind_error(const struct net_listen_conf *conf,
                                     const union net_endpoint *to, int e) {
  char ip[64], where[NET_AUTHORITY_SIZE];
  struct base_error *err;
  int port;
  net_address(&to->any, ip, &port);
  net_authority(where, ip, (unsigned)port);
  err = base_error_new(BASE_KIND_CONNECT, net_error_name(e),
                       "could not listen on \"%s\" port %u: %s (%s)",
                       conf->host, (unsigned)conf->port, net_error_text(e),
                       where);
  base_error_text(err, "address", where);
  return err;
}

static struct base_error *bind_host(struct net_bound *out,
                                    struct net_loop *loop,
                                    const struct net_listen_conf *conf) {
  const union net_endpoint *failed = NULL;
  struct targets t;
  struct base_error *err = find_targets(&t, loop, conf->host);
  int e, tries = 0;
  if (err != NULL)
    return err;
  do
    e = bind_once(out, &t, conf, &failed);
  while (e == UV_EADDRINUSE && conf->port == 0 && ++tries < PORT_TRIES);
  return e != 0 ? bind_error(conf, failed, e) : NULL;
}

static struct base_error *bind_path(struct net_bound *out,
                                    const struct net_listen_conf *conf) {
  char shown[NET_LOCAL_SHOWN];
  struct base_error *err;
  int e = net_local_listen(&out->local, &out->fds[0], conf->path,
                           conf->backlog);
  if (e == 0) {
    out->count = 1;
    return NULL;
  }
  if (e == UV_ENOMEM)
    return base_error_from(BASE_ERR_MEMORY);
  base_text_clean(shown, sizeof shown, conf->path, strlen(conf->path), "");
  err = base_error_new(BASE_KIND_CONNECT, net_error_name(e),
                       "could not listen on the local socket \"%s\": %s",
                       shown, net_error_text(e));
  base_error_text(err, "address", conf->path);
  return err;
}

struct base_error *net_bind(struct net_bound *out, struct net_loop *loop,
                            const struct net_listen_conf *conf) {
  memset(out, 0, sizeof *out);
  return conf->path != NULL ? bind_path(out, conf)
                            : bind_host(out, loop, conf);
}

void net_bound_close(struct net_bound *b) {
  net_local_deinit(&b->local);
  while (b->count > 0)
    (void)close(b->fds[--b->count]);
}
