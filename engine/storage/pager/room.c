/* Room: how much space the file takes — enough for what is promised, and no more than need be. */
#include "engine/storage/pager/pager_internal.h"

/* Images do not straddle segments, and the worst are as large as their pages. */
static uint32_t segments_for(const nq_pager *pager, uint64_t page_count) {
    uint32_t pages_per_segment = pager->data_bytes_max / NQ_IMAGE_BYTES_MAX;
    return (uint32_t)((page_count + pages_per_segment - 1) / pages_per_segment);
}

/* An eighth of what is used, from what a modest transaction takes to what a large one does. */
uint32_t nq__reserve(const nq_pager *pager) {
    enum { PART = 8, PAGES_MIN = 256, PAGES_MAX = 4096 };
    const nq__segment_table *table = &pager->segments;
    uint32_t part = (table->count - table->free_count - table->hole_count) / PART;
    uint32_t least = segments_for(pager, PAGES_MIN);
    uint32_t most = segments_for(pager, PAGES_MAX);
    return part < least ? least : part > most ? most : part;
}

nq_status nq_pager_promise(nq_ctx *ctx, nq_pager *pager, uint64_t page_count,
                           bool may_use_reserve) {
    nq_status status = NQ_OK;
    nq_mutex_lock(&pager->mutex);
    uint32_t promised = segments_for(pager, page_count);
    uint32_t beyond =
        nq__stream_kept_back(pager, NQ__FOR_PAGES) + (may_use_reserve ? 0 : nq__reserve(pager));
    while (status == NQ_OK && pager->segments.free_count < promised + beyond) {
        status = nq__stream_extend(ctx, pager);
    }
    if (status == NQ_OK) {
        pager->promised_segments = promised;
    }
    nq_mutex_unlock(&pager->mutex);
    return status;
}

void nq_pager_expect(nq_pager *pager, uint64_t page_count) {
    nq_mutex_lock(&pager->mutex);
    pager->promised_segments = segments_for(pager, page_count);
    nq_mutex_unlock(&pager->mutex);
}

/* ---- Giving back ---- */

/* How many segments the file may be cut to. Under the mutex. */
static uint32_t shortest(const nq_pager *pager, uint32_t free_kept) {
    const nq__segment_table *table = &pager->segments;
    uint32_t count = table->count;
    uint32_t free_count = table->free_count;
    while (count > pager->superblock.segment_count) {
        const nq__segment *last = &table->items[count - 1];
        if (!last->is_hole && !(last->is_free && free_count > free_kept)) {
            break;
        }
        free_count -= last->is_free;
        count--;
    }
    return count;
}

/* Under the mutex, which is let go of; nobody else changes the file's size meanwhile. A file that
 * stays longer does no harm. */
static void cut(nq_pager *pager, uint32_t free_kept) {
    uint32_t count = shortest(pager, free_kept);
    if (count == pager->segments.count) {
        return;
    }
    nq__segments_set_count(pager, count);
    nq_mutex_unlock(&pager->mutex);
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    (void)nq_file_truncate(&ctx, pager->file, (uint64_t)count * pager->segment_bytes);
    nq_mutex_lock(&pager->mutex);
}

/* Likewise. */
static void make_holes(nq_pager *pager, uint32_t free_kept) {
    while (pager->segments.free_count > free_kept) {
        uint32_t segment = nq__segments_give_up(pager);
        nq_mutex_unlock(&pager->mutex);
        nq_file_discard(pager->file, (uint64_t)segment * pager->segment_bytes,
                        pager->segment_bytes);
        nq_mutex_lock(&pager->mutex);
    }
}

static void trim(nq_pager *pager, uint32_t free_kept) {
    if (pager->is_extending) {
        return;
    }
    pager->is_extending = true;
    cut(pager, free_kept);
    make_holes(pager, free_kept);
    pager->is_extending = false;
    nq_cond_broadcast(&pager->changed);
}

void nq_pager_trim(nq_pager *pager) {
    nq_mutex_lock(&pager->mutex);
    uint32_t needed = pager->segments_opened > pager->promised_segments ? pager->segments_opened
                                                                        : pager->promised_segments;
    needed += nq__stream_kept_back(pager, NQ__FOR_PAGES) + nq__reserve(pager);
    pager->segments_opened = 0;
    trim(pager, needed);
    nq_mutex_unlock(&pager->mutex);
}

void nq_pager_trim_all(nq_pager *pager) {
    nq_mutex_lock(&pager->mutex);
    trim(pager, 0);
    nq_mutex_unlock(&pager->mutex);
}
