/* Legacy log: the log of a store of format 1, for reading. Its groups are those that today's log
 * still reads (docs/format/log.md); only the files are opened another way: never for writing. */
#ifndef NQ_STORAGE_UPGRADE_LEGACY_LOG_H
#define NQ_STORAGE_UPGRADE_LEGACY_LOG_H

#include "engine/ground/os/vfs.h"
#include "engine/storage/upgrade/legacy_superblock.h"
#include "engine/storage/wal/log.h"

/* Opens for nq_log_read, from the checkpoint on. Fails with NQ_LOG_CORRUPT when the segment of the
 * checkpoint is missing, or one has not its length. */
nq_status nq_legacy_log_open(nq_ctx *ctx, nq_vfs *vfs, const char *directory,
                             const nq_legacy_superblock *superblock, nq_log **out_log);

#endif
