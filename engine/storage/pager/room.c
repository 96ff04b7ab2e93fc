/* Room: how long the file is — long enough for what is promised, and no longer than need be. */
#include "engine/storage/pager/pager_internal.h"

/* Images do not straddle segments, and the worst are as large as their pages. */
static uint32_t segments_for(const nq_pager *pager, uint64_t page_count) {
    uint32_t pages_per_segment = pager->data_bytes_max / NQ_IMAGE_BYTES_MAX;
    return (uint32_t)((page_count + pages_per_segment - 1) / pages_per_segment);
}

nq_status nq_pager_promise(nq_ctx *ctx, nq_pager *pager, uint64_t page_count) {
    nq_status status = NQ_OK;
    nq_mutex_lock(&pager->mutex);
    uint32_t promised = segments_for(pager, page_count);
    while (status == NQ_OK &&
           pager->segments.free_count < promised + nq__stream_kept_back(pager, NQ__FOR_PAGES)) {
        status = nq__stream_extend(ctx, pager);
    }
    if (status == NQ_OK) {
        pager->promised_segments = promised;
    }
    nq_mutex_unlock(&pager->mutex);
    return status;
}

/* How many segments the file may be cut to. Under the mutex. */
static uint32_t shortest(const nq_pager *pager, uint32_t free_kept) {
    const nq__segment_table *table = &pager->segments;
    uint32_t count = table->count;
    uint32_t free_count = table->free_count;
    while (count > pager->superblock.segment_count && table->items[count - 1].is_free &&
           free_count > free_kept) {
        count--;
        free_count--;
    }
    return count;
}

void nq_pager_trim(nq_pager *pager, uint32_t free_kept) {
    nq_mutex_lock(&pager->mutex);
    uint32_t count = shortest(pager, free_kept);
    if (pager->is_extending || count == pager->segments.count) {
        nq_mutex_unlock(&pager->mutex);
        return;
    }
    nq__segments_set_count(pager, count);
    pager->is_extending = true; /* nobody else changes the file's size meanwhile */
    nq_mutex_unlock(&pager->mutex);
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    bool is_cut =
        nq_file_truncate(&ctx, pager->file, (uint64_t)count * pager->segment_bytes) == NQ_OK;
    nq_mutex_lock(&pager->mutex);
    pager->is_extending = false;
    nq_cond_broadcast(&pager->changed);
    nq_mutex_unlock(&pager->mutex);
    (void)is_cut; /* a file that stays longer does no harm */
}
