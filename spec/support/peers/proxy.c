/*
** A TCP proxy that misbehaves as it is told, for specs.
**
**   proxy PORT            passes on to 127.0.0.1:PORT; prints `ready OWN_PORT`
**
** Lines on its standard input say what happens to connections that come from
** then on; each is answered with `ok`:
**
**   fault KIND DIRECTION OFFSET [NUMBER]
**     KIND       none, or one of the list below
**     DIRECTION  up (from the client) or down (from the server)
**     OFFSET     how many bytes of that direction pass before it happens
**     NUMBER     milliseconds of delay, bytes of a dribble
**   random SEED PERCENT BYTES [KIND]
**                a fault of any kind (but that one) for so many of a hundred
**                connections, within the first so many bytes; no bit is turned
**                over in a handshake. All that live on after it are cut or
**                reset within ten times as many
**   stats        connections, those that are open, and each kind's count
**
** Bytes are never put in another order.
*/
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 64 * 1024, EVENTS = 256, TICK_MS = 5, HANDSHAKE = 8192, STOPPED_MS = 10000 };

#define KINDS(X) \
  X(NONE, "none") \
  X(REFUSE, "refuse")   /* a RST instead of a connection */ \
  X(CUT, "cut")         /* FIN both ways, and closed */ \
  X(RESET, "reset")     /* RST both ways */ \
  X(HALF, "half")       /* FIN in this direction, the other one goes on */ \
  X(HOLE, "hole")       /* bytes of this direction vanish */ \
  X(STALL, "stall")     /* bytes of this direction are not read any more, for
                           ten seconds: then a RST */ \
  X(FLIP, "flip")       /* one bit of one byte */ \
  X(DELAY, "delay")     /* bytes of this direction come later */ \
  X(DRIBBLE, "dribble") /* a few bytes in a tick */

#define ENUM(name, text) name,
enum kind { KINDS(ENUM) KIND_COUNT };
#define TEXT(name, text) text,
static const char *const kinds[] = {KINDS(TEXT)};

struct fault {
  enum kind kind;
  int direction; /* 0: up, 1: down */
  uint64_t offset;
  long number;
};

struct pipe {
  int from, to;       /* descriptors of the link */
  unsigned char *buf; /* ROOM bytes, while there is something in it */
  size_t start, end;
  uint64_t passed;    /* bytes read */
  int64_t due_ms;     /* of what is in 'buf' */
  bool fin, told_fin; /* the end was read, and passed on */
  bool stopped;       /* nothing is read any more */
};

struct link {
  struct link *next, **at;
  int fd[2]; /* client's, server's */
  bool connected, dead;
  struct fault fault;
  bool done; /* the fault has happened */
  uint64_t life; /* bytes of both directions that it may see; 0: any number */
  int64_t stopped_ms;
  struct pipe pipe[2];
};

static struct link *links;
static struct fault next_fault;
static uint64_t seed;
static int percent;
static uint64_t within;
static enum kind but;
static uint64_t counts[KIND_COUNT], accepted, open_links;
static int epoll, door;
static struct sockaddr_in target;

static int64_t now_ms(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* xorshift64*: the same seed, the same faults. */
static uint64_t dice(uint64_t sides) {
  seed ^= seed >> 12;
  seed ^= seed << 25;
  seed ^= seed >> 27;
  return (seed * UINT64_C(2685821657736338717) >> 11) % sides;
}

static struct fault pick(void) {
  struct fault f = next_fault;
  if (percent > 0) {
    memset(&f, 0, sizeof f);
    if (dice(100) < (uint64_t)percent) {
      do
        f.kind = (enum kind)(1 + dice(KIND_COUNT - 1));
      while (f.kind == but);
      f.direction = (int)dice(2);
      f.offset = dice(within);
      if (f.kind == FLIP) /* a certificate that is wrong stays wrong, to the */
        f.offset += HANDSHAKE; /* client: not in there */
      f.number = f.kind == DELAY ? 1 + (long)dice(50) : 1 + (long)dice(4096);
    }
  }
  return f;
}

/* ---- links --------------------------------------------------------------- */

static void watch(struct link *l) {
  int i;
  for (i = 0; i < 2; i++) {
    const struct pipe *in = &l->pipe[i], *out = &l->pipe[1 - i];
    struct epoll_event ev;
    memset(&ev, 0, sizeof ev);
    if (in->end == 0 && !in->fin && !in->stopped && (l->connected || i == 0))
      ev.events |= EPOLLIN;
    if ((out->end > 0 && out->due_ms == 0) || (i == 1 && !l->connected))
      ev.events |= EPOLLOUT;
    /* Nothing is read that would make the end of a peer go away. */
    if (l->pipe[0].stopped || l->pipe[1].stopped)
      ev.events |= EPOLLET;
    ev.data.ptr = l;
    (void)epoll_ctl(epoll, EPOLL_CTL_MOD, l->fd[i], &ev);
  }
}

static void end(struct link *l, bool hard) {
  struct linger now = {1, 0};
  int i;
  if (l->dead)
    return;
  l->dead = true;
  open_links--;
  for (i = 0; i < 2; i++) {
    if (hard)
      (void)setsockopt(l->fd[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
    (void)close(l->fd[i]);
    free(l->pipe[i].buf);
    l->pipe[i].buf = NULL;
  }
}

static bool again(ssize_t n) {
  return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* What the fault makes of the 'n' bytes that were just read into the pipe. How
** many of them are to be passed on. */
static size_t spoil(struct link *l, struct pipe *p, size_t n) {
  uint64_t before = p->passed, at;
  p->passed += n;
  if (l->life != 0 && l->pipe[0].passed + l->pipe[1].passed > l->life) {
    l->fault.kind = l->life % 2 != 0 ? RESET : CUT;
    l->fault.direction = p == &l->pipe[1];
    l->fault.offset = before;
    l->done = false;
    l->life = 0;
  }
  at = l->fault.offset;
  if (p != &l->pipe[l->fault.direction] || p->passed <= at)
    return n;
  if (!l->done)
    counts[l->fault.kind]++;
  if (l->fault.kind == FLIP && !l->done)
    p->buf[at - before] ^= 1;
  if (l->fault.kind == DELAY)
    p->due_ms = now_ms() + l->fault.number;
  if (l->fault.kind == DRIBBLE)
    p->due_ms = now_ms() + TICK_MS;
  if (l->fault.kind == HOLE)
    n = before >= at ? 0 : (size_t)(at - before);
  if (l->fault.kind == CUT || l->fault.kind == RESET ||
      l->fault.kind == HALF || l->fault.kind == STALL) {
    n = before >= at ? 0 : (size_t)(at - before);
    p->stopped = true;
    l->stopped_ms = now_ms();
    p->fin = l->fault.kind != STALL;
  }
  l->done = true;
  return n;
}

/* Pass on what may be. False: the link is over. */
static bool push(struct link *l, struct pipe *p) {
  while (p->start < p->end && p->due_ms == 0) {
    size_t n = p->end - p->start;
    bool drop = l->fault.kind == DRIBBLE && l->done &&
                p == &l->pipe[l->fault.direction];
    ssize_t took;
    if (drop && n > (size_t)l->fault.number)
      n = (size_t)l->fault.number;
    took = send(p->to, p->buf + p->start, n, MSG_NOSIGNAL);
    if (again(took))
      return true;
    if (took < 0)
      return false;
    p->start += (size_t)took;
    if (drop && p->start < p->end)
      p->due_ms = now_ms() + TICK_MS;
  }
  if (p->start == p->end) {
    p->start = p->end = 0;
    free(p->buf);
    p->buf = NULL;
    if (p->fin && !p->told_fin) {
      p->told_fin = true;
      if (p->stopped && l->fault.kind == RESET) {
        end(l, true);
        return true;
      }
      (void)shutdown(p->to, SHUT_WR);
      if (p->stopped && l->fault.kind == CUT)
        return false;
    }
  }
  return true;
}

static bool pull(struct link *l, struct pipe *p) {
  ssize_t n;
  if (p->end > 0 || p->fin || p->stopped)
    return true;
  p->buf = (unsigned char *)malloc(ROOM);
  if (p->buf == NULL)
    return false;
  n = recv(p->from, p->buf, ROOM, 0);
  if (n > 0) {
    p->end = spoil(l, p, (size_t)n);
  } else if (n == 0) {
    p->fin = true;
  } else if (!again(n)) {
    end(l, true); /* as it came */
    return true;
  }
  return push(l, p);
}

static void go_on(struct link *l, uint32_t events) {
  int i;
  if (l->dead)
    return;
  if (!l->connected) {
    int err = 0;
    socklen_t size = sizeof err;
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0)
      return;
    (void)getsockopt(l->fd[1], SOL_SOCKET, SO_ERROR, &err, &size);
    if (err != 0) {
      end(l, true);
      return;
    }
    l->connected = true;
  }
  for (i = 0; i < 2 && !l->dead; i++)
    if (!push(l, &l->pipe[i]) || (!l->dead && !pull(l, &l->pipe[i])))
      end(l, false);
  if (!l->dead && l->pipe[0].told_fin && l->pipe[1].told_fin)
    end(l, false);
  if (!l->dead)
    watch(l);
}

static void accept_one(void) {
  struct linger hard = {1, 0};
  struct epoll_event ev;
  struct link *l;
  int on = 1, fd = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0)
    return;
  l = (struct link *)calloc(1, sizeof *l);
  if (l == NULL)
    exit(1);
  accepted++;
  l->fault = pick();
  if (percent > 0)
    l->life = 1 + dice(10 * within);
  if (l->fault.kind == REFUSE) {
    counts[REFUSE]++;
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    (void)close(fd);
    free(l);
    return;
  }
  l->fd[0] = fd;
  l->fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  (void)setsockopt(l->fd[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  (void)setsockopt(l->fd[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  (void)connect(l->fd[1], (struct sockaddr *)&target, sizeof target);
  l->pipe[0].from = l->pipe[1].to = l->fd[0];
  l->pipe[1].from = l->pipe[0].to = l->fd[1];
  l->next = links;
  if (links != NULL)
    links->at = &l->next;
  l->at = &links;
  links = l;
  open_links++;
  memset(&ev, 0, sizeof ev);
  ev.data.ptr = l;
  (void)epoll_ctl(epoll, EPOLL_CTL_ADD, l->fd[0], &ev);
  (void)epoll_ctl(epoll, EPOLL_CTL_ADD, l->fd[1], &ev);
  watch(l);
}

/* ---- time and memory ------------------------------------------------------- */

static void sweep(void) {
  int64_t now = now_ms();
  struct link *l = links, *next;
  for (; l != NULL; l = next) {
    int i;
    next = l->next;
    for (i = 0; i < 2 && !l->dead; i++) {
      struct pipe *p = &l->pipe[i];
      if (p->due_ms != 0 && p->due_ms <= now) {
        p->due_ms = 0;
        if (l->connected)
          go_on(l, 0);
      }
    }
    if (l->stopped_ms != 0 && now - l->stopped_ms > STOPPED_MS)
      end(l, true);
    if (l->dead) {
      *l->at = l->next;
      if (l->next != NULL)
        l->next->at = l->at;
      free(l);
    }
  }
}

/* ---- orders ---------------------------------------------------------------- */

static enum kind kind_of(const char *name) {
  int i;
  for (i = 1; i < KIND_COUNT; i++)
    if (strcmp(kinds[i], name) == 0)
      return (enum kind)i;
  return NONE;
}

static void obey(const char *line) {
  char kind[16] = "", direction[8] = "";
  unsigned long long a = 0, b = 0, c = 0;
  int i;
  if (sscanf(line, "fault %15s %7s %llu %llu", kind, direction, &a, &b) >= 1) {
    memset(&next_fault, 0, sizeof next_fault);
    percent = 0;
    next_fault.kind = kind_of(kind);
    next_fault.direction = strcmp(direction, "down") == 0;
    next_fault.offset = a;
    next_fault.number = (long)(b > 0 ? b : 1);
    (void)printf("ok\n");
  } else if (sscanf(line, "random %llu %llu %llu %15s", &a, &b, &c, kind) >=
             3) {
    but = kind_of(kind);
    seed = a * 2 + 1;
    percent = (int)b;
    within = c > 0 ? c : 1;
    (void)printf("ok\n");
  } else {
    (void)printf("accepted %llu open %llu", (unsigned long long)accepted,
                 (unsigned long long)open_links);
    for (i = 1; i < KIND_COUNT; i++)
      (void)printf(" %s %llu", kinds[i], (unsigned long long)counts[i]);
    (void)printf("\n");
  }
  (void)fflush(stdout);
}

static bool read_orders(void) {
  static char text[4096];
  static size_t used;
  ssize_t n = read(STDIN_FILENO, text + used, sizeof text - used - 1);
  char *line, *stop;
  if (n <= 0)
    return again(n);
  used += (size_t)n;
  text[used] = '\0';
  for (line = text; (stop = strchr(line, '\n')) != NULL; line = stop + 1) {
    *stop = '\0';
    obey(line);
  }
  used = strlen(line);
  memmove(text, line, used + 1);
  return true;
}

static int listen_anywhere(void) {
  struct sockaddr_in me;
  socklen_t size = sizeof me;
  memset(&me, 0, sizeof me);
  me.sin_family = AF_INET;
  me.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (bind(door, (struct sockaddr *)&me, size) != 0 ||
      listen(door, 1024) != 0 ||
      getsockname(door, (struct sockaddr *)&me, &size) != 0)
    return -1;
  return ntohs(me.sin_port);
}

int main(int argc, char **argv) {
  struct epoll_event ev, events[EVENTS];
  int i, n, port;
  bool orders;
  if (argc != 2)
    return 2;
  (void)signal(SIGPIPE, SIG_IGN);
  target.sin_family = AF_INET;
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  target.sin_port = htons((uint16_t)atoi(argv[1]));
  epoll = epoll_create1(EPOLL_CLOEXEC);
  port = listen_anywhere();
  if (port < 0 || epoll < 0) {
    perror("proxy");
    return 1;
  }
  memset(&ev, 0, sizeof ev);
  ev.events = EPOLLIN;
  ev.data.ptr = NULL;
  (void)epoll_ctl(epoll, EPOLL_CTL_ADD, door, &ev);
  ev.data.ptr = &door;
  orders = epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &ev) == 0;
  (void)printf("ready %d\n", port);
  (void)fflush(stdout);
  for (;;) {
    n = epoll_wait(epoll, events, EVENTS, TICK_MS);
    for (i = 0; i < n; i++) {
      if (events[i].data.ptr == NULL)
        accept_one();
      else if (events[i].data.ptr == &door)
        orders = orders && read_orders();
      else
        go_on((struct link *)events[i].data.ptr, events[i].events);
      if (!orders)
        (void)epoll_ctl(epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    }
    sweep();
  }
}
