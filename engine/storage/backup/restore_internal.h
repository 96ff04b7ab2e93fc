/* What the files of a restore share.
 *
 *     restore.c          the order of things, and the mark of an unfinished target
 *     restore_copy.c     the data file, and the log's segments from wherever they are
 *     restore_point.c    where the log is to end
 */
#ifndef NQ_STORAGE_BACKUP_RESTORE_INTERNAL_H
#define NQ_STORAGE_BACKUP_RESTORE_INTERNAL_H

#include "engine/storage/backup/archive_file_internal.h"
#include "engine/storage/backup/restore.h"
#include "engine/storage/pager/superblock.h"

enum { NQ__RESTORE_PATH_BYTES = 1024 };

typedef struct nq__restore {
    nq_vfs *vfs;
    const nq_restore_options *options;
    nq_restore_result *result;
    nq_pager_root root;                         /* of the base copy's checkpoint */
    char log_directory[NQ__RESTORE_PATH_BYTES]; /* of the target */
    bool has_gap; /* the archive goes on behind a segment that nobody has */
    nq_error gap; /* in words */
} nq__restore;

nq_status nq__restore_path(nq_ctx *ctx, const char *directory, const char *name,
                           char out_path[NQ__RESTORE_PATH_BYTES]);

/* ---- restore_copy.c ---- */

/* Copies the base copy's data file, durably, and reads what its checkpoint says. */
nq_status nq__restore_copy_data(nq_ctx *ctx, nq__restore *restore);

/* Copies the segments from the checkpoint's on, each checked if it is an archived one, as far as
 * they go without a gap. Fails with NQ_LOG_CORRUPT if the first is missing. */
nq_status nq__restore_copy_log(nq_ctx *ctx, nq__restore *restore);

/* ---- restore_point.c ---- */

/* Reads the log that was copied and cuts it behind the last commit that is wanted. */
nq_status nq__restore_cut_log(nq_ctx *ctx, nq__restore *restore);

#endif
