/* Reading rows: scans and lookups. A scan decodes each row once, straight into the columns asked
 * for; batches end early when their text grows large, so that long rows cost bounded memory. */
#include "engine/data/table/table.h"
#include "engine/ground/base/heap.h"

enum {
    BATCH_TEXT_BYTES = 1 << 20,      /* a batch ends once its text is this long */
    SCAN_TEXT_BYTES_MAX = 256 << 20, /* one row and what else the batch holds */
    ROWS_AT_ONCE = 64,               /* asked of the store: short ones; a long one comes alone */
};

struct nq_table_scan {
    nq_scan *scan;
    nq_row_decoder decoder;
    nq_batch_builder builder;
    nq_arena text;
    bool is_over;
};

static nq_status append_values(nq_ctx *ctx, const nq_table *table, const nq_value *values,
                               uint32_t count, nq_key_buffer *key) {
    key->size = 0;
    for (uint32_t i = 0; i < count; i++) {
        NQ_TRY(nq_key_append(ctx, key, table->layout.key_columns[i], values[i]));
    }
    return NQ_OK;
}

typedef struct key_bounds {
    nq_key_buffer low, high;
    nq_scan_range range;
    bool is_empty;
} key_bounds;

/* An exclusive lower and an inclusive upper bound reach past every key that starts with theirs. */
static nq_status set_bounds(nq_ctx *ctx, const nq_table *table, const nq_key_range *range,
                            key_bounds *bounds) {
    bounds->is_empty = false;
    bounds->range = (nq_scan_range){.is_reverse = range != NULL && range->is_reverse};
    if (range == NULL) {
        return NQ_OK;
    }
    if (range->low_count > 0) {
        NQ_TRY(append_values(ctx, table, range->low, range->low_count, &bounds->low));
        if (range->low_is_exclusive && !nq_key_advance(&bounds->low)) {
            bounds->is_empty = true;
        }
        bounds->range.low = nq_key_bytes(&bounds->low);
    }
    if (range->high_count > 0) {
        NQ_TRY(append_values(ctx, table, range->high, range->high_count, &bounds->high));
        if (range->high_is_exclusive || nq_key_advance(&bounds->high)) {
            bounds->range.high = nq_key_bytes(&bounds->high);
        }
    }
    bounds->is_empty |= range->low_count > 0 && bounds->range.high.data != NULL &&
                        nq_bytes_compare(bounds->range.low, bounds->range.high) >= 0;
    return NQ_OK;
}

static nq_status init_output(nq_ctx *ctx, nq_arena *arena, const nq_table *table,
                             const uint32_t *columns, uint32_t column_count, nq_table_scan *scan) {
    nq_type *types = nq_arena_calloc(arena, column_count, sizeof *types);
    if (types == NULL && column_count > 0) {
        return nq_fail_no_memory(ctx, "a scan");
    }
    for (uint32_t i = 0; i < column_count; i++) {
        types[i] = columns[i] == NQ_COLUMN_ROW_KEY ? NQ_TYPE(NQ_TYPE_BYTES)
                                                   : table->column_types[columns[i]];
    }
    NQ_TRY(nq_row_decoder_init(ctx, &scan->decoder, arena, &table->layout, columns, column_count));
    return nq_batch_builder_init(ctx, &scan->builder, arena, &scan->text, types, column_count,
                                 NQ_BATCH_ROWS_MAX);
}

nq_status nq_table_scan_open(nq_ctx *ctx, nq_arena *arena, nq_data_txn *txn, const nq_table *table,
                             const uint32_t *columns, uint32_t column_count,
                             const nq_key_range *range, nq_table_scan **out_scan) {
    *out_scan = NULL;
    nq_table_scan *scan = nq_arena_calloc(arena, 1, sizeof *scan);
    key_bounds *bounds = nq_arena_alloc(arena, sizeof *bounds);
    if (scan == NULL || bounds == NULL) {
        return nq_fail_no_memory(ctx, "a scan");
    }
    NQ_TRY(init_output(ctx, arena, table, columns, column_count, scan));
    NQ_TRY(set_bounds(ctx, table, range, bounds));
    scan->is_over = bounds->is_empty;
    if (!bounds->is_empty) {
        NQ_TRY(nq_scan_open(ctx, nq_data_txn_store_txn(txn), table->tree, &bounds->range,
                            &scan->scan));
    }
    nq_arena_init(&scan->text, SCAN_TEXT_BYTES_MAX);
    *out_scan = scan;
    return NQ_OK;
}

/* The rows that one look at the store gives, at most `rows_max`. */
static nq_status decode_some(nq_ctx *ctx, nq_table_scan *scan, uint32_t rows_max,
                             size_t *text_bytes) {
    nq_entry rows[ROWS_AT_ONCE];
    uint32_t count;
    rows_max = rows_max < ROWS_AT_ONCE ? rows_max : ROWS_AT_ONCE;
    NQ_TRY(nq_scan_next_batch(ctx, scan->scan, rows, rows_max, &count));
    scan->is_over = count == 0;
    for (uint32_t i = 0; i < count; i++) {
        NQ_TRY(nq_row_decode(ctx, &scan->decoder, rows[i].key, rows[i].value, &scan->builder));
        *text_bytes += rows[i].value.size;
    }
    return NQ_OK;
}

nq_status nq_table_scan_next(nq_ctx *ctx, nq_table_scan *scan, uint32_t rows_max,
                             nq_batch *out_batch) {
    *out_batch = (nq_batch){0};
    nq_batch_builder_reset(&scan->builder);
    NQ_TRY(nq_ctx_poll(ctx));
    if (rows_max > NQ_BATCH_ROWS_MAX) {
        rows_max = NQ_BATCH_ROWS_MAX;
    }
    size_t text_bytes = 0;
    while (!scan->is_over && scan->builder.row_count < rows_max && text_bytes < BATCH_TEXT_BYTES) {
        NQ_TRY(decode_some(ctx, scan, rows_max - scan->builder.row_count, &text_bytes));
    }
    if (scan->scan != NULL) {
        nq_scan_park(scan->scan); /* a cursor may wait here for long, and there may be many */
    }
    *out_batch = nq_batch_builder_batch(&scan->builder);
    return NQ_OK;
}

void nq_table_scan_close(nq_table_scan *scan) {
    if (scan == NULL) {
        return;
    }
    if (scan->scan != NULL) {
        nq_scan_close(scan->scan);
    }
    nq_arena_deinit(&scan->text);
}

nq_status nq_table_find_row(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table, nq_bytes row_key,
                            const nq_row_decoder *decoder, nq_batch_builder *builder,
                            bool *out_is_found) {
    *out_is_found = false;
    nq_bytes row;
    NQ_TRY(nq_txn_find(ctx, nq_data_txn_store_txn(txn), table->tree, row_key, &row));
    if (row.data == NULL) {
        return NQ_OK;
    }
    NQ_TRY(nq_row_decode(ctx, decoder, row_key, row, builder));
    *out_is_found = true;
    return NQ_OK;
}

nq_status nq_table_find(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table,
                        const nq_value *key_values, const nq_row_decoder *decoder,
                        nq_batch_builder *builder, bool *out_is_found) {
    *out_is_found = false;
    nq_key_buffer key;
    for (uint32_t i = 0; i < table->layout.key_column_count; i++) {
        if (key_values[i].is_null) {
            return NQ_OK;
        }
    }
    nq_status status = append_values(ctx, table, key_values, table->layout.key_column_count, &key);
    if (status == NQ_LIMIT_EXCEEDED) {
        return NQ_OK; /* No such key can be stored. */
    }
    NQ_TRY(status);
    return nq_table_find_row(ctx, txn, table, nq_key_bytes(&key), decoder, builder, out_is_found);
}

nq_status nq_table_get_stats(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table,
                             nq_table_stats *out_stats) {
    *out_stats = (nq_table_stats){0};
    nq_tree_stats tree;
    NQ_TRY(nq_txn_tree_stats(ctx, nq_data_txn_store_txn(txn), table->tree, &tree));
    *out_stats = (nq_table_stats){.row_count = tree.entry_count, .bytes = tree.bytes};
    return NQ_OK;
}

nq_status nq_table_estimate_rows(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table,
                                 uint64_t *out_rows) {
    nq_tree_stats tree;
    NQ_TRY(nq_txn_tree_estimate(ctx, nq_data_txn_store_txn(txn), table->tree, &tree));
    *out_rows = tree.entry_count;
    return NQ_OK;
}
