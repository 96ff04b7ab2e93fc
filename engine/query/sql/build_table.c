/* Build CREATE TABLE: columns with their constraints, and the constraints of the table. */
#include "engine/query/sql/sql_internal.h"

static void append_check(nq_parser *p, nq_ast_checks *checks, const nq_ast_name *name,
                         nq_ast_expr *condition) {
    nq_ast_check *check = nq__parser_alloc(p, sizeof(*check));
    if (check == NULL) {
        return;
    }
    check->condition = condition;
    if (name != NULL) {
        check->name = *name;
    }
    if (checks->first == NULL) {
        checks->first = check;
    } else {
        checks->last->next = check;
    }
    checks->last = check;
    ++checks->count;
}

nq_sql_column *nq__column(nq_parser *p, const nq_ast_name *name, nq_ast_type *type) {
    nq_sql_column *column = nq__parser_alloc(p, sizeof(*column));
    if (column != NULL) {
        column->column.name = *name;
        column->column.type = type;
        column->column.is_generated = type->is_serial;
        column->column.generated_offset = type->offset;
    }
    return column;
}

static void fail_twice(nq_parser *p, nq_sql_token at, const char *what) {
    nq__parser_fail(p, at.offset, NQ_SQL_SYNTAX, "%s is given twice for the column", what);
}

static void check_nullness(nq_parser *p, const nq_ast_column *column, nq_sql_token at) {
    if (column->is_not_null && column->is_null) {
        nq__parser_fail(p, at.offset, NQ_INVALID_DEFINITION,
                        "the column cannot be both NULL and NOT NULL");
    }
}

void nq__column_not_null(nq_parser *p, nq_sql_column *column, nq_sql_token at) {
    if (p->status == NQ_OK) {
        column->column.is_not_null = true;
        check_nullness(p, &column->column, at);
    }
}

void nq__column_null(nq_parser *p, nq_sql_column *column, nq_sql_token at) {
    if (p->status == NQ_OK) {
        column->column.is_null = true;
        check_nullness(p, &column->column, at);
    }
}

void nq__column_default(nq_parser *p, nq_sql_column *column, nq_sql_token at, nq_ast_expr *value) {
    if (p->status != NQ_OK) {
        return;
    }
    if (column->column.default_value != NULL) {
        fail_twice(p, at, "DEFAULT");
        return;
    }
    column->column.default_value = value;
}

void nq__column_primary_key(nq_parser *p, nq_sql_column *column, const nq_ast_name *name,
                            nq_sql_token at) {
    if (p->status != NQ_OK) {
        return;
    }
    if (column->column.is_primary_key) {
        fail_twice(p, at, "PRIMARY KEY");
        return;
    }
    column->column.is_primary_key = true;
    column->column.primary_key_offset = at.offset;
    if (name != NULL) {
        column->primary_key_name = *name;
    }
}

void nq__column_generated(nq_parser *p, nq_sql_column *column, nq_sql_token at, bool is_always) {
    if (p->status != NQ_OK) {
        return;
    }
    if (column->column.is_generated) {
        fail_twice(p, at, "a generated value");
        return;
    }
    column->column.is_generated = true;
    column->column.is_generated_always = is_always;
    column->column.generated_offset = at.offset;
}

void nq__column_check(nq_parser *p, nq_sql_column *column, const nq_ast_name *name, nq_sql_token at,
                      nq_ast_expr *condition) {
    (void)at;
    if (p->status == NQ_OK) {
        append_check(p, &column->checks, name, condition);
    }
}

nq_ast_create_table *nq__ast_table_column(nq_parser *p, nq_ast_create_table *table,
                                          nq_sql_column *column) {
    if (table == NULL) {
        table = nq__parser_alloc(p, sizeof(*table));
    }
    if (p->status != NQ_OK || table == NULL) {
        return NULL;
    }
    nq_ast_columns *columns = &table->columns;
    if (columns->count == NQ_SQL_COLUMN_COUNT_MAX) {
        nq__parser_fail(p, column->column.name.offset, NQ_LIMIT_EXCEEDED,
                        "a table has at most %d columns", NQ_SQL_COLUMN_COUNT_MAX);
        return NULL;
    }
    nq_ast_column *added = &column->column;
    if (columns->first == NULL) {
        columns->first = added;
    } else {
        columns->last->next = added;
    }
    columns->last = added;
    ++columns->count;
    if (column->primary_key_name.text.size > 0) {
        table->primary_key_name = column->primary_key_name;
    }
    if (column->checks.count > 0) {
        nq_ast_checks *checks = &table->checks;
        if (checks->first == NULL) {
            checks->first = column->checks.first;
        } else {
            checks->last->next = column->checks.first;
        }
        checks->last = column->checks.last;
        checks->count += column->checks.count;
    }
    return table;
}

nq_ast_create_table *nq__ast_table_primary_key(nq_parser *p, nq_ast_create_table *table,
                                               const nq_ast_name *name, nq_sql_token at,
                                               const nq_ast_names *columns) {
    if (p->status != NQ_OK) {
        return NULL;
    }
    if (table->primary_key.count > 0) {
        nq__parser_fail(p, at.offset, NQ_INVALID_DEFINITION, "a table has only one primary key");
        return NULL;
    }
    table->primary_key = *columns;
    table->primary_key_offset = at.offset;
    if (name != NULL) {
        table->primary_key_name = *name;
    }
    return table;
}

nq_ast_create_table *nq__ast_table_check(nq_parser *p, nq_ast_create_table *table,
                                         const nq_ast_name *name, nq_sql_token at,
                                         nq_ast_expr *condition) {
    (void)at;
    if (p->status != NQ_OK) {
        return NULL;
    }
    append_check(p, &table->checks, name, condition);
    return table;
}

nq_ast_statement *nq__ast_create_table(nq_parser *p, nq_sql_token at, const nq_ast_name *table,
                                       bool if_not_exists, const nq_ast_create_table *parts) {
    nq_ast_statement *statement = nq__ast_statement(p, NQ_AST_STATEMENT_CREATE_TABLE, at);
    nq_ast_create_table *create = nq__parser_alloc(p, sizeof(*create));
    if (statement == NULL || create == NULL) {
        return NULL;
    }
    *create = *parts;
    create->table = *table;
    create->if_not_exists = if_not_exists;
    statement->create_table = create;
    return statement;
}
