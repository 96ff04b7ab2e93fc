/* Data transactions: beginning, ending, and making DDL the current version. */
#include "engine/data/catalog/data_txn.h"

#include "engine/data/catalog/catalog_internal.h"
#include "engine/ground/base/heap.h"

nq_status nq_data_txn_begin(nq_ctx *ctx, nq_catalog *catalog, const nq_txn_options *options,
                            nq_data_txn **out_txn) {
    *out_txn = NULL;
    nq_data_txn *txn = nq_heap_calloc(1, sizeof *txn);
    if (txn == NULL) {
        return nq_fail_no_memory(ctx, "a transaction");
    }
    txn->catalog = catalog;
    txn->is_read_only = options != NULL && options->read_only;
    txn->repeats_reads = options != NULL && options->isolation != NQ_READ_COMMITTED;
    nq_status status = nq_txn_begin(ctx, catalog->store, options, &txn->txn);
    if (status != NQ_OK) {
        nq_heap_free(txn);
        return status;
    }
    *out_txn = txn;
    return NQ_OK;
}

static void forget_seen(nq_data_txn *txn) {
    nq_catalog_snapshot_release(txn->seen);
    txn->seen = NULL;
}

static void end(nq_data_txn *txn) {
    forget_seen(txn);
    nq_heap_free(txn);
}

/* Keeps `next`, as committed at `lsn`; the newest version is current. Commits return in any order:
 * a later one may have been here before. Under the mutex; answers what is no longer kept. */
static nq_catalog_snapshot *publish(nq_catalog *catalog, nq_catalog_snapshot *next, uint64_t lsn) {
    nq_catalog_snapshot *evicted = catalog->recent[catalog->recent_next];
    nq_catalog_snapshot *older = next;
    next->lsn = lsn;
    if (next->version > catalog->current->version) {
        older = catalog->current;
        catalog->current = next;
    }
    catalog->recent[catalog->recent_next] = older;
    catalog->recent_next = (catalog->recent_next + 1) % NQ__CATALOG_RECENT_COUNT;
    return evicted;
}

static nq_status commit_ddl(nq_ctx *ctx, nq_data_txn *txn, const nq_commit_options *options,
                            nq_lsn *out_lsn) {
    nq_catalog *catalog = txn->catalog;
    const nq_catalog_snapshot *seen;
    nq_lsn lsn = {0};
    nq_status status = nq_data_txn_snapshot(ctx, txn, &seen);
    /* What becomes current must be in hand before the commit: after it nothing may fail. */
    nq_catalog_snapshot *next = NULL, *evicted = NULL;
    if (status == NQ_OK) {
        next = nq__snapshot_edit(seen, seen->version, seen->version, NULL, NULL);
        status = next == NULL ? nq_fail_no_memory(ctx, "the catalog") : NQ_OK;
    }
    if (status != NQ_OK) {
        nq_txn_rollback(txn->txn);
        return status;
    }
    nq_mutex_lock(&catalog->mutex);
    catalog->publishing_count++;
    nq_mutex_unlock(&catalog->mutex);
    status = nq_txn_commit(ctx, txn->txn, options, &lsn);
    nq_mutex_lock(&catalog->mutex);
    if (status == NQ_OK) {
        evicted = publish(catalog, next, lsn.value);
        next = NULL;
    }
    catalog->publishing_count--;
    nq_mutex_unlock(&catalog->mutex);
    nq_catalog_snapshot_release(evicted);
    nq_catalog_snapshot_release(next);
    if (out_lsn != NULL) {
        *out_lsn = lsn;
    }
    return status;
}

nq_status nq_data_txn_commit(nq_ctx *ctx, nq_data_txn *txn, const nq_commit_options *options,
                             nq_lsn *out_lsn) {
    nq_status status = txn->has_ddl ? commit_ddl(ctx, txn, options, out_lsn)
                                    : nq_txn_commit(ctx, txn->txn, options, out_lsn);
    end(txn);
    return status;
}

void nq_data_txn_rollback(nq_data_txn *txn) {
    nq_txn_rollback(txn->txn);
    end(txn);
}

nq_status nq_data_txn_statement_begin(nq_ctx *ctx, nq_data_txn *txn) {
    NQ_TRY(nq_txn_statement_begin(ctx, txn->txn));
    /* Our own DDL holds the version's lock: nobody else has changed the catalog since. */
    if (!txn->repeats_reads && !txn->has_ddl) {
        forget_seen(txn);
    }
    return NQ_OK;
}

nq_status nq_data_txn_savepoint(nq_ctx *ctx, nq_data_txn *txn, nq_savepoint *out_savepoint) {
    return nq_txn_savepoint(ctx, txn->txn, out_savepoint);
}

nq_status nq_data_txn_rollback_to(nq_ctx *ctx, nq_data_txn *txn, nq_savepoint savepoint) {
    if (txn->has_ddl) {
        forget_seen(txn);
    }
    return nq_txn_rollback_to(ctx, txn->txn, savepoint);
}

void nq_data_txn_release(nq_data_txn *txn, nq_savepoint savepoint) {
    nq_txn_release(txn->txn, savepoint);
}

nq_txn *nq_data_txn_store_txn(const nq_data_txn *txn) {
    return txn->txn;
}

nq_catalog *nq_data_txn_catalog(const nq_data_txn *txn) {
    return txn->catalog;
}

bool nq_data_txn_is_read_only(const nq_data_txn *txn) {
    return txn->is_read_only;
}

bool nq_data_txn_has_written(const nq_data_txn *txn) {
    return txn->has_written;
}

uint64_t nq_data_txn_written_bytes(const nq_data_txn *txn) {
    return txn->written_bytes;
}

void nq_data_txn_count_written(nq_data_txn *txn, uint64_t bytes) {
    txn->written_bytes += bytes;
}
