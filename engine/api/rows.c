/* Rows kept past the execution that made them: what RETURNING returns, EXPLAIN's lines. */
#include <string.h>

#include "engine/api/api_internal.h"

static nq_status copy_bytes(nq_ctx *ctx, nq_arena *arena, const nq_vector *source,
                            uint32_t row_count, nq_bytes *target) {
    for (uint32_t i = 0; i < row_count; i++) {
        bool is_null = source->nulls != NULL && source->nulls[i] != 0;
        target[i] = (nq_bytes){NULL, 0};
        if (is_null) {
            continue;
        }
        target[i] = nq_arena_copy(arena, source->bytes[i]);
        if (target[i].data == NULL) {
            return nq_fail_no_memory(ctx, "returned rows");
        }
    }
    return NQ_OK;
}

static nq_status copy_vector(nq_ctx *ctx, nq_arena *arena, const nq_vector *source,
                             uint32_t row_count, nq_vector *target) {
    nq_form form = nq_type_form(source->type.id);
    size_t bytes = row_count * nq_form_bytes(form);
    void *values = nq_arena_alloc(arena, bytes);
    uint8_t *nulls = source->nulls != NULL ? nq_arena_alloc(arena, row_count) : NULL;
    if (values == NULL || (source->nulls != NULL && nulls == NULL)) {
        return nq_fail_no_memory(ctx, "returned rows");
    }
    if (nulls != NULL) {
        memcpy(nulls, source->nulls, row_count);
    }
    *target = (nq_vector){.type = source->type, .nulls = nulls, .values = values};
    if (form == NQ_FORM_BYTES) {
        return copy_bytes(ctx, arena, source, row_count, values);
    }
    memcpy(values, source->values, bytes);
    return NQ_OK;
}

nq_status nq__rows_keep(nq_ctx *ctx, nq_arena *arena, nq__kept_rows *rows, const nq_batch *batch) {
    nq__kept_batch *kept = nq_arena_calloc(arena, 1, sizeof *kept);
    nq_vector *columns = nq_arena_calloc(arena, batch->column_count, sizeof *columns);
    if (kept == NULL || columns == NULL) {
        return nq_fail_no_memory(ctx, "returned rows");
    }
    for (uint32_t i = 0; i < batch->column_count; i++) {
        NQ_TRY(copy_vector(ctx, arena, &batch->columns[i], batch->row_count, &columns[i]));
    }
    kept->batch = (nq_batch){batch->row_count, batch->column_count, columns};
    *(rows->last != NULL ? &rows->last->next : &rows->first) = kept;
    rows->last = kept;
    rows->row_count += batch->row_count;
    return NQ_OK;
}

nq_status nq__rows_next(nq_ctx *ctx, nq_arena *arena, nq__kept_rows *rows, uint32_t rows_max,
                        nq_batch *out_batch) {
    *out_batch = (nq_batch){0};
    while (rows->first != NULL && rows->row == rows->first->batch.row_count) {
        rows->first = rows->first->next;
        rows->row = 0;
    }
    if (rows->first == NULL) {
        return NQ_OK;
    }
    const nq_batch *batch = &rows->first->batch;
    uint32_t left = batch->row_count - rows->row;
    if (rows->row == 0 && rows_max >= left) {
        rows->row = left;
        *out_batch = *batch;
        return NQ_OK;
    }
    nq_vector *columns = nq_arena_calloc(arena, batch->column_count, sizeof *columns);
    if (columns == NULL) {
        return nq_fail_no_memory(ctx, "returned rows");
    }
    for (uint32_t i = 0; i < batch->column_count; i++) {
        columns[i] = batch->columns[i];
        size_t skipped = rows->row * nq_form_bytes(nq_type_form(columns[i].type.id));
        columns[i].values = (const uint8_t *)columns[i].values + skipped;
        columns[i].nulls = columns[i].nulls == NULL ? NULL : columns[i].nulls + rows->row;
    }
    *out_batch = (nq_batch){left < rows_max ? left : rows_max, batch->column_count, columns};
    rows->row += out_batch->row_count;
    return NQ_OK;
}
