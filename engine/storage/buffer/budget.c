/* Budget: one hard limit, from which others take what they must have; pages and images share the
 * rest.
 *
 *     budget = tables + granted to others (at least what nq_pool_charge says) + live frames + shelf
 *
 * Grants come in steps and shrink late, so that transactions that come and go do not move frames.
 * What is granted, or goes to the shelf, frames give up: those that lie idle and clean at once,
 * those that are pinned or dirty as they become free; the shelf grows only into what they have
 * given up. NQ_POOL_FRAMES_MIN frames remain whatever is granted: the store must be able to work,
 * and so the least budget is what that takes. */
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

static uint64_t shelf_bytes_max(uint64_t budget_bytes) {
    uint64_t bytes = nq_balance_shelf_bytes_max(budget_bytes);
    return bytes / NQ_SHELF_STEP_BYTES * NQ_SHELF_STEP_BYTES;
}

static uint64_t table_bytes(const nq_pool_options *options, uint32_t frame_count) {
    uint64_t shelf_max = shelf_bytes_max(options->cache_bytes);
    return sizeof(nq_pool) + (uint64_t)frame_count * TABLE_BYTES_PER_FRAME +
           nq_cache_bytes(options->policy, frame_count) +
           (shelf_max == 0 ? 0 : nq_shelf_bytes_beside(shelf_max));
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

nq_status nq__budget_init(nq_ctx *ctx, nq_pool *pool, const nq_pool_options *options) {
    uint32_t most = clamp(options->cache_bytes / NQ_PAGE_BYTES);
    uint64_t left = minus(options->cache_bytes, table_bytes(options, most));
    pool->budget_bytes = options->cache_bytes;
    pool->grant_bytes = grant_bytes(options->cache_bytes);
    pool->frame_count = clamp(left / NQ_PAGE_BYTES);
    atomic_store(&pool->live_max, pool->frame_count);
    pool->table_bytes = table_bytes(options, pool->frame_count);
    nq_balance_init(&pool->balance, left, NQ_SHELF_STEP_BYTES);
    uint64_t shelf_max = shelf_bytes_max(options->cache_bytes);
    return shelf_max == 0 ? NQ_OK : nq_shelf_create(ctx, shelf_max, &pool->shelf);
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

/* ---- Sharing; under the shelf's lock ---- */

static uint64_t left_bytes(nq_pool *pool) {
    return minus(pool->budget_bytes, pool->table_bytes + atomic_load(&pool->granted_bytes));
}

static void set_shelf_capacity(nq_pool *pool, uint64_t bytes) {
    bytes = bytes / NQ_SHELF_STEP_BYTES * NQ_SHELF_STEP_BYTES;
    if (pool->shelf == NULL || bytes == nq_shelf_capacity(pool->shelf)) {
        return;
    }
    nq_shelf_set_capacity(pool->shelf, bytes);
    atomic_store_explicit(&pool->is_shelf_open, bytes != 0, memory_order_release);
}

/* False: fewer frames may be live than before. */
static bool set_live_max(nq_pool *pool) {
    uint32_t live_max = clamp(minus(left_bytes(pool), pool->balance.shelf_bytes) / NQ_PAGE_BYTES);
    live_max = live_max < pool->frame_count ? live_max : pool->frame_count;
    nq_mutex_lock(&pool->free_mutex);
    uint32_t before = atomic_exchange(&pool->live_max, live_max);
    nq_mutex_unlock(&pool->free_mutex);
    if (live_max != before) {
        fit_order(pool);
    }
    return live_max >= before;
}

/* What the frames have given up so far, the shelf may have. */
static void grow_shelf(nq_pool *pool) {
    nq_mutex_lock(&pool->free_mutex);
    uint64_t live = pool->live_count;
    nq_mutex_unlock(&pool->free_mutex);
    uint64_t live_max = atomic_load(&pool->live_max);
    live = live > live_max ? live : live_max;
    uint64_t room = minus(left_bytes(pool), live * NQ_PAGE_BYTES);
    uint64_t wanted = pool->balance.shelf_bytes;
    wanted = wanted < room ? wanted : room;
    if (pool->shelf != NULL && wanted > nq_shelf_capacity(pool->shelf)) {
        set_shelf_capacity(pool, wanted);
    }
}

static bool share(nq_pool *pool) {
    nq_balance_set_total(&pool->balance, left_bytes(pool));
    if (pool->shelf != NULL && pool->balance.shelf_bytes < nq_shelf_capacity(pool->shelf)) {
        set_shelf_capacity(pool, pool->balance.shelf_bytes); /* before frames take it */
    }
    bool is_enough = set_live_max(pool);
    grow_shelf(pool);
    return is_enough;
}

/* ---- Without it ---- */

void nq__budget_share(nq_pool *pool) {
    nq_mutex_lock(&pool->shelf_mutex);
    bool is_enough = share(pool);
    nq_mutex_unlock(&pool->shelf_mutex);
    if (!is_enough) {
        nq__pool_trim(pool);
        nq_mutex_lock(&pool->shelf_mutex);
        grow_shelf(pool);
        nq_mutex_unlock(&pool->shelf_mutex);
    }
}

static void grant(nq_pool *pool) {
    nq_mutex_lock(&pool->shelf_mutex);
    uint64_t charged = atomic_load(&pool->charged_bytes);
    bool is_due = is_out_of_step(pool, charged);
    if (is_due) {
        atomic_store(&pool->granted_bytes, (charged / pool->grant_bytes + 1) * pool->grant_bytes);
    }
    nq_mutex_unlock(&pool->shelf_mutex);
    if (is_due) {
        nq__budget_share(pool);
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

void nq__budget_follow_pager(nq_pool *pool) {
    uint64_t now = nq_pager_memory_bytes(pool->pager);
    uint64_t before = atomic_exchange(&pool->pager_bytes, now);
    if (now != before) {
        nq_pool_charge(pool, (int64_t)(now - before));
    }
}

void nq__budget_get_stats(nq_pool *pool, nq_pool_stats *out_stats) {
    uint64_t others = pool->table_bytes + atomic_load(&pool->charged_bytes);
    nq_shelf_stats shelf = {0};
    nq_mutex_lock(&pool->shelf_mutex);
    if (pool->shelf != NULL) {
        shelf = nq_shelf_get_stats(pool->shelf);
    }
    nq_mutex_lock(&pool->free_mutex);
    uint64_t live_bytes = (uint64_t)pool->live_count * NQ_PAGE_BYTES;
    nq_mutex_unlock(&pool->free_mutex);
    nq_mutex_unlock(&pool->shelf_mutex);
    out_stats->shelf_hits = shelf.hits;
    out_stats->shelf_pages = shelf.image_count;
    out_stats->shelf_bytes = shelf.bytes_held;
    out_stats->bytes_used = others + live_bytes + shelf.bytes_held;
    uint64_t least = others + LEAST_BYTES;
    out_stats->bytes_budget = pool->budget_bytes > least ? pool->budget_bytes : least;
}
