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

/* x IN (query) keeps the rows with a match in the query; NOT IN those without, where a null on either
 * side leaves it unknown. */
static nq_status join_in_query(nq__block *block, const nq__scope *scope, const nq_ast_expr *ast,
                               bool is_negated) {
    nq__binder *b = block->b;
    const nq_expr *pair[2];
    NQ_TRY(nq__bind_expr(b, scope, ast->left, &pair[0]));
    nq__query *query = NULL;
    NQ_TRY(nq__query_bind(b, scope, ast->query, &query));
    if (query->column_count != 1) {
        return nq__bind_fail(b, ast->offset, NQ_SQL_SYNTAX,
                             "the query of IN must have one column, this has %u",
                             query->column_count);
    }
    bool is_untyped = query->columns[0].type.id == NQ_TYPE_UNKNOWN;
    NQ_TRY(nq__coerce_unknown(b, pair[0], &pair[0]));
    NQ_TRY(nq__query_coerce(b, query, is_untyped ? &pair[0]->type : NULL, NQ_CAST_IMPLICIT));
    nq_plan_node *node = NULL;
    NQ_TRY(nq__query_plan(b, query, &node));
    uint32_t index = 0;
    nq__leaf leaf = {.node = node, .column_count = 1, .rows = node->estimated_rows};
    NQ_TRY(nq__bind_at(b, ast->offset, nq__leaf_add(block, leaf, node->columns, &index)));
    nq__tree *tree = nq__bind_alloc(b, 1, sizeof(*tree));
    nq__tree *right = nq__bind_alloc(b, 1, sizeof(*right));
    pair[1] = nq_expr_column(b->arena, block->leaves[index].first_column, node->columns[0].type);
    if (tree == NULL || right == NULL || pair[1] == NULL) {
        return nq__bind_no_memory(b);
    }
    *right = (nq__tree){.kind = NQ__TREE_LEAF, .leaves = (uint64_t)1 << index, .leaf = index};
    *tree = (nq__tree){.kind = NQ__TREE_OUTER,
                       .join = is_negated ? NQ_JOIN_ANTI_IN : NQ_JOIN_SEMI,
                       .leaves = block->tree->leaves | right->leaves,
                       .left = block->tree,
                       .right = right};
    const nq_expr *equality;
    NQ_TRY(nq__bind_call(b, ast->offset, NQ_BYTES_LITERAL("="), true, pair, 2, &equality));
    NQ_TRY(nq__exprs_append(b, &tree->conditions, equality));
    block->tree = tree;
    return NQ_OK;
}

static nq_status bind_conjunct(nq__block *block, const nq__scope *scope, const nq_ast_expr *ast) {
    const nq_ast_expr *bare = ast;
    bool is_negated = false;
    while (bare->kind == NQ_AST_NOT) {
        bare = bare->left;
        is_negated = !is_negated;
    }
    if (bare->kind == NQ_AST_IN_QUERY && block->tree != NULL) {
        return join_in_query(block, scope, bare, is_negated != bare->is_negated);
    }
    const nq_expr *condition;
    NQ_TRY(nq__bind_condition(block->b, scope, ast, &condition));
    return nq__split_and(block->b, condition, &block->where);
}

nq_status nq__bind_where(nq__block *block, const nq__names *names, const nq_ast_expr *where) {
    if (where == NULL) {
        return NQ_OK;
    }
    nq__scope scope = {.outer = block->outer, .names = names, .place = "WHERE"};
    if (where->kind != NQ_AST_AND) {
        return bind_conjunct(block, &scope, where);
    }
    for (const nq_ast_expr *each = where->operands.first; each != NULL; each = each->next) {
        NQ_TRY(bind_conjunct(block, &scope, each));
    }
    return NQ_OK;
}
