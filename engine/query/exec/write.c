/* The common part of writes. */
#include "engine/query/exec/write_internal.h"

static nq_status open_checks(nq_ctx *ctx, nq_operator *op, nq_write *write) {
    nq_arena *arena = op->execution->statement;
    if (write->check_count == 0) {
        return NQ_OK;
    }
    const nq_expr **exprs = nq_arena_alloc(arena, write->check_count * sizeof(nq_expr *));
    if (exprs == NULL) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t i = 0; i < write->check_count; i++) {
        exprs[i] = write->checks[i].condition;
    }
    return nq__compile(ctx, op, exprs, write->check_count, &write->check_program);
}

static nq_status open_returning(nq_ctx *ctx, nq_operator *op, nq_write *write,
                                const nq_plan_exprs *returning) {
    nq_arena *arena = op->execution->statement;
    if (returning->count == 0) {
        return NQ_OK;
    }
    nq_type *types = nq_arena_calloc(arena, returning->count, sizeof(nq_type));
    write->window = nq_arena_calloc(arena, returning->count, sizeof(nq_vector));
    if (types == NULL || write->window == NULL) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t i = 0; i < returning->count; i++) {
        types[i] = returning->items[i]->type;
    }
    if (!nq__rows_init(&write->returned, arena, types, returning->count)) {
        return nq__fail_memory(ctx, op);
    }
    return nq__compile(ctx, op, returning->items, returning->count, &write->returning_program);
}

nq_status nq__write_open(nq_ctx *ctx, nq_operator *op, nq_write *write, const nq_table *table,
                         const nq_plan_check *checks, uint32_t check_count,
                         const nq_plan_exprs *returning) {
    write->table = table;
    write->checks = checks;
    write->check_count = check_count;
    NQ_TRY(open_checks(ctx, op, write));
    NQ_TRY(open_returning(ctx, op, write, returning));
    return nq_table_writer_open(ctx, op->execution->txn, table, &write->writer);
}

void nq__write_close(nq_write *write) {
    if (write->writer != NULL) {
        nq_table_writer_close(write->writer);
        write->writer = NULL;
    }
}

static bool is_false(const nq_vector *vector, uint32_t row) {
    return (vector->nulls == NULL || vector->nulls[row] == 0) && vector->booleans[row] == 0;
}

nq_status nq__write_check(nq_ctx *ctx, nq_operator *op, nq_write *write, const nq_batch *rows) {
    if (write->check_count == 0 || rows->row_count == 0) {
        return NQ_OK;
    }
    const nq_vector *results;
    NQ_TRY(nq_program_run(ctx, write->check_program, &op->bytes, rows, &results));
    for (uint32_t row = 0; row < rows->row_count; row++) {
        for (uint32_t i = 0; i < write->check_count; i++) {
            if (!is_false(&results[i], row)) {
                continue;
            }
            nq_bytes name = write->checks[i].name;
            nq_status status =
                nq_fail(ctx, NQ_CHECK_VIOLATION,
                        "new row for table \"%.*s\" violates check constraint \"%.*s\"",
                        NQ_BYTES_FORMAT(write->table->definition.name), NQ_BYTES_FORMAT(name));
            nq_error_set_object(&ctx->error, (const char *)name.data, name.size);
            return status;
        }
    }
    return NQ_OK;
}

nq_status nq__write_return(nq_ctx *ctx, nq_operator *op, nq_write *write, const nq_batch *rows) {
    if (write->returning_program == NULL || rows->row_count == 0) {
        return NQ_OK;
    }
    const nq_vector *results;
    NQ_TRY(nq_program_run(ctx, write->returning_program, &op->bytes, rows, &results));
    if (!nq__rows_append(&write->returned, results, NULL, rows->row_count)) {
        return nq__fail_memory(ctx, op);
    }
    return NQ_OK;
}

nq_status nq__write_next(nq_operator *op, nq_write *write, uint32_t rows_max, nq_batch *out_batch) {
    *out_batch = (nq_batch){0, op->plan->column_count, write->window};
    if (write->returning_program != NULL) {
        out_batch->row_count =
            nq__rows_window(&write->returned, write->next_returned, rows_max, write->window);
        write->next_returned += out_batch->row_count;
    }
    return NQ_OK;
}

nq_batch nq__write_one_row(const nq_batch *batch, uint32_t row, nq_vector *vectors) {
    for (uint32_t c = 0; c < batch->column_count; c++) {
        vectors[c] = nq__vector_slice(batch->columns[c], row);
    }
    return (nq_batch){1, batch->column_count, vectors};
}

/* ---- Assignments ---- */

nq_status nq__assigner_open(nq_ctx *ctx, nq_operator *op, nq_assigner *assigner,
                            const nq_table *table, const nq_plan_assignment *assignments,
                            uint32_t count) {
    nq_arena *arena = op->execution->statement;
    const nq_expr **exprs = nq_arena_alloc(arena, (count + 1) * sizeof(nq_expr *));
    assigner->columns = nq_arena_calloc(arena, table->definition.column_count, sizeof(nq_vector));
    if (exprs == NULL || assigner->columns == NULL) {
        return nq__fail_memory(ctx, op);
    }
    assigner->assignments = assignments;
    assigner->count = count;
    for (uint32_t i = 0; i < count; i++) {
        exprs[i] = assignments[i].value;
    }
    return nq__compile(ctx, op, exprs, count, &assigner->program);
}

nq_status nq__assigner_run(nq_ctx *ctx, nq_operator *op, nq_assigner *assigner,
                           const nq_table *table, const nq_batch *input, nq_batch *out_rows) {
    const nq_vector *values;
    uint32_t width = table->definition.column_count;
    NQ_TRY(nq_program_run(ctx, assigner->program, &op->bytes, input, &values));
    memcpy(assigner->columns, input->columns, width * sizeof(nq_vector));
    for (uint32_t i = 0; i < assigner->count; i++) {
        assigner->columns[assigner->assignments[i].table_column] = values[i];
    }
    *out_rows = (nq_batch){input->row_count, width, assigner->columns};
    return NQ_OK;
}
