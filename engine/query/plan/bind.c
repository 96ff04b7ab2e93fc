/* Bind: the front, parameters, and what every other file of the binder leans on. */
#include "engine/query/plan/bind.h"

#include "engine/query/plan/bind_internal.h"

/* ---- Memory and failures ---- */

nq_status nq__bind_no_memory(nq__binder *b) {
    return nq_fail_no_memory(b->ctx, "the statement's plan");
}

void *nq__bind_alloc(nq__binder *b, size_t count, size_t element_bytes) {
    return nq_arena_calloc(b->arena, count == 0 ? 1 : count, element_bytes);
}

nq_status nq__bind_at(nq__binder *b, uint32_t offset, nq_status status) {
    if (status != NQ_OK && b->ctx->error.position.line == 0 && offset <= b->sql.size) {
        b->ctx->error.position = nq_sql_position(b->sql, offset);
    }
    return status;
}

nq_status nq__bind_grow(nq__binder *b, void *in_out_items, uint32_t count,
                        uint32_t *in_out_capacity, size_t element_bytes) {
    if (count < *in_out_capacity) {
        return NQ_OK;
    }
    uint32_t capacity = count < 8 ? 8 : count * 2;
    void *grown = nq__bind_alloc(b, capacity, element_bytes);
    if (grown == NULL) {
        return nq__bind_no_memory(b);
    }
    void *items;
    memcpy(&items, in_out_items, sizeof(items)); /* any pointer type */
    if (count > 0) {
        memcpy(grown, items, count * element_bytes);
    }
    memcpy(in_out_items, &grown, sizeof(grown));
    *in_out_capacity = capacity;
    return NQ_OK;
}

nq_status nq__exprs_append(nq__binder *b, nq__exprs *list, const nq_expr *expr) {
    if (expr == NULL) {
        return nq__bind_no_memory(b);
    }
    NQ_TRY(nq__bind_grow(b, &list->items, list->count, &list->capacity, sizeof(*list->items)));
    list->items[list->count++] = expr;
    return NQ_OK;
}

/* ---- The front ---- */

static nq_status bind_query_statement(nq__binder *b, const nq_ast_query *query,
                                      nq_plan_node **out_node) {
    return nq__query_make(b, NULL, query, out_node);
}

static nq_status bind_statement(nq__binder *b, const nq_ast_statement *statement,
                                nq_plan_node **out_node) {
    switch (statement->kind) {
    case NQ_AST_STATEMENT_QUERY:
        return bind_query_statement(b, statement->query, out_node);
    case NQ_AST_STATEMENT_INSERT:
        return nq__bind_insert(b, statement->insert, out_node);
    case NQ_AST_STATEMENT_UPDATE:
        return nq__bind_update(b, statement->update, out_node);
    case NQ_AST_STATEMENT_DELETE:
        return nq__bind_delete(b, statement->delete, out_node);
    case NQ_AST_STATEMENT_CREATE_TABLE:
        return nq__bind_create_table(b, statement->create_table, out_node);
    case NQ_AST_STATEMENT_DROP_TABLE:
        return nq__bind_tables(b, NQ_PLAN_DROP_TABLE, statement->tables, out_node);
    case NQ_AST_STATEMENT_TRUNCATE:
        return nq__bind_tables(b, NQ_PLAN_TRUNCATE, statement->tables, out_node);
    case NQ_AST_STATEMENT_EXPLAIN:
        return bind_statement(b, statement->explain.statement, out_node);
    default:
        return nq_fail(b->ctx, NQ_BUG, "transaction control has no plan");
    }
}

static nq_status list_parameters(nq__binder *b, nq_plan *plan) {
    nq_column_info *columns = nq__bind_alloc(b, b->parameter_count, sizeof(*columns));
    if (columns == NULL) {
        return nq__bind_no_memory(b);
    }
    for (uint32_t i = 0; i < b->parameter_count; ++i) {
        nq_type type = b->parameter_types[i];
        columns[i] = (nq_column_info){
            .name = b->parameters[i].name,
            .type = type.id == NQ_TYPE_UNKNOWN ? NQ_TYPE(NQ_TYPE_TEXT) : type,
            .is_nullable = true,
        };
    }
    plan->parameters = columns;
    plan->parameter_count = b->parameter_count;
    return NQ_OK;
}

nq_status nq_plan_bind(nq_ctx *ctx, nq_arena *arena, const nq_ast_statement *statement,
                       const nq_bind_options *options, nq_plan **out_plan) {
    *out_plan = NULL;
    nq__binder binder = {
        .ctx = ctx,
        .arena = arena,
        .sql = statement->sql,
        .options = options,
        .parameters = statement->parameters,
        .parameter_count = statement->parameter_count,
    };
    nq__binder *b = &binder;
    b->parameter_types = nq__bind_alloc(b, b->parameter_count, sizeof(*b->parameter_types));
    nq_plan *plan = nq__bind_alloc(b, 1, sizeof(*plan));
    if (b->parameter_types == NULL || plan == NULL) {
        return nq__bind_no_memory(b);
    }
    nq_plan_node *root = NULL;
    NQ_TRY(bind_statement(b, statement, &root));
    NQ_TRY(list_parameters(b, plan));
    plan->root = root;
    plan->subqueries = b->subqueries;
    plan->subquery_count = b->subquery_count;
    *out_plan = plan;
    return NQ_OK;
}
