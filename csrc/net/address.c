#include "net/address_private.h"

#include <string.h>
#include <uv.h>

int net_endpoint_parse(union net_endpoint *out, const char *text,
                       uint16_t port) {
  memset(out, 0, sizeof *out);
  if (uv_ip4_addr(text, port, &out->in4) == 0)
    return AF_INET;
  if (uv_ip6_addr(text, port, &out->in6) == 0)
    return AF_INET6;
  return 0;
}

bool net_endpoint_take(union net_endpoint *out, const struct sockaddr *addr,
                       size_t size) {
  if ((addr->sa_family != AF_INET && addr->sa_family != AF_INET6) ||
      size > sizeof *out)
    return false;
  memset(out, 0, sizeof *out);
  memcpy(out, addr, size);
  return true;
}

void net_endpoint_set_port(union net_endpoint *e, uint16_t port) {
  if (e->any.sa_family == AF_INET6)
    e->in6.sin6_port = htons(port);
  else
    e->in4.sin_port = htons(port);
}

bool net_endpoint_equal(const union net_endpoint *a,
                        const union net_endpoint *b) {
  if (a->any.sa_family != b->any.sa_family)
    return false;
  if (a->any.sa_family == AF_INET)
    return a->in4.sin_port == b->in4.sin_port &&
           a->in4.sin_addr.s_addr == b->in4.sin_addr.s_addr;
  return a->in6.sin6_port == b->in6.sin6_port &&
         a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
         memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr,
                sizeof a->in6.sin6_addr) == 0;
}

void net_endpoint_unmap(union net_endpoint *e) {
  struct sockaddr_in in4;
  if (e->any.sa_family != AF_INET6 ||
      !IN6_IS_ADDR_V4MAPPED(&e->in6.sin6_addr))
    return;
  memset(&in4, 0, sizeof in4);
  in4.sin_family = AF_INET;
  in4.sin_port = e->in6.sin6_port;
  memcpy(&in4.sin_addr, &e->in6.sin6_addr.s6_addr[12], sizeof in4.sin_addr);
  e->in4 = in4;
}

socklen_t net_address_size(const struct sockaddr *addr) {
  switch (addr->sa_family) {
  case AF_INET: return sizeof(struct sockaddr_in);
  case AF_INET6: return sizeof(struct sockaddr_in6);
  default: return sizeof(struct sockaddr_un);
  }
}

void net_address(const struct sockaddr *addr, char ip[64], int *port) {
  ip[0] = '\0';
  *port = 0;
  if (addr->sa_family == AF_INET) {
    const struct sockaddr_in *in4 = (const struct sockaddr_in *)(const void *)
                                    addr;
    (void)uv_ip4_name(in4, ip, 64);
    *port = ntohs(in4->sin_port);
  } else if (addr->sa_family == AF_INET6) {
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)
                                     addr;
    (void)uv_ip6_name(in6, ip, 64);
    *port = ntohs(in6->sin6_port);
  }
}

int net_address_local(struct sockaddr_un *out, const char *path) {
  size_t n = strlen(path);
  if (n == 0)
    return UV_ENOENT;
  if (n >= sizeof out->sun_path)
    return UV_ENAMETOOLONG;
  memset(out, 0, sizeof *out);
  out->sun_family = AF_UNIX;
  memcpy(out->sun_path, path, n + 1);
  return 0;
}
