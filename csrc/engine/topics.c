#include "engine/topics.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

struct engine_topic {
  struct engine_topic *next; /* in its bucket */
  uint64_t hash;
  struct engine_seat *seats; /* owned */
  size_t count, room;
  size_t len;
  char name[]; /* 'len' bytes */
};

struct engine_subscription {
  struct engine_subscription *next, **at; /* of one subscriber */
  struct engine_topic *topic;
  struct engine_subscriber *who;
  size_t index; /* of its seat */
};

void engine_topics_init(struct engine_topics *t, uint64_t seed) {
  memset(t, 0, sizeof *t);
  t->seed = seed;
}

void engine_topics_deinit(struct engine_topics *t) {
  base_free(t->buckets);
  t->buckets = NULL;
  t->size = 0;
}

/* ---- names -------------------------------------------------------------- */

/* Whoever does not know the seed cannot choose names that collide on purpose
** without seeing where they land, and nobody is shown that. */
static uint64_t mix(uint64_t h) {
  h ^= h >> 32;
  h *= UINT64_C(0xd6e8feb86659fd93);
  h ^= h >> 32;
  h *= UINT64_C(0xd6e8feb86659fd93);
  h ^= h >> 32;
  return h;
}

static uint64_t hash_of(const struct engine_topics *t, const char *name,
                        size_t n) {
  uint64_t h = t->seed ^ n, word;
  while (n >= sizeof word) {
    memcpy(&word, name, sizeof word);
    h = mix(h ^ word) + t->seed;
    name += sizeof word;
    n -= sizeof word;
  }
  word = 0;
  if (n > 0)
    memcpy(&word, name, n);
  return mix(h ^ word);
}

static struct engine_topic *find(const struct engine_topics *t, uint64_t hash,
                                 const char *name, size_t n) {
  struct engine_topic *p;
  if (t->size == 0)
    return NULL;
  for (p = t->buckets[hash & (t->size - 1)].first; p != NULL; p = p->next)
    if (p->hash == hash && p->len == n &&
        (n == 0 || memcmp(p->name, name, n) == 0))
      return p;
  return NULL;
}

/* Where it cannot grow it only becomes slower. */
static void grow(struct engine_topics *t) {
  size_t size = t->size > 0 ? 2 * t->size : 16, i;
  struct engine_bucket *buckets;
  buckets = (struct engine_bucket *)base_calloc(size, sizeof *buckets);
  if (buckets == NULL)
    return;
  for (i = 0; i < t->size; i++) {
    while (t->buckets[i].first != NULL) {
      struct engine_topic *p = t->buckets[i].first;
      t->buckets[i].first = p->next;
      p->next = buckets[p->hash & (size - 1)].first;
      buckets[p->hash & (size - 1)].first = p;
    }
  }
  base_free(t->buckets);
  t->buckets = buckets;
  t->size = size;
}

static struct engine_topic *make(struct engine_topics *t, uint64_t hash,
                                 const char *name, size_t n) {
  struct engine_topic *p;
  if (t->count >= t->size)
    grow(t);
  if (t->size == 0)
    return NULL;
  p = (struct engine_topic *)base_calloc(1, sizeof *p + n);
  if (p == NULL)
    return NULL;
  p->hash = hash;
  p->len = n;
  if (n > 0)
    memcpy(p->name, name, n);
  p->next = t->buckets[hash & (t->size - 1)].first;
  t->buckets[hash & (t->size - 1)].first = p;
  t->count++;
  return p;
}

static void drop_if_empty(struct engine_topics *t, struct engine_topic *p) {
  struct engine_topic **at;
  if (p->count > 0)
    return;
  at = &t->buckets[p->hash & (t->size - 1)].first;
  while (*at != p)
    at = &(*at)->next;
  *at = p->next;
  t->count--;
  base_free(p->seats);
  base_free(p);
}

/* ---- subscriptions ------------------------------------------------------- */

/* The shorter of the two lists is searched. */
static struct engine_subscription *
subscription(const struct engine_topic *p,
             const struct engine_subscriber *who) {
  struct engine_subscription *s;
  size_t i;
  if (p->count < who->count) {
    for (i = 0; i < p->count; i++)
      if (p->seats[i].who == who)
        return p->seats[i].subscription;
    return NULL;
  }
  for (s = who->first; s != NULL; s = s->next)
    if (s->topic == p)
      return s;
  return NULL;
}

static bool reserve(struct engine_topic *p) {
  size_t room = p->room > 0 ? 2 * p->room : 4;
  struct engine_seat *seats;
  if (p->count < p->room)
    return true;
  seats = (struct engine_seat *)base_realloc(p->seats, room * sizeof *seats);
  if (seats == NULL)
    return false;
  p->seats = seats;
  p->room = room;
  return true;
}

int engine_topics_subscribe(struct engine_topics *t,
                            struct engine_subscriber *who, const char *name,
                            size_t n) {
  uint64_t hash = hash_of(t, name, n);
  struct engine_topic *p = find(t, hash, name, n);
  struct engine_subscription *s;
  if (p != NULL && subscription(p, who) != NULL)
    return 0;
  if (p == NULL)
    p = make(t, hash, name, n);
  if (p == NULL)
    return BASE_ERR_MEMORY;
  s = (struct engine_subscription *)base_calloc(1, sizeof *s);
  if (s == NULL || !reserve(p)) {
    base_free(s);
    drop_if_empty(t, p);
    return BASE_ERR_MEMORY;
  }
  s->topic = p;
  s->who = who;
  s->index = p->count;
  p->seats[p->count].who = who;
  p->seats[p->count++].subscription = s;
  s->next = who->first;
  s->at = &who->first;
  if (s->next != NULL)
    s->next->at = &s->next;
  who->first = s;
  who->count++;
  t->subscriptions++;
  return 0;
}

static void cancel(struct engine_topics *t, struct engine_subscription *s) {
  struct engine_topic *p = s->topic;
  size_t last = --p->count;
  p->seats[s->index] = p->seats[last];
  p->seats[s->index].subscription->index = s->index;
  *s->at = s->next;
  if (s->next != NULL)
    s->next->at = s->at;
  s->who->count--;
  t->subscriptions--;
  base_free(s);
  drop_if_empty(t, p);
}

bool engine_topics_subscribed(const struct engine_topics *t,
                              const struct engine_subscriber *who,
                              const char *name, size_t n) {
  const struct engine_topic *p = find(t, hash_of(t, name, n), name, n);
  return p != NULL && subscription(p, who) != NULL;
}

bool engine_topics_unsubscribe(struct engine_topics *t,
                               struct engine_subscriber *who,
                               const char *name, size_t n) {
  struct engine_topic *p = find(t, hash_of(t, name, n), name, n);
  struct engine_subscription *s = p != NULL ? subscription(p, who) : NULL;
  if (s == NULL)
    return false;
  cancel(t, s);
  return true;
}

void engine_topics_leave(struct engine_topics *t,
                         struct engine_subscriber *who) {
  while (who->first != NULL)
    cancel(t, who->first);
}

const struct engine_seat *engine_topics_find(const struct engine_topics *t,
                                             const char *name, size_t n,
                                             size_t *count) {
  const struct engine_topic *p = find(t, hash_of(t, name, n), name, n);
  *count = p != NULL ? p->count : 0;
  return p != NULL ? p->seats : NULL;
}
