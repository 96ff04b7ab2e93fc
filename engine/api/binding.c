/* Bindings: a statement parsed and planned against one version of the catalog. */
#include <string.h>

#include "engine/api/api_internal.h"
#include "engine/data/table/table.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"
#include "engine/query/plan/bind.h"

void nq__binding_acquire(nq__binding *binding) {
    (void)atomic_fetch_add_explicit(&binding->reference_count, 1, memory_order_relaxed);
}

void nq__binding_release(nq__binding *binding) {
    if (binding == NULL ||
        atomic_fetch_sub_explicit(&binding->reference_count, 1, memory_order_acq_rel) != 1) {
        return;
    }
    nq_catalog_snapshot_release(binding->snapshot);
    nq_arena_deinit(&binding->arena);
    nq_heap_free(binding);
}

static nq_statement_kind kind_of(nq_ast_statement_kind kind) {
    switch (kind) {
    case NQ_AST_STATEMENT_QUERY:
        return NQ_STATEMENT_QUERY;
    case NQ_AST_STATEMENT_INSERT:
    case NQ_AST_STATEMENT_UPDATE:
    case NQ_AST_STATEMENT_DELETE:
        return NQ_STATEMENT_WRITE;
    case NQ_AST_STATEMENT_TRUNCATE:
    case NQ_AST_STATEMENT_CREATE_TABLE:
    case NQ_AST_STATEMENT_DROP_TABLE:
        return NQ_STATEMENT_DDL;
    case NQ_AST_STATEMENT_BEGIN:
        return NQ_STATEMENT_BEGIN;
    case NQ_AST_STATEMENT_COMMIT:
        return NQ_STATEMENT_COMMIT;
    case NQ_AST_STATEMENT_ROLLBACK:
        return NQ_STATEMENT_ROLLBACK;
    case NQ_AST_STATEMENT_SAVEPOINT:
        return NQ_STATEMENT_SAVEPOINT;
    case NQ_AST_STATEMENT_ROLLBACK_TO:
        return NQ_STATEMENT_ROLLBACK_TO;
    case NQ_AST_STATEMENT_RELEASE:
        return NQ_STATEMENT_RELEASE;
    case NQ_AST_STATEMENT_EXPLAIN:
        break;
    }
    return NQ_STATEMENT_EXPLAIN;
}

static bool is_control(nq_statement_kind kind) {
    return kind >= NQ_STATEMENT_BEGIN && kind <= NQ_STATEMENT_RELEASE;
}

typedef struct estimator {
    nq_ctx *ctx;
    nq_data_txn *txn;
} estimator;

static double table_rows(void *user, const nq_table *table) {
    const estimator *from = user;
    uint64_t rows;
    nq_status status = nq_table_estimate_rows(from->ctx, from->txn, table, &rows);
    return status == NQ_OK ? (double)rows : 0;
}

static nq_status plan(nq_ctx *ctx, nq_data_txn *txn, nq__binding *binding) {
    int64_t start_ns = nq_clock_monotonic_ns();
    const nq_catalog_snapshot *snapshot;
    NQ_TRY(nq_data_txn_snapshot(ctx, txn, &snapshot));
    nq_catalog_snapshot_acquire(snapshot);
    binding->snapshot = snapshot;
    nq_ctx estimate_ctx;
    nq_ctx_init(&estimate_ctx, NULL);
    estimator from = {&estimate_ctx, txn};
    const nq_bind_options options = {.catalog = snapshot, .table_rows = table_rows, .user = &from};
    nq_plan *bound;
    NQ_TRY(nq_plan_bind(ctx, &binding->arena, binding->statement, &options, &bound));
    binding->plan = bound;
    binding->parameter_count = bound->parameter_count;
    binding->parameters = bound->parameters;
    if (binding->kind == NQ_STATEMENT_EXPLAIN) {
        binding->is_analyze = binding->statement->explain.is_analyze;
        binding->column_count = 1;
        binding->columns = &nq__explain_column;
    } else {
        binding->column_count = bound->root->column_count;
        binding->columns = bound->root->columns;
    }
    if (binding->kind == NQ_STATEMENT_QUERY) {
        binding->is_short = nq__plan_is_short(bound, binding->statement->sql);
        binding->rows_max = nq__plan_rows_max(bound);
    }
    binding->plan_ns = nq_clock_monotonic_ns() - start_ns;
    return NQ_OK;
}

nq_status nq__binding_create(nq_ctx *ctx, nq_bytes sql, nq_data_txn *txn,
                             nq__binding **out_binding) {
    *out_binding = NULL;
    int64_t start_ns = nq_clock_monotonic_ns();
    nq__binding *binding = nq_heap_calloc(1, sizeof *binding);
    if (binding == NULL) {
        return nq_fail_no_memory(ctx, "a statement");
    }
    atomic_init(&binding->reference_count, 1);
    nq_arena_init(&binding->arena, NQ__PLAN_BYTES_MAX);
    nq_ast_statement *statement = NULL;
    nq_status status = nq_parse(ctx, &binding->arena, sql, &statement);
    if (status == NQ_OK) {
        binding->statement = statement;
        binding->kind = kind_of(statement->kind);
        binding->parse_ns = nq_clock_monotonic_ns() - start_ns;
        status = is_control(binding->kind) ? NQ_OK : plan(ctx, txn, binding);
    }
    if (status != NQ_OK) {
        nq__binding_release(binding);
        return status;
    }
    *out_binding = binding;
    return NQ_OK;
}

nq_status nq__prepared_bind(nq_ctx *ctx, nq_prepared *prepared, nq_data_txn *txn,
                            nq__binding **out_binding) {
    *out_binding = NULL;
    nq_database *database = prepared->database;
    const nq_catalog_snapshot *snapshot;
    NQ_TRY(nq_data_txn_snapshot(ctx, txn, &snapshot));
    uint64_t id = nq_catalog_snapshot_id(snapshot);
    nq__binding *binding = prepared->first;
    if (binding->snapshot == NULL || nq_catalog_snapshot_id(binding->snapshot) == id) {
        /* Mostly, and `first` never changes: no lock. */
        nq__binding_acquire(binding);
        *out_binding = binding;
        return NQ_OK;
    }
    nq_mutex_lock(&database->mutex);
    binding = prepared->current;
    if (binding->snapshot == NULL || nq_catalog_snapshot_id(binding->snapshot) == id) {
        nq__binding_acquire(binding);
        *out_binding = binding;
    }
    nq_mutex_unlock(&database->mutex);
    if (*out_binding != NULL) {
        return NQ_OK;
    }
    NQ_TRY(nq__binding_create(ctx, prepared->first->statement->sql, txn, &binding));
    *out_binding = binding;
    if (nq_catalog_snapshot_is_committed(snapshot)) {
        nq__binding_acquire(binding);
        nq_mutex_lock(&database->mutex);
        nq__binding *replaced = prepared->current;
        prepared->current = binding;
        nq_mutex_unlock(&database->mutex);
        nq__binding_release(replaced);
    }
    return NQ_OK;
}
