/* Scans: all rows of a table, those in a range of its key, or the one with a key.
 *
 * The table decodes only the columns asked for, straight into vectors; a pushed-down filter runs on
 * them before anything else sees the rows. */
#include "engine/data/table/table.h"
#include "engine/query/exec/exec_internal.h"

typedef struct scan_state {
    nq_operator base;
    nq_table_scan *scan;
    nq_selector *selector; /* NULL: no filter */
    uint32_t ramp;
    bool is_empty; /* a bound is null: nothing can match */
    /* KEY_LOOKUP */
    nq_value *key;
    nq_row_decoder decoder;
    nq_batch_builder builder;
} scan_state;

static nq_status evaluate_key(nq_ctx *ctx, nq_operator *op, nq_value *out_key) {
    scan_state *state = (scan_state *)op;
    const nq_plan_exprs *key = &op->plan->scan.key;
    for (uint32_t i = 0; i < key->count; i++) {
        NQ_TRY(nq__evaluate_constant(ctx, op, key->items[i], &out_key[i]));
        state->is_empty |= out_key[i].is_null;
    }
    return NQ_OK;
}

static nq_status open_lookup(nq_ctx *ctx, nq_operator *op) {
    scan_state *state = (scan_state *)op;
    const nq_plan_node *plan = op->plan;
    nq_arena *arena = op->execution->statement;
    state->key = nq_arena_calloc(arena, plan->scan.key.count + 1, sizeof(nq_value));
    nq_type *types = nq_arena_calloc(arena, plan->column_count + 1, sizeof(nq_type));
    if (state->key == NULL || types == NULL) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t i = 0; i < plan->column_count; i++) {
        types[i] = plan->columns[i].type;
    }
    NQ_TRY(evaluate_key(ctx, op, state->key));
    NQ_TRY(nq_row_decoder_init(ctx, &state->decoder, arena, &plan->scan.table->layout,
                               plan->scan.table_columns, plan->column_count));
    return nq_batch_builder_init(ctx, &state->builder, arena, NULL, types, plan->column_count, 1);
}

/* Appends a bound's value behind the constant prefix. */
static nq_status take_bound(nq_ctx *ctx, nq_operator *op, const nq_expr *expr, nq_value *values,
                            uint32_t prefix, uint32_t *out_count) {
    scan_state *state = (scan_state *)op;
    *out_count = prefix;
    if (expr == NULL) {
        return NQ_OK;
    }
    NQ_TRY(nq__evaluate_constant(ctx, op, expr, &values[prefix]));
    state->is_empty |= values[prefix].is_null;
    *out_count = prefix + 1;
    return NQ_OK;
}

static nq_status open_range(nq_ctx *ctx, nq_operator *op) {
    scan_state *state = (scan_state *)op;
    const nq_plan_scan *plan = &op->plan->scan;
    nq_execution *e = op->execution;
    uint32_t prefix = plan->key.count;
    nq_value *low = nq_arena_calloc(e->statement, prefix + 1, sizeof(nq_value));
    nq_value *high = nq_arena_calloc(e->statement, prefix + 1, sizeof(nq_value));
    if (low == NULL || high == NULL) {
        return nq__fail_memory(ctx, op);
    }
    nq_key_range range = {.low = low,
                          .low_is_exclusive = plan->low != NULL && !plan->low_is_inclusive,
                          .high = high,
                          .high_is_exclusive = plan->high != NULL && !plan->high_is_inclusive,
                          .is_reverse = plan->is_reverse};
    NQ_TRY(evaluate_key(ctx, op, low));
    memcpy(high, low, prefix * sizeof(nq_value));
    NQ_TRY(take_bound(ctx, op, plan->low, low, prefix, &range.low_count));
    NQ_TRY(take_bound(ctx, op, plan->high, high, prefix, &range.high_count));
    if (state->is_empty) {
        return NQ_OK;
    }
    return nq_table_scan_open(ctx, e->statement, e->txn, plan->table, plan->table_columns,
                              op->plan->column_count, &range, &state->scan);
}

static nq_status scan_open(nq_ctx *ctx, nq_operator *op) {
    scan_state *state = (scan_state *)op;
    const nq_plan_node *plan = op->plan;
    if (plan->scan.filter != NULL) {
        state->selector = nq_arena_calloc(op->execution->statement, 1, sizeof(nq_selector));
        if (state->selector == NULL) {
            return nq__fail_memory(ctx, op);
        }
        NQ_TRY(nq__selector_init(ctx, op, state->selector, plan->scan.filter, plan->columns,
                                 plan->column_count));
    }
    return plan->kind == NQ_PLAN_KEY_LOOKUP ? open_lookup(ctx, op) : open_range(ctx, op);
}

static nq_status read_lookup(nq_ctx *ctx, nq_operator *op, nq_batch *out_batch) {
    scan_state *state = (scan_state *)op;
    bool is_found = false;
    nq_arena_reset(&op->bytes);
    nq_batch_builder_reset(&state->builder);
    state->builder.bytes = &op->bytes;
    if (!state->is_empty) {
        state->is_empty = true; /* a key has one row */
        NQ_TRY(nq_table_find(ctx, op->execution->txn, op->plan->scan.table, state->key,
                             &state->decoder, &state->builder, &is_found));
    }
    *out_batch = nq_batch_builder_batch(&state->builder);
    return NQ_OK;
}

static nq_status read_scan(nq_ctx *ctx, nq_operator *op, uint32_t rows_max, nq_batch *out_batch) {
    scan_state *state = (scan_state *)op;
    *out_batch = (nq_batch){0, op->plan->column_count, NULL};
    if (state->scan == NULL) {
        return NQ_OK;
    }
    nq_arena_reset(&op->bytes);
    return nq_table_scan_next(ctx, state->scan, nq__next_ramp(&state->ramp, rows_max), out_batch);
}

static nq_status scan_next(nq_ctx *ctx, nq_operator *op, uint32_t rows_max, nq_batch *out_batch) {
    scan_state *state = (scan_state *)op;
    for (;;) {
        NQ_TRY(op->plan->kind == NQ_PLAN_KEY_LOOKUP ? read_lookup(ctx, op, out_batch)
                                                    : read_scan(ctx, op, rows_max, out_batch));
        op->execution->stats.rows_examined += out_batch->row_count;
        if (out_batch->row_count == 0 || state->selector == NULL) {
            return NQ_OK;
        }
        nq_batch found;
        NQ_TRY(nq__selector_run(ctx, op, state->selector, out_batch, &found));
        if (found.row_count > 0) {
            *out_batch = found;
            return NQ_OK;
        }
        NQ_TRY(nq_ctx_poll(ctx)); /* a filter that finds nothing must still be stoppable */
    }
}

static void scan_close(nq_operator *op) {
    scan_state *state = (scan_state *)op;
    if (state->scan != NULL) {
        nq_table_scan_close(state->scan);
    }
}

const nq_operator_ops nq__op_scan = {sizeof(scan_state), scan_open, scan_next, scan_close};
