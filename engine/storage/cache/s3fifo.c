/* S3-FIFO (Yang et al., SOSP 2023): three queues, no reordering by hits.
 *
 *            new                     used twice
 *     id ---------->  small (a tenth) ---------->  main  <--+  used again: once more around
 *      |                 |                          |  |____|
 *      |                 v not used                 v
 *      +---> known?   ghost (ids only)             gone
 *             |          |
 *             +----------+-----------------------> main
 *
 * Ours adds the refractory period: hits in quick succession are one use (a page that a statement
 * touches five times in a row is not popular; LRU-K's correlated references, O'Neil et al., SIGMOD
 * 1993). */
#include "engine/storage/cache/cache_internal.h"

enum {
    COUNT_MAX = 3,
    PROMOTING_COUNT = 2, /* hits on probation that earn a place in the main queue */
};

/* Whose tail is next to go, when so many in a row may not. */
static uint32_t turn(const nq__cache *cache, uint32_t refusals) {
    const nq__queue *queues = cache->queues;
    bool is_small_full = queues[NQ__QUEUE_SMALL].count >= cache->small_max;
    uint32_t wanted = is_small_full ? NQ__QUEUE_SMALL : NQ__QUEUE_MAIN;
    uint32_t other = is_small_full ? NQ__QUEUE_MAIN : NQ__QUEUE_SMALL;
    return refusals >= queues[wanted].count && queues[other].count != 0 ? other : wanted;
}

static uint32_t choose(nq__cache *cache, nq_cache_may_go may_go, void *user) {
    uint32_t filled = cache->queues[NQ__QUEUE_SMALL].count + cache->queues[NQ__QUEUE_MAIN].count;
    /* Enough to move all to the main queue, to take every mark from it, and to look once more. */
    uint64_t steps = (COUNT_MAX + 2) * (uint64_t)filled;
    for (uint32_t refusals = 0; refusals < filled && steps != 0; steps--) {
        uint32_t queue = turn(cache, refusals);
        uint32_t slot = nq__cache_tail(cache, queue);
        uint32_t count = nq__cache_count(cache, slot);
        if (queue == NQ__QUEUE_SMALL && count >= PROMOTING_COUNT) {
            nq__cache_discount(cache, slot, count);
            nq__cache_requeue(cache, NQ__QUEUE_MAIN, slot);
        } else if (queue == NQ__QUEUE_MAIN && count != 0) {
            nq__cache_discount(cache, slot, 1);
            nq__cache_requeue(cache, NQ__QUEUE_MAIN, slot);
        } else if (may_go(user, slot)) {
            return slot;
        } else {
            nq__cache_requeue(cache, queue, slot);
            refusals++;
        }
    }
    return NQ_CACHE_NO_SLOT;
}

static void leave(nq__cache *cache, uint32_t slot, uint32_t id) {
    if (cache->queue_of[slot] == NQ__QUEUE_SMALL) {
        nq__ghost_add(&cache->ghost, id);
    }
}

const nq__cache_rules nq__cache_s3fifo = {
    .name = "s3fifo",
    .count_max = COUNT_MAX,
    .has_ghost = true,
    .has_refractory_period = true,
    .first_queue = NQ__QUEUE_SMALL,
    .choose = choose,
    .leave = leave,
};

const nq__cache_rules nq__cache_s3fifo_plain = {
    .name = "s3fifo-plain",
    .count_max = COUNT_MAX,
    .has_ghost = true,
    .first_queue = NQ__QUEUE_SMALL,
    .choose = choose,
    .leave = leave,
};
