/* LRU: the slot whose last use is longest ago goes. One queue, which every hit reorders. */
#include "engine/storage/cache/cache_internal.h"

static uint32_t choose(nq__cache *cache, nq_cache_may_go may_go, void *user) {
    uint32_t slot = cache->queues[NQ__QUEUE_MAIN].tail;
    while (slot != 0 && !may_go(user, slot - 1)) {
        slot = cache->links[slot - 1].newer;
    }
    return slot == 0 ? NQ_CACHE_NO_SLOT : slot - 1;
}

const nq__cache_rules nq__cache_lru = {
    .name = "lru",
    .count_max = 1,
    .is_ordered_by_hits = true,
    .first_queue = NQ__QUEUE_MAIN,
    .choose = choose,
};
