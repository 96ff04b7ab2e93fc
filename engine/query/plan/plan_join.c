/* Plan one join: by hash of equal keys, by the table's own key, or pair by pair. */
#include "engine/query/plan/join_internal.h"

/* Looking a row up by key costs about as much as scanning this many. */
static const double lookup_cost_rows = 8;

typedef struct join_sides {
    nq__exprs left_keys, right_keys; /* over flat columns */
    nq__exprs rest;
} join_sides;

static bool is_within(uint64_t leaves, uint64_t set) {
    return (leaves & ~set) == 0;
}

static bool is_equality(const nq_expr *condition) {
    return condition->kind == NQ_EXPR_CALL && condition->arg_count == 2 &&
           !condition->is_volatile && strcmp(condition->function->name, "=") == 0;
}

/* Equalities with one side in each piece become keys. */
static nq_status split_sides(nq__block *block, const nq__planned *left, const nq__planned *right,
                             const nq__exprs *conditions, join_sides *out_sides) {
    for (uint32_t i = 0; i < conditions->count; ++i) {
        const nq_expr *condition = conditions->items[i];
        if (!is_equality(condition)) {
            NQ_TRY(nq__exprs_append(block->b, &out_sides->rest, condition));
            continue;
        }
        uint64_t first = nq__leaves_of(block, condition->args[0]);
        uint64_t second = nq__leaves_of(block, condition->args[1]);
        bool is_straight = is_within(first, left->leaves) && is_within(second, right->leaves);
        bool is_crossed = is_within(first, right->leaves) && is_within(second, left->leaves);
        if (first == 0 || second == 0 || (!is_straight && !is_crossed)) {
            NQ_TRY(nq__exprs_append(block->b, &out_sides->rest, condition));
            continue;
        }
        NQ_TRY(nq__exprs_append(block->b, &out_sides->left_keys, condition->args[!is_straight]));
        NQ_TRY(nq__exprs_append(block->b, &out_sides->right_keys, condition->args[is_straight]));
    }
    return NQ_OK;
}

/* ---- Estimates ---- */

/* Distinct values of a join key: all rows when it is a whole primary key, else a guess. */
static double distinct_values(const nq__block *block, const nq_expr *key) {
    uint64_t leaves = nq__leaves_of(block, key);
    if (leaves == 0) {
        return 1;
    }
    const nq__leaf *leaf = &block->leaves[__builtin_ctzll(leaves)];
    bool is_unique = key->kind == NQ_EXPR_COLUMN && leaf->table != NULL &&
                     leaf->table->definition.key_column_count == 1 &&
                     leaf->table->definition.key_columns[0] == key->index - leaf->first_column;
    double rows = is_unique ? leaf->rows : leaf->rows / 10;
    return rows < 1 ? 1 : rows;
}

static double joined_rows(const nq__block *block, const nq__planned *left, const nq__planned *right,
                          const join_sides *sides) {
    double rows = left->rows * right->rows * nq__selectivity_all(&sides->rest);
    for (uint32_t i = 0; i < sides->left_keys.count; ++i) {
        double first = distinct_values(block, sides->left_keys.items[i]);
        double second = distinct_values(block, sides->right_keys.items[i]);
        rows /= first > second ? first : second;
    }
    return rows < 1 ? 1 : rows;
}

static double result_rows(nq_join_kind kind, const nq__planned *left, const nq__planned *right,
                          double pairs) {
    switch (kind) {
    case NQ_JOIN_LEFT:
        return pairs < left->rows ? left->rows : pairs;
    case NQ_JOIN_FULL:
        return pairs < left->rows + right->rows ? left->rows + right->rows : pairs;
    case NQ_JOIN_SEMI:
        return pairs < left->rows ? pairs : left->rows;
    case NQ_JOIN_ANTI:
    case NQ_JOIN_ANTI_IN:
        return left->rows / 2 < 1 ? 1 : left->rows / 2;
    default:
        return pairs;
    }
}

/* ---- Rows ---- */

static bool keeps_only_left(nq_join_kind kind) {
    return kind == NQ_JOIN_SEMI || kind == NQ_JOIN_ANTI || kind == NQ_JOIN_ANTI_IN;
}

/* The joined row: left's columns, then right's. */
static nq_status concatenate(nq__block *block, nq_join_kind kind, const nq__planned *left,
                             const nq__planned *right, nq_plan_node *node, nq__planned *joined) {
    uint32_t left_count = left->node->column_count;
    uint32_t count = left_count + right->node->column_count;
    nq_column_info *columns = nq__bind_alloc(block->b, count, sizeof(*columns));
    joined->flat = nq__bind_alloc(block->b, count, sizeof(*joined->flat));
    if (columns == NULL || joined->flat == NULL) {
        return nq__bind_no_memory(block->b);
    }
    for (uint32_t i = 0; i < count; ++i) {
        const nq__planned *side = i < left_count ? left : right;
        uint32_t position = i < left_count ? i : i - left_count;
        columns[i] = side->node->columns[position];
        bool is_outer =
            i < left_count ? kind == NQ_JOIN_FULL : kind == NQ_JOIN_FULL || kind == NQ_JOIN_LEFT;
        columns[i].is_nullable |= is_outer;
        joined->flat[i] = side->flat[position];
    }
    node->column_count = count;
    node->columns = columns;
    joined->node = node;
    joined->leaves = left->leaves | right->leaves;
    return NQ_OK;
}

static nq_status map_keys(nq__block *block, const nq__planned *piece, const nq__exprs *keys,
                          nq_plan_exprs *out_keys) {
    const nq_expr **mapped = nq__bind_alloc(block->b, keys->count, sizeof(*mapped));
    if (mapped == NULL) {
        return nq__bind_no_memory(block->b);
    }
    for (uint32_t i = 0; i < keys->count; ++i) {
        mapped[i] = nq__to_positions(block, piece, keys->items[i]);
        if (mapped[i] == NULL) {
            return nq__bind_no_memory(block->b);
        }
    }
    *out_keys = (nq_plan_exprs){mapped, keys->count};
    return NQ_OK;
}

static nq_status map_condition(nq__block *block, const nq__planned *joined, const nq__exprs *rest,
                               const nq_expr **out_condition) {
    bool is_ok;
    const nq_expr *all = nq__and_all(block->b, rest->items, rest->count, &is_ok);
    *out_condition = all == NULL ? NULL : nq__to_positions(block, joined, all);
    return is_ok && (all == NULL) == (*out_condition == NULL) ? NQ_OK
                                                              : nq__bind_no_memory(block->b);
}

/* ---- By the table's own key ---- */

/* The left expression for each key column of the right table, when equalities give them all. */
static bool cover_key(const nq__planned *right, const join_sides *sides, const nq_expr **out_key,
                      uint64_t *out_used) {
    const nq_table_definition *definition = &right->leaf->table->definition;
    *out_used = 0;
    if (definition->key_column_count == 0 || sides->left_keys.count > 64) {
        return false;
    }
    for (uint32_t i = 0; i < definition->key_column_count; ++i) {
        uint32_t column = definition->key_columns[i];
        bool is_found = false;
        for (uint32_t j = 0; j < sides->right_keys.count && !is_found; ++j) {
            const nq_expr *key = sides->right_keys.items[j];
            if (key->kind == NQ_EXPR_COLUMN && key->index == right->leaf->first_column + column &&
                !definition->columns[column].type.is_padded) {
                out_key[i] = sides->left_keys.items[j];
                *out_used |= (uint64_t)1 << j;
                is_found = true;
            }
        }
        if (!is_found) {
            return false;
        }
    }
    return true;
}

static bool is_key_join_better(nq_join_kind kind, const nq__planned *left,
                               const nq__planned *right) {
    bool can = kind == NQ_JOIN_INNER || kind == NQ_JOIN_LEFT || kind == NQ_JOIN_SEMI ||
               kind == NQ_JOIN_ANTI;
    return can && right->leaf != NULL && left->rows * lookup_cost_rows < right->leaf->rows &&
           right->node->kind != NQ_PLAN_KEY_LOOKUP;
}

/* Equalities that are not part of the key, and the right side's own filter, are checked on the row.
 */
static nq_status key_join_rest(nq__block *block, const nq__planned *right, const join_sides *sides,
                               const nq__exprs *conditions, uint64_t used, nq__exprs *rest) {
    nq__binder *b = block->b;
    for (uint32_t i = 0; i < right->filter.count; ++i) {
        NQ_TRY(nq__exprs_append(b, rest, right->filter.items[i]));
    }
    uint32_t key = 0;
    for (uint32_t i = 0; i < conditions->count; ++i) {
        const nq_expr *condition = conditions->items[i];
        bool is_key = key < sides->left_keys.count && is_equality(condition) &&
                      (condition->args[0] == sides->left_keys.items[key] ||
                       condition->args[1] == sides->left_keys.items[key]);
        bool is_used = is_key && (used >> key & 1) != 0;
        key += is_key;
        if (!is_used) {
            NQ_TRY(nq__exprs_append(b, rest, condition));
        }
    }
    return NQ_OK;
}

static nq_status plan_key_join(nq__block *block, nq_join_kind kind, const nq__planned *left,
                               const nq__planned *right, const join_sides *sides,
                               const nq__exprs *conditions, bool *out_is_done,
                               nq__planned *out_planned) {
    nq__binder *b = block->b;
    const nq_expr *key[NQ_TABLE_KEY_COLUMN_COUNT_MAX];
    uint64_t used;
    *out_is_done = false;
    if (!is_key_join_better(kind, left, right) || !cover_key(right, sides, key, &used)) {
        return NQ_OK;
    }
    nq_plan_node *node = nq__node_over(b, NQ_PLAN_KEY_JOIN, left->node, 0, NULL, 0);
    if (node == NULL) {
        return nq__bind_no_memory(b);
    }
    NQ_TRY(concatenate(block, kind, left, right, node, out_planned));
    nq__exprs keys = {key, right->leaf->table->definition.key_column_count, 0}, rest = {0};
    node->key_join = (nq_plan_key_join){
        .kind = kind,
        .table = right->leaf->table,
        .table_columns = right->node->scan.table_columns,
        .table_column_count = right->node->column_count,
    };
    NQ_TRY(map_keys(block, left, &keys, &node->key_join.key));
    NQ_TRY(key_join_rest(block, right, sides, conditions, used, &rest));
    NQ_TRY(map_condition(block, out_planned, &rest, &node->key_join.condition));
    double matches = left->rows * nq__selectivity_all(&right->filter);
    node->estimated_rows = result_rows(kind, left, right, matches < 1 ? 1 : matches);
    *out_is_done = true;
    return NQ_OK;
}

/* ---- The choice ---- */

static nq_status plan_plain_join(nq__block *block, nq_join_kind kind, const nq__planned *left,
                                 const nq__planned *right, const join_sides *sides,
                                 nq__planned *out_planned) {
    nq__binder *b = block->b;
    bool is_hash = sides->left_keys.count > 0;
    nq_plan_node *node = nq__node(b, is_hash ? NQ_PLAN_HASH_JOIN : NQ_PLAN_NESTED_LOOP, 0, NULL, 0);
    const nq_plan_node **inputs = nq__bind_alloc(b, 2, sizeof(const nq_plan_node *));
    if (node == NULL || inputs == NULL) {
        return nq__bind_no_memory(b);
    }
    inputs[0] = left->node;
    inputs[1] = right->node;
    node->inputs = inputs;
    node->input_count = 2;
    node->join.kind = kind;
    NQ_TRY(concatenate(block, kind, left, right, node, out_planned));
    NQ_TRY(map_keys(block, left, &sides->left_keys, &node->join.left_keys));
    NQ_TRY(map_keys(block, right, &sides->right_keys, &node->join.right_keys));
    NQ_TRY(map_condition(block, out_planned, &sides->rest, &node->join.condition));
    node->estimated_rows = result_rows(kind, left, right, joined_rows(block, left, right, sides));
    return NQ_OK;
}

nq_status nq__join_pieces(nq__block *block, nq_join_kind kind, const nq__planned *left,
                          const nq__planned *right, const nq__exprs *conditions,
                          nq__planned *out_planned) {
    *out_planned = (nq__planned){0};
    join_sides sides = {0};
    NQ_TRY(split_sides(block, left, right, conditions, &sides));
    if (kind == NQ_JOIN_ANTI_IN && sides.left_keys.count == 0) {
        return nq__bind_fail(block->b, conditions->items[0]->offset, NQ_FEATURE_UNSUPPORTED,
                             "NOT IN (query) needs a column of this query on its left side");
    }
    bool is_done = false;
    NQ_TRY(plan_key_join(block, kind, left, right, &sides, conditions, &is_done, out_planned));
    if (!is_done) {
        NQ_TRY(plan_plain_join(block, kind, left, right, &sides, out_planned));
    }
    if (keeps_only_left(kind)) {
        out_planned->node->column_count = left->node->column_count;
    }
    out_planned->rows = out_planned->node->estimated_rows;
    return NQ_OK;
}

double nq__joined_rows(nq__block *block, const nq__planned *left, const nq__planned *right,
                       const nq__exprs *conditions) {
    join_sides sides = {0};
    if (split_sides(block, left, right, conditions, &sides) != NQ_OK) {
        return left->rows * right->rows;
    }
    return joined_rows(block, left, right, &sides);
}
