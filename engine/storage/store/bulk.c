/* Bulk: rows in the order of their keys become a whole tree, which a commit puts where an empty one
 * was.
 *
 *   rows -> [one node a level, in memory] -> private pages, in the data file's segments
 *                                                |
 *   commit, in both turns:  the root into the directory -> checkpoint -> installed and published
 *
 * No row passes through the write set, the log or the cache. What makes it durable is the commit's
 * own checkpoint (S9):
 *
 * - A crash before its superblock finds the checkpoint before and the log, which holds nothing that
 *   was committed later: the turn of commits is kept until the superblock is durable. The pages are
 *   free, since no durable map leads to them.
 * - A crash after it finds the tree, and the log goes on behind it.
 * - A failure before the superblock gives every page back. One of the superblock itself leaves the
 *   outcome to the disk: the store is read-only, and keeps what either outcome needs.
 *
 * Pages are of a generation that no commit before the lock on the tree was granted had, and that
 * may be less than the one that brings them (conflict.c knows). */
#include "engine/ground/base/heap.h"
#include "engine/storage/store/txn_internal.h"

struct nq_bulk {
    nq_bulk *older;
    nq_txn *txn;
    uint32_t tree;
    uint64_t saved_number;     /* of the newest savepoint before it */
    nq_btree_builder *builder; /* NULL: finished */
    bool is_broken;            /* it cannot be finished */
    nq_tree loaded;            /* once it is finished */
    nq_private_pages pages;
    uint64_t charged_bytes; /* of their list, to the cache's budget */
};

/* ---- Pages ---- */

/* The list of pages is all that grows with the load. */
static nq_status charge(nq_ctx *ctx, nq_bulk *bulk) {
    uint64_t chunks = (bulk->pages.taken_count + NQ__HELD_CHUNK_PAGES - 1) / NQ__HELD_CHUNK_PAGES;
    uint64_t bytes = chunks * sizeof(nq_held_chunk);
    if (bytes == bulk->charged_bytes) {
        return NQ_OK;
    }
    const nq_store *store = bulk->txn->store;
    bool is_within = nq_pool_charge(store->pool, (int64_t)(bytes - bulk->charged_bytes));
    bulk->charged_bytes = bytes;
    return is_within || bytes <= NQ__TXN_SMALL_BYTES
               ? NQ_OK
               : nq_fail(ctx, NQ_MEMORY_LIMIT,
                         "the list of a load's %llu pages has used up the cache of %llu bytes",
                         (unsigned long long)bulk->pages.taken_count,
                         (unsigned long long)store->options.cache_bytes);
}

static nq_status take_page(nq_ctx *ctx, void *user, nq_page_id *out_page) {
    nq_bulk *bulk = user;
    NQ_TRY(nq__private_take(ctx, &bulk->pages, out_page));
    return charge(ctx, bulk);
}

static nq_status write_page(nq_ctx *ctx, void *user, const nq_page *page) {
    const nq_bulk *bulk = user;
    return nq_pool_write_past(ctx, bulk->txn->store->pool, page);
}

/* ---- Life ---- */

static void destroy(nq_bulk *bulk) {
    nq_btree_builder_destroy(bulk->builder);
    nq_pool_charge(bulk->txn->store->pool, -(int64_t)bulk->charged_bytes);
    nq__private_end(&bulk->pages);
    nq_heap_free(bulk);
}

static void leave(nq_bulk *bulk) {
    nq_bulk **link = &bulk->txn->bulks;
    while (*link != bulk) {
        link = &(*link)->older;
    }
    *link = bulk->older;
    nq__txn_forget_trees(bulk->txn);
    destroy(bulk);
}

static nq_status fail_not_empty(nq_ctx *ctx, uint32_t tree) {
    return nq_fail(ctx, NQ_INVALID_ARGUMENT,
                   "tree %u holds rows: only an empty tree can be loaded in bulk", tree);
}

static nq_status check_own_writes(nq_ctx *ctx, nq_txn *txn, uint32_t tree) {
    nq_own_cursor cursor;
    nq__own_cursor_init(&cursor, txn, tree, false);
    nq_status status = nq__own_cursor_seek(ctx, &cursor, (nq_bytes){0});
    bool is_empty = cursor.write.kind == NQ__WRITE_NONE;
    nq__own_cursor_deinit(&cursor);
    NQ_TRY(status);
    return is_empty ? NQ_OK : fail_not_empty(ctx, tree);
}

/* The tree is ours alone, so what is published of it now is what it will be at the commit (S5). */
static nq_status check_empty(nq_ctx *ctx, nq_txn *txn, uint32_t tree) {
    nq_txn_tree *found;
    NQ_TRY(nq__txn_get_tree(ctx, txn, tree, &found));
    if (!nq_page_ref_is_none(found->tree.root)) {
        return fail_not_empty(ctx, tree);
    }
    NQ_TRY(check_own_writes(ctx, txn, tree));
    nq_version *newest = nq__version_acquire(txn->store);
    nq_tree now;
    bool exists;
    nq_status status = nq__tree_find(ctx, txn->store, newest, tree, &now, &exists);
    nq__version_release(txn->store, newest);
    NQ_TRY(status);
    if (nq_page_ref_is_none(now.root)) {
        return NQ_OK;
    }
    atomic_fetch_add(&txn->store->counters.conflicts, 1);
    return nq_fail(ctx, NQ_WRITE_CONFLICT,
                   "another transaction wrote to tree %u after this one's snapshot", tree);
}

/* Whoever finds others at the tree had better join them than wait for it. */
static nq_status lock_alone(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree) {
    int64_t wait_ns = txn->options.lock_wait_ns;
    txn->options.lock_wait_ns = -1;
    nq_status status = nq_txn_tree_lock(ctx, txn, tree, NQ_TREE_ALONE);
    txn->options.lock_wait_ns = wait_ns;
    return status;
}

nq_status nq_bulk_begin(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, nq_bulk **out_bulk) {
    *out_bulk = NULL;
    nq_store *store = txn->store;
    if (store->options.log_archive != NULL) {
        return nq_fail(
            ctx, NQ_FEATURE_UNSUPPORTED,
            "rows loaded in bulk are not in the log, so that its archive would lack them");
    }
    NQ_TRY(lock_alone(ctx, txn, tree));
    NQ_TRY(check_empty(ctx, txn, tree.value));
    nq_bulk *bulk = nq_heap_calloc(1, sizeof *bulk);
    if (bulk == NULL) {
        return nq_fail_no_memory(ctx, "a bulk load");
    }
    bulk->txn = txn;
    bulk->tree = tree.value;
    bulk->saved_number = txn->saved_number;
    nq__private_begin(store, &bulk->pages);
    const nq_page_sink sink = {bulk, take_page, write_page};
    uint64_t generation = atomic_load(&store->published_generation) + 1;
    nq_status status = nq_btree_builder_create(ctx, &sink, generation, &bulk->builder);
    if (status != NQ_OK) {
        destroy(bulk);
        return status;
    }
    bulk->older = txn->bulks;
    txn->bulks = bulk;
    nq__txn_forget_trees(txn);
    *out_bulk = bulk;
    return NQ_OK;
}

/* A refused row has changed nothing; after anything else the tree cannot be completed. */
static nq_status note_failure(nq_bulk *bulk, nq_status status) {
    bool is_refusal = status == NQ_INVALID_ARGUMENT || status == NQ_UNIQUE_VIOLATION ||
                      status == NQ_LIMIT_EXCEEDED;
    bulk->is_broken = bulk->is_broken || !is_refusal;
    if (status == NQ_DISK_FULL) {
        nq__keeper_want_checkpoint(bulk->txn->store);
    }
    return status;
}

static nq_status fail_unfinished(nq_ctx *ctx, const nq_bulk *bulk) {
    return nq_fail(ctx, NQ_TRANSACTION_FAILED, "the bulk load of tree %u %s", bulk->tree,
                   bulk->is_broken ? "has failed" : "was not finished");
}

nq_status nq_bulk_add(nq_ctx *ctx, nq_bulk *bulk, nq_bytes key, nq_bytes value) {
    if (bulk->is_broken) {
        return fail_unfinished(ctx, bulk);
    }
    nq_status status = nq_btree_builder_add(ctx, bulk->builder, key, value);
    return status == NQ_OK ? NQ_OK : note_failure(bulk, status);
}

nq_status nq_bulk_finish(nq_ctx *ctx, nq_bulk *bulk) {
    if (bulk->is_broken) {
        return fail_unfinished(ctx, bulk);
    }
    nq_status status = nq_btree_builder_finish(ctx, bulk->builder, &bulk->loaded);
    if (status != NQ_OK) {
        bulk->is_broken = true;
        return note_failure(bulk, status);
    }
    nq_btree_builder_destroy(bulk->builder);
    bulk->builder = NULL;
    if (bulk->loaded.entry_count == 0) {
        leave(bulk);
    }
    return NQ_OK;
}

/* ---- The transaction's ---- */

bool nq__bulk_has(const nq_txn *txn, uint32_t tree) {
    const nq_bulk *bulk = txn->bulks;
    while (bulk != NULL && bulk->tree != tree) {
        bulk = bulk->older;
    }
    return bulk != NULL;
}

void nq__bulk_rollback_to(nq_txn *txn, uint64_t saved_number) {
    while (txn->bulks != NULL && txn->bulks->saved_number >= saved_number) {
        leave(txn->bulks);
    }
}

void nq__bulk_end_all(nq_txn *txn) {
    while (txn->bulks != NULL) {
        leave(txn->bulks);
    }
}

/* ---- Commit ---- */

nq_status nq__bulk_check(nq_ctx *ctx, const nq_txn *txn) {
    for (const nq_bulk *bulk = txn->bulks; bulk != NULL; bulk = bulk->older) {
        if (bulk->builder != NULL) {
            return fail_unfinished(ctx, bulk);
        }
    }
    return NQ_OK;
}

nq_status nq__bulk_apply(nq_ctx *ctx, const nq_txn *txn, nq_apply *apply) {
    for (const nq_bulk *bulk = txn->bulks; bulk != NULL; bulk = bulk->older) {
        NQ_TRY(nq__apply_loaded(ctx, apply, bulk->tree, &bulk->loaded));
    }
    return NQ_OK;
}

nq_status nq__bulk_publish(nq_ctx *ctx, nq_txn *txn, nq_apply *apply, nq_lsn *out_lsn) {
    for (nq_bulk *bulk = txn->bulks; bulk != NULL; bulk = bulk->older) {
        nq__private_set_reached(&bulk->pages, true);
    }
    bool is_installed;
    nq_status status = nq__checkpoint_applied(ctx, apply, out_lsn, &is_installed);
    for (nq_bulk *bulk = txn->bulks; bulk != NULL; bulk = bulk->older) {
        if (is_installed) {
            nq__private_hand_over(&bulk->pages);
        }
        nq__private_set_reached(&bulk->pages, false);
    }
    return status;
}
