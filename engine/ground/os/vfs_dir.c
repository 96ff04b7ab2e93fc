/* Directories, over whatever files there are. */
#include <stdio.h>

#include "engine/ground/os/vfs.h"

enum { PATH_BYTES = 1024 };

/* A name is durable once its parent is synced. */
nq_status nq_vfs_make_dir_durably(nq_ctx *ctx, nq_vfs *vfs, const char *path) {
    char parent[PATH_BYTES];
    if ((size_t)snprintf(parent, sizeof parent, "%s", path) >= sizeof parent) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "%s: the path is too long", path);
    }
    NQ_TRY(nq_vfs_make_dir(ctx, vfs, path));
    char *slash = strrchr(parent, '/');
    if (slash == NULL) {
        return nq_vfs_sync_dir(ctx, vfs, ".");
    }
    slash[slash == parent ? 1 : 0] = 0;
    return nq_vfs_sync_dir(ctx, vfs, parent);
}
