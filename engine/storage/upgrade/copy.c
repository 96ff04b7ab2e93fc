/* Copy: entries from the old pages into the new store, through its front door. Nothing is durable
 * before the store is closed, nor need it be: an upgrade that is interrupted begins anew. */
#include "engine/storage/upgrade/upgrade_internal.h"

enum {
    TREES_MAX = 1 << 24,  /* each id that is passed over costs a microsecond or two */
    TXN_BYTES = 4 << 20,  /* of keys and values, before a commit */
    LOG_BYTES = 16 << 20, /* before a checkpoint lets go of it */
};

static const nq_txn_options writing = {.isolation = NQ_REPEATABLE_READ};
static const nq_commit_options lazily = {.durability = NQ_LAZY};

/* ---- Trees ---- */

/* Ids are given out in order, and one that is not wanted is passed over by giving it back. */
static nq_status make_tree(nq_ctx *ctx, nq_store *store, uint32_t wanted) {
    nq_tree_id made = {0};
    while (made.value < wanted) {
        nq_txn *txn;
        NQ_TRY(nq_txn_begin(ctx, store, &writing, &txn));
        nq_status status = nq_txn_tree_create(ctx, txn, &made);
        if (status == NQ_OK && made.value == wanted) {
            return nq_txn_commit(ctx, txn, &lazily, NULL);
        }
        nq_txn_rollback(txn);
        NQ_TRY(status);
    }
    return nq_fail(ctx, NQ_BUG, "tree %u was given out where %u was wanted", made.value, wanted);
}

/* Passes over all ids below `next_tree`. */
static nq_status pass_over(nq_ctx *ctx, nq_store *store, uint32_t next_tree) {
    nq_tree_id made = {0};
    while (made.value + 1 < next_tree) {
        nq_txn *txn;
        NQ_TRY(nq_txn_begin(ctx, store, &writing, &txn));
        nq_status status = nq_txn_tree_create(ctx, txn, &made);
        nq_txn_rollback(txn);
        NQ_TRY(status);
    }
    return NQ_OK;
}

nq_status nq__copy_make_trees(nq_ctx *ctx, nq_store *store, const nq__tree_ids *ids,
                              uint32_t next_tree) {
    uint32_t last = ids->count > 0 ? ids->items[ids->count - 1] : 0;
    if (next_tree > TREES_MAX || last > TREES_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "the old store has given out %u trees, more than %d",
                       next_tree > last ? next_tree : last, TREES_MAX);
    }
    for (size_t i = 0; i < ids->count; i++) {
        if (ids->items[i] >= NQ_LEGACY_TREE_USER_FIRST) {
            NQ_TRY(make_tree(ctx, store, ids->items[i]));
        }
    }
    bool has_all = next_tree <= NQ_LEGACY_TREE_USER_FIRST || last + 1 >= next_tree;
    return has_all ? NQ_OK : pass_over(ctx, store, next_tree);
}

/* ---- Entries ---- */

/* Copies entries until there are enough for one transaction; *out_is_end after the last. */
static nq_status copy_some(nq_ctx *ctx, nq_legacy_cursor *cursor, nq_txn *txn, nq_tree_id tree,
                           uint64_t *io_entries, bool *out_is_end) {
    NQ_TRY(nq_txn_tree_lock(ctx, txn, tree, NQ_TREE_ALONE)); /* one lock instead of one a key */
    for (size_t bytes = 0; bytes < TXN_BYTES;) {
        nq_bytes key;
        nq_bytes value;
        NQ_TRY(nq_legacy_cursor_next(ctx, cursor, &key, &value));
        *out_is_end = key.data == NULL;
        if (*out_is_end) {
            return NQ_OK;
        }
        NQ_TRY(nq_txn_put(ctx, txn, tree, key, value));
        bytes += key.size + value.size;
        ++*io_entries;
    }
    return NQ_OK;
}

static nq_status copy_tree(nq_ctx *ctx, nq_legacy_cursor *cursor, nq_store *store, nq_tree_id tree,
                           uint64_t *io_entries) {
    bool is_end = false;
    while (!is_end) {
        nq_txn *txn;
        NQ_TRY(nq_txn_begin(ctx, store, &writing, &txn));
        nq_status status = copy_some(ctx, cursor, txn, tree, io_entries, &is_end);
        if (status != NQ_OK) {
            nq_txn_rollback(txn);
            return status;
        }
        NQ_TRY(nq_txn_commit(ctx, txn, &lazily, NULL));
        NQ_TRY(nq__copy_checkpoint(ctx, store));
    }
    return NQ_OK;
}

nq_status nq__copy_checkpoint(nq_ctx *ctx, nq_store *store) {
    nq_store_stats stats;
    nq_store_get_stats(store, &stats);
    bool is_due = stats.log_bytes / LOG_BYTES > stats.checkpoints;
    return is_due ? nq_store_checkpoint(ctx, store, NULL) : NQ_OK;
}

nq_status nq__copy_trees(nq_ctx *ctx, nq_legacy_file *file, const nq_legacy_trees *trees,
                         nq_store *store, uint64_t *io_entries) {
    for (size_t i = 0; i < trees->count; i++) {
        nq_legacy_cursor *cursor;
        NQ_TRY(nq_legacy_cursor_open(ctx, file, &trees->items[i].tree, &cursor));
        nq_status status =
            copy_tree(ctx, cursor, store, (nq_tree_id){trees->items[i].id}, io_entries);
        nq_legacy_cursor_close(cursor);
        NQ_TRY(status);
    }
    return NQ_OK;
}
