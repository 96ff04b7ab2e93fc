/* Plan a leaf: the cheapest way to one table's rows — by key, by a range of keys, or all of them —
 * and whatever conditions are left as the scan's filter. */
#include "engine/query/plan/bind_internal.h"

typedef enum comparison {
    COMPARE_NONE,
    COMPARE_EQUAL,
    COMPARE_LESS,
    COMPARE_LESS_EQUAL,
    COMPARE_GREATER,
    COMPARE_GREATER_EQUAL,
} comparison;

static comparison comparison_of(const nq_expr *expr) {
    static const struct {
        const char *name;
        comparison compare;
    } signs[] = {
        {"=", COMPARE_EQUAL},   {"<", COMPARE_LESS},           {"<=", COMPARE_LESS_EQUAL},
        {">", COMPARE_GREATER}, {">=", COMPARE_GREATER_EQUAL},
    };
    if (expr->kind != NQ_EXPR_CALL || expr->arg_count != 2) {
        return COMPARE_NONE;
    }
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); ++i) {
        if (strcmp(expr->function->name, signs[i].name) == 0) {
            return signs[i].compare;
        }
    }
    return COMPARE_NONE;
}

static comparison flip(comparison compare) {
    switch (compare) {
    case COMPARE_LESS:
        return COMPARE_GREATER;
    case COMPARE_LESS_EQUAL:
        return COMPARE_GREATER_EQUAL;
    case COMPARE_GREATER:
        return COMPARE_LESS;
    case COMPARE_GREATER_EQUAL:
        return COMPARE_LESS_EQUAL;
    default:
        return compare;
    }
}

static bool is_column(const nq_expr *expr, uint32_t flat) {
    return expr->kind == NQ_EXPR_COLUMN && expr->index == flat;
}

static bool fits_integer(nq_type_id id, int64_t value) {
    return id == NQ_TYPE_INT64 ||
           (id == NQ_TYPE_INT32 && value >= INT32_MIN && value <= INT32_MAX) ||
           (id == NQ_TYPE_INT16 && value >= INT16_MIN && value <= INT16_MAX);
}

/* A narrow integer column met a wider literal: the column was cast, though the literal would fit.
 */
static const nq_expr *narrow_literal(nq__binder *b, const nq_expr *side, const nq_expr *other,
                                     uint32_t flat, nq_type type) {
    bool is_widened = side->kind == NQ_EXPR_CAST && is_column(side->args[0], flat) &&
                      nq_type_is_integer(type.id) && nq_type_is_integer(side->type.id);
    if (!is_widened || other->kind != NQ_EXPR_CONSTANT || other->value.is_null ||
        !fits_integer(type.id, other->value.integer)) {
        return NULL;
    }
    nq_value value = {.type = type.id, .integer = other->value.integer};
    nq_expr *narrowed = nq_expr_constant(b->arena, value, type);
    if (narrowed != NULL) {
        narrowed->offset = other->offset;
    }
    return narrowed;
}

/* The constant a condition compares the column with, and how; NULL when it does something else. */
static const nq_expr *match(nq__binder *b, const nq_expr *condition, uint32_t flat, nq_type type,
                            comparison *out_compare) {
    *out_compare = comparison_of(condition);
    if (*out_compare == COMPARE_NONE) {
        return NULL;
    }
    for (uint32_t side = 0; side < 2; ++side) {
        const nq_expr *column = condition->args[side], *other = condition->args[1 - side];
        if (!other->is_constant || other->is_volatile) {
            continue;
        }
        const nq_expr *bound = is_column(column, flat) && other->type.id == type.id
                                   ? other
                                   : narrow_literal(b, column, other, flat, type);
        if (bound != NULL) {
            *out_compare = side == 0 ? *out_compare : flip(*out_compare);
            return bound;
        }
    }
    return NULL;
}

typedef struct key_choice {
    const nq_expr *key[NQ_TABLE_KEY_COLUMN_COUNT_MAX];
    uint32_t key_count; /* leading columns that are constant */
    const nq_expr *low, *high;
    bool low_is_inclusive, high_is_inclusive;
    uint64_t *is_consumed; /* conjuncts the choice makes true, one bit each */
} key_choice;

static void consume(key_choice *choice, uint32_t conjunct) {
    choice->is_consumed[conjunct / 64] |= (uint64_t)1 << (conjunct % 64);
}

static bool find_equality(nq__binder *b, const nq__exprs *conjuncts, uint32_t flat, nq_type type,
                          key_choice *choice) {
    for (uint32_t i = 0; i < conjuncts->count; ++i) {
        comparison compare;
        const nq_expr *bound = match(b, conjuncts->items[i], flat, type, &compare);
        if (bound != NULL && compare == COMPARE_EQUAL) {
            choice->key[choice->key_count++] = bound;
            consume(choice, i);
            return true;
        }
    }
    return false;
}

static void find_bounds(nq__binder *b, const nq__exprs *conjuncts, uint32_t flat, nq_type type,
                        key_choice *choice) {
    for (uint32_t i = 0; i < conjuncts->count; ++i) {
        comparison compare;
        const nq_expr *bound = match(b, conjuncts->items[i], flat, type, &compare);
        if (bound == NULL) {
            continue;
        }
        bool is_low = compare == COMPARE_GREATER || compare == COMPARE_GREATER_EQUAL;
        bool is_high = compare == COMPARE_LESS || compare == COMPARE_LESS_EQUAL;
        if (is_low && choice->low == NULL) {
            choice->low = bound;
            choice->low_is_inclusive = compare == COMPARE_GREATER_EQUAL;
            consume(choice, i);
        } else if (is_high && choice->high == NULL) {
            choice->high = bound;
            choice->high_is_inclusive = compare == COMPARE_LESS_EQUAL;
            consume(choice, i);
        }
    }
}

static void choose_key(nq__binder *b, const nq__leaf *leaf, const nq__exprs *conjuncts,
                       key_choice *choice) {
    const nq_table_definition *definition = &leaf->table->definition;
    for (uint32_t i = 0; i < definition->key_column_count; ++i) {
        uint32_t column = definition->key_columns[i];
        nq_type type = definition->columns[column].type;
        if (type.is_padded) { /* equal values may differ in bytes */
            return;
        }
        if (!find_equality(b, conjuncts, leaf->first_column + column, type, choice)) {
            find_bounds(b, conjuncts, leaf->first_column + column, type, choice);
            return;
        }
    }
}

static double estimate_rows(const nq__leaf *leaf, const key_choice *choice,
                            const nq__exprs *conjuncts) {
    bool is_unique =
        choice->key_count > 0 && choice->key_count == leaf->table->definition.key_column_count;
    double rows = is_unique ? 1 : leaf->rows * nq__selectivity_all(conjuncts);
    return rows < 1 ? 1 : rows;
}

/* Copies the choice into the node; what is left of the conjuncts goes to `rest`. */
static nq_status apply_choice(nq__binder *b, const nq__leaf *leaf, const key_choice *choice,
                              const nq__exprs *conjuncts, nq_plan_node *node, nq__exprs *rest) {
    uint32_t key_count = choice->key_count;
    const nq_expr **key = nq__bind_alloc(b, key_count, sizeof(*key));
    if (key == NULL) {
        return nq__bind_no_memory(b);
    }
    for (uint32_t i = 0; i < key_count; ++i) {
        key[i] = choice->key[i];
    }
    node->scan.key = (nq_plan_exprs){key, key_count};
    node->scan.low = choice->low;
    node->scan.high = choice->high;
    node->scan.low_is_inclusive = choice->low_is_inclusive;
    node->scan.high_is_inclusive = choice->high_is_inclusive;
    if (key_count > 0 && key_count == leaf->table->definition.key_column_count) {
        node->kind = NQ_PLAN_KEY_LOOKUP;
    } else if (key_count > 0 || choice->low != NULL || choice->high != NULL) {
        node->kind = NQ_PLAN_KEY_RANGE;
    }
    for (uint32_t i = 0; i < conjuncts->count; ++i) {
        if ((choice->is_consumed[i / 64] >> (i % 64) & 1) == 0) {
            NQ_TRY(nq__exprs_append(b, rest, conjuncts->items[i]));
        }
    }
    return NQ_OK;
}

/* Output: the used columns, ascending. */
static nq_status list_columns(nq__block *block, const nq__leaf *leaf, nq_plan_node *node,
                              nq__planned *planned) {
    nq__binder *b = block->b;
    uint32_t *table_columns = nq__bind_alloc(b, leaf->column_count, sizeof(*table_columns));
    uint32_t *flat = nq__bind_alloc(b, leaf->column_count, sizeof(*flat));
    nq_column_info *columns = nq__bind_alloc(b, leaf->column_count, sizeof(*columns));
    if (table_columns == NULL || flat == NULL || columns == NULL) {
        return nq__bind_no_memory(b);
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < leaf->column_count; ++i) {
        uint32_t column = leaf->first_column + i;
        if (block->is_used[column]) {
            bool is_row_key = leaf->has_row_key && i + 1 == leaf->column_count;
            table_columns[count] = is_row_key ? NQ_COLUMN_ROW_KEY : i;
            flat[count] = column;
            columns[count++] = block->flat[column];
        }
    }
    node->scan.table_columns = table_columns;
    node->columns = columns;
    node->column_count = count;
    planned->flat = flat;
    return NQ_OK;
}

static nq_status plan_table(nq__block *block, const nq__leaf *leaf, const nq__exprs *conjuncts,
                            nq__planned *planned) {
    nq__binder *b = block->b;
    key_choice choice = {0};
    choice.is_consumed = nq__bind_alloc(b, conjuncts->count / 64 + 1, sizeof(uint64_t));
    nq_plan_node *node = nq__node(b, NQ_PLAN_SEQ_SCAN, 0, NULL, leaf->rows);
    if (choice.is_consumed == NULL || node == NULL) {
        return nq__bind_no_memory(b);
    }
    node->scan.table = leaf->table;
    choose_key(b, leaf, conjuncts, &choice);
    node->estimated_rows = estimate_rows(leaf, &choice, conjuncts);
    nq__exprs rest = {0};
    NQ_TRY(apply_choice(b, leaf, &choice, conjuncts, node, &rest));
    NQ_TRY(list_columns(block, leaf, node, planned));
    planned->node = node;
    planned->leaf = leaf;
    planned->filter = *conjuncts;
    bool is_ok;
    const nq_expr *filter = nq__and_all(b, rest.items, rest.count, &is_ok);
    if (filter != NULL) {
        node->scan.filter = nq__to_positions(block, planned, filter);
        is_ok = node->scan.filter != NULL;
    }
    return is_ok ? NQ_OK : nq__bind_no_memory(b);
}

/* A derived table or a series: its rows as they come, filtered. */
static nq_status plan_node_leaf(nq__block *block, const nq__leaf *leaf, const nq__exprs *conjuncts,
                                nq__planned *planned) {
    nq__binder *b = block->b;
    planned->flat = nq__bind_alloc(b, leaf->column_count, sizeof(*planned->flat));
    if (planned->flat == NULL) {
        return nq__bind_no_memory(b);
    }
    for (uint32_t i = 0; i < leaf->column_count; ++i) {
        planned->flat[i] = leaf->first_column + i;
    }
    planned->node = leaf->node;
    bool is_ok;
    const nq_expr *filter = nq__and_all(b, conjuncts->items, conjuncts->count, &is_ok);
    if (filter != NULL) {
        filter = nq__to_positions(block, planned, filter);
        planned->node = filter == NULL ? NULL : nq__node_filter(b, leaf->node, filter);
        is_ok = planned->node != NULL;
    }
    return is_ok ? NQ_OK : nq__bind_no_memory(b);
}

nq_status nq__plan_leaf(nq__block *block, const nq__leaf *leaf, const nq__exprs *conjuncts,
                        nq__planned *out_planned) {
    *out_planned = (nq__planned){.leaves = (uint64_t)1 << (leaf - block->leaves)};
    if (leaf->table != NULL) {
        NQ_TRY(plan_table(block, leaf, conjuncts, out_planned));
    } else {
        NQ_TRY(plan_node_leaf(block, leaf, conjuncts, out_planned));
    }
    out_planned->rows = out_planned->node->estimated_rows;
    return NQ_OK;
}
