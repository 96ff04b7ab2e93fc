/* Bind writing: INSERT, UPDATE, DELETE.
 *
 * What is written is cast by assignment's rules; what is not given is the column's default. NOT
 * NULL, lengths and keys are checked where the rows are stored. */
#include "engine/query/plan/bind_internal.h"

/* ---- Stored expressions ---- */

/* A binder for text that came out of the catalog instead of the statement. */
static nq_status bind_stored(nq__binder *b, nq_bytes sql, const nq__names *names, const char *place,
                             const nq_expr **out_expr) {
    nq_ast_expr *ast;
    nq__binder stored = {.ctx = b->ctx, .arena = b->arena, .sql = sql, .options = b->options};
    nq__scope scope = nq__scope_none(NULL, place);
    if (names != NULL) {
        scope.names = names;
    }
    nq_status status = nq_parse_expression(b->ctx, b->arena, sql, &ast);
    if (status == NQ_OK) {
        status = nq__bind_expr(&stored, &scope, ast, out_expr);
    }
    if (status != NQ_OK) {
        b->ctx->error.position = (nq_position){0}; /* a place in text that nobody sees */
    }
    return status;
}

static const char *column_label(nq__binder *b, const nq_column_definition *column) {
    enum { LABEL_BYTES = 80 };
    char *label = nq__bind_alloc(b, LABEL_BYTES, 1);
    if (label == NULL) {
        return "the column";
    }
    memcpy(label, "column \"", 8);
    size_t size = column->name.size > 63 ? 63 : column->name.size;
    memcpy(label + 8, column->name.data, size);
    label[8 + size] = '"';
    return label;
}

static nq_status coerce_to_column(nq__binder *b, const nq_expr *expr,
                                  const nq_column_definition *column, const nq_expr **out_expr) {
    return nq__coerce(b, expr, column->type, NQ_CAST_ASSIGNMENT, column_label(b, column), out_expr);
}

nq_status nq__bind_default(nq__binder *b, const nq_table *table, uint32_t column,
                           const nq_expr **out_expr) {
    const nq_column_definition *definition = &table->definition.columns[column];
    if (definition->default_sql.size > 0) {
        const nq_expr *bound;
        NQ_TRY(bind_stored(b, definition->default_sql, NULL, "DEFAULT", &bound));
        return coerce_to_column(b, bound, definition, out_expr);
    }
    nq_expr *null =
        nq_expr_constant(b->arena, NQ_VALUE_NULL(definition->type.id), definition->type);
    *out_expr = null;
    return null == NULL ? nq__bind_no_memory(b) : NQ_OK;
}

nq_status nq__bind_checks(nq__binder *b, const nq_table *table, const nq_plan_check **out_checks,
                          uint32_t *out_count) {
    uint32_t count = table->definition.check_count;
    nq_plan_check *checks = nq__bind_alloc(b, count, sizeof(*checks));
    if (checks == NULL) {
        return nq__bind_no_memory(b);
    }
    nq__names names = {0};
    NQ_TRY(nq__table_names(b, table, table->definition.name, 0, &names));
    for (uint32_t i = 0; i < count; ++i) {
        const nq_check_definition *check = &table->definition.checks[i];
        checks[i].name = check->name;
        NQ_TRY(bind_stored(b, check->condition_sql, &names, "CHECK", &checks[i].condition));
        NQ_TRY(nq__coerce(b, checks[i].condition, NQ_TYPE(NQ_TYPE_BOOL), NQ_CAST_IMPLICIT, "CHECK",
                          &checks[i].condition));
    }
    *out_checks = checks;
    *out_count = count;
    return NQ_OK;
}

nq_status nq__bind_returning(nq__binder *b, const nq__names *names, const nq_ast_items *items,
                             nq_plan_node *node, nq_plan_exprs *out_exprs) {
    if (items->count == 0) {
        return NQ_OK;
    }
    nq__scope scope = {.names = names, .place = "RETURNING"};
    nq__items bound = {0};
    NQ_TRY(nq__bind_items(b, &scope, items, &bound));
    for (uint32_t i = 0; i < bound.exprs.count; ++i) {
        NQ_TRY(nq__coerce_unknown(b, bound.exprs.items[i], &bound.exprs.items[i]));
        bound.columns[i].type = bound.exprs.items[i]->type;
    }
    node->columns = bound.columns;
    node->column_count = bound.exprs.count;
    *out_exprs = (nq_plan_exprs){bound.exprs.items, bound.exprs.count};
    return NQ_OK;
}

static nq_status find_column(nq__binder *b, const nq_table *table, const nq_ast_name *name,
                             uint32_t *out_column) {
    *out_column = nq_table_find_column(table, name->text);
    if (*out_column != UINT32_MAX) {
        return NQ_OK;
    }
    nq_status status = nq__bind_fail(
        b, name->offset, NQ_UNKNOWN_COLUMN, "column \"%.*s\" of table \"%.*s\" does not exist",
        NQ_BYTES_FORMAT(name->text), NQ_BYTES_FORMAT(table->definition.name));
    nq_error_set_object(&b->ctx->error, (const char *)name->text.data, name->text.size);
    return status;
}

static nq_status refuse_generated(nq__binder *b, const nq_column_definition *column,
                                  uint32_t offset) {
    if (column->generation != NQ_GENERATED_ALWAYS) {
        return NQ_OK;
    }
    nq_status status = nq__bind_fail(b, offset, NQ_INVALID_COLUMN_REFERENCE,
                                     "column \"%.*s\" is GENERATED ALWAYS and takes only DEFAULT",
                                     NQ_BYTES_FORMAT(column->name));
    nq_error_set_object(&b->ctx->error, (const char *)column->name.data, column->name.size);
    return status;
}

/* ---- INSERT ---- */

typedef struct insertion {
    nq__binder *b;
    const nq_ast_insert *ast;
    const nq_table *table;
    uint32_t target_count;
    uint32_t *targets;   /* the table column of each value given */
    uint32_t *source_of; /* by table column: the value given, UINT32_MAX: none */
    bool *is_generated;  /* by table column: numbered where null */
} insertion;

static nq_status list_targets(insertion *in) {
    nq__binder *b = in->b;
    uint32_t column_count = in->table->definition.column_count;
    in->targets = nq__bind_alloc(b, column_count, sizeof(*in->targets));
    in->source_of = nq__bind_alloc(b, column_count, sizeof(*in->source_of));
    in->is_generated = nq__bind_alloc(b, column_count, sizeof(*in->is_generated));
    if (in->targets == NULL || in->source_of == NULL || in->is_generated == NULL) {
        return nq__bind_no_memory(b);
    }
    memset(in->source_of, 0xff, column_count * sizeof(*in->source_of));
    for (const nq_ast_name_node *each = in->ast->columns.first; each != NULL; each = each->next) {
        uint32_t column;
        NQ_TRY(find_column(b, in->table, &each->name, &column));
        if (in->source_of[column] != UINT32_MAX) {
            return nq__bind_fail(b, each->name.offset, NQ_DUPLICATE_COLUMN,
                                 "column \"%.*s\" is listed twice",
                                 NQ_BYTES_FORMAT(each->name.text));
        }
        in->source_of[column] = in->target_count;
        in->targets[in->target_count++] = column;
    }
    return NQ_OK;
}

/* Without a column list the values go to the first columns, as many as there are. */
static nq_status match_targets(insertion *in, uint32_t value_count, uint32_t offset) {
    uint32_t column_count = in->table->definition.column_count;
    if (in->ast->columns.count == 0 && value_count <= column_count) {
        for (uint32_t i = 0; i < value_count; ++i) {
            in->targets[i] = i;
            in->source_of[i] = i;
        }
        in->target_count = value_count;
        return NQ_OK;
    }
    if (value_count == in->target_count) {
        return NQ_OK;
    }
    uint32_t wanted = in->ast->columns.count == 0 ? column_count : in->target_count;
    return nq__bind_fail(in->b, offset, NQ_SQL_SYNTAX,
                         "INSERT has %s values than columns: %u for %u",
                         value_count < wanted ? "fewer" : "more", value_count, wanted);
}

static bool is_numbered(const nq_table *table, uint32_t column) {
    return table->definition.columns[column].generation != NQ_GENERATED_NEVER;
}

/* The default of a column that is given no value. */
static nq_status missing_value(insertion *in, uint32_t column, const nq_expr **out_expr) {
    if (is_numbered(in->table, column)) {
        in->is_generated[column] = true;
    }
    return nq__bind_default(in->b, in->table, column, out_expr);
}

static nq_status given_value(insertion *in, const nq__scope *scope, uint32_t column,
                             const nq_ast_expr *ast, const nq_expr **out_expr) {
    if (ast->kind == NQ_AST_DEFAULT) {
        return missing_value(in, column, out_expr);
    }
    const nq_column_definition *definition = &in->table->definition.columns[column];
    NQ_TRY(refuse_generated(in->b, definition, ast->offset));
    const nq_expr *bound;
    NQ_TRY(nq__bind_expr(in->b, scope, ast, &bound));
    return coerce_to_column(in->b, bound, definition, out_expr);
}

static nq_status table_columns(insertion *in, nq_column_info **out_columns) {
    nq__names names = {0};
    NQ_TRY(nq__table_names(in->b, in->table, in->table->definition.name, 0, &names));
    *out_columns = nq__bind_alloc(in->b, names.count, sizeof(**out_columns));
    if (*out_columns == NULL) {
        return nq__bind_no_memory(in->b);
    }
    for (uint32_t i = 0; i < names.count; ++i) {
        (*out_columns)[i] = names.items[i].info;
    }
    return NQ_OK;
}

/* VALUES straight into rows of the table. */
static nq_status insert_values(insertion *in, const nq_ast_rows *rows, nq_plan_node **out_node) {
    nq__binder *b = in->b;
    uint32_t column_count = in->table->definition.column_count;
    NQ_TRY(match_targets(in, rows->first->values.count, rows->first->offset));
    const nq_expr **exprs = nq__bind_alloc(b, (size_t)rows->count * column_count, sizeof(*exprs));
    const nq_expr **missing = nq__bind_alloc(b, column_count, sizeof(*missing));
    nq_column_info *columns;
    if (exprs == NULL || missing == NULL) {
        return nq__bind_no_memory(b);
    }
    NQ_TRY(table_columns(in, &columns));
    for (uint32_t i = 0; i < column_count; ++i) {
        if (in->source_of[i] == UINT32_MAX) {
            NQ_TRY(missing_value(in, i, &missing[i]));
        }
    }
    nq__scope scope = nq__scope_none(NULL, "VALUES");
    const nq_expr **next = exprs;
    for (const nq_ast_row *row = rows->first; row != NULL; row = row->next, next += column_count) {
        uint32_t value = 0;
        for (uint32_t i = 0; i < column_count; ++i) {
            next[i] = missing[i];
        }
        for (const nq_ast_expr *each = row->values.first; each != NULL;
             each = each->next, ++value) {
            uint32_t column = in->targets[value];
            NQ_TRY(given_value(in, &scope, column, each, &next[column]));
        }
    }
    nq_plan_node *node = nq__node(b, NQ_PLAN_VALUES, column_count, columns, rows->count);
    if (node == NULL) {
        return nq__bind_no_memory(b);
    }
    node->values = (nq_plan_values){exprs, rows->count};
    *out_node = node;
    return NQ_OK;
}

static nq_status insert_defaults(insertion *in, nq_plan_node **out_node) {
    nq__binder *b = in->b;
    uint32_t column_count = in->table->definition.column_count;
    const nq_expr **exprs = nq__bind_alloc(b, column_count, sizeof(*exprs));
    nq_column_info *columns;
    if (exprs == NULL) {
        return nq__bind_no_memory(b);
    }
    NQ_TRY(table_columns(in, &columns));
    for (uint32_t i = 0; i < column_count; ++i) {
        NQ_TRY(missing_value(in, i, &exprs[i]));
    }
    nq_plan_node *node = nq__node(b, NQ_PLAN_VALUES, column_count, columns, 1);
    if (node == NULL) {
        return nq__bind_no_memory(b);
    }
    node->values = (nq_plan_values){exprs, 1};
    *out_node = node;
    return NQ_OK;
}

static nq_status insert_query(insertion *in, nq_plan_node **out_node) {
    nq__binder *b = in->b;
    uint32_t column_count = in->table->definition.column_count;
    nq__query *query = NULL;
    NQ_TRY(nq__query_bind(b, NULL, in->ast->source, &query));
    NQ_TRY(match_targets(in, query->column_count, in->ast->source->offset));
    for (uint32_t i = 0; i < in->target_count; ++i) {
        const nq_column_definition *column = &in->table->definition.columns[in->targets[i]];
        NQ_TRY(refuse_generated(b, column, in->ast->source->offset));
    }
    nq_type *types = nq__bind_alloc(b, query->column_count, sizeof(*types));
    if (types == NULL) {
        return nq__bind_no_memory(b);
    }
    for (uint32_t i = 0; i < query->column_count; ++i) {
        bool is_untyped = query->columns[i].type.id == NQ_TYPE_UNKNOWN;
        nq_type wanted = in->table->definition.columns[in->targets[i]].type;
        types[i] = is_untyped ? NQ_TYPE(wanted.id) : query->columns[i].type;
    }
    NQ_TRY(nq__query_coerce(b, query, types, NQ_CAST_ASSIGNMENT));
    nq_plan_node *input = NULL;
    NQ_TRY(nq__query_plan(b, query, &input));
    const nq_expr **exprs = nq__bind_alloc(b, column_count, sizeof(*exprs));
    nq_column_info *columns;
    if (exprs == NULL) {
        return nq__bind_no_memory(b);
    }
    NQ_TRY(table_columns(in, &columns));
    for (uint32_t i = 0; i < column_count; ++i) {
        uint32_t source = in->source_of[i];
        if (source == UINT32_MAX) {
            NQ_TRY(missing_value(in, i, &exprs[i]));
            continue;
        }
        nq_expr *column = nq_expr_column(b->arena, source, input->columns[source].type);
        if (column == NULL) {
            return nq__bind_no_memory(b);
        }
        column->offset = in->ast->source->offset;
        NQ_TRY(coerce_to_column(b, column, &in->table->definition.columns[i], &exprs[i]));
    }
    nq_plan_node *node =
        nq__node_over(b, NQ_PLAN_PROJECT, input, column_count, columns, input->estimated_rows);
    if (node == NULL) {
        return nq__bind_no_memory(b);
    }
    node->project.exprs = (nq_plan_exprs){exprs, column_count};
    *out_node = node;
    return NQ_OK;
}

static nq_status insert_rows(insertion *in, nq_plan_node **out_node) {
    const nq_ast_query *source = in->ast->source;
    if (source == NULL) {
        return insert_defaults(in, out_node);
    }
    bool is_bare_values = source->kind == NQ_AST_VALUES && source->order_by.count == 0 &&
                          source->limit == NULL && source->limit_offset == NULL &&
                          source->with.count == 0;
    return is_bare_values ? insert_values(in, &source->rows, out_node) : insert_query(in, out_node);
}

static nq_status list_generated(insertion *in, nq_plan_node *node) {
    uint32_t column_count = in->table->definition.column_count, count = 0;
    uint32_t *columns = nq__bind_alloc(in->b, column_count, sizeof(*columns));
    if (columns == NULL) {
        return nq__bind_no_memory(in->b);
    }
    for (uint32_t i = 0; i < column_count; ++i) {
        if (in->is_generated[i]) {
            columns[count++] = i;
        }
    }
    node->insert.generated_columns = columns;
    node->insert.generated_column_count = count;
    return NQ_OK;
}

/* SET column = value, each column once. DEFAULT is the column's default. */
static nq_status bind_sets(nq__binder *b, const nq_table *table, const nq__scope *scope,
                           const nq_ast_sets *sets, const nq_plan_assignment **out_assignments) {
    nq_plan_assignment *assignments = nq__bind_alloc(b, sets->count, sizeof(*assignments));
    if (assignments == NULL) {
        return nq__bind_no_memory(b);
    }
    uint32_t count = 0;
    for (const nq_ast_set *set = sets->first; set != NULL; set = set->next) {
        nq_plan_assignment *assignment = &assignments[count];
        NQ_TRY(find_column(b, table, &set->column, &assignment->table_column));
        for (uint32_t i = 0; i < count; ++i) {
            if (assignments[i].table_column == assignment->table_column) {
                return nq__bind_fail(b, set->column.offset, NQ_DUPLICATE_COLUMN,
                                     "column \"%.*s\" is set twice",
                                     NQ_BYTES_FORMAT(set->column.text));
            }
        }
        const nq_column_definition *column = &table->definition.columns[assignment->table_column];
        if (set->value->kind == NQ_AST_DEFAULT) {
            if (column->generation != NQ_GENERATED_NEVER) {
                return nq__bind_fail(b, set->value->offset, NQ_FEATURE_UNSUPPORTED,
                                     "a generated column cannot be set to DEFAULT by this version");
            }
            NQ_TRY(nq__bind_default(b, table, assignment->table_column, &assignment->value));
        } else {
            NQ_TRY(refuse_generated(b, column, set->value->offset));
            NQ_TRY(nq__bind_expr(b, scope, set->value, &assignment->value));
            NQ_TRY(coerce_to_column(b, assignment->value, column, &assignment->value));
        }
        ++count;
    }
    *out_assignments = assignments;
    return NQ_OK;
}

/* ON CONFLICT (columns) must name the primary key: there is no other unique constraint. */
static nq_status check_conflict_target(insertion *in) {
    const nq_ast_insert *ast = in->ast;
    const nq_table_definition *definition = &in->table->definition;
    if (ast->conflict_target.count == 0) {
        return NQ_OK;
    }
    uint32_t count = 0;
    bool is_key = ast->conflict_target.count == definition->key_column_count;
    for (const nq_ast_name_node *each = ast->conflict_target.first; each != NULL;
         each = each->next) {
        uint32_t column;
        NQ_TRY(find_column(in->b, in->table, &each->name, &column));
        for (uint32_t i = 0; i < definition->key_column_count; ++i) {
            count += definition->key_columns[i] == column;
        }
    }
    if (is_key && count == definition->key_column_count) {
        return NQ_OK;
    }
    return nq__bind_fail(in->b, ast->conflict_offset, NQ_INVALID_COLUMN_REFERENCE,
                         "ON CONFLICT must name the columns of the primary key");
}

static nq_status bind_conflict(insertion *in, nq_bytes alias, nq_plan_node *node) {
    nq__binder *b = in->b;
    NQ_TRY(check_conflict_target(in));
    if (in->ast->conflict != NQ_AST_CONFLICT_UPDATE) {
        bool is_nothing = in->ast->conflict == NQ_AST_CONFLICT_NOTHING;
        node->insert.conflict = is_nothing ? NQ_CONFLICT_NOTHING : NQ_CONFLICT_FAIL;
        return NQ_OK;
    }
    nq__names names = {0};
    NQ_TRY(nq__table_names(b, in->table, alias, 0, &names));
    NQ_TRY(nq__table_names(b, in->table, NQ_BYTES_LITERAL("excluded"),
                           in->table->definition.column_count, &names));
    for (uint32_t i = in->table->definition.column_count; i < names.count; ++i) {
        names.items[i].is_hidden = true; /* only as excluded.column */
    }
    nq__scope scope = {.names = &names, .place = "ON CONFLICT DO UPDATE"};
    node->insert.conflict = NQ_CONFLICT_UPDATE;
    node->insert.assignment_count = in->ast->conflict_sets.count;
    NQ_TRY(bind_sets(b, in->table, &scope, &in->ast->conflict_sets, &node->insert.assignments));
    if (in->ast->conflict_where != NULL) {
        NQ_TRY(
            nq__bind_condition(b, &scope, in->ast->conflict_where, &node->insert.conflict_where));
    }
    return NQ_OK;
}

nq_status nq__bind_insert(nq__binder *b, const nq_ast_insert *ast, nq_plan_node **out_node) {
    insertion in = {.b = b, .ast = ast};
    NQ_TRY(nq__find_table(b, &ast->table, &in.table));
    NQ_TRY(list_targets(&in));
    nq_plan_node *input = NULL;
    NQ_TRY(insert_rows(&in, &input));
    nq_plan_node *node = nq__node_over(b, NQ_PLAN_INSERT, input, 0, NULL, input->estimated_rows);
    if (node == NULL) {
        return nq__bind_no_memory(b);
    }
    node->insert.table = in.table;
    nq_bytes alias = ast->alias.text.size > 0 ? ast->alias.text : ast->table.text;
    NQ_TRY(list_generated(&in, node));
    NQ_TRY(bind_conflict(&in, alias, node));
    NQ_TRY(nq__bind_checks(b, in.table, &node->insert.checks, &node->insert.check_count));
    nq__names names = {0};
    NQ_TRY(nq__table_names(b, in.table, alias, 0, &names));
    NQ_TRY(nq__bind_returning(b, &names, &ast->returning, node, &node->insert.returning));
    *out_node = node;
    return NQ_OK;
}

/* ---- UPDATE and DELETE ---- */

/* Drops what joins of WHERE's queries put beside the row. */
static nq_status keep_row(nq__block *block, const nq__planned *planned, uint32_t row_width,
                          nq_plan_node **out_node) {
    nq__binder *b = block->b;
    *out_node = planned->node;
    if (planned->node->column_count == row_width) {
        return NQ_OK;
    }
    const nq_expr **exprs = nq__bind_alloc(b, row_width, sizeof(*exprs));
    nq_plan_node *node =
        nq__node_over(b, NQ_PLAN_PROJECT, planned->node, row_width, block->flat, planned->rows);
    if (exprs == NULL || node == NULL) {
        return nq__bind_no_memory(b);
    }
    for (uint32_t i = 0; i < row_width; ++i) {
        exprs[i] = nq_expr_column(b->arena, i, block->flat[i].type);
        if (exprs[i] == NULL) {
            return nq__bind_no_memory(b);
        }
    }
    node->project.exprs = (nq_plan_exprs){exprs, row_width};
    *out_node = node;
    return NQ_OK;
}

/* The rows to change: whole, with their keys. The target is the first leaf and every join keeps it
 * on the left, so its columns come first. */
static nq_status plan_target(nq__block *block, const nq_ast_name *table, const nq_ast_name *alias,
                             const nq_ast_expr *where, nq__names *out_names,
                             nq_plan_node **out_node) {
    nq__binder *b = block->b;
    NQ_TRY(nq__bind_target(block, table, alias, out_names));
    uint32_t row_width = block->flat_count;
    NQ_TRY(nq__bind_where(block, out_names, where));
    block->is_used = nq__bind_alloc(b, block->flat_count, sizeof(bool));
    if (block->is_used == NULL) {
        return nq__bind_no_memory(b);
    }
    for (uint32_t i = 0; i < row_width; ++i) {
        block->is_used[i] = true;
    }
    nq__planned planned;
    NQ_TRY(nq__plan_joins(block, &planned));
    return keep_row(block, &planned, row_width, out_node);
}

nq_status nq__bind_update(nq__binder *b, const nq_ast_update *ast, nq_plan_node **out_node) {
    nq__block *block = nq__bind_alloc(b, 1, sizeof(*block));
    if (block == NULL) {
        return nq__bind_no_memory(b);
    }
    block->b = b;
    nq__names names = {0};
    nq_plan_node *input = NULL;
    NQ_TRY(plan_target(block, &ast->table, &ast->alias, ast->where, &names, &input));
    const nq_table *table = block->leaves[0].table;
    nq_plan_node *node = nq__node_over(b, NQ_PLAN_UPDATE, input, 0, NULL, input->estimated_rows);
    if (node == NULL) {
        return nq__bind_no_memory(b);
    }
    node->modify.table = table;
    nq__scope scope = {.names = &names, .place = "UPDATE"};
    NQ_TRY(bind_sets(b, table, &scope, &ast->sets, &node->modify.assignments));
    node->modify.assignment_count = ast->sets.count;
    NQ_TRY(nq__bind_checks(b, table, &node->modify.checks, &node->modify.check_count));
    NQ_TRY(nq__bind_returning(b, &names, &ast->returning, node, &node->modify.returning));
    *out_node = node;
    return NQ_OK;
}

nq_status nq__bind_delete(nq__binder *b, const nq_ast_delete *ast, nq_plan_node **out_node) {
    nq__block *block = nq__bind_alloc(b, 1, sizeof(*block));
    if (block == NULL) {
        return nq__bind_no_memory(b);
    }
    block->b = b;
    nq__names names = {0};
    nq_plan_node *input = NULL;
    NQ_TRY(plan_target(block, &ast->table, &ast->alias, ast->where, &names, &input));
    nq_plan_node *node = nq__node_over(b, NQ_PLAN_DELETE, input, 0, NULL, input->estimated_rows);
    if (node == NULL) {
        return nq__bind_no_memory(b);
    }
    node->modify.table = block->leaves[0].table;
    NQ_TRY(nq__bind_returning(b, &names, &ast->returning, node, &node->modify.returning));
    *out_node = node;
    return NQ_OK;
}
