/* The simulated disk's inside, shared by sim_disk.c (power, faults), sim_vfs.c (calls on names),
 * sim_file.c (calls on files), sim_content.c (what a file holds, in the page cache and on the disk)
 * and sim_names.c (what is called how, in memory and on the disk). All of it happens under the
 * disk's mutex, with the heap's failures switched off. */
#ifndef NQ_GROUND_OS_SIM_DISK_INTERNAL_H
#define NQ_GROUND_OS_SIM_DISK_INTERNAL_H

#include <stdatomic.h>

#include "engine/ground/base/rng.h"
#include "engine/ground/os/mutex.h"
#include "engine/ground/os/sim_vfs.h"

enum { SIM_BLOCK_BYTES = 4096, SIM_SECTORS_PER_BLOCK = SIM_BLOCK_BYTES / NQ_SIM_SECTOR_BYTES };

/* Shared by a disk and its clones until one of them changes it. */
typedef struct nq__sim_block {
    uint8_t now[SIM_BLOCK_BYTES];     /* the page cache */
    uint8_t durable[SIM_BLOCK_BYTES]; /* the disk; zero beyond the durable size */
    uint8_t before[SIM_BLOCK_BYTES];  /* the disk before the last sync that changed it */
    uint8_t dirty;                    /* a bit per sector: written since */
    uint8_t unreadable;               /* likewise: reading it fails until it is written */
    _Atomic uint32_t references;      /* of inodes; more than one: nobody may change it */
} nq__sim_block;

/* A file or directory, whatever its names. Absent blocks are zeros everywhere, and take space like
 * others: only holes take none. */
typedef struct nq__sim_inode {
    struct nq__sim_inode *next;  /* in the disk's list of all */
    struct nq__sim_inode *clone; /* only while cloning */
    uint32_t references;         /* names in memory and on disk, pending changes, open files */
    bool is_dir;
    bool is_locked;
    uint64_t now_bytes;
    uint64_t durable_bytes;
    uint64_t cut_bytes; /* the smallest size since the last sync, at most durable_bytes */
    nq__sim_block **blocks;
    size_t block_count;
    uint64_t *holes; /* a bit per block, of the first hole_room */
    size_t hole_room;
    size_t hole_count;
    size_t dirty_low; /* blocks with dirty sectors are in [dirty_low, dirty_high) */
    size_t dirty_high;
} nq__sim_inode;

typedef struct nq__sim_name {
    char *path;
    nq__sim_inode *inode;
} nq__sim_name;

typedef struct nq__sim_names {
    nq__sim_name *items;
    size_t count;
    size_t room;
} nq__sim_names;

/* A change of names that its directory's sync has not made durable. */
typedef struct nq__sim_change {
    char *removed;        /* NULL, or the name that goes */
    char *added;          /* NULL, or the name that comes */
    nq__sim_inode *inode; /* of `added` */
} nq__sim_change;

struct nq_sim_vfs {
    nq_vfs vfs;
    nq_mutex mutex;
    nq_sim_options options;
    nq_rng rng;
    bool is_on;
    uint32_t boot; /* files opened in an earlier one are dead */
    uint32_t open_files;
    nq__sim_inode *inodes;
    nq__sim_names now;
    nq__sim_names durable;
    nq__sim_change *changes;
    size_t change_count;
    size_t change_room;
    uint64_t fault_at[NQ_SIM_FAULT_COUNT]; /* the I/O number from which it strikes, 0: none */
    void (*observe)(void *user, uint64_t io);
    void *observe_user;
    nq_sim_stats stats;
};

/* Zeroed memory that is always there: the disk's own needs are no part of a test. */
void *nq__sim_alloc(size_t bytes);

/* An open file. */
typedef struct nq__sim_file {
    nq_file file;
    nq_sim_vfs *disk;
    nq__sim_inode *inode;
    uint32_t boot;
    bool is_read_only;
    bool holds_lock;
    char path[];
} nq__sim_file;

/* ---- sim_disk.c ---- */

void nq__sim_lock(nq_sim_vfs *disk, bool *out_was_exempt);
void nq__sim_unlock(nq_sim_vfs *disk, bool was_exempt);
/* One I/O begins; the disk is locked whatever this returns. `file` is NULL for names. */
nq_status nq__sim_enter(nq_ctx *ctx, nq_sim_vfs *disk, const nq__sim_file *file, const char *path,
                        bool *out_was_exempt, bool *out_is_cut);
/* The I/O has had its effect; if `is_cut`, the power failed in its middle. Unlocks. */
nq_status nq__sim_leave(nq_ctx *ctx, nq_sim_vfs *disk, const char *path, bool was_exempt,
                        bool is_cut, nq_status status);
/* Does this fault happen to the current I/O? */
bool nq__sim_strikes(nq_sim_vfs *disk, nq_sim_fault fault);
nq_status nq__sim_fail(nq_ctx *ctx, const char *what, const char *path, const char *why);

/* ---- sim_file.c and sim_vfs.c ---- */

nq__sim_file *nq__sim_file_open(nq_sim_vfs *disk, nq__sim_inode *inode, const char *path);
extern const nq_vfs_vtable nq__sim_vfs_vtable;

/* ---- sim_content.c ---- */

nq__sim_inode *nq__sim_inode_create(nq_sim_vfs *disk, bool is_dir); /* with one reference */
void nq__sim_inode_release(nq_sim_vfs *disk, nq__sim_inode *inode);
nq__sim_inode *nq__sim_inode_clone(nq_sim_vfs *copy, const nq__sim_inode *inode);

void nq__sim_content_write(nq__sim_inode *inode, uint64_t offset, const uint8_t *data,
                           size_t bytes);
/* Below now_bytes only. `is_stale`: what was there before the last sync, where nothing is dirty. */
void nq__sim_content_read(const nq__sim_inode *inode, uint64_t offset, uint8_t *out_data,
                          size_t bytes, bool is_stale);
void nq__sim_content_resize(nq__sim_inode *inode, uint64_t bytes);
/* [offset, offset + bytes) is zeros, and whole blocks of it take no space. */
void nq__sim_content_punch(nq__sim_inode *inode, uint64_t offset, uint64_t bytes);
/* [offset, offset + bytes) has no holes any more. */
void nq__sim_content_fill(nq__sim_inode *inode, uint64_t offset, uint64_t bytes);
/* The space that the file takes, and that which it would have to be given for a range of it. */
uint64_t nq__sim_content_used_bytes(const nq__sim_inode *inode);
uint64_t nq__sim_content_lacking_bytes(const nq__sim_inode *inode, uint64_t offset, uint64_t bytes);
void nq__sim_content_sync(nq__sim_inode *inode);
bool nq__sim_content_is_durable(const nq__sim_inode *inode);
/* Some dirty block reaches the disk on its own. */
void nq__sim_content_write_back(nq__sim_inode *inode, nq_rng *rng);
/* Decides what of the undecided is on the disk; the page cache then holds the same.
 * `keeps_size`: the size in memory survives, as after a failed sync. */
void nq__sim_content_settle(nq_sim_vfs *disk, nq__sim_inode *inode, bool keeps_size);
/* Garbles sectors within options.collateral_bytes before and behind whatever awaits a sync, durable
 * ones too; to be settled afterwards. */
void nq__sim_content_damage(nq_sim_vfs *disk, nq__sim_inode *inode);
bool nq__sim_content_flip_bit(nq__sim_inode *inode, uint64_t offset, unsigned bit);
/* The block of `offset` is noise from now on, in the page cache and on the disk. */
void nq__sim_content_rot(nq__sim_inode *inode, uint64_t offset, nq_rng *rng);
bool nq__sim_content_wipe(nq__sim_inode *inode, uint64_t offset, uint64_t bytes);
/* The block of `offset` cannot be read from now on. */
void nq__sim_content_lose(nq__sim_inode *inode, uint64_t offset);
bool nq__sim_content_is_readable(const nq__sim_inode *inode, uint64_t offset, size_t bytes);

/* ---- sim_names.c ---- */

enum { SIM_PATH_BYTES_MAX = 1024 };

/* One spelling for each path: no "./", no doubled or trailing '/'. False: too long. */
bool nq__sim_path_normalize(const char *path, char out_path[SIM_PATH_BYTES_MAX]);
bool nq__sim_path_is_root(const char *path);
bool nq__sim_path_is_in(const char *path, const char *directory);
const char *nq__sim_path_base(const char *path);

nq__sim_inode *nq__sim_names_find(const nq__sim_names *names, const char *path);
/* The directory that holds `path` exists in memory. */
bool nq__sim_names_has_parent(const nq_sim_vfs *disk, const char *path);
/* Changes the names in memory at once, those on the disk when synced. Either name may be NULL. */
void nq__sim_names_change(nq_sim_vfs *disk, const char *removed, const char *added,
                          nq__sim_inode *inode);
void nq__sim_names_sync(nq_sim_vfs *disk, const char *directory);
/* Decides which changes reached the disk; the names in memory are then those. */
void nq__sim_names_settle(nq_sim_vfs *disk);
/* Expects every inode's `clone` to be set. */
void nq__sim_names_clone(nq_sim_vfs *copy, const nq_sim_vfs *disk);
void nq__sim_names_clear(nq_sim_vfs *disk);

#endif
