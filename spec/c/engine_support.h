/*
** What the tests of csrc/engine share: a client that keeps a diary, and the
** other end of its socket in the same thread, byte by byte in the test's hands.
*/
#ifndef ENGINE_SUPPORT_H
#define ENGINE_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/client.h"
#include "engine/engine.h"

/* ---- the client's side --------------------------------------------------- */

enum { OUTCOMES = 3, MESSAGES_KEPT = 4096 };

struct user {
  struct engine *engine;
  struct engine_socket *client; /* NULL once detached */
  int opens, messages, drains, pings, pongs, downs, closes;
  size_t message_bytes;
  bool text;               /* of the last message */
  char last[200];          /* its beginning, or that of a ping or pong */
  size_t last_len;
  double seconds;          /* of the last pong */
  uint32_t sum;            /* over all bytes of all messages, in order */
  unsigned attempt;        /* of the last open */
  double delay;            /* the answer to on_down; negative: no more */
  enum base_kind kind;     /* why it went down or closed the last time */
  char code[56];           /* "" when clean */
  uint16_t close_code;
  char reason[128];
  double close_field;      /* of the error; 0 without */
  int told[OUTCOMES];      /* releases by outcome */
  int sent;                /* accepted items */
  int order[MESSAGES_KEPT]; /* outcome by number of the item; -1 before */
  void (*hook)(struct user *u, const char *event);
  int hooked;              /* free for the hook */
};

/* Limits for tests: no keepalive, long times. Change them before user_dial. */
extern struct engine_limits limits;

void user_init(struct user *u); /* also counts memory from here */
void user_dial(struct user *u);  /* to the listener of this test */
void user_dial_to(struct user *u, const char *url);
/* Everything is closed, nothing is left, every item was told once. */
void user_deinit(struct user *u);

/* Send 'n' bytes that say which message they are of. */
void user_send(struct user *u, size_t n);
struct base_error *user_try_send(struct user *u, const void *data, size_t n,
                                 uint8_t opcode);
struct engine_item *user_item(struct user *u, const void *data, size_t n,
                              uint8_t opcode);
void user_discard(struct user *u, struct engine_item *item);

/* Run the loop until an event was counted up to 'n'. */
void until(struct user *u, const int *count, int n);
void until_closed(struct user *u);
void turn(struct user *u); /* one pass, at most a millisecond */

void check_end(const struct user *u, const char *kind, const char *code);
void check_clean(const struct user *u, unsigned close_code);

long heap_blocks(void);
size_t heap_bytes(void);
void heap_fail(long nth); /* from now, once; 0: none */

/* ---- the other side ------------------------------------------------------ */

extern int srv_port;

void srv_listen(void);
int srv_accept(struct user *u); /* runs the loop meanwhile */
void srv_close(int fd);
void srv_reset(int fd);
/* The client's end gets a small buffer in the kernel: writes are partial. */
void srv_squeeze(void);
bool srv_refused(void); /* does nobody wait to be accepted? */

void srv_send(struct user *u, int fd, const void *data, size_t n);
/* At most what the kernel takes now. */
size_t srv_try_send(int fd, const void *data, size_t n);
/* Exactly 'n' bytes; less at the end. */
size_t srv_read(struct user *u, int fd, void *out, size_t n);
/* True when the client has closed or reset. */
bool srv_at_end(struct user *u, int fd);

/* Read the request and answer it with 101. */
void srv_upgrade(struct user *u, int fd, const char *more_headers);
/* The same with whatever answer; "%s" in it is the right accept. */
void srv_answer(struct user *u, int fd, const char *format);
int srv_open(struct user *u); /* accept and upgrade */

size_t put_frame(uint8_t *out, uint8_t first, const void *data, size_t n);
void srv_frame(struct user *u, int fd, uint8_t first, const void *data,
               size_t n);

struct frame {
  bool fin;
  uint8_t opcode;
  size_t len;
  uint8_t *data; /* malloc'd, and one NUL behind */
};
/* False at the end. Checks that it is masked. Free with free(f->data). */
bool srv_get(struct user *u, int fd, struct frame *f);
/* A close frame with that code and reason comes next. */
void srv_expect_close(struct user *u, int fd, unsigned code,
                      const char *reason);
void srv_send_close(struct user *u, int fd, unsigned code,
                    const char *reason);

#endif
