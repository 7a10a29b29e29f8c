/* What bench/count's scripts need from C: to switch callgrind's counting on
 * and off, and a client that costs our side nothing. Both ends are in one
 * process and one thread: what a client writes to the loopback is there for
 * the server's next pass, and so the same is done in every run.
 *
 *   driver.start()          counts from here
 *   driver.stop(label)      to here; dumped under that label
 *   driver.connect(port [, tls]) → client
 *   client:shake() → true when TLS is done
 *   client:write(bytes); client:read() → how many bytes came (they are dropped)
 *   client:text() → what came
 *   client:close()
 *   driver.rounds(client, step, bytes, expected, n)
 *                           n times: write, and step until as many bytes came
 *   driver.utf8(text, n), driver.unmask(data, n)
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "ws/mask.h"
#include "ws/utf8.h"

#define TYPE "bench.client"

enum { ROOM = 1 << 18 };

struct client {
  int fd;
  SSL *ssl;
};

static SSL_CTX *context;
static char room[ROOM];

static int start(lua_State *L) {
  (void)L;
  CALLGRIND_START_INSTRUMENTATION;
  CALLGRIND_ZERO_STATS;
  return 0;
}

static int stop(lua_State *L) {
  const char *label = luaL_checkstring(L, 1);

  CALLGRIND_DUMP_STATS_AT(label);
  CALLGRIND_STOP_INSTRUMENTATION;
  return 0;
}

static struct client *check(lua_State *L) {
  return luaL_checkudata(L, 1, TYPE);
}

static int dial(lua_State *L) {
  struct sockaddr_in address = { .sin_family = AF_INET };
  struct client *c;
  int port = (int)luaL_checkinteger(L, 1);
  int tls = lua_toboolean(L, 2);
  int yes = 1;

  c = lua_newuserdatauv(L, sizeof *c, 0);
  c->ssl = NULL;
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  luaL_setmetatable(L, TYPE);
  address.sin_port = htons((unsigned short)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0) {
    return luaL_error(L, "connect: %s", strerror(errno));
  }
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  if (!tls) return 1;
  if (context == NULL) {
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context,
        SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  }
  c->ssl = SSL_new(context);
  SSL_set_fd(c->ssl, c->fd);
  SSL_set_connect_state(c->ssl);
  return 1;
}

static int shake(lua_State *L) {
  struct client *c = check(L);

  lua_pushboolean(L, c->ssl == NULL || SSL_do_handshake(c->ssl) == 1);
  return 1;
}

/* Bytes, 0 where there are none now, -1 at the end. */
static long get(struct client *c) {
  size_t got;
  long n;

  if (c->ssl == NULL) {
    n = recv(c->fd, room, ROOM, 0);
    return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
  }
  if (SSL_read_ex(c->ssl, room, ROOM, &got) == 1) return (long)got;
  return SSL_get_error(c->ssl, 0) == SSL_ERROR_WANT_READ ? 0 : -1;
}

static size_t put(struct client *c, const char *data, size_t size) {
  size_t written = 0;
  long n;

  if (c->ssl == NULL) {
    n = send(c->fd, data, size, MSG_NOSIGNAL);
    return n > 0 ? (size_t)n : 0;
  }
  return SSL_write_ex(c->ssl, data, size, &written) == 1 ? written : 0;
}

static int client_write(lua_State *L) {
  struct client *c = check(L);
  size_t size;
  const char *data = luaL_checklstring(L, 2, &size);

  lua_pushboolean(L, put(c, data, size) == size);
  return 1;
}

static int client_read(lua_State *L) {
  struct client *c = check(L);
  lua_Integer all = 0;
  long n;

  while ((n = get(c)) > 0) all += n;
  lua_pushinteger(L, all > 0 ? all : n);
  return 1;
}

static int client_text(lua_State *L) {
  struct client *c = check(L);
  long n = get(c);

  lua_pushlstring(L, room, n > 0 ? (size_t)n : 0);
  return 1;
}

static int client_close(lua_State *L) {
  struct client *c = check(L);

  if (c->ssl != NULL) SSL_free(c->ssl);
  if (c->fd >= 0) close(c->fd);
  c->ssl = NULL;
  c->fd = -1;
  return 0;
}

static int rounds(lua_State *L) {
  struct client *c = check(L);
  size_t size;
  const char *data = luaL_checklstring(L, 3, &size);
  size_t expected = (size_t)luaL_checkinteger(L, 4);
  lua_Integer n = luaL_checkinteger(L, 5);
  size_t sent;
  size_t came;
  long got;

  while (n-- > 0) {
    sent = put(c, data, size);
    for (came = 0; came < expected || sent < size;) {
      lua_pushvalue(L, 2);
      lua_call(L, 0, 0);
      while ((got = get(c)) > 0) came += (size_t)got;
      if (got < 0) return luaL_error(L, "the server has gone");
      if (sent < size) sent += put(c, data + sent, size - sent);
    }
    if (came != expected) return luaL_error(L, "%d bytes came", (int)came);
  }
  return 0;
}

static int utf8(lua_State *L) {
  size_t size;
  const uint8_t *text = (const uint8_t *)luaL_checklstring(L, 1, &size);
  lua_Integer n = luaL_checkinteger(L, 2);

  while (n-- > 0) {
    if (!ws_utf8_valid(text, size)) return luaL_error(L, "not UTF-8");
  }
  return 0;
}

static int unmask(lua_State *L) {
  static const uint8_t key[4] = { 0x12, 0x34, 0x56, 0x78 };
  size_t size;
  const char *from = luaL_checklstring(L, 1, &size);
  lua_Integer n = luaL_checkinteger(L, 2);

  if (size >= ROOM) return luaL_error(L, "too long");
  memcpy(room + 1, from, size);
  while (n-- > 0) ws_mask_inplace((uint8_t *)room + 1, size, key, 0);
  return 0;
}

static const luaL_Reg methods[] = {
  { "shake", shake }, { "write", client_write }, { "read", client_read },
  { "text", client_text }, { "close", client_close }, { NULL, NULL },
};

static const luaL_Reg functions[] = {
  { "start", start }, { "stop", stop }, { "connect", dial },
  { "rounds", rounds }, { "utf8", utf8 }, { "unmask", unmask },
  { NULL, NULL },
};

__attribute__((visibility("default"))) int luaopen_driver(lua_State *L);

int luaopen_driver(lua_State *L) {
  luaL_newmetatable(L, TYPE);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, client_close);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
