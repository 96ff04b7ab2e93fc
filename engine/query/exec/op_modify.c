/* Update and delete: the rows to be changed are all found before the first is changed, so that a
 * moved row is not met again. Input rows are the table's whole rows, their identity last. */
#include "engine/query/exec/write_internal.h"

typedef struct modify_state {
    nq_operator base;
    nq_write write;
    nq_assigner assigner; /* UPDATE */
    nq_rows found;
    nq_vector *window;
    nq_vector *one_row;
} modify_state;

static nq_status modify_open(nq_ctx *ctx, nq_operator *op) {
    modify_state *state = (modify_state *)op;
    const nq_plan_modify *plan = &op->plan->modify;
    nq_arena *arena = op->execution->statement;
    uint32_t width = plan->table->definition.column_count;
    nq_type *types = nq_arena_calloc(arena, width + 1, sizeof(nq_type));
    state->window = nq_arena_calloc(arena, width + 1, sizeof(nq_vector));
    state->one_row = nq_arena_calloc(arena, width + 1, sizeof(nq_vector));
    if (types == NULL || state->window == NULL || state->one_row == NULL) {
        return nq__fail_memory(ctx, op);
    }
    memcpy(types, plan->table->column_types, width * sizeof(nq_type));
    types[width] = NQ_TYPE(NQ_TYPE_BYTES);
    if (!nq__rows_init(&state->found, arena, types, width + 1)) {
        return nq__fail_memory(ctx, op);
    }
    NQ_TRY(nq__write_open(ctx, op, &state->write, plan->table, plan->checks, plan->check_count,
                          &plan->returning));
    if (op->plan->kind == NQ_PLAN_DELETE) {
        return NQ_OK;
    }
    return nq__assigner_open(ctx, op, &state->assigner, plan->table, plan->assignments,
                             plan->assignment_count);
}

static nq_status write_row(nq_ctx *ctx, nq_operator *op, nq_bytes key, const nq_batch *rows,
                           uint32_t row, bool *out_is_found) {
    nq_table_writer *writer = ((modify_state *)op)->write.writer;
    if (op->plan->kind == NQ_PLAN_DELETE) {
        return nq_table_writer_delete(ctx, writer, key, out_is_found);
    }
    return nq_table_writer_update(ctx, writer, key, rows, row, out_is_found);
}

static nq_status modify_batch(nq_ctx *ctx, nq_operator *op, const nq_batch *old) {
    modify_state *state = (modify_state *)op;
    const nq_table *table = op->plan->modify.table;
    uint32_t width = table->definition.column_count;
    nq_batch rows = {old->row_count, width, old->columns};
    if (op->plan->kind == NQ_PLAN_UPDATE) {
        NQ_TRY(nq__assigner_run(ctx, op, &state->assigner, table, old, &rows));
        NQ_TRY(nq__write_check(ctx, op, &state->write, &rows));
    }
    for (uint32_t row = 0; row < old->row_count; row++) {
        bool is_found = false;
        NQ_TRY(write_row(ctx, op, old->columns[width].bytes[row], &rows, row, &is_found));
        if (!is_found) {
            continue;
        }
        op->execution->stats.rows_affected++;
        if (state->write.returning_program != NULL) {
            nq_batch one = nq__write_one_row(&rows, row, state->one_row);
            NQ_TRY(nq__write_return(ctx, op, &state->write, &one));
        }
    }
    return NQ_OK;
}

static nq_status modify_all(nq_ctx *ctx, nq_operator *op) {
    modify_state *state = (modify_state *)op;
    uint32_t width = state->found.column_count;
    NQ_TRY(nq__collect(ctx, op, op->inputs[0], &state->found));
    for (uint32_t first = 0; first < state->found.row_count;) {
        NQ_TRY(nq_ctx_poll(ctx));
        nq_arena_reset(&op->bytes);
        uint32_t count = nq__rows_window(&state->found, first, NQ_BATCH_ROWS_MAX, state->window);
        nq_batch old = {count, width, state->window};
        NQ_TRY(modify_batch(ctx, op, &old));
        first += count;
    }
    return NQ_OK;
}

static nq_status modify_next(nq_ctx *ctx, nq_operator *op, uint32_t rows_max, nq_batch *out_batch) {
    modify_state *state = (modify_state *)op;
    if (!state->write.is_finished) {
        NQ_TRY(modify_all(ctx, op));
        state->write.is_finished = true;
    }
    return nq__write_next(op, &state->write, rows_max, out_batch);
}

static void modify_close(nq_operator *op) {
    nq__write_close(&((modify_state *)op)->write);
}

const nq_operator_ops nq__op_modify = {sizeof(modify_state), modify_open, modify_next,
                                       modify_close};
