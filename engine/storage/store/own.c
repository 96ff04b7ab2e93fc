/* Own: what a transaction itself has written to a tree — in memory over what was spilled.
 *
 *   in memory   b  c'          nodes of the write set
 *   spilled     a  c  (d)      a tree of private pages; (d) is a removal
 *   own         a  b  c' (d) */
#include "engine/ground/base/heap.h"
#include "engine/storage/store/txn_internal.h"

static const nq_tree *find_spilled(const nq_txn *txn, uint32_t tree) {
    const nq_spilled *spilled = txn->spilled;
    for (uint32_t i = 0; spilled != NULL && i < spilled->count; i++) {
        if (spilled->trees[i].id == tree) {
            return &spilled->trees[i].tree;
        }
    }
    return NULL;
}

static nq_own_write write_of(nq_bytes payload, bool is_overflow) {
    bool is_removal = nq_btree_is_tombstone(payload, is_overflow);
    return (nq_own_write){.kind = is_removal ? NQ__WRITE_REMOVE : NQ__WRITE_PUT,
                          .is_long = is_overflow && !is_removal,
                          .value = payload};
}

nq_status nq__own_find(nq_ctx *ctx, nq_txn *txn, uint32_t tree, nq_bytes key,
                       nq_own_write *out_write) {
    *out_write = (nq_own_write){0};
    const nq_write *write = nq__write_set_find(&txn->writes, tree, key);
    if (write != NULL && write->kind != NQ__WRITE_NONE) {
        *out_write = (nq_own_write){.kind = write->kind, .value = write->value};
        return NQ_OK;
    }
    const nq_tree *spilled = find_spilled(txn, tree);
    if (spilled == NULL) {
        return NQ_OK;
    }
    nq_bytes payload;
    bool is_overflow;
    NQ_TRY(nq_btree_find_copy(ctx, txn->store->pool, spilled, key, txn->value_room, &payload,
                              &is_overflow));
    if (payload.data != NULL) {
        *out_write = write_of(payload, is_overflow);
    }
    return NQ_OK;
}

/* ---- In order ---- */

void nq__own_cursor_init(nq_own_cursor *cursor, nq_txn *txn, uint32_t tree, bool is_reverse) {
    *cursor = (nq_own_cursor){.txn = txn, .tree = tree, .is_reverse = is_reverse};
}

void nq__own_cursor_deinit(nq_own_cursor *cursor) {
    if (cursor->spilled != NULL) {
        nq_btree_cursor_deinit(cursor->spilled);
        nq_heap_free(cursor->spilled);
        cursor->spilled = NULL;
    }
}

void nq__own_cursor_park(nq_own_cursor *cursor) {
    if (cursor->spilled != NULL) {
        nq_btree_cursor_park(cursor->spilled);
    }
}

/* The nearest write in memory, from `write` on, that is this tree's and says something. */
static const nq_write *admit(const nq_own_cursor *cursor, const nq_write *write) {
    while (write != NULL && write->lock.tree == cursor->tree && write->kind == NQ__WRITE_NONE) {
        write = cursor->is_reverse ? write->previous : write->next[0];
    }
    return write != NULL && write->lock.tree == cursor->tree ? write : NULL;
}

/* Stands at whichever of the two comes first; of two of one key, the one in memory counts. */
static nq_status settle(nq_ctx *ctx, nq_own_cursor *cursor) {
    const nq_write *write = cursor->next;
    bool has_spilled = cursor->spilled != NULL && cursor->spilled->is_at_entry;
    cursor->write = (nq_own_write){0};
    cursor->key = (nq_bytes){0};
    if (has_spilled) {
        NQ_TRY(nq_btree_cursor_unpark(ctx, cursor->spilled));
        nq_bytes key = nq_btree_cursor_key(cursor->spilled);
        int order = write == NULL ? 1 : nq_bytes_compare(write->lock.key, key);
        order = write != NULL && cursor->is_reverse ? -order : order;
        if (order > 0) {
            bool is_overflow;
            nq_bytes payload = nq_btree_cursor_payload(cursor->spilled, &is_overflow);
            cursor->key = key;
            cursor->write = write_of(payload, is_overflow);
            return NQ_OK;
        }
    }
    if (write != NULL) {
        cursor->key = write->lock.key;
        cursor->write = (nq_own_write){.kind = write->kind, .value = write->value};
    }
    return NQ_OK;
}

static nq_status seek_spilled(nq_ctx *ctx, nq_own_cursor *cursor, nq_bytes key) {
    nq__own_cursor_deinit(cursor);
    const nq_tree *tree = find_spilled(cursor->txn, cursor->tree);
    if (tree == NULL) {
        return NQ_OK;
    }
    cursor->spilled = nq_heap_alloc(sizeof *cursor->spilled);
    if (cursor->spilled == NULL) {
        return nq_fail_no_memory(ctx, "a scan");
    }
    nq_btree_cursor_init(cursor->spilled, cursor->txn->store->pool, tree);
    return cursor->is_reverse ? nq_btree_cursor_seek_before(ctx, cursor->spilled, key)
                              : nq_btree_cursor_seek(ctx, cursor->spilled, key);
}

nq_status nq__own_cursor_seek(nq_ctx *ctx, nq_own_cursor *cursor, nq_bytes key) {
    if (cursor->backlog != NULL) {
        nq__backlog_seek(cursor, key);
        return NQ_OK;
    }
    const nq_write_set *writes = &cursor->txn->writes;
    const nq_write *write;
    if (!cursor->is_reverse) {
        write = nq__write_set_seek(writes, cursor->tree, key);
    } else if (key.data != NULL) {
        write = nq__write_set_seek_before(writes, cursor->tree, key);
    } else {
        write = nq__write_set_seek_before(writes, cursor->tree + 1, (nq_bytes){0});
    }
    cursor->next = admit(cursor, write);
    NQ_TRY(seek_spilled(ctx, cursor, key));
    return settle(ctx, cursor);
}

static nq_status step_spilled(nq_ctx *ctx, nq_own_cursor *cursor) {
    return cursor->is_reverse ? nq_btree_cursor_previous(ctx, cursor->spilled)
                              : nq_btree_cursor_next(ctx, cursor->spilled);
}

nq_status nq__own_cursor_next(nq_ctx *ctx, nq_own_cursor *cursor) {
    if (cursor->backlog != NULL) {
        nq__backlog_next(cursor);
        return NQ_OK;
    }
    const nq_write *write = cursor->next;
    bool is_at_write = write != NULL && cursor->key.data == write->lock.key.data;
    if (cursor->spilled != NULL && cursor->spilled->is_at_entry) {
        NQ_TRY(nq_btree_cursor_unpark(ctx, cursor->spilled));
        if (!is_at_write || nq_bytes_equal(write->lock.key, nq_btree_cursor_key(cursor->spilled))) {
            NQ_TRY(step_spilled(ctx, cursor));
        }
    }
    if (is_at_write) {
        cursor->next = admit(cursor, cursor->is_reverse ? write->previous : write->next[0]);
    }
    return settle(ctx, cursor);
}
