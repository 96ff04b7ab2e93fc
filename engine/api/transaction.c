/* Transactions held open by a caller: one statement at a time, savepoints by name, and PostgreSQL's
 * rule that after a failure only a rollback is accepted. */
#include "engine/api/api_internal.h"
#include "engine/ground/base/heap.h"

enum { SAVEPOINT_BYTES_MAX = 16 << 20 };

/* What a lone commit stands for in nq__reply_hash's terms. */
static const uint64_t commit_hash_seed = UINT64_C(0xc0aa17c0aa17c0aa);

nq_isolation nq__store_isolation(nq_isolation_level level) {
    switch (level) {
    case NQ_ISOLATION_READ_COMMITTED:
        return NQ_READ_COMMITTED;
    case NQ_ISOLATION_REPEATABLE_READ:
        return NQ_REPEATABLE_READ;
    case NQ_ISOLATION_SERIALIZABLE:
        break;
    }
    return NQ_SERIALIZABLE;
}

nq_status nq__fail_transaction_failed(nq_ctx *ctx) {
    return nq_fail(ctx, NQ_TRANSACTION_FAILED,
                   "the transaction is aborted: commands are refused until it is rolled back");
}

static nq_status fail_busy(nq_ctx *ctx) {
    return nq_fail(ctx, NQ_TRANSACTION_BUSY, "another statement of the transaction is running");
}

nq_status nq__transaction_enter(nq_ctx *ctx, nq_transaction *transaction) {
    if (atomic_flag_test_and_set_explicit(&transaction->is_busy, memory_order_acquire)) {
        return fail_busy(ctx);
    }
    if (transaction->has_failed) {
        atomic_flag_clear_explicit(&transaction->is_busy, memory_order_release);
        return nq__fail_transaction_failed(ctx);
    }
    return NQ_OK;
}

void nq__transaction_leave(nq_transaction *transaction, nq_status status) {
    transaction->has_failed |= status != NQ_OK;
    atomic_flag_clear_explicit(&transaction->is_busy, memory_order_release);
}

nq_status nq_transaction_begin(nq_ctx *ctx, nq_database *database,
                               const nq_transaction_options *options,
                               nq_transaction **out_transaction) {
    *out_transaction = NULL;
    const nq_transaction_options defaults = {0};
    const nq_transaction_options *chosen = options != NULL ? options : &defaults;
    const nq_txn_options txn_options = {.isolation = nq__store_isolation(chosen->isolation),
                                        .read_only = chosen->read_only};
    nq_transaction *transaction = nq_heap_calloc(1, sizeof *transaction);
    if (transaction == NULL) {
        return nq_fail_no_memory(ctx, "a transaction");
    }
    nq_status status = nq_data_txn_begin(ctx, database->catalog, &txn_options, &transaction->txn);
    if (status != NQ_OK) {
        nq_heap_free(transaction);
        return status;
    }
    transaction->database = database;
    transaction->isolation = chosen->isolation;
    transaction->is_read_only = chosen->read_only;
    transaction->request_hash = commit_hash_seed;
    atomic_flag_clear(&transaction->is_busy);
    nq_arena_init(&transaction->arena, SAVEPOINT_BYTES_MAX);
    atomic_fetch_add_explicit(&database->open_transaction_count, 1, memory_order_relaxed);
    *out_transaction = transaction;
    return NQ_OK;
}

static void destroy(nq_transaction *transaction) {
    atomic_fetch_sub_explicit(&transaction->database->open_transaction_count, 1,
                              memory_order_relaxed);
    nq_arena_deinit(&transaction->arena);
    nq_heap_free(transaction);
}

void nq_transaction_rollback(nq_transaction *transaction) {
    nq_data_txn_rollback(transaction->txn);
    destroy(transaction);
}

static nq_status commit(nq_ctx *ctx, nq_transaction *transaction, nq_bytes request_id,
                        nq_bytes record, uint64_t *out_commit_lsn) {
    const nq_commit_options options = {
        .durability = NQ_DURABLE, .request_id = request_id, .request_result = record};
    nq_lsn lsn = {0};
    nq_status status = nq_data_txn_commit(ctx, transaction->txn, &options, &lsn);
    *out_commit_lsn = lsn.value;
    destroy(transaction);
    return status;
}

static nq_status commit_once(nq_ctx *ctx, nq_transaction *transaction, nq_bytes request_id,
                             uint64_t *out_commit_lsn) {
    nq_database *database = transaction->database;
    nq__reply result = {.hash = transaction->request_hash};
    nq_arena arena;
    nq_bytes record = {NULL, 0};
    bool is_found = false;
    nq_arena_init(&arena, 1 << 20);
    nq__reply first;
    nq_status status = nq__reply_find(ctx, database, &arena, request_id, transaction->request_hash,
                                      &is_found, &first);
    if (status == NQ_OK && !is_found) {
        status = nq__reply_encode(ctx, &arena, &result, &record);
    }
    if (status != NQ_OK || is_found) {
        nq_transaction_rollback(transaction);
        if (status == NQ_OK) {
            status = nq__database_lsn(ctx, database, out_commit_lsn);
        }
    } else {
        status = commit(ctx, transaction, request_id, record, out_commit_lsn);
    }
    nq_arena_deinit(&arena);
    return status;
}

nq_status nq_transaction_commit(nq_ctx *ctx, nq_transaction *transaction, nq_bytes request_id,
                                uint64_t *out_commit_lsn) {
    uint64_t ignored_lsn;
    uint64_t *out_lsn = out_commit_lsn != NULL ? out_commit_lsn : &ignored_lsn;
    *out_lsn = 0;
    nq_database *database = transaction->database;
    nq_status status = nq__transaction_enter(ctx, transaction);
    if (status != NQ_OK) {
        nq_transaction_rollback(transaction);
        return status;
    }
    if (request_id.size == 0) {
        return commit(ctx, transaction, request_id, request_id, out_lsn);
    }
    nq__request request;
    status = nq__reply_begin(ctx, database, &request, request_id);
    if (status != NQ_OK) {
        nq_transaction_rollback(transaction);
        return status;
    }
    status = commit_once(ctx, transaction, request_id, out_lsn);
    nq__reply_end(database, &request);
    return status;
}

nq_status nq_transaction_find_commit(nq_ctx *ctx, nq_database *database, nq_bytes request_id,
                                     bool *out_is_found, uint64_t *out_commit_lsn) {
    *out_is_found = false;
    *out_commit_lsn = 0;
    nq_arena arena;
    nq_bytes record;
    nq_arena_init(&arena, 1 << 20);
    nq_status status = nq_store_find_request(ctx, database->store, &arena, request_id, &record);
    *out_is_found = status == NQ_OK && record.data != NULL;
    nq_arena_deinit(&arena);
    return *out_is_found ? nq__database_lsn(ctx, database, out_commit_lsn) : status;
}

/* ---- Savepoints ---- */

nq_status nq_transaction_savepoint(nq_ctx *ctx, nq_transaction *transaction, nq_bytes name) {
    NQ_TRY(nq__transaction_enter(ctx, transaction));
    nq__named_savepoint *savepoint = nq_arena_calloc(&transaction->arena, 1, sizeof *savepoint);
    nq_status status = NQ_OK;
    if (savepoint != NULL) {
        savepoint->name = nq_arena_copy(&transaction->arena, name);
    }
    if (savepoint == NULL || savepoint->name.data == NULL) {
        status = nq_fail_no_memory(ctx, "a savepoint");
    } else {
        status = nq_data_txn_savepoint(ctx, transaction->txn, &savepoint->mark);
    }
    if (status == NQ_OK) {
        savepoint->older = transaction->newest;
        transaction->newest = savepoint;
    }
    nq__transaction_leave(transaction, status);
    return status;
}

/* The newest of that name; names may repeat, and the newest hides the others. */
static nq_status find_savepoint(nq_ctx *ctx, nq_transaction *transaction, nq_bytes name,
                                nq__named_savepoint **out_savepoint) {
    nq__named_savepoint *savepoint = transaction->newest;
    while (savepoint != NULL && !nq_bytes_equal(savepoint->name, name)) {
        savepoint = savepoint->older;
    }
    *out_savepoint = savepoint;
    if (savepoint == NULL) {
        return nq_fail(ctx, NQ_SAVEPOINT_NOT_FOUND, "savepoint \"%.*s\" does not exist",
                       NQ_BYTES_FORMAT(name));
    }
    return NQ_OK;
}

nq_status nq_transaction_rollback_to(nq_ctx *ctx, nq_transaction *transaction, nq_bytes name) {
    if (atomic_flag_test_and_set_explicit(&transaction->is_busy, memory_order_acquire)) {
        return fail_busy(ctx);
    }
    nq__named_savepoint *savepoint;
    nq_status status = find_savepoint(ctx, transaction, name, &savepoint);
    if (status == NQ_OK) {
        status = nq_data_txn_rollback_to(ctx, transaction->txn, savepoint->mark);
    }
    if (status == NQ_OK) {
        transaction->newest = savepoint;
        transaction->has_failed = false;
    }
    nq__transaction_leave(transaction, status);
    return status;
}

nq_status nq_transaction_release(nq_ctx *ctx, nq_transaction *transaction, nq_bytes name) {
    NQ_TRY(nq__transaction_enter(ctx, transaction));
    nq__named_savepoint *savepoint;
    nq_status status = find_savepoint(ctx, transaction, name, &savepoint);
    if (status == NQ_OK) {
        nq_data_txn_release(transaction->txn, savepoint->mark);
        transaction->newest = savepoint->older;
    }
    nq__transaction_leave(transaction, status);
    return status;
}

uint64_t nq_transaction_snapshot(const nq_transaction *transaction) {
    return nq_txn_snapshot(nq_data_txn_store_txn(transaction->txn)).value;
}
