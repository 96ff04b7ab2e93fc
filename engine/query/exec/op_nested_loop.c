/* Nested loop: every left row with every right row. The right input is read once and kept. */
#include "engine/query/exec/join_internal.h"

typedef struct loop_state {
    nq_operator base;
    nq_join join;
    nq_rows right;
    bool has_right;
    bool has_left; /* join.left has rows yet to be proposed */
    bool is_left_over;
    uint32_t left_row; /* next pair */
    uint32_t right_row;
    uint32_t unmatched; /* FULL: next right row to be looked at */
} loop_state;

static nq_status loop_open(nq_ctx *ctx, nq_operator *op) {
    loop_state *state = (loop_state *)op;
    const nq_plan_node *right = op->inputs[1]->plan;
    nq_arena *arena = op->execution->statement;
    nq_type *types = nq_arena_calloc(arena, right->column_count + 1, sizeof(nq_type));
    if (types == NULL) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t i = 0; i < right->column_count; i++) {
        types[i] = right->columns[i].type;
    }
    if (!nq__rows_init(&state->right, arena, types, right->column_count)) {
        return nq__fail_memory(ctx, op);
    }
    state->join.right = &state->right;
    return nq__join_open(ctx, op, &state->join, op->plan->join.kind, right->columns,
                         right->column_count, op->plan->join.condition);
}

static nq_status read_right(nq_ctx *ctx, nq_operator *op) {
    loop_state *state = (loop_state *)op;
    NQ_TRY(nq__collect(ctx, op, op->inputs[1], &state->right));
    if (state->join.kind == NQ_JOIN_FULL) {
        state->join.right_matched =
            nq_arena_calloc(op->execution->statement, state->right.row_count + 1, 1);
        if (state->join.right_matched == NULL) {
            return nq__fail_memory(ctx, op);
        }
    }
    state->has_right = true;
    return NQ_OK;
}

static void propose(loop_state *state, uint32_t rows_max) {
    nq_join *join = &state->join;
    while (state->left_row < join->left.row_count && join->candidate_count < rows_max) {
        if (state->right_row < state->right.row_count) {
            nq__join_propose(join, state->left_row, state->right_row++);
        } else {
            nq__join_propose(join, state->left_row++, NQ_ROW_NONE);
            state->right_row = 0;
        }
    }
    state->has_left = state->left_row < join->left.row_count;
}

static nq_status loop_next(nq_ctx *ctx, nq_operator *op, uint32_t rows_max, nq_batch *out_batch) {
    loop_state *state = (loop_state *)op;
    if (!state->has_right) {
        NQ_TRY(read_right(ctx, op));
    }
    while (!state->is_left_over) {
        if (!state->has_left) {
            nq_batch left;
            NQ_TRY(nq__pull(ctx, op->inputs[0], NQ_BATCH_ROWS_MAX, &left));
            state->is_left_over = left.row_count == 0;
            state->left_row = 0;
            state->right_row = 0;
            nq__join_start(&state->join, &left);
        }
        NQ_TRY(nq_ctx_poll(ctx));
        propose(state, rows_max);
        NQ_TRY(nq__join_emit(ctx, op, &state->join, out_batch));
        if (out_batch->row_count > 0) {
            return NQ_OK;
        }
    }
    if (state->join.kind != NQ_JOIN_FULL) {
        return NQ_OK;
    }
    return nq__join_emit_unmatched(ctx, op, &state->join, &state->unmatched, rows_max, out_batch);
}

const nq_operator_ops nq__op_nested_loop = {sizeof(loop_state), loop_open, loop_next, NULL};
