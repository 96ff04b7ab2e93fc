/* Estimate: what share of the rows a condition lets pass, without statistics of the values.
 *
 * The figures are PostgreSQL's defaults in spirit: an equality is rare, a comparison takes a third,
 * and conditions are taken to be independent. Sizes of tables are real; these shares are not
 * measured. */
#include "engine/query/plan/bind_internal.h"

static const double equality_share = 0.01;
static const double range_share = 1.0 / 3;
static const double pattern_share = 0.1;
static const double other_share = 0.5;

static bool is_operator(const nq_expr *expr, const char *name) {
    return expr->kind == NQ_EXPR_CALL && strcmp(expr->function->name, name) == 0;
}

static bool is_range(const nq_expr *expr) {
    return is_operator(expr, "<") || is_operator(expr, "<=") || is_operator(expr, ">") ||
           is_operator(expr, ">=");
}

double nq__selectivity(const nq_expr *conjunct) {
    double share;
    switch (conjunct->kind) {
    case NQ_EXPR_CONSTANT:
        return !conjunct->value.is_null && conjunct->value.boolean ? 1 : 0;
    case NQ_EXPR_CALL:
        if (is_operator(conjunct, "=")) {
            return equality_share;
        }
        if (is_operator(conjunct, "<>")) {
            return 1 - equality_share;
        }
        if (is_range(conjunct)) {
            return range_share;
        }
        return is_operator(conjunct, "like") || is_operator(conjunct, "ilike") ? pattern_share
                                                                               : other_share;
    case NQ_EXPR_IN_LIST:
        share = equality_share * (conjunct->arg_count - 1);
        share = share > 0.9 ? 0.9 : share;
        return conjunct->is_negated ? 1 - share : share;
    case NQ_EXPR_IS_NULL:
        return conjunct->is_negated ? 1 - equality_share : equality_share;
    case NQ_EXPR_NOT:
        return 1 - nq__selectivity(conjunct->args[0]);
    case NQ_EXPR_AND:
        share = 1;
        for (uint32_t i = 0; i < conjunct->arg_count; ++i) {
            share *= nq__selectivity(conjunct->args[i]);
        }
        return share;
    case NQ_EXPR_OR:
        share = 0;
        for (uint32_t i = 0; i < conjunct->arg_count; ++i) {
            double one = nq__selectivity(conjunct->args[i]);
            share = share + one - share * one;
        }
        return share;
    default:
        return other_share;
    }
}

double nq__selectivity_all(const nq__exprs *conjuncts) {
    double share = 1;
    for (uint32_t i = 0; i < conjuncts->count; ++i) {
        share *= nq__selectivity(conjuncts->items[i]);
    }
    return share;
}
