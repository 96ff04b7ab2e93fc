/* Directories, over whatever files there are. */
#include <stdio.h>

#include "engine/ground/os/vfs.h"

enum { PATH_BYTES = 1024, NAMES_BYTES = 4096 };

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

/* ---- Files of a directory ---- */

/* Some of a directory's names, each ended by a zero; the rest at the next turn. */
typedef struct names {
    size_t bytes;
    char text[NAMES_BYTES];
} names;

static void take_name(void *user, const char *name) {
    names *list = user;
    size_t bytes = strlen(name) + 1;
    if (bytes <= sizeof list->text - list->bytes) {
        memcpy(list->text + list->bytes, name, bytes);
        list->bytes += bytes;
    }
}

static nq_status join(nq_ctx *ctx, const char *directory, const char *name,
                      char out_path[PATH_BYTES]) {
    int bytes = snprintf(out_path, PATH_BYTES, "%s/%s", directory, name);
    return bytes >= 0 && bytes < PATH_BYTES
               ? NQ_OK
               : nq_fail(ctx, NQ_INVALID_ARGUMENT, "%s: the path is too long", directory);
}

static nq_status move_file(nq_ctx *ctx, nq_vfs *vfs, const char *from, const char *to,
                           const char *name) {
    char source[PATH_BYTES];
    char target[PATH_BYTES];
    NQ_TRY(join(ctx, from, name, source));
    if (to == NULL) {
        return nq_vfs_unlink(ctx, vfs, source);
    }
    NQ_TRY(join(ctx, to, name, target));
    return nq_vfs_rename(ctx, vfs, source, target);
}

nq_status nq_vfs_empty_dir(nq_ctx *ctx, nq_vfs *vfs, const char *from, const char *to) {
    names list;
    do {
        list.bytes = 0;
        NQ_TRY(nq_vfs_list_dir(ctx, vfs, from, take_name, &list));
        for (size_t at = 0; at < list.bytes; at += strlen(list.text + at) + 1) {
            NQ_TRY(move_file(ctx, vfs, from, to, list.text + at));
        }
    } while (list.bytes > 0);
    NQ_TRY(nq_vfs_sync_dir(ctx, vfs, from));
    return to != NULL ? nq_vfs_sync_dir(ctx, vfs, to) : NQ_OK;
}
