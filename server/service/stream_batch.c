/* Stream batch: see the header. */
#include "server/service/stream_batch.h"

/* Rows [from, from + count) of a batch, as a batch; `columns` is the caller's. */
static nq_batch slice(const nq_batch *batch, uint32_t from, uint32_t count, nq_vector *columns) {
    for (uint32_t i = 0; i < batch->column_count; i++) {
        const nq_vector *vector = &batch->columns[i];
        size_t skip = from * nq_form_bytes(nq_type_form(vector->type.id));
        columns[i] = *vector;
        columns[i].nulls = vector->nulls == NULL ? NULL : vector->nulls + from;
        columns[i].values = (const uint8_t *)vector->values + skip;
    }
    return (nq_batch){.row_count = count, .column_count = batch->column_count, .columns = columns};
}

/* Sees to it that some row is held, or that the end is known. */
static nq_status fetch(nq_ctx *ctx, nq_stream_source *source) {
    if (source->is_at_end || source->held_taken < source->held.row_count) {
        return NQ_OK;
    }
    uint32_t wanted =
        source->rows_left < NQ_BATCH_ROWS_MAX ? (uint32_t)source->rows_left : NQ_BATCH_ROWS_MAX;
    source->held_taken = 0;
    NQ_TRY(nq_cursor_next(ctx, source->cursor, wanted == 0 ? 1 : wanted, &source->held));
    if (wanted == 0) {
        source->is_truncated = source->held.row_count > 0;
        source->held.row_count = 0;
    }
    source->rows_left -= source->held.row_count;
    source->is_at_end = source->held.row_count == 0;
    return NQ_OK;
}

nq_status nq_stream_source_look(nq_ctx *ctx, nq_stream_source *source, bool *out_is_at_end) {
    nq_status status = fetch(ctx, source);
    *out_is_at_end = source->is_at_end;
    return status;
}

/* The most held rows that fit `bytes`, by halving; `least` at the least. */
static uint32_t rows_that_fit(const nq_stream_source *source, uint32_t rows_max, size_t bytes,
                              uint32_t least, nq_vector *columns) {
    uint32_t available = source->held.row_count - source->held_taken;
    uint32_t low = least;
    uint32_t high = available < rows_max ? available : rows_max;
    nq_batch whole = slice(&source->held, source->held_taken, high, columns);
    if (nq_column_batch_bytes_max(&whole) <= bytes) {
        return high;
    }
    /* Invariant: `low` rows are taken whatever they weigh or fit, more than `high` do not fit. */
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        nq_batch part = slice(&source->held, source->held_taken, middle, columns);
        if (nq_column_batch_bytes_max(&part) <= bytes) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

/* Copies rows into the collector until a limit is met or the rows end. */
static nq_status collect(nq_ctx *ctx, nq_stream_source *source, uint32_t rows_max, size_t bytes_max,
                         nq_vector *columns, nq_column_collector *collector) {
    while (nq_column_collector_rows(collector) < rows_max) {
        NQ_TRY(fetch(ctx, source));
        if (source->is_at_end) {
            return NQ_OK;
        }
        uint64_t collected = nq_column_collector_rows(collector);
        size_t used = nq_column_collector_bytes(collector);
        uint32_t count =
            rows_that_fit(source, rows_max - (uint32_t)collected,
                          bytes_max > used ? bytes_max - used : 0, collected == 0, columns);
        if (count == 0) {
            return NQ_OK;
        }
        nq_batch part = slice(&source->held, source->held_taken, count, columns);
        NQ_TRY(nq_column_collector_append(ctx, collector, &part));
        source->held_taken += count;
    }
    return NQ_OK;
}

static nq_status write_columns(nq_ctx *ctx, nq_stream_source *source, uint32_t rows_max,
                               size_t bytes_max, uint64_t number, uint64_t first_row,
                               nq_vector *columns, nq_writer *writer, uint64_t *out_rows) {
    nq_column_collector *collector = NULL;
    NQ_TRY(nq_column_collector_create(ctx, nq_cursor_columns(source->cursor),
                                      nq_cursor_column_count(source->cursor), SIZE_MAX,
                                      &collector));
    NQ_TRY(collect(ctx, source, rows_max, bytes_max, columns, collector));
    *out_rows = nq_column_collector_rows(collector);
    if (*out_rows == 0) {
        return NQ_OK;
    }
    nq_open_batch opened = nq_stream_batch_open(writer, number, first_row, (uint32_t)*out_rows);
    nq_column_collector_write(collector, writer, NQ_STREAM_BATCH_COLUMNS);
    nq_stream_batch_close(writer, opened, source->is_at_end);
    return NQ_OK;
}

static nq_status write_rows(nq_ctx *ctx, nq_stream_source *source, uint32_t rows_max,
                            size_t bytes_max, uint64_t number, uint64_t first_row,
                            nq_vector *columns, nq_writer *writer, uint64_t *out_rows) {
    NQ_TRY(fetch(ctx, source));
    if (source->is_at_end) {
        return NQ_OK;
    }
    /* One engine batch at most: the row count goes before the rows. */
    uint32_t count = rows_that_fit(source, rows_max, bytes_max, 1, columns);
    nq_batch part = slice(&source->held, source->held_taken, count, columns);
    nq_open_batch opened = nq_stream_batch_open(writer, number, first_row, count);
    size_t rows = nq_writer_open(writer, NQ_STREAM_BATCH_ROWS);
    nq_rows_write(writer, &part);
    nq_writer_close(writer, rows);
    nq_stream_batch_close(writer, opened, false);
    source->held_taken += count;
    *out_rows = count;
    return NQ_OK;
}

/* Runs the statement to its end, counting. */
static nq_status drop_rows(nq_ctx *ctx, nq_stream_source *source) {
    while (!source->is_at_end) {
        NQ_TRY(fetch(ctx, source));
        source->held_taken = source->held.row_count;
    }
    return NQ_OK;
}

nq_status nq_stream_batch_write(nq_ctx *ctx, nq_stream_source *source, nq_row_format format,
                                uint32_t rows_max, size_t bytes_max, uint64_t number,
                                uint64_t first_row, nq_writer *writer, uint64_t *out_rows) {
    *out_rows = 0;
    nq_arena_reset(ctx->scratch);
    if (format == NQ_ROW_FORMAT_NONE) {
        return drop_rows(ctx, source);
    }
    uint32_t column_count = nq_cursor_column_count(source->cursor);
    nq_vector *columns = nq_arena_calloc(ctx->scratch, column_count + 1, sizeof *columns);
    if (columns == NULL) {
        return nq_fail_no_memory(ctx, "a batch");
    }
    return format == NQ_ROW_FORMAT_ROWS ? write_rows(ctx, source, rows_max, bytes_max, number,
                                                     first_row, columns, writer, out_rows)
                                        : write_columns(ctx, source, rows_max, bytes_max, number,
                                                        first_row, columns, writer, out_rows);
}
