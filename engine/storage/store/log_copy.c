/* Log copy: where the log's second copy is kept, and joining it to the first.
 *
 * Beside the log, in the data directory, it guards against a device that garbles what lies near a
 * write; in a directory of another device, against the loss of the first. */
#include <stdio.h>

#include "engine/storage/store/store_internal.h"
#include "engine/storage/wal/log_home.h"
#include "engine/storage/wal/log_mirror.h"

/* The one beside the log, if there is or should be one. */
static nq_status find_own(nq_ctx *ctx, nq_store *store, char path[NQ__PATH_BYTES + 32],
                          bool *out_is_wanted) {
    snprintf(path, NQ__PATH_BYTES + 32, "%s/log-copy", store->directory);
    bool exists = false;
    NQ_TRY(nq_vfs_exists(ctx, store->vfs, path, &exists));
    *out_is_wanted = exists || store->options.log_copy;
    return *out_is_wanted ? nq_vfs_make_dir_durably(ctx, store->vfs, path) : NQ_OK;
}

static nq_status claim_other(nq_ctx *ctx, nq_store *store, char path[NQ__PATH_BYTES + 32]) {
    const nq_log_home_options home = {.vfs = store->vfs,
                                      .directory = store->options.log_copy_directory,
                                      .purpose = "copy",
                                      .salt = store->root.log_salt};
    if ((size_t)snprintf(path, NQ__PATH_BYTES + 32, "%s", home.directory) >= NQ__PATH_BYTES + 32) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "the path of the log's copy is too long");
    }
    return nq_log_home_claim(ctx, &home, &store->log_copy_lock);
}

/* Two would be one too many, and which is the newer nobody could tell. */
static nq_status refuse_own(nq_ctx *ctx, nq_store *store) {
    char path[NQ__PATH_BYTES + 32];
    bool is_there = false;
    snprintf(path, sizeof path, "%s/log-copy", store->directory);
    NQ_TRY(nq_vfs_exists(ctx, store->vfs, path, &is_there));
    if (is_there) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT,
                       "the log has a copy in %s: remove that, after an orderly stop, before it is "
                       "kept in %s",
                       path, store->options.log_copy_directory);
    }
    return NQ_OK;
}

nq_status nq__log_copy_join(nq_ctx *ctx, nq_store *store, const nq_log_segment_options *options,
                            nq_log_sink **sink) {
    char directory[NQ__PATH_BYTES + 32];
    bool is_wanted = true;
    if (store->options.log_copy_directory != NULL) {
        NQ_TRY(refuse_own(ctx, store));
        NQ_TRY(claim_other(ctx, store, directory));
    } else {
        NQ_TRY(find_own(ctx, store, directory, &is_wanted));
    }
    if (!is_wanted) {
        return NQ_OK;
    }
    nq_log_segment_options segments = *options;
    segments.directory = directory;
    nq_log_sink *copy;
    NQ_TRY(nq_log_segments_open_copy(ctx, &segments, (nq_lsn){store->root.lsn}, &copy));
    nq_log_sink *first = *sink;
    *sink = NULL;
    return nq_log_mirror_create(ctx, first, copy, sink);
}
