/* Plan joins: from the joins as written to operators in a good order.
 *
 * Conditions sink to the lowest place where their columns meet: into a scan, into the join that
 * first brings them together. Inner joins are ordered greedily (GOO: always the pair of pieces
 * whose join yields the fewest rows), outer joins keep their sides and only take what may pass
 * them. */
#include "engine/query/plan/join_internal.h"

/* ---- Columns ---- */

static void mark_used(void *user, uint32_t index) {
    nq__block *block = user;
    if (index < NQ__AGGREGATE_BASE) {
        block->is_used[index] = true;
    }
}

void nq__use_columns(nq__block *block, const nq_expr *expr) {
    if (expr != NULL) {
        nq_expr_visit_columns(expr, mark_used, block);
    }
}

typedef struct leaf_set {
    const nq__block *block;
    uint64_t leaves;
} leaf_set;

static void add_leaf(void *user, uint32_t index) {
    leaf_set *set = user;
    if (index < NQ__AGGREGATE_BASE) {
        set->leaves |= (uint64_t)1 << set->block->leaf_of[index];
    }
}

uint64_t nq__leaves_of(const nq__block *block, const nq_expr *expr) {
    leaf_set set = {block, 0};
    nq_expr_visit_columns(expr, add_leaf, &set);
    return set.leaves;
}

const nq_expr *nq__to_positions(nq__block *block, const nq__planned *planned, const nq_expr *expr) {
    for (uint32_t i = 0; i < planned->node->column_count; ++i) {
        block->map[planned->flat[i]] = i;
    }
    return nq_expr_map_columns(block->b->arena, expr, block->map);
}

/* ---- Which conditions may sink where ---- */

static bool is_within(uint64_t leaves, uint64_t set) {
    return (leaves & ~set) == 0;
}

/* Whether a row of nulls for these leaves makes the condition other than true, so that an outer
 * join's made-up rows would be dropped anyway. Only what is plain to see. */
static bool rejects_nulls(const nq__block *block, const nq_expr *condition, uint64_t leaves) {
    if (condition->kind == NQ_EXPR_IS_NULL) {
        return condition->is_negated && condition->args[0]->kind == NQ_EXPR_COLUMN &&
               is_within(nq__leaves_of(block, condition->args[0]), leaves);
    }
    if (condition->kind != NQ_EXPR_CALL || (condition->function->flags & NQ_FUNCTION_STRICT) == 0) {
        return false;
    }
    for (uint32_t i = 0; i < condition->arg_count; ++i) {
        const nq_expr *arg = condition->args[i];
        if (arg->kind == NQ_EXPR_CAST) {
            arg = arg->args[0];
        }
        bool is_theirs =
            arg->kind == NQ_EXPR_COLUMN && is_within(nq__leaves_of(block, arg), leaves);
        if (is_theirs || (arg->kind == NQ_EXPR_CALL && rejects_nulls(block, arg, leaves))) {
            return true;
        }
    }
    return false;
}

static bool any_rejects_nulls(const nq__block *block, const nq__exprs *conditions,
                              uint64_t leaves) {
    for (uint32_t i = 0; i < conditions->count; ++i) {
        if (rejects_nulls(block, conditions->items[i], leaves)) {
            return true;
        }
    }
    return false;
}

/* Moves the conditions that speak only of `leaves` from `conditions` to `out`. */
static nq_status take_within(nq__block *block, nq__exprs *conditions, uint64_t leaves,
                             nq__exprs *out) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < conditions->count; ++i) {
        const nq_expr *condition = conditions->items[i];
        uint64_t speaks_of = nq__leaves_of(block, condition);
        if (!condition->is_volatile && is_within(speaks_of, leaves)) {
            NQ_TRY(nq__exprs_append(block->b, out, condition));
        } else {
            conditions->items[kept++] = condition;
        }
    }
    conditions->count = kept;
    return NQ_OK;
}

static nq_status append_all(nq__binder *b, nq__exprs *target, const nq__exprs *source) {
    for (uint32_t i = 0; i < source->count; ++i) {
        NQ_TRY(nq__exprs_append(b, target, source->items[i]));
    }
    return NQ_OK;
}

nq_status nq__filter_piece(nq__block *block, nq__planned *piece, const nq__exprs *conditions) {
    if (conditions->count == 0) {
        return NQ_OK;
    }
    bool is_ok;
    const nq_expr *all = nq__and_all(block->b, conditions->items, conditions->count, &is_ok);
    const nq_expr *mapped = all == NULL ? NULL : nq__to_positions(block, piece, all);
    nq_plan_node *node = mapped == NULL ? NULL : nq__node_filter(block->b, piece->node, mapped);
    if (node == NULL) {
        return nq__bind_no_memory(block->b);
    }
    piece->node = node;
    piece->rows = node->estimated_rows;
    piece->leaf = NULL;
    return NQ_OK;
}

static nq_status plan_tree(nq__block *block, const nq__tree *tree, nq__exprs *pushed,
                           nq__planned *out_planned);

/* ---- Inner joins ---- */

typedef struct inner_group {
    const nq__tree **inputs;
    uint32_t input_count;
    nq__exprs conditions;
} inner_group;

/* Nested inner joins are one set of inputs and one set of conditions. */
static nq_status gather(nq__block *block, const nq__tree *tree, inner_group *group) {
    if (tree->kind != NQ__TREE_INNER) {
        group->inputs[group->input_count++] = tree;
        return NQ_OK;
    }
    NQ_TRY(gather(block, tree->left, group));
    NQ_TRY(gather(block, tree->right, group));
    return append_all(block->b, &group->conditions, &tree->conditions);
}

static nq_status plan_inner(nq__block *block, const nq__tree *tree, nq__exprs *pushed,
                            nq__planned *out_planned) {
    nq__binder *b = block->b;
    uint32_t input_count_max = (uint32_t)__builtin_popcountll(tree->leaves);
    inner_group group = {.inputs = nq__bind_alloc(b, input_count_max, sizeof(const nq__tree *))};
    nq__planned *pieces = nq__bind_alloc(b, input_count_max, sizeof(*pieces));
    if (group.inputs == NULL || pieces == NULL) {
        return nq__bind_no_memory(b);
    }
    NQ_TRY(gather(block, tree, &group));
    NQ_TRY(append_all(b, &group.conditions, pushed));
    for (uint32_t i = 0; i < group.input_count; ++i) {
        nq__exprs own = {0};
        NQ_TRY(take_within(block, &group.conditions, group.inputs[i]->leaves, &own));
        NQ_TRY(plan_tree(block, group.inputs[i], &own, &pieces[i]));
    }
    return nq__order_joins(block, pieces, group.input_count, &group.conditions, out_planned);
}

/* ---- Outer joins ---- */

static nq_status plan_outer(nq__block *block, const nq__tree *tree, nq__exprs *pushed,
                            nq__planned *out_planned) {
    nq__binder *b = block->b;
    nq__exprs left_own = {0}, right_own = {0}, on = {0};
    NQ_TRY(append_all(b, &on, &tree->conditions));
    if (tree->join != NQ_JOIN_FULL) {
        NQ_TRY(take_within(block, pushed, tree->left->leaves, &left_own));
    }
    if (tree->join == NQ_JOIN_LEFT || tree->join == NQ_JOIN_SEMI || tree->join == NQ_JOIN_ANTI) {
        NQ_TRY(take_within(block, &on, tree->right->leaves, &right_own));
    }
    nq__planned left, right;
    NQ_TRY(plan_tree(block, tree->left, &left_own, &left));
    NQ_TRY(plan_tree(block, tree->right, &right_own, &right));
    NQ_TRY(nq__join_pieces(block, tree->join, &left, &right, &on, out_planned));
    return nq__filter_piece(block, out_planned, pushed);
}

static nq_status plan_tree(nq__block *block, const nq__tree *tree, nq__exprs *pushed,
                           nq__planned *out_planned) {
    if (tree->kind == NQ__TREE_LEAF) {
        nq__exprs volatile_ones = {0}, plain = {0};
        for (uint32_t i = 0; i < pushed->count; ++i) {
            nq__exprs *list = pushed->items[i]->is_volatile ? &volatile_ones : &plain;
            NQ_TRY(nq__exprs_append(block->b, list, pushed->items[i]));
        }
        NQ_TRY(nq__plan_leaf(block, &block->leaves[tree->leaf], &plain, out_planned));
        return nq__filter_piece(block, out_planned, &volatile_ones);
    }
    if (tree->kind == NQ__TREE_OUTER && tree->join == NQ_JOIN_LEFT &&
        any_rejects_nulls(block, pushed, tree->right->leaves)) {
        nq__tree inner = *tree;
        inner.kind = NQ__TREE_INNER;
        inner.join = NQ_JOIN_INNER;
        return plan_inner(block, &inner, pushed, out_planned);
    }
    return tree->kind == NQ__TREE_INNER ? plan_inner(block, tree, pushed, out_planned)
                                        : plan_outer(block, tree, pushed, out_planned);
}

/* Marks what the joins' conditions use. An inner join's may speak of any leaf it is joined with on
 * the way up, `visible`; an outer join hides what stands beside it from what stands below. */
static nq_status use_tree(nq__block *block, const nq__tree *tree, uint64_t visible) {
    if (tree->kind == NQ__TREE_LEAF) {
        return NQ_OK;
    }
    bool is_inner = tree->kind == NQ__TREE_INNER;
    uint64_t own = is_inner ? visible : tree->leaves;
    for (uint32_t i = 0; i < tree->conditions.count; ++i) {
        const nq_expr *condition = tree->conditions.items[i];
        if (!is_within(nq__leaves_of(block, condition), own)) {
            return nq__bind_fail(
                block->b, condition->offset, NQ_FEATURE_UNSUPPORTED,
                "a subquery may refer only to the query directly around it in this "
                "version");
        }
        nq__use_columns(block, condition);
    }
    NQ_TRY(use_tree(block, tree->left, is_inner ? visible : tree->left->leaves));
    return use_tree(block, tree->right, is_inner ? visible : tree->right->leaves);
}

nq_status nq__plan_joins(nq__block *block, nq__planned *out_planned) {
    nq__binder *b = block->b;
    block->map = nq__bind_alloc(b, block->flat_count, sizeof(*block->map));
    if (block->map == NULL) {
        return nq__bind_no_memory(b);
    }
    for (uint32_t i = 0; i < block->where.count; ++i) {
        nq__use_columns(block, block->where.items[i]);
    }
    if (block->tree == NULL) {
        *out_planned = (nq__planned){.node = nq__node_one_row(b), .rows = 1};
        if (out_planned->node == NULL) {
            return nq__bind_no_memory(b);
        }
        return nq__filter_piece(block, out_planned, &block->where);
    }
    NQ_TRY(use_tree(block, block->tree, block->tree->leaves));
    nq__exprs pushed = {0};
    NQ_TRY(append_all(b, &pushed, &block->where));
    return plan_tree(block, block->tree, &pushed, out_planned);
}
