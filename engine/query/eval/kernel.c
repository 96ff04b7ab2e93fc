/* What kernels share: memory for text, range failures, single elements. */
#include "engine/query/eval/kernel_internal.h"

uint8_t *nq__kernel_alloc(nq_kernel_call *call, size_t bytes) {
    if (bytes > NQ_EVAL_TEXT_BYTES_MAX) {
        (void)!nq_fail(call->ctx, NQ_LIMIT_EXCEEDED, "%s() would make a text longer than %d bytes",
                       call->function == NULL ? "cast" : call->function->name,
                       NQ_EVAL_TEXT_BYTES_MAX);
        return NULL;
    }
    uint8_t *data = nq_arena_alloc(call->arena, bytes == 0 ? 1 : bytes);
    if (data == NULL) {
        (void)!nq_fail(call->ctx, NQ_MEMORY_LIMIT, "out of memory for the text of one batch");
        nq_error_set_hint(&call->ctx->error, "The statement's memory budget is %zu bytes.",
                          call->arena->budget_bytes);
    }
    return data;
}

nq_status nq__fail_out_of_range(nq_ctx *ctx, nq_type_id type) {
    return nq_fail(ctx, NQ_NUMBER_OUT_OF_RANGE, "%s out of range", nq_type_name(type));
}

nq_value nq__vector_value(const nq_vector *vector, uint32_t row) {
    nq_value value = {.type = vector->type.id};
    if (nq__is_null(vector, row)) {
        value.is_null = true;
        return value;
    }
    switch (nq_type_form(vector->type.id)) {
    case NQ_FORM_BOOL:
        value.boolean = vector->booleans[row] != 0;
        break;
    case NQ_FORM_INT64:
        value.integer = vector->integers[row];
        break;
    case NQ_FORM_FLOAT64:
        value.number = vector->numbers[row];
        break;
    case NQ_FORM_BYTES:
        value.bytes = vector->bytes[row];
        break;
    }
    return value;
}

void nq__buffer_set(nq_column_buffer *buffer, uint32_t row, nq_value value) {
    buffer->nulls[row] = value.is_null;
    switch (nq_type_form(buffer->type.id)) {
    case NQ_FORM_BOOL:
        buffer->booleans[row] = !value.is_null && value.boolean;
        break;
    case NQ_FORM_INT64:
        buffer->integers[row] = value.is_null ? 0 : value.integer;
        break;
    case NQ_FORM_FLOAT64:
        buffer->numbers[row] = value.is_null ? 0 : value.number;
        break;
    case NQ_FORM_BYTES:
        buffer->bytes[row] = value.is_null ? nq_bytes_of(NULL, 0) : value.bytes;
        break;
    }
}
