/* Checkpoint: the newest commit becomes what the data file holds.
 *
 *   turn of commits:  sync the log, choose the version, copy the map of free pages
 *   alone:            write dirty pages -> the pager's checkpoint -> recycle the log
 *
 * Commits go on during the second part: the version is immutable. If it fails before the superblock
 * is written nothing has changed; after that it is unknown which superblock the disk holds, and the
 * store turns read-only (S6).
 *
 * A commit that is not in the log becomes durable as a checkpoint of its own, all of it within the
 * turn of commits (S9): the log must hold nothing that builds on it before the superblock does. */
#include "engine/ground/base/assert.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/store/txn_internal.h"

typedef struct checkpoint {
    nq_version *version; /* counted */
    bool is_needed;
    nq_pager_root root;
    nq_space not_reached; /* pages that the version does not reach */
    uint64_t pages_written;
} checkpoint;

static void mark_free(nq_space *space, const nq_held_chunk *pages) {
    for (const nq_held_chunk *chunk = pages; chunk != NULL; chunk = chunk->next) {
        for (uint32_t i = 0; i < chunk->count; i++) {
            nq_space_give(space, (nq_page_id){chunk->pages[i].page});
        }
    }
}

/* Every page not reachable from the newest version: the free, the private and the held. */
static nq_status copy_not_reached(nq_ctx *ctx, nq_store *store, nq_space *out_space) {
    nq__version_lock_quiet(store);
    nq_mutex_lock(&store->space_mutex);
    nq_status status = nq_space_copy(ctx, &store->space, out_space);
    for (const nq_private_pages *pages = store->private_pages;
         status == NQ_OK && pages != NULL && !NQ_HAS_BUG(PRIVATE_PAGES_KEPT); pages = pages->next) {
        if (!pages->is_reached || NQ_HAS_BUG(LOADED_PAGES_LOST)) {
            mark_free(out_space, pages->taken);
        }
    }
    nq_mutex_unlock(&store->space_mutex);
    for (nq_version *version = store->oldest;
         status == NQ_OK && version != NULL && !NQ_HAS_BUG(HELD_PAGES_LOST);
         version = version->newer) {
        mark_free(out_space, version->held);
    }
    nq_mutex_unlock(&store->version_mutex);
    return status;
}

static void note_log_position(nq_store *store) {
    nq_log_stats stats;
    nq_log_get_stats(store->log, &stats);
    atomic_store(&store->checkpoint_log_start, stats.bytes_appended);
    atomic_store(&store->checkpoint_lsn, stats.written_end.value);
}

static nq_pager_root root_of(nq_store *store, const nq_version *version, uint32_t page_count) {
    nq_pager_root root = store->root;
    root.generation = version->generation;
    root.lsn = nq_log_durable_end(store->log).value;
    if (NQ_HAS_BUG(CHECKPOINT_LSN_LATE)) {
        root.lsn += NQ_LOG_BLOCK_BYTES;
    }
    root.log_run = nq_log_run(store->log);
    root.directory = version->directory.root;
    root.directory_level = version->directory.level;
    root.directory_entry_count = version->directory.entry_count;
    root.directory_page_count = version->directory.page_count;
    root.next_tree = atomic_load(&store->next_tree);
    root.page_count = page_count;
    return root;
}

/* Every commit so far is durable in the log, and published. Under the commit's lock. */
static nq_status settle(nq_ctx *ctx, nq_store *store) {
    NQ_TRY(nq__store_check_health(ctx, store));
    nq_status status = nq_log_sync(ctx, store->log, nq_log_end(store->log));
    if (status != NQ_OK) {
        nq__store_fail(store, ctx);
        return status;
    }
    return nq__version_publish(ctx, store, store->newest->generation);
}

/* Under the commit's lock. */
static nq_status begin(nq_ctx *ctx, nq_store *store, checkpoint *c) {
    NQ_TRY(settle(ctx, store));
    nq_version *version = nq__version_acquire(store);
    NQ_ASSERT(version == store->newest);
    c->version = version;
    if (version->generation == store->root.generation && !nq_pager_wants_checkpoint(store->pager)) {
        return NQ_OK;
    }
    NQ_TRY(copy_not_reached(ctx, store, &c->not_reached));
    note_log_position(store);
    c->root = root_of(store, version, c->not_reached.page_count);
    c->is_needed = true;
    return NQ_OK;
}

/* S4 */
static nq_status write(nq_ctx *ctx, nq_store *store, checkpoint *c) {
    NQ_TRY(nq_pool_write_dirty(ctx, store->pool, c->root.generation, &c->pages_written));
    if (NQ_HAS_BUG(LOG_RECYCLED_EARLY)) {
        NQ_TRY(nq_log_recycle(ctx, store->log, (nq_lsn){c->root.lsn}, 0));
    }
    nq_pager_expect(store->pager,
                    nq_pool_dirty_count(store->pool) + atomic_load(&store->promised_pages));
    nq_pager_checkpoint_result moved;
    nq_status status = nq_pager_checkpoint(ctx, store->pager, &c->root, &c->not_reached, &moved);
    if (nq_pager_health(store->pager) != NQ_OK) {
        nq__store_fail(store, ctx);
    }
    NQ_TRY(status);
    c->pages_written += moved.pages_moved;
    store->root = c->root;
    atomic_fetch_add(&store->counters.checkpoints, 1);
    return NQ_OK;
}

/* The version is the durable one, and what only older ones needed goes. */
static nq_status finish(nq_ctx *ctx, nq_store *store, checkpoint *c) {
    nq__version_set_durable(store, c->version);
    c->version = NULL;
    nq_pager_trim(store->pager);
    return nq_log_recycle(ctx, store->log, (nq_lsn){store->root.lsn},
                          store->options.checkpoint_log_bytes);
}

nq_status nq__checkpoint(nq_ctx *ctx, nq_store *store, nq_checkpoint_result *out_result) {
    nq_lsn lsn = {0};
    checkpoint c = {0};
    nq_mutex_lock(&store->checkpoint_mutex);
    nq_status status = nq__backlog_await(ctx, store);
    if (status == NQ_OK) {
        status = nq__store_check_health(ctx, store);
    }
    /* Most of the log's end is made durable before the commits are held up. */
    if (status == NQ_OK) {
        status = nq_log_sync(ctx, store->log, nq_log_end(store->log));
    }
    if (status == NQ_OK) {
        nq_mutex_lock(&store->commit_mutex);
        status = begin(ctx, store, &c);
        nq_mutex_unlock(&store->commit_mutex);
    }
    if (status == NQ_OK) {
        lsn = c.version->lsn;
    }
    if (status == NQ_OK && c.is_needed) {
        nq__version_set_being_written(store, c.version);
        status = write(ctx, store, &c);
        status = status == NQ_OK ? finish(ctx, store, &c) : status;
    }
    nq_space_deinit(&c.not_reached);
    if (c.version != NULL) {
        nq__version_set_being_written(store, NULL);
        nq__version_release(store, c.version);
    }
    nq_mutex_unlock(&store->checkpoint_mutex);
    *out_result = (nq_checkpoint_result){lsn, c.pages_written};
    return status;
}

/* ---- A commit that is not in the log ---- */

nq_status nq__checkpoint_ahead(nq_ctx *ctx, nq_store *store) {
    uint64_t pages_written;
    NQ_TRY(nq__store_check_health(ctx, store));
    NQ_TRY(nq_pool_write_dirty(ctx, store->pool, atomic_load(&store->published_generation),
                               &pages_written));
    nq_status status = nq_pager_sync(ctx, store->pager);
    if (nq_pager_health(store->pager) != NQ_OK) {
        nq__store_fail(store, ctx);
    }
    return status;
}

/* Chooses what `apply` has made of the newest version. */
static nq_status begin_applied(nq_ctx *ctx, const nq_apply *apply, checkpoint *c) {
    nq_store *store = apply->store;
    NQ_TRY(settle(ctx, store));
    NQ_TRY(copy_not_reached(ctx, store, &c->not_reached));
    if (!NQ_HAS_BUG(LOADED_OVER_PAGES_KEPT)) {
        mark_free(&c->not_reached, apply->freed);
    }
    note_log_position(store);
    c->root = root_of(store, apply->version, c->not_reached.page_count);
    return NQ_OK;
}

nq_status nq__checkpoint_applied(nq_ctx *ctx, nq_apply *apply, nq_lsn *out_lsn,
                                 bool *out_is_installed) {
    nq_store *store = apply->store;
    uint64_t generation = apply->version->generation;
    checkpoint c = {0};
    nq_status status = begin_applied(ctx, apply, &c);
    if (status == NQ_OK && !NQ_HAS_BUG(LOAD_NOT_CHECKPOINTED)) {
        status = write(ctx, store, &c);
    }
    nq_space_deinit(&c.not_reached);
    /* After a superblock that failed its pages may be what the disk holds: they are kept. */
    *out_is_installed = status == NQ_OK || nq_pager_health(store->pager) != NQ_OK;
    if (*out_is_installed) {
        *out_lsn = nq_log_durable_end(store->log);
        nq__apply_install(apply, *out_lsn, true);
    }
    NQ_TRY(status);
    NQ_TRY(nq__version_publish(ctx, store, generation));
    c.version = nq__version_acquire(store);
    if (finish(ctx, store, &c) != NQ_OK) {
        /* Committed all the same; the next checkpoint recycles the log, or its health says why not.
         */
        nq__keeper_want_checkpoint(store);
    }
    return NQ_OK;
}
