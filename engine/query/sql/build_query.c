/* Build queries: SELECT, VALUES, set operations and what FROM may hold. */
#include "engine/query/sql/sql_internal.h"

/* Adds a node to a list of its type, making the list when it is NULL. */
#define APPEND(p, list, node)                                \
    do {                                                     \
        if ((list) == NULL) {                                \
            (list) = nq__parser_alloc((p), sizeof(*(list))); \
        }                                                    \
        if ((p)->status != NQ_OK || (list) == NULL) {        \
            return NULL;                                     \
        }                                                    \
        if ((list)->first == NULL) {                         \
            (list)->first = (node);                          \
        } else {                                             \
            (list)->last->next = (node);                     \
        }                                                    \
        (list)->last = (node);                               \
        ++(list)->count;                                     \
    } while (0)

nq_ast_name *nq__ast_name(nq_parser *p, nq_sql_token token) {
    nq_ast_name *name = nq__parser_alloc(p, sizeof(*name));
    if (name != NULL) {
        *name = (nq_ast_name){nq__parser_identifier(p, token), token.offset};
    }
    return name;
}

nq_ast_names *nq__ast_names_append(nq_parser *p, nq_ast_names *names, const nq_ast_name *name) {
    nq_ast_name_node *node = nq__parser_alloc(p, sizeof(*node));
    if (node == NULL || name == NULL) {
        return NULL;
    }
    node->name = *name;
    APPEND(p, names, node);
    return names;
}

nq_ast_item *nq__ast_item(nq_parser *p, nq_ast_expr *expr, const nq_ast_name *alias) {
    nq_ast_item *item = nq__parser_alloc(p, sizeof(*item));
    if (item == NULL) {
        return NULL;
    }
    item->expr = expr;
    if (alias != NULL) {
        item->alias = *alias;
        if (expr->kind == NQ_AST_STAR) {
            nq__parser_fail(p, alias->offset, NQ_SQL_SYNTAX, "\"*\" takes no alias");
        }
    }
    return item;
}

nq_ast_items *nq__ast_items_append(nq_parser *p, nq_ast_items *list, nq_ast_item *item) {
    if (list != NULL && list->count == NQ_SQL_COLUMN_COUNT_MAX) {
        nq__parser_fail(p, item->expr->offset, NQ_LIMIT_EXCEEDED, "a row has at most %d columns",
                        NQ_SQL_COLUMN_COUNT_MAX);
    }
    APPEND(p, list, item);
    return list;
}

nq_ast_order *nq__ast_order(nq_parser *p, nq_ast_expr *expr, bool is_descending,
                            nq_ast_nulls nulls) {
    nq_ast_order *order = nq__parser_alloc(p, sizeof(*order));
    if (order != NULL) {
        *order = (nq_ast_order){.expr = expr, .is_descending = is_descending, .nulls = nulls};
    }
    return order;
}

nq_ast_orders *nq__ast_orders_append(nq_parser *p, nq_ast_orders *list, nq_ast_order *order) {
    APPEND(p, list, order);
    return list;
}

nq_ast_rows *nq__ast_rows_append(nq_parser *p, nq_ast_rows *list, nq_sql_token at,
                                 const nq_ast_exprs *values) {
    nq_ast_row *row = nq__parser_alloc(p, sizeof(*row));
    if (row == NULL || values == NULL) {
        return NULL;
    }
    row->values = *values;
    row->offset = at.offset;
    if (values->count > NQ_SQL_COLUMN_COUNT_MAX) {
        nq__parser_fail(p, at.offset, NQ_LIMIT_EXCEEDED, "a row has at most %d columns",
                        NQ_SQL_COLUMN_COUNT_MAX);
    } else if (list != NULL && list->first->values.count != values->count) {
        nq__parser_fail(p, at.offset, NQ_SQL_SYNTAX,
                        "the row has %u values where the first has %u; all must be of one length",
                        values->count, list->first->values.count);
    }
    APPEND(p, list, row);
    return list;
}

nq_ast_froms *nq__ast_froms_append(nq_parser *p, nq_ast_froms *list, nq_ast_from *from) {
    APPEND(p, list, from);
    return list;
}

nq_ast_withs *nq__ast_withs_append(nq_parser *p, nq_ast_withs *list, const nq_ast_name *name,
                                   const nq_ast_names *columns, nq_ast_query *query) {
    nq_ast_with *with = nq__parser_alloc(p, sizeof(*with));
    if (with == NULL) {
        return NULL;
    }
    with->name = *name;
    with->query = query;
    if (columns != NULL) {
        with->column_aliases = *columns;
    }
    APPEND(p, list, with);
    return list;
}

/* ---- Queries ---- */

static nq_ast_query *new_query(nq_parser *p, nq_ast_query_kind kind, uint32_t offset) {
    nq_ast_query *query = nq__parser_alloc(p, sizeof(*query));
    if (query != NULL) {
        query->kind = kind;
        query->offset = offset;
        query->height = 1;
    }
    return query;
}

static void raise_height(nq_parser *p, nq_ast_query *query, uint32_t child_height) {
    if (child_height + 1 > NQ_SQL_DEPTH_MAX) {
        nq__parser_fail(p, query->offset, NQ_STATEMENT_TOO_COMPLEX,
                        "the query is nested more than %d deep", NQ_SQL_DEPTH_MAX);
    } else if (child_height + 1 > query->height) {
        query->height = (uint16_t)(child_height + 1);
    }
}

static void raise_over_expr(nq_parser *p, nq_ast_query *query, const nq_ast_expr *expr) {
    if (expr != NULL) {
        raise_height(p, query, expr->height);
    }
}

nq_ast_query *nq__ast_select(nq_parser *p, nq_sql_token at, const nq_sql_select *parts) {
    nq_ast_query *query = new_query(p, NQ_AST_SELECT, at.offset);
    if (query == NULL) {
        return NULL;
    }
    query->is_distinct = parts->is_distinct;
    query->items = *parts->items;
    query->where = parts->where;
    query->having = parts->having;
    query->is_grouped = parts->group_by != NULL || parts->having != NULL;
    if (parts->from != NULL) {
        query->from = *parts->from;
    }
    if (parts->group_by != NULL) {
        query->group_by = *parts->group_by;
    }
    raise_over_expr(p, query, query->where);
    raise_over_expr(p, query, query->having);
    for (nq_ast_item *item = query->items.first; item != NULL; item = item->next) {
        raise_over_expr(p, query, item->expr);
    }
    for (nq_ast_expr *expr = query->group_by.first; expr != NULL; expr = expr->next) {
        raise_over_expr(p, query, expr);
    }
    for (nq_ast_from *from = query->from.first; from != NULL; from = from->next) {
        raise_height(p, query, from->height);
    }
    return query;
}

nq_ast_query *nq__ast_values(nq_parser *p, nq_sql_token at, const nq_ast_rows *rows) {
    nq_ast_query *query = new_query(p, NQ_AST_VALUES, at.offset);
    if (query == NULL) {
        return NULL;
    }
    query->rows = *rows;
    for (nq_ast_row *row = rows->first; row != NULL; row = row->next) {
        for (nq_ast_expr *expr = row->values.first; expr != NULL; expr = expr->next) {
            raise_over_expr(p, query, expr);
        }
    }
    return query;
}

nq_ast_query *nq__ast_set_operation(nq_parser *p, nq_ast_query_kind kind, nq_sql_token at,
                                    bool is_all, nq_ast_query *left, nq_ast_query *right) {
    nq_ast_query *query = new_query(p, kind, at.offset);
    if (query != NULL) {
        query->is_all = is_all;
        query->left = left;
        query->right = right;
        raise_height(p, query, left->height);
        raise_height(p, query, right->height);
    }
    return query;
}

/* WITH, ORDER BY and LIMIT around a query. One that has such clauses already stood in parentheses
 * and keeps them: the new ones apply to its result. */
nq_ast_query *nq__ast_query_tail(nq_parser *p, nq_ast_query *query, const nq_ast_withs *with,
                                 const nq_ast_orders *order_by, const nq_sql_limits *limits) {
    if (p->status != NQ_OK) {
        return NULL;
    }
    if (query->with.count > 0 || query->order_by.count > 0 || query->limit != NULL ||
        query->limit_offset != NULL) {
        nq_ast_query *outer = new_query(p, NQ_AST_NESTED, query->offset);
        if (outer == NULL) {
            return NULL;
        }
        outer->left = query;
        raise_height(p, outer, query->height);
        query = outer;
    }
    if (with != NULL) {
        query->with = *with;
        for (nq_ast_with *each = with->first; each != NULL; each = each->next) {
            raise_height(p, query, each->query->height);
        }
    }
    if (order_by != NULL) {
        query->order_by = *order_by;
        for (nq_ast_order *each = order_by->first; each != NULL; each = each->next) {
            raise_over_expr(p, query, each->expr);
        }
    }
    if (limits != NULL) {
        query->limit = limits->limit;
        query->limit_offset = limits->offset;
        raise_over_expr(p, query, query->limit);
        raise_over_expr(p, query, query->limit_offset);
    }
    return query;
}

nq_sql_limits *nq__limits(nq_parser *p, nq_ast_expr *limit, nq_ast_expr *offset) {
    nq_sql_limits *limits = nq__parser_alloc(p, sizeof(*limits));
    if (limits != NULL) {
        *limits = (nq_sql_limits){limit, offset};
    }
    return limits;
}

/* ---- FROM ---- */

nq_sql_alias *nq__alias(nq_parser *p, const nq_ast_name *name, const nq_ast_names *columns) {
    nq_sql_alias *alias = nq__parser_alloc(p, sizeof(*alias));
    if (alias != NULL) {
        alias->name = *name;
        if (columns != NULL) {
            alias->columns = *columns;
        }
    }
    return alias;
}

static nq_ast_from *new_from(nq_parser *p, nq_ast_from_kind kind, uint32_t offset,
                             const nq_sql_alias *alias) {
    nq_ast_from *from = nq__parser_alloc(p, sizeof(*from));
    if (from != NULL) {
        from->kind = kind;
        from->offset = offset;
        from->height = 1;
        if (alias != NULL) {
            from->alias = alias->name;
            from->column_aliases = alias->columns;
        }
    }
    return from;
}

static void raise_from_height(nq_parser *p, nq_ast_from *from, uint32_t child_height) {
    if (child_height + 1 > NQ_SQL_DEPTH_MAX) {
        nq__parser_fail(p, from->offset, NQ_STATEMENT_TOO_COMPLEX,
                        "FROM is nested more than %d deep", NQ_SQL_DEPTH_MAX);
    } else if (child_height + 1 > from->height) {
        from->height = (uint16_t)(child_height + 1);
    }
}

nq_ast_from *nq__ast_from_table(nq_parser *p, const nq_ast_name *table, const nq_sql_alias *alias) {
    if (p->status != NQ_OK) {
        return NULL;
    }
    nq_ast_from *from = new_from(p, NQ_AST_FROM_TABLE, table->offset, alias);
    if (from != NULL) {
        from->table = *table;
    }
    return from;
}

nq_ast_from *nq__ast_from_query(nq_parser *p, nq_ast_query *query, const nq_sql_alias *alias) {
    if (p->status != NQ_OK) {
        return NULL;
    }
    nq_ast_from *from = new_from(p, NQ_AST_FROM_QUERY, query->offset, alias);
    if (from != NULL) {
        from->query = query;
        raise_from_height(p, from, query->height);
    }
    return from;
}

nq_ast_from *nq__ast_from_function(nq_parser *p, nq_sql_token name, const nq_ast_exprs *arguments,
                                   const nq_sql_alias *alias) {
    nq_ast_from *from = new_from(p, NQ_AST_FROM_FUNCTION, name.offset, alias);
    nq_ast_expr *call = nq__ast_call(p, name, arguments, false);
    if (from == NULL || call == NULL) {
        return NULL;
    }
    from->function = call;
    raise_from_height(p, from, call->height);
    return from;
}

nq_ast_from *nq__ast_join(nq_parser *p, nq_sql_token at, nq_ast_join_kind kind, nq_ast_from *left,
                          nq_ast_from *right, nq_ast_expr *on, const nq_ast_names *using) {
    nq_ast_from *from = new_from(p, NQ_AST_FROM_JOIN, at.offset, NULL);
    if (from == NULL) {
        return NULL;
    }
    from->join = kind;
    from->left = left;
    from->right = right;
    from->on = on;
    if (using != NULL) {
        from->using = *using;
    }
    raise_from_height(p, from, left->height);
    raise_from_height(p, from, right->height);
    raise_from_height(p, from, on == NULL ? 0 : on->height);
    return from;
}

nq_ast_from *nq__ast_natural_join(nq_parser *p, nq_sql_token at, nq_ast_join_kind kind,
                                  nq_ast_from *left, nq_ast_from *right) {
    nq_ast_from *from = nq__ast_join(p, at, kind, left, right, NULL, NULL);
    if (from != NULL) {
        from->is_natural = true;
    }
    return from;
}
