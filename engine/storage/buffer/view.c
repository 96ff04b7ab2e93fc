/* View: a page seen without a pin. See pool.h for the contract, P9 for why it can be trusted. */
#include "engine/storage/buffer/pool_internal.h"

/* Sees the page where it is in memory and whole; false: it takes a pin. The version is read first
 * and compared last, so a view that saw two pages fails (P9). */
static inline bool view_resident(nq_pool *pool, nq_page_ref ref, nq_view *out_view) {
    if (NQ__VIEWS_PIN) {
        return false;
    }
    nq_frame *frame = nq__pool_find_unlocked(pool, ref.page);
    if (frame == NULL) {
        return false;
    }
    const nq_page *page = nq__frame_page(pool, frame);
    uint32_t version = atomic_load_explicit(&frame->version, memory_order_acquire);
    uint32_t state = atomic_load_explicit(&frame->state, memory_order_acquire);
    if ((state & (NQ__FRAME_EXCLUSIVE | NQ__FRAME_LOADING)) != 0 ||
        atomic_load_explicit(&frame->page, memory_order_relaxed) != ref.page ||
        (uint32_t)page->generation != ref.stamp) {
        return false;
    }
    nq__pool_touch(pool, frame);
    *out_view = (nq_view){page, nq__frame_slot(pool, frame), version, false};
    return true;
}

nq_status nq_pool_view_begin(nq_ctx *ctx, nq_pool *pool, nq_page_ref ref, bool has_failed,
                             nq_view *out_view) {
    if (!has_failed && view_resident(pool, ref, out_view)) {
        return NQ_OK;
    }
    *out_view = (nq_view){0};
    nq_pin pin;
    NQ_TRY(nq_pool_pin(ctx, pool, ref, &pin));
    *out_view = (nq_view){.page = pin.page, .frame = pin.frame, .is_pinned = true};
    return NQ_OK;
}

bool nq_pool_view_end(nq_pool *pool, nq_view *view) {
    if (view->is_pinned) {
        nq_pin pin = {(nq_page *)(uintptr_t)view->page, view->frame};
        nq_pool_unpin(pool, &pin);
        return true;
    }
    return nq__frame_is_of_version(&pool->frames[view->frame], view->version);
}

void nq_pool_count_hits(nq_pool *pool, uint32_t count) {
    atomic_fetch_add_explicit(&nq__pool_counters(pool)->hits, count, memory_order_relaxed);
}

void nq_pool_read_ahead(nq_pool *pool, const nq_page_ref *refs, uint32_t count) {
    nq_page_id absent[NQ_PAGER_AHEAD_MAX];
    uint32_t absent_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (nq__pool_find_unlocked(pool, refs[i].page) == NULL &&
            !nq__shelf_has(pool, refs[i].page)) {
            absent[absent_count++] = (nq_page_id){refs[i].page};
        }
    }
    if (absent_count != 0) {
        nq_pager_read_ahead(pool->pager, absent, absent_count);
    }
}

const nq_page *nq_pool_prefetch_address(nq_pool *pool, nq_page_ref ref) {
    const nq_frame *frame = nq__pool_find_unlocked(pool, ref.page);
    return frame == NULL ? NULL : nq__frame_page(pool, frame);
}
