/* The catalog of one store: opening it, and the list of versions.
 *
 * Which version a transaction sees follows from its store snapshot. Nearly always that is the
 * current one, and an LSN comparison proves it: no commit of DDL is under way, and the commit that
 * made it current is not after the snapshot. Otherwise the version number is read from the tree,
 * through the transaction, and the version found among the recent ones or decoded again. */
#include <string.h>

#include "engine/data/catalog/catalog_internal.h"
#include "engine/ground/base/codec.h"
#include "engine/ground/base/heap.h"

/* Writes the format into an empty store; refuses one we do not know. */
static nq_status check_format(nq_ctx *ctx, nq_txn *txn, bool *out_is_new) {
    const uint8_t key = NQ__KEY_FORMAT;
    nq_bytes value;
    *out_is_new = false;
    NQ_TRY(nq_txn_find(ctx, txn, NQ_TREE_CATALOG, nq_bytes_of(&key, 1), &value));
    if (value.data == NULL) {
        *out_is_new = true;
        uint8_t format[4];
        nq_store_le32(format, NQ__CATALOG_FORMAT);
        return nq_txn_put(ctx, txn, NQ_TREE_CATALOG, nq_bytes_of(&key, 1),
                          nq_bytes_of(format, sizeof format));
    }
    if (value.size != 4 || nq_load_le32(value.data) != NQ__CATALOG_FORMAT) {
        return nq_fail(ctx, NQ_FILE_FOREIGN, "the catalog has a format this version cannot read");
    }
    return NQ_OK;
}

static nq_status load_first(nq_ctx *ctx, nq_catalog *catalog) {
    const nq_txn_options options = {.isolation = NQ_REPEATABLE_READ};
    const nq_commit_options durable = {.durability = NQ_DURABLE};
    nq_txn *txn;
    bool is_new;
    NQ_TRY(nq_txn_begin(ctx, catalog->store, &options, &txn));
    nq_status status = check_format(ctx, txn, &is_new);
    if (status == NQ_OK) {
        status = nq__snapshot_load(ctx, catalog, txn, false, NULL, &catalog->current);
    }
    if (status == NQ_OK && is_new) {
        return nq_txn_commit(ctx, txn, &durable, NULL);
    }
    nq_txn_rollback(txn);
    return status;
}

static void destroy(nq_catalog *catalog) {
    nq_catalog_snapshot_release(catalog->current);
    for (uint32_t i = 0; i < NQ__CATALOG_RECENT_COUNT; i++) {
        nq_catalog_snapshot_release(catalog->recent[i]);
    }
    nq__sequences_destroy(catalog);
    nq_mutex_deinit(&catalog->mutex);
    nq_mutex_deinit(&catalog->sequence_mutex);
    nq_heap_free(catalog);
}

nq_status nq_catalog_open(nq_ctx *ctx, nq_store *store, int64_t (*wall_us)(void),
                          nq_catalog **out_catalog) {
    *out_catalog = NULL;
    nq_catalog *catalog = nq_heap_calloc(1, sizeof *catalog);
    if (catalog == NULL) {
        return nq_fail_no_memory(ctx, "the catalog");
    }
    catalog->store = store;
    catalog->wall_us = wall_us;
    nq_mutex_init(&catalog->mutex, NQ_LOCK_CATALOG);
    nq_mutex_init(&catalog->sequence_mutex, NQ_LOCK_SEQUENCE);
    nq_status status = load_first(ctx, catalog);
    if (status == NQ_OK) {
        status = nq__catalog_purge(ctx, catalog);
    }
    if (status != NQ_OK) {
        destroy(catalog);
        return status;
    }
    *out_catalog = catalog;
    return NQ_OK;
}

nq_status nq_catalog_close(nq_ctx *ctx, nq_catalog *catalog) {
    nq_status status = NQ_OK;
    if (nq_store_health(catalog->store) == NQ_OK) {
        status = nq__sequences_save(ctx, catalog);
    }
    destroy(catalog);
    return status;
}

nq_store *nq_catalog_store(const nq_catalog *catalog) {
    return catalog->store;
}

uint64_t nq_catalog_current_id(nq_catalog *catalog) {
    nq_mutex_lock(&catalog->mutex);
    uint64_t id = catalog->current->id;
    nq_mutex_unlock(&catalog->mutex);
    return id;
}

/* Under the mutex: the version among those kept, acquired, or NULL. */
static nq_catalog_snapshot *find_version(nq_catalog *catalog, uint64_t version) {
    nq_catalog_snapshot *found = catalog->current->version == version ? catalog->current : NULL;
    for (uint32_t i = 0; i < NQ__CATALOG_RECENT_COUNT && found == NULL; i++) {
        if (catalog->recent[i] != NULL && catalog->recent[i]->version == version) {
            found = catalog->recent[i];
        }
    }
    if (found != NULL) {
        nq_catalog_snapshot_acquire(found);
    }
    return found;
}

static nq_status find_by_version(nq_ctx *ctx, nq_data_txn *txn,
                                 nq_catalog_snapshot **out_snapshot) {
    nq_catalog *catalog = txn->catalog;
    uint64_t version;
    NQ_TRY(nq__catalog_read_version(ctx, txn->txn, &version));
    nq_mutex_lock(&catalog->mutex);
    *out_snapshot = find_version(catalog, version);
    nq_catalog_snapshot *known = catalog->current;
    nq_catalog_snapshot_acquire(known);
    nq_mutex_unlock(&catalog->mutex);
    nq_status status = NQ_OK;
    if (*out_snapshot == NULL) {
        status = nq__snapshot_load(ctx, catalog, txn->txn, false, known, out_snapshot);
    }
    nq_catalog_snapshot_release(known);
    return status;
}

nq_status nq_data_txn_snapshot(nq_ctx *ctx, nq_data_txn *txn,
                               const nq_catalog_snapshot **out_snapshot) {
    *out_snapshot = NULL;
    nq_catalog *catalog = txn->catalog;
    if (txn->seen == NULL && txn->has_ddl) {
        /* Rolled back to a savepoint: read anew what is left. */
        NQ_TRY(nq__snapshot_load(ctx, catalog, txn->txn, true, NULL, &txn->seen));
    }
    if (txn->seen == NULL) {
        uint64_t snapshot_lsn = nq_txn_snapshot(txn->txn).value;
        nq_mutex_lock(&catalog->mutex);
        if (catalog->publishing_count == 0 && catalog->current->lsn <= snapshot_lsn) {
            txn->seen = catalog->current;
            nq_catalog_snapshot_acquire(txn->seen);
        }
        nq_mutex_unlock(&catalog->mutex);
    }
    if (txn->seen == NULL) {
        NQ_TRY(find_by_version(ctx, txn, &txn->seen));
    }
    *out_snapshot = txn->seen;
    return NQ_OK;
}
