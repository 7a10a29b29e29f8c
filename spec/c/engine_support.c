#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine_support.h"

#include "base/limits.h"
#include "base/mem.h"
#include "engine/facade.h"

/* ---- the heap ----------------------------------------------------------- */

static long live, countdown;
static size_t live_bytes;

/* In front of each block its size. */
static void *counting_realloc(void *p, size_t size) {
  size_t *block = p != NULL ? (size_t *)p - 2 : NULL, *bigger;
  size_t old = block != NULL ? *block : 0;
  if (size == 0) {
    live--;
    live_bytes -= old;
    free(block);
    return NULL;
  }
  if (countdown > 0 && --countdown == 0)
    return NULL;
  bigger = (size_t *)realloc(block, size + 2 * sizeof *block);
  if (bigger == NULL)
    return NULL;
  if (block == NULL)
    live++;
  live_bytes += size - old;
  *bigger = size;
  return bigger + 2;
}

long heap_blocks(void) {
  return live;
}

size_t heap_bytes(void) {
  return live_bytes;
}

void heap_fail(long nth) {
  countdown = nth;
}

/* ---- the diary ---------------------------------------------------------- */

struct engine_limits limits;

struct sent {
  struct engine_item item; /* first */
  struct user *u;
  int number;
};

/* Never two transports at once, whatever happens. */
static void note(struct user *u, const char *event) {
  assert_true(u->engine->ledger.transports <= 1);
  assert_int_equal(u->closes, strcmp(event, "close") == 0 ? 1 : 0);
  assert_non_null(u->client);
  if (u->hook != NULL)
    u->hook(u, event);
}

static void keep(struct user *u, const uint8_t *data, size_t n) {
  size_t i;
  u->last_len = n;
  memcpy(u->last, data, n < sizeof u->last ? n : sizeof u->last);
  for (i = 0; i < n; i++)
    u->sum = u->sum * 31 + data[i];
}

static void on_open(void *owner, const struct engine_open *info) {
  struct user *u = (struct user *)owner;
  u->opens++;
  u->attempt = info->attempt;
  note(u, "open");
}

static void on_message(void *owner, const uint8_t *data, size_t n, bool text) {
  struct user *u = (struct user *)owner;
  u->messages++;
  u->message_bytes += n;
  u->text = text;
  keep(u, data, n);
  note(u, "message");
}

static void on_fragment(void *owner, const uint8_t *data, size_t n, bool text,
                        bool last) {
  (void)owner;
  (void)data;
  (void)n;
  (void)text;
  (void)last;
}

static void on_ping(void *owner, const uint8_t *data, size_t n) {
  struct user *u = (struct user *)owner;
  u->pings++;
  keep(u, data, n);
  note(u, "ping");
}

static void on_pong(void *owner, const uint8_t *data, size_t n,
                    double seconds) {
  struct user *u = (struct user *)owner;
  u->pongs++;
  u->seconds = seconds;
  keep(u, data, n);
  note(u, "pong");
}

static void on_drain(void *owner) {
  struct user *u = (struct user *)owner;
  u->drains++;
  note(u, "drain");
}

static void on_step(void *owner, const struct tls_step *step) {
  (void)step;
  note((struct user *)owner, "step");
}

static void keep_end(struct user *u, const struct engine_end *end) {
  const struct base_field *f;
  u->code[0] = '\0';
  u->close_field = 0;
  u->close_code = end->code;
  memcpy(u->reason, end->reason, end->reason_len);
  u->reason[end->reason_len] = '\0';
  if (end->err == NULL)
    return;
  u->kind = end->err->kind;
  memcpy(u->code, end->err->code, sizeof u->code);
  f = base_error_field(end->err, "close");
  if (f != NULL)
    u->close_field = f->number;
}

static bool on_verify(void *owner, struct tls_peer *peer,
                      const struct base_error *err) {
  (void)owner;
  (void)peer;
  return err == NULL;
}

static double on_down(void *owner, const struct engine_end *end) {
  struct user *u = (struct user *)owner;
  u->downs++;
  keep_end(u, end);
  assert_int_equal(u->engine->ledger.transports, 0);
  note(u, "down");
  return u->delay;
}

static void on_close(void *owner, const struct engine_end *end) {
  struct user *u = (struct user *)owner;
  u->closes++;
  keep_end(u, end);
  assert_int_equal(u->engine->ledger.transports, 0);
  note(u, "close");
}

static const struct engine_socket_ops diary = {
  on_open, on_message, on_fragment, on_ping, on_pong, on_drain, on_step, on_verify, on_down,
  on_close
};

/* ---- the client --------------------------------------------------------- */

void user_init(struct user *u) {
  (void)alarm(120);
  memset(u, 0, sizeof *u);
  memset(u->order, 0xff, sizeof u->order);
  u->delay = -1;
  memset(&limits, 0, sizeof limits);
  limits.max_message = LIMIT_MESSAGE_BYTES;
  limits.max_buffered = LIMIT_BUFFERED_BYTES;
  limits.high_water = LIMIT_HIGH_WATER_BYTES;
  limits.low_water = LIMIT_LOW_WATER_BYTES;
  limits.max_header = LIMIT_HEADER_BYTES;
  limits.open_timeout_ms = limits.close_timeout_ms = 60000;
  base_mem_realloc_hook = counting_realloc;
  live = 0;
  live_bytes = 0;
  countdown = 0;
  assert_int_equal(engine_new(&u->engine), 0);
  srv_listen();
}

void user_dial_to(struct user *u, const char *url) {
  struct engine_client_conf conf;
  memset(&conf, 0, sizeof conf);
  conf.limits = limits;
  assert_int_equal(ws_url_parse(&conf.url, url, strlen(url), false), 0);
  assert_int_equal(engine_client_new(&u->client, u->engine, &conf, &diary, u),
                   0);
  engine_socket_set_taking(u->client, true);
}

void user_dial(struct user *u) {
  char url[64];
  (void)snprintf(url, sizeof url, "ws://127.0.0.1:%d/", srv_port);
  user_dial_to(u, url);
}

static int listener = -1;

void user_deinit(struct user *u) {
  int i;
  if (u->client != NULL) {
    assert_int_equal(engine_socket_state(u->client), ENGINE_CLOSED);
    assert_int_equal(engine_socket_buffered(u->client), 0);
    engine_socket_detach(u->client);
  }
  assert_int_equal(u->engine->ledger.connections, 0);
  engine_free(u->engine);
  for (i = 0; i < u->sent; i++)
    assert_int_not_equal(u->order[i], -1);
  assert_int_equal(u->told[0] + u->told[1] + u->told[2], u->sent);
  assert_int_equal(live, 0);
  (void)close(listener);
  listener = -1;
}

static void release(struct base_blob *b, enum base_outcome how) {
  struct sent *s = (struct sent *)(void *)((char *)b -
                                           offsetof(struct engine_item, blob));
  struct user *u = s->u;
  assert_int_equal(u->order[s->number], -1); /* exactly once */
  u->order[s->number] = (int)how;
  u->told[how]++;
  base_free((void *)s->item.blob.data);
  base_free(s);
  if (u->hook != NULL && u->client != NULL)
    u->hook(u, "release");
}

struct engine_item *user_item(struct user *u, const void *data, size_t n,
                              uint8_t opcode) {
  struct sent *s = (struct sent *)base_calloc(1, sizeof *s);
  uint8_t *copy = (uint8_t *)base_malloc(n);
  assert_non_null(s);
  assert_non_null(copy);
  if (n > 0)
    memcpy(copy, data, n);
  s->u = u;
  s->number = u->sent++;
  assert_true(s->number < MESSAGES_KEPT);
  s->item.blob.data = copy;
  s->item.blob.len = n;
  s->item.blob.release = release;
  s->item.opcode = opcode;
  return &s->item;
}

void user_discard(struct user *u, struct engine_item *item) {
  struct sent *s = (struct sent *)(void *)item;
  assert_int_equal(s->number, u->sent - 1);
  u->sent--;
  base_free((void *)item->blob.data);
  base_free(s);
}

struct base_error *user_try_send(struct user *u, const void *data, size_t n,
                                 uint8_t opcode) {
  struct engine_item *item = user_item(u, data, n, opcode);
  struct base_error *err = engine_socket_send(u->client, item);
  if (err != NULL)
    user_discard(u, item);
  return err;
}

void user_send(struct user *u, size_t n) {
  uint8_t *data = (uint8_t *)malloc(n + 4);
  uint32_t number = (uint32_t)u->sent;
  size_t i;
  assert_non_null(data);
  for (i = 0; i < n; i++)
    data[i] = (uint8_t)(number + i * 7);
  if (n >= 4)
    memcpy(data, &number, 4);
  assert_null(user_try_send(u, data, n, WS_BINARY));
  free(data);
}

void turn(struct user *u) {
  struct pollfd p;
  net_loop_run(u->engine->loop, NET_RUN_NOWAIT);
  p.fd = net_loop_fd(u->engine->loop);
  p.events = POLLIN;
  (void)poll(&p, 1, 1);
}

void until(struct user *u, const int *count, int n) {
  while (*count < n)
    turn(u);
  assert_int_equal(*count, n);
}

void until_closed(struct user *u) {
  until(u, &u->closes, 1);
}

void check_end(const struct user *u, const char *kind, const char *code) {
  assert_string_equal(u->code, code);
  assert_string_equal(base_kind_name(u->kind), kind);
}

void check_clean(const struct user *u, unsigned close_code) {
  assert_string_equal(u->code, "");
  assert_int_equal(u->close_code, close_code);
}

/* ---- the other side ------------------------------------------------------ */

int srv_port;

void srv_listen(void) {
  struct sockaddr_in a;
  socklen_t len = sizeof a;
  memset(&a, 0, sizeof a);
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (listener >= 0) /* of a test that failed */
    (void)close(listener);
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  assert_true(listener >= 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&a, len), 0);
  assert_int_equal(listen(listener, 16), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
  srv_port = ntohs(a.sin_port);
}

int srv_accept(struct user *u) {
  int fd, on = 1;
  while ((fd = accept4(listener, NULL, NULL,
                       SOCK_CLOEXEC | SOCK_NONBLOCK)) < 0)
    turn(u);
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

void srv_squeeze(void) {
  int fd, size = 4096, found = 0;
  for (fd = 3; fd < 256; fd++) {
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    memset(&a, 0, sizeof a);
    if (getpeername(fd, (struct sockaddr *)&a, &len) != 0 ||
        ntohs(a.sin_port) != srv_port)
      continue;
    found++;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size,
                                sizeof size), 0);
  }
  assert_int_equal(found, 1);
}

bool srv_refused(void) {
  struct pollfd p;
  p.fd = listener;
  p.events = POLLIN;
  return poll(&p, 1, 0) == 0;
}

void srv_close(int fd) {
  assert_int_equal(close(fd), 0);
}

void srv_reset(int fd) {
  struct linger hard = {1, 0};
  (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  srv_close(fd);
}

size_t srv_try_send(int fd, const void *data, size_t n) {
  ssize_t took = send(fd, data, n, MSG_NOSIGNAL);
  if (took < 0)
    assert_true(errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
  return took > 0 ? (size_t)took : 0;
}

void srv_send(struct user *u, int fd, const void *data, size_t n) {
  const uint8_t *p = (const uint8_t *)data;
  while (n > 0) {
    ssize_t took = send(fd, p, n, MSG_NOSIGNAL);
    if (took < 0 && errno != EAGAIN)
      return; /* the client has gone: the test sees what is missing */
    if (took > 0) {
      p += took;
      n -= (size_t)took;
    } else {
      turn(u);
    }
  }
}

size_t srv_read(struct user *u, int fd, void *out, size_t n) {
  uint8_t *p = (uint8_t *)out;
  size_t got = 0;
  while (got < n) {
    ssize_t k = recv(fd, p + got, n - got, 0);
    if (k == 0 || (k < 0 && errno != EAGAIN))
      break;
    if (k > 0)
      got += (size_t)k;
    else
      turn(u);
  }
  return got;
}

bool srv_at_end(struct user *u, int fd) {
  uint8_t byte;
  return srv_read(u, fd, &byte, 1) == 0;
}

static void read_head(struct user *u, int fd, char *head, size_t size) {
  size_t n = 0;
  do {
    assert_true(n + 1 < size);
    assert_int_equal(srv_read(u, fd, head + n, 1), 1);
    n++;
    head[n] = '\0';
  } while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0);
}

void srv_answer(struct user *u, int fd, const char *format) {
  char head[4096], accept[WS_ACCEPT_SIZE], answer[4096];
  char *key, *end;
  read_head(u, fd, head, sizeof head);
  assert_memory_equal(head, "GET / HTTP/1.1\r\n", 16);
  key = strstr(head, "Sec-WebSocket-Key: ");
  assert_non_null(key);
  key += 19;
  end = strstr(key, "\r\n");
  *end = '\0';
  ws_handshake_accept(accept, key, tls_sha1);
  end = strstr(format, "%s");
  if (end != NULL)
    (void)snprintf(answer, sizeof answer, "%.*s%s%s", (int)(end - format),
                   format, accept, end + 2);
  else
    (void)snprintf(answer, sizeof answer, "%s", format);
  srv_send(u, fd, answer, strlen(answer));
}

void srv_upgrade(struct user *u, int fd, const char *more_headers) {
  char format[2048];
  (void)snprintf(format, sizeof format, "HTTP/1.1 101 Switching Protocols\r\n"
                 "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: %%s\r\n%s\r\n", more_headers);
  srv_answer(u, fd, format);
}

int srv_open(struct user *u) {
  int fd = srv_accept(u), opens = u->opens + 1;
  srv_upgrade(u, fd, "");
  until(u, &u->opens, opens);
  return fd;
}

size_t put_frame(uint8_t *out, uint8_t first, const void *data, size_t n) {
  struct ws_frame f;
  size_t size;
  memset(&f, 0, sizeof f);
  f.fin = (first & 0x80) != 0;
  f.opcode = first & 0x0f;
  f.len = n;
  size = ws_frame_write(out, &f);
  out[0] = first; /* reserved bits too */
  if (n > 0)
    memcpy(out + size, data, n);
  return size + n;
}

void srv_frame(struct user *u, int fd, uint8_t first, const void *data,
               size_t n) {
  uint8_t *buf = (uint8_t *)malloc(n + WS_FRAME_HEADER_MAX);
  assert_non_null(buf);
  srv_send(u, fd, buf, put_frame(buf, first, data, n));
  free(buf);
}

bool srv_get(struct user *u, int fd, struct frame *f) {
  uint8_t head[WS_FRAME_HEADER_MAX];
  struct ws_frame h;
  size_t have = 0, i;
  int size = 0;
  while (size == 0) {
    assert_true(have < sizeof head);
    if (srv_read(u, fd, head + have, 1) == 0)
      return false;
    have++;
    size = ws_frame_parse(&h, head, have);
    assert_true(size >= 0);
  }
  assert_true(h.masked);
  assert_false(h.rsv1 || h.rsv2 || h.rsv3);
  f->fin = h.fin;
  f->opcode = h.opcode;
  f->len = (size_t)h.len;
  f->data = (uint8_t *)malloc(f->len + 1);
  assert_non_null(f->data);
  if (srv_read(u, fd, f->data, f->len) < f->len) {
    free(f->data);
    return false;
  }
  for (i = 0; i < f->len; i++)
    f->data[i] ^= h.key[i % 4];
  f->data[f->len] = '\0';
  return true;
}

void srv_expect_close(struct user *u, int fd, unsigned code,
                      const char *reason) {
  struct frame f;
  assert_true(srv_get(u, fd, &f));
  assert_int_equal(f.opcode, WS_CLOSE);
  assert_true(f.fin);
  if (code == 0) {
    assert_int_equal(f.len, 0);
  } else {
    assert_true(f.len >= 2);
    assert_int_equal(f.data[0] << 8 | f.data[1], code);
    if (reason != NULL)
      assert_string_equal((char *)f.data + 2, reason);
  }
  free(f.data);
}

void srv_send_close(struct user *u, int fd, unsigned code,
                    const char *reason) {
  uint8_t body[WS_CONTROL_MAX];
  size_t n = strlen(reason);
  body[0] = (uint8_t)(code >> 8);
  body[1] = (uint8_t)code;
  memcpy(body + 2, reason, n);
  srv_frame(u, fd, 0x88, body, code == 0 ? 0 : n + 2);
}
