/* Bind definitions: CREATE TABLE, DROP TABLE, TRUNCATE.
 *
 * Defaults and checks are bound once here, so that a table cannot be created with one that never
 * works, and stored as canonical text. */
#include "engine/query/plan/bind_internal.h"
#include "engine/query/sql/print.h"

static nq_status check_default(nq__binder *b, const nq_ast_column *column) {
    nq__scope scope = nq__scope_none(NULL, "DEFAULT");
    const nq_expr *bound;
    NQ_TRY(nq__bind_expr(b, &scope, column->default_value, &bound));
    if (b->subquery_count > 0) {
        return nq__bind_fail(b, column->default_value->offset, NQ_FEATURE_UNSUPPORTED,
                             "DEFAULT cannot hold a query");
    }
    return nq__coerce(b, bound, column->type->type, NQ_CAST_ASSIGNMENT, "DEFAULT", &bound);
}

static nq_status check_generated(nq__binder *b, const nq_ast_column *column) {
    if (!nq_type_is_integer(column->type->type.id)) {
        return nq__bind_fail(b, column->generated_offset, NQ_INVALID_DEFINITION,
                             "a generated column must be of an integer type");
    }
    if (column->default_value != NULL || column->is_null) {
        return nq__bind_fail(b, column->generated_offset, NQ_INVALID_DEFINITION,
                             "a generated column takes neither DEFAULT nor NULL");
    }
    return NQ_OK;
}

static nq_status define_column(nq__binder *b, const nq_ast_column *column,
                               nq_column_definition *out_definition) {
    out_definition->name = column->name.text;
    out_definition->type = column->type->type;
    out_definition->is_not_null = column->is_not_null || column->is_generated;
    if (column->is_generated) {
        NQ_TRY(check_generated(b, column));
        out_definition->generation =
            column->is_generated_always ? NQ_GENERATED_ALWAYS : NQ_GENERATED_BY_DEFAULT;
    }
    if (column->default_value != NULL) {
        NQ_TRY(check_default(b, column));
        return nq_ast_print_expr(b->ctx, b->arena, column->default_value,
                                 &out_definition->default_sql);
    }
    return NQ_OK;
}

static nq_status define_columns(nq__binder *b, const nq_ast_create_table *ast,
                                nq_table_definition *definition) {
    nq_column_definition *columns = nq__bind_alloc(b, ast->columns.count, sizeof(*columns));
    if (columns == NULL) {
        return nq__bind_no_memory(b);
    }
    for (const nq_ast_column *each = ast->columns.first; each != NULL; each = each->next) {
        for (uint32_t i = 0; i < definition->column_count; ++i) {
            if (nq_bytes_equal(columns[i].name, each->name.text)) {
                return nq__bind_fail(b, each->name.offset, NQ_DUPLICATE_COLUMN,
                                     "column \"%.*s\" is defined twice",
                                     NQ_BYTES_FORMAT(each->name.text));
            }
        }
        NQ_TRY(define_column(b, each, &columns[definition->column_count++]));
    }
    definition->columns = columns;
    return NQ_OK;
}

/* ---- The primary key ---- */

static uint32_t find_defined(const nq_table_definition *definition, nq_bytes name) {
    for (uint32_t i = 0; i < definition->column_count; ++i) {
        if (nq_bytes_equal(definition->columns[i].name, name)) {
            return i;
        }
    }
    return UINT32_MAX;
}

static nq_status add_key_column(nq__binder *b, nq_table_definition *definition, uint32_t *key,
                                nq_bytes name, uint32_t offset) {
    uint32_t column = find_defined(definition, name);
    if (column == UINT32_MAX) {
        return nq__bind_fail(b, offset, NQ_UNKNOWN_COLUMN,
                             "column \"%.*s\" of the primary key is not defined",
                             NQ_BYTES_FORMAT(name));
    }
    for (uint32_t i = 0; i < definition->key_column_count; ++i) {
        if (key[i] == column) {
            return nq__bind_fail(b, offset, NQ_DUPLICATE_COLUMN,
                                 "column \"%.*s\" is in the primary key twice",
                                 NQ_BYTES_FORMAT(name));
        }
    }
    if (definition->key_column_count == NQ_TABLE_KEY_COLUMN_COUNT_MAX) {
        return nq__bind_fail(b, offset, NQ_LIMIT_EXCEEDED, "a primary key has at most %d columns",
                             NQ_TABLE_KEY_COLUMN_COUNT_MAX);
    }
    key[definition->key_column_count++] = column;
    return NQ_OK;
}

static nq_status define_key(nq__binder *b, const nq_ast_create_table *ast,
                            nq_table_definition *definition) {
    uint32_t *key = nq__bind_alloc(b, NQ_TABLE_KEY_COLUMN_COUNT_MAX, sizeof(*key));
    if (key == NULL) {
        return nq__bind_no_memory(b);
    }
    const nq_ast_column *keyed = NULL;
    for (const nq_ast_column *each = ast->columns.first; each != NULL; each = each->next) {
        if (!each->is_primary_key) {
            continue;
        }
        if (keyed != NULL || ast->primary_key.count > 0) {
            return nq__bind_fail(b, each->primary_key_offset, NQ_INVALID_DEFINITION,
                                 "a table has only one primary key");
        }
        keyed = each;
        NQ_TRY(add_key_column(b, definition, key, each->name.text, each->name.offset));
    }
    for (const nq_ast_name_node *each = ast->primary_key.first; each != NULL; each = each->next) {
        NQ_TRY(add_key_column(b, definition, key, each->name.text, each->name.offset));
    }
    uint32_t column = 0;
    for (const nq_ast_column *each = ast->columns.first; each != NULL;
         each = each->next, ++column) {
        for (uint32_t i = 0; i < definition->key_column_count; ++i) {
            if (key[i] == column && each->is_null) {
                return nq__bind_fail(b, each->name.offset, NQ_INVALID_DEFINITION,
                                     "column \"%.*s\" is NULL and in the primary key",
                                     NQ_BYTES_FORMAT(each->name.text));
            }
        }
    }
    definition->key_columns = key;
    definition->key_name = ast->primary_key_name.text;
    return NQ_OK;
}

/* ---- Checks ---- */

/* The only column a tree speaks of: UINT32_MAX when there are none or several. */
typedef struct sole_column {
    uint32_t index;
    bool has_several;
} sole_column;

static void note_column(void *user, uint32_t index) {
    sole_column *sole = user;
    if (sole->index != UINT32_MAX && sole->index != index) {
        sole->has_several = true;
    }
    sole->index = index;
}

static bool is_check_name_taken(const nq_table_definition *definition,
                                const nq_check_definition *checks, nq_bytes name) {
    for (uint32_t i = 0; i < definition->check_count; ++i) {
        if (nq_bytes_equal(checks[i].name, name)) {
            return true;
        }
    }
    return false;
}

static void append_text(uint8_t *text, size_t *size, nq_bytes part, size_t size_max) {
    size_t count = part.size > size_max - *size ? size_max - *size : part.size;
    memcpy(text + *size, part.data, count);
    *size += count;
}

/* "t_a_check", as PostgreSQL names them, with a number behind when the name is taken. */
static nq_status name_check(nq__binder *b, const nq_table_definition *definition,
                            const nq_check_definition *checks, const nq_expr *condition,
                            nq_bytes *out_name) {
    enum { STEM_BYTES_MAX = 53 };
    uint8_t *text = nq__bind_alloc(b, NQ_SQL_NAME_BYTES_MAX, 1);
    if (text == NULL) {
        return nq__bind_no_memory(b);
    }
    sole_column sole = {UINT32_MAX, false};
    nq_expr_visit_columns(condition, note_column, &sole);
    size_t size = 0;
    append_text(text, &size, definition->name, STEM_BYTES_MAX);
    if (sole.index != UINT32_MAX && !sole.has_several) {
        append_text(text, &size, NQ_BYTES_LITERAL("_"), STEM_BYTES_MAX);
        append_text(text, &size, definition->columns[sole.index].name, STEM_BYTES_MAX);
    }
    append_text(text, &size, NQ_BYTES_LITERAL("_check"), NQ_SQL_NAME_BYTES_MAX);
    size_t stem = size;
    for (uint32_t number = 1; is_check_name_taken(definition, checks, nq_bytes_of(text, size));
         ++number) {
        size = stem;
        if (number >= 100) {
            text[size++] = (uint8_t)('0' + number / 100 % 10);
        }
        if (number >= 10) {
            text[size++] = (uint8_t)('0' + number / 10 % 10);
        }
        text[size++] = (uint8_t)('0' + number % 10);
    }
    *out_name = nq_bytes_of(text, size);
    return NQ_OK;
}

enum { CHECK_COUNT_MAX = 100 };

static nq_status define_checks(nq__binder *b, const nq_ast_create_table *ast,
                               nq_table_definition *definition) {
    nq_check_definition *checks = nq__bind_alloc(b, ast->checks.count, sizeof(*checks));
    if (checks == NULL) {
        return nq__bind_no_memory(b);
    }
    if (ast->checks.count > CHECK_COUNT_MAX) {
        return nq__bind_fail(b, ast->table.offset, NQ_LIMIT_EXCEEDED,
                             "a table has at most %d CHECK constraints", CHECK_COUNT_MAX);
    }
    nq__names names = {0};
    for (uint32_t i = 0; i < definition->column_count; ++i) {
        nq_column_info info = {.name = definition->columns[i].name,
                               .type = definition->columns[i].type};
        nq_expr *column = nq_expr_column(b->arena, i, info.type);
        if (column == NULL) {
            return nq__bind_no_memory(b);
        }
        NQ_TRY(nq__names_append(
            b, &names, (nq__name){.table = definition->name, .expr = column, .info = info}));
    }
    nq__scope scope = {.names = &names, .place = "CHECK"};
    for (const nq_ast_check *each = ast->checks.first; each != NULL; each = each->next) {
        nq_check_definition *check = &checks[definition->check_count];
        const nq_expr *condition;
        NQ_TRY(nq__bind_condition(b, &scope, each->condition, &condition));
        if (b->subquery_count > 0) {
            return nq__bind_fail(b, each->condition->offset, NQ_FEATURE_UNSUPPORTED,
                                 "CHECK cannot hold a query");
        }
        NQ_TRY(nq_ast_print_expr(b->ctx, b->arena, each->condition, &check->condition_sql));
        check->name = each->name.text;
        if (check->name.size == 0) {
            NQ_TRY(name_check(b, definition, checks, condition, &check->name));
        } else if (is_check_name_taken(definition, checks, check->name)) {
            return nq__bind_fail(b, each->name.offset, NQ_INVALID_DEFINITION,
                                 "constraint \"%.*s\" is defined twice",
                                 NQ_BYTES_FORMAT(check->name));
        }
        ++definition->check_count;
    }
    definition->checks = checks;
    return NQ_OK;
}

/* ---- Statements ---- */

nq_status nq__bind_create_table(nq__binder *b, const nq_ast_create_table *ast,
                                nq_plan_node **out_node) {
    nq_table_definition *definition = nq__bind_alloc(b, 1, sizeof(*definition));
    nq_plan_node *node = nq__node(b, NQ_PLAN_CREATE_TABLE, 0, NULL, 0);
    if (definition == NULL || node == NULL) {
        return nq__bind_no_memory(b);
    }
    definition->name = ast->table.text;
    NQ_TRY(define_columns(b, ast, definition));
    NQ_TRY(define_key(b, ast, definition));
    NQ_TRY(define_checks(b, ast, definition));
    node->create_table = (nq_plan_create_table){definition, ast->if_not_exists};
    *out_node = node;
    return NQ_OK;
}

nq_status nq__bind_tables(nq__binder *b, nq_plan_kind kind, const nq_ast_tables *ast,
                          nq_plan_node **out_node) {
    nq_plan_node *node = nq__node(b, kind, 0, NULL, 0);
    nq_bytes *names = nq__bind_alloc(b, ast->tables.count, sizeof(*names));
    if (node == NULL || names == NULL) {
        return nq__bind_no_memory(b);
    }
    uint32_t count = 0;
    for (const nq_ast_name_node *each = ast->tables.first; each != NULL; each = each->next) {
        const nq_table *table;
        if (!ast->if_exists) {
            NQ_TRY(nq__find_table(b, &each->name, &table));
        }
        bool is_repeated = false;
        for (uint32_t i = 0; i < count; ++i) {
            is_repeated |= nq_bytes_equal(names[i], each->name.text);
        }
        if (!is_repeated) {
            names[count++] = each->name.text;
        }
    }
    node->tables = (nq_plan_tables){names, count, ast->if_exists, ast->restart_identity};
    *out_node = node;
    return NQ_OK;
}
