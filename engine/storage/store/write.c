/* Write: put, insert, remove and the coming and going of trees, all into the private write set. The
 * key's lock is taken before anything is looked at. */
#include "engine/storage/page/bug.h"
#include "engine/storage/store/txn_internal.h"

static nq_status fail_memory(nq_ctx *ctx) {
    return nq_fail_no_memory(ctx, "a transaction's changes");
}

static nq_status check_may_write(nq_ctx *ctx, nq_txn *txn, nq_bytes key, nq_bytes value) {
    if (txn->options.read_only) {
        return nq_fail(ctx, NQ_READ_ONLY_TRANSACTION, "the transaction is read-only");
    }
    NQ_TRY(nq__txn_settle(ctx, txn));
    NQ_TRY(nq__store_check_health(ctx, txn->store));
    if (key.size > NQ_STORE_KEY_BYTES_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "a key of %zu bytes is longer than %d", key.size,
                       NQ_STORE_KEY_BYTES_MAX);
    }
    if (value.size > NQ_STORE_VALUE_BYTES_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "a value of %zu bytes is longer than %d", value.size,
                       NQ_STORE_VALUE_BYTES_MAX);
    }
    if (txn->writes.head != NULL) {
        return NQ_OK;
    }
    return nq__write_set_init(ctx, &txn->writes, &txn->writes_arena, &txn->undo_arena);
}

/* ---- The place of a write ---- */

/* Makes the write of a key if need be, NONE at first. NULL: out of memory. */
static nq_write *add_write(nq_txn *txn, const nq_txn_tree *tree, nq_bytes key) {
    const nq_tree_lock *lock = tree->lock;
    nq_mutex_lock(&txn->writes_mutex);
    nq_write *write = nq__write_set_add(&txn->writes, tree->id, key);
    if (write != NULL && (lock->is_solo || lock->held == NQ_TREE_ALONE)) {
        write->lock.is_held = true;
    }
    nq_mutex_unlock(&txn->writes_mutex);
    return write;
}

/* Keeps everybody else from dropping the tree, or from writing to it at all. */
static nq_status hold_tree(nq_ctx *ctx, nq_txn *txn, nq_txn_tree *tree, nq_tree_access access) {
    if (tree->lock != NULL && tree->lock->held >= access) {
        return NQ_OK;
    }
    nq_tree_lock *lock;
    NQ_TRY(nq__lock_tree(ctx, txn, tree->id, access, &lock));
    NQ_TRY(nq__check_tree_conflict(ctx, txn, tree));
    tree->lock = lock;
    return NQ_OK;
}

/* The locked write of a key, NONE if the transaction has not written it yet. */
static nq_status get_write(nq_ctx *ctx, nq_txn *txn, const nq_txn_tree *tree, nq_bytes key,
                           nq_write **out_write) {
    nq_write *write = add_write(txn, tree, key);
    if (write == NULL) {
        return fail_memory(ctx);
    }
    NQ_TRY(nq__lock_row(ctx, tree->lock, &write->lock));
    if (!write->is_checked) {
        NQ_TRY(nq__check_row_conflict(ctx, txn, tree, key));
        write->is_checked = true;
    }
    *out_write = write;
    return NQ_OK;
}

/* Whether the transaction sees the key. */
static nq_status is_present(nq_ctx *ctx, nq_txn *txn, const nq_txn_tree *tree, nq_bytes key,
                            bool *out_is_present) {
    nq_own_write own;
    NQ_TRY(nq__own_find(ctx, txn, tree->id, key, &own));
    if (own.kind != NQ__WRITE_NONE) {
        *out_is_present = own.kind == NQ__WRITE_PUT;
        return NQ_OK;
    }
    nq_btree_entry entry;
    NQ_TRY(nq_btree_find(ctx, txn->store->pool, &tree->tree, key, &entry));
    *out_is_present = entry.pin.page != NULL;
    nq_btree_entry_release(txn->store->pool, &entry);
    return NQ_OK;
}

/* ---- Changing the write set ---- */

/* Makes the change; afterwards the transaction may have to be made to fit its memory again. */
static nq_status set_write(nq_ctx *ctx, nq_txn *txn, nq_write *write, nq_write_kind kind,
                           nq_bytes value) {
    if (!nq__write_set_change(&txn->writes, write, kind, value, nq__undo_number(txn))) {
        return fail_memory(ctx);
    }
    return nq__txn_fit(ctx, txn);
}

/* What every write begins with: may it be, does the tree exist, is it ours. */
static nq_status begin_write(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_bytes key, nq_bytes value,
                             nq_txn_tree **out_tree, nq_write **out_write) {
    NQ_TRY(check_may_write(ctx, txn, key, value));
    NQ_TRY(nq__txn_get_tree(ctx, txn, tree, out_tree));
    NQ_TRY(hold_tree(ctx, txn, *out_tree, NQ_TREE_SHARED));
    return get_write(ctx, txn, *out_tree, key, out_write);
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
    NQ_TRY(is_present(ctx, txn, found, key, &was_present));
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
    NQ_TRY(is_present(ctx, txn, found, key, &was_present));
    if (out_was_present != NULL) {
        *out_was_present = was_present;
    }
    return was_present ? set_write(ctx, txn, write, NQ__WRITE_REMOVE, (nq_bytes){0}) : NQ_OK;
}

/* ---- Trees ---- */

/* Says in the directory that a tree comes or goes. The tree's lock, ours alone, is the entry's. */
static nq_status write_directory(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_write_kind kind) {
    nq_write_set *set = &txn->tree_writes;
    if (set->head == NULL) {
        NQ_TRY(nq__write_set_init(ctx, set, &txn->arena, &txn->arena));
    }
    uint8_t key[4];
    nq__tree_key_encode(tree, key);
    nq_write *write = nq__write_set_add(set, NQ__TREE_DIRECTORY, nq_bytes_of(key, sizeof key));
    if (write == NULL ||
        !nq__write_set_change(set, write, kind, (nq_bytes){0}, nq__undo_number(txn))) {
        return fail_memory(ctx);
    }
    nq__txn_forget_trees(txn);
    return NQ_OK;
}

nq_status nq_txn_tree_create(nq_ctx *ctx, nq_txn *txn, nq_tree_id *out_tree) {
    *out_tree = (nq_tree_id){0};
    NQ_TRY(check_may_write(ctx, txn, (nq_bytes){0}, (nq_bytes){0}));
    uint32_t tree = atomic_fetch_add(&txn->store->next_tree, 1);
    nq_tree_lock *lock;
    NQ_TRY(nq__lock_tree(ctx, txn, tree, NQ_TREE_ALONE, &lock));
    NQ_TRY(write_directory(ctx, txn, tree, NQ__WRITE_PUT));
    out_tree->value = tree;
    return NQ_OK;
}

nq_status nq_txn_tree_lock(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, nq_tree_access access) {
    NQ_TRY(check_may_write(ctx, txn, (nq_bytes){0}, (nq_bytes){0}));
    nq_txn_tree *found;
    NQ_TRY(nq__txn_get_tree(ctx, txn, tree.value, &found));
    return hold_tree(ctx, txn, found, access);
}

nq_status nq_txn_tree_drop(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree) {
    if (tree.value < NQ__TREE_USER_FIRST) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "tree %u cannot be dropped", tree.value);
    }
    NQ_TRY(nq_txn_tree_lock(ctx, txn, tree, NQ_TREE_ALONE));
    return write_directory(ctx, txn, tree.value, NQ__WRITE_REMOVE);
}
