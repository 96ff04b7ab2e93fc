/* Budget: one hard limit, from which others take what they must have; frames get the rest.
 *
 *     budget = tables + others' (nq_pool_charge) + live frames
 *
 * Whoever charges makes frames that lie idle and clean give way at once; those that are pinned or
 * dirty follow as they become free. NQ_POOL_FRAMES_MIN frames remain whatever is charged: the store
 * must be able to work, and so the least budget is what that takes. */
#include "engine/storage/buffer/pool_internal.h"

enum {
    /* Buckets of the page table, at most four a frame, and a place in either stack. */
    TABLE_BYTES_PER_FRAME = sizeof(nq_frame) + 6 * sizeof(uint32_t),
    FRAMES_MAX = UINT32_MAX / 4,
};

static uint64_t table_bytes(nq_cache_policy policy, uint32_t frame_count) {
    return sizeof(nq_pool) + (uint64_t)frame_count * TABLE_BYTES_PER_FRAME +
           nq_cache_bytes(policy, frame_count);
}

static uint32_t clamp(uint64_t frame_count) {
    if (frame_count < NQ_POOL_FRAMES_MIN) {
        return NQ_POOL_FRAMES_MIN;
    }
    return frame_count < FRAMES_MAX ? (uint32_t)frame_count : FRAMES_MAX;
}

static uint64_t minus(uint64_t bytes, uint64_t taken) {
    return bytes > taken ? bytes - taken : 0;
}

void nq__budget_init(nq_pool *pool, const nq_pool_options *options) {
    uint32_t most = clamp(options->cache_bytes / NQ_PAGE_BYTES);
    uint64_t tables = table_bytes(options->policy, most);
    uint64_t left = minus(options->cache_bytes, tables);
    pool->budget_bytes = options->cache_bytes;
    pool->frame_count = clamp(left / NQ_PAGE_BYTES);
    atomic_store(&pool->live_max, pool->frame_count);
    pool->table_bytes = table_bytes(options->policy, pool->frame_count);
}

static uint64_t charged_bytes(nq_pool *pool) {
    int64_t charged = atomic_load_explicit(&pool->charged_bytes, memory_order_relaxed);
    return charged > 0 ? (uint64_t)charged : 0;
}

/* The order's proportions follow what may be live. */
static void fit_order(nq_pool *pool) {
    nq_mutex_lock(&pool->order_mutex);
    nq_cache_set_capacity(pool->order, atomic_load(&pool->live_max));
    nq_mutex_unlock(&pool->order_mutex);
}

void nq_pool_charge(nq_pool *pool, int64_t bytes) {
    atomic_fetch_add_explicit(&pool->charged_bytes, bytes, memory_order_relaxed);
    nq_mutex_lock(&pool->free_mutex);
    uint64_t left = minus(pool->budget_bytes, pool->table_bytes + charged_bytes(pool));
    uint32_t live_max = clamp(left / NQ_PAGE_BYTES);
    live_max = live_max < pool->frame_count ? live_max : pool->frame_count;
    uint32_t before = atomic_exchange(&pool->live_max, live_max);
    nq_mutex_unlock(&pool->free_mutex);
    if (live_max != before) {
        fit_order(pool);
    }
    if (live_max < before) {
        nq__pool_trim(pool);
    }
}

void nq__budget_get_stats(nq_pool *pool, nq_pool_stats *out_stats) {
    uint64_t others = pool->table_bytes + charged_bytes(pool);
    nq_mutex_lock(&pool->free_mutex);
    uint64_t live_bytes = (uint64_t)pool->live_count * NQ_PAGE_BYTES;
    nq_mutex_unlock(&pool->free_mutex);
    uint64_t least = others + (uint64_t)NQ_POOL_FRAMES_MIN * NQ_PAGE_BYTES;
    out_stats->bytes_used = others + live_bytes;
    out_stats->bytes_budget = pool->budget_bytes > least ? pool->budget_bytes : least;
}
