/* The common part of joins: conditions, outer rows, output. */
#include "engine/query/exec/join_internal.h"

static bool returns_right(nq_join_kind kind) {
    return kind == NQ_JOIN_INNER || kind == NQ_JOIN_LEFT || kind == NQ_JOIN_FULL;
}

nq_status nq__join_open(nq_ctx *ctx, nq_operator *op, nq_join *join, nq_join_kind kind,
                        const nq_column_info *right_columns, uint32_t right_width,
                        const nq_expr *condition) {
    nq_arena *arena = op->execution->statement;
    const nq_plan_node *left = op->inputs[0]->plan;
    join->kind = kind;
    join->hears_closings = kind != NQ_JOIN_INNER && kind != NQ_JOIN_SEMI;
    join->left_width = left->column_count;
    join->right_width = right_width;
    nq_type *types = nq_arena_calloc(arena, left->column_count + right_width + 1, sizeof(nq_type));
    const nq_expr **exprs = nq_arena_alloc(arena, sizeof(nq_expr *));
    if (types == NULL || exprs == NULL) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t i = 0; i < left->column_count; i++) {
        types[i] = left->columns[i].type;
    }
    for (uint32_t i = 0; i < right_width; i++) {
        types[left->column_count + i] = right_columns[i].type;
    }
    uint32_t width = left->column_count + right_width;
    uint32_t output_width = returns_right(kind) ? width : left->column_count;
    if (!nq__gather_init(&join->output, arena, types, output_width)) {
        return nq__fail_memory(ctx, op);
    }
    if (condition == NULL) {
        return NQ_OK;
    }
    exprs[0] = condition;
    if (!nq__gather_init(&join->tested, arena, types, width)) {
        return nq__fail_memory(ctx, op);
    }
    return nq__compile(ctx, op, exprs, 1, &join->condition);
}

void nq__join_start(nq_join *join, const nq_batch *left) {
    join->left = *left;
    join->candidate_count = 0;
    memset(join->matched, 0, left->row_count);
}

static nq_status gather_pairs(nq_ctx *ctx, nq_operator *op, const nq_join *join, nq_gather *gather,
                              const uint16_t *left_rows, const uint32_t *right_rows,
                              uint32_t count) {
    if (!nq__gather_reserve(gather, count)) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t c = 0; c < join->left_width; c++) {
        nq__gather_vector(gather, c, &join->left.columns[c], left_rows, count);
    }
    for (uint32_t c = join->left_width; c < gather->column_count; c++) {
        nq__gather_rows(gather, c, join->right, c - join->left_width, right_rows, count);
    }
    return NQ_OK;
}

/* Marks in `passed` which candidates hold. Closings are left out: the condition sees pairs only. */
static nq_status test_pairs(nq_ctx *ctx, nq_operator *op, nq_join *join) {
    uint32_t pair_count = 0;
    for (uint32_t i = 0; i < join->candidate_count; i++) {
        join->passed[i] = join->condition == NULL;
        if (join->right_rows[i] != NQ_ROW_NONE) {
            join->out_left[pair_count] = join->left_rows[i];
            join->out_right[pair_count] = join->right_rows[i];
            pair_count++;
        }
    }
    if (join->condition == NULL || pair_count == 0) {
        return NQ_OK;
    }
    NQ_TRY(gather_pairs(ctx, op, join, &join->tested, join->out_left, join->out_right, pair_count));
    nq_batch pairs = {pair_count, join->tested.column_count, join->tested.vectors};
    uint32_t passed_count;
    nq_arena_reset(&op->bytes);
    NQ_TRY(
        nq_program_select(ctx, join->condition, &op->bytes, &pairs, join->out_left, &passed_count));
    /* out_left now holds the numbers, among the pairs, of those that hold. */
    uint32_t pair = 0;
    uint32_t at = 0;
    for (uint32_t i = 0; i < join->candidate_count && at < passed_count; i++) {
        if (join->right_rows[i] == NQ_ROW_NONE) {
            continue;
        }
        if (join->out_left[at] == pair) {
            join->passed[i] = 1;
            at++;
        }
        pair++;
    }
    return NQ_OK;
}

/* Whether a candidate yields an output row; learns from it what matched. */
static bool yields_row(nq_join *join, uint32_t i) {
    uint16_t left_row = join->left_rows[i];
    uint32_t right_row = join->right_rows[i];
    if (right_row == NQ_ROW_NONE) {
        return join->matched[left_row] == 0;
    }
    if (join->passed[i] == 0) {
        return false;
    }
    bool is_first = join->matched[left_row] == 0;
    join->matched[left_row] = 1;
    if (join->right_matched != NULL) {
        join->right_matched[right_row] = 1;
    }
    return returns_right(join->kind) || (join->kind == NQ_JOIN_SEMI && is_first);
}

nq_status nq__join_emit(nq_ctx *ctx, nq_operator *op, nq_join *join, nq_batch *out_batch) {
    NQ_TRY(test_pairs(ctx, op, join));
    uint32_t count = 0;
    for (uint32_t i = 0; i < join->candidate_count; i++) {
        if (yields_row(join, i)) {
            join->out_left[count] = join->left_rows[i];
            join->out_right[count] = join->right_rows[i];
            count++;
        }
    }
    join->candidate_count = 0;
    *out_batch = (nq_batch){0, join->output.column_count, NULL};
    if (count == 0) {
        return NQ_OK;
    }
    NQ_TRY(gather_pairs(ctx, op, join, &join->output, join->out_left, join->out_right, count));
    *out_batch = (nq_batch){count, join->output.column_count, join->output.vectors};
    return NQ_OK;
}

static void fill_nulls(nq_gather *gather, uint32_t column, uint32_t count) {
    memset(gather->nulls[column], 1, count);
    memset(gather->values[column], 0,
           count * nq_form_bytes(nq_type_form(gather->types[column].id)));
    gather->vectors[column] = (nq_vector){.type = gather->types[column],
                                          .nulls = gather->nulls[column],
                                          .values = gather->values[column]};
}

nq_status nq__join_emit_unmatched(nq_ctx *ctx, nq_operator *op, nq_join *join, uint32_t *next,
                                  uint32_t rows_max, nq_batch *out_batch) {
    uint32_t count = 0;
    for (; *next < join->right->row_count && count < rows_max; (*next)++) {
        join->out_right[count] = *next;
        count += join->right_matched[*next] == 0;
    }
    *out_batch = (nq_batch){count, join->output.column_count, join->output.vectors};
    if (!nq__gather_reserve(&join->output, count)) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t c = 0; c < join->left_width && count > 0; c++) {
        fill_nulls(&join->output, c, count);
    }
    for (uint32_t c = join->left_width; c < join->output.column_count && count > 0; c++) {
        nq__gather_rows(&join->output, c, join->right, c - join->left_width, join->out_right,
                        count);
    }
    return NQ_OK;
}
