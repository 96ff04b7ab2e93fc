/* Swap: the new files take the old ones' place.
 *
 *     data.nqdb, log/             the store of this directory
 *     upgrade/data.nqdb, log/     the new one
 *     upgrade/verified            the decision
 *     format-1/data.nqdb, log/    the old one, when it has made room
 *
 * Invariants, after the decision; each step is durable before the next begins:
 *     S1  Old log files move out before the old data file: while that is here, so may they be.
 *     S2  New log files move in after the old data file has moved out, and before the new one does:
 *         while the new data file is in upgrade/, no log file here is needed by a store here.
 *     S3  The decision is taken back last: whoever finds it goes on.
 *
 * So where the two data files stand says what is left to do, and doing a step twice does nothing.
 */
#include <stdio.h>

#include "engine/storage/upgrade/upgrade_internal.h"

#define NEW_DIRECTORY "/upgrade"
#define OLD_DIRECTORY "/format-1"

static void join(char out_path[NQ__UPGRADE_PATH_BYTES], const char *directory, const char *name) {
    snprintf(out_path, NQ__UPGRADE_PATH_BYTES, "%s%s", directory, name);
}

static nq_status exists(nq_ctx *ctx, nq_vfs *vfs, const char *directory, const char *name,
                        bool *out_exists) {
    char path[NQ__UPGRADE_PATH_BYTES];
    join(path, directory, name);
    return nq_vfs_exists(ctx, vfs, path, out_exists);
}

static nq_status sync(nq_ctx *ctx, nq_vfs *vfs, const char *directory, const char *name) {
    char path[NQ__UPGRADE_PATH_BYTES];
    join(path, directory, name);
    return nq_vfs_sync_dir(ctx, vfs, path);
}

/* Makes a directory durably; its parent is `parent` of ours. */
static nq_status make(nq_ctx *ctx, nq_vfs *vfs, const char *directory, const char *parent,
                      const char *name) {
    char path[NQ__UPGRADE_PATH_BYTES];
    join(path, directory, name);
    NQ_TRY(nq_vfs_make_dir(ctx, vfs, path));
    return sync(ctx, vfs, directory, parent);
}

static nq_status move_log(nq_ctx *ctx, nq_vfs *vfs, const char *directory, const char *from,
                          const char *to) {
    char source[NQ__UPGRADE_PATH_BYTES];
    char target[NQ__UPGRADE_PATH_BYTES];
    join(source, directory, from);
    join(target, directory, to);
    return nq_vfs_empty_dir(ctx, vfs, source, target);
}

static nq_status move_data_file(nq_ctx *ctx, nq_vfs *vfs, const char *directory, const char *from,
                                const char *to) {
    char source[NQ__UPGRADE_PATH_BYTES + 16];
    char target[NQ__UPGRADE_PATH_BYTES + 16];
    snprintf(source, sizeof source, "%s%s/data.nqdb", directory, from);
    snprintf(target, sizeof target, "%s%s/data.nqdb", directory, to);
    NQ_TRY(nq_vfs_rename(ctx, vfs, source, target));
    NQ_TRY(sync(ctx, vfs, directory, from));
    return sync(ctx, vfs, directory, to);
}

/* ---- The steps ---- */

nq_status nq__swap_is_decided(nq_ctx *ctx, nq_vfs *vfs, const char *directory, bool *out_is_it) {
    return exists(ctx, vfs, directory, NEW_DIRECTORY "/verified", out_is_it);
}

nq_status nq__swap_decide(nq_ctx *ctx, nq_vfs *vfs, const char *directory) {
    char path[NQ__UPGRADE_PATH_BYTES];
    nq_file *file;
    join(path, directory, NEW_DIRECTORY "/verified");
    NQ_TRY(nq_vfs_open(ctx, vfs, path, NQ_OPEN_CREATE, &file));
    nq_file_close(file);
    return sync(ctx, vfs, directory, NEW_DIRECTORY);
}

nq_status nq__swap_check_room(nq_ctx *ctx, nq_vfs *vfs, const char *directory) {
    bool is_taken;
    NQ_TRY(exists(ctx, vfs, directory, OLD_DIRECTORY "/data.nqdb", &is_taken));
    if (!is_taken) {
        return NQ_OK;
    }
    return nq_fail(ctx, NQ_INVALID_ARGUMENT,
                   "%s" OLD_DIRECTORY "/data.nqdb, of an earlier upgrade, is in the way: move or "
                   "remove %s" OLD_DIRECTORY,
                   directory, directory);
}

/* An old server that was started between the steps has found no store, and begun one. */
static nq_status refuse_intruder(nq_ctx *ctx, nq_vfs *vfs, const char *directory) {
    bool is_old_out;
    NQ_TRY(exists(ctx, vfs, directory, OLD_DIRECTORY "/data.nqdb", &is_old_out));
    if (!is_old_out) {
        return NQ_OK;
    }
    return nq_fail(ctx, NQ_INVALID_ARGUMENT,
                   "%s/data.nqdb was made by another server while an upgrade was unfinished: move "
                   "it and its log away, and run the upgrade again",
                   directory);
}

static nq_status move_old_out(nq_ctx *ctx, nq_vfs *vfs, const char *directory) {
    NQ_TRY(refuse_intruder(ctx, vfs, directory));
    NQ_TRY(make(ctx, vfs, directory, "", OLD_DIRECTORY));
    NQ_TRY(make(ctx, vfs, directory, OLD_DIRECTORY, OLD_DIRECTORY "/log"));
    NQ_TRY(move_log(ctx, vfs, directory, "/log", OLD_DIRECTORY "/log")); /* S1 */
    return move_data_file(ctx, vfs, directory, "", OLD_DIRECTORY);
}

static nq_status move_new_in(nq_ctx *ctx, nq_vfs *vfs, const char *directory) {
    NQ_TRY(make(ctx, vfs, directory, "", "/log"));
    NQ_TRY(move_log(ctx, vfs, directory, NEW_DIRECTORY "/log", "/log")); /* S2 */
    return move_data_file(ctx, vfs, directory, NEW_DIRECTORY, "");
}

static nq_status remove_new_directory(nq_ctx *ctx, nq_vfs *vfs, const char *directory) {
    static const char *const files[] = {"/LOCK", "/data.nqdb", "/data.nqdb.new"};
    char path[NQ__UPGRADE_PATH_BYTES];
    bool has_log;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char name[sizeof NEW_DIRECTORY + 16];
        snprintf(name, sizeof name, "%s%s", NEW_DIRECTORY, files[i]);
        join(path, directory, name);
        NQ_TRY(nq_vfs_unlink(ctx, vfs, path));
    }
    NQ_TRY(exists(ctx, vfs, directory, NEW_DIRECTORY "/log", &has_log));
    if (has_log) {
        join(path, directory, NEW_DIRECTORY "/log");
        NQ_TRY(nq_vfs_empty_dir(ctx, vfs, path, NULL));
        NQ_TRY(nq_vfs_remove_dir(ctx, vfs, path));
    }
    join(path, directory, NEW_DIRECTORY "/verified");
    NQ_TRY(nq_vfs_unlink(ctx, vfs, path)); /* S3 */
    join(path, directory, NEW_DIRECTORY);
    NQ_TRY(nq_vfs_sync_dir(ctx, vfs, path));
    NQ_TRY(nq_vfs_remove_dir(ctx, vfs, path));
    return nq_vfs_sync_dir(ctx, vfs, directory);
}

nq_status nq__swap_finish(nq_ctx *ctx, nq_vfs *vfs, const char *directory) {
    bool is_old_here;
    bool is_new_waiting;
    NQ_TRY(exists(ctx, vfs, directory, "/data.nqdb", &is_old_here));
    NQ_TRY(exists(ctx, vfs, directory, NEW_DIRECTORY "/data.nqdb", &is_new_waiting));
    if (is_new_waiting && is_old_here) {
        NQ_TRY(move_old_out(ctx, vfs, directory));
    }
    if (is_new_waiting) {
        NQ_TRY(move_new_in(ctx, vfs, directory));
    }
    return remove_new_directory(ctx, vfs, directory);
}

nq_status nq__swap_clear(nq_ctx *ctx, nq_vfs *vfs, const char *directory) {
    bool is_there;
    NQ_TRY(exists(ctx, vfs, directory, NEW_DIRECTORY, &is_there));
    return is_there ? remove_new_directory(ctx, vfs, directory) : NQ_OK;
}
