/* Distinct: each row when it first appears. It streams: what was seen is kept, nothing is held
 * back. */
#include "engine/query/exec/exec_internal.h"
#include "engine/query/exec/hash_internal.h"

typedef struct distinct_state {
    nq_operator base;
    nq_row_set seen;
    nq_gather gather;
    uint32_t ids[NQ_BATCH_ROWS_MAX];
    uint16_t fresh[NQ_BATCH_ROWS_MAX];
} distinct_state;

static nq_status distinct_open(nq_ctx *ctx, nq_operator *op) {
    distinct_state *state = (distinct_state *)op;
    const nq_plan_node *plan = op->plan;
    nq_arena *arena = op->execution->statement;
    nq_type *types = nq_arena_calloc(arena, plan->column_count + 1, sizeof(nq_type));
    if (types == NULL) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t i = 0; i < plan->column_count; i++) {
        types[i] = plan->columns[i].type;
    }
    bool is_ready = nq__row_set_init(&state->seen, arena, types, plan->column_count) &&
                    nq__gather_init(&state->gather, arena, types, plan->column_count);
    return is_ready ? NQ_OK : nq__fail_memory(ctx, op);
}

static nq_status distinct_next(nq_ctx *ctx, nq_operator *op, uint32_t rows_max,
                               nq_batch *out_batch) {
    distinct_state *state = (distinct_state *)op;
    nq_batch batch;
    uint32_t count;
    do {
        NQ_TRY(nq__pull(ctx, op->inputs[0], rows_max, &batch));
        if (!nq__row_set_enter(&state->seen, batch.columns, batch.row_count, state->ids,
                               state->fresh, &count)) {
            return nq__fail_memory(ctx, op);
        }
    } while (batch.row_count > 0 && count == 0);
    if (count == batch.row_count) {
        *out_batch = batch;
        return NQ_OK;
    }
    if (!nq__gather_reserve(&state->gather, count)) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t c = 0; c < op->plan->column_count; c++) {
        nq__gather_vector(&state->gather, c, &batch.columns[c], state->fresh, count);
    }
    *out_batch = (nq_batch){count, op->plan->column_count, state->gather.vectors};
    return NQ_OK;
}

const nq_operator_ops nq__op_distinct = {sizeof(distinct_state), distinct_open, distinct_next,
                                         NULL};
