/* Weight: what the shape of a plan alone tells of its cost.
 *
 * Which statements are so short that handing them to another thread would cost more than running
 * them: one lookup by key, or one row of expressions, none of which can make text longer than what
 * it is given. And how many rows there can be at most, so that nobody asks for one more. */
#include "engine/api/api_internal.h"

enum {
    NODES_MAX = 8,
    EXPRS_MAX = 64,
    VALUES_ROWS_MAX = 8,
    TEXT_BYTES_MAX = 1024, /* of the statement: parsing and constants are work too */
};

/* Walks at most `*budget` nodes. Calls and casts to text are refused: repeat('x', 1e9) is one node.
 */
static bool is_short_expr(const nq_expr *expr, uint32_t *budget) {
    if (expr == NULL) {
        return true;
    }
    if (*budget == 0) {
        return false;
    }
    (*budget)--;
    bool is_computed = expr->kind == NQ_EXPR_CALL || expr->kind == NQ_EXPR_CAST;
    if (is_computed && nq_type_form(expr->type.id) == NQ_FORM_BYTES) {
        return false;
    }
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (!is_short_expr(expr->args[i], budget)) {
            return false;
        }
    }
    return true;
}

static bool are_short_exprs(const nq_expr *const *exprs, uint32_t count, uint32_t *budget) {
    for (uint32_t i = 0; i < count; i++) {
        if (!is_short_expr(exprs[i], budget)) {
            return false;
        }
    }
    return true;
}

static bool is_short_node(const nq_plan_node *node, uint32_t *budget) {
    switch (node->kind) {
    case NQ_PLAN_KEY_LOOKUP:
        return is_short_expr(node->scan.filter, budget) &&
               are_short_exprs(node->scan.key.items, node->scan.key.count, budget);
    case NQ_PLAN_VALUES:
        return node->values.row_count <= VALUES_ROWS_MAX &&
               are_short_exprs(node->values.exprs, node->values.row_count * node->column_count,
                               budget);
    case NQ_PLAN_PROJECT:
        return are_short_exprs(node->project.exprs.items, node->project.exprs.count, budget);
    case NQ_PLAN_FILTER:
        return is_short_expr(node->filter.condition, budget);
    case NQ_PLAN_LIMIT:
        return true;
    default:
        return false;
    }
}

bool nq__plan_is_short(const nq_plan *plan, nq_bytes sql) {
    if (plan->subquery_count > 0 || sql.size > TEXT_BYTES_MAX) {
        return false;
    }
    uint32_t budget = EXPRS_MAX;
    const nq_plan_node *node = plan->root;
    for (uint32_t depth = 0; depth < NODES_MAX; depth++) {
        if (!is_short_node(node, &budget)) {
            return false;
        }
        if (node->input_count == 0) {
            return true;
        }
        if (node->input_count > 1) {
            return false;
        }
        node = node->inputs[0];
    }
    return false;
}

bool nq_prepared_is_short(const nq_prepared *prepared) {
    return prepared->first->is_short;
}

uint64_t nq__plan_rows_max(const nq_plan *plan) {
    const nq_plan_node *node = plan->root;
    for (;;) {
        switch (node->kind) {
        case NQ_PLAN_KEY_LOOKUP:
            return 1;
        case NQ_PLAN_VALUES:
            return node->values.row_count;
        case NQ_PLAN_PROJECT:
        case NQ_PLAN_FILTER:
        case NQ_PLAN_LIMIT:
            node = node->inputs[0];
            break;
        default:
            return UINT64_MAX;
        }
    }
}
