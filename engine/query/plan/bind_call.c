/* Bind calls: functions, the forms that look like functions, aggregates and subqueries. */
#include "engine/query/plan/bind_internal.h"

static bool name_is(const nq_ast_expr *ast, const char *word) {
    return nq_bytes_equal(ast->call->name.text, nq_bytes_of_cstr(word));
}

static nq_status bind_arguments(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                                nq__exprs *out_args) {
    for (const nq_ast_expr *each = ast->operands.first; each != NULL; each = each->next) {
        const nq_expr *arg;
        NQ_TRY(nq__bind_expr(b, scope, each, &arg));
        NQ_TRY(nq__exprs_append(b, out_args, arg));
    }
    return NQ_OK;
}

/* ---- Aggregates ---- */

static bool is_same_call(const nq_plan_aggregate_call *left, const nq_plan_aggregate_call *right) {
    if (left->function != right->function || left->is_distinct != right->is_distinct ||
        left->args.count != right->args.count ||
        (left->filter == NULL) != (right->filter == NULL)) {
        return false;
    }
    for (uint32_t i = 0; i < left->args.count; ++i) {
        if (!nq_expr_equal(left->args.items[i], right->args.items[i])) {
            return false;
        }
    }
    return left->filter == NULL || nq_expr_equal(left->filter, right->filter);
}

/* Its number among the block's calls, each computed once. */
static nq_status add_aggregate(nq__binder *b, nq__aggregates *aggregates,
                               const nq_plan_aggregate_call *call, uint32_t offset,
                               uint32_t *out_index) {
    for (uint32_t i = 0; i < aggregates->count; ++i) {
        if (is_same_call(&aggregates->calls[i], call)) {
            *out_index = i;
            return NQ_OK;
        }
    }
    if (aggregates->count == NQ__LIST_COUNT_MAX) {
        return nq__bind_fail(b, offset, NQ_LIMIT_EXCEEDED, "a SELECT has at most %d aggregates",
                             NQ__LIST_COUNT_MAX);
    }
    NQ_TRY(nq__bind_grow(b, &aggregates->calls, aggregates->count, &aggregates->capacity,
                         sizeof(*aggregates->calls)));
    NQ_TRY(nq__bind_grow(b, &aggregates->offsets, aggregates->count, &aggregates->offset_capacity,
                         sizeof(*aggregates->offsets)));
    *out_index = aggregates->count;
    aggregates->calls[aggregates->count] = *call;
    aggregates->offsets[aggregates->count++] = offset;
    return NQ_OK;
}

static nq_status resolve_aggregate(nq__binder *b, const nq_ast_expr *ast, nq__exprs *args,
                                   nq_plan_aggregate_call *call) {
    nq_type types[NQ_FUNCTION_ARGUMENTS_MAX];
    nq_resolution found;
    if (args->count > NQ_FUNCTION_ARGUMENTS_MAX) {
        return nq__bind_fail(b, ast->offset, NQ_LIMIT_EXCEEDED,
                             "a function takes at most %d arguments", NQ_FUNCTION_ARGUMENTS_MAX);
    }
    for (uint32_t i = 0; i < args->count; ++i) {
        types[i] = args->items[i]->type;
    }
    NQ_TRY(nq__bind_at(
        b, ast->offset,
        nq_function_find(b->ctx, ast->call->name.text, false, types, args->count, &found)));
    for (uint32_t i = 0; i < args->count; ++i) {
        NQ_TRY(nq__coerce(b, args->items[i], found.arg_types[i], NQ_CAST_IMPLICIT, "the argument",
                          &args->items[i]));
        NQ_TRY(nq__coerce_unknown(b, args->items[i], &args->items[i]));
    }
    call->function = found.function;
    call->type = found.result;
    call->args = (nq_plan_exprs){args->items, args->count};
    return NQ_OK;
}

static nq_status bind_aggregate(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                                const nq_expr **out_expr) {
    if (scope->aggregates == NULL) {
        return nq__bind_fail(b, ast->offset, NQ_GROUPING_ERROR,
                             "aggregate functions are not allowed in %s", scope->place);
    }
    bool is_count = name_is(ast, "count");
    if (ast->call->is_star ? !is_count : (ast->operands.count == 0 && is_count)) {
        return nq__bind_fail(b, ast->offset, NQ_UNKNOWN_FUNCTION,
                             is_count ? "count needs an argument: count(*) counts rows"
                                      : "only count can be called with \"*\"");
    }
    nq__scope inner = *scope;
    inner.aggregates = NULL;
    inner.place = "the argument of another";
    nq__exprs args = {0};
    NQ_TRY(bind_arguments(b, &inner, ast, &args));
    nq_plan_aggregate_call call = {.is_distinct = ast->call->is_distinct};
    NQ_TRY(resolve_aggregate(b, ast, &args, &call));
    if (ast->call->filter != NULL) {
        inner.place = "FILTER";
        NQ_TRY(nq__bind_condition(b, &inner, ast->call->filter, &call.filter));
    }
    uint32_t index = 0;
    NQ_TRY(add_aggregate(b, scope->aggregates, &call, ast->offset, &index));
    nq_expr *column = nq_expr_column(b->arena, NQ__AGGREGATE_BASE + index, call.type);
    if (column == NULL) {
        return nq__bind_no_memory(b);
    }
    column->offset = ast->offset;
    *out_expr = column;
    return NQ_OK;
}

/* ---- Functions ---- */

static bool is_coalesce(const nq_ast_expr *ast) {
    return name_is(ast, "coalesce") || name_is(ast, "ifnull") || name_is(ast, "nvl");
}

static nq_status bind_coalesce(nq__binder *b, const nq_ast_expr *ast, nq__exprs *args,
                               const nq_expr **out_expr) {
    bool is_pair = !name_is(ast, "coalesce");
    if (args->count == 0 || (is_pair && args->count != 2)) {
        return nq__bind_fail(b, ast->offset, NQ_UNKNOWN_FUNCTION, "%.*s takes %s",
                             NQ_BYTES_FORMAT(ast->call->name.text),
                             is_pair ? "two arguments" : "at least one argument");
    }
    nq_type type;
    NQ_TRY(nq__coerce_common(b, ast->offset, "COALESCE", args->items, args->count, &type));
    return nq__bind_form(b, ast->offset, NQ_EXPR_COALESCE, type, false, args->items, args->count,
                         out_expr);
}

/* GREATEST and LEAST settle on a common type first, as PostgreSQL's do. */
static bool is_extreme(const nq_ast_expr *ast) {
    return name_is(ast, "greatest") || name_is(ast, "least");
}

nq_status nq__bind_function(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                            const nq_expr **out_expr) {
    const nq_ast_call *call = ast->call;
    if (nq_function_is_aggregate(call->name.text)) {
        return bind_aggregate(b, scope, ast, out_expr);
    }
    const char *misplaced = call->is_star          ? "(*)"
                            : call->is_distinct    ? "DISTINCT"
                            : call->filter != NULL ? "FILTER"
                                                   : NULL;
    if (misplaced != NULL && nq_function_exists(call->name.text)) {
        return nq__bind_fail(b, ast->offset, NQ_UNKNOWN_FUNCTION,
                             "%s is for aggregate functions, which %.*s is not", misplaced,
                             NQ_BYTES_FORMAT(call->name.text));
    }
    nq__exprs args = {0};
    NQ_TRY(bind_arguments(b, scope, ast, &args));
    if (is_coalesce(ast)) {
        return bind_coalesce(b, ast, &args, out_expr);
    }
    if (is_extreme(ast) && args.count > 0) {
        nq_type type;
        NQ_TRY(
            nq__coerce_common(b, ast->offset, "GREATEST or LEAST", args.items, args.count, &type));
    }
    return nq__bind_call(b, ast->offset, call->name.text, false, args.items, args.count, out_expr);
}

/* ---- Subqueries ---- */

/* Behind the statement's own parameters. */
nq_status nq__subquery_add(nq__binder *b, nq_subquery_kind kind, const nq_plan_node *root,
                           nq_type type, uint32_t offset, const nq_expr **out_expr) {
    uint32_t index = b->parameter_count + b->subquery_count;
    NQ_TRY(nq__bind_grow(b, &b->subqueries, b->subquery_count, &b->subquery_capacity,
                         sizeof(*b->subqueries)));
    b->subqueries[b->subquery_count++] =
        (nq_plan_subquery){.kind = kind, .parameter_index = index, .root = root};
    nq_expr *parameter = nq_expr_parameter(b->arena, index, type);
    if (parameter == NULL) {
        return nq__bind_no_memory(b);
    }
    parameter->offset = offset;
    *out_expr = parameter;
    return NQ_OK;
}

nq_status nq__bind_subquery(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                            const nq_expr **out_expr) {
    if (ast->kind == NQ_AST_IN_QUERY) {
        return nq__bind_in_query(b, scope, ast, out_expr);
    }
    nq_plan_node *root = NULL;
    NQ_TRY(nq__query_make(b, scope, ast->query, &root));
    if (ast->kind == NQ_AST_EXISTS) {
        return nq__subquery_add(b, NQ_SUBQUERY_EXISTS, root, NQ_TYPE(NQ_TYPE_BOOL), ast->offset,
                                out_expr);
    }
    if (root->column_count != 1) {
        return nq__bind_fail(b, ast->offset, NQ_SQL_SYNTAX,
                             "a subquery used as a value must have one column, this has %u",
                             root->column_count);
    }
    return nq__subquery_add(b, NQ_SUBQUERY_SCALAR, root, root->columns[0].type, ast->offset,
                            out_expr);
}
