/* The simulated disk as its tests handle it: made, cloned, cut off, restarted, spoiled.
 *
 * Each call on it enters (counted, observed, locked; refused when the power is off), decides which
 * fault strikes, does its work on content and names, and leaves. A power cut in the middle of an
 * I/O lets the I/O's effect into the page cache first, so that restart may find any part of it. */
#include <string.h>

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/os/sim_clock.h"
#include "engine/ground/os/sim_disk_internal.h"

/* ---- Entering and leaving ---- */

void nq__sim_lock(nq_sim_vfs *disk, bool *out_was_exempt) {
    nq_mutex_lock(&disk->mutex);
    *out_was_exempt = nq_heap_set_exempt(true);
}

void nq__sim_unlock(nq_sim_vfs *disk, bool was_exempt) {
    (void)nq_heap_set_exempt(was_exempt);
    nq_mutex_unlock(&disk->mutex);
}

bool nq__sim_strikes(nq_sim_vfs *disk, nq_sim_fault fault) {
    bool is_due = disk->fault_at[fault] != 0 && disk->stats.ios >= disk->fault_at[fault];
    if (is_due) {
        disk->fault_at[fault] = 0;
    } else if (disk->options.fault_ppm[fault] > 0) {
        is_due = nq_rng_below(&disk->rng, 1000000) < disk->options.fault_ppm[fault];
    }
    disk->stats.faults[fault] += is_due;
    return is_due;
}

nq_status nq__sim_enter(nq_ctx *ctx, nq_sim_vfs *disk, const nq__sim_file *file, const char *path,
                        bool *out_was_exempt, bool *out_is_cut) {
    nq__sim_lock(disk, out_was_exempt);
    uint64_t number = ++disk->stats.ios;
    void (*observe)(void *, uint64_t) = disk->observe;
    void *user = disk->observe_user;
    if (observe != NULL) {
        nq__sim_unlock(disk, *out_was_exempt);
        observe(user, number);
        nq__sim_lock(disk, out_was_exempt);
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
    *out_is_cut = nq__sim_strikes(disk, NQ_SIM_POWER_CUT);
    return NQ_OK;
}

nq_status nq__sim_leave(nq_ctx *ctx, nq_sim_vfs *disk, const char *path, bool was_exempt,
                        bool is_cut, nq_status status) {
    if (is_cut) {
        disk->is_on = false;
        status = nq_fail(ctx, NQ_IO_ERROR, "%s: the power failed", path);
    }
    nq__sim_unlock(disk, was_exempt);
    return status;
}

nq_status nq__sim_fail(nq_ctx *ctx, const char *what, const char *path, const char *why) {
    return nq_fail(ctx, NQ_IO_ERROR, "cannot %s %s: %s", what, path, why);
}

/* ---- The disk ---- */

static nq_sim_vfs *make_disk(const nq_sim_options *options) {
    bool was_exempt = nq_heap_set_exempt(true);
    nq_sim_vfs *disk = nq__sim_alloc(sizeof(*disk));
    (void)nq_heap_set_exempt(was_exempt);
    disk->vfs.vtable = &nq__sim_vfs_vtable;
    nq_mutex_init(&disk->mutex, NQ_LOCK_SIMULATION);
    disk->options = *options;
    if (disk->options.garble_percent == 0) {
        disk->options.garble_percent = 10;
    }
    if (disk->options.collateral_bytes == 0) {
        disk->options.collateral_bytes = NQ_SIM_COLLATERAL_BYTES;
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
    nq__sim_lock(disk, &was_exempt);
    nq_sim_vfs *copy = make_disk(&disk->options);
    copy->rng.state = seed;
    copy->is_on = disk->is_on;
    for (nq__sim_inode *inode = disk->inodes; inode != NULL; inode = inode->next) {
        inode->clone = nq__sim_inode_clone(copy, inode);
    }
    nq__sim_names_clone(copy, disk);
    for (nq__sim_inode *inode = disk->inodes; inode != NULL; inode = inode->next) {
        nq__sim_inode_release(copy, inode->clone); /* nameless ones go: nothing is open here */
        inode->clone = NULL;
    }
    nq__sim_unlock(disk, was_exempt);
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
    nq__sim_lock(disk, &was_exempt);
    disk->is_on = false;
    nq__sim_unlock(disk, was_exempt);
}

void nq_sim_vfs_restart(nq_sim_vfs *disk) {
    bool was_exempt;
    nq__sim_lock(disk, &was_exempt);
    if (disk->is_on) {
        goto done;
    }
    for (nq__sim_inode *inode = disk->inodes; inode != NULL; inode = inode->next) {
        if (disk->options.collateral_damage) {
            nq__sim_content_damage(disk, inode);
        }
        nq__sim_content_settle(disk, inode, false);
        inode->is_locked = false;
    }
    nq__sim_names_settle(disk);
    disk->boot++;
    disk->is_on = true;
done:
    nq__sim_unlock(disk, was_exempt);
}

void nq_sim_vfs_crash(nq_sim_vfs *disk) {
    nq_sim_vfs_cut_power(disk);
    nq_sim_vfs_restart(disk);
}

bool nq_sim_vfs_is_on(nq_sim_vfs *disk) {
    bool was_exempt;
    nq__sim_lock(disk, &was_exempt);
    bool is_on = disk->is_on;
    nq__sim_unlock(disk, was_exempt);
    return is_on;
}

void nq_sim_vfs_fault_at(nq_sim_vfs *disk, nq_sim_fault fault, uint64_t nth) {
    bool was_exempt;
    nq__sim_lock(disk, &was_exempt);
    disk->fault_at[fault] = nth == 0 ? 0 : disk->stats.ios + nth;
    nq__sim_unlock(disk, was_exempt);
}

void nq_sim_vfs_set_fault_ppm(nq_sim_vfs *disk, const uint32_t fault_ppm[NQ_SIM_FAULT_COUNT]) {
    bool was_exempt;
    nq__sim_lock(disk, &was_exempt);
    memcpy(disk->options.fault_ppm, fault_ppm, sizeof(disk->options.fault_ppm));
    nq__sim_unlock(disk, was_exempt);
}

void nq_sim_vfs_set_capacity(nq_sim_vfs *disk, uint64_t capacity_bytes) {
    bool was_exempt;
    nq__sim_lock(disk, &was_exempt);
    disk->options.capacity_bytes = capacity_bytes;
    nq__sim_unlock(disk, was_exempt);
}

void nq_sim_vfs_set_observer(nq_sim_vfs *disk, void (*observe)(void *user, uint64_t io),
                             void *user) {
    bool was_exempt;
    nq__sim_lock(disk, &was_exempt);
    disk->observe = observe;
    disk->observe_user = user;
    nq__sim_unlock(disk, was_exempt);
}

nq_sim_stats nq_sim_vfs_get_stats(nq_sim_vfs *disk) {
    bool was_exempt;
    nq__sim_lock(disk, &was_exempt);
    nq_sim_stats stats = disk->stats;
    nq__sim_unlock(disk, was_exempt);
    return stats;
}

static nq__sim_inode *find_path(nq_sim_vfs *disk, const char *path) {
    char normal[SIM_PATH_BYTES_MAX];
    return nq__sim_path_normalize(path, normal) ? nq__sim_names_find(&disk->now, normal) : NULL;
}

bool nq_sim_vfs_flip_bit(nq_sim_vfs *disk, const char *path, uint64_t offset, unsigned bit) {
    bool was_exempt;
    nq__sim_lock(disk, &was_exempt);
    nq__sim_inode *inode = find_path(disk, path);
    bool is_flipped = inode != NULL && nq__sim_content_flip_bit(inode, offset, bit);
    nq__sim_unlock(disk, was_exempt);
    return is_flipped;
}

bool nq_sim_vfs_wipe(nq_sim_vfs *disk, const char *path, uint64_t offset, uint64_t bytes) {
    bool was_exempt;
    nq__sim_lock(disk, &was_exempt);
    nq__sim_inode *inode = find_path(disk, path);
    bool is_wiped = inode != NULL && nq__sim_content_wipe(inode, offset, bytes);
    nq__sim_unlock(disk, was_exempt);
    return is_wiped;
}

bool nq_sim_vfs_is_durable(nq_sim_vfs *disk, const char *path) {
    bool was_exempt;
    nq__sim_lock(disk, &was_exempt);
    const nq__sim_inode *inode = find_path(disk, path);
    bool is_durable = inode != NULL && disk->change_count == 0 && nq__sim_content_is_durable(inode);
    nq__sim_unlock(disk, was_exempt);
    return is_durable;
}
