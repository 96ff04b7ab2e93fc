/* Bind names: which column a name means, and what a derived column is called. */
#include "engine/query/plan/bind_internal.h"

static const nq__names no_names;

nq__scope nq__scope_none(const nq__scope *outer, const char *place) {
    return (nq__scope){.outer = outer, .names = &no_names, .place = place};
}

nq_status nq__names_append(nq__binder *b, nq__names *names, nq__name name) {
    NQ_TRY(nq__bind_grow(b, &names->items, names->count, &names->capacity, sizeof(*names->items)));
    names->items[names->count++] = name;
    return NQ_OK;
}

static bool fits(const nq__name *name, const nq_ast_expr *column) {
    if (!nq_bytes_equal(name->info.name, column->name)) {
        return false;
    }
    return column->table.size == 0 ? !name->is_hidden : nq_bytes_equal(name->table, column->table);
}

/* The one name that fits, NULL when none does. */
static nq_status find_in(nq__binder *b, const nq__names *names, const nq_ast_expr *column,
                         const nq__name **out_name) {
    *out_name = NULL;
    for (uint32_t i = 0; i < names->count; ++i) {
        if (!fits(&names->items[i], column)) {
            continue;
        }
        if (*out_name != NULL) {
            nq_status status =
                nq__bind_fail(b, column->offset, NQ_AMBIGUOUS_COLUMN,
                              "column \"%.*s\" is ambiguous", NQ_BYTES_FORMAT(column->name));
            nq_error_set_hint(&b->ctx->error, "Write it with the name of its table.");
            nq_error_set_object(&b->ctx->error, (const char *)column->name.data, column->name.size);
            return status;
        }
        *out_name = &names->items[i];
    }
    return NQ_OK;
}

static bool has_table(const nq__names *names, nq_bytes table) {
    for (uint32_t i = 0; i < names->count; ++i) {
        if (nq_bytes_equal(names->items[i].table, table)) {
            return true;
        }
    }
    return false;
}

/* Edits that turn one short word into the other, at most `limit` + 1. */
static uint32_t edit_distance(nq_bytes left, nq_bytes right, uint32_t limit) {
    enum { LENGTH_MAX = 63 };
    if (left.size > LENGTH_MAX || right.size > LENGTH_MAX) {
        return limit + 1;
    }
    uint32_t row[LENGTH_MAX + 1];
    for (uint32_t i = 0; i <= right.size; ++i) {
        row[i] = i;
    }
    for (uint32_t i = 1; i <= left.size; ++i) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= right.size; ++j) {
            uint32_t above = row[j];
            uint32_t change = diagonal + (left.data[i - 1] != right.data[j - 1]);
            uint32_t least = above < row[j - 1] ? above + 1 : row[j - 1] + 1;
            row[j] = change < least ? change : least;
            diagonal = above;
        }
    }
    return row[right.size];
}

static void hint_nearest(nq__binder *b, const nq__names *names, nq_bytes wanted) {
    const nq__name *nearest = NULL;
    uint32_t least = wanted.size < 4 ? 2 : 3;
    for (uint32_t i = 0; i < names->count; ++i) {
        uint32_t distance = edit_distance(wanted, names->items[i].info.name, least);
        if (distance < least) {
            least = distance;
            nearest = &names->items[i];
        }
    }
    if (nearest != NULL) {
        nq_error_set_hint(&b->ctx->error, "Perhaps you meant \"%.*s\".",
                          NQ_BYTES_FORMAT(nearest->info.name));
    }
}

static bool is_table_in_scope(const nq__scope *scope, nq_bytes table) {
    for (; scope != NULL; scope = scope->outer) {
        if (has_table(scope->names, table)) {
            return true;
        }
    }
    return false;
}

static nq_status fail_unknown(nq__binder *b, const nq__scope *scope, const nq_ast_expr *column) {
    nq_status status;
    if (column->table.size > 0 && !is_table_in_scope(scope, column->table)) {
        status = nq__bind_fail(b, column->offset, NQ_TABLE_NOT_FOUND,
                               "no table or alias \"%.*s\" is in scope here",
                               NQ_BYTES_FORMAT(column->table));
        nq_error_set_object(&b->ctx->error, (const char *)column->table.data, column->table.size);
        return status;
    }
    if (scope->names->count == 0 && scope->outer == NULL) {
        status = nq__bind_fail(b, column->offset, NQ_UNKNOWN_COLUMN,
                               "column \"%.*s\" does not exist: %s has no columns to refer to",
                               NQ_BYTES_FORMAT(column->name), scope->place);
    } else {
        status = nq__bind_fail(b, column->offset, NQ_UNKNOWN_COLUMN,
                               "column \"%.*s\" does not exist", NQ_BYTES_FORMAT(column->name));
        hint_nearest(b, scope->names, column->name);
    }
    nq_error_set_object(&b->ctx->error, (const char *)column->name.data, column->name.size);
    return status;
}

nq_status nq__resolve(nq__binder *b, const nq__scope *scope, const nq_ast_expr *column,
                      const nq__name **out_name) {
    NQ_TRY(find_in(b, scope->names, column, out_name));
    if (*out_name != NULL) {
        return NQ_OK;
    }
    bool is_joined = true;
    for (const nq__scope *inner = scope; inner->outer != NULL; inner = inner->outer) {
        const nq__name *found = NULL;
        is_joined &= inner->is_joined;
        NQ_TRY(find_in(b, inner->outer->names, column, &found));
        if (found != NULL && is_joined) {
            *out_name = found;
            return NQ_OK;
        }
        if (found != NULL) {
            b->is_correlated = true;
            return nq__bind_fail(
                b, column->offset, NQ_FEATURE_UNSUPPORTED,
                "\"%.*s\" belongs to the enclosing query: a subquery may refer to it "
                "only in EXISTS and IN of WHERE in this version",
                NQ_BYTES_FORMAT(column->name));
        }
    }
    return fail_unknown(b, scope, column);
}

/* PostgreSQL's rules (FigureColname): a column's or function's name, the first through a cast. */
nq_bytes nq__derive_name(const nq_ast_expr *ast) {
    switch ((nq_ast_expr_kind)ast->kind) {
    case NQ_AST_COLUMN:
        return ast->name;
    case NQ_AST_FUNCTION:
        return ast->call->name.text;
    case NQ_AST_CASE:
        return ast->right != NULL && ast->right->kind == NQ_AST_COLUMN ? ast->right->name
                                                                       : NQ_BYTES_LITERAL("case");
    case NQ_AST_EXISTS:
        return NQ_BYTES_LITERAL("exists");
    case NQ_AST_CAST: {
        nq_bytes inner = nq__derive_name(ast->left);
        bool is_derived = !nq_bytes_equal(inner, NQ_BYTES_LITERAL("?column?"));
        return is_derived ? inner : nq_bytes_of_cstr(nq_type_name(ast->type->type.id));
    }
    case NQ_AST_SUBQUERY:
        if (ast->query->kind == NQ_AST_SELECT && ast->query->items.first != NULL) {
            const nq_ast_item *item = ast->query->items.first;
            return item->alias.text.size > 0 ? item->alias.text : nq__derive_name(item->expr);
        }
        return NQ_BYTES_LITERAL("?column?");
    case NQ_AST_BOOLEAN:
        return NQ_BYTES_LITERAL("bool");
    default:
        return NQ_BYTES_LITERAL("?column?");
    }
}
