/* Cache: which of the things held in memory goes when another must come in.
 *
 * A policy orders *slots* (places in memory, numbered from 0) that hold *ids* (what is there, never
 * 0). It owns no memory but its order, moves no data and waits for nothing; whoever owns the slots
 * asks it for a victim, says what came, went and was used again, and does all the work.
 *
 * A hit must cost next to nothing, so it takes no lock: it looks at the slot's *mark*, a word that
 * stands where the hit's path is anyway (in the owner's frame), and writes to it only while the
 * mark is not full. Everything else happens under one lock of the owner's.
 *
 *     hit     nq_cache_touch                                              no lock
 *     miss    nq_cache_choose, (the owner empties the slot), nq_cache_evict, nq_cache_insert
 *     freed   nq_cache_remove
 */
#ifndef NQ_STORAGE_CACHE_CACHE_H
#define NQ_STORAGE_CACHE_CACHE_H

#include <stdatomic.h>

#include "engine/ground/base/ctx.h"

typedef enum nq_cache_policy {
    /* S3-FIFO with a refractory period: hits in quick succession count as one. The default. */
    NQ_CACHE_S3FIFO,
    /* Second chance. */
    NQ_CACHE_CLOCK,
    /* Least recently used. A hit takes the owner's lock, if it is free. */
    NQ_CACHE_LRU,
    /* S3-FIFO as published, for comparison. */
    NQ_CACHE_S3FIFO_PLAIN,
    NQ_CACHE_POLICY_COUNT,
} nq_cache_policy;

/* As settings spell it: "s3fifo", "clock", "lru", "s3fifo-plain". */
const char *nq_cache_policy_name(nq_cache_policy policy);
/* False: there is none of that name. */
bool nq_cache_policy_find(const char *name, nq_cache_policy *out_policy);

/* What hits leave behind: how many have counted since the slot was filled or last passed over, and
 * when the last of them did. All zero: none. */
typedef struct nq_cache_mark {
    _Atomic uint32_t word;
} nq_cache_mark;

/* What a hit looks at; the rest is private. */
enum { NQ__CACHE_COUNT_BITS = 2, NQ__CACHE_COUNT_MASK = (1 << NQ__CACHE_COUNT_BITS) - 1 };
typedef struct nq_cache {
    uint32_t count_max; /* hits that a mark tells apart; more change nothing */
} nq_cache;

/* Of slots 0 … slot_count - 1; slot i's mark stands at `marks` + i * `mark_stride` bytes and
 * belongs to the cache while the slot is filled. Fails with NQ_MEMORY_LIMIT. */
nq_status nq_cache_create(nq_ctx *ctx, nq_cache_policy policy, uint32_t slot_count,
                          nq_cache_mark *marks, size_t mark_stride, nq_cache **out_cache);
void nq_cache_destroy(nq_cache *cache);

/* The memory that a cache of so many slots takes, beside its marks. */
size_t nq_cache_bytes(nq_cache_policy policy, uint32_t slot_count);

/* ---- Without a lock ---- */

/* The part of a touch that is seldom needed. */
bool nq__cache_count_hit(nq_cache *cache, nq_cache_mark *mark);

/* What the slot with this mark holds was used again. True: the policy keeps its order by hits; call
 * nq_cache_promote under the lock, or leave it when the lock is taken. */
static inline bool nq_cache_touch(nq_cache *cache, nq_cache_mark *mark) {
    uint32_t word = atomic_load_explicit(&mark->word, memory_order_relaxed);
    return (word & NQ__CACHE_COUNT_MASK) < cache->count_max && nq__cache_count_hit(cache, mark);
}

/* ---- Under the owner's lock ---- */

/* The slot, which was empty, holds `id` now. True: it was evicted not long ago, as far as the
 * policy remembers; more slots would have kept it. */
bool nq_cache_insert(nq_cache *cache, uint32_t slot, uint32_t id);

/* The slot, which was empty, holds what takes the place of what `model` holds: it starts with the
 * standing that has earned. */
void nq_cache_insert_like(nq_cache *cache, uint32_t slot, uint32_t model);

/* What was in one slot is in another now, which was empty; it keeps its place and its standing. */
void nq_cache_move(nq_cache *cache, uint32_t from, uint32_t to);

void nq_cache_promote(nq_cache *cache, uint32_t slot);

#define NQ_CACHE_NO_SLOT UINT32_MAX

/* May this slot be emptied now? Asked in the order of eviction. */
typedef bool (*nq_cache_may_go)(void *user, uint32_t slot);

/* The slot to empty, of those that may go; NQ_CACHE_NO_SLOT when none may. It stays where it is
 * until it is evicted. */
uint32_t nq_cache_choose(nq_cache *cache, nq_cache_may_go may_go, void *user);

/* The slot, chosen before, has been emptied of `id`. */
void nq_cache_evict(nq_cache *cache, uint32_t slot, uint32_t id);

/* `id` has not been let in: when it comes back it is remembered, if the policy remembers anything.
 */
void nq_cache_turn_away(nq_cache *cache, uint32_t id);

/* What the slot held has been taken elsewhere because it is used; when it comes back it is
 * remembered, if the policy remembers anything. */
void nq_cache_lend(nq_cache *cache, uint32_t slot, uint32_t id);

/* An insertion would find it remembered. */
bool nq_cache_remembers(const nq_cache *cache, uint32_t id);

/* What the slot held is no more; nothing is remembered of it. */
void nq_cache_remove(nq_cache *cache, uint32_t slot);

/* Calls `visit` for up to `count` slots, roughly the next to go. */
void nq_cache_peek(nq_cache *cache, uint32_t count, void (*visit)(void *user, uint32_t slot),
                   void *user);

/* From now on no more than this many slots are filled: proportions follow. At most the slots that
 * it was created with. */
void nq_cache_set_capacity(nq_cache *cache, uint32_t slot_count);

typedef struct nq_cache_stats {
    uint64_t insertions;
    uint64_t evictions;
    uint64_t ghost_hits; /* insertions of what was remembered from an eviction not long ago */
} nq_cache_stats;
nq_cache_stats nq_cache_get_stats(const nq_cache *cache);

#endif
