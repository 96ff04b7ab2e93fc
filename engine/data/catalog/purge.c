/* Purge: sequences and notes outlive their tables until the catalog is opened again, because
 * dropping a table must not wait for whoever is writing one of them. */
#include <string.h>

#include "engine/data/catalog/catalog_internal.h"
#include "engine/ground/base/codec.h"

enum { HEAD_BYTES = 5 };

typedef bool (*is_owned)(const nq_table *table, uint32_t id);

static bool owns_sequence(const nq_table *table, uint32_t id) {
    return table->sequence_id == id;
}

static bool owns_note(const nq_table *table, uint32_t id) {
    return table->tree.value == id;
}

static bool has_owner(const nq_catalog_snapshot *snapshot, is_owned owns, uint32_t id) {
    for (uint32_t i = 0; i < snapshot->table_count; i++) {
        if (owns(snapshot->tables[i], id)) {
            return true;
        }
    }
    return false;
}

static nq_status remove_key(nq_ctx *ctx, nq_txn *txn, nq_bytes borrowed) {
    uint8_t key[NQ_STORE_KEY_BYTES_MAX];
    bool was_present;
    memcpy(key, borrowed.data, borrowed.size);
    return nq_txn_remove(ctx, txn, NQ_TREE_CATALOG, nq_bytes_of(key, borrowed.size), &was_present);
}

static nq_status purge_kind(nq_ctx *ctx, nq_catalog *catalog, nq_txn *txn, uint8_t kind,
                            is_owned owns, bool *in_out_has_purged) {
    const uint8_t high = (uint8_t)(kind + 1);
    const nq_scan_range range = {.low = {&kind, 1}, .high = {&high, 1}};
    nq_scan *scan;
    NQ_TRY(nq_scan_open(ctx, txn, NQ_TREE_CATALOG, &range, &scan));
    nq_status status = NQ_OK;
    while (status == NQ_OK) {
        nq_bytes key, value;
        status = nq_scan_next(ctx, scan, &key, &value);
        if (status != NQ_OK || key.data == NULL) {
            break;
        }
        if (key.size < HEAD_BYTES) {
            status = nq_fail(ctx, NQ_PAGE_CORRUPT, "a key of the catalog is damaged");
        } else if (!has_owner(catalog->current, owns, nq_load_be32(key.data + 1))) {
            *in_out_has_purged = true;
            status = remove_key(ctx, txn, key);
        }
    }
    nq_scan_close(scan);
    return status;
}

nq_status nq__catalog_purge(nq_ctx *ctx, nq_catalog *catalog) {
    const nq_txn_options options = {.isolation = NQ_REPEATABLE_READ};
    const nq_commit_options lazy = {.durability = NQ_LAZY};
    nq_txn *txn;
    bool has_purged = false;
    NQ_TRY(nq_txn_begin(ctx, catalog->store, &options, &txn));
    nq_status status = purge_kind(ctx, catalog, txn, NQ__KEY_SEQUENCE, owns_sequence, &has_purged);
    if (status == NQ_OK) {
        status = purge_kind(ctx, catalog, txn, NQ__KEY_NOTE, owns_note, &has_purged);
    }
    if (status == NQ_OK && has_purged) {
        return nq_txn_commit(ctx, txn, &lazy, NULL);
    }
    nq_txn_rollback(txn);
    return status;
}
