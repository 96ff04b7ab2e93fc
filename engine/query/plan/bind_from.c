/* Bind FROM: leaves, the joins between them, and the names they offer. */
#include "engine/query/plan/bind_internal.h"

nq_status nq__find_table(nq__binder *b, const nq_ast_name *name, const nq_table **out_table) {
    *out_table = b->options->catalog == NULL
                     ? NULL
                     : nq_catalog_snapshot_find(b->options->catalog, name->text);
    if (*out_table != NULL) {
        return NQ_OK;
    }
    nq_status status = nq__bind_fail(b, name->offset, NQ_TABLE_NOT_FOUND,
                                     "table \"%.*s\" does not exist", NQ_BYTES_FORMAT(name->text));
    nq_error_set_object(&b->ctx->error, (const char *)name->text.data, name->text.size);
    return status;
}

/* ---- Leaves ---- */

nq_status nq__leaf_add(nq__block *block, nq__leaf leaf, const nq_column_info *columns,
                       uint32_t *out_leaf) {
    nq__binder *b = block->b;
    if (block->leaf_count == NQ__LEAF_COUNT_MAX) {
        return nq_fail(b->ctx, NQ_LIMIT_EXCEEDED, "a FROM clause holds at most %d tables",
                       NQ__LEAF_COUNT_MAX);
    }
    NQ_TRY(nq__bind_grow(b, &block->leaves, block->leaf_count, &block->leaf_capacity,
                         sizeof(*block->leaves)));
    leaf.first_column = block->flat_count;
    for (uint32_t i = 0; i < leaf.column_count; ++i) {
        NQ_TRY(nq__bind_grow(b, &block->flat, block->flat_count, &block->flat_capacity,
                             sizeof(*block->flat)));
        NQ_TRY(nq__bind_grow(b, &block->leaf_of, block->flat_count, &block->leaf_of_capacity,
                             sizeof(*block->leaf_of)));
        block->flat[block->flat_count] = columns[i];
        block->leaf_of[block->flat_count++] = block->leaf_count;
    }
    *out_leaf = block->leaf_count;
    block->leaves[block->leaf_count++] = leaf;
    return NQ_OK;
}

static nq__tree *new_tree(nq__binder *b, nq__tree_kind kind, uint64_t leaves) {
    nq__tree *tree = nq__bind_alloc(b, 1, sizeof(*tree));
    if (tree != NULL) {
        tree->kind = kind;
        tree->leaves = leaves;
    }
    return tree;
}

static bool is_key_column(const nq_table *table, uint32_t column) {
    for (uint32_t i = 0; i < table->definition.key_column_count; ++i) {
        if (table->definition.key_columns[i] == column) {
            return true;
        }
    }
    return false;
}

static nq_column_info table_column_info(const nq_table *table, uint32_t column) {
    const nq_column_definition *definition = &table->definition.columns[column];
    return (nq_column_info){
        .name = definition->name,
        .type = definition->type,
        .table = table->definition.name,
        .is_nullable = !definition->is_not_null,
        .is_primary_key = is_key_column(table, column),
    };
}

nq_status nq__table_names(nq__binder *b, const nq_table *table, nq_bytes alias, uint32_t first,
                          nq__names *names) {
    for (uint32_t i = 0; i < table->definition.column_count; ++i) {
        nq_column_info info = table_column_info(table, i);
        nq_expr *column = nq_expr_column(b->arena, first + i, info.type);
        if (column == NULL) {
            return nq__bind_no_memory(b);
        }
        NQ_TRY(
            nq__names_append(b, names, (nq__name){.table = alias, .expr = column, .info = info}));
    }
    return NQ_OK;
}

static double table_rows(const nq__binder *b, const nq_table *table) {
    const nq_bind_options *options = b->options;
    double rows = options->table_rows == NULL ? 1000 : options->table_rows(options->user, table);
    return rows < 1 ? 1 : rows;
}

static nq_status add_table(nq__block *block, const nq_table *table, nq_bytes alias,
                           bool has_row_key, uint32_t *out_leaf) {
    nq__binder *b = block->b;
    uint32_t count = table->definition.column_count;
    nq_column_info *columns = nq__bind_alloc(b, count + 1, sizeof(*columns));
    if (columns == NULL) {
        return nq__bind_no_memory(b);
    }
    for (uint32_t i = 0; i < count; ++i) {
        columns[i] = table_column_info(table, i);
    }
    columns[count] = (nq_column_info){.name = NQ_BYTES_LITERAL("row key"),
                                      .type = NQ_TYPE(NQ_TYPE_BYTES),
                                      .table = table->definition.name};
    nq__leaf leaf = {
        .table = table,
        .alias = alias,
        .column_count = count + has_row_key,
        .has_row_key = has_row_key,
        .rows = table_rows(b, table),
    };
    return nq__leaf_add(block, leaf, columns, out_leaf);
}

nq_status nq__bind_target(nq__block *block, const nq_ast_name *table_name, const nq_ast_name *alias,
                          nq__names *out_names) {
    const nq_table *table;
    NQ_TRY(nq__find_table(block->b, table_name, &table));
    nq_bytes name = alias->text.size > 0 ? alias->text : table_name->text;
    uint32_t leaf;
    NQ_TRY(add_table(block, table, name, true, &leaf));
    nq__tree *tree = new_tree(block->b, NQ__TREE_LEAF, 1);
    if (tree == NULL) {
        return nq__bind_no_memory(block->b);
    }
    block->tree = tree;
    return nq__table_names(block->b, table, name, 0, out_names);
}

static nq_status leaf_tree(nq__block *block, uint32_t leaf, nq__tree **out_tree) {
    nq__tree *tree = new_tree(block->b, NQ__TREE_LEAF, (uint64_t)1 << leaf);
    if (tree == NULL) {
        return nq__bind_no_memory(block->b);
    }
    tree->leaf = leaf;
    *out_tree = tree;
    return NQ_OK;
}

/* FROM x (a, b): the first names replaced. */
static nq_status rename_columns(nq__block *block, const nq_ast_from *from, nq__names *names,
                                uint32_t first) {
    nq__binder *b = block->b;
    uint32_t i = first;
    if (from->column_aliases.count > names->count - first) {
        return nq__bind_fail(b, from->alias.offset, NQ_INVALID_COLUMN_REFERENCE,
                             "\"%.*s\" has %u columns but is given %u names",
                             NQ_BYTES_FORMAT(from->alias.text), names->count - first,
                             from->column_aliases.count);
    }
    for (const nq_ast_name_node *each = from->column_aliases.first; each != NULL;
         each = each->next) {
        nq__name *name = &names->items[i++];
        name->info.name = each->name.text;
        block->flat[name->expr->index].name = each->name.text;
    }
    return NQ_OK;
}

static nq_status add_node_leaf(nq__block *block, const nq_ast_from *from, nq_plan_node *node,
                               nq_bytes alias, nq__names *names, nq__tree **out_tree) {
    nq__binder *b = block->b;
    nq__leaf leaf = {.node = node,
                     .alias = alias,
                     .column_count = node->column_count,
                     .rows = node->estimated_rows};
    uint32_t index;
    NQ_TRY(nq__bind_at(b, from->offset, nq__leaf_add(block, leaf, node->columns, &index)));
    uint32_t first_name = names->count;
    for (uint32_t i = 0; i < node->column_count; ++i) {
        uint32_t flat = block->leaves[index].first_column + i;
        nq_expr *column = nq_expr_column(b->arena, flat, node->columns[i].type);
        if (column == NULL) {
            return nq__bind_no_memory(b);
        }
        NQ_TRY(nq__names_append(
            b, names, (nq__name){.table = alias, .expr = column, .info = node->columns[i]}));
    }
    NQ_TRY(rename_columns(block, from, names, first_name));
    return leaf_tree(block, index, out_tree);
}

static nq__with *find_with(const nq__binder *b, nq_bytes name) {
    for (nq__with *with = b->with; with != NULL; with = with->next) {
        if (nq_bytes_equal(with->ast->name.text, name)) {
            return with;
        }
    }
    return NULL;
}

/* Each use of a WITH query is planned on its own, seeing what the query itself saw. */
static nq_status bind_with_query(nq__block *block, const nq_ast_from *from, nq__with *with,
                                 nq__names *names, nq__tree **out_tree) {
    nq__binder *b = block->b;
    nq__with *kept = b->with;
    b->with = with->visible;
    nq_plan_node *node = NULL;
    nq_status status = nq__query_make(b, block->outer, with->ast->query, &node);
    b->with = kept;
    NQ_TRY(status);
    nq_bytes alias = from->alias.text.size > 0 ? from->alias.text : from->table.text;
    uint32_t first_name = names->count;
    NQ_TRY(add_node_leaf(block, from, node, alias, names, out_tree));
    if (from->column_aliases.count == 0) {
        nq_ast_from renamed = *from;
        renamed.alias = with->ast->name;
        renamed.column_aliases = with->ast->column_aliases;
        NQ_TRY(rename_columns(block, &renamed, names, first_name));
    }
    return NQ_OK;
}

static nq_status bind_table(nq__block *block, const nq_ast_from *from, nq__names *names,
                            nq__tree **out_tree) {
    nq__binder *b = block->b;
    nq__with *with = find_with(b, from->table.text);
    if (with != NULL) {
        return bind_with_query(block, from, with, names, out_tree);
    }
    const nq_table *table;
    NQ_TRY(nq__find_table(b, &from->table, &table));
    nq_bytes alias = from->alias.text.size > 0 ? from->alias.text : from->table.text;
    uint32_t leaf, first_name = names->count;
    NQ_TRY(nq__bind_at(b, from->offset, add_table(block, table, alias, false, &leaf)));
    NQ_TRY(nq__table_names(b, table, alias, block->leaves[leaf].first_column, names));
    NQ_TRY(rename_columns(block, from, names, first_name));
    return leaf_tree(block, leaf, out_tree);
}

static nq_status bind_derived(nq__block *block, const nq_ast_from *from, nq__names *names,
                              nq__tree **out_tree) {
    if (from->alias.text.size == 0) {
        nq_status status =
            nq__bind_fail(block->b, from->offset, NQ_SQL_SYNTAX, "a query in FROM needs a name");
        nq_error_set_hint(&block->b->ctx->error, "Write FROM (SELECT ...) AS name.");
        return status;
    }
    nq_plan_node *node = NULL;
    NQ_TRY(nq__query_make(block->b, block->outer, from->query, &node));
    return add_node_leaf(block, from, node, from->alias.text, names, out_tree);
}

/* ---- generate_series ---- */

static double series_rows(const nq_expr *start, const nq_expr *stop, const nq_expr *step) {
    bool is_known = start->kind == NQ_EXPR_CONSTANT && stop->kind == NQ_EXPR_CONSTANT &&
                    (step == NULL || step->kind == NQ_EXPR_CONSTANT);
    if (!is_known || start->value.is_null || stop->value.is_null) {
        return 1000;
    }
    double each = step == NULL ? 1 : (double)step->value.integer;
    double span = (double)stop->value.integer - (double)start->value.integer;
    return each == 0 || span / each < 0 ? 1 : span / each + 1;
}

static nq_status bind_series(nq__block *block, const nq_ast_from *from, nq__names *names,
                             nq__tree **out_tree) {
    nq__binder *b = block->b;
    const nq_ast_expr *call = from->function;
    if (!nq_bytes_equal(call->call->name.text, NQ_BYTES_LITERAL("generate_series"))) {
        return nq__bind_fail(b, from->offset, NQ_UNKNOWN_FUNCTION,
                             "%.*s cannot be used as a table; generate_series can",
                             NQ_BYTES_FORMAT(call->call->name.text));
    }
    uint32_t count = call->operands.count;
    if (count < 2 || count > 3) {
        return nq__bind_fail(b, from->offset, NQ_UNKNOWN_FUNCTION,
                             "generate_series takes a start, a stop and perhaps a step");
    }
    nq__scope scope = nq__scope_none(block->outer, "generate_series");
    const nq_expr *args[3] = {NULL, NULL, NULL};
    uint32_t i = 0;
    for (const nq_ast_expr *each = call->operands.first; each != NULL; each = each->next, ++i) {
        NQ_TRY(nq__bind_expr(b, &scope, each, &args[i]));
        NQ_TRY(nq__coerce(b, args[i], NQ_TYPE(NQ_TYPE_INT64), NQ_CAST_IMPLICIT,
                          "an argument of generate_series", &args[i]));
    }
    nq_bytes alias = from->alias.text.size > 0 ? from->alias.text : call->call->name.text;
    nq_column_info *column = nq__bind_alloc(b, 1, sizeof(*column));
    if (column == NULL) {
        return nq__bind_no_memory(b);
    }
    *column = (nq_column_info){.name = alias, .type = NQ_TYPE(NQ_TYPE_INT64)};
    nq_plan_node *node =
        nq__node(b, NQ_PLAN_SERIES, 1, column, series_rows(args[0], args[1], args[2]));
    if (node == NULL) {
        return nq__bind_no_memory(b);
    }
    node->series = (nq_plan_series){args[0], args[1], args[2]};
    return add_node_leaf(block, from, node, alias, names, out_tree);
}

/* ---- Joins ---- */

static nq_status bind_item(nq__block *block, const nq_ast_from *from, nq__names *names,
                           nq__tree **out_tree);

static nq_status check_aliases(nq__binder *b, const nq_ast_from *from, const nq__names *left,
                               const nq__names *right) {
    for (uint32_t i = 0; i < right->count; ++i) {
        nq_bytes table = right->items[i].table;
        if (table.size == 0 || (i > 0 && nq_bytes_equal(table, right->items[i - 1].table))) {
            continue;
        }
        for (uint32_t j = 0; j < left->count; ++j) {
            if (nq_bytes_equal(left->items[j].table, table)) {
                nq_status status = nq__bind_fail(b, from->offset, NQ_DUPLICATE_ALIAS,
                                                 "table name \"%.*s\" is used twice in FROM",
                                                 NQ_BYTES_FORMAT(table));
                nq_error_set_object(&b->ctx->error, (const char *)table.data, table.size);
                return status;
            }
        }
    }
    return NQ_OK;
}

static nq_status find_common(nq__binder *b, const nq__names *names, nq_bytes name, uint32_t offset,
                             const char *side, nq__name **out_name) {
    *out_name = NULL;
    for (uint32_t i = 0; i < names->count; ++i) {
        nq__name *each = &names->items[i];
        if (each->is_hidden || !nq_bytes_equal(each->info.name, name)) {
            continue;
        }
        if (*out_name != NULL) {
            return nq__bind_fail(b, offset, NQ_AMBIGUOUS_COLUMN,
                                 "column \"%.*s\" of USING appears more than once on the %s side",
                                 NQ_BYTES_FORMAT(name), side);
        }
        *out_name = each;
    }
    if (*out_name == NULL) {
        return nq__bind_fail(b, offset, NQ_UNKNOWN_COLUMN,
                             "column \"%.*s\" of USING does not exist on the %s side",
                             NQ_BYTES_FORMAT(name), side);
    }
    return NQ_OK;
}

/* One merged column: the outer side's value, or of FULL whichever is there. */
static nq_status merge_column(nq__binder *b, const nq_ast_from *from, nq_bytes name,
                              uint32_t offset, nq__names *left, nq__names *right, nq__tree *tree,
                              nq__names *merged) {
    nq__name *left_name, *right_name;
    NQ_TRY(find_common(b, left, name, offset, "left", &left_name));
    NQ_TRY(find_common(b, right, name, offset, "right", &right_name));
    const nq_expr *pair[2] = {left_name->expr, right_name->expr}, *equality;
    NQ_TRY(nq__bind_call(b, offset, NQ_BYTES_LITERAL("="), true, pair, 2, &equality));
    NQ_TRY(nq__exprs_append(b, &tree->conditions, equality));
    nq__name joined = from->join == NQ_AST_JOIN_RIGHT ? *right_name : *left_name;
    if (from->join == NQ_AST_JOIN_FULL) {
        nq_type type;
        NQ_TRY(nq__coerce_common(b, offset, "USING", pair, 2, &type));
        NQ_TRY(nq__bind_form(b, offset, NQ_EXPR_COALESCE, type, false, pair, 2, &joined.expr));
        joined.info.type = type;
    }
    joined.table = (nq_bytes){0};
    left_name->is_hidden = true;
    right_name->is_hidden = true;
    return nq__names_append(b, merged, joined);
}

static bool is_visible(const nq__names *names, nq_bytes name) {
    for (uint32_t i = 0; i < names->count; ++i) {
        if (!names->items[i].is_hidden && nq_bytes_equal(names->items[i].info.name, name)) {
            return true;
        }
    }
    return false;
}

static nq_status merge_columns(nq__binder *b, const nq_ast_from *from, nq__names *left,
                               nq__names *right, nq__tree *tree, nq__names *merged) {
    for (const nq_ast_name_node *each = from->using.first; each != NULL; each = each->next) {
        NQ_TRY(
            merge_column(b, from, each->name.text, each->name.offset, left, right, tree, merged));
    }
    for (uint32_t i = 0; from->is_natural && i < left->count; ++i) {
        nq_bytes name = left->items[i].info.name;
        if (!left->items[i].is_hidden && is_visible(right, name)) {
            NQ_TRY(merge_column(b, from, name, from->offset, left, right, tree, merged));
        }
    }
    return NQ_OK;
}

static void make_nullable(nq__names *names) {
    for (uint32_t i = 0; i < names->count; ++i) {
        names->items[i].info.is_nullable = true;
    }
}

static nq_status bind_join(nq__block *block, const nq_ast_from *from, nq__names *names,
                           nq__tree **out_tree) {
    nq__binder *b = block->b;
    nq__names left = {0}, right = {0}, merged = {0};
    nq__tree *left_tree, *right_tree;
    NQ_TRY(bind_item(block, from->left, &left, &left_tree));
    NQ_TRY(bind_item(block, from->right, &right, &right_tree));
    NQ_TRY(check_aliases(b, from, &left, &right));
    bool is_inner = from->join == NQ_AST_JOIN_INNER || from->join == NQ_AST_JOIN_CROSS;
    bool is_right = from->join == NQ_AST_JOIN_RIGHT;
    nq__tree *tree = new_tree(b, is_inner ? NQ__TREE_INNER : NQ__TREE_OUTER,
                              left_tree->leaves | right_tree->leaves);
    if (tree == NULL) {
        return nq__bind_no_memory(b);
    }
    tree->join =
        is_inner ? NQ_JOIN_INNER : (from->join == NQ_AST_JOIN_FULL ? NQ_JOIN_FULL : NQ_JOIN_LEFT);
    tree->left = is_right ? right_tree : left_tree;
    tree->right = is_right ? left_tree : right_tree;
    NQ_TRY(merge_columns(b, from, &left, &right, tree, &merged));
    if (from->join == NQ_AST_JOIN_LEFT || from->join == NQ_AST_JOIN_FULL) {
        make_nullable(&right);
    }
    if (is_right || from->join == NQ_AST_JOIN_FULL) {
        make_nullable(&left);
    }
    uint32_t first = names->count;
    const nq__names *parts[3] = {&merged, &left, &right};
    for (uint32_t part = 0; part < 3; ++part) {
        for (uint32_t i = 0; i < parts[part]->count; ++i) {
            NQ_TRY(nq__names_append(b, names, parts[part]->items[i]));
        }
    }
    if (from->on != NULL) {
        nq__names visible = {names->items + first, names->count - first, 0};
        nq__scope scope = {.outer = block->outer, .names = &visible, .place = "JOIN conditions"};
        const nq_expr *condition;
        NQ_TRY(nq__bind_condition(b, &scope, from->on, &condition));
        NQ_TRY(nq__split_and(b, condition, &tree->conditions));
    }
    *out_tree = tree;
    return NQ_OK;
}

static nq_status bind_item(nq__block *block, const nq_ast_from *from, nq__names *names,
                           nq__tree **out_tree) {
    switch (from->kind) {
    case NQ_AST_FROM_TABLE:
        return bind_table(block, from, names, out_tree);
    case NQ_AST_FROM_QUERY:
        return bind_derived(block, from, names, out_tree);
    case NQ_AST_FROM_FUNCTION:
        return bind_series(block, from, names, out_tree);
    case NQ_AST_FROM_JOIN:
        return bind_join(block, from, names, out_tree);
    }
    return nq_fail(block->b->ctx, NQ_BUG, "FROM holds an item of kind %d", (int)from->kind);
}

nq_status nq__bind_from(nq__block *block, const nq_ast_froms *froms, nq__names *out_names) {
    nq__binder *b = block->b;
    for (const nq_ast_from *from = froms->first; from != NULL; from = from->next) {
        nq__names names = {0};
        nq__tree *item;
        NQ_TRY(bind_item(block, from, &names, &item));
        NQ_TRY(check_aliases(b, from, out_names, &names));
        for (uint32_t i = 0; i < names.count; ++i) {
            NQ_TRY(nq__names_append(b, out_names, names.items[i]));
        }
        if (block->tree == NULL) {
            block->tree = item;
            continue;
        }
        nq__tree *tree = new_tree(b, NQ__TREE_INNER, block->tree->leaves | item->leaves);
        if (tree == NULL) {
            return nq__bind_no_memory(b);
        }
        tree->join = NQ_JOIN_INNER;
        tree->left = block->tree;
        tree->right = item;
        block->tree = tree;
    }
    return NQ_OK;
}
