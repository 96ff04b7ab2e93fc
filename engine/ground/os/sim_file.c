/* Files of the simulated disk: which fault strikes a read, a write, a sync, and what is left of it.
 */
#include <string.h>

#include "engine/ground/base/heap.h"
#include "engine/ground/os/sim_disk_internal.h"

static uint64_t used_bytes(const nq_sim_vfs *disk) {
    uint64_t used = 0;
    for (const nq__sim_inode *inode = disk->inodes; inode != NULL; inode = inode->next) {
        used += nq__sim_content_used_bytes(inode);
    }
    return used;
}

/* Whether a range of the file has its space, or can be given it. */
static bool has_room(const nq_sim_vfs *disk, const nq__sim_inode *inode, uint64_t offset,
                     uint64_t bytes) {
    uint64_t lacking = nq__sim_content_lacking_bytes(inode, offset, bytes);
    return disk->options.capacity_bytes == 0 || lacking == 0 ||
           used_bytes(disk) + lacking <= disk->options.capacity_bytes;
}

static void sim_close(nq_file *base) {
    nq__sim_file *file = (nq__sim_file *)base;
    nq_sim_vfs *disk = file->disk;
    bool was_exempt;
    nq__sim_lock(disk, &was_exempt);
    if (file->holds_lock && file->boot == disk->boot) {
        file->inode->is_locked = false;
    }
    nq__sim_inode_release(disk, file->inode);
    disk->open_files--;
    nq__sim_unlock(disk, was_exempt);
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

/* False: it cannot be read. */
static bool read_content(nq_sim_vfs *disk, nq__sim_inode *inode, uint64_t offset, uint8_t *target,
                         size_t bytes) {
    if (nq__sim_strikes(disk, NQ_SIM_BAD_SECTORS)) {
        nq__sim_content_lose(inode, offset);
    }
    if (!nq__sim_content_is_readable(inode, offset, bytes)) {
        return false;
    }
    if (nq__sim_strikes(disk, NQ_SIM_BLOCK_ROT)) {
        nq__sim_content_rot(inode, offset, &disk->rng);
    }
    if (nq__sim_strikes(disk, NQ_SIM_BIT_ROT)) {
        uint64_t at = offset + nq_rng_below(&disk->rng, bytes);
        (void)nq__sim_content_flip_bit(inode, at, (unsigned)nq_rng_below(&disk->rng, 8));
    }
    bool is_stale = nq__sim_strikes(disk, NQ_SIM_STALE_READ);
    if (nq__sim_strikes(disk, NQ_SIM_MISDIRECTED_READ)) {
        offset = misdirect(disk, inode, offset, bytes);
    }
    nq__sim_content_read(inode, offset, target, bytes, is_stale);
    return true;
}

static nq_status sim_read_at(nq_ctx *ctx, nq_file *base, uint64_t offset, void *target,
                             size_t bytes, size_t *out_read) {
    nq__sim_file *file = (nq__sim_file *)base;
    nq_sim_vfs *disk = file->disk;
    nq__sim_inode *inode = file->inode;
    bool was_exempt;
    bool is_cut;
    *out_read = 0;
    nq_status status = nq__sim_enter(ctx, disk, file, file->path, &was_exempt, &is_cut);
    if (status != NQ_OK) {
        goto done;
    }
    disk->stats.reads++;
    if (nq__sim_strikes(disk, NQ_SIM_READ_ERROR)) {
        status = nq__sim_fail(ctx, "read", file->path, "injected");
        goto done;
    }
    uint64_t left = offset < inode->now_bytes ? inode->now_bytes - offset : 0;
    size_t got = bytes < left ? bytes : (size_t)left;
    if (got > 0 && !is_cut) {
        if (!read_content(disk, inode, offset, target, got)) {
            status = nq__sim_fail(ctx, "read", file->path, "bad sectors");
            goto done;
        }
        *out_read = got;
        disk->stats.read_bytes += got;
    }
done:
    return nq__sim_leave(ctx, disk, file->path, was_exempt, is_cut, status);
}

/* A write that fails leaves any of its sectors behind, as far as there is room. */
static void write_part(nq_sim_vfs *disk, nq__sim_inode *inode, uint64_t offset,
                       const uint8_t *source, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
        size_t part = NQ_SIM_SECTOR_BYTES - (size_t)((offset + done) % NQ_SIM_SECTOR_BYTES);
        part = part < bytes - done ? part : bytes - done;
        if (nq_rng_below(&disk->rng, 2) == 0 && has_room(disk, inode, offset + done, part)) {
            nq__sim_content_write(inode, offset + done, source + done, part);
            nq__sim_content_fill(inode, offset + done, part);
        }
        done += part;
    }
}

static void write_content(nq_sim_vfs *disk, nq__sim_inode *inode, uint64_t offset,
                          const uint8_t *source, size_t bytes) {
    bool is_lost = nq__sim_strikes(disk, NQ_SIM_LOST_WRITE);
    uint64_t end = offset + bytes;
    nq__sim_content_fill(inode, offset, bytes);
    if (!is_lost && nq__sim_strikes(disk, NQ_SIM_MISDIRECTED_WRITE)) {
        uint64_t place = misdirect(disk, inode, offset, bytes);
        is_lost = place == offset;
        offset = place;
    }
    if (!is_lost) {
        nq__sim_content_write(inode, offset, source, bytes);
    }
    if (end > inode->now_bytes) {
        nq__sim_content_resize(inode, end); /* the size is the file system's, and is not lost */
    }
}

static nq_status sim_write_at(nq_ctx *ctx, nq_file *base, uint64_t offset, const void *source,
                              size_t bytes) {
    nq__sim_file *file = (nq__sim_file *)base;
    nq_sim_vfs *disk = file->disk;
    nq__sim_inode *inode = file->inode;
    bool was_exempt;
    bool is_cut;
    nq_status status = nq__sim_enter(ctx, disk, file, file->path, &was_exempt, &is_cut);
    if (status != NQ_OK) {
        goto done;
    }
    disk->stats.writes++;
    if (file->is_read_only) {
        status = nq__sim_fail(ctx, "write", file->path, "it is open for reading only");
        goto done;
    }
    if (nq__sim_strikes(disk, NQ_SIM_WRITE_ERROR)) {
        write_part(disk, inode, offset, source, bytes);
        status = nq__sim_fail(ctx, "write", file->path, "injected");
        goto done;
    }
    if (!has_room(disk, inode, offset, bytes) || nq__sim_strikes(disk, NQ_SIM_WRITE_FULL)) {
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
    return nq__sim_leave(ctx, disk, file->path, was_exempt, is_cut, status);
}

static nq_status sim_sync_data(nq_ctx *ctx, nq_file *base) {
    nq__sim_file *file = (nq__sim_file *)base;
    nq_sim_vfs *disk = file->disk;
    bool was_exempt;
    bool is_cut;
    nq_status status = nq__sim_enter(ctx, disk, file, file->path, &was_exempt, &is_cut);
    if (status != NQ_OK) {
        goto done;
    }
    disk->stats.syncs++;
    if (nq__sim_strikes(disk, NQ_SIM_SYNC_ERROR)) {
        nq__sim_content_settle(disk, file->inode, true);
        status = nq__sim_fail(ctx, "sync", file->path, "injected");
    } else if (!is_cut) {
        nq__sim_content_sync(file->inode);
    }
done:
    return nq__sim_leave(ctx, disk, file->path, was_exempt, is_cut, status);
}

static nq_status sim_size(nq_ctx *ctx, nq_file *base, uint64_t *out_bytes) {
    nq__sim_file *file = (nq__sim_file *)base;
    bool was_exempt;
    bool is_cut;
    *out_bytes = 0;
    nq_status status = nq__sim_enter(ctx, file->disk, file, file->path, &was_exempt, &is_cut);
    if (status == NQ_OK) {
        file->disk->stats.others++;
        *out_bytes = file->inode->now_bytes;
    }
    return nq__sim_leave(ctx, file->disk, file->path, was_exempt, is_cut, status);
}

/* truncate and allocate: `kept_bytes` of the file stay as they are, and what it is to have from
 * there on has its space afterwards. */
static nq_status resize(nq_ctx *ctx, nq__sim_file *file, uint64_t kept_bytes, uint64_t bytes,
                        bool may_shrink) {
    nq_sim_vfs *disk = file->disk;
    nq__sim_inode *inode = file->inode;
    bool was_exempt;
    bool is_cut;
    nq_status status = nq__sim_enter(ctx, disk, file, file->path, &was_exempt, &is_cut);
    if (status != NQ_OK) {
        goto done;
    }
    disk->stats.others++;
    if (file->is_read_only) {
        status = nq__sim_fail(ctx, "resize", file->path, "it is open for reading only");
    } else if (!has_room(disk, inode, kept_bytes, bytes - kept_bytes) ||
               nq__sim_strikes(disk, NQ_SIM_WRITE_FULL)) {
        status = nq_fail(ctx, NQ_DISK_FULL, "cannot resize %s: no space is left", file->path);
    } else if (may_shrink || bytes > inode->now_bytes) {
        nq__sim_content_resize(inode, bytes);
    }
    if (status == NQ_OK) {
        nq__sim_content_fill(inode, kept_bytes, bytes - kept_bytes);
    }
done:
    return nq__sim_leave(ctx, disk, file->path, was_exempt, is_cut, status);
}

static nq_status sim_truncate(nq_ctx *ctx, nq_file *base, uint64_t bytes) {
    nq__sim_file *file = (nq__sim_file *)base;
    uint64_t now_bytes = file->inode->now_bytes;
    return resize(ctx, file, now_bytes < bytes ? now_bytes : bytes, bytes, true);
}

static nq_status sim_allocate(nq_ctx *ctx, nq_file *base, uint64_t offset, uint64_t bytes,
                              bool *out_is_reserved) {
    *out_is_reserved = !((nq__sim_file *)base)->disk->options.cannot_reserve;
    return resize(ctx, (nq__sim_file *)base, offset, offset + bytes, false);
}

/* A hole is there after a crash, whether its zeros are or not. */
static void sim_discard(nq_file *base, uint64_t offset, uint64_t bytes) {
    nq__sim_file *file = (nq__sim_file *)base;
    bool was_exempt;
    bool is_cut;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_status status = nq__sim_enter(&ctx, file->disk, file, file->path, &was_exempt, &is_cut);
    file->disk->stats.others++;
    if (status == NQ_OK) {
        nq__sim_content_punch(file->inode, offset, bytes);
    }
    (void)nq__sim_leave(&ctx, file->disk, file->path, was_exempt, is_cut, status);
}

static const nq_file_vtable FILE_VTABLE = {
    .close = sim_close,
    .read_at = sim_read_at,
    .write_at = sim_write_at,
    .sync_data = sim_sync_data,
    .size = sim_size,
    .truncate = sim_truncate,
    .allocate = sim_allocate,
    .discard = sim_discard,
};

nq__sim_file *nq__sim_file_open(nq_sim_vfs *disk, nq__sim_inode *inode, const char *path) {
    size_t path_bytes = strlen(path) + 1;
    nq__sim_file *file = nq__sim_alloc(sizeof(*file) + path_bytes);
    file->file.vtable = &FILE_VTABLE;
    file->disk = disk;
    file->inode = inode;
    file->boot = disk->boot;
    memcpy(file->path, path, path_bytes);
    inode->references++;
    disk->open_files++;
    return file;
}
