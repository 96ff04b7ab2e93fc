/* Bind IN (query), where its value is needed and not just the rows it keeps.
 *
 * x IN (q) is true when some row of q equals x; else unknown when q holds a null, or x is null and
 * q is not empty; else false. The first is a left join with the distinct rows of q (or, when x
 * names no column, an EXISTS); the rest is one query over q that runs only if a row needs it:
 *
 *     CASE WHEN matched THEN true
 *          WHEN summary = 2 OR x IS NULL AND summary <> 0 THEN NULL
 *          ELSE false END                       summary: 0 q is empty, 1 it has no null, 2 it has
 * one
 *
 * The plan of q is shared by both uses, which doubles the work at each level of nesting: the depth
 * is bounded. */
#include "engine/query/plan/bind_internal.h"

enum { IN_DEPTH_MAX = 6 };

static const nq_type boolean = {.id = NQ_TYPE_BOOL};
static const nq_type integer = {.id = NQ_TYPE_INT32};

bool nq__is_without_columns(const nq_ast_expr *ast) {
    switch ((nq_ast_expr_kind)ast->kind) {
    case NQ_AST_NULL:
    case NQ_AST_BOOLEAN:
    case NQ_AST_INTEGER:
    case NQ_AST_NUMBER:
    case NQ_AST_STRING:
    case NQ_AST_BYTES:
    case NQ_AST_PARAMETER:
        return true;
    case NQ_AST_CAST:
    case NQ_AST_UNARY:
        return nq__is_without_columns(ast->left);
    default:
        return false;
    }
}

nq_status nq__in_query_parts(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                             const nq_expr **out_value, nq_plan_node **out_node) {
    NQ_TRY(nq__bind_expr(b, scope, ast->left, out_value));
    if (b->in_depth == IN_DEPTH_MAX) {
        return nq__bind_fail(b, ast->offset, NQ_STATEMENT_TOO_COMPLEX,
                             "IN (query) is nested more than %d deep", IN_DEPTH_MAX);
    }
    nq__query *query = NULL;
    ++b->in_depth;
    nq_status status = nq__query_bind(b, scope, ast->query, &query);
    --b->in_depth;
    NQ_TRY(status);
    if (query->column_count != 1) {
        return nq__bind_fail(b, ast->offset, NQ_SQL_SYNTAX,
                             "the query of IN must have one column, this has %u",
                             query->column_count);
    }
    if ((*out_value)->type.id == NQ_TYPE_UNKNOWN && query->columns[0].type.id != NQ_TYPE_UNKNOWN) {
        NQ_TRY(nq__coerce(b, *out_value, NQ_TYPE(query->columns[0].type.id), NQ_CAST_IMPLICIT,
                          "the left side of IN", out_value));
    }
    NQ_TRY(nq__coerce_unknown(b, *out_value, out_value));
    bool is_untyped = query->columns[0].type.id == NQ_TYPE_UNKNOWN;
    nq_type type = NQ_TYPE((*out_value)->type.id);
    NQ_TRY(nq__query_coerce(b, query, is_untyped ? &type : NULL, NQ_CAST_IMPLICIT));
    return nq__query_plan(b, query, out_node);
}

nq_status nq__join_leaf(nq__block *block, nq_join_kind kind, nq_plan_node *node, uint32_t offset,
                        const nq_expr **out_column) {
    nq__binder *b = block->b;
    uint32_t index = 0;
    nq__leaf leaf = {.node = node,
                     .column_count = node->column_count,
                     .rows = node->estimated_rows,
                     .is_internal = true};
    NQ_TRY(nq__bind_at(b, offset, nq__leaf_add(block, leaf, node->columns, &index)));
    nq__tree *tree = nq__bind_alloc(b, 1, sizeof(*tree));
    nq__tree *right = nq__bind_alloc(b, 1, sizeof(*right));
    nq_expr *column =
        nq_expr_column(b->arena, block->leaves[index].first_column, node->columns[0].type);
    if (tree == NULL || right == NULL || column == NULL) {
        return nq__bind_no_memory(b);
    }
    column->offset = offset;
    *right = (nq__tree){.kind = NQ__TREE_LEAF, .leaves = (uint64_t)1 << index, .leaf = index};
    *tree = (nq__tree){.kind = NQ__TREE_OUTER,
                       .join = kind,
                       .leaves = block->tree->leaves | right->leaves,
                       .left = block->tree,
                       .right = right};
    block->tree = tree;
    *out_column = column;
    return NQ_OK;
}

/* ---- matched ---- */

/* The query's rows once each, with a column that is null only where an outer join found none. */
static nq_status mark_rows(nq__binder *b, nq_plan_node *input, nq_plan_node **out_node) {
    const nq_expr **exprs = nq__bind_alloc(b, 2, sizeof(*exprs));
    nq_column_info *columns = nq__bind_alloc(b, 2, sizeof(*columns));
    nq_plan_node *project =
        nq__node_over(b, NQ_PLAN_PROJECT, input, 2, columns, input->estimated_rows);
    if (exprs == NULL || columns == NULL || project == NULL) {
        return nq__bind_no_memory(b);
    }
    exprs[0] = nq_expr_column(b->arena, 0, input->columns[0].type);
    exprs[1] = nq_expr_constant(b->arena, NQ_VALUE_BOOL(true), boolean);
    columns[0] = input->columns[0];
    columns[1] = (nq_column_info){.name = NQ_BYTES_LITERAL("matched"), .type = boolean};
    project->project.exprs = (nq_plan_exprs){exprs, 2};
    *out_node = nq__node_over(b, NQ_PLAN_DISTINCT, project, 2, columns, input->estimated_rows);
    bool is_ok = exprs[0] != NULL && exprs[1] != NULL && *out_node != NULL;
    return is_ok ? NQ_OK : nq__bind_no_memory(b);
}

static nq_status match_by_join(nq__block *block, uint32_t offset, const nq_expr *value,
                               nq_plan_node *query, const nq_expr **out_matched) {
    nq__binder *b = block->b;
    nq_plan_node *marked = NULL;
    const nq_expr *column, *equality;
    NQ_TRY(mark_rows(b, query, &marked));
    NQ_TRY(nq__join_leaf(block, NQ_JOIN_LEFT, marked, offset, &column));
    const nq_expr *pair[2] = {value, column};
    NQ_TRY(nq__bind_call(b, offset, NQ_BYTES_LITERAL("="), true, pair, 2, &equality));
    NQ_TRY(nq__exprs_append(b, &block->tree->conditions, equality));
    nq_expr *mark = nq_expr_column(b->arena, column->index + 1, boolean);
    if (mark == NULL) {
        return nq__bind_no_memory(b);
    }
    mark->offset = offset;
    const nq_expr *arg = mark;
    return nq__bind_form(b, offset, NQ_EXPR_IS_NULL, boolean, true, &arg, 1, out_matched);
}

static nq_status match_by_exists(nq__binder *b, uint32_t offset, const nq_expr *value,
                                 nq_plan_node *query, const nq_expr **out_matched) {
    const nq_expr *pair[2] = {value, nq_expr_column(b->arena, 0, query->columns[0].type)};
    const nq_expr *equality;
    if (pair[1] == NULL) {
        return nq__bind_no_memory(b);
    }
    NQ_TRY(nq__bind_call(b, offset, NQ_BYTES_LITERAL("="), true, pair, 2, &equality));
    nq_plan_node *filtered = nq__node_filter(b, query, equality);
    if (filtered == NULL) {
        return nq__bind_no_memory(b);
    }
    return nq__subquery_add(b, NQ_SUBQUERY_EXISTS, filtered, boolean, offset, out_matched);
}

/* ---- summary ---- */

static nq_status count_of(nq__binder *b, nq_plan_aggregate_call *call, const nq_expr *const *args,
                          uint32_t arg_count) {
    nq_resolution found;
    nq_type type = arg_count == 0 ? boolean : args[0]->type;
    NQ_TRY(nq_function_find(b->ctx, NQ_BYTES_LITERAL("count"), false, &type, arg_count, &found));
    *call = (nq_plan_aggregate_call){
        .function = found.function, .type = found.result, .args = {args, arg_count}};
    return NQ_OK;
}

static nq_status small_integer(nq__binder *b, int64_t value, const nq_expr **out_expr) {
    *out_expr =
        nq_expr_constant(b->arena, (nq_value){.type = integer.id, .integer = value}, integer);
    return *out_expr == NULL ? nq__bind_no_memory(b) : NQ_OK;
}

/* CASE WHEN count(*) = 0 THEN 0 WHEN count(*) = count(c) THEN 1 ELSE 2 END */
static nq_status summarize(nq__binder *b, uint32_t offset, nq_plan_node *query,
                           const nq_expr **out_summary) {
    nq_plan_aggregate_call *calls = nq__bind_alloc(b, 2, sizeof(*calls));
    nq_column_info *columns = nq__bind_alloc(b, 3, sizeof(*columns));
    const nq_expr **args = nq__bind_alloc(b, 1, sizeof(*args));
    const nq_expr **output = nq__bind_alloc(b, 1, sizeof(*output));
    nq_plan_node *counts = nq__node_over(b, NQ_PLAN_AGGREGATE, query, 2, columns, 1);
    if (calls == NULL || columns == NULL || args == NULL || output == NULL || counts == NULL) {
        return nq__bind_no_memory(b);
    }
    args[0] = nq_expr_column(b->arena, 0, query->columns[0].type);
    NQ_TRY(args[0] == NULL ? nq__bind_no_memory(b) : NQ_OK);
    NQ_TRY(count_of(b, &calls[0], NULL, 0));
    NQ_TRY(count_of(b, &calls[1], args, 1));
    counts->aggregate = (nq_plan_aggregate){.calls = calls, .call_count = 2};
    const nq_expr *pairs[2][2], *branches[5];
    for (uint32_t i = 0; i < 2; ++i) {
        columns[i] = (nq_column_info){.name = NQ_BYTES_LITERAL("count"), .type = calls[i].type};
        pairs[1][i] = nq_expr_column(b->arena, i, calls[i].type);
        NQ_TRY(pairs[1][i] == NULL ? nq__bind_no_memory(b) : NQ_OK);
    }
    pairs[0][0] = pairs[1][0];
    NQ_TRY(small_integer(b, 0, &pairs[0][1]));
    for (uint32_t i = 0; i < 2; ++i) {
        NQ_TRY(
            nq__bind_call(b, offset, NQ_BYTES_LITERAL("="), true, pairs[i], 2, &branches[2 * i]));
        NQ_TRY(small_integer(b, i, &branches[2 * i + 1]));
    }
    NQ_TRY(small_integer(b, 2, &branches[4]));
    NQ_TRY(nq__bind_form(b, offset, NQ_EXPR_CASE, integer, false, branches, 5, &output[0]));
    columns[2] = (nq_column_info){.name = NQ_BYTES_LITERAL("summary"), .type = integer};
    nq_plan_node *root = nq__node_over(b, NQ_PLAN_PROJECT, counts, 1, &columns[2], 1);
    if (root == NULL) {
        return nq__bind_no_memory(b);
    }
    root->project.exprs = (nq_plan_exprs){output, 1};
    return nq__subquery_add(b, NQ_SUBQUERY_SCALAR, root, integer, offset, out_summary);
}

/* summary = 2 OR x IS NULL AND summary <> 0 */
static nq_status unknown_when(nq__binder *b, uint32_t offset, const nq_expr *value,
                              const nq_expr *summary, const nq_expr **out_condition) {
    const nq_expr *pair[2] = {summary, NULL}, *either[2], *both[2];
    NQ_TRY(small_integer(b, 2, &pair[1]));
    NQ_TRY(nq__bind_call(b, offset, NQ_BYTES_LITERAL("="), true, pair, 2, &either[0]));
    NQ_TRY(nq__bind_form(b, offset, NQ_EXPR_IS_NULL, boolean, false, &value, 1, &both[0]));
    NQ_TRY(small_integer(b, 0, &pair[1]));
    NQ_TRY(nq__bind_call(b, offset, NQ_BYTES_LITERAL("<>"), true, pair, 2, &both[1]));
    NQ_TRY(nq__bind_form(b, offset, NQ_EXPR_AND, boolean, false, both, 2, &either[1]));
    return nq__bind_form(b, offset, NQ_EXPR_OR, boolean, false, either, 2, out_condition);
}

/* ---- The value ---- */

nq_status nq__bind_in_query(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                            const nq_expr **out_expr) {
    const nq_expr *value, *matched, *summary, *branches[5];
    nq_plan_node *query = NULL;
    NQ_TRY(nq__in_query_parts(b, scope, ast, &value, &query));
    bool can_join = scope->block != NULL && scope->block->tree != NULL;
    if (value->is_constant && !value->is_volatile) {
        NQ_TRY(match_by_exists(b, ast->offset, value, query, &matched));
    } else if (can_join) {
        NQ_TRY(match_by_join(scope->block, ast->offset, value, query, &matched));
    } else {
        return nq__bind_fail(b, ast->offset, NQ_FEATURE_UNSUPPORTED,
                             "IN (query) is not supported in %s by this version", scope->place);
    }
    NQ_TRY(summarize(b, ast->offset, query, &summary));
    branches[0] = matched;
    NQ_TRY(unknown_when(b, ast->offset, value, summary, &branches[2]));
    branches[1] = nq_expr_constant(b->arena, NQ_VALUE_BOOL(true), boolean);
    branches[3] = nq_expr_constant(b->arena, NQ_VALUE_NULL(NQ_TYPE_BOOL), boolean);
    branches[4] = nq_expr_constant(b->arena, NQ_VALUE_BOOL(false), boolean);
    if (branches[1] == NULL || branches[3] == NULL || branches[4] == NULL) {
        return nq__bind_no_memory(b);
    }
    NQ_TRY(nq__bind_form(b, ast->offset, NQ_EXPR_CASE, boolean, false, branches, 5, out_expr));
    if (!ast->is_negated) {
        return NQ_OK;
    }
    const nq_expr *positive = *out_expr;
    return nq__bind_form(b, ast->offset, NQ_EXPR_NOT, boolean, false, &positive, 1, out_expr);
}
