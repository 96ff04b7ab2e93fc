/* Write: put, insert, remove and the coming and going of trees, all into the private write set.
 *
 * The first writer of a key wins: the key's lock is taken before anything is looked at, and when
 * the published version is newer than the snapshot the key is compared in both. Comparing bytes
 * instead of stamps lets a key pass that was changed and changed back, which no outcome can tell
 * apart. */
#include "engine/storage/page/bug.h"
#include "engine/storage/store/txn_internal.h"

static nq_status fail_conflict(nq_ctx *ctx, nq_txn *txn) {
    atomic_fetch_add(&txn->store->counters.conflicts, 1);
    return nq_fail(ctx, NQ_WRITE_CONFLICT,
                   "another transaction changed the row after this one's snapshot");
}

static nq_status fail_txn_memory(nq_ctx *ctx, const nq_txn *txn) {
    nq_status status = nq_fail(ctx, NQ_MEMORY_LIMIT, "the transaction's changes exceed %llu bytes",
                               (unsigned long long)txn->arena.budget_bytes);
    nq_error_set_hint(&ctx->error, "commit in smaller transactions, or raise txn_bytes_max");
    return status;
}

static nq_status check_may_write(nq_ctx *ctx, nq_txn *txn, nq_bytes key, nq_bytes value) {
    if (txn->options.read_only) {
        return nq_fail(ctx, NQ_READ_ONLY_TRANSACTION, "the transaction is read-only");
    }
    NQ_TRY(nq__store_check_health(ctx, txn->store));
    if (key.size > NQ_STORE_KEY_BYTES_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "a key of %zu bytes is longer than %d", key.size,
                       NQ_STORE_KEY_BYTES_MAX);
    }
    if (value.size > NQ_STORE_VALUE_BYTES_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "a value of %zu bytes is longer than %d", value.size,
                       NQ_STORE_VALUE_BYTES_MAX);
    }
    if (txn->writes.head == NULL) {
        NQ_TRY(nq__write_set_init(ctx, &txn->writes, &txn->arena));
    }
    return NQ_OK;
}

/* ---- First updater wins ---- */

static bool is_same_value(const nq_btree_entry *left, const nq_btree_entry *right) {
    if (left->pin.page == NULL || right->pin.page == NULL) {
        return left->pin.page == right->pin.page;
    }
    return left->pin.page == right->pin.page || (left->is_overflow == right->is_overflow &&
                                                 nq_bytes_equal(left->payload, right->payload));
}

/* Whether a key of a tree is the same in the snapshot and in a newer version. */
static nq_status compare_versions(nq_ctx *ctx, nq_txn *txn, const nq_version *newer, uint32_t tree,
                                  nq_bytes key, bool *out_is_same) {
    *out_is_same = false;
    nq_tree trees[2];
    bool exists[2];
    NQ_TRY(nq__tree_find(ctx, txn->store, txn->snapshot, tree, &trees[0], &exists[0]));
    NQ_TRY(nq__tree_find(ctx, txn->store, newer, tree, &trees[1], &exists[1]));
    if (exists[0] != exists[1]) {
        return NQ_OK;
    }
    if (trees[0].root.page == trees[1].root.page && trees[0].root.stamp == trees[1].root.stamp) {
        *out_is_same = true;
        return NQ_OK;
    }
    nq_btree_entry entries[2];
    NQ_TRY(nq_btree_find(ctx, txn->store->pool, &trees[0], key, &entries[0]));
    nq_status status = nq_btree_find(ctx, txn->store->pool, &trees[1], key, &entries[1]);
    if (status == NQ_OK) {
        *out_is_same = is_same_value(&entries[0], &entries[1]);
        nq_btree_entry_release(txn->store->pool, &entries[1]);
    }
    nq_btree_entry_release(txn->store->pool, &entries[0]);
    return status;
}

/* With the key's lock held (S5): fails if somebody changed it since the snapshot. */
static nq_status check_conflict(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_bytes key) {
    nq_store *store = txn->store;
    if (atomic_load(&store->published_generation) == txn->snapshot->generation) {
        return NQ_OK;
    }
    nq_version *newer = nq__version_acquire(store);
    bool is_same;
    nq_status status = compare_versions(ctx, txn, newer, tree, key, &is_same);
    nq__version_release(store, newer);
    if (status != NQ_OK) {
        return status;
    }
    return is_same || NQ_HAS_BUG(CONFLICT_NOT_SEEN) ? NQ_OK : fail_conflict(ctx, txn);
}

/* ---- Locks ---- */

/* Keeps the tree from being dropped, once for each tree. */
static nq_status lock_tree(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_lock_mode mode) {
    nq_row_lock *lock = nq_arena_alloc(&txn->arena, sizeof *lock);
    if (lock == NULL) {
        return fail_txn_memory(ctx, txn);
    }
    *lock = (nq_row_lock){.tree = tree, .mode = mode};
    NQ_TRY(nq__lock_acquire(ctx, txn, lock));
    if (tree < NQ__TREE_USER_FIRST ||
        atomic_load(&txn->store->published_generation) == txn->snapshot->generation) {
        return NQ_OK;
    }
    uint8_t key[4];
    nq__tree_key_encode(tree, key);
    nq_version *newer = nq__version_acquire(txn->store);
    nq_tree now;
    bool exists_now = true;
    nq_tree then;
    bool existed_then;
    nq_status status = nq__tree_find(ctx, txn->store, newer, tree, &now, &exists_now);
    nq__version_release(txn->store, newer);
    if (status == NQ_OK) {
        status = nq__tree_find(ctx, txn->store, txn->snapshot, tree, &then, &existed_then);
    }
    if (status == NQ_OK && existed_then && !exists_now) {
        return fail_conflict(ctx, txn);
    }
    return status;
}

/* The locked write of a key, NONE if the transaction has not written it yet. */
static nq_status get_write(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_bytes key,
                           nq_write **out_write) {
    nq_write *write = nq__write_set_add(&txn->writes, tree, key);
    if (write == NULL) {
        return fail_txn_memory(ctx, txn);
    }
    *out_write = write;
    if (write->lock.owner == NULL) {
        nq_status status = nq__lock_acquire(ctx, txn, &write->lock);
        if (status != NQ_OK) {
            write->lock.owner = NULL;
            return status;
        }
    }
    if (!write->is_checked) {
        NQ_TRY(check_conflict(ctx, txn, tree, key));
        write->is_checked = true;
    }
    return NQ_OK;
}

/* Whether the transaction sees the key. */
static nq_status is_present(nq_ctx *ctx, nq_txn *txn, nq_txn_tree *tree, const nq_write *write,
                            bool *out_is_present) {
    if (write->kind != NQ__WRITE_NONE) {
        *out_is_present = write->kind == NQ__WRITE_PUT;
        return NQ_OK;
    }
    nq_btree_entry entry;
    NQ_TRY(nq_btree_find(ctx, txn->store->pool, &tree->tree, write->lock.key, &entry));
    *out_is_present = entry.pin.page != NULL;
    nq_btree_entry_release(txn->store->pool, &entry);
    return NQ_OK;
}

/* ---- Changing the write set ---- */

static nq_status set_write(nq_ctx *ctx, nq_txn *txn, nq_write *write, nq_write_kind kind,
                           nq_bytes value) {
    nq_bytes copy = nq_arena_copy(&txn->arena, value);
    if (copy.data == NULL) {
        return fail_txn_memory(ctx, txn);
    }
    if (txn->has_savepoint) {
        nq_undo *undo = nq_arena_alloc(&txn->arena, sizeof *undo);
        if (undo == NULL) {
            return fail_txn_memory(ctx, txn);
        }
        *undo = (nq_undo){txn->undo, ++txn->undo_count, write, write->kind, write->value};
        txn->undo = undo;
    }
    write->kind = kind;
    write->value = copy;
    return NQ_OK;
}

/* What every write begins with: may it be, does the tree exist, is it ours. */
static nq_status begin_write(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_bytes key, nq_bytes value,
                             nq_txn_tree **out_tree, nq_write **out_write) {
    NQ_TRY(check_may_write(ctx, txn, key, value));
    NQ_TRY(nq__txn_get_tree(ctx, txn, tree, out_tree));
    if (!(*out_tree)->is_locked) {
        NQ_TRY(lock_tree(ctx, txn, tree, NQ__LOCK_TREE_SHARED));
        (*out_tree)->is_locked = true;
    }
    return get_write(ctx, txn, tree, key, out_write);
}

nq_status nq_txn_put(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, nq_bytes key, nq_bytes value) {
    nq_txn_tree *found;
    nq_write *write;
    NQ_TRY(begin_write(ctx, txn, tree.value, key, value, &found, &write));
    return set_write(ctx, txn, write, NQ__WRITE_PUT, value);
}

nq_status nq_txn_insert(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, nq_bytes key, nq_bytes value) {
    nq_txn_tree *found;
    nq_write *write;
    NQ_TRY(begin_write(ctx, txn, tree.value, key, value, &found, &write));
    bool was_present;
    NQ_TRY(is_present(ctx, txn, found, write, &was_present));
    if (was_present) {
        return nq_fail(ctx, NQ_UNIQUE_VIOLATION, "the key exists");
    }
    return set_write(ctx, txn, write, NQ__WRITE_PUT, value);
}

nq_status nq_txn_remove(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, nq_bytes key,
                        bool *out_was_present) {
    bool was_present = false;
    if (out_was_present != NULL) {
        *out_was_present = false;
    }
    nq_txn_tree *found;
    nq_write *write;
    NQ_TRY(begin_write(ctx, txn, tree.value, key, (nq_bytes){0}, &found, &write));
    NQ_TRY(is_present(ctx, txn, found, write, &was_present));
    if (out_was_present != NULL) {
        *out_was_present = was_present;
    }
    return was_present ? set_write(ctx, txn, write, NQ__WRITE_REMOVE, (nq_bytes){0}) : NQ_OK;
}

/* ---- Trees ---- */

nq_status nq_txn_tree_create(nq_ctx *ctx, nq_txn *txn, nq_tree_id *out_tree) {
    *out_tree = (nq_tree_id){0};
    NQ_TRY(check_may_write(ctx, txn, (nq_bytes){0}, (nq_bytes){0}));
    uint32_t tree = atomic_fetch_add(&txn->store->next_tree, 1);
    uint8_t key[4];
    nq__tree_key_encode(tree, key);
    nq_write *write;
    NQ_TRY(get_write(ctx, txn, NQ__TREE_DIRECTORY, nq_bytes_of(key, sizeof key), &write));
    NQ_TRY(set_write(ctx, txn, write, NQ__WRITE_PUT, (nq_bytes){0}));
    txn->has_tree_changes = true;
    out_tree->value = tree;
    return NQ_OK;
}

nq_status nq_txn_tree_drop(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree) {
    NQ_TRY(check_may_write(ctx, txn, (nq_bytes){0}, (nq_bytes){0}));
    nq_txn_tree *found;
    NQ_TRY(nq__txn_get_tree(ctx, txn, tree.value, &found));
    if (tree.value < NQ__TREE_USER_FIRST) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "tree %u cannot be dropped", tree.value);
    }
    NQ_TRY(lock_tree(ctx, txn, tree.value, NQ__LOCK_TREE_EXCLUSIVE));
    uint8_t key[4];
    nq__tree_key_encode(tree.value, key);
    nq_write *write =
        nq__write_set_add(&txn->writes, NQ__TREE_DIRECTORY, nq_bytes_of(key, sizeof key));
    if (write == NULL) {
        return fail_txn_memory(ctx, txn);
    }
    /* The tree's own lock, which keeps everybody out, stands for the entry's. */
    NQ_TRY(set_write(ctx, txn, write, NQ__WRITE_REMOVE, (nq_bytes){0}));
    txn->has_tree_changes = true;
    return NQ_OK;
}
