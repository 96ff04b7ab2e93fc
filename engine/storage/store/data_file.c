/* Data file: its creation, and what a store takes from it when it opens. */
#include <stdio.h>

#include "engine/ground/os/entropy.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/store/store_internal.h"
#include "engine/storage/wal/log_segment.h"

enum { LOG_SEGMENT_BYTES_DEFAULT = 4 << 20 };

static void path_of(const nq_store *store, const char *suffix, char out_path[NQ__PATH_BYTES + 32]) {
    snprintf(out_path, NQ__PATH_BYTES + 32, "%s/data.nqdb%s", store->directory, suffix);
}

static nq_log_segment_options segment_options(const nq_store *store, const nq_pager_root *root) {
    return (nq_log_segment_options){.vfs = store->vfs,
                                    .directory = store->log_directory,
                                    .segment_bytes = root->log_segment_bytes};
}

/* Under another name until it is whole. */
nq_status nq__data_file_create(nq_ctx *ctx, nq_store *store) {
    uint32_t segment_bytes = store->options.log_segment_bytes;
    nq_pager_root root = {
        .log_salt = nq_entropy_u64(),
        .page_count = NQ_PAGE_ID_FIRST,
        .next_tree = NQ__TREE_USER_FIRST,
        .log_segment_bytes = segment_bytes == 0 ? LOG_SEGMENT_BYTES_DEFAULT : segment_bytes,
    };
    if (root.log_segment_bytes % NQ_LOG_BLOCK_BYTES != 0) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "log segments of %u bytes are not whole blocks",
                       root.log_segment_bytes);
    }
    char temporary[NQ__PATH_BYTES + 32];
    char path[NQ__PATH_BYTES + 32];
    path_of(store, ".new", temporary);
    path_of(store, "", path);
    NQ_TRY(nq_vfs_make_dir(ctx, store->vfs, store->log_directory));
    nq_log_segment_options segments = segment_options(store, &root);
    NQ_TRY(nq_log_segments_create(ctx, &segments, (nq_lsn){0}));
    /* Before the data file has its name: whoever finds that finds the log. */
    NQ_TRY(nq_vfs_sync_dir(ctx, store->vfs, store->directory));
    nq_pager_options pager_options = {.vfs = store->vfs, .path = temporary};
    nq_segment_layout layout = {store->options.lane_blocks};
    NQ_TRY(nq_pager_create(ctx, &pager_options, layout, &root));
    NQ_TRY(nq_vfs_rename(ctx, store->vfs, temporary, path));
    return nq_vfs_sync_dir(ctx, store->vfs, store->directory);
}

/* ---- Opening ---- */

static nq_status open_log(nq_ctx *ctx, nq_store *store) {
    nq_lsn start = {store->root.lsn};
    atomic_store(&store->checkpoint_lsn, start.value);
    nq_log_segment_options segments = segment_options(store, &store->root);
    nq_log_options options = {.salt = store->root.log_salt,
                              .run = store->root.log_run,
                              .archive = store->options.log_archive,
                              .archive_bytes_max = store->options.log_archive_bytes_max};
    NQ_TRY(nq_log_segments_open(ctx, &segments, start, &options.sink));
    nq_status status = nq__log_copy_join(ctx, store, &segments, &options.sink);
    if (status != NQ_OK) {
        nq_log_sink_close(options.sink);
        return status;
    }
    return nq_log_open(ctx, &options, start, &store->log);
}

static void want_checkpoint(void *user) {
    nq__keeper_want_checkpoint(user);
}

nq_status nq__data_file_open(nq_ctx *ctx, nq_store *store) {
    char path[NQ__PATH_BYTES + 32];
    path_of(store, "", path);
    if (!NQ_HAS_BUG(FOUND_NOT_SYNCED)) {
        /* Whoever gave the file its name may have been killed before that was durable. */
        NQ_TRY(nq_vfs_sync_dir(ctx, store->vfs, store->directory));
    }
    nq_pager_options pager_options = {
        .vfs = store->vfs, .path = path, .on_damage = want_checkpoint, .user = store};
    NQ_TRY(nq_pager_open(ctx, &pager_options, &store->pager, &store->root));
    if (store->root.log_segment_bytes % NQ_LOG_BLOCK_BYTES != 0 ||
        store->root.lsn % NQ_LOG_BLOCK_BYTES != 0 ||
        store->root.directory_level >= NQ_BTREE_LEVELS_MAX) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "%s: the superblock contradicts itself", path);
    }
    NQ_TRY(nq_space_init(ctx, &store->space, store->root.page_count));
    nq_pager_list_free(store->pager, &store->space);
    const nq_pool_options pool_options = {.cache_bytes = store->options.cache_bytes,
                                          .policy = store->options.cache_policy};
    NQ_TRY(nq_pool_create(ctx, store->pager, &pool_options, &store->pool));
    return open_log(ctx, store);
}
