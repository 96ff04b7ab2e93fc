/* Read: one key as the transaction sees it — its own writes over its snapshot. */
#include "engine/ground/base/heap.h"
#include "engine/storage/store/txn_internal.h"

/* Whether the transaction itself has made or dropped the tree. */
static nq_write_kind own_tree_change(const nq_txn *txn, uint32_t tree) {
    uint8_t key[4];
    nq__tree_key_encode(tree, key);
    const nq_write *write =
        nq__write_set_find(&txn->tree_writes, NQ__TREE_DIRECTORY, nq_bytes_of(key, sizeof key));
    return write == NULL ? NQ__WRITE_NONE : write->kind;
}

static nq_status load_tree(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_txn_tree **out_tree) {
    if (nq__bulk_has(txn, tree)) {
        return nq_fail(ctx, NQ_TRANSACTION_ACTIVE,
                       "tree %u was loaded in bulk: it can be used again after the commit", tree);
    }
    nq_txn_tree *slot = NULL;
    for (uint32_t i = 0; i < NQ__TXN_TREES && slot == NULL; i++) {
        slot = txn->trees[i].id == tree ? &txn->trees[i] : NULL;
    }
    if (slot == NULL) {
        slot = &txn->trees[txn->next_tree++ % NQ__TXN_TREES];
        *slot = (nq_txn_tree){.id = tree};
    }
    NQ_TRY(nq__tree_find(ctx, txn->store, txn->snapshot, tree, &slot->tree, &slot->exists));
    slot->change = own_tree_change(txn, tree);
    slot->is_cached = true;
    *out_tree = slot;
    return NQ_OK;
}

nq_status nq__txn_get_tree(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_txn_tree **out_tree) {
    nq_txn_tree *found = NULL;
    for (uint32_t i = 0; i < NQ__TXN_TREES; i++) {
        if (txn->trees[i].id == tree && txn->trees[i].is_cached) {
            found = &txn->trees[i];
            break;
        }
    }
    if (found == NULL) {
        NQ_TRY(load_tree(ctx, txn, tree, &found));
    }
    if (tree == NQ__TREE_DIRECTORY || found->change == NQ__WRITE_REMOVE ||
        (!found->exists && found->change != NQ__WRITE_PUT)) {
        return nq_fail(ctx, NQ_TABLE_NOT_FOUND, "tree %u does not exist", tree);
    }
    *out_tree = found;
    return NQ_OK;
}

void nq__txn_forget_trees(nq_txn *txn) {
    for (uint32_t i = 0; i < NQ__TXN_TREES; i++) {
        txn->trees[i].is_cached = false;
    }
}

nq_status nq__value_reserve(nq_ctx *ctx, nq_long_value *room, size_t bytes) {
    if (bytes <= room->capacity && room->data != NULL) {
        return NQ_OK;
    }
    size_t capacity = 2 * room->capacity > bytes ? 2 * room->capacity : bytes;
    uint8_t *grown = nq_heap_alloc(capacity);
    if (grown == NULL) {
        return nq_fail_no_memory(ctx, "a long value");
    }
    nq_heap_free(room->data);
    *room = (nq_long_value){grown, capacity};
    return NQ_OK;
}

nq_status nq__value_load(nq_ctx *ctx, nq_store *store, nq_bytes payload, nq_long_value *room,
                         nq_bytes *out_value) {
    size_t bytes = nq_btree_value_bytes(payload, true);
    if (bytes > NQ_STORE_VALUE_BYTES_MAX) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "a value claims %zu bytes", bytes);
    }
    NQ_TRY(nq__value_reserve(ctx, room, bytes));
    NQ_TRY(nq_btree_copy_value(ctx, store->pool, payload, true, room->data));
    *out_value = nq_bytes_of(room->data, bytes);
    return NQ_OK;
}

nq_status nq__txn_note_read(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_bytes low, nq_bytes high) {
    if (txn->options.isolation != NQ_SERIALIZABLE || txn->options.read_only) {
        return NQ_OK;
    }
    nq_read *read = nq_arena_alloc(&txn->arena, sizeof *read);
    if (read == NULL) {
        return nq_fail_no_memory(ctx, "what a serializable transaction has read");
    }
    *read = (nq_read){.next = txn->reads, .tree = tree};
    if (low.data != NULL) {
        read->low = nq_arena_copy(&txn->arena, low);
    }
    if (high.data != NULL) {
        read->high = nq_arena_copy(&txn->arena, high);
    }
    if ((low.data != NULL && read->low.data == NULL) ||
        (high.data != NULL && read->high.data == NULL)) {
        return nq_fail_no_memory(ctx, "what a serializable transaction has read");
    }
    txn->reads = read;
    return nq__txn_charge(ctx, txn);
}

/* The range that holds one key alone ends at the key followed by a zero. */
static nq_status note_point(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_bytes key) {
    if (txn->options.isolation != NQ_SERIALIZABLE || txn->options.read_only) {
        return NQ_OK;
    }
    uint8_t high[NQ_STORE_KEY_BYTES_MAX + 1];
    memcpy(high, key.data, key.size);
    high[key.size] = 0;
    return nq__txn_note_read(ctx, txn, tree, key, nq_bytes_of(high, key.size + 1));
}

nq_status nq_txn_find(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, nq_bytes key,
                      nq_bytes *out_value) {
    *out_value = (nq_bytes){0};
    if (__builtin_expect(txn->backlog != NULL, 0)) {
        bool is_known;
        NQ_TRY(nq__backlog_find(ctx, txn, tree.value, key, out_value, &is_known));
        if (is_known) {
            return NQ_OK;
        }
    }
    nq_txn_tree *found;
    NQ_TRY(nq__txn_get_tree(ctx, txn, tree.value, &found));
    if (key.size > NQ_STORE_KEY_BYTES_MAX) {
        return NQ_OK; /* no such key can have been put */
    }
    nq_own_write own;
    NQ_TRY(nq__own_find(ctx, txn, tree.value, key, &own));
    if (own.kind == NQ__WRITE_REMOVE) {
        return NQ_OK;
    }
    if (own.kind == NQ__WRITE_PUT) {
        *out_value = own.value;
        return own.is_long ? nq__value_load(ctx, txn->store, own.value, &txn->value, out_value)
                           : NQ_OK;
    }
    NQ_TRY(note_point(ctx, txn, tree.value, key));
    bool is_overflow;
    NQ_TRY(nq_btree_find_copy(ctx, txn->store->pool, &found->tree, key, txn->value_room, out_value,
                              &is_overflow));
    if (!is_overflow) {
        return NQ_OK;
    }
    nq_bytes payload = *out_value;
    *out_value = (nq_bytes){0};
    return nq__value_load(ctx, txn->store, payload, &txn->value, out_value);
}

static nq_status get_stats(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, nq_tree_stats *out_stats) {
    nq_txn_tree *found;
    NQ_TRY(nq__txn_get_tree(ctx, txn, tree.value, &found));
    out_stats->entry_count = found->tree.entry_count;
    out_stats->page_count = found->tree.page_count;
    out_stats->bytes = found->tree.page_count * NQ_PAGE_BYTES;
    return NQ_OK;
}

nq_status nq_txn_tree_stats(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, nq_tree_stats *out_stats) {
    *out_stats = (nq_tree_stats){0};
    NQ_TRY(nq__txn_settle(ctx, txn));
    return get_stats(ctx, txn, tree, out_stats);
}

nq_status nq_txn_tree_estimate(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree,
                               nq_tree_stats *out_stats) {
    *out_stats = (nq_tree_stats){0};
    NQ_TRY(nq__backlog_prepare_read(ctx, txn, tree.value));
    return get_stats(ctx, txn, tree, out_stats);
}
