/* Build statements: types, writing, definitions and transaction control. */
#include "engine/query/sql/sql_internal.h"

/* ---- Types ---- */

static nq_ast_type *new_type(nq_parser *p, nq_type_id id, uint32_t offset) {
    nq_ast_type *type = nq__parser_alloc(p, sizeof(*type));
    if (type != NULL) {
        type->type.id = id;
        type->offset = offset;
    }
    return type;
}

/* The words of a type in small letters with one blank between them, into `out`; size 0: too long.
 */
static nq_bytes fold_words(nq_bytes text, uint8_t *out, size_t out_bytes) {
    size_t size = 0;
    for (size_t i = 0; i < text.size; ++i) {
        uint8_t byte = text.data[i];
        bool is_blank = byte == ' ' || (byte >= '\t' && byte <= '\r');
        if (is_blank && size > 0 && out[size - 1] == ' ') {
            continue;
        }
        if (size == out_bytes) {
            return (nq_bytes){0};
        }
        out[size++] = is_blank ? ' ' : byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
    }
    return (nq_bytes){out, size};
}

static const struct {
    const char *name;
    nq_type_id id;
} serial_types[] = {
    {"smallserial", NQ_TYPE_INT16}, {"serial2", NQ_TYPE_INT16},   {"serial", NQ_TYPE_INT32},
    {"serial4", NQ_TYPE_INT32},     {"bigserial", NQ_TYPE_INT64}, {"serial8", NQ_TYPE_INT64},
};

static nq_type_id find_serial(nq_bytes name) {
    for (size_t i = 0; i < sizeof(serial_types) / sizeof(serial_types[0]); ++i) {
        if (nq_bytes_equal(name, nq_bytes_of_cstr(serial_types[i].name))) {
            return serial_types[i].id;
        }
    }
    return NQ_TYPE_UNKNOWN;
}

static bool word_is(nq_bytes name, const char *word) {
    return nq_bytes_equal(name, nq_bytes_of_cstr(word));
}

static bool is_char(nq_bytes name) {
    return word_is(name, "char") || word_is(name, "character") || word_is(name, "bpchar");
}

/* (n) after a type's name. */
static void apply_arguments(nq_parser *p, nq_ast_type *type, nq_bytes name,
                            const nq_ast_exprs *arguments) {
    int64_t first = arguments->first == NULL ? 0 : arguments->first->integer;
    if (type->type.id == NQ_TYPE_TEXT && !word_is(name, "text") && arguments->count == 1) {
        if (first < 1 || first > 10485760) {
            nq__parser_fail(p, type->offset, NQ_INVALID_ARGUMENT,
                            "a length must be from 1 to 10485760 characters");
        }
        type->type.length_max = (uint32_t)first;
        return;
    }
    if (word_is(name, "float") && arguments->count == 1 && first >= 1 && first <= 53) {
        type->type.id = first <= 24 ? NQ_TYPE_FLOAT32 : NQ_TYPE_FLOAT64;
        return;
    }
    nq__parser_fail(p, type->offset, NQ_SQL_SYNTAX, "type %.*s takes no such argument",
                    NQ_BYTES_FORMAT(name));
}

static void refuse_reserved_types(nq_parser *p, const nq_ast_type *type, nq_bytes name) {
    nq_type_id id = type->type.id;
    if (id == NQ_TYPE_DECIMAL || id == NQ_TYPE_INTERVAL || id == NQ_TYPE_JSON) {
        nq__parser_fail(p, type->offset, NQ_FEATURE_UNSUPPORTED,
                        "type %.*s is not supported by this version", NQ_BYTES_FORMAT(name));
    }
}

nq_ast_type *nq__ast_type(nq_parser *p, nq_sql_token first, nq_sql_token last,
                          const nq_ast_exprs *arguments) {
    if (p->status != NQ_OK) {
        return NULL;
    }
    uint8_t buffer[NQ_SQL_NAME_BYTES_MAX + 1];
    nq_bytes written = nq__parser_text(p, nq__token_span(first, last));
    bool is_quoted = written.data[0] == '"';
    nq_bytes name =
        is_quoted ? nq__parser_identifier(p, first) : fold_words(written, buffer, sizeof(buffer));
    nq_type_id serial = find_serial(name);
    nq_type_id id = serial != NQ_TYPE_UNKNOWN ? serial : nq_type_find(name);
    if (word_is(name, "interval")) {
        id = NQ_TYPE_INTERVAL;
    } else if (word_is(name, "decimal") || word_is(name, "numeric") || word_is(name, "dec")) {
        id = NQ_TYPE_DECIMAL;
    } else if (word_is(name, "json") || word_is(name, "jsonb")) {
        id = NQ_TYPE_JSON;
    }
    if (id == NQ_TYPE_UNKNOWN) {
        nq__parser_fail(p, first.offset, NQ_UNKNOWN_TYPE, "type \"%.*s\" does not exist",
                        NQ_BYTES_FORMAT(written));
        return NULL;
    }
    nq_ast_type *type = new_type(p, id, first.offset);
    if (type == NULL) {
        return NULL;
    }
    refuse_reserved_types(p, type, name);
    type->is_serial = serial != NQ_TYPE_UNKNOWN;
    if (is_char(name)) {
        type->type.is_padded = true;
        type->type.length_max = 1;
    }
    if (arguments != NULL) {
        apply_arguments(p, type, name, arguments);
    }
    return type;
}

/* TIME and TIMESTAMP hold microseconds: another precision than 6 cannot be kept. */
nq_ast_type *nq__ast_time_type(nq_parser *p, nq_sql_token word, const nq_ast_exprs *arguments,
                               nq_sql_token zone) {
    if (p->status != NQ_OK) {
        return NULL;
    }
    bool is_timestamp = word.size == sizeof("timestamp") - 1;
    if (zone.size > 0) {
        nq__parser_refuse(p, zone,
                          is_timestamp ? "TIMESTAMP WITH TIME ZONE" : "TIME WITH TIME ZONE");
    }
    if (arguments != NULL && (arguments->count != 1 || arguments->first->integer != 6)) {
        nq__parser_refuse(p, word, "a time precision other than 6");
    }
    return new_type(p, is_timestamp ? NQ_TYPE_TIMESTAMP : NQ_TYPE_TIME, word.offset);
}

/* ---- Statements ---- */

nq_ast_statement *nq__ast_statement(nq_parser *p, nq_ast_statement_kind kind, nq_sql_token at) {
    nq_ast_statement *statement = nq__parser_alloc(p, sizeof(*statement));
    if (statement != NULL) {
        statement->kind = kind;
        statement->offset = at.offset;
    }
    return statement;
}

nq_ast_statement *nq__ast_explain(nq_parser *p, nq_sql_token at, bool is_analyze,
                                  nq_ast_statement *inner) {
    nq_ast_statement *statement = nq__ast_statement(p, NQ_AST_STATEMENT_EXPLAIN, at);
    if (statement == NULL) {
        return NULL;
    }
    if (inner->kind > NQ_AST_STATEMENT_DELETE) {
        nq__parser_fail(p, inner->offset, NQ_FEATURE_UNSUPPORTED,
                        "EXPLAIN is for queries, INSERT, UPDATE and DELETE");
    }
    statement->explain = (nq_ast_explain){is_analyze, inner};
    return statement;
}

nq_ast_statement *nq__ast_query_statement(nq_parser *p, nq_ast_query *query) {
    if (p->status != NQ_OK) {
        return NULL;
    }
    nq_ast_statement *statement =
        nq__ast_statement(p, NQ_AST_STATEMENT_QUERY, (nq_sql_token){query->offset, 0});
    if (statement != NULL) {
        statement->query = query;
    }
    return statement;
}

nq_ast_insert *nq__ast_insert_target(nq_parser *p, const nq_ast_name *table,
                                     const nq_ast_name *alias) {
    nq_ast_insert *insert = nq__parser_alloc(p, sizeof(*insert));
    if (insert != NULL) {
        insert->table = *table;
        if (alias != NULL) {
            insert->alias = *alias;
        }
    }
    return insert;
}

nq_ast_insert *nq__ast_insert_source(nq_parser *p, const nq_ast_names *columns,
                                     nq_ast_query *source) {
    nq_ast_insert *insert = nq__parser_alloc(p, sizeof(*insert));
    if (insert != NULL) {
        insert->source = source;
        if (columns != NULL) {
            insert->columns = *columns;
        }
    }
    return insert;
}

nq_ast_insert *nq__ast_conflict(nq_parser *p, nq_sql_token at, nq_ast_conflict_kind kind,
                                const nq_ast_names *target, const nq_ast_sets *sets,
                                nq_ast_expr *where) {
    nq_ast_insert *insert = nq__parser_alloc(p, sizeof(*insert));
    if (insert == NULL) {
        return NULL;
    }
    insert->conflict = kind;
    insert->conflict_offset = at.offset;
    insert->conflict_where = where;
    if (target != NULL) {
        insert->conflict_target = *target;
    } else if (kind == NQ_AST_CONFLICT_UPDATE) {
        nq__parser_fail(
            p, at.offset, NQ_SQL_SYNTAX,
            "ON CONFLICT DO UPDATE needs the conflicting columns: ON CONFLICT (columns)");
    }
    if (sets != NULL) {
        insert->conflict_sets = *sets;
    }
    return insert;
}

static nq_ast_items items_or_none(const nq_ast_items *items) {
    return items == NULL ? (nq_ast_items){0} : *items;
}

nq_ast_statement *nq__ast_insert(nq_parser *p, nq_sql_token at, const nq_ast_insert *target,
                                 const nq_ast_insert *source, const nq_ast_insert *conflict,
                                 const nq_ast_items *returning) {
    nq_ast_statement *statement = nq__ast_statement(p, NQ_AST_STATEMENT_INSERT, at);
    nq_ast_insert *insert = nq__parser_alloc(p, sizeof(*insert));
    if (statement == NULL || insert == NULL) {
        return NULL;
    }
    if (conflict != NULL) {
        *insert = *conflict;
    }
    insert->table = target->table;
    insert->alias = target->alias;
    insert->columns = source->columns;
    insert->source = source->source;
    insert->returning = items_or_none(returning);
    statement->insert = insert;
    return statement;
}

nq_sql_target *nq__target(nq_parser *p, const nq_ast_name *table, const nq_ast_name *alias) {
    nq_sql_target *target = nq__parser_alloc(p, sizeof(*target));
    if (target != NULL) {
        target->table = *table;
        target->alias = alias == NULL ? (nq_ast_name){0} : *alias;
    }
    return target;
}

nq_ast_set *nq__ast_set(nq_parser *p, const nq_ast_name *column, nq_ast_expr *value) {
    nq_ast_set *set = nq__parser_alloc(p, sizeof(*set));
    if (set != NULL) {
        set->column = *column;
        set->value = value;
    }
    return set;
}

nq_ast_sets *nq__ast_sets_append(nq_parser *p, nq_ast_sets *list, nq_ast_set *set) {
    if (list == NULL) {
        list = nq__parser_alloc(p, sizeof(*list));
    }
    if (p->status != NQ_OK || list == NULL) {
        return NULL;
    }
    if (list->first == NULL) {
        list->first = set;
    } else {
        list->last->next = set;
    }
    list->last = set;
    ++list->count;
    return list;
}

nq_ast_statement *nq__ast_update(nq_parser *p, nq_sql_token at, const nq_sql_target *target,
                                 const nq_ast_sets *sets, nq_ast_expr *where,
                                 const nq_ast_items *returning) {
    nq_ast_statement *statement = nq__ast_statement(p, NQ_AST_STATEMENT_UPDATE, at);
    nq_ast_update *update = nq__parser_alloc(p, sizeof(*update));
    if (statement == NULL || update == NULL) {
        return NULL;
    }
    *update = (nq_ast_update){target->table, target->alias, *sets, where, items_or_none(returning)};
    statement->update = update;
    return statement;
}

nq_ast_statement *nq__ast_delete(nq_parser *p, nq_sql_token at, const nq_sql_target *target,
                                 nq_ast_expr *where, const nq_ast_items *returning) {
    nq_ast_statement *statement = nq__ast_statement(p, NQ_AST_STATEMENT_DELETE, at);
    nq_ast_delete *delete = nq__parser_alloc(p, sizeof(*delete));
    if (statement == NULL || delete == NULL) {
        return NULL;
    }
    *delete = (nq_ast_delete){target->table, target->alias, where, items_or_none(returning)};
    statement->delete = delete;
    return statement;
}

static nq_ast_statement *new_tables(nq_parser *p, nq_ast_statement_kind kind, nq_sql_token at,
                                    const nq_ast_names *names) {
    nq_ast_statement *statement = nq__ast_statement(p, kind, at);
    nq_ast_tables *tables = nq__parser_alloc(p, sizeof(*tables));
    if (statement == NULL || tables == NULL) {
        return NULL;
    }
    tables->tables = *names;
    statement->tables = tables;
    return statement;
}

nq_ast_statement *nq__ast_truncate(nq_parser *p, nq_sql_token at, const nq_ast_names *tables,
                                   bool restart_identity) {
    nq_ast_statement *statement = new_tables(p, NQ_AST_STATEMENT_TRUNCATE, at, tables);
    if (statement != NULL) {
        statement->tables->restart_identity = restart_identity;
    }
    return statement;
}

nq_ast_statement *nq__ast_drop_table(nq_parser *p, nq_sql_token at, const nq_ast_names *tables,
                                     bool if_exists) {
    nq_ast_statement *statement = new_tables(p, NQ_AST_STATEMENT_DROP_TABLE, at, tables);
    if (statement != NULL) {
        statement->tables->if_exists = if_exists;
    }
    return statement;
}

/* ---- Transactions ---- */

nq_sql_modes nq__modes_join(nq_parser *p, nq_sql_token comma, nq_sql_modes left,
                            nq_sql_modes right) {
    if ((left.has_isolation && right.has_isolation) || (left.has_access && right.has_access)) {
        nq__parser_fail(p, comma.offset, NQ_SQL_SYNTAX, "a transaction mode is given twice");
    }
    if (right.has_isolation) {
        left.isolation = right.isolation;
        left.has_isolation = true;
    }
    if (right.has_access) {
        left.is_read_only = right.is_read_only;
        left.has_access = true;
    }
    return left;
}

nq_ast_statement *nq__ast_begin(nq_parser *p, nq_sql_token at, nq_sql_modes modes) {
    nq_ast_statement *statement = nq__ast_statement(p, NQ_AST_STATEMENT_BEGIN, at);
    if (statement != NULL) {
        statement->begin = (nq_ast_begin){(nq_ast_isolation)modes.isolation, modes.is_read_only};
    }
    return statement;
}

nq_ast_statement *nq__ast_savepoint(nq_parser *p, nq_ast_statement_kind kind, nq_sql_token at,
                                    const nq_ast_name *name) {
    nq_ast_statement *statement = nq__ast_statement(p, kind, at);
    if (statement != NULL) {
        statement->savepoint = *name;
    }
    return statement;
}
