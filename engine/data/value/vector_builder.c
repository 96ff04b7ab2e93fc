/* Building batches. */
#include "engine/data/value/vector_builder.h"

#include <string.h>

nq_status nq_batch_builder_init(nq_ctx *ctx, nq_batch_builder *builder, nq_arena *arena,
                                nq_arena *bytes, const nq_type *types, uint32_t column_count,
                                uint32_t capacity) {
    *builder =
        (nq_batch_builder){.capacity = capacity, .column_count = column_count, .bytes = bytes};
    builder->columns = nq_arena_calloc(arena, column_count, sizeof *builder->columns);
    builder->vectors = nq_arena_calloc(arena, column_count, sizeof *builder->vectors);
    if (column_count > 0 && (builder->columns == NULL || builder->vectors == NULL)) {
        return nq_fail_no_memory(ctx, "a batch");
    }
    for (uint32_t i = 0; i < column_count; i++) {
        nq_vector_builder *column = &builder->columns[i];
        column->type = types[i];
        column->form = nq_type_form(types[i].id);
        column->nulls = nq_arena_alloc(arena, capacity);
        column->values = nq_arena_alloc(arena, capacity * nq_form_bytes(column->form));
        if (column->nulls == NULL || column->values == NULL) {
            return nq_fail_no_memory(ctx, "a batch");
        }
        builder->vectors[i] = (nq_vector){.type = types[i], .values = column->values};
    }
    return NQ_OK;
}

void nq_batch_builder_reset(nq_batch_builder *builder) {
    builder->row_count = 0;
    for (uint32_t i = 0; i < builder->column_count; i++) {
        builder->columns[i].has_nulls = false;
    }
    if (builder->bytes != NULL) {
        nq_arena_reset(builder->bytes);
    }
}

nq_batch nq_batch_builder_batch(nq_batch_builder *builder) {
    for (uint32_t i = 0; i < builder->column_count; i++) {
        nq_vector_builder *column = &builder->columns[i];
        builder->vectors[i].nulls = column->has_nulls ? column->nulls : NULL;
    }
    return (nq_batch){builder->row_count, builder->column_count, builder->vectors};
}

nq_status nq_batch_builder_set(nq_ctx *ctx, nq_batch_builder *builder, uint32_t column,
                               nq_value value) {
    nq_vector_builder *target = &builder->columns[column];
    uint32_t row = builder->row_count;
    if (value.is_null) {
        nq_vector_builder_set_null(target, row);
        return NQ_OK;
    }
    target->nulls[row] = 0;
    switch (target->form) {
    case NQ_FORM_BOOL:
        target->booleans[row] = value.boolean;
        return NQ_OK;
    case NQ_FORM_INT64:
        target->integers[row] = value.integer;
        return NQ_OK;
    case NQ_FORM_FLOAT64:
        target->numbers[row] = value.number;
        return NQ_OK;
    case NQ_FORM_BYTES:
        break;
    }
    nq_bytes bytes = value.bytes;
    if (builder->bytes != NULL && bytes.size > 0) {
        bytes = nq_arena_copy(builder->bytes, bytes);
        if (bytes.data == NULL) {
            return nq_fail_no_memory(ctx, "a batch's text");
        }
    }
    target->bytes[row] = bytes;
    return NQ_OK;
}
