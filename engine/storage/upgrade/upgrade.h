/* Upgrade: a data directory of format 1 into one of format 2, in place, offline.
 *
 * The old files are only read until the new ones are whole: the new store is written to
 * `upgrade/` inside the directory, compared entry by entry, closed, opened again and verified. Then
 * `upgrade/verified` is made, durably: that is the decision. Before it the directory is the old
 * one, whatever happens, and an upgrade begins anew; after it, what is left to do is a handful of
 * renames, which nq_upgrade_prepare finishes however often it is interrupted. The old files stay in
 * `format-1/`.
 *
 * What the old log holds behind its last checkpoint is replayed: the old server need not have been
 * stopped cleanly. */
#ifndef NQ_STORAGE_UPGRADE_UPGRADE_H
#define NQ_STORAGE_UPGRADE_UPGRADE_H

#include "engine/ground/base/ctx.h"
#include "engine/ground/os/vfs.h"

/* Zero means the default in brackets. */
typedef struct nq_upgrade_options {
    uint64_t cache_bytes; /* of the store being written [64 MiB] */
    uint32_t lane_blocks; /* of its data file, as nq_store_options has it */
} nq_upgrade_options;

typedef struct nq_upgrade_result {
    bool was_needed;     /* false: the directory is of today's format, and was left alone */
    uint64_t trees;      /* copied, the system's included; zero when an upgrade was resumed */
    uint64_t entries;    /* of the checkpoint, in them */
    uint64_t commits;    /* replayed from the log */
    uint64_t data_bytes; /* of the old data file's pages */
} nq_upgrade_result;

/* Fails with NQ_DATABASE_LOCKED, NQ_FILE_FOREIGN (another format), NQ_PAGE_CORRUPT, NQ_LOG_CORRUPT,
 * NQ_LIMIT_EXCEEDED, NQ_IO_ERROR, NQ_DISK_FULL, NQ_INVALID_ARGUMENT (an earlier upgrade's old files
 * are in the way); the directory is then what it was. `options` may be NULL. */
nq_status nq_upgrade_run(nq_ctx *ctx, nq_vfs *vfs, const char *directory,
                         const nq_upgrade_options *options, nq_upgrade_result *out_result);

/* Before a directory is opened: finishes an upgrade that was interrupted after its decision,
 * failing as above; usually there is none. Fails with NQ_UPGRADE_NEEDED when the directory is of
 * format 1; whatever else is wrong with it is left for nq_store_open to say. */
nq_status nq_upgrade_prepare(nq_ctx *ctx, nq_vfs *vfs, const char *directory);

#endif
