/* Hidden row ids: the key of tables without a primary key. They grow with every insert, so that a
 * scan gives rows back in the order they came; a rollback leaves a gap. */
#include "engine/data/catalog/catalog_internal.h"
#include "engine/ground/base/codec.h"

/* The largest row id in the tree. Nobody can have added one since the database was opened, or the
 * counter would be known: any snapshot sees the last. */
static nq_status read_last(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table,
                           uint64_t *out_row_id) {
    const nq_scan_range range = {.is_reverse = true};
    nq_scan *scan;
    nq_bytes key, value;
    *out_row_id = 0;
    NQ_TRY(nq_scan_open(ctx, txn->txn, table->tree, &range, &scan));
    nq_status status = nq_scan_next(ctx, scan, &key, &value);
    if (status == NQ_OK && key.data != NULL) {
        if (key.size == sizeof *out_row_id) {
            *out_row_id = nq_load_be64(key.data);
        } else {
            status = nq_fail(ctx, NQ_PAGE_CORRUPT, "a row id has %zu bytes", key.size);
        }
    }
    nq_scan_close(scan);
    return status;
}

nq_status nq_data_txn_next_row_ids(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table,
                                   uint32_t count, uint64_t *out_first) {
    *out_first = 0;
    nq_table_state *state = table->state;
    if (atomic_load_explicit(&state->next_row_id, memory_order_acquire) == 0) {
        uint64_t last = 0;
        nq_mutex_lock(&txn->catalog->sequence_mutex);
        nq_status status = NQ_OK;
        if (atomic_load_explicit(&state->next_row_id, memory_order_relaxed) == 0) {
            status = read_last(ctx, txn, table, &last);
            if (status == NQ_OK) {
                atomic_store_explicit(&state->next_row_id, last + 1, memory_order_release);
            }
        }
        nq_mutex_unlock(&txn->catalog->sequence_mutex);
        NQ_TRY(status);
    }
    *out_first = atomic_fetch_add_explicit(&state->next_row_id, count, memory_order_relaxed);
    return NQ_OK;
}
