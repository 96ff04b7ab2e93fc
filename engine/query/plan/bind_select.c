/* Bind SELECT: one query block, from names to operators.
 *
 * Bound first, in the order of the standard: FROM, WHERE, the SELECT list, GROUP BY, HAVING, ORDER
 * BY. Planned last, bottom up: joins, aggregation, HAVING, projection, DISTINCT, sort, limit.
 * Between the two, expressions above an aggregation are rewritten to speak of its output: a subtree
 * equal to a group key is that key, an aggregate call its result, and any column left over is the
 * grouping error. */
#include "engine/query/plan/bind_internal.h"

typedef struct nq__select {
    nq__block block;
    nq__names names;
    nq__aggregates aggregates;
    nq__exprs keys; /* GROUP BY */
    const nq_expr *having;
    bool is_grouped;
} nq__select;

/* ---- Binding ---- */

/* A name in GROUP BY is a FROM column, else an output column's. */
static bool find_output_name(const nq__query *query, const nq_ast_expr *ast, uint32_t *out_index,
                             uint32_t *out_count) {
    *out_count = 0;
    if (ast->kind != NQ_AST_COLUMN || ast->table.size > 0) {
        return false;
    }
    for (uint32_t i = 0; i < query->column_count; ++i) {
        if (nq_bytes_equal(query->columns[i].name, ast->name)) {
            if (*out_count == 0 || !nq_expr_equal(query->exprs[i], query->exprs[*out_index])) {
                *out_index = i;
                ++*out_count;
            }
        }
    }
    return *out_count > 0;
}

static bool is_from_column(const nq__names *names, const nq_ast_expr *ast) {
    for (uint32_t i = 0; i < names->count; ++i) {
        if (!names->items[i].is_hidden && nq_bytes_equal(names->items[i].info.name, ast->name)) {
            return true;
        }
    }
    return false;
}

static void note_aggregate(void *user, uint32_t index) {
    *(bool *)user |= index >= NQ__AGGREGATE_BASE;
}

static bool has_aggregate(const nq_expr *expr) {
    bool is_found = false;
    nq_expr_visit_columns(expr, note_aggregate, &is_found);
    return is_found;
}

static nq_status bind_group_key(nq__binder *b, nq__query *query, const nq_ast_expr *ast) {
    nq__select *select = query->select;
    uint32_t index = UINT32_MAX, count = 0;
    NQ_TRY(nq__order_position(b, ast, "GROUP BY", query->column_count, &index));
    bool is_output = index != UINT32_MAX;
    if (!is_output && find_output_name(query, ast, &index, &count) &&
        !is_from_column(&select->names, ast)) {
        if (count > 1) {
            return nq__bind_fail(b, ast->offset, NQ_AMBIGUOUS_COLUMN,
                                 "GROUP BY \"%.*s\" is ambiguous", NQ_BYTES_FORMAT(ast->name));
        }
        is_output = true;
    }
    const nq_expr *key;
    if (is_output) {
        NQ_TRY(nq__coerce_unknown(b, query->exprs[index], &query->exprs[index]));
        query->columns[index].type = query->exprs[index]->type;
        key = query->exprs[index];
        if (has_aggregate(key)) {
            return nq__bind_fail(b, ast->offset, NQ_GROUPING_ERROR,
                                 "aggregate functions are not allowed in GROUP BY");
        }
    } else {
        nq__scope scope = {
            .outer = select->block.outer, .names = &select->names, .place = "GROUP BY"};
        NQ_TRY(nq__bind_expr(b, &scope, ast, &key));
        NQ_TRY(nq__coerce_unknown(b, key, &key));
    }
    for (uint32_t i = 0; i < select->keys.count; ++i) {
        if (nq_expr_equal(select->keys.items[i], key)) {
            return NQ_OK;
        }
    }
    return nq__exprs_append(b, &select->keys, key);
}

nq_status nq__select_bind(nq__binder *b, nq__query *query) {
    const nq_ast_query *ast = query->ast;
    nq__select *select = nq__bind_alloc(b, 1, sizeof(*select));
    if (select == NULL) {
        return nq__bind_no_memory(b);
    }
    query->select = select;
    select->block.b = b;
    select->block.outer = query->outer;
    NQ_TRY(nq__bind_from(&select->block, &ast->from, &select->names));
    NQ_TRY(nq__bind_where(&select->block, &select->names, ast->where));
    nq__scope scope = {.outer = query->outer,
                       .names = &select->names,
                       .aggregates = &select->aggregates,
                       .block = &select->block,
                       .place = "SELECT"};
    nq__items items = {0};
    NQ_TRY(nq__bind_items(b, &scope, &ast->items, &items));
    query->exprs = items.exprs.items;
    query->columns = items.columns;
    query->column_count = items.exprs.count;
    NQ_TRY(nq__check_list(b, ast->group_by.count, ast->group_by.first, "GROUP BY"));
    for (const nq_ast_expr *each = ast->group_by.first; each != NULL; each = each->next) {
        NQ_TRY(bind_group_key(b, query, each));
    }
    if (ast->having != NULL) {
        scope.place = "HAVING";
        NQ_TRY(nq__bind_condition(b, &scope, ast->having, &select->having));
    }
    select->is_grouped = ast->is_grouped;
    return NQ_OK;
}

/* ---- ORDER BY ---- */

typedef struct ordering {
    nq__exprs extra; /* sorted by, not shown */
    nq_plan_sort_key *keys;
    uint32_t key_count;
} ordering;

static nq_status order_column(nq__binder *b, nq__query *query, const nq_ast_expr *ast,
                              ordering *order, uint32_t *out_column) {
    nq__select *select = query->select;
    uint32_t count = 0;
    NQ_TRY(nq__order_position(b, ast, "ORDER BY", query->column_count, out_column));
    if (*out_column != UINT32_MAX) {
        return NQ_OK;
    }
    if (find_output_name(query, ast, out_column, &count)) {
        if (count > 1) {
            return nq__bind_fail(b, ast->offset, NQ_AMBIGUOUS_COLUMN,
                                 "ORDER BY \"%.*s\" is ambiguous", NQ_BYTES_FORMAT(ast->name));
        }
        return NQ_OK;
    }
    nq__scope scope = {.outer = query->outer,
                       .names = &select->names,
                       .aggregates = &select->aggregates,
                       .block = &select->block,
                       .place = "ORDER BY"};
    const nq_expr *expr;
    NQ_TRY(nq__bind_expr(b, &scope, ast, &expr));
    NQ_TRY(nq__coerce_unknown(b, expr, &expr));
    for (uint32_t i = 0; i < query->column_count + order->extra.count; ++i) {
        const nq_expr *other =
            i < query->column_count ? query->exprs[i] : order->extra.items[i - query->column_count];
        if (nq_expr_equal(expr, other)) {
            *out_column = i;
            return NQ_OK;
        }
    }
    if (query->ast->is_distinct) {
        return nq__bind_fail(b, ast->offset, NQ_INVALID_COLUMN_REFERENCE,
                             "with SELECT DISTINCT, ORDER BY can only use what is selected");
    }
    *out_column = query->column_count + order->extra.count;
    return nq__exprs_append(b, &order->extra, expr);
}

static nq_status bind_order_by(nq__binder *b, nq__query *query, ordering *out_order) {
    const nq_ast_orders *orders = &query->ast->order_by;
    if (orders->count > 0) {
        NQ_TRY(nq__check_list(b, orders->count, orders->first->expr, "ORDER BY"));
    }
    out_order->keys = nq__bind_alloc(b, orders->count, sizeof(*out_order->keys));
    if (out_order->keys == NULL) {
        return nq__bind_no_memory(b);
    }
    for (const nq_ast_order *each = orders->first; each != NULL; each = each->next) {
        nq_plan_sort_key *key = &out_order->keys[out_order->key_count++];
        key->is_descending = each->is_descending;
        key->nulls_first = nq__order_nulls_first(each);
        NQ_TRY(order_column(b, query, each->expr, out_order, &key->column));
    }
    return NQ_OK;
}

/* ---- Aggregation ---- */

/* PostgreSQL lets a grouped primary key stand for the whole row of its table: its other columns
 * follow from it, so they become keys too and the groups stay what they were. */
static bool is_key_grouped(const nq__select *select, const nq__leaf *leaf) {
    if (leaf->table == NULL || leaf->table->definition.key_column_count == 0) {
        return false;
    }
    for (uint32_t i = 0; i < leaf->table->definition.key_column_count; ++i) {
        uint32_t flat = leaf->first_column + leaf->table->definition.key_columns[i];
        bool is_found = false;
        for (uint32_t j = 0; j < select->keys.count && !is_found; ++j) {
            is_found = select->keys.items[j]->kind == NQ_EXPR_COLUMN &&
                       select->keys.items[j]->index == flat;
        }
        if (!is_found) {
            return false;
        }
    }
    return true;
}

static nq_status fail_ungrouped(nq__select *select, const nq_expr *column) {
    nq__binder *b = select->block.b;
    const nq_column_info *info = &select->block.flat[column->index];
    if (select->block.leaves[select->block.leaf_of[column->index]].is_internal) {
        return nq__bind_fail(b, column->offset, NQ_FEATURE_UNSUPPORTED,
                             "IN (query) over groups is not supported by this version");
    }
    nq_status status =
        nq__bind_fail(b, column->offset, NQ_GROUPING_ERROR,
                      "column \"%.*s\" must appear in GROUP BY or be used in an aggregate function",
                      NQ_BYTES_FORMAT(info->name));
    nq_error_set_object(&b->ctx->error, (const char *)info->name.data, info->name.size);
    return status;
}

static bool make_column(nq__rewriter *rewriter, uint32_t index, const nq_expr *expr,
                        const nq_expr **out_expr) {
    nq_expr *column = nq_expr_column(rewriter->b->arena, index, expr->type);
    if (column == NULL) {
        rewriter->status = nq__bind_no_memory(rewriter->b);
        return false;
    }
    column->offset = expr->offset;
    *out_expr = column;
    return true;
}

/* Keys first, calls after them: keys may still be added (see is_key_grouped), so a call is kept as
 * NQ__AGGREGATE_BASE + i here and numbered by the second rewriter. */
static bool replace_key(nq__rewriter *rewriter, const nq_expr *expr, const nq_expr **out_expr) {
    nq__select *select = rewriter->user;
    if (expr->kind == NQ_EXPR_CONSTANT || expr->kind == NQ_EXPR_PARAMETER) {
        return true;
    }
    for (uint32_t i = 0; i < select->keys.count; ++i) {
        if (nq_expr_equal(expr, select->keys.items[i])) {
            return make_column(rewriter, i, expr, out_expr);
        }
    }
    if (expr->kind != NQ_EXPR_COLUMN) {
        return true;
    }
    if (expr->index >= NQ__AGGREGATE_BASE) {
        *out_expr = expr;
        return true;
    }
    const nq__leaf *leaf = &select->block.leaves[select->block.leaf_of[expr->index]];
    if (!is_key_grouped(select, leaf)) {
        rewriter->status = fail_ungrouped(select, expr);
        return false;
    }
    rewriter->status = nq__exprs_append(rewriter->b, &select->keys, expr);
    return rewriter->status == NQ_OK &&
           make_column(rewriter, select->keys.count - 1, expr, out_expr);
}

static bool number_call(nq__rewriter *rewriter, const nq_expr *expr, const nq_expr **out_expr) {
    const nq__select *select = rewriter->user;
    if (expr->kind != NQ_EXPR_COLUMN || expr->index < NQ__AGGREGATE_BASE) {
        return true;
    }
    return make_column(rewriter, expr->index - NQ__AGGREGATE_BASE + select->keys.count, expr,
                       out_expr);
}

static nq_status rewrite_all(nq__select *select,
                             bool (*replace)(nq__rewriter *, const nq_expr *, const nq_expr **),
                             const nq_expr **exprs, uint32_t count) {
    nq__rewriter rewriter = {select->block.b, replace, select, NQ_OK};
    for (uint32_t i = 0; i < count; ++i) {
        const nq_expr *rewritten = exprs[i] == NULL ? NULL : nq__rewrite(&rewriter, exprs[i]);
        if (rewriter.status != NQ_OK) {
            return rewriter.status;
        }
        exprs[i] = rewritten;
    }
    return NQ_OK;
}

static void use_aggregation(nq__select *select) {
    nq__block *block = &select->block;
    for (uint32_t i = 0; i < select->keys.count; ++i) {
        nq__use_columns(block, select->keys.items[i]);
    }
    for (uint32_t i = 0; i < select->aggregates.count; ++i) {
        const nq_plan_aggregate_call *call = &select->aggregates.calls[i];
        for (uint32_t j = 0; j < call->args.count; ++j) {
            nq__use_columns(block, call->args.items[j]);
        }
        nq__use_columns(block, call->filter);
    }
}

static nq_status map_call(nq__block *block, const nq__planned *planned,
                          nq_plan_aggregate_call *call) {
    const nq_expr **args = nq__bind_alloc(block->b, call->args.count, sizeof(*args));
    if (args == NULL) {
        return nq__bind_no_memory(block->b);
    }
    for (uint32_t i = 0; i < call->args.count; ++i) {
        args[i] = nq__to_positions(block, planned, call->args.items[i]);
        if (args[i] == NULL) {
            return nq__bind_no_memory(block->b);
        }
    }
    call->args.items = args;
    if (call->filter != NULL) {
        call->filter = nq__to_positions(block, planned, call->filter);
        return call->filter == NULL ? nq__bind_no_memory(block->b) : NQ_OK;
    }
    return NQ_OK;
}

static double group_rows(const nq__select *select, double rows) {
    if (select->keys.count == 0) {
        return 1;
    }
    double groups = rows / 10;
    return groups < 1 ? 1 : groups;
}

static nq_status plan_aggregate(nq__select *select, const nq__planned *planned,
                                nq_plan_node **out_node) {
    nq__block *block = &select->block;
    nq__binder *b = block->b;
    uint32_t key_count = select->keys.count, call_count = select->aggregates.count;
    nq_column_info *columns = nq__bind_alloc(b, key_count + call_count, sizeof(*columns));
    const nq_expr **keys = nq__bind_alloc(b, key_count, sizeof(*keys));
    nq_plan_node *node = nq__node_over(b, NQ_PLAN_AGGREGATE, planned->node, key_count + call_count,
                                       columns, group_rows(select, planned->rows));
    if (columns == NULL || keys == NULL || node == NULL) {
        return nq__bind_no_memory(b);
    }
    for (uint32_t i = 0; i < key_count; ++i) {
        const nq_expr *key = select->keys.items[i];
        columns[i] = key->kind == NQ_EXPR_COLUMN
                         ? block->flat[key->index]
                         : (nq_column_info){.name = NQ_BYTES_LITERAL("key"), .is_nullable = true};
        columns[i].type = key->type;
        keys[i] = nq__to_positions(block, planned, key);
        if (keys[i] == NULL) {
            return nq__bind_no_memory(b);
        }
    }
    for (uint32_t i = 0; i < call_count; ++i) {
        nq_plan_aggregate_call *call = &select->aggregates.calls[i];
        NQ_TRY(map_call(block, planned, call));
        columns[key_count + i] = (nq_column_info){.name = nq_bytes_of_cstr(call->function->name),
                                                  .type = call->type,
                                                  .is_nullable = true};
    }
    node->aggregate = (nq_plan_aggregate){{keys, key_count}, select->aggregates.calls, call_count};
    *out_node = node;
    return NQ_OK;
}

/* ---- The upper part ---- */

static bool is_identity(const nq_expr *const *exprs, uint32_t count, const nq_plan_node *input) {
    if (count != input->column_count) {
        return false;
    }
    for (uint32_t i = 0; i < count; ++i) {
        if (exprs[i]->kind != NQ_EXPR_COLUMN || exprs[i]->index != i) {
            return false;
        }
    }
    return true;
}

/* The visible columns, then what is only sorted by. */
static nq_status plan_project(nq__binder *b, const nq__query *query, const ordering *order,
                              nq_plan_node *input, nq_plan_node **out_node) {
    uint32_t shown = query->column_count, count = shown + order->extra.count;
    const nq_expr **exprs = nq__bind_alloc(b, count, sizeof(*exprs));
    nq_column_info *columns = nq__bind_alloc(b, count, sizeof(*columns));
    if (exprs == NULL || columns == NULL) {
        return nq__bind_no_memory(b);
    }
    for (uint32_t i = 0; i < count; ++i) {
        exprs[i] = i < shown ? query->exprs[i] : order->extra.items[i - shown];
        columns[i] = i < shown
                         ? query->columns[i]
                         : (nq_column_info){.name = NQ_BYTES_LITERAL("order"), .is_nullable = true};
        columns[i].type = exprs[i]->type;
    }
    if (is_identity(exprs, count, input)) {
        nq_plan_node *renamed = nq__bind_alloc(b, 1, sizeof(*renamed));
        if (renamed == NULL) {
            return nq__bind_no_memory(b);
        }
        *renamed = *input;
        renamed->columns = columns;
        *out_node = renamed;
        return NQ_OK;
    }
    nq_plan_node *node =
        nq__node_over(b, NQ_PLAN_PROJECT, input, count, columns, input->estimated_rows);
    if (node == NULL) {
        return nq__bind_no_memory(b);
    }
    node->project.exprs = (nq_plan_exprs){exprs, count};
    *out_node = node;
    return NQ_OK;
}

/* Whether a scan's key order is the order asked for, forwards or backwards. */
static bool is_sorted_by_key(const nq__query *query, const nq__planned *planned,
                             const ordering *order, bool *out_is_reverse) {
    const nq__leaf *leaf = planned->leaf;
    if (leaf == NULL || query->ast->is_distinct ||
        order->key_count > leaf->table->definition.key_column_count) {
        return false;
    }
    for (uint32_t i = 0; i < order->key_count; ++i) {
        const nq_plan_sort_key *key = &order->keys[i];
        const nq_expr *expr = key->column < query->column_count
                                  ? query->exprs[key->column]
                                  : order->extra.items[key->column - query->column_count];
        uint32_t column = leaf->table->definition.key_columns[i];
        if (expr->kind != NQ_EXPR_COLUMN || expr->index != leaf->first_column + column ||
            leaf->table->definition.columns[column].type.is_padded ||
            key->is_descending != order->keys[0].is_descending) {
            return false;
        }
    }
    *out_is_reverse = order->keys[0].is_descending;
    return true;
}

/* Expressions over flat columns become expressions over the rows below. */
static nq_status place_exprs(nq__block *block, const nq__planned *planned, const nq_expr **exprs,
                             uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
        exprs[i] = nq__to_positions(block, planned, exprs[i]);
        if (exprs[i] == NULL) {
            return nq__bind_no_memory(block->b);
        }
    }
    return NQ_OK;
}

static nq_status plan_grouped(nq__query *query, ordering *order, nq_plan_node **out_node) {
    nq__select *select = query->select;
    nq__block *block = &select->block;
    struct {
        const nq_expr **exprs;
        uint32_t count;
    } lists[3] = {{query->exprs, query->column_count},
                  {order->extra.items, order->extra.count},
                  {&select->having, 1}};
    for (uint32_t i = 0; i < 3; ++i) {
        NQ_TRY(rewrite_all(select, replace_key, lists[i].exprs, lists[i].count));
    }
    for (uint32_t i = 0; i < 3; ++i) {
        NQ_TRY(rewrite_all(select, number_call, lists[i].exprs, lists[i].count));
    }
    use_aggregation(select);
    nq__planned planned;
    NQ_TRY(nq__plan_joins(block, &planned));
    NQ_TRY(plan_aggregate(select, &planned, out_node));
    if (select->having != NULL) {
        *out_node = nq__node_filter(block->b, *out_node, select->having);
    }
    return *out_node == NULL ? nq__bind_no_memory(block->b) : NQ_OK;
}

static nq_status plan_plain(nq__query *query, ordering *order, nq_plan_node **out_node,
                            bool *out_is_sorted) {
    nq__select *select = query->select;
    nq__block *block = &select->block;
    for (uint32_t i = 0; i < query->column_count; ++i) {
        nq__use_columns(block, query->exprs[i]);
    }
    for (uint32_t i = 0; i < order->extra.count; ++i) {
        nq__use_columns(block, order->extra.items[i]);
    }
    nq__planned planned;
    NQ_TRY(nq__plan_joins(block, &planned));
    bool is_reverse = false;
    *out_is_sorted = order->key_count > 0 && is_sorted_by_key(query, &planned, order, &is_reverse);
    if (*out_is_sorted) {
        planned.node->scan.is_reverse = is_reverse;
    }
    NQ_TRY(place_exprs(block, &planned, query->exprs, query->column_count));
    NQ_TRY(place_exprs(block, &planned, order->extra.items, order->extra.count));
    *out_node = planned.node;
    return NQ_OK;
}

nq_status nq__select_plan(nq__binder *b, nq__query *query, nq_plan_node **out_node) {
    nq__select *select = query->select;
    ordering order = {0};
    NQ_TRY(bind_order_by(b, query, &order));
    select->block.is_used = nq__bind_alloc(b, select->block.flat_count, sizeof(bool));
    if (select->block.is_used == NULL) {
        return nq__bind_no_memory(b);
    }
    nq_plan_node *node = NULL;
    bool is_sorted = false;
    if (select->is_grouped || select->aggregates.count > 0) {
        NQ_TRY(plan_grouped(query, &order, &node));
    } else {
        NQ_TRY(plan_plain(query, &order, &node, &is_sorted));
    }
    if (is_sorted) {
        order.extra.count = 0;
        order.key_count = 0;
    }
    NQ_TRY(plan_project(b, query, &order, node, &node));
    if (query->ast->is_distinct) {
        double rows = node->estimated_rows / 2;
        node = nq__node_over(b, NQ_PLAN_DISTINCT, node, node->column_count, node->columns,
                             rows < 1 ? 1 : rows);
        if (node == NULL) {
            return nq__bind_no_memory(b);
        }
    }
    if (order.key_count == 0) {
        return nq__plan_limit(b, query->ast, query->outer, node, out_node);
    }
    nq_column_info *columns = nq__bind_alloc(b, query->column_count, sizeof(*columns));
    if (columns == NULL) {
        return nq__bind_no_memory(b);
    }
    memcpy(columns, node->columns, query->column_count * sizeof(*columns));
    return nq__plan_sort(b, query->ast, query->outer, node, order.keys, order.key_count,
                         query->column_count, columns, out_node);
}
