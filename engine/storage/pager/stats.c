/* Stats: what the pager has done and what it holds. */
#include "engine/storage/pager/pager_internal.h"

static uint64_t load(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void nq_pager_get_stats(nq_pager *pager, nq_pager_stats *out_stats) {
    const nq__pager_counters *c = &pager->counters;
    *out_stats = (nq_pager_stats){
        .segment_data_bytes = pager->data_bytes_max,
        .images_read = load(&c->images_read),
        .images_hinted = load(&c->images_hinted),
        .flushed_bytes = load(&c->flushed_bytes),
        .moved_bytes = load(&c->moved_bytes),
        .map_bytes = load(&c->map_bytes),
        .written_bytes = load(&c->written_bytes),
        .images_repaired = load(&c->images_repaired),
        .images_lost = load(&c->images_lost),
        .segments_damaged = load(&c->segments_damaged),
        .segments_scrubbed = load(&c->segments_scrubbed),
    };
    nq_mutex_lock(&pager->mutex);
    const nq__segment_table *table = &pager->segments;
    out_stats->file_bytes = (uint64_t)table->count * pager->segment_bytes;
    out_stats->segments_free = table->free_count + table->hole_count;
    out_stats->segments_used = table->count - 1 - table->free_count - table->hole_count;
    out_stats->hole_bytes = (uint64_t)table->hole_count * pager->segment_bytes;
    for (uint32_t segment = 1; segment < table->count; segment++) {
        out_stats->live_bytes += table->items[segment].live_bytes;
    }
    nq_mutex_unlock(&pager->mutex);
    out_stats->memory_bytes = nq_pager_memory_bytes(pager);
}

uint64_t nq_pager_memory_bytes(nq_pager *pager) {
    uint64_t bytes = sizeof *pager + (uint64_t)NQ__BUFFERS * pager->segment_bytes +
                     atomic_load_explicit(&pager->repaired.heap_bytes, memory_order_relaxed);
    for (uint32_t i = 0; i < NQ__CODERS; i++) {
        bytes += atomic_load_explicit(&pager->coders[i].heap_bytes, memory_order_relaxed);
    }
    nq_mutex_lock(&pager->mutex);
    bytes += pager->map.chunk_count * sizeof(nq__chunk) +
             pager->map.chunk_room * sizeof(nq__chunk *) +
             pager->segments.room * sizeof(nq__segment);
    nq_mutex_unlock(&pager->mutex);
    return bytes;
}
