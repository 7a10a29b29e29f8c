/*
** What the tests of csrc/net share: peers in threads with blocking sockets,
** a stream's diary, and counts of what must come back to where it was.
*/
#ifndef NET_SUPPORT_H
#define NET_SUPPORT_H

#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE 1
#endif

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/stream.h"

/* ---- counts ---- */

/* Before each test: count allocations from here, and open descriptors. At its
** end both are as they were, or it fails. */
void support_begin(void);
void support_end(void);
long support_allocations(void);
void support_fail_allocation(long nth); /* from now; 0: none */

/* A process that is stuck dies. */
void support_watchdog(void);

/* ---- peers ---- */

int support_listen(const char *ip, int backlog, int *port);
int support_connect(const char *ip, int port); /* blocking */

/* Bound, but not listening: who connects is refused. */
int support_refusing(const char *ip, int *port);

struct peer {
  int listener, port;
  pthread_t thread;
  void (*serve)(int fd, void *arg);
  void *arg;
};

/* Accept one connection in a thread, serve it, close it. */
void peer_start(struct peer *p, const char *ip,
                void (*serve)(int fd, void *arg), void *arg);
void peer_join(struct peer *p);

void peer_write(int fd, const void *data, size_t n);
size_t peer_read(int fd, void *data, size_t n); /* less only at the end */
void peer_reset(int fd); /* its end will be a RST */

/* ---- our side ---- */

enum { DIARY_BYTES = 16 * 1024 * 1024 };

struct diary {
  struct net_loop *loop;
  struct net_dial *dial;
  struct net_stream *stream;
  struct base_error *err; /* of the dial */
  uint8_t *data;          /* malloc'd, DIARY_BYTES */
  size_t size;
  int reads, ends, writes, closes, dials, dials_closed;
  int end_err, write_err;
  bool inside;            /* a call of ours into the floor is going on */
  void (*on_read)(struct diary *d);
  void (*on_written)(struct diary *d);
  void (*on_closed)(struct diary *d);
  void (*on_dial)(struct diary *d);
  void (*on_dial_closed)(struct diary *d);
  void *more;
};

extern const struct net_stream_ops diary_stream_ops;
extern const struct net_dial_ops diary_dial_ops;

void diary_init(struct diary *d, struct net_loop *loop);
void diary_deinit(struct diary *d);
void diary_dial(struct diary *d, const char *host, int port,
                const struct net_proxy *proxy);
void diary_close(struct diary *d); /* the stream, and waits for it */

/* Run until '*counter' is at least 'n'. */
void run_until(struct net_loop *loop, const int *counter, int n);
void run_until_bytes(struct diary *d, size_t n);

/* Dial a peer on loopback and wait for the stream. */
void diary_open(struct diary *d, struct net_loop *loop, struct peer *p,
                void (*serve)(int fd, void *arg), void *arg);

const char *error_text_of(const struct base_error *e, const char *field);

#endif
