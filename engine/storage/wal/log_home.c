/* Log home: see the header. */
#include "engine/storage/wal/log_home.h"

#include <inttypes.h>
#include <stdio.h>

enum { PATH_BYTES = 1024, OWNER_BYTES_MAX = 128 };

#define OWNER_FILE "OWNER"

static nq_status join(nq_ctx *ctx, const nq_log_home_options *options, const char *name,
                      char out_path[PATH_BYTES]) {
    int bytes = snprintf(out_path, PATH_BYTES, "%s/%s", options->directory, name);
    if (bytes < 0 || bytes >= PATH_BYTES) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "the path of the log's %s is too long",
                       options->purpose);
    }
    return NQ_OK;
}

/* What OWNER must say. */
static size_t print_owner(const nq_log_home_options *options, char out_text[OWNER_BYTES_MAX]) {
    int bytes = snprintf(out_text, OWNER_BYTES_MAX, "neuroquantum log %s of %016" PRIx64 "\n",
                         options->purpose, options->salt);
    return (size_t)bytes;
}

/* ---- Marking ---- */

static void notice_log(void *user, const char *name) {
    bool *has_log = user;
    const char *dot = strrchr(name, '.');
    *has_log = *has_log || (dot != NULL && strcmp(dot, ".log") == 0);
}

/* Before the directory is ours: what must not be in it. */
static nq_status refuse_other(nq_ctx *ctx, const nq_log_home_options *options) {
    bool has_log = false;
    NQ_TRY(nq_vfs_list_dir(ctx, options->vfs, options->directory, notice_log, &has_log));
    if (has_log) {
        return nq_fail(ctx, NQ_FILE_FOREIGN, "%s holds a log already, and is no %s of this one",
                       options->directory, options->purpose);
    }
    return NQ_OK;
}

/* Under another name until it is whole. */
static nq_status write_owner(nq_ctx *ctx, const nq_log_home_options *options, const char *path) {
    char text[OWNER_BYTES_MAX];
    char temporary[PATH_BYTES];
    size_t bytes = print_owner(options, text);
    nq_file *file;
    NQ_TRY(join(ctx, options, OWNER_FILE ".new", temporary));
    NQ_TRY(nq_vfs_open(ctx, options->vfs, temporary, NQ_OPEN_CREATE | NQ_OPEN_TRUNCATE, &file));
    nq_status status = nq_file_write_at(ctx, file, 0, text, bytes);
    status = status == NQ_OK ? nq_file_sync_data(ctx, file) : status;
    nq_file_close(file);
    NQ_TRY(status);
    NQ_TRY(nq_vfs_rename(ctx, options->vfs, temporary, path));
    return nq_vfs_sync_dir(ctx, options->vfs, options->directory);
}

static nq_status check_owner(nq_ctx *ctx, const nq_log_home_options *options, const char *path) {
    char expected[OWNER_BYTES_MAX];
    char found[OWNER_BYTES_MAX];
    size_t bytes = print_owner(options, expected);
    size_t found_bytes = 0;
    nq_file *file;
    NQ_TRY(nq_vfs_open(ctx, options->vfs, path, NQ_OPEN_READ_ONLY, &file));
    nq_status status = nq_file_read_at(ctx, file, 0, found, sizeof found, &found_bytes);
    nq_file_close(file);
    NQ_TRY(status);
    if (found_bytes == bytes && memcmp(found, expected, bytes) == 0) {
        return NQ_OK;
    }
    size_t shown =
        found_bytes > 0 && found[found_bytes - 1] == '\n' ? found_bytes - 1 : found_bytes;
    return nq_fail(ctx, NQ_FILE_FOREIGN, "%s says \"%.*s\", expected \"%.*s\"", path, (int)shown,
                   found, (int)bytes - 1, expected);
}

static nq_status mark(nq_ctx *ctx, const nq_log_home_options *options) {
    char path[PATH_BYTES];
    bool is_marked = false;
    NQ_TRY(join(ctx, options, OWNER_FILE, path));
    NQ_TRY(nq_vfs_exists(ctx, options->vfs, path, &is_marked));
    if (is_marked) {
        return check_owner(ctx, options, path);
    }
    NQ_TRY(refuse_other(ctx, options));
    return write_owner(ctx, options, path);
}

/* ---- The calls ---- */

static nq_status refuse_data_directory(nq_ctx *ctx, const nq_log_home_options *options) {
    char path[PATH_BYTES];
    bool is_one = false;
    NQ_TRY(join(ctx, options, "data.nqdb", path));
    NQ_TRY(nq_vfs_exists(ctx, options->vfs, path, &is_one));
    if (is_one) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT,
                       "%s is a data directory: the log's %s needs one of its own",
                       options->directory, options->purpose);
    }
    return NQ_OK;
}

nq_status nq_log_home_claim(nq_ctx *ctx, const nq_log_home_options *options, nq_file **out_lock) {
    char path[PATH_BYTES];
    *out_lock = NULL;
    NQ_TRY(join(ctx, options, "LOCK", path));
    NQ_TRY(nq_vfs_make_dir_durably(ctx, options->vfs, options->directory));
    NQ_TRY(refuse_data_directory(ctx, options));
    NQ_TRY(nq_vfs_lock_file(ctx, options->vfs, path, out_lock));
    nq_status status = mark(ctx, options);
    if (status != NQ_OK) {
        nq_file_close(*out_lock);
        *out_lock = NULL;
    }
    return status;
}

nq_status nq_log_home_check(nq_ctx *ctx, const nq_log_home_options *options) {
    char path[PATH_BYTES];
    bool is_marked = false;
    NQ_TRY(join(ctx, options, OWNER_FILE, path));
    NQ_TRY(nq_vfs_exists(ctx, options->vfs, path, &is_marked));
    if (!is_marked) {
        return nq_fail(ctx, NQ_FILE_FOREIGN, "%s is no %s of a log: it has no file " OWNER_FILE,
                       options->directory, options->purpose);
    }
    return check_owner(ctx, options, path);
}
