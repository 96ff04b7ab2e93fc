/* Restore: the order of things.
 *
 *     mark ─▶ data file ─▶ segments ─▶ cut ─▶ replay, checkpoint ─▶ unmark
 *
 * R1 The mark is durable before anything else of the target is, and goes last: what bears it is
 *    never opened, and is emptied by the next attempt. So a crash anywhere costs time only.
 * R2 Nothing is written outside of the target. */
#include "engine/storage/backup/restore.h"

#include <stdio.h>

#include "engine/storage/backup/restore_internal.h"
#include "engine/storage/store/store.h"

#define MARK "RESTORING"

nq_status nq__restore_path(nq_ctx *ctx, const char *directory, const char *name,
                           char out_path[NQ__RESTORE_PATH_BYTES]) {
    int bytes = snprintf(out_path, NQ__RESTORE_PATH_BYTES, "%s/%s", directory, name);
    if (bytes < 0 || bytes >= NQ__RESTORE_PATH_BYTES) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "the path %s is too long", directory);
    }
    return NQ_OK;
}

static nq_status exists(nq_ctx *ctx, nq_vfs *vfs, const char *directory, const char *name,
                        bool *out_exists) {
    char path[NQ__RESTORE_PATH_BYTES];
    *out_exists = false;
    NQ_TRY(nq__restore_path(ctx, directory, name, path));
    return nq_vfs_exists(ctx, vfs, path, out_exists);
}

/* ---- The mark (R1) ---- */

static nq_status mark(nq_ctx *ctx, nq__restore *restore) {
    char path[NQ__RESTORE_PATH_BYTES];
    nq_file *file;
    NQ_TRY(nq__restore_path(ctx, restore->options->target, MARK, path));
    NQ_TRY(nq_vfs_open(ctx, restore->vfs, path, NQ_OPEN_CREATE, &file));
    nq_file_close(file);
    return nq_vfs_sync_dir(ctx, restore->vfs, restore->options->target);
}

static nq_status unmark(nq_ctx *ctx, nq__restore *restore) {
    char path[NQ__RESTORE_PATH_BYTES];
    NQ_TRY(nq__restore_path(ctx, restore->options->target, MARK, path));
    NQ_TRY(nq_vfs_unlink(ctx, restore->vfs, path));
    return nq_vfs_sync_dir(ctx, restore->vfs, restore->options->target);
}

nq_status nq_restore_check(nq_ctx *ctx, nq_vfs *vfs, const char *directory) {
    bool is_marked;
    NQ_TRY(exists(ctx, vfs, directory, MARK, &is_marked));
    if (!is_marked) {
        return NQ_OK;
    }
    nq_status status =
        nq_fail(ctx, NQ_FILE_FOREIGN, "%s was being restored, and that did not end", directory);
    nq_error_set_hint(&ctx->error, "Run the same neuroquantumd --restore again.");
    return status;
}

/* ---- The target ---- */

static nq_status refuse_database(nq_ctx *ctx, const nq__restore *restore) {
    const char *target = restore->options->target;
    bool is_marked;
    bool has_data;
    bool has_log;
    NQ_TRY(exists(ctx, restore->vfs, target, MARK, &is_marked));
    NQ_TRY(exists(ctx, restore->vfs, target, "data.nqdb", &has_data));
    NQ_TRY(exists(ctx, restore->vfs, target, "log", &has_log));
    if (!is_marked && (has_data || has_log)) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT,
                       "%s holds a database: restore into a directory that does not", target);
    }
    return NQ_OK;
}

/* Also what an interrupted restore has left. */
static nq_status prepare_target(nq_ctx *ctx, nq__restore *restore) {
    char data_path[NQ__RESTORE_PATH_BYTES];
    NQ_TRY(refuse_database(ctx, restore));
    NQ_TRY(mark(ctx, restore));
    NQ_TRY(nq__restore_path(ctx, restore->options->target, "data.nqdb", data_path));
    NQ_TRY(nq_vfs_unlink(ctx, restore->vfs, data_path));
    NQ_TRY(nq_vfs_make_dir_durably(ctx, restore->vfs, restore->log_directory));
    return nq_vfs_empty_dir(ctx, restore->vfs, restore->log_directory, NULL);
}

/* A server on the base copy would change it meanwhile. One that may not be written to is in
 * nobody's hands. */
static nq_status lock_base(nq_ctx *ctx, nq__restore *restore, nq_file **out_lock) {
    char path[NQ__RESTORE_PATH_BYTES];
    bool has_lock;
    nq_ctx locking;
    nq_ctx_init(&locking, NULL);
    *out_lock = NULL;
    NQ_TRY(exists(ctx, restore->vfs, restore->options->base, "LOCK", &has_lock));
    NQ_TRY(nq__restore_path(ctx, restore->options->base, "LOCK", path));
    nq_status status = has_lock ? nq_vfs_lock_file(&locking, restore->vfs, path, out_lock) : NQ_OK;
    if (status == NQ_DATABASE_LOCKED) {
        ctx->error = locking.error;
        return status;
    }
    return NQ_OK;
}

/* ---- The way ---- */

static nq_status copy_all(nq_ctx *ctx, nq__restore *restore) {
    NQ_TRY(nq__restore_copy_data(ctx, restore));
    NQ_TRY(nq__restore_copy_log(ctx, restore));
    return nq__restore_cut_log(ctx, restore);
}

/* Replays the log, and ends with a checkpoint. */
static nq_status open_and_close(nq_ctx *ctx, nq__restore *restore) {
    const nq_store_options options = {
        .cache_bytes = restore->options->cache_bytes, .must_exist = true, .is_manual = true};
    nq_store *store;
    nq_store_stats stats;
    NQ_TRY(nq_store_open(ctx, restore->vfs, restore->options->target, &options, &store));
    nq_store_get_stats(store, &stats);
    restore->result->commits = stats.recovered_commits;
    return nq_store_close(ctx, store);
}

static nq_status run_locked(nq_ctx *ctx, nq__restore *restore) {
    nq_file *base_lock = NULL;
    nq_file *target_lock = NULL;
    char path[NQ__RESTORE_PATH_BYTES];
    nq_status status = NQ_OK;
    NQ_TRY(nq__restore_path(ctx, restore->options->target, "LOCK", path));
    NQ_CHECK(nq_vfs_lock_file(ctx, restore->vfs, path, &target_lock));
    NQ_CHECK(prepare_target(ctx, restore));
    NQ_CHECK(lock_base(ctx, restore, &base_lock));
    NQ_CHECK(copy_all(ctx, restore));
done:
    nq_file_close(base_lock);
    nq_file_close(target_lock); /* the store takes it itself; the mark keeps others away */
    return status;
}

nq_status nq_restore_run(nq_ctx *ctx, nq_vfs *vfs, const nq_restore_options *options,
                         nq_restore_result *out_result) {
    *out_result = (nq_restore_result){0};
    nq__restore restore = {.vfs = vfs, .options = options, .result = out_result};
    NQ_TRY(nq__restore_path(ctx, options->target, "log", restore.log_directory));
    NQ_TRY(nq_vfs_make_dir_durably(ctx, vfs, options->target));
    NQ_TRY(run_locked(ctx, &restore));
    NQ_TRY(open_and_close(ctx, &restore));
    return unmark(ctx, &restore);
}
