/* Opening, driving and closing an execution: the state tree beside the plan, subqueries, counters.
 */
#include "engine/query/exec/exec_internal.h"

#include "engine/ground/os/clock.h"

enum { MEMORY_BYTES_DEFAULT = 256 << 20, RAMP_FIRST = 16, RAMP_FACTOR = 8 };

static const nq_operator_ops *ops_of(nq_plan_kind kind) {
    switch (kind) {
#define NQ_OPERATOR(kind_, name, file, summary) \
    case NQ_PLAN_##kind_:                       \
        return &nq__##file;
#include "engine/query/plan/operator.def"
#undef NQ_OPERATOR
    case NQ_PLAN_KIND_COUNT:
        break;
    }
    return NULL;
}

static uint32_t count_nodes(const nq_plan_node *node) {
    uint32_t count = 1;
    for (uint32_t i = 0; i < node->input_count; i++) {
        count += count_nodes(node->inputs[i]);
    }
    return count;
}

static nq_operator *build(nq_execution *e, const nq_plan_node *node, int32_t parent) {
    const nq_operator_ops *ops = ops_of(node->kind);
    nq_operator *op = ops == NULL ? NULL : nq_arena_calloc(e->statement, 1, ops->state_bytes);
    if (op == NULL) {
        return NULL;
    }
    op->plan = node;
    op->ops = ops;
    op->execution = e;
    op->parent = parent;
    nq_arena_init(&op->bytes, e->arena.budget_bytes);
    op->inputs = nq_arena_calloc(e->statement, node->input_count + 1, sizeof(nq_operator *));
    int32_t self = (int32_t)e->operator_count;
    e->operators[e->operator_count++] = op;
    for (uint32_t i = 0; op->inputs != NULL && i < node->input_count; i++) {
        op->inputs[i] = build(e, node->inputs[i], self);
        if (op->inputs[i] == NULL) {
            return NULL;
        }
    }
    return op->inputs == NULL ? NULL : op;
}

static bool build_all(nq_execution *e) {
    uint32_t count = count_nodes(e->plan->root);
    for (uint32_t i = 0; i < e->plan->subquery_count; i++) {
        count += count_nodes(e->plan->subqueries[i].root);
    }
    e->operators = nq_arena_calloc(e->statement, count, sizeof(nq_operator *));
    e->subquery_roots =
        nq_arena_calloc(e->statement, e->plan->subquery_count + 1, sizeof(nq_operator *));
    if (e->operators == NULL || e->subquery_roots == NULL) {
        return false;
    }
    e->root = build(e, e->plan->root, -1);
    for (uint32_t i = 0; i < e->plan->subquery_count; i++) {
        e->subquery_roots[i] = build(e, e->plan->subqueries[i].root, -1);
        if (e->subquery_roots[i] == NULL) {
            return false;
        }
    }
    return e->root != NULL;
}

static bool copy_parameters(nq_execution *e, const nq_value *parameters) {
    uint32_t own = e->plan->parameter_count;
    uint32_t count = own + e->plan->subquery_count;
    e->parameters = nq_arena_calloc(e->statement, count + 1, sizeof(nq_value));
    if (e->parameters == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        e->parameters[i] = i < own ? parameters[i] : NQ_VALUE_NULL(NQ_TYPE_UNKNOWN);
        nq_value *value = &e->parameters[i];
        if (!value->is_null && nq_type_form(value->type) == NQ_FORM_BYTES) {
            value->bytes = nq_arena_copy(e->statement, value->bytes);
            if (value->bytes.data == NULL) {
                return false;
            }
        }
    }
    e->env = (nq_eval_env){.parameters = e->parameters, .parameter_count = count, .rng = &e->rng};
    return true;
}

nq_status nq_exec_open(nq_ctx *ctx, const nq_plan *plan, const nq_exec_options *options,
                       nq_execution **out_execution) {
    *out_execution = NULL;
    nq_arena arena;
    uint64_t budget = options->memory_bytes_max;
    nq_arena_init(&arena, budget == 0 ? (size_t)MEMORY_BYTES_DEFAULT : (size_t)budget);
    nq_execution *e = nq_arena_calloc(&arena, 1, sizeof *e);
    if (e == NULL) {
        return nq_fail(ctx, NQ_MEMORY_LIMIT, "out of memory for a statement");
    }
    e->arena = arena; /* which holds `e` itself */
    e->statement = &e->arena;
    e->plan = plan;
    e->txn = options->txn;
    e->may_load = options->may_load;
    e->measure = options->measure;
    e->rng.state = options->random_seed;
    if (!copy_parameters(e, options->parameters) || !build_all(e)) {
        nq_exec_close(e);
        return nq_fail(ctx, NQ_MEMORY_LIMIT, "a statement does not fit its budget of %zu bytes",
                       arena.budget_bytes);
    }
    e->env.now_us = options->now_us;
    *out_execution = e;
    return NQ_OK;
}

static nq_status pull(nq_ctx *ctx, nq_operator *op, uint32_t rows_max, nq_batch *out_batch) {
    if (op->is_done) {
        return NQ_OK;
    }
    if (!op->is_open) {
        op->is_open = true;
        if (op->ops->open != NULL) {
            NQ_TRY(op->ops->open(ctx, op));
        }
    }
    NQ_TRY(op->ops->next(ctx, op, rows_max, out_batch));
    out_batch->column_count = op->plan->column_count;
    op->rows += out_batch->row_count;
    op->is_done = out_batch->row_count == 0;
    return NQ_OK;
}

nq_status nq__pull(nq_ctx *ctx, nq_operator *op, uint32_t rows_max, nq_batch *out_batch) {
    *out_batch = (nq_batch){0, op->plan->column_count, NULL};
    NQ_TRY(nq_ctx_poll(ctx));
    if (!op->execution->measure) {
        return pull(ctx, op, rows_max, out_batch);
    }
    int64_t start_ns = nq_clock_monotonic_ns();
    nq_status status = pull(ctx, op, rows_max, out_batch);
    op->total_ns += nq_clock_monotonic_ns() - start_ns;
    return status;
}

/* A subquery's value becomes a parameter. Text moves to the statement's arena. */
static nq_status run_subquery(nq_ctx *ctx, nq_execution *e, uint32_t index) {
    const nq_plan_subquery *subquery = &e->plan->subqueries[index];
    nq_operator *root = e->subquery_roots[index];
    nq_value *value = &e->parameters[subquery->parameter_index];
    nq_batch batch;
    NQ_TRY(nq__pull(ctx, root, 2, &batch));
    if (subquery->kind == NQ_SUBQUERY_EXISTS) {
        *value = NQ_VALUE_BOOL(batch.row_count > 0);
        return NQ_OK;
    }
    *value = NQ_VALUE_NULL(subquery->root->columns[0].type.id);
    if (batch.row_count == 0) {
        return NQ_OK;
    }
    bool has_more = batch.row_count > 1;
    *value = nq_batch_value(&batch, 0, 0);
    if (!value->is_null && nq_type_form(value->type) == NQ_FORM_BYTES) {
        value->bytes = nq_arena_copy(e->statement, value->bytes);
        if (value->bytes.data == NULL) {
            return nq__fail_memory(ctx, root);
        }
    }
    if (!has_more) {
        NQ_TRY(nq__pull(ctx, root, 1, &batch));
        has_more = batch.row_count > 0;
    }
    if (has_more) {
        return nq_fail(ctx, NQ_CARDINALITY_VIOLATION,
                       "more than one row returned by a subquery used as an expression");
    }
    return NQ_OK;
}

nq_status nq_exec_next(nq_ctx *ctx, nq_execution *e, uint32_t rows_max, nq_batch *out_batch) {
    *out_batch = (nq_batch){0, e->plan->root->column_count, NULL};
    if (rows_max == 0 || rows_max > NQ_BATCH_ROWS_MAX) {
        rows_max = NQ_BATCH_ROWS_MAX;
    }
    if (!e->has_subquery_values) {
        e->has_subquery_values = true;
        for (uint32_t i = 0; i < e->plan->subquery_count; i++) {
            NQ_TRY(run_subquery(ctx, e, i));
        }
    }
    NQ_TRY(nq__pull(ctx, e->root, rows_max, out_batch));
    e->stats.rows_returned += out_batch->row_count;
    return NQ_OK;
}

nq_status nq_exec_run(nq_ctx *ctx, nq_execution *execution) {
    nq_batch batch;
    do {
        NQ_TRY(nq_exec_next(ctx, execution, 0, &batch));
    } while (batch.row_count > 0);
    return NQ_OK;
}

void nq_exec_get_stats(const nq_execution *execution, nq_exec_stats *out_stats) {
    *out_stats = execution->stats;
    out_stats->memory_bytes_max = execution->arena.taken_bytes_max;
    for (uint32_t i = 0; i < execution->operator_count; i++) {
        out_stats->memory_bytes_max += execution->operators[i]->bytes.taken_bytes_max;
    }
}

uint32_t nq_exec_node_count(const nq_execution *execution) {
    return execution->operator_count;
}

void nq_exec_get_node_stats(const nq_execution *execution, uint32_t node,
                            nq_exec_node_stats *out_stats) {
    const nq_operator *op = execution->operators[node];
    *out_stats = (nq_exec_node_stats){.node = op->plan,
                                      .parent = op->parent,
                                      .rows = op->rows,
                                      .loops = op->is_open,
                                      .total_ns = op->total_ns};
}

void nq_exec_close(nq_execution *execution) {
    if (execution == NULL) {
        return;
    }
    for (uint32_t i = 0; i < execution->operator_count; i++) {
        nq_operator *op = execution->operators[i];
        if (op->ops->close != NULL) {
            op->ops->close(op);
        }
        nq_arena_deinit(&op->bytes);
    }
    nq_arena arena = execution->arena; /* holds the execution itself */
    nq_arena_deinit(&arena);
}

/* ---- What operators share ---- */

nq_status nq__fail_memory(nq_ctx *ctx, const nq_operator *op) {
    nq_status status =
        nq_fail(ctx, NQ_MEMORY_LIMIT, "%s needs more memory than a statement may use (%zu bytes)",
                nq_plan_kind_name(op->plan->kind), op->execution->arena.budget_bytes);
    nq_error_set_hint(&ctx->error, "Select fewer rows or columns, or raise statement_bytes_max.");
    return status;
}

nq_status nq__compile(nq_ctx *ctx, nq_operator *op, const nq_expr *const *exprs, uint32_t count,
                      nq_program **out_program) {
    return nq_program_create(ctx, op->execution->statement, &op->execution->env, exprs, count,
                             out_program);
}

nq_status nq__evaluate_constant(nq_ctx *ctx, nq_operator *op, const nq_expr *expr,
                                nq_value *out_value) {
    return nq_expr_evaluate(ctx, op->execution->statement, &op->execution->env, expr, NULL,
                            out_value);
}

uint32_t nq__next_ramp(uint32_t *ramp, uint32_t rows_max) {
    uint32_t rows = *ramp == 0 ? (uint32_t)RAMP_FIRST : *ramp * RAMP_FACTOR;
    *ramp = rows > NQ_BATCH_ROWS_MAX ? (uint32_t)NQ_BATCH_ROWS_MAX : rows;
    return *ramp < rows_max ? *ramp : rows_max;
}

nq_vector nq__vector_slice(nq_vector vector, uint32_t first) {
    size_t bytes = first * nq_form_bytes(nq_type_form(vector.type.id));
    vector.values = (const uint8_t *)vector.values + bytes;
    vector.nulls = vector.nulls == NULL ? NULL : vector.nulls + first;
    return vector;
}

nq_status nq__collect(nq_ctx *ctx, nq_operator *op, nq_operator *input, nq_rows *rows) {
    for (;;) {
        nq_batch batch;
        NQ_TRY(nq__pull(ctx, input, NQ_BATCH_ROWS_MAX, &batch));
        if (batch.row_count == 0) {
            return NQ_OK;
        }
        if (!nq__rows_append(rows, batch.columns, NULL, batch.row_count)) {
            return nq__fail_memory(ctx, op);
        }
    }
}

/* ---- Selecting rows ---- */

nq_status nq__selector_init(nq_ctx *ctx, nq_operator *op, nq_selector *selector,
                            const nq_expr *condition, const nq_column_info *columns,
                            uint32_t column_count) {
    nq_arena *arena = op->execution->statement;
    nq_type *types = nq_arena_calloc(arena, column_count + 1, sizeof(nq_type));
    if (types == NULL) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t i = 0; i < column_count; i++) {
        types[i] = columns[i].type;
    }
    if (!nq__gather_init(&selector->gather, arena, types, column_count)) {
        return nq__fail_memory(ctx, op);
    }
    if (condition == NULL) {
        return NQ_OK;
    }
    const nq_expr **exprs = nq_arena_alloc(arena, sizeof(nq_expr *));
    if (exprs == NULL) {
        return nq__fail_memory(ctx, op);
    }
    exprs[0] = condition;
    return nq__compile(ctx, op, exprs, 1, &selector->condition);
}

nq_status nq__selector_run(nq_ctx *ctx, nq_operator *op, nq_selector *selector,
                           const nq_batch *batch, nq_batch *out_batch) {
    *out_batch = *batch;
    if (selector->condition == NULL || batch->row_count == 0) {
        return NQ_OK;
    }
    uint32_t count;
    NQ_TRY(nq_program_select(ctx, selector->condition, &op->bytes, batch, selector->rows, &count));
    if (count == batch->row_count) {
        return NQ_OK;
    }
    if (!nq__gather_reserve(&selector->gather, count)) {
        return nq__fail_memory(ctx, op);
    }
    for (uint32_t c = 0; c < selector->gather.column_count; c++) {
        nq__gather_vector(&selector->gather, c, &batch->columns[c], selector->rows, count);
    }
    *out_batch = (nq_batch){count, selector->gather.column_count, selector->gather.vectors};
    return NQ_OK;
}
