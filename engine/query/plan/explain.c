/* Explain: names, targets and detail lines for each node of a plan. */
#include "engine/query/plan/explain.h"

#include <stdio.h>

/* ---- Text ---- */

typedef struct describer {
    nq_ctx *ctx;
    nq_arena *arena;
    nq_status status; /* the first failure; nothing is written after it */
    uint8_t *text;
    size_t size, capacity;
} describer;

static void put(describer *d, nq_bytes bytes) {
    if (d->status != NQ_OK) {
        return;
    }
    if (d->size + bytes.size > d->capacity) {
        size_t capacity = 2 * d->capacity + bytes.size + 128;
        uint8_t *grown = nq_arena_alloc(d->arena, capacity);
        if (grown == NULL) {
            d->status = nq_fail_no_memory(d->ctx, "the plan's text");
            return;
        }
        if (d->size > 0) {
            memcpy(grown, d->text, d->size);
        }
        d->text = grown;
        d->capacity = capacity;
    }
    if (bytes.size > 0) {
        memcpy(d->text + d->size, bytes.data, bytes.size);
        d->size += bytes.size;
    }
}

static void put_text(describer *d, const char *text) {
    put(d, nq_bytes_of_cstr(text));
}

static void put_number(describer *d, uint64_t number) {
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    put_text(d, text);
}

/* A line "label: " of the node's details. */
static void put_label(describer *d, const char *label) {
    put_text(d, d->size > 0 ? "\n" : "");
    put_text(d, label);
    put_text(d, ": ");
}

/* ---- Expressions: column i is the i-th of these rows ---- */

typedef struct column_names {
    const nq_column_info *first, *second; /* a joined row has two parts */
    uint32_t first_count, second_count;
    bool is_qualified;
    nq_arena *arena;
} column_names;

static nq_bytes qualified(column_names *names, const nq_column_info *column) {
    if (!names->is_qualified || column->table.size == 0) {
        return column->name;
    }
    uint8_t *text = nq_arena_alloc(names->arena, column->table.size + column->name.size + 1);
    if (text == NULL) {
        return column->name;
    }
    memcpy(text, column->table.data, column->table.size);
    text[column->table.size] = '.';
    memcpy(text + column->table.size + 1, column->name.data, column->name.size);
    return nq_bytes_of(text, column->table.size + column->name.size + 1);
}

static nq_bytes column_name(void *user, uint32_t index) {
    column_names *names = user;
    if (index < names->first_count) {
        return qualified(names, &names->first[index]);
    }
    index -= names->first_count;
    return index < names->second_count ? qualified(names, &names->second[index])
                                       : NQ_BYTES_LITERAL("?");
}

static void put_expr(describer *d, const nq_expr *expr, column_names *names) {
    nq_bytes text;
    if (d->status == NQ_OK) {
        d->status = nq_expr_print(d->ctx, d->arena, expr, column_name, names, &text);
        if (d->status == NQ_OK) {
            put(d, text);
        }
    }
}

static void put_exprs(describer *d, nq_plan_exprs exprs, column_names *names) {
    for (uint32_t i = 0; i < exprs.count; ++i) {
        put_text(d, i == 0 ? "" : ", ");
        put_expr(d, exprs.items[i], names);
    }
}

static column_names input_names(const describer *d, const nq_plan_node *node) {
    const nq_plan_node *first = node->inputs[0];
    column_names names = {
        .first = first->columns, .first_count = first->column_count, .arena = d->arena};
    if (node->input_count > 1) {
        names.second = node->inputs[1]->columns;
        names.second_count = node->inputs[1]->column_count;
        names.is_qualified = true;
    }
    return names;
}

/* ---- One describer per kind ---- */

static void describe_key(describer *d, const nq_plan_scan *scan) {
    const nq_table_definition *definition = &scan->table->definition;
    column_names none = {.arena = d->arena};
    uint32_t count = scan->key.count;
    if (count == 0 && scan->low == NULL && scan->high == NULL) {
        return;
    }
    put_label(d, "key");
    for (uint32_t i = 0; i < count; ++i) {
        put_text(d, i == 0 ? "" : " AND ");
        put(d, definition->columns[definition->key_columns[i]].name);
        put_text(d, " = ");
        put_expr(d, scan->key.items[i], &none);
    }
    const nq_expr *bounds[2] = {scan->low, scan->high};
    const char *signs[2] = {scan->low_is_inclusive ? " >= " : " > ",
                            scan->high_is_inclusive ? " <= " : " < "};
    for (uint32_t i = 0, written = count; i < 2; ++i) {
        if (bounds[i] != NULL) {
            put_text(d, written++ == 0 ? "" : " AND ");
            put(d, definition->columns[definition->key_columns[count]].name);
            put_text(d, signs[i]);
            put_expr(d, bounds[i], &none);
        }
    }
}

static void describe_scan(describer *d, const nq_plan_node *node) {
    describe_key(d, &node->scan);
    if (node->scan.is_reverse) {
        put_label(d, "order");
        put_text(d, "descending");
    }
    if (node->scan.filter != NULL) {
        column_names names = {
            .first = node->columns, .first_count = node->column_count, .arena = d->arena};
        put_label(d, "filter");
        put_expr(d, node->scan.filter, &names);
    }
}

/* What a sort's column is, as the projection below computes it. */
static void put_sort_column(describer *d, const nq_plan_node *input, uint32_t column) {
    if (input->kind == NQ_PLAN_PROJECT) {
        column_names names = input_names(d, input);
        put_expr(d, input->project.exprs.items[column], &names);
    } else {
        put(d, input->columns[column].name);
    }
}

static void describe_sort(describer *d, const nq_plan_node *node) {
    put_label(d, "order by");
    for (uint32_t i = 0; i < node->sort.key_count; ++i) {
        const nq_plan_sort_key *key = &node->sort.keys[i];
        put_text(d, i == 0 ? "" : ", ");
        put_sort_column(d, node->inputs[0], key->column);
        put_text(d, key->is_descending ? " DESC" : "");
        if (key->nulls_first != key->is_descending) {
            put_text(d, key->nulls_first ? " NULLS FIRST" : " NULLS LAST");
        }
    }
}

static void describe_limit(describer *d, const nq_expr *limit, const nq_expr *offset) {
    column_names none = {.arena = d->arena};
    if (limit != NULL) {
        put_label(d, "limit");
        put_expr(d, limit, &none);
    }
    if (offset != NULL) {
        put_label(d, "offset");
        put_expr(d, offset, &none);
    }
}

static void describe_aggregate(describer *d, const nq_plan_node *node) {
    column_names names = input_names(d, node);
    if (node->aggregate.keys.count > 0) {
        put_label(d, "group by");
        put_exprs(d, node->aggregate.keys, &names);
    }
    for (uint32_t i = 0; i < node->aggregate.call_count; ++i) {
        const nq_plan_aggregate_call *call = &node->aggregate.calls[i];
        put_label(d, "aggregate");
        put_text(d, call->function->name);
        put_text(d, call->is_distinct ? "(DISTINCT " : "(");
        put_exprs(d, call->args, &names);
        put_text(d, call->args.count == 0 ? "*)" : ")");
        if (call->filter != NULL) {
            put_text(d, " FILTER (WHERE ");
            put_expr(d, call->filter, &names);
            put_text(d, ")");
        }
    }
}

static void describe_join(describer *d, const nq_plan_node *node) {
    column_names left = {.first = node->inputs[0]->columns,
                         .first_count = node->inputs[0]->column_count,
                         .is_qualified = true,
                         .arena = d->arena};
    column_names right = {.first = node->inputs[1]->columns,
                          .first_count = node->inputs[1]->column_count,
                          .is_qualified = true,
                          .arena = d->arena};
    if (node->join.left_keys.count > 0) {
        put_label(d, "keys");
    }
    for (uint32_t i = 0; i < node->join.left_keys.count; ++i) {
        put_text(d, i == 0 ? "" : " AND ");
        put_expr(d, node->join.left_keys.items[i], &left);
        put_text(d, " = ");
        put_expr(d, node->join.right_keys.items[i], &right);
    }
    if (node->join.condition != NULL) {
        column_names names = input_names(d, node);
        put_label(d, "condition");
        put_expr(d, node->join.condition, &names);
    }
}

static void describe_key_join(describer *d, const nq_plan_node *node) {
    const nq_plan_key_join *join = &node->key_join;
    const nq_table_definition *definition = &join->table->definition;
    column_names left = {.first = node->inputs[0]->columns,
                         .first_count = node->inputs[0]->column_count,
                         .is_qualified = true,
                         .arena = d->arena};
    put_label(d, "key");
    for (uint32_t i = 0; i < join->key.count; ++i) {
        put_text(d, i == 0 ? "" : " AND ");
        put(d, definition->columns[definition->key_columns[i]].name);
        put_text(d, " = ");
        put_expr(d, join->key.items[i], &left);
    }
    if (join->condition != NULL) {
        left.second = node->columns + left.first_count;
        left.second_count = join->table_column_count;
        put_label(d, "condition");
        put_expr(d, join->condition, &left);
    }
}

static void describe_details(describer *d, const nq_plan_node *node) {
    column_names names = {.arena = d->arena};
    if (node->input_count > 0) {
        names = input_names(d, node);
    }
    switch (node->kind) {
    case NQ_PLAN_SEQ_SCAN:
    case NQ_PLAN_KEY_LOOKUP:
    case NQ_PLAN_KEY_RANGE:
        describe_scan(d, node);
        return;
    case NQ_PLAN_VALUES:
        put_label(d, "rows");
        put_number(d, node->values.row_count);
        return;
    case NQ_PLAN_FILTER:
        put_label(d, "filter");
        put_expr(d, node->filter.condition, &names);
        return;
    case NQ_PLAN_PROJECT:
        put_label(d, "output");
        put_exprs(d, node->project.exprs, &names);
        return;
    case NQ_PLAN_SORT:
    case NQ_PLAN_TOP_N:
        describe_sort(d, node);
        describe_limit(d, node->sort.limit, node->sort.offset);
        return;
    case NQ_PLAN_LIMIT:
        describe_limit(d, node->limit.limit, node->limit.offset);
        return;
    case NQ_PLAN_AGGREGATE:
        describe_aggregate(d, node);
        return;
    case NQ_PLAN_NESTED_LOOP:
    case NQ_PLAN_HASH_JOIN:
        describe_join(d, node);
        return;
    case NQ_PLAN_KEY_JOIN:
        describe_key_join(d, node);
        return;
    default:
        return;
    }
}

/* ---- Names and targets ---- */

static const char *join_word(nq_join_kind kind) {
    static const char *const words[] = {
        [NQ_JOIN_INNER] = "",     [NQ_JOIN_LEFT] = "Left ", [NQ_JOIN_FULL] = "Full ",
        [NQ_JOIN_SEMI] = "Semi ", [NQ_JOIN_ANTI] = "Anti ", [NQ_JOIN_ANTI_IN] = "Not In ",
    };
    return words[kind];
}

static const char *set_word(nq_set_kind kind) {
    static const char *const words[] = {
        [NQ_SET_UNION_ALL] = "Union All",         [NQ_SET_INTERSECT] = "Intersect",
        [NQ_SET_INTERSECT_ALL] = "Intersect All", [NQ_SET_EXCEPT] = "Except",
        [NQ_SET_EXCEPT_ALL] = "Except All",
    };
    return words[kind];
}

static void describe_name(describer *d, const nq_plan_node *node) {
    switch (node->kind) {
    case NQ_PLAN_NESTED_LOOP:
    case NQ_PLAN_HASH_JOIN:
        put_text(d, join_word(node->join.kind));
        break;
    case NQ_PLAN_KEY_JOIN:
        put_text(d, join_word(node->key_join.kind));
        break;
    case NQ_PLAN_SET:
        put_text(d, set_word(node->set.kind));
        return;
    default:
        break;
    }
    put_text(d, nq_plan_kind_name(node->kind));
}

static void describe_target(describer *d, const nq_plan_node *node) {
    switch (node->kind) {
    case NQ_PLAN_SEQ_SCAN:
    case NQ_PLAN_KEY_LOOKUP:
    case NQ_PLAN_KEY_RANGE:
        put(d, node->scan.table->definition.name);
        return;
    case NQ_PLAN_KEY_JOIN:
        put(d, node->key_join.table->definition.name);
        return;
    case NQ_PLAN_INSERT:
        put(d, node->insert.table->definition.name);
        return;
    case NQ_PLAN_UPDATE:
    case NQ_PLAN_DELETE:
        put(d, node->modify.table->definition.name);
        return;
    case NQ_PLAN_CREATE_TABLE:
        put(d, node->create_table.definition->name);
        return;
    case NQ_PLAN_DROP_TABLE:
    case NQ_PLAN_TRUNCATE:
        for (uint32_t i = 0; i < node->tables.count; ++i) {
            put_text(d, i == 0 ? "" : ", ");
            put(d, node->tables.names[i]);
        }
        return;
    default:
        return;
    }
}

/* ---- The tree ---- */

static uint32_t count_nodes(const nq_plan_node *node) {
    uint32_t count = 1;
    for (uint32_t i = 0; i < node->input_count; ++i) {
        count += count_nodes(node->inputs[i]);
    }
    return count;
}

/* The text written since the last take. */
static nq_bytes take(describer *d) {
    nq_bytes text = nq_bytes_of(d->text, d->size);
    nq_bytes copy = d->status == NQ_OK ? nq_arena_copy(d->arena, text) : (nq_bytes){0};
    if (d->status == NQ_OK && copy.data == NULL) {
        d->status = nq_fail_no_memory(d->ctx, "the plan's text");
    }
    d->size = 0;
    return copy;
}

static void describe_node(describer *d, const nq_plan_node *node, int32_t parent,
                          nq_plan_line *lines, uint32_t *in_out_count) {
    nq_plan_line *line = &lines[*in_out_count];
    int32_t index = (int32_t)(*in_out_count)++;
    line->node = node;
    line->parent = parent;
    describe_name(d, node);
    line->operator_name = take(d);
    describe_target(d, node);
    line->target = take(d);
    describe_details(d, node);
    line->details = take(d);
    for (uint32_t i = 0; i < node->input_count; ++i) {
        describe_node(d, node->inputs[i], index, lines, in_out_count);
    }
}

nq_status nq_plan_describe(nq_ctx *ctx, nq_arena *arena, const nq_plan *plan,
                           nq_plan_line **out_lines, uint32_t *out_line_count) {
    *out_lines = NULL;
    *out_line_count = 0;
    uint32_t total = count_nodes(plan->root);
    for (uint32_t i = 0; i < plan->subquery_count; ++i) {
        total += count_nodes(plan->subqueries[i].root);
    }
    nq_plan_line *lines = nq_arena_calloc(arena, total, sizeof(*lines));
    if (lines == NULL) {
        return nq_fail_no_memory(ctx, "the plan's text");
    }
    describer d = {.ctx = ctx, .arena = arena, .status = NQ_OK};
    uint32_t count = 0;
    describe_node(&d, plan->root, -1, lines, &count);
    for (uint32_t i = 0; i < plan->subquery_count; ++i) {
        describe_node(&d, plan->subqueries[i].root, -1, lines, &count);
    }
    NQ_TRY(d.status);
    *out_lines = lines;
    *out_line_count = count;
    return NQ_OK;
}
