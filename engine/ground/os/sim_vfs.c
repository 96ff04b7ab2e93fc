/* Simulated disk, seen from outside: the vtable, the faults, the power switch.
 *
 * Each call enters (counted, observed, locked; refused when the power is off), decides which fault
 * strikes, does its work on content and names, and leaves. A power cut in the middle of an I/O lets
 * the I/O's effect into the page cache first, so that restart may find any part of it. */
#include "engine/ground/os/sim_vfs.h"

#include <string.h>

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/os/sim_clock.h"
#include "engine/ground/os/sim_disk_internal.h"

typedef struct sim_file {
    nq_file file;
    nq_sim_vfs *disk;
    nq__sim_inode *inode;
    uint32_t boot;
    bool is_read_only;
    bool holds_lock;
    char path[];
} sim_file;

/* ---- Entering and leaving ---- */

static void lock(nq_sim_vfs *disk, bool *out_was_exempt) {
    nq_mutex_lock(&disk->mutex);
    *out_was_exempt = nq_heap_set_exempt(true);
}

static void unlock(nq_sim_vfs *disk, bool was_exempt) {
    (void)nq_heap_set_exempt(was_exempt);
    nq_mutex_unlock(&disk->mutex);
}

static bool strikes(nq_sim_vfs *disk, nq_sim_fault fault) {
    bool is_due = disk->fault_at[fault] != 0 && disk->stats.ios >= disk->fault_at[fault];
    if (is_due) {
        disk->fault_at[fault] = 0;
    } else if (disk->options.fault_ppm[fault] > 0) {
        is_due = nq_rng_below(&disk->rng, 1000000) < disk->options.fault_ppm[fault];
    }
    disk->stats.faults[fault] += is_due;
    return is_due;
}

/* One I/O begins. Whatever it returns, the caller leaves with unlock. `file` is NULL for names. */
static nq_status enter(nq_ctx *ctx, nq_sim_vfs *disk, const sim_file *file, const char *path,
                       bool *out_was_exempt, bool *out_is_cut) {
    lock(disk, out_was_exempt);
    uint64_t number = ++disk->stats.ios;
    void (*observe)(void *, uint64_t) = disk->observe;
    void *user = disk->observe_user;
    if (observe != NULL) {
        unlock(disk, *out_was_exempt);
        observe(user, number);
        lock(disk, out_was_exempt);
    }
    if (disk->options.io_ns > 0) {
        nq_sim_clock_advance(disk->options.io_ns);
    }
    *out_is_cut = false;
    if (!disk->is_on) {
        return nq_fail(ctx, NQ_IO_ERROR, "%s: the power is off", path);
    }
    if (file != NULL && file->boot != disk->boot) {
        return nq_fail(ctx, NQ_IO_ERROR, "%s: was opened before the power failed", path);
    }
    *out_is_cut = strikes(disk, NQ_SIM_POWER_CUT);
    return NQ_OK;
}

/* The I/O has had its effect; was the power cut in its middle? */
static nq_status leave(nq_ctx *ctx, nq_sim_vfs *disk, const char *path, bool was_exempt,
                       bool is_cut, nq_status status) {
    if (is_cut) {
        disk->is_on = false;
        status = nq_fail(ctx, NQ_IO_ERROR, "%s: the power failed", path);
    }
    unlock(disk, was_exempt);
    return status;
}

static nq_status fail_name(nq_ctx *ctx, const char *what, const char *path, const char *why) {
    return nq_fail(ctx, NQ_IO_ERROR, "cannot %s %s: %s", what, path, why);
}

/* ---- Files ---- */

static uint64_t used_bytes(const nq_sim_vfs *disk) {
    uint64_t used = 0;
    for (const nq__sim_inode *inode = disk->inodes; inode != NULL; inode = inode->next) {
        used += inode->now_bytes;
    }
    return used;
}

static bool has_room(const nq_sim_vfs *disk, const nq__sim_inode *inode, uint64_t bytes) {
    return disk->options.capacity_bytes == 0 || bytes <= inode->now_bytes ||
           used_bytes(disk) + (bytes - inode->now_bytes) <= disk->options.capacity_bytes;
}

static void sim_close(nq_file *base) {
    sim_file *file = (sim_file *)base;
    nq_sim_vfs *disk = file->disk;
    bool was_exempt;
    lock(disk, &was_exempt);
    if (file->holds_lock && file->boot == disk->boot) {
        file->inode->is_locked = false;
    }
    nq__sim_inode_release(disk, file->inode);
    disk->open_files--;
    unlock(disk, was_exempt);
    nq_heap_free(file);
}

/* Another place of the file for `bytes` at `offset`; `offset` itself when there is none. */
static uint64_t misdirect(nq_sim_vfs *disk, const nq__sim_inode *inode, uint64_t offset,
                          size_t bytes) {
    uint64_t places = bytes > 0 ? inode->now_bytes / bytes : 0;
    if (places < 2) {
        return offset;
    }
    uint64_t place = nq_rng_below(&disk->rng, places) * bytes;
    return place == offset ? (place + bytes) % (places * bytes) : place;
}

static void read_content(nq_sim_vfs *disk, nq__sim_inode *inode, uint64_t offset, uint8_t *target,
                         size_t bytes) {
    if (strikes(disk, NQ_SIM_BIT_ROT)) {
        uint64_t at = offset + nq_rng_below(&disk->rng, bytes);
        (void)nq__sim_content_flip_bit(inode, at, (unsigned)nq_rng_below(&disk->rng, 8));
    }
    bool is_stale = strikes(disk, NQ_SIM_STALE_READ);
    if (strikes(disk, NQ_SIM_MISDIRECTED_READ)) {
        offset = misdirect(disk, inode, offset, bytes);
    }
    nq__sim_content_read(inode, offset, target, bytes, is_stale);
}

static nq_status sim_read_at(nq_ctx *ctx, nq_file *base, uint64_t offset, void *target,
                             size_t bytes, size_t *out_read) {
    sim_file *file = (sim_file *)base;
    nq_sim_vfs *disk = file->disk;
    nq__sim_inode *inode = file->inode;
    bool was_exempt;
    bool is_cut;
    *out_read = 0;
    nq_status status = enter(ctx, disk, file, file->path, &was_exempt, &is_cut);
    if (status != NQ_OK) {
        goto done;
    }
    disk->stats.reads++;
    if (strikes(disk, NQ_SIM_READ_ERROR)) {
        status = fail_name(ctx, "read", file->path, "injected");
        goto done;
    }
    uint64_t left = offset < inode->now_bytes ? inode->now_bytes - offset : 0;
    size_t got = bytes < left ? bytes : (size_t)left;
    if (got > 0 && !is_cut) {
        read_content(disk, inode, offset, target, got);
        *out_read = got;
        disk->stats.read_bytes += got;
    }
done:
    return leave(ctx, disk, file->path, was_exempt, is_cut, status);
}

/* A write that fails leaves any of its sectors behind, as far as there is room. */
static void write_part(nq_sim_vfs *disk, nq__sim_inode *inode, uint64_t offset,
                       const uint8_t *source, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
        size_t part = NQ_SIM_SECTOR_BYTES - (size_t)((offset + done) % NQ_SIM_SECTOR_BYTES);
        part = part < bytes - done ? part : bytes - done;
        if (nq_rng_below(&disk->rng, 2) == 0 && has_room(disk, inode, offset + done + part)) {
            nq__sim_content_write(inode, offset + done, source + done, part);
        }
        done += part;
    }
}

static void write_content(nq_sim_vfs *disk, nq__sim_inode *inode, uint64_t offset,
                          const uint8_t *source, size_t bytes) {
    bool is_lost = strikes(disk, NQ_SIM_LOST_WRITE);
    uint64_t end = offset + bytes;
    if (!is_lost && strikes(disk, NQ_SIM_MISDIRECTED_WRITE)) {
        uint64_t place = misdirect(disk, inode, offset, bytes);
        is_lost = place == offset;
        offset = place;
    }
    if (!is_lost) {
        nq__sim_content_write(inode, offset, source, bytes);
        disk->last_written = inode;
        disk->last_written_offset = offset;
    }
    if (end > inode->now_bytes) {
        nq__sim_content_resize(inode, end); /* the size is the file system's, and is not lost */
    }
}

static nq_status sim_write_at(nq_ctx *ctx, nq_file *base, uint64_t offset, const void *source,
                              size_t bytes) {
    sim_file *file = (sim_file *)base;
    nq_sim_vfs *disk = file->disk;
    nq__sim_inode *inode = file->inode;
    bool was_exempt;
    bool is_cut;
    nq_status status = enter(ctx, disk, file, file->path, &was_exempt, &is_cut);
    if (status != NQ_OK) {
        goto done;
    }
    disk->stats.writes++;
    if (file->is_read_only) {
        status = fail_name(ctx, "write", file->path, "it is open for reading only");
        goto done;
    }
    if (strikes(disk, NQ_SIM_WRITE_ERROR)) {
        write_part(disk, inode, offset, source, bytes);
        status = fail_name(ctx, "write", file->path, "injected");
        goto done;
    }
    if (!has_room(disk, inode, offset + bytes) || strikes(disk, NQ_SIM_WRITE_FULL)) {
        write_part(disk, inode, offset, source, bytes);
        status = nq_fail(ctx, NQ_DISK_FULL, "cannot write %s: no space is left", file->path);
        goto done;
    }
    if (bytes > 0) {
        write_content(disk, inode, offset, source, bytes);
    }
    disk->stats.written_bytes += bytes;
    if (disk->options.writeback_ppm > 0 &&
        nq_rng_below(&disk->rng, 1000000) < disk->options.writeback_ppm) {
        nq__sim_content_write_back(inode, &disk->rng);
    }
done:
    return leave(ctx, disk, file->path, was_exempt, is_cut, status);
}

static nq_status sim_sync_data(nq_ctx *ctx, nq_file *base) {
    sim_file *file = (sim_file *)base;
    nq_sim_vfs *disk = file->disk;
    bool was_exempt;
    bool is_cut;
    nq_status status = enter(ctx, disk, file, file->path, &was_exempt, &is_cut);
    if (status != NQ_OK) {
        goto done;
    }
    disk->stats.syncs++;
    if (strikes(disk, NQ_SIM_SYNC_ERROR)) {
        nq__sim_content_settle(disk, file->inode, true);
        status = fail_name(ctx, "sync", file->path, "injected");
    } else if (!is_cut) {
        nq__sim_content_sync(file->inode);
        if (disk->last_written == file->inode) {
            disk->last_written = NULL;
        }
    }
done:
    return leave(ctx, disk, file->path, was_exempt, is_cut, status);
}

static nq_status sim_size(nq_ctx *ctx, nq_file *base, uint64_t *out_bytes) {
    sim_file *file = (sim_file *)base;
    bool was_exempt;
    bool is_cut;
    *out_bytes = 0;
    nq_status status = enter(ctx, file->disk, file, file->path, &was_exempt, &is_cut);
    if (status == NQ_OK) {
        file->disk->stats.others++;
        *out_bytes = file->inode->now_bytes;
    }
    return leave(ctx, file->disk, file->path, was_exempt, is_cut, status);
}

/* truncate and allocate: the latter never makes a file shorter. */
static nq_status resize(nq_ctx *ctx, sim_file *file, uint64_t bytes, bool may_shrink) {
    nq_sim_vfs *disk = file->disk;
    nq__sim_inode *inode = file->inode;
    bool was_exempt;
    bool is_cut;
    nq_status status = enter(ctx, disk, file, file->path, &was_exempt, &is_cut);
    if (status != NQ_OK) {
        goto done;
    }
    disk->stats.others++;
    if (file->is_read_only) {
        status = fail_name(ctx, "resize", file->path, "it is open for reading only");
    } else if (!has_room(disk, inode, bytes) || strikes(disk, NQ_SIM_WRITE_FULL)) {
        status = nq_fail(ctx, NQ_DISK_FULL, "cannot resize %s: no space is left", file->path);
    } else if (may_shrink || bytes > inode->now_bytes) {
        nq__sim_content_resize(inode, bytes);
    }
done:
    return leave(ctx, disk, file->path, was_exempt, is_cut, status);
}

static nq_status sim_truncate(nq_ctx *ctx, nq_file *base, uint64_t bytes) {
    return resize(ctx, (sim_file *)base, bytes, true);
}

static nq_status sim_allocate(nq_ctx *ctx, nq_file *base, uint64_t offset, uint64_t bytes) {
    return resize(ctx, (sim_file *)base, offset + bytes, false);
}

static const nq_file_vtable FILE_VTABLE = {
    .close = sim_close,
    .read_at = sim_read_at,
    .write_at = sim_write_at,
    .sync_data = sim_sync_data,
    .size = sim_size,
    .truncate = sim_truncate,
    .allocate = sim_allocate,
};

/* ---- Names ---- */

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
    NQ_TRY(enter(ctx, disk, NULL, path, &out_call->was_exempt, &out_call->is_cut));
    if (strikes(disk, NQ_SIM_NAME_ERROR)) {
        return fail_name(ctx, "use", path, "injected");
    }
    return fits ? NQ_OK : fail_name(ctx, "use", path, "the name is too long");
}

static nq_status leave_name(nq_ctx *ctx, const char *path, name_call *call, nq_status status) {
    return leave(ctx, call->disk, path, call->was_exempt, call->is_cut, status);
}

static nq_file *make_file(nq_sim_vfs *disk, nq__sim_inode *inode, const char *path) {
    size_t path_bytes = strlen(path) + 1;
    sim_file *file = nq__sim_alloc(sizeof(*file) + path_bytes);
    file->file.vtable = &FILE_VTABLE;
    file->disk = disk;
    file->inode = inode;
    file->boot = disk->boot;
    memcpy(file->path, path, path_bytes);
    inode->references++;
    disk->open_files++;
    return &file->file;
}

static nq_status create_name(nq_ctx *ctx, nq_sim_vfs *disk, const char *path, bool is_dir,
                             nq__sim_inode **out_inode) {
    *out_inode = NULL;
    if (!nq__sim_names_has_parent(disk, path)) {
        return fail_name(ctx, "create", path, "no such directory");
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
        return fail_name(ctx, "create", path, "it exists");
    }
    if (nq__sim_path_is_root(path) || (*out_inode != NULL && (*out_inode)->is_dir)) {
        return fail_name(ctx, "open", path, "it is a directory");
    }
    if (*out_inode == NULL && (flags & NQ_OPEN_CREATE) == 0) {
        return fail_name(ctx, "open", path, "no such file");
    }
    return *out_inode != NULL ? NQ_OK : create_name(ctx, disk, path, false, out_inode);
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
        *out_file = make_file(call.disk, inode, path);
        ((sim_file *)*out_file)->is_read_only = (flags & NQ_OPEN_READ_ONLY) != 0;
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
        *out_lock = make_file(call.disk, inode, path);
        ((sim_file *)*out_lock)->holds_lock = true;
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
        status = fail_name(ctx, "rename to", to, "no such directory");
        goto done;
    }
    nq__sim_inode *inode = nq__sim_names_find(&call.disk->now, call.path);
    const nq__sim_inode *replaced = nq__sim_names_find(&call.disk->now, target);
    if (inode == NULL) {
        status = fail_name(ctx, "rename", from, "no such file");
    } else if (inode->is_dir || (replaced != NULL && replaced->is_dir)) {
        status = fail_name(ctx, "rename", from, "directories stay where they are");
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
        status = fail_name(ctx, "remove", path, "it is a directory");
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
        status = fail_name(ctx, "make the directory", path, "a file has that name");
    } else if (inode == NULL && !nq__sim_path_is_root(call.path)) {
        status = create_name(ctx, call.disk, call.path, true, &inode);
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
        status = fail_name(ctx, "sync the directory", path, "no such directory");
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
        status = fail_name(ctx, "list", path, "no such directory");
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

static const nq_vfs_vtable VFS_VTABLE = {
    .open = sim_open,
    .exists = sim_exists,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .make_dir = sim_make_dir,
    .sync_dir = sim_sync_dir,
    .list_dir = sim_list_dir,
    .lock_file = sim_lock_file,
};

/* ---- The disk ---- */

static nq_sim_vfs *make_disk(const nq_sim_options *options) {
    bool was_exempt = nq_heap_set_exempt(true);
    nq_sim_vfs *disk = nq__sim_alloc(sizeof(*disk));
    (void)nq_heap_set_exempt(was_exempt);
    disk->vfs.vtable = &VFS_VTABLE;
    nq_mutex_init(&disk->mutex, NQ_LOCK_SIMULATION);
    disk->options = *options;
    if (disk->options.garble_percent == 0) {
        disk->options.garble_percent = 10;
    }
    disk->rng.state = options->seed;
    disk->is_on = true;
    return disk;
}

nq_status nq_sim_vfs_create(nq_ctx *ctx, const nq_sim_options *options, nq_sim_vfs **out_disk) {
    (void)ctx;
    *out_disk = make_disk(options);
    return NQ_OK;
}

nq_status nq_sim_vfs_clone(nq_ctx *ctx, nq_sim_vfs *disk, uint64_t seed, nq_sim_vfs **out_copy) {
    (void)ctx;
    bool was_exempt;
    lock(disk, &was_exempt);
    nq_sim_vfs *copy = make_disk(&disk->options);
    copy->rng.state = seed;
    copy->is_on = disk->is_on;
    for (nq__sim_inode *inode = disk->inodes; inode != NULL; inode = inode->next) {
        inode->clone = nq__sim_inode_clone(copy, inode);
    }
    nq__sim_names_clone(copy, disk);
    if (disk->last_written != NULL) {
        copy->last_written = disk->last_written->clone;
        copy->last_written_offset = disk->last_written_offset;
    }
    for (nq__sim_inode *inode = disk->inodes; inode != NULL; inode = inode->next) {
        nq__sim_inode_release(copy, inode->clone); /* nameless ones go: nothing is open here */
        inode->clone = NULL;
    }
    unlock(disk, was_exempt);
    *out_copy = copy;
    return NQ_OK;
}

void nq_sim_vfs_destroy(nq_sim_vfs *disk) {
    if (disk == NULL) {
        return;
    }
    NQ_ASSERT(disk->open_files == 0);
    nq__sim_names_clear(disk);
    NQ_ASSERT(disk->inodes == NULL);
    nq_mutex_deinit(&disk->mutex);
    nq_heap_free(disk);
}

nq_vfs *nq_sim_vfs_as_vfs(nq_sim_vfs *disk) {
    return &disk->vfs;
}

void nq_sim_vfs_cut_power(nq_sim_vfs *disk) {
    bool was_exempt;
    lock(disk, &was_exempt);
    disk->is_on = false;
    unlock(disk, was_exempt);
}

void nq_sim_vfs_restart(nq_sim_vfs *disk) {
    bool was_exempt;
    lock(disk, &was_exempt);
    if (disk->is_on) {
        goto done;
    }
    for (nq__sim_inode *inode = disk->inodes; inode != NULL; inode = inode->next) {
        nq__sim_content_settle(disk, inode, false);
        inode->is_locked = false;
    }
    if (disk->options.collateral_damage && disk->last_written != NULL) {
        nq__sim_content_damage(disk, disk->last_written, disk->last_written_offset);
    }
    disk->last_written = NULL;
    nq__sim_names_settle(disk);
    disk->boot++;
    disk->is_on = true;
done:
    unlock(disk, was_exempt);
}

void nq_sim_vfs_crash(nq_sim_vfs *disk) {
    nq_sim_vfs_cut_power(disk);
    nq_sim_vfs_restart(disk);
}

bool nq_sim_vfs_is_on(nq_sim_vfs *disk) {
    bool was_exempt;
    lock(disk, &was_exempt);
    bool is_on = disk->is_on;
    unlock(disk, was_exempt);
    return is_on;
}

void nq_sim_vfs_fault_at(nq_sim_vfs *disk, nq_sim_fault fault, uint64_t nth) {
    bool was_exempt;
    lock(disk, &was_exempt);
    disk->fault_at[fault] = nth == 0 ? 0 : disk->stats.ios + nth;
    unlock(disk, was_exempt);
}

void nq_sim_vfs_set_fault_ppm(nq_sim_vfs *disk, const uint32_t fault_ppm[NQ_SIM_FAULT_COUNT]) {
    bool was_exempt;
    lock(disk, &was_exempt);
    memcpy(disk->options.fault_ppm, fault_ppm, sizeof(disk->options.fault_ppm));
    unlock(disk, was_exempt);
}

void nq_sim_vfs_set_capacity(nq_sim_vfs *disk, uint64_t capacity_bytes) {
    bool was_exempt;
    lock(disk, &was_exempt);
    disk->options.capacity_bytes = capacity_bytes;
    unlock(disk, was_exempt);
}

void nq_sim_vfs_set_observer(nq_sim_vfs *disk, void (*observe)(void *user, uint64_t io),
                             void *user) {
    bool was_exempt;
    lock(disk, &was_exempt);
    disk->observe = observe;
    disk->observe_user = user;
    unlock(disk, was_exempt);
}

nq_sim_stats nq_sim_vfs_get_stats(nq_sim_vfs *disk) {
    bool was_exempt;
    lock(disk, &was_exempt);
    nq_sim_stats stats = disk->stats;
    unlock(disk, was_exempt);
    return stats;
}

static nq__sim_inode *find_path(nq_sim_vfs *disk, const char *path) {
    char normal[SIM_PATH_BYTES_MAX];
    return nq__sim_path_normalize(path, normal) ? nq__sim_names_find(&disk->now, normal) : NULL;
}

bool nq_sim_vfs_flip_bit(nq_sim_vfs *disk, const char *path, uint64_t offset, unsigned bit) {
    bool was_exempt;
    lock(disk, &was_exempt);
    nq__sim_inode *inode = find_path(disk, path);
    bool is_flipped = inode != NULL && nq__sim_content_flip_bit(inode, offset, bit);
    unlock(disk, was_exempt);
    return is_flipped;
}

bool nq_sim_vfs_is_durable(nq_sim_vfs *disk, const char *path) {
    bool was_exempt;
    lock(disk, &was_exempt);
    const nq__sim_inode *inode = find_path(disk, path);
    bool is_durable = inode != NULL && disk->change_count == 0 && nq__sim_content_is_durable(inode);
    unlock(disk, was_exempt);
    return is_durable;
}
