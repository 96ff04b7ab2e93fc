/* Budget: one hard limit, from which others take what they must have; frames get the rest.
 *
 *     budget = tables + granted to others (at least what nq_pool_charge says) + live frames
 *
 * Grants come in steps and shrink late, so that transactions that come and go do not move frames.
 * A new grant makes frames that lie idle and clean give way at once; those that are pinned or dirty
 * follow as they become free. NQ_POOL_FRAMES_MIN frames remain whatever is granted: the store must
 * be able to work, and so the least budget is what that takes. */
#include "engine/storage/buffer/pool_internal.h"

enum {
    /* Buckets of the page table, at most two a frame, and a place in either stack. */
    TABLE_BYTES_PER_FRAME = sizeof(nq_frame) + 2 * sizeof(uint64_t) + 2 * sizeof(uint32_t),
    FRAMES_MAX = UINT32_MAX / 4,
    LEAST_BYTES = NQ_POOL_FRAMES_MIN * NQ_PAGE_BYTES,
    GRANT_BYTES_MIN = 16 << 10,
    GRANT_BYTES_MAX = 256 << 10,
    GRANTS = 256, /* steps in a budget, within these limits */
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

static uint64_t grant_bytes(uint64_t budget_bytes) {
    uint64_t bytes = budget_bytes / GRANTS;
    bytes = bytes > GRANT_BYTES_MIN ? bytes : GRANT_BYTES_MIN;
    return bytes < GRANT_BYTES_MAX ? bytes : GRANT_BYTES_MAX;
}

void nq__budget_init(nq_pool *pool, const nq_pool_options *options) {
    uint32_t most = clamp(options->cache_bytes / NQ_PAGE_BYTES);
    uint64_t tables = table_bytes(options->policy, most);
    uint64_t left = minus(options->cache_bytes, tables);
    pool->budget_bytes = options->cache_bytes;
    pool->grant_bytes = grant_bytes(options->cache_bytes);
    pool->frame_count = clamp(left / NQ_PAGE_BYTES);
    atomic_store(&pool->live_max, pool->frame_count);
    pool->table_bytes = table_bytes(options->policy, pool->frame_count);
}

/* The order's proportions follow what may be live. */
static void fit_order(nq_pool *pool) {
    nq_mutex_lock(&pool->order_mutex);
    nq_cache_set_capacity(pool->order, atomic_load(&pool->live_max));
    nq_mutex_unlock(&pool->order_mutex);
}

/* Whether so many bytes call for another grant. */
static bool is_out_of_step(const nq_pool *pool, uint64_t charged) {
    uint64_t granted = atomic_load_explicit(&pool->granted_bytes, memory_order_relaxed);
    return charged > granted || charged + 3 * pool->grant_bytes < granted;
}

static void grant(nq_pool *pool) {
    nq_mutex_lock(&pool->free_mutex);
    uint64_t charged = atomic_load(&pool->charged_bytes);
    uint32_t before = atomic_load(&pool->live_max);
    uint32_t live_max = before;
    if (is_out_of_step(pool, charged)) {
        uint64_t granted = (charged / pool->grant_bytes + 1) * pool->grant_bytes;
        atomic_store(&pool->granted_bytes, granted);
        live_max = clamp(minus(pool->budget_bytes, pool->table_bytes + granted) / NQ_PAGE_BYTES);
        live_max = live_max < pool->frame_count ? live_max : pool->frame_count;
        atomic_store(&pool->live_max, live_max);
    }
    nq_mutex_unlock(&pool->free_mutex);
    if (live_max != before) {
        fit_order(pool);
    }
    if (live_max < before) {
        nq__pool_trim(pool);
    }
}

bool nq_pool_charge(nq_pool *pool, int64_t bytes) {
    uint64_t change = (uint64_t)bytes; /* wraps round, to less */
    uint64_t charged =
        atomic_fetch_add_explicit(&pool->charged_bytes, change, memory_order_relaxed) + change;
    if (is_out_of_step(pool, charged)) {
        grant(pool);
    }
    return charged + pool->table_bytes + LEAST_BYTES <= pool->budget_bytes;
}

void nq__budget_get_stats(nq_pool *pool, nq_pool_stats *out_stats) {
    uint64_t others = pool->table_bytes + atomic_load(&pool->charged_bytes);
    nq_mutex_lock(&pool->free_mutex);
    uint64_t live_bytes = (uint64_t)pool->live_count * NQ_PAGE_BYTES;
    nq_mutex_unlock(&pool->free_mutex);
    out_stats->bytes_used = others + live_bytes;
    out_stats->bytes_budget =
        pool->budget_bytes > others + LEAST_BYTES ? pool->budget_bytes : others + LEAST_BYTES;
}
