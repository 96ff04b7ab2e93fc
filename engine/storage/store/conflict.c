/* Conflict: the first who changes a key wins.
 *
 * Asked with the key's lock held, so what is published now is what the lock's last holder left
 * (S5). Comparing bytes instead of stamps lets a key pass that was changed and changed back, which
 * no outcome can tell apart. */
#include "engine/storage/page/bug.h"
#include "engine/storage/store/txn_internal.h"

static nq_status fail_conflict(nq_ctx *ctx, nq_txn *txn) {
    atomic_fetch_add(&txn->store->counters.conflicts, 1);
    return nq_fail(ctx, NQ_WRITE_CONFLICT,
                   "another transaction changed the row after this one's snapshot");
}

static bool is_same_value(const nq_btree_entry *left, const nq_btree_entry *right) {
    if (left->pin.page == NULL || right->pin.page == NULL) {
        return left->pin.page == right->pin.page;
    }
    return left->pin.page == right->pin.page || (left->is_overflow == right->is_overflow &&
                                                 nq_bytes_equal(left->payload, right->payload));
}

static nq_status compare_entries(nq_ctx *ctx, nq_pool *pool, const nq_tree *then,
                                 const nq_tree *now, nq_bytes key, bool *out_is_same) {
    nq_btree_entry before;
    nq_btree_entry after;
    NQ_TRY(nq_btree_find(ctx, pool, then, key, &before));
    nq_status status = nq_btree_find(ctx, pool, now, key, &after);
    if (status == NQ_OK) {
        *out_is_same = is_same_value(&before, &after);
        nq_btree_entry_release(pool, &after);
    }
    nq_btree_entry_release(pool, &before);
    return status;
}

/* Whether a key is the same in the snapshot and in a newer version. */
static nq_status compare(nq_ctx *ctx, const nq_txn *txn, const nq_version *newer,
                         const nq_txn_tree *tree, nq_bytes key, bool *out_is_same) {
    nq_pool *pool = txn->store->pool;
    nq_tree now;
    bool exists;
    *out_is_same = false;
    NQ_TRY(nq__tree_find(ctx, txn->store, newer, tree->id, &now, &exists));
    if (tree->exists != exists) {
        return NQ_OK;
    }
    const nq_tree *then = &tree->tree;
    if (then->root.page == now.root.page && then->root.stamp == now.root.stamp) {
        *out_is_same = true;
        return NQ_OK;
    }
    /* Pages loaded into an empty tree may be older than the commit that brought them. */
    if (!nq_page_ref_is_none(then->root)) {
        NQ_TRY(nq_btree_is_unchanged_since(ctx, pool, &now, key, txn->snapshot->generation,
                                           out_is_same));
    }
    return *out_is_same ? NQ_OK : compare_entries(ctx, pool, then, &now, key, out_is_same);
}

nq_status nq__check_row_conflict(nq_ctx *ctx, nq_txn *txn, const nq_txn_tree *tree, nq_bytes key) {
    nq_store *store = txn->store;
    if (atomic_load(&store->published_generation) == txn->snapshot->generation) {
        return NQ_OK;
    }
    nq_version *newer = nq__version_acquire(store);
    bool is_same;
    nq_status status = compare(ctx, txn, newer, tree, key, &is_same);
    nq__version_release(store, newer);
    if (status != NQ_OK) {
        return status;
    }
    return is_same || NQ_HAS_BUG(CONFLICT_NOT_SEEN) ? NQ_OK : fail_conflict(ctx, txn);
}

nq_status nq__check_tree_conflict(nq_ctx *ctx, nq_txn *txn, const nq_txn_tree *tree) {
    nq_store *store = txn->store;
    if (!tree->exists || atomic_load(&store->published_generation) == txn->snapshot->generation) {
        return NQ_OK;
    }
    nq_version *newer = nq__version_acquire(store);
    nq_tree now;
    bool exists = true;
    nq_status status = nq__tree_find(ctx, store, newer, tree->id, &now, &exists);
    nq__version_release(store, newer);
    return status != NQ_OK || exists ? status : fail_conflict(ctx, txn);
}
