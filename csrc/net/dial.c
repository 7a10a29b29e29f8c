/*
** A dial is driven by one task. What happens (an answer, a socket, the timer)
** is only noted where it comes up; the task then looks at all of it and
** decides, outside of uv_run, and is the only one that calls the owner.
*/
#include "net/posix.h"

#include "net/dial.h"

#include <assert.h>
#include <netdb.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "net/address_private.h"
#include "net/dial_private.h"
#include "net/local_private.h"
#include "net/lookup_private.h"
#include "net/shake_private.h"
#include "net/stream_private.h"
#include "net/timer.h"

unsigned net_dial_attempt_delay_ms = LIMIT_ATTEMPT_DELAY_MS;
unsigned net_dial_resolution_delay_ms = LIMIT_RESOLUTION_DELAY_MS;

enum { IP6, IP4, FAMILIES }; /* in order of preference */
enum { KNOCK_DELAY_MS = 20 };

struct family {
  struct net_lookup *lookup; /* while it has not answered */
  int err;                   /* what it answered instead of addresses */
  size_t count, used;
  union net_endpoint list[LIMIT_ADDRESSES];
};

struct attempt {
  struct net_stream *stream; /* NULL: over */
  const struct sockaddr *to;
  int err;
};

struct net_dial {
  struct net_task task; /* first */
  struct net_loop *loop;
  const struct net_dial_ops *ops;
  void *ctx;
  char *host;       /* or the path of a local socket */
  uint16_t port;
  const struct net_proxy *proxy; /* NULL: none */
  struct family families[FAMILIES];
  struct attempt attempts[LIMIT_ADDRESSES];
  size_t attempted, running;
  int turn;         /* the family whose address is next */
  struct net_timer *timer;
  struct net_stream *winner;
  struct net_shake shake;
  struct sockaddr_un local;
  size_t closing;   /* sockets of ours that have not closed yet */
  bool is_local;
  bool begun;       /* the first attempt was made */
  bool waited;      /* the resolution delay has passed */
  bool due;         /* the next attempt need not wait */
  bool shaking, ended;
};

/* Who is connected to: the proxy, if there is one. */
static const char *dialled_host(const struct net_dial *d) {
  return d->proxy != NULL ? d->proxy->host : d->host;
}

static uint16_t dialled_port(const struct net_dial *d) {
  return d->proxy != NULL ? d->proxy->port : d->port;
}

static void go_on(struct net_dial *d) {
  net_loop_defer(d->loop, &d->task);
}

/* ---- the end ------------------------------------------------------------ */

static void drop_closed(void *ctx) {
  struct net_dial *d = (struct net_dial *)ctx;
  d->closing--;
  if (d->ended)
    go_on(d);
}

static const struct net_stream_ops drop_ops = {NULL, NULL, NULL, drop_closed};

static void drop(struct net_dial *d, struct net_stream *s) {
  d->closing++;
  net_stream_attach(s, &drop_ops, d);
  net_stream_close(s);
}

/* Let go of everything, the winner excepted. */
static void wind_up(struct net_dial *d) {
  size_t i;
  assert(!d->ended);
  d->ended = true;
  for (i = 0; i < FAMILIES; i++) {
    if (d->families[i].lookup != NULL)
      net_lookup_detach(d->families[i].lookup);
    d->families[i].lookup = NULL;
  }
  for (i = 0; i < d->attempted; i++) {
    if (d->attempts[i].stream != NULL)
      drop(d, d->attempts[i].stream);
    d->attempts[i].stream = NULL;
  }
  net_timer_free(d->timer);
  net_shake_deinit(&d->shake);
  go_on(d);
}

static void succeed(struct net_dial *d) {
  struct net_stream *s = d->winner;
  d->winner = NULL;
  wind_up(d);
  d->ops->on_done(d->ctx, s, NULL);
}

static void fail(struct net_dial *d, struct base_error *err) {
  if (d->winner != NULL)
    drop(d, d->winner);
  d->winner = NULL;
  wind_up(d);
  d->ops->on_done(d->ctx, NULL, err);
}

static void bury(struct net_dial *d) {
  const struct net_dial_ops *ops = d->ops;
  void *ctx = d->ctx;
  base_free(d->host);
  base_free(d);
  ops->on_closed(ctx);
}

/* ---- errors ------------------------------------------------------------- */

static struct base_error *name_proxy(const struct net_dial *d,
                                     struct base_error *err) {
  char name[NET_AUTHORITY_SIZE];
  if (d->proxy != NULL) {
    net_authority(name, d->proxy->host, d->proxy->port);
    base_error_text(err, "proxy", name);
  }
  return err;
}

static struct base_error *lookup_error(const struct net_dial *d) {
  return name_proxy(d, net_lookup_error(d->families[IP6].err,
                                        d->families[IP4].err,
                                        d->proxy != NULL ? "the proxy " : "",
                                        dialled_host(d)));
}

static void address_text(char out[NET_AUTHORITY_SIZE],
                         const struct sockaddr *a) {
  char ip[64];
  int port;
  net_address(a, ip, &port);
  net_authority(out, ip, (unsigned)port);
}

/* The last attempt tells best what is wrong, unless it says no more than that
** this machine does not speak the address's family. */
static const struct attempt *telling_attempt(const struct net_dial *d) {
  size_t i;
  for (i = d->attempted; i-- > 0;) {
    int e = d->attempts[i].err;
    if (e != UV_ENETUNREACH && e != UV_EADDRNOTAVAIL && e != UV_EAFNOSUPPORT)
      return &d->attempts[i];
  }
  return &d->attempts[d->attempted - 1];
}

static struct base_error *connect_error(const struct net_dial *d) {
  const struct attempt *best = telling_attempt(d);
  char where[NET_AUTHORITY_SIZE];
  struct base_error *err;
  size_t i;
  address_text(where, best->to);
  err = base_error_new(BASE_KIND_CONNECT, net_error_name(best->err),
                       "could not connect to %s\"%s\" port %u: %s (%s)",
                       d->proxy != NULL ? "the proxy " : "", dialled_host(d),
                       (unsigned)dialled_port(d), net_error_text(best->err),
                       where);
  base_error_text(err, "address", where);
  for (i = 0; i < d->attempted; i++) {
    int e = d->attempts[i].err;
    struct base_error *one;
    address_text(where, d->attempts[i].to);
    one = base_error_new(BASE_KIND_CONNECT, net_error_name(e),
                         "could not connect to %s: %s", where,
                         net_error_text(e));
    base_error_text(one, "address", where);
    base_error_attempt(err, one);
  }
  return name_proxy(d, err);
}

static struct base_error *local_error(const struct net_dial *d) {
  int e = d->attempts[0].err;
  char shown[NET_LOCAL_SHOWN];
  struct base_error *err;
  base_text_clean(shown, sizeof shown, d->host, strlen(d->host), "");
  err = base_error_new(BASE_KIND_CONNECT, net_error_name(e),
                       "could not connect to the local socket \"%s\": %s",
                       shown, net_error_text(e));
  base_error_text(err, "address", d->host);
  return err;
}

/* ---- the proxy ---------------------------------------------------------- */

/* Its answer is only looked at, and what belongs to it then taken: bytes
** behind it are the stream's. */
static void shake_read(struct net_dial *d) {
  uint8_t *buf = d->loop->read_buf;
  while (d->shake.status == NET_SHAKE_MORE) {
    size_t used;
    long n = net_stream_recv(d->winner, buf, LIMIT_PROXY_HEAD_BYTES,
                             MSG_PEEK);
    if (n == UV_EAGAIN)
      return;
    if (n <= 0) {
      net_shake_end(&d->shake, (int)n);
      return;
    }
    used = net_shake_feed(&d->shake, buf, (size_t)n);
    (void)net_stream_recv(d->winner, buf, used, 0);
    if ((size_t)n < LIMIT_PROXY_HEAD_BYTES)
      return;
  }
}

static void shake_write(struct net_dial *d) {
  struct base_buf *out = &d->shake.out;
  long n;
  if (out->len == 0 || d->shake.status != NET_SHAKE_MORE)
    return;
  n = net_stream_send(d->winner, base_buf_data(out), out->len);
  if (n > 0)
    base_buf_consume(out, (size_t)n);
  else if (n != UV_EAGAIN)
    net_shake_end(&d->shake, (int)n);
}

static void on_shake(void *ctx, struct net_stream *s) {
  struct net_dial *d = (struct net_dial *)ctx;
  int events = 0;
  shake_read(d);
  shake_write(d);
  if (d->shake.status == NET_SHAKE_MORE)
    events = UV_READABLE | (d->shake.out.len > 0 ? UV_WRITABLE : 0);
  else
    go_on(d);
  (void)net_stream_watch(s, events, on_shake, d);
}

static void shake_begin(struct net_dial *d) {
  d->shaking = true;
  net_shake_init(&d->shake, d->proxy, d->host, d->port);
  on_shake(d, d->winner);
}

static void shake_done(struct net_dial *d) {
  struct base_error *err = d->shake.err;
  if (d->shake.status == NET_SHAKE_DONE) {
    succeed(d);
  } else if (d->shake.status == NET_SHAKE_FAILED) {
    d->shake.err = NULL;
    fail(d, err);
  }
}

/* ---- the race (RFC 8305) ------------------------------------------------- */

static void on_connect(void *ctx, struct net_stream *s) {
  struct net_dial *d = (struct net_dial *)ctx;
  struct attempt *a = d->attempts;
  (void)net_stream_watch(s, 0, on_connect, d);
  if (d->winner != NULL)
    return; /* second in the same pass */
  while (a->stream != s)
    a++;
  a->err = net_stream_failure(s);
  a->stream = NULL;
  d->running--;
  if (a->err == 0) {
    d->winner = s;
  } else {
    d->due = true;
    drop(d, s);
  }
  go_on(d);
}

/* 4: families in turn, IPv6 first; late answers join in. */
static const struct sockaddr *next_address(struct net_dial *d) {
  int i;
  for (i = 0; i < FAMILIES && d->attempted < LIMIT_ADDRESSES; i++) {
    int which = (d->turn + i) % FAMILIES;
    struct family *f = &d->families[which];
    if (f->used < f->count) {
      d->turn = (which + 1) % FAMILIES;
      return &f->list[f->used++].any;
    }
  }
  return NULL;
}

static void attempt(struct net_dial *d, const struct sockaddr *to) {
  struct attempt *a = &d->attempts[d->attempted++];
  d->begun = true;
  a->to = to;
  a->err = net_stream_connect(&a->stream, d->loop, to, on_connect, d);
  d->due = a->err != 0;
  if (a->err == 0) {
    d->running++;
    net_timer_start(d->timer, net_dial_attempt_delay_ms); /* 5 */
  } else {
    a->stream = NULL;
  }
}

/* 3: begin with an answer for IPv6, or some time after one for IPv4. */
static bool may_begin(const struct net_dial *d) {
  return d->begun || d->waited || d->families[IP6].lookup == NULL;
}

static void race(struct net_dial *d) {
  while (may_begin(d) && (d->running == 0 || d->due)) {
    const struct sockaddr *to = next_address(d);
    if (to == NULL)
      break;
    attempt(d, to);
  }
  if (d->running > 0 || d->families[IP6].lookup != NULL ||
      d->families[IP4].lookup != NULL)
    return;
  /* A family that is not used up now was passed over for their number. */
  if (d->attempted > 0)
    fail(d, connect_error(d));
  else
    fail(d, lookup_error(d));
}

/* ---- a local socket ------------------------------------------------------ */

/*
** Nothing to find out and nothing to race. A full queue refuses for a moment
** (EAGAIN): ask again until somebody gives up.
*/
static void knock(struct net_dial *d) {
  struct attempt *a = &d->attempts[0];
  if (d->running > 0)
    return;
  d->begun = true;
  d->attempted = 1;
  a->to = (const struct sockaddr *)(const void *)&d->local;
  if (a->err == 0 || a->err == UV_EAGAIN)
    a->err = net_stream_connect(&a->stream, d->loop, a->to, on_connect, d);
  if (a->err == 0) {
    d->running = 1;
    return;
  }
  a->stream = NULL;
  if (a->err == UV_EAGAIN)
    net_timer_start(d->timer, KNOCK_DELAY_MS);
  else
    fail(d, local_error(d));
}

/* ---- what comes next ----------------------------------------------------- */

static void on_timer(void *ctx) {
  struct net_dial *d = (struct net_dial *)ctx;
  if (d->begun)
    d->due = true;
  else
    d->waited = true;
  go_on(d);
}

static void step(struct net_task *task) {
  struct net_dial *d = (struct net_dial *)task;
  if (d->ended) {
    if (d->closing == 0)
      bury(d);
  } else if (d->winner == NULL && d->is_local) {
    knock(d);
  } else if (d->winner == NULL) {
    race(d);
  } else if (d->proxy == NULL) {
    succeed(d);
  } else if (!d->shaking) {
    shake_begin(d);
  } else {
    shake_done(d);
  }
}

/* ---- the addresses ------------------------------------------------------- */

static void add_address(struct net_dial *d, struct family *f,
                        const struct addrinfo *ai) {
  if (f->count == LIMIT_ADDRESSES ||
      !net_endpoint_take(&f->list[f->count], ai->ai_addr, ai->ai_addrlen))
    return;
  net_endpoint_set_port(&f->list[f->count++], dialled_port(d));
}

static void on_answer(void *ctx, int family, int uv_err,
                      const struct addrinfo *list) {
  struct net_dial *d = (struct net_dial *)ctx;
  struct family *f = &d->families[family == AF_INET6 ? IP6 : IP4];
  f->lookup = NULL;
  f->err = uv_err;
  for (; uv_err == 0 && list != NULL; list = list->ai_next)
    if (list->ai_family == family)
      add_address(d, f, list);
  if (!may_begin(d) && f->count > 0)
    net_timer_start(d->timer, net_dial_resolution_delay_ms);
  go_on(d);
}

/* An address needs no resolver. */
static bool take_literal(struct net_dial *d) {
  union net_endpoint to;
  int family = net_endpoint_parse(&to, dialled_host(d), dialled_port(d));
  struct family *f = &d->families[family == AF_INET6 ? IP6 : IP4];
  if (family == 0)
    return false;
  f->list[0] = to;
  f->count = 1;
  return true;
}

/* Only a want of memory is a failure here; the rest is an answer. */
static int look_up(struct net_dial *d) {
  static const int families[FAMILIES] = {AF_INET6, AF_INET};
  int i;
  for (i = 0; i < FAMILIES; i++) {
    struct family *f = &d->families[i];
    f->err = net_lookup_start(&f->lookup, d->loop, dialled_host(d),
                              families[i], on_answer, d);
    if (f->err == UV_ENOMEM)
      return BASE_ERR_MEMORY;
  }
  return 0;
}

/* Where to: 0 or BASE_ERR_MEMORY. */
static int aim(struct net_dial *d, const struct net_dial_conf *conf) {
  d->is_local = conf->path != NULL;
  d->host = base_strdup(d->is_local ? conf->path : conf->host);
  if (d->host == NULL)
    return BASE_ERR_MEMORY;
  if (d->is_local) {
    d->attempts[0].err = net_address_local(&d->local, d->host);
    return 0;
  }
  d->port = conf->port;
  if (conf->proxy != NULL && conf->proxy->type != NET_PROXY_NONE)
    d->proxy = conf->proxy;
  return take_literal(d) ? 0 : look_up(d);
}

int net_dial_start(struct net_dial **out, struct net_loop *loop,
                   const struct net_dial_conf *conf,
                   const struct net_dial_ops *ops, void *ctx) {
  struct net_dial *d = (struct net_dial *)base_calloc(1, sizeof *d);
  if (d == NULL)
    return BASE_ERR_MEMORY;
  d->task.run = step;
  d->loop = loop;
  d->ops = ops;
  d->ctx = ctx;
  d->timer = net_timer_new(loop, on_timer, d);
  if (d->timer == NULL || aim(d, conf) != 0) {
    if (d->families[IP6].lookup != NULL)
      net_lookup_detach(d->families[IP6].lookup);
    net_timer_free(d->timer);
    base_free(d->host);
    base_free(d);
    return BASE_ERR_MEMORY;
  }
  go_on(d);
  *out = d;
  return 0;
}

void net_dial_cancel(struct net_dial *d) {
  if (d->winner != NULL)
    drop(d, d->winner);
  d->winner = NULL;
  wind_up(d);
}
