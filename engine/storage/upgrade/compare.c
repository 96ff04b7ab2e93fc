/* Compare: the new trees against the old ones, entry by entry. */
#include "engine/storage/upgrade/upgrade_internal.h"

static nq_status compare_entries(nq_ctx *ctx, nq_legacy_cursor *cursor, nq_scan *scan,
                                 uint32_t tree) {
    uint64_t count = 0;
    nq_bytes old_key;
    do {
        nq_bytes old_value;
        nq_bytes new_key;
        nq_bytes new_value;
        NQ_TRY(nq_legacy_cursor_next(ctx, cursor, &old_key, &old_value));
        NQ_TRY(nq_scan_next(ctx, scan, &new_key, &new_value));
        bool is_same = (old_key.data == NULL) == (new_key.data == NULL) &&
                       nq_bytes_equal(old_key, new_key) && nq_bytes_equal(old_value, new_value);
        if (!is_same) {
            return nq_fail(ctx, NQ_BUG, "the copy of tree %u differs at entry %llu", tree,
                           (unsigned long long)count);
        }
        count++;
    } while (old_key.data != NULL);
    return NQ_OK;
}

static nq_status compare_tree(nq_ctx *ctx, nq_legacy_file *file, const nq_legacy_tree *tree,
                              nq_txn *txn) {
    nq_legacy_cursor *cursor;
    nq_scan *scan;
    const nq_scan_range everything = {0};
    NQ_TRY(nq_legacy_cursor_open(ctx, file, &tree->tree, &cursor));
    nq_status status = nq_scan_open(ctx, txn, (nq_tree_id){tree->id}, &everything, &scan);
    if (status == NQ_OK) {
        status = compare_entries(ctx, cursor, scan, tree->id);
        nq_scan_close(scan);
    }
    nq_legacy_cursor_close(cursor);
    return status;
}

nq_status nq__compare_trees(nq_ctx *ctx, nq_legacy_file *file, const nq_legacy_trees *trees,
                            nq_store *store) {
    const nq_txn_options options = {.isolation = NQ_REPEATABLE_READ, .read_only = true};
    nq_txn *txn;
    NQ_TRY(nq_txn_begin(ctx, store, &options, &txn));
    nq_status status = NQ_OK;
    for (size_t i = 0; i < trees->count && status == NQ_OK; i++) {
        status = compare_tree(ctx, file, &trees->items[i], txn);
    }
    nq_txn_rollback(txn);
    return status;
}
