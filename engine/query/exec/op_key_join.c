/* Key join: for each left row, the row of a table with that primary key. */
#include "engine/data/table/table.h"
#include "engine/query/exec/join_internal.h"

typedef struct key_join_state {
    nq_operator base;
    nq_join join;
    nq_program *key_program;
    nq_value *key;
    nq_type *types;
    nq_arena found_bytes; /* the rows found for one left batch */
    nq_row_decoder decoder;
    nq_batch_builder builder;
    nq_rows found;
    bool is_left_over;
    uint32_t left_row;
    bool must_close; /* left_row's match was proposed, its end was not */
    uint32_t matches[NQ_BATCH_ROWS_MAX];
} key_join_state;

static nq_status key_join_open(nq_ctx *ctx, nq_operator *op) {
    key_join_state *state = (key_join_state *)op;
    const nq_plan_key_join *plan = &op->plan->key_join;
    nq_arena *arena = op->execution->statement;
    nq_arena_init(&state->found_bytes, arena->budget_bytes);
    uint32_t width = plan->table_column_count;
    nq_column_info *columns = nq_arena_calloc(arena, width + 1, sizeof(nq_column_info));
    state->types = nq_arena_calloc(arena, width + 1, sizeof(nq_type));
    state->key = nq_arena_calloc(arena, plan->key.count + 1, sizeof(nq_value));
    if (columns == NULL || state->types == NULL || state->key == NULL) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t i = 0; i < width; i++) {
        bool is_row_key = plan->table_columns[i] == NQ_COLUMN_ROW_KEY;
        state->types[i] =
            is_row_key ? NQ_TYPE(NQ_TYPE_BYTES) : plan->table->column_types[plan->table_columns[i]];
        columns[i].type = state->types[i];
    }
    state->join.right = &state->found;
    NQ_TRY(nq__compile(ctx, op, plan->key.items, plan->key.count, &state->key_program));
    NQ_TRY(nq_row_decoder_init(ctx, &state->decoder, arena, &plan->table->layout,
                               plan->table_columns, width));
    NQ_TRY(nq_batch_builder_init(ctx, &state->builder, arena, &op->bytes, state->types, width,
                                 NQ_BATCH_ROWS_MAX));
    return nq__join_open(ctx, op, &state->join, plan->kind, columns, width, plan->condition);
}

/* Looks up the keys of a whole left batch. */
static nq_status find_matches(nq_ctx *ctx, nq_operator *op, const nq_batch *left) {
    key_join_state *state = (key_join_state *)op;
    const nq_plan_key_join *plan = &op->plan->key_join;
    const nq_vector *keys;
    nq_arena_reset(&state->found_bytes);
    nq_batch_builder_reset(&state->builder);
    NQ_TRY(nq_program_run(ctx, state->key_program, &state->found_bytes, left, &keys));
    nq_batch key_batch = {left->row_count, plan->key.count, keys};
    for (uint32_t row = 0; row < left->row_count; row++) {
        bool is_found = false;
        for (uint32_t k = 0; k < plan->key.count; k++) {
            state->key[k] = nq_batch_value(&key_batch, k, row);
        }
        NQ_TRY(nq_table_find(ctx, op->execution->txn, plan->table, state->key, &state->decoder,
                             &state->builder, &is_found));
        state->matches[row] = is_found ? state->builder.row_count - 1 : NQ_ROW_NONE;
    }
    op->execution->stats.rows_examined += state->builder.row_count;
    nq_batch found = nq_batch_builder_batch(&state->builder);
    if (!nq__rows_init(&state->found, &state->found_bytes, state->types,
                       plan->table_column_count) ||
        !nq__rows_append(&state->found, found.columns, NULL, found.row_count)) {
        return nq__fail_memory(ctx, op);
    }
    return NQ_OK;
}

static void propose(key_join_state *state, uint32_t rows_max) {
    nq_join *join = &state->join;
    while (state->left_row < join->left.row_count && join->candidate_count < rows_max) {
        uint32_t match = state->matches[state->left_row];
        if (match != NQ_ROW_NONE && !state->must_close) {
            nq__join_propose(join, state->left_row, match);
            state->must_close = true;
            continue;
        }
        nq__join_propose(join, state->left_row++, NQ_ROW_NONE);
        state->must_close = false;
    }
}

static nq_status key_join_next(nq_ctx *ctx, nq_operator *op, uint32_t rows_max,
                               nq_batch *out_batch) {
    key_join_state *state = (key_join_state *)op;
    while (!state->is_left_over) {
        if (state->left_row >= state->join.left.row_count) {
            nq_batch left;
            NQ_TRY(nq__pull(ctx, op->inputs[0], rows_max, &left));
            state->is_left_over = left.row_count == 0;
            state->left_row = 0;
            nq__join_start(&state->join, &left);
            NQ_TRY(find_matches(ctx, op, &left));
        }
        propose(state, rows_max);
        NQ_TRY(nq__join_emit(ctx, op, &state->join, out_batch));
        if (out_batch->row_count > 0) {
            return NQ_OK;
        }
    }
    return NQ_OK;
}

static void key_join_close(nq_operator *op) {
    nq_arena_deinit(&((key_join_state *)op)->found_bytes);
}

const nq_operator_ops nq__op_key_join = {sizeof(key_join_state), key_join_open, key_join_next,
                                         key_join_close};
