/* Bind items: a SELECT list or RETURNING, stars expanded, every column named. */
#include "engine/query/plan/bind_internal.h"

static nq_status add_item(nq__binder *b, nq__items *items, const nq_expr *expr,
                          nq_column_info column) {
    if (items->exprs.count == NQ_SQL_COLUMN_COUNT_MAX) {
        return nq_fail(b->ctx, NQ_LIMIT_EXCEEDED, "a row has at most %d columns",
                       NQ_SQL_COLUMN_COUNT_MAX);
    }
    NQ_TRY(nq__bind_grow(b, &items->columns, items->exprs.count, &items->column_capacity,
                         sizeof(*items->columns)));
    items->columns[items->exprs.count] = column;
    return nq__exprs_append(b, &items->exprs, expr);
}

static nq_status expand_star(nq__binder *b, const nq__scope *scope, const nq_ast_expr *star,
                             nq__items *items) {
    const nq__names *names = scope->names;
    bool has_any = false;
    for (uint32_t i = 0; i < names->count; ++i) {
        const nq__name *name = &names->items[i];
        bool is_meant =
            star->table.size == 0 ? !name->is_hidden : nq_bytes_equal(name->table, star->table);
        if (!is_meant) {
            continue;
        }
        has_any = true;
        nq_ast_expr column = {.kind = NQ_AST_COLUMN, .offset = star->offset};
        const nq_expr *expr = name->expr;
        if (expr->kind == NQ_EXPR_COLUMN) {
            nq_expr *copy = nq_expr_column(b->arena, expr->index, expr->type);
            if (copy == NULL) {
                return nq__bind_no_memory(b);
            }
            copy->offset = column.offset;
            expr = copy;
        }
        NQ_TRY(nq__bind_at(b, star->offset, add_item(b, items, expr, name->info)));
    }
    if (has_any) {
        return NQ_OK;
    }
    if (star->table.size > 0) {
        return nq__bind_fail(b, star->offset, NQ_TABLE_NOT_FOUND,
                             "no table or alias \"%.*s\" is in scope here",
                             NQ_BYTES_FORMAT(star->table));
    }
    return nq__bind_fail(b, star->offset, NQ_SQL_SYNTAX, "\"*\" needs a FROM clause with columns");
}

/* A plain column keeps what is known about it; anything else only has a type. */
static nq_column_info describe(const nq__scope *scope, const nq_ast_item *item,
                               const nq_expr *expr) {
    nq_column_info column = {.type = expr->type, .is_nullable = true};
    if (item->expr->kind == NQ_AST_COLUMN) {
        for (uint32_t i = 0; i < scope->names->count; ++i) {
            const nq__name *name = &scope->names->items[i];
            if (expr->kind == NQ_EXPR_COLUMN && name->expr->kind == NQ_EXPR_COLUMN &&
                name->expr->index == expr->index) {
                column = name->info;
                break;
            }
        }
    } else if (expr->kind == NQ_EXPR_CONSTANT) {
        column.is_nullable = expr->value.is_null;
    }
    column.name = item->alias.text.size > 0 ? item->alias.text : nq__derive_name(item->expr);
    return column;
}

nq_status nq__bind_items(nq__binder *b, const nq__scope *scope, const nq_ast_items *items,
                         nq__items *out_items) {
    for (const nq_ast_item *item = items->first; item != NULL; item = item->next) {
        if (item->expr->kind == NQ_AST_STAR) {
            NQ_TRY(expand_star(b, scope, item->expr, out_items));
            continue;
        }
        const nq_expr *expr;
        NQ_TRY(nq__bind_expr(b, scope, item->expr, &expr));
        NQ_TRY(nq__bind_at(b, item->expr->offset,
                           add_item(b, out_items, expr, describe(scope, item, expr))));
    }
    return NQ_OK;
}
