/* Limit: skips `offset` rows, then hands on at most `limit`. It never asks its input for more rows
 * than it still wants. */
#include "engine/query/exec/exec_internal.h"

typedef struct limit_state {
    nq_operator base;
    uint64_t to_skip;
    uint64_t to_return;
} limit_state;

/* A null or absent bound is `absent`. */
static nq_status take_bound(nq_ctx *ctx, nq_operator *op, const nq_expr *expr, const char *what,
                            uint64_t absent, uint64_t *out_bound) {
    *out_bound = absent;
    if (expr == NULL) {
        return NQ_OK;
    }
    nq_value value;
    NQ_TRY(nq__evaluate_constant(ctx, op, expr, &value));
    if (value.is_null) {
        return NQ_OK;
    }
    if (value.integer < 0) {
        return nq_fail(ctx, NQ_INVALID_LIMIT, "%s must not be negative", what);
    }
    *out_bound = (uint64_t)value.integer;
    return NQ_OK;
}

static nq_status limit_open(nq_ctx *ctx, nq_operator *op) {
    limit_state *state = (limit_state *)op;
    NQ_TRY(take_bound(ctx, op, op->plan->limit.limit, "LIMIT", UINT64_MAX, &state->to_return));
    return take_bound(ctx, op, op->plan->limit.offset, "OFFSET", 0, &state->to_skip);
}

static nq_status limit_next(nq_ctx *ctx, nq_operator *op, uint32_t rows_max, nq_batch *out_batch) {
    limit_state *state = (limit_state *)op;
    if (state->to_return == 0) {
        return NQ_OK;
    }
    nq_batch batch;
    for (;;) {
        uint64_t wanted = state->to_skip > 0 ? state->to_skip : state->to_return;
        uint32_t room = state->to_skip > 0 ? (uint32_t)NQ_BATCH_ROWS_MAX : rows_max;
        NQ_TRY(nq__pull(ctx, op->inputs[0], wanted < room ? (uint32_t)wanted : room, &batch));
        if (state->to_skip == 0 || batch.row_count == 0) {
            break;
        }
        state->to_skip -= batch.row_count;
    }
    state->to_return -= batch.row_count;
    *out_batch = batch;
    return NQ_OK;
}

const nq_operator_ops nq__op_limit = {sizeof(limit_state), limit_open, limit_next, NULL};
