/* Node: plan nodes and the little that every planner file does with them. */
#include "engine/query/plan/bind_internal.h"

const char *nq_plan_kind_name(nq_plan_kind kind) {
    static const char *const names[NQ_PLAN_KIND_COUNT] = {
#define NQ_OPERATOR(kind, name, file, summary) [NQ_PLAN_##kind] = name,
#include "engine/query/plan/operator.def"
#undef NQ_OPERATOR
    };
    return names[kind];
}

nq_plan_node *nq__node(nq__binder *b, nq_plan_kind kind, uint32_t column_count,
                       const nq_column_info *columns, double rows) {
    nq_plan_node *node = nq__bind_alloc(b, 1, sizeof(*node));
    if (node != NULL) {
        node->kind = kind;
        node->column_count = column_count;
        node->columns = columns;
        node->estimated_rows = rows;
    }
    return node;
}

nq_plan_node *nq__node_over(nq__binder *b, nq_plan_kind kind, nq_plan_node *input,
                            uint32_t column_count, const nq_column_info *columns, double rows) {
    nq_plan_node *node = nq__node(b, kind, column_count, columns, rows);
    const nq_plan_node **inputs = nq__bind_alloc(b, 1, sizeof(const nq_plan_node *));
    if (node == NULL || inputs == NULL) {
        return NULL;
    }
    inputs[0] = input;
    node->inputs = inputs;
    node->input_count = 1;
    return node;
}

nq_plan_node *nq__node_filter(nq__binder *b, nq_plan_node *input, const nq_expr *condition) {
    double rows = input->estimated_rows * nq__selectivity(condition);
    nq_plan_node *node = nq__node_over(b, NQ_PLAN_FILTER, input, input->column_count,
                                       input->columns, rows < 1 ? 1 : rows);
    if (node != NULL) {
        node->filter.condition = condition;
    }
    return node;
}

nq_plan_node *nq__node_one_row(nq__binder *b) {
    nq_plan_node *node = nq__node(b, NQ_PLAN_VALUES, 0, NULL, 1);
    if (node != NULL) {
        node->values.row_count = 1;
    }
    return node;
}

const nq_expr *nq__and_all(nq__binder *b, const nq_expr *const *conjuncts, uint32_t count,
                           bool *out_is_ok) {
    *out_is_ok = true;
    if (count < 2) {
        return count == 0 ? NULL : conjuncts[0];
    }
    nq_expr *all =
        nq_expr_form(b->arena, NQ_EXPR_AND, NQ_TYPE(NQ_TYPE_BOOL), false, conjuncts, count);
    *out_is_ok = all != NULL;
    if (all != NULL) {
        all->offset = conjuncts[0]->offset;
    }
    return all;
}
