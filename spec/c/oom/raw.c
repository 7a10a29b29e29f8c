#include "raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lauxlib.h>

enum { CALLERS = 4, TEXT_MAX = 1 << 17 };

static struct caller {
  int fd; /* 0: none, -1: it has heard the end and hung up */
  bool over;
  size_t len;
  char text[TEXT_MAX];
} callers[CALLERS];

static bool call(int fd, lua_Integer port, const char *text, size_t n) {
  struct sockaddr_in a;
  memset(&a, 0, sizeof a);
  a.sin_family = AF_INET;
  a.sin_port = htons((uint16_t)port);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  /* The kernel answers, whether or not anybody accepts. */
  return connect(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
         send(fd, text, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static int dial(lua_State *L) {
  lua_Integer port = luaL_checkinteger(L, 1);
  size_t n;
  const char *text = luaL_checklstring(L, 2, &n);
  int i = 0, fd;
  while (i < CALLERS && callers[i].fd != 0)
    i++;
  if (i == CALLERS)
    return luaL_error(L, "too many raw callers");
  fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd <= 0)
    return luaL_error(L, "no socket: %s", strerror(errno));
  callers[i].fd = fd;
  callers[i].over = false;
  callers[i].len = 0;
  if (!call(fd, port, text, n))
    return luaL_error(L, "nobody listens: %s", strerror(errno));
  lua_pushinteger(L, i);
  return 1;
}

static int hear(lua_State *L) {
  struct caller *c = &callers[luaL_checkinteger(L, 1)];
  while (!c->over && c->len < TEXT_MAX) {
    ssize_t n = recv(c->fd, c->text + c->len, TEXT_MAX - c->len,
                     MSG_DONTWAIT);
    if (n > 0)
      c->len += (size_t)n;
    else if (n < 0 && errno == EAGAIN)
      break;
    else
      c->over = true;
  }
  if (c->over) {
    if (c->fd > 0)
      (void)close(c->fd); /* the server waits for that */
    c->fd = -1;
    lua_pushlstring(L, c->text, c->len);
  } else {
    lua_pushnil(L);
  }
  lua_pushboolean(L, c->over);
  return 2;
}

void raw_set_up(lua_State *L) {
  lua_pushcfunction(L, dial);
  lua_setglobal(L, "raw_dial");
  lua_pushcfunction(L, hear);
  lua_setglobal(L, "raw_hear");
}

void raw_hang_up(void) {
  int i;
  for (i = 0; i < CALLERS; i++) {
    if (callers[i].fd > 0)
      (void)close(callers[i].fd);
    callers[i].fd = 0;
  }
}
