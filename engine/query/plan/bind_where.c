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

static nq_status bind_conjunct(nq__block *block, const nq__scope *scope, const nq_ast_expr *ast) {
    const nq_ast_expr *bare = ast;
    bool is_negated = false;
    while (bare->kind == NQ_AST_NOT) {
        bare = bare->left;
        is_negated = !is_negated;
    }
    bool is_join =
        bare->kind == NQ_AST_IN_QUERY && block->tree != NULL && !nq__is_without_columns(bare->left);
    if (is_join) {
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
    nq__scope scope = {.outer = block->outer, .names = names, .block = block, .place = "WHERE"};
    if (where->kind != NQ_AST_AND) {
        return bind_conjunct(block, &scope, where);
    }
    for (const nq_ast_expr *each = where->operands.first; each != NULL; each = each->next) {
        NQ_TRY(bind_conjunct(block, &scope, each));
    }
    return NQ_OK;
}
