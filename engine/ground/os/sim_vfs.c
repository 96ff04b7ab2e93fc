/* Names of the simulated disk: open, rename, list … as vfs.h has them. */
#include "engine/ground/os/sim_vfs.h"

#include <string.h>

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/os/sim_disk_internal.h"

typedef struct name_call {
    nq_sim_vfs *disk;
    bool was_exempt;
    bool is_cut;
    char path[SIM_PATH_BYTES_MAX];
} name_call;

/* Enters a call on names; a failure still has to leave. */
static nq_status enter_name(nq_ctx *ctx, nq_vfs *vfs, const char *path, name_call *out_call) {
    nq_sim_vfs *disk = (nq_sim_vfs *)vfs;
    out_call->disk = disk;
    bool fits = nq__sim_path_normalize(path, out_call->path);
    NQ_TRY(nq__sim_enter(ctx, disk, NULL, path, &out_call->was_exempt, &out_call->is_cut));
    if (nq__sim_strikes(disk, NQ_SIM_NAME_ERROR)) {
        return nq__sim_fail(ctx, "use", path, "injected");
    }
    return fits ? NQ_OK : nq__sim_fail(ctx, "use", path, "the name is too long");
}

static nq_status leave_name(nq_ctx *ctx, const char *path, name_call *call, nq_status status) {
    return nq__sim_leave(ctx, call->disk, path, call->was_exempt, call->is_cut, status);
}

static nq_status create_name(nq_ctx *ctx, nq_sim_vfs *disk, const char *path, bool is_dir,
                             nq__sim_inode **out_inode) {
    *out_inode = NULL;
    if (!nq__sim_names_has_parent(disk, path)) {
        return nq__sim_fail(ctx, "create", path, "no such directory");
    }
    nq__sim_inode *inode = nq__sim_inode_create(disk, is_dir);
    nq__sim_names_change(disk, NULL, path, inode);
    nq__sim_inode_release(disk, inode); /* its name holds it now */
    *out_inode = inode;
    return NQ_OK;
}

static nq_status open_name(nq_ctx *ctx, nq_sim_vfs *disk, const char *path, uint32_t flags,
                           nq__sim_inode **out_inode) {
    *out_inode = nq__sim_names_find(&disk->now, path);
    bool must_be_new = (flags & NQ_OPEN_CREATE) != 0 && (flags & NQ_OPEN_EXCLUSIVE) != 0;
    if (*out_inode != NULL && must_be_new) {
        return nq__sim_fail(ctx, "create", path, "it exists");
    }
    if (nq__sim_path_is_root(path) || (*out_inode != NULL && (*out_inode)->is_dir)) {
        return nq__sim_fail(ctx, "open", path, "it is a directory");
    }
    if (*out_inode == NULL && (flags & NQ_OPEN_CREATE) == 0) {
        return nq__sim_fail(ctx, "open", path, "no such file");
    }
    if (*out_inode == NULL) {
        NQ_TRY(create_name(ctx, disk, path, false, out_inode));
    }
    NQ_ASSERT(*out_inode != NULL);
    return NQ_OK;
}

static nq_status sim_open(nq_ctx *ctx, nq_vfs *vfs, const char *path, uint32_t flags,
                          nq_file **out_file) {
    name_call call;
    nq__sim_inode *inode;
    *out_file = NULL;
    nq_status status = enter_name(ctx, vfs, path, &call);
    if (status != NQ_OK) {
        goto done;
    }
    call.disk->stats.others++;
    NQ_CHECK(open_name(ctx, call.disk, call.path, flags, &inode));
    if ((flags & NQ_OPEN_TRUNCATE) != 0) {
        nq__sim_content_resize(inode, 0);
    }
    if (!call.is_cut) {
        nq__sim_file *file = nq__sim_file_open(call.disk, inode, path);
        file->is_read_only = (flags & NQ_OPEN_READ_ONLY) != 0;
        *out_file = &file->file;
    }
done:
    return leave_name(ctx, path, &call, status);
}

static nq_status sim_lock_file(nq_ctx *ctx, nq_vfs *vfs, const char *path, nq_file **out_lock) {
    name_call call;
    nq__sim_inode *inode;
    *out_lock = NULL;
    nq_status status = enter_name(ctx, vfs, path, &call);
    if (status != NQ_OK) {
        goto done;
    }
    call.disk->stats.others++;
    NQ_CHECK(open_name(ctx, call.disk, call.path, NQ_OPEN_CREATE, &inode));
    if (inode->is_locked) {
        status = nq_fail(ctx, NQ_DATABASE_LOCKED, "%s is held by another", path);
        goto done;
    }
    if (!call.is_cut) {
        nq__sim_file *file = nq__sim_file_open(call.disk, inode, path);
        file->holds_lock = true;
        *out_lock = &file->file;
        inode->is_locked = true;
    }
done:
    return leave_name(ctx, path, &call, status);
}

static nq_status sim_exists(nq_ctx *ctx, nq_vfs *vfs, const char *path, bool *out_exists) {
    name_call call;
    *out_exists = false;
    nq_status status = enter_name(ctx, vfs, path, &call);
    if (status == NQ_OK) {
        call.disk->stats.others++;
        *out_exists = nq__sim_path_is_root(call.path) ||
                      nq__sim_names_find(&call.disk->now, call.path) != NULL;
    }
    return leave_name(ctx, path, &call, status);
}

static nq_status sim_rename(nq_ctx *ctx, nq_vfs *vfs, const char *from, const char *to) {
    name_call call;
    char target[SIM_PATH_BYTES_MAX];
    nq_status status = enter_name(ctx, vfs, from, &call);
    if (status != NQ_OK) {
        goto done;
    }
    call.disk->stats.others++;
    if (!nq__sim_path_normalize(to, target) || !nq__sim_names_has_parent(call.disk, target)) {
        status = nq__sim_fail(ctx, "rename to", to, "no such directory");
        goto done;
    }
    nq__sim_inode *inode = nq__sim_names_find(&call.disk->now, call.path);
    const nq__sim_inode *replaced = nq__sim_names_find(&call.disk->now, target);
    if (inode == NULL) {
        status = nq__sim_fail(ctx, "rename", from, "no such file");
    } else if (inode->is_dir || (replaced != NULL && replaced->is_dir)) {
        status = nq__sim_fail(ctx, "rename", from, "directories stay where they are");
    } else if (inode != replaced) {
        nq__sim_names_change(call.disk, call.path, target, inode);
    }
done:
    return leave_name(ctx, from, &call, status);
}

static nq_status sim_unlink(nq_ctx *ctx, nq_vfs *vfs, const char *path) {
    name_call call;
    nq_status status = enter_name(ctx, vfs, path, &call);
    if (status != NQ_OK) {
        goto done;
    }
    call.disk->stats.others++;
    const nq__sim_inode *inode = nq__sim_names_find(&call.disk->now, call.path);
    if (inode != NULL && inode->is_dir) {
        status = nq__sim_fail(ctx, "remove", path, "it is a directory");
    } else if (inode != NULL) {
        nq__sim_names_change(call.disk, call.path, NULL, NULL);
    }
done:
    return leave_name(ctx, path, &call, status);
}

static nq_status sim_make_dir(nq_ctx *ctx, nq_vfs *vfs, const char *path) {
    name_call call;
    nq_status status = enter_name(ctx, vfs, path, &call);
    if (status != NQ_OK) {
        goto done;
    }
    call.disk->stats.others++;
    nq__sim_inode *inode = nq__sim_names_find(&call.disk->now, call.path);
    if (inode != NULL && !inode->is_dir) {
        status = nq__sim_fail(ctx, "make the directory", path, "a file has that name");
    } else if (inode == NULL && !nq__sim_path_is_root(call.path)) {
        status = create_name(ctx, call.disk, call.path, true, &inode);
    }
done:
    return leave_name(ctx, path, &call, status);
}

static bool is_empty(const nq_sim_vfs *disk, const char *directory) {
    for (size_t i = 0; i < disk->now.count; i++) {
        if (nq__sim_path_is_in(disk->now.items[i].path, directory)) {
            return false;
        }
    }
    return true;
}

static nq_status sim_remove_dir(nq_ctx *ctx, nq_vfs *vfs, const char *path) {
    name_call call;
    nq_status status = enter_name(ctx, vfs, path, &call);
    if (status != NQ_OK) {
        goto done;
    }
    call.disk->stats.others++;
    const nq__sim_inode *inode = nq__sim_names_find(&call.disk->now, call.path);
    if (inode != NULL && (!inode->is_dir || !is_empty(call.disk, call.path))) {
        status = nq__sim_fail(ctx, "remove the directory", path, "it is a file, or not empty");
    } else if (inode != NULL) {
        nq__sim_names_change(call.disk, call.path, NULL, NULL);
    }
done:
    return leave_name(ctx, path, &call, status);
}

static bool is_directory(const nq_sim_vfs *disk, const char *path) {
    const nq__sim_inode *inode = nq__sim_names_find(&disk->now, path);
    return nq__sim_path_is_root(path) || (inode != NULL && inode->is_dir);
}

static nq_status sim_sync_dir(nq_ctx *ctx, nq_vfs *vfs, const char *path) {
    name_call call;
    nq_status status = enter_name(ctx, vfs, path, &call);
    if (status != NQ_OK) {
        goto done;
    }
    call.disk->stats.dir_syncs++;
    if (!is_directory(call.disk, call.path)) {
        status = nq__sim_fail(ctx, "sync the directory", path, "no such directory");
    } else if (!call.is_cut) {
        nq__sim_names_sync(call.disk, call.path);
    }
done:
    return leave_name(ctx, path, &call, status);
}

/* The names are copied, so that `visit` runs outside the lock and may use the disk. */
static nq_status sim_list_dir(nq_ctx *ctx, nq_vfs *vfs, const char *path,
                              void (*visit)(void *user, const char *name), void *user) {
    name_call call;
    char **names = NULL;
    size_t count = 0;
    nq_status status = enter_name(ctx, vfs, path, &call);
    if (status != NQ_OK) {
        goto done;
    }
    call.disk->stats.others++;
    if (!is_directory(call.disk, call.path)) {
        status = nq__sim_fail(ctx, "list", path, "no such directory");
        goto done;
    }
    names = nq__sim_alloc((call.disk->now.count + 1) * sizeof(names[0]));
    for (size_t i = 0; i < call.disk->now.count; i++) {
        const char *name = call.disk->now.items[i].path;
        if (nq__sim_path_is_in(name, call.path)) {
            const char *base = nq__sim_path_base(name);
            names[count] = nq_heap_copy_text(base, strlen(base));
            NQ_ASSERT(names[count] != NULL);
            count++;
        }
    }
done:
    status = leave_name(ctx, path, &call, status);
    for (size_t i = 0; i < count; i++) {
        if (status == NQ_OK) {
            visit(user, names[i]);
        }
        nq_heap_free(names[i]);
    }
    nq_heap_free(names);
    return status;
}

const nq_vfs_vtable nq__sim_vfs_vtable = {
    .open = sim_open,
    .exists = sim_exists,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .make_dir = sim_make_dir,
    .remove_dir = sim_remove_dir,
    .sync_dir = sim_sync_dir,
    .list_dir = sim_list_dir,
    .lock_file = sim_lock_file,
};
