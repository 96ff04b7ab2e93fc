/* Open: from a directory to a running store, and back. */
#include <stdio.h>

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/storage/store/txn_internal.h"

static void set_defaults(nq_store_options *options) {
    if (options->cache_bytes == 0) {
        options->cache_bytes = UINT64_C(64) << 20;
    }
    if (options->checkpoint_log_bytes == 0) {
        options->checkpoint_log_bytes = UINT64_C(64) << 20;
    }
    if (options->txn_bytes_max == 0) {
        options->txn_bytes_max = UINT64_C(64) << 20;
    }
    if (options->sync_interval_ms == 0) {
        options->sync_interval_ms = 200;
    }
    if (options->log_archive_bytes_max == 0) {
        options->log_archive_bytes_max = UINT64_C(1) << 30;
    }
    if (options->scrub_period_s == 0) {
        options->scrub_period_s = 7 * 24 * 3600;
    }
    if (options->lane_blocks == 0) {
        options->lane_blocks = NQ_SEGMENT_LANE_BLOCKS_MAX;
    }
}

static void init_locks(nq_store *store) {
    nq_mutex_init(&store->checkpoint_mutex, NQ_LOCK_STORE_CHECKPOINT);
    nq_mutex_init(&store->commit_mutex, NQ_LOCK_STORE_COMMIT);
    nq_mutex_init(&store->version_mutex, NQ_LOCK_STORE_SNAPSHOTS);
    nq_mutex_init(&store->space_mutex, NQ_LOCK_STORE_SPACE);
    nq_mutex_init(&store->failure_mutex, NQ_LOCK_STORE_HEALTH);
    nq_mutex_init(&store->keeper_mutex, NQ_LOCK_STORE_KEEPER);
    nq_cond_init(&store->reclaimed);
    nq_cond_init(&store->keeper_cond);
}

static void deinit_locks(nq_store *store) {
    nq_mutex_deinit(&store->checkpoint_mutex);
    nq_mutex_deinit(&store->commit_mutex);
    nq_mutex_deinit(&store->version_mutex);
    nq_mutex_deinit(&store->space_mutex);
    nq_mutex_deinit(&store->failure_mutex);
    nq_mutex_deinit(&store->keeper_mutex);
    nq_cond_deinit(&store->reclaimed);
    nq_cond_deinit(&store->keeper_cond);
}

/* Lets go of whatever an open, even one that failed halfway, holds. */
static void destroy(nq_store *store) {
    nq__keeper_stop(store);
    nq__backlog_destroy(store->backlog);
    nq_log_close(store->log);
    for (nq_version *version = store->oldest; version != NULL;) {
        nq_version *newer = version->newer;
        nq__held_free(version->held);
        nq_heap_free(version);
        version = newer;
    }
    nq__readers_deinit(store);
    nq_pool_destroy(store->pool);
    nq_pager_close(store->pager);
    nq_space_deinit(&store->space);
    nq__lock_table_deinit(&store->locks);
    nq_file_close(store->log_copy_lock);
    nq_file_close(store->lock_file);
    deinit_locks(store);
    nq_heap_free(store);
}

static nq_status set_directory(nq_ctx *ctx, nq_store *store, const char *directory) {
    int bytes = snprintf(store->directory, sizeof store->directory, "%s", directory);
    if (bytes <= 0 || (size_t)bytes >= sizeof store->directory) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "the data directory's path is empty or too long");
    }
    snprintf(store->log_directory, sizeof store->log_directory, "%s/log", store->directory);
    return NQ_OK;
}

/* Makes the directory and a new store in it, unless there is one. */
static nq_status create_if_missing(nq_ctx *ctx, nq_store *store) {
    char path[NQ__PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/data.nqdb", store->directory);
    bool exists = false;
    NQ_TRY(nq_vfs_exists(ctx, store->vfs, path, &exists));
    if (!exists && store->options.must_exist) {
        return nq_fail(ctx, NQ_IO_ERROR, "%s: there is no database", store->directory);
    }
    if (!exists) {
        NQ_TRY(nq_vfs_make_dir_durably(ctx, store->vfs, store->directory));
    }
    snprintf(path, sizeof path, "%s/LOCK", store->directory);
    NQ_TRY(nq_vfs_lock_file(ctx, store->vfs, path, &store->lock_file));
    return exists ? NQ_OK : nq__data_file_create(ctx, store);
}

/* The checkpoint's version: the oldest, the newest, and durable. */
static nq_status make_first_version(nq_ctx *ctx, nq_store *store) {
    const nq_pager_root *root = &store->root;
    nq_version *version = nq_heap_calloc(1, sizeof *version);
    if (version == NULL) {
        return nq_fail_no_memory(ctx, "the first version");
    }
    version->generation = root->generation;
    version->lsn.value = root->lsn;
    version->directory = (nq_tree){.root = root->directory,
                                   .level = root->directory_level,
                                   .entry_count = root->directory_entry_count,
                                   .page_count = root->directory_page_count};
    version->refs = 2; /* published, and the checkpoint's */
    store->oldest = version;
    store->newest = version;
    atomic_store(&store->published, version);
    store->durable = version;
    atomic_store(&store->published_generation, version->generation);
    atomic_store(&store->next_tree, root->next_tree);
    return NQ_OK;
}

void nq__store_charge_log(nq_store *store) {
    uint64_t now = nq_log_memory_bytes(store->log);
    if (now != store->charged_log_bytes) {
        nq_pool_charge(store->pool, (int64_t)(now - store->charged_log_bytes));
        store->charged_log_bytes = now;
    }
}

static nq_status open_all(nq_ctx *ctx, nq_store *store, const char *directory) {
    NQ_TRY(nq__lock_table_init(ctx, &store->locks));
    NQ_TRY(nq__readers_init(ctx, store));
    NQ_TRY(set_directory(ctx, store, directory));
    NQ_TRY(create_if_missing(ctx, store));
    NQ_TRY(nq__data_file_open(ctx, store));
    NQ_TRY(make_first_version(ctx, store));
    nq__store_charge_log(store);
    NQ_TRY(nq__replay(ctx, store));
    return nq__keeper_start(ctx, store);
}

nq_status nq_store_open(nq_ctx *ctx, nq_vfs *vfs, const char *directory,
                        const nq_store_options *options, nq_store **out_store) {
    *out_store = NULL;
    nq_store *store = nq_heap_calloc(1, sizeof *store);
    if (store == NULL) {
        return nq_fail_no_memory(ctx, "a store");
    }
    store->vfs = vfs;
    if (options != NULL) {
        store->options = *options;
    }
    set_defaults(&store->options);
    store->sync_at_ns = INT64_MAX;
    init_locks(store);
    nq_status status = open_all(ctx, store, directory);
    if (status != NQ_OK) {
        destroy(store);
        return status;
    }
    *out_store = store;
    return NQ_OK;
}

nq_status nq_store_close(nq_ctx *ctx, nq_store *store) {
    NQ_ASSERT(atomic_load(&store->counters.open_txns) == 0 && nq__readers_count(store) == 0);
    (void)nq__backlog_await(ctx, store); /* the store's health says it, too */
    nq__keeper_stop(store);
    store->has_checkpointer = false;
    store->has_syncer = false;
    store->has_archiver = false;
    store->has_stocker = false;
    store->has_scrubber = false;
    nq_pager_expect_close(store->pager);
    nq_status status = nq_store_health(store) == NQ_OK ? nq_store_checkpoint(ctx, store, NULL)
                                                       : nq__store_check_health(ctx, store);
    if (status == NQ_OK) {
        nq_pager_trim_all(store->pager);
        status = nq_log_trim(ctx, store->log);
    }
    destroy(store);
    return status;
}

void nq_store_get_stats(const nq_store *store, nq_store_stats *out_stats) {
    nq_pager_stats pager;
    nq_pager_get_stats(store->pager, &pager);
    nq_pool_stats pool;
    nq_pool_get_stats(store->pool, &pool);
    nq_log_stats log;
    nq_log_get_stats(store->log, &log);
    nq_store *shared = (nq_store *)(uintptr_t)store; /* a lock does not change what it guards */
    nq_mutex_lock(&shared->space_mutex);
    uint64_t page_count = shared->space.page_count - NQ_PAGE_ID_FIRST;
    uint64_t free_count = shared->space.free_count;
    nq_mutex_unlock(&shared->space_mutex);
    uint64_t version_count = 0;
    nq_mutex_lock(&shared->version_mutex);
    for (const nq_version *v = shared->oldest; v != NULL; v = v->newer) {
        version_count++;
    }
    nq_mutex_unlock(&shared->version_mutex);
    const nq_store_counters *counters = &store->counters;
    *out_stats = (nq_store_stats){
        .cache_hits = pool.hits,
        .cache_misses = pool.misses,
        .cache_evictions = pool.evictions,
        .cache_ghost_hits = pool.ghost_hits,
        .cache_shelf_hits = pool.shelf_hits,
        .cache_shelf_pages = pool.shelf_pages,
        .cache_shelf_bytes = pool.shelf_bytes,
        .cache_bytes = pool.bytes_used,
        .cache_budget_bytes = pool.bytes_budget,
        .pages_read = pool.pages_read,
        .pages_hinted = pager.images_hinted,
        .pages_written = pool.pages_written,
        .log_bytes = log.bytes_written,
        .log_syncs = log.syncs,
        .commits = atomic_load(&counters->commits),
        .rollbacks = atomic_load(&counters->rollbacks),
        .conflicts = atomic_load(&counters->conflicts),
        .deadlocks = atomic_load(&counters->deadlocks),
        .spills = atomic_load(&counters->spills),
        .checkpoints = atomic_load(&counters->checkpoints),
        .data_file_bytes = pager.file_bytes,
        .data_live_bytes = pager.live_bytes,
        .data_written_bytes = pager.written_bytes,
        .data_images_repaired = pager.images_repaired,
        .data_images_lost = pager.images_lost,
        .data_segments_damaged = pager.segments_damaged,
        .data_segments_scrubbed = pager.segments_scrubbed,
        .pages = page_count,
        .free_pages = free_count,
        .open_txns = atomic_load(&counters->open_txns) + nq__readers_count(shared),
        .open_snapshots = version_count,
        .waiting_txns = atomic_load(&counters->waiting_txns),
        .recovered_commits = store->recovered_commits,
        .log_unarchived_bytes = log.unarchived_bytes,
        .log_archive_failures = log.archive_failures,
        .log_tail_bytes_cut = store->log_tail_bytes_cut,
        .log_has_copy = log.has_copy,
        .log_is_copy_lost = log.is_copy_lost,
        .log_archive_is_refusing = log.is_archive_refusing,
    };
}
