/* Checkpoint: the newest commit becomes what the data file holds.
 *
 *   turn of commits:  sync the log, choose the version, copy the map of free pages
 *   alone:            write dirty pages -> the pager's checkpoint -> recycle the log
 *
 * Commits go on during the second part: the version is immutable. If it fails before the superblock
 * is written nothing has changed; after that it is unknown which superblock the disk holds, and the
 * store turns read-only (S6). */
#include "engine/ground/base/assert.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/store/txn_internal.h"

typedef struct checkpoint {
    nq_version *version;
    bool is_needed;
    nq_pager_root root;
    nq_space not_reached; /* pages that the version does not reach */
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
        mark_free(out_space, pages->taken);
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

/* Under the commit's lock. */
static nq_status begin(nq_ctx *ctx, nq_store *store, checkpoint *c) {
    NQ_TRY(nq__store_check_health(ctx, store));
    nq_status status = nq_log_sync(ctx, store->log, nq_log_end(store->log));
    if (status != NQ_OK) {
        nq__store_fail(store, ctx);
        return status;
    }
    NQ_TRY(nq__version_publish(ctx, store, store->newest->generation));
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
static nq_status write(nq_ctx *ctx, nq_store *store, checkpoint *c, uint64_t *out_pages) {
    NQ_TRY(nq_pool_write_dirty(ctx, store->pool, c->version->generation, out_pages));
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
    *out_pages += moved.pages_moved;
    store->root = c->root;
    nq__version_set_durable(store, c->version);
    c->version = NULL;
    nq_pager_trim(store->pager);
    nq__data_file_charge(store);
    atomic_fetch_add(&store->counters.checkpoints, 1);
    return nq_log_recycle(ctx, store->log, (nq_lsn){store->root.lsn},
                          store->options.checkpoint_log_bytes);
}

nq_status nq_store_checkpoint(nq_ctx *ctx, nq_store *store, nq_checkpoint_result *out_result) {
    nq_checkpoint_result result = {0};
    checkpoint c = {0};
    nq_mutex_lock(&store->checkpoint_mutex);
    /* Most of the log's end is made durable before the commits are held up. */
    nq_status status = nq__store_check_health(ctx, store);
    if (status == NQ_OK) {
        status = nq_log_sync(ctx, store->log, nq_log_end(store->log));
    }
    if (status == NQ_OK) {
        nq_mutex_lock(&store->commit_mutex);
        status = begin(ctx, store, &c);
        nq_mutex_unlock(&store->commit_mutex);
    }
    if (status == NQ_OK) {
        result.lsn = c.version->lsn;
    }
    if (status == NQ_OK && c.is_needed) {
        status = write(ctx, store, &c, &result.pages_written);
    }
    nq_space_deinit(&c.not_reached);
    if (c.version != NULL) {
        nq__version_release(store, c.version);
    }
    nq_mutex_unlock(&store->checkpoint_mutex);
    if (out_result != NULL) {
        *out_result = result;
    }
    return status;
}
