/* Changes: everything a transaction has written, in the order in which it is applied and logged —
 * trees that come and go, then rows, tree by tree and key by key. */
#include "engine/ground/base/heap.h"
#include "engine/storage/store/txn_internal.h"

void nq__changes_begin(nq_changes *changes, nq_txn *txn) {
    changes->txn = txn;
    changes->directory = nq__write_set_first(&txn->tree_writes);
    changes->row = txn->spilled == NULL ? nq__write_set_first(&txn->writes) : NULL;
    changes->tree = 0;
    changes->value = (nq_long_value){0};
    changes->count = 0;
}

void nq__changes_end(nq_changes *changes) {
    if (changes->tree != 0) {
        nq__own_cursor_deinit(&changes->rows);
    }
    nq_heap_free(changes->value.data);
}

static nq_log_record *add_record(nq_changes *changes) {
    return &changes->records[changes->count++];
}

/* ---- In memory ---- */

static void list_directory(nq_changes *changes) {
    for (; changes->directory != NULL && changes->count < NQ__CHANGES_BATCH;
         changes->directory = changes->directory->next[0]) {
        const nq_write *write = changes->directory;
        if (write->kind != NQ__WRITE_NONE) {
            *add_record(changes) = (nq_log_record){
                .kind = write->kind == NQ__WRITE_PUT ? NQ_RECORD_TREE_CREATE : NQ_RECORD_TREE_DROP,
                .tree = nq__tree_key_decode(write->lock.key)};
        }
    }
}

static void add_row(nq_changes *changes, nq_write_kind kind, uint32_t tree, nq_bytes key,
                    nq_bytes value) {
    *add_record(changes) =
        (nq_log_record){.kind = kind == NQ__WRITE_PUT ? NQ_RECORD_PUT : NQ_RECORD_REMOVE,
                        .tree = tree,
                        .key = key,
                        .value = kind == NQ__WRITE_PUT ? value : (nq_bytes){0}};
}

static void list_rows(nq_changes *changes) {
    for (; changes->row != NULL && changes->count < NQ__CHANGES_BATCH;
         changes->row = changes->row->next[0]) {
        const nq_write *write = changes->row;
        if (write->kind != NQ__WRITE_NONE) {
            add_row(changes, write->kind, write->lock.tree, write->lock.key, write->value);
        }
    }
}

/* ---- In memory and spilled, one at a time: pages are borrowed ---- */

/* The next tree after `tree` that has rows; 0: none. */
static uint32_t next_tree(const nq_txn *txn, uint32_t tree) {
    const nq_write *write = nq__write_set_seek(&txn->writes, tree + 1, (nq_bytes){0});
    uint32_t next = write == NULL ? 0 : write->lock.tree;
    for (uint32_t i = 0; txn->spilled != NULL && i < txn->spilled->count; i++) {
        uint32_t id = txn->spilled->trees[i].id;
        if (id > tree && (next == 0 || id < next)) {
            next = id;
        }
    }
    return next;
}

/* Leads the cursor to the next row, of whatever tree; it stands at none when all have been met. */
static nq_status advance(nq_ctx *ctx, nq_changes *changes) {
    if (changes->tree != 0) {
        NQ_TRY(nq__own_cursor_next(ctx, &changes->rows));
        if (changes->rows.write.kind != NQ__WRITE_NONE) {
            return NQ_OK;
        }
        nq__own_cursor_deinit(&changes->rows);
    }
    do {
        changes->tree = next_tree(changes->txn, changes->tree);
        if (changes->tree == 0) {
            changes->rows.write.kind = NQ__WRITE_NONE;
            return NQ_OK;
        }
        nq__own_cursor_init(&changes->rows, changes->txn, changes->tree, false);
        NQ_TRY(nq__own_cursor_seek(ctx, &changes->rows, (nq_bytes){0}));
    } while (changes->rows.write.kind == NQ__WRITE_NONE);
    return NQ_OK;
}

static nq_status list_merged(nq_ctx *ctx, nq_changes *changes) {
    NQ_TRY(advance(ctx, changes));
    const nq_own_write *write = &changes->rows.write;
    if (write->kind == NQ__WRITE_NONE) {
        return NQ_OK;
    }
    nq_bytes value = write->value;
    if (write->is_long) {
        NQ_TRY(nq__value_load(ctx, changes->txn->store, write->value, &changes->value, &value));
    }
    add_row(changes, write->kind, changes->tree, changes->rows.key, value);
    return NQ_OK;
}

nq_status nq__changes_next(nq_ctx *ctx, nq_changes *changes) {
    changes->count = 0;
    list_directory(changes);
    list_rows(changes);
    bool is_more = changes->count == 0 && changes->txn->spilled != NULL;
    return is_more ? list_merged(ctx, changes) : NQ_OK;
}

/* ---- What will not be written ---- */

static nq_status forget_rows(nq_ctx *ctx, nq_txn *txn, uint32_t tree) {
    for (nq_write *moot = nq__write_set_seek(&txn->writes, tree, (nq_bytes){0});
         moot != NULL && moot->lock.tree == tree; moot = moot->next[0]) {
        moot->kind = NQ__WRITE_NONE;
    }
    const nq_spilled *before = txn->spilled;
    if (before == NULL) {
        return NQ_OK;
    }
    nq_spilled *after =
        nq_arena_alloc(&txn->arena, sizeof *after + before->count * sizeof after->trees[0]);
    if (after == NULL) {
        return nq_fail_no_memory(ctx, "a commit");
    }
    after->count = 0;
    for (uint32_t i = 0; i < before->count; i++) {
        if (before->trees[i].id != tree) {
            after->trees[after->count++] = before->trees[i];
        }
    }
    txn->spilled = after;
    return NQ_OK;
}

nq_status nq__changes_settle(nq_ctx *ctx, nq_txn *txn) {
    for (nq_write *write = nq__write_set_first(&txn->tree_writes); write != NULL;
         write = write->next[0]) {
        if (write->kind != NQ__WRITE_REMOVE) {
            continue;
        }
        uint32_t tree = nq__tree_key_decode(write->lock.key);
        NQ_TRY(forget_rows(ctx, txn, tree));
        nq_tree value;
        bool existed;
        NQ_TRY(nq__tree_find(ctx, txn->store, txn->snapshot, tree, &value, &existed));
        if (!existed) {
            write->kind = NQ__WRITE_NONE;
        }
    }
    return NQ_OK;
}
