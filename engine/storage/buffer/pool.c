/* Pool: life, pins and misses. See pool_internal.h for the states of a frame. */
#include "engine/storage/buffer/pool.h"

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/os/thread.h"
#include "engine/storage/buffer/pool_internal.h"

nq_pool_counters *nq__pool_counters(nq_pool *pool) {
    return &pool->counters[nq_thread_ordinal() % NQ__POOL_COUNTERS];
}

nq_mutex *nq__pool_stripe(nq_pool *pool, uint32_t page) {
    return &pool->stripes[nq__pool_bucket(pool, page) % NQ__POOL_STRIPES].mutex;
}

void nq__pool_pause(uint32_t *round) {
    enum { SPINS = 32, SLEEP_NS = 20000 };
    if ((*round)++ >= SPINS) {
        nq_thread_sleep_ns(SLEEP_NS);
    }
}

/* ---- Life ---- */

/* The frames' memory. Small caches keep to small pages: a huge one would be held for a few bytes.
 */
static nq_page *allocate_pages(nq_pool *pool) {
    static const size_t huge_from_bytes = (size_t)32 << 20;
    static const uint32_t stock_share = 32; /* one in so many frames */
    size_t bytes = (size_t)pool->frame_count * NQ_PAGE_BYTES;
    if (bytes < huge_from_bytes) {
        return nq_heap_alloc_aligned(NQ_PAGE_BYTES, bytes);
    }
    nq_page *pages = nq_heap_alloc_aligned(NQ_MEMORY_HUGE_BYTES, bytes);
    if (pages != NULL) {
        nq_memory_prefer_huge(pages, bytes);
    }
    uint32_t stock_count = pool->frame_count / stock_share;
    pool->stock_count =
        stock_count > NQ__POOL_HUGE_FRAMES ? stock_count : (uint32_t)NQ__POOL_HUGE_FRAMES;
    return pages;
}

static nq_status allocate(nq_ctx *ctx, nq_pool *pool, nq_cache_policy policy) {
    size_t frame_count = pool->frame_count;
    size_t bucket_count = 64;
    while (bucket_count < frame_count) {
        bucket_count *= 2;
    }
    pool->bucket_mask = (uint32_t)(bucket_count - 1);
    pool->pages = allocate_pages(pool);
    pool->frames = nq_heap_calloc(frame_count, sizeof *pool->frames);
    pool->buckets = nq_heap_calloc(bucket_count, sizeof *pool->buckets);
    pool->spare.slots = nq_heap_calloc(frame_count, sizeof *pool->spare.slots);
    pool->retired.slots = nq_heap_calloc(frame_count, sizeof *pool->retired.slots);
    if (pool->pages == NULL || pool->frames == NULL || pool->buckets == NULL ||
        pool->spare.slots == NULL || pool->retired.slots == NULL) {
        return nq_fail_no_memory(ctx, "the page cache");
    }
    return nq_cache_create(ctx, policy, pool->frame_count, &pool->frames[0].mark,
                           sizeof *pool->frames, &pool->order);
}

nq_status nq_pool_create(nq_ctx *ctx, nq_pager *pager, const nq_pool_options *options,
                         nq_pool **out_pool) {
    *out_pool = NULL;
    nq_pool *pool = nq_heap_calloc(1, sizeof *pool);
    if (pool == NULL) {
        return nq_fail_no_memory(ctx, "the page cache");
    }
    pool->pager = pager;
    for (uint32_t i = 0; i < NQ__POOL_STRIPES; i++) {
        nq_mutex_init(&pool->stripes[i].mutex, NQ_LOCK_POOL);
    }
    nq_mutex_init(&pool->load_mutex, NQ_LOCK_POOL_LOAD);
    nq_mutex_init(&pool->shelf_mutex, NQ_LOCK_POOL_SHELF);
    nq_mutex_init(&pool->free_mutex, NQ_LOCK_POOL_FREE);
    nq_mutex_init(&pool->order_mutex, NQ_LOCK_POOL_ORDER);
    nq_cond_init(&pool->loaded);
    nq_status status = nq__budget_init(ctx, pool, options);
    if (status == NQ_OK) {
        status = allocate(ctx, pool, options->policy);
    }
    if (status != NQ_OK) {
        nq_pool_destroy(pool);
        return status;
    }
    nq__budget_follow_pager(pool);
    *out_pool = pool;
    return NQ_OK;
}

void nq_pool_destroy(nq_pool *pool) {
    if (pool == NULL) {
        return;
    }
    for (uint32_t i = 0; pool->frames != NULL && i < atomic_load(&pool->used_count); i++) {
        NQ_ASSERT((atomic_load(&pool->frames[i].state) & NQ__FRAME_PINS) == 0);
    }
    for (uint32_t i = 0; i < NQ__POOL_STRIPES; i++) {
        nq_mutex_deinit(&pool->stripes[i].mutex);
    }
    nq_cond_deinit(&pool->loaded);
    nq_mutex_deinit(&pool->load_mutex);
    nq_mutex_deinit(&pool->shelf_mutex);
    nq_mutex_deinit(&pool->free_mutex);
    nq_shelf_destroy(pool->shelf);
    nq_mutex_deinit(&pool->order_mutex);
    nq_cache_destroy(pool->order);
    nq_heap_free(pool->pages);
    nq_heap_free(pool->frames);
    nq_heap_free((void *)pool->buckets);
    nq_heap_free(pool->spare.slots);
    nq_heap_free(pool->retired.slots);
    nq_heap_free(pool);
}

/* ---- Pins ---- */

nq_frame *nq__pool_pin_resident(nq_pool *pool, uint32_t page) {
    nq_frame *frame = nq__pool_find_unlocked(pool, page);
    if (frame == NULL) {
        return NULL;
    }
    uint32_t state = atomic_fetch_add_explicit(&frame->state, 1, memory_order_acquire);
    if ((state & (NQ__FRAME_EXCLUSIVE | NQ__FRAME_LOADING)) == 0 &&
        atomic_load_explicit(&frame->page, memory_order_relaxed) == page) {
        return frame; /* P1, P2 */
    }
    atomic_fetch_sub_explicit(&frame->state, 1, memory_order_release);
    return NULL;
}

static void wait_until_loaded(nq_pool *pool, nq_frame *frame) {
    nq_mutex_lock(&pool->load_mutex);
    while ((atomic_load(&frame->state) & NQ__FRAME_LOADING) != 0) {
        nq_cond_wait(&pool->loaded, &pool->load_mutex);
    }
    nq_mutex_unlock(&pool->load_mutex);
}

static void end_loading(nq_pool *pool, nq_frame *frame) {
    nq_mutex_lock(&pool->load_mutex);
    atomic_fetch_sub(&frame->state, NQ__FRAME_LOADING);
    nq_cond_broadcast(&pool->loaded);
    nq_mutex_unlock(&pool->load_mutex);
}

static void order_remove(nq_pool *pool, nq_frame *frame) {
    nq_mutex_lock(&pool->order_mutex);
    nq_cache_remove(pool->order, nq__frame_slot(pool, frame));
    nq_mutex_unlock(&pool->order_mutex);
}

/* Unpacks or reads the page. `was_ghost`: it left not long ago. */
static nq_status fetch(nq_ctx *ctx, nq_pool *pool, nq_page_ref ref, bool was_ghost,
                       nq_page *out_page) {
    if (nq__shelf_fetch(pool, ref.page, was_ghost, out_page)) {
        return NQ_OK;
    }
    NQ_TRY(nq_pager_read(ctx, pool->pager, ref, out_page));
    atomic_fetch_add_explicit(&nq__pool_counters(pool)->pages_read, 1, memory_order_relaxed);
    nq__shelf_note_read(pool, ref.page, was_ghost);
    return NQ_OK;
}

/* Fills a frame that is in the table, LOADING and pinned by us. */
static nq_status load(nq_ctx *ctx, nq_pool *pool, nq_frame *frame, nq_page_ref ref,
                      bool was_ghost) {
    nq_page *page = nq__frame_page(pool, frame);
    nq_status status = fetch(ctx, pool, ref, was_ghost, page);
    if (status == NQ_OK) {
        atomic_store(&frame->generation, page->generation);
    } else {
        nq_mutex_lock(nq__pool_stripe(pool, ref.page));
        nq__pool_unlink(pool, frame);
        order_remove(pool, frame);
        nq_mutex_unlock(nq__pool_stripe(pool, ref.page));
    }
    end_loading(pool, frame);
    return status;
}

/* Pins the page if the table has it, waiting for whoever is busy with it; NULL: it has not.
 * *out_has_waited: for its reading. */
static nq_frame *pin_listed(nq_pool *pool, uint32_t page, bool *out_has_waited) {
    uint32_t round = 0;
    for (;;) {
        nq_mutex_lock(nq__pool_stripe(pool, page));
        nq_frame *frame = nq__pool_find(pool, page);
        uint32_t state = frame == NULL ? 0 : atomic_fetch_add(&frame->state, 1);
        nq_mutex_unlock(nq__pool_stripe(pool, page));
        if (frame == NULL) {
            return NULL;
        }
        if ((state & NQ__FRAME_LOADING) != 0) {
            *out_has_waited = true;
            wait_until_loaded(pool, frame);
        }
        if ((state & NQ__FRAME_EXCLUSIVE) == 0 && atomic_load(&frame->page) == page) {
            return frame;
        }
        atomic_fetch_sub(&frame->state, 1);
        nq__pool_pause(&round);
    }
}

/* Brings the page in; *out_frame is NULL when somebody else just has. */
static nq_status pin_missing(nq_ctx *ctx, nq_pool *pool, nq_page_ref ref, nq_frame **out_frame) {
    nq_frame *frame;
    NQ_TRY(nq__pool_take_frame(ctx, pool, &frame));
    nq_mutex_lock(nq__pool_stripe(pool, ref.page));
    if (nq__pool_find(pool, ref.page) != NULL) {
        nq_mutex_unlock(nq__pool_stripe(pool, ref.page));
        nq__pool_give_frame(pool, frame);
        return NQ_OK;
    }
    atomic_store(&frame->is_dirty, false);
    atomic_store(&frame->is_stored, true);
    atomic_store(&frame->is_unwanted, false);
    nq_mutex_lock(&pool->order_mutex);
    bool was_ghost = nq_cache_insert(pool->order, nq__frame_slot(pool, frame), ref.page);
    nq_mutex_unlock(&pool->order_mutex);
    nq__pool_link(pool, frame, ref.page);
    atomic_fetch_add(&frame->state, NQ__FRAME_LOADING + 1 - NQ__FRAME_EXCLUSIVE);
    nq_mutex_unlock(nq__pool_stripe(pool, ref.page));
    nq_status status = load(ctx, pool, frame, ref, was_ghost);
    if (status != NQ_OK) {
        atomic_fetch_add(&frame->state, NQ__FRAME_EXCLUSIVE - 1u);
        nq__pool_give_frame(pool, frame);
        return status;
    }
    *out_frame = frame;
    return NQ_OK;
}

nq_status nq_pool_pin(nq_ctx *ctx, nq_pool *pool, nq_page_ref ref, nq_pin *out_pin) {
    *out_pin = (nq_pin){0};
    nq_pool_counters *counters = nq__pool_counters(pool);
    nq_frame *frame = nq__pool_pin_resident(pool, ref.page);
    bool is_miss = false;
    while (frame == NULL) {
        if (nq_page_ref_is_none(ref)) {
            return nq_fail(ctx, NQ_PAGE_CORRUPT, "a reference leads to page %u", ref.page);
        }
        frame = pin_listed(pool, ref.page, &is_miss);
        if (frame == NULL) {
            is_miss = true;
            NQ_TRY(pin_missing(ctx, pool, ref, &frame));
        }
    }
    nq_page *page = nq__frame_page(pool, frame);
    if ((uint32_t)page->generation != ref.stamp) {
        atomic_fetch_sub(&frame->state, 1);
        return nq_fail(ctx, NQ_PAGE_CORRUPT,
                       "page %u is of another generation than its parent says", ref.page);
    }
    atomic_fetch_add_explicit(is_miss ? &counters->misses : &counters->hits, 1,
                              memory_order_relaxed);
    if (!is_miss) {
        nq__pool_touch(pool, frame);
    }
    *out_pin = (nq_pin){page, nq__frame_slot(pool, frame)};
    return NQ_OK;
}

/* ---- New pages ---- */

/* The frame's page is dirty and nowhere else. */
static void set_new(nq_pool *pool, nq_frame *frame, uint64_t generation) {
    atomic_store(&frame->generation, generation);
    atomic_store(&frame->is_stored, false);
    atomic_store(&frame->is_unwanted, false);
    nq__frame_set_dirty(pool, frame, true);
}

/* Makes a frame that is in the order, EXCLUSIVE to us, the page's, pinned. */
static void list_pinned(nq_pool *pool, nq_frame *frame, nq_page_id id) {
    nq_mutex_lock(nq__pool_stripe(pool, id.value));
    NQ_ASSERT(nq__pool_find(pool, id.value) == NULL);
    nq__pool_link(pool, frame, id.value);
    atomic_fetch_add(&frame->state, 1u - NQ__FRAME_EXCLUSIVE);
    nq_mutex_unlock(nq__pool_stripe(pool, id.value));
}

/* Makes a filled frame, EXCLUSIVE to us, the page's: dirty and pinned. `model`: the page that it
 * will replace, in memory, or NULL. */
static nq_pin publish_new(nq_pool *pool, nq_frame *frame, nq_page_id id, uint64_t generation,
                          const nq_page *model) {
    set_new(pool, frame, generation);
    nq_mutex_lock(&pool->order_mutex);
    if (model != NULL) {
        nq_cache_insert_like(pool->order, nq__frame_slot(pool, frame),
                             (uint32_t)(model - pool->pages));
    } else {
        nq_cache_insert(pool->order, nq__frame_slot(pool, frame), id.value);
    }
    nq_mutex_unlock(&pool->order_mutex);
    list_pinned(pool, frame, id);
    return (nq_pin){nq__frame_page(pool, frame), nq__frame_slot(pool, frame)};
}

nq_status nq_pool_pin_new(nq_ctx *ctx, nq_pool *pool, nq_page_id id, uint64_t generation,
                          nq_page_kind kind, nq_pin *out_pin) {
    *out_pin = (nq_pin){0};
    nq_frame *frame;
    NQ_TRY(nq__pool_take_frame(ctx, pool, &frame));
    nq_page_init(nq__frame_page(pool, frame), id, generation, kind);
    *out_pin = publish_new(pool, frame, id, generation, NULL);
    return NQ_OK;
}

nq_status nq_pool_pin_copy(nq_ctx *ctx, nq_pool *pool, nq_page_id id, uint64_t generation,
                           const nq_page *source, nq_pin *out_pin) {
    *out_pin = (nq_pin){0};
    nq_frame *frame;
    NQ_TRY(nq__pool_take_frame(ctx, pool, &frame));
    nq_page *page = nq__frame_page(pool, frame);
    nq_page_copy(page, source);
    page->id = id.value;
    page->generation = generation;
    *out_pin = publish_new(pool, frame, id, generation, source);
    return NQ_OK;
}

bool nq_pool_rename(nq_pool *pool, nq_pin pin, nq_page_id id, uint64_t generation) {
    nq_frame *frame = &pool->frames[pin.frame];
    uint32_t ours = 1;
    if (!atomic_compare_exchange_strong(&frame->state, &ours, NQ__FRAME_EXCLUSIVE)) {
        return false;
    }
    if (atomic_load(&frame->is_dirty)) {
        atomic_fetch_add(&frame->state, 1u - NQ__FRAME_EXCLUSIVE);
        return false;
    }
    nq__pool_unlist(pool, frame);
    pin.page->id = id.value;
    pin.page->generation = generation;
    set_new(pool, frame, generation);
    list_pinned(pool, frame, id);
    return true;
}

void nq_pool_mark_dirty(nq_pool *pool, nq_pin pin) {
    nq_frame *frame = &pool->frames[pin.frame];
    uint32_t round = 0;
    /* P3: our pin keeps another write from beginning. */
    while ((atomic_load_explicit(&frame->state, memory_order_acquire) & NQ__FRAME_WRITING) != 0) {
        nq__pool_pause(&round);
    }
    if (!atomic_load_explicit(&frame->is_dirty, memory_order_relaxed)) {
        nq__frame_set_dirty(pool, frame, true);
    }
}

void nq_pool_unpin(nq_pool *pool, nq_pin *pin) {
    if (pin->page == NULL) {
        return;
    }
    uint32_t state =
        atomic_fetch_sub_explicit(&pool->frames[pin->frame].state, 1, memory_order_release);
    NQ_ASSERT((state & NQ__FRAME_PINS) != 0);
    (void)state;
    *pin = (nq_pin){0};
}

typedef enum removal {
    REMOVED,
    IS_ABSENT,
    IS_BUSY,
    IS_DIRTY, /* and that is not allowed */
} removal;

/* Takes the page out of its frame, which is spare then. *out_is_stored: it may stand elsewhere,
 * too.
 */
static removal remove_page(nq_pool *pool, nq_page_id id, bool may_be_dirty, bool *out_is_stored) {
    removal result = REMOVED;
    *out_is_stored = true;
    nq_mutex_lock(nq__pool_stripe(pool, id.value));
    nq_frame *frame = nq__pool_find(pool, id.value);
    uint32_t idle = 0;
    if (frame == NULL) {
        result = IS_ABSENT;
    } else if (!atomic_compare_exchange_strong(&frame->state, &idle, NQ__FRAME_EXCLUSIVE)) {
        result = IS_BUSY;
    } else if (!may_be_dirty && atomic_load(&frame->is_dirty)) {
        atomic_store(&frame->is_unwanted, true);
        atomic_fetch_sub(&frame->state, (uint32_t)NQ__FRAME_EXCLUSIVE);
        result = IS_DIRTY;
    } else {
        *out_is_stored = atomic_load(&frame->is_stored);
        nq__pool_unlink(pool, frame);
        order_remove(pool, frame);
    }
    nq_mutex_unlock(nq__pool_stripe(pool, id.value));
    if (result == REMOVED) {
        nq__frame_set_dirty(pool, frame, false);
        nq__pool_give_frame(pool, frame);
    }
    return result;
}

void nq_pool_forget(nq_pool *pool, nq_page_id id) {
    uint32_t round = 0;
    bool is_stored;
    while (remove_page(pool, id, true, &is_stored) == IS_BUSY) {
        nq__pool_pause(&round); /* it is being written */
    }
    if (is_stored) {
        nq__shelf_forget(pool, id.value);
        nq_pager_forget(pool->pager, id);
    }
}

void nq_pool_drop(nq_pool *pool, nq_page_id id) {
    bool is_stored;
    removal result = remove_page(pool, id, false, &is_stored);
    if (result == REMOVED || result == IS_ABSENT) {
        nq__shelf_forget(pool, id.value);
    }
}

uint32_t nq_pool_dirty_count(const nq_pool *pool) {
    return atomic_load_explicit(&pool->dirty_count, memory_order_relaxed);
}

void nq_pool_get_stats(nq_pool *pool, nq_pool_stats *out_stats) {
    memset(out_stats, 0, sizeof *out_stats);
    for (uint32_t i = 0; i < NQ__POOL_COUNTERS; i++) {
        const nq_pool_counters *c = &pool->counters[i];
        out_stats->hits += atomic_load_explicit(&c->hits, memory_order_relaxed);
        out_stats->misses += atomic_load_explicit(&c->misses, memory_order_relaxed);
        out_stats->pages_read += atomic_load_explicit(&c->pages_read, memory_order_relaxed);
        out_stats->pages_written += atomic_load_explicit(&c->pages_written, memory_order_relaxed);
    }
    nq_mutex_lock(&pool->order_mutex);
    nq_cache_stats order = nq_cache_get_stats(pool->order);
    nq_mutex_unlock(&pool->order_mutex);
    out_stats->evictions = order.evictions;
    out_stats->ghost_hits = order.ghost_hits;
    nq__budget_get_stats(pool, out_stats);
}
