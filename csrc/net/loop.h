/*
** One libuv loop, owned by one Lua state, with what its connections share.
** Nothing in this floor blocks except net_loop_run and net_loop_free.
*/
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_loop;

enum net_run {
  NET_RUN_ONCE,  /* wait until something happens, handle it, return */
  NET_RUN_NOWAIT /* handle what is due, return */
};

/* 0 or BASE_ERR_MEMORY (any failure to set up). */
int net_loop_new(struct net_loop **out);

/*
** Close what is left and free the loop. The owners of timers, streams and
** dials must have closed theirs; this runs the loop until their close
** callbacks have run and resolver threads have answered, however long that
** takes them. May be called from inside any callback of this floor, but only
** if control never returns there (os.exit in a handler).
*/
void net_loop_free(struct net_loop *loop);

void net_loop_run(struct net_loop *loop, enum net_run mode);
bool net_loop_running(const struct net_loop *loop); /* inside net_loop_run? */

/*
** While held, net_loop_run(ONCE) waits even if no handle is active, so that
** nobody spins and nobody returns early. Counted.
*/
void net_loop_hold(struct net_loop *loop);
void net_loop_release(struct net_loop *loop);

/* Call 'fn' in every pass, right before the loop would wait. */
void net_loop_before_wait(struct net_loop *loop, void (*fn)(void *ctx),
                          void *ctx);
/* There is something for 'fn' to do: the next pass must not wait before it.
** Cheap; may be called at any time, also before the loop runs. */
void net_loop_wake(struct net_loop *loop);
/* Whoever runs the loop has something to look at: the run that is under way
** must not wait for the network any more. */
void net_loop_hasten(struct net_loop *loop);

/* For another loop: a descriptor to poll for reading, and milliseconds until
** something is due (-1: nothing is). */
int net_loop_fd(const struct net_loop *loop);
int net_loop_timeout_ms(const struct net_loop *loop);

/* Monotonic milliseconds, as of the start of this pass; and as of now. */
uint64_t net_loop_now_ms(const struct net_loop *loop);
uint64_t net_loop_update_ms(struct net_loop *loop);
double net_clock_epoch(void);  /* seconds since 1970, now */
double net_clock_precise(void); /* monotonic seconds, now */

/*
** Handles and requests alive, for the ledger: timers until net_timer_free,
** streams and listeners until their on_closed, questions to the resolver until
** they are answered or detached. The loop's own are not counted.
*/
size_t net_loop_handles(const struct net_loop *loop);

const char *net_error_name(int uv_err); /* "ECONNREFUSED"; for any thread */
const char *net_error_text(int uv_err);
/* Has the peer gone, while what it sent before may still be read? */
bool net_error_is_hangup(int uv_err); /* "connection refused" */
const char *net_version(void);

#endif
