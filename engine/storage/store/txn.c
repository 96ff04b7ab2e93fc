/* Txn: begin, statements and rollback. Commit has a file of its own. */
#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/storage/store/txn_internal.h"

/* Writes are spilled once they are too many: the last one may be as long as a value can be. */
enum { SLACK_BYTES = 2 * NQ_STORE_VALUE_BYTES_MAX };

nq_txn *nq__txn_create(nq_store *store) {
    nq_txn *txn = nq_heap_alloc(sizeof *txn);
    if (txn == NULL) {
        return NULL;
    }
    memset(txn, 0, offsetof(nq_txn, value_room));
    txn->store = store;
    nq_mutex_init(&txn->writes_mutex, NQ_LOCK_STORE_WRITES);
    nq_cond_init(&txn->granted);
    nq_arena_init(&txn->arena, store->options.txn_bytes_max);
    nq_arena_init(&txn->writes_arena, store->options.txn_bytes_max + SLACK_BYTES);
    nq_arena_init(&txn->undo_arena, store->options.txn_bytes_max + SLACK_BYTES);
    return txn;
}

void nq__txn_destroy(nq_txn *txn) {
    if (txn == NULL) {
        return;
    }
    nq_heap_free(txn->value.data);
    nq_mutex_deinit(&txn->writes_mutex);
    nq_cond_deinit(&txn->granted);
    nq_arena_deinit(&txn->arena);
    nq_arena_deinit(&txn->writes_arena);
    nq_arena_deinit(&txn->undo_arena);
    nq_heap_free(txn->saved);
    nq_heap_free(txn);
}

void nq__txn_set_snapshot(nq_txn *txn, nq_version *snapshot) {
    txn->snapshot = snapshot;
    if (txn->trees_generation == snapshot->generation) {
        return;
    }
    txn->trees_generation = snapshot->generation;
    nq__txn_forget_trees(txn);
}

/* What a new transaction reads. */
static void take_snapshot(nq_txn *txn) {
    if (nq__backlog_is_pending(txn->store) && nq__backlog_enter(txn)) {
        return;
    }
    nq__txn_set_snapshot(txn, nq__version_acquire(txn->store));
}

nq_status nq_txn_begin(nq_ctx *ctx, nq_store *store, const nq_txn_options *options,
                       nq_txn **out_txn) {
    bool may_sit = options->read_only && !nq__backlog_is_pending(store);
    nq_txn *txn = may_sit ? nq__reader_begin(store) : NULL;
    if (txn == NULL) {
        txn = nq__txn_create(store);
        if (txn == NULL) {
            *out_txn = NULL;
            return nq_fail_no_memory(ctx, "a transaction");
        }
        take_snapshot(txn);
        atomic_fetch_add_explicit(&store->counters.open_txns, 1, memory_order_relaxed);
    }
    txn->options = *options;
    *out_txn = txn;
    return NQ_OK;
}

nq_status nq__txn_charge(nq_ctx *ctx, nq_txn *txn) {
    size_t taken =
        txn->arena.taken_bytes + txn->writes_arena.taken_bytes + txn->undo_arena.taken_bytes;
    if (taken == txn->charged_bytes) {
        return NQ_OK;
    }
    bool is_within = nq_pool_charge(txn->store->pool, (int64_t)taken - (int64_t)txn->charged_bytes);
    txn->charged_bytes = taken;
    if (is_within || taken <= NQ__TXN_SMALL_BYTES) {
        return NQ_OK;
    }
    nq_status status =
        nq_fail(ctx, NQ_MEMORY_LIMIT, "transactions' changes have used up the cache of %llu bytes",
                (unsigned long long)txn->store->options.cache_bytes);
    nq_error_set_hint(&ctx->error, "commit in smaller transactions, or raise cache_bytes");
    return status;
}

void nq__txn_end(nq_txn *txn) {
    nq_store *store = txn->store;
    NQ_ASSERT(txn->scans == NULL);
    if (txn->seat != NULL) {
        nq__reader_end(txn);
        return;
    }
    nq__lock_release_all(txn);
    if (txn->backlog != NULL) {
        nq__backlog_leave(txn);
    }
    nq__version_release(store, txn->snapshot);
    nq__spill_end(txn);
    nq__bulk_end_all(txn);
    nq_pool_charge(store->pool, -(int64_t)txn->charged_bytes);
    nq__txn_destroy(txn);
    atomic_fetch_sub_explicit(&store->counters.open_txns, 1, memory_order_relaxed);
}

void nq_txn_rollback(nq_txn *txn) {
    if (!txn->options.read_only) {
        atomic_fetch_add_explicit(&txn->store->counters.rollbacks, 1, memory_order_relaxed);
    }
    nq__txn_end(txn);
}

nq_lsn nq_txn_snapshot(const nq_txn *txn) {
    return txn->backlog != NULL ? nq__backlog_lsn(txn->backlog) : txn->snapshot->lsn;
}

nq_status nq_txn_statement_begin(nq_ctx *ctx, nq_txn *txn) {
    nq_store *store = txn->store;
    if (txn->backlog != NULL && nq__backlog_is_pending(store)) {
        return NQ_OK;
    }
    NQ_TRY(nq__txn_settle(ctx, txn));
    if (txn->options.isolation != NQ_READ_COMMITTED ||
        atomic_load(&store->published_generation) == txn->snapshot->generation) {
        return NQ_OK;
    }
    if (txn->scans != NULL) {
        return nq_fail(ctx, NQ_TRANSACTION_BUSY, "a scan of the statement before is still open");
    }
    if (txn->seat != NULL) {
        nq__reader_renew(txn);
        return NQ_OK;
    }
    nq_version *before = txn->snapshot;
    nq__txn_set_snapshot(txn, nq__version_acquire(store));
    nq__version_release(store, before);
    return NQ_OK;
}
