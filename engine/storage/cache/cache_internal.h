/* What the cache's files share: queues of slots, and what a policy fills.
 *
 * C1 A filled slot is in exactly one queue; an empty one in none.
 * C2 A mark is written by hits without a lock and by the policy under it; a hit that is lost
 * between the two costs standing, nothing else. */
#ifndef NQ_STORAGE_CACHE_CACHE_INTERNAL_H
#define NQ_STORAGE_CACHE_CACHE_INTERNAL_H

#include "engine/storage/cache/cache.h"
#include "engine/storage/cache/ghost.h"

enum {
    NQ__QUEUE_NONE = 0,
    NQ__QUEUE_MAIN,
    NQ__QUEUE_SMALL, /* of S3-FIFO: on probation */
    NQ__QUEUE_COUNT,
    NQ__CACHE_LINE_BYTES = 64,
};

/* First in, first out: enters at the head, goes at the tail. */
typedef struct nq__queue {
    uint32_t head; /* slot + 1; 0: empty */
    uint32_t tail;
    uint32_t count;
} nq__queue;

/* A slot's neighbours in its queue (slot + 1; 0: none). */
typedef struct nq__link {
    uint32_t newer;
    uint32_t older;
} nq__link;

typedef struct nq__cache nq__cache;

/* What differs between policies. Everything under the owner's lock. */
typedef struct nq__cache_rules {
    const char *name;
    uint32_t count_max;
    bool is_ordered_by_hits;
    bool has_ghost;
    bool has_refractory_period;
    uint32_t first_queue; /* where a newcomer begins */
    uint32_t (*choose)(nq__cache *cache, nq_cache_may_go may_go, void *user);
    /* Before the slot leaves its queue; NULL: nothing to remember. */
    void (*leave)(nq__cache *cache, uint32_t slot, uint32_t id);
} nq__cache_rules;

extern const nq__cache_rules nq__cache_lru;
extern const nq__cache_rules nq__cache_clock;
extern const nq__cache_rules nq__cache_s3fifo;
extern const nq__cache_rules nq__cache_s3fifo_plain;

struct nq__cache {
    nq_cache head;
    const nq__cache_rules *rules;
    uint8_t *marks;
    size_t mark_stride;
    uint32_t slot_count;
    uint32_t small_max; /* slots on probation before it is their turn to go */
    nq__queue queues[NQ__QUEUE_COUNT];
    nq__link *links;
    uint8_t *queue_of; /* each slot's queue */
    nq__ghost ghost;
    uint64_t evictions;
    uint64_t ghost_hits;
    uint64_t insertions;
    /* What hits read has a line that changes with misses only: the low bits of `insertions`, and
     * how many of them must lie between two hits that count. */
    _Alignas(NQ__CACHE_LINE_BYTES) _Atomic uint32_t clock;
    _Atomic uint32_t refractory_period;
};

static inline nq_cache_mark *nq__cache_mark(nq__cache *cache, uint32_t slot) {
    return (nq_cache_mark *)(void *)(cache->marks + slot * cache->mark_stride);
}

/* Hits that have counted. */
static inline uint32_t nq__cache_count(nq__cache *cache, uint32_t slot) {
    return atomic_load_explicit(&nq__cache_mark(cache, slot)->word, memory_order_relaxed) &
           NQ__CACHE_COUNT_MASK;
}

/* Takes hits back, at most as many as there are. */
void nq__cache_discount(nq__cache *cache, uint32_t slot, uint32_t count);

/* Puts a slot that is in no queue at the head of one; takes it out; does both. */
void nq__cache_enqueue(nq__cache *cache, uint32_t queue, uint32_t slot);
void nq__cache_dequeue(nq__cache *cache, uint32_t slot);
void nq__cache_requeue(nq__cache *cache, uint32_t queue, uint32_t slot);

/* Of a queue that is not empty. */
static inline uint32_t nq__cache_tail(const nq__cache *cache, uint32_t queue) {
    return cache->queues[queue].tail - 1;
}

#endif
