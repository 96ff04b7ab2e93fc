/* CLOCK (Corbató 1968): first in, first out, but who was used since its last chance gets another.
 */
#include "engine/storage/cache/cache_internal.h"

static uint32_t choose(nq__cache *cache, nq_cache_may_go may_go, void *user) {
    /* Twice around: the first may only clear marks. */
    for (uint64_t steps = 2 * (uint64_t)cache->queues[NQ__QUEUE_MAIN].count; steps != 0; steps--) {
        uint32_t slot = nq__cache_tail(cache, NQ__QUEUE_MAIN);
        if (nq__cache_count(cache, slot) == 0 && may_go(user, slot)) {
            return slot;
        }
        nq__cache_discount(cache, slot, 1);
        nq__cache_requeue(cache, NQ__QUEUE_MAIN, slot);
    }
    return NQ_CACHE_NO_SLOT;
}

const nq__cache_rules nq__cache_clock = {
    .name = "clock",
    .count_max = 1,
    .first_queue = NQ__QUEUE_MAIN,
    .choose = choose,
};
