/* Upgrade: the order of things. */
#include "engine/storage/upgrade/upgrade.h"

#include <stdio.h>

#include "engine/storage/upgrade/upgrade_internal.h"

/* What a run has in hand. */
typedef struct run {
    nq_vfs *vfs;
    const char *directory;
    nq_store_options store_options;
    nq_legacy_file *file;
    nq_legacy_trees trees; /* of the checkpoint */
    nq__tree_ids ids;      /* those, and those made since */
    nq_upgrade_result *result;
} run;

static void path_of(const run *r, const char *name, char out_path[NQ__UPGRADE_PATH_BYTES]) {
    snprintf(out_path, NQ__UPGRADE_PATH_BYTES, "%s%s", r->directory, name);
}

static nq_status open_log(nq_ctx *ctx, const run *r, nq_log **out_log) {
    char path[NQ__UPGRADE_PATH_BYTES];
    path_of(r, "/log", path);
    return nq_legacy_log_open(ctx, r->vfs, path, nq_legacy_file_superblock(r->file), out_log);
}

/* ---- Reading the old store ---- */

/* Every page in use is read once before anything is written: what is damaged is found early. */
static nq_status check_pages(nq_ctx *ctx, run *r) {
    for (size_t i = 0; i < r->trees.count; i++) {
        nq_legacy_cursor *cursor;
        nq_bytes key;
        nq_bytes value;
        NQ_TRY(nq_legacy_cursor_open(ctx, r->file, &r->trees.items[i].tree, &cursor));
        nq_status status;
        do {
            status = nq_legacy_cursor_next(ctx, cursor, &key, &value);
        } while (status == NQ_OK && key.data != NULL);
        nq_legacy_cursor_close(cursor);
        NQ_TRY(status);
        NQ_TRY(nq__tree_ids_add(ctx, &r->ids, r->trees.items[i].id));
    }
    return nq_legacy_file_check_free(ctx, r->file);
}

static nq_status check_log(nq_ctx *ctx, run *r) {
    nq_log *log;
    NQ_TRY(open_log(ctx, r, &log));
    nq_status status =
        nq__replay_find_trees(ctx, log, nq_legacy_file_superblock(r->file)->generation, &r->ids);
    nq_log_close(log);
    return status;
}

static nq_status check_old(nq_ctx *ctx, run *r) {
    char path[NQ__UPGRADE_PATH_BYTES];
    path_of(r, "/data.nqdb", path);
    NQ_TRY(nq_legacy_file_open(ctx, r->vfs, path, &r->file));
    NQ_TRY(nq_legacy_trees_read(ctx, r->file, &r->trees));
    NQ_TRY(check_pages(ctx, r));
    NQ_TRY(check_log(ctx, r));
    const nq_legacy_superblock *superblock = nq_legacy_file_superblock(r->file);
    r->store_options.log_segment_bytes = superblock->log_segment_bytes;
    r->result->trees = r->ids.count;
    r->result->data_bytes = (uint64_t)superblock->page_count * NQ_PAGE_BYTES;
    return NQ_OK;
}

/* ---- Writing the new one ---- */

/* Opens the new store for one piece of work and closes it, which makes that durable. */
static nq_status with_new_store(nq_ctx *ctx, run *r, bool must_exist,
                                nq_status (*work)(nq_ctx *, run *, nq_store *)) {
    char path[NQ__UPGRADE_PATH_BYTES];
    nq_store_options options = r->store_options;
    nq_store *store;
    options.must_exist = must_exist;
    path_of(r, "/upgrade", path);
    NQ_TRY(nq_store_open(ctx, r->vfs, path, &options, &store));
    nq_status status = work(ctx, r, store);
    if (status == NQ_OK) {
        return nq_store_close(ctx, store);
    }
    nq_ctx ignored; /* the first failure counts */
    nq_ctx_init(&ignored, NULL);
    (void)(nq_store_close(&ignored, store) == NQ_OK);
    return status;
}

static nq_status copy(nq_ctx *ctx, run *r, nq_store *store) {
    nq_legacy_file_rewind(r->file);
    NQ_TRY(nq__copy_make_trees(ctx, store, &r->ids, nq_legacy_file_superblock(r->file)->next_tree));
    return nq__copy_trees(ctx, r->file, &r->trees, store, &r->result->entries);
}

/* What was copied is compared as the disk has it; then the log comes on top. */
static nq_status compare_and_replay(nq_ctx *ctx, run *r, nq_store *store) {
    nq_log *log;
    nq_legacy_file_rewind(r->file);
    NQ_TRY(nq_store_verify(ctx, store));
    NQ_TRY(nq__compare_trees(ctx, r->file, &r->trees, store));
    NQ_TRY(open_log(ctx, r, &log));
    nq_status status = nq__replay_commits(ctx, log, nq_legacy_file_superblock(r->file)->generation,
                                          store, &r->result->commits);
    nq_log_close(log);
    return status;
}

static nq_status verify(nq_ctx *ctx, run *r, nq_store *store) {
    (void)r;
    return nq_store_verify(ctx, store);
}

static nq_status write_new(nq_ctx *ctx, run *r) {
    NQ_TRY(with_new_store(ctx, r, false, copy));
    NQ_TRY(with_new_store(ctx, r, true, compare_and_replay));
    return with_new_store(ctx, r, true, verify);
}

/* ---- All of it ---- */

static nq_status convert(nq_ctx *ctx, run *r) {
    NQ_TRY(nq__swap_check_room(ctx, r->vfs, r->directory));
    NQ_TRY(check_old(ctx, r));
    NQ_TRY(nq__swap_clear(ctx, r->vfs, r->directory));
    nq_status status = write_new(ctx, r);
    if (status != NQ_OK) {
        nq_ctx ignored; /* what cannot be removed now will be by the next run */
        nq_ctx_init(&ignored, NULL);
        (void)(nq__swap_clear(&ignored, r->vfs, r->directory) == NQ_OK);
        return status;
    }
    NQ_TRY(nq__swap_decide(ctx, r->vfs, r->directory));
    return nq__swap_finish(ctx, r->vfs, r->directory);
}

static nq_status upgrade_locked(nq_ctx *ctx, run *r) {
    bool is_decided;
    uint32_t version;
    char path[NQ__UPGRADE_PATH_BYTES];
    NQ_TRY(nq__swap_is_decided(ctx, r->vfs, r->directory, &is_decided));
    r->result->was_needed = true;
    if (is_decided) {
        return nq__swap_finish(ctx, r->vfs, r->directory);
    }
    path_of(r, "/data.nqdb", path);
    NQ_TRY(nq_legacy_file_find_version(ctx, r->vfs, path, &version));
    r->result->was_needed = version != NQ_LEGACY_VERSION_NEXT;
    /* Else an empty directory may be left of an upgrade whose last step a crash undid. */
    return r->result->was_needed ? convert(ctx, r) : nq__swap_clear(ctx, r->vfs, r->directory);
}

static nq_status check_directory(nq_ctx *ctx, const char *directory) {
    size_t bytes = strlen(directory);
    return bytes > 0 && bytes < NQ__UPGRADE_DIRECTORY_BYTES
               ? NQ_OK
               : nq_fail(ctx, NQ_INVALID_ARGUMENT,
                         "the data directory's path is empty or too long");
}

/* Nothing is made in a directory that holds no database, nor is one made. */
static nq_status check_is_database(nq_ctx *ctx, const run *r) {
    char path[NQ__UPGRADE_PATH_BYTES];
    bool has_data;
    bool is_decided;
    path_of(r, "/data.nqdb", path);
    NQ_TRY(nq_vfs_exists(ctx, r->vfs, path, &has_data));
    NQ_TRY(nq__swap_is_decided(ctx, r->vfs, r->directory, &is_decided));
    return has_data || is_decided
               ? NQ_OK
               : nq_fail(ctx, NQ_IO_ERROR, "%s: there is no database", r->directory);
}

static nq_status lock(nq_ctx *ctx, nq_vfs *vfs, const char *directory, nq_file **out_lock) {
    char path[NQ__UPGRADE_PATH_BYTES];
    snprintf(path, sizeof path, "%s/LOCK", directory);
    return nq_vfs_lock_file(ctx, vfs, path, out_lock);
}

nq_status nq_upgrade_run(nq_ctx *ctx, nq_vfs *vfs, const char *directory,
                         const nq_upgrade_options *options, nq_upgrade_result *out_result) {
    *out_result = (nq_upgrade_result){0};
    run r = {.vfs = vfs, .directory = directory, .result = out_result};
    nq_file *lock_file;
    if (options != NULL) {
        r.store_options.cache_bytes = options->cache_bytes;
        r.store_options.lane_blocks = options->lane_blocks;
    }
    r.store_options.is_manual = true;
    NQ_TRY(check_directory(ctx, directory));
    NQ_TRY(check_is_database(ctx, &r));
    NQ_TRY(lock(ctx, vfs, directory, &lock_file));
    nq_status status = upgrade_locked(ctx, &r);
    nq__tree_ids_deinit(&r.ids);
    nq_legacy_trees_deinit(&r.trees);
    nq_legacy_file_close(r.file);
    nq_file_close(lock_file);
    return status;
}

static nq_status resume(nq_ctx *ctx, nq_vfs *vfs, const char *directory) {
    nq_file *lock_file;
    bool is_decided;
    NQ_TRY(lock(ctx, vfs, directory, &lock_file));
    nq_status status = nq__swap_is_decided(ctx, vfs, directory, &is_decided);
    if (status == NQ_OK && is_decided) { /* another process may just have ended it */
        status = nq__swap_finish(ctx, vfs, directory);
    }
    nq_file_close(lock_file);
    return status;
}

static nq_status refuse_legacy(nq_ctx *ctx, nq_vfs *vfs, const char *directory) {
    char path[NQ__UPGRADE_PATH_BYTES];
    bool exists;
    uint32_t version;
    nq_ctx ignored; /* a file that cannot be read is the store's to report */
    nq_ctx_init(&ignored, NULL);
    snprintf(path, sizeof path, "%s/data.nqdb", directory);
    bool is_legacy = nq_vfs_exists(&ignored, vfs, path, &exists) == NQ_OK && exists &&
                     nq_legacy_file_find_version(&ignored, vfs, path, &version) == NQ_OK &&
                     version == NQ_LEGACY_VERSION;
    return is_legacy ? nq_fail(ctx, NQ_UPGRADE_NEEDED,
                               "%s: format version %d, expected %d: an older program wrote it",
                               path, NQ_LEGACY_VERSION, NQ_LEGACY_VERSION_NEXT)
                     : NQ_OK;
}

nq_status nq_upgrade_prepare(nq_ctx *ctx, nq_vfs *vfs, const char *directory) {
    bool is_decided;
    if (strlen(directory) >= NQ__UPGRADE_DIRECTORY_BYTES) {
        return NQ_OK;
    }
    NQ_TRY(nq__swap_is_decided(ctx, vfs, directory, &is_decided));
    if (is_decided) {
        NQ_TRY(resume(ctx, vfs, directory));
    }
    return refuse_legacy(ctx, vfs, directory);
}
