/* Simulated disk: a vfs in memory that loses power, lies and rots on demand, reproducibly by seed.
 *
 * What the engine may rely on is exactly what vfs.h promises; everything beyond that is broken here
 * as often as the seed says:
 *
 *     write ──▶ page cache ──▶ (sync_data) ──▶ disk          reads see the page cache
 *     create, rename, unlink ──▶ names in memory ──▶ (sync_dir) ──▶ names on disk
 *
 * Power cut. Each 512-byte sector written since the file's last sync is kept, dropped (the disk has
 * what it had) or garbled, independently; a size that changed since is the old, the new, or
 * between. Each name changed since its directory's last sync is the new or the old one,
 * independently, but a rename happens whole or not at all and changes of one name happen in their
 * order. Meanwhile sectors may reach the disk on their own (writeback_ppm), so that an older
 * version of a sector written twice can be what is found. With collateral_damage the cut also
 * garbles what lies up to 64 KiB before and behind every write that awaits a sync, in its file,
 * synced or not: flash translation layers do that.
 *
 * A campaign over every I/O of a run, each with its own recovery, costs one run: the observer is
 * called before each I/O and may clone the disk, cut the clone's power and recover from that.
 *
 *     nq_sim_vfs *disk;                                   static void observe(void *user, uint64_t
 * io) { nq_sim_vfs_create(ctx, &options, &disk);                nq_sim_vfs_clone(ctx, disk, io,
 * &copy); nq_sim_vfs_set_observer(disk, observe, NULL);           nq_sim_vfs_crash(copy);
 *     run_workload(nq_sim_vfs_as_vfs(disk)); check_recovery(nq_sim_vfs_as_vfs(copy));
 *                                                             nq_sim_vfs_destroy(copy);
 *                                                         }
 *
 * Power cut before an I/O with what the one before it wrote still undecided is the same as a cut in
 * the middle of that one, so the observer's clones cover both. nq_sim_vfs_fault_at with
 * NQ_SIM_POWER_CUT does it without clones, in the middle of the nth I/O.
 *
 * Every call but close counts as one I/O. Threads: any, one call at a time inside; with several
 * threads only their order is not reproducible. Memory: three copies of each 4 KiB block written,
 * shared with clones until one of them changes it; the disk's own allocations are exempt from
 * nq_heap_fail_at. Directories cannot be renamed. */
#ifndef NQ_GROUND_OS_SIM_VFS_H
#define NQ_GROUND_OS_SIM_VFS_H

#include "engine/ground/os/vfs.h"

typedef struct nq_sim_vfs nq_sim_vfs;

enum { NQ_SIM_SECTOR_BYTES = 512, NQ_SIM_COLLATERAL_BYTES = 64 << 10 };

typedef enum nq_sim_fault {
    NQ_SIM_READ_ERROR,       /* a read fails with NQ_IO_ERROR */
    NQ_SIM_WRITE_ERROR,      /* a write fails with NQ_IO_ERROR; some of its sectors are written */
    NQ_SIM_WRITE_FULL,       /* a write, truncate or allocate fails with NQ_DISK_FULL; as above */
    NQ_SIM_SYNC_ERROR,       /* a sync fails and the page cache drops what was not yet durable, each
                                sector kept, dropped or garbled; the next sync succeeds */
    NQ_SIM_NAME_ERROR,       /* open, rename, unlink, list … or sync_dir fails with NQ_IO_ERROR */
    NQ_SIM_BIT_ROT,          /* one bit of what a read asks for is found flipped, for good */
    NQ_SIM_STALE_READ,       /* a read is served each sector's content before its last sync, once */
    NQ_SIM_MISDIRECTED_READ, /* a read is served another place of the file, once */
    NQ_SIM_MISDIRECTED_WRITE, /* a write lands in another place of the file, and is acknowledged */
    NQ_SIM_LOST_WRITE,        /* a write is acknowledged and never happens */
    NQ_SIM_BLOCK_ROT,         /* the 4 KiB block where a read begins is found noise, for good */
    NQ_SIM_BAD_SECTORS,       /* it cannot be read: this and later reads of any of it fail with
                                 NQ_IO_ERROR, until it is written */
    NQ_SIM_POWER_CUT, /* power fails in the middle of the I/O: it and all later ones fail with
                         NQ_IO_ERROR until nq_sim_vfs_restart */
    NQ_SIM_FAULT_COUNT
} nq_sim_fault;

/* Zero means: never, or the default in brackets. */
typedef struct nq_sim_options {
    uint64_t seed;
    uint64_t capacity_bytes;                /* NQ_DISK_FULL beyond it [no limit] */
    bool cannot_reserve;                    /* allocate makes files longer and promises nothing */
    uint32_t fault_ppm[NQ_SIM_FAULT_COUNT]; /* chance of each fault for an I/O it applies to */
    uint32_t writeback_ppm;  /* chance, at each write, that some dirty block of the file reaches the
                                disk on its own */
    uint32_t garble_percent; /* of a power cut's undecided sectors [10] */
    bool collateral_damage;
    uint32_t collateral_bytes; /* how far it reaches [NQ_SIM_COLLATERAL_BYTES] */
    int64_t io_ns;             /* what an I/O adds to the simulated clock (sim_clock.h) */
} nq_sim_options;

typedef struct nq_sim_stats {
    uint64_t ios; /* all of the following */
    uint64_t reads;
    uint64_t writes;
    uint64_t syncs;
    uint64_t dir_syncs;
    uint64_t others;
    uint64_t read_bytes;
    uint64_t written_bytes;
    uint64_t faults[NQ_SIM_FAULT_COUNT]; /* that happened */
    uint64_t sectors_kept;               /* by power cuts and failed syncs */
    uint64_t sectors_dropped;
    uint64_t sectors_garbled;
    uint64_t names_dropped; /* changes of names undone by power cuts */
} nq_sim_stats;

/* An empty disk. The directories "/" and "." exist. */
nq_status nq_sim_vfs_create(nq_ctx *ctx, const nq_sim_options *options, nq_sim_vfs **out_disk)
    __attribute__((warn_unused_result));

/* An independent copy as it is now, page cache included, with its own seed; nothing is open or
 * locked in it, no fault is scheduled, no observer set. */
nq_status nq_sim_vfs_clone(nq_ctx *ctx, nq_sim_vfs *disk, uint64_t seed, nq_sim_vfs **out_copy)
    __attribute__((warn_unused_result));

/* Its files must be closed. NULL is allowed. */
void nq_sim_vfs_destroy(nq_sim_vfs *disk);

/* To be given to whatever is under test; lives as long as the disk. */
nq_vfs *nq_sim_vfs_as_vfs(nq_sim_vfs *disk);

/* ---- Power ---- */

/* From now on every I/O fails with NQ_IO_ERROR. */
void nq_sim_vfs_cut_power(nq_sim_vfs *disk);

/* Decides what the cut left on the disk, and turns it on again with an empty page cache. Does
 * nothing when the power is on. Files opened before stay dead; they may only be closed. */
void nq_sim_vfs_restart(nq_sim_vfs *disk);

/* Both: cut and restart. */
void nq_sim_vfs_crash(nq_sim_vfs *disk);

bool nq_sim_vfs_is_on(nq_sim_vfs *disk);

/* ---- Faults ---- */

/* `fault` happens at the first I/O it applies to, at or after the `nth` from now (1: the next).
 * Once; scheduling it again replaces it, 0 cancels. */
void nq_sim_vfs_fault_at(nq_sim_vfs *disk, nq_sim_fault fault, uint64_t nth);

/* Replaces the chances of create; all zeros: a disk that only obeys. */
void nq_sim_vfs_set_fault_ppm(nq_sim_vfs *disk, const uint32_t fault_ppm[NQ_SIM_FAULT_COUNT]);

void nq_sim_vfs_set_capacity(nq_sim_vfs *disk, uint64_t capacity_bytes);

/* Called before each I/O with its number (from 1), outside any lock, by the thread that does it. */
void nq_sim_vfs_set_observer(nq_sim_vfs *disk, void (*observe)(void *user, uint64_t io),
                             void *user);

nq_sim_stats nq_sim_vfs_get_stats(nq_sim_vfs *disk);

/* ---- Looking and spoiling, without any fault in between; not counted as I/O ---- */

/* Flips one bit of a file, in the page cache and on the disk. False: no such file or byte. */
bool nq_sim_vfs_flip_bit(nq_sim_vfs *disk, const char *path, uint64_t offset, unsigned bit);

/* Zeroes `bytes` of a file, in the page cache and on the disk. False: no such file or bytes. */
bool nq_sim_vfs_wipe(nq_sim_vfs *disk, const char *path, uint64_t offset, uint64_t bytes);

/* True when nothing written to the file, and no name on the whole disk, awaits a sync; false when
 * there is no such file. */
bool nq_sim_vfs_is_durable(nq_sim_vfs *disk, const char *path);

#endif
