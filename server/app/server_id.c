/* Server id: written aside and renamed, so that a crash leaves none or a whole one. */
#include "server/app/server_id.h"

#include <stdio.h>

#include "engine/ground/os/entropy.h"

enum { ID_BYTES = 16, PATH_BYTES = 4096 };

static nq_status create(nq_ctx *ctx, nq_vfs *vfs, const char *directory, const char *path,
                        uint8_t out_id[ID_BYTES]) {
    char aside[PATH_BYTES + 8];
    nq_file *file = NULL;
    (void)snprintf(aside, sizeof aside, "%s.new", path);
    nq_entropy_fill(out_id, ID_BYTES);
    NQ_TRY(nq_vfs_open(ctx, vfs, aside, NQ_OPEN_CREATE | NQ_OPEN_TRUNCATE, &file));
    nq_status status = nq_file_write_at(ctx, file, 0, out_id, ID_BYTES);
    if (status == NQ_OK) {
        status = nq_file_sync_data(ctx, file);
    }
    nq_file_close(file);
    if (status == NQ_OK) {
        status = nq_vfs_rename(ctx, vfs, aside, path);
    }
    return status == NQ_OK ? nq_vfs_sync_dir(ctx, vfs, directory) : status;
}

nq_status nq_server_id_load(nq_ctx *ctx, nq_vfs *vfs, const char *directory, uint8_t out_id[16]) {
    char path[PATH_BYTES];
    bool exists = false;
    nq_file *file = NULL;
    uint8_t bytes[ID_BYTES + 1];
    size_t read_bytes = 0;
    int path_bytes = snprintf(path, sizeof path, "%s/server_id", directory);
    if (path_bytes >= PATH_BYTES) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "the data directory's path is too long");
    }
    NQ_TRY(nq_vfs_exists(ctx, vfs, path, &exists));
    if (!exists) {
        return create(ctx, vfs, directory, path, out_id);
    }
    NQ_TRY(nq_vfs_open(ctx, vfs, path, NQ_OPEN_READ_ONLY, &file));
    nq_status status = nq_file_read_at(ctx, file, 0, bytes, sizeof bytes, &read_bytes);
    nq_file_close(file);
    if (status == NQ_OK && read_bytes != ID_BYTES) {
        status =
            nq_fail(ctx, NQ_FILE_FOREIGN, "%s is not a server id: 16 bytes were expected", path);
    }
    memcpy(out_id, bytes, ID_BYTES);
    return status;
}
