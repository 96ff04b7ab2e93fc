/* Filter: the rows for which a condition is true. */
#include "engine/query/exec/exec_internal.h"

typedef struct filter_state {
    nq_operator base;
    nq_selector selector;
} filter_state;

static nq_status filter_open(nq_ctx *ctx, nq_operator *op) {
    filter_state *state = (filter_state *)op;
    return nq__selector_init(ctx, op, &state->selector, op->plan->filter.condition,
                             op->plan->columns, op->plan->column_count);
}

static nq_status filter_next(nq_ctx *ctx, nq_operator *op, uint32_t rows_max, nq_batch *out_batch) {
    filter_state *state = (filter_state *)op;
    nq_batch batch;
    do {
        nq_arena_reset(&op->bytes);
        NQ_TRY(nq__pull(ctx, op->inputs[0], rows_max, &batch));
        NQ_TRY(nq__selector_run(ctx, op, &state->selector, &batch, out_batch));
    } while (batch.row_count > 0 && out_batch->row_count == 0);
    return NQ_OK;
}

const nq_operator_ops nq__op_filter = {sizeof(filter_state), filter_open, filter_next, NULL};
