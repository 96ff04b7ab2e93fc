/* Bind queries: VALUES, set operations, and what every query may have after it. */
#include "engine/query/plan/bind_internal.h"

/* ---- ORDER BY and LIMIT ---- */

nq_status nq__check_list(nq__binder *b, uint32_t count, const nq_ast_expr *first,
                         const char *what) {
    if (count <= NQ__LIST_COUNT_MAX) {
        return NQ_OK;
    }
    return nq__bind_fail(b, first->offset, NQ_LIMIT_EXCEEDED, "%s takes at most %d expressions",
                         what, NQ__LIST_COUNT_MAX);
}

bool nq__order_nulls_first(const nq_ast_order *order) {
    return order->nulls == NQ_AST_NULLS_DEFAULT ? order->is_descending
                                                : order->nulls == NQ_AST_NULLS_FIRST;
}

nq_status nq__order_position(nq__binder *b, const nq_ast_expr *ast, const char *where,
                             uint32_t column_count, uint32_t *out_index) {
    *out_index = UINT32_MAX;
    if (ast->kind == NQ_AST_INTEGER) {
        if (ast->integer < 1 || ast->integer > (int64_t)column_count) {
            return nq__bind_fail(b, ast->offset, NQ_INVALID_COLUMN_REFERENCE,
                                 "%s position %lld is not one of the %u columns", where,
                                 (long long)ast->integer, column_count);
        }
        *out_index = (uint32_t)(ast->integer - 1);
    } else if (ast->kind <= NQ_AST_BYTES) {
        return nq__bind_fail(b, ast->offset, NQ_SQL_SYNTAX,
                             "a constant in %s that is not a column's position orders nothing",
                             where);
    }
    return NQ_OK;
}

static nq_status bind_limit(nq__binder *b, const nq__scope *outer, const nq_ast_expr *ast,
                            const char *place, const nq_expr **out_expr) {
    *out_expr = NULL;
    if (ast == NULL) {
        return NQ_OK;
    }
    nq__scope scope = nq__scope_none(outer, place);
    NQ_TRY(nq__bind_expr(b, &scope, ast, out_expr));
    NQ_TRY(nq__coerce(b, *out_expr, NQ_TYPE(NQ_TYPE_INT64), NQ_CAST_ASSIGNMENT, place, out_expr));
    const nq_expr *limit = *out_expr;
    if (limit->is_volatile) {
        return nq__bind_fail(b, ast->offset, NQ_INVALID_COLUMN_REFERENCE,
                             "%s must be one value for the whole query", place);
    }
    if (limit->kind == NQ_EXPR_CONSTANT && !limit->value.is_null && limit->value.integer < 0) {
        return nq__bind_fail(b, ast->offset, NQ_INVALID_LIMIT, "%s must not be negative", place);
    }
    bool is_none = limit->kind == NQ_EXPR_CONSTANT && limit->value.is_null;
    *out_expr = is_none ? NULL : limit;
    return NQ_OK;
}

static double limited_rows(const nq_plan_node *input, const nq_expr *limit, const nq_expr *offset) {
    double rows = input->estimated_rows;
    if (offset != NULL && offset->kind == NQ_EXPR_CONSTANT) {
        rows -= (double)offset->value.integer;
    }
    if (limit != NULL && limit->kind == NQ_EXPR_CONSTANT && (double)limit->value.integer < rows) {
        rows = (double)limit->value.integer;
    }
    return rows < 1 ? 1 : rows;
}

nq_status nq__plan_limit(nq__binder *b, const nq_ast_query *ast, const nq__scope *outer,
                         nq_plan_node *input, nq_plan_node **out_node) {
    const nq_expr *limit, *offset;
    NQ_TRY(bind_limit(b, outer, ast->limit, "LIMIT", &limit));
    NQ_TRY(bind_limit(b, outer, ast->limit_offset, "OFFSET", &offset));
    *out_node = input;
    if (limit == NULL && offset == NULL) {
        return NQ_OK;
    }
    nq_plan_node *node = nq__node_over(b, NQ_PLAN_LIMIT, input, input->column_count, input->columns,
                                       limited_rows(input, limit, offset));
    if (node == NULL) {
        return nq__bind_no_memory(b);
    }
    node->limit = (nq_plan_limit){limit, offset};
    *out_node = node;
    return NQ_OK;
}

/* A heap of this many rows is still better than sorting everything. */
enum { TOP_ROWS_MAX = 100000 };

static bool is_small(const nq_expr *limit, const nq_expr *offset) {
    if (limit == NULL || limit->kind != NQ_EXPR_CONSTANT) {
        return false;
    }
    if (offset != NULL && offset->kind != NQ_EXPR_CONSTANT) {
        return false;
    }
    int64_t skipped = offset == NULL ? 0 : offset->value.integer;
    return limit->value.integer <= TOP_ROWS_MAX && skipped <= TOP_ROWS_MAX;
}

nq_status nq__plan_sort(nq__binder *b, const nq_ast_query *ast, const nq__scope *outer,
                        nq_plan_node *input, const nq_plan_sort_key *keys, uint32_t key_count,
                        uint32_t column_count, const nq_column_info *columns,
                        nq_plan_node **out_node) {
    const nq_expr *limit, *offset;
    NQ_TRY(bind_limit(b, outer, ast->limit, "LIMIT", &limit));
    NQ_TRY(bind_limit(b, outer, ast->limit_offset, "OFFSET", &offset));
    bool is_top = is_small(limit, offset);
    double rows = is_top ? limited_rows(input, limit, offset) : input->estimated_rows;
    nq_plan_node *node =
        nq__node_over(b, is_top ? NQ_PLAN_TOP_N : NQ_PLAN_SORT, input, column_count, columns, rows);
    if (node == NULL) {
        return nq__bind_no_memory(b);
    }
    node->sort = (nq_plan_sort){keys, key_count, is_top ? limit : NULL, is_top ? offset : NULL};
    *out_node = node;
    return is_top ? NQ_OK : nq__plan_limit(b, ast, outer, node, out_node);
}

/* ORDER BY over the result's own columns: by position or name. */
static nq_status output_key(nq__binder *b, const nq__query *query, const nq_ast_order *order,
                            nq_plan_sort_key *out_key) {
    const nq_ast_expr *ast = order->expr;
    uint32_t column;
    NQ_TRY(nq__order_position(b, ast, "ORDER BY", query->column_count, &column));
    bool is_name = ast->kind == NQ_AST_COLUMN && ast->table.size == 0;
    for (uint32_t i = 0; is_name && i < query->column_count; ++i) {
        if (nq_bytes_equal(query->columns[i].name, ast->name)) {
            if (column != UINT32_MAX) {
                return nq__bind_fail(b, ast->offset, NQ_AMBIGUOUS_COLUMN,
                                     "ORDER BY \"%.*s\" is ambiguous", NQ_BYTES_FORMAT(ast->name));
            }
            column = i;
        }
    }
    if (column == UINT32_MAX) {
        return nq__bind_fail(b, ast->offset, is_name ? NQ_UNKNOWN_COLUMN : NQ_FEATURE_UNSUPPORTED,
                             "ORDER BY of VALUES or a set operation takes a result column's name "
                             "or position");
    }
    *out_key = (nq_plan_sort_key){column, order->is_descending, nq__order_nulls_first(order)};
    return NQ_OK;
}

nq_status nq__plan_order_by_output(nq__binder *b, const nq__query *query, nq_plan_node *input,
                                   nq_plan_node **out_node) {
    const nq_ast_query *ast = query->ast;
    if (ast->order_by.count == 0) {
        return nq__plan_limit(b, ast, query->outer, input, out_node);
    }
    NQ_TRY(nq__check_list(b, ast->order_by.count, ast->order_by.first->expr, "ORDER BY"));
    nq_plan_sort_key *keys = nq__bind_alloc(b, ast->order_by.count, sizeof(*keys));
    if (keys == NULL) {
        return nq__bind_no_memory(b);
    }
    uint32_t count = 0;
    for (const nq_ast_order *order = ast->order_by.first; order != NULL; order = order->next) {
        NQ_TRY(output_key(b, query, order, &keys[count++]));
    }
    return nq__plan_sort(b, ast, query->outer, input, keys, count, query->column_count,
                         query->columns, out_node);
}

/* ---- VALUES ---- */

static nq_status bind_values(nq__binder *b, nq__query *query) {
    const nq_ast_rows *rows = &query->ast->rows;
    uint32_t width = rows->first->values.count;
    query->row_count = rows->count;
    query->column_count = width;
    query->exprs = nq__bind_alloc(b, (size_t)rows->count * width, sizeof(*query->exprs));
    query->columns = nq__bind_alloc(b, width, sizeof(*query->columns));
    const nq_expr **column = nq__bind_alloc(b, rows->count, sizeof(*column));
    if (query->exprs == NULL || query->columns == NULL || column == NULL) {
        return nq__bind_no_memory(b);
    }
    nq__scope scope = nq__scope_none(query->outer, "VALUES");
    const nq_expr **next = query->exprs;
    for (const nq_ast_row *row = rows->first; row != NULL; row = row->next) {
        for (const nq_ast_expr *each = row->values.first; each != NULL; each = each->next) {
            NQ_TRY(nq__bind_expr(b, &scope, each, next++));
        }
    }
    for (uint32_t i = 0; i < width; ++i) {
        bool is_untyped = true;
        for (uint32_t row = 0; row < rows->count; ++row) {
            column[row] = query->exprs[(size_t)row * width + i];
            is_untyped &= column[row]->type.id == NQ_TYPE_UNKNOWN;
        }
        nq_type type = NQ_TYPE(NQ_TYPE_UNKNOWN);
        if (!is_untyped) {
            NQ_TRY(nq__coerce_common(b, rows->first->offset, "VALUES", column, rows->count, &type));
        }
        for (uint32_t row = 0; row < rows->count; ++row) {
            query->exprs[(size_t)row * width + i] = column[row];
        }
        uint8_t *name = nq__bind_alloc(b, 16, 1);
        if (name == NULL) {
            return nq__bind_no_memory(b);
        }
        memcpy(name, "column", 6); /* column1, column2 .. as in PostgreSQL */
        uint32_t number = i + 1, digits = number < 10     ? 1
                                          : number < 100  ? 2
                                          : number < 1000 ? 3
                                                          : 4;
        for (uint32_t digit = digits; digit > 0; --digit, number /= 10) {
            name[5 + digit] = (uint8_t)('0' + number % 10);
        }
        query->columns[i] = (nq_column_info){
            .name = nq_bytes_of(name, 6 + digits), .type = type, .is_nullable = true};
    }
    return NQ_OK;
}

static nq_status plan_values(nq__binder *b, nq__query *query, nq_plan_node **out_node) {
    nq_plan_node *node =
        nq__node(b, NQ_PLAN_VALUES, query->column_count, query->columns, query->row_count);
    if (node == NULL) {
        return nq__bind_no_memory(b);
    }
    node->values = (nq_plan_values){query->exprs, query->row_count};
    return nq__plan_order_by_output(b, query, node, out_node);
}

/* ---- Set operations ---- */

static const char *set_name(nq_ast_query_kind kind) {
    return kind == NQ_AST_UNION ? "UNION" : kind == NQ_AST_INTERSECT ? "INTERSECT" : "EXCEPT";
}

static nq_status bind_set(nq__binder *b, nq__query *query) {
    const nq_ast_query *ast = query->ast;
    NQ_TRY(nq__query_bind(b, query->outer, ast->left, &query->left));
    NQ_TRY(nq__query_bind(b, query->outer, ast->right, &query->right));
    uint32_t count = query->left->column_count;
    if (count != query->right->column_count) {
        return nq__bind_fail(b, ast->right->offset, NQ_SQL_SYNTAX,
                             "the sides of %s must have the same number of columns, not %u and %u",
                             set_name(ast->kind), count, query->right->column_count);
    }
    query->column_count = count;
    query->columns = nq__bind_alloc(b, count, sizeof(*query->columns));
    nq_type *types = nq__bind_alloc(b, count, sizeof(*types));
    if (query->columns == NULL || types == NULL) {
        return nq__bind_no_memory(b);
    }
    for (uint32_t i = 0; i < count; ++i) {
        nq_type pair[2] = {query->left->columns[i].type, query->right->columns[i].type};
        NQ_TRY(nq__bind_at(b, ast->right->offset,
                           nq_type_common(b->ctx, set_name(ast->kind), pair, 2, &types[i])));
        query->columns[i] = (nq_column_info){
            .name = query->left->columns[i].name,
            .type = types[i],
            .is_nullable =
                query->left->columns[i].is_nullable || query->right->columns[i].is_nullable,
        };
    }
    NQ_TRY(nq__query_coerce(b, query->left, types, NQ_CAST_IMPLICIT));
    return nq__query_coerce(b, query->right, types, NQ_CAST_IMPLICIT);
}

static nq_set_kind set_kind(const nq_ast_query *ast) {
    switch (ast->kind) {
    case NQ_AST_INTERSECT:
        return ast->is_all ? NQ_SET_INTERSECT_ALL : NQ_SET_INTERSECT;
    case NQ_AST_EXCEPT:
        return ast->is_all ? NQ_SET_EXCEPT_ALL : NQ_SET_EXCEPT;
    default:
        return NQ_SET_UNION_ALL;
    }
}

static nq_status plan_set(nq__binder *b, nq__query *query, nq_plan_node **out_node) {
    nq_plan_node *left, *right;
    NQ_TRY(nq__query_plan(b, query->left, &left));
    NQ_TRY(nq__query_plan(b, query->right, &right));
    double rows = left->estimated_rows;
    if (query->ast->kind == NQ_AST_UNION) {
        rows += right->estimated_rows;
    }
    nq_plan_node *node = nq__node(b, NQ_PLAN_SET, query->column_count, query->columns, rows);
    const nq_plan_node **inputs = nq__bind_alloc(b, 2, sizeof(const nq_plan_node *));
    if (node == NULL || inputs == NULL) {
        return nq__bind_no_memory(b);
    }
    inputs[0] = left;
    inputs[1] = right;
    node->inputs = inputs;
    node->input_count = 2;
    node->set.kind = set_kind(query->ast);
    if (query->ast->kind == NQ_AST_UNION && !query->ast->is_all) {
        node = nq__node_over(b, NQ_PLAN_DISTINCT, node, query->column_count, query->columns, rows);
        if (node == NULL) {
            return nq__bind_no_memory(b);
        }
    }
    return nq__plan_order_by_output(b, query, node, out_node);
}

/* ---- All kinds ---- */

static nq_status push_withs(nq__binder *b, const nq_ast_withs *withs) {
    for (const nq_ast_with *each = withs->first; each != NULL; each = each->next) {
        for (const nq_ast_with *other = withs->first; other != each; other = other->next) {
            if (nq_bytes_equal(other->name.text, each->name.text)) {
                return nq__bind_fail(b, each->name.offset, NQ_DUPLICATE_ALIAS,
                                     "WITH name \"%.*s\" is used twice",
                                     NQ_BYTES_FORMAT(each->name.text));
            }
        }
        nq__with *with = nq__bind_alloc(b, 1, sizeof(*with));
        if (with == NULL) {
            return nq__bind_no_memory(b);
        }
        *with = (nq__with){.next = b->with, .ast = each, .visible = b->with};
        b->with = with;
    }
    return NQ_OK;
}

static nq_status bind_kind(nq__binder *b, nq__query *query) {
    switch (query->ast->kind) {
    case NQ_AST_SELECT:
        return nq__select_bind(b, query);
    case NQ_AST_VALUES:
        return bind_values(b, query);
    case NQ_AST_NESTED:
        NQ_TRY(nq__query_bind(b, query->outer, query->ast->left, &query->left));
        query->column_count = query->left->column_count;
        query->columns = query->left->columns;
        return NQ_OK;
    default:
        return bind_set(b, query);
    }
}

nq_status nq__query_bind(nq__binder *b, const nq__scope *outer, const nq_ast_query *ast,
                         nq__query **out_query) {
    *out_query = NULL;
    NQ_TRY(nq_ctx_poll(b->ctx));
    if (++b->query_count > NQ__QUERY_COUNT_MAX) {
        return nq__bind_fail(b, ast->offset, NQ_STATEMENT_TOO_COMPLEX,
                             "the statement comes to more than %d queries", NQ__QUERY_COUNT_MAX);
    }
    nq__query *query = nq__bind_alloc(b, 1, sizeof(*query));
    if (query == NULL) {
        return nq__bind_no_memory(b);
    }
    query->ast = ast;
    query->outer = outer;
    nq__with *kept = b->with;
    NQ_TRY(push_withs(b, &ast->with));
    query->with = b->with;
    nq_status status = bind_kind(b, query);
    b->with = kept;
    NQ_TRY(status);
    *out_query = query;
    return NQ_OK;
}

/* Every row's expression of column `i`. */
static nq_status coerce_exprs(nq__binder *b, nq__query *query, uint32_t i, const nq_type *type,
                              nq_cast_level level) {
    uint32_t rows = query->ast->kind == NQ_AST_VALUES ? query->row_count : 1;
    for (uint32_t row = 0; row < rows; ++row) {
        const nq_expr **expr = &query->exprs[(size_t)row * query->column_count + i];
        if (type == NULL) {
            NQ_TRY(nq__coerce_unknown(b, *expr, expr));
        } else {
            NQ_TRY(nq__coerce(b, *expr, *type, level, "the column", expr));
        }
        query->columns[i].type = (*expr)->type;
    }
    return NQ_OK;
}

static bool agrees(const nq__query *query, const nq_type *types) {
    for (uint32_t i = 0; types != NULL && i < query->column_count; ++i) {
        if (types[i].id != query->columns[i].type.id) {
            return false;
        }
    }
    return true;
}

/* A set operation: its sides agree on narrower types already. */
static nq_status coerce_sides(nq__binder *b, nq__query *query, const nq_type *types,
                              nq_cast_level level) {
    NQ_TRY(nq__query_coerce(b, query->left, types, level));
    NQ_TRY(nq__query_coerce(b, query->right, types, level));
    for (uint32_t i = 0; i < query->column_count; ++i) {
        query->columns[i].type = types[i];
    }
    return NQ_OK;
}

nq_status nq__query_coerce(nq__binder *b, nq__query *query, const nq_type *types,
                           nq_cast_level level) {
    if (query->ast->kind == NQ_AST_NESTED) {
        return nq__query_coerce(b, query->left, types, level);
    }
    if (query->exprs == NULL) {
        return agrees(query, types) ? NQ_OK : coerce_sides(b, query, types, level);
    }
    for (uint32_t i = 0; i < query->column_count; ++i) {
        NQ_TRY(coerce_exprs(b, query, i, types == NULL ? NULL : &types[i], level));
    }
    return NQ_OK;
}

nq_status nq__query_plan(nq__binder *b, nq__query *query, nq_plan_node **out_node) {
    nq__with *kept = b->with;
    b->with = query->with;
    nq_status status;
    switch (query->ast->kind) {
    case NQ_AST_SELECT:
        status = nq__select_plan(b, query, out_node);
        break;
    case NQ_AST_VALUES:
        status = plan_values(b, query, out_node);
        break;
    case NQ_AST_NESTED: {
        nq_plan_node *inner = NULL;
        status = nq__query_plan(b, query->left, &inner);
        if (status == NQ_OK) {
            status = nq__plan_order_by_output(b, query, inner, out_node);
        }
        break;
    }
    default:
        status = plan_set(b, query, out_node);
        break;
    }
    b->with = kept;
    return status;
}

nq_status nq__query_make(nq__binder *b, const nq__scope *outer, const nq_ast_query *ast,
                         nq_plan_node **out_node) {
    nq__query *query = NULL;
    NQ_TRY(nq__query_bind(b, outer, ast, &query));
    NQ_TRY(nq__query_coerce(b, query, NULL, NQ_CAST_IMPLICIT));
    return nq__query_plan(b, query, out_node);
}
