/*
** Who wants to hear what: named topics and their subscribers. A topic is
** there as long as it has a subscriber.
*/
#ifndef ENGINE_TOPICS_H
#define ENGINE_TOPICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine_subscriber;
struct engine_subscription;
struct engine_topic;

/* One subscriber of a topic. */
struct engine_seat {
  struct engine_subscriber *who;
  struct engine_subscription *subscription;
};

struct engine_bucket {
  struct engine_topic *first;
};

struct engine_topics {
  struct engine_bucket *buckets; /* owned */
  size_t size;                   /* a power of two, or 0 */
  size_t count;                  /* topics */
  size_t subscriptions;
  uint64_t seed;                 /* names may be a peer's choice */
};

/* A subscriber embeds one; zeroed memory has none. */
struct engine_subscriber {
  struct engine_subscription *first;
  size_t count;
};

void engine_topics_init(struct engine_topics *t, uint64_t seed);
/* Nobody subscribes any more. */
void engine_topics_deinit(struct engine_topics *t);

/* 0 (also where it has subscribed before) or BASE_ERR_MEMORY. */
int engine_topics_subscribe(struct engine_topics *t,
                            struct engine_subscriber *who, const char *name,
                            size_t n);
bool engine_topics_subscribed(const struct engine_topics *t,
                              const struct engine_subscriber *who,
                              const char *name, size_t n);
/* False if it had not. */
bool engine_topics_unsubscribe(struct engine_topics *t,
                               struct engine_subscriber *who,
                               const char *name, size_t n);
void engine_topics_leave(struct engine_topics *t,
                         struct engine_subscriber *who);

/* Its subscribers, borrowed until the next change; NULL and 0 for none. */
const struct engine_seat *engine_topics_find(const struct engine_topics *t,
                                             const char *name, size_t n,
                                             size_t *count);

#endif
