/* Evict: frames for pages to come, and writing out dirty pages.
 *
 * The order (storage/cache) names the victim under its lock; the frame is claimed there and then,
 * or pinned for writing, and everything else happens after the lock is gone. Dirty pages may be
 * written at any time: no superblock leads to them yet. */
#include <assert.h>
#include <stdlib.h>

#include "engine/ground/base/heap.h"
#include "engine/storage/buffer/pool_internal.h"
#include "engine/storage/page/bug.h"

static bool claim(nq_frame *frame) {
    uint32_t idle = 0;
    return atomic_compare_exchange_strong(&frame->state, &idle, NQ__FRAME_EXCLUSIVE);
}

/* ---- Writing ---- */

/* Begins to write a page that the caller has pinned; false: another thread is writing it, or it is
 * clean. */
static bool begin_write(nq_pool *pool, nq_frame *frame) {
    uint32_t state = atomic_load(&frame->state);
    for (;;) {
        if ((state & NQ__FRAME_WRITING) != 0 || !atomic_load(&frame->is_dirty)) {
            return false;
        }
        if (atomic_compare_exchange_weak(&frame->state, &state, state | NQ__FRAME_WRITING)) {
            nq__frame_set_dirty(pool, frame, false); /* P4 */
            return true;
        }
    }
}

static void note_written(nq_pool *pool) {
    nq__budget_follow_pager(pool);
    atomic_fetch_add_explicit(&nq__pool_counters(pool)->pages_written, 1, memory_order_relaxed);
}

/* A page that is pinned by us and WRITING; `is_leaving`: to make room. */
static nq_status write_page(nq_ctx *ctx, nq_pool *pool, nq_frame *frame, bool is_leaving) {
    nq_pager_image image;
    atomic_store(&frame->is_stored, true);
    nq_status status =
        nq_pager_write(ctx, pool->pager, nq__frame_page(pool, frame), is_leaving ? &image : NULL);
    if (status != NQ_OK) {
        nq__frame_set_dirty(pool, frame, true);
        return status;
    }
    nq__shelf_note_write(pool, atomic_load(&frame->page), is_leaving ? &image : NULL);
    note_written(pool);
    return NQ_OK;
}

nq_status nq_pool_write_past(nq_ctx *ctx, nq_pool *pool, const nq_page *page) {
    NQ_TRY(nq_pager_write(ctx, pool->pager, page, NULL));
    note_written(pool);
    return NQ_OK;
}

/* ---- Victims ---- */

typedef struct search {
    nq_pool *pool;
    bool may_write; /* a dirty page may be chosen */
    bool
        is_claimed; /* the chosen frame is clean, and EXCLUSIVE to us; else it is pinned, WRITING */
    bool is_any_busy; /* some refused frame is coming, going or being written: waiting helps */
} search;

static bool may_go(void *user, uint32_t slot) {
    search *s = user;
    nq_frame *frame = &s->pool->frames[slot];
    if (!claim(frame)) {
        s->is_any_busy |= (atomic_load(&frame->state) & ~(uint32_t)NQ__FRAME_PINS) != 0;
        return false;
    }
    s->is_claimed = !atomic_load(&frame->is_dirty);
    if (!s->is_claimed && !s->may_write) {
        atomic_fetch_sub(&frame->state, (uint32_t)NQ__FRAME_EXCLUSIVE);
        return false;
    }
    if (!s->is_claimed) {
        nq__frame_set_dirty(s->pool, frame, false); /* P4 */
        atomic_fetch_add(&frame->state, 1u + NQ__FRAME_WRITING - NQ__FRAME_EXCLUSIVE);
    }
    return true;
}

/* Under the order's lock. */
static void order_evict(nq_pool *pool, nq_frame *frame) {
    nq_cache_evict(pool->order, nq__frame_slot(pool, frame), atomic_load(&frame->page));
}

static nq_frame *find_victim(search *s) {
    nq_pool *pool = s->pool;
    nq_mutex_lock(&pool->order_mutex);
    uint32_t slot = nq_cache_choose(pool->order, may_go, s);
    nq_frame *frame = slot == NQ_CACHE_NO_SLOT ? NULL : &pool->frames[slot];
    if (frame != NULL && s->is_claimed) {
        order_evict(pool, frame);
    }
    nq_mutex_unlock(&pool->order_mutex);
    return frame;
}

/* Writes the page of a frame that is pinned by us and WRITING, and claims the frame unless somebody
 * has come in between. */
static nq_status write_and_claim(nq_ctx *ctx, nq_pool *pool, nq_frame *frame,
                                 bool *out_is_claimed) {
    nq_status status = NQ_HAS_BUG(DIRTY_PAGE_DROPPED) ? NQ_OK : write_page(ctx, pool, frame, true);
    uint32_t ours = 1 | NQ__FRAME_WRITING;
    *out_is_claimed = status == NQ_OK &&
                      atomic_compare_exchange_strong(&frame->state, &ours, NQ__FRAME_EXCLUSIVE);
    if (!*out_is_claimed) {
        atomic_fetch_sub(&frame->state, 1 + (uint32_t)NQ__FRAME_WRITING);
        return status;
    }
    nq_mutex_lock(&pool->order_mutex);
    order_evict(pool, frame);
    nq_mutex_unlock(&pool->order_mutex);
    return NQ_OK;
}

/* `may_write`: for somebody who must have a frame, and waits for one as well. */
static nq_status evict_one(nq_ctx *ctx, nq_pool *pool, bool may_write, nq_frame **out_frame) {
    enum { ROUNDS_MAX = 1000 };
    search s = {.pool = pool, .may_write = may_write};
    nq_status write_status = NQ_OK;
    for (uint32_t round = 0; round < ROUNDS_MAX;) {
        s.is_any_busy = false;
        nq_frame *frame = find_victim(&s);
        if (frame == NULL && !(may_write && s.is_any_busy)) {
            break;
        }
        if (frame == NULL) {
            nq__pool_pause(&round);
            continue;
        }
        if (s.is_claimed) {
            nq__shelf_keep(pool, frame);
        } else {
            nq_status status = write_and_claim(ctx, pool, frame, &s.is_claimed);
            write_status = status != NQ_OK ? status : write_status;
            s.may_write = write_status == NQ_OK; /* then only a clean page can help */
        }
        if (s.is_claimed) {
            nq__pool_unlist(pool, frame);
            *out_frame = frame;
            return NQ_OK;
        }
    }
    if (write_status != NQ_OK) {
        return write_status;
    }
    return nq_fail(ctx, NQ_MEMORY_LIMIT, "every one of the cache's %u pages is in use",
                   pool->frame_count);
}

nq_status nq__pool_take_frame(nq_ctx *ctx, nq_pool *pool, nq_frame **out_frame) {
    *out_frame = nq__pool_take_spare(pool);
    while (*out_frame == NULL) {
        nq_frame *frame;
        NQ_TRY(evict_one(ctx, pool, true, &frame));
        *out_frame = nq__pool_retire_excess(pool, frame) ? nq__pool_take_spare(pool) : frame;
    }
    return NQ_OK;
}

void nq__pool_trim(nq_pool *pool) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    while (nq__pool_has_excess(pool)) {
        nq_frame *frame = nq__pool_take_spare(pool);
        if (frame == NULL && evict_one(&ctx, pool, false, &frame) != NQ_OK) {
            break;
        }
        nq__pool_give_frame(pool, frame);
    }
}

/* ---- Writing everything a checkpoint needs ---- */

typedef struct dirty_page {
    uint32_t page;
    uint32_t frame;
} dirty_page;

static int compare_dirty(const void *left, const void *right) {
    const dirty_page *a = left;
    const dirty_page *b = right;
    return (a->page > b->page) - (a->page < b->page);
}

/* Pins a listed page for writing. False: it is no longer the listed page or no longer dirty, or was
 * written by somebody else, whose write is over. */
static bool begin_write_listed(nq_pool *pool, dirty_page listed, uint64_t generation) {
    nq_frame *frame = &pool->frames[listed.frame];
    uint32_t state = atomic_fetch_add(&frame->state, 1);
    bool is_listed = (state & (NQ__FRAME_EXCLUSIVE | NQ__FRAME_LOADING)) == 0 &&
                     atomic_load(&frame->page) == listed.page &&
                     atomic_load(&frame->generation) <= generation;
    if (is_listed && begin_write(pool, frame)) {
        return true;
    }
    uint32_t round = 0;
    while (is_listed && (atomic_load(&frame->state) & NQ__FRAME_WRITING) != 0) {
        nq__pool_pause(&round);
    }
    /* A write that failed elsewhere has left it dirty again. */
    if (is_listed && begin_write(pool, frame)) {
        return true;
    }
    atomic_fetch_sub(&frame->state, 1);
    return false;
}

static size_t list_dirty(nq_pool *pool, uint64_t generation, dirty_page *out_list) {
    uint32_t used = atomic_load(&pool->used_count);
    size_t count = 0;
    for (uint32_t i = 0; i < used; i++) {
        nq_frame *frame = &pool->frames[i];
        uint32_t page = atomic_load(&frame->page);
        bool is_busy = (atomic_load(&frame->state) & NQ__FRAME_WRITING) != 0;
        if (page != 0 && (is_busy || atomic_load(&frame->is_dirty)) &&
            atomic_load(&frame->generation) <= generation) {
            out_list[count++] = (dirty_page){page, i};
        }
    }
    qsort(out_list, count, sizeof *out_list, compare_dirty);
    return count;
}

nq_status nq_pool_write_dirty(nq_ctx *ctx, nq_pool *pool, uint64_t generation,
                              uint64_t *out_pages_written) {
    *out_pages_written = 0;
    dirty_page *list = nq_heap_alloc(pool->frame_count * sizeof *list);
    if (list == NULL) {
        return nq_fail_no_memory(ctx, "writing out the page cache");
    }
    nq_status status = NQ_OK;
    size_t count = list_dirty(pool, generation, list);
    for (size_t i = 0; i < count && status == NQ_OK; i++) {
        if (begin_write_listed(pool, list[i], generation)) {
            nq_frame *frame = &pool->frames[list[i].frame];
            status = write_page(ctx, pool, frame, false);
            *out_pages_written += status == NQ_OK ? 1 : 0;
            bool is_unwanted = status == NQ_OK && atomic_load(&frame->is_unwanted);
            atomic_fetch_sub(&frame->state, 1 + (uint32_t)NQ__FRAME_WRITING);
            if (is_unwanted) {
                nq_pool_drop(pool, (nq_page_id){list[i].page});
            }
        }
    }
    nq_heap_free(list);
    return status;
}

nq_status nq_pool_check_disk(nq_ctx *ctx, nq_pool *pool, nq_page_ref ref, nq_page *scratch) {
    nq_frame *frame = nq__pool_pin_resident(pool, ref.page);
    if (frame != NULL) {
        bool is_newer =
            atomic_load(&frame->is_dirty) || (atomic_load(&frame->state) & NQ__FRAME_WRITING) != 0;
        atomic_fetch_sub(&frame->state, 1);
        if (is_newer) {
            return NQ_OK;
        }
    }
    return nq_pager_read(ctx, pool->pager, ref, scratch);
}
