/* Bind WHERE: conjuncts, and the subqueries among them that are joins. */
#include "engine/query/plan/bind_internal.h"

nq_status nq__split_and(nq__binder *b, const nq_expr *condition, nq__exprs *conjuncts) {
    if (condition->kind == NQ_EXPR_AND) {
        for (uint32_t i = 0; i < condition->arg_count; ++i) {
            NQ_TRY(nq__split_and(b, condition->args[i], conjuncts));
        }
        return NQ_OK;
    }
    bool is_true = condition->kind == NQ_EXPR_CONSTANT && !condition->value.is_null &&
                   condition->value.boolean;
    return is_true ? NQ_OK : nq__exprs_append(b, conjuncts, condition);
}

/* x IN (query) keeps the rows with a match in the query; NOT IN those without, where a null on
 * either side leaves it unknown. */
static nq_status join_in_query(nq__block *block, const nq__scope *scope, const nq_ast_expr *ast,
                               bool is_negated) {
    nq__binder *b = block->b;
    const nq_expr *value, *column, *equality;
    nq_plan_node *node = NULL;
    NQ_TRY(nq__in_query_parts(b, scope, ast, &value, &node));
    NQ_TRY(nq__join_leaf(block, is_negated ? NQ_JOIN_ANTI_IN : NQ_JOIN_SEMI, node, ast->offset,
                         &column));
    const nq_expr *pair[2] = {value, column};
    NQ_TRY(nq__bind_call(b, ast->offset, NQ_BYTES_LITERAL("="), true, pair, 2, &equality));
    return nq__exprs_append(b, &block->tree->conditions, equality);
}

/* ---- Subqueries that refer to this query ---- */

static nq_status bind_conjuncts(nq__block *block, const nq__scope *scope, const nq_ast_expr *where);

/* What can be joined as it stands: one SELECT whose rows are those of its FROM and WHERE. */
static bool is_plain_select(const nq_ast_query *query) {
    return query->kind == NQ_AST_SELECT && query->from.count > 0 && !query->is_grouped &&
           query->with.count == 0 && query->order_by.count == 0 && query->limit == NULL &&
           query->limit_offset == NULL;
}

/* The subquery's FROM and WHERE, bound into the same flat row as the rest of the block; its WHERE
 * becomes `conditions`. */
static nq_status bind_inner_rows(nq__block *block, const nq__scope *inner,
                                 const nq_ast_query *query, nq__names *names, nq__tree **out_tree,
                                 nq__exprs *conditions) {
    nq__tree *tree = block->tree;
    const nq__scope *outer = block->outer;
    nq__exprs where = block->where;
    block->tree = NULL;
    block->outer = inner->outer;
    block->where = (nq__exprs){0};
    nq_status status = nq__bind_from(block, &query->from, names);
    if (status == NQ_OK && query->where != NULL) {
        status = bind_conjuncts(block, inner, query->where);
    }
    *out_tree = block->tree;
    *conditions = block->where;
    block->tree = tree;
    block->outer = outer;
    block->where = where;
    return status;
}

/* The SELECT list of EXISTS is checked and forgotten; that of IN is compared with the left side. */
static nq_status bind_inner_list(nq__block *block, const nq__scope *inner, const nq_ast_expr *ast,
                                 const nq_expr *value, nq__exprs *conditions) {
    nq__binder *b = block->b;
    nq__aggregates aggregates = {0};
    nq__scope scope = *inner;
    scope.aggregates = &aggregates;
    scope.place = "SELECT";
    nq__items items = {0};
    NQ_TRY(nq__bind_items(b, &scope, &ast->query->items, &items));
    if (aggregates.count > 0) {
        return nq__bind_fail(b, aggregates.offsets[0], NQ_FEATURE_UNSUPPORTED,
                             "an aggregate in a subquery that refers to the query around it is not "
                             "supported by this version");
    }
    if (value == NULL) {
        return NQ_OK;
    }
    if (items.exprs.count != 1) {
        return nq__bind_fail(b, ast->offset, NQ_SQL_SYNTAX,
                             "the query of IN must have one column, this has %u",
                             items.exprs.count);
    }
    const nq_expr *pair[2] = {value, items.exprs.items[0]}, *equality;
    NQ_TRY(nq__bind_call(b, ast->offset, NQ_BYTES_LITERAL("="), true, pair, 2, &equality));
    return nq__exprs_append(b, conditions, equality);
}

static nq_status join_correlated(nq__block *block, const nq__scope *scope, const nq_ast_expr *ast,
                                 bool is_negated) {
    nq__binder *b = block->b;
    bool is_in = ast->kind == NQ_AST_IN_QUERY;
    if (!is_plain_select(ast->query) || (is_in && is_negated)) {
        return nq__bind_fail(b, ast->offset, NQ_FEATURE_UNSUPPORTED,
                             is_in && is_negated
                                 ? "NOT IN with a query that refers to the query around it is not "
                                   "supported by this version"
                                 : "a subquery that refers to the query around it must be one "
                                   "SELECT without GROUP BY, HAVING, ORDER BY and LIMIT");
    }
    const nq_expr *value = NULL;
    if (is_in) {
        NQ_TRY(nq__bind_expr(b, scope, ast->left, &value));
    }
    nq__names names = {0};
    nq__scope inner = {
        .outer = scope, .names = &names, .block = block, .is_joined = true, .place = "WHERE"};
    nq__tree *tree = nq__bind_alloc(b, 1, sizeof(*tree));
    if (tree == NULL) {
        return nq__bind_no_memory(b);
    }
    NQ_TRY(bind_inner_rows(block, &inner, ast->query, &names, &tree->right, &tree->conditions));
    NQ_TRY(bind_inner_list(block, &inner, ast, value, &tree->conditions));
    tree->kind = NQ__TREE_OUTER;
    tree->join = is_negated ? NQ_JOIN_ANTI : NQ_JOIN_SEMI;
    tree->left = block->tree;
    tree->leaves = tree->left->leaves | tree->right->leaves;
    block->tree = tree;
    return NQ_OK;
}

/* ---- Conjuncts ---- */

static nq_status bind_plain_conjunct(nq__block *block, const nq__scope *scope,
                                     const nq_ast_expr *ast) {
    const nq_expr *condition;
    NQ_TRY(nq__bind_condition(block->b, scope, ast, &condition));
    return nq__split_and(block->b, condition, &block->where);
}

/* EXISTS and IN are first tried as queries of their own, which run once; one that turns out to
 * refer to this query becomes a join with it. */
static nq_status bind_conjunct(nq__block *block, const nq__scope *scope, const nq_ast_expr *ast) {
    nq__binder *b = block->b;
    const nq_ast_expr *bare = ast;
    bool is_negated = false;
    while (bare->kind == NQ_AST_NOT) {
        bare = bare->left;
        is_negated = !is_negated;
    }
    bool is_in = bare->kind == NQ_AST_IN_QUERY;
    if ((!is_in && bare->kind != NQ_AST_EXISTS) || block->tree == NULL) {
        return bind_plain_conjunct(block, scope, ast);
    }
    is_negated = is_negated != bare->is_negated;
    nq_error kept = b->ctx->error;
    nq__tree *tree = block->tree;
    uint32_t subquery_count = b->subquery_count;
    b->is_correlated = false;
    nq_status status = is_in && !nq__is_without_columns(bare->left)
                           ? join_in_query(block, scope, bare, is_negated)
                           : bind_plain_conjunct(block, scope, ast);
    if (status == NQ_OK || !b->is_correlated) {
        return status;
    }
    b->ctx->error = kept;
    b->subquery_count = subquery_count;
    block->tree = tree;
    return join_correlated(block, scope, bare, is_negated);
}

static nq_status bind_conjuncts(nq__block *block, const nq__scope *scope,
                                const nq_ast_expr *where) {
    if (where->kind != NQ_AST_AND) {
        return bind_conjunct(block, scope, where);
    }
    for (const nq_ast_expr *each = where->operands.first; each != NULL; each = each->next) {
        NQ_TRY(bind_conjunct(block, scope, each));
    }
    return NQ_OK;
}

nq_status nq__bind_where(nq__block *block, const nq__names *names, const nq_ast_expr *where) {
    if (where == NULL) {
        return NQ_OK;
    }
    nq__scope scope = {.outer = block->outer, .names = names, .block = block, .place = "WHERE"};
    return bind_conjuncts(block, &scope, where);
}
