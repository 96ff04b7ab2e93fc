/* Savepoint: marks that may be gone back to, oldest first. A change is remembered while there is
 * one behind it; without any nothing is. */
#include "engine/ground/base/heap.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/store/txn_internal.h"

uint64_t nq__undo_number(nq_txn *txn) {
    return txn->saved_count == 0 ? 0 : ++txn->undo_count;
}

static nq_status reserve(nq_ctx *ctx, nq_txn *txn) {
    if (txn->saved_count < txn->saved_capacity) {
        return NQ_OK;
    }
    uint32_t capacity = txn->saved_capacity * 2 + 4;
    nq_saved *saved = nq_heap_realloc(txn->saved, capacity * sizeof *saved);
    if (saved == NULL) {
        return nq_fail_no_memory(ctx, "a savepoint");
    }
    txn->saved = saved;
    txn->saved_capacity = capacity;
    return NQ_OK;
}

nq_status nq_txn_savepoint(nq_ctx *ctx, nq_txn *txn, nq_savepoint *out_savepoint) {
    *out_savepoint = (nq_savepoint){0};
    NQ_TRY(reserve(ctx, txn));
    nq_saved *saved = &txn->saved[txn->saved_count++];
    *saved = (nq_saved){.number = ++txn->saved_number,
                        .undo_number = txn->undo_count,
                        .tree_undo_number = txn->undo_count};
    nq__spill_note(txn, saved);
    out_savepoint->value = saved->number;
    return NQ_OK;
}

/* Where the savepoint stands; the count if nowhere. */
static uint32_t find(const nq_txn *txn, nq_savepoint savepoint) {
    uint32_t at = txn->saved_count;
    while (at > 0 && txn->saved[at - 1].number > savepoint.value) {
        at--;
    }
    bool is_there = at > 0 && txn->saved[at - 1].number == savepoint.value;
    return is_there ? at - 1 : txn->saved_count;
}

nq_status nq_txn_rollback_to(nq_ctx *ctx, nq_txn *txn, nq_savepoint savepoint) {
    uint32_t at = find(txn, savepoint);
    if (at == txn->saved_count) {
        return nq_fail(ctx, NQ_SAVEPOINT_NOT_FOUND, "the savepoint was rolled back beyond");
    }
    if (NQ_HAS_BUG(SAVEPOINT_IGNORED)) {
        return NQ_OK;
    }
    const nq_saved *saved = &txn->saved[at];
    txn->saved_count = at + 1;
    nq__write_set_undo(&txn->writes, saved->undo_number);
    nq__write_set_undo(&txn->tree_writes, saved->tree_undo_number);
    nq__txn_forget_trees(txn);
    nq__spill_restore(txn, saved);
    nq__bulk_rollback_to(txn, saved->number);
    return NQ_OK;
}

void nq_txn_release(nq_txn *txn, nq_savepoint savepoint) {
    uint32_t at = find(txn, savepoint);
    if (at == txn->saved_count) {
        return;
    }
    txn->saved_count = at;
    if (at == 0) {
        txn->writes.undo = NULL;
        txn->tree_writes.undo = NULL;
        nq__arena_empty(&txn->undo_arena);
        nq__spill_forget_replaced(txn);
    }
}
