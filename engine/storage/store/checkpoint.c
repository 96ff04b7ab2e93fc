/* Checkpoint: the newest commit becomes what the data file holds.
 *
 *   turn of commits:  sync the log, choose the version, copy the map of free pages
 *   alone:            write dirty pages and the freelist -> sync -> superblock -> sync -> recycle
 * log
 *
 * Commits go on during the second part: the version is immutable. If it fails before the superblock
 * is written nothing has changed; after that it is unknown which superblock the disk holds, and the
 * store turns read-only (S6). */
#include "engine/ground/base/assert.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/store/store_internal.h"

typedef struct checkpoint {
    nq_version *version;
    nq_superblock superblock;
    nq_space free;                 /* pages that the version does not reach */
    nq_held_chunk *freelist_pages; /* where they are written down */
} checkpoint;

static void mark_free(nq_space *space, const nq_held_chunk *pages) {
    for (const nq_held_chunk *chunk = pages; chunk != NULL; chunk = chunk->next) {
        for (uint32_t i = 0; i < chunk->count; i++) {
            nq_space_give(space, (nq_page_id){chunk->pages[i].page});
        }
    }
}

/* Every page not reachable from the newest version: the free, the held, and the list of them. */
static nq_status copy_free_pages(nq_ctx *ctx, nq_store *store, nq_space *out_free) {
    nq__version_lock_quiet(store);
    nq_mutex_lock(&store->space_mutex);
    nq_status status = nq_space_copy(ctx, &store->space, out_free);
    nq_mutex_unlock(&store->space_mutex);
    for (nq_version *version = store->oldest;
         status == NQ_OK && version != NULL && !NQ_HAS_BUG(HELD_PAGES_LOST);
         version = version->newer) {
        mark_free(out_free, version->held);
    }
    nq_mutex_unlock(&store->version_mutex);
    if (status == NQ_OK) {
        mark_free(out_free, store->freelist_pages);
    }
    return status;
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
    if (version->generation == store->superblock.generation) {
        return NQ_OK;
    }
    NQ_TRY(copy_free_pages(ctx, store, &c->free));
    NQ_TRY(nq__freelist_take(ctx, store, &c->free, version->generation, &c->freelist_pages));
    nq_log_stats log_stats;
    nq_log_get_stats(store->log, &log_stats);
    atomic_store(&store->checkpoint_log_start, log_stats.bytes_appended);
    atomic_store(&store->checkpoint_log_written, log_stats.bytes_written);
    c->superblock = store->superblock;
    c->superblock.sequence++;
    c->superblock.generation = version->generation;
    c->superblock.lsn = nq_log_durable_end(store->log).value;
    if (NQ_HAS_BUG(CHECKPOINT_LSN_LATE)) {
        c->superblock.lsn += NQ_LOG_BLOCK_BYTES;
    }
    c->superblock.directory = version->directory.root;
    c->superblock.directory_level = version->directory.level;
    c->superblock.directory_entry_count = version->directory.entry_count;
    c->superblock.directory_page_count = version->directory.page_count;
    c->superblock.freelist_count = c->free.free_count;
    c->superblock.next_tree = atomic_load(&store->next_tree);
    nq_mutex_lock(&store->space_mutex);
    c->superblock.page_count = store->space.page_count;
    nq_mutex_unlock(&store->space_mutex);
    return NQ_OK;
}

/* The file must be as long as the superblock will say, though its last pages may be free. */
static nq_status extend_file(nq_ctx *ctx, nq_store *store, uint32_t page_count) {
    uint64_t bytes;
    NQ_TRY(nq_file_size(ctx, store->data_file, &bytes));
    uint64_t needed = (uint64_t)page_count * NQ_PAGE_BYTES;
    return bytes >= needed ? NQ_OK : nq_file_truncate(ctx, store->data_file, needed);
}

static nq_status write_pages(nq_ctx *ctx, nq_store *store, checkpoint *c, uint64_t *out_pages) {
    NQ_TRY(nq_pool_write_dirty(ctx, store->pool, c->version->generation, out_pages));
    NQ_TRY(extend_file(ctx, store, c->superblock.page_count));
    NQ_TRY(nq__freelist_write(ctx, store, &c->free, c->version->generation, c->freelist_pages,
                              &c->superblock.freelist));
    if (NQ_HAS_BUG(LOG_RECYCLED_EARLY)) {
        NQ_TRY(nq_log_recycle(ctx, store->log, (nq_lsn){c->superblock.lsn}, 0));
    }
    if (NQ_HAS_BUG(DATA_NOT_SYNCED)) {
        return NQ_OK;
    }
    nq_status status = nq_file_sync_data(ctx, store->data_file);
    if (status != NQ_OK) {
        nq__store_fail(store, ctx);
    }
    return status;
}

/* S4 */
static nq_status publish(nq_ctx *ctx, nq_store *store, checkpoint *c) {
    nq_status status = nq__superblock_write(ctx, store, &c->superblock);
    if (status != NQ_OK) {
        nq__store_fail(store, ctx);
        return status;
    }
    nq_held_chunk *old_pages = store->freelist_pages;
    store->superblock = c->superblock;
    store->freelist_pages = c->freelist_pages;
    c->freelist_pages = NULL;
    nq__version_set_durable(store, c->version, old_pages);
    c->version = NULL;
    atomic_fetch_add(&store->counters.checkpoints, 1);
    nq_lsn lsn = {store->superblock.lsn};
    return nq_log_recycle(ctx, store->log, lsn, store->options.checkpoint_log_bytes);
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
    bool is_needed = status == NQ_OK && c.superblock.sequence != 0;
    if (status == NQ_OK) {
        result.lsn = c.version->lsn;
    }
    if (is_needed) {
        status = write_pages(ctx, store, &c, &result.pages_written);
    }
    if (is_needed && status == NQ_OK) {
        status = publish(ctx, store, &c);
    }
    nq_space_deinit(&c.free);
    if (c.freelist_pages != NULL) {
        nq__pages_give(store, c.freelist_pages);
    }
    if (c.version != NULL) {
        nq__version_release(store, c.version);
    }
    nq_mutex_unlock(&store->checkpoint_mutex);
    if (out_result != NULL) {
        *out_result = result;
    }
    return status;
}
