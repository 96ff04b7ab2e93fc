/* Values: rows of expressions that see no row. */
#include "engine/query/exec/exec_internal.h"

typedef struct values_state {
    nq_operator base;
    nq_batch_builder builder;
    uint32_t next_row;
} values_state;

static nq_status values_open(nq_ctx *ctx, nq_operator *op) {
    values_state *state = (values_state *)op;
    const nq_plan_node *plan = op->plan;
    nq_arena *arena = op->execution->statement;
    nq_type *types = nq_arena_calloc(arena, plan->column_count + 1, sizeof(nq_type));
    if (types == NULL) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t i = 0; i < plan->column_count; i++) {
        types[i] = plan->columns[i].type;
    }
    uint32_t rows = plan->values.row_count;
    uint32_t capacity = rows < NQ_BATCH_ROWS_MAX ? rows : (uint32_t)NQ_BATCH_ROWS_MAX;
    return nq_batch_builder_init(ctx, &state->builder, arena, NULL, types, plan->column_count,
                                 capacity == 0 ? 1 : capacity);
}

static nq_status values_next(nq_ctx *ctx, nq_operator *op, uint32_t rows_max, nq_batch *out_batch) {
    values_state *state = (values_state *)op;
    const nq_plan_values *plan = &op->plan->values;
    uint32_t width = op->plan->column_count;
    nq_arena_reset(&op->bytes);
    nq_batch_builder_reset(&state->builder);
    while (state->next_row < plan->row_count && state->builder.row_count < rows_max &&
           !nq_batch_builder_is_full(&state->builder)) {
        for (uint32_t c = 0; c < width; c++) {
            const nq_expr *expr = plan->exprs[(size_t)state->next_row * width + c];
            nq_value value;
            NQ_TRY(nq_expr_evaluate(ctx, &op->bytes, &op->execution->env, expr, NULL, &value));
            NQ_TRY(nq_batch_builder_set(ctx, &state->builder, c, value));
        }
        state->builder.row_count++;
        state->next_row++;
    }
    *out_batch = nq_batch_builder_batch(&state->builder);
    return NQ_OK;
}

const nq_operator_ops nq__op_values = {sizeof(values_state), values_open, values_next, NULL};
