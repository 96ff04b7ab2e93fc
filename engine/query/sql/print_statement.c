/* Print statements: queries, writing, definitions and transaction control. */
#include "engine/query/sql/print_internal.h"

/* ---- FROM ---- */

static void print_alias(nq__printer *out, const nq_ast_from *from) {
    if (from->alias.text.size == 0) {
        return;
    }
    nq__print(out, " AS ");
    nq__print_name(out, from->alias.text);
    if (from->column_aliases.count > 0) {
        nq__print(out, " (");
        nq__print_names(out, &from->column_aliases);
        nq__print(out, ")");
    }
}

static void print_from(nq__printer *out, const nq_ast_from *from);

static void print_join(nq__printer *out, const nq_ast_from *from) {
    static const char *const words[] = {
        [NQ_AST_JOIN_CROSS] = "CROSS JOIN ", [NQ_AST_JOIN_INNER] = "JOIN ",
        [NQ_AST_JOIN_LEFT] = "LEFT JOIN ",   [NQ_AST_JOIN_RIGHT] = "RIGHT JOIN ",
        [NQ_AST_JOIN_FULL] = "FULL JOIN ",
    };
    bool has_parens = from->right->kind == NQ_AST_FROM_JOIN;
    print_from(out, from->left);
    nq__print(out, from->is_natural ? " NATURAL " : " ");
    nq__print(out, words[from->join]);
    nq__print(out, has_parens ? "(" : "");
    print_from(out, from->right);
    nq__print(out, has_parens ? ")" : "");
    if (from->on != NULL) {
        nq__print(out, " ON ");
        nq__print_expr(out, from->on);
    } else if (from->using.count > 0) {
        nq__print(out, " USING (");
        nq__print_names(out, &from->using);
        nq__print(out, ")");
    }
}

static void print_from(nq__printer *out, const nq_ast_from *from) {
    switch (from->kind) {
    case NQ_AST_FROM_TABLE:
        nq__print_name(out, from->table.text);
        break;
    case NQ_AST_FROM_QUERY:
        nq__print(out, "(");
        nq__print_query(out, from->query);
        nq__print(out, ")");
        break;
    case NQ_AST_FROM_FUNCTION:
        nq__print_name(out, from->function->call->name.text);
        nq__print(out, "(");
        nq__print_exprs(out, &from->function->operands);
        nq__print(out, ")");
        break;
    case NQ_AST_FROM_JOIN:
        print_join(out, from);
        return;
    }
    print_alias(out, from);
}

/* ---- Queries ---- */

static void print_items(nq__printer *out, const nq_ast_items *items) {
    for (const nq_ast_item *item = items->first; item != NULL; item = item->next) {
        nq__print(out, item == items->first ? "" : ", ");
        nq__print_expr(out, item->expr);
        if (item->alias.text.size > 0) {
            nq__print(out, " AS ");
            nq__print_name(out, item->alias.text);
        }
    }
}

static void print_select(nq__printer *out, const nq_ast_query *query) {
    nq__print(out, query->is_distinct ? "SELECT DISTINCT " : "SELECT ");
    print_items(out, &query->items);
    for (const nq_ast_from *from = query->from.first; from != NULL; from = from->next) {
        nq__print(out, from == query->from.first ? " FROM " : ", ");
        print_from(out, from);
    }
    if (query->where != NULL) {
        nq__print(out, " WHERE ");
        nq__print_expr(out, query->where);
    }
    if (query->group_by.count > 0) {
        nq__print(out, " GROUP BY ");
        nq__print_exprs(out, &query->group_by);
    }
    if (query->having != NULL) {
        nq__print(out, " HAVING ");
        nq__print_expr(out, query->having);
    }
}

static void print_values(nq__printer *out, const nq_ast_rows *rows) {
    nq__print(out, "VALUES ");
    for (const nq_ast_row *row = rows->first; row != NULL; row = row->next) {
        nq__print(out, row == rows->first ? "(" : ", (");
        nq__print_exprs(out, &row->values);
        nq__print(out, ")");
    }
}

static bool has_tail(const nq_ast_query *query) {
    return query->with.count > 0 || query->order_by.count > 0 || query->limit != NULL ||
           query->limit_offset != NULL;
}

static void print_query_operand(nq__printer *out, const nq_ast_query *query) {
    bool has_parens = query->kind > NQ_AST_VALUES || has_tail(query);
    nq__print(out, has_parens ? "(" : "");
    nq__print_query(out, query);
    nq__print(out, has_parens ? ")" : "");
}

static void print_set_operation(nq__printer *out, const nq_ast_query *query) {
    static const char *const words[] = {
        [NQ_AST_UNION] = " UNION ",
        [NQ_AST_INTERSECT] = " INTERSECT ",
        [NQ_AST_EXCEPT] = " EXCEPT ",
    };
    print_query_operand(out, query->left);
    nq__print(out, words[query->kind]);
    nq__print(out, query->is_all ? "ALL " : "");
    print_query_operand(out, query->right);
}

static void print_with(nq__printer *out, const nq_ast_withs *withs) {
    for (const nq_ast_with *with = withs->first; with != NULL; with = with->next) {
        nq__print(out, with == withs->first ? "WITH " : ", ");
        nq__print_name(out, with->name.text);
        if (with->column_aliases.count > 0) {
            nq__print(out, " (");
            nq__print_names(out, &with->column_aliases);
            nq__print(out, ")");
        }
        nq__print(out, " AS (");
        nq__print_query(out, with->query);
        nq__print(out, ")");
    }
    nq__print(out, withs->count > 0 ? " " : "");
}

static void print_order_by(nq__printer *out, const nq_ast_orders *orders) {
    static const char *const nulls[] = {
        [NQ_AST_NULLS_DEFAULT] = "",
        [NQ_AST_NULLS_FIRST] = " NULLS FIRST",
        [NQ_AST_NULLS_LAST] = " NULLS LAST",
    };
    for (const nq_ast_order *order = orders->first; order != NULL; order = order->next) {
        nq__print(out, order == orders->first ? " ORDER BY " : ", ");
        nq__print_expr(out, order->expr);
        nq__print(out, order->is_descending ? " DESC" : "");
        nq__print(out, nulls[order->nulls]);
    }
}

void nq__print_query(nq__printer *out, const nq_ast_query *query) {
    print_with(out, &query->with);
    switch (query->kind) {
    case NQ_AST_SELECT:
        print_select(out, query);
        break;
    case NQ_AST_VALUES:
        print_values(out, &query->rows);
        break;
    case NQ_AST_NESTED:
        nq__print(out, "(");
        nq__print_query(out, query->left);
        nq__print(out, ")");
        break;
    default:
        print_set_operation(out, query);
        break;
    }
    print_order_by(out, &query->order_by);
    if (query->limit != NULL) {
        nq__print(out, " LIMIT ");
        nq__print_expr(out, query->limit);
    }
    if (query->limit_offset != NULL) {
        nq__print(out, " OFFSET ");
        nq__print_expr(out, query->limit_offset);
    }
}

/* ---- Writing ---- */

static void print_target(nq__printer *out, nq_ast_name table, nq_ast_name alias) {
    nq__print_name(out, table.text);
    if (alias.text.size > 0) {
        nq__print(out, " AS ");
        nq__print_name(out, alias.text);
    }
}

static void print_sets(nq__printer *out, const nq_ast_sets *sets) {
    nq__print(out, " SET ");
    for (const nq_ast_set *set = sets->first; set != NULL; set = set->next) {
        nq__print(out, set == sets->first ? "" : ", ");
        nq__print_name(out, set->column.text);
        nq__print(out, " = ");
        nq__print_expr(out, set->value);
    }
}

static void print_where(nq__printer *out, const nq_ast_expr *where) {
    if (where != NULL) {
        nq__print(out, " WHERE ");
        nq__print_expr(out, where);
    }
}

static void print_returning(nq__printer *out, const nq_ast_items *items) {
    if (items->count > 0) {
        nq__print(out, " RETURNING ");
        print_items(out, items);
    }
}

static void print_conflict(nq__printer *out, const nq_ast_insert *insert) {
    if (insert->conflict == NQ_AST_CONFLICT_FAIL) {
        return;
    }
    nq__print(out, " ON CONFLICT");
    if (insert->conflict_target.count > 0) {
        nq__print(out, " (");
        nq__print_names(out, &insert->conflict_target);
        nq__print(out, ")");
    }
    if (insert->conflict == NQ_AST_CONFLICT_NOTHING) {
        nq__print(out, " DO NOTHING");
        return;
    }
    nq__print(out, " DO UPDATE");
    print_sets(out, &insert->conflict_sets);
    print_where(out, insert->conflict_where);
}

static void print_insert(nq__printer *out, const nq_ast_insert *insert) {
    nq__print(out, "INSERT INTO ");
    print_target(out, insert->table, insert->alias);
    if (insert->columns.count > 0) {
        nq__print(out, " (");
        nq__print_names(out, &insert->columns);
        nq__print(out, ")");
    }
    nq__print(out, " ");
    if (insert->source == NULL) {
        nq__print(out, "DEFAULT VALUES");
    } else {
        nq__print_query(out, insert->source);
    }
    print_conflict(out, insert);
    print_returning(out, &insert->returning);
}

static void print_update(nq__printer *out, const nq_ast_update *update) {
    nq__print(out, "UPDATE ");
    print_target(out, update->table, update->alias);
    print_sets(out, &update->sets);
    print_where(out, update->where);
    print_returning(out, &update->returning);
}

static void print_delete(nq__printer *out, const nq_ast_delete *delete) {
    nq__print(out, "DELETE FROM ");
    print_target(out, delete->table, delete->alias);
    print_where(out, delete->where);
    print_returning(out, &delete->returning);
}

/* ---- Definitions ---- */

static void print_constraint_name(nq__printer *out, nq_ast_name name) {
    if (name.text.size > 0) {
        nq__print(out, "CONSTRAINT ");
        nq__print_name(out, name.text);
        nq__print(out, " ");
    }
}

static void print_column(nq__printer *out, const nq_ast_create_table *create,
                         const nq_ast_column *column) {
    nq__print_name(out, column->name.text);
    nq__print(out, " ");
    nq__print_type(out, column->type);
    if (column->is_generated && !column->type->is_serial) {
        nq__print(out, column->is_generated_always ? " GENERATED ALWAYS AS IDENTITY"
                                                   : " GENERATED BY DEFAULT AS IDENTITY");
    }
    nq__print(out, column->is_not_null ? " NOT NULL" : column->is_null ? " NULL" : "");
    if (column->default_value != NULL) {
        nq__print(out, " DEFAULT ");
        nq__print_expr(out, column->default_value);
    }
    if (column->is_primary_key) {
        nq__print(out, " ");
        print_constraint_name(out, create->primary_key_name);
        nq__print(out, "PRIMARY KEY");
    }
}

static void print_create_table(nq__printer *out, const nq_ast_create_table *create) {
    nq__print(out, create->if_not_exists ? "CREATE TABLE IF NOT EXISTS " : "CREATE TABLE ");
    nq__print_name(out, create->table.text);
    nq__print(out, " (");
    for (const nq_ast_column *column = create->columns.first; column != NULL;
         column = column->next) {
        nq__print(out, column == create->columns.first ? "" : ", ");
        print_column(out, create, column);
    }
    if (create->primary_key.count > 0) {
        nq__print(out, ", ");
        print_constraint_name(out, create->primary_key_name);
        nq__print(out, "PRIMARY KEY (");
        nq__print_names(out, &create->primary_key);
        nq__print(out, ")");
    }
    for (const nq_ast_check *check = create->checks.first; check != NULL; check = check->next) {
        nq__print(out, ", ");
        print_constraint_name(out, check->name);
        nq__print(out, "CHECK (");
        nq__print_expr(out, check->condition);
        nq__print(out, ")");
    }
    nq__print(out, ")");
}

static void print_begin(nq__printer *out, nq_ast_begin begin) {
    static const char *const levels[] = {
        [NQ_AST_ISOLATION_DEFAULT] = "",
        [NQ_AST_ISOLATION_READ_COMMITTED] = " ISOLATION LEVEL READ COMMITTED",
        [NQ_AST_ISOLATION_REPEATABLE_READ] = " ISOLATION LEVEL REPEATABLE READ",
        [NQ_AST_ISOLATION_SERIALIZABLE] = " ISOLATION LEVEL SERIALIZABLE",
    };
    nq__print(out, "BEGIN");
    nq__print(out, levels[begin.isolation]);
    nq__print(out, begin.is_read_only ? " READ ONLY" : "");
}

static void print_with_savepoint(nq__printer *out, const char *words, nq_ast_name savepoint) {
    nq__print(out, words);
    nq__print_name(out, savepoint.text);
}

static void print_tables(nq__printer *out, const char *words, const nq_ast_tables *tables) {
    nq__print(out, words);
    nq__print(out, tables->if_exists ? "IF EXISTS " : "");
    nq__print_names(out, &tables->tables);
    nq__print(out, tables->restart_identity ? " RESTART IDENTITY" : "");
}

void nq__print_statement(nq__printer *out, const nq_ast_statement *statement) {
    switch (statement->kind) {
    case NQ_AST_STATEMENT_QUERY:
        nq__print_query(out, statement->query);
        return;
    case NQ_AST_STATEMENT_INSERT:
        print_insert(out, statement->insert);
        return;
    case NQ_AST_STATEMENT_UPDATE:
        print_update(out, statement->update);
        return;
    case NQ_AST_STATEMENT_DELETE:
        print_delete(out, statement->delete);
        return;
    case NQ_AST_STATEMENT_TRUNCATE:
        print_tables(out, "TRUNCATE TABLE ", statement->tables);
        return;
    case NQ_AST_STATEMENT_CREATE_TABLE:
        print_create_table(out, statement->create_table);
        return;
    case NQ_AST_STATEMENT_DROP_TABLE:
        print_tables(out, "DROP TABLE ", statement->tables);
        return;
    case NQ_AST_STATEMENT_BEGIN:
        print_begin(out, statement->begin);
        return;
    case NQ_AST_STATEMENT_COMMIT:
        nq__print(out, "COMMIT");
        return;
    case NQ_AST_STATEMENT_ROLLBACK:
        nq__print(out, "ROLLBACK");
        return;
    case NQ_AST_STATEMENT_SAVEPOINT:
        print_with_savepoint(out, "SAVEPOINT ", statement->savepoint);
        return;
    case NQ_AST_STATEMENT_ROLLBACK_TO:
        print_with_savepoint(out, "ROLLBACK TO ", statement->savepoint);
        return;
    case NQ_AST_STATEMENT_RELEASE:
        print_with_savepoint(out, "RELEASE ", statement->savepoint);
        return;
    case NQ_AST_STATEMENT_EXPLAIN:
        nq__print(out, statement->explain.is_analyze ? "EXPLAIN ANALYZE " : "EXPLAIN ");
        nq__print_statement(out, statement->explain.statement);
        return;
    }
}
