/* Scrub: reading what nobody asks for, so that damage is found while parity can still undo it.
 *
 * Whole segments are held against the checksums in their headers, parity included. What is found
 * is marked like damage met by a reader: the next checkpoint moves away from it. */
#include "engine/ground/base/heap.h"
#include "engine/storage/pager/pager_internal.h"

/* The next segment from `from` on whose bytes the file has and somebody needs, pinned; 0: there is
 * none. */
static uint32_t pin_next(nq_pager *pager, uint32_t from) {
    uint32_t found = 0;
    nq_mutex_lock(&pager->mutex);
    for (uint32_t segment = from < 1 ? 1 : from; segment < pager->segments.count && found == 0;
         segment++) {
        const nq__segment *s = &pager->segments.items[segment];
        found = s->live_bytes != 0 && !s->is_buffered ? segment : 0;
    }
    if (found != 0) {
        nq__segment_pin(pager, found);
    }
    nq_mutex_unlock(&pager->mutex);
    return found;
}

static void unpin(nq_pager *pager, uint32_t segment) {
    nq_mutex_lock(&pager->mutex);
    nq__segment_unpin(pager, segment);
    nq_mutex_unlock(&pager->mutex);
}

static nq_status check(nq_ctx *ctx, nq_pager *pager, uint32_t segment, uint8_t *bytes,
                       nq_scrub_result *result) {
    nq_segment_damage damage;
    bool has_any;
    NQ_TRY(nq__segment_inspect(ctx, pager, segment, bytes, &damage, &has_any));
    result->segments_read++;
    atomic_fetch_add_explicit(&pager->counters.segments_scrubbed, 1, memory_order_relaxed);
    if (damage.state == NQ_SEGMENT_WHOLE) {
        return NQ_OK;
    }
    nq__segment_mark(pager, segment, &damage);
    result->segments_damaged++;
    result->blocks_damaged += damage.bad_block_count;
    (void)nq_segment_repair(pager->layout, &damage, bytes);
    result->rows_lost += damage.lost_row_count;
    return NQ_OK;
}

nq_status nq_pager_scrub(nq_ctx *ctx, nq_pager *pager, uint32_t *position,
                         nq_scrub_result *result) {
    uint32_t segment = pin_next(pager, *position);
    if (segment == 0) {
        uint32_t written;
        *position = 0;
        nq_status status = nq__superblock_complete(ctx, pager, &written);
        result->superblocks_repaired += written;
        return status == NQ_OK ? NQ_OK : nq__pager_fail(pager, status);
    }
    uint8_t *bytes = nq_heap_alloc_aligned(NQ_SEGMENT_BLOCK_BYTES, pager->segment_bytes);
    nq_status status = bytes == NULL ? nq_fail_no_memory(ctx, "reading a segment")
                                     : check(ctx, pager, segment, bytes, result);
    unpin(pager, segment);
    nq_heap_free(bytes);
    *position = segment + 1;
    return status;
}
