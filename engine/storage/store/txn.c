/* Txn: begin, statements, savepoints and rollback. Commit has a file of its own. */
#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/store/txn_internal.h"

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
    nq_heap_free(txn);
}

void nq__txn_set_snapshot(nq_txn *txn, nq_version *snapshot) {
    txn->snapshot = snapshot;
    if (txn->trees_generation == snapshot->generation) {
        return;
    }
    txn->trees_generation = snapshot->generation;
    for (uint32_t i = 0; i < NQ__TXN_TREES; i++) {
        txn->trees[i].is_cached = false;
    }
}

nq_status nq_txn_begin(nq_ctx *ctx, nq_store *store, const nq_txn_options *options,
                       nq_txn **out_txn) {
    nq_txn *txn = options->read_only ? nq__reader_begin(store) : NULL;
    if (txn == NULL) {
        txn = nq__txn_create(store);
        if (txn == NULL) {
            *out_txn = NULL;
            return nq_fail_no_memory(ctx, "a transaction");
        }
        nq__txn_set_snapshot(txn, nq__version_acquire(store));
        atomic_fetch_add_explicit(&store->counters.open_txns, 1, memory_order_relaxed);
    }
    txn->options = *options;
    *out_txn = txn;
    return NQ_OK;
}

nq_status nq__txn_charge(nq_ctx *ctx, nq_txn *txn) {
    enum { SMALL_BYTES = 4 << 20 }; /* what a transaction may always have */
    size_t taken = txn->arena.taken_bytes;
    if (taken == txn->charged_bytes) {
        return NQ_OK;
    }
    bool is_within = nq_pool_charge(txn->store->pool, (int64_t)taken - (int64_t)txn->charged_bytes);
    txn->charged_bytes = taken;
    if (is_within || taken <= SMALL_BYTES) {
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
    NQ_ASSERT(txn->scan_count == 0);
    if (txn->seat != NULL) {
        nq__reader_end(txn);
        return;
    }
    nq__lock_release_all(txn);
    nq__version_release(store, txn->snapshot);
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
    return txn->snapshot->lsn;
}

nq_status nq_txn_statement_begin(nq_ctx *ctx, nq_txn *txn) {
    nq_store *store = txn->store;
    if (txn->options.isolation != NQ_READ_COMMITTED ||
        atomic_load(&store->published_generation) == txn->snapshot->generation) {
        return NQ_OK;
    }
    if (txn->scan_count != 0) {
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

nq_status nq_txn_savepoint(nq_ctx *ctx, nq_txn *txn, nq_savepoint *out_savepoint) {
    (void)ctx;
    txn->has_savepoint = true;
    out_savepoint->value = txn->undo_count;
    return NQ_OK;
}

nq_status nq_txn_rollback_to(nq_ctx *ctx, nq_txn *txn, nq_savepoint savepoint) {
    if (savepoint.value > txn->undo_count) {
        return nq_fail(ctx, NQ_SAVEPOINT_NOT_FOUND, "the savepoint was rolled back beyond");
    }
    while (txn->undo != NULL && txn->undo->number > savepoint.value &&
           !NQ_HAS_BUG(SAVEPOINT_IGNORED)) {
        nq_undo *undo = txn->undo;
        undo->write->kind = undo->kind;
        undo->write->value = undo->value;
        txn->undo = undo->older;
    }
    txn->undo_count = savepoint.value;
    return NQ_OK;
}
