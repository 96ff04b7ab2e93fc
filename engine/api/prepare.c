/* Prepared handles. */
#include <string.h>

#include "engine/api/api_internal.h"
#include "engine/ground/base/heap.h"

void nq_prepared_acquire(nq_prepared *prepared) {
    (void)atomic_fetch_add_explicit(&prepared->reference_count, 1, memory_order_relaxed);
}

void nq_prepared_release(nq_prepared *prepared) {
    if (prepared == NULL ||
        atomic_fetch_sub_explicit(&prepared->reference_count, 1, memory_order_acq_rel) != 1) {
        return;
    }
    nq__binding_release(prepared->first);
    nq__binding_release(prepared->current);
    nq_heap_free(prepared);
}

static nq_status create(nq_ctx *ctx, nq_database *database, nq_data_txn *txn, nq_bytes sql,
                        nq_prepared **out_prepared) {
    nq_prepared *prepared = nq_heap_calloc(1, sizeof *prepared);
    if (prepared == NULL) {
        return nq_fail_no_memory(ctx, "a prepared statement");
    }
    nq_status status = nq__binding_create(ctx, sql, txn, &prepared->first);
    if (status != NQ_OK) {
        nq_heap_free(prepared);
        return status;
    }
    atomic_init(&prepared->reference_count, 1);
    prepared->database = database;
    prepared->current = prepared->first;
    nq__binding_acquire(prepared->current);
    *out_prepared = prepared;
    return NQ_OK;
}

/* The version of the catalog the statement will most likely run under. */
static nq_status expected_snapshot_id(nq_ctx *ctx, nq_database *database,
                                      nq_transaction *transaction, uint64_t *out_id) {
    if (transaction == NULL) {
        *out_id = nq_catalog_current_id(database->catalog);
        return NQ_OK;
    }
    const nq_catalog_snapshot *snapshot;
    NQ_TRY(nq_data_txn_snapshot(ctx, transaction->txn, &snapshot));
    *out_id = nq_catalog_snapshot_id(snapshot);
    return NQ_OK;
}

static bool may_be_cached(const nq_prepared *prepared) {
    const nq__binding *binding = prepared->first;
    return binding->statement->sql.size <= NQ__PLAN_CACHE_SQL_BYTES_MAX &&
           binding->kind != NQ_STATEMENT_DDL &&
           (binding->snapshot == NULL || nq_catalog_snapshot_is_committed(binding->snapshot));
}

static nq_status prepare_anew(nq_ctx *ctx, nq_database *database, nq_transaction *transaction,
                              nq_bytes sql, nq_prepared **out_prepared) {
    const nq_txn_options options = {.isolation = NQ_REPEATABLE_READ, .read_only = true};
    nq_data_txn *own = NULL;
    if (transaction == NULL) {
        NQ_TRY(nq_data_txn_begin(ctx, database->catalog, &options, &own));
    }
    nq_data_txn *txn = transaction != NULL ? transaction->txn : own;
    nq_status status = create(ctx, database, txn, sql, out_prepared);
    if (own != NULL) {
        nq_data_txn_rollback(own);
    }
    return status;
}

static nq_status prepare(nq_ctx *ctx, nq_database *database, nq_transaction *transaction,
                         nq_bytes sql, nq_prepared **out_prepared) {
    uint64_t hash = nq__sql_hash(sql), snapshot_id;
    NQ_TRY(expected_snapshot_id(ctx, database, transaction, &snapshot_id));
    nq_mutex_lock(&database->mutex);
    *out_prepared = nq__plan_cache_find(&database->plans, sql, hash, snapshot_id);
    nq_mutex_unlock(&database->mutex);
    if (*out_prepared != NULL) {
        return NQ_OK;
    }
    NQ_TRY(prepare_anew(ctx, database, transaction, sql, out_prepared));
    if (may_be_cached(*out_prepared)) {
        (*out_prepared)->hash = hash;
        nq_mutex_lock(&database->mutex);
        nq_prepared *evicted = nq__plan_cache_add(&database->plans, *out_prepared);
        nq_mutex_unlock(&database->mutex);
        while (evicted != NULL) {
            nq_prepared *older = evicted->older;
            nq_prepared_release(evicted);
            evicted = older;
        }
    }
    return NQ_OK;
}

/* Only what ends the transaction or goes back to a savepoint is understood any more; it needs no
 * catalog. */
static nq_status prepare_in_failed(nq_ctx *ctx, nq_database *database, nq_bytes sql,
                                   nq_prepared **out_prepared) {
    nq_status status = prepare(ctx, database, NULL, sql, out_prepared);
    if (status == NQ_OK && (*out_prepared)->first->snapshot == NULL) {
        return NQ_OK;
    }
    nq_prepared_release(*out_prepared);
    *out_prepared = NULL;
    return status == NQ_SQL_SYNTAX ? status : nq__fail_transaction_failed(ctx);
}

nq_status nq_prepare(nq_ctx *ctx, nq_database *database, nq_transaction *transaction, nq_bytes sql,
                     nq_prepared **out_prepared) {
    *out_prepared = NULL;
    if (transaction == NULL) {
        return prepare(ctx, database, NULL, sql, out_prepared);
    }
    if (transaction->has_failed) {
        return prepare_in_failed(ctx, database, sql, out_prepared);
    }
    NQ_TRY(nq__transaction_enter(ctx, transaction));
    nq_status status = prepare(ctx, database, transaction, sql, out_prepared);
    nq__transaction_leave(transaction, status);
    return status;
}

nq_statement_kind nq_prepared_kind(const nq_prepared *prepared) {
    return prepared->first->kind;
}

static nq_isolation_level isolation_of(nq_ast_isolation isolation) {
    switch (isolation) {
    case NQ_AST_ISOLATION_DEFAULT:
    case NQ_AST_ISOLATION_READ_COMMITTED:
        return NQ_ISOLATION_READ_COMMITTED;
    case NQ_AST_ISOLATION_REPEATABLE_READ:
        return NQ_ISOLATION_REPEATABLE_READ;
    case NQ_AST_ISOLATION_SERIALIZABLE:
        break;
    }
    return NQ_ISOLATION_SERIALIZABLE;
}

nq_transaction_options nq_prepared_transaction_options(const nq_prepared *prepared) {
    if (prepared->first->kind != NQ_STATEMENT_BEGIN) {
        return (nq_transaction_options){0};
    }
    const nq_ast_begin *begin = &prepared->first->statement->begin;
    return (nq_transaction_options){.isolation = isolation_of(begin->isolation),
                                    .read_only = begin->is_read_only};
}

nq_bytes nq_prepared_savepoint_name(const nq_prepared *prepared) {
    switch (prepared->first->kind) {
    case NQ_STATEMENT_SAVEPOINT:
    case NQ_STATEMENT_ROLLBACK_TO:
    case NQ_STATEMENT_RELEASE:
        return prepared->first->statement->savepoint.text;
    default:
        return (nq_bytes){NULL, 0};
    }
}

uint32_t nq_prepared_column_count(const nq_prepared *prepared) {
    return prepared->first->column_count;
}

const nq_column_info *nq_prepared_columns(const nq_prepared *prepared) {
    return prepared->first->columns;
}

uint32_t nq_prepared_parameter_count(const nq_prepared *prepared) {
    return prepared->first->parameter_count;
}

const nq_column_info *nq_prepared_parameters(const nq_prepared *prepared) {
    return prepared->first->parameters;
}
