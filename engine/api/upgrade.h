/* Upgrade: a data directory of the format before into one of today's, offline and in place. */
#ifndef NQ_API_UPGRADE_H
#define NQ_API_UPGRADE_H

#include "engine/ground/base/ctx.h"
#include "engine/ground/os/vfs.h"

typedef struct nq_database_upgrade_result {
    bool was_needed;  /* false: nothing was done */
    uint64_t entries; /* rows and what describes them; 0 when an interrupted upgrade was finished */
    uint64_t commits; /* since the old server's last checkpoint */
} nq_database_upgrade_result;

/* The old files stay in the directory's `format-1`. On failure the directory is what it was; run it
 * again after whatever interrupted it. `cache_bytes` 0: 64 MiB. Fails with NQ_DATABASE_LOCKED,
 * NQ_FILE_FOREIGN (neither format), NQ_PAGE_CORRUPT and NQ_LOG_CORRUPT (the old files are damaged),
 * NQ_LIMIT_EXCEEDED, NQ_IO_ERROR, NQ_DISK_FULL, NQ_INVALID_ARGUMENT (an earlier upgrade's old files
 * are in the way). */
nq_status nq_database_upgrade(nq_ctx *ctx, nq_vfs *vfs, const char *directory, uint64_t cache_bytes,
                              nq_database_upgrade_result *out_result);

#endif
