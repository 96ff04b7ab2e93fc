/* Spill: a transaction's writes leave memory for a tree of private pages, one for each tree that
 * they are to.
 *
 * The pages are pages like any other: the cache writes them out when it needs room, and they are
 * free again when the transaction ends, or after a crash. Each spill is a generation of its own, so
 * one that fails is forgotten by giving its pages back.
 *
 *   write set --- in order ---> private trees ---- at commit, in order ---> the trees and the log
 *
 * Savepoints. What a savepoint goes back to must be in the private trees too before the writes
 * behind it leave memory. So a spill plays the changes in memory back to the oldest savepoint that
 * has not been settled, writes what was changed before it, plays on to the next, and so on; each
 * stage is a generation, and the roots after it are what its savepoint keeps.
 *
 * Locks. A row's lock is its write, so before the writes go the tree is locked alone. */
#include "engine/ground/base/heap.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/store/txn_internal.h"

struct nq_spill {
    nq_private_pages pages;
    uint64_t generation;
    nq_held_chunk *replaced; /* pages that no longer count, but for savepoints */
    uint64_t replaced_count;
    nq_held_chunk *spare; /* nor for savepoints: the first to be used again */
    nq_page_source source;
};

/* ---- Pages ---- */

static bool pop(nq_held_chunk **list, nq_held_page *out_page) {
    nq_held_chunk *chunk = *list;
    if (chunk == NULL) {
        return false;
    }
    *out_page = chunk->pages[--chunk->count];
    if (chunk->count == 0) {
        *list = chunk->next;
        nq_heap_free(chunk);
    }
    return true;
}

static nq_status take_page(nq_ctx *ctx, void *user, nq_page_id *out_page) {
    nq_spill *spill = user;
    nq_held_page page;
    if (pop(&spill->spare, &page)) {
        out_page->value = page.page;
        return NQ_OK;
    }
    return nq__private_take(ctx, &spill->pages, out_page);
}

static nq_status give_page(nq_ctx *ctx, void *user, nq_page_id page, uint64_t birth) {
    nq_spill *spill = user;
    NQ_TRY(nq__held_add(ctx, &spill->replaced, (nq_held_page){birth, page.value}));
    spill->replaced_count++;
    return NQ_OK;
}

/* Goes back to fewer pages: those taken since are given back, those replaced since count again. */
static void go_back(nq_spill *spill, uint64_t taken_count, uint64_t replaced_count) {
    nq_held_page page;
    while (spill->replaced_count > replaced_count && pop(&spill->replaced, &page)) {
        spill->replaced_count--;
    }
    nq__private_give(&spill->pages, taken_count);
}

/* Generations of private pages are greater than any commit's: no checkpoint writes them. */
static uint64_t next_generation(nq_store *store) {
    return UINT64_C(1) << 63 | atomic_fetch_add(&store->private_generation, 1);
}

static nq_status begin(nq_ctx *ctx, nq_txn *txn) {
    if (txn->spill != NULL) {
        return NQ_OK;
    }
    txn->spill = nq_heap_calloc(1, sizeof *txn->spill);
    if (txn->spill == NULL) {
        return nq_fail_no_memory(ctx, "spilling a transaction");
    }
    nq__private_begin(txn->store, &txn->spill->pages);
    txn->spill->source = (nq_page_source){.user = txn->spill, .take = take_page, .give = give_page};
    return NQ_OK;
}

/* ---- Writing marked writes ---- */

/* The trees of one stage, while they change. */
typedef struct stage {
    nq_txn *txn;
    uint64_t generation;
    nq_spilled *trees;
    nq_spilled_tree *at; /* the tree being written; NULL: none */
    nq_btree_writer writer;
} stage;

static uint32_t count_trees(const nq_txn *txn) {
    uint32_t count = txn->spilled == NULL ? 0 : txn->spilled->count;
    uint32_t last = 0;
    for (const nq_write *write = nq__write_set_first(&txn->writes); write != NULL;
         write = write->next[0]) {
        count += write->lock.tree != last ? 1 : 0;
        last = write->lock.tree;
    }
    return count;
}

static nq_status stage_begin(nq_ctx *ctx, nq_txn *txn, const nq_spilled *before, stage *s) {
    size_t count = count_trees(txn);
    *s = (stage){.txn = txn, .generation = next_generation(txn->store)};
    s->trees = nq_arena_alloc(&txn->arena, sizeof *s->trees + count * sizeof s->trees->trees[0]);
    if (s->trees == NULL) {
        return nq_fail_no_memory(ctx, "spilling a transaction");
    }
    s->trees->count = 0;
    if (before != NULL) {
        memcpy(s->trees, before, sizeof *before + before->count * sizeof before->trees[0]);
    }
    return NQ_OK;
}

static void leave_tree(stage *s) {
    if (s->at != NULL) {
        nq_btree_writer_deinit(&s->writer);
        s->at = NULL;
    }
}

/* Finds the tree, or makes room for it in the order of ids. */
static void enter_tree(stage *s, uint32_t tree) {
    if (s->at != NULL && s->at->id == tree) {
        return;
    }
    leave_tree(s);
    nq_spilled *trees = s->trees;
    uint32_t i = 0;
    while (i < trees->count && trees->trees[i].id < tree) {
        i++;
    }
    if (i == trees->count || trees->trees[i].id != tree) {
        memmove(&trees->trees[i + 1], &trees->trees[i],
                (trees->count - i) * sizeof trees->trees[0]);
        trees->trees[i] = (nq_spilled_tree){.id = tree};
        trees->count++;
    }
    s->at = &trees->trees[i];
    nq_btree_writer_init(&s->writer, s->txn->store->pool, &s->txn->spill->source, s->generation,
                         &s->at->tree);
}

static nq_status write_marked(nq_ctx *ctx, stage *s) {
    nq_status status = NQ_OK;
    for (nq_write *write = nq__write_set_first(&s->txn->writes); write != NULL && status == NQ_OK;
         write = write->next[0]) {
        if (!write->is_marked || write->kind == NQ__WRITE_NONE) {
            continue;
        }
        enter_tree(s, write->lock.tree);
        status = write->kind == NQ__WRITE_PUT
                     ? nq_btree_put(ctx, &s->writer, write->lock.key, write->value)
                     : nq_btree_bury(ctx, &s->writer, write->lock.key);
        write->is_marked = false;
    }
    leave_tree(s);
    return status;
}

/* ---- Playing changes back and on ---- */

static void swap(nq_undo *undo) {
    nq_write *write = undo->write;
    nq_write_kind kind = write->kind;
    nq_bytes value = write->value;
    write->kind = undo->kind;
    write->value = undo->value;
    undo->kind = kind;
    undo->value = value;
}

/* Moves changes with a number greater than `number` from the undo list to *redo, undoing them. */
static void play_back(nq_write_set *set, uint64_t number, nq_undo **redo) {
    while (set->undo != NULL && set->undo->number > number) {
        nq_undo *undo = set->undo;
        swap(undo);
        set->undo = undo->older;
        undo->older = *redo;
        *redo = undo;
    }
}

/* The other way, up to `number`; marks what is changed. */
static void play_on(nq_write_set *set, uint64_t number, nq_undo **redo) {
    while (*redo != NULL && (*redo)->number <= number) {
        nq_undo *undo = *redo;
        swap(undo);
        undo->write->is_marked = true;
        *redo = undo->older;
        undo->older = set->undo;
        set->undo = undo;
    }
}

static void mark_all(const nq_write_set *set) {
    for (nq_write *write = nq__write_set_first(set); write != NULL; write = write->next[0]) {
        write->is_marked = true;
    }
}

/* ---- The stages ---- */

/* What a savepoint will go back to, once all stages have been written. */
static void note_stage(nq_txn *txn, nq_saved *saved, const nq_spilled *trees) {
    saved->spilled = trees;
    saved->taken_count = txn->spill->pages.taken_count;
    saved->replaced_count = txn->spill->replaced_count;
}

/* Writes one stage after another; savepoints from `first` on are told what they go back to. */
static nq_status write_stages(nq_ctx *ctx, nq_txn *txn, uint32_t first, nq_undo **redo,
                              const nq_spilled **out_spilled) {
    const nq_spilled *trees = txn->spilled;
    stage s;
    mark_all(&txn->writes);
    for (uint32_t i = first; i < txn->saved_count; i++) {
        nq_saved *saved = &txn->saved[i];
        play_on(&txn->writes, saved->undo_number, redo);
        NQ_TRY(stage_begin(ctx, txn, trees, &s));
        NQ_TRY(write_marked(ctx, &s));
        trees = s.trees;
        note_stage(txn, saved, NQ_HAS_BUG(SPILL_SAVEPOINT_LOST) ? txn->spilled : trees);
    }
    play_on(&txn->writes, UINT64_MAX, redo);
    NQ_TRY(stage_begin(ctx, txn, trees, &s));
    NQ_TRY(write_marked(ctx, &s));
    *out_spilled = s.trees;
    return NQ_OK;
}

static uint32_t first_unsettled(const nq_txn *txn) {
    uint32_t first = 0;
    while (first < txn->saved_count && txn->saved[first].is_settled) {
        first++;
    }
    return first;
}

static nq_status write_all(nq_ctx *ctx, nq_txn *txn, uint32_t first,
                           const nq_spilled **out_spilled) {
    nq_spill *spill = txn->spill;
    uint64_t taken_count = spill->pages.taken_count;
    uint64_t replaced_count = spill->replaced_count;
    nq_undo *redo = NULL;
    if (first < txn->saved_count) {
        play_back(&txn->writes, txn->saved[first].undo_number, &redo);
    }
    nq_status status = write_stages(ctx, txn, first, &redo, out_spilled);
    if (status == NQ_OK) {
        return NQ_OK;
    }
    play_on(&txn->writes, UINT64_MAX, &redo);
    go_back(spill, taken_count, replaced_count);
    for (uint32_t i = first; i < txn->saved_count; i++) {
        note_stage(txn, &txn->saved[i], txn->spilled);
    }
    return status;
}

/* ---- The whole ---- */

/* Every tree that was written to is ours alone, so that its rows need no locks. */
static nq_status lock_trees(nq_ctx *ctx, nq_txn *txn) {
    nq_tree_access access = NQ_HAS_BUG(SPILL_ROWS_NOT_LOCKED) ? NQ_TREE_SHARED : NQ_TREE_ALONE;
    const nq_write *write = nq__write_set_first(&txn->writes);
    while (write != NULL) {
        nq_tree_lock *lock;
        uint32_t tree = write->lock.tree;
        NQ_TRY(nq__lock_tree(ctx, txn, tree, access, &lock));
        nq__row_locks_leave(lock);
        write = nq__write_set_seek(&txn->writes, tree + 1, (nq_bytes){0});
    }
    return NQ_OK;
}

/* What is in memory is in the private trees now. */
static void forget_writes(nq_txn *txn) {
    nq_mutex_lock(&txn->writes_mutex);
    txn->writes = (nq_write_set){0};
    nq_mutex_unlock(&txn->writes_mutex);
    nq__arena_empty(&txn->writes_arena);
    nq__arena_empty(&txn->undo_arena);
}

static nq_status spill(nq_ctx *ctx, nq_txn *txn) {
    uint32_t first = first_unsettled(txn);
    const nq_spilled *spilled;
    NQ_TRY(begin(ctx, txn));
    NQ_TRY(lock_trees(ctx, txn));
    nq__scans_unsettle(txn);
    txn->spill_epoch++;
    NQ_TRY(write_all(ctx, txn, first, &spilled));
    for (uint32_t i = first; i < txn->saved_count; i++) {
        txn->saved[i].is_settled = true;
        txn->saved[i].undo_number = txn->undo_count;
    }
    txn->spilled = spilled;
    forget_writes(txn);
    atomic_fetch_add_explicit(&txn->store->counters.spills, 1, memory_order_relaxed);
    if (txn->saved_count == 0) {
        nq__spill_forget_replaced(txn);
    }
    return NQ_OK;
}

nq_status nq__txn_fit(nq_ctx *ctx, nq_txn *txn) {
    size_t taken = txn->writes_arena.taken_bytes + txn->undo_arena.taken_bytes;
    if (taken <= txn->store->options.txn_bytes_max) {
        nq_status status = nq__txn_charge(ctx, txn);
        if (status != NQ_MEMORY_LIMIT) {
            return status;
        }
    }
    nq_status status = spill(ctx, txn);
    if (status == NQ_DISK_FULL) {
        nq__keeper_want_checkpoint(txn->store);
    }
    return status == NQ_OK ? nq__txn_charge(ctx, txn) : status;
}

/* ---- Savepoints ---- */

void nq__spill_note(const nq_txn *txn, nq_saved *saved) {
    saved->spilled = txn->spilled;
    if (txn->spill != NULL) {
        saved->taken_count = txn->spill->pages.taken_count;
        saved->replaced_count = txn->spill->replaced_count;
    }
}

void nq__spill_restore(nq_txn *txn, const nq_saved *saved) {
    if (txn->spilled == saved->spilled) {
        return;
    }
    nq__scans_unsettle(txn);
    txn->spill_epoch++;
    txn->spilled = saved->spilled;
    go_back(txn->spill, saved->taken_count, saved->replaced_count);
}

void nq__spill_forget_replaced(nq_txn *txn) {
    nq_spill *s = txn->spill;
    if (s == NULL || s->replaced == NULL) {
        return;
    }
    nq_held_chunk *chunk = s->replaced;
    for (;; chunk = chunk->next) {
        for (uint32_t i = 0; i < chunk->count; i++) {
            nq_pool_forget(txn->store->pool, (nq_page_id){chunk->pages[i].page});
        }
        if (chunk->next == NULL) {
            break;
        }
    }
    chunk->next = s->spare;
    s->spare = s->replaced;
    s->replaced = NULL;
    s->replaced_count = 0;
}

void nq__spill_end(nq_txn *txn) {
    if (txn->spill == NULL) {
        return;
    }
    nq__held_free(txn->spill->replaced);
    nq__held_free(txn->spill->spare);
    nq__private_end(&txn->spill->pages);
    nq_heap_free(txn->spill);
    txn->spill = NULL;
}
